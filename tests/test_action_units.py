import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score
from sklearn.svm import SVC

from fergan.experiments.action_units import AUData, AUResult, paper_au_scores, relabel, run_au_experiment
from fergan.experiments.au_learning import decision_values, subject_independent
from fergan.experiments.au_tasks import best_f1_threshold
from fergan.experiments.cross_validation import PROTOCOLS, fold_blocks, grouped_folds
from fergan.experiments.intervals import auc
from fergan.experiments.scores import SCORE_COLUMNS
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.svm.kernels import gram

QUICK = {"n_folds": 4, "n_resamples": 100, "costs": (0.1, 1.0)}


def faces(n_subjects=10, emotions=EMOTIONS, noise=0.8, seed=0, width=30):
    """Faces of people with each emotion twice; features are linear in the emotion, with noise."""
    mixing = np.random.default_rng(99).normal(size=(len(EMOTIONS), width))
    rng = np.random.default_rng(seed)
    words = np.tile(np.repeat(emotions, 2), n_subjects)
    subjects = np.repeat([f"p{i:02d}" for i in range(n_subjects)], 2 * len(emotions))
    X = mixing[[EMOTIONS.index(w) for w in words]] + noise * rng.normal(size=(len(words), width))
    order = rng.permutation(len(words))
    return AUData({"x": X[order].astype(np.float32)}, relabel(words[order]), subjects[order])


def value(result, protocol, score, label, column="value"):
    table = result.scores[(result.scores["protocol"] == protocol) & (result.scores["score"] == score)]
    return table.set_index("label").loc[label, column]


@pytest.fixture(scope="module")
def within():
    return run_au_experiment(faces(), **QUICK)


def test_relabelling_follows_table_six():
    table = relabel(["happy", "anger", None, "neutral", pd.NA])
    assert list(table.columns) == list(ACTION_UNITS)
    assert [unit for unit in ACTION_UNITS if table[unit][0]] == ["AU06", "AU12", "AU25"]
    assert [unit for unit in ACTION_UNITS if table[unit][1] == 1] == [
        "AU04",
        "AU05",
        "AU07",
        "AU17",
        "AU23",
        "AU24",
    ]
    assert table.loc[[2, 4]].isna().all(axis=None)
    assert (table.loc[3] == 0).all()
    assert relabel(["angry"], "emfacs")["AU17"][0] == 0
    with pytest.raises(ValueError, match="unknown mapping"):
        relabel(["angry"], "other")


def test_units_in_the_features_are_found_and_every_score_follows_from_the_predictions(within):
    assert list(within.scores.columns) == list(SCORE_COLUMNS)
    for protocol in PROTOCOLS:
        areas = []
        for unit in ACTION_UNITS:
            table = within.select(protocol, "x").query("label == @unit")
            truth = table["occurrence"].to_numpy() == 1
            areas.append(auc(table["value"].to_numpy(), truth))
            assert areas[-1] == value(within, protocol, "auc", unit) > 0.8
            np.testing.assert_allclose(
                value(within, protocol, "f1", unit), f1_score(truth, table["predicted"])
            )
            np.testing.assert_allclose(
                value(within, protocol, "average_precision", unit),
                average_precision_score(truth, table["value"]),
            )
            assert value(within, protocol, "n_positive", unit) == truth.sum()
            assert value(within, protocol, "prevalence", unit) == truth.mean()
            assert (
                value(within, protocol, "auc", unit, "low")
                <= areas[-1]
                <= value(within, protocol, "auc", unit, "high")
            )
            false_positive, true_positive = within.roc(protocol, "x")[unit]
            np.testing.assert_allclose(np.trapezoid(true_positive, false_positive), areas[-1])
        np.testing.assert_allclose(value(within, protocol, "auc", "all"), np.mean(areas))
        assert value(within, protocol, "auc", "all", "n_labels") == 14


