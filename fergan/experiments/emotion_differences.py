"""How much more accurate one emotion experiment is than another."""

from functools import partial

import numpy as np

from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.intervals import Difference, bootstrap_interval, resampled_mean
from fergan.experiments.scores import ExperimentResult

__all__ = ["accuracy_difference"]


def accuracy_difference(
    first: EmotionResult, second: EmotionResult, *, protocol: str = SUBJECT_INDEPENDENT, features: str = "discriminator"
) -> tuple[Difference, bool]:
    """Return the accuracy of one experiment minus another's, and whether it is paired.

    Where both classified the same faces the difference of each face is resampled over people, as often and from the same
    seed as the first experiment's own intervals, so that every page gives one interval. Otherwise the two intervals, which
    are independent, are combined, see `fergan.experiments.intervals.Difference.of_scores`.
    """
    tables = [result.select(protocol, features).sort_values("face") for result in (first, second)]
    same = first.settings["target"] == second.settings["target"] and np.array_equal(*(t["face"] for t in tables))
    if same and np.array_equal(*(t["true"] for t in tables)):
        right = [(table["true"] == table["predicted"]).to_numpy(float) for table in tables]
        difference, people = right[0] - right[1], tables[0]["subject"].to_numpy(str)
        low, high = bootstrap_interval(partial(resampled_mean, difference), people,
                                       *(first.settings[key] for key in ("n_resamples", "seed")))
        return Difference(float(difference.mean()), float(low), float(high)), True
    return Difference.of_scores(*(_accuracy(result, protocol, features) for result in (first, second))), False


def _accuracy(result: ExperimentResult, protocol: str, features: str) -> tuple[float, float, float]:
    rows = result.scores.query("protocol == @protocol and features == @features and score == 'accuracy' and label == 'all'")
    value, low, high = rows[["value", "low", "high"]].iloc[0]
    return float(value), float(low), float(high)
