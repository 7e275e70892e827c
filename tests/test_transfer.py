"""The transfer matrix: cells that can be recomputed by hand, one's own network against others, results that are read again."""

import numpy as np
import pandas as pd
import pytest

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.cross_validation import grouped_folds
from fergan.experiments.emotion_learning import subject_independent
from fergan.experiments.emotions import run_emotion_experiment
from fergan.experiments.transfer import TransferResult, learn_column, read_experiment, some_people, transfer_result
from fergan.experiments.transfer_columns import learn_columns
from fergan.experiments.transfer_scores import OTHERS, MatrixFaces, rank_correlation, transfer_scores
from fergan.files import write_json
from fergan.gan.checkpoints import save_weights
from fergan.gan.networks import Discriminator, Generator, initialize_weights
from fergan.svm.kernels import squared_distances

WORDS = np.array(["angry", "happy", "sad"])
QUICK = dict(n_folds=3, inner_folds=2, n_evaluations=3, seed=0)


def people(n_people=12, signal=8.0, seed=0):
    rng = np.random.default_rng(seed)
    y, person = (a.ravel() for a in np.meshgrid(range(3), range(n_people), indexing="ij"))
    X = signal * np.eye(3, 5)[y] + rng.normal(size=(len(y), 5))
    return X.astype(np.float32), WORDS[y], np.array([f"p{i:02d}" for i in person])


def matrix(own=8.0, other=8.0, hog=8.0, **options):
    """Two networks on the set that one of them, a, learnt."""
    X, emotions, subjects = people(signal=own)
    features = {"a": X, "b": people(signal=other, seed=1)[0], "hog": people(signal=hog, seed=2)[0]}
    column = learn_column("a", features, emotions, subjects, **QUICK)
    return transfer_result([column], networks={"a": 100, "b": 200}, baselines=["hog"], n_resamples=200, seed=0, settings=QUICK)


def score(result, features, name, label="all"):
    table = result.scores
    (row,) = table[(table["features"] == features) & (table["score"] == name) & (table["label"] == label)].to_dict("records")
    return row


def test_a_cell_is_the_nested_accuracy_of_its_features_alone():
    X, emotions, subjects = people(signal=1.5)
    y = np.unique(emotions, return_inverse=True)[1]
    values, _ = subject_independent(squared_distances(X), y, grouped_folds(emotions, subjects, 3, 0), n_evaluations=3,
                                    inner_folds=2, seed=0)
    result = matrix(own=1.5)
    row = score(result, "a", "accuracy", "a")
    assert row["value"] == np.mean(values.argmax(1) == y) < 1 and row["low"] < row["value"] < row["high"]
    assert (row["n_faces"], row["n_subjects"], row["n_labels"]) == (36, 12, 3)
    assert result.matrix().loc["a", "a"] == row["value"] and list(result.matrix().index) == ["a", "b", "hog"]
    assert len(result.searches) == 3 * 3  # kinds of features, blocks of folds


def test_a_network_of_other_faces_is_compared_with_the_own_one():
    worse, better = matrix(other=0.0), matrix(own=0.0)
    assert score(worse, OTHERS, "minus_own")["high"] < -0.3
    assert score(better, OTHERS, "minus_own")["low"] > 0.3
    assert score(worse, "b", "minus_own", "a")["value"] == score(worse, OTHERS, "minus_own", "a")["value"]
    table = worse.scores
    assert not len(table[(table["features"] == "a") & (table["score"] == "minus_own")]), "the own network has no difference"
    assert score(worse, "b", "minus_hog", "a")["value"] == pytest.approx(
        score(worse, "b", "accuracy", "a")["value"] - score(worse, "hog", "accuracy", "a")["value"])
    assert score(worse, "none", "majority_accuracy", "a")["value"] == pytest.approx(1 / 3)


