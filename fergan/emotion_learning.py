"""Learning emotions: decision values and the parameters behind them, under each protocol, from squared distances."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from fergan.kernels import gaussian_kernel, typical_distance
from fergan.protocols import fold_blocks, other_rows
from fergan.search import SearchResult, search
from fergan.svm import multiclass_values
from fergan.threads import run_threads

__all__ = ["as_published", "subject_independent"]


def _fold_values(K, y, C, n_classes, parts: Sequence[tuple[np.ndarray, np.ndarray]], n_threads) -> list[np.ndarray]:
    """Decision values of the test faces of each (train, test) part."""
    return run_threads(lambda part: multiclass_values(K, y, *part, C, n_classes), parts, n_threads)


def as_published(
    D2: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], *, n_evaluations: int, seed: int, n_threads: int = 1
) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma by the cross-validated accuracy over `folds`, and return those very predictions.

    The accuracy of the returned values is the maximum of the search, and therefore too good: the faces that
    it is measured on took part in the choice.

    Parameters
    ----------
    D2 : ndarray of shape (n_samples, n_samples), float64
        Squared distances between the faces' features.
    y : ndarray of shape (n_samples,), int
        Classes from 0 upwards.
    folds : sequence of ndarray of int
        The faces of each fold.
    n_evaluations, seed : int
        See `fergan.search.search`.
    n_threads : int

    Returns
    -------
    values : ndarray of shape (n_samples, n_classes), float64
        Decision value of each face by the model that was trained without its fold.
    result : SearchResult
    """
    parts = [(other_rows(len(y), [fold]), fold) for fold in folds]
    n_classes = int(y.max()) + 1
    tried = {}

    def accuracy(C: float, gamma: float) -> float:
        values = np.empty((len(y), n_classes))
        found = _fold_values(gaussian_kernel(D2, gamma), y, C, n_classes, parts, n_threads)
        for fold, of_fold in zip(folds, found, strict=True):
            values[fold] = of_fold
        tried[C, gamma] = values
        return np.mean(values.argmax(axis=1) == y)

    result = search(accuracy, typical_distance(D2), n_evaluations=n_evaluations, seed=seed)
    return tried[result.C, result.gamma], result


def subject_independent(
    D2: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], *,
    n_evaluations: int, inner_folds: int = 3, seed: int = 0, n_threads: int = 1,
) -> tuple[np.ndarray, list[tuple[np.ndarray, SearchResult]]]:
    """Score each fold with C and gamma chosen without it.

    The search for a block of folds (see `fergan.protocols.fold_blocks`) maximises the accuracy on the other
    blocks, each predicted by a model trained without it and without the block that the search is for.

    Parameters
    ----------
    D2, y, n_evaluations, seed, n_threads
        As for `as_published`.
    folds : sequence of ndarray of int
        The faces of each fold; no person in two of them.
    inner_folds : int
        How many blocks the inner cross-validation has.

    Returns
    -------
    values : ndarray of shape (n_samples, n_classes), float64
    results : list of (ndarray of int, SearchResult)
        The outer folds of each block and the search that served them.
    """
    blocks = fold_blocks(len(folds), inner_folds)
    rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
    n_classes = int(y.max()) + 1
    # (C, gamma, a, c) -> right answers on block c of the model without blocks a and c
    hits: dict[tuple[float, float, int, int], int] = {}

    def accuracy(a: int, C: float, gamma: float) -> float:
        others = [c for c in range(len(blocks)) if c != a]
        new = [c for c in others if (C, gamma, a, c) not in hits]
        if new:  # the searches of all blocks begin with the same points, which need no second fit
            parts = [(other_rows(len(y), [rows[a], rows[c]]), np.concatenate([rows[a], rows[c]])) for c in new]
            found = _fold_values(gaussian_kernel(D2, gamma), y, C, n_classes, parts, n_threads)
            for c, values in zip(new, found, strict=True):
                of_a, of_c = np.split(values.argmax(axis=1), [len(rows[a])])
                hits[C, gamma, c, a] = int(np.sum(of_a == y[rows[a]]))
                hits[C, gamma, a, c] = int(np.sum(of_c == y[rows[c]]))
        return sum(hits[C, gamma, a, c] for c in others) / sum(len(rows[c]) for c in others)

    distance = typical_distance(D2)
    values = np.empty((len(y), n_classes))
    results = []
    for a, block in enumerate(blocks):
        result = search(partial(accuracy, a), distance, n_evaluations=n_evaluations, seed=seed)
        parts = [(other_rows(len(y), [folds[i]]), folds[i]) for i in block]
        found = _fold_values(gaussian_kernel(D2, result.gamma), y, result.C, n_classes, parts, n_threads)
        for i, of_fold in zip(block, found, strict=True):
            values[folds[i]] = of_fold
        results.append((block, result))
    return values, results
