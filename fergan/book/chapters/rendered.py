"""The chapter of the rendered faces: panels of named faces, the truth drawn over them, and tables that count the labels."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH, show_faces
from fergan.facs import AU_MEANINGS
from fergan.rendered import STAND_INS, stand_in_labels
from fergan.rendered.board import true_labels

#: Accuracy that the difficulty of these faces was set to, from lowest to highest, by features.
AIMS = {"pixels": (0.40, 0.65), "true Action Units": (0.95, 1.0)}


def face_panels(panels: Mapping[str, Mapping[Any, np.ndarray]], n_across: int = 2) -> Figure:
    """Show short rows of faces, each face with its caption below, each row with its title above.

    Parameters
    ----------
    panels : mapping
        Title -> {caption: image uint8 (h, w, 3)}; an Action Unit as a title gets its FACS name. Captions that the panel
        below repeats are left out.
    n_across : int
        Panels beside each other.
    """
    titles, n_down = list(panels), -(-len(panels) // n_across)
    widest = max(len(panel) for panel in panels.values())
    face = WIDTH / n_across / widest
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, n_down * (face + 0.3) + 0.2), squeeze=False)
    for ax in axes.flat[len(titles):]:
        ax.set_axis_off()
    for index, (ax, title) in enumerate(zip(axes.flat, titles, strict=False)):
        images = np.stack(list(panels[title].values()))
        show_faces(ax, images, len(images))
        ax.set_xlim(-0.5, widest * (images.shape[2] + 2) - 2.5)  # a shorter row keeps the size of its faces
        ax.set_anchor("W")
        ax.set_title(f"{title} {AU_MEANINGS[title]}" if title in AU_MEANINGS else title, loc="left", pad=3)
        below = titles[index + n_across] if index + n_across < len(titles) else ""
        if not below or list(panels[below]) != list(panels[title]):
            places = (np.arange(len(images)) + 0.5) * (images.shape[2] + 2) - 1.5
            ax.set_xticks(places, [str(caption).replace("-", "−") for caption in panels[title]], fontsize="small")
            ax.tick_params(length=0, pad=2)
    return figure


def true_places(titles: list[str], images: np.ndarray, truth: pd.DataFrame, n_columns: int = 3) -> Figure:
    """Show faces (n, h, w, 3) with their box and landmarks, from the truth that `fergan.rendered.render_faces` returns."""
    n_rows = -(-len(images) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(WIDTH, n_rows * (WIDTH / n_columns + 0.3)), squeeze=False)
    for ax in axes.flat[len(images):]:
        ax.set_axis_off()
    for ax, title, image, (_, row) in zip(axes.flat, titles, images, truth.iterrows(), strict=False):
        show_faces(ax, image[None], 1)
        left, top, right, bottom = row[["box_left", "box_top", "box_right", "box_bottom"]]
        ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#e69f00", linewidth=1.4))
        x, y = (row.filter(regex=rf"^landmark_\d+_{axis}$").to_numpy(float) for axis in "xy")
        ax.plot(x, y, "o", color="#56b4e9", markeredgecolor="#10324a", markeredgewidth=0.4, markersize=2.4)
        ax.set_title(title, loc="left", pad=3)
    return figure


def design_table(sizes: Mapping[str, int | None], seed: int) -> pd.DataFrame:
    """Return how each stand-in in use is built: faces, people and sequences, also in full; emotions, views and gazes.

    `sizes` has the faces of each set that the book uses, None for all. A set in the wild has any view and gaze: no number.
    """
    rows = []
    for name in (name for name in STAND_INS if name in sizes):
        full = stand_in_labels(name, seed=seed)
        here = stand_in_labels(name, sizes[name], seed=seed)
        row: dict[str, Any] = {"set": name}
        for title, column in {"faces": "source", "people": "subject", "sequences": "sequence"}.items():
            row[title] = here[column].nunique() or None
            row[f"all {title}"] = full[column].nunique() or None
        for title in ("emotion", "view", "gaze"):
            kinds = set(full[title].dropna()) - {"wild"}
            row[f"{title}s"] = len(kinds) or None
        rows.append(row)
    return pd.DataFrame(rows).convert_dtypes()


def variation_table(sizes: Mapping[str, int | None], seed: int) -> pd.DataFrame:
    """Return what else varies in each full set: the middle 90 % of angles in degrees, and per cent of faces."""
    rows = []
    for name in (name for name in STAND_INS if name in sizes):
        labels = stand_in_labels(name, seed=seed)
        angles = labels[["yaw", "pitch", "light_azimuth"]].quantile([0.05, 0.95]).round().astype(int)
        row = {"set": name} | {f"{column.split('_')[0]}, {end}": angles.iloc[k][column] for column in angles
                               for k, end in enumerate(("low", "high"))}
        rows.append(row | {title: round(100 * (labels[title] > 0).mean()) for title in ("glasses", "occluded", "grey")})
    return pd.DataFrame(rows)


def board_table(settings: Mapping[str, tuple[str, dict, dict]]) -> pd.DataFrame:
    """Return the true labels of the settings that `fergan.rendered.board.board_settings` names."""
    return pd.DataFrame([{"setting": name, **true_labels(*setting)} for name, setting in settings.items()])


def difficulty_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy on unseen people beside what it was meant to be, from an experiment's scores."""
    independent = scores.query("score == 'accuracy' and protocol == 'subject_independent'").set_index("features")
    table = independent.loc[list(AIMS), ["value", "low", "high"]].reset_index()
    table["aim, low"], table["aim, high"] = zip(*AIMS.values(), strict=True)
    return table.assign(met=table["value"].between(table["aim, low"], table["aim, high"]))
