"""Features are opened only where they belong to the network and the faces that are there."""

import numpy as np
import pytest

from fergan.features.stored import open_features
from fergan.files import read_json, write_array, write_json


@pytest.fixture
def home(tmp_path):
    write_json(tmp_path / "models" / "a" / "run.json", {"weights": "w1", "folder": "x"})
    write_json(tmp_path / "faces" / "b" / "faceset.json", {"images": "i1"})
    write_array(tmp_path / "features" / "a-on-b" / "X.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    write_json(tmp_path / "features" / "a-on-b" / "features.json", {"shape": [4, 3], "weights": "w1", "images": "i1"})
    return tmp_path


def test_they_are_opened_on_disk(home):
    X = open_features(home, "a", "b")
    assert isinstance(X, np.memmap) and X.shape == (4, 3) and X[1, 0] == 3


@pytest.mark.parametrize(("file", "change", "words"), [
    ("models/a/run.json", {"weights": "w2"}, "features of another network than a's; run 03_features again"),
    ("faces/b/faceset.json", {"images": "i2"}, "features of other faces than b's"),
    ("features/a-on-b/features.json", {"shape": [5, 3]}, r"has shape \(4, 3\), expected \(5, 3\)"),
])
def test_those_of_something_else_are_refused(home, file, change, words):
    write_json(home / file, read_json(home / file) | change)
    with pytest.raises(ValueError, match=words):
        open_features(home, "a", "b")


def test_missing_ones_are_named(home):
    with pytest.raises(FileNotFoundError, match=r"features.json is missing: the stage that writes it has not finished"):
        open_features(home, "a", "c")
