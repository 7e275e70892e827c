"""The transfer matrix: cells that can be recomputed by hand, one's own network against others; single layers."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from planted import WORDS, face_set, people

from fergan.experiments import transfer
from fergan.experiments.config import LayersConfig, TransferConfig
from fergan.experiments.cross_validation import grouped_folds
from fergan.experiments.emotions import subject_independent
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.experiments.transfer import OTHERS, MatrixFaces, TransferResult, rank_correlation, run_transfer, transfer_scores
from fergan.svm.kernels import squared_distances

QUICK = dict(n_folds=3, inner_folds=2, n_evaluations=3)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a matrix whose networks and baseline have planted features, and load its result."""
    def run(features, faces, collections=(), **changes):
        def planted(name, *_):
            return SimpleNamespace(transform=lambda images: features[name][: len(images)])
        monkeypatch.setattr(transfer, "make_baseline", planted)
        monkeypatch.setattr(transfer, "DiscriminatorFeatures", lambda path: planted(str(path.parent)))
        networks = {name: SimpleNamespace(folder=Path(name), config=SimpleNamespace(width=8)) for name in features if name != "hog"}
        run_transfer(tmp_path, TransferConfig(**QUICK | dict(baselines=["hog"]) | changes), faces=faces, networks=networks,
                     pretraining_faces=dict.fromkeys(networks, 100), collections=dict(collections))
        return TransferResult.load(tmp_path)
    return run


def test_a_cell_is_the_nested_accuracy_of_its_features_alone_and_a_network_of_other_faces_compared_with_the_own_one(run):
    """Two networks on the set that one of them, a, learnt."""
    X, emotions, subjects = people(signal=1.5)
    y = np.unique(emotions, return_inverse=True)[1]
    values, _ = subject_independent(squared_distances(X), y, grouped_folds(emotions, subjects, 3, 0), n_evaluations=3, inner_folds=2, seed=0)
    faces = {"a": face_set(36, emotion=emotions, subject=subjects)}
    others = {"b": people(signal=0.0, seed=1)[0], "hog": people(signal=8.0, seed=2)[0]}
    result = run({"a": X} | others, faces)
    row = result.row("accuracy", "a", "a")
    assert row["value"] == np.mean(values.argmax(1) == y) < 1 and row["low"] < row["value"] < row["high"]
    assert (row["n_faces"], row["n_subjects"], row["n_labels"]) == (36, 12, 3)
    result = run({"a": people(signal=8.0)[0]} | others, faces)
    assert result.row("minus_own", "all", OTHERS)["high"] < -0.3
    assert abs(result.row("accuracy", "a", "b")["value"] - 1 / 3) < 0.2
    assert result.row("minus_hog", "a", OTHERS)["value"] == pytest.approx(
        result.row("accuracy", "a", "b")["value"] - result.row("accuracy", "a", "hog")["value"])
    assert result.row("majority_accuracy", "a", "none")["value"] == pytest.approx(1 / 3)


def faces(right, target, networks=("a", "b", "c"), subject=None, **collections):
    subject = [f"p{i}" for i in range(len(target))] if subject is None else subject
    return MatrixFaces(pd.DataFrame(right, dtype=float), np.array(target), np.array(subject), networks, collections)


