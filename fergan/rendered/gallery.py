"""Pictures and tables of the chapter that shows the rendered faces, and a board of sliders that draws one live.

Pictures come as ``{title: {caption: image}}``, which `fergan.book.figures.faces.face_panels` draws, or as rows of one
label; images are uint8 of shape (size, size, 3).
"""

import cv2
import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import HTML, Image, display

from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTIONS
from fergan.rendered.person import OCCURRENCE_THRESHOLD, action_unit_array, draw_action_units, occurrence
from fergan.rendered.render import render_expression, render_faces
from fergan.rendered.scene import GAZE_SHIFT, default_setting
from fergan.rendered.stand_ins import FULL_SIZES, STAND_INS, VIEWS, stand_in_labels

WILD_SETS = ("raf-db", "celeba", "sfew")
PITCHES = (-20, -10, 0, 10, 20)  # degrees
GAZES = {"right": (-1, 0), "ahead": (0, 0), "left": (1, 0), "up": (0, 0.5), "down": (0, -0.5)}  # in the sets' gaze shift
LIGHTS = {"right": dict(light_azimuth=-65.0), "front": {}, "left": dict(light_azimuth=65.0),
          "below": dict(light_elevation=-35.0), "all sides, dim": dict(ambient=0.3, key=0.0)}
CLOSE_UP = 1.55  # scale at which little but the face is in the picture
PEOPLE_APART = 1000  # identity numbers between one seed's people and the next seed's

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


def action_unit_name(unit):
    """An Action Unit with its FACS name, for example "AU12 lip corner puller"."""
    return f"{unit} {AU_MEANINGS[unit]}"


def people_of(seed, n_people):
    """The identity numbers of `n_people` people, other ones for every seed: a range."""
    return range(PEOPLE_APART * seed, PEOPLE_APART * seed + n_people)


def posed_faces(n_people, seed):
    """Labels of the first people of ``rafd-frontal`` who look ahead: each shows every emotion once."""
    labels = stand_in_labels("rafd-frontal", seed=seed)
    n_there = labels["subject"].nunique()
    if not 1 <= n_people <= n_there:
        raise ValueError(f"n_people is {n_people}; rafd-frontal has 1 to {n_there}")
    ahead = labels[labels["gaze"] == "frontal"]
    return ahead[ahead["subject"].isin(ahead["subject"].unique()[:n_people])].reset_index(drop=True)


def emotion_rows(n_people, seed, size=96):
    """For each emotion the faces of the same people."""
    labels = posed_faces(n_people, seed)
    images, _ = render_faces(labels, size=size)
    return {emotion: images[(labels["emotion"] == emotion).to_numpy()] for emotion in EMOTIONS}


def true_action_units(labels):
    """The true intensities as features: float32 (n_faces, 28), left and right of each Action Unit."""
    return labels[[f"{unit}_{side}" for unit in ACTION_UNITS for side in ("left", "right")]].to_numpy(np.float32)


def intensity_panels(person, levels, size=96):
    """Each Action Unit alone on one face: neutral, then at each of the intensities `levels`, 0..1."""
    neutral = render_expression(person, {}, size=size, scale=CLOSE_UP)
    return {
        action_unit_name(unit): {"neutral": neutral} | {
            f"{level:.2f}": render_expression(person, {unit: level}, size=size, scale=CLOSE_UP) for level in levels
        }
        for unit in ACTION_UNITS
    }


def side_panels(person, units, size=128):
    """Action Units at full intensity on the person's right side, on both and on the left."""
    sides = {"right only": (0.0, 1.0), "both": (1.0, 1.0), "left only": (1.0, 0.0)}
    return {
        action_unit_name(unit): {
            name: render_expression(person, {unit: side}, size=size, scale=CLOSE_UP) for name, side in sides.items()
        }
        for unit in units
    }


def scene_panels(person, size=128):
    """One neutral face under the yaws of the sets, and under some pitches, gazes and lights."""
    def row(settings):
        return {name: render_expression(person, {}, size=size, **setting) for name, setting in settings.items()}

    shift = GAZE_SHIFT["left"]
    gazes = {name: dict(gaze_x=x * shift, gaze_y=y * shift, scale=CLOSE_UP) for name, (x, y) in GAZES.items()}
    return {
        "yaw, degrees": row({_signed(yaw): dict(yaw=float(yaw)) for yaw in sorted(VIEWS.values())}),
        "pitch, degrees": row({_signed(pitch): dict(pitch=float(pitch)) for pitch in PITCHES}),
        "gaze": row(gazes),
        "light from": row(LIGHTS),
    }


