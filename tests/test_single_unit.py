"""One Action Unit by several networks: areas in training and in test, and what is said of them."""

import numpy as np
import pytest
from sklearn.svm import SVC

from fergan.book.tables.single_unit import single_unit_reading, single_unit_table
from fergan.experiments.au_folds import unit_folds
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT, other_rows
from fergan.experiments.intervals import auc
from fergan.experiments.single_unit import run_single_unit
from fergan.svm.kernels import gram

OPTIONS = dict(n_folds=4, n_resamples=100, costs=(0.1,))


def drawn(n_people=12, width=150, seed=0):
    """More features than faces: noise separates what it was fitted to and nothing else; "only" holds the Action Unit."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat([f"p{i:02d}" for i in range(n_people)], 8)
    shown = np.tile([1.0, 0.0], 4 * n_people)
    noise = rng.standard_normal((len(shown), width))
    signal = noise.copy()
    signal[:, 0] += 12 * shown
    return {"only": noise.astype(np.float32), "all": signal.astype(np.float32)}, shown, subjects


def value(scores, protocol, features, score, column="value"):
    rows = scores.query("protocol == @protocol and features == @features and score == @score")
    return rows[column].item()


def test_noise_is_learnt_by_heart_and_a_signal_is_found():
    features, shown, subjects = drawn()
    scores = run_single_unit(features, shown, subjects, "AU07", **OPTIONS)
    for protocol in (AS_PUBLISHED, SUBJECT_INDEPENDENT):
        assert value(scores, protocol, "only", "auc_train") > 0.95
        assert abs(value(scores, protocol, "only", "auc") - 0.5) < 0.15
        assert value(scores, protocol, "all", "auc") > 0.95
        assert value(scores, protocol, "only", "auc", "low") < 0.5 < value(scores, protocol, "only", "auc", "high")
    assert single_unit_reading(scores, "AU07").startswith("Less than a network of all faces")


def test_the_area_in_training_is_that_of_libsvms_own_models_on_their_own_faces():
    features, shown, subjects = drawn(width=12)
    scores = run_single_unit(features, shown, subjects, "AU07", **OPTIONS)
    K, areas = gram(features["only"]), []
    for fold in unit_folds(shown[:, None], subjects, 4, 0)[SUBJECT_INDEPENDENT]:
        rows = other_rows(len(shown), [fold])
        model = SVC(kernel="precomputed", C=0.1).fit(K[np.ix_(rows, rows)], shown[rows])
        areas.append(auc(model.decision_function(K[np.ix_(rows, rows)]), shown[rows] == 1))
    assert value(scores, SUBJECT_INDEPENDENT, "only", "auc_train") == pytest.approx(np.mean(areas), abs=1e-3)


def test_a_difference_is_paired():
    """Equal features differ by exactly 0 on every draw of people; others by the difference of their areas, sharper than both."""
    features, shown, subjects = drawn(width=12)
    scores = run_single_unit({"only": features["only"], "all": features["only"]}, shown, subjects, "AU07", **OPTIONS)
    assert [value(scores, SUBJECT_INDEPENDENT, "all", "auc_difference", c) for c in ("value", "low", "high")] == [0, 0, 0]
    scores = run_single_unit(features, shown, subjects, "AU07", **OPTIONS)
    areas = [value(scores, SUBJECT_INDEPENDENT, name, "auc") for name in ("only", "all")]
    assert value(scores, SUBJECT_INDEPENDENT, "all", "auc_difference") == pytest.approx(areas[0] - areas[1])
    assert value(scores, SUBJECT_INDEPENDENT, "all", "auc_difference", "high") < 0


def test_uncoded_faces_take_no_part_and_one_person_alone_cannot_teach():
    features, shown, subjects = drawn(width=12)
    half = np.where(np.arange(len(shown)) < 64, shown, np.nan)
    scores = run_single_unit(features, half, subjects, "AU07", **OPTIONS)
    assert set(scores["n_faces"]) == {64} and set(scores["n_subjects"]) == {8}
    alone = ((subjects == "p03") & (shown == 1)).astype(float)
    scores = run_single_unit(features, alone, subjects, "AU07", **OPTIONS)
    assert np.isnan(value(scores, SUBJECT_INDEPENDENT, "only", "auc"))
    assert "training part of a fold" in value(scores, SUBJECT_INDEPENDENT, "only", "auc", "note")
    assert single_unit_reading(scores, "AU07").startswith("AU07 cannot be learnt here on people never seen: never or always")
    with pytest.raises(ValueError, match="no Action Unit is both present and absent"):
        run_single_unit(features, np.zeros(len(shown)), subjects, "AU07", **OPTIONS)


def test_the_papers_areas_stand_beside_its_own_action_unit_and_set_only():
    features, shown, subjects = drawn(width=12)
    scores = run_single_unit(features, shown, subjects, "AU07", **OPTIONS)
    table = single_unit_table(scores, "AU07", "enhanced-ck")
    assert table.iloc[0].tolist() == ["faces with AU07 only", "the paper", "0.842", "0.580"] and len(table) == 5
    assert "the paper" not in single_unit_table(scores, "AU07", "mine")["protocol"].tolist()
