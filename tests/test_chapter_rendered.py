"""The chapter of the rendered faces: its pictures show what their captions say, its tables count the labels."""

import numpy as np
import pytest

from fergan.book.chapters import rendered as chapter
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
