"""Action Unit and emotion set apart: what knowing the emotion is worth, and what a detector knows beside it.

Both need the true Action Units of faces whose labels were derived from their emotions.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fergan.experiments.intervals import resampled_auc

__all__ = ["auc_within", "emotion_oracle", "group_numbers", "resampled_within"]


def emotion_oracle(emotions: Sequence[str], truth: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Return what somebody would say who sees nothing but the emotion: how often others who show it show each unit.

    Parameters
    ----------
    emotions : sequence of n_faces str
        None where it is not known.
    truth : ndarray of shape (n_faces, n_units)
        0, 1 or NaN.
    subjects : ndarray of shape (n_faces,)
        A face's own person does not count.

    Returns
    -------
    ndarray of shape (n_faces, n_units)
        Shares; NaN where the emotion is not known or nobody else shows it.
    """
    emotions = np.array([None if pd.isna(e) else e for e in emotions], dtype=object)
    values = np.full(truth.shape, np.nan)
    for emotion in {e for e in emotions if e is not None}:
        rows = np.flatnonzero(emotions == emotion)
        people, codes = np.unique(subjects[rows], return_inverse=True)
        coded = ~np.isnan(truth[rows])
        shown, looked = np.zeros((2, len(people), truth.shape[1]))
        np.add.at(shown, codes, np.nan_to_num(truth[rows]))
        np.add.at(looked, codes, coded)
        with np.errstate(invalid="ignore"):
            values[rows] = ((shown.sum(axis=0) - shown) / (looked.sum(axis=0) - looked))[codes]
    return values


def auc_within(values: np.ndarray, labels: np.ndarray, groups: Sequence[str]) -> float:
    """Area under the ROC curve over pairs within a group: the share of (positive, negative) pairs of one group in order.

    Parameters
    ----------
    values, labels : ndarray of shape (n_faces,)
        Labels are 0, 1 or NaN.
    groups : sequence of n_faces str
        None where it is not known: these faces take no part.

    Returns
    -------
    float
        NaN where no group has both a positive and a negative face.
    """
    everyone = (np.ones((1, 1)), np.zeros(len(values), dtype=int))
    return float(resampled_within(values[:, None], labels[:, None], group_numbers(groups), 0, *everyone)[0])


def group_numbers(groups: Sequence[str]) -> np.ndarray:
    """Return the number of each face's group; -1 where it has none."""
    return pd.factorize(pd.Series(list(groups), dtype="object"))[0]


def resampled_within(
    values: np.ndarray, Y: np.ndarray, groups: np.ndarray, u: int, counts: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """`auc_within` of unit `u` in each resample of people, see `fergan.experiments.intervals.bootstrap_interval`.

    Parameters
    ----------
    values, Y : ndarray of shape (n_faces, n_units)
    groups : ndarray of shape (n_faces,), int
        See `group_numbers`.
    u : int
    counts, codes : ndarray
        How often each person was drawn, and the person of each face.
    """
    won, pairs = np.zeros((2, len(counts)))
    known = ~np.isnan(values[:, u]) & ~np.isnan(Y[:, u]) & (groups >= 0)
    for group in np.unique(groups[known]):
        rows = np.flatnonzero(known & (groups == group))
        positive = Y[rows, u] == 1
        if positive.all() or not positive.any():
            continue
        of_class = [counts @ np.bincount(codes[rows[chosen]], minlength=counts.shape[1]) for chosen in (positive, ~positive)]
        area = resampled_auc(values[rows, u], positive, counts, codes[rows])
        won += np.nan_to_num(area) * of_class[0] * of_class[1]
        pairs += of_class[0] * of_class[1]
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1), np.nan)
