"""How sure a score is, and whether it could be chance: bootstrap intervals, differences and permutation tests over people.

Intervals are percentile bootstraps over people, not faces: faces of one person are not independent.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import rankdata

from fergan.cache import run_threads
from fergan.experiments.cross_validation import other_rows
from fergan.svm.kernels import fit_svc, gaussian_kernel, kernel_slice

_MAX_RESAMPLED = 1000  # more people than this are resampled in this many random groups, to bound the memory
_MAX_UNDEFINED = 0.1  # an interval that more than this share of the resamples leaves undefined is NaN


def bootstrap_interval(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], groups: np.ndarray, n_resamples: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval (95 %) over people, drawn with replacement together with all their faces.

    The same `groups` and `seed` give the same resamples, so that differences of statistics are paired.

    Args:
        statistic: ``statistic(counts, codes)`` with counts of shape (n_resamples, n_people), how often each person was
            drawn, and codes of shape (n_samples,), the person of each face; returns an array of shape (n_resamples, ...).
            See `resampled_mean`, `resampled_auc`, `resampled_confusion`: each is a matrix product.
        groups: (n_samples,); the person of each face. More than 1,000 people are drawn in 1,000 random groups of people.

    Returns: its ends. Resamples in which the statistic is undefined are left out; NaN where these are more than a tenth,
        where there are fewer than two people, or without resamples.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    n_people = codes.max(initial=-1) + 1
    if n_people > _MAX_RESAMPLED:
        codes = (rng.permutation(n_people) % _MAX_RESAMPLED)[codes]
        n_people = _MAX_RESAMPLED
    usable = n_people >= 2 and n_resamples >= 1
    counts = rng.multinomial(n_people, [1 / n_people] * n_people, size=n_resamples if usable else 1).astype(float)
    values = statistic(counts, codes)
    undefined = np.isnan(values).mean(axis=0) > _MAX_UNDEFINED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of only NaN gives NaN, as it should
        low, high = np.nanquantile(values, [0.025, 0.975], axis=0)
    nothing = undefined | (not usable)
    return np.where(nothing, np.nan, low)[()], np.where(nothing, np.nan, high)[()]


def mean_interval(values: np.ndarray, groups: np.ndarray, n_resamples: int, seed: int) -> dict[str, float]:
    """Return the mean of a number of each face, and its interval: ``value, low, high`` of a row of scores."""
    low, high = bootstrap_interval(partial(resampled_mean, values), groups, n_resamples, seed)
    return dict(value=values.mean(), low=low, high=high)


def _per_person(values: np.ndarray, codes: np.ndarray, n_people: int) -> np.ndarray:
    sums = np.zeros((n_people, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def resampled_mean(values: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mean over the faces of each resample; with 0 and 1 as values, the accuracy. Shape (n_resamples,)."""
    n_people = counts.shape[1]
    return _divide(counts @ _per_person(values, codes, n_people), counts @ np.bincount(codes, minlength=n_people))


def resampled_confusion(true: np.ndarray, predicted: np.ndarray, n_classes: int, counts: np.ndarray,
                        codes: np.ndarray) -> np.ndarray:
    """Confusion matrices of the resamples, rows by true class. Shape (n_resamples, n_classes, n_classes)."""
    cells = np.zeros((counts.shape[1], n_classes, n_classes))
    np.add.at(cells, (codes, true, predicted), 1)
    return np.tensordot(counts, cells, axes=1)


def balanced_accuracy_and_f1(confusion: np.ndarray) -> np.ndarray:
    """Balanced accuracy and macro F1 of matrices (..., n_classes, n_classes), without absent classes. Shape (..., 2)."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore"):
        recall = right / confusion.sum(axis=-1)
        f1 = 2 * right / (confusion.sum(axis=-1) + confusion.sum(axis=-2))
    return np.stack([np.nanmean(recall, axis=-1), np.nanmean(f1, axis=-1)], axis=-1)


def resampled_auc(values: np.ndarray, positive: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each resample, NaN without positives or negatives.

    With W[p, q] the number of pairs of a positive face of person p and a negative one of person q in which the positive one
    has the larger value (a tie counts one half), and c the counts of a resample, the area is
    ``c W c / ((c n_positive) (c n_negative))``: every resample is a product with one matrix.
    """
    n_people = counts.shape[1]
    ascending = np.argsort(values[~positive], kind="stable")
    negatives = values[~positive][ascending]
    below = np.zeros((len(negatives) + 1, n_people))
    below[np.arange(1, len(below)), codes[~positive][ascending]] = 1
    np.cumsum(below, axis=0, out=below)
    won = below[np.searchsorted(negatives, values[positive], "left")]
    won = (won + below[np.searchsorted(negatives, values[positive], "right")]) / 2
    W = _per_person(won, codes[positive], n_people)
    n_positive = counts @ np.bincount(codes[positive], minlength=n_people)
    n_negative = counts @ np.bincount(codes[~positive], minlength=n_people)
    return _divide(np.einsum("rp,rp->r", counts @ W, counts), n_positive * n_negative)


