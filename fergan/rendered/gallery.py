"""Pictures and tables of the chapter that shows the rendered faces: from a few seeds to images with names.

Pictures come as ``{title: {caption: image}}``, which `fergan.book.figures.faces.face_panels` draws, or as rows of one label.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cv2
import ipywidgets as widgets
import numpy as np
import pandas as pd

from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTIONS
from fergan.rendered.person import OCCURRENCE_THRESHOLD, action_unit_array, draw_action_units, occurrence
from fergan.rendered.render import render_expression, render_faces
from fergan.rendered.scene import GAZE_SHIFT, default_setting
from fergan.rendered.stand_ins import FULL_SIZES, STAND_INS, VIEWS, stand_in_labels

Panels = dict[str, dict[str, np.ndarray]]

WILD_SETS = ("raf-db", "celeba", "sfew")
PITCHES = (-20, -10, 0, 10, 20)  # degrees
GAZES = {"right": (-1, 0), "ahead": (0, 0), "left": (1, 0), "up": (0, 0.5), "down": (0, -0.5)}  # in the sets' gaze shift
LIGHTS = {"right": dict(light_azimuth=-65.0), "front": {}, "left": dict(light_azimuth=65.0),
          "below": dict(light_elevation=-35.0), "all sides, dim": dict(ambient=0.3, key=0.0)}
CLOSE_UP = 1.55  # scale at which little but the face is in the picture
PEOPLE_APART = 1000  # identity numbers between one seed's people and the next seed's


def action_unit_name(unit: str) -> str:
    """Return an Action Unit with its FACS name, for example "AU12 lip corner puller"."""
    return f"{unit} {AU_MEANINGS[unit]}"


def people_of(seed: int, n_people: int) -> range:
    """Return the identity numbers of `n_people` people, other ones for every seed."""
    return range(PEOPLE_APART * seed, PEOPLE_APART * seed + n_people)


def posed_faces(n_people: int, seed: int) -> pd.DataFrame:
    """Return labels of the first people of ``rafd-frontal`` who look ahead: each shows every emotion once."""
    labels = stand_in_labels("rafd-frontal", seed=seed)
    n_there = labels["subject"].nunique()
    if not 1 <= n_people <= n_there:
        raise ValueError(f"n_people is {n_people}; rafd-frontal has 1 to {n_there}")
    ahead = labels[labels["gaze"] == "frontal"]
    return ahead[ahead["subject"].isin(ahead["subject"].unique()[:n_people])].reset_index(drop=True)


def emotion_rows(n_people: int, seed: int, size: int = 96) -> dict[str, np.ndarray]:
    """Return for each emotion the faces of the same people, images uint8 (n_people, size, size, 3)."""
    labels = posed_faces(n_people, seed)
    images, _ = render_faces(labels, size=size)
    return {emotion: images[(labels["emotion"] == emotion).to_numpy()] for emotion in EMOTIONS}


def true_action_units(labels: pd.DataFrame) -> np.ndarray:
    """Return the true intensities as features: float32 (n_faces, 28), left and right of each Action Unit."""
    return labels[[f"{unit}_{side}" for unit in ACTION_UNITS for side in ("left", "right")]].to_numpy(np.float32)


def intensity_panels(person: int, levels: Sequence[float], size: int = 96) -> Panels:
    """Return each Action Unit alone on one face: neutral, then at each intensity 0..1."""
    panels: Panels = {}
    neutral = _close_up(person, {}, size)
    for unit in ACTION_UNITS:
        raised = {f"{level:.2f}": _close_up(person, {unit: level}, size) for level in levels}
        panels[action_unit_name(unit)] = {"neutral": neutral, **raised}
    return panels


def side_panels(person: int, units: Iterable[str], size: int = 128) -> Panels:
    """Return Action Units at full intensity on the person's right side, on both and on the left."""
    sides = {"right only": (0.0, 1.0), "both": (1.0, 1.0), "left only": (1.0, 0.0)}
    return {
        action_unit_name(unit): {name: _close_up(person, {unit: side}, size) for name, side in sides.items()}
        for unit in units
    }


def _close_up(person: int, units: Mapping[str, float | tuple[float, float]], size: int) -> np.ndarray:
    return render_expression(person, units, size=size, scale=CLOSE_UP)


