"""What a learning curve says in one number: its mean, the size at which it reaches a level, its height at a size.

Sizes double from point to point, so between points a curve is taken as straight in the logarithm of the size.
"""

import numpy as np

__all__ = ["curve_at", "curve_mean", "size_needed"]


def curve_mean(sizes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the mean height of curves over the logarithm of the size, by the trapezoidal rule.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Ascending, positive.
    scores : ndarray of shape (..., n_sizes)

    Returns
    -------
    ndarray of shape (...)
        With one size, the score there.
    """
    scores = np.asarray(scores, dtype=float)
    if len(sizes) == 1:
        return scores[..., 0]
    x = np.log(sizes)
    return np.trapezoid(scores, x, axis=-1) / (x[-1] - x[0])


def curve_at(sizes: np.ndarray, scores: np.ndarray, size: float) -> np.ndarray:
    """Return the height of curves at a size between their ends; NaN outside.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Ascending, positive.
    scores : ndarray of shape (..., n_sizes)
    size : float

    Returns
    -------
    ndarray of shape (...)
    """
    scores = np.asarray(scores, dtype=float)
    if not sizes[0] <= size <= sizes[-1]:
        return np.full(scores.shape[:-1], np.nan)
    if len(sizes) == 1:
        return scores[..., 0]
    right = int(np.clip(np.searchsorted(sizes, size), 1, len(sizes) - 1))
    low, high = np.log(sizes[right - 1 : right + 1])
    share = (np.log(size) - low) / (high - low)
    return (1 - share) * scores[..., right - 1] + share * scores[..., right]


def size_needed(sizes: np.ndarray, scores: np.ndarray, level: float) -> np.ndarray:
    """Return the size at which curves first reach a level; infinite where they do not.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Ascending, positive.
    scores : ndarray of shape (..., n_sizes)
    level : float

    Returns
    -------
    ndarray of shape (...)
        The smallest size for curves that begin at or above the level.
    """
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    curves = scores.reshape(-1, scores.shape[-1])
    needed = np.full(len(curves), np.inf)
    x = np.log(sizes)
    for row, curve in enumerate(curves):
        reached = np.flatnonzero(curve >= level)
        if not len(reached):
            continue
        first = reached[0]
        if first == 0:
            needed[row] = sizes[0]
            continue
        share = (level - curve[first - 1]) / (curve[first] - curve[first - 1])
        needed[row] = np.exp(x[first - 1] + share * (x[first] - x[first - 1]))
    return needed.reshape(scores.shape[:-1])
