"""The transfer matrix: cells that can be recomputed by hand, one's own network against others."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments import transfer
from fergan.experiments.config import TransferConfig
from fergan.experiments.cross_validation import grouped_folds
from fergan.experiments.emotions import subject_independent
from fergan.experiments.scores import score_table
from fergan.experiments.transfer import (
    OTHERS,
    MatrixFaces,
    TransferResult,
    rank_correlation,
    run_transfer,
    transfer_scores,
)
from fergan.svm.kernels import squared_distances

WORDS = np.array(["angry", "happy", "sad"])
QUICK = dict(n_folds=3, inner_folds=2, n_evaluations=3)


def people(n_people=12, signal=8.0, seed=0):
    rng = np.random.default_rng(seed)
    y, person = (a.ravel() for a in np.meshgrid(range(3), range(n_people), indexing="ij"))
    X = signal * np.eye(3, 5)[y] + rng.normal(size=(len(y), 5))
    return X.astype(np.float32), WORDS[y], np.array([f"p{i:02d}" for i in person])


def face_set(emotions, subjects, name="a"):
    table = pd.DataFrame({"source": [str(i) for i in range(len(emotions))], "emotion": emotions, "subject": subjects})
    images = np.random.default_rng(0).integers(0, 256, (len(emotions), 64, 64, 3), dtype=np.uint8)
    return FaceSet(name, images, complete_labels(table))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a matrix whose networks and baseline have planted features, and load its result."""
    def run(features, faces, collections=(), **changes):
        def planted(name, *_):
            return SimpleNamespace(transform=lambda images: features[name][: len(images)])
        monkeypatch.setattr(transfer, "make_baseline", planted)
        monkeypatch.setattr(transfer, "DiscriminatorFeatures", lambda path: planted(str(path.parent)))
        networks = {name: SimpleNamespace(folder=Path(name), config=SimpleNamespace(width=8))
                    for name in features if name != "hog"}
        run_transfer(tmp_path, TransferConfig(**QUICK | dict(baselines=["hog"]) | changes), faces=faces, networks=networks,
                     pretraining_faces=dict.fromkeys(networks, 100), collections=dict(collections))
        return TransferResult.load(tmp_path)
    return run


@pytest.fixture
def matrix(run):
    """Two networks on the set that one of them, a, learnt."""
    def matrix(own=8.0, other=8.0, hog=8.0):
        X, emotions, subjects = people(signal=own)
        features = {"a": X, "b": people(signal=other, seed=1)[0], "hog": people(signal=hog, seed=2)[0]}
        return run(features, {"a": face_set(emotions, subjects)})
    return matrix


def score(result, features, name, label="all"):
    return result.row(name, label, features)


def test_a_cell_is_the_nested_accuracy_of_its_features_alone(matrix):
    X, emotions, subjects = people(signal=1.5)
    y = np.unique(emotions, return_inverse=True)[1]
    values, _ = subject_independent(squared_distances(X), y, grouped_folds(emotions, subjects, 3, 0), n_evaluations=3,
                                    inner_folds=2, seed=0)
    result = matrix(own=1.5)
    row = score(result, "a", "accuracy", "a")
    assert row["value"] == np.mean(values.argmax(1) == y) < 1 and row["low"] < row["value"] < row["high"]
    assert (row["n_faces"], row["n_subjects"], row["n_labels"]) == (36, 12, 3)
    assert len(result.searches) == 3 * 3  # kinds of features, blocks of folds


def test_a_network_of_other_faces_is_compared_with_the_own_one(matrix):
    worse = matrix(other=0.0)
    assert score(worse, OTHERS, "minus_own")["high"] < -0.3 and abs(score(worse, "b", "accuracy", "a")["value"] - 1 / 3) < 0.2
    assert score(worse, OTHERS, "minus_hog", "a")["value"] == pytest.approx(
        score(worse, "b", "accuracy", "a")["value"] - score(worse, "hog", "accuracy", "a")["value"])
    assert score(worse, "none", "majority_accuracy", "a")["value"] == pytest.approx(1 / 3)


