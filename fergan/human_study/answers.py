"""What raters answered, one JSON object a line; what it says, and how many answers are needed to say it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError
from scipy.stats import binom, binomtest, norm

from fergan.cache import Config
from fergan.files import read_json, write_json
from fergan.human_study.study import ANSWERS, Study

CHANCE = 0.5  # guessing is right in half of all trials, in either kind of study
ATTENTIVE = 0.8  # raters with a smaller share of catch trials right are shown, and not pooled; fixed beforehand
_RATER_COLUMNS = ["n", "right", "low", "high", "p", "said_real", "caught", "n_catch", "counted", "milliseconds"]


class Answer(Config):
    """One answer, as it is kept."""

    study: str  # `fergan.human_study.study.Study.digest`
    rater: str
    sheet: int
    trial: int
    answer: str
    milliseconds: float  # from the faces' appearance to the key
    shown: float | None = None  # milliseconds for which they were really shown, where it was measured
    time: str | None = None  # of the answer, ISO 8601


def read_answers(paths: Iterable[Path]) -> pd.DataFrame:
    """Read answers from ``*.jsonl``, a row for each `Answer`; a ValueError says which line is none."""
    rows = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                rows += [Answer.model_validate_json(line).model_dump()] if line.strip() else []
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(f"{path}, line {number} is no answer: {first['msg']} {first['loc']}") from None
    table = pd.DataFrame(rows, columns=list(Answer.model_fields))
    return table.astype({"sheet": int, "trial": int, "milliseconds": float, "shown": float})


def collected_answers(folder: Path, studies: Mapping[str, Study]) -> dict[str, pd.DataFrame]:
    """Return the answers to each study in the files of a folder, if it exists; ValueError for those to none of them."""
    answers = read_answers(sorted(folder.glob("*.jsonl")))
    known = {kind: study.digest for kind, study in studies.items()}
    if strange := sorted(set(answers["study"]) - set(known.values())):
        raise ValueError(f"{folder} holds answers to study {strange[0]}; expected those to {', '.join(known.values())}")
    return {kind: answers[answers["study"] == digest].reset_index(drop=True) for kind, digest in known.items()}


def scored_answers(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Return each rater's first answer to each item, with ``item, right_answer, catch, right``; ValueError for no answer."""
    trials = pd.DataFrame([(sheet, number, trial.item, trial.right_answer, trial.catch)
                           for sheet, trials in enumerate(study.sheets) for number, trial in enumerate(trials)],
                          columns=["sheet", "trial", "item", "right_answer", "catch"])
    found = answers.merge(trials, how="left", on=["sheet", "trial"])
    for row in found.itertuples():
        if pd.isna(row.item):
            raise ValueError(f"rater {row.rater}: the study has no trial {row.trial} on sheet {row.sheet}")
        if row.answer not in ANSWERS[study.kind]:
            raise ValueError(f"rater {row.rater}, trial {row.trial}: {row.answer!r} is no answer; "
                             f"expected {' or '.join(ANSWERS[study.kind])}")
    found["right"] = (found["answer"] == found["right_answer"]).astype(bool)
    return found.astype({"item": int, "catch": bool}).drop_duplicates(["rater", "item"])


@dataclass(frozen=True)
class StudyResult:
    """What came out.

    `raters` has one row each: the share of right answers (``right``) of ``n``, its 95 % Wilson interval ``low, high`` and
    ``p`` of a binomial test against chance; the shares of generated faces taken for real (``said_real``) and of ``n_catch``
    catch trials that were right (``caught``); whether the rater is pooled (``counted``); the median ``milliseconds``.
    """

    raters: pd.DataFrame
    pooled: dict[str, float]  # ``n, right, low, high, p, said_real, n_raters`` of those that count, if any
    alpha: float  # Krippendorff's, of which face was taken for real; NaN where no item has two raters


def analyse(study: Study, answers: pd.DataFrame) -> StudyResult:
    """Analyse the answers to a study. The pooled interval takes all trials as independent, which a rater's are not quite."""
    scored = scored_answers(study, answers)
    # In a pair, a wrong answer takes the generated face for the real one; one at a time, "real" about a generated one does.
    scored["can_fool"] = (scored["right_answer"] == "generated") | (study.kind == "pair")
    raters = pd.DataFrame([{"rater": name} | _rater(rows) for name, rows in scored.groupby("rater", sort=True)],
                          columns=["rater", *_RATER_COLUMNS])
    counted = scored[scored["rater"].isin(raters.loc[raters["counted"], "rater"]) & ~scored["catch"]]
    pooled = _share(counted) | {"n_raters": counted["rater"].nunique()} if len(counted) else {}
    # Right and wrong say, in either kind, which of two things a rater took a face for.
    said = counted.pivot(index="rater", columns="item", values="right").astype(float)
    return StudyResult(raters, pooled, krippendorff_alpha(said.to_numpy()))


