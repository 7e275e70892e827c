"""`FaceSet`: cropped faces with one row of labels each, the form in which every later stage sees its data."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.files import atomic_path, hash_array, hash_parameters, read_json, write_array, write_json

FACE_SIZE = 64  # pixels a side, the paper's input resolution

#: Columns that every face set has; a collection may add more (yaw, gaze, sequence, frame).
LABEL_COLUMNS = ("source", "subject", "emotion", "view", "split", *ACTION_UNITS)


def complete_labels(labels: pd.DataFrame, where: str = "labels") -> pd.DataFrame:
    """Bring a table of labels, one row per face, into the one vocabulary; an error calls it `where`.

    Returns: ``source, subject, emotion, view, split`` as strings, each Action Unit as float (0, 1 or NaN), a fresh index;
        `LABEL_COLUMNS` that are missing are added. ValueError for an unknown emotion, or an Action Unit of another value.
    """
    labels = labels.reset_index(drop=True).copy()
    for column in LABEL_COLUMNS[:5]:
        labels[column] = labels.get(column, pd.Series(pd.NA, index=labels.index)).astype("string")
    for unit in ACTION_UNITS:
        labels[unit] = labels.get(unit, pd.Series(np.nan, index=labels.index)).astype(float)
        for row in labels[labels[unit].notna() & ~labels[unit].isin([0.0, 1.0])][:1].to_dict("records"):
            raise ValueError(f"{where}: {unit} of {row['source']} is {row[unit]:g}; expected 0, 1 or missing")
    for emotion in sorted(set(labels["emotion"].dropna()) - set(EMOTIONS)):
        raise ValueError(f"{where}: unknown emotion {emotion!r}; expected one of {', '.join(EMOTIONS)}")
    others = [column for column in labels if column not in LABEL_COLUMNS]
    return labels[[*LABEL_COLUMNS, *others]]


def subjects_of(labels: pd.DataFrame) -> np.ndarray:
    """Return the person of each row of labels as strings, that of another frame of its sequence where a row has none.

    A sequence of nobody known is a person of its own, for its frames are alike; and so is a row without either.
    """
    known = labels["subject"].astype("string")
    if "sequence" in labels:
        sequence = labels["sequence"].astype("string")
        known = known.fillna(known.groupby(sequence).transform("first")).fillna("sequence-" + sequence)
    alone = "face-" + pd.Series(range(len(labels)), index=labels.index).astype("string")
    return known.fillna(alone).to_numpy(dtype=str)


@dataclass(frozen=True)
class FaceSet:
    """Crops of faces and what is known of each."""

    name: str
    images: np.ndarray  # (n_faces, 64, 64, 3), uint8, RGB; memory-mapped when loaded from disk
    labels: pd.DataFrame  # one row per face, see `complete_labels`

    def __post_init__(self):
        expected = (len(self.labels), FACE_SIZE, FACE_SIZE, 3)
        if self.images.shape != expected or self.images.dtype != np.uint8:
            raise ValueError(f"face set {self.name!r}: images are {self.images.dtype} {self.images.shape}, "
                             f"expected uint8 {expected}")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> str:
        """Hash of crops and labels; the name is not part of it."""
        labels = pd.util.hash_pandas_object(self.labels).to_numpy()
        content = {"images": hash_array(self.images), "columns": list(self.labels), "labels": hash_array(labels)}
        return hash_parameters(content, 64)

    @property
    def emotions(self) -> list[str]:
        """The emotions present, in the order of `fergan.facs.EMOTIONS`."""
        present = set(self.labels["emotion"].dropna())
        return [emotion for emotion in EMOTIONS if emotion in present]

    def select(self, mask: np.ndarray | pd.Series) -> "FaceSet":
        """Return the faces where `mask` (booleans, one per face) holds; a missing value counts as False."""
        rows = np.flatnonzero(pd.array(mask, dtype="boolean").fillna(False))
        return FaceSet(self.name, self.images[rows], self.labels.iloc[rows].reset_index(drop=True))

    def showing(self, unit: str) -> "FaceSet":
        """Return the faces that show an Action Unit, all where `unit` is empty; ValueError where none does."""
        if not unit:
            return self
        if unit not in ACTION_UNITS:
            raise ValueError(f"only is {unit!r}; expected one of {', '.join(ACTION_UNITS)}")
        shown = self.labels[unit] == 1
        if not shown.any():
            why = "nobody coded it" if self.labels[unit].isna().all() else "no face shows it"
            raise ValueError(f"face set {self.name!r} has no face with {unit}: {why}; choose another Action Unit or set")
        return self.select(shown)

    def subjects(self) -> np.ndarray:
        """Return the person of each face as strings, see `subjects_of`."""
        return subjects_of(self.labels)

    def save(self, folder: str | Path) -> None:
        """Write ``images.npy``, ``labels.parquet`` and the name (``faceset.json``) into `folder`, each atomically."""
        folder = Path(folder)
        write_array(folder / "images.npy", np.ascontiguousarray(self.images))
        with atomic_path(folder / "labels.parquet") as temporary:
            self.labels.to_parquet(temporary, index=False)
        write_json(folder / "faceset.json", {"name": self.name, "n_faces": len(self)})

    @classmethod
    def load(cls, folder: str | Path) -> "FaceSet":
        """Open a saved face set; images stay on disk until they are read."""
        folder = Path(folder)
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        return cls(read_json(folder / "faceset.json")["name"], images, pd.read_parquet(folder / "labels.parquet"))