def scene_panels(person: int, size: int = 128) -> Panels:
    """Return one neutral face under the yaws of the sets, and under some pitches, gazes and lights."""
    def draw(**setting: float) -> np.ndarray:
        return render_expression(person, {}, size=size, **setting)

    shift = GAZE_SHIFT["left"]
    return {
        "yaw, degrees": {_signed(yaw): draw(yaw=float(yaw)) for yaw in sorted(VIEWS.values())},
        "pitch, degrees": {_signed(pitch): draw(pitch=float(pitch)) for pitch in PITCHES},
        "gaze": {
            name: draw(gaze_x=across * shift, gaze_y=up * shift, scale=CLOSE_UP) for name, (across, up) in GAZES.items()
        },
        "light from": {name: draw(**light) for name, light in LIGHTS.items()},
    }


def _signed(angle: int) -> str:
    return f"{angle:+d}".replace("-", "−") if angle else "0"


def wild_rows(n_faces: int, seed: int, size: int = 96) -> dict[str, np.ndarray]:
    """Return the first faces of each stand-in for photographs in the wild, images uint8 (n_faces, size, size, 3)."""
    return {
        name: render_faces(stand_in_labels(name, seed=seed).iloc[:n_faces], size=size)[0] for name in WILD_SETS
    }


def sequence_rows(emotions: Iterable[str], n_frames: int, seed: int, size: int = 96) -> dict[str, np.ndarray]:
    """Return the first sequence of each of these emotions in ``enhanced-ck``, from neutral to apex.

    Returns
    -------
    dict of str to ndarray of shape (n_frames, size, size, 3), uint8
        By emotion, frames evenly spaced in time.
    """
    labels = stand_in_labels("enhanced-ck", seed=seed)
    rows = {}
    for emotion in emotions:
        names = labels.loc[labels["emotion"] == emotion, "sequence"]
        if names.empty:
            there = ", ".join(sorted(labels["emotion"].unique()))
            raise ValueError(f"emotions: enhanced-ck has no sequence of {emotion!r}, only of {there}")
        frames = labels[labels["sequence"] == names.iloc[0]]
        shown = np.linspace(0, len(frames) - 1, n_frames).round().astype(int)
        rows[emotion] = render_faces(frames.iloc[shown], size=size)[0]
    return rows


