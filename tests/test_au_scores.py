"""Scores that set emotion and Action Unit apart, and ICC(3,1) against a worked example and closed forms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_action_units import value

from fergan.experiments.action_units import FEATURES, recognise
from fergan.experiments.au_data import AUData, relabel
from fergan.experiments.au_scores import emotion_oracle, icc_3_1, resampled_icc, resampled_within
from fergan.experiments.config import AUConfig
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import auc
from fergan.facs import ACTION_UNITS, EMOTIONS

# Shrout and Fleiss (1979), Table 2: six targets rated by four judges. Their Table 4 gives ICC(3,1) = .71; the mean
# squares of their Table 3, 11.24 between targets and 1.02 residual, give (11.24 - 1.02) / (11.24 + 3 * 1.02) = .715.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_icc_of_a_worked_example_and_closed_forms():
    assert icc_3_1(*SHROUT_FLEISS.T) == pytest.approx(0.7148, abs=5e-4)
    assert icc_3_1(*np.vstack([SHROUT_FLEISS, [np.nan, 1, 2, 3]]).T) == icc_3_1(*SHROUT_FLEISS.T)
    x = np.random.default_rng(0).random(50)
    assert icc_3_1(x, x) == pytest.approx(1) == icc_3_1(x, x + 0.3)  # a constant more is agreement
    assert icc_3_1(x, 1 - x) == pytest.approx(-1)
    assert icc_3_1(x, np.full(50, 0.2)) == pytest.approx(0)  # a rater who says the same of all
    assert icc_3_1(x, 0.5 * x) == pytest.approx(2 * 0.5 / (1 + 0.25))  # 2 cov / (var + var)
    assert np.isnan([icc_3_1(*np.full((2, 5), 0.4)), icc_3_1([0.1], [0.2])]).all()


def test_icc_of_resamples_is_that_of_the_faces_drawn():
    rng = np.random.default_rng(1)
    codes, x = np.repeat(np.arange(6), 5), rng.random(30)
    y = x + 0.2 * rng.standard_normal(30)
    counts = rng.multinomial(6, [1 / 6] * 6, size=20).astype(float)
    for count, found in zip(counts, resampled_icc(x, y, counts, codes), strict=True):
        rows = np.repeat(np.arange(30), count.astype(int)[codes])
        assert found == pytest.approx(icc_3_1(x[rows], y[rows]))
    assert np.isnan(resampled_icc(np.ones(30), np.ones(30), counts, codes)).all()


def test_pairs_within_a_group_are_counted_as_by_hand():
    values = np.array([0.9, 0.1, 0.4, 0.8, 0.3, 0.7])
    labels = np.array([1.0, 0.0, 1.0, 0.0, np.nan, 1.0])

    def within(groups):
        return resampled_within(values, labels, groups, np.ones((1, 1)), np.zeros(6, int))[0]

    assert within(["a", "a", "b", "b", "b", None]) == 0.5  # right within a, wrong within b
    assert within(["a"] * 6) == auc(values[[0, 1, 2, 3, 5]], labels[[0, 1, 2, 3, 5]] == 1)
    assert np.isnan(within(list("abcdef")))


def test_the_oracle_says_how_often_other_people_show_it():
    truth = np.array([[1.0], [0.0], [1.0], [1.0], [np.nan]])
    found = emotion_oracle(["sad", "sad", "sad", "happy", "sad"], truth, np.array(["p", "q", "r", "p", "q"]))
    assert found[:3, 0].tolist() == [0.5, 1.0, 0.5]  # of the other people who are sad
    assert np.isnan(found[3, 0]), "nobody else is happy"
    assert found[4, 0] == 1.0
    assert np.isnan(emotion_oracle([None, "sad"], truth[:2], np.array(["p", "q"]))).all()


def test_a_derived_detector_recognises_the_emotion_and_one_of_the_truth_the_action_unit():
    """Half of the happy faces truly show AU06: features hold the emotion, and, more faintly, AU06 itself."""
    rng = np.random.default_rng(0)
    emotions, subjects = np.tile(np.repeat(EMOTIONS, 3), 20), np.repeat([f"p{i:02d}" for i in range(20)], 3 * len(EMOTIONS))
    truth = pd.DataFrame(relabel(emotions), columns=list(ACTION_UNITS)).assign(AU06=lambda t: t["AU06"] * (rng.random(len(t)) < 0.5))
    X = rng.standard_normal((len(emotions), 20)) + 3 * np.pad(emotions[:, None] == EMOTIONS, ((0, 0), (0, 12)))
    X[:, 10] += 3.5 * truth["AU06"]
    data = AUData(X.astype(np.float32), relabel(emotions), subjects, truth.to_numpy(), emotions)
    config = AUConfig(n_folds=4, n_resamples=100, costs=[0.1, 1.0])
    derived, learnt = recognise(data, config=config), recognise(replace(data, Y=data.truth), config=config)

    def score(result, name, key="value", features=FEATURES):
        return value(result, SUBJECT_INDEPENDENT, name, "AU06", key, features)

    assert score(derived, "auc") > 0.97
    assert score(derived, "auc_true_within") < 0.65 < 0.72 < score(learnt, "auc_true_within")
    n_happy, n, shown = 3 * 20, len(subjects), truth["AU06"].sum()
    # The oracle gives all happy faces nearly the same share: half of the pairs among them, all of those with others.
    oracle = score(derived, "auc_true", features="emotion")
    assert oracle == pytest.approx(((n_happy - shown) / 2 + n - n_happy) / (n - shown), abs=0.03)
    assert score(derived, "auc_true") == pytest.approx(oracle, abs=0.06)
    assert score(derived, "auc_true_within", "low") <= score(derived, "auc_true_within") <= score(derived, "auc_true_within", "high")
    # A unit that is one emotion's in truth too has no pairs of one emotion to order.
    noted = derived.scores.query("score == 'auc_true_within' and label == 'AU27'")["note"]
    assert (noted == "no emotion has it on some faces and not on others").all()
