"""Structural similarity of pairs of images, in variants that are named: an unconditional generator has no pairs.

*Nearest*: each sample with its nearest real face. *Among*: pairs of samples with each other, where a large value means that
they are alike; real pairs beside them say what is usual.
"""

import numpy as np

from fergan.quality.checks import check_images

__all__ = ["SCALES", "multiscale_similarity", "random_pairs", "structural_similarity"]

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
