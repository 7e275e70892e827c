"""Training a DCGAN on the faces of one dataset, without labels.

Everything random in a step is drawn from a generator seeded by (seed, step), so the state of a run is its weights, its
optimisers' moments and the step number: a run that was killed and started again continues exactly where it was. The
loop is the same on a processor, a GPU, or many of them: Lightning Fabric has the device, the precision and the processes.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import TensorBoardLogger
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor
from torch.nn.functional import softplus

from fergan.augmentation import augment, mirror
from fergan.checkpoints import (
    HISTORY_COLUMNS,
    load_best,
    load_state,
    recalibrate_batch_norm,
    remove_checkpoints,
    save_best,
    save_state,
    save_weights,
)
from fergan.dcgan import to_float, to_uint8
from fergan.files import write_array, write_json
from fergan.runs import Run, TrainConfig, run_folder
from fergan.training_state import TrainingState
from fergan.watch import Watch

__all__ = ["has_native_bfloat16", "make_fabric", "steps_per_epoch", "train", "train_step"]

# A run notes its precision itself; Fabric would say it on every page.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

N_FILM_FACES = 16  # of each look, kept for the filmstrip
SHOW_SECONDS = 0.5  # between reports of progress


def has_native_bfloat16(device: torch.device) -> bool:
    """Say whether the device multiplies bfloat16 itself; elsewhere it is emulated, and slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def make_fabric(precision: str = "auto", *, devices: int = 1, num_nodes: int = 1, **options: Any) -> Fabric:
    """Return what runs the loop: the first GPU where there is one, else the processor; or several of either.

    Under ``torchrun`` the number of processes is its own.

    Parameters
    ----------
    precision : str
        See `fergan.runs.TrainConfig`.
    devices, num_nodes : int
        Processes on each machine, and machines.
    **options
        Of Fabric, such as ``loggers`` or ``accelerator``.
    """
    accelerator = options.pop("accelerator", "cuda" if torch.cuda.is_available() else "cpu")
    if precision == "auto":
        precision = "bf16" if has_native_bfloat16(torch.device(accelerator)) else "float32"
    if "LOCAL_WORLD_SIZE" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        num_nodes = int(os.environ["WORLD_SIZE"]) // devices
    # Running statistics are averaged by the step itself; broadcasting them would overwrite what a graph still needs.
    strategy = DDPStrategy(broadcast_buffers=False) if devices * num_nodes > 1 else "auto"
    words = {"bf16": "bf16-mixed", "float32": "32-true"}
    options |= dict(accelerator=accelerator, devices=devices, num_nodes=num_nodes)
    return Fabric(strategy=strategy, precision=words[precision], **options)


def steps_per_epoch(n_faces: int, config: TrainConfig) -> int:
    """Return the number of whole batches in one pass."""
    if n_faces < config.batch_size:
        raise ValueError(
            f"training needs at least one batch of {config.batch_size} faces and the set has {n_faces}; "
            "lower batch_size or give more faces"
        )
    return n_faces // config.batch_size


