"""The chapter of the rendered faces: panels of faces with their truth, tables that count labels, a live board of sliders."""

from collections.abc import Mapping
from typing import Any

import cv2
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Image, display
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH, show_faces
from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTIONS
from fergan.rendered import STAND_INS, render_expression, stand_in_labels
from fergan.rendered.labels import GAZE_SHIFT, OCCURRENCE_THRESHOLD, default_setting, draw_action_units

#: Accuracy that the difficulty of these faces was set to, from lowest to highest, by features.
AIMS = {"pixels": (0.40, 0.65), "true Action Units": (0.95, 1.0)}

BOARD_SIZE = 192  # pixels: drawn in under a tenth of a second
LARGEST_IDENTITY = 99_999
# name: (lowest, highest, step, what the board calls it)
SCENE_SLIDERS = {
    "yaw": (-90.0, 90.0, 5.0, "yaw °"),
    "pitch": (-30.0, 30.0, 5.0, "pitch °"),
    "gaze_x": (-GAZE_SHIFT["left"], GAZE_SHIFT["left"], 0.06, "gaze, cm"),
    "light_azimuth": (-80.0, 80.0, 5.0, "light from °"),
    "light_elevation": (-40.0, 80.0, 5.0, "light height °"),
    "key": (0.0, 1.2, 0.02, "light strength"),
}


def face_panels(panels: Mapping[str, Mapping[Any, np.ndarray]], n_across: int = 2) -> Figure:
    """Show short rows of faces, each face with its caption below, each row with its title above.

    Args:
        panels: Title -> {caption: image uint8 (h, w, 3)}; an Action Unit as a title gets its FACS name. Captions that the
            panel below repeats are left out.
        n_across: Panels beside each other.
    """
    titles, widest = list(panels), max(len(panel) for panel in panels.values())
    figure, axes = _axes(len(titles), n_across, WIDTH / n_across / widest, spare=0.2)
    for index, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        images = np.stack(list(panels[title].values()))
        show_faces(ax, images, len(images))
        step = images.shape[2] + 2
        ax.set_xlim(-0.5, widest * step - 2.5)  # a shorter row keeps the size of its faces
        ax.set_anchor("W")
        ax.set_title(f"{title} {AU_MEANINGS[title]}" if title in AU_MEANINGS else title, loc="left", pad=3)
        below = panels.get("".join(titles[index + n_across : index + n_across + 1]), {})
        if list(below) != list(panels[title]):
            captions = [str(caption).replace("-", "−") for caption in panels[title]]
            ax.set_xticks((np.arange(len(images)) + 0.5) * step - 1.5, captions, fontsize="small")
            ax.tick_params(length=0, pad=2)
    return figure


def _axes(n: int, n_across: int, height: float, spare: float = 0.0) -> tuple[Figure, list[Any]]:
    """Return a figure and n axes of this height in inches, and room for their titles, in rows of n_across."""
    n_down = -(-n // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, n_down * (height + 0.3) + spare), squeeze=False)
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:n])


def true_places(titles: list[str], images: np.ndarray, truth: pd.DataFrame, n_columns: int = 3) -> Figure:
    """Show faces (n, h, w, 3) with their box and landmarks, from the truth that `fergan.rendered.render_faces` returns."""
    figure, axes = _axes(len(images), n_columns, WIDTH / n_columns)
    for ax, title, image, (_, row) in zip(axes, titles, images, truth.iterrows(), strict=True):
        show_faces(ax, image[None], 1)
        left, top, right, bottom = row[["box_left", "box_top", "box_right", "box_bottom"]]
        ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#e69f00", linewidth=1.4))
        x, y = (row.filter(regex=rf"^landmark_\d+_{axis}$").to_numpy(float) for axis in "xy")
        ax.plot(x, y, "o", color="#56b4e9", markeredgecolor="#10324a", markeredgewidth=0.4, markersize=2.4)
        ax.set_title(title, loc="left", pad=3)
    return figure


