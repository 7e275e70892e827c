"""Who is trained on and who is tested on, and how sure a score is.

Two protocols for every set. *As published*: stratified random folds, so that a person may stand on both sides, and the
parameters with the best cross-validation score give the score that is reported. *Subject independent*:
stratified folds of whole people, and parameters chosen by an inner search that never sees the outer fold it
serves. Where a set's authors divided it themselves, their division is a third: parameters chosen within the training
part, one score on the other.

Intervals are percentile bootstraps over people, not faces: faces of one person are not independent.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

__all__ = [
    "OFFICIAL_SPLIT", "PROTOCOLS", "auc", "balanced_accuracy_and_f1", "bootstrap_interval", "check_features",
    "check_training_parts", "fold_blocks", "fold_numbers", "folds_of_protocols", "grouped_folds", "official_parts",
    "other_rows", "random_folds", "resampled_auc", "resampled_confusion", "resampled_mean",
]

AS_PUBLISHED, SUBJECT_INDEPENDENT = PROTOCOLS = ("as_published", "subject_independent")
OFFICIAL_SPLIT = "official_split"

_MAX_RESAMPLED = 1000  # more people than this are resampled in this many random groups, to bound the memory
_MAX_UNDEFINED = 0.1  # an interval that more than this share of the resamples leaves undefined is NaN


def check_features(features: dict[str, np.ndarray], n_faces: int) -> None:
    """Refuse features that an SVM would choke on late or silently.

    Raises
    ------
    ValueError
        There are none, a matrix has another number of rows than there are faces, or holds NaN or infinity.
    """
    if not features:
        raise ValueError("features is empty; pass at least one matrix, for example {'discriminator': X}")
    for name, X in features.items():
        if X.ndim != 2 or len(X) != n_faces:
            raise ValueError(f"features {name!r} have shape {X.shape}, expected ({n_faces}, n_features)")
        wrong = np.flatnonzero(~np.isfinite(X.sum(axis=1, dtype=np.float64)))
        if len(wrong):
            raise ValueError(
                f"features {name!r} hold NaN or infinity in {len(wrong)} of {n_faces} faces (first: row {wrong[0]});"
                " the network that made them has probably diverged"
            )


def _check_classes(y: np.ndarray, n_folds: int) -> None:
    classes, counts = np.unique(y, return_counts=True)
    if n_folds < 2:
        raise ValueError(f"n_folds is {n_folds}; cross-validation needs at least 2")
    if len(classes) < 2:
        raise ValueError(f"all {len(y)} faces are {classes[0]!s}; a classifier needs at least two classes")
    if counts.min() < n_folds:
        rare, count = classes[counts.argmin()], counts.min()
        advice = "leave the class out" if count < 2 else f"lower n_folds to {count} or leave the class out"
        raise ValueError(
            f"class {rare!s} has {count} face(s), {n_folds} folds need at least {n_folds}; {advice}"
        )


def random_folds(y: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Divide faces at random into folds with about the same share of each class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The class of each face.
    n_folds : int
    seed : int

    Returns
    -------
    list of ndarray of int
        The faces of each fold, ascending; each face is in exactly one.

    Raises
    ------
    ValueError
        There is one class only, or a class has fewer faces than there are folds.
    """
    _check_classes(y, n_folds)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return [test for _, test in splitter.split(np.zeros(len(y)), y)]