def _signed(angle):
    return f"{angle:+g}".replace("-", "−") if angle else "0"


def wild_rows(n_faces, seed, size=96):
    """The first faces of each stand-in for photographs in the wild."""
    return {name: render_faces(stand_in_labels(name, seed=seed).iloc[:n_faces], size=size)[0] for name in WILD_SETS}


def sequence_rows(emotions, n_frames, seed, size=96):
    """For each emotion the first sequence in ``enhanced-ck``: frames evenly spaced in time, from neutral to apex."""
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


def truth_examples(seed, size=192):
    """Three views of one person and the first face of each set in the wild: {set or view: image}, and their truth."""
    multiview = stand_in_labels("rafd-multiview", seed=seed)
    surprised = multiview[multiview["emotion"] == "surprised"]
    views = {"frontal": "frontal", "yaw +45": "yaw+45", "yaw −90": "yaw-90"}
    chosen = {title: surprised[surprised["view"] == view].iloc[:1] for title, view in views.items()}
    chosen |= {name: stand_in_labels(name, seed=seed).iloc[:1] for name in WILD_SETS}
    images, truth = render_faces(pd.concat(chosen.values(), ignore_index=True), size=size)
    return dict(zip(chosen, images, strict=True)), truth


def parse_sizes(text):
    """Turn "kdef:1120,sfew:0" into faces per stand-in; 0 stands for the full size. ValueError names a faulty part."""
    sizes = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition(":")
        if name not in STAND_INS or not number.isdigit():
            raise ValueError(f"sets: {part!r} is not a stand-in and its number of faces, such as 'kdef:1120';"
                             f" stand-ins are {', '.join(STAND_INS)}")
        sizes[name] = int(number) or FULL_SIZES[name]
    return sizes


def design_table(sizes, seed):
    """How each stand-in is built: faces, people and sequences of `sizes` and in full; emotions, views and gazes."""
    def of(here, full):
        return f"all {full:,}" if here == full else f"{here:,} of {full:,}"

    rows = []
    for name in STAND_INS:
        full = stand_in_labels(name, seed=seed)
        here = stand_in_labels(name, sizes[name], seed=seed) if name in sizes else full.iloc[:0]
        sequences = here["sequence"].nunique(), full["sequence"].nunique()
        rows.append({
            "set": name,
            "faces": of(len(here), len(full)),
            "people": of(here["subject"].nunique(), full["subject"].nunique()),
            "emotions": full["emotion"].nunique() or pd.NA,
            "views": "any" if (full["view"] == "wild").all() else str(full["view"].nunique()),
            "gazes": "any" if (full["gaze"] == "wild").all() else str(full["gaze"].nunique()),
            "sequences": of(*sequences) if sequences[1] else "–",
        })
    return pd.DataFrame(rows)


def variation_table(seed):
    """What else varies within each full stand-in: the middle 90 % of angles in degrees, shares of faces."""
    shares = {"glasses": "glasses", "covered": "occluded", "grey": "grey"}
    angles = {"yaw": "yaw", "pitch": "pitch", "light from": "light_azimuth"}
    rows = []
    for name in STAND_INS:
        labels = stand_in_labels(name, seed=seed)
        middle = labels[list(angles.values())].quantile([0.05, 0.95]).round().astype(int)
        row = {title: "{}\u00a0to\u00a0{}".format(*middle[column]).replace("-", "−") for title, column in angles.items()}
        chosen = {title: (labels[column] > 0).mean() for title, column in shares.items()}
        rows.append({"set": name} | row | {title: f"{100 * n:.0f}\u00a0%" if n else "–" for title, n in chosen.items()})
    return pd.DataFrame(rows)


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
        "yaw": _signed(scene.get("yaw", 0)),
        "pitch": _signed(scene.get("pitch", 0)),
        "gaze": {0: "ahead", 1: "left", -1: "right"}[int(np.sign(round(scene.get("gaze_x", 0), 2)))],
    }


def face_board(seed=0):
    """Return a board of sliders that draws one face live and says its true labels; it needs a running kernel.

    Choosing an emotion sets the Action Units to those typical of it; moving one makes it a mixture. `seed` chooses the
    first person, and those whom *random person* draws. Sliders report when they are let go: a drag draws once.
    """
    rng = np.random.default_rng([int(seed), 4])
    rest = default_setting()
    units = {f"{unit}_{side}": _slider(0, 1, 0.05, 0, f"{action_unit_name(unit)}, {side}")
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