def faces(right, target, networks=("a", "b", "c"), subject=None, **collections):
    subject = [f"p{i}" for i in range(len(target))] if subject is None else subject
    return MatrixFaces(pd.DataFrame(right, dtype=float), np.array(target), np.array(subject), networks, collections)


def test_an_advantage_favours_no_network_for_its_easy_targets():
    # Everybody is right on set x and wrong on set a: b and c are equal, though a is spared its own, hard set.
    base = dict(target=["x", "x", "a", "a"], face=[0, 1, 0, 1], subject=["p", "q", "p", "q"], true=["sad", "happy"] * 2)
    table = pd.concat([pd.DataFrame(base | dict(predicted=["sad", "happy"] * 1 + ["angry"] * 2, features=n)) for n in "abc"])
    settings = dict(networks=["a", "b", "c"], baselines=[], collections={})
    result = TransferResult(score_table([]), table, None, settings)
    rows = transfer_scores(result)
    assert [(row["features"], row["value"]) for row in rows if row["score"] == "advantage"] == [("a", 0), ("b", 0), ("c", 0)]
    easy = result.faces()
    assert easy.others.tolist() == [1, 1, 0, 0] and np.isnan(easy.own[:2]).all() and easy.own[2:].tolist() == [0, 0]


def test_each_target_counts_once():
    one = faces({"a": [1, 0, 0, 0, 0]}, ["x"] * 1 + ["y"] * 4, networks=("a",))
    row = one.interval(one.right["a"].to_numpy())
    assert row["value"] == 0.5 and row["n_faces"] == 5 and np.isnan(one.interval(np.full(5, np.nan))["value"])


def test_sets_of_one_collection_share_people_and_are_neither_own_nor_other_to_each_other():
    right = {"a": [1, 0, 1, 0], "b": [0, 0, 1, 1], "c": [1, 1, 0, 0]}
    apart = faces(right, ["a", "a", "b", "b"], subject=["p", "q", "p", "q"])
    related = faces(right, ["a", "a", "b", "b"], subject=["p", "q", "p", "q"], a="both", b="both")
    assert apart.others.tolist() == [0.5, 0.5, 0.5, 0] and related.others.tolist() == [1, 1, 0, 0], "c alone is other"
    assert related.own.tolist() == apart.own.tolist() == [1, 0, 1, 1]
    assert related.interval(related.others)["n_subjects"] == 2 and apart.interval(apart.others)["n_subjects"] == 4


def test_sets_that_cannot_be_classified_are_left_out_and_duplicates_are_one_person(run):
    words = ["happy", "sad"] * 20
    whole = face_set([*words, None], [None] * 41, "x")
    whole.images[2] = whole.images[0]  # the same photograph twice
    X = np.random.default_rng(0).normal(size=(41, 5)).astype(np.float32)
    empty = FaceSet("y", whole.images, whole.labels.assign(emotion=None).astype({"emotion": "string"}))
    result = run({"a": X, "hog": X}, {"x": whole, "y": empty})
    assert result.settings["skipped"] == {"y": "its faces show no emotion that is known"} and result.settings["targets"] == ["x"]
    one = result.predictions.query("features == 'a'").set_index("face")
    assert len(one) == 40 and one["subject"].nunique() == 39
    assert one.loc[0, "subject"] == one.loc[2, "subject"] and one.loc[0, "fold"] == one.loc[2, "fold"]
    with pytest.raises(ValueError, match=r"needs at least one with two emotions.*30 folds need at least 30"):
        run({"a": X, "hog": X}, {"x": whole}, n_folds=30)


def test_ranks_are_correlated_and_all_orders_are_tried():
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 4])) == (1, pytest.approx(2 / 24))
    rho, p = rank_correlation(np.array([1, 2, 3, 4, 5.0]), np.array([10, 8, 6, 4, 2.0]))
    assert rho == pytest.approx(-1) and p == pytest.approx(2 / 120)
    assert np.isnan(rank_correlation(np.array([1, 2]), np.array([1, 2]))).all()
    assert np.isnan(rank_correlation(np.array([1, 1, 1]), np.array([1, 2, 3]))).all()
