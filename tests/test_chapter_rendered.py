"""The chapter of the rendered faces: its pictures show what their captions say, its tables count the labels."""

import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import rendered as chapter
from fergan.book.show import say
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.rendered import render_expression, render_faces, stand_in_labels
from fergan.rendered.labels import EMOTION_ACTION_UNITS

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


def test_panels_carry_their_titles_and_leave_out_repeated_captions():
    face = np.zeros((8, 8, 3), np.uint8)
    figure = chapter.face_panels({title: {-0.5: face, "b": face} for title in ("AU12", "two", "three")}, n_across=2)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == ["AU12 lip corner puller", "two", "three"]
    captions = [[text.get_text() for text in ax.get_xticklabels()] for ax in figure.axes[:3]]
    assert captions == [[], ["−0.5", "b"], ["−0.5", "b"]]  # "three" stands below "AU12"
    assert not figure.axes[3].axison


def test_tables_count_the_labels():
    table, variation = (t.set_index("set") for t in chapter.set_tables({"kdef": 1120, "enhanced-ck": 1000, "sfew": None}, seed=0))
    people = stand_in_labels("kdef", 1120)["subject"].nunique()
    columns = ["faces", "all faces", "people", "all people", "emotions", "views", "gazes"]
    assert table.loc["kdef", columns].tolist() == [1120, 4900, people, 70, 7, 5, 1]
    assert table.loc["sfew", "faces"] == table.loc["sfew", "all faces"] == 1260 and table.loc["enhanced-ck", "all sequences"] == 593
    assert table.loc["sfew", ["views", "gazes", "sequences"]].isna().all()
    yaw = stand_in_labels("sfew")["yaw"]
    assert variation.loc["sfew", ["yaw, low", "yaw, high"]].tolist() == yaw.quantile([0.05, 0.95]).round().tolist()
    assert variation.loc[["kdef", "enhanced-ck"], ["glasses", "occluded", "grey"]].to_numpy().tolist() == [[0, 0, 0], [0, 0, 100]]


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


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setattr(chapter, "display", lambda shown: None)
    return chapter.face_board(seed=3)


def move(board, **values):
    for name, value in values.items():
        board.controls[name].value = value
    return board.result


def test_picture_and_labels_follow_the_sliders(board):
    person = board.controls["person"].value
    np.testing.assert_array_equal(board.result[0], render_expression(person, {}, size=chapter.BOARD_SIZE))
    image, present = move(board, AU12_left=0.8, AU04_left=0.1, yaw=-45.0, gaze_x=-0.42, light_azimuth=60.0)
    scene = dict(yaw=-45.0, gaze_x=-0.42, light_azimuth=60.0)
    expected = render_expression(person, {"AU12": (0.8, 0), "AU04": (0.1, 0)}, size=chapter.BOARD_SIZE, **scene)
    np.testing.assert_array_equal(image, expected)
    assert present == ["AU12"], "the trace of AU04 is below the threshold of presence"


def test_choosing_an_emotion_sets_what_is_typical_of_it_and_draws_once(board, monkeypatch):
    drawn = []
    monkeypatch.setattr(chapter, "render_expression", lambda *args, **kwargs: drawn.append(args) or np.zeros((8, 8, 3), np.uint8))
    for emotion in EMOTIONS[::-1]:  # neutral is chosen at the start
        move(board, AU27_left=1.0, emotion=emotion)
        levels = {unit: tuple(board.controls[f"{unit}_{side}"].value for side in ("left", "right")) for unit in ACTION_UNITS}
        levels = {unit: sides for unit, sides in levels.items() if any(sides)}
        assert levels == chapter.typical_action_units(emotion)
        chances = {unit: probability for unit, (probability, _) in EMOTION_ACTION_UNITS[emotion].items()}
        assert {u for u in chances if chances[u] > 0.55} <= set(levels) <= {u for u in chances if chances[u] > 0.44}
        if emotion == "contemptuous":
            assert levels["AU12"][0] > 0.5 > 0.2 > levels["AU12"][1]
    assert len(drawn) == 2 * len(EMOTIONS)