def analyse_studies(folder: Path, config: Config, *, studies: dict[str, Study], answers: dict[str, pd.DataFrame]) -> None:
    """Write what raters said of each study as ``scores.json``, without their names; `config` has no fields."""
    found = {kind: analyse(study, answers[kind]) for kind, study in studies.items()}
    write_json(folder / "scores.json", {
        kind: {"pooled": result.pooled, "alpha": result.alpha, "raters": result.raters[_RATER_COLUMNS].to_dict("records")}
        for kind, result in found.items()})


def load_results(folder: Path) -> dict[str, StudyResult]:
    """Return what `analyse_studies` wrote: kind -> result, its raters numbered."""
    results = {}
    for kind, record in read_json(folder / "scores.json").items():
        raters = pd.DataFrame(record["raters"], columns=_RATER_COLUMNS)
        raters["rater"] = np.arange(1, len(raters) + 1)
        results[kind] = StudyResult(raters, record["pooled"], np.nan if record["alpha"] is None else record["alpha"])
    return results


def _rater(rows: pd.DataFrame) -> dict[str, float]:
    asked, caught = rows[~rows["catch"]], rows.loc[rows["catch"], "right"]
    share = float(caught.mean())  # NaN without a catch trial
    return _share(asked) | {"caught": share, "n_catch": len(caught), "counted": len(asked) > 0 and not share < ATTENTIVE,
                            "milliseconds": float(asked["milliseconds"].median())}


def _share(rows: pd.DataFrame) -> dict[str, float]:
    """Return the share of right answers among rows that are no catch trials; NaN without any."""
    n, hits = len(rows), int(rows["right"].sum())
    if not n:
        return {"n": 0}
    test = binomtest(hits, n, CHANCE)
    interval = test.proportion_ci(method="wilson")
    fooled = float((~rows.loc[rows["can_fool"], "right"]).mean())  # NaN where no generated face was shown
    return {"n": n, "right": hits / n, "low": interval.low, "high": interval.high, "p": test.pvalue, "said_real": fooled}


def krippendorff_alpha(values: np.ndarray) -> float:
    """Return Krippendorff's alpha (2011) of nominal values (n_raters, n_items), NaN where a rater did not see an item.

    1 where raters agree, 0 where as often as by chance, NaN where no item has two values or all are the same.
    """
    counts = (values[:, :, None] == np.unique(values[~np.isnan(values)])).sum(axis=0)  # (n_items, n_names)
    counts = counts[counts.sum(axis=1) > 1].astype(float)
    of_item, of_name = counts.sum(axis=1, keepdims=True), counts.sum(axis=0)
    n = of_name.sum()
    if not (of_name * (n - of_name)).any():
        return float("nan")
    observed = (counts * (of_item - counts) / (of_item - 1)).sum() / n
    expected = (of_name * (n - of_name)).sum() / (n * (n - 1))
    return float(1 - observed / expected)


def trials_for_half_width(half_width: float) -> int:
    """Return the fewest trials whose 95 % Wilson interval, widest at chance, reaches `half_width` to either side."""
    z = norm.ppf(0.975)
    return math.ceil((z / half_width) ** 2 / 4 - z**2)


def power_against_chance(n: int, share: float, level: float = 0.05) -> float:
    """Return how probably `n` independent trials, `share` of them right, pass the exact two-sided test of chance."""
    counts = np.arange(n + 1)
    p = 2 * binom.cdf(np.minimum(counts, n - counts), n, CHANCE)  # the test at a half is symmetric
    return float(binom.pmf(counts, n, share)[p <= level].sum())


def power_table(n_per_rater: int = 100) -> pd.DataFrame:
    """Return one row per half width of the interval: trials, raters, and what can be told from chance with as many."""
    trials = {f"± {100 * half:g} %": trials_for_half_width(half) for half in (0.1, 0.05, 0.03, 0.02, 0.01)}
    return pd.DataFrame([
        {"interval": interval, "trials": n, f"raters of {n_per_rater} trials": -(-n // n_per_rater)}
        | {f"power at {100 * share:g} %": power_against_chance(n, share) for share in (0.53, 0.55, 0.6)}
        for interval, n in trials.items()])