def test_each_target_counts_once_no_target_is_an_advantage_and_all_orders_of_ranks_are_tried():
    one = faces({"a": [1, 0, 0, 0, 0]}, ["x"] * 1 + ["y"] * 4, networks=("a",))
    row = one.interval(one.right["a"].to_numpy())
    assert row["value"] == 0.5 and row["n_faces"] == 5 and np.isnan(one.interval(np.full(5, np.nan))["value"])
    right = {"a": [1, 0, 1, 0], "b": [0, 0, 1, 1], "c": [1, 1, 0, 0]}
    apart = faces(right, ["a", "a", "b", "b"], subject=["p", "q", "p", "q"])
    related = faces(right, ["a", "a", "b", "b"], subject=["p", "q", "p", "q"], a="both", b="both")
    assert apart.others.tolist() == [0.5, 0.5, 0.5, 0] and related.others.tolist() == [1, 1, 0, 0], "c alone is other"
    assert related.own.tolist() == apart.own.tolist() == [1, 0, 1, 1]
    assert related.interval(related.others)["n_subjects"] == 2 and apart.interval(apart.others)["n_subjects"] == 4
    # Everybody is right on set x and wrong on set a: b and c are equal, though a is spared its own, hard set.
    base = dict(target=["x", "x", "a", "a"], face=[0, 1, 0, 1], subject=["p", "q", "p", "q"], true=["sad", "happy"] * 2)
    table = pd.concat([pd.DataFrame(base | dict(predicted=["sad", "happy"] * 1 + ["angry"] * 2, features=n)) for n in "abc"])
    settings = dict(networks=["a", "b", "c"], baselines=[], collections={})
    result = TransferResult(score_table([]), table, None, settings)
    rows = transfer_scores(result)
    assert [(row["features"], row["value"]) for row in rows if row["score"] == "advantage"] == [("a", 0), ("b", 0), ("c", 0)]
    easy = result.faces()
    assert easy.others.tolist() == [1, 1, 0, 0] and np.isnan(easy.own[:2]).all() and easy.own[2:].tolist() == [0, 0]
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 4])) == (1, pytest.approx(2 / 24))
    rho, p = rank_correlation(np.array([1, 2, 3, 4, 5.0]), np.array([10, 8, 6, 4, 2.0]))
    assert rho == pytest.approx(-1) and p == pytest.approx(2 / 120)
    assert np.isnan(rank_correlation(np.array([1, 2]), np.array([1, 2]))).all()
    assert np.isnan(rank_correlation(np.array([1, 1, 1]), np.array([1, 2, 3]))).all()


def test_sets_that_cannot_be_classified_are_left_out_and_duplicates_are_one_person(run):
    words = ["happy", "sad"] * 20
    images = np.random.default_rng(0).integers(0, 256, (41, 64, 64, 3), dtype=np.uint8)
    images[2] = images[0]  # the same photograph twice
    whole = face_set(41, images=images, emotion=[*words, None])
    X = np.random.default_rng(0).normal(size=(41, 5)).astype(np.float32)
    empty = face_set(41)
    result = run({"a": X, "hog": X}, {"x": whole, "y": empty})
    assert result.settings["skipped"] == {"y": "its faces show no emotion that is known"} and result.settings["targets"] == ["x"]
    one = result.predictions.query("features == 'a'").set_index("face")
    assert len(one) == 40 and one["subject"].nunique() == 39
    assert one.loc[0, "subject"] == one.loc[2, "subject"] and one.loc[0, "fold"] == one.loc[2, "fold"]
    with pytest.raises(ValueError, match=r"needs at least one with two emotions.*30 folds need at least 30"):
        run({"a": X, "hog": X}, {"x": whole}, n_folds=30)


@pytest.fixture
def network(unlearnt_run):
    weights = unlearnt_run / "discriminator.safetensors"
    return SimpleNamespace(folder=unlearnt_run, kept={0: weights, 10: weights})


def light_faces(permuted=False):
    """Faces whose emotion is how light they are; or has nothing to do with it."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    images = (rng.integers(0, 60, (90, 64, 64, 3)) + 60 * y[:, None, None, None]).astype(np.uint8)
    shown = rng.permutation(y) if permuted else y
    return face_set(90, images=images, emotion=WORDS[shown], subject=[f"p{i // 6}" for i in range(90)])


def scores(stage, folder, network, **of):
    stage(folder, LayersConfig(), faces=light_faces(**of), network=network)
    return ExperimentResult.load(folder).scores.set_index(["score", "features"])[["value", "low", "high"]]


def test_emotions_in_the_light_are_read_from_every_layer_and_snapshot_and_permuted_ones_from_none(tmp_path, network):
    found = scores(transfer.layer_accuracies, tmp_path / "r", network)
    assert found.loc["accuracy"].index.tolist() == ["1", "2", "3", "4", "all"] and (found.loc["accuracy", "value"] > 0.95).all()
    assert found.loc[("minus_last", "4")].tolist() == [0, 0, 0]
    found = scores(transfer.layer_accuracies, tmp_path / "w", network, permuted=True)
    accuracy = found.loc["accuracy"]
    np.testing.assert_allclose(found.loc["minus_last", "value"], accuracy["value"] - accuracy.loc["4", "value"])
    assert (accuracy["low"] < 1 / 3).all() and (accuracy["value"] < 0.6).all()
    # Snapshots that are one and the same differ by nothing.
    found = scores(transfer.snapshot_accuracies, tmp_path / "s", network)["value"]
    assert found["accuracy", "0"] == found["accuracy", "10"] > 0.95 and found["minus_untrained", "10"] == 0
