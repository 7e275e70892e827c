"""Scores that set emotion and Action Unit apart, and folds that keep the frames of a sequence together."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fergan.book.tables.action_units import au_table, emotion_or_unit, identical_units, reading_of, variants_table
from fergan.data.faces import FaceSet, complete_labels, subjects_of
from fergan.experiments.action_units import run_au_experiment
from fergan.experiments.au_data import AUData, open_au_data, relabel, with_truth_as_labels
from fergan.experiments.au_truth import auc_within, emotion_oracle
from fergan.experiments.au_variants import MAIN, TRUTH, load_variants, run_variants, save_variants
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.intervals import auc
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.files import write_array, write_json


def value(result, score, label="all", protocol=SUBJECT_INDEPENDENT, features="x"):
    table = result.scores
    rows = table[(table["protocol"] == protocol) & (table["score"] == score) & (table["features"] == features)]
    return rows.set_index("label").loc[label, "value"]


def test_pairs_within_a_group_are_counted_as_by_hand():
    values = np.array([0.9, 0.1, 0.4, 0.8, 0.3, 0.7])
    labels = np.array([1.0, 0.0, 1.0, 0.0, np.nan, 1.0])
    groups = ["a", "a", "b", "b", "b", None]
    assert auc_within(values, labels, groups) == 0.5  # right within a, wrong within b
    assert auc_within(values, labels, ["a"] * 6) == auc(values[[0, 1, 2, 3, 5]], labels[[0, 1, 2, 3, 5]] == 1)
    assert np.isnan(auc_within(values, labels, list("abcdef")))


def test_the_oracle_says_how_often_other_people_show_it():
    truth = np.array([[1.0], [0.0], [1.0], [1.0], [np.nan]])
    found = emotion_oracle(["sad", "sad", "sad", "happy", "sad"], truth, np.array(["p", "q", "r", "p", "q"]))
    assert found[:3, 0].tolist() == [0.5, 1.0, 0.5]  # of the other people who are sad
    assert np.isnan(found[3, 0]), "nobody else is happy"
    assert found[4, 0] == 1.0
    assert np.isnan(emotion_oracle([None, "sad"], truth[:2], np.array(["p", "q"]))).all()


@pytest.fixture(scope="module")
def relabelled():
    """Happy faces half of which truly show AU06: features hold the emotion, and, more faintly, AU06 itself."""
    rng = np.random.default_rng(0)
    n_people = 20
    emotions = np.tile(np.repeat(EMOTIONS, 3), n_people)
    subjects = np.repeat([f"p{i:02d}" for i in range(n_people)], 3 * len(EMOTIONS))
    truth = relabel(emotions).assign(AU06=lambda t: t["AU06"] * (rng.random(len(t)) < 0.5))
    X = rng.standard_normal((len(emotions), 20))
    for column, emotion in enumerate(EMOTIONS):
        X[:, column] += 3 * (emotions == emotion)
    X[:, 10] += 3.5 * truth["AU06"]
    return AUData({"x": X.astype(np.float32)}, relabel(emotions), subjects, truth, emotions.astype(object))


def test_a_derived_detector_recognises_the_emotion_and_one_of_the_truth_the_action_unit(relabelled):
    options = dict(n_folds=4, n_resamples=100, costs=(0.1, 1.0))
    derived = run_au_experiment(relabelled, **options)
    learnt = run_au_experiment(with_truth_as_labels(relabelled), **options)
    assert value(derived, "auc", "AU06") > 0.97
    assert value(derived, "auc_true_within", "AU06") < 0.65 < 0.72 < value(learnt, "auc_true_within", "AU06")
    oracle = value(derived, "auc_true", "AU06", features="emotion")
    n_happy, n = 3 * 20, len(relabelled.subjects)
    shown = relabelled.true_occurrence["AU06"].sum()
    # It gives all happy faces nearly the same share: half of the pairs among them, all of those with others.
    assert oracle == pytest.approx(((n_happy - shown) / 2 + n - n_happy) / (n - shown), abs=0.03)
    assert value(derived, "auc_true", "AU06") == pytest.approx(oracle, abs=0.06)
    rows = derived.scores.query("score == 'auc_true_within' and label == 'AU06'")
    assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
    # A unit that is one emotion's in truth too has no pairs of one emotion to order.
    noted = derived.scores.query("score == 'auc_true_within' and label == 'AU27'")["note"]
    assert (noted == "no emotion has it on some faces and not on others").all()


def test_what_does_not_fit_is_named(relabelled):
    with pytest.raises(ValueError, match="train: there are 3 emotions for"):
        run_au_experiment(dataclasses.replace(relabelled, emotions=relabelled.emotions[:3]))
    with pytest.raises(ValueError, match="the true Action Units of these faces are not known"):
        with_truth_as_labels(dataclasses.replace(relabelled, true_occurrence=None))


def sequences(n_sequences=40, n_frames=5, with_subjects=False):
    """Frames that are recognised by their sequence alone: whether a sequence shows AU12 is drawn for it."""
    rng = np.random.default_rng(1)
    sequence = np.repeat(np.arange(n_sequences), n_frames)
    X = rng.standard_normal((n_sequences, 60))[sequence] + 0.1 * rng.standard_normal((len(sequence), 60))
    shown = rng.permutation(np.arange(n_sequences) % 2)[sequence].astype(float)
    labels = pd.DataFrame({"source": [f"{i}" for i in range(len(sequence))], "sequence": [f"s{k}" for k in sequence], "AU12": shown})
    if with_subjects:
        labels["subject"] = [f"p{k // 2}" for k in sequence]
    return X.astype(np.float32), complete_labels(labels)


@pytest.mark.parametrize("with_subjects", [True, False])
def test_leakage_between_frames_of_one_sequence_is_rewarded_as_published_and_caught_in_the_honest_folds(with_subjects):
    X, labels = sequences(with_subjects=with_subjects)
    data = AUData({"x": X}, labels[list(ACTION_UNITS)], subjects_of(labels))
    result = run_au_experiment(data, n_folds=4, n_resamples=0, costs=(0.1, 1.0))
    assert value(result, "auc", "AU12", AS_PUBLISHED) > 0.95
    assert value(result, "auc", "AU12") < 0.7
    folds = result.select(SUBJECT_INDEPENDENT, "x").query("label == 'AU12'").set_index("face")["fold"]
    assert (folds.groupby(labels["sequence"].to_numpy()).nunique() == 1).all()
    assert result.select(AS_PUBLISHED, "x").query("label == 'AU12'")["fold"].groupby(labels["sequence"].to_numpy()).nunique().max() > 1


def save_set(home, name, labels, X, pretrained="net"):
    FaceSet(name, np.zeros((len(labels), 64, 64, 3), np.uint8), complete_labels(labels)).save(home / "faces" / name)
    write_array(home / "features" / f"{pretrained}-on-{name}" / "X.npy", X)
    stamps = {f"models/{pretrained}/run.json": {"weights": "w"}, f"faces/{name}/faceset.json": {"images": name},
              f"features/{pretrained}-on-{name}/features.json": {"weights": "w", "images": name, "shape": list(X.shape)}}
    for place, stamp in stamps.items():
        write_json(home / place, stamp)


@pytest.fixture(scope="module")
def home(tmp_path_factory, relabelled):
    """Two sets on disk, one with emotions and the truth beside them, one with coded Action Units alone."""
    home = tmp_path_factory.mktemp("home")
    X = relabelled.features["x"]
    table = pd.DataFrame({"source": [str(i) for i in range(len(X))], "subject": relabelled.subjects})
    save_set(home, "posed", table.assign(emotion=relabelled.emotions, **relabelled.true_occurrence), X)
    save_set(home, "coded", table.assign(**relabelled.true_occurrence), X)
    save_set(home, "bare", table.assign(emotion=relabelled.emotions), X)
    return home


OPTIONS = dict(n_folds=3, inner_folds=2, n_resamples=0, costs=(1.0,))


def test_derived_labels_are_scored_by_both_mappings_and_with_the_truth(home, tmp_path):
    runs = run_variants(home, "net", "posed", "posed", "paper", "paper", **OPTIONS)
    assert list(runs) == [MAIN, "emfacs", TRUTH]
    assert [run.settings["relabel_train"] for run in runs.values()] == ["paper", "emfacs", ""]
    features = "discriminator"
    assert value(runs[TRUTH], "auc", "AU06", features=features) == value(runs[TRUTH], "auc_true", "AU06", features=features)
    # AU17 is angry in Table VI and not in EMFACS; AU06 is happy in both.
    prevalences = {unit: {value(runs[name], "prevalence", unit, features=features) for name in (MAIN, "emfacs")}
                   for unit in ("AU06", "AU17")}
    assert len(prevalences["AU06"]) == 1 and len(prevalences["AU17"]) == 2
    save_variants(runs, tmp_path / "e", experiment=2)
    loaded = load_variants(tmp_path / "e")
    for name, run in runs.items():
        pd.testing.assert_frame_equal(loaded[name].scores, run.scores)
        assert loaded[name].settings["experiment"] == 2

    table = variants_table(loaded)
    assert list(table.columns) == ["AU", "Table VI", "Table VI, true AU", "EMFACS", "EMFACS, true AU", "trained on true AUs"]
    sides = emotion_or_unit(loaded)
    assert set(sides["detector"]) == {"against derived labels", "against true AUs", "knows the emotion only", "trained on true AUs"}
    assert "knowing the emotion and nothing else would reach" in reading_of(sides)
    groups = identical_units(loaded, EMOTIONS, 2).set_index(["mapping", "Action Units"])
    assert groups.loc[("Table VI", "AU07, AU23, AU24"), "so they detect"] == "angry"
    assert ", " not in groups.loc[("Table VI", "AU07, AU23, AU24"), "as published"], "equal labels have one area"
    assert "never seen, true AU" in au_table(loaded[MAIN], 2)


def test_coded_labels_have_no_variants_and_unknown_truth_none_of_the_truth(home):
    runs = run_variants(home, "net", "coded", "coded", **OPTIONS)
    assert list(runs) == [MAIN] and emotion_or_unit(runs).empty and "not known" in reading_of(emotion_or_unit(runs))
    runs = run_variants(home, "net", "bare", "bare", "paper", "paper", **OPTIONS)
    assert list(runs) == [MAIN, "emfacs"] and emotion_or_unit(runs).empty
    assert list(variants_table(runs)) == ["AU", "Table VI", "EMFACS"]
    # Trained on coded labels and tested on derived ones, the truth needs no detectors of its own.
    assert list(run_variants(home, "net", "coded", "posed", "", "paper", **OPTIONS)) == [MAIN, "emfacs"]
    data = open_au_data(home, "net", "posed")
    assert data.true_occurrence is None and data.intensity is None and set(data.emotions) == set(EMOTIONS)
