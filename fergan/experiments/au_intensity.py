"""How strongly an Action Unit is shown: linear support vector regression, and the agreement with those who graded it.

Intensities run from 0 (absent) to 1 (maximum): FACS' five grades, A to E, are .2 apart.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVR

from fergan.experiments.au_tasks import Task

__all__ = ["INTENSITY", "icc_3_1", "intensity_values", "resampled_icc"]

#: Half a grade of FACS: a smaller error costs nothing in training.
TOLERANCE = 0.1

_MAX_ITERATIONS = 100_000  # of LibSVM's solver, for each fit; a large cost may need millions for digits that do not matter
_CACHE_MB = 500


def icc_3_1(ratings: np.ndarray) -> float:
    """Return the intraclass correlation ICC(3,1): how well single ratings of the same faces by fixed raters agree.

    With MS_faces and MS_error the mean squares of a two-way analysis of variance, faces by raters, over k raters,

        ICC(3,1) = (MS_faces - MS_error) / (MS_faces + (k - 1) MS_error).

    A rater who always says a fixed amount more is not held to disagree.

    Parameters
    ----------
    ratings : ndarray of shape (n_faces, n_raters)
        Faces with a missing rating take no part.

    Returns
    -------
    float
        At most 1; NaN with fewer than two faces, or where all ratings are the same.

    References
    ----------
    Shrout and Fleiss (1979), Intraclass correlations: uses in assessing rater reliability, Psychological Bulletin 86(2).
    """
    ratings = np.asarray(ratings, dtype=float)
    ratings = ratings[~np.isnan(ratings).any(axis=1)]
    n_faces, n_raters = ratings.shape
    if n_raters < 2:
        raise ValueError(f"ratings have {n_raters} column; agreement needs at least two raters")
    if n_faces < 2:
        return float("nan")
    of_faces, of_raters, mean = ratings.mean(axis=1), ratings.mean(axis=0), ratings.mean()
    between = n_raters * np.sum((of_faces - mean) ** 2) / (n_faces - 1)
    residual = ratings - of_faces[:, None] - of_raters[None, :] + mean
    error = np.sum(residual**2) / ((n_faces - 1) * (n_raters - 1))
    if between + error <= 1e-15 * max(1.0, mean**2):
        return float("nan")
    return float((between - error) / (between + (n_raters - 1) * error))


def resampled_icc(true: np.ndarray, estimated: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """ICC(3,1) of truth and estimate in each resample of people, see `fergan.experiments.intervals.bootstrap_interval`.

    With two raters it is ``2 cov(x, y) / (var(x) + var(y))``, so that sums over each person's faces suffice.
    """
    moments = np.stack([np.ones_like(true), true, estimated, true**2, estimated**2, true * estimated], axis=1)
    of_people = np.zeros((counts.shape[1], moments.shape[1]))
    np.add.at(of_people, codes, moments)
    n, x, y, xx, yy, xy = (counts @ of_people).T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (xx - x**2 / n) + (yy - y**2 / n)
        return np.where(spread > 1e-12, 2 * (xy - x * y / n) / spread, np.nan)


def intensity_values(
    K_train: np.ndarray, intensity: np.ndarray, K_test: np.ndarray, costs: Sequence[float]
) -> np.ndarray:
    """Train one linear support vector regression per cost and return its estimates.

    Parameters
    ----------
    K_train : ndarray of shape (n_train, n_train), float64
    intensity : ndarray of shape (n_train,)
        0 to 1.
    K_test : ndarray of shape (n_test, n_train), float64
    costs : sequence of float
        Ascending; as in `fergan.svm.machines.binary_values` the ladder ends where a solution does not touch its bound.

    Returns
    -------
    ndarray of shape (n_test, n_costs), float64
        Cut to 0..1; NaN where all training faces have the same intensity.
    """
    values = np.full((len(K_test), len(costs)), np.nan)
    if len(np.unique(intensity)) < 2:
        return values
    for index, C in enumerate(costs):
        model = SVR(kernel="precomputed", C=C, epsilon=TOLERANCE, cache_size=_CACHE_MB, max_iter=_MAX_ITERATIONS)
        with config_context(assume_finite=True), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            values[:, index] = np.clip(model.fit(K_train, intensity).predict(K_test), 0, 1)
        if not model.dual_coef_.size or np.abs(model.dual_coef_).max() < C * (1 - 1e-9):
            values[:, index + 1 :] = values[:, [index]]
            break
    return values


def _agreement(values: np.ndarray, intensity: np.ndarray) -> float:
    return icc_3_1(np.column_stack([intensity, values]))


#: How strongly an Action Unit is shown: a linear SVR, its cost judged by ICC(3,1).
INTENSITY = Task(intensity_values, _agreement, lambda values, intensity: float("nan"), on_one_scale=False)
