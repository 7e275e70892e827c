"""The board of sliders, driven from Python: the picture and the labels follow the controls."""

import numpy as np
import pytest
from traitlets import TraitError

from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.rendered import board as module
from fergan.rendered import render_expression
from fergan.rendered.board import BOARD_SIZE, MIXTURE, board_settings, face_board, true_labels, typical_action_units
from fergan.rendered.person import EMOTION_ACTION_UNITS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setattr(module, "display", lambda shown: None)
    return face_board(seed=3)


def move(board, **values):
    for name, value in values.items():
        board.controls[name].value = value
    return board.result


def levels(board):
    sides = {u: tuple(board.controls[f"{u}_{side}"].value for side in ("left", "right")) for u in ACTION_UNITS}
    return {unit: pair for unit, pair in sides.items() if any(pair)}


def test_picture_and_labels_follow_the_sliders(board):
    person = board.controls["person"].value
    np.testing.assert_array_equal(board.result[0], render_expression(person, {}, size=BOARD_SIZE))
    image, labels = move(board, AU12_left=0.8, AU04_left=0.1, yaw=-45.0, gaze_x=-0.42, light_azimuth=60.0)
    expected = {"AU12": 0.8, "AU04": 0.1}
    scene = dict(yaw=-45.0, gaze_x=-0.42, light_azimuth=60.0)
    np.testing.assert_array_equal(image, render_expression(person, expected, size=BOARD_SIZE, **scene))
    # The trace of AU04 is below the threshold of presence.
    assert labels == {"emotion": MIXTURE, "Action Units": "AU12 0.80/0.80", "yaw": "−45", "pitch": "0", "gaze": "right"}


def test_linked_sides_move_together_and_others_do_not(board):
    move(board, AU02_right=0.6)
    assert levels(board) == {"AU02": (0.6, 0.6)}
    _, labels = move(board, linked=False, AU02_right=0.0)
    assert levels(board) == {"AU02": (0.6, 0.0)} and labels["Action Units"] == "AU02 0.60/0.00"


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_choosing_an_emotion_sets_what_is_typical_of_it(board, emotion):
    _, labels = move(board, AU27_left=1.0, emotion=emotion)
    assert labels["emotion"] == board.controls["emotion"].value == emotion
    assert levels(board) == typical_action_units(emotion)
    likely, possible = ({unit for unit, (probability, _) in EMOTION_ACTION_UNITS[emotion].items() if probability > least}
                        for least in (0.55, 0.44))
    assert likely <= set(levels(board)) <= possible
    if emotion == "contemptuous":  # on one side, though sides are linked
        assert levels(board)["AU12"][0] > 0.5 > 0.2 > levels(board)["AU12"][1]


def test_one_change_draws_once(board, monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "render_expression", lambda *args, **kwargs: drawn.append(args) or np.zeros((8, 8, 3), np.uint8))
    move(board, emotion="surprised")
    move(board, AU01_left=0.3)
    move(board, key=0.2)
    person, units = board.controls["person"].value, levels(board)
    board.controls["random"].click()
    assert len(drawn) == 4
    assert board.controls["person"].value != person and levels(board) == units


def test_the_page_names_settings_that_the_board_can_reach(board):
    for emotion, units, scene in list(board_settings().values())[-3:]:
        both = {f"{unit}_{side}": level for unit, pair in units.items() for side, level in zip(("left", "right"), pair, strict=True)}
        image, labels = move(board, linked=False, emotion="neutral", **dict(yaw=0, gaze_x=0, light_azimuth=0) | both | scene)
        np.testing.assert_array_equal(image, render_expression(board.controls["person"].value, units, size=BOARD_SIZE, **scene))
        assert labels | {"emotion": emotion} == true_labels(emotion, units, scene)


def test_unknown_emotions_and_values_out_of_range(board):
    with pytest.raises(ValueError, match="unknown emotion 'bored', expected one of angry"):
        typical_action_units("bored")
    with pytest.raises(TraitError, match="(?i)invalid selection"):
        move(board, emotion="bored")
    assert levels(board) == {}
    move(board, AU01_left=4.0, person=-7)
    assert levels(board) == {"AU01": (1.0, 1.0)} and board.controls["person"].value == 0
