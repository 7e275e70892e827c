"""Learning emotions: decision values and the parameters behind them, under each protocol, from squared distances.

Each function takes a folder for the journals of its searches. A journal is named after a hash of all that its search
depends on, so one folder serves any number of problems, and a search that was stopped goes on where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fergan.experiments.cross_validation import check_training_parts, fold_blocks, grouped_folds, other_rows, random_folds
from fergan.svm.kernels import kernel_slice, typical_distance
from fergan.svm.machines import SharedKernel, predicted_classes
from fergan.svm.search import Part, SearchResult, journal_of, search, search_folds

__all__ = ["as_published", "official_split", "subject_independent"]

def as_published(
    D2: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], *, n_evaluations: int, seed: int, n_threads: int = 1,
    journal: str | Path | None = None, memory_gb: float = 12.0, progress: Callable[[str], None] | None = None,
) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma by the cross-validated accuracy over `folds`, and return those very predictions.

    The accuracy of the returned values is the maximum of the search, and therefore too good: the faces that
    it is measured on took part in the choice.

    Parameters
    ----------
    D2 : ndarray of shape (n_samples, n_samples), float32 or float64
        Squared distances between the faces' features.
    y : ndarray of shape (n_samples,), int
        Classes from 0 upwards.
    folds : sequence of ndarray of int
        The faces of each fold.
    n_evaluations, seed : int
        See `fergan.svm.search.search`.
    n_threads : int
        Folds fitted at the same time.
    journal : path, optional
        Folder for the journal of the search.
    memory_gb : float
        See `fergan.svm.machines.SharedKernel`.
    progress : callable, optional
        Called with a line of text after each trial.

    Returns
    -------
    values : ndarray of shape (n_samples, n_classes), float64
        Decision value of each face by the model that was trained without its fold.
    result : SearchResult
    """
    models = SharedKernel(D2, y, n_threads=n_threads, memory_gb=memory_gb)
    parts = [(other_rows(len(y), [fold]), fold) for fold in folds]
    result = search_folds(models, parts, typical_distance(D2), n_evaluations=n_evaluations, seed=seed, journal=journal,
                          name="as-published", progress=progress)
    values = np.empty((len(y), models.n_classes))
    for fold, of_fold in zip(folds, models.values(result.C, result.gamma, parts), strict=True):
        values[fold] = of_fold
    return values, result


def subject_independent(
    D2: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], *,
    n_evaluations: int, inner_folds: int = 3, seed: int = 0, n_threads: int = 1, journal: str | Path | None = None,
    prune: bool = False, memory_gb: float = 12.0, progress: Callable[[str], None] | None = None,
) -> tuple[np.ndarray, list[tuple[np.ndarray, SearchResult]]]:
    """Score each fold with C and gamma chosen without it.

    The search for a block of folds (see `fergan.experiments.cross_validation.fold_blocks`) maximises the accuracy on the other
    blocks, each predicted by a model trained without it and without the block that the search is for.

    Parameters
    ----------
    D2, y, n_evaluations, seed, n_threads, journal, memory_gb, progress
        As for `as_published`.
    folds : sequence of ndarray of int
        The faces of each fold; no person in two of them.
    inner_folds : int
        How many blocks the inner cross-validation has.
    prune : bool
        Stop hopeless trials, see `fergan.svm.search.search`; without effect below four inner folds.

    Returns
    -------
    values : ndarray of shape (n_samples, n_classes), float64
    results : list of (ndarray of int, SearchResult)
        The outer folds of each block and the search that served them.
    """
    models = SharedKernel(D2, y, n_threads=n_threads, memory_gb=memory_gb)
    blocks = fold_blocks(len(folds), inner_folds)
    rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
    # (C, gamma, a, c) -> right answers on block c of the model without blocks a and c
    hits: dict[tuple[float, float, int, int], int] = {}

    def inner_parts(a: int, numbers: Sequence[int]) -> list[Part]:
        return [(other_rows(len(y), [rows[a], rows[c]]), np.concatenate([rows[a], rows[c]])) for c in numbers]

    def right_answers(a: int, C: float, gamma: float) -> Iterator[tuple[int, int]]:
        others = [c for c in range(len(blocks)) if c != a]
        # The searches of all blocks begin with the same points, which need no second fit.
        new = [c for c in others if (C, gamma, a, c) not in hits]
        fitted = models.values(C, gamma, inner_parts(a, new))
        for c in others:
            if c in new:
                of_a, of_c = np.split(next(fitted), [len(rows[a])])
                hits[C, gamma, c, a] = _n_right(of_a, y[rows[a]])
                hits[C, gamma, a, c] = _n_right(of_c, y[rows[c]])
            yield hits[C, gamma, a, c], len(rows[c])

    distance = typical_distance(D2)
    values = np.empty((len(y), models.n_classes))
    results = []
    for a, block in enumerate(blocks):
        others = [c for c in range(len(blocks)) if c != a]
        result = search(partial(right_answers, a), distance, n_evaluations=n_evaluations, seed=seed, prune=prune,
                        progress=progress, **journal_of(journal, "nested", models, inner_parts(a, others)))
        parts = [(other_rows(len(y), [folds[i]]), folds[i]) for i in block]
        for i, of_fold in zip(block, models.values(result.C, result.gamma, parts), strict=True):
            values[folds[i]] = of_fold
        results.append((block, result))
    return values, results


def official_split(
    D2: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None, *,
    n_evaluations: int, inner_folds: int, seed: int = 0, n_threads: int = 1, journal: str | Path | None = None,
    prune: bool = False, memory_gb: float = 12.0, progress: Callable[[str], None] | None = None,
) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma within the training faces of a set's own split, train on all of them, and score the test faces.

    Parameters
    ----------
    D2, y, n_evaluations, seed, n_threads, journal, memory_gb, progress
        As for `as_published`; faces in neither `train` nor `test` take no part.
    train, test : ndarray of int
        The faces on either side; the test faces do not reach the search.
    groups : ndarray of shape (n_samples,), optional
        The person of each face, whose faces then stay in one fold of the search; without it folds are random.
    inner_folds : int
        Folds of the search.
    prune : bool
        Stop hopeless trials, see `fergan.svm.search.search`; without effect below four inner folds.

    Returns
    -------
    values : ndarray of shape (n_test, n_classes), float64
        Decision values of the test faces, in the order of `test`.
    result : SearchResult

    Raises
    ------
    ValueError
        Before the search: a side is empty, a face is on both sides, or the training faces do not suffice for the
        folds (see `fergan.experiments.cross_validation.grouped_folds`).
    """
    train, test = np.asarray(train), np.asarray(test)
    if not len(train) or not len(test):
        raise ValueError(f"the split has {len(train)} training and {len(test)} test faces; expected some of each")
    shared = np.intersect1d(train, test)
    if len(shared):
        raise ValueError(f"{len(shared)} faces are on both sides of the split (first: row {shared[0]})")
    if groups is None:
        folds = random_folds(y[train], inner_folds, seed)
    else:
        folds = grouped_folds(y[train], np.asarray(groups)[train], inner_folds, seed)
    check_training_parts(y[train], folds)
    models = SharedKernel(D2, y, n_threads=n_threads, memory_gb=memory_gb)
    parts = [(train[other_rows(len(train), [fold])], train[fold]) for fold in folds]

    some = train[:: max(1, len(train) // 2000)]
    distance = typical_distance(kernel_slice(D2, some, train))
    result = search_folds(models, parts, distance, n_evaluations=n_evaluations, seed=seed, prune=prune, journal=journal,
                          name="official-split", progress=progress)
    (values,) = models.values(result.C, result.gamma, [(train, test)])
    return values, result


def _n_right(values: np.ndarray, y: np.ndarray) -> int:
    return int(np.sum(predicted_classes(values) == y))
