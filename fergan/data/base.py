"""What every dataset offers: photographs that can be read by number, and one row of labels for each."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from fergan.files import hash_array, hash_parameters

__all__ = ["Photographs", "UnreadablePhotograph", "state_of"]


class UnreadablePhotograph(Exception):
    """One photograph could not be read; the message names the file and the reason. It is skipped and listed."""


class Photographs(Protocol):
    """A dataset before its faces are cropped.

    Attributes
    ----------
    name : str
        The dataset's name.
    labels : DataFrame
        One row per photograph, as `fergan.data.faces.complete_labels` returns it.
    problems : list of str
        What was found wrong while opening and could be passed over, one sentence each, naming the file.
    fingerprint : str
        Changes when a photograph is exchanged for another: by names, sizes and times of change.
    """

    name: str
    labels: pd.DataFrame
    problems: list[str]
    fingerprint: str

    def read(self, rows: Sequence[int]) -> list[np.ndarray | UnreadablePhotograph]:
        """Return the photographs of these rows of `labels`, in order.

        Returns
        -------
        list
            Per row an RGB array uint8 (height, width, 3), or the `UnreadablePhotograph` that says why there is none.
        """
        ...


def state_of(photographs: Photographs) -> str:
    """Return a hash of the files and of the labels: what the crops of a workflow must follow."""
    labels = pd.util.hash_pandas_object(photographs.labels).to_numpy()
    return hash_parameters({"files": photographs.fingerprint, "labels": hash_array(labels)})