def faces(right, target, networks=("a", "b", "c"), subject=None):
    subject = [f"p{i}" for i in range(len(target))] if subject is None else subject
    return MatrixFaces(pd.DataFrame(right, dtype=float), np.array(target), np.array(subject), networks, 200, 0)


def test_an_advantage_favours_no_network_for_its_easy_targets():
    # Everybody is right on set x and wrong on set a: b and c are equal, though a is spared its own, hard set.
    easy = faces({"a": [1, 1, 0, 0], "b": [1, 1, 0, 0], "c": [1, 1, 0, 0]}, ["x", "x", "a", "a"])
    rows = transfer_scores(easy, {}, {"x": 2, "a": 2})
    assert [(row["features"], row["value"]) for row in rows if row["score"] == "advantage"] == [("a", 0), ("b", 0), ("c", 0)]
    assert easy.others.tolist() == [1, 1, 0, 0] and np.isnan(easy.own()[:2]).all() and easy.own()[2:].tolist() == [0, 0]


def test_each_target_counts_once_however_many_faces_it_has():
    one = faces({"a": [1, 0, 0, 0, 0]}, ["x"] * 1 + ["y"] * 4, networks=("a",))
    row = one.interval(one.right["a"].to_numpy())
    assert row["value"] == 0.5 and row["n_faces"] == 5
    assert np.isnan(one.interval(np.full(5, np.nan))["value"])


def test_people_of_different_sets_are_different_people():
    same = faces({"a": [1, 0, 1, 0]}, ["x", "x", "y", "y"], networks=("a",), subject=["p", "q", "p", "q"])
    assert same.interval(same.right["a"].to_numpy())["n_subjects"] == 4


def test_people_are_taken_whole_until_there_are_enough_faces():
    subjects = np.repeat([f"p{i}" for i in range(10)], 5)
    rows = some_people(subjects, 22, seed=1)
    assert len(rows) == 20 and set(np.unique(subjects[rows], return_counts=True)[1]) == {5}
    assert np.array_equal(rows, some_people(subjects, 22, seed=1))
    assert not np.array_equal(rows, some_people(subjects, 22, seed=2))
    assert len(some_people(subjects, 0, 0)) == len(some_people(subjects, 99, 0)) == 50
    assert len(some_people(subjects, 3, 0)) == 10, "two people at least"


def test_an_experiment_of_the_same_settings_is_read_and_gives_the_same_cell(tmp_path):
    X, emotions, subjects = people(signal=1.5)
    experiment = run_emotion_experiment({"discriminator": X, "hog": X[:, ::-1].copy()}, emotions, subjects, n_resamples=100,
                                        nested_evaluations=3, **QUICK | {"n_evaluations": 4})
    experiment.settings |= dict(pretrained="b", target="a")
    experiment.save(tmp_path)
    target, known = read_experiment(tmp_path, QUICK)
    assert target == "a" and set(known) == {"b", "hog"}

    def never():
        raise AssertionError("computed though it was there")

    read = learn_column("a", {"b": never, "hog": never}, emotions, subjects, known=known, **QUICK)
    made = learn_column("a", {"b": X, "hog": X[:, ::-1].copy()}, emotions, subjects, **QUICK)
    assert read.predictions.equals(made.predictions) and read.searches.empty and len(made.searches)
    assert read_experiment(tmp_path, QUICK | {"n_evaluations": 4}) == ("a", {})
    assert read_experiment(tmp_path, QUICK | {"seed": 1}) == ("a", {})
    experiment.settings["prune"] = True
    experiment.save(tmp_path / "pruned")
    assert read_experiment(tmp_path / "pruned", QUICK) == ("a", {}), "pruning may end in other parameters"
    with pytest.raises(AssertionError, match="computed"):  # other people: other folds, so the result does not fit
        learn_column("a", {"b": never}, emotions, subjects[::-1], known=known, **QUICK)


