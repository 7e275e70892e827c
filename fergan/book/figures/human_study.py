"""Figures of the human study."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from fergan.book.figures.faces import show_faces
from fergan.book.figures.style import WIDTH
from fergan.human_study.answers import StudyResult
from fergan.human_study.design import KINDS, Study

__all__ = ["example_trials", "rater_dots"]


def example_trials(study: Study, n: int = 6) -> Figure:
    """Show the first trials of a sheet, an easy one among them, with the right answer below each."""
    trials = study.sheets[0][:n]
    if not any(trial.catch for trial in trials):
        trials = trials[:-1] + [trial for trial in study.sheets[0] if trial.catch][:1]
    figure, axes = plt.subplots(1, len(trials), figsize=(WIDTH, 1.15), squeeze=False)
    for ax, trial in zip(axes.flat, trials, strict=True):
        show_faces(ax, study.pictures[list(trial.pictures)], len(trial.pictures))
        ax.set_xlabel(trial.right_answer + (" (easy)" if trial.catch else ""), fontsize="small")
    return figure


def rater_dots(results: Mapping[str, StudyResult], chance: float) -> Figure:
    """Draw the share of right answers of each rater, one panel for each design."""
    most = max(1, *(len(found.raters) for found in results.values()))
    figure, axes = plt.subplots(1, len(results), figsize=(WIDTH, 1.3 + 0.22 * most), sharex=True, squeeze=False)
    for ax, (name, found) in zip(axes.flat, results.items(), strict=True):
        raters = found.raters.reset_index(drop=True)
        for place, row in enumerate(raters.itertuples()):
            ax.plot([row.low, row.high], [place, place], color="C0", linewidth=2, alpha=0.6)
            ax.plot(row.right, place, "o", color="C0", mfc="C0" if row.counted else "white", markersize=5)
        if raters.empty:
            ax.text(0.5, 0.5, "nobody has been asked", transform=ax.transAxes, ha="center", va="center", color="0.4",
                    bbox=dict(facecolor="white", edgecolor="none"))
        ax.axvline(chance, color="0.4", linestyle=":", linewidth=1)
        ax.set(title=KINDS[name], yticks=np.arange(len(raters)), yticklabels=np.arange(1, len(raters) + 1), xlim=(0, 1),
               xlabel="share of right answers", ylim=(max(len(raters), 1) - 0.5, -0.5))
    axes[0, 0].set_ylabel("rater" if any(len(found.raters) for found in results.values()) else "")
    return figure
