"""One Action Unit, told apart by several networks' features: areas on the faces that were learnt from, and on others."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from fergan.experiments.au_folds import unit_folds
from fergan.experiments.au_learning import Decisions, decision_values, learn
from fergan.experiments.au_tasks import coded_auc
from fergan.experiments.cross_validation import check_features, fold_blocks, other_rows
from fergan.experiments.intervals import bootstrap_interval, resampled_auc
from fergan.experiments.scores import score_table
from fergan.svm.kernels import gram, kernel_slice

__all__ = ["run_single_unit"]


def run_single_unit(
    features: Mapping[str, np.ndarray], occurrence: np.ndarray, subjects: np.ndarray, unit: str, *, n_folds: int = 10,
    inner_folds: int = 3, costs: Sequence[float] = (0.01, 0.1, 1.0, 10.0), n_resamples: int = 1000, seed: int = 0,
    n_threads: int = 1,
) -> pd.DataFrame:
    """Recognise one Action Unit within a set from each feature set, under both protocols.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n_faces, n_features)
    occurrence : ndarray of shape (n_faces,)
        0, 1 or NaN.
    subjects : ndarray of shape (n_faces,)
    unit : str
        What the Action Unit is called.
    n_folds, inner_folds, costs, n_resamples, seed, n_threads
        See `fergan.experiments.action_units.run_au_experiment`.

    Returns
    -------
    DataFrame
        See `fergan.experiments.scores.score_table`: ``auc`` of faces that no model had seen, and ``auc_train``, the mean over folds
        of the area on the very faces that each fold's model learnt from; for all but the first feature set
        ``auc_difference``, the first's area minus this one's on the same draws of people. 95 % intervals over people; NaN,
        with a note, where the unit cannot be learnt.
    """
    check_features(features, len(occurrence))
    coded = ~np.isnan(occurrence)
    Y, subjects = occurrence[coded, None], np.asarray(subjects, str)[coded]
    folds = unit_folds(Y, subjects, n_folds, seed)
    fold_blocks(n_folds, inner_folds)  # refuses numbers that do not go together while nothing is fitted yet
    interval = partial(bootstrap_interval, groups=subjects, n_resamples=n_resamples, seed=seed)
    ladder = np.sort(np.asarray(costs, dtype=float))[None]
    rows, of_first = [], {}
    for name, X in features.items():
        K = gram(np.asarray(X)[coded])
        for protocol, of_protocol in folds.items():
            found = learn(K, Y, None, protocol, of_protocol, ladder, inner_folds, n_threads)
            base = dict(protocol=protocol, features=name, label=unit, n_faces=len(Y), n_subjects=len(set(subjects)))
            unseen = [(found.values[:, 0], np.arange(len(Y)))]
            learnt = _on_training(K, Y, of_protocol, found, ladder)
            rows.append(base | dict(score="auc") | _area(unseen, Y[:, 0], interval))
            rows.append(base | dict(score="auc_train") | _area(learnt, Y[:, 0], interval))
            first = of_first.setdefault(protocol, found.values[:, 0])
            if name != next(iter(features)):
                rows.append(base | dict(score="auc_difference") | _difference(first, found.values[:, 0], Y[:, 0], interval))
    return score_table(rows)


def _on_training(
    K: np.ndarray, Y: np.ndarray, folds: Sequence[np.ndarray], found: Decisions, ladder: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each fold the decision values of the faces that its model learnt from, and which faces these are."""
    parts = []
    for which, chosen, _ in found.trials:
        for number in range(len(folds)) if which == "all" else map(int, which.split()):
            rows = other_rows(len(Y), [folds[number]])
            K_train = kernel_slice(K, rows, rows)
            parts.append((decision_values(K_train, Y[rows], K_train, ladder[:, chosen], 1)[:, 0, 0], rows))
    return parts


def _difference(first: np.ndarray, second: np.ndarray, labels: np.ndarray, interval: Callable) -> dict[str, object]:
    """Return value, low and high of the area by the first decision values minus that by the second, on the same faces."""
    if np.isnan(first).any() or np.isnan(second).any():
        return dict(value=np.nan)

    def difference(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return resampled_auc(first, labels == 1, counts, codes) - resampled_auc(second, labels == 1, counts, codes)

    low, high = interval(difference)
    return dict(value=coded_auc(first, labels) - coded_auc(second, labels), low=float(low), high=float(high))


def _area(parts: Sequence[tuple[np.ndarray, np.ndarray]], labels: np.ndarray, interval: Callable) -> dict[str, object]:
    """Return value, low, high and note of the mean area over parts, each with its values and its faces."""
    areas = [coded_auc(values, labels[rows]) for values, rows in parts]
    if np.isnan(areas).any() or any(np.isnan(values).any() for values, _ in parts):
        return dict(value=np.nan, note="never or always present in the training part of a fold")

    def mean_area(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return np.mean([resampled_auc(values, labels[rows] == 1, counts, codes[rows]) for values, rows in parts], axis=0)

    low, high = interval(mean_area)
    return dict(value=float(np.mean(areas)), low=float(low), high=float(high))
