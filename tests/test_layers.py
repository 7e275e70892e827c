"""Reading emotions out of single layers: what is planted for a layer is found there, and nowhere by chance."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save_file

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.config import LayersConfig
from fergan.experiments.scores import ExperimentResult
from fergan.experiments.transfer import layer_accuracies, snapshot_accuracies
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.gan.networks import Discriminator, initialize_weights


def face_set(images, emotions, subjects):
    labels = complete_labels(pd.DataFrame({"source": [str(i) for i in range(len(images))], "emotion": emotions, "subject": subjects}))
    return FaceSet("some", images, labels)


@pytest.fixture
def network(tmp_path):
    network = Discriminator(4)
    initialize_weights(network, seed=5)
    save_file(network.state_dict(), tmp_path / "discriminator.safetensors")
    return SimpleNamespace(folder=tmp_path, config=SimpleNamespace(width=4))


def scores(folder, faces, network):
    layer_accuracies(folder, LayersConfig(), faces=faces, network=network)
    result = ExperimentResult.load(folder)
    assert list(result.settings["n_features"].items()) == [("1", 64), ("2", 128), ("3", 256), ("4", 512), ("all", 960)]
    return [result.scores.query("score == @name").set_index("features") for name in ("accuracy", "minus_last")]


def test_emotions_in_the_light_are_read_from_every_layer_and_permuted_ones_from_none(tmp_path, network):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    images = (rng.integers(0, 60, (90, 64, 64, 3)) + 60 * y[:, None, None, None]).astype(np.uint8)
    emotions, subjects = np.array(["angry", "happy", "sad"])[y], [f"p{i // 6}" for i in range(90)]
    accuracy, difference = scores(tmp_path / "r", face_set(images, emotions, subjects), network)
    assert accuracy.index.tolist() == ["1", "2", "3", "4", "all"] and (accuracy["value"] > 0.95).all()
    assert difference.loc["4", ["value", "low", "high"]].tolist() == [0, 0, 0]
    accuracy, difference = scores(tmp_path / "w", face_set(images, rng.permutation(emotions), subjects), network)
    np.testing.assert_allclose(difference["value"], accuracy["value"] - accuracy.loc["4", "value"])
    assert (accuracy["low"] < 1 / 3).all() and (accuracy["value"] < 0.6).all()


def test_the_fourth_layer_is_the_papers(tmp_path, network, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    seen = []
    monkeypatch.setattr("fergan.experiments.transfer.squared_distances", lambda X: seen.append(X) or ((X[:, None] - X) ** 2).sum(-1))
    scores(tmp_path / "r", face_set(images, np.tile(["angry", "sad"], 12), [f"p{i // 4}" for i in range(24)]), network)
    weights = network.folder / "discriminator.safetensors"
    np.testing.assert_allclose(seen[3], DiscriminatorFeatures(weights, width=4).transform(images), atol=1e-5)


def test_too_few_people_are_named(tmp_path, network):
    faces = face_set(np.zeros((4, 64, 64, 3), np.uint8), ["sad", "happy"] * 2, ["a", "a", "b", "b"])
    with pytest.raises(ValueError, match="2 people, 3 folds need at least 3"):
        scores(tmp_path, faces, network)


def test_what_training_adds_is_measured_against_the_untrained_network(tmp_path, network):
    """Snapshots that are one and the same differ by nothing; a network that sees nothing is as good as guessing."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    images = (rng.integers(0, 60, (90, 64, 64, 3)) + 60 * y[:, None, None, None]).astype(np.uint8)
    faces = face_set(images, np.array(["angry", "happy", "sad"])[y], [f"p{i // 6}" for i in range(90)])
    weights = network.folder / "discriminator.safetensors"
    network.kept = {0: weights, 10: weights}
    snapshot_accuracies(tmp_path / "r", LayersConfig(), faces=faces, network=network)
    scores = ExperimentResult.load(tmp_path / "r").scores.set_index(["score", "features"])["value"]
    assert scores["accuracy", "0"] == scores["accuracy", "10"] > 0.95 and scores["minus_untrained", "10"] == 0
