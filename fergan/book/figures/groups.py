"""The figure of the page on groups of people."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH

__all__ = ["group_dots"]

_MARKERS = "osD"


def group_dots(tables: Mapping[str, pd.DataFrame], groups: Mapping[str, tuple[str, ...]]) -> Figure:
    """Draw the accuracy on each group of people, one panel per trait and one line per experiment.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Experiment -> what `fergan.experiments.groups.accuracy_by_group` returns.
    groups : mapping of str to tuple of str
        Trait -> its groups, in order.
    """
    figure, axes = plt.subplots(1, len(groups), figsize=(WIDTH, 0.55 * len(tables) + 1.6), sharey=True, squeeze=False)
    colours = sns.color_palette("colorblind", 3)
    for ax, (trait, names) in zip(axes[0], groups.items(), strict=True):
        for place, (name, colour, marker) in enumerate(zip(names, colours, _MARKERS, strict=True)):
            rows = pd.concat([table[(table["trait"] == trait) & (table["group"] == name)] for table in tables.values()])
            y = [line + 0.22 * (place - 1) for line in range(len(tables))]
            ax.errorbar(rows["value"], y, xerr=[rows["value"] - rows["low"], rows["high"] - rows["value"]], fmt=marker,
                        color=colour, markersize=5, linewidth=1.2, label=name)
        ax.set_title(trait, loc="left")
        ax.set_xlabel("accuracy")
        ax.set_yticks(range(len(tables)), list(tables))
        ax.grid(False, axis="y")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=3, frameon=False, fontsize=7, handletextpad=0.1,
                  columnspacing=0.6)
    axes[0, 0].invert_yaxis()
    return figure