def truth_examples(seed: int, size: int = 192) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return faces of several sets and where each truly is.

    Returns
    -------
    images : dict of str to ndarray of shape (size, size, 3), uint8
        By set or view: three views of one person, then the first face of each set in the wild.
    truth : DataFrame
        One row per image, in order; see `fergan.rendered.render_faces`.
    """
    multiview = stand_in_labels("rafd-multiview", seed=seed)
    surprised = multiview[multiview["emotion"] == "surprised"]
    views = {"frontal": "frontal", "yaw +45": "yaw+45", "yaw −90": "yaw-90"}
    chosen = {title: surprised[surprised["view"] == view].iloc[:1] for title, view in views.items()}
    chosen |= {name: stand_in_labels(name, seed=seed).iloc[:1] for name in WILD_SETS}
    images, truth = render_faces(pd.concat(chosen.values(), ignore_index=True), size=size)
    return dict(zip(chosen, images, strict=True)), truth


def parse_sizes(text: str) -> dict[str, int]:
    """Turn "kdef:1120,sfew:0" into faces per stand-in; 0 stands for the full size.

    Raises
    ------
    ValueError
        A part is not of the form name:number, or names no stand-in.
    """
    sizes = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition(":")
        if name not in STAND_INS or not number.isdigit():
            raise ValueError(f"sets: {part!r} is not a stand-in and its number of faces, such as 'kdef:1120';"
                             f" stand-ins are {', '.join(STAND_INS)}")
        sizes[name] = int(number) or FULL_SIZES[name]
    return sizes


def _named(values: pd.Series) -> str:
    """How many values there are, or that there is no limit to them."""
    return "any" if (values == "wild").all() else str(values.nunique())


def design_table(sizes: Mapping[str, int], seed: int) -> pd.DataFrame:
    """Return how each stand-in is built: faces and people here and in full, emotions, views, gazes, sequences.

    Parameters
    ----------
    sizes : mapping of str to int
        Faces of each stand-in in use; one that is not named is not used.
    seed : int
    """
    rows = []
    for name in STAND_INS:
        full = stand_in_labels(name, seed=seed)
        here = stand_in_labels(name, sizes[name], seed=seed) if name in sizes else full.iloc[:0]
        rows.append({
            "set": name,
            "faces": _of(len(here), len(full)),
            "people": _of(here["subject"].nunique(), full["subject"].nunique()),
            "emotions": full["emotion"].nunique() or pd.NA,
            "views": _named(full["view"]),
            "gazes": _named(full["gaze"]),
            "sequences": _of(here["sequence"].nunique(), full["sequence"].nunique()),
        })
    return pd.DataFrame(rows)


def _of(here: int, full: int) -> str:
    if not full:
        return "–"
    return f"all {full:,}" if here == full else f"{here:,} of {full:,}"


def variation_table(seed: int) -> pd.DataFrame:
    """Return what else varies within each full stand-in: the middle 90 % of angles in degrees, shares of faces."""
    rows = []
    for name in STAND_INS:
        labels = stand_in_labels(name, seed=seed)
        shares = {"glasses": "glasses", "covered": "occluded", "grey": "grey"}
        rows.append({
            "set": name,
            "yaw": _middle(labels["yaw"]),
            "pitch": _middle(labels["pitch"]),
            "light from": _middle(labels["light_azimuth"]),
            **{title: _share(labels[column] > 0) for title, column in shares.items()},
        })
    return pd.DataFrame(rows)


def _middle(values: pd.Series) -> str:
    low, high = values.quantile([0.05, 0.95]).round().astype(int)
    return f"{low} to {high}".replace("-", "−").replace(" ", "\u00a0")  # in one line


def _share(chosen: pd.Series) -> str:
    return f"{100 * chosen.mean():.0f}\u00a0%" if chosen.any() else "–"


BOARD_SIZE = 192  # pixels: drawn in under a tenth of a second
SHOWN_WIDTH = "320px"
LARGEST_IDENTITY = 99_999
MIXTURE = ""  # the dropdown's value while the sliders show no emotion by itself

_REST = default_setting()
# name: (lowest, highest, step, what the board calls it)
SCENE_SLIDERS = {
    "yaw": (-90.0, 90.0, 5.0, "yaw °"),
    "pitch": (-30.0, 30.0, 5.0, "pitch °"),
    "gaze_x": (-GAZE_SHIFT["left"], GAZE_SHIFT["left"], 0.06, "gaze, cm"),
    "light_azimuth": (-80.0, 80.0, 5.0, "light from °"),
    "light_elevation": (-40.0, 80.0, 5.0, "light height °"),
    "key": (0.0, 1.2, 0.02, "light strength"),
}


def typical_action_units(emotion: str) -> dict[str, tuple[float, float]]:
    """Return the Action Units that more than half of an emotion's posed faces show, at their median intensity.

    Parameters
    ----------
    emotion : str
        One of `fergan.facs.EMOTIONS`.

    Returns
    -------
    dict
        Action Unit to (left, right) of the person's own sides, in steps of .05; one that lies on one side only
        is put on the left.

    Raises
    ------
    ValueError
        For a name that is no emotion.
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