def auc(values: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in order, ties one half; NaN without any."""
    n_positive = int(positive.sum())
    n_pairs = n_positive * (len(positive) - n_positive)
    if n_pairs == 0:
        return float("nan")
    return float((rankdata(values)[positive].sum() - n_positive * (n_positive + 1) / 2) / n_pairs)


@dataclass(frozen=True)
class Difference:
    """A difference of two scores with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)

    @classmethod
    def of_scores(cls, first: tuple[float, float, float], second: tuple[float, float, float]) -> "Difference":
        """Return the difference of two independent scores, each ``(value, low, high)``, which may be lopsided.

        The interval is the one of Zou and Donner (2008), which recovers the variances from both intervals.
        """
        (a, a_low, a_high), (b, b_low, b_high) = first, second
        return cls(a - b, a - b - np.hypot(a - a_low, b_high - b), a - b + np.hypot(a_high - a, b - b_low))


def exchangeable(groups: np.ndarray) -> np.ndarray:
    """Return, for each face, the number of the stratum that its label is permuted in.

    A person with several faces is a stratum, from 1. People with one face, whose label could go nowhere, form stratum 0.
    """
    codes, counts = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    return np.where(counts[codes] == 1, 0, codes + 1)


def permuted_within(y: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute labels within each stratum, which keeps the counts of its labels."""
    by_stratum = np.argsort(strata, kind="stable")
    shuffled = np.lexsort((rng.random(len(y)), strata))
    permuted = np.empty_like(y)
    permuted[by_stratum] = y[shuffled]
    return permuted


def chance_test(
    D2: np.ndarray, y: np.ndarray, groups: np.ndarray, blocks: Sequence[tuple[np.ndarray, float, float]], *,
    n_permutations: int, seed: int = 0, n_threads: int = 1,
) -> np.ndarray:
    """Compare a Gaussian SVM's accuracy with that after permuting labels within people (Ojala and Garriga, JMLR 11, 2010).

    The blocks serve as folds: each is predicted by a model trained on the others, anew for each labelling, at the same C
    and gamma. Permuting within people keeps what people alone tell about labels, so only the link of face and emotion is
    tested.

    Args:
        D2: (n_samples, n_samples), float32 or float64; squared distances between the faces' features.
        y, groups: (n_samples,); classes from 0 upwards, and the person of each face, see `exchangeable`.
        blocks: sequence of (ndarray of int, float, float); the faces of each block, with the C and gamma that were chosen
            without them; no person in two blocks.

    Returns: accuracies (1 + n_permutations,), the first with the true labels. They are quotients of one denominator: equal
        ones are equal to the last bit, and the p-value is the share of all that are at least the first.
    """
    rng = np.random.default_rng(seed)
    strata = exchangeable(groups)
    labellings = [y] + [permuted_within(y, strata, rng) for _ in range(n_permutations)]
    right = np.zeros(len(labellings), dtype=int)
    K = None
    for test, C, gamma in blocks:
        train = other_rows(len(y), [test])
        K = gaussian_kernel(D2, gamma, out=K, n_threads=n_threads)
        K_train, K_test = kernel_slice(K, train, train), kernel_slice(K, test, train)

        def n_right(labels, C=C, train=train, test=test, K_train=K_train, K_test=K_test):
            return int(np.sum(fit_svc(K_train, labels[train], C).predict(K_test) == labels[test]))

        right += np.array(run_threads(n_right, labellings, n_threads))
    return right / sum(len(test) for test, _, _ in blocks)


def sign_flip_p_value(differences: np.ndarray, groups: np.ndarray, n_flips: int = 1999, seed: int = 0) -> float:
    """Two-sided paired test of a mean difference of zero: the signs of whole people's differences are flipped.

    `differences` (n_samples,) holds one method's score minus the other's for each face, `groups` its person. The result is
    ``(1 + hits) / (1 + n_flips)``; 1 where nothing differs.
    """
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=differences)
    sums = sums[sums != 0]
    rng = np.random.default_rng(seed)
    hits = 0
    for start in range(0, n_flips, 100):  # some at a time, or 15,000 people would fill the memory
        signs = rng.choice([-1.0, 1.0], size=(min(100, n_flips - start), len(sums)))
        hits += int(np.sum(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9))
    return (1 + hits) / (1 + n_flips)
