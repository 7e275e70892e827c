"""Scores that ask who lies in whose neighbourhood: precision, recall, density, coverage, and memorised faces.

Distances are taken in blocks of rows, so that no n x n matrix is ever held, and each block serves all four scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fergan.quality.distances import check_features, check_pair

#: Neighbours of improved precision and recall, and of density and coverage, in the works that define them.
PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5

#: Samples nearer to a real face than all but this share of real faces are to another one count as memorised.
MEMORISED = 0.01

#: Bytes of one block of distances.
_BLOCK = 128 << 20


@dataclass(frozen=True)
class Neighbourhoods:
    """What neighbourhoods say of samples.

    Attributes
    ----------
    precision : float
        Share of samples inside the neighbourhood of some real face.
    recall : float
        Share of real faces inside the neighbourhood of some sample.
    density : float
        Mean number of real neighbourhoods around a sample, over five: 1 for equal distributions, and more is possible.
    coverage : float
        Share of real faces whose neighbourhood holds a sample.

    References
    ----------
    Kynkäänniemi et al. (2019), equations 1 to 3, to the third neighbour; Naeem et al. (2020), equations 3 and 4, to the
    fifth.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(generated: np.ndarray, real: np.ndarray, block_rows: int | None = None) -> Neighbourhoods:
    """Measure how the neighbourhoods of samples and of real faces hold each other.

    Parameters
    ----------
    generated, real : ndarray of shape (n_samples, n_features)
        All four scores depend on both numbers, so compare at equal ones.
    block_rows : int, optional
        Rows of a block; None takes as many as fit in 128 MB. It does not change the scores.

    Returns
    -------
    Neighbourhoods
    """
    generated, real = check_pair(generated, real, minimum=COVERAGE_NEIGHBOURS + 1)
    x, y = _centred(generated, real)
    to_third, to_fifth = _radii(y, block_rows)
    (of_generated, _) = _radii(x, block_rows)
    inside, around, covered, recalled = 0, 0, np.zeros(len(y), bool), np.zeros(len(y), bool)
    for rows, squared in _blocks(x, y, block_rows):
        inside += int((squared <= to_third).any(axis=1).sum())
        close = squared <= to_fifth
        around += int(close.sum())
        covered |= close.any(axis=0)
        recalled |= (squared <= of_generated[rows, None]).any(axis=0)
    n = len(x)
    return Neighbourhoods(inside / n, float(recalled.mean()), around / (COVERAGE_NEIGHBOURS * n), float(covered.mean()))


def nearest_distances(points: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Return each point's Euclidean distance to the nearest of others, or to the nearest other point of its own.

    Parameters
    ----------
    points, others : ndarray of shape (n, n_features)
    """
    if others is None:
        (x,) = _centred(check_features("points", points))
        return np.sqrt(_radii(x, None, neighbours=(1,))[0])
    x, y = _centred(*check_pair(points, others, minimum=1))
    return np.sqrt(np.concatenate([squared.min(axis=1) for _, squared in _blocks(x, y, None)]))


def memorised_below(real: np.ndarray, share: float = MEMORISED) -> float:
    """Return the distance below which a sample counts as memorised: the `share` quantile of real faces' nearest others.

    Parameters
    ----------
    real : ndarray of shape (n, n_features)
        The faces learnt from.
    """
    return float(np.quantile(nearest_distances(real), share))


def _centred(*sides: np.ndarray) -> tuple[np.ndarray, ...]:
    """Shift all sides by one vector: distances stay, and their formula cancels less."""
    middle = sides[-1].mean(axis=0)
    return tuple(side - middle for side in sides)


def _blocks(x: np.ndarray, y: np.ndarray, block_rows: int | None) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of x and their squared distances to all of y."""
    step = block_rows or max(1, _BLOCK // (8 * len(y)))
    of_y = np.einsum("ij,ij->i", y, y)
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        squared = x[rows] @ y.T
        squared *= -2
        squared += np.einsum("ij,ij->i", x[rows], x[rows])[:, None]
        squared += of_y
        yield rows, np.maximum(squared, 0, out=squared)


def _radii(
    x: np.ndarray, block_rows: int | None, neighbours: tuple[int, ...] = (PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS)
) -> list[np.ndarray]:
    """Return each row's squared distance to its first, third, ... nearest other row."""
    wanted = [neighbour - 1 for neighbour in neighbours]
    radii = np.empty((len(neighbours), len(x)))
    for rows, squared in _blocks(x, x, block_rows):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf  # not its own neighbour
        squared.partition(wanted, axis=1)
        radii[:, rows] = squared[:, wanted].T
    return list(radii)
