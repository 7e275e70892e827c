"""Tables and figures for the book: what stands in them, and that they can be drawn from awkward data."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from fergan.book.figures.emotions import area_tables, gap_dots, roc_panels, search_surface
from fergan.book.figures.faces import captioned_faces, face_grid, filmstrip, labelled_face_rows
from fergan.book.figures.scores import confusion_matrix, heat_map, projection, roc_curves, score_dots
from fergan.book.figures.style import generator_looks
from fergan.book.figures.training import loss_curves
from fergan.book.report import numbered_table, paste, with_interval

matplotlib.use("agg")
FACES = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def test_a_table_has_number_name_caption_and_dashes_for_missing():
    table = pd.DataFrame({"AU": ["AU01", "AU|2"], "paper": [0.5, np.nan], "n": pd.array([3, None], dtype="Int64")})
    text = numbered_table(table, "tab-x", "What it shows.").data
    assert text.splitlines() == [
        "~~~{table} What it shows.", ":name: tab-x", "", "| AU | paper | n |", "| :-- | --: | --: |",
        "| AU01 | 0.500 | 3 |", "| AU\\|2 | – | – |", "~~~",
    ]


def test_a_caption_may_hold_references_and_cells_sentences():
    text = numbered_table(pd.DataFrame({"a": ["of [1]"]}), "t", "As in {numref}`tab-x`.", sentences=True).data
    assert text.startswith("~~~{table} As in {numref}`tab-x`.\n:name: t\n:class: text\n")


def test_a_table_with_intervals_scrolls_instead_of_wrapping():
    text = numbered_table(pd.DataFrame({"a": [with_interval(0.5, 0.25, 0.75)]}), "t", "c").data
    assert ":class: wide" in text and "0.500 [0.250, 0.750]" in text


def test_undefined_scores_are_dashes():
    assert with_interval(np.nan, np.nan, np.nan) == "–"
    assert with_interval(0.5, np.nan, np.nan, decimals=1) == "0.5"


def test_pasted_numbers_are_plain_and_figures_closed(capsys):
    figure = face_grid(FACES)
    paste(n=np.int64(3), share=np.float64(0.25), grid=figure)
    assert not matplotlib.pyplot.fignum_exists(figure.number)


def test_faces_are_laid_out_row_by_row():
    image = face_grid(FACES, n_columns=3).axes[0].images[0].get_array()
    assert image.shape == (3 * 66 - 2, 3 * 66 - 2, 3)
    np.testing.assert_array_equal(image[66:130, 66:130], FACES[4])
    assert (image[132:, 66:] == 255).all()  # no eighth face


def test_confusion_shades_are_shares_of_the_true_class():
    counts = pd.DataFrame([[8, 2], [0, 0]], index=["a", "b"], columns=["a", "b"])
    mesh = confusion_matrix(counts).axes[0].collections[0].get_array()
    np.testing.assert_allclose(np.ma.filled(mesh, np.nan).ravel(), [0.8, 0.2, np.nan, np.nan])
    texts = [text.get_text() for text in confusion_matrix(counts.replace({0: 4}).assign(a=[8, 0])).axes[0].texts]
    assert texts == ["8\n80%", "2\n20%", "0", "4\n100%"]
    assert confusion_matrix(counts.astype(float) * np.nan).axes  # a matrix nobody could read is drawn empty


def test_scores_are_drawn_where_they_are():
    table = pd.DataFrame({"features": ["hog", "hog", "pixels"], "protocol": ["a", "b", "a"], "value": [0.5, 0.4, 0.3],
                          "low": [0.4, np.nan, 0.2], "high": [0.6, np.nan, 0.4]})
    ax = score_dots(table, "features", "protocol", "accuracy", chance=0.125).axes[0]
    drawn = sorted(x for line in ax.lines for x in line.get_xdata())
    assert [x for x in drawn if x in (0.5, 0.4, 0.3)] == [0.3, 0.4, 0.5] and 0.125 in drawn
    assert [label.get_text() for label in ax.get_yticklabels()] == ["hog", "pixels"]


def test_every_figure_can_be_drawn():
    history = pd.DataFrame({"step": range(40), "loss_d": np.linspace(2, 1, 40), "loss_g": np.linspace(1, 2, 40)})
    assert len(loss_curves(history).axes[0].lines) == 4
    assert len(filmstrip(np.array([0, 5]), FACES[:6].reshape(2, 3, 64, 64, 3), n_faces=3).axes) == 2
    assert len(labelled_face_rows({"a": FACES[:2], "none": FACES[:0]}, n_columns=4).axes) == 2
    curves = {"happy": (np.array([0, 0, 1.0]), np.array([0, 1.0, 1.0]))}
    assert roc_curves(curves, {"happy": 1.0}).axes
    assert len(roc_panels({"a": (curves, {"happy": 1.0}), "b": (curves, {"happy": 1.0})}).axes) == 2
    trials = pd.DataFrame({"trial": range(4), "C": [1, 10, 100, 3.0], "gamma": [1e-3, 1e-2, 1e-3, 1e-2],
                           "accuracy": [0.5, 0.6, 0.5, 0.5], "pruned": [False, False, True, False], "chosen": [False, True, False, False]})
    assert [text.get_text() for text in search_surface(trials).axes[0].texts] == ["1", "2", "4"]
    assert search_surface(trials.assign(accuracy=0.5)).axes  # a search on a plain
    table = pd.DataFrame({"1": [0.9, np.nan]}, index=["happy", "sad"])
    assert [t.get_text() for t in area_tables({"a": table, "none": table * np.nan}, "area").axes[0].texts] == [".900"]
    gaps = pd.DataFrame({"experiment": ["1: a", "2: b"], "features": "hog", "value": [0.1, -0.1], "low": 0.0, "high": 0.2})
    assert len(gap_dots(gaps).axes[0].get_yticklabels()) == 2
    assert [ax.get_xlabel() for ax in captioned_faces(FACES[:2], ["a", "b"], n_columns=3).axes] == ["a", "b", ""]
    assert captioned_faces(FACES[:0], []).axes
    assert heat_map(pd.DataFrame({"1": {"AU01": np.nan, "AU02": 0.7}}), "area", center=0.5).axes
    assert projection(np.random.default_rng(0).normal(size=(9, 2)), ["happy", "sad", "sad"] * 3, ("x", "y")).axes


def test_a_generator_looks_alike_in_every_figure_and_unlike_all_others():
    names = ["a", "b", "c", "d", "e", "f", "g", "a-1", "b-1", "a-2", "a-3", "a-4", "a-5"]
    plain, marked = generator_looks(names), generator_looks(names, "b-1")
    assert all(plain[name] == marked[name] for name in names if name != "b-1") and marked["b-1"]["color"] == "C3"
    assert len({(look["marker"], str(look["linestyle"])) for look in plain.values()}) == len(names)
    assert plain["a"]["color"] == plain["a-4"]["color"] != plain["b"]["color"]
