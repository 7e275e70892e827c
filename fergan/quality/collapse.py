"""One generator's record of variety: a verdict on collapse, and the emotions and people that its samples leave out."""

from dataclasses import asdict
from typing import Any

import numpy as np

from fergan.faces import FaceSet
from fergan.features.hog import HOGFeatures
from fergan.quality.forgotten import class_shares, people_found
from fergan.quality.modes import judge_variety, thumbnails, variety, variety_floor

__all__ = ["judge_generator"]

#: People of whom a set has fewer faces each, on average, are hardly people that a generator could forget.
_FACES_PER_PERSON = 2


def judge_generator(generated: np.ndarray, faces: FaceSet, *, n_folds: int = 5, seed: int = 0) -> dict[str, Any]:
    """Judge how varied samples are, and what of their set they leave out.

    Parameters
    ----------
    generated : ndarray of shape (n_generated, 64, 64, 3), dtype uint8
    faces : FaceSet
        What the generator learnt from.
    n_folds : int
        Of the classifier that names emotions; emotions with fewer faces, or of one person only, take no part.
    seed : int
        Of draws and folds.

    Returns
    -------
    dict
        ``verdict, reason, found, floor`` (see `fergan.quality.modes`), ``classes`` and ``people`` (see
        `fergan.quality.forgotten`), each None where the set's labels do not allow it.
    """
    n = min(len(generated), len(faces) // 2)
    real = np.array(faces.images[np.sort(np.random.default_rng(seed).permutation(len(faces))[:n])])
    found, floor = asdict(variety(generated[:n], real)), asdict(variety_floor(faces.images, n, seed))
    verdict = judge_variety(found, floor)
    return {
        "verdict": verdict.word, "reason": verdict.reason, "found": found, "floor": floor,
        "classes": _classes(generated, faces, n_folds, seed), "people": _people(generated, faces, seed),
    }


def _classes(generated: np.ndarray, faces: FaceSet, n_folds: int, seed: int) -> dict[str, Any] | None:
    labels, subjects = faces.labels["emotion"], faces.subjects()
    people = {emotion: set(subjects[(labels == emotion).fillna(False)]) for emotion in faces.emotions}
    usable = [emotion for emotion, shown_by in people.items() if (labels == emotion).sum() >= n_folds and len(shown_by) > 1]
    if len(usable) < 2 or len(set().union(*(people[emotion] for emotion in usable))) < n_folds:
        return None
    rows = np.flatnonzero(labels.isin(usable))
    sides = (HOGFeatures().transform(images) for images in (generated, np.array(faces.images[rows])))
    shares = class_shares(*sides, labels.iloc[rows].to_numpy(str), subjects[rows], n_folds=n_folds, seed=seed)
    return asdict(shares) | {"table": shares.table.to_dict("records")}


def _people(generated: np.ndarray, faces: FaceSet, seed: int) -> dict[str, Any] | None:
    subjects = faces.subjects()
    if len(subjects) < _FACES_PER_PERSON * len(set(subjects)):
        return None
    return asdict(people_found(thumbnails(generated), thumbnails(np.array(faces.images)), subjects, seed=seed))