@dataclass(frozen=True)
class BoardState:
    """One face as the board sets it: who, what it shows, and how it is seen.

    Attributes
    ----------
    person : int
        Identity number.
    emotion : str
        One of `fergan.facs.EMOTIONS`, or empty for a mixture of one's own.
    action_units : dict
        Action Unit to its intensities 0..1, (left, right) of the person's own sides.
    yaw, pitch : float
        Degrees; at positive yaw the nose points to the image's right.
    gaze_x : float
        Shift of the iris in cm, positive to the person's own left.
    light_azimuth, light_elevation : float
        Where the light comes from, degrees.
    key : float
        Its strength, relative.
    """

    person: int = 0
    emotion: str = "neutral"
    action_units: dict[str, tuple[float, float]] = field(default_factory=dict)
    yaw: float = _REST["yaw"]
    pitch: float = _REST["pitch"]
    gaze_x: float = _REST["gaze_x"]
    light_azimuth: float = _REST["light_azimuth"]
    light_elevation: float = _REST["light_elevation"]
    key: float = _REST["key"]

    def draw(self, size: int = BOARD_SIZE) -> np.ndarray:
        """Render it: uint8 (size, size, 3), RGB."""
        scene = {name: getattr(self, name) for name in SCENE_SLIDERS}
        return render_expression(self.person, self.action_units, size=size, **scene)

    def labels(self) -> dict[str, str]:
        """Return the true labels in words, as a face set would carry them."""
        present = occurrence(action_unit_array(self.action_units)[None])[0] == 1
        names = [unit for unit, there in zip(ACTION_UNITS, present, strict=True) if there]
        turns = [f"{name} {angle:+g}°" for name, angle in (("yaw", self.yaw), ("pitch", self.pitch)) if angle]
        return {
            "person": str(self.person),
            "emotion": self.emotion or "a mixture",
            "Action Units": ", ".join(f"{unit} {_sides(*self.action_units[unit])}" for unit in names) or "none",
            "pose": ", ".join(turns).replace("-", "−") or "frontal",
            "gaze": {0: "ahead", 1: "left", -1: "right"}[int(np.sign(round(self.gaze_x, 2)))],
        }


def _sides(left: float, right: float) -> str:
    if left == right:
        return f"{left:.2f}"
    if not left or not right:
        return f"{left:.2f} left only" if left else f"{right:.2f} right only"
    return f"{left:.2f} left, {right:.2f} right"


def named_states(person: int = 0) -> dict[str, BoardState]:
    """Return a few settings of the board, for a page on which no board can run."""
    surprised, happy = (typical_action_units(emotion) for emotion in ("surprised", "happy"))
    return {
        "neutral": BoardState(person),
        "happy": BoardState(person, "happy", happy),
        "contemptuous": BoardState(person, "contemptuous", typical_action_units("contemptuous")),
        "squint": BoardState(person, MIXTURE, {"AU06": (0.7, 0.0), "AU07": (1.0, 0.0), "AU12": (0.5, 0.0)}),
        "surprised": BoardState(person, "surprised", surprised, yaw=40.0),
        "glance": BoardState(person, MIXTURE, {"AU02": (0.9, 0.0)}, gaze_x=GAZE_SHIFT["left"], light_azimuth=60.0),
    }


