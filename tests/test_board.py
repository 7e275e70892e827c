"""The board of sliders, driven from Python: the picture and the labels follow the controls."""

import cv2
import numpy as np
import pytest
from traitlets import TraitError

from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.rendered import render_expression
from fergan.rendered.gallery import BOARD_SIZE, BoardState, face_board, named_states, typical_action_units
from fergan.rendered.person import EMOTION_ACTION_UNITS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def board():
    return face_board(seed=3)


def picture(board):
    return cv2.imdecode(np.frombuffer(board.image.value, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def levels(board):
    return {unit: (left.value, right.value) for unit, (left, right) in board.units.items() if left.value or right.value}


def test_the_picture_is_the_renderers_and_follows_a_slider(board):
    person = board.person.value
    np.testing.assert_array_equal(picture(board), render_expression(person, {}, size=BOARD_SIZE))
    board.units["AU12"][0].value = 0.8
    np.testing.assert_array_equal(picture(board), render_expression(person, {"AU12": 0.8}, size=BOARD_SIZE))
    board.scene["yaw"].value = -45.0
    board.scene["light_azimuth"].value = 60.0
    expected = render_expression(person, {"AU12": 0.8}, size=BOARD_SIZE, yaw=-45.0, light_azimuth=60.0)
    np.testing.assert_array_equal(picture(board), expected)


def test_the_labels_agree_with_the_sliders(board):
    assert "<b>emotion</b>: neutral" in board.truth.value and "<b>Action Units</b>: none" in board.truth.value
    board.units["AU12"][0].value = 0.8
    board.units["AU04"][0].value = 0.1  # a trace: below the threshold of presence
    board.scene["yaw"].value, board.scene["gaze_x"].value = -45.0, -0.42
    assert "<b>emotion</b>: a mixture" in board.truth.value
    assert "<b>Action Units</b>: AU12 0.80<br>" in board.truth.value
    assert "<b>pose</b>: yaw −45°<br>" in board.truth.value
    assert "<b>gaze</b>: right<" in board.truth.value


def test_linked_sides_move_together_and_others_do_not(board):
    board.units["AU02"][1].value = 0.6
    assert levels(board) == {"AU02": (0.6, 0.6)}
    board.linked.value = False
    board.units["AU02"][1].value = 0.0
    assert levels(board) == {"AU02": (0.6, 0.0)}
    assert "AU02 0.60 left only" in board.truth.value


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_choosing_an_emotion_sets_what_is_typical_of_it(board, emotion):
    board.units["AU27"][0].value = 1.0
    board.emotion.value = emotion
    assert board.emotion.value == emotion
    assert levels(board) == typical_action_units(emotion)
    likely = {unit for unit, (probability, _) in EMOTION_ACTION_UNITS[emotion].items() if probability > 0.55}
    possible = {unit for unit, (probability, _) in EMOTION_ACTION_UNITS[emotion].items() if probability >= 0.45}
    assert likely <= set(levels(board)) <= possible
    assert f"<b>emotion</b>: {emotion}<" in board.truth.value


def test_contempt_lies_on_one_side_though_sides_are_linked(board):
    board.emotion.value = "contemptuous"
    left, right = levels(board)["AU12"]
    assert board.linked.value and left > 0.5 and right < 0.2


def test_one_change_draws_once(board, monkeypatch):
    drawn = []
    monkeypatch.setattr(BoardState, "draw", lambda state: drawn.append(state) or np.zeros((8, 8, 3), np.uint8))
    for change in (
        lambda: setattr(board.emotion, "value", "surprised"),
        lambda: setattr(board.units["AU01"][0], "value", 0.3),
        lambda: setattr(board.scene["key"], "value", 0.2),
        board.random.click,
        board.neutral.click,
    ):
        change()
        assert drawn[-1] == board.state
    assert len(drawn) == 5


def test_buttons(board):
    board.emotion.value, board.scene["pitch"].value = "angry", 10.0
    before = board.state
    board.random.click()
    assert board.state.person != before.person
    assert board.state.action_units == before.action_units and board.state.pitch == before.pitch
    person = board.person.value
    board.neutral.click()
    assert board.state == BoardState(person)
    assert face_board(3).person.value == before.person != face_board(4).person.value


def test_the_strip_is_what_the_board_draws(board):
    for state in named_states(person=12).values():
        board.state = state
        assert board.state == state
        np.testing.assert_array_equal(picture(board), state.draw())


def test_unknown_emotions_and_values_out_of_range(board):
    with pytest.raises(ValueError, match="unknown emotion 'bored', expected one of angry"):
        typical_action_units("bored")
    with pytest.raises(TraitError, match="(?i)invalid selection"):
        board.emotion.value = "bored"
    assert board.state == BoardState(board.person.value)
    board.units["AU01"][0].value = 4.0
    board.person.value = -7
    assert levels(board) == {"AU01": (1.0, 1.0)} and board.person.value == 0


def test_every_action_unit_has_its_sliders(board):
    assert tuple(board.units) == ACTION_UNITS
    controls = [slider for sliders in board.units.values() for slider in sliders] + list(board.scene.values())
    assert not any(slider.continuous_update for slider in controls)
