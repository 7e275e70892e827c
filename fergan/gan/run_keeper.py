"""What a training run keeps on disk while it learns, and when it is finished: nothing done is lost."""

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import TensorBoardLogger
from torch import Tensor

from fergan.files import write_array, write_json
from fergan.gan.checkpoints import (
    HISTORY_COLUMNS,
    keep_best,
    load_best,
    load_state,
    recalibrate_batch_norm,
    remove_checkpoints,
    save_best,
    save_state,
    save_weights,
)
from fergan.gan.dcgan import to_uint8
from fergan.gan.draws import Draws
from fergan.gan.training_state import TrainingState
from fergan.gan.watch import Watch

__all__ = ["RunKeeper", "alone", "finish"]

log = logging.getLogger(__name__)

N_FILM_FACES = 16  # of each look, kept for the filmstrip


@contextmanager
def alone(folder: Path, fabric: Fabric) -> Iterator[None]:
    """Be the only run that writes to this folder; a killed one's lock is gone with it."""
    if not fabric.is_global_zero:
        yield
        return
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{folder} is being trained by another process; wait for it, or end it, and run again") from None
        yield


class RunKeeper:
    """Keeps what a run has done: losses, looks at the samples, checkpoints, logs. Only the first process writes."""

    def __init__(self, folder: Path, state: TrainingState, watch: Watch | None, draws: Draws, n_steps: int, fabric: Fabric,
                 n_threads: int):
        self._folder, self._state, self._watch, self._draws, self._fabric = folder, state, watch, draws, fabric
        self._n_steps = n_steps
        self._log = TensorBoardLogger(folder, name="tensorboard", version="") if fabric.is_global_zero else None
        self._pending: list[Tensor] = []
        self.history, note = load_state(folder, state)
        self._seconds = note.get("seconds", 0.0)
        self.parts = _with_part(note.get("parts", []), _machine(fabric, n_threads) | {"from_step": state.step})
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, over all interrupted runs."""
        return self._seconds + time.monotonic() - self._start

    def add(self, losses: Tensor) -> None:
        """Note the losses of one step where they are, without waiting for them."""
        self._pending.append(losses)

    def flush(self) -> None:
        """Bring the losses of the last steps to the processor and stop where one is not finite."""
        if not self._pending:
            return
        rows = torch.stack(self._pending).cpu().numpy()
        first = self._state.step - len(rows)
        bad = ~np.isfinite(rows[:, :2]).all(axis=1)
        if bad.any():
            raise FloatingPointError(
                f"training loss is not finite at step {first + int(bad.argmax())} of {self._n_steps}; "
                "the last checkpoint is kept; with a lower learning_rate it starts anew, as another run"
            )
        self.history.extend((first + i, *row) for i, row in enumerate(rows.tolist()))
        self._pending.clear()
        if self._log is not None:
            self._log.log_metrics(dict(zip(HISTORY_COLUMNS[1:], rows.mean(0).tolist(), strict=True)), self._state.step)

    def checkpoint(self) -> None:
        """Save the state after the last whole step."""
        self.flush()
        if self._watch is None or not self._state.step:
            return
        save_state(self._folder, self._state, self.history, {"seconds": self.seconds, "parts": self.parts})
        if self._watch.best is not None:
            keep_best(self._folder, self._watch.best.step)

    def look(self) -> None:
        """Measure what the averaged generator makes of the same noise, keep a few of its faces, and the best weights."""
        self.flush()
        if self._watch is None:
            return
        state = self._state
        samples = _draw_samples(state, self._draws.fixed_noise(self._watch.n_samples, stream=-1))
        last = max((look.step for look in self._watch.looks if look.step < state.step), default=0)
        try:
            write_array(self._folder / "filmstrip" / f"step-{state.step:07d}.npy", samples[:N_FILM_FACES])
            found = self._watch.look(state.step, samples, np.array(self.history[last:]).reshape(-1, 5)[:, 3:])
            if found is self._watch.best:
                save_best(self._folder, state)
            self._log.log_metrics({"frechet_hog": found.frechet, "diversity_ratio": found.diversity_ratio}, state.step)
            self._log.save()
        except OSError as error:
            raise OSError(f"{self._folder} cannot be written ({error}); the last checkpoint is kept") from error


def _machine(fabric: Fabric, n_threads: int) -> dict[str, Any]:
    """Return what a run's rounding depends on."""
    precision = "bfloat16" if "bf16" in fabric.strategy.precision.precision else "float32"
    return dict(device=str(fabric.device), processes=fabric.world_size, precision=precision, threads=n_threads)


def _with_part(parts: list[dict[str, Any]], part: dict[str, Any]) -> list[dict[str, Any]]:
    """Add this start of a run to the earlier ones, and warn where it computes otherwise than the one before."""
    if parts:
        before = parts[-1]
        kept = before | {"from_step": part["from_step"]}
        changed = ", ".join(f"{key} {kept[key]} to {part[key]}" for key in kept if kept[key] != part[key])
        if changed:
            log.warning("this run goes on from step %d with other rounding than before (%s)", part["from_step"], changed)
    return [*parts, part]


@torch.no_grad()
def _draw_samples(state: TrainingState, noise: Tensor) -> np.ndarray:
    state.average.train()  # batch statistics: the running ones lag behind the weights early on
    saved = {name: buffer.clone() for name, buffer in state.average.named_buffers()}
    images = state.average(noise)
    for name, buffer in state.average.named_buffers():
        buffer.copy_(saved[name])
    return to_uint8(images)


def finish(folder: Path, state: TrainingState, watch: Watch, draws: Draws, keeper: RunKeeper, n_faces: int) -> None:
    """Save the last weights, and the best where they are others; note how it went; drop what only resuming needs."""
    batches = [draws.fixed_noise(256, -2 - i) for i in range(8)]
    recalibrate_batch_norm(state.average, batches)
    weights = save_weights(folder, state.average, state.discriminator.module)
    if watch.best.step != state.step:
        load_best(folder, state, watch.best.step)
        recalibrate_batch_norm(state.average, batches)
        save_weights(folder / "best", state.average, state.discriminator.module)
    note = {key: value for key, value in keeper.parts[-1].items() if key != "from_step"} | dict(
        steps=state.step, n_faces=n_faces, seconds=keeper.seconds, torch=metadata.version("torch"), weights=weights,
        best_step=watch.best.step, best_frechet=watch.best.frechet, frechet=watch.looks[-1].frechet,
        alarms=[{"step": look.step, "reason": look.alarm} for look in watch.alarms], parts=keeper.parts,
    )
    write_json(folder / "finished.json", note)
    remove_checkpoints(folder)
