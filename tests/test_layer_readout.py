"""Reading emotions out of single layers: what is planted for a layer is found there, and nowhere by chance."""

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save_file

from fergan.book.tables.layers import best_layers, layers_of_sets
from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.layer_readout import layer_accuracies, some_people
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.gan.networks import Discriminator, initialize_weights


def face_set(images, emotions, subjects):
    labels = complete_labels(pd.DataFrame({"source": [str(i) for i in range(len(images))], "emotion": emotions, "subject": subjects}))
    return FaceSet("some", images, labels)


@pytest.fixture
def weights(tmp_path):
    network = Discriminator(4)
    initialize_weights(network, seed=5)
    save_file(network.state_dict(), tmp_path / "discriminator.safetensors")
    return tmp_path / "discriminator.safetensors"


def test_emotions_in_the_light_are_read_from_every_layer_and_permuted_ones_from_none(weights):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    images = (rng.integers(0, 60, (90, 64, 64, 3)) + 60 * y[:, None, None, None]).astype(np.uint8)
    emotions, subjects = np.array(["angry", "happy", "sad"])[y], [f"p{i // 6}" for i in range(90)]
    table = layer_accuracies(face_set(images, emotions, subjects), weights, 4, n_resamples=100)
    assert table["layer"].tolist() == ["1", "2", "3", "4", "all"]
    assert table["features"].tolist() == [64, 128, 256, 512, 960]
    assert (table["accuracy"] > 0.95).all()
    wrong = layer_accuracies(face_set(images, rng.permutation(emotions), subjects), weights, 4, n_resamples=100)
    assert table.loc[3, ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    np.testing.assert_allclose(wrong["difference"], wrong["accuracy"] - wrong["accuracy"][3])
    assert (wrong["low"] < 1 / 3).all() and (wrong["accuracy"] < 0.6).all()


def test_the_fourth_layer_is_the_papers(weights, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    seen = []
    monkeypatch.setattr("fergan.experiments.layer_readout.squared_distances", lambda X: seen.append(X) or ((X[:, None] - X) ** 2).sum(-1))
    faces = face_set(images, np.tile(["angry", "sad"], 12), [f"p{i // 4}" for i in range(24)])
    layer_accuracies(faces, weights, 4, n_resamples=100)
    np.testing.assert_allclose(seen[3], DiscriminatorFeatures(weights, width=4).transform(images), atol=1e-5)


def test_some_people_come_with_all_their_faces():
    images = np.zeros((30, 64, 64, 3), np.uint8)
    faces = face_set(images, ["sad"] * 30, [f"p{i // 5}" for i in range(30)])
    some = some_people(faces, 17, seed=1, at_least=2)
    assert len(some) == 15 and pd.Series(some.subjects()).value_counts().tolist() == [5, 5, 5]
    assert len(some_people(faces, 3, at_least=2)) == 10


def test_too_few_people_are_named(weights):
    images = np.zeros((4, 64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="2 people, 3 folds need at least 3"):
        layer_accuracies(face_set(images, ["sad", "happy"] * 2, ["a", "a", "b", "b"]), weights, 4)


def test_the_page_counts_where_the_papers_layer_is_best():
    def table(accuracies, low):
        return pd.DataFrame({"layer": ["1", "4", "all"], "features": 1, "accuracy": accuracies, "low": 0.0, "high": 1.0,
                             "difference": [a - accuracies[1] for a in accuracies], "difference_low": [0, 0, low], "difference_high": [0, 0, 1]})

    tables = {"a": table([0.5, 0.6, 0.7], 0.05), "b": table([0.5, 0.4, 0.45], -0.1)}
    assert best_layers(tables) == {"last_is_best": 1, "all_is_better": 2, "all_is_clearly_better": 1}
    assert layers_of_sets(tables)["clear"].tolist() == ["no", "–", "yes", "no", "–", "no"]  # 4 is not compared with itself
