"""How well Action Units are recognised: every score per unit with its interval, and the mean over those that have one.

A unit that is absent, or always present, has no score: it is NaN, its row says why, and the mean, which says how many
units are in it, does without it.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from fergan.experiments.au_data import AUData
from fergan.experiments.au_intensity import icc_3_1, resampled_icc
from fergan.experiments.au_tasks import coded_auc
from fergan.experiments.au_truth import auc_within, emotion_oracle, group_numbers, resampled_within
from fergan.experiments.intervals import resampled_auc, resampled_confusion
from fergan.facs import ACTION_UNITS

__all__ = ["intensity_scores", "labels_of", "occurrence_scores", "oracle_scores"]

#: Computes low and high of a statistic, see `fergan.experiments.intervals.bootstrap_interval`.
Interval = Callable[[Callable[[np.ndarray, np.ndarray], np.ndarray]], tuple[np.ndarray, np.ndarray]]


def labels_of(table: pd.DataFrame) -> np.ndarray:
    """Return the Action Units of a table as floats of shape (n_faces, 14)."""
    return table[list(ACTION_UNITS)].to_numpy(dtype=float)


def occurrence_scores(
    values: np.ndarray, thresholds: np.ndarray, Y_train: np.ndarray, tested: AUData, interval: Interval
) -> list[dict]:
    """Return the rows of all scores of one protocol and feature set.

    Parameters
    ----------
    values, thresholds : ndarray of shape (n_faces, 14)
        Decision values of the tested faces; from the threshold on, a unit is said to be present.
    Y_train : ndarray of shape (n_train, 14)
    tested : AUData
    interval : callable
        See `Interval`.

    Returns
    -------
    list of dict
        ``auc, f1, average_precision, prevalence, n_positive``; where the truth behind derived labels is known,
        ``auc_true`` against it, and ``auc_true_within``: the same over pairs of faces of one emotion, which knowing the
        emotion does not help to order.
    """
    subjects = np.asarray(tested.subjects, str)
    rows = []
    for score, table in (("auc", tested.occurrence), ("auc_true", tested.true_occurrence)):
        if table is not None:
            Y = labels_of(table)
            points, notes = _areas(values, Y), _notes(values, Y_train, Y)
            rows += _score_rows(score, points, partial(_resampled_area, values, Y), Y, notes, subjects, interval)
    if tested.true_occurrence is not None and tested.emotions is not None:
        rows += _within_rows(values, Y_train, tested, subjects, interval)

    Y = labels_of(tested.occurrence)
    notes = _notes(values, Y_train, Y)
    f1 = partial(_resampled_f1, values >= thresholds, Y)
    everyone = (np.ones((1, 1)), np.zeros(len(Y), dtype=int))
    points = np.array([np.nan if note else f1(u, *everyone)[0] for u, note in enumerate(notes)])
    rows += _score_rows("f1", points, f1, Y, notes, subjects, interval)
    points = np.array([np.nan if note else _average_precision(values[:, u], Y[:, u]) for u, note in enumerate(notes)])
    rows += _score_rows("average_precision", points, None, Y, notes, subjects, interval)
    return rows + _count_rows(Y, subjects, interval)


def intensity_scores(values: np.ndarray, graded_train: np.ndarray, tested: AUData, interval: Interval) -> list[dict]:
    """Return the rows of ``icc``, the agreement of estimated and graded intensities.

    Parameters
    ----------
    values : ndarray of shape (n_faces, 14)
        Estimates, 0 to 1.
    graded_train : ndarray of shape (n_train, 14)
        The intensities that were learnt from.
    tested : AUData
    interval : callable
        See `Interval`.
    """
    subjects, graded = np.asarray(tested.subjects, str), labels_of(tested.intensity)

    def varies(column: np.ndarray) -> bool:
        known = column[~np.isnan(column)]
        return len(known) > 1 and np.ptp(known) > 0

    notes = []
    for u in range(len(ACTION_UNITS)):
        where = "" if varies(graded_train[:, u]) else "training"
        where = where or ("" if varies(graded[:, u]) else "test")
        one_sided = np.isnan(values[~np.isnan(graded[:, u]), u]).any()
        notes.append(f"not graded, or always the same, in {where}" if where else
                     "always the same in the training part of a fold" if one_sided else "")
    points = np.array([np.nan if note else icc_3_1(np.column_stack([graded[:, u], values[:, u]]))
                       for u, note in enumerate(notes)])

    def resampled(u: int, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        known = ~np.isnan(graded[:, u])
        return resampled_icc(graded[known, u], values[known, u], counts, codes[known])

    return _score_rows("icc", points, resampled, graded, notes, subjects, interval)


def oracle_scores(tested: AUData, interval: Interval) -> list[dict]:
    """Return the rows of ``auc_true`` for `emotion_oracle`; nothing where truth or emotions are not known.

    Against the derived labels such an oracle has an area of 1 by construction.
    """
    if tested.true_occurrence is None or tested.emotions is None:
        return []
    subjects, Y = np.asarray(tested.subjects, str), labels_of(tested.true_occurrence)
    values = emotion_oracle(tested.emotions, Y, subjects)
    known = ~np.isnan(values).all(axis=1)
    values, Y, subjects = values[known], Y[known], subjects[known]

    def of_known(statistic):
        # The same resamples of people as for the detectors, without the faces whose emotion is not known.
        return interval(lambda counts, codes: statistic(counts, codes[known]))

    notes = _notes(values, Y, Y)
    return _score_rows("auc_true", _areas(values, Y), partial(_resampled_area, values, Y), Y, notes, subjects, of_known)


def _within_rows(values, Y_train, tested: AUData, subjects, interval) -> list[dict]:
    Y, groups = labels_of(tested.true_occurrence), group_numbers(tested.emotions)
    points = np.array([auc_within(values[:, u], Y[:, u], tested.emotions) for u in range(len(ACTION_UNITS))])
    notes = [note or ("" if point == point else "no emotion has it on some faces and not on others")
             for note, point in zip(_notes(values, Y_train, Y), points, strict=True)]
    resampled = partial(resampled_within, values, Y, groups)
    return _score_rows("auc_true_within", points, resampled, Y, notes, subjects, interval)


def _notes(values: np.ndarray, Y_train: np.ndarray, Y_test: np.ndarray) -> list[str]:
    """Say for each Action Unit why it cannot be scored, or nothing."""

    def note(labels: np.ndarray, where: str) -> str:
        present = np.unique(labels[~np.isnan(labels)])
        if len(present) == 2:
            return ""
        if not len(present):
            return f"not coded in {where}"
        return f"{'always' if present[0] else 'never'} present in {where}"

    notes = [note(Y_train[:, u], "training") or note(Y_test[:, u], "test") for u in range(len(ACTION_UNITS))]
    partly = np.isnan(values).any(axis=0)
    return [n or ("never or always present in the training part of a fold" if p else "")
            for n, p in zip(notes, partly, strict=True)]


def _score_rows(score: str, points: np.ndarray, resampled: Callable | None, Y, notes, subjects, interval) -> list[dict]:
    """Rows of one score: each Action Unit, and the mean over those without a note."""
    fine = [u for u, note in enumerate(notes) if not note]
    low, high = np.full((2, len(points) + 1), np.nan)
    if resampled is not None and fine:

        def statistic(counts, codes):
            found = np.stack([resampled(u, counts, codes) for u in fine], axis=1)
            # A resample without any face of a rare unit still has a mean over the other units.
            counted = (~np.isnan(found)).sum(axis=1)
            mean = np.where(counted, np.nansum(found, axis=1) / np.maximum(1, counted), np.nan)
            return np.column_stack([found, mean])

        low[[*fine, -1]], high[[*fine, -1]] = interval(statistic)
    rows = []
    for u, unit in enumerate(ACTION_UNITS):
        known = ~np.isnan(Y[:, u])
        rows.append(dict(score=score, label=unit, value=points[u] if u in fine else np.nan, low=low[u], high=high[u],
                         n_faces=int(known.sum()), n_subjects=len(np.unique(subjects[known])), note=notes[u]))
    left_out = [unit for unit, note in zip(ACTION_UNITS, notes, strict=True) if note]
    rows.append(dict(score=score, label="all", value=np.mean(points[fine]) if fine else np.nan, low=low[-1],
                     high=high[-1], n_faces=len(Y), n_subjects=len(np.unique(subjects)), n_labels=len(fine),
                     note=f"without {', '.join(left_out)}" if left_out else ""))
    return rows


def _areas(values: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return np.array([coded_auc(of_unit, labels) for of_unit, labels in zip(values.T, Y.T, strict=True)])


def _average_precision(values: np.ndarray, labels: np.ndarray) -> float:
    known = ~np.isnan(labels)
    return average_precision_score(labels[known], values[known])


def _resampled_area(values, Y, u: int, counts, codes) -> np.ndarray:
    known = ~np.isnan(Y[:, u])
    return resampled_auc(values[known, u], Y[known, u] == 1, counts, codes[known])


def _resampled_f1(predicted, Y, u: int, counts, codes) -> np.ndarray:
    known = ~np.isnan(Y[:, u])
    confusion = resampled_confusion(Y[known, u].astype(int), predicted[known, u].astype(int), 2, counts, codes[known])
    wrong = confusion[:, 0, 1] + confusion[:, 1, 0]
    with np.errstate(invalid="ignore"):
        return 2 * confusion[:, 1, 1] / (2 * confusion[:, 1, 1] + wrong)


def _count_rows(Y: np.ndarray, subjects: np.ndarray, interval: Callable) -> list[dict]:
    """Rows of how often each Action Unit is present, of which there is no mean."""
    n_coded, n_positive = (~np.isnan(Y)).sum(axis=0), np.nansum(Y, axis=0)
    uncoded = ["" if n else "not coded in test" for n in n_coded]
    rows = []
    for score, points in (("prevalence", n_positive / np.maximum(1, n_coded)), ("n_positive", n_positive)):
        rows += _score_rows(score, points, None, Y, uncoded, subjects, interval)[:-1]
    return rows
