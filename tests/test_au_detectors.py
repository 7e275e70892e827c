"""Detectors of Action Units: no cost, threshold or value depends on the labels that it is scored on; pooled ones share a scale."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from test_action_units import column, faces

from fergan.experiments.au_detectors import (
    UnitLearner,
    best_f1_threshold,
    coded_icc,
    coded_intensity,
    relabel,
    resampled_icc,
)
from fergan.experiments.cross_validation import fold_blocks, grouped_folds
from fergan.experiments.intervals import auc
from fergan.facs import ACTION_UNITS
from fergan.svm.kernels import gram, linear_values


def test_relabelling_follows_table_six():
    table = pd.DataFrame(relabel(["happy", "anger", None, "neutral", pd.NA]), columns=list(ACTION_UNITS))
    assert list(table.columns[table.loc[0] == 1]) == ["AU06", "AU12", "AU25"]
    assert list(table.columns[table.loc[1] == 1]) == ["AU04", "AU05", "AU07", "AU17", "AU23", "AU24"]
    assert table.loc[[2, 4]].isna().all(axis=None) and (table.loc[3] == 0).all()
    assert relabel(["angry"], "emfacs")[0, ACTION_UNITS.index("AU17")] == 0


def test_intensities_come_from_one_grade_or_from_the_stronger_side():
    graded = coded_intensity(pd.DataFrame({"AU01_intensity": [0.2, np.nan], "AU12_left": [0.4, 0.0], "AU12_right": [0.6, 0.1]}))
    assert graded[0, 0] == 0.2 and np.isnan(graded[1, 0]) and graded[:, 7].tolist() == [0.6, 0.1] and np.isnan(graded[:, 13]).all()
    assert coded_intensity(pd.DataFrame({"source": ["a"]})) is None
    with pytest.raises(ValueError, match="outside 0 to 1"):
        coded_intensity(pd.DataFrame({"AU01_intensity": [3.0]}))


def test_neither_cost_nor_threshold_nor_value_of_a_fold_depends_on_its_labels():
    data = faces(noise=2.0)
    Y, K = data.Y[:, [2, 3, 7]], gram(data.X)
    folds, block = grouped_folds(Y[:, 0], data.subjects, 4, seed=0), fold_blocks(4, 3)[1]
    assert len(block) == 1
    rows = folds[block[0]]
    other = Y.copy()
    other[rows] = 1 - Y[rows]
    before, after = (UnitLearner(K, labels, np.array([0.01, 0.1, 1.0])).subject_independent(folds, 3) for labels in (Y, other))
    assert np.array_equal(before.values[rows], after.values[rows])
    assert np.array_equal(before.thresholds[rows], after.thresholds[rows])
    assert np.array_equal(before.searches[1][2], after.searches[1][2])
    assert not np.array_equal(before.searches[0][2], after.searches[0][2])


def test_uncoded_faces_take_no_part_in_training():
    data = faces()
    Y, K, costs, test = column(data, "AU12")[:, None].copy(), gram(data.X), np.array([1.0]), np.arange(120, 160)
    Y[100:] = np.nan
    expected = linear_values(K[:100, :100], Y[:100, 0], K[120:, :100], costs)
    assert np.array_equal(UnitLearner(K, Y, costs).values(test)[:, 0], expected)


def test_threshold_has_the_best_f1_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, positive = rng.integers(0, 6, 30).astype(float), rng.random(30) < 0.4
        scores = {t: f1_score(positive, values >= t) for t in np.unique(values)}
        threshold = best_f1_threshold(np.append(values, [np.nan, 9]), np.append(positive.astype(float), [1, np.nan]))
        assert threshold == max(t for t, s in scores.items() if np.isclose(s, max(scores.values())))
    assert np.isnan(best_f1_threshold(values, np.zeros(30)))


def test_folds_with_different_costs_are_pooled_on_one_scale(monkeypatch):
    data = faces(noise=3.0, n_subjects=16)
    y = column(data, "AU12")
    folds, learner = grouped_folds(y, data.subjects, 8, seed=0), UnitLearner(gram(data.X), y[:, None], np.array([0.003, 30.0]))
    turns = iter([0, 1] * 16)
    monkeypatch.setattr(UnitLearner, "_choose", lambda self, values: (np.array([next(turns)]), np.zeros((1, 2))))
    found = learner.subject_independent(folds, 3)
    each = [auc(found.values[fold, 0], y[fold] == 1) for fold in folds]
    assert auc(found.values[:, 0], y == 1) == pytest.approx(np.mean(each), abs=0.03)
    # Without it the values of one cost are spread many times as wide as those of the other.
    monkeypatch.setattr("fergan.experiments.au_detectors._scale_of", lambda values: (0.0, 1.0))
    raw = learner.subject_independent(folds, 3)
    spreads = [np.array([np.std(result.values[fold]) for fold in folds]) for result in (raw, found)]
    assert spreads[0].max() > 10 * spreads[0].min() and spreads[1].max() < 2 * spreads[1].min()
    # Which faces reach their threshold does not change.
    assert np.array_equal(raw.values >= raw.thresholds, found.values >= found.thresholds)


def test_icc_equals_the_mean_squares_of_its_definition_and_closed_forms():
    # Shrout and Fleiss (1979), Table 2: the first two of the four judges, by their two-way analysis of variance.
    ratings = np.array([[9, 2], [6, 1], [8, 4], [7, 1], [10, 5], [6, 2]], dtype=float)
    of_faces, of_raters, mean = ratings.mean(axis=1, keepdims=True), ratings.mean(axis=0), ratings.mean()
    between, error = 2 * np.sum((of_faces - mean) ** 2) / 5, np.sum((ratings - of_faces - of_raters + mean) ** 2) / 5
    assert coded_icc(*ratings.T) == pytest.approx((between - error) / (between + error))
    assert coded_icc(*np.vstack([ratings, [np.nan, 1], [2, np.nan]]).T) == coded_icc(*ratings.T)
    x = np.random.default_rng(0).random(50)
    assert coded_icc(x, x) == pytest.approx(1) == coded_icc(x, x + 0.3)  # a constant more is agreement
    assert coded_icc(x, 1 - x) == pytest.approx(-1)
    assert coded_icc(x, np.full(50, 0.2)) == pytest.approx(0)  # a rater who says the same of all
    assert coded_icc(x, 0.5 * x) == pytest.approx(2 * 0.5 / (1 + 0.25))
    assert np.isnan([coded_icc(*np.full((2, 5), 0.4)), coded_icc(np.array([0.1]), np.array([0.2]))]).all()


def test_icc_of_resamples_is_that_of_the_faces_drawn():
    rng = np.random.default_rng(1)
    codes, x = np.repeat(np.arange(6), 5), rng.random(30)
    y = x + 0.2 * rng.standard_normal(30)
    counts = rng.multinomial(6, [1 / 6] * 6, size=20).astype(float)
    for count, found in zip(counts, resampled_icc(x, y, counts, codes), strict=True):
        rows = np.repeat(np.arange(30), count.astype(int)[codes])
        assert found == pytest.approx(coded_icc(x[rows], y[rows]))
