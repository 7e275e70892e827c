"""Learning Action Units: decision values, costs and thresholds from a Gram matrix and folds (see `fergan.experiments.au_folds`).

Throughout, `Y` has a column for each Action Unit and holds 0, 1 or NaN (not coded), and `costs` has a row of
ascending costs for each column. The cost of a unit is the one with the largest pooled area under the curve, its
threshold the one with the best F1. Neither is chosen on the faces that it serves, but for the costs of the published
protocol. What is learnt and by what a cost is judged is a `fergan.experiments.au_tasks.Task`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fergan.experiments.au_tasks import OCCURRENCE, Task
from fergan.experiments.cross_validation import AS_PUBLISHED, fold_blocks, other_rows
from fergan.svm.kernels import kernel_slice
from fergan.threads import run_threads

__all__ = ["Decisions", "across_datasets", "as_published", "decision_values", "learn", "out_of_fold", "subject_independent"]


@dataclass
class Decisions:
    """Decision values and thresholds, with the search behind them.

    Attributes
    ----------
    values, thresholds : ndarray of shape (n_faces, n_units), float64
        An Action Unit is said to be present where its value reaches its threshold.
    trials : list of (str, ndarray of shape (n_units,), ndarray of shape (n_units, n_costs))
        The outer folds that a search served, the index of the cost it chose for each unit, and the areas under
        the curve of all costs.
    """

    values: np.ndarray
    thresholds: np.ndarray
    trials: list[tuple[str, np.ndarray, np.ndarray]]


def decision_values(
    K_train: np.ndarray, Y: np.ndarray, K_test: np.ndarray, costs: np.ndarray, n_threads: int, task: Task = OCCURRENCE
) -> np.ndarray:
    """Train every Action Unit with every cost on the faces for which it is coded.

    Parameters
    ----------
    K_train : ndarray of shape (n_train, n_train)
        Gram matrix of the training faces.
    Y : ndarray of shape (n_train, n_units)
    K_test : ndarray of shape (n_test, n_train)
    costs : ndarray of shape (n_units, n_costs)
    n_threads : int
    task : Task

    Returns
    -------
    ndarray of shape (n_test, n_units, n_costs), float64
        NaN for a unit of which the training faces show only one class.
    """

    def of_unit(u: int) -> np.ndarray:
        known = np.flatnonzero(~np.isnan(Y[:, u]))
        if len(known) == len(Y):
            return task.fit(K_train, Y[:, u], K_test, costs[u])
        return task.fit(kernel_slice(K_train, known, known), Y[known, u], K_test.take(known, axis=1), costs[u])

    return np.stack(run_threads(of_unit, range(Y.shape[1]), n_threads), axis=1)


def _part_values(K, Y, train, test, costs, n_threads, task) -> np.ndarray:
    return decision_values(kernel_slice(K, train, train), Y[train], kernel_slice(K, test, train), costs, n_threads, task)


def out_of_fold(
    K: np.ndarray, Y: np.ndarray, folds: Sequence[np.ndarray], costs: np.ndarray, n_threads: int, task: Task = OCCURRENCE
) -> np.ndarray:
    """Return for every face the values of the models that were trained on the other folds, with every cost.

    Parameters
    ----------
    K, Y, folds, costs, n_threads, task
        As for `as_published`.

    Returns
    -------
    ndarray of shape (n_faces, n_units, n_costs), float64
    """
    values = np.empty((*Y.shape, costs.shape[1]))
    for fold in folds:
        values[fold] = _part_values(K, Y, other_rows(len(Y), [fold]), fold, costs, n_threads, task)
    return values


def _choose(values: np.ndarray, Y: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Index of each unit's cost with the largest pooled score, the smallest on a tie, and all scores."""
    areas = [[task.score(of_cost, Y[:, u]) for of_cost in values[:, u].T] for u in range(Y.shape[1])]
    areas = np.array(areas)
    return np.where(np.isnan(areas), -np.inf, areas).argmax(axis=1), areas


