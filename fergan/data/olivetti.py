"""Olivetti faces (AT&T): forty people, ten grey photographs each, as one array."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.catalogue import CATALOGUE
from fergan.data.faces import complete_labels
from fergan.data.folders import FileState, draw_rows, fingerprint_of
from fergan.data.photographs import Photograph, Photographs

#: The array that ``python -m fergan.data.fetch olivetti FOLDER`` writes, and the file of which scikit-learn makes it.
ARRAY, MATLAB = "olivetti_faces.npy", "olivettifaces.mat"

_SIDE, _PER_PERSON = 64, 10


class OlivettiPhotographs(Photographs):
    """The Olivetti faces; scikit-learn keeps them as a pickle, which can run code and is therefore not opened here."""

    def __init__(self, name: str, folder: Path, *, n_faces: int | None = None, seed: int = 0):
        self.name = name
        path, images = _read(folder)
        rows = draw_rows(len(images), n_faces, seed)
        self._images = images[rows]
        if n_faces is not None and n_faces > len(images):
            self.problems = [f"{path}: {n_faces} faces asked for, {len(images)} there"]
        labels = pd.DataFrame({"source": [f"olivetti/{row:03d}" for row in rows]})
        labels["subject"] = [f"person-{row // _PER_PERSON + 1:02d}" for row in rows]
        self.labels = complete_labels(labels.assign(view="frontal"), where=str(path))
        self.fingerprint = fingerprint_of([(path.name, FileState(path.stat().st_size, path.stat().st_mtime_ns))])

    def read(self, rows: Sequence[int], least_side: int | None = None) -> list[Photograph]:
        """Return the photographs of these rows, which are never reduced."""
        return [Photograph(np.repeat(self._images[row][..., None], 3, axis=2), (_SIDE, _SIDE)) for row in rows]


def _read(folder: Path) -> tuple[Path, np.ndarray]:
    """Return the file that was read and its images, uint8 (n, 64, 64)."""
    array, matlab = folder / ARRAY, folder / MATLAB
    try:
        if array.is_file():
            images = np.load(array, mmap_mode="r", allow_pickle=False)
            if images.ndim != 3 or images.shape[1:] != (_SIDE, _SIDE) or images.dtype != np.uint8:
                raise ValueError(f"{images.dtype} {images.shape}, not uint8 (n, {_SIDE}, {_SIDE})")
            return array, images
        if matlab.is_file():
            from scipy.io import loadmat

            faces = loadmat(matlab, variable_names=["faces"])["faces"]  # a photograph in each column, itself by columns
            return matlab, faces.T.reshape(-1, _SIDE, _SIDE).transpose(0, 2, 1).astype(np.uint8)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise ValueError(f"{array if array.is_file() else matlab} does not hold the Olivetti faces ({error})") from error
    raise FileNotFoundError(
        f"{folder} holds neither {ARRAY} nor {MATLAB}; scikit-learn's fetcher gets it:\n"
        f"  python -m fergan.data.fetch olivetti {folder}\nExpected is\n{CATALOGUE['olivetti'].tree}"
    )
