"""Figures of scores: curves, confusions, dots with intervals, shaded tables."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH

__all__ = ["confusion_matrix", "heat_map", "projection", "roc_curves", "score_dots"]


def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], areas: Mapping[str, float]) -> Figure:
    """Draw one ROC curve per class.

    Parameters
    ----------
    curves : mapping
        Class -> (false-positive rates, true-positive rates).
    areas : mapping
        Class -> area under its curve, for the legend.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    styles = ["-", "--", "-.", ":"]
    colors = sns.color_palette("colorblind", len(curves))
    for index, (name, (false_rate, true_rate)) in enumerate(curves.items()):
        label = f"{name} {areas[name]:.3f}"
        ax.plot(false_rate, true_rate, styles[index % 4], color=colors[index], label=label, linewidth=1.4)
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(title="area under the curve", frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
    return figure


def confusion_matrix(counts: pd.DataFrame, title: str = "", ax: Axes | None = None) -> Figure:
    """Draw a confusion matrix: counts and their share of the true class (row), which is also the shade.

    Parameters
    ----------
    counts : DataFrame of shape (n_classes, n_classes)
        True classes in rows, predicted ones in columns; NaN where unknown.
    title : str
        Above the matrix.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH + 0.6, 0.62 * WIDTH))  # eight names side by side
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0)
    text = [[_cell(count, share) for count, share in zip(*row, strict=True)]
            for row in zip(counts.to_numpy(float), shares.to_numpy(float), strict=True)]
    sns.heatmap(
        shares, annot=np.array(text), fmt="", cmap="Blues", vmin=0, vmax=1, cbar=False, ax=ax,
        annot_kws={"fontsize": "small", "linespacing": 1.1}, linewidths=0.5, linecolor="white",
    )
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(title, loc="left")
    ax.tick_params(labelsize="small", rotation=0)
    ax.set_xticks(ax.get_xticks(), ax.get_xticklabels(), rotation=25, ha="right", rotation_mode="anchor")
    if counts.isna().all(axis=None):
        ax.grid(False)
        ax.text(0.5, 0.5, "not given", ha="center", va="center", transform=ax.transAxes, color="0.4")
    return ax.figure


def _cell(count: float, share: float) -> str:
    """Write a count with its share below; an empty cell stays bare, so that the eye finds the others."""
    if np.isnan(count):
        return ""
    return f"{count:.0f}\n{share:.0%}" if count else "0"


def score_dots(
    table: pd.DataFrame, y: str, hue: str, xlabel: str, chance: float | None = None, ylabel: str = "", ax: Axes | None = None
) -> Figure:
    """Draw scores with intervals as dots, one line per `y`, one colour and marker per `hue`.

    Parameters
    ----------
    table : DataFrame
        Columns `y`, `hue`, ``value``, ``low``, ``high``; the interval may be missing.
    y, hue : str
        Columns for the lines and the colours.
    xlabel : str
        What the score is.
    chance : float, optional
        Where guessing would land.
    ylabel : str
        What the lines are, where their names do not say it.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    """
    lines, groups = list(dict.fromkeys(table[y])), list(dict.fromkeys(table[hue]))
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 1.1 + 0.42 * len(lines) * max(1, len(groups) / 2.5)))
    offsets = np.linspace(-0.28, 0.28, len(groups)) if len(groups) > 1 else [0.0]
    colors = sns.color_palette("colorblind", len(groups))
    for group, offset, color, marker in zip(groups, offsets, colors, "osD^vPX*" * 4, strict=False):
        part = table[table[hue] == group]
        place = np.array([lines.index(value) for value in part[y]]) + offset
        ax.hlines(place, part["low"], part["high"], color=color, linewidth=2, alpha=0.6)
        ax.plot(part["value"], place, marker, color=color, label=group, markersize=5.5)
    if chance is not None:
        ax.axvline(chance, color="0.4", linestyle=":", linewidth=1)
        ax.annotate("chance", (chance, -0.7), fontsize="x-small", color="0.4", ha="center", va="bottom")
    ax.set(yticks=range(len(lines)), yticklabels=lines, xlabel=xlabel, ylabel=ylabel, ylim=(len(lines) - 0.4, -0.7))
    ax.legend(frameon=False, ncols=len(groups), loc="lower left", bbox_to_anchor=(0, 1), fontsize="small")
    return ax.figure


def heat_map(table: pd.DataFrame, label: str, low: float = 0.0, high: float = 1.0, center: float | None = None) -> Figure:
    """Draw a table of scores as shaded cells with their numbers; empty cells are NaN.

    Parameters
    ----------
    table : DataFrame
        Its index and columns label the cells.
    label : str
        What the shade means.
    low, high, center : float
        Ends (and middle) of the shade.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 0.9 + 0.32 * len(table)))
    sns.heatmap(
        table, annot=True, fmt=".2f", cmap="viridis" if center is None else "RdBu", vmin=low, vmax=high, center=center,
        ax=ax, annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white", cbar_kws={"label": label},
    )
    ax.set(xlabel="", ylabel="")
    ax.tick_params(labelsize="small", rotation=0)
    return figure


def projection(points: np.ndarray, classes: Sequence[str], axis_labels: tuple[str, str]) -> Figure:
    """Scatter two-dimensional points, one colour and marker per class.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
    classes : sequence of n str
    axis_labels : pair of str
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    order = list(dict.fromkeys(sorted(classes)))
    sns.scatterplot(
        x=points[:, 0], y=points[:, 1], hue=list(classes), style=list(classes), hue_order=order, style_order=order,
        ax=ax, s=16, linewidth=0, alpha=0.8,
    )
    ax.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small", markerscale=1.4)
    return figure
