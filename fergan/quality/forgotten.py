"""What a generator forgets: which emotions and which people of a labelled set come too rarely among its samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest, chi2_contingency

from fergan.experiments.cross_validation import grouped_folds, other_rows
from fergan.svm.kernels import gaussian_kernel, squared_distances, typical_distance
from fergan.svm.machines import multiclass_values

__all__ = ["ClassShares", "PeopleFound", "class_shares", "people_found"]

#: The classifier's parameters are not searched: it only has to name samples and real faces alike.
_COST, _GAMMA_SCALE = 10.0, 1.0


@dataclass(frozen=True)
class ClassShares:
    """How often a classifier names each class among real faces and among samples.

    Attributes
    ----------
    table : DataFrame
        Columns ``label, real, generated, low, high``: shares, and the 95 % Wilson interval of the samples'.
    p_value : float
        Of a chi-squared test that both are draws from the same shares; NaN where only one class is ever named.
    cramers_v : float
        How far the shares lie apart, 0 (equal) to 1.
    accuracy : float
        Of the classifier on real people whom it has not seen.
    n_real, n_generated : int
    """

    table: pd.DataFrame
    p_value: float
    cramers_v: float
    accuracy: float
    n_real: int
    n_generated: int


def class_shares(
    generated: np.ndarray, real: np.ndarray, labels: Sequence[str], subjects: Sequence[str], *,
    n_folds: int = 5, seed: int = 0,
) -> ClassShares:
    """Compare the shares of classes among samples with those among real faces, both as a Gaussian SVM names them.

    Real faces are named by models that have not seen their people, so that the classifier's mistakes are on both sides.
    Its features should not be those of the discriminator that the generator learnt to deceive.

    Parameters
    ----------
    generated : ndarray of shape (n_generated, n_features)
    real : ndarray of shape (n_real, n_features)
    labels, subjects : sequence of str
        Class and person of each real face.
    n_folds, seed : int
        Of the folds of people.

    Returns
    -------
    ClassShares
    """
    names, y = np.unique(np.asarray(labels, str), return_inverse=True)
    if not len(real) == len(y) == len(subjects):
        raise ValueError(f"{len(real)} real faces, {len(y)} labels and {len(subjects)} subjects; expected as many of each")
    folds = grouped_folds(y, np.asarray(subjects, str), n_folds, seed)
    D2 = squared_distances(np.concatenate([real, generated]))
    gamma = _GAMMA_SCALE / typical_distance(D2[: len(real), : len(real)])
    K = gaussian_kernel(D2, gamma)
    everyone, samples = np.arange(len(real)), np.arange(len(real), len(D2))
    y_all = np.concatenate([y, np.zeros(len(generated), int)])
    named_real = np.empty(len(real), int)
    for fold in folds:
        values = multiclass_values(K, y_all, other_rows(len(real), [fold]), fold, _COST, len(names))
        named_real[fold] = values.argmax(axis=1)
    named = multiclass_values(K, y_all, everyone, samples, _COST, len(names)).argmax(axis=1)
    counts = np.stack([np.bincount(of_side, minlength=len(names)) for of_side in (named_real, named)])
    intervals = [binomtest(int(count), len(named)).proportion_ci(method="wilson") for count in counts[1]]
    table = pd.DataFrame({"label": names, "real": counts[0] / len(real), "generated": counts[1] / len(named)})
    table["low"], table["high"] = zip(*((interval.low, interval.high) for interval in intervals), strict=True)
    statistic, p_value = _homogeneity(counts)
    v = float(np.sqrt(statistic / counts.sum()))
    return ClassShares(table, p_value, v, float(np.mean(named_real == y)), len(real), len(named))


def _homogeneity(counts: np.ndarray) -> tuple[float, float]:
    """Chi-squared statistic and p value of a 2 x k table; NaN where fewer than two classes were ever named."""
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return float("nan"), float("nan")
    found = chi2_contingency(counts, correction=False)
    return float(found.statistic), float(found.pvalue)


@dataclass(frozen=True)
class PeopleFound:
    """How many people of a set are somebody's nearest real face.

    Attributes
    ----------
    n_found : int
        People who are the nearest one to at least one sample.
    n_people : int
        People of the set.
    expected, low, high : float
        How many would be found if samples fell to people as their numbers of faces do: mean and central 95 % of draws.
    largest_share : float
        Of the samples that fall to one person.
    n_generated : int
    """

    n_found: int
    n_people: int
    expected: float
    low: float
    high: float
    largest_share: float
    n_generated: int


def people_found(
    generated: np.ndarray, real: np.ndarray, subjects: Sequence[str], n_draws: int = 1000, seed: int = 0
) -> PeopleFound:
    """Count the people among the nearest real faces of the samples, and how many chance would find.

    Parameters
    ----------
    generated, real : ndarray of shape (n, n_features)
    subjects : sequence of str
        The person of each real face.
    n_draws, seed : int
        Of the draws that give the interval of the expected number.
    """
    names, person = np.unique(np.asarray(subjects, str), return_inverse=True)
    if len(real) != len(person):
        raise ValueError(f"{len(real)} real faces but {len(person)} subjects; expected one of each per face")
    x, y = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    nearest = ((y * y).sum(axis=1)[None] - 2 * x @ y.T).argmin(axis=1)
    hits = np.bincount(person[nearest], minlength=len(names))
    share = np.bincount(person) / len(person)
    draws = np.random.default_rng(seed).multinomial(len(x), share, size=n_draws)
    found = (draws > 0).sum(axis=1)
    low, high = np.quantile(found, [0.025, 0.975])
    expected = float((1 - (1 - share) ** len(x)).sum())
    n_found, largest_share = int((hits > 0).sum()), float(hits.max() / len(x))
    return PeopleFound(n_found, len(names), expected, float(low), float(high), largest_share, len(x))
