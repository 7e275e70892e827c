"""Training a DCGAN on the faces of one dataset, without labels.

Everything random in a step is drawn from a generator seeded by (seed, step), so the state of a run is its weights, its
optimisers' moments and the step number: a run that was killed and started again continues exactly where it was.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fergan.checkpoints import load_state, recalibrate_batch_norm, save_state, save_weights
from fergan.dcgan import Discriminator, Generator, initialize_weights, to_float, to_uint8
from fergan.files import write_array, write_json
from fergan.runs import Run, TrainConfig, run_folder

__all__ = ["steps_per_epoch", "train", "training_device", "training_dtype"]


def training_device() -> torch.device:
    """Return the first GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def training_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the device multiplies it natively, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


class _State:
    """The networks and optimisers of a run; its `step` counts the finished steps."""

    def __init__(self, config: TrainConfig, device: torch.device):
        self.generator = Generator(config.latent_dim, config.width)
        self.discriminator = Discriminator(config.width)
        self.average = Generator(config.latent_dim, config.width)
        initialize_weights(self.generator, config.weight_std, seed=config.seed)
        initialize_weights(self.discriminator, config.weight_std, seed=config.seed + 1)
        self.average.load_state_dict(self.generator.state_dict())
        self.average.requires_grad_(False)
        for network in self.networks().values():
            network.to(device, memory_format=torch.channels_last)  # the layout that convolutions are fastest in
        adam = dict(lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), **adam)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), **adam)
        self.step = 0

    def networks(self) -> dict[str, torch.nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "average": self.average}

    def optimizers(self) -> dict[str, torch.optim.Adam]:
        return {"optimizer_g": self.optimizer_g, "optimizer_d": self.optimizer_d}


def _batch_rows(n_faces: int, config: TrainConfig, step: int) -> np.ndarray:
    """Return which faces step number `step` sees: every epoch is one shuffled pass, its last short batch left out."""
    per_epoch = steps_per_epoch(n_faces, config)
    epoch, batch = divmod(step, per_epoch)
    order = np.random.default_rng([config.seed, epoch]).permutation(n_faces)
    return order[batch * config.batch_size : (batch + 1) * config.batch_size]


def steps_per_epoch(n_faces: int, config: TrainConfig) -> int:
    """Return the number of whole batches in one pass."""
    if n_faces < config.batch_size:
        raise ValueError(
            f"training needs at least one batch of {config.batch_size} faces and the set has {n_faces}; "
            "lower batch_size or give more faces"
        )
    return n_faces // config.batch_size


def _noise(n: int, config: TrainConfig, stream: int, device: torch.device) -> Tensor:
    # Drawn on the processor, so that every device sees the same numbers.
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + stream)
    return torch.randn(n, config.latent_dim, generator=generator).to(device, non_blocking=True)


