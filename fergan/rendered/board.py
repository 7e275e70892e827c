"""A board of sliders that draws one face live and says its true labels; for notebooks with a running kernel."""

import cv2
import ipywidgets as widgets
import numpy as np
from IPython.display import HTML, Image, display

from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTIONS
from fergan.rendered.person import OCCURRENCE_THRESHOLD, action_unit_array, draw_action_units, occurrence
from fergan.rendered.render import render_expression
from fergan.rendered.scene import GAZE_SHIFT, default_setting

BOARD_SIZE = 192  # pixels: drawn in under a tenth of a second
LARGEST_IDENTITY = 99_999
MIXTURE = "a mixture"  # what the board's dropdown says while the sliders show no emotion by itself
# name: (lowest, highest, step, what the board calls it)
SCENE_SLIDERS = {
    "yaw": (-90.0, 90.0, 5.0, "yaw °"),
    "pitch": (-30.0, 30.0, 5.0, "pitch °"),
    "gaze_x": (-GAZE_SHIFT["left"], GAZE_SHIFT["left"], 0.06, "gaze, cm"),
    "light_azimuth": (-80.0, 80.0, 5.0, "light from °"),
    "light_elevation": (-40.0, 80.0, 5.0, "light height °"),
    "key": (0.0, 1.2, 0.02, "light strength"),
}


def typical_action_units(emotion):
    """The Action Units that more than half of an emotion's posed faces show: {unit: (left, right)}.

    Their median intensities in steps of .05; one that lies on one side only is put on the person's left.
    """
    drawn = draw_action_units([emotion] * 999, np.random.default_rng(0))
    weaker, stronger = np.median(np.sort(drawn, axis=2), axis=0).T  # (14,) each
    units = {}
    for unit, weak, strong in zip(ACTION_UNITS, weaker, stronger, strict=True):
        if strong >= OCCURRENCE_THRESHOLD:
            both = (weak + strong) / 2
            sides = (both, both) if weak >= OCCURRENCE_THRESHOLD else (strong, weak)
            units[unit] = tuple(round(round(float(side) / 0.05) * 0.05, 2) for side in sides)
    return units


def board_settings():
    """A few settings of the board, for a page on which no board can run: {name: (emotion, Action Units, scene)}."""
    surprised, happy, contemptuous = map(typical_action_units, ("surprised", "happy", "contemptuous"))
    return {
        "neutral": ("neutral", {}, {}),
        "happy": ("happy", happy, {}),
        "contemptuous": ("contemptuous", contemptuous, {}),
        "squint": (MIXTURE, {"AU06": (0.7, 0.0), "AU07": (1.0, 0.0), "AU12": (0.5, 0.0)}, {}),
        "surprised": ("surprised", surprised, dict(yaw=40.0)),
        "glance": (MIXTURE, {"AU02": (0.9, 0.0)}, dict(gaze_x=GAZE_SHIFT["left"], light_azimuth=60.0)),
    }


def true_labels(emotion, action_units, scene):
    """The true labels of one setting of the board, in words; of each Action Unit there the left and the right."""
    present = occurrence(action_unit_array(action_units)[None])[0] == 1
    there = [unit for unit, is_there in zip(ACTION_UNITS, present, strict=True) if is_there]
    return {
        "emotion": emotion,
        "Action Units": ", ".join("{} {:.2f}/{:.2f}".format(unit, *action_units[unit]) for unit in there) or "none",
        **{angle: f"{scene[angle]:+g}".replace("-", "−") if scene.get(angle) else "0" for angle in ("yaw", "pitch")},
        "gaze": {0: "ahead", 1: "left", -1: "right"}[int(np.sign(round(scene.get("gaze_x", 0), 2)))],
    }


def face_board(seed=0):
    """Return a board of sliders that draws one face live and says its true labels; it needs a running kernel.

    Choosing an emotion sets the Action Units to those typical of it; moving one makes it a mixture. `seed` chooses the
    first person, and those whom *random person* draws. Sliders report when they are let go: a drag draws once.
    """
    rng = np.random.default_rng([int(seed), 4])
    rest = default_setting()
    units = {f"{unit}_{side}": _slider(0, 1, 0.05, 0, f"{unit} {AU_MEANINGS[unit]}, {side}")
             for unit in ACTION_UNITS for side in ("left", "right")}
    scene = {name: _slider(*bounds, rest[name], title) for name, (*bounds, title) in SCENE_SLIDERS.items()}
    emotion = widgets.Dropdown(options=[*EMOTIONS, MIXTURE], value="neutral", description="emotion")
    linked = widgets.Checkbox(value=True, description="move both sides together", indent=False)
    person = widgets.BoundedIntText(int(rng.integers(LARGEST_IDENTITY + 1)), max=LARGEST_IDENTITY, description="person")
    random = widgets.Button(description="random person")
    random.on_click(lambda _: setattr(person, "value", int(rng.integers(LARGEST_IDENTITY + 1))))
    setting = []  # the control whose change sets others, which must not draw the face too

    def follow(change):
        if setting:
            return
        setting.append(change["owner"])
        moved = next((name for name, slider in units.items() if slider is change["owner"]), None)
        if moved:
            emotion.value = MIXTURE
            unit, _, side = moved.partition("_")
            if linked.value:
                units[f"{unit}_{'left' if side == 'right' else 'right'}"].value = change["new"]
        elif emotion.value != MIXTURE:
            typical = typical_action_units(emotion.value)
            for unit in ACTION_UNITS:
                units[f"{unit}_left"].value, units[f"{unit}_right"].value = typical.get(unit, (0.0, 0.0))
        setting.clear()

    def draw(person, emotion, **sliders):
        if setting:
            return None
        sides = {unit: (sliders.pop(f"{unit}_left"), sliders.pop(f"{unit}_right")) for unit in ACTION_UNITS}
        image, labels = render_expression(person, sides, size=BOARD_SIZE, **sliders), true_labels(emotion, sides, sliders)
        display(Image(cv2.imencode(".png", image[..., ::-1])[1].tobytes(), width=320))
        display(HTML("<br>".join(f"<b>{name}</b>: {text}" for name, text in labels.items())))
        return image, labels

    for control in (emotion, *units.values()):
        control.observe(follow, "value")  # before the board listens to the same controls
    board = widgets.interactive(draw, person=person, emotion=emotion, **units, **scene)
    grid = widgets.GridBox([linked, random, *units.values(), *scene.values()],
                           layout=widgets.Layout(grid_template_columns="auto auto"))
    board.children = [widgets.HBox([widgets.VBox([person, emotion, board.out]), grid])]
    board.controls = {"person": person, "emotion": emotion, "linked": linked, "random": random, **units, **scene}
    return board


def _slider(low, high, step, value, title):
    return widgets.FloatSlider(value=value, min=low, max=high, step=step, description=title, continuous_update=False,
                               layout=widgets.Layout(width="400px"), style={"description_width": "200px"})
