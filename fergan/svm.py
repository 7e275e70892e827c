"""Support vector machines on kernel matrices that are computed once and shared by all folds and parameters.

A kernel SVM sees its n_features = 8,192 numbers per face only through inner products or distances. These cost
one matrix product per feature set; after it a fold is a slice, and a new ``gamma`` is one elementwise
exponential. Fits run on threads, because LibSVM releases Python's global lock.

Features are not standardised: no statistic of a test face can then reach the training, and the scale of the
Gaussian kernel is relative to the data's own distances (`typical_distance`).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import qmc
from sklearn import config_context
from sklearn.svm import SVC

__all__ = [
    "COST_RANGE",
    "GAMMA_SCALE_RANGE",
    "SearchResult",
    "binary_values",
    "gaussian_kernel",
    "gram",
    "kernel_slice",
    "multiclass_values",
    "search",
    "squared_distances",
    "typical_distance",
]

#: Box of the Bayesian search, both log-uniform: C, and gamma times the median squared distance.
COST_RANGE = (1e-1, 1e3)
GAMMA_SCALE_RANGE = (1e-2, 3.0)

_MISSING_CLASS = -1.0  # below every vote count, which starts at -1/3


def squared_distances(X: np.ndarray, Y: np.ndarray | None = None) -> np.ndarray:
    """Compute all squared Euclidean distances between the rows of two matrices.

    Both are centred on the mean of `Y` before ``|x|^2 + |y|^2 - 2 x.y`` is summed in float64, so that little
    is lost to cancellation: the error is about 1e-15 times the largest squared distance from the mean.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32 or float64
    Y : ndarray of shape (n_columns, n_features), optional
        `X` itself when left out; the result is then symmetric with a diagonal of exact zeros.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), float64
        Never negative.
    """
    mean = (X if Y is None else Y).mean(axis=0, dtype=np.float64)
    X_centred = X - mean
    Y_centred = X_centred if Y is None else Y - mean
    D2 = X_centred @ Y_centred.T
    x_norms = np.einsum("ij,ij->i", X_centred, X_centred)
    y_norms = np.einsum("ij,ij->i", Y_centred, Y_centred)
    D2 *= -2
    D2 += x_norms[:, None]
    D2 += y_norms[None, :]
    np.maximum(D2, 0, out=D2)
    if Y is None:
        # The norms are added in another order above and below the diagonal: make both halves the same bits.
        D2 = np.minimum(D2, D2.T)
        np.fill_diagonal(D2, 0)
    return D2


def gram(X: np.ndarray, Y: np.ndarray | None = None) -> np.ndarray:
    """Compute the linear kernel ``(x - m).(y - m) / s``, centred and scaled by its second argument.

    Here m is the mean of `Y` and s its mean squared distance from m. Moving the origin leaves a C-SVC with a
    free bias unchanged. Dividing by s gives the diagonal of ``gram(Y)`` a mean of 1, so that one grid of C
    suits features of any scale.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32 or float64
        For a test set the rows are its faces, and `Y` is the training set.
    Y : ndarray of shape (n_columns, n_features), optional
        `X` itself when left out.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), float64
    """
    mean = (X if Y is None else Y).mean(axis=0, dtype=np.float64)
    X_centred = X - mean
    Y_centred = X_centred if Y is None else Y - mean
    scale = np.einsum("ij,ij->", Y_centred, Y_centred) / len(Y_centred)
    if scale == 0:
        raise ValueError(
            "all faces have the same features; the network that made them has probably collapsed"
        )
    return X_centred @ Y_centred.T / scale


def typical_distance(D2: np.ndarray) -> float:
    """Return the median squared distance between two faces, the data's own unit for ``1 / gamma``.

    It uses every face without its label, test faces included; it only places the box that is searched. Above
    2,000 faces an even subset of rows stands for all.
    """
    rows = D2[:: max(1, len(D2) // 2000)]
    apart = rows[rows > 0]
    median = float(np.median(apart)) if len(apart) >= rows.size / 2 else 0.0
    if median <= 0:
        raise ValueError(
            "most faces have the same features; the network that made them has probably collapsed"
        )
    return median


def gaussian_kernel(D2: np.ndarray, gamma: float) -> np.ndarray:
    """Return ``exp(-gamma * D2)`` as float64."""
    K = np.multiply(D2, -gamma)
    return np.exp(K, out=K)


def kernel_slice(K: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Copy the given rows and columns; twice as fast as ``K[np.ix_(rows, columns)]``."""
    return K.take(rows, axis=0).take(columns, axis=1)


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


@dataclass(frozen=True)
class SearchResult:
    """The best point of a search and all points tried.

    Attributes
    ----------
    C, gamma : float
        The chosen cost and kernel parameter.
    score : float
        The objective there.
    trials : DataFrame
        Columns ``trial, C, gamma, gamma_scale, score, chosen``, in the order of evaluation.
    """

    C: float
    gamma: float
    score: float
    trials: pd.DataFrame


def search(
    objective: Callable[[float, float], float], distance: float, *, n_evaluations: int = 30, seed: int = 0
) -> SearchResult:
    """Maximise ``objective(C, gamma)`` by Bayesian optimisation with a Gaussian process.

    The first half of the evaluations (at most ten) is a Halton sequence, the same for every objective with
    the same seed; the others are proposed by Optuna's `GPSampler`. Of equally good points the one with the
    smallest C, then the smallest gamma is chosen: the smoothest classifier.

    Parameters
    ----------
    objective : callable
        Larger is better.
    distance : float
        `typical_distance`; gamma is searched in `GAMMA_SCALE_RANGE` divided by it.
    n_evaluations : int
        At least 3.
    seed : int
        The same seed and objective give the same trials.

    Returns
    -------
    SearchResult

    References
    ----------
    Snoek, Larochelle and Adams, *Practical Bayesian Optimization of Machine Learning Algorithms*, NIPS 2012.
    """
    if n_evaluations < 3:
        raise ValueError(f"n_evaluations is {n_evaluations}; a Bayesian search needs at least 3")
    import optuna  # here, because its Gaussian process imports torch, which takes a second

    n_startup = max(2, min(10, n_evaluations // 2))
    start = qmc.scale(qmc.Halton(2, rng=seed).random(n_startup), *np.log10([COST_RANGE, GAMMA_SCALE_RANGE]).T)

    def evaluate(trial) -> float:
        C = trial.suggest_float("C", *COST_RANGE, log=True)
        scale = trial.suggest_float("gamma_scale", *GAMMA_SCALE_RANGE, log=True)
        score = float(objective(C, scale / distance))
        if not np.isfinite(score):
            raise ValueError(f"the score at C = {C:g}, gamma = {scale / distance:g} is {score}")
        return score

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=n_startup)
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for log_cost, log_scale in start:
                study.enqueue_trial({"C": 10**log_cost, "gamma_scale": 10**log_scale})
            study.optimize(evaluate, n_trials=n_evaluations)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return _best([(t.params["C"], t.params["gamma_scale"], t.value) for t in study.trials], distance)


def _best(points: list[tuple[float, float, float]], distance: float) -> SearchResult:
    trials = pd.DataFrame(points, columns=["C", "gamma_scale", "score"])
    trials.insert(0, "trial", np.arange(len(trials)))
    trials.insert(2, "gamma", trials["gamma_scale"] / distance)
    best = trials.sort_values(["score", "C", "gamma"], ascending=[False, True, True]).index[0]
    trials["chosen"] = trials.index == best
    row = trials.loc[best]
    return SearchResult(float(row["C"]), float(row["gamma"]), float(row["score"]), trials)
