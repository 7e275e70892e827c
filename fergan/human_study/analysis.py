"""What raters' answers say: who told real from generated, how surely, and did raters agree?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from fergan.human_study.answers import check_answers
from fergan.human_study.design import Study

__all__ = ["ATTENTIVE", "CHANCE", "StudyResult", "analyse", "krippendorff_alpha"]

#: Guessing is right in half of all trials, in either kind of study.
CHANCE = 0.5

#: Raters who get less than this share of the catch trials right are shown, and left out of what is pooled. Fixed beforehand.
ATTENTIVE = 0.8


@dataclass(frozen=True)
class StudyResult:
    """What came out.

    Attributes
    ----------
    raters : DataFrame
        One row each: ``rater, n, right, low, high, p, caught, n_catch, counted, said_real, milliseconds``: the share of
        right answers with its 95 % Wilson interval, the p value of a binomial test against chance, the share of catch trials
        that were right, whether the rater is pooled, how often a generated face was taken for the real one, and the
        median time to the answer.
    pooled : dict
        ``n, right, low, high, p, said_real, n_raters`` over the raters that count; empty without any.
    alpha : float
        Krippendorff's alpha of which face was taken for real: 1 where raters agree, 0 where as often as by chance; NaN
        where no item has two raters.
    """

    raters: pd.DataFrame
    pooled: dict[str, float]
    alpha: float


def analyse(study: Study, answers: pd.DataFrame) -> StudyResult:
    """Analyse the answers to a study.

    Parameters
    ----------
    study : Study
    answers : DataFrame
        As `fergan.human_study.answers.read_answers` gives them; without a row, tables are empty.

    Returns
    -------
    StudyResult

    References
    ----------
    Wilson (1927). The pooled interval takes all trials as independent, though those of one rater are not quite.
    """
    scored = _scored(study, check_answers(study, answers))
    raters = pd.DataFrame([_rater(name, rows) for name, rows in scored.groupby("rater", sort=True)], columns=_RATER_COLUMNS)
    counted = scored[scored["rater"].isin(raters.loc[raters["counted"], "rater"]) & ~scored["catch"]]
    pooled = _share(counted) | {"n_raters": counted["rater"].nunique()} if len(counted) else {}
    return StudyResult(raters, pooled, _agreement(counted))


_RATER_COLUMNS = ["rater", "n", "right", "low", "high", "p", "said_real", "caught", "n_catch", "counted", "milliseconds"]


def _scored(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    trials = [study.sheets[row.sheet][row.trial] for row in answers.itertuples()]
    catch = pd.Series([trial.catch for trial in trials], index=answers.index, dtype=bool)
    truth = pd.Series([trial.right_answer for trial in trials], index=answers.index, dtype="string")
    right = (answers["answer"] == truth).astype(bool)
    # In a pair, a wrong answer takes the generated face for the real one; one at a time, "real" about a generated one does.
    about_generated = (truth == "generated").astype(bool) if study.kind == "single" else pd.Series(True, index=answers.index)
    return answers.assign(catch=catch, right=right, about_generated=about_generated, said_real=about_generated & ~right)


def _rater(name: str, rows: pd.DataFrame) -> dict[str, object]:
    asked, caught = rows[~rows["catch"]], rows.loc[rows["catch"], "right"]
    share = float(caught.mean()) if len(caught) else float("nan")
    counted = len(asked) > 0 and not share < ATTENTIVE
    return {"rater": name, **_share(asked), "caught": share, "n_catch": len(caught), "counted": counted,
            "milliseconds": float(asked["milliseconds"].median())}


def _share(rows: pd.DataFrame) -> dict[str, float]:
    """Return the share of right answers among rows that are no catch trials."""
    n, hits = len(rows), int(rows["right"].sum())
    if not n:
        return {"n": 0, **dict.fromkeys(("right", "low", "high", "p", "said_real"), float("nan"))}
    test = binomtest(hits, n, CHANCE)
    interval = test.proportion_ci(method="wilson")
    about = int(rows["about_generated"].sum())
    fooled = float(rows["said_real"].sum() / about) if about else float("nan")
    return {"n": n, "right": hits / n, "low": interval.low, "high": interval.high, "p": test.pvalue, "said_real": fooled}


def _agreement(rows: pd.DataFrame) -> float:
    """Return alpha of right and wrong, which in either kind says which of two things a rater took a face for."""
    if rows.empty:
        return float("nan")
    return krippendorff_alpha(rows.pivot(index="rater", columns="item", values="right").astype(float).to_numpy())


def krippendorff_alpha(values: np.ndarray) -> float:
    """Krippendorff's alpha of nominal values: 1 less the observed over the expected disagreement.

    Parameters
    ----------
    values : ndarray of shape (n_raters, n_items)
        NaN where a rater did not see an item.

    Returns
    -------
    float
        NaN where no item has two values, or all values are the same.

    References
    ----------
    Krippendorff (2011).
    """
    values = np.asarray(values, float)
    names = np.unique(values[~np.isnan(values)])
    counts = np.stack([(values == name).sum(axis=0) for name in names], axis=1) if len(names) else np.zeros((0, 0))
    counts = counts[counts.sum(axis=1) > 1].astype(float)  # (n_items, n_names)
    if not len(counts):
        return float("nan")
    of_item, of_name = counts.sum(axis=1, keepdims=True), counts.sum(axis=0)
    n = of_name.sum()
    observed = (counts * (of_item - counts) / (of_item - 1)).sum() / n
    expected = (of_name * (n - of_name)).sum() / (n * (n - 1))
    return float(1 - observed / expected) if expected > 0 else float("nan")
