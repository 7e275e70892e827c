"""Figures of faces: images in, matplotlib figures out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH

__all__ = [
    "captioned_faces", "face_grid", "face_panels", "face_walks", "filmstrip", "labelled_face_rows", "show_faces",
    "true_places",
]


def _tile(images: np.ndarray, n_columns: int, gap: int = 2) -> np.ndarray:
    """Lay images (n, h, w, 3) out row by row on a white sheet."""
    n, height, width, _ = images.shape
    n_rows = max(1, -(-n // n_columns))  # a row for no face at all stays white
    sheet = np.full((n_rows * (height + gap) - gap, n_columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // n_columns) * (height + gap), (index % n_columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def show_faces(ax: Axes, images: np.ndarray, n_columns: int) -> None:
    """Draw images uint8 (n, h, w, 3) row by row into an axes of one's own."""
    _show(ax, _tile(np.asarray(images), n_columns))


def _show(ax: Axes, sheet: np.ndarray) -> None:
    ax.imshow(sheet, interpolation="lanczos")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    sns.despine(ax=ax, left=True, bottom=True)


def face_grid(images: np.ndarray, n_columns: int = 12, title: str = "", ax: Axes | None = None) -> Figure:
    """Show faces row by row.

    Parameters
    ----------
    images : ndarray of shape (n, 64, 64, 3), dtype uint8
    n_columns : int
        Faces in a row.
    title : str
        Above the grid.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    """
    sheet = _tile(np.asarray(images), n_columns)
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, WIDTH * sheet.shape[0] / sheet.shape[1] + (0.3 if title else 0)))
    _show(ax, sheet)
    ax.set_title(title, loc="left")
    return ax.figure


def labelled_face_rows(rows: Mapping[str, np.ndarray], n_columns: int) -> Figure:
    """Show one row of faces per label, the label at its left."""
    height = WIDTH / n_columns * 0.95
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, height * len(rows)), squeeze=False)
    for ax, (label, images) in zip(axes.flat, rows.items(), strict=True):
        _show(ax, _tile(np.asarray(images), n_columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize="small")
    return figure


def captioned_faces(images: np.ndarray, captions: Sequence[str], n_columns: int = 8) -> Figure:
    """Show faces row by row, each with its caption below.

    Parameters
    ----------
    images : ndarray of shape (n, 64, 64, 3), dtype uint8
    captions : sequence of n str
        One or two lines each.
    n_columns : int
        Faces in a row.
    """
    n_rows = max(1, -(-len(images) // n_columns))
    side = WIDTH / n_columns
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(WIDTH, n_rows * (side + 0.36)), squeeze=False)
    for ax in axes.flat[len(images):]:
        ax.set_axis_off()
    for ax, image, caption in zip(axes.flat, images, captions, strict=False):
        _show(ax, image)
        ax.set_xlabel(caption, fontsize="x-small", labelpad=2)
    return figure


def face_panels(panels: Mapping[str, Mapping[str, np.ndarray]], n_across: int = 2) -> Figure:
    """Show short rows of faces, each face with its caption below, each row with its title above.

    Parameters
    ----------
    panels : mapping
        Title -> {caption: image uint8 (h, w, 3)}. Captions that the panel below repeats are left out.
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
        _show(ax, _tile(images, len(images)))
        ax.set_xlim(-0.5, widest * (images.shape[2] + 2) - 2.5)  # a shorter row keeps the size of its faces
        ax.set_anchor("W")
        ax.set_title(title, loc="left", pad=3)
        below = titles[index + n_across] if index + n_across < len(titles) else ""
        if not below or list(panels[below]) != list(panels[title]):
            places = (np.arange(len(images)) + 0.5) * (images.shape[2] + 2) - 1.5
            ax.set_xticks(places, list(panels[title]), fontsize="small")
            ax.tick_params(length=0, pad=2)
    return figure


def true_places(images: Mapping[str, np.ndarray], truth: pd.DataFrame, n_columns: int = 3) -> Figure:
    """Show faces with their box and landmarks.

    Parameters
    ----------
    images : mapping
        Title -> image uint8 (h, w, 3).
    truth : DataFrame
        One row per image: ``box_left, box_top, box_right, box_bottom`` and ``landmark_<nn>_x``, ``landmark_<nn>_y``,
        pixels.
    n_columns : int
        Faces in a row.
    """
    n_rows = -(-len(images) // n_columns)
    size = (WIDTH, n_rows * (WIDTH / n_columns + 0.3))
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(images):]:
        ax.set_axis_off()
    for ax, (title, image), (_, row) in zip(axes.flat, images.items(), truth.iterrows(), strict=False):
        _show(ax, image)
        left, top, right, bottom = row[["box_left", "box_top", "box_right", "box_bottom"]]
        ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#e69f00", linewidth=1.4))
        x, y = (row.filter(regex=rf"^landmark_\d+_{axis}$").to_numpy(float) for axis in "xy")
        ax.plot(x, y, "o", color="#56b4e9", markeredgecolor="#10324a", markeredgewidth=0.4, markersize=2.4)
        ax.set_title(title, loc="left", pad=3)
    return figure


def filmstrip(steps: np.ndarray, frames: np.ndarray, n_faces: int = 6, n_columns: int = 9) -> Figure:
    """Show the same noise over training.

    Parameters
    ----------
    steps : ndarray of shape (n_frames,)
    frames : ndarray of shape (n_frames, n, 64, 64, 3), dtype uint8
    n_faces : int
        How many of the n faces to show, one per row.
    n_columns : int
        At most so many of the frames, evenly spaced.
    """
    shown = np.linspace(0, len(steps) - 1, min(n_columns, len(steps))).round().astype(int)
    steps, frames = steps[shown], frames[shown]
    figure, axes = plt.subplots(1, len(steps), figsize=(WIDTH, WIDTH * n_faces / len(steps) + 0.35), squeeze=False)
    for ax, step, frame in zip(axes.flat, steps, frames, strict=True):
        _show(ax, _tile(frame[:n_faces], 1))
        ax.set_title(f"{step:,}", fontsize="small")
    figure.supxlabel("training step", fontsize="small")
    return figure


def face_walks(images: np.ndarray, rows: Sequence[str], columns: Sequence[str], xlabel: str) -> Figure:
    """Show faces that change from left to right, one walk per row.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, 64, 64, 3), dtype uint8
    rows, columns : sequence of str
        What stands beside each row and above each column.
    xlabel : str
        What the columns are.
    """
    n_rows, n_columns, height, width, _ = images.shape
    gap = 2
    figure, ax = plt.subplots(figsize=(WIDTH, WIDTH * n_rows / n_columns + 0.5))
    _show(ax, _tile(images.reshape(-1, height, width, 3), n_columns, gap))
    ax.set_xticks((np.arange(n_columns) + 0.5) * (width + gap) - 1.5, columns, fontsize="large")
    ax.set_yticks((np.arange(n_rows) + 0.5) * (height + gap) - 1.5, rows, fontsize="large")
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0, pad=3, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.set_xlabel(xlabel, fontsize="large")
    return figure
