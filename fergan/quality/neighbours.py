"""Scores that ask who lies in whose neighbourhood: precision, recall, density, coverage, and memorised faces.

Distances are taken in blocks of rows, so that no n x n matrix is ever held, and each block serves all four scores; the
packages that have precision and recall (torch-fidelity) or all four (prdc) form the whole matrix for each.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from sklearn.utils import gen_batches

from fergan.quality.distances import check_pair, checked_features
from fergan.svm.kernels import squared_distances

#: Neighbours of improved precision and recall, and of density and coverage, in the works that define them.
PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5

_MEMORISED = 0.01  # samples nearer to a real face than all but this share of real faces are to another one
_BLOCK = 128 << 20  # bytes of one block of distances; it does not change the scores


@dataclass(frozen=True)
class Neighbourhoods:
    """What neighbourhoods say of samples.

    Kynkäänniemi et al. (2019), equations 1 to 3. ``precision``: share of samples inside the neighbourhood of some real face.
    ``recall``: share of real faces inside the neighbourhood of some sample. Naeem et al. (2020), equations 3 and 4.
    ``density``: mean number of real neighbourhoods around a sample, over five: 1 for equal distributions, and more is
    possible. ``coverage``: share of real faces whose neighbourhood holds a sample; ``covered``, bool (n_real,), says which.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    covered: np.ndarray = field(compare=False, repr=False)


def neighbourhoods(generated: np.ndarray, real: np.ndarray, k: int = PRECISION_NEIGHBOURS) -> Neighbourhoods:
    """Measure how the neighbourhoods of samples and of real faces hold each other.

    Args:
        generated, real: (n_samples, n_features); all four scores depend on both numbers, so compare at equal ones.
        k: To which neighbour a neighbourhood reaches for precision and recall; for density and coverage to the fifth.
    """
    x, y = check_pair(generated, real, minimum=max(k, COVERAGE_NEIGHBOURS) + 1)
    reach, reach_covered = _radii(y, k, COVERAGE_NEIGHBOURS)
    (of_generated,) = _radii(x, k)
    inside, around, covered, recalled = 0, 0, np.zeros(len(y), bool), np.zeros(len(y), bool)
    for rows, squared in _blocks(x, y):
        inside += int((squared <= reach).any(axis=1).sum())
        close = squared <= reach_covered
        around += int(close.sum())
        covered |= close.any(axis=0)
        recalled |= (squared <= of_generated[rows, None]).any(axis=0)
    density = around / (COVERAGE_NEIGHBOURS * len(x))
    return Neighbourhoods(inside / len(x), float(recalled.mean()), density, float(covered.mean()), covered)


def nearest(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of the nearest of others to each point, and its Euclidean distance; each of shape (n_points,)."""
    x, y = check_pair(points, others, minimum=1)
    rows, distances = np.empty(len(x), int), np.empty(len(x))
    for block, squared in _blocks(x, y):
        rows[block] = squared.argmin(axis=1)
        distances[block] = np.sqrt(squared.min(axis=1))
    return rows, distances


def nearest_other(points: np.ndarray) -> np.ndarray:
    """Return each point's Euclidean distance to the nearest other point; shape (n_points,)."""
    return np.sqrt(_radii(checked_features("points", points), 1)[0])


def memorised_below(real: np.ndarray) -> float:
    """Return the distance below which a sample counts as memorised: the 1 % quantile of real faces' nearest others."""
    return float(np.quantile(nearest_other(real), _MEMORISED))


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of x and their squared distances to all of y."""
    for rows in gen_batches(len(x), max(1, _BLOCK // (8 * len(y)))):
        yield rows, squared_distances(x[rows], y, device="cpu", dtype=np.float64)


def _radii(x: np.ndarray, *neighbours: int) -> np.ndarray:
    """Return each row's squared distance to its first, third, ... nearest other row: (n_neighbours, n_rows)."""
    wanted = np.array(neighbours) - 1
    radii = np.empty((len(neighbours), len(x)))
    for rows, squared in _blocks(x, x):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf  # not its own neighbour
        squared.partition(wanted, axis=1)
        radii[:, rows] = squared[:, wanted].T
    return radii
