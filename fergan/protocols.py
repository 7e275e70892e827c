"""Who is trained on and who is tested on, how sure a score is, and the one form in which results are kept.

Two protocols. *As published*: stratified random folds, so that a person may stand on both sides, and the
parameters with the best cross-validation score give the score that is reported. *Subject independent*:
stratified folds of whole people, and parameters chosen by an inner search that never sees the outer fold it
serves.

Intervals are percentile bootstraps over people, not faces: faces of one person are not independent.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from fergan.files import atomic_path, read_json, write_json

__all__ = [
    "PROTOCOLS", "SCORE_COLUMNS", "ExperimentResult", "auc", "bootstrap_interval", "check_features",
    "check_training_parts", "fold_blocks", "fold_numbers", "grouped_folds", "other_rows", "random_folds",
    "resampled_auc", "resampled_confusion", "resampled_mean", "score_table",
]

AS_PUBLISHED, SUBJECT_INDEPENDENT = PROTOCOLS = ("as_published", "subject_independent")

#: Every table of scores has these columns; `label` is an emotion, an Action Unit, or "all" (the whole set, or
#: the mean over `n_labels` labels).
SCORE_COLUMNS = {
    "protocol": str, "features": str, "score": str, "label": str, "value": float, "low": float, "high":
    float, "n_faces": int, "n_subjects": int, "n_labels": int, "note": str,
}

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


def resampled_auc(
    values: np.ndarray, positive: np.ndarray, counts: np.ndarray, codes: np.ndarray
) -> np.ndarray:
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


def score_table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of `SCORE_COLUMNS`; what a row does not say is NaN, 1 label, or an empty text."""
    defaults = {"value": np.nan, "low": np.nan, "high": np.nan, "n_faces": 0, "n_subjects": 0, "n_labels": 1}
    filled = [{column: row.get(column, defaults.get(column, "")) for column in SCORE_COLUMNS} for row in rows]
    return pd.DataFrame(filled, columns=list(SCORE_COLUMNS)).astype(SCORE_COLUMNS)


@dataclass
class ExperimentResult:
    """What an experiment leaves: three tables and its settings.

    Attributes
    ----------
    scores : DataFrame
        See `SCORE_COLUMNS`.
    predictions : DataFrame
        Out-of-fold predictions and decision values, one row per face (and Action Unit), protocol and feature
        set.
    searches : DataFrame
        Every parameter tried, by protocol, feature set and the outer folds it was tried for.
    settings : dict
        The experiment's parameters.
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame
    searches: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: str | Path) -> None:
        """Write ``predictions.parquet``, ``searches.parquet``, then ``scores.json``, each atomically."""
        folder = Path(folder)
        for name in ("predictions", "searches"):
            with atomic_path(folder / f"{name}.parquet") as temporary:
                getattr(self, name).to_parquet(temporary, index=False)
        write_json(
            folder / "scores.json", {"settings": self.settings, "scores": self.scores.to_dict("records")}
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote."""
        folder = Path(folder)
        content = read_json(folder / "scores.json")
        rows = [
            {key: np.nan if value is None else value for key, value in row.items()}
            for row in content["scores"]
        ]
        tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "searches")]
        return cls(score_table(rows), *tables, content["settings"])

    def select(self, protocol: str, features: str) -> pd.DataFrame:
        """Return the predictions of one protocol and feature set."""
        table = self.predictions
        chosen = table[(table["protocol"] == protocol) & (table["features"] == features)]
        if chosen.empty:
            raise ValueError(f"no predictions for protocol {protocol!r} and features {features!r}")
        return chosen

    @staticmethod
    def _roc(positive: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if len(np.unique(positive)) < 2:
            return np.array([np.nan]), np.array([np.nan])
        return roc_curve(positive, values)[:2]
