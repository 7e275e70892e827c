"""A threshold along a curve: counts that a hand can check, and an element that stands alone."""

import json
import re

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from fergan.book.threshold import operating_points, threshold_explorer


def test_counts_by_hand():
    found = operating_points(np.array([True, True, False, False]), np.array([3.0, 1.0, 2.0, 0.0]))
    assert found == {"threshold": ["none", "3", "2", "1", "0"], "tp": [0, 1, 1, 2, 2], "fp": [0, 0, 1, 1, 2], "positives": 2, "negatives": 2}


def test_counts_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    positive, values = rng.random(500) < 0.2, rng.normal(size=500).round(2)
    found = operating_points(positive, values, n_points=20)
    assert len(found["tp"]) == 21
    for name, tp, fp in list(zip(found["threshold"], found["tp"], found["fp"], strict=True))[1:]:
        matrix = confusion_matrix(positive, values >= float(name))
        assert (matrix[1, 1], matrix[0, 1]) == (tp, fp)


def test_ties_are_named_together():
    assert operating_points(np.array([True, False]), np.array([1.0, 1.0]))["tp"] == [0, 1]


def test_a_label_that_all_or_none_show_is_refused():
    for positive in ([True, True], [False, False]):
        with pytest.raises(ValueError, match="faces that do not"):
            operating_points(np.array(positive), np.zeros(2))
    with pytest.raises(ValueError, match="at least one label"):
        threshold_explorer({}, "none")


def test_the_element_holds_its_data_and_loads_nothing():
    labels = {"<b>": (np.array([True, False]), np.array([1.0, 0.0]))}
    html = threshold_explorer(labels, "a </script> title").data
    assert "http" not in html and 'src="' not in html
    content = re.search(r'<script type="application/json">(.*?)</script>', html, re.S).group(1)
    assert json.loads(content)["<b>"]["tp"] == [0, 1, 1]
    assert "<option>&lt;b&gt;</option>" in html and "a &lt;/script&gt; title" in html
