"""How well Action Units are recognised: every score per unit with its interval, and the mean over those that have one.

A unit that is absent, or always present, has no score: it is NaN, its row says why, and the mean, which says how many
units are in it, does without it. Every score but average precision is a statistic of resampled people, ``statistic(u,
counts, codes)`` for unit u, see `fergan.experiments.intervals.bootstrap_interval`; its value is the one of all people once.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from fergan.experiments.au_data import AUData
from fergan.experiments.intervals import auc, bootstrap_interval, resampled_auc, resampled_confusion
from fergan.facs import ACTION_UNITS

_UNITS = range(len(ACTION_UNITS))


def coded_auc(values: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve over the faces with a value and a label (0, 1 or NaN); NaN without positives or negatives."""
    known = ~np.isnan(values) & ~np.isnan(labels)
    return auc(values[known], labels[known] == 1)


def icc_3_1(*raters: np.ndarray) -> float:
    """Return the intraclass correlation ICC(3,1): how well k raters, each of shape (n_faces,), agree.

    With the mean squares of a two-way analysis of variance, faces by raters, it is ``(MS_faces - MS_error) / (MS_faces +
    (k - 1) MS_error)``: at most 1, NaN where all ratings are the same. A rater who always says a fixed amount more is not
    held to disagree. Faces with a missing rating take no part (Shrout and Fleiss, 1979, Psychological Bulletin 86(2)).
    """
    ratings = np.column_stack(raters)
    ratings = ratings[~np.isnan(ratings).any(axis=1)]
    n, k = ratings.shape
    if n < 2:
        return float("nan")
    of_faces, of_raters, mean = ratings.mean(axis=1), ratings.mean(axis=0), ratings.mean()
    between = k * np.sum((of_faces - mean) ** 2) / (n - 1)
    error = np.sum((ratings - of_faces[:, None] - of_raters[None, :] + mean) ** 2) / ((n - 1) * (k - 1))
    if between + error <= 1e-15 * max(1.0, mean**2):
        return float("nan")
    return float((between - error) / (between + (k - 1) * error))


