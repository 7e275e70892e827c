"""Fixed noise: skin mottling, hair strands and freckles look it up instead of drawing random numbers."""

from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

TEXELS = 512  # a power of two, so that wrapping around is a bit mask


@lru_cache(maxsize=8)
def noise_table(device="cpu"):
    """Smooth periodic noise of mean 0 and variance 1, flattened: Tensor of shape (TEXELS * TEXELS,)."""
    noise = np.random.default_rng(7).standard_normal((TEXELS, TEXELS))
    noise = gaussian_filter(noise, 1.1, mode="wrap")
    return torch.as_tensor((noise / noise.std()).ravel(), dtype=torch.float32, device=device)


def noise(u, v, person, layer=0):
    """Noise at texture coordinates (texels, three to a feature), another pattern per person and layer.

    Parameters
    ----------
    u, v : Tensor of shape (n_faces, n_points)
    person : SimpleNamespace
        Its `texture` number picks the person's place in the table.
    layer : int

    Returns
    -------
    Tensor of shape (n_faces, n_points)
    """
    start = person.texture + 7919 * layer
    column = (u + torch.remainder(start, 509)).floor().int() & (TEXELS - 1)
    row = (v + torch.remainder(start, 491)).floor().int() & (TEXELS - 1)
    return noise_table(str(u.device)).index_select(0, (row * TEXELS + column).flatten()).view(column.shape)