def test_identical_labels_give_identical_scores(within):
    for protocol in PROTOCOLS:
        for name in ("auc", "f1", "average_precision"):
            scores = {value(within, protocol, name, unit) for unit in ("AU07", "AU23", "AU24")}
            assert len(scores) == 1  # the three of anger; the paper prints .984, .980 and .984
        assert value(within, protocol, "auc", "AU04") != value(within, protocol, "auc", "AU07")


@pytest.mark.parametrize(("constant", "word"), [(0.0, "never"), (1.0, "always")])
def test_a_constant_unit_is_nan_with_a_note_and_in_no_mean(constant, word):
    data = faces()
    occurrence = data.occurrence.assign(AU06=constant)
    result = run_au_experiment(dataclasses.replace(data, occurrence=occurrence), **QUICK)
    for protocol in PROTOCOLS:
        for name in ("auc", "f1", "average_precision"):
            for column in ("value", "low", "high"):
                assert np.isnan(value(result, protocol, name, "AU06", column))
            assert value(result, protocol, name, "AU06", "note") == f"{word} present in training"
            others = [value(result, protocol, name, unit) for unit in ACTION_UNITS if unit != "AU06"]
            np.testing.assert_allclose(value(result, protocol, name, "all"), np.mean(others))
            assert value(result, protocol, name, "all", "n_labels") == 13
            assert value(result, protocol, name, "all", "note") == "without AU06"
        assert value(result, protocol, "prevalence", "AU06") == constant
        assert np.isnan(result.roc(protocol, "x")["AU06"][0]).all()
    assert result.select("as_published", "x").query("label == 'AU06'")["predicted"].isna().all()


def test_a_unit_that_one_person_alone_shows_is_nan_where_that_person_is_not_trained_on():
    data = faces()
    shown = (data.subjects == "p03").astype(float)
    result = run_au_experiment(
        dataclasses.replace(data, occurrence=data.occurrence.assign(AU06=shown)), **QUICK
    )
    assert np.isnan(value(result, "subject_independent", "auc", "AU06"))
    assert "training part of a fold" in value(result, "subject_independent", "auc", "AU06", "note")
    assert np.isfinite(value(result, "as_published", "auc", "AU06"))


def test_train_comes_first_and_test_second():
    train = faces(emotions=("angry", "neutral", "sad", "fearful"))
    test = faces(n_subjects=6, emotions=("happy", "angry", "neutral"), seed=1)
    result = run_au_experiment(train, test, **QUICK)
    for protocol in PROTOCOLS:
        table = result.select(protocol, "x")
        assert len(table) == 14 * 6 * 3 * 2 and (table["fold"] == -1).all()
        assert value(result, protocol, "auc", "AU06", "note") == "never present in training"  # happy
        assert value(result, protocol, "auc", "AU01", "note") == "never present in test"  # sad
        assert value(result, protocol, "auc", "AU07") > 0.85  # angry, in both
        assert value(result, protocol, "auc", "AU07", "n_subjects") == 6
    swapped = run_au_experiment(test, train, **QUICK)
    assert value(swapped, "as_published", "auc", "AU01", "note") == "never present in training"


def test_decision_values_across_datasets_equal_libsvms_own_in_the_units_of_the_training_set():
    train, test = faces(), faces(n_subjects=6, emotions=("happy", "sad"), seed=1)
    result = run_au_experiment(train, test, costs=(0.5,), n_resamples=0)
    X, X_test = (data.features["x"].astype(float) for data in (train, test))
    scale = np.sqrt(np.mean(np.sum((X - X.mean(axis=0)) ** 2, axis=1)))
    direct = SVC(kernel="linear", C=0.5).fit(X / scale, train.occurrence["AU06"])
    found = result.select("subject_independent", "x").query("label == 'AU06'")["value"]
    np.testing.assert_allclose(found, direct.decision_function(X_test / scale), atol=5e-3)


