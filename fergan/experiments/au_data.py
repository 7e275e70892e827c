"""What an Action Unit experiment learns from: features, Action Units, people, and the truth where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import check_features, people_or_duplicates
from fergan.facs import ACTION_UNITS, action_units_of
from fergan.features.stored import open_features

__all__ = ["AUData", "coded_intensity", "open_au_data", "relabel", "with_truth_as_labels"]


@dataclass(frozen=True)
class AUData:
    """Features of faces and their Action Units.

    Attributes
    ----------
    features : dict of str to ndarray of shape (n_faces, n_features), float32
        Feature sets by name.
    occurrence : DataFrame of n_faces rows with the columns `fergan.facs.ACTION_UNITS`
        0, 1 or NaN: the labels that are trained and scored on.
    subjects : ndarray of shape (n_faces,), str
    true_occurrence : DataFrame, optional
        Where `occurrence` is derived from the emotion and the truth is known: the truth, for the score
        ``auc_true``.
    emotions : ndarray of shape (n_faces,), object, optional
        The emotion of each face, None where it is not known; for the scores that set emotion and Action Unit apart.
    intensity : DataFrame of n_faces rows with the columns `fergan.facs.ACTION_UNITS`, optional
        0 (absent) to 1 (maximum), NaN where nobody graded it; for the score ``icc``.
    """

    features: dict[str, np.ndarray]
    occurrence: pd.DataFrame
    subjects: np.ndarray
    true_occurrence: pd.DataFrame | None = None
    emotions: np.ndarray | None = None
    intensity: pd.DataFrame | None = None

    def check(self, where: str) -> None:
        """Raise a ValueError that begins with `where` if the parts do not fit together."""
        for name in ("occurrence", "true_occurrence", "intensity"):
            table = getattr(self, name)
            if table is None:
                continue
            absent = [unit for unit in ACTION_UNITS if unit not in table]
            if absent:
                raise ValueError(f"{where}: {name} has no column {absent[0]}")
            values = table[list(ACTION_UNITS)].fillna(0)
            if name == "intensity":
                if not values.ge(0).all(axis=None) or not values.le(1).all(axis=None):
                    raise ValueError(f"{where}: intensity holds values outside 0 to 1")
            elif not np.isin(values, (0, 1)).all():
                raise ValueError(f"{where}: {name} holds values other than 0, 1 and NaN")
            if len(table) != len(self.subjects):
                raise ValueError(f"{where}: {name} has {len(table)} rows for {len(self.subjects)} faces")
        if self.emotions is not None and len(self.emotions) != len(self.subjects):
            raise ValueError(f"{where}: there are {len(self.emotions)} emotions for {len(self.subjects)} faces")
        try:
            check_features(self.features, len(self.subjects))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error


def relabel(emotions: Sequence[str], mapping: str = "paper") -> pd.DataFrame:
    """Derive Action Units from emotions, as the paper does for RaFD.

    Parameters
    ----------
    emotions : sequence of str
        One per face; missing ones (None, NaN, NA) are allowed.
    mapping : str
        A key of `fergan.facs.EMOTION_MAPPINGS`.

    Returns
    -------
    DataFrame of n_faces rows with the columns `fergan.facs.ACTION_UNITS`, float
        0 or 1; NaN where the emotion is missing.
    """
    rows = []
    for emotion in emotions:
        shown = None if pd.isna(emotion) else action_units_of(emotion, mapping)
        rows.append([np.nan if shown is None else float(unit in shown) for unit in ACTION_UNITS])
    return pd.DataFrame(rows, columns=list(ACTION_UNITS), dtype=float)


def coded_intensity(labels: pd.DataFrame) -> pd.DataFrame | None:
    """Return the intensity of each Action Unit where a set has any, otherwise None.

    Coders give one grade to a face (``AU12_intensity``). Where each side has its own (``AU12_left``, ``AU12_right``) the
    stronger one counts, as it does in FACS for a movement that shows on both sides.

    Parameters
    ----------
    labels : DataFrame of n_faces rows
        See `fergan.data.faces.complete_labels`.

    Returns
    -------
    DataFrame of n_faces rows with the columns `fergan.facs.ACTION_UNITS`, or None
        0 to 1; NaN where nobody graded.
    """
    table = pd.DataFrame(np.nan, index=range(len(labels)), columns=list(ACTION_UNITS))
    for unit in ACTION_UNITS:
        sides = [f"{unit}_left", f"{unit}_right"]
        if f"{unit}_intensity" in labels:
            table[unit] = labels[f"{unit}_intensity"].to_numpy(float)
        elif set(sides) <= set(labels.columns):
            table[unit] = labels[sides].to_numpy(float).max(axis=1)
    return table if table.notna().any(axis=None) else None


def open_au_data(
    home: str | Path, pretrained: str, name: str, mapping: str = "", duplicates_within: float = 0.0
) -> AUData:
    """Open a face set's Action Units and its features by one network.

    Parameters
    ----------
    home : path
        A profile's artifacts.
    pretrained, name : str
        The face set whose discriminator gives the features, and the one that it looks at.
    mapping : str
        Derive the Action Units from the emotions by this mapping; what was coded is then the truth. Empty keeps what was
        coded.
    duplicates_within : float
        See `fergan.experiments.cross_validation.people_or_duplicates`.

    Returns
    -------
    AUData
        With the feature set ``"discriminator"``.
    """
    faces = FaceSet.load(Path(home) / "faces" / name)
    X = open_features(home, pretrained, name)
    coded = faces.labels[list(ACTION_UNITS)]
    emotions = faces.labels["emotion"].astype(object).where(faces.labels["emotion"].notna(), None).to_numpy()
    people = people_or_duplicates(faces, X, duplicates_within)
    data = AUData({"discriminator": X}, coded, people, None, emotions, coded_intensity(faces.labels))
    if not mapping:
        return data
    return replace(data, occurrence=relabel(emotions, mapping),
                   true_occurrence=coded if coded.notna().any(axis=None) else None)


def with_truth_as_labels(data: AUData) -> AUData:
    """Return the same faces with the true Action Units in the place of those that were derived from emotions."""
    if data.true_occurrence is None:
        raise ValueError("the true Action Units of these faces are not known")
    return replace(data, occurrence=data.true_occurrence, true_occurrence=data.true_occurrence)
