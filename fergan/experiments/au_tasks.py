"""What is learnt of an Action Unit: whether it is there. `fergan.experiments.au_intensity` has how strongly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fergan.experiments.intervals import auc
from fergan.svm.machines import binary_values

__all__ = ["OCCURRENCE", "Task", "best_f1_threshold", "coded_auc"]


def best_f1_threshold(values: np.ndarray, positive: np.ndarray) -> float:
    """Return the threshold t for which the rule ``value >= t`` has the largest F1; NaN without positives.

    Parameters
    ----------
    values : ndarray of shape (n_faces,)
        Faces whose value is NaN take no part.
    positive : ndarray of shape (n_faces,), bool

    Returns
    -------
    float
        One of the values; of equally good thresholds the highest.
    """
    known = ~np.isnan(values)
    values, positive = values[known], positive[known]
    if not positive.any():
        return float("nan")
    descending = np.argsort(-values, kind="stable")
    hits = np.cumsum(positive[descending])
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + positive.sum())
    # Within a tie only the last face is a possible place for the threshold.
    last = np.append(np.diff(values[descending]) != 0, True)
    return float(values[descending][np.where(last, f1, -1).argmax()])


def coded_auc(values: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve over the faces with a value and a label; NaN without positives or negatives.

    Parameters
    ----------
    values, labels : ndarray of shape (n_faces,)
        Labels are 0, 1 or NaN.
    """
    known = ~np.isnan(values) & ~np.isnan(labels)
    return auc(values[known], labels[known] == 1)


def _classify(K_train: np.ndarray, labels: np.ndarray, K_test: np.ndarray, costs: Sequence[float]) -> np.ndarray:
    return binary_values(K_train, labels, K_test, costs)


@dataclass(frozen=True)
class Task:
    """What is learnt of an Action Unit, and by what a cost is judged.

    Attributes
    ----------
    fit : callable
        ``fit(K_train, labels, K_test, costs)`` returns values of shape (n_test, n_costs), as
        `fergan.svm.machines.binary_values` does.
    score : callable
        ``score(values, labels)``, larger is better, NaN where it is undefined.
    threshold : callable
        ``threshold(values, labels)`` returns where a unit begins to count as present.
    on_one_scale : bool
        Whether only the order of values matters, so that those of models with different costs may be, and have to be,
        brought to one scale.
    """

    fit: Callable[[np.ndarray, np.ndarray, np.ndarray, Sequence[float]], np.ndarray]
    score: Callable[[np.ndarray, np.ndarray], float]
    threshold: Callable[[np.ndarray, np.ndarray], float]
    on_one_scale: bool


#: Whether an Action Unit is there: a linear C-SVC, its cost judged by the area under the curve.
OCCURRENCE = Task(_classify, coded_auc, lambda values, labels: best_f1_threshold(values, labels == 1), on_one_scale=True)