def test_protocols_across_datasets_share_the_test_set_and_differ_in_the_folds_that_choose_the_cost():
    train, test = faces(noise=2.0), faces(n_subjects=6, seed=1)
    result = run_au_experiment(train, test, inner_folds=3, costs=(0.001, 0.1, 10.0), n_resamples=0)
    chosen = result.searches[result.searches["chosen"]]
    assert (chosen.groupby(["protocol", "label"]).size() == 1).all()
    areas = result.searches.pivot(index=["label", "C"], columns="protocol", values="auc")
    assert not np.allclose(areas["as_published"], areas["subject_independent"])
    best = result.searches.groupby(["protocol", "label"])["auc"].max().to_numpy()
    assert np.array_equal(chosen.sort_values(["protocol", "label"])["auc"], best)


def test_derived_labels_are_also_scored_against_the_truth():
    data, test = faces(), faces(n_subjects=6, seed=1)
    truth = test.occurrence.copy()
    truth["AU12"] = test.occurrence[
        "AU09"
    ]  # what the derived label calls AU12 is in truth absent, and AU9 is there
    result = run_au_experiment(data, dataclasses.replace(test, true_occurrence=truth), **QUICK)
    assert value(result, "as_published", "auc", "AU12") > 0.85
    assert value(result, "as_published", "auc_true", "AU12") < 0.6
    assert value(result, "as_published", "auc_true", "AU06") == value(result, "as_published", "auc", "AU06")
    assert "auc_true" not in set(run_au_experiment(data, test, **QUICK).scores["score"])


def test_people_who_leak_are_rewarded_by_random_folds_and_caught_by_folds_of_people():
    rng = np.random.default_rng(0)
    data = faces(n_subjects=12)
    person = np.unique(data.subjects, return_inverse=True)[1]
    X = rng.normal(size=(12, 30))[person] + 0.1 * rng.normal(size=(len(person), 30))
    of_person = rng.permutation(np.arange(12) % 2).astype(float)  # half of the people always show the unit
    occurrence = data.occurrence.assign(AU06=of_person[person])
    result = run_au_experiment(AUData({"x": X.astype(np.float32)}, occurrence, data.subjects), **QUICK)
    assert value(result, "as_published", "auc", "AU06") > 0.95
    assert value(result, "subject_independent", "auc", "AU06") < 0.75


def test_permuted_labels_score_at_chance_in_both_protocols():
    data = faces(n_subjects=20)
    shuffled = data.occurrence.sample(frac=1, random_state=0).reset_index(drop=True)
    result = run_au_experiment(dataclasses.replace(data, occurrence=shuffled), **QUICK)
    for protocol in PROTOCOLS:
        assert abs(value(result, protocol, "auc", "all") - 0.5) < 0.06


def test_neither_cost_nor_threshold_nor_value_of_a_fold_depends_on_its_labels():
    data = faces(noise=2.0)
    Y = data.occurrence[["AU04", "AU05", "AU12"]].to_numpy()
    K = gram(data.features["x"])
    folds = grouped_folds(Y[:, 0], data.subjects, 4, seed=0)
    costs = np.tile([0.01, 0.1, 1.0], (3, 1))
    block = fold_blocks(4, 3)[1]
    assert len(block) == 1
    rows = folds[block[0]]
    other = Y.copy()
    other[rows] = 1 - Y[rows]
    before, after = (subject_independent(K, labels, folds, costs, 3, 1) for labels in (Y, other))
    assert np.array_equal(before.values[rows], after.values[rows])
    assert np.array_equal(before.thresholds[rows], after.thresholds[rows])
    assert np.array_equal(before.trials[1][2], after.trials[1][2])
    assert not np.array_equal(before.trials[0][2], after.trials[0][2])


def test_uncoded_faces_take_no_part_in_training():
    data = faces()
    Y = data.occurrence[["AU12"]].to_numpy(copy=True)
    K, costs = gram(data.features["x"]), np.array([[1.0]])
    coded = np.arange(100)
    Y[100:] = np.nan
    expected = decision_values(K[:100, :100], Y[:100], K[120:, :100], costs, 1)
    assert np.array_equal(decision_values(K, Y, K[120:], costs, 1), expected)
    result = run_au_experiment(
        dataclasses.replace(data, occurrence=data.occurrence.assign(AU12=Y[:, 0], AU15=np.nan)), **QUICK
    )
    assert value(result, "as_published", "auc", "AU12", "n_faces") == len(coded)
    assert value(result, "as_published", "auc", "AU15", "note") == "not coded in training"
    assert value(result, "as_published", "n_positive", "AU12") == data.occurrence["AU12"][:100].sum()


