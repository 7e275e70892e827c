"""Pictures and tables of the chapter that shows the rendered faces: from a few seeds to images with names.

Pictures come as ``{title: {caption: image}}``, which `fergan.book.figures.faces.face_panels` draws, or as rows of one label.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTIONS
from fergan.rendered.protocols import FULL_SIZES, STAND_INS, VIEWS, protocol_labels
from fergan.rendered.render import render_expression, render_faces
from fergan.rendered.scene import GAZE_SHIFT

__all__ = [
    "action_unit_name", "design_table", "emotion_rows", "intensity_panels", "parse_sizes", "people_of", "posed_faces",
    "scene_panels", "sequence_rows", "side_panels", "true_action_units", "truth_examples", "variation_table", "wild_rows",
]

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
    labels = protocol_labels("rafd-frontal", seed=seed)
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
        name: render_faces(protocol_labels(name, seed=seed).iloc[:n_faces], size=size)[0] for name in WILD_SETS
    }


def sequence_rows(emotions: Iterable[str], n_frames: int, seed: int, size: int = 96) -> dict[str, np.ndarray]:
    """Return the first sequence of each of these emotions in ``enhanced-ck``, from neutral to apex.

    Returns
    -------
    dict of str to ndarray of shape (n_frames, size, size, 3), uint8
        By emotion, frames evenly spaced in time.
    """
    labels = protocol_labels("enhanced-ck", seed=seed)
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
    multiview = protocol_labels("rafd-multiview", seed=seed)
    surprised = multiview[multiview["emotion"] == "surprised"]
    views = {"frontal": "frontal", "yaw +45": "yaw+45", "yaw −90": "yaw-90"}
    chosen = {title: surprised[surprised["view"] == view].iloc[:1] for title, view in views.items()}
    chosen |= {name: protocol_labels(name, seed=seed).iloc[:1] for name in WILD_SETS}
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
        full = protocol_labels(name, seed=seed)
        here = protocol_labels(name, sizes[name], seed=seed) if name in sizes else full.iloc[:0]
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
        labels = protocol_labels(name, seed=seed)
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
