"""Figures of how varied a generator's samples are."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH, generator_looks

__all__ = ["share_bars", "variety_curves"]


def variety_curves(looks: Mapping[str, pd.DataFrame], marked: str = "") -> Figure:
    """Draw spread, recall and coverage over each generator's training, as shares of what real faces reach.

    Parameters
    ----------
    looks : mapping
        Generator -> columns ``step, spread, recall, coverage``, as shares of their floors.
    marked : str
        A generator to draw in red: one whose collapse was provoked.
    """
    scores = ("spread", "recall", "coverage")
    figure, axes = plt.subplots(1, len(scores), figsize=(WIDTH, 3.9), sharey=True)
    drawn = generator_looks(looks, marked)
    for name, seen in looks.items():
        share = 100 * seen["step"] / max(seen["step"].max(), 1)
        for ax, column in zip(axes, scores, strict=True):
            ax.plot(share, seen[column], markersize=3.5, label=name, **drawn[name])
    for ax, title in zip(axes, scores, strict=True):
        ax.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        ax.set(title=title, ylim=(0, None), xlabel="training done (%)")
    axes[0].set_ylabel("share of what real faces reach")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def share_bars(tables: Mapping[str, pd.DataFrame], n_across: int = 2) -> Figure:
    """Draw how often each class is named among real faces and among samples, one panel for each generator.

    Parameters
    ----------
    tables : mapping
        Generator -> columns ``label, real, generated, low, high``: shares, and the interval of the samples'. Without any,
        the figure says so.
    n_across : int
        Panels side by side.
    """
    if not tables:
        figure, ax = plt.subplots(figsize=(WIDTH, 1))
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no generator learnt a set with emotions enough to compare", ha="center", va="center")
        return figure
    n_down = -(-len(tables) // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, 2.3 * n_down), squeeze=False, sharex=True)
    for ax in axes.flat[len(tables):]:
        ax.set_axis_off()
    for ax, (name, table) in zip(axes.flat, tables.items(), strict=False):
        places = np.arange(len(table))
        ax.barh(places, table["real"], height=0.8, color="0.85", label="real faces")
        errors = np.maximum(0, [table["generated"] - table["low"], table["high"] - table["generated"]])
        dots = dict(fmt="o", color="C0", markersize=4, capsize=2)
        ax.errorbar(table["generated"], places, xerr=errors, label="samples", **dots)
        ax.set(title=name, yticks=places, yticklabels=table["label"])
        ax.invert_yaxis()
    for ax in axes.flat[len(tables) - n_across : len(tables)]:
        ax.set_xlabel("share named so")
    axes[0, 0].set_xlim(0, 1.05 * max(table[["real", "high"]].to_numpy().max() for table in tables.values()))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure
