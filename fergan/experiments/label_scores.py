"""Scores of methods that learnt from different numbers of labelled people."""

from collections.abc import Mapping

import numpy as np

from fergan.experiments.intervals import bootstrap_interval, resampled_mean
from fergan.experiments.learning_curves import curve_mean, size_needed

__all__ = ["LABELLED_PEOPLE", "Curves", "label_scores", "levels_between"]

#: What stands under ``protocol`` in the table of scores.
LABELLED_PEOPLE = "labelled_people"

#: method -> number of labelled people -> right answers (0 or 1) of shape (n_draws, n_faces)
Curves = Mapping[str, Mapping[int, np.ndarray]]


def label_scores(right: Curves, y: np.ndarray, subjects: np.ndarray, *, n_resamples: int, seed: int) -> list[dict]:
    """Return the rows of scores of all methods.

    Parameters
    ----------
    right : mapping
        See `Curves`; every face is tested once in each draw. A method may have fewer draws than another: their
        difference is then over the draws that both have, the first ones.
    y : ndarray of shape (n_faces,), int
        Classes from 0 upwards.
    subjects : ndarray of shape (n_faces,), str
    n_resamples, seed : int
        Of the bootstrap over test people. The draws stay as they are: how much they matter is said by the lowest
        and the highest of them.

    Returns
    -------
    list of dict
        For `fergan.experiments.scores.score_table`. For each method ``accuracy`` (label: the number of labelled people), beside it
        ``lowest_draw`` and ``highest_draw``; ``curve_mean``, the mean of the curve over the logarithm of that number;
        ``people_needed`` (label: an accuracy), NaN where it is not reached, its interval NaN on the side that it does
        not reach. For each but the first, ``accuracy_difference`` and ``curve_mean_difference``, the first minus it.
        For features "none", ``majority_accuracy``.
    """
    first = next(iter(right))
    sizes = np.array(list(right[first]))
    base = dict(protocol=LABELLED_PEOPLE, n_faces=len(y), n_subjects=len(np.unique(subjects)), n_labels=int(y.max()) + 1)
    majority = float(np.bincount(y).max() / len(y))
    resampling = dict(groups=subjects, n_resamples=n_resamples, seed=seed)
    rows = [base | dict(features="none", score="majority_accuracy", label="all", value=majority)]
    highest = max(of_size.mean() for curve in right.values() for of_size in curve.values())
    levels = levels_between(majority, highest)
    for name, curve in right.items():
        of_method = _curve_rows(curve, sizes, levels, resampling)
        if name != first:
            of_method += _difference_rows(right[first], curve, sizes, first, resampling)
        rows += [base | dict(features=name) | row for row in of_method]
    return rows


def levels_between(low: float, high: float) -> list[float]:
    """Return the tenths above `low` and at most `high`."""
    return [level / 10 for level in range(1, 11) if low < level / 10 <= high]


def _resampled(columns: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mean of each column (n_faces, n_columns) in each resample. Shape (n_resamples, n_columns)."""
    return np.stack([resampled_mean(column, counts, codes) for column in columns.T], axis=1)


def _curve_rows(curve: Mapping[int, np.ndarray], sizes: np.ndarray, levels: list[float], resampling: dict) -> list[dict]:
    columns = np.stack([of_size.mean(axis=0) for of_size in curve.values()], axis=1)
    points = columns.mean(axis=0)

    def statistic(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        accuracies = _resampled(columns, counts, codes)
        needed = [np.minimum(size_needed(sizes, accuracies, level), _NEVER) for level in levels]
        return np.column_stack([accuracies, curve_mean(sizes, accuracies), *needed])

    low, high = bootstrap_interval(statistic, **resampling)
    rows = []
    for i, (n, of_size) in enumerate(curve.items()):
        draws = of_size.mean(axis=1)
        interval = dict(low=low[i], high=high[i], note=f"{len(draws)} draws")
        rows.append(dict(score="accuracy", label=str(n), value=points[i]) | interval)
        rows += [dict(score=score, label=str(n), value=value)
                 for score, value in (("lowest_draw", draws.min()), ("highest_draw", draws.max()))]
    i = len(sizes)
    rows.append(dict(score="curve_mean", label="all", value=curve_mean(sizes, points), low=low[i], high=high[i]))
    for i, level in enumerate(levels, start=len(sizes) + 1):
        needed = [size_needed(sizes, points, level).item(), low[i], high[i]]
        value, of_low, of_high = (n if n <= sizes[-1] else np.nan for n in needed)
        rows.append(dict(score="people_needed", label=f"{level:.1f}", value=value, low=of_low, high=of_high))
    return rows


#: Stands for an infinite number of people, of which no quantile could be taken.
_NEVER = 1e12


def _difference_rows(
    first: Mapping[int, np.ndarray], other: Mapping[int, np.ndarray], sizes: np.ndarray, name: str, resampling: dict
) -> list[dict]:
    differences = []
    for n in sizes:
        n_draws = min(len(first[n]), len(other[n]))
        differences.append(first[n][:n_draws].mean(axis=0) - other[n][:n_draws].mean(axis=0))
    of_size = np.stack(differences, axis=1)
    points = of_size.mean(axis=0)

    def statistic(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        resampled = _resampled(of_size, counts, codes)
        return np.column_stack([resampled, curve_mean(sizes, resampled)])

    low, high = bootstrap_interval(statistic, **resampling)
    scores = ["accuracy_difference"] * len(sizes) + ["curve_mean_difference"]
    labels = [*map(str, sizes), "all"]
    values = [*points, curve_mean(sizes, points)]
    cells = zip(scores, labels, values, low, high, strict=True)
    columns = ("score", "label", "value", "low", "high")
    return [dict(zip(columns, row, strict=True), note=f"{name} minus these") for row in cells]
