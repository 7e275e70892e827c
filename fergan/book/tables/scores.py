"""Reading single numbers out of results, and writing them with their intervals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fergan.book.report import with_interval
from fergan.experiments.cross_validation import AS_PUBLISHED, OFFICIAL_SPLIT, SUBJECT_INDEPENDENT
from fergan.experiments.scores import ExperimentResult, row_of, score_of

__all__ = [
    "every_protocol", "interval_of", "mean_in_words", "mean_score", "protocol_words", "row_of", "score_of", "score_of_table",
]


#: How the pages call the protocols that every set has, and, with the third, all of them.
protocol_words = {AS_PUBLISHED: "as published", SUBJECT_INDEPENDENT: "people never seen"}
every_protocol = protocol_words | {OFFICIAL_SPLIT: "official split"}


def interval_of(scores: pd.DataFrame, *key: str) -> str:
    row = row_of(scores, *key)
    return with_interval(row["value"], row["low"], row["high"]) if len(row) else "–"


def score_of_table(scores: pd.DataFrame, protocol: str, score: str, features: str = "discriminator") -> float:
    """Return one number of a table of scores; NaN where it has none."""
    return float(row_of(scores, protocol, features, score).get("value", np.nan))


def mean_score(results: Mapping[int, ExperimentResult], protocol: str, score: str) -> float:
    """Return the mean of a score of the discriminator's features over experiments; NaN without any."""
    values = [score_of(result, protocol, "discriminator", score) for result in results.values()]
    return float(np.mean(values)) if values else float("nan")


def mean_in_words(results: Mapping[int, ExperimentResult], protocol: str, score: str) -> str:
    """Return `mean_score` as the prose writes it; "not run" without any experiment."""
    mean = mean_score(results, protocol, score)
    return f"{mean:.3f}" if mean == mean else "not run"
