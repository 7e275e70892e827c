"""Training a DCGAN on the faces of one dataset, without labels: the loop around `fergan.gan.step`.

A run that was stopped or killed and started again goes on from its last checkpoint, and ends in the same weights.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import TensorBoardLogger
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor
from tqdm.auto import tqdm

from fergan.cache import computing_device
from fergan.files import atomic_path, hash_array, locked, read_json, write_array, write_json
from fergan.gan import TrainConfig
from fergan.gan.networks import has_native_bfloat16, to_uint8
from fergan.gan.runs import keep_discriminator, load_state, save_state, save_weights
from fergan.gan.step import RandomStreams, TrainingState, calibrate_average, next_step, steps_per_epoch

# A run notes its precision itself; Fabric would say it on every page.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

SHOW_SECONDS = 0.5  # between reports of progress
LOSSES = ["loss_d", "loss_g", "score_real", "score_generated"]  # of each step
N_FILM_FACES = 16  # of each snapshot, kept for the filmstrip
Progress = Callable[[int, int, dict[str, float]], None]  # called as ``progress(step, n_steps, losses)``, at most so often
AGREE_EVERY = 20  # steps: several processes ask one another whether to save or show
KEEP_EVERY = 3  # so many snapshots the discriminator is kept, from the untrained one to the last


def make_fabric(precision: str = "auto", *, devices: int = 1, num_nodes: int = 1, accelerator: str = "") -> Fabric:
    """Return what runs the loop: the first GPU that works, else the processor; or the named `accelerator`, "cuda" or "cpu".

    There are `devices` processes on each of `num_nodes` machines; under ``torchrun`` both are its own.
    """
    accelerator = accelerator or computing_device("auto")
    if precision == "auto":
        precision = "bf16" if has_native_bfloat16(torch.device(accelerator)) else "float32"
    if "LOCAL_WORLD_SIZE" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        num_nodes = int(os.environ["WORLD_SIZE"]) // devices
    # Running statistics are averaged by the step itself; broadcasting them would overwrite what a graph still needs.
    strategy = DDPStrategy(broadcast_buffers=False) if devices * num_nodes > 1 else "auto"
    words = {"bf16": "bf16-mixed", "float32": "32-true"}
    return Fabric(accelerator=accelerator, devices=devices, num_nodes=num_nodes, strategy=strategy,
                  precision=words[precision])


#: All code that can change a weight: a change of any other leaves finished runs as they are.
WEIGHT_CODE = (make_fabric, TrainingState, RandomStreams, next_step, calibrate_average)


def train(folder: str | Path, config: TrainConfig, *, images: np.ndarray, monitor: Any = None, n_threads: int = 1,
          checkpoint_seconds: float = 20.0, n_snapshots: int = 13, fabric: Fabric | None = None,
          progress: Progress | None = None) -> None:
    """Train a DCGAN, or continue a run that is already there; `fergan.gan.runs.Run` reads it when it is finished.

    Args:
        images: Faces uint8 (n_faces, 64, 64, 3), all of which are kept on the device.
        monitor: Measures the snapshots: a `fergan.quality.collapse.Monitor`, or what has `n_samples` and `measure`.
        n_threads: Processor threads; other counts give other rounding, so it is recorded.
        checkpoint_seconds: Between checkpoints. A run that is stopped or killed loses at most this much work.
        n_snapshots: How many times from start to end the samples of the same noise are drawn, kept and measured.
        fabric: Where to run, launched; without it one process on the first GPU or the processor.

    FloatingPointError or OSError where a loss is not finite or something cannot be written (the last checkpoint is kept),
    ValueError where there are fewer faces than one batch or the folder holds something else.
    """
    folder, fabric = Path(folder), fabric or make_fabric(config.precision)
    n_steps = steps_per_epoch(len(images), config) * config.epochs
    with fabric.rank_zero_first():
        _claim(folder, config, images)
    busy = f"{folder} is being trained by another process; wait for it, or end it, and run again"
    with locked(folder / ".training.lock", busy) if fabric.is_global_zero else nullcontext():
        if not (folder / "finished.json").is_file():
            torch.set_num_threads(n_threads)
            training = _Training(folder, config, images, monitor, n_steps, fabric, n_threads)
            _loop(training, np.linspace(0, n_steps, n_snapshots).round(), checkpoint_seconds, progress)
            training.finish()
        fabric.barrier()


def _loop(training: "_Training", snapshot_steps: np.ndarray, checkpoint_seconds: float,
          progress: Progress | None) -> None:
    state, n_steps = training.state, training.n_steps
    saved = shown = time.monotonic()
    while state.step < n_steps:
        if state.step in snapshot_steps:
            training.take_snapshot()
        training.take_step()
        now, last = time.monotonic(), state.step == n_steps
        wished = (now - saved > checkpoint_seconds or last, now - shown > SHOW_SECONDS or last)
        save, show = _agreed(wished, state.step % AGREE_EVERY == 0 or last, training.fabric)
        if save:
            training.save_checkpoint()
            saved = now
        if show:
            training.flush()
            if progress is not None:
                progress(state.step, n_steps, dict(zip(LOSSES[:2], training.history[-1, :2].tolist(), strict=True)))
            shown = now
    training.take_snapshot()


class _Training:
    """A run under way: its state, and what it has done so far. Only the first process measures and writes."""

    def __init__(self, folder: Path, config: TrainConfig, images: np.ndarray, monitor: Any, n_steps: int, fabric: Fabric,
                 n_threads: int):
        self.n_steps, self.fabric, self._first = n_steps, fabric, fabric.is_global_zero
        self._folder, self._config, self._monitor = folder, config, monitor
        for half_written in folder.glob(".*.safetensors") if self._first else ():  # by a killed process
            half_written.unlink(missing_ok=True)
        self.state, self._streams = TrainingState(config, fabric), RandomStreams(len(images), config, fabric)
        self._log = TensorBoardLogger(folder, name="tensorboard", version="") if self._first else None
        self._pending: list[Tensor] = []
        self.history, note = load_state(folder, self.state)
        self._snapshots: list[dict[str, Any]] = note.get("snapshots", [])
        precision = "bfloat16" if "bf16" in fabric.strategy.precision.precision else "float32"
        self._parts = [*note.get("parts", []), dict(  # what the rounding of each start depends on
            from_step=self.state.step, device=str(fabric.device), processes=fabric.world_size, precision=precision,
            threads=n_threads)]
        self._seconds, self._start = note.get("seconds", 0.0), time.monotonic()
        # Processes that went on from different checkpoints would wait for one another for ever.
        steps = fabric.all_gather(torch.tensor(self.state.step, device=fabric.device)).flatten().tolist()
        if len(set(steps)) > 1:
            raise ValueError(f"processes found checkpoints of steps {steps} in {folder}; all machines must share it")
        self._faces = torch.from_numpy(np.array(images)).to(fabric.device)  # a copy: the faces on disk are read-only

    def take_step(self) -> None:
        """Take one step, and note its losses where they are, without waiting for them."""
        self._pending.append(next_step(self.state, self._faces, self._streams, self._config, self.fabric))

    def flush(self) -> None:
        """Bring the losses of the last steps to the processor and stop where one is not finite."""
        if not self._pending:
            return
        rows = torch.stack(self._pending).cpu().numpy().astype(float)
        bad = ~np.isfinite(rows[:, :2]).all(axis=1)
        if bad.any():
            step = self.state.step - len(rows) + int(bad.argmax())
            raise FloatingPointError(f"training loss is not finite at step {step} of {self.n_steps}; "
                                     "the last checkpoint is kept; a lower learning_rate makes another run")
        self.history = np.concatenate([self.history, rows])
        self._pending.clear()
        if self._first:
            self._log.log_metrics(dict(zip(LOSSES, rows.mean(0).tolist(), strict=True)), self.state.step)

    def save_checkpoint(self) -> None:
        """Save the state after the last whole step."""
        self.flush()
        if self._first and self.state.step:
            note = {"seconds": self._so_far(), "parts": self._parts, "snapshots": self._snapshots}
            save_state(self._folder, self.state, self.history, note)

    @torch.no_grad()
    def take_snapshot(self) -> None:
        """Measure what the averaged generator makes of the same noise, keep a few of its faces."""
        self.flush()
        if not self._first:
            return
        step = self.state.step
        noise = self._streams.fixed_noise(getattr(self._monitor, "n_samples", N_FILM_FACES), -1)
        # Batch statistics of a copy: the running ones lag behind the weights early on.
        samples = to_uint8(deepcopy(self.state.average).train()(noise))
        scores = self.history[self._snapshots[-1]["step"] if self._snapshots else 0 :, 2:]
        measured = self._monitor.measure(step, self.n_steps, samples, scores) if self._monitor else {"alarm": ""}
        self._snapshots.append({"step": step} | measured)
        if len(self._snapshots) % KEEP_EVERY == 1 or step == self.n_steps:
            keep_discriminator(self._folder, step, self.state.discriminator.module)
        write_array(self._folder / "filmstrip" / f"step-{step:07d}.npy", samples[:N_FILM_FACES])
        self._log.log_metrics({name: value for name, value in measured.items() if name != "alarm"}, step)
        self._log.save()

    def finish(self) -> None:
        """Save the last weights, note how it went, and drop what only resuming needs."""
        if not self._first:
            return
        state = self.state
        calibrate_average(state, self._streams)
        save_weights(self._folder, state.average, state.discriminator.module)
        # The snapshot nearest to the real faces, the earlier one of equals; the last one where nothing is measured.
        best = min(self._snapshots, key=lambda row: row["frechet"]) if self._monitor else self._snapshots[-1]
        note = self._parts[-1] | dict(
            steps=state.step, n_faces=len(self._faces), seconds=self._so_far(), best_step=best["step"],
            best_frechet=best.get("frechet"),
            alarms=[{"step": row["step"], "reason": row["alarm"]} for row in self._snapshots if row["alarm"]],
            parts=self._parts)
        history = pd.DataFrame(self.history, columns=LOSSES).rename_axis("step").reset_index()
        for name, table in (("history", history), ("snapshots", pd.DataFrame(self._snapshots))):
            with atomic_path(self._folder / f"{name}.parquet") as temporary:
                table.to_parquet(temporary, index=False)
        write_json(self._folder / "finished.json", note)
        for checkpoint in self._folder.glob("checkpoint*.safetensors"):
            checkpoint.unlink()

    def _so_far(self) -> float:
        return self._seconds + time.monotonic() - self._start  # over all interrupted runs


def _claim(folder: Path, config: TrainConfig, images: np.ndarray) -> None:
    """Note in a run's folder what it is trained with and on, and refuse one that belongs to another run."""
    record = {"parameters": config.model_dump(), "images": hash_array(images)}
    path = folder / "config.json"
    if path.is_file() and read_json(path) != record:
        raise ValueError(f"{path} belongs to a run with other parameters or faces; move that folder away")
    if not path.is_file():
        write_json(path, record)