def _train_step(state: _State, real: Tensor, noise: Tensor, dtype: torch.dtype, average_decay: float) -> Tensor:
    """Update both networks once; return (loss_d, loss_g, score_real, score_generated)."""
    generator, discriminator = state.generator, state.discriminator
    autocast = torch.autocast(real.device.type, dtype, enabled=dtype != torch.float32)

    # Update the discriminator: real faces towards 1, generated ones towards 0.
    with autocast:
        generated = generator(noise)
        logit_real = discriminator(real).float()
        logit_generated = discriminator(generated.detach()).float()
    loss_d = binary_cross_entropy_with_logits(logit_real, torch.ones_like(logit_real))
    loss_d = loss_d + binary_cross_entropy_with_logits(logit_generated, torch.zeros_like(logit_generated))
    state.optimizer_d.zero_grad()
    loss_d.backward()
    state.optimizer_d.step()

    # Update the generator, through a discriminator whose own gradients nobody needs.
    discriminator.requires_grad_(False)
    with autocast:
        logit = discriminator(generated).float()
    loss_g = binary_cross_entropy_with_logits(logit, torch.ones_like(logit))
    state.optimizer_g.zero_grad()
    loss_g.backward()
    state.optimizer_g.step()
    discriminator.requires_grad_(True)

    # Move the average towards the new generator, batch-norm statistics included; quickly at first, to forget the start.
    average_decay = min(average_decay, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for mean, new in zip(state.average.state_dict().values(), generator.state_dict().values(), strict=True):
            mean.lerp_(new, 1 - average_decay) if mean.is_floating_point() else mean.copy_(new)
    scores = (logit_real.sigmoid().mean(), logit_generated.sigmoid().mean())
    return torch.stack([loss_d.detach(), loss_g.detach(), *(score.detach() for score in scores)])


def _film_frame(state: _State, config: TrainConfig, device: torch.device, n_faces: int = 16) -> np.ndarray:
    """Return what the averaged generator makes of the same 64 noise vectors, the first `n_faces` of them."""
    state.average.train()  # batch statistics: the running ones lag behind the weights early on
    saved = {name: buffer.clone() for name, buffer in state.average.named_buffers()}
    with torch.no_grad():
        images = state.average(_noise(64, config, stream=-1, device=device))[:n_faces]
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
    n_film_frames: int = 9,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Run:
    """Train a DCGAN, or continue or simply return a run that is already there.

    Parameters
    ----------
    images : ndarray of shape (n_faces, 64, 64, 3), dtype uint8
        The faces.
    config : TrainConfig
        What to train with.
    models : path
        The folder that holds this dataset's runs, each in a folder named by its hash.
    n_threads : int
        Processor threads; other counts give other rounding, so it is recorded.
    checkpoint_seconds : float
        Seconds between checkpoints. A killed run loses at most this much work.
    n_film_frames : int
        How many times during training the same noise is drawn.
    progress : callable, optional
        Called as ``progress(step, n_steps, losses)`` a few times a second at most.

    Raises
    ------
    FloatingPointError
        A loss is not finite; the message names the step. The last checkpoint is kept.
    ValueError
        There are fewer faces than one batch, or the run's folder holds something else.
    """
    n_steps = steps_per_epoch(len(images), config) * config.epochs
    folder = run_folder(models, images, config)
    if (folder / "finished.json").is_file():
        return Run.load(folder)
    torch.set_num_threads(n_threads)
    device = training_device()
    dtype = training_dtype(device)
    state = _State(config, device)
    history, seconds = load_state(folder, state)
    data = torch.from_numpy(np.array(images)).to(device)  # a copy: the faces on disk are read-only
    film_steps = set(np.linspace(0, n_steps, n_film_frames).round().astype(int).tolist())

    start = saved = shown = time.monotonic()
    pending: list[Tensor] = []

    def flush() -> None:
        """Bring the losses of the last steps to the processor and stop where one is not finite."""
        if not pending:
            return
        rows = torch.stack(pending).cpu().numpy()
        first = state.step - len(rows)
        bad = ~np.isfinite(rows[:, :2]).all(axis=1)
        if bad.any():
            raise FloatingPointError(
                f"training loss is not finite at step {first + int(bad.argmax())} of {n_steps}; "
                f"lower learning_rate (now {config.learning_rate:g}) and run again"
            )
        history.extend((first + i, *row) for i, row in enumerate(rows.tolist()))
        pending.clear()

    def checkpoint() -> None:
        flush()
        save_state(folder, state, history, seconds + time.monotonic() - start)

    with _interrupts_noted() as interrupted:
        while state.step < n_steps:
            if interrupted:
                checkpoint()
                raise KeyboardInterrupt
            if state.step in film_steps:
                _save_film_frame(folder, state, config, device)
            rows = torch.from_numpy(_batch_rows(len(images), config, state.step)).to(device)
            noise = _noise(config.batch_size, config, state.step, device)
            losses = _train_step(state, to_float(data[rows]), noise, dtype, config.average_decay)
            pending.append(losses)
            state.step += 1
            now = time.monotonic()
            if now - saved > checkpoint_seconds:
                checkpoint()
                saved = now
            if progress is not None and (now - shown > 0.5 or state.step == n_steps):
                flush()
                progress(state.step, n_steps, dict(loss_d=history[-1][1], loss_g=history[-1][2]))
                shown = now
    checkpoint()
    _save_film_frame(folder, state, config, device)
    recalibrate_batch_norm(state.average, [_noise(256, config, -2 - i, device) for i in range(8)])
    weights = save_weights(folder, state)
    note = dict(
        steps=n_steps, n_faces=len(images), seconds=seconds + time.monotonic() - start, device=str(device),
        precision=str(dtype).removeprefix("torch."), threads=n_threads, torch=metadata.version("torch"), weights=weights,
    )
    write_json(folder / "finished.json", note)
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)  # the weights are saved; the moments are not needed
    return Run.load(folder)


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


def _save_film_frame(folder: Path, state: _State, config: TrainConfig, device: torch.device) -> None:
    write_array(folder / "filmstrip" / f"step-{state.step:07d}.npy", _film_frame(state, config, device))