class FaceBoard(widgets.VBox):
    """The board: each change of a control draws the face and its labels anew.

    Sliders report when they are let go, so that a drag costs one drawing and not one for every step on its way.

    Parameters
    ----------
    seed : int
        Of the people that *random person* draws; the first one too.

    Attributes
    ----------
    emotion : Dropdown
        Choosing an emotion sets the Action Units to those typical of it; empty is a mixture of one's own.
    units : dict of str to (FloatSlider, FloatSlider)
        Left and right of each Action Unit, the person's own sides.
    scene : dict of str to FloatSlider
        Pose, gaze and light, by the names of `SCENE_SLIDERS`.
    linked : Checkbox
        Whether the other side of an Action Unit follows.
    person : BoundedIntText
    neutral, random : Button
    image : Image
    truth : HTML
        The true labels.
    """

    def __init__(self, seed: int = 0):
        self._rng = np.random.default_rng([int(seed), 4])
        self._setting = False
        names = [(emotion, emotion) for emotion in EMOTIONS] + [("a mixture", MIXTURE)]
        self.emotion = widgets.Dropdown(options=names, value="neutral", description="emotion")
        self.units = {unit: (_slider(0, 1, 0.05), _slider(0, 1, 0.05)) for unit in ACTION_UNITS}
        self.scene = {
            name: _slider(low, high, step, _REST[name], description)
            for name, (low, high, step, description) in SCENE_SLIDERS.items()
        }
        self.linked = widgets.Checkbox(value=True, description="move both sides together", indent=False)
        self.person = widgets.BoundedIntText(value=self._stranger(), min=0, max=LARGEST_IDENTITY, description="person")
        self.neutral = widgets.Button(description="neutral", tooltip="rest, frontal, studio light")
        self.random = widgets.Button(description="random person", tooltip="somebody else, everything else as it is")
        self.image = widgets.Image(format="png", layout=widgets.Layout(width=SHOWN_WIDTH))
        self.truth = widgets.HTML()
        super().__init__([self._arranged()])
        self._listen()
        self._redraw()

    @property
    def state(self) -> BoardState:
        """What the controls say."""
        units = {unit: (left.value, right.value) for unit, (left, right) in self.units.items() if left.value or right.value}
        scene = {name: slider.value for name, slider in self.scene.items()}
        return BoardState(self.person.value, self.emotion.value, units, **scene)

    @state.setter
    def state(self, state: BoardState) -> None:
        with self._together():
            self.person.value, self.emotion.value = state.person, state.emotion
            self._set_units(state.action_units)
            for name, slider in self.scene.items():
                slider.value = getattr(state, name)

    def _set_units(self, action_units: dict[str, tuple[float, float]]) -> None:
        for unit, sliders in self.units.items():
            for slider, value in zip(sliders, action_units.get(unit, (0.0, 0.0)), strict=True):
                slider.value = value

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Change many controls and draw once: they report each change, and are not listened to meanwhile."""
        self._setting = True
        try:
            yield
        finally:
            self._setting = False
        self._redraw()

    def _listen(self) -> None:
        self.emotion.observe(self._choose_emotion, "value")
        for sliders in self.units.values():
            for slider, other in (sliders, sliders[::-1]):
                slider.observe(partial(self._move_unit, other), "value")
        for control in (self.person, *self.scene.values()):
            control.observe(self._move_other, "value")
        self.neutral.on_click(lambda _: setattr(self, "state", BoardState(self.person.value)))
        self.random.on_click(lambda _: setattr(self.person, "value", self._stranger()))

    def _choose_emotion(self, change: dict[str, Any]) -> None:
        if not self._setting:
            with self._together():
                if change["new"] != MIXTURE:
                    self._set_units(typical_action_units(change["new"]))

    def _move_unit(self, other: widgets.FloatSlider, change: dict[str, Any]) -> None:
        if not self._setting:
            with self._together():
                self.emotion.value = MIXTURE
                if self.linked.value:
                    other.value = change["new"]

    def _move_other(self, change: dict[str, Any]) -> None:
        if not self._setting:
            self._redraw()

    def _stranger(self) -> int:
        return int(self._rng.integers(LARGEST_IDENTITY + 1))

    def _redraw(self) -> None:
        state = self.state
        self.image.value = cv2.imencode(".png", state.draw()[..., ::-1])[1].tobytes()
        rows = (f"<b>{name}</b>: {text}" for name, text in state.labels().items())
        self.truth.value = f'<div style="width:{SHOWN_WIDTH};line-height:1.5">' + "<br>".join(rows) + "</div>"

    def _arranged(self) -> widgets.Box:
        """Lay the picture and its truth beside the controls, or above them where there is no room."""
        heads = [widgets.Label("Action Unit"), widgets.Label("person's left"), widgets.Label("person's right")]
        cells = [cell for unit, (left, right) in self.units.items()
                 for cell in (widgets.Label(f"{unit} {AU_MEANINGS[unit]}"), left, right)]
        grid = widgets.GridBox([*heads, *cells], layout=widgets.Layout(grid_template_columns="185px 190px 190px"))
        buttons = widgets.HBox([self.neutral, self.random])
        picture = widgets.VBox([self.image, self.person, self.emotion, buttons, self.truth])
        controls = widgets.VBox([self.linked, grid, *self.scene.values()])
        return widgets.Box([picture, controls], layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start"))


def _slider(low: float, high: float, step: float, value: float = 0.0, description: str = "") -> widgets.FloatSlider:
    width = "360px" if description else "185px"
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=description, continuous_update=False,
        readout_format=".2f" if step < 1 else ".0f", layout=widgets.Layout(width=width),
        style={"description_width": "95px" if description else "0px"},
    )


def face_board(seed: int = 0) -> FaceBoard:
    """Return a board of sliders that draws one face live.

    Parameters
    ----------
    seed : int
        Of the first person, and of those whom *random person* draws.
    """
    return FaceBoard(seed)
