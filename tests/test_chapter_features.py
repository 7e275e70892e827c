"""The chapters on features and layers: counts, directions that matter, and which layer is best."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters.features import features_table, layers_summary, layers_table, strongest_maps
from fergan.book.show import say


def test_directions_that_matter_have_their_closed_form():
    rng = np.random.default_rng(0)
    line = rng.normal(size=(400, 1)) * np.ones(8)
    table = features_table({"a-on-b": line, "a-on-c": rng.normal(size=(400, 8))})
    assert table["effective dimensions"].tolist() == [pytest.approx(1), pytest.approx(8, rel=0.1)]
    assert table[["network of", "faces of", "features"]].values.tolist() == [["a", "b", 8], ["a", "c", 8]]
    text = say("features", "answer", sizes=[8, 8], directions=table["effective dimensions"].tolist())
    assert "8 numbers" in text and "between 1 and 8" in text


def test_the_map_that_varies_most_is_found_with_its_faces():
    X = np.ones((30, 4 * 16))
    X[:5, 2 * 16 + 7] = 9  # one place of map 2
    (name, rows), *_ = strongest_maps(X, n_maps=2, n_faces=5).items()
    assert name == "map 2" and set(rows) == set(range(5))


def result(accuracies, low):
    """Layers 1 and 4, and all of them; the interval of the last difference starts at low."""
    layers, last = ["1", "4", "all"], accuracies[1]
    rows = [dict(features=f, score="accuracy", value=a, low=0.0, high=1.0) for f, a in zip(layers, accuracies, strict=True)]
    rows += [dict(features=f, score="minus_last", value=a - last, low=left, high=right)
             for f, a, left, right in zip(layers, accuracies, (-0.1, 0, low), (0.1, 0, low + 0.05), strict=True)]
    return SimpleNamespace(scores=pd.DataFrame(rows), settings={"n_features": dict(zip(layers, (16, 64, 80), strict=True))})


def test_the_best_layer_is_counted_and_differences_judged_with_their_sign():
    table = layers_table({"a": result([0.5, 0.6, 0.7], 0.05), "<b>": result([0.5, 0.4, 0.45], -0.1), "c": result([0.3, 0.4, 0.41], -0.01)})
    assert table["verdict"].tolist() == ["open", "", "better", "open", "", "worse", "open", "", "open"]
    assert table["features"].tolist()[:3] == [16, 64, 80] and table["difference"][2] == pytest.approx(0.1)
    found = layers_summary(table)
    assert found == dict(n=3, best=["a", "c"], others=["<b>"], higher=["a", "<b>", "c"], better=["a"], worse=["<b>"])
    text = say("layers", "answer", r=found)
    assert "2 of 3 sets" in text and "clearly better than it on a" in text and "<b>" not in text
    assert "every set" in say("layers", "answer", r=found | {"others": []})
    assert "1 of 3" in say("layers", "found", r=found) and "none of 3" in say("layers", "found", r=found | {"better": []})


def test_a_pair_says_how_its_faces_vary():
    text = say("pair", "answer", n=1608, d=8192, active=0.48, shares=[0.3, 0.12])
    assert "1,608" in text and "8,192" in text and "48 %" in text and "42 %" in text
