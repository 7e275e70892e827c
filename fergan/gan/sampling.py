"""Two lines for anyone who wants to use a trained model: draw faces from it, or take its discriminator."""

from pathlib import Path

import numpy as np
import torch

from fergan.gan.checkpoints import load_weights
from fergan.gan.dcgan import Discriminator, Generator, to_uint8
from fergan.gan.runs import Run

__all__ = ["load_discriminator", "load_generator", "sample"]


def _opened(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else Run.load(run)


def _folder(run: Run, best: bool) -> Path:
    """Return where the weights lie; those of the best look are the last ones where nothing was better."""
    return run.folder / "best" if best and (run.folder / "best").is_dir() else run.folder


def load_generator(run: Run | str | Path, best: bool = False) -> Generator:
    """Return a run's generator (its moving average where it kept one), ready to draw samples.

    Parameters
    ----------
    run : Run or path
        A finished training run, or its folder.
    best : bool
        The weights whose samples were nearest to the faces (smallest Frechet distance) instead of the last ones.
    """
    run = _opened(run)
    network = Generator(run.config.latent_dim, run.config.generator_width or run.config.width)
    return load_weights(network, _folder(run, best) / "generator.safetensors")


def load_discriminator(run: Run | str | Path, best: bool = False) -> Discriminator:
    """Return a run's discriminator in evaluation mode; parameters as for `load_generator`."""
    run = _opened(run)
    return load_weights(Discriminator(run.config.width), _folder(run, best) / "discriminator.safetensors")


@torch.inference_mode()
def sample(run: Run | str | Path, n: int, seed: int = 0, batch_size: int = 256, best: bool = False) -> np.ndarray:
    """Draw faces from a trained generator.

    Parameters
    ----------
    run : Run or path
        A finished training run, or its folder.
    n : int
        How many faces.
    seed : int
        Of the noise; the same seed gives the same faces.
    batch_size : int
        Faces at a time.
    best : bool
        See `load_generator`.

    Returns
    -------
    ndarray of shape (n, 64, 64, 3), dtype uint8
    """
    if n < 1:
        raise ValueError(f"n is {n}; expected at least one sample")
    run = _opened(run)
    generator = load_generator(run, best)
    noise = torch.randn(n, run.config.latent_dim, generator=torch.Generator().manual_seed(seed))
    return np.concatenate([to_uint8(generator(z)) for z in noise.split(batch_size)])