def set_tables(sizes: Mapping[str, int | None], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how each stand-in in use is built, and what else varies in the whole set, one row for each.

    The first table counts faces, people and sequences, also in full, and emotions, views and gazes (none where anything
    goes); the second has the middle 90 % of angles in degrees, and per cent of faces. `sizes` has the faces of each set that
    the book uses, None for all.
    """
    design, variation = [], []
    for name in (name for name in STAND_INS if name in sizes):
        full, here = stand_in_labels(name, seed=seed), stand_in_labels(name, sizes[name], seed=seed)
        counts, shares = {"set": name}, {"set": name}
        for title, column in {"faces": "source", "people": "subject", "sequences": "sequence"}.items():
            counts |= {title: here[column].nunique() or None, f"all {title}": full[column].nunique() or None}
        for column in ("emotion", "view", "gaze"):
            counts[f"{column}s"] = full[column].replace("wild", None).nunique() or None
        for title, column in {"yaw": "yaw", "pitch": "pitch", "light": "light_azimuth"}.items():
            shares[f"{title}, low"], shares[f"{title}, high"] = full[column].quantile([0.05, 0.95]).round().astype(int)
        shares |= {column: round(100 * (full[column] > 0).mean()) for column in ("glasses", "occluded", "grey")}
        design.append(counts)
        variation.append(shares)
    return pd.DataFrame(design).convert_dtypes(), pd.DataFrame(variation)


def difficulty_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy on unseen people beside what it was meant to be, from an experiment's scores."""
    independent = scores.query("score == 'accuracy' and protocol == 'subject_independent'").set_index("features")
    table = independent.loc[list(AIMS), ["value", "low", "high"]].reset_index()
    table["aim, low"], table["aim, high"] = zip(*AIMS.values(), strict=True)
    return table.assign(met=table["value"].between(table["aim, low"], table["aim, high"]))


# ---- the board of sliders

def typical_action_units(emotion: str) -> dict[str, tuple[float, float]]:
    """Return the Action Units that more than half of an emotion's posed faces show: {unit: (left, right)}.

    Their median intensities in steps of .05; one that lies on one side only is put on the person's left.
    """
    drawn = draw_action_units([emotion] * 999, np.random.default_rng(0))
    units = {}
    for unit, (weak, strong) in zip(ACTION_UNITS, np.median(np.sort(drawn, axis=2), axis=0), strict=True):
        if strong >= OCCURRENCE_THRESHOLD:
            both = (weak + strong) / 2
            sides = (both, both) if weak >= OCCURRENCE_THRESHOLD else (strong, weak)
            units[unit] = tuple(round(round(float(side) / 0.05) * 0.05, 2) for side in sides)
    return units


def face_board(seed: int = 0) -> widgets.Widget:
    """Return a board of sliders that draws one face live and says which Action Units are present; it needs a kernel.

    Choosing an emotion sets the Action Units to those typical of it. `seed` chooses the first person. Sliders report when
    they are let go: a drag draws once.
    """
    rest = default_setting()
    units = {f"{unit}_{side}": _slider(0, 1, 0.05, 0, f"{unit} {AU_MEANINGS[unit]}, {side}")
             for unit in ACTION_UNITS for side in ("left", "right")}
    scene = {name: _slider(*bounds, rest[name], title) for name, (*bounds, title) in SCENE_SLIDERS.items()}
    emotion = widgets.Dropdown(options=EMOTIONS, value="neutral", description="emotion")
    first = int(np.random.default_rng([int(seed), 4]).integers(LARGEST_IDENTITY + 1))
    person = widgets.BoundedIntText(first, max=LARGEST_IDENTITY, description="person")
    setting = []  # the change that sets other sliders, which must not draw the face too

    def choose(change):
        setting.append(change)
        typical = typical_action_units(change["new"])
        for unit in ACTION_UNITS:
            units[f"{unit}_left"].value, units[f"{unit}_right"].value = typical.get(unit, (0.0, 0.0))
        setting.clear()

    def draw(person, emotion, **sliders):
        if setting:
            return None
        sides = {unit: (sliders.pop(f"{unit}_left"), sliders.pop(f"{unit}_right")) for unit in ACTION_UNITS}
        image = render_expression(person, sides, size=BOARD_SIZE, **sliders)
        present = [unit for unit, intensities in sides.items() if max(intensities) >= OCCURRENCE_THRESHOLD]
        display(Image(cv2.imencode(".png", image[..., ::-1])[1].tobytes(), width=320))
        print("Action Units present:", ", ".join(present) or "none")
        return image, present

    emotion.observe(choose, "value")  # before the board listens to the same control
    board = widgets.interactive(draw, person=person, emotion=emotion, **units, **scene)
    grid = widgets.GridBox([*units.values(), *scene.values()], layout={"grid_template_columns": "auto auto"})
    board.children = [widgets.HBox([widgets.VBox([person, emotion, board.out]), grid])]
    board.controls = {"person": person, "emotion": emotion, **units, **scene}
    return board


def _slider(low: float, high: float, step: float, value: float, title: str) -> widgets.FloatSlider:
    return widgets.FloatSlider(value=value, min=low, max=high, step=step, description=title, continuous_update=False,
                               layout={"width": "400px"}, style={"description_width": "200px"})
