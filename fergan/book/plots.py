"""What several chapters draw: faces, scores with intervals, curves, tables as shades; and what moves on a page.

Figures are made for a column about 7 inches wide and stay readable at 390 pixels: no text under 9 points, few panels, no
legend over data, colours that differ in lightness as well as in hue. What moves needs no kernel and no network: one HTML
element holds its pictures and numbers. It shows its last frame or middle threshold without scripts, and is left out on
paper, where a figure shows the same.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import roc_curve

from fergan.book.show import TEMPLATES
from fergan.experiments.cross_validation import AS_PUBLISHED, OFFICIAL_SPLIT, SUBJECT_INDEPENDENT
from fergan.files import read_json, rendered

WIDTH = 7.0  # inches, of a full-width figure
GAP = 2  # pixels between faces

#: What tables and figures call the protocols that every set has, and, with a set's own split, all of them.
TWO_PROTOCOLS = {AS_PUBLISHED: "as published", SUBJECT_INDEPENDENT: "people never seen"}
EVERY_PROTOCOL = TWO_PROTOCOLS | {OFFICIAL_SPLIT: "official split"}

_MARKERS, _DASHES = "osD^vPX*<>dp1", ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))


def use_style() -> None:
    """Set the book's look; each notebook calls it once."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams.update({
        "figure.dpi": 110, "savefig.bbox": "tight", "figure.constrained_layout.use": True, "axes.titlesize": "medium",
        "axes.spines.top": False, "axes.spines.right": False, "legend.columnspacing": 1, "legend.handletextpad": 0.3,
    })


def generator_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how to draw the curve of each generator: markers and dashes tell curves apart where colours cannot."""
    cycles = zip(names, cycle(range(10)), cycle(_MARKERS), cycle(_DASHES))
    return {name: {"color": f"C{k}", "marker": marker, "linestyle": dash} for name, k, marker, dash in cycles}


# ---- faces

def tiled(images: np.ndarray, n_columns: int) -> np.ndarray:
    """Return images uint8 (n, height, width, 3) row by row on a white sheet, `GAP` pixels apart."""
    n, height, width, _ = images.shape
    n_rows = max(1, -(-n // n_columns))  # a row for no face at all stays white
    cells = np.full((n_rows * n_columns, height + GAP, width + GAP, 3), 255, np.uint8)
    cells[:n, :height, :width] = images
    rows = cells.reshape(n_rows, n_columns, *cells.shape[1:]).swapaxes(1, 2)
    return rows.reshape(n_rows * (height + GAP), -1, 3)[:-GAP, :-GAP]


def show_faces(ax: Axes, images: np.ndarray, n_columns: int) -> None:
    """Draw images uint8 (n, height, width, 3) row by row into an axes of their own."""
    ax.imshow(tiled(np.asarray(images), n_columns), interpolation="lanczos")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    sns.despine(ax=ax, left=True, bottom=True)


def face_grid(images: np.ndarray, n_columns: int = 12) -> Figure:
    """Show faces uint8 (n, 64, 64, 3) row by row."""
    height, width, _ = tiled(np.asarray(images), n_columns).shape
    figure, ax = plt.subplots(figsize=(WIDTH, WIDTH * height / width))
    show_faces(ax, images, n_columns)
    return figure


def face_rows(rows: Mapping[str, np.ndarray], n_columns: int) -> Figure:
    """Show one row of faces per label, the label at its left."""
    height = WIDTH / n_columns * 0.95
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, height * len(rows)), squeeze=False)
    for ax, (label, images) in zip(axes.flat, rows.items(), strict=True):
        show_faces(ax, images, n_columns)
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize="small")
    return figure


def face_walks(images: np.ndarray, rows: Sequence[str], columns: Sequence[str], xlabel: str) -> Figure:
    """Show faces uint8 (n_rows, n_columns, 64, 64, 3) that change from left to right, with names of rows and columns."""
    n_rows, n_columns, height, width, _ = images.shape
    figure, ax = plt.subplots(figsize=(WIDTH, WIDTH * n_rows / n_columns + 0.5))
    show_faces(ax, images.reshape(-1, height, width, 3), n_columns)
    ax.set_xticks((np.arange(n_columns) + 0.5) * (width + GAP) - 1.5, columns, fontsize="large")
    ax.set_yticks((np.arange(n_rows) + 0.5) * (height + GAP) - 1.5, rows, fontsize="large")
    ax.tick_params(length=0, pad=3, labeltop=True, labelbottom=False)
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(xlabel, fontsize="large")
    return figure


def panels_of(n: int, n_across: int, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure and n axes of this height in inches, and room for their titles, in rows of n_across."""
    n_down = -(-n // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, n_down * (height + 0.3)), squeeze=False,
                                **shared)
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:n])


