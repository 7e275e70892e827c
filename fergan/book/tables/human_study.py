"""Tables of the chapter on the human study."""

from collections.abc import Mapping

import pandas as pd

from fergan.book.report import with_interval
from fergan.human_study.answers import StudyResult

__all__ = ["answer_of_study", "pooled_table", "raters_table"]


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


def answer_of_study(results: Mapping[str, StudyResult], n_needed: int) -> str:
    """Say what raters said, or that nobody has been asked; ``pair`` is the forced choice, ``single`` one face at a time."""
    found = {name: result.pooled for name, result in results.items() if result.pooled}
    if not found:
        return (f"Nobody has been asked yet. The study is ready; for an interval of ± 3 % it needs {n_needed:,} answers, "
                "and the paper, which reports 76.72 %, does not say how many it had.")
    kinds = {"pair": "shown a real and a generated face side by side", "single": "shown one face at a time"}
    words = [f"{kinds[name]}, {with_interval(pooled['right'], pooled['low'], pooled['high'])} of the answers of "
             f"{pooled['n_raters']} raters were right" for name, pooled in found.items()]
    joined = "; ".join(words)
    return f"{joined[:1].upper()}{joined[1:]}. Guessing gives .5."
