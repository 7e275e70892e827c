"""How sure a score is, and whether it could be chance: intervals over people, differences and permutation tests.

People, not faces, are what varies: faces of one person are not independent. Each person is left out once (the jackknife of
Quenouille and Tukey), which gives the standard error of any smooth statistic; quantiles are Student's, for as many people.
``benchmarks/coverage.py`` shows how often such intervals hold the truth.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.stats import t

from fergan.cache import run_threads
from fergan.experiments.cross_validation import other_rows
from fergan.svm.kernels import fit_svc, gaussian_kernel, kernel_slice

FEWEST_PEOPLE = 5  # with fewer no score has an interval: nothing would be left out of most of them
_MOST_LEFT_OUT = 1000  # more people than this are left out in this many groups, to bound the memory

#: ``statistic(counts, codes)``: counts of shape (n, n_people), how often each person takes part, and codes (n_faces,), the
#: person of each face; returns an array of shape (n, ...).
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]

Score = tuple[float, float, float]  # value, low, high


def interval_over_people(statistic: Statistic, groups: np.ndarray, *,
                         share: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a statistic of all people, and the ends of its 95 % interval over people: value, low, high.

    The interval is ``value -+ t s`` with the jackknife's s and Student's t. Its degrees of freedom are one less than people,
    or fewer where a few people make most of s (by Satterthwaite's equation, the fourth moment being that of a Gaussian). A
    share would leave its bounds so: it gets Wilson's score interval with the same t, for as many independent faces as have
    that s (the faces over the design effect), at most all faces; where nothing varies, as many as there are people. The ends
    are NaN with fewer than `FEWEST_PEOPLE`, and where the statistic is undefined without some person.

    `groups` (n_faces,) are people; more than 1,000 are left out in 1,000 groups. A `share` lies between 0 and 1, as
    accuracies and areas do; a difference of two does not. Statistics are `resampled_mean` and its like, see `Statistic`.
    """
    codes = np.unique(groups, return_inverse=True)[1] % _MOST_LEFT_OUT
    n_people = codes.max(initial=-1) + 1
    counts = np.vstack([np.ones(n_people), 1 - np.eye(n_people) if n_people >= FEWEST_PEOPLE else np.empty((0, n_people))])
    value, *without = np.asarray(statistic(counts, codes), dtype=float)
    if not without:
        nothing = np.full_like(value, np.nan)[()]
        return value[()], nothing, nothing
    squares = (np.array(without) - np.mean(without, axis=0)) ** 2
    error = np.sqrt((n_people - 1) * squares.mean(axis=0))
    freedom = 3 * _divide(squares.sum(axis=0) ** 2, (squares**2).sum(axis=0)) - 1
    quantile = t.ppf(0.975, np.clip(np.nan_to_num(freedom, nan=n_people), 1, n_people - 1))
    if not share:
        return value[()], value - quantile * error, value + quantile * error
    spread, squared = value * (1 - value), quantile**2
    n = np.where((spread <= 0) | (error == 0), n_people + 0 * error, np.minimum(_divide(spread, error**2), len(codes)))
    centre, half = value + squared / (2 * n), quantile * np.sqrt(spread / n + squared / (4 * n**2))
    low, high = (np.clip((centre + sign * half) / (1 + squared / n), 0, 1) for sign in (-1, 1))
    return value[()], low[()], high[()]


def mean_over_people(values: np.ndarray, groups: np.ndarray, *, share: bool = False) -> dict[str, float]:
    """Return the mean of a number of each face, and its interval: ``value, low, high`` of a row of scores."""
    found = interval_over_people(partial(resampled_mean, values), groups, share=share)
    return dict(zip(("value", "low", "high"), map(float, found), strict=True))


