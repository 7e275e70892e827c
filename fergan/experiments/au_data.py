"""What an Action Unit experiment learns from: features of faces, their Action Units and people, and the truth if known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import people_or_duplicates
from fergan.facs import ACTION_UNITS, action_units_of


@dataclass(frozen=True)
class AUData:
    """Features of faces and their Action Units; labels are 0, 1 or NaN (not coded)."""

    X: np.ndarray  # (n_faces, n_features), float32
    Y: np.ndarray  # (n_faces, 14): the labels that are learnt and scored on
    subjects: np.ndarray  # (n_faces,), str
    truth: np.ndarray | None = None  # (n_faces, 14): where Y is derived from the emotion and the truth is known
    emotions: Sequence[str | None] | None = None
    intensity: np.ndarray | None = None  # (n_faces, 14), see `coded_intensity`

    @classmethod
    def of(cls, faces: FaceSet, X: np.ndarray, duplicates_within: float = 0.0) -> "AUData":
        """Take the coded Action Units of a face set with features X."""
        coded, emotions = faces.labels[list(ACTION_UNITS)].to_numpy(float), faces.labels["emotion"]
        people = people_or_duplicates(faces, X, duplicates_within)
        return cls(X, coded, people, None, [None if pd.isna(e) else e for e in emotions], coded_intensity(faces.labels))

    def derived(self, mapping: str | None) -> "AUData":
        """Return these faces with Action Units derived by a mapping, if there is one; what was coded is then the truth."""
        if mapping is None:
            return self
        return replace(self, Y=relabel(self.emotions, mapping), truth=None if np.isnan(self.Y).all() else self.Y)


def relabel(emotions: Iterable[str | None], mapping: str = "paper") -> np.ndarray:
    """Derive Action Units, of shape (n_faces, 14), from emotions, as the paper does for RaFD; NaN where one is missing."""
    shown = [None if pd.isna(emotion) else action_units_of(emotion, mapping) for emotion in emotions]
    return np.array([[np.nan if units is None else float(unit in units) for unit in ACTION_UNITS] for units in shown])


def coded_intensity(labels: pd.DataFrame) -> np.ndarray | None:
    """Return the intensity of each Action Unit, 0 to 1 or NaN, of shape (n_faces, 14); None where nobody graded any.

    Coders give one grade to a face (``AU12_intensity``). Where each side has its own (``AU12_left``, ``AU12_right``) the
    stronger one counts, as it does in FACS for a movement that shows on both sides.
    """
    graded = np.full((len(labels), len(ACTION_UNITS)), np.nan)
    for u, unit in enumerate(ACTION_UNITS):
        sides = [f"{unit}_left", f"{unit}_right"]
        if f"{unit}_intensity" in labels:
            graded[:, u] = labels[f"{unit}_intensity"].to_numpy(float)
        elif set(sides) <= set(labels.columns):
            graded[:, u] = labels[sides].to_numpy(float).max(axis=1)
    if (graded < 0).any() or (graded > 1).any():
        raise ValueError("intensities of Action Units lie outside 0 to 1")
    return None if np.isnan(graded).all() else graded