# ---- scores

def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], areas: Mapping[str, float]) -> Figure:
    """Draw one ROC curve per class, of (false-positive rates, true-positive rates), with its area in the legend."""
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    for index, ((name, curve), color) in enumerate(zip(curves.items(), _palette(curves), strict=True)):
        ax.plot(*curve, _DASHES[:4][index % 4], color=color, label=f"{name} {areas[name]:.3f}", linewidth=1.4)
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(title="area under the curve", frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
    return figure


def confusion_matrix(counts: pd.DataFrame, title: str) -> Figure:
    """Draw counts by true class (rows, NaN where unknown) and predicted one, and their share of the row, also as a shade."""
    figure, ax = plt.subplots(figsize=(WIDTH + 0.6, 0.62 * WIDTH))  # eight names side by side
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0)
    # An empty cell stays bare, so that the eye finds the others.
    text = counts.map("{:.0f}".format) + shares.map("\n{:.0%}".format).where(counts > 0, "")
    sns.heatmap(shares, annot=text.where(counts.notna(), ""), fmt="", cmap="Blues", vmin=0, vmax=1, cbar=False, ax=ax,
                annot_kws={"fontsize": "small", "linespacing": 1.1}, linewidths=0.5, linecolor="white")
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(title, loc="left")
    ax.tick_params(labelsize="small", rotation=0)
    ax.set_xticks(ax.get_xticks(), ax.get_xticklabels(), rotation=25, ha="right", rotation_mode="anchor")
    return figure


def score_dots(table: pd.DataFrame, y: str, hue: str, xlabel: str, chance: float | None = None, ylabel: str = "",
               ax: Axes | None = None) -> Figure:
    """Draw scores with intervals as dots, one line per value of column `y`, one colour and marker per value of `hue`.

    Further columns are ``value, low, high``; the interval may be missing. `chance` is where guessing would land, `ylabel`
    what the lines are, where their names do not say it; without `ax` the figure is a new one.
    """
    lines, groups = list(table[y].unique()), list(table[hue].unique())
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 1.1 + 0.42 * len(lines) * max(1, len(groups) / 2.5)))
    offsets = np.linspace(-0.28, 0.28, len(groups)) if len(groups) > 1 else [0.0]
    for group, offset, color, marker in zip(groups, offsets, _palette(groups), "osD^vPX*" * 4, strict=False):
        part = table[table[hue] == group]
        place = np.array([lines.index(value) for value in part[y]]) + offset
        ax.hlines(place, part["low"], part["high"], color=color, linewidth=2, alpha=0.6)
        ax.plot(part["value"], place, marker, color=color, label=group, markersize=5.5)
    if chance is not None:
        ax.axvline(chance, color="0.4", linestyle=":", linewidth=1)
        ax.annotate("chance", (chance, -0.7), fontsize="small", color="0.4", ha="center", va="bottom")
    ax.set(yticks=range(len(lines)), yticklabels=lines, xlabel=xlabel, ylabel=ylabel, ylim=(len(lines) - 0.4, -0.7))
    ax.legend(frameon=False, ncols=len(groups), loc="lower right", bbox_to_anchor=(1, 1), fontsize="small")
    return ax.figure


