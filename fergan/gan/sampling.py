"""Using a trained run: its networks, samples, and walks through the noise."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fergan.gan.networks import Discriminator, Generator, open_discriminator, open_generator, to_uint8
from fergan.gan.runs import Run


def load_generator(run: Run | str | Path) -> Generator:
    """Return the generator of a run or its folder (its moving average where it kept one), ready to draw samples."""
    return open_generator(_folder(run) / "generator.safetensors")


def load_discriminator(run: Run | str | Path) -> Discriminator:
    """Return a run's discriminator, as `load_generator` does; its ``hidden(faces)`` are features."""
    return open_discriminator(_folder(run) / "discriminator.safetensors")


def _folder(run: Run | str | Path) -> Path:
    return (run if isinstance(run, Run) else Run.load(run)).folder


@torch.inference_mode()
def sample(run: Run | str | Path, n: int, seed: int = 0, batch_size: int = 256) -> np.ndarray:
    """Draw n faces, uint8 (n, 64, 64, 3), from a trained generator (see `load_generator`); equal seeds give equal faces."""
    generator = load_generator(run)
    return np.concatenate([draw(generator, z) for z in noise_of(seed, n, generator.latent_dim).split(batch_size)])


@torch.inference_mode()
def draw(generator: Generator, noise: Tensor) -> np.ndarray:
    """Return faces uint8 (..., 64, 64, 3) of noise (..., latent_dim)."""
    faces = to_uint8(generator(noise.reshape(-1, noise.shape[-1])))
    return faces.reshape(*noise.shape[:-1], *faces.shape[1:])


def noise_of(seed: int, *shape: int) -> Tensor:
    """Return the noise of a seed; of shape (latent_dim,) the vector behind ``sample(run, 1, seed)``."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Turn noise (latent_dim,) towards another along the great circle, share 0 to 1 (White, 2016, arXiv:1609.04468)."""
    lengths = start.norm(), end.norm()
    u, v = start / lengths[0], end / lengths[1]
    # Twice the arctangent is exact for nearly parallel vectors too, where the arc cosine of their product is not.
    angle = 2 * torch.atan2((u - v).norm(), (u + v).norm())
    length = (1 - share) * lengths[0] + share * lengths[1]  # a straight line has shorter vectors, unknown to the generator
    # sinc is 1 at 0, so that parallel vectors need no case of their own.
    weights = [part * torch.sinc(part * angle / torch.pi) / torch.sinc(angle / torch.pi) for part in (1 - share, share)]
    return length * (weights[0] * u + weights[1] * v)


def interpolate(latent_dim: int, n_rows: int, n_columns: int, seed: int = 0) -> Tensor:
    """Return rows of noise (n_rows, n_columns, latent_dim), each turning from one random vector to another."""
    shares = np.linspace(0, 1, n_columns).tolist()
    ends = noise_of(seed, n_rows, 2, latent_dim)
    return torch.stack([torch.stack([slerp(start, end, share) for share in shares]) for start, end in ends])
