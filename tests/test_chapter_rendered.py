"""The chapter of the rendered faces: its pictures show what their captions say, its tables count the labels."""

import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import rendered as chapter
from fergan.book.show import say
from fergan.rendered import render_expression, render_faces, stand_in_labels

pytestmark = pytest.mark.usefixtures("one_thread")


def test_truth_belongs_to_its_picture():
    labels = stand_in_labels("rafd-multiview", 16).iloc[:4]
    images, truth = render_faces(labels, size=64)
    figure = chapter.true_places(list("abcd"), images, truth)
    for ax, title, image, row in zip(figure.axes, "abcd", images, truth.itertuples(), strict=False):
        assert ax.get_title(loc="left") == title
        np.testing.assert_array_equal(ax.images[0].get_array(), image)
        box = ax.patches[0].get_bbox().extents
        assert box == pytest.approx([row.box_left, row.box_top, row.box_right, row.box_bottom])
        x, y = ax.lines[0].get_data()
        assert len(x) == 68 and (x[30], y[30]) == (row.landmark_30_x, row.landmark_30_y)


def test_panels_carry_titles_and_captions():
    face = np.zeros((8, 8, 3), np.uint8)
    figure = chapter.face_panels({title: {-0.5: face, "b": face} for title in ("AU12", "two", "three")}, n_across=2)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == ["AU12 lip corner puller", "two", "three"]
    assert all([text.get_text() for text in ax.get_xticklabels()] == ["−0.5", "b"] for ax in figure.axes[:3])
    assert not figure.axes[3].axison


def test_the_table_counts_the_labels():
    table = chapter.design_table({"kdef": 1120, "enhanced-ck": 1000, "sfew": None}, seed=0).set_index("set")
    people = stand_in_labels("kdef", 1120)["subject"].nunique()
    columns = ["faces", "all faces", "people", "all people", "emotions", "views", "gazes"]
    assert table.loc["kdef", columns].tolist() == [1120, 4900, people, 70, 7, 5, 1]
    assert table.loc["sfew", "faces"] == table.loc["sfew", "all faces"] == 1260 and table.loc["enhanced-ck", "all sequences"] == 593
    assert table.loc["sfew", ["views", "gazes", "sequences"]].isna().all()


def test_the_page_says_how_hard_the_faces_are():
    scores = pd.DataFrame({"score": "accuracy", "protocol": "subject_independent", "features": ["true Action Units", "pixels"],
                           "value": [0.97, 0.5], "low": [0.9, 0.1], "high": [0.99, 0.6]})
    table = chapter.difficulty_table(scores)
    assert table["features"].tolist() == ["pixels", "true Action Units"] and table["value"].tolist() == [0.5, 0.97]
    assert "0.970 [0.900, 0.990]" in say("rendered", "answer", pixels=table.iloc[0], units=table.iloc[1], chance=0.125)


def test_picture_and_labels_follow_the_sliders(monkeypatch):
    monkeypatch.setattr(chapter, "display", lambda shown: None)
    board = chapter.face_board(7)
    board.update()
    np.testing.assert_array_equal(board.result[0], render_expression(7, {}, size=chapter.BOARD_SIZE))
    scene = dict(yaw=-45.0, gaze_x=-0.42, light_azimuth=60.0)
    controls = {control.description: control for control in board.children if hasattr(control, "description")}
    for name, value in (scene | dict(AU12_left=0.8, AU04_left=0.1)).items():
        controls[name].value = value
    image, present = board.result
    expected = render_expression(7, {"AU12": (0.8, 0), "AU04": (0.1, 0)}, size=chapter.BOARD_SIZE, **scene)
    np.testing.assert_array_equal(image, expected)
    assert present == ["AU12"], "the trace of AU04 is below the threshold of presence"