def _palette(things: Iterable[Any]) -> list[tuple[float, float, float]]:
    return sns.color_palette("colorblind", len(list(things)))


def heat_map(table: pd.DataFrame, label: str, low: float, high: float, center: float) -> Figure:
    """Draw a table of scores as cells with their numbers, shaded from `low` over `center` to `high`; NaN stays empty."""
    figure, ax = plt.subplots(figsize=(WIDTH, 0.9 + 0.32 * len(table)))
    sns.heatmap(table, annot=True, fmt=".2f", cmap="RdBu", vmin=low, vmax=high, center=center, ax=ax,
                annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white", cbar_kws={"label": label})
    ax.set(xlabel="", ylabel="")
    ax.tick_params(labelsize="small", rotation=0)
    return figure


# ---- what moves

def play_filmstrip(steps: Sequence[int], frames: np.ndarray, label: str, n_columns: int = 8) -> HTML:
    """Return an element that plays the same faces, frames uint8 (n_frames, n_faces, 64, 64, 3), over a training's steps.

    The label says what it shows, for those who hear the page instead of seeing it.
    """
    # The frames lie below each other in one picture, of which the page shows one frame at a time. The gap after each keeps
    # a scaled frame from showing a line of its neighbour.
    tiles = [tiled(frame, min(n_columns, len(frame))) for frame in frames]
    sheet = np.concatenate([np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for tile in tiles])
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", quality=60, method=6)
    picture = base64.b64encode(buffer.getvalue()).decode("ascii")
    return HTML(rendered(TEMPLATES / "player.html.j2", steps=list(map(int, steps)), label=label, picture=picture,
                         width=sheet.shape[1], height=sheet.shape[0] // len(frames)))


def operating_points(positive: np.ndarray, values: np.ndarray, n_points: int = 80) -> dict[str, list | int]:
    """Count what is found and what is a false alarm at thresholds from the strictest to the loosest.

    At most `n_points` are evenly spaced among the decision values (n_faces,) that occur: a face is named when its value is
    at least the threshold. `positive` (n_faces,) says whether each shows the label; some do, some do not.

    Returns: ``threshold, tp, fp`` (lists, both counts not falling), ``positives``, ``negatives``.
    """
    n_positive, n_negative = int(np.sum(positive)), int(np.sum(~positive))
    false_rate, true_rate, levels = roc_curve(positive, values, drop_intermediate=False)  # the first names none
    chosen = np.unique(np.r_[0, np.linspace(1, len(levels) - 1, n_points).round().astype(int)])
    tp = np.rint(true_rate[chosen] * n_positive).astype(int).tolist()
    fp = np.rint(false_rate[chosen] * n_negative).astype(int).tolist()
    names = ["none"] + [f"{level:.4g}" for level in levels[chosen[1:]]]
    return {"threshold": names, "tp": tp, "fp": fp, "positives": n_positive, "negatives": n_negative}


def share(part: int, whole: int) -> str:
    """Write a share with three decimals, a half rounded up as in JavaScript; a dash of nothing."""
    return f"{(2000 * part + whole) // (2 * whole) / 1000:.3f}" if whole else "–"


def threshold_explorer(labels: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> HTML:
    """Return an element with a threshold to move, a ROC curve and the counts of right and wrong answers.

    Labels hold (positive, values), see `operating_points`; the title is for those who hear the page instead of seeing it.
    """
    data = {label: operating_points(*arrays) for label, arrays in labels.items()}
    first = next(iter(data.values()))
    return HTML(rendered(TEMPLATES / "threshold.html.j2", data=data, first=first, middle=len(first["tp"]) // 2, title=title,
                         side=220, share=share))


def networks_explorer(folder: str | Path) -> HTML:
    """Return the element in which networks run that `fergan.experiments.export` wrote; without scripts it says so."""
    return HTML(rendered(TEMPLATES / "networks.html.j2", **read_json(Path(folder) / "heads.json")))