class _Draws:
    """What is random in each step, the same on every device; each process has its share of every batch."""

    def __init__(self, n_faces: int, config: TrainConfig, fabric: Fabric):
        if config.batch_size % fabric.world_size:
            raise ValueError(f"batch_size is {config.batch_size}; expected a multiple of the {fabric.world_size} processes")
        self._config, self._fabric, self._n_faces = config, fabric, n_faces
        self._per_epoch = steps_per_epoch(n_faces, config)
        self._share = slice(fabric.global_rank, None, fabric.world_size)
        self._order = (-1, torch.empty(0))

    def rows(self, step: int) -> Tensor:
        """Return which faces this step sees: every epoch is one shuffled pass, its last short batch left out."""
        epoch, batch = divmod(step, self._per_epoch)
        if self._order[0] != epoch:
            order = np.random.default_rng([self._config.seed, epoch]).permutation(self._n_faces)
            self._order = epoch, torch.from_numpy(order).to(self._fabric.device)
        size = self._config.batch_size
        return self._order[1][batch * size : (batch + 1) * size][self._share]

    def noise(self, step: int) -> Tensor:
        """Return this step's noise vectors."""
        stream = step if self._config.noise_redrawn == "step" else step - step % self._per_epoch
        return self.fixed_noise(self._config.batch_size, stream)[self._share]

    def fixed_noise(self, n: int, stream: int) -> Tensor:
        """Return n noise vectors of a stream of their own; drawn on the processor, so that every device has the same."""
        noise = torch.randn(n, self._config.latent_dim, generator=_random(self._config, stream))
        return noise.to(self._fabric.device, non_blocking=True)

    def other(self, step: int) -> torch.Generator:
        """Return the source of this step's augmentation and label noise."""
        return _random(self._config, (step + 1) * self._fabric.world_size + self._fabric.global_rank, offset=500_009)


def _random(config: TrainConfig, stream: int, offset: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed((config.seed + offset) * 1_000_003 + stream)


def _loss(logit: Tensor, label: float, label_noise: float = 0.0, random: torch.Generator | None = None) -> Tensor:
    """Mean of log(1 + exp(-label * logit)): for labels of -1 and 1 the cross-entropy, which noise blurs."""
    if not label_noise:
        return softplus(-label * logit).mean()
    noise = torch.randn(logit.shape, generator=random).to(logit.device, non_blocking=True)
    return softplus(-(label + label_noise * noise) * logit).mean()


def train_step(state: TrainingState, real: Tensor, noise: Tensor, config: TrainConfig, fabric: Fabric,
               random: torch.Generator) -> Tensor:
    """Update both networks once.

    Parameters
    ----------
    state : TrainingState
        Changed in place; `step` is left to the caller.
    real : Tensor of shape (n, 3, 64, 64)
        Faces in -1..1.
    noise : Tensor of shape (n, latent_dim)
    random : torch.Generator
        Of augmentation and label noise, on the processor.

    Returns
    -------
    Tensor of shape (4,)
        ``loss_d, loss_g, score_real, score_generated``, the scores as probabilities of being real before the updates.
    """
    generator, discriminator = state.generator, state.discriminator
    real = augment(mirror(real, config.flip_probability, random), config.augment, random)

    # Update the discriminator: real faces towards 1, generated ones towards -1.
    generated = generator(noise)
    shown = augment(generated.detach(), config.augment, random)
    if config.discriminator_updates == 2:
        logit_generated = discriminator(shown)
        loss_generated = _loss(logit_generated, -1, config.label_noise, random)
        _update(state.optimizer_d, loss_generated, fabric)
        logit_real = discriminator(real)
        loss_real = _loss(logit_real, 1, config.label_noise, random)
        _update(state.optimizer_d, loss_real, fabric)
    else:
        logit_real, logit_generated = discriminator(real), discriminator(shown)
        loss_real = _loss(logit_real, 1, config.label_noise, random)
        loss_generated = _loss(logit_generated, -1, config.label_noise, random)
        _update(state.optimizer_d, loss_real + loss_generated, fabric)

    # Update the generator, through a discriminator whose own gradients nobody needs: so the plain one, without exchange.
    discriminator.requires_grad_(False)
    with fabric.autocast():
        logit = discriminator.module(augment(generated, config.augment, random)).float()
    loss_g = _loss(logit, 1)
    _update(state.optimizer_g, loss_g, fabric)
    discriminator.requires_grad_(True)

    scores = logit_real.sigmoid().mean(), logit_generated.sigmoid().mean()
    losses = torch.stack([loss_real + loss_generated, loss_g, *scores]).detach()
    if fabric.world_size > 1:
        losses = _merge(state, losses, fabric)
    state.move_average(config.average_decay)
    return losses


def _update(optimizer: torch.optim.Optimizer, loss: Tensor, fabric: Fabric) -> None:
    optimizer.zero_grad()
    fabric.backward(loss)
    optimizer.step()


def _merge(state: TrainingState, losses: Tensor, fabric: Fabric) -> Tensor:
    """Average batch-norm statistics and losses over the processes, which saw different faces; one exchange for all."""
    parts = [losses, *state.statistics()]
    merged = fabric.all_reduce(torch.cat([part.flatten() for part in parts]), reduce_op="mean")
    values = merged.split([part.numel() for part in parts])
    for part, value in zip(parts[1:], values[1:], strict=True):
        part.copy_(value.view_as(part))
    return values[0]


class _Keeper:
    """Keeps what a run has done: losses, looks at the samples, checkpoints, logs. Only the first process writes."""

    def __init__(self, folder: Path, state: TrainingState, watch: Watch | None, draws: _Draws, n_steps: int, fabric: Fabric):
        self._folder, self._state, self._watch, self._draws, self._fabric = folder, state, watch, draws, fabric
        self._n_steps = n_steps
        self._log = TensorBoardLogger(folder, name="tensorboard", version="") if fabric.is_global_zero else None
        self._pending: list[Tensor] = []
        self.history, self._seconds = load_state(folder, state)
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
                "the checkpoint before it is kept; lower learning_rate and run again"
            )
        self.history.extend((first + i, *row) for i, row in enumerate(rows.tolist()))
        self._pending.clear()
        if self._log is not None:
            self._log.log_metrics(dict(zip(HISTORY_COLUMNS[1:], rows.mean(0).tolist(), strict=True)), self._state.step)

    def checkpoint(self) -> None:
        """Save the state after the last whole step."""
        self.flush()
        if self._fabric.is_global_zero:
            save_state(self._folder, self._state, self.history, self.seconds)

    def look(self) -> None:
        """Measure what the averaged generator makes of the same noise, keep a few of its faces, and the best weights."""
        self.flush()
        if self._watch is None:
            return
        state = self._state
        samples = _draw_samples(state, self._draws.fixed_noise(self._watch.n_samples, stream=-1))
        write_array(self._folder / "filmstrip" / f"step-{state.step:07d}.npy", samples[:N_FILM_FACES])
        last = max((look.step for look in self._watch.looks if look.step < state.step), default=0)
        found = self._watch.look(state.step, samples, np.array(self.history[last:]).reshape(-1, 5)[:, 3:])
        if found is self._watch.best:
            save_best(self._folder, state, found.frechet)
        self._log.log_metrics({"frechet_hog": found.frechet, "diversity_ratio": found.diversity_ratio}, state.step)
        self._log.save()


