"""Support vector machines on precomputed kernel matrices (see `fergan.kernels`).

Fits run on threads, because LibSVM releases Python's global lock.
"""

from collections.abc import Sequence

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

from fergan.kernels import kernel_slice

__all__ = ["binary_values", "multiclass_values"]

_MISSING_CLASS = -1.0  # below every vote count, which starts at -1/3


def _fit(K: np.ndarray, y: np.ndarray, C: float) -> SVC:
    # The kernel matrix is finite by construction. No limit on iterations: LibSVM stops when it has converged.
    with config_context(assume_finite=True):
        return SVC(kernel="precomputed", C=C, cache_size=500, break_ties=True).fit(K, y)


def multiclass_values(
    K: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, C: float, n_classes: int
) -> np.ndarray:
    """Train a one-vs-one C-SVC on some faces and return its decision values on others.

    Parameters
    ----------
    K : ndarray of shape (n_samples, n_samples), float64
        The kernel matrix of all faces.
    y : ndarray of shape (n_samples,), int
        Classes 0 to ``n_classes - 1``.
    train, test : ndarray of int
        Which faces.
    C : float
        Cost of the margin's violations.
    n_classes : int

    Returns
    -------
    ndarray of shape (n_test, n_classes), float64
        Pairwise votes for each class plus, between -1/3 and 1/3, the summed and squashed pairwise decision
        values; the predicted class is the largest. With two classes, minus and plus the decision value. A
        class without a training face gets a value below all others.
    """
    # With each class contiguous LibSVM reads memory in order: its pairwise problems take a third less time.
    train = train[np.argsort(y[train], kind="stable")]
    present = np.unique(y[train])
    if len(present) < 2:
        raise ValueError(
            "a training part holds a single class; use fewer folds or inner folds, or more people"
        )
    model = _fit(kernel_slice(K, train, train), y[train], C)
    with config_context(assume_finite=True):
        found = model.decision_function(kernel_slice(K, test, train))
    if len(present) == 2:
        found = np.column_stack([-found, found])
    values = np.full((len(test), n_classes), _MISSING_CLASS if len(present) > 2 else -np.inf)
    values[:, present] = found
    return values


def binary_values(
    K_train: np.ndarray, occurrence: np.ndarray, K_test: np.ndarray, costs: Sequence[float]
) -> np.ndarray:
    """Train one binary C-SVC per cost and return its decision values.

    A solution whose largest coefficient stays below C does not touch that bound, so it solves the problem for
    every larger C too: the ladder of costs ends there.

    Parameters
    ----------
    K_train : ndarray of shape (n_train, n_train), float64
    occurrence : ndarray of shape (n_train,)
        0 or 1.
    K_test : ndarray of shape (n_test, n_train), float64
    costs : sequence of float
        Ascending.

    Returns
    -------
    ndarray of shape (n_test, n_costs), float64
        Positive for class 1; NaN when only one class is present in training.
    """
    values = np.full((len(K_test), len(costs)), np.nan)
    if len(np.unique(occurrence)) < 2:
        return values
    for index, C in enumerate(costs):
        model = _fit(K_train, occurrence.astype(int), C)
        with config_context(assume_finite=True):
            values[:, index] = model.decision_function(K_test)
        if np.abs(model.dual_coef_).max() < C * (1 - 1e-9):
            values[:, index + 1 :] = values[:, [index]]
            break
    return values