def grouped_folds(y: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Divide people at random into folds with about the same share of each class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The class of each face.
    groups : ndarray of shape (n_samples,)
        The person of each face; all faces of a person fall into one fold.
    n_folds : int
    seed : int

    Returns
    -------
    list of ndarray of int
        The faces of each fold, ascending; each face is in exactly one.

    Raises
    ------
    ValueError
        As for `random_folds`, or there are fewer people than folds, or one person alone shows a class.
    """
    people = np.unique(groups)
    if len(people) < 2:
        raise ValueError("the dataset has a single person; subject-independent folds need at least 2")
    if len(people) < n_folds:
        raise ValueError(
            f"the dataset has {len(people)} people, {n_folds} folds need at least {n_folds};"
            f" lower n_folds to {len(people)} or use a dataset with more people"
        )
    _check_classes(y, n_folds)
    for label in np.unique(y):
        if len(np.unique(groups[y == label])) < 2:
            raise ValueError(f"only one person shows class {label!s}; leave the class out or add people")
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return [test for _, test in splitter.split(np.zeros(len(y)), y, groups)]


def folds_of_protocols(y: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Return the folds of each protocol: at random as published, of whole people when subject independent.

    Parameters
    ----------
    y, groups, n_folds, seed
        As for `grouped_folds`, whose errors are raised too.

    Returns
    -------
    dict of str to list of ndarray of int
        By the names of `PROTOCOLS`, in their order.
    """
    return {AS_PUBLISHED: random_folds(y, n_folds, seed),
            SUBJECT_INDEPENDENT: grouped_folds(y, groups, n_folds, seed)}


def check_training_parts(y: np.ndarray, folds: Sequence[np.ndarray]) -> None:
    """Refuse folds of which one is empty or holds all faces of a class, which could then not be learnt."""
    for number, fold in enumerate(folds):
        if not len(fold):
            raise ValueError(f"fold {number} of {len(folds)} is empty; lower n_folds")
        absent = np.setdiff1d(y, y[other_rows(len(y), [fold])])
        if len(absent):
            raise ValueError(
                f"all faces of class {absent[0]!s} fell into fold {number} of {len(folds)};"
                " raise n_folds, try another seed, or leave the class out"
            )


def other_rows(n_samples: int, left_out: Iterable[np.ndarray]) -> np.ndarray:
    """Return the faces that are in none of the given folds."""
    kept = np.ones(n_samples, dtype=bool)
    for rows in left_out:
        kept[rows] = False
    return np.flatnonzero(kept)


def fold_blocks(n_folds: int, inner_folds: int) -> list[np.ndarray]:
    """Gather the outer folds into ``inner_folds + 1`` blocks for a nested search.

    The parameters for the outer folds of a block are chosen by cross-validation over the other blocks,
    `inner_folds` in number. No face of the block takes part, so none of its folds is seen by the search that
    serves it; and a model trained without blocks a and c serves both the choice for a (scored on c) and the
    choice for c (scored on a).

    Returns
    -------
    list of ndarray of int
        The numbers of the outer folds in each block.
    """
    if inner_folds < 2 or n_folds < 3:
        raise ValueError(
            f"a nested search needs n_folds >= 3 and inner_folds >= 2, got {n_folds} and {inner_folds}"
        )
    return np.array_split(np.arange(n_folds), min(n_folds, inner_folds + 1))


def official_parts(split: np.ndarray) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return the training and the test faces of a set's own division, and what the second part is called.

    Where the test part has no faces, because its labels are not public, the validation part stands for it; otherwise
    validation faces take no part.

    Parameters
    ----------
    split : ndarray of shape (n_samples,)
        "train", "test", "val" or "validation"; anything else, also a missing value, takes no part.

    Returns
    -------
    (train, test, name) or None
        Rows, ascending, and "test" or "validation"; None without faces on both sides.
    """
    split = np.asarray(split, dtype=object)
    is_in = {name: np.array([value in values for value in split.astype(str)], dtype=bool) for name, values in
             {"train": ("train",), "test": ("test",), "validation": ("val", "validation")}.items()}
    name = "test" if is_in["test"].any() else "validation"
    train, test = np.flatnonzero(is_in["train"]), np.flatnonzero(is_in[name])
    return (train, test, name) if len(train) and len(test) else None


def fold_numbers(n_samples: int, folds: Sequence[np.ndarray]) -> np.ndarray:
    """Return the number of the fold of each face."""
    numbers = np.empty(n_samples, dtype=int)
    for number, fold in enumerate(folds):
        numbers[fold] = number
    return numbers


def bootstrap_interval(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    groups: np.ndarray,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval over people, drawn with replacement together with all their faces.

    The same `groups` and `seed` give the same draws, so that differences of statistics are paired.

    Parameters
    ----------
    statistic : callable
        ``statistic(counts, codes)`` with counts of shape (n_resamples, n_people), how often each person was
        drawn, and codes of shape (n_samples,), the person of each face; returns an array of shape
        (n_resamples, ...). See `resampled_mean`, `resampled_auc`, `resampled_confusion`: each is a matrix
        product.
    groups : ndarray of shape (n_samples,)
        The person of each face. More than 1,000 people are drawn in 1,000 random groups of people.
    n_resamples : int
    seed : int
    level : float

    Returns
    -------
    low, high : ndarray or float
        Resamples in which the statistic is undefined are left out; NaN where these are more than a tenth,
        where there are fewer than two people, or without resamples.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    n_people = codes.max(initial=-1) + 1
    if n_people > _MAX_RESAMPLED:
        codes = (rng.permutation(n_people) % _MAX_RESAMPLED)[codes]
        n_people = _MAX_RESAMPLED
    usable = n_people >= 2 and n_resamples >= 1
    counts = rng.multinomial(n_people, [1 / n_people] * n_people, size=n_resamples if usable else 1).astype(
        float
    )
    values = statistic(counts, codes)
    undefined = np.isnan(values).mean(axis=0) > _MAX_UNDEFINED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of only NaN gives NaN, as it should
        low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    nothing = undefined | (not usable)
    return np.where(nothing, np.nan, low)[()], np.where(nothing, np.nan, high)[()]


def _per_person(values: np.ndarray, codes: np.ndarray, n_people: int) -> np.ndarray:
    """Sum the rows of `values` over the faces of each person."""
    sums = np.zeros((n_people, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def resampled_mean(values: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mean over the faces of each resample; with 0 and 1 as values, the accuracy. Shape (n_resamples,)."""
    n_people = counts.shape[1]
    return _divide(
        counts @ _per_person(values, codes, n_people), counts @ np.bincount(codes, minlength=n_people)
    )


def resampled_confusion(
    true: np.ndarray, predicted: np.ndarray, n_classes: int, counts: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Confusion matrices of the resamples, rows by true class. Shape (n_resamples, n_classes, n_classes)."""
    cells = np.zeros((counts.shape[1], n_classes, n_classes))
    np.add.at(cells, (codes, true, predicted), 1)
    return np.tensordot(counts, cells, axes=1)


def balanced_accuracy_and_f1(confusion: np.ndarray) -> np.ndarray:
    """Balanced accuracy and macro F1 of confusion matrices, without classes that are absent.

    Parameters
    ----------
    confusion : ndarray of shape (..., n_classes, n_classes)
        Rows by true class, as from `resampled_confusion`.

    Returns
    -------
    ndarray of shape (..., 2)
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore"):
        recall = right / confusion.sum(axis=-1)
        f1 = 2 * right / (confusion.sum(axis=-1) + confusion.sum(axis=-2))
    return np.stack([np.nanmean(recall, axis=-1), np.nanmean(f1, axis=-1)], axis=-1)


def resampled_auc(values: np.ndarray, positive: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each resample, NaN without positives or negatives.

    With W[p, q] the number of pairs of a positive face of person p and a negative one of person q in which
    the positive one has the larger value (a tie counts one half), and c the counts of a resample, the area is
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
    """Area under the ROC curve: the share of (positive, negative) pairs in order, ties counting one half.

    NaN without positives or without negatives.
    """
    n_positive = int(positive.sum())
    n_pairs = n_positive * (len(positive) - n_positive)
    if n_pairs == 0:
        return float("nan")
    return float((rankdata(values)[positive].sum() - n_positive * (n_positive + 1) / 2) / n_pairs)
