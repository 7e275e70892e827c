"""Fixed noise: skin mottling, hair strands and freckles look it up instead of drawing random numbers."""

from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

TEXELS = 512  # a power of two, so that wrapping around is a bit mask
FINE, SMOOTH = 1.1, 4.0  # blur of the two tables, texels: a feature is about three times as long


@lru_cache(maxsize=8)
def noise_table(blur=FINE, device="cpu"):
    """Periodic noise of mean 0 and variance 1, flattened: Tensor of shape (TEXELS * TEXELS,)."""
    noise = np.random.default_rng(7).standard_normal((TEXELS, TEXELS))
    noise = gaussian_filter(noise, blur, mode="wrap")
    return torch.as_tensor((noise / noise.std()).ravel(), dtype=torch.float32, device=device)


def noise(u, v, person, layer=0, blur=FINE):
    """Noise at texture coordinates in texels, another pattern per person and layer.

    Parameters
    ----------
    u, v : Tensor of shape (n_faces, n_points)
    person : SimpleNamespace
        Its `texture` number picks the person's place in the table.
    layer : int
    blur : float
        `FINE`: features of three texels, which look square when a texel covers several pixels. `SMOOTH`: of twelve.

    Returns
    -------
    Tensor of shape (n_faces, n_points)
    """
    start = person.texture + 7919 * layer  # positive coordinates: truncation then rounds down
    column = (u + (start % 509 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    row = (v + (start % 491 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    place = column.add_(row, alpha=TEXELS)
    return noise_table(blur, str(u.device)).index_select(0, place.flatten()).view(place.shape)
