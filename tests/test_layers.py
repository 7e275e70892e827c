"""Reading emotions out of single layers: what is planted for a layer is found there, and nowhere by chance."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.config import LayersConfig
from fergan.experiments.scores import ExperimentResult
from fergan.experiments.transfer import layer_accuracies, snapshot_accuracies


@pytest.fixture
def network(unlearnt_run):
    weights = unlearnt_run / "discriminator.safetensors"
    return SimpleNamespace(folder=unlearnt_run, kept={0: weights, 10: weights})


def faces(permuted=False):
    """Faces whose emotion is how light they are; or has nothing to do with it."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    images = (rng.integers(0, 60, (90, 64, 64, 3)) + 60 * y[:, None, None, None]).astype(np.uint8)
    emotions = np.array(["angry", "happy", "sad"])[rng.permutation(y) if permuted else y]
    table = {"source": [str(i) for i in range(90)], "emotion": emotions, "subject": [f"p{i // 6}" for i in range(90)]}
    return FaceSet("some", images, complete_labels(pd.DataFrame(table)))


def scores(stage, folder, faces, network):
    stage(folder, LayersConfig(), faces=faces, network=network)
    return ExperimentResult.load(folder).scores.set_index(["score", "features"])[["value", "low", "high"]]


def test_emotions_in_the_light_are_read_from_every_layer_and_permuted_ones_from_none(tmp_path, network):
    found = scores(layer_accuracies, tmp_path / "r", faces(), network)
    assert found.loc["accuracy"].index.tolist() == ["1", "2", "3", "4", "all"] and (found.loc["accuracy", "value"] > 0.95).all()
    assert found.loc[("minus_last", "4")].tolist() == [0, 0, 0]
    found = scores(layer_accuracies, tmp_path / "w", faces(permuted=True), network)
    accuracy = found.loc["accuracy"]
    np.testing.assert_allclose(found.loc["minus_last", "value"], accuracy["value"] - accuracy.loc["4", "value"])
    assert (accuracy["low"] < 1 / 3).all() and (accuracy["value"] < 0.6).all()


def test_what_training_adds_is_measured_against_the_untrained_network(tmp_path, network):
    """Snapshots that are one and the same differ by nothing."""
    found = scores(snapshot_accuracies, tmp_path, faces(), network)["value"]
    assert found["accuracy", "0"] == found["accuracy", "10"] > 0.95 and found["minus_untrained", "10"] == 0
