"""The human study: an example of what raters see, and who told real faces from generated ones."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH, show_faces
from fergan.book.show import interval
from fergan.human_study.answers import StudyResult
from fergan.human_study.study import KINDS, Study


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