def test_columns_come_from_the_artifacts_and_duplicates_are_one_person(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        network = Discriminator(4)
        initialize_weights(network, seed=len(name))
        save_weights(tmp_path / "models" / name / "run", Generator(4, 4), network)
        write_json(tmp_path / "models" / name / "run.json", {"folder": "run", "width": 4})
    words = ["happy", "sad"] * 20
    labels = complete_labels(pd.DataFrame({"source": [str(i) for i in range(41)], "emotion": [*words, None]}))
    images = rng.integers(0, 256, (41, 64, 64, 3), dtype=np.uint8)
    images[2] = images[0]  # the same photograph twice
    FaceSet("x", images, labels).save(tmp_path / "faces" / "x")
    FaceSet("y", images, labels.assign(emotion=None).astype({"emotion": "string"})).save(tmp_path / "faces" / "y")
    columns, skipped, n_read = learn_columns(tmp_path, ["a", "b"], ["x", "y"], ["pixels"], QUICK)
    assert skipped == {"y": "its faces show no emotion that is known"} and n_read == 0
    (column,) = columns
    assert set(column.predictions["features"]) == {"a", "b", "pixels"} and len(column.predictions) == 3 * 40
    one = column.predictions.query("features == 'a'").set_index("face")
    assert one.loc[0, "subject"] == one.loc[2, "subject"] and one.loc[0, "fold"] == one.loc[2, "fold"]
    assert one["subject"].nunique() == 39
    few, _, _ = learn_columns(tmp_path, ["a", "b"], ["x"], ["pixels"], QUICK, max_faces=30)
    assert few[0].predictions.query("features == 'a'")["face"].tolist() == list(range(30))
    _, skipped, _ = learn_columns(tmp_path, ["a"], ["x"], ["pixels"], QUICK | {"n_folds": 30})
    assert "30 folds need at least 30" in skipped["x"]


def test_a_result_survives_the_disk(tmp_path):
    result = matrix(own=2.0)
    result.save(tmp_path)
    again = TransferResult.load(tmp_path)
    assert again.scores.equals(result.scores) and again.matrix("minus_own").equals(result.matrix("minus_own"))
    assert np.array_equal(again.faces().others, result.faces().others)
    assert matrix(own=2.0).scores.equals(result.scores)


def test_noise_is_at_chance():
    assert abs(score(matrix(own=0.0), "a", "accuracy", "a")["value"] - 1 / 3) < 0.2


def test_ranks_are_correlated_and_all_orders_are_tried():
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 4])) == (1, pytest.approx(2 / 24))
    rho, p = rank_correlation(np.array([1, 2, 3, 4, 5.0]), np.array([10, 8, 6, 4, 2.0]))
    assert rho == pytest.approx(-1) and p == pytest.approx(2 / 120)
    assert np.isnan(rank_correlation(np.array([1, 2]), np.array([1, 2]))).all()
    assert np.isnan(rank_correlation(np.array([1, 1, 1]), np.array([1, 2, 3]))).all()


@pytest.mark.parametrize(("change", "words"), [
    (dict(emotions=["happy"] * 36), "all 36 faces are happy; a classifier needs at least two classes"),
    (dict(subjects=["one", "two"] * 18), "the dataset has 2 people, 3 folds need at least 3"),
    (dict(inner_folds=1), "a nested search needs n_folds >= 3 and inner_folds >= 2"),
    (dict(features={"a": np.full((36, 5), np.inf)}), "hold NaN or infinity"),
])
def test_what_cannot_work_is_said(change, words):
    X, emotions, subjects = people()
    given = dict(features={"a": X}, emotions=emotions, subjects=subjects) | QUICK | change
    with pytest.raises(ValueError, match=words):
        learn_column("a", given.pop("features"), np.array(given.pop("emotions")), np.array(given.pop("subjects")), **given)
    with pytest.raises(ValueError, match="needs at least one with two emotions"):
        transfer_result([], networks={}, baselines=[], n_resamples=10, seed=0, settings={})
