"""Figures of the chapters on Action Units."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH

__all__ = ["emotion_or_unit", "outlined_maps", "roc_panels"]

#: How each kind of score is drawn, so that a detector looks the same in both panels and without colour.
_MARKS = {
    "against derived labels": dict(color="#d55e00", marker="s", markerfacecolor="white"),
    "knows the emotion only": dict(color="0.35", marker="D", markersize=4.5),
    "against true AUs": dict(color="#d55e00", marker="s"),
    "trained on true AUs": dict(color="#0072b2", marker="o"),
}


def emotion_or_unit(table: pd.DataFrame, y: str = "AU") -> Figure:
    """Draw how much of a score on relabelled faces is the recognition of emotions.

    Parameters
    ----------
    table : DataFrame
        See `fergan.book.tables.action_units.emotion_or_unit`.
    y : str
        The column that names the lines.
    """
    lines = list(dict.fromkeys(table[y]))
    size = (WIDTH, 1.5 + 0.34 * len(lines) if len(lines) > 6 else 1.6 + 0.55 * len(lines))
    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, sharex=True)
    titles = {"all": "all pairs of faces", "one emotion": "pairs of one emotion"}
    for ax, (pairs, title) in zip(axes, titles.items(), strict=True):
        _dots(ax, table[table["pairs"] == pairs], y, lines)
        ax.axvline(0.5, color="0.4", linestyle=":", linewidth=1)
        ax.set(title=title, xlabel="area under the curve")
    axes[0].set(yticks=range(len(lines)), yticklabels=lines, ylim=(len(lines) - 0.4, -0.6))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    return figure


def _dots(ax: Axes, table: pd.DataFrame, y: str, lines: Sequence[str]) -> None:
    shown = [name for name in _MARKS if (table["detector"] == name).any()]
    for offset, name in zip(np.linspace(-0.27, 0.27, len(shown)) if len(shown) > 1 else [0.0], shown, strict=True):
        part = table[table["detector"] == name]
        place = np.array([lines.index(line) for line in part[y]]) + offset
        marks = {"markersize": 5.5} | _MARKS[name]
        ax.hlines(place, part["low"], part["high"], color=marks["color"], linewidth=1.6, alpha=0.6)
        ax.plot(part["value"], place, linestyle="", label=name, **marks)


def roc_panels(curves: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], dashed: Sequence[str] = ()) -> Figure:
    """Draw one small panel of ROC curves for each Action Unit, one curve for each experiment.

    Parameters
    ----------
    curves : mapping
        Action Unit -> experiment -> (false-positive rates, true-positive rates); NaN where undefined.
    dashed : sequence of str
        Experiments to draw with dashes.
    """
    names = list(dict.fromkeys(name for of_unit in curves.values() for name in of_unit))
    n_across = 4
    n_down = -(-len(curves) // n_across)
    size = (WIDTH, WIDTH * n_down / n_across * 1.08 + 0.8)
    figure, axes = plt.subplots(n_down, n_across, figsize=size, squeeze=False, sharex=True, sharey=True)
    colors = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))
    for ax in axes.flat[len(curves):]:
        ax.set_axis_off()
    for ax, (unit, of_unit) in zip(axes.flat, curves.items(), strict=False):
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for name, (false_rate, true_rate) in of_unit.items():
            ax.plot(false_rate, true_rate, "--" if name in dashed else "-", color=colors[name], linewidth=1.3, label=name)
        ax.set(title=unit, xlim=(0, 1), ylim=(0, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
        ax.tick_params(labelsize="x-small")
    handles = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    shown = [name for name in names if name in handles]
    place = dict(loc="outside upper center", ncols=min(4, len(shown)), frameon=False, fontsize="small", title="experiment")
    figure.legend([handles[name] for name in shown], shown, **place)
    figure.supxlabel("false-positive rate", fontsize="small")
    figure.supylabel("true-positive rate", fontsize="small")
    return figure


def outlined_maps(
    background: np.ndarray, maps: Mapping[str, np.ndarray], regions: Mapping[str, np.ndarray] | None = None
) -> Figure:
    """Draw maps over one face, each with the outline of a region.

    Parameters
    ----------
    background : ndarray of shape (h, w, 3), dtype uint8
        The face beneath, drawn in grey.
    maps : mapping
        Title -> map of shape (h, w), 0 or more; each is scaled to its own maximum. NaN leaves the face bare.
    regions : mapping, optional
        Title -> mask of shape (h, w), bool.
    """
    n_across = 5
    n_down = -(-len(maps) // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, WIDTH / n_across * n_down * 1.18), squeeze=False)
    grey = background.mean(axis=2)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, values) in zip(axes.flat, maps.items(), strict=False):
        ax.imshow(grey, cmap="gray", vmin=0, vmax=255)
        strength = np.nan_to_num(values)
        strength = strength / max(strength.max(), 1e-12)
        ax.imshow(strength, cmap="inferno", alpha=np.clip(1.3 * strength, 0, 0.85), vmin=0, vmax=1)
        region = None if regions is None else regions.get(title.split("\n")[0])
        if region is not None and region.any():
            ax.contour(region.astype(float), levels=[0.5], colors="#56d8ff", linewidths=1.5)
        ax.set_title(title, fontsize="small", pad=3)
    return figure
