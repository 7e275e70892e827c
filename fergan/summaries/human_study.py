"""Tables of the chapter on the human study."""

import pandas as pd

from fergan.human_study.analysis import StudyResult
from fergan.report import with_interval

__all__ = ["pooled_table", "raters_table"]


def raters_table(result: StudyResult) -> pd.DataFrame:
    """Return one row per rater; without raters a row of dashes, so that the page shows what would stand there."""
    rows = [
        {"rater": f"{number}", "trials": row.n, "right answers": with_interval(row.right, row.low, row.high),
         "p against chance": row.p, "taken for real": row.said_real, "catch trials right": row.caught,
         "median ms": row.milliseconds, "counted": "yes" if row.counted else "no"}
        for number, row in enumerate(result.raters.itertuples(), start=1)
    ]
    columns = ["rater", "trials", "right answers", "p against chance", "taken for real", "catch trials right", "median ms",
               "counted"]
    return pd.DataFrame(rows or [dict.fromkeys(columns, "–")], columns=columns)


def pooled_table(result: StudyResult) -> pd.DataFrame:
    """Return the pooled row: raters, trials, right answers, how often generated faces were taken for real, agreement."""
    columns = ["raters", "trials", "right answers", "p against chance", "generated taken for real (%)", "Krippendorff's α"]
    found = result.pooled
    if not found:
        return pd.DataFrame([dict.fromkeys(columns, "–")], columns=columns)
    values = [found["n_raters"], found["n"], with_interval(found["right"], found["low"], found["high"]), found["p"],
              100 * found["said_real"], result.alpha]
    return pd.DataFrame([dict(zip(columns, values, strict=True))])
