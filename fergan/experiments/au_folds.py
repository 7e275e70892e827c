"""The folds that Action Units are learnt on, and which of them share their labels.

`Y` has a column for each Action Unit and holds 0, 1 or NaN (not coded).
"""

import numpy as np

from fergan.experiments.cross_validation import folds_of_protocols

__all__ = ["distinct_units", "unit_folds"]


def distinct_units(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of labels that differ, so that Action Units with the same labels share a classifier.

    Parameters
    ----------
    Y : ndarray of shape (n_faces, n_units)

    Returns
    -------
    columns : ndarray of shape (n_faces, n_distinct)
    unit_of : ndarray of shape (n_units,), int
        The column of each Action Unit.
    """
    columns, unit_of = np.unique(np.nan_to_num(Y, nan=-1), axis=1, return_inverse=True)
    columns[columns == -1] = np.nan
    return columns, unit_of


def _strata(Y: np.ndarray, subjects: np.ndarray, n_folds: int) -> np.ndarray:
    """Class of each face for stratification: its pattern of Action Units, rare patterns together."""
    if not (np.nanmin(Y, axis=0, initial=1) < np.nanmax(Y, axis=0, initial=0)).any():
        raise ValueError("no Action Unit is both present and absent among these faces; nothing can be learnt")
    patterns = np.array(["".join("?" if np.isnan(v) else str(int(v)) for v in row) for row in Y])
    names, counts = np.unique(patterns, return_counts=True)
    common = {n for n, count in zip(names, counts, strict=True)
              if count >= n_folds and len(np.unique(subjects[patterns == n])) >= 2}
    strata = np.array([p if p in common else "rare" for p in patterns])
    rare = strata == "rare"
    if common and rare.sum() and (rare.sum() < n_folds or len(np.unique(subjects[rare])) < 2):
        strata[rare] = names[counts.argmax()]
    return strata


def unit_folds(Y: np.ndarray, subjects: np.ndarray, n_folds: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Return the folds of each protocol, stratified by the patterns of Action Units.

    Parameters
    ----------
    Y : ndarray of shape (n_faces, n_units)
    subjects : ndarray of shape (n_faces,)
        The person of each face.
    n_folds, seed : int

    Returns
    -------
    dict of str to list of ndarray of int
        As from `fergan.experiments.cross_validation.folds_of_protocols`.

    Raises
    ------
    ValueError
        No Action Unit is both present and absent, or there are too few faces or people.
    """
    strata = _strata(Y, subjects, n_folds)
    if len(np.unique(strata)) < 2:  # nothing to stratify by: any two classes that are spread evenly will do
        strata = np.where(np.arange(len(Y)) % 2, "odd", "even")
    return folds_of_protocols(strata, subjects, n_folds, seed)