@torch.no_grad()
def _draw_samples(state: TrainingState, noise: Tensor) -> np.ndarray:
    state.average.train()  # batch statistics: the running ones lag behind the weights early on
    saved = {name: buffer.clone() for name, buffer in state.average.named_buffers()}
    images = state.average(noise)
    for name, buffer in state.average.named_buffers():
        buffer.copy_(saved[name])
    return to_uint8(images)


def train(
    images: np.ndarray,
    config: TrainConfig,
    models: str | Path,
    *,
    n_threads: int = 1,
    checkpoint_seconds: float = 20.0,
    n_looks: int = 17,
    fabric: Fabric | None = None,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Run:
    """Train a DCGAN, or continue or simply return a run that is already there.

    Parameters
    ----------
    images : ndarray of shape (n_faces, 64, 64, 3), dtype uint8
        The faces; all of them are kept on the device.
    config : TrainConfig
        What to train with.
    models : path
        The folder that holds this dataset's runs, each in a folder named by its hash.
    n_threads : int
        Processor threads; other counts give other rounding, so it is recorded.
    checkpoint_seconds : float
        Seconds between checkpoints. A killed run loses at most this much work.
    n_looks : int
        How many times from start to end the samples of the same noise are drawn, kept and measured.
    fabric : Fabric, optional
        Where to run, launched; without it one process on the first GPU or the processor.
    progress : callable, optional
        Called as ``progress(step, n_steps, losses)`` a few times a second at most.

    Raises
    ------
    FloatingPointError
        A loss is not finite; the message names the step. The last checkpoint is kept.
    OSError
        Something cannot be written; the last checkpoint is kept.
    ValueError
        There are fewer faces than one batch, or the run's folder holds something else.
    """
    n_steps = steps_per_epoch(len(images), config) * config.epochs
    fabric = fabric or make_fabric(config.precision)
    with fabric.rank_zero_first():
        folder = run_folder(models, images, config)
    if (folder / "finished.json").is_file():
        return Run.load(folder)
    torch.set_num_threads(n_threads)
    state = TrainingState(config, fabric)
    draws = _Draws(len(images), config, fabric)
    watch = Watch(folder, images, n_steps, config.seed) if fabric.is_global_zero else None
    keeper = _Keeper(folder, state, watch, draws, n_steps, fabric)
    data = torch.from_numpy(np.array(images)).to(fabric.device)  # a copy: the faces on disk are read-only
    look_steps = set(np.linspace(0, n_steps, n_looks).round().astype(int).tolist())

    saved = shown = time.monotonic()
    with _interrupts_noted() as interrupted:
        while state.step < n_steps:
            if interrupted:
                keeper.checkpoint()
                raise KeyboardInterrupt
            if state.step in look_steps:
                keeper.look()
            real = to_float(data[draws.rows(state.step)])
            keeper.add(train_step(state, real, draws.noise(state.step), config, fabric, draws.other(state.step)))
            state.step += 1
            now = time.monotonic()
            if now - saved > checkpoint_seconds:
                keeper.checkpoint()
                saved = now
            if now - shown > SHOW_SECONDS or state.step == n_steps:
                keeper.flush()
                if progress is not None:
                    progress(state.step, n_steps, dict(loss_d=keeper.history[-1][1], loss_g=keeper.history[-1][2]))
                shown = now
    keeper.checkpoint()
    keeper.look()
    if fabric.is_global_zero:
        _finish(folder, state, watch, draws, n_threads=n_threads, n_faces=len(images), seconds=keeper.seconds, fabric=fabric)
    fabric.barrier()
    return Run.load(folder)


def _finish(folder: Path, state: TrainingState, watch: Watch, draws: _Draws, *, n_threads: int, n_faces: int,
            seconds: float, fabric: Fabric) -> None:
    """Save the last weights, and the best where they are others; note how it went; drop what only resuming needs."""
    batches = [draws.fixed_noise(256, -2 - i) for i in range(8)]
    recalibrate_batch_norm(state.average, batches)
    weights = save_weights(folder, state.average, state.discriminator.module)
    if watch.best.step != state.step:
        load_best(folder, state)
        recalibrate_batch_norm(state.average, batches)
        save_weights(folder / "best", state.average, state.discriminator.module)
    note = dict(
        steps=state.step, n_faces=n_faces, seconds=seconds, device=str(fabric.device), processes=fabric.world_size,
        precision="bfloat16" if "bf16" in fabric.strategy.precision.precision else "float32", threads=n_threads,
        torch=metadata.version("torch"), weights=weights, best_step=watch.best.step, best_frechet=watch.best.frechet,
        frechet=watch.looks[-1].frechet, alarms=[{"step": look.step, "reason": look.alarm} for look in watch.alarms],
    )
    write_json(folder / "finished.json", note)
    remove_checkpoints(folder)


@contextmanager
def _interrupts_noted() -> Iterator[list[int]]:
    """Collect Ctrl-C in a list instead of raising it in the middle of a step; the second one raises.

    Half a step must never be saved: the discriminator would have learnt and the generator not. Signals reach the main
    thread only; in another one nothing is noted, and an interrupt there leaves the last interval checkpoint.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, _frame: object) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
