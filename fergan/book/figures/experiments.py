"""Figures of label efficiency and of transfer between sets of faces."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from fergan.book.figures.style import WIDTH

__all__ = ["difference_curves", "learning_curves", "transfer_map"]

_MARKERS = "osD^vPX*"
_STYLES = ("-", "--", "-.", ":")


def learning_curves(curves: Mapping[str, pd.DataFrame], xlabel: str, chance: float | None = None) -> Figure:
    """Draw accuracy against the number of labels, with the interval of each point and the reach of its draws.

    Parameters
    ----------
    curves : mapping
        Method -> columns ``size, value, low, high`` and, optionally, ``lowest, highest``, the worst and the best draw.
    xlabel : str
        What the size counts.
    chance : float, optional
        Where always naming the commonest class would land.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    step = 1.012  # curves stand a little apart, or their intervals would hide one another
    for index, (name, curve) in enumerate(curves.items()):
        x = curve["size"] * step ** (2 * index - len(curves) + 1)
        color = f"C{index % 10}"
        if "lowest" in curve:
            ax.plot([x, x], [curve["lowest"], curve["highest"]], color=color, linewidth=6, alpha=0.3, solid_capstyle="butt")
        _line(ax, x, curve, index, name)
    if chance is not None:
        ax.axhline(chance, color="0.4", linestyle=":", linewidth=1, zorder=0)
        ax.annotate("commonest emotion", (0.99, chance), (0, 2), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize="x-small", color="0.4", ha="right", va="bottom")
    _doubling_axis(ax, curves, xlabel)
    ax.set(ylabel="accuracy", ylim=(0, None))
    n_columns = 3 if max(map(len, curves)) < 25 else 2
    handles = ax.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=n_columns, frameon=False, fontsize="small")
    return figure


def difference_curves(curves: Mapping[str, pd.DataFrame], xlabel: str, first: str) -> Figure:
    """Draw how much better one method is than each other one, against the number of labels; one panel for each.

    Parameters
    ----------
    curves : mapping
        Other method -> columns ``size, value, low, high``.
    xlabel, first : str
        What the size counts; the method that the others are subtracted from.
    """
    n_across = min(3, len(curves))
    n_down = -(-len(curves) // n_across)
    size = (WIDTH, 0.5 + 2.2 * n_down)
    figure, axes = plt.subplots(n_down, n_across, figsize=size, sharey=True, sharex=True, squeeze=False)
    for ax in axes.flat[len(curves):]:
        ax.set_axis_off()
    for index, (ax, (name, curve)) in enumerate(zip(axes.flat, curves.items(), strict=False)):
        ax.axhline(0, color="0.3", linewidth=1)
        _line(ax, curve["size"], curve, index + 1, name)
        ax.set_title(f"minus {name}", fontsize="small")
        _doubling_axis(ax, {name: curve}, "", n_ticks=5)
        ax.tick_params(labelbottom=index + n_across >= len(curves))  # also above an empty place
    figure.supxlabel(xlabel, fontsize="small")
    figure.supylabel(f"accuracy of {first} minus that of …", fontsize="small")
    return figure


def _line(ax: Axes, x: np.ndarray, curve: pd.DataFrame, index: int, name: str) -> None:
    color = f"C{index % 10}"
    errors = np.maximum(0, [curve["value"] - curve["low"], curve["high"] - curve["value"]])
    ax.errorbar(x, curve["value"], yerr=np.nan_to_num(errors), color=color, fmt=_MARKERS[index % 8], markersize=4.5,
                linestyle=_STYLES[index % 4], linewidth=2.2 if index == 0 else 1.4, elinewidth=1, capsize=2, label=name)


def _doubling_axis(ax: Axes, curves: Mapping[str, pd.DataFrame], xlabel: str, n_ticks: int = 14) -> None:
    """Set an axis on which each doubling takes the same room, with the sizes as ticks where there is room for them."""
    sizes = sorted({round(size) for curve in curves.values() for size in curve["size"]})
    room = max(1.3, (sizes[-1] / sizes[0]) ** (1 / n_ticks))
    kept = sizes[-1:]
    for size in sizes[-2::-1]:
        kept += [size] if kept[-1] / size > room else []
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel=xlabel, xticks=kept, xticklabels=[f"{size:,}" for size in kept])
    ax.tick_params(labelsize="small")


def transfer_map(matrix: pd.DataFrame, n_networks: int, marks: Mapping[tuple[str, str], str]) -> Figure:
    """Draw accuracy as shaded cells, one row per network or baseline and one column per set of faces.

    Parameters
    ----------
    matrix : DataFrame
        Networks first, then baselines, which stand apart; NaN where there is nothing.
    n_networks : int
        How many rows are networks. The cell of a network and its own faces says "own".
    marks : mapping
        (row, column) -> what stands in the corner of that cell, which is framed.
    """
    parts = [part for part in (matrix.iloc[:n_networks], matrix.iloc[n_networks:]) if len(part)]
    figure, axes = plt.subplots(
        len(parts), 1, figsize=(WIDTH, 1.4 + 0.46 * len(matrix)), sharex=True, squeeze=False,
        gridspec_kw={"height_ratios": [len(part) for part in parts]},
    )
    for ax, part, label in zip(axes.flat, parts, ("network of", "features"), strict=False):
        sns.heatmap(part, annot=True, fmt=".2f", cmap="viridis", vmin=0, vmax=1, ax=ax, cbar=False, linewidths=1.5,
                    linecolor="white", annot_kws={"fontsize": "medium"})
        ax.set(xlabel="", ylabel=label if len(part) > 1 else "")
        ax.tick_params(labelsize="small", rotation=0, bottom=False, left=False)
    axes.flat[-1].set_xlabel("faces of")
    axes.flat[-1].tick_params(axis="x", rotation=20)
    figure.colorbar(axes.flat[0].collections[0], ax=list(axes.flat), label="accuracy, people never seen", shrink=0.9)
    rows, columns = list(parts[0].index), list(matrix.columns)
    for name in [column for column in columns if column in rows]:
        _corner(axes.flat[0], columns.index(name) + 0.96, rows.index(name) + 0.93, "own", ha="right", va="bottom")
    for (row, column), text in marks.items():
        if row in rows and column in columns:
            i, j = rows.index(row), columns.index(column)
            for color, width in (("white", 3.6), ("black", 1.8)):  # shows on dark and on light shades
                look = dict(fill=False, edgecolor=color, linewidth=width)
                axes.flat[0].add_patch(Rectangle((j + 0.03, i + 0.04), 0.94, 0.92, **look))
            _corner(axes.flat[0], j + 0.05, i + 0.08, text, ha="left", va="top", fontweight="bold")
    return figure


def _corner(ax: Axes, x: float, y: float, text: str, **style: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
    ax.text(x, y, text, fontsize="x-small", bbox=box, **style)
