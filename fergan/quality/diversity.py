"""How varied images are, and how near to those that were learnt from, in pixels."""

import numpy as np

from fergan.quality.checks import check_images

__all__ = ["mean_pairwise_distance", "mean_pairwise_interval", "nearest_real"]


def _flat_pixels(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1) / 255


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance between the pixels (0..1) of all pairs of different images: a measure of diversity.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), dtype uint8
    """
    return float(_pairwise_distances(images)[np.triu_indices(len(images), 1)].mean())


def _pairwise_distances(images: np.ndarray) -> np.ndarray:
    if len(images) < 2:
        raise ValueError(f"{len(images)} image has no pairs; expected at least 2 images")
    x = _flat_pixels(check_images("images", images))
    squares = (x * x).sum(1)
    return np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * x @ x.T, 0))


def mean_pairwise_interval(images: np.ndarray, n_resamples: int = 500, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval over images of `mean_pairwise_distance`; pairs of an image with itself do not count."""
    distances = _pairwise_distances(images)
    rng = np.random.default_rng(seed)
    n = len(images)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(float)
    totals = np.einsum("ri,ri->r", weights @ distances, weights)
    pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
    low, high = np.quantile(totals / pairs, [0.025, 0.975])
    return float(low), float(high)


def nearest_real(generated: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find each generated image's nearest real one in pixels.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8

    Returns
    -------
    rows : ndarray of int, shape (n_generated,)
        Row of the nearest real image.
    distances : ndarray of float, shape (n_generated,)
        Euclidean distance of the pixels in 0..1.
    """
    x, y = _flat_pixels(check_images("generated", generated)), _flat_pixels(check_images("real", real))
    squared = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T
    rows = squared.argmin(1)
    return rows, np.sqrt(np.maximum(squared[np.arange(len(x)), rows], 0))
