"""Training a DCGAN on the faces of one dataset, without labels.

Everything random in a step is drawn from a generator seeded by (seed, step), so the state of a run is its weights, its
optimisers' moments and the step number: a run that was killed and started again continues exactly where it was.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fergan.checkpoints import load_state, recalibrate_batch_norm, save_state, save_weights
from fergan.dcgan import PRESETS, Discriminator, Generator, initialize_weights, to_float, to_uint8
from fergan.files import hash_array, hash_parameters, read_json, write_array, write_json

__all__ = ["Run", "TrainConfig", "differences", "make_config", "run_folder", "train", "training_device", "training_dtype"]


@dataclass(frozen=True)
class TrainConfig:
    """The parameters of one training run; each changes what is learnt.

    Attributes
    ----------
    preset : str
        Where the other values come from, a key of `fergan.dcgan.PRESETS`.
    width : int
        Channels of the layer nearest to the image; 64 gives 8,192 features.
    latent_dim : int
        Length of the noise vector.
    batch_size : int
        Faces per step.
    learning_rate, beta1, beta2 : float
        Of Adam, for both networks.
    weight_std : float
        Standard deviation of the initial weights.
    epochs : int
        Passes over the dataset.
    average_decay : float
        Decay per step of the moving average of the generator that draws the samples; 0 uses the generator itself.
    seed : int
        Of the initial weights, the noise and the order of the faces.
    """

    preset: str = "radford2015"
    width: int = 64
    latent_dim: int = 100
    batch_size: int = 128
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_std: float = 0.02
    epochs: int = 300
    average_decay: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name in ("width", "latent_dim", "batch_size", "epochs", "learning_rate", "weight_std"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training parameter {name} is {getattr(self, name)}; expected a number above 0")
        for name in ("beta1", "beta2", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"training parameter {name} is {getattr(self, name)}; expected 0 <= {name} < 1")
        if self.batch_size < 2:
            raise ValueError("training parameter batch_size is 1; batch normalisation needs at least 2")


def make_config(preset: str = "radford2015", **changes: float | int) -> TrainConfig:
    """Return the configuration of a preset with some values changed.

    Raises
    ------
    ValueError
        The preset or the name of a change is unknown.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown training preset {preset!r}; expected one of {', '.join(PRESETS)}")
    names = [field.name for field in fields(TrainConfig)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise ValueError(f"unknown training parameter {unknown[0]!r}; expected one of {', '.join(names)}")
    return replace(TrainConfig(preset=preset, **PRESETS[preset]), **changes)


def differences(config: TrainConfig, reference: str = "radford2015") -> dict[str, tuple[float, float]]:
    """Return what a configuration changes against a preset: field -> (its value, the preset's value)."""
    theirs = make_config(reference)
    pairs = {name: (value, getattr(theirs, name)) for name, value in asdict(config).items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name not in ("preset", "seed")}


@dataclass(frozen=True)
class Run:
    """A finished training run on disk.

    Attributes
    ----------
    folder : Path
        Holds the weights, the history and the filmstrip.
    config : TrainConfig
        What it was trained with.
    """

    folder: Path
    config: TrainConfig

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Open a finished run, with an error that says what to do where it is not finished."""
        folder = Path(folder)
        if not (folder / "finished.json").is_file():
            raise FileNotFoundError(f"{folder} holds no finished training run; run notebook 02_dcgan for it")
        return cls(folder, TrainConfig(**read_json(folder / "config.json")["parameters"]))

    @property
    def history(self) -> pd.DataFrame:
        """Losses per step: columns ``step, loss_d, loss_g, score_real, score_generated``."""
        return pd.read_parquet(self.folder / "history.parquet")

    @property
    def finished(self) -> dict:
        """What the training noted at its end: steps, seconds, device, precision, threads, hash of the weights."""
        return read_json(self.folder / "finished.json")

    def filmstrip(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (steps, images uint8 (n_frames, n_faces, 64, 64, 3)): the same noise over training."""
        files = sorted((self.folder / "filmstrip").glob("step-*.npy"))
        steps = np.array([int(file.stem.split("-")[1]) for file in files])
        return steps, np.stack([np.load(file, allow_pickle=False) for file in files])


def training_device() -> torch.device:
    """Return the first GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def training_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the device multiplies it natively, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def run_folder(models: str | Path, images: np.ndarray, config: TrainConfig) -> Path:
    """Return the folder of a run, named by the hash of its parameters and of the faces it learns from.

    An edited parameter therefore trains anew beside the old run, and an unchanged one resumes.

    Raises
    ------
    ValueError
        The folder exists and holds a run with other parameters.
    """
    identity = {"parameters": asdict(config), "images": hash_array(images)}
    folder = Path(models) / hash_parameters(identity)
    record = folder / "config.json"
    if record.is_file():
        if read_json(record) != identity:
            raise ValueError(f"{record} belongs to a run with other parameters or faces; move that folder away")
    else:
        write_json(record, identity)
    return folder


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

    # Move the average towards the new generator, batch-norm statistics included.
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

    try:
        while state.step < n_steps:
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
    except KeyboardInterrupt:
        checkpoint()
        raise
    checkpoint()
    _save_film_frame(folder, state, config, device)
    recalibrate_batch_norm(state.average, [_noise(256, config, -2 - i, device) for i in range(8)])
    weights = save_weights(folder, state)
    note = dict(
        steps=n_steps, n_faces=len(images), seconds=seconds + time.monotonic() - start, device=str(device),
        precision=str(dtype).removeprefix("torch."), threads=n_threads, weights=weights,
    )
    write_json(folder / "finished.json", note)
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)  # the weights are saved; the moments are not needed
    return Run.load(folder)


def _save_film_frame(folder: Path, state: _State, config: TrainConfig, device: torch.device) -> None:
    write_array(folder / "filmstrip" / f"step-{state.step:07d}.npy", _film_frame(state, config, device))
