"""One generator's record of variety: a verdict on collapse, and the emotions and people that its samples leave out."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from fergan.data.faces import FaceSet
from fergan.features.hog import HOGFeatures
from fergan.quality.forgotten import class_shares, people_found
from fergan.quality.modes import NEIGHBOURS, covered, judge_variety, thumbnails, variety, variety_floor

__all__ = ["can_be_judged", "coverage_by", "judge_generator"]

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
        `fergan.quality.forgotten`), ``coverage_by_emotion`` and ``coverage_by_person`` (see `coverage_by`), each None where
        the set's labels do not allow it.
    """
    n = min(len(generated), len(faces) // 2)
    order = np.random.default_rng(seed).permutation(len(faces))
    rows, others = np.sort(order[:n]), np.sort(order[n : 2 * n])
    real = np.array(faces.images[rows])
    hit = [covered(images, real) for images in (generated[:n], np.array(faces.images[others]))]
    found, floor = asdict(variety(generated[:n], real)), asdict(variety_floor(faces.images, n, seed))
    verdict = judge_variety(found, floor)
    return {
        "verdict": verdict.word, "reason": verdict.reason, "found": found, "floor": floor,
        "classes": _classes(generated, faces, n_folds, seed), "people": _people(generated, faces, seed),
        "coverage_by_emotion": coverage_by(faces.labels["emotion"].iloc[rows].to_numpy(), *hit),
        "coverage_by_person": coverage_by(faces.labels["subject"].iloc[rows].to_numpy(), *hit),
    }


def can_be_judged(faces: FaceSet) -> bool:
    """Say whether a set has faces enough for neighbourhoods on either side of a comparison."""
    return len(faces) // 2 > NEIGHBOURS + 1


def coverage_by(labels: np.ndarray, by_samples: np.ndarray, by_real: np.ndarray) -> list[dict[str, Any]] | None:
    """Return the coverage of the real faces of each label, by samples and by as many other real faces (the floor).

    Parameters
    ----------
    labels : ndarray of shape (n_real,)
        Missing where a face has none.
    by_samples, by_real : ndarray of bool, shape (n_real,)
        See `fergan.quality.modes.covered`.

    Returns
    -------
    list of dict, or None
        ``label, coverage, low, high, floor, n`` with the Wilson interval; None where no face has a label.
    """
    table = pd.DataFrame({"label": labels, "samples": by_samples, "real": by_real}).dropna()
    if table.empty:
        return None
    rows = []
    for label, part in table.groupby("label", sort=True):
        interval = binomtest(int(part["samples"].sum()), len(part)).proportion_ci(method="wilson")
        rows.append({"label": str(label), "coverage": float(part["samples"].mean()), "low": interval.low,
                     "high": interval.high, "floor": float(part["real"].mean()), "n": len(part)})
    return rows


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
