"""The chapter of the rendered faces: panels of faces with their truth, a table that counts labels, a board of sliders."""

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from PIL import Image

from fergan.book.plots import WIDTH, panels_of, show_faces
from fergan.facs import ACTION_UNITS, AU_MEANINGS
from fergan.rendered import render_expression
from fergan.rendered.labels import GAZE_SHIFT, OCCURRENCE_THRESHOLD, default_setting

BOARD_SIZE = 192  # pixels: drawn in under a tenth of a second
#: What the board moves beside the Action Units -> lowest and highest value; degrees, but for the gaze in cm and the light.
SCENE_SLIDERS = {"yaw": (-90, 90), "pitch": (-30, 30), "gaze_x": (-GAZE_SHIFT["left"], GAZE_SHIFT["left"]),
                 "light_azimuth": (-80, 80), "light_elevation": (-40, 80), "key": (0, 1.2)}  # fmt: skip


def face_panels(panels: Mapping[str, Mapping[Any, np.ndarray]], n_across: int = 2) -> plt.Figure:
    """Show rows of faces, title -> {caption: image uint8 (h, w, 3)}; an Action Unit as a title gets its FACS name."""
    widest = max(len(panel) for panel in panels.values())
    figure, axes = panels_of(len(panels), n_across, WIDTH / n_across / widest + 0.15)
    for ax, (title, panel) in zip(axes, panels.items(), strict=True):
        images = np.stack(list(panel.values()))
        show_faces(ax, images, len(images))
        step = images.shape[2] + 2
        ax.set_xlim(-0.5, widest * step - 2.5)  # a shorter row keeps the size of its faces
        ax.set_anchor("W")
        ax.set_title(f"{title} {AU_MEANINGS[title]}" if title in AU_MEANINGS else title, loc="left", pad=3)
        captions = [str(caption).replace("-", "−") for caption in panel]
        ax.set_xticks((np.arange(len(images)) + 0.5) * step - 1.5, captions, fontsize="small")
        ax.tick_params(length=0, pad=2)
    return figure


def true_places(titles: list[str], images: np.ndarray, truth: pd.DataFrame, n_columns: int = 3) -> plt.Figure:
    """Show faces (n, h, w, 3) with their box and landmarks, from the truth that `fergan.rendered.render_faces` returns."""
    figure, axes = panels_of(len(images), n_columns, WIDTH / n_columns)
    for ax, title, image, (_, row) in zip(axes, titles, images, truth.iterrows(), strict=True):
        show_faces(ax, image[None], 1)
        left, top, right, bottom = row[["box_left", "box_top", "box_right", "box_bottom"]]
        ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#e69f00", linewidth=1.4))
        x, y = (row.filter(regex=rf"^landmark_\d+_{axis}$").to_numpy(float) for axis in "xy")
        ax.plot(x, y, "o", color="#56b4e9", markeredgecolor="#10324a", markeredgewidth=0.4, markersize=2.4)
        ax.set_title(title, loc="left", pad=3)
    return figure


def face_board(person: int) -> widgets.Widget:
    """Return sliders that draw a face live, at first this person's, and say which Action Units are present."""
    def draw(person: int, **sliders: float) -> tuple[np.ndarray, list[str]]:
        sides = {unit: (sliders.pop(f"{unit}_left"), sliders.pop(f"{unit}_right")) for unit in ACTION_UNITS}
        image = render_expression(person, sides, size=BOARD_SIZE, **sliders)
        present = [unit for unit, intensities in sides.items() if max(intensities) >= OCCURRENCE_THRESHOLD]
        display(Image.fromarray(image))
        print("Action Units present:", ", ".join(present) or "none")
        return image, present

    rest = default_setting()
    sliders = {f"{unit}_{side}": (0, 0, 1) for unit in ACTION_UNITS for side in ("left", "right")}
    sliders |= {name: (rest[name], *bounds) for name, bounds in SCENE_SLIDERS.items()}
    return widgets.interactive(draw, person=widgets.BoundedIntText(person, max=99_999), **{
        name: widgets.FloatSlider(value, min=low, max=high, step=(high - low) / 20, continuous_update=False)
        for name, (value, low, high) in sliders.items()})
