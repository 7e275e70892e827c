"""The human study: an example of what raters see, and who told real faces from generated ones."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH, show_faces
from fergan.book.show import interval
from fergan.human_study.answers import CHANCE, StudyResult
from fergan.human_study.design import KINDS, Study


def raters_table(result: StudyResult) -> pd.DataFrame:
    """Return one row per rater."""
    raters = result.raters
    return pd.DataFrame({
        "rater": raters["rater"], "trials": raters["n"], "right answers": _intervals(raters.to_dict("records")),
        "p against chance": raters["p"], "taken for real": raters["said_real"], "catch trials right": raters["caught"],
        "median ms": raters["milliseconds"].astype(float).round().astype("Int64"),
        "counted": raters["counted"].map({True: "yes", False: "no"})})


def pooled_table(results: Mapping[str, StudyResult]) -> pd.DataFrame:
    """Return one row for each kind of study that raters have answered."""
    rows = [{"kind": kind, "alpha": result.alpha} | result.pooled for kind, result in results.items() if result.pooled]
    return pd.DataFrame([{
        "design": KINDS[row["kind"]], "raters": row["n_raters"], "trials": row["n"], "p against chance": row["p"],
        "taken for real (%)": 100 * row["said_real"], "Krippendorff’s α": row["alpha"]} for row in rows],
    ).assign(**{"right answers": _intervals(rows)})


def _intervals(rows: Sequence[Mapping[str, float]]) -> pd.Series:
    """Return the share of right answers of each row with its interval; the type keeps it from being escaped."""
    return pd.Series([interval((row["right"], row["low"], row["high"])) for row in rows], dtype=object)


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


def rater_dots(results: Mapping[str, StudyResult]) -> Figure:
    """Draw the share of right answers of each rater, one panel for each design that raters have answered."""
    results = {kind: found for kind, found in results.items() if len(found.raters)}
    height = 1.3 + 0.22 * max(len(found.raters) for found in results.values())
    figure, axes = plt.subplots(1, len(results), figsize=(WIDTH, height), sharex=True, squeeze=False)
    for ax, (kind, found) in zip(axes.flat, results.items(), strict=True):
        for row in found.raters.itertuples():
            ax.plot([row.low, row.high], [row.rater, row.rater], color="C0", linewidth=2, alpha=0.6)
            ax.plot(row.right, row.rater, "o", color="C0", mfc="C0" if row.counted else "white", markersize=5)
        ax.axvline(CHANCE, color="0.4", linestyle=":", linewidth=1)
        ax.set(title=KINDS[kind], yticks=found.raters["rater"].to_numpy(), xlim=(0, 1), xlabel="share of right answers",
               ylim=(len(found.raters) + 0.5, 0.5))
    axes[0, 0].set_ylabel("rater")
    return figure
