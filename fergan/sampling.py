"""Two lines for anyone who wants to use a trained model: draw faces from it, or take its discriminator."""

import numpy as np
import torch

from fergan.checkpoints import load_weights
from fergan.dcgan import Discriminator, Generator, to_uint8
from fergan.runs import Run

__all__ = ["load_discriminator", "load_generator", "sample"]


def load_generator(run: Run) -> Generator:
    """Return the run's generator (its moving average where it kept one), ready to draw samples."""
    network = Generator(run.config.latent_dim, run.config.width)
    return load_weights(network, run.folder / "generator.safetensors")


def load_discriminator(run: Run) -> Discriminator:
    """Return the run's discriminator in evaluation mode."""
    return load_weights(Discriminator(run.config.width), run.folder / "discriminator.safetensors")


@torch.inference_mode()
def sample(run: Run, n: int, seed: int = 0, batch_size: int = 256) -> np.ndarray:
    """Draw faces from a trained generator.

    Parameters
    ----------
    run : Run
        A finished training run.
    n : int
        How many faces.
    seed : int
        Of the noise; the same seed gives the same faces.

    Returns
    -------
    ndarray of shape (n, 64, 64, 3), dtype uint8
    """
    if n < 1:
        raise ValueError(f"n is {n}; expected at least one sample")
    generator = load_generator(run)
    noise = torch.randn(n, run.config.latent_dim, generator=torch.Generator().manual_seed(seed))
    return np.concatenate([to_uint8(generator(z)) for z in noise.split(batch_size)])