def resampled_icc(true: np.ndarray, estimated: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`icc_3_1` in each resample of people: it is ``2 cov(x, y) / (var(x) + var(y))``, of sums over each person's faces."""
    moments = np.stack([np.ones_like(true), true, estimated, true**2, estimated**2, true * estimated], axis=1)
    of_people = np.zeros((counts.shape[1], moments.shape[1]))
    np.add.at(of_people, codes, moments)
    n, x, y, xx, yy, xy = (counts @ of_people).T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (xx - x**2 / n) + (yy - y**2 / n)
        return np.where(spread > 1e-12, 2 * (xy - x * y / n) / spread, np.nan)


def resampled_within(
    values: np.ndarray, labels: np.ndarray, groups: Sequence[str], counts: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve over pairs within a group: the share of (positive, negative) pairs of one group in order.

    Faces whose group is None, or whose label is NaN, take no part. Shape (n_resamples,), NaN where no group has both a
    positive and a negative face.
    """
    won, pairs = np.zeros((2, len(counts)))
    numbers = pd.factorize(pd.Series(list(groups), dtype="object"))[0]
    known = ~np.isnan(values) & ~np.isnan(labels) & (numbers >= 0)
    for group in np.unique(numbers[known]):
        rows = np.flatnonzero(known & (numbers == group))
        positive = labels[rows] == 1
        if positive.all() or not positive.any():
            continue
        n_positive, n_negative = (counts @ np.bincount(codes[rows[of_class]], minlength=counts.shape[1])
                                  for of_class in (positive, ~positive))
        won += np.nan_to_num(resampled_auc(values[rows], positive, counts, codes[rows])) * n_positive * n_negative
        pairs += n_positive * n_negative
    return np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1), np.nan)


def emotion_oracle(emotions: Sequence[str], truth: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Return what somebody would say who sees nothing but the emotion: how often others who show it show each unit.

    Shares of shape (n_faces, n_units), NaN where the emotion is None or nobody else shows it. A face's own person does not
    count.
    """
    emotions = np.array([None if pd.isna(e) else e for e in emotions], dtype=object)
    values = np.full(truth.shape, np.nan)
    for emotion in {e for e in emotions if e is not None}:
        rows = np.flatnonzero(emotions == emotion)
        people, codes = np.unique(subjects[rows], return_inverse=True)
        shown, coded = np.zeros((2, len(people), truth.shape[1]))
        np.add.at(shown, codes, np.nan_to_num(truth[rows]))
        np.add.at(coded, codes, ~np.isnan(truth[rows]))
        with np.errstate(invalid="ignore"):
            values[rows] = ((shown.sum(axis=0) - shown) / (coded.sum(axis=0) - coded))[codes]
    return values


class UnitScores:
    """The rows of the score table for the faces of one tested set, with 95 % intervals over people."""

    def __init__(self, tested: AUData, n_resamples: int, seed: int) -> None:
        self.tested, self.n_resamples, self.seed = tested, n_resamples, seed

    def occurrence(self, values: np.ndarray, thresholds: np.ndarray, Y_train: np.ndarray) -> list[dict]:
        """Return the rows of ``auc, f1, average_precision, prevalence, n_positive`` from decision values (n_faces, 14).

        Where the truth behind derived labels is known, there is ``auc_true`` against it, and ``auc_true_within``: the same
        over pairs of faces of one emotion, which knowing the emotion does not help to order.
        """
        Y, truth, emotions = self.tested.Y, self.tested.truth, self.tested.emotions
        notes = _notes(values, Y_train, Y)
        rows = self._rows("auc", _area(values, Y), Y, notes)
        if truth is not None:
            true_notes = _notes(values, Y_train, truth)
            rows += self._rows("auc_true", _area(values, truth), truth, true_notes)
            if emotions is not None:
                rows += self._rows("auc_true_within",
                                   lambda u, *resamples: resampled_within(values[:, u], truth[:, u], emotions, *resamples),
                                   truth, true_notes, "no emotion has it on some faces and not on others")
        rows += self._rows("f1", _f1(values >= thresholds, Y), Y, notes)

        def average_precision(u: int, *_) -> list[float]:
            known = ~np.isnan(Y[:, u])
            return [average_precision_score(Y[known, u], values[known, u])]

        rows += self._rows("average_precision", average_precision, Y, notes, interval=False)
        # How often each unit is present, of which there is no mean.
        n_coded, n_positive = (~np.isnan(Y)).sum(axis=0), np.nansum(Y, axis=0)
        uncoded = ["" if n else "not coded in test" for n in n_coded]
        for score, counts in (("prevalence", n_positive / np.maximum(1, n_coded)), ("n_positive", n_positive)):
            rows += self._rows(score, lambda u, *_, counts=counts: counts[[u]], Y, uncoded, interval=False)[:-1]
        return rows

    def intensity(self, values: np.ndarray, graded_train: np.ndarray) -> list[dict]:
        """Return the rows of ``icc``, the agreement of estimated (n_faces, 14) and graded intensities."""
        graded = self.tested.intensity

        def note(u: int) -> str:
            for labels, where in ((graded_train[:, u], "training"), (graded[:, u], "test")):
                if len(np.unique(labels[~np.isnan(labels)])) < 2:
                    return f"not graded, or always the same, in {where}"
            one_sided = np.isnan(values[~np.isnan(graded[:, u]), u]).any()
            return "always the same in the training part of a fold" if one_sided else ""

        def icc(u: int, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
            known = ~np.isnan(graded[:, u])
            return resampled_icc(graded[known, u], values[known, u], counts, codes[known])

        return self._rows("icc", icc, graded, [note(u) for u in _UNITS])

    def oracle(self) -> list[dict]:
        """Return the rows of ``auc_true`` for `emotion_oracle`; nothing where truth or emotions are not known.

        Against the derived labels such an oracle has an area of 1 by construction.
        """
        if self.tested.truth is None or self.tested.emotions is None:
            return []
        values = emotion_oracle(self.tested.emotions, self.tested.truth, self.tested.subjects)
        known = ~np.isnan(values).all(axis=1)
        values, Y = values[known], self.tested.truth[known]
        return self._rows("auc_true", _area(values, Y), Y, _notes(values, Y, Y), known=known)

    def _rows(
        self, score: str, statistic: Callable, Y: np.ndarray, notes: Sequence[str], undefined: str = "", *,
        interval: bool = True, known: np.ndarray | slice = np.s_[:],
    ) -> list[dict]:
        """Rows of one score: each Action Unit, and the mean over those without a note. `Y` is of the faces `known`."""
        subjects = self.tested.subjects[known]
        everyone = (np.ones((1, 1)), np.zeros(len(Y), dtype=int))
        points = np.array([np.nan if notes[u] else statistic(u, *everyone)[0] for u in _UNITS])
        notes = [note or (undefined if np.isnan(point) else "") for note, point in zip(notes, points, strict=True)]
        fine = [u for u in _UNITS if not notes[u]]
        low, high = np.full((2, len(points) + 1), np.nan)
        if interval and fine:

            def with_mean(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
                found = np.stack([statistic(u, counts, codes[known]) for u in fine], axis=1)
                # A resample without any face of a rare unit still has a mean over the other units.
                counted = (~np.isnan(found)).sum(axis=1)
                mean = np.where(counted, np.nansum(found, axis=1) / np.maximum(1, counted), np.nan)
                return np.column_stack([found, mean])

            # The same resamples of people for all scores, also of some faces only.
            bounds = bootstrap_interval(with_mean, self.tested.subjects, self.n_resamples, self.seed)
            low[[*fine, -1]], high[[*fine, -1]] = bounds
        coded = ~np.isnan(Y)
        rows = [dict(score=score, label=unit, value=points[u], low=low[u], high=high[u], n_faces=int(coded[:, u].sum()),
                     n_subjects=len(np.unique(subjects[coded[:, u]])), note=notes[u]) for u, unit in enumerate(ACTION_UNITS)]
        left_out = ", ".join(unit for unit, note in zip(ACTION_UNITS, notes, strict=True) if note)
        mean = dict(score=score, label="all", value=np.mean(points[fine]) if fine else np.nan, low=low[-1], high=high[-1])
        return [*rows, mean | dict(n_faces=len(Y), n_subjects=len(np.unique(subjects)), n_labels=len(fine),
                                   note=f"without {left_out}" if left_out else "")]


def _notes(values: np.ndarray, Y_train: np.ndarray, Y_test: np.ndarray) -> list[str]:
    """Say for each Action Unit why it cannot be scored, or nothing."""

    def note(labels: np.ndarray, where: str) -> str:
        present = np.unique(labels[~np.isnan(labels)])
        if len(present) == 2:
            return ""
        if not len(present):
            return f"not coded in {where}"
        return f"{'always' if present[0] else 'never'} present in {where}"

    partly = np.isnan(values).any(axis=0)
    return [note(Y_train[:, u], "training") or note(Y_test[:, u], "test")
            or ("never or always present in the training part of a fold" if partly[u] else "") for u in _UNITS]


def _area(values: np.ndarray, Y: np.ndarray) -> Callable:
    def area(u: int, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        known = ~np.isnan(Y[:, u])
        return resampled_auc(values[known, u], Y[known, u] == 1, counts, codes[known])

    return area


def _f1(predicted: np.ndarray, Y: np.ndarray) -> Callable:
    def f1(u: int, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        known = ~np.isnan(Y[:, u])
        confusion = resampled_confusion(Y[known, u].astype(int), predicted[known, u].astype(int), 2, counts, codes[known])
        with np.errstate(invalid="ignore"):
            return 2 * confusion[:, 1, 1] / (2 * confusion[:, 1, 1] + confusion[:, 0, 1] + confusion[:, 1, 0])

    return f1
