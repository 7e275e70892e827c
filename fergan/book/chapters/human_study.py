"""The human study: an example of what raters see, and who told real faces from generated ones."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd

from fergan.book.plots import WIDTH, show_faces
from fergan.book.show import interval, rounded, table_of
from fergan.human_study.answers import StudyResult
from fergan.human_study.study import KINDS, Study


def _right(row: Mapping[str, float]) -> str:
    return interval((row["right"], row["low"], row["high"]))


def raters_table(result: StudyResult) -> pd.DataFrame:
    """Return one row per rater."""
    return table_of({
        "rater": row["rater"], "trials": row["n"], "right answers": _right(row), "p against chance": row["p"],
        "taken for real": row["said_real"], "catch trials right": row["caught"],
        "median ms": rounded(row["milliseconds"], 0), "counted": "yes" if row["counted"] else "no"}
        for row in result.raters.to_dict("records"))


def pooled_table(results: Mapping[str, StudyResult]) -> pd.DataFrame:
    """Return one row for each kind of study that raters have answered."""
    pooled = {kind: result for kind, result in results.items() if result.pooled}
    return table_of({
        "design": KINDS[kind], "raters": of.pooled["n_raters"], "trials": of.pooled["n"], "p against chance": of.pooled["p"],
        "taken for real (%)": 100 * of.pooled["said_real"], "Krippendorff’s α": of.alpha, "right answers": _right(of.pooled)}
        for kind, of in pooled.items())


def example_trials(study: Study, n: int = 6) -> plt.Figure:
    """Show the first trials of a sheet, an easy one among them, with the right answer below each."""
    trials = study.sheets[0][:n]
    if not any(trial.catch for trial in trials):
        trials = trials[:-1] + [trial for trial in study.sheets[0] if trial.catch][:1]
    figure, axes = plt.subplots(1, len(trials), figsize=(WIDTH, 1.15), squeeze=False)
    for ax, trial in zip(axes.flat, trials, strict=True):
        show_faces(ax, study.pictures[list(trial.pictures)], len(trial.pictures))
        ax.set_xlabel(trial.right_answer + (" (easy)" if trial.catch else ""), fontsize="small")
    return figure
