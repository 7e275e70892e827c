"""Intensities: ICC(3,1) against a worked example and closed forms, and a regression that finds what was planted."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fergan.experiments.action_units import run_au_experiment
from fergan.experiments.au_data import AUData, coded_intensity
from fergan.experiments.au_intensity import INTENSITY, icc_3_1, intensity_values, resampled_icc
from fergan.facs import ACTION_UNITS
from fergan.svm.kernels import gram

# Shrout and Fleiss (1979), Table 2: six targets rated by four judges. Their Table 4 gives ICC(3,1) = .71; the mean
# squares of their Table 3, 11.24 between targets and 1.02 residual, give (11.24 - 1.02) / (11.24 + 3 * 1.02) = .715.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_the_worked_example_of_shrout_and_fleiss():
    assert icc_3_1(SHROUT_FLEISS) == pytest.approx(0.7148, abs=5e-4)
    with_missing = np.vstack([SHROUT_FLEISS, [np.nan, 1, 2, 3]])
    assert icc_3_1(with_missing) == icc_3_1(SHROUT_FLEISS)


def test_closed_forms():
    x = np.random.default_rng(0).random(50)
    assert icc_3_1(np.column_stack([x, x])) == pytest.approx(1)
    assert icc_3_1(np.column_stack([x, x + 0.3])) == pytest.approx(1)  # a constant more is agreement
    assert icc_3_1(np.column_stack([x, 1 - x])) == pytest.approx(-1)
    assert icc_3_1(np.column_stack([x, np.full(50, 0.2)])) == pytest.approx(0)  # a rater who says the same of all
    assert icc_3_1(np.column_stack([x, 0.5 * x])) == pytest.approx(2 * 0.5 / (1 + 0.25))  # 2 cov / (var + var)
    assert np.isnan(icc_3_1(np.full((5, 2), 0.4)))
    assert np.isnan(icc_3_1(np.array([[0.1, 0.2]])))
    with pytest.raises(ValueError, match="at least two raters"):
        icc_3_1(x[:, None])


def test_resamples_give_the_same_as_drawing_the_faces():
    rng = np.random.default_rng(1)
    codes, x = np.repeat(np.arange(6), 5), rng.random(30)
    y = x + 0.2 * rng.standard_normal(30)
    counts = rng.multinomial(6, [1 / 6] * 6, size=20).astype(float)
    for count, found in zip(counts, resampled_icc(x, y, counts, codes), strict=True):
        rows = np.repeat(np.arange(30), count.astype(int)[codes])
        assert found == pytest.approx(icc_3_1(np.column_stack([x[rows], y[rows]])))
    assert np.isnan(resampled_icc(np.ones(30), np.ones(30), counts, codes)).all()


def graded(n_subjects=12, seed=0, noise=0.2, width=20):
    """Faces whose features are linear in the intensities of all Action Units."""
    mixing = np.random.default_rng(5).standard_normal((len(ACTION_UNITS), width))
    rng = np.random.default_rng(seed)
    n = 10 * n_subjects
    grades = rng.random((n, len(ACTION_UNITS))) * (rng.random((n, len(ACTION_UNITS))) < 0.5)
    X = grades @ mixing + noise * rng.standard_normal((n, width))
    intensity = pd.DataFrame(grades, columns=list(ACTION_UNITS))
    return AUData({"x": X.astype(np.float32)}, (intensity >= 0.2).astype(float), np.repeat([f"p{i}" for i in range(n_subjects)], 10),
                  intensity=intensity)


def iccs(result):
    return result.scores[result.scores["score"] == "icc"].set_index("label")


def test_planted_intensities_are_found_and_permuted_ones_are_not():
    data = graded()
    found = iccs(run_au_experiment(data, n_folds=4, n_resamples=100, costs=(0.1, 1.0)))
    assert len(found) == 15 and set(found["protocol"]) == {"subject_independent"}
    assert (found["value"] > 0.5).all() and (found["low"] < found["value"]).all() and (found["value"] < found["high"]).all()
    assert found.loc["all", "value"] == pytest.approx(found["value"].drop("all").mean())
    shuffled = data.intensity.sample(frac=1, random_state=0).reset_index(drop=True)
    permuted = iccs(run_au_experiment(dataclasses.replace(data, intensity=shuffled), n_folds=4, n_resamples=0, costs=(0.1, 1.0)))
    assert abs(permuted.loc["all", "value"]) < 0.12


def test_intensities_of_one_set_are_estimated_on_another_and_not_from_derived_labels():
    train, test = graded(), graded(n_subjects=6, seed=1)
    found = iccs(run_au_experiment(train, test, n_resamples=0, costs=(0.1, 1.0)))
    assert (found["value"] > 0.5).all() and found.loc["AU01", "n_faces"] == 60
    ungraded = dataclasses.replace(test, intensity=None)
    assert iccs(run_au_experiment(train, ungraded, n_resamples=0, costs=(1.0,))).empty
    derived = dataclasses.replace(train, true_occurrence=train.occurrence)
    assert iccs(run_au_experiment(derived, n_folds=4, n_resamples=0, costs=(1.0,))).empty


def test_a_unit_of_one_intensity_is_nan_with_a_note():
    data = graded()
    found = iccs(run_au_experiment(dataclasses.replace(data, intensity=data.intensity.assign(AU09=0.0, AU15=np.nan)), n_folds=4,
                                   n_resamples=100, costs=(1.0,)))
    for unit in ("AU09", "AU15"):
        assert np.isnan(found.loc[unit, ["value", "low", "high"]].astype(float)).all()
        assert found.loc[unit, "note"] == "not graded, or always the same, in training"
    assert found.loc["all", "n_labels"] == 12 and found.loc["all", "note"] == "without AU09, AU15"


def test_estimates_stay_in_range_and_the_ladder_of_costs_ends_alike():
    data = graded()
    K, y = gram(data.features["x"]), data.intensity["AU12"].to_numpy()
    values = intensity_values(K, y, K, (0.1, 1.0, 1e4, 1e5))
    assert values.min() >= 0 and values.max() <= 1
    np.testing.assert_allclose(values[:, 1], intensity_values(K, y, K, (1.0,))[:, 0])
    assert np.isnan(intensity_values(K, np.full(len(y), 0.3), K, (1.0,))).all()
    assert np.isnan(INTENSITY.threshold(values[:, 0], y))


def test_intensities_come_from_one_grade_or_from_the_stronger_side():
    labels = pd.DataFrame({"AU01_intensity": [0.2, np.nan], "AU12_left": [0.4, 0.0], "AU12_right": [0.6, 0.1]})
    table = coded_intensity(labels)
    assert list(table.columns) == list(ACTION_UNITS)
    assert table["AU01"][0] == 0.2 and np.isnan(table["AU01"][1]) and table["AU12"].tolist() == [0.6, 0.1]
    assert table["AU27"].isna().all()
    assert coded_intensity(pd.DataFrame({"source": ["a"]})) is None
    with pytest.raises(ValueError, match="train: intensity holds values outside 0 to 1"):
        data = graded()
        run_au_experiment(dataclasses.replace(data, intensity=data.intensity * 5))