def _per_person(values: np.ndarray, codes: np.ndarray, n_people: int) -> np.ndarray:
    sums = np.zeros((n_people, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def resampled_mean(values: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mean over faces of values (n_faces, ...), with 0 and 1 the accuracy. Shape (n, ...)."""
    n_people = counts.shape[1]
    sizes = counts @ np.bincount(codes, minlength=n_people)
    sums = np.tensordot(counts, _per_person(values, codes, n_people), axes=1)
    return _divide(sums, sizes.reshape(-1, *[1] * (sums.ndim - 1)))


def resampled_confusion(true: np.ndarray, predicted: np.ndarray, n_classes: int, counts: np.ndarray,
                        codes: np.ndarray) -> np.ndarray:
    """Confusion matrices, rows by true class. Shape (n, n_classes, n_classes)."""
    cells = np.zeros((counts.shape[1], n_classes, n_classes))
    np.add.at(cells, (codes, true, predicted), 1)
    return np.tensordot(counts, cells, axes=1)


def balanced_accuracy_and_f1(confusion: np.ndarray) -> np.ndarray:
    """Balanced accuracy and macro F1 of matrices (..., n_classes, n_classes), without absent classes. Shape (..., 2)."""
    right, shown = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1)
    rates = np.stack([_divide(right, shown), _divide(2 * right, shown + confusion.sum(axis=-2))], axis=-2)
    return np.nanmean(np.where(shown[..., None, :] > 0, rates, np.nan), axis=-1)


def resampled_auc(values: np.ndarray, positive: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, NaN without positives or negatives. Shape (n,).

    With W[p, q] the number of pairs of a positive face of person p and a negative one of person q in which the positive one
    has the larger value (a tie counts one half), and c a row of counts, the area is
    ``c W c / ((c n_positive) (c n_negative))``.
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


def resampled_precision(values: np.ndarray, positive: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Average precision, the mean over positive faces of the share of positives among faces of at least their value.

    NaN without positives. Shape (n,). As scikit-learn's, which takes one draw after another.
    """
    order = np.argsort(-values, kind="stable")
    weights = counts[:, codes[order]]
    ends = np.flatnonzero(np.append(np.diff(values[order]), 1))  # equal values stand and fall together
    shown, seen = (np.cumsum(of, axis=1)[:, ends] for of in (weights * positive[order], weights))
    return _divide(np.nansum(np.diff(shown, axis=1, prepend=0) * _divide(shown, seen), axis=1), shown[:, -1])


def auc(values: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in order, ties one half; NaN without any."""
    return float(resampled_auc(values, positive, np.ones((1, 1)), np.zeros(len(values), dtype=int))[0])


def independent_difference(first: Score, second: Score) -> Score:
    """Return the difference of two independent scores, with the interval that Zou and Donner (2008) make of both."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    return a - b, a - b - np.hypot(a - a_low, b_high - b), a - b + np.hypot(a_high - a, b - b_low)


def side(of: Score, bar: float = 0.0) -> int:
    """Return 1 or -1 where the whole interval lies above or below the bar, else 0."""
    return int(of[1] > bar) - int(of[2] < bar)


def exchangeable(y: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what labels are permuted among: the unit of each face, the label of each unit, and its stratum.

    A unit is a person's faces of one label, which may be near-copies; a stratum, from 1, is a person's units. People with
    one unit, whose label could go nowhere, form stratum 0.
    """
    pairs, units = np.unique(np.stack([np.unique(groups, return_inverse=True)[1], y]), axis=1, return_inverse=True)
    person, labels = pairs
    return units, labels, np.where(np.bincount(person)[person] == 1, 0, person + 1)


def permuted_within(labels: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute labels within each stratum, which keeps the counts of its labels."""
    permuted = np.empty_like(labels)
    permuted[np.argsort(strata, kind="stable")] = labels[np.lexsort((rng.random(len(labels)), strata))]
    return permuted


def chance_test(D2: np.ndarray, y: np.ndarray, groups: np.ndarray, blocks: Sequence[tuple[np.ndarray, float, float]], *,
                n_permutations: int, seed: int = 0, n_threads: int = 1) -> np.ndarray:
    """Compare a Gaussian SVM's accuracy with that after permuting labels within people (Ojala and Garriga, JMLR 11, 2010).

    The blocks serve as folds: each is predicted by a model trained on the others, anew for each labelling, at the same C
    and gamma. Whole expressions of a person are permuted (see `exchangeable`), which keeps what people alone tell about
    labels: only the link of face and emotion is tested.

    D2 (n_samples, n_samples) are squared distances between the faces' features, `y` classes from 0 upwards, `groups` people
    (n_samples,); blocks are faces, none of whose people is in another, with the C and gamma chosen without them.

    Returns: accuracies (1 + n_permutations,), the first with the true labels. They are quotients of one denominator: equal
        ones are equal to the last bit, and the p-value is the share of all that are at least the first.
    """
    rng = np.random.default_rng(seed)
    units, labels, strata = exchangeable(y, groups)
    labellings = [y] + [permuted_within(labels, strata, rng)[units] for _ in range(n_permutations)]
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