def test_threshold_has_the_best_f1_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, positive = rng.integers(0, 6, 30).astype(float), rng.random(30) < 0.4
        scores = {t: f1_score(positive, values >= t) for t in np.unique(values)}
        threshold = best_f1_threshold(np.append(values, np.nan), np.append(positive, True))
        assert threshold == max(t for t, s in scores.items() if np.isclose(s, max(scores.values())))
    assert np.isnan(best_f1_threshold(values, np.zeros(30, bool)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {"x": np.full((160, 30), np.nan)}}, "train: features 'x' hold NaN"),
        (
            {"occurrence": relabel(["happy"] * 160).drop(columns="AU27")},
            "train: occurrence has no column AU27",
        ),
        ({"occurrence": relabel(["happy"] * 160) * 3}, "values other than 0, 1"),
        ({"occurrence": relabel(["happy"] * 160)}, "no Action Unit is both present and absent"),
        ({"subjects": np.array(["a", "b"] * 80)}, "2 people, 4 folds"),
        ({"subjects": np.array(["a", "b"])}, "160 rows for 2 faces"),
    ],
)
def test_what_cannot_work_is_refused_before_any_fit(change, message, monkeypatch):
    monkeypatch.setattr("fergan.experiments.au_tasks.binary_values", lambda *a: pytest.fail("a fit was started"))
    with pytest.raises(ValueError, match=message):
        run_au_experiment(dataclasses.replace(faces(), **change), **QUICK)


def test_features_of_other_widths_are_refused():
    with pytest.raises(ValueError, match="must be the same"):
        run_au_experiment(faces(), faces(width=20))


def test_result_survives_saving_and_threads_change_nothing(within, tmp_path):
    within.save(tmp_path)
    loaded = AUResult.load(tmp_path)
    again = run_au_experiment(faces(), n_threads=2, **QUICK)
    for name in ("scores", "predictions", "searches"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(within, name))
        pd.testing.assert_frame_equal(getattr(again, name), getattr(within, name))


def test_paper_scores_are_table_four():
    scores = paper_au_scores(4).set_index("label")["value"]
    assert (
        scores["AU12"] == pytest.approx(0.515) and scores["all"] == pytest.approx(0.697) and len(scores) == 15
    )
    with pytest.raises(ValueError, match="1 to 8"):
        paper_au_scores(0)


def test_folds_with_different_costs_are_pooled_on_one_scale(monkeypatch):
    data = faces(noise=3.0, n_subjects=16)
    Y, K = data.occurrence[["AU12"]].to_numpy(), gram(data.features["x"])
    folds, costs = grouped_folds(Y[:, 0], data.subjects, 8, seed=0), np.array([[0.003, 30.0]])
    turns = iter([0, 1] * 8)
    monkeypatch.setattr("fergan.experiments.au_learning._choose", lambda values, Y, task: (np.array([next(turns)]), np.zeros((1, 2))))
    found = subject_independent(K, Y, folds, costs, 3, 1)
    each = [auc(found.values[fold, 0], Y[fold, 0] == 1) for fold in folds]
    assert auc(found.values[:, 0], Y[:, 0] == 1) == pytest.approx(np.mean(each), abs=0.03)
    # Without it the values of one cost are spread many times as wide as those of the other.
    monkeypatch.setattr("fergan.experiments.au_learning._scale_of", lambda values: (0.0, 1.0))
    turns = iter([0, 1] * 8)
    raw = subject_independent(K, Y, folds, costs, 3, 1)
    spreads = [np.array([np.std(result.values[fold]) for fold in folds]) for result in (raw, found)]
    assert spreads[0].max() > 10 * spreads[0].min() and spreads[1].max() < 2 * spreads[1].min()
    # Which faces reach their threshold does not change.
    assert np.array_equal(raw.values >= raw.thresholds, found.values >= found.thresholds)
