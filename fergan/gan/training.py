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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor
from torch.nn.functional import softplus

from fergan.gan.augmentation import augment, mirror
from fergan.gan.checkpoints import remove_unfinished
from fergan.gan.dcgan import to_device, to_float
from fergan.gan.draws import Draws, steps_per_epoch
from fergan.gan.run_keeper import RunKeeper, alone, finish
from fergan.gan.runs import Run, TrainConfig, run_folder
from fergan.gan.training_state import TrainingState
from fergan.gan.watch import Watch

__all__ = ["has_native_bfloat16", "make_fabric", "train", "train_step"]

# A run notes its precision itself; Fabric would say it on every page.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

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
        See `fergan.gan.runs.TrainConfig`.
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


def _loss(logit: Tensor, label: float, label_noise: float = 0.0, random: torch.Generator | None = None) -> Tensor:
    """Mean of log(1 + exp(-label * logit)): for labels of -1 and 1 the cross-entropy, which noise blurs."""
    if not label_noise:
        return softplus(-label * logit).mean()
    noise = to_device(torch.randn(logit.shape, generator=random), logit.device)
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
        ``loss_d, loss_g, score_real, score_generated``, the scores as probabilities of being real, each before the
        discriminator is updated on these faces.
    """
    generator, discriminator = state.generator, state.discriminator
    real = augment(mirror(real, config.flip_probability, random), config.augment, random)

    # Update the discriminator: real faces towards 1, generated ones towards -1.
    if config.discriminator_updates == 2:
        generated = generator(noise)
        logit_generated = discriminator(augment(generated.detach(), config.augment, random))
        loss_generated = _loss(logit_generated, -1, config.label_noise, random)
        _update(state.optimizer_d, loss_generated, fabric)
        logit_real = discriminator(real)
        loss_real = _loss(logit_real, 1, config.label_noise, random)
        _update(state.optimizer_d, loss_real, fabric)
    else:
        with fabric.autocast():  # around all three, so that weights are turned to bfloat16 once
            generated = generator(noise)
            shown = augment(generated.detach(), config.augment, random)
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
        losses = _merge(state, losses, fabric.world_size)
    state.move_average(config.average_decay)
    return losses


def _update(optimizer: torch.optim.Optimizer, loss: Tensor, fabric: Fabric) -> None:
    optimizer.zero_grad()
    fabric.backward(loss)
    optimizer.step()


def _merge(state: TrainingState, losses: Tensor, world_size: int) -> Tensor:
    """Average batch-norm statistics and losses over the processes, which saw different faces; one exchange for all."""
    parts = [losses, *state.statistics()]
    merged = torch.cat([part.flatten() for part in parts])
    torch.distributed.all_reduce(merged)  # Fabric's own waits for all processes first
    merged /= world_size
    values = merged.split([part.numel() for part in parts])
    for part, value in zip(parts[1:], values[1:], strict=True):
        part.copy_(value.view_as(part))
    return values[0]


def train(
    images: np.ndarray,
    config: TrainConfig,
    models: str | Path,
    *,
    n_threads: int = 1,
    checkpoint_seconds: float = 20.0,
    n_looks: int = 13,
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
    with alone(folder, fabric):
        if not (folder / "finished.json").is_file():
            torch.set_num_threads(n_threads)
            _train(folder, images, config, fabric, n_steps, n_threads, checkpoint_seconds, n_looks, progress)
        fabric.barrier()
    return Run.load(folder)


def _train(
    folder: Path, images: np.ndarray, config: TrainConfig, fabric: Fabric, n_steps: int, n_threads: int,
    checkpoint_seconds: float, n_looks: int, progress: Callable[[int, int, dict[str, float]], None] | None,
) -> None:
    """Bring a run to its end, from wherever it is."""
    if fabric.is_global_zero:
        remove_unfinished(folder)
    state = TrainingState(config, fabric)
    draws = Draws(len(images), config, fabric)
    watch = Watch(folder, images, n_steps, config.seed) if fabric.is_global_zero else None
    keeper = RunKeeper(folder, state, watch, draws, n_steps, fabric, n_threads)
    _check_same_step(state, folder, fabric)
    data = torch.from_numpy(np.array(images)).to(fabric.device)  # a copy: the faces on disk are read-only
    look_steps = set(np.linspace(0, n_steps, n_looks).round().astype(int).tolist())

    saved = shown = time.monotonic()
    with _interrupts_noted() as interrupted:
        while state.step < n_steps and not _agreed_to_stop(bool(interrupted), state.step, fabric):
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
        if interrupted or state.step < n_steps:
            raise KeyboardInterrupt
    keeper.look()
    if fabric.is_global_zero:
        finish(folder, state, watch, draws, keeper, len(images))


def _agreed_to_stop(interrupted: bool, step: int, fabric: Fabric) -> bool:
    """Say whether to stop before this step; several processes ask one another now and then, and stop at the same step."""
    if fabric.world_size == 1:
        return interrupted
    if step % 20:
        return False
    asked = torch.tensor(float(interrupted), device=fabric.device)
    torch.distributed.all_reduce(asked)
    return bool(asked > 0)


def _check_same_step(state: TrainingState, folder: Path, fabric: Fabric) -> None:
    """Refuse to go on from different checkpoints, before processes wait for one another for ever."""
    if fabric.world_size > 1:
        steps = fabric.all_gather(torch.tensor(state.step, device=fabric.device)).tolist()
        if len(set(steps)) > 1:
            raise ValueError(f"processes found checkpoints of steps {steps} in {folder}; all machines must share it")


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