def _at(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Values (n_faces, n_units) at the chosen cost of each unit."""
    return np.take_along_axis(values, chosen[None, :, None], axis=2)[:, :, 0]


def _thresholds(values: np.ndarray, Y: np.ndarray, task: Task) -> np.ndarray:
    known = ~np.isnan(Y)
    return np.array([task.threshold(v[k], y[k]) for v, y, k in zip(values.T, Y.T, known.T, strict=True)])


def as_published(
    K: np.ndarray, Y: np.ndarray, folds: Sequence[np.ndarray], costs: np.ndarray, n_threads: int, task: Task = OCCURRENCE
) -> Decisions:
    """Choose the costs over `folds`, and return the decision values of those very folds.

    Parameters
    ----------
    K : ndarray of shape (n_faces, n_faces)
        Gram matrix.
    Y : ndarray of shape (n_faces, n_units)
    folds : sequence of ndarray of int
        The faces of each fold.
    costs : ndarray of shape (n_units, n_costs)
    n_threads : int
    task : Task

    Returns
    -------
    Decisions
        The thresholds of a fold are the best ones on the other folds.
    """
    every = out_of_fold(K, Y, folds, costs, n_threads, task)
    chosen, areas = _choose(every, Y, task)
    values = _at(every, chosen)
    thresholds = np.empty_like(values)
    for fold in folds:
        rest = other_rows(len(Y), [fold])
        thresholds[fold] = _thresholds(values[rest], Y[rest], task)
    return Decisions(values, thresholds, [("all", chosen, areas)])


def _values_without_blocks(K, Y, rows: Sequence[np.ndarray], costs, n_threads, task) -> np.ndarray:
    """For each block, whose faces `rows` lists, decision values of all other faces.

    They are by models that saw neither the block nor the one that the face is in: a model without blocks a and c
    serves both of them. Shape (n_blocks, n_faces, n_units, n_costs), NaN for the faces of the block.
    """
    inner = np.full((len(rows), *Y.shape, costs.shape[1]), np.nan)
    for a in range(len(rows)):
        for c in range(a):
            train, test = other_rows(len(Y), [rows[a], rows[c]]), np.concatenate([rows[a], rows[c]])
            of_a, of_c = np.split(_part_values(K, Y, train, test, costs, n_threads, task), [len(rows[a])])
            inner[c][rows[a]], inner[a][rows[c]] = of_a, of_c
    return inner


def subject_independent(
    K: np.ndarray, Y: np.ndarray, folds: Sequence[np.ndarray], costs: np.ndarray, inner_folds: int, n_threads: int,
    task: Task = OCCURRENCE,
) -> Decisions:
    """Score each fold with costs and thresholds chosen without it, by a search for each block of folds.

    Decision values grow with the cost, and blocks may choose different ones. So that values of all folds can be pooled, each
    block's are brought to one scale: less the mean, and divided by the standard deviation, of the values with the same
    costs of faces outside the block, by models that had not seen them.

    Parameters
    ----------
    K, Y, costs, n_threads, task
        As for `as_published`.
    folds : sequence of ndarray of int
        The faces of each fold; no person in two of them.
    inner_folds : int
        Folds of the nested search; see `fergan.experiments.cross_validation.fold_blocks`.

    Returns
    -------
    Decisions
    """
    blocks = fold_blocks(len(folds), inner_folds)
    rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
    inner = _values_without_blocks(K, Y, rows, costs, n_threads, task)
    found = Decisions(np.empty(Y.shape), np.empty(Y.shape), [])
    for a, block in enumerate(blocks):
        chosen, areas = _choose(inner[a], Y, task)
        found.trials.append((" ".join(map(str, block)), chosen, areas))
        of_chosen = _at(inner[a], chosen)
        centre, spread = _scale_of(of_chosen) if task.on_one_scale else (0.0, 1.0)
        found.thresholds[rows[a]] = (_thresholds(of_chosen, Y, task) - centre) / spread
        best = np.take_along_axis(costs, chosen[:, None], axis=1)
        for i in block:
            train = other_rows(len(Y), [folds[i]])
            values = _part_values(K, Y, train, folds[i], best, n_threads, task)[..., 0]
            found.values[folds[i]] = (values - centre) / spread
    return found


def _scale_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each unit's values, 0 and 1 where it has none."""
    known = ~np.isnan(values)
    n = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, values, 0).sum(axis=0) / n
    spread = np.sqrt(np.sum(np.where(known, values - centre, 0) ** 2, axis=0) / n)
    return centre, np.where(spread > 0, spread, 1.0)


def across_datasets(
    K: np.ndarray, Y: np.ndarray, K_test: np.ndarray, folds: Sequence[np.ndarray], costs: np.ndarray, n_threads: int,
    task: Task = OCCURRENCE,
) -> Decisions:
    """Choose costs and thresholds over `folds` of the training set, train on all of it, decide on the test set.

    Parameters
    ----------
    K, Y, folds, costs, n_threads, task
        Of the training set, as for `as_published`.
    K_test : ndarray of shape (n_test, n_faces)
        Gram matrix of test and training faces.

    Returns
    -------
    Decisions
        Of the test faces.
    """
    inner = out_of_fold(K, Y, folds, costs, n_threads, task)
    chosen, areas = _choose(inner, Y, task)
    best = np.take_along_axis(costs, chosen[:, None], axis=1)
    values = decision_values(K, Y, K_test, best, n_threads, task)[..., 0]
    thresholds = np.broadcast_to(_thresholds(_at(inner, chosen), Y, task), values.shape)
    return Decisions(values, thresholds, [("all", chosen, areas)])


def learn(
    K: np.ndarray, Y: np.ndarray, K_test: np.ndarray | None, protocol: str, folds: Sequence[np.ndarray],
    costs: np.ndarray, inner_folds: int, n_threads: int, task: Task = OCCURRENCE,
) -> Decisions:
    """Learn across datasets if there is a test set, otherwise within one dataset by the given protocol.

    Parameters
    ----------
    K, Y, K_test, folds, costs, inner_folds, n_threads, task
        As for `across_datasets`, `as_published` and `subject_independent`.
    protocol : str
        One of `fergan.experiments.cross_validation.PROTOCOLS`; across datasets the protocols differ in their folds alone.

    Returns
    -------
    Decisions
    """
    if K_test is not None:
        return across_datasets(K, Y, K_test, folds, costs, n_threads, task)
    if protocol == AS_PUBLISHED:
        return as_published(K, Y, folds, costs, n_threads, task)
    return subject_independent(K, Y, folds, costs, inner_folds, n_threads, task)
