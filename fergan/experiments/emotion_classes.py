"""From the words of a table of labels to the classes of a classifier."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fergan.facs import EMOTIONS, canonical_emotion

__all__ = ["emotion_classes"]


def emotion_classes(emotions: Sequence[str], subjects: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the emotions that are present, in the order of `fergan.facs.EMOTIONS`, and the class of each face.

    Parameters
    ----------
    emotions, subjects : sequence of n_faces str

    Returns
    -------
    names : ndarray of str
    y : ndarray of shape (n_faces,), int
        Positions in `names`.

    Raises
    ------
    ValueError
        A face has no emotion, an emotion is unknown, or there are more or fewer subjects than faces.
    """
    missing = np.flatnonzero(pd.isna(np.asarray(emotions, dtype=object)))
    if len(missing):
        raise ValueError(f"{len(missing)} faces have no emotion (first: row {missing[0]}); leave these faces out")
    if len(subjects) != len(emotions):
        raise ValueError(f"{len(emotions)} emotions but {len(subjects)} subjects; expected one of each per face")
    words = [canonical_emotion(word) for word in emotions]
    names = [emotion for emotion in EMOTIONS if emotion in set(words)]
    return np.array(names), np.array([names.index(word) for word in words])
