"""Structural similarity of pairs of images, and how varied images are in pixels."""

import numpy as np

from fergan.quality.distances import check_images

#: Weights of the first three of Wang et al.'s five scales, made to sum to 1: at the fourth, a face of 64 pixels is smaller
#: than the window.
SCALES = tuple(float(weight) for weight in np.array([0.0448, 0.2856, 0.3001]) / (0.0448 + 0.2856 + 0.3001))


def structural_similarity(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of pairs of images: 1 for equal ones.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8
        Pair by pair; Gaussian window of 11 pixels with standard deviation 1.5.

    Returns
    -------
    ndarray of shape (n,)

    References
    ----------
    Wang et al. (2004), by torchmetrics.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    return structural_similarity_index_measure(*_pairs(generated, real), data_range=255.0, reduction="none").numpy()


def multiscale_similarity(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of pairs of images over three scales: 1 for equal ones.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8
        Pair by pair, of more than 40 pixels a side.

    Returns
    -------
    ndarray of shape (n,)
        Scales that speak against each other count as 0, as a power of a negative number is none.

    References
    ----------
    Wang et al. (2003), with the weights of `SCALES`, by torchmetrics.
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as multiscale

    pairs = _pairs(generated, real)
    return multiscale(*pairs, data_range=255.0, betas=SCALES, normalize="relu", reduction="none").numpy()


def random_pairs(n: int, n_pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of different rows.

    Parameters
    ----------
    n : int
        Rows to draw from.
    n_pairs : int
        Pairs, drawn with replacement.
    seed : int
        Of the draw.

    Returns
    -------
    first, second : ndarray of int, shape (n_pairs,)
    """
    if n < 2:
        raise ValueError(f"{n} image has no pairs; expected at least 2 images")
    rng = np.random.default_rng(seed)
    first = rng.integers(n, size=n_pairs)
    return first, (first + rng.integers(1, n, size=n_pairs)) % n


def _pairs(generated: np.ndarray, real: np.ndarray):
    import torch  # with torchmetrics, for these scores alone

    images = check_images("generated", generated), check_images("real", real)
    if images[0].shape != images[1].shape:
        raise ValueError(f"generated are {images[0].shape} and real {images[1].shape}; expected the same, pair by pair")
    return (torch.from_numpy(np.ascontiguousarray(side)).permute(0, 3, 1, 2).float() for side in images)


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
