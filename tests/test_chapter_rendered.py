"""The chapter of the rendered faces: its pictures show what their captions say, its tables count the labels."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import rendered as chapter
from fergan.book.show import say
from fergan.rendered import render_faces, stand_in_labels
from fergan.rendered.board import board_settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True, scope="module")
def no_open_figures():
    yield
    plt.close("all")


def test_truth_belongs_to_its_picture():
    labels = stand_in_labels("rafd-multiview", 16).iloc[:4]
    images, truth = render_faces(labels, size=64)
    figure = chapter.true_places(list("abcd"), images, truth)
    for ax, title, image, row in zip(figure.axes, "abcd", images, truth.itertuples(), strict=False):
        assert ax.get_title(loc="left") == title
        np.testing.assert_array_equal(ax.images[0].get_array(), image)
        (box,) = ax.patches
        assert (box.get_x(), box.get_y()) == (row.box_left, row.box_top)
        assert (box.get_x() + box.get_width(), box.get_y() + box.get_height()) == pytest.approx((row.box_right, row.box_bottom))
        x, y = ax.lines[0].get_data()
        assert len(x) == 68 and (x[30], y[30]) == (row.landmark_30_x, row.landmark_30_y)


def test_panels_carry_their_titles_and_leave_out_repeated_captions():
    face = np.zeros((8, 8, 3), np.uint8)
    same = {-0.5: face, "b": face}
    figure = chapter.face_panels({"AU12": same, "two": same, "three": same}, n_across=2)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == ["AU12 lip corner puller", "two", "three"]
    captions = [[text.get_text() for text in ax.get_xticklabels()] for ax in figure.axes[:3]]
    assert captions == [[], ["−0.5", "b"], ["−0.5", "b"]]  # "three" stands below "AU12"
    assert not figure.axes[3].axison


def test_tables_count_the_labels():
    sizes = {"kdef": 1120, "enhanced-ck": 1000, "sfew": None, "celeba": 96}
    table = chapter.design_table(sizes, seed=0).set_index("set")
    assert set(table.index) == set(sizes)
    people = stand_in_labels("kdef", 1120)["subject"].nunique()
    columns = ["faces", "all faces", "people", "all people", "emotions", "views", "gazes"]
    assert table.loc["kdef", columns].tolist() == [1120, 4900, people, 70, 7, 5, 1]
    assert table.loc["sfew", "faces"] == table.loc["sfew", "all faces"] == 1260
    assert table.loc["enhanced-ck", "all sequences"] == 593
    assert table.loc["sfew", ["views", "gazes", "sequences"]].isna().all() and pd.isna(table.loc["celeba", "emotions"])
    variation = chapter.variation_table(sizes, seed=0).set_index("set")
    yaw = stand_in_labels("sfew")["yaw"]
    assert variation.loc["sfew", ["yaw, low", "yaw, high"]].tolist() == yaw.quantile([0.05, 0.95]).round().tolist()
    assert variation.loc["kdef", ["glasses", "occluded", "grey"]].tolist() == [0, 0, 0]
    assert variation.loc["enhanced-ck", "grey"] == 100


def test_the_settings_of_the_board_are_labelled():
    table = chapter.board_table(board_settings()).set_index("setting")
    assert table.loc["surprised", "yaw"] == "+40" and table.loc["glance", "gaze"] == "left"


@pytest.mark.parametrize(("pixels", "met"), [(0.5, True), (0.2, False), (np.nan, False)])
def test_the_page_says_whether_the_aim_was_met(pixels, met):
    scores = pd.DataFrame({"score": "accuracy", "protocol": "subject_independent", "features": ["true Action Units", "pixels"],
                           "value": [0.97, pixels], "low": [0.9, 0.1], "high": [0.99, 0.6]})
    table = chapter.difficulty_table(scores)
    assert table["features"].tolist() == list(chapter.AIMS) and table["met"].tolist() == [met, True]
    said = say("rendered", "difficulty", rows=table.to_dict("records"))
    assert said.count("reached it") == 1 + met and said.count("missed it") == 1 - met
    assert ("The aim was set" in said) == (not met)
    assert "0.970 [0.900, 0.990]" in say("rendered", "answer", pixels=table.iloc[0], units=table.iloc[1], chance=0.125)
