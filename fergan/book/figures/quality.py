"""Figures of sample quality: distances against the number of faces, and distributions behind single numbers."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH
from fergan.quality.distances import Extrapolation

__all__ = ["distributions_of_samples", "frechet_against_n", "generators_against_floors"]

_STYLES = {"samples": dict(color="C0", marker="o"), "real faces": dict(color="0.35", marker="s")}


def frechet_against_n(curves: Mapping[str, Mapping[str, Extrapolation]]) -> Figure:
    """Draw Frechet distances against one over the number of faces, and the lines through them up to endless faces.

    Parameters
    ----------
    curves : mapping
        Backbone -> {``"samples"``, ``"real faces"``: extrapolation}.
    """
    figure, axes = plt.subplots(1, max(1, len(curves)), figsize=(WIDTH, 3.2), squeeze=False)
    if not curves:
        axes[0, 0].set_axis_off()
        axes[0, 0].text(0.5, 0.5, "too few faces for a line", ha="center")
        return figure
    for ax, (backbone, lines) in zip(axes.flat, curves.items(), strict=True):
        for side, found in lines.items():
            style = _STYLES[side]
            ends = np.array([0, 1 / found.n.min()])
            ax.plot(1 / found.n, found.distance, linestyle="", markersize=4.5, label=f"{side} to real faces", **style)
            ax.plot(ends, found.infinite + found.slope * ends, "--", color=style["color"], linewidth=1)
            ax.errorbar(0, found.infinite, yerr=found.high - found.infinite, capsize=3, markersize=6, mfc="white", zorder=5,
                        **style)
        ticks = np.unique([*next(iter(lines.values())).n[[0, len(found.n) // 2, -1]]])
        ax.set_xticks([0, *(1 / ticks)], ["∞", *(f"{n:,}" for n in ticks)])
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.set(title=backbone, xlabel="faces on either side, n")
        ax.set_xlim(-0.03 / found.n.min(), None)
    axes[0, 0].set_ylabel("Fréchet distance")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def distributions_of_samples(distributions: Mapping[str, Mapping[str, np.ndarray]], line: float | None = None) -> Figure:
    """Draw how scores are distributed over samples and over real faces, as cumulative shares.

    Parameters
    ----------
    distributions : mapping
        What was measured -> {``"samples"``, ``"real faces"``: one number for each}.
    line : float, optional
        A threshold to mark in the first panel.
    """
    figure, axes = plt.subplots(1, len(distributions), figsize=(WIDTH, 2.9), sharey=True, squeeze=False)
    for ax, (measured, sides) in zip(axes.flat, distributions.items(), strict=True):
        for side, values in sides.items():
            ax.ecdf(values, color=_STYLES[side]["color"], linestyle="-" if side == "samples" else "--", label=side)
        ax.set_xlabel(measured, fontsize="small")
    if line is not None:
        axes[0, 0].axvline(line, color="C3", linewidth=1.2, linestyle=":", label="memorised below")
    axes[0, 0].set_ylabel("share at or below")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def generators_against_floors(table: pd.DataFrame, scores: Mapping[str, str]) -> Figure:
    """Draw scores of all generators with their intervals, and their floors beside them.

    Parameters
    ----------
    table : DataFrame
        Columns ``generator, score, value, low, high, floor``.
    scores : mapping
        Score -> title of its panel.
    """
    generators = list(dict.fromkeys(table["generator"]))
    figure, axes = plt.subplots(1, len(scores), figsize=(WIDTH, 1.2 + 0.27 * len(generators)), sharey=True, squeeze=False)
    for ax, (score, title) in zip(axes.flat, scores.items(), strict=True):
        part = table[table["score"] == score]
        places = np.array([generators.index(name) for name in part["generator"]])
        errors = np.maximum(0, [part["value"] - part["low"], part["high"] - part["value"]])
        ax.errorbar(part["value"], places, xerr=errors, fmt="o", color="C0", markersize=4.5, capsize=2, label="samples")
        ax.plot(part["floor"], places, "|", color="0.25", markersize=11, markeredgewidth=2, label="real faces")
        ax.set_title(title, fontsize="small")
        ax.set_xlim(0, None)
    axes[0, 0].set(yticks=range(len(generators)), yticklabels=generators, ylim=(len(generators) - 0.5, -0.5))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure
