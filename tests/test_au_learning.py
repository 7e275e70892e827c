"""Costs, thresholds and values of detectors: none depends on the labels that it is scored on; pooled ones share a scale."""

import numpy as np
import pytest
from sklearn.metrics import f1_score
from test_action_units import column, faces, value

from fergan.experiments.action_units import recognise
from fergan.experiments.au_data import AUData
from fergan.experiments.au_learning import UnitLearner, best_f1_threshold, decision_values, intensity_values
from fergan.experiments.config import AUConfig
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT, fold_blocks, grouped_folds
from fergan.experiments.intervals import auc
from fergan.facs import ACTION_UNITS
from fergan.svm.kernels import gram


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
    Y, K, costs = column(data, "AU12")[:, None].copy(), gram(data.X), np.array([[1.0]])
    Y[100:] = np.nan
    expected = decision_values(K[:100, :100], Y[:100], K[120:, :100], costs)
    assert np.array_equal(decision_values(K, Y, K[120:], costs), expected)


def test_threshold_has_the_best_f1_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, positive = rng.integers(0, 6, 30).astype(float), rng.random(30) < 0.4
        scores = {t: f1_score(positive, values >= t) for t in np.unique(values)}
        threshold = best_f1_threshold(np.append(values, np.nan), np.append(positive, True))
        assert threshold == max(t for t, s in scores.items() if np.isclose(s, max(scores.values())))
    assert np.isnan(best_f1_threshold(values, np.zeros(30, bool)))


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
    monkeypatch.setattr("fergan.experiments.au_learning._scale_of", lambda values: (0.0, 1.0))
    raw = learner.subject_independent(folds, 3)
    spreads = [np.array([np.std(result.values[fold]) for fold in folds]) for result in (raw, found)]
    assert spreads[0].max() > 10 * spreads[0].min() and spreads[1].max() < 2 * spreads[1].min()
    # Which faces reach their threshold does not change.
    assert np.array_equal(raw.values >= raw.thresholds, found.values >= found.thresholds)


def graded(n_subjects=12, seed=0):
    """Faces whose features are linear in the intensities of all Action Units."""
    mixing = np.random.default_rng(5).standard_normal((len(ACTION_UNITS), 20))
    rng = np.random.default_rng(seed)
    grades = rng.random((10 * n_subjects, 14)) * (rng.random((10 * n_subjects, 14)) < 0.5)
    X = grades @ mixing + 0.2 * rng.standard_normal((len(grades), 20))
    people = np.repeat([f"p{i}" for i in range(n_subjects)], 10)
    return AUData(X.astype(np.float32), (grades >= 0.2).astype(float), people, intensity=grades)


def iccs(*data, n_resamples=0):
    scores = recognise(*data, config=AUConfig(n_folds=4, n_resamples=n_resamples, costs=[0.1, 1.0])).scores
    return scores[scores["score"] == "icc"].set_index("label")


def with_intensity(data, intensity):
    return AUData(data.X, data.Y, data.subjects, intensity=intensity)


def test_planted_intensities_are_found_and_permuted_ones_are_not():
    data = graded()
    found = iccs(data, n_resamples=100)
    assert len(found) == 15 and set(found["protocol"]) == {SUBJECT_INDEPENDENT}
    assert (found["value"] > 0.5).all() and (found["low"] < found["value"]).all() and (found["value"] < found["high"]).all()
    assert found.loc["all", "value"] == pytest.approx(found["value"].drop("all").mean())
    assert abs(iccs(with_intensity(data, np.random.default_rng(0).permutation(data.intensity))).loc["all", "value"]) < 0.12


def test_intensities_of_one_set_are_estimated_on_another_and_not_from_derived_labels():
    train, test = graded(), graded(n_subjects=6, seed=1)
    found = iccs(train, test)
    assert (found["value"] > 0.5).all() and found.loc["AU01", "n_faces"] == 60
    assert iccs(train, with_intensity(test, None)).empty
    assert iccs(AUData(train.X, train.Y, train.subjects, truth=train.Y, intensity=train.intensity)).empty


def test_a_unit_of_one_intensity_is_nan_with_a_note():
    data = graded()
    data.intensity[:, 6], data.intensity[:, 8] = 0, np.nan
    found = iccs(data, n_resamples=100)
    for unit in ("AU09", "AU15"):
        assert np.isnan(found.loc[unit, ["value", "low", "high"]].astype(float)).all()
        assert found.loc[unit, "note"] == "not graded, or always the same, in training"
    assert found.loc["all", "n_labels"] == 12 and found.loc["all", "note"] == "without AU09, AU15"


def test_estimates_stay_in_range_and_the_ladder_of_costs_ends_alike():
    data = graded()
    K, y = gram(data.X), data.intensity[:, 7]
    values = intensity_values(K, y, K, (0.1, 1.0, 1e4, 1e5))
    assert values.min() >= 0 and values.max() <= 1
    np.testing.assert_allclose(values[:, 1], intensity_values(K, y, K, (1.0,))[:, 0])
    assert np.isnan(intensity_values(K, np.full(len(y), 0.3), K, (1.0,))).all()


def test_uncoded_units_are_noted_and_counted():
    data = faces()
    data.Y[100:, 7], data.Y[:, 8] = np.nan, np.nan
    result = recognise(data, config=AUConfig(n_folds=4, n_resamples=0, costs=[1.0]))
    assert value(result, SUBJECT_INDEPENDENT, "auc", "AU12", "n_faces") == 100
    assert value(result, SUBJECT_INDEPENDENT, "auc", "AU15", "note") == "not coded in training"
    assert value(result, SUBJECT_INDEPENDENT, "n_positive", "AU12") == data.Y[:100, 7].sum()