def _agreed(wished: tuple[bool, ...], asking: bool, fabric: Fabric) -> tuple[bool, ...]:
    """Return what is done after this step: what one process wishes for itself, or what any of several does."""
    # Each has a clock of its own: one that found alone that a loss is not finite would let the others wait for ever.
    if fabric.world_size == 1 or not asking:
        return wished if fabric.world_size == 1 else (False,) * len(wished)
    asked = torch.tensor(wished, dtype=torch.float32, device=fabric.device)
    torch.distributed.all_reduce(asked)
    return tuple((asked > 0).tolist())


@contextmanager
def training_progress(title: str, batch_size: int, disable: bool = False) -> Iterator[Progress]:
    """Yield what `train` calls to show how far it is; in all processes but the first, show nothing."""
    with tqdm(desc=title, unit="step", miniters=1, disable=disable) as bar:

        def show(step: int, n_steps: int, losses: dict[str, float]) -> None:
            if bar.total != n_steps:
                bar.reset(total=n_steps)
                bar.initial = bar.n = step  # steps of an earlier run took none of this one's time
            images = (bar.format_dict["rate"] or 0) * batch_size
            bar.set_postfix(losses | {"images/s": f"{images:.0f}"}, refresh=False)
            bar.update(step - bar.n)

        yield show
