"""Who is trained on and who is tested on.

Two protocols for every set. *As published*: stratified random folds, so that a person may stand on both sides, and the
parameters with the best cross-validation score give the score that is reported. *Subject independent*: stratified folds of
whole people, and parameters chosen by an inner search that never sees the outer fold it serves. Where a set's authors
divided it themselves, their division is a third: parameters chosen within the training part, one score on the other.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from fergan.data.faces import FaceSet
from fergan.files import hash_array

AS_PUBLISHED, SUBJECT_INDEPENDENT = PROTOCOLS = ("as_published", "subject_independent")
OFFICIAL_SPLIT = "official_split"


def check_features(features: dict[str, np.ndarray], n_faces: int) -> None:
    """Raise ValueError where a matrix (n_faces, n_features) holds NaN or infinity."""
    for name, X in features.items():
        wrong = np.flatnonzero(~np.isfinite(X.sum(axis=1, dtype=np.float64)))
        if len(wrong):
            raise ValueError(f"features {name!r} hold NaN or infinity in {len(wrong)} of {n_faces} faces (first: row"
                             f" {wrong[0]}); the network that made them has probably diverged")


def random_folds(y: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Divide faces at random into folds with about the same share of each class; return the faces of each, ascending.

    Raises ValueError where there is one class only, or a class has fewer faces than there are folds.
    """
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"all {len(y)} faces are {classes[0]!s}; a classifier needs at least two classes")
    if counts.min() < n_folds:
        few = f"class {classes[counts.argmin()]!s} has {counts.min()} face(s), {n_folds} folds need at least {n_folds}"
        raise ValueError(f"{few}; lower n_folds or leave the class out")
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return [test for _, test in splitter.split(np.zeros(len(y)), y)]


def grouped_folds(y: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Divide people (`groups`, of shape (n_samples,)) into folds in which all faces of a person fall into one.

    As `random_folds`. Raises ValueError also where there are fewer people than folds, or one person alone shows a class.
    """
    n_people = len(np.unique(groups))
    if n_people < 2:
        raise ValueError("the dataset has a single person; subject-independent folds need at least 2")
    if n_people < n_folds:
        raise ValueError(f"the dataset has {n_people} people, {n_folds} folds need at least {n_folds}; lower n_folds")
    random_folds(y, n_folds, seed)  # what it refuses cannot be divided by people either
    for label in np.unique(y):
        if len(np.unique(groups[y == label])) < 2:
            raise ValueError(f"only one person shows class {label!s}; leave the class out or add people")
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return [test for _, test in splitter.split(np.zeros(len(y)), y, groups)]


def learnable_folds(y: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Return `grouped_folds`; ValueError also where one is empty or holds all faces of a class."""
    folds = grouped_folds(y, groups, n_folds, seed)
    for number, fold in enumerate(folds):
        if not len(fold):
            raise ValueError(f"fold {number} of {len(folds)} is empty; lower n_folds")
        absent = np.setdiff1d(y, y[other_rows(len(y), [fold])])
        if len(absent):
            raise ValueError(f"all faces of class {absent[0]!s} fell into fold {number} of {len(folds)}; raise n_folds")
    return folds


def folds_of_protocols(y: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Return the folds of each of `PROTOCOLS`: at random as published, of whole people when subject independent."""
    return {AS_PUBLISHED: random_folds(y, n_folds, seed), SUBJECT_INDEPENDENT: grouped_folds(y, groups, n_folds, seed)}


def other_rows(n_samples: int, left_out: Sequence[np.ndarray]) -> np.ndarray:
    """Return the faces that are in none of the given folds."""
    return np.delete(np.arange(n_samples), np.concatenate(left_out))


def fold_numbers(n_samples: int, folds: Sequence[np.ndarray]) -> np.ndarray:
    """Return the number of the fold of each face."""
    numbers = np.empty(n_samples, dtype=int)
    numbers[np.concatenate(folds)] = np.repeat(np.arange(len(folds)), list(map(len, folds)))
    return numbers


def fold_blocks(n_folds: int, inner_folds: int) -> list[np.ndarray]:
    """Gather the outer folds into ``inner_folds + 1`` blocks for a nested search, and return their numbers.

    The parameters for the outer folds of a block are chosen by cross-validation over the other blocks, `inner_folds` in
    number. No face of the block takes part, so none of its folds is seen by the search that serves it; and a model trained
    without blocks a and c serves both the choice for a (scored on c) and the choice for c (scored on a).
    """
    return np.array_split(np.arange(n_folds), min(n_folds, inner_folds + 1))


def official_parts(split: np.ndarray) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return the training and the test faces of a set's own division, and what the second part is called.

    `split` (n_samples,) says "train", "test", "val" or "validation"; others take no part, and validation faces only where no
    face is for testing, because those labels are not public. None without faces on both sides.
    """
    words = np.asarray(split, dtype=object).astype(str)
    train, test, name = np.flatnonzero(words == "train"), np.flatnonzero(words == "test"), "test"
    if not len(test):
        test, name = np.flatnonzero(np.isin(words, ["val", "validation"])), "validation"
    return (train, test, name) if len(train) and len(test) else None


def some_people(subjects: np.ndarray, max_faces: int | None, seed: int, at_least: int = 2) -> np.ndarray:
    """Return the faces, ascending, of random people, as many as have at most `max_faces` (None: all), but some at least."""
    if max_faces is None:
        return np.arange(len(subjects))
    people, codes = np.unique(subjects, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(people))
    n_people = max(at_least, int(np.sum(np.cumsum(np.bincount(codes)[order]) <= max_faces)))
    return np.flatnonzero(np.isin(codes, order[:n_people]))


def people_or_duplicates(faces: FaceSet) -> np.ndarray:
    """Return the person of each face as strings; faces without one whose pictures are the same to the bit are one person."""
    people = faces.subjects()
    alone = np.flatnonzero(faces.labels["subject"].isna())
    if not len(alone):
        return people
    contents = np.unique([hash_array(image) for image in faces.images[alone]], return_inverse=True)[1]
    # People are joined, not faces moved: the frames of a sequence stay together.
    names, codes = np.unique(people, return_inverse=True)
    edges, n = (np.ones(len(alone), bool), (codes[alone], len(names) + contents)), len(names) + contents.max() + 1
    joined = connected_components(coo_array(edges, shape=(n, n)), directed=False)[1][: len(names)]
    first = np.unique(joined, return_index=True)[1]
    return names[first[joined[codes]]]
