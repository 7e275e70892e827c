"""Which emotion experiment comes out above which, in the paper and here."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from fergan.emotions import EmotionResult
from fergan.protocols import SUBJECT_INDEPENDENT, bootstrap_interval, resampled_mean
from fergan.report import with_interval
from fergan.summaries.emotions import papers_emotions
from fergan.summaries.scores import row_of, score_of_table

__all__ = ["EMOTION_ORDERINGS", "accuracy_difference", "emotion_orderings"]

#: What the paper says of the order of its emotion experiments: (claim, the better one, the worse one).
EMOTION_ORDERINGS = (
    ("a network of enhanced CK does best on frontal faces", 1, 5),
    ("pretraining on much more data improves on it", 2, 1),
    ("frontal faces are easier than multi-view ones", 1, 3),
    ("pretraining on the multi-view faces themselves is worse still", 3, 4),
    ("posed faces are easier than faces in the wild", 5, 6),
    ("small, film-like sets suffer most", 6, 8),
)


def accuracy_difference(
    first: EmotionResult, second: EmotionResult, *, protocol: str = SUBJECT_INDEPENDENT, features: str = "discriminator",
    n_resamples: int = 1000, seed: int = 0,
) -> tuple[float, float, float, bool]:
    """Return the accuracy of one experiment minus another's, its 95 % interval, and whether it is paired.

    Where both classified the same faces the difference of each face is resampled over people. Otherwise the two intervals,
    which are independent, are combined.

    References
    ----------
    Zou and Donner, *Construction of Confidence Limits about Effect Measures: A General Approach*, Statistics in Medicine
    27, 2008: limits of a difference from the limits of its terms.
    """
    tables = [result.select(protocol, features).sort_values("face") for result in (first, second)]
    right = [(table["true"] == table["predicted"]).to_numpy(float) for table in tables]
    value = right[0].mean() - right[1].mean()
    same = first.settings["target"] == second.settings["target"] and np.array_equal(*(t["face"] for t in tables))
    if same and np.array_equal(*(t["true"] for t in tables)):
        statistic = partial(resampled_mean, right[0] - right[1])
        low, high = bootstrap_interval(statistic, tables[0]["subject"].to_numpy(str), n_resamples, seed)
        return float(value), float(low), float(high), True
    rows = [row_of(result.scores, protocol, features, "accuracy") for result in (first, second)]
    (a, a_low, a_high), (b, b_low, b_high) = ((row["value"], row["low"], row["high"]) for row in rows)
    low = value - np.hypot(a - a_low, b_high - b)
    high = value + np.hypot(a_high - a, b - b_low)
    return float(value), float(low), float(high), False


def emotion_orderings(results: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Compare the order of the paper's experiments with the order here, on people never seen.

    Rows whose experiments this book has not run as the paper did are left out. "Holds" and "fails" are said only where the
    interval of the difference does not contain 0.
    """
    rows = []
    for claim, better, worse in EMOTION_ORDERINGS:
        papers = [_paper(results, number) for number in (better, worse)]
        if any(paper is None for paper in papers):
            continue
        value, low, high, paired = accuracy_difference(results[better], results[worse])
        verdict = "not decided" if np.isnan(low) or low <= 0 <= high else "holds" if value > 0 else "fails"
        theirs = [score_of_table(paper, "paper", "accuracy") for paper in papers]
        rows.append({"the paper says": claim, "experiments": f"{better} over {worse}", "paper": theirs[0] - theirs[1],
                     "here": with_interval(value, low, high), "same faces": "yes" if paired else "no", "here it": verdict})
    columns = ["the paper says", "experiments", "paper", "here", "same faces", "here it"]
    return pd.DataFrame(rows or [dict.fromkeys(columns, "–")], columns=columns)


def _paper(results: Mapping[int, EmotionResult], number: int) -> pd.DataFrame | None:
    if number not in results:
        return None
    settings = results[number].settings
    return papers_emotions(number, settings["pretrained"], settings["target"])
