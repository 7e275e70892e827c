"""The search for C and gamma over the folds of a cross-validation, with a journal that is named after the problem."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fergan.files import hash_array, hash_parameters
from fergan.svm.machines import SharedKernel, predicted_classes
from fergan.svm.search import SearchResult, search

__all__ = ["Part", "journal_of", "search_folds"]

Part = tuple[np.ndarray, np.ndarray]  # the faces to train on, the faces to test on


def search_folds(
    models: SharedKernel, parts: Sequence[Part], distance: float, *, n_evaluations: int, seed: int, prune: bool = False,
    journal: str | Path | None = None, name: str = "search", break_ties: bool = True,
    progress: Callable[[str], None] | None = None,
) -> SearchResult:
    """Choose C and gamma by the accuracy over all parts, each predicted by the model that was trained for it.

    Parameters
    ----------
    models : SharedKernel
    parts : sequence of (ndarray of int, ndarray of int)
        The faces to train on and those to test on, of each fold.
    distance, n_evaluations, seed, prune, progress
        See `fergan.svm.search.search`.
    journal, name : path and str, optional
        Folder for the journal, and how its name begins, see `journal_of`.
    break_ties : bool
        See `fergan.svm.machines.predicted_classes`.

    Returns
    -------
    SearchResult
    """

    def right_answers(C: float, gamma: float) -> Iterator[tuple[int, int]]:
        for (_, test), values in zip(parts, models.values(C, gamma, parts), strict=True):
            yield int(np.sum(predicted_classes(values, break_ties) == models.y[test])), len(test)

    return search(right_answers, distance, n_evaluations=n_evaluations, seed=seed, prune=prune, progress=progress,
                  **journal_of(journal, f"{name}-ties" if break_ties else name, models, parts))


def journal_of(folder: str | Path | None, name: str, models: SharedKernel, parts: Sequence[Part]) -> dict[str, object]:
    """Return where the journal of a search lies, and the problem that it is named after, as arguments of `search`.

    The problem is a hash of the distances, of the parts, and of the labels of the faces in them, so that a folder serves
    any number of searches: one whose data changed begins anew beside the old one.
    """
    if folder is None:
        return {}
    faces = np.unique(np.concatenate([rows for part in parts for rows in part]))  # the labels of others must not matter
    hashed = [hash_array(rows.astype(np.int64)) for rows in (models.y[faces], *(rows for part in parts for rows in part))]
    problem = hash_parameters({"name": name, "distances": models.digest, "labels and parts": hashed})
    return {"journal": Path(folder) / f"{name}-{problem}.json", "problem": problem}
