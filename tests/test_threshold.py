"""A threshold along a curve: counts that a hand can check, and an element that stands alone."""

import json

import numpy as np
import pytest
from bs4 import BeautifulSoup
from sklearn.metrics import confusion_matrix

from fergan.book.players import operating_points, share, threshold_explorer


def test_counts_by_hand():
    found = operating_points(np.array([True, True, False, False]), np.array([3.0, 1.0, 2.0, 0.0]))
    assert found == {"threshold": ["none", "3", "2", "1", "0"], "tp": [0, 1, 1, 2, 2], "fp": [0, 0, 1, 1, 2], "positives": 2, "negatives": 2}
    assert operating_points(np.array([True, False]), np.array([1.0, 1.0]))["tp"] == [0, 1], "ties are named together"


def test_counts_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    positive, values = rng.random(500) < 0.2, rng.normal(size=500).round(2)
    found = operating_points(positive, values, n_points=20)
    assert len(found["tp"]) == 21
    for name, tp, fp in list(zip(found["threshold"], found["tp"], found["fp"], strict=True))[1:]:
        matrix = confusion_matrix(positive, values >= float(name))
        assert (matrix[1, 1], matrix[0, 1]) == (tp, fp)


def test_a_label_that_all_or_none_show_is_refused():
    for positive in ([True, True], [False, False]):
        with pytest.raises(ValueError, match="faces that do not"):
            operating_points(np.array(positive), np.zeros(2))
    with pytest.raises(ValueError, match="at least one label"):
        threshold_explorer({}, "none")


def example(n_positive=80, n_negative=16, label="<b>"):
    """An odd number of thresholds and shares that end in a half."""
    rng = np.random.default_rng(1)
    return {label: (np.arange(n_positive + n_negative) < n_positive, rng.normal(size=n_positive + n_negative))}


def test_the_element_holds_its_data_and_loads_nothing():
    html = threshold_explorer(example(), "a </script> title").data
    page = BeautifulSoup(html, "html.parser")
    assert not page.select("[src], [href]") and "http" not in html
    assert json.loads(page.find("script", type="application/json").string)["<b>"]["tp"][0] == 0
    assert page.option.string == "<b>" and page.div["aria-label"] == "a </script> title"


def test_the_picture_without_scripts_shows_the_numbers_of_the_one_with(browser):
    """Thresholds without a middle, and shares between two numbers of three decimals, are rounded the same way in both."""
    assert (share(1, 16), share(3, 16), share(0, 3), share(2, 0)) == ("0.063", "0.188", "0.000", "–")
    html = threshold_explorer(example(), "curve").data
    assert len(operating_points(*example()["<b>"])["tp"]) % 2
    shown = []
    for scripts in (False, True):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.set_content(f"<!doctype html><body>{html}")
        shown.append([cell.inner_text() for cell in page.locator("[data-count]").all()])
        context.close()
    assert shown[0] == shown[1] and len(shown[0]) == 8
