"""What each layer of a discriminator knows of the emotions: the same classifier on every layer, at the same size of maps."""

from functools import partial

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import check_training_parts, grouped_folds, other_rows
from fergan.experiments.intervals import bootstrap_interval, resampled_mean
from fergan.facs import EMOTIONS
from fergan.features.discriminator import N_LAYERS, DiscriminatorFeatures
from fergan.svm.kernels import gaussian_kernel, squared_distances, typical_distance
from fergan.svm.machines import multiclass_values

__all__ = ["READOUT_COST", "layer_accuracies", "some_people"]

#: C of the classifier; its gamma is one over the typical squared distance. Nothing is searched, for any layer.
READOUT_COST = 10.0


def some_people(faces: FaceSet, n_faces: int, seed: int = 0, at_least: int = 10) -> FaceSet:
    """Return all faces of as many people, drawn at random, as have at most so many faces together, or of `at_least`."""
    people, codes, counts = np.unique(faces.subjects(), return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(people))
    taken = order[: max(at_least, int(np.sum(np.cumsum(counts[order]) <= n_faces)))]
    return faces.select(np.isin(codes, taken))


def layer_accuracies(
    faces: FaceSet, weights: str, width: int, *, n_folds: int = 3, n_resamples: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Recognise emotions of people never seen from each hidden layer, its maps reduced to 4x4, and from all of them.

    Parameters
    ----------
    faces : FaceSet
        Faces without an emotion take no part.
    weights, width
        Of the discriminator.
    n_folds : int
        Of people.
    n_resamples : int
        Of the bootstrap over people.
    seed : int
        Of folds and resamples.

    Returns
    -------
    DataFrame
        Columns ``layer, features, accuracy, low, high, difference, difference_low, difference_high``: the accuracy at fixed
        parameters, see `READOUT_COST`, and its paired difference to the last layer's.

    Raises
    ------
    ValueError
        There are too few faces, people or emotions, see `fergan.experiments.cross_validation.grouped_folds`.
    """
    known = faces.select(faces.labels["emotion"].notna())
    names = [emotion for emotion in EMOTIONS if emotion in set(known.labels["emotion"])]
    y = np.array([names.index(emotion) for emotion in known.labels["emotion"]], dtype=int)
    subjects = known.subjects()
    folds = grouped_folds(y, subjects, n_folds, seed)
    check_training_parts(y, folds)
    every = tuple(range(1, N_LAYERS + 1))
    whole = DiscriminatorFeatures(weights, width=width, layers=every, pool=True).transform(known.images)
    ends = np.cumsum([0, *(whole.shape[1] * 2 ** (k - 1) // (2**N_LAYERS - 1) for k in every)])
    rows, right = [], {}
    n_classes = len(names)
    for layer, columns in [(str(k), slice(ends[k - 1], ends[k])) for k in every] + [("all", slice(None))]:
        X = whole[:, columns]
        D2 = squared_distances(X)
        K = gaussian_kernel(D2, 1 / typical_distance(D2))
        hits = right[layer] = np.empty(len(y))
        for fold in folds:
            values = multiclass_values(K, y, other_rows(len(y), [fold]), fold, READOUT_COST, n_classes)
            hits[fold] = values.argmax(axis=1) == y[fold]
        rows.append(dict(layer=layer, features=X.shape[1]))

    def interval(of_face: np.ndarray) -> tuple[float, float, float]:
        return of_face.mean(), *bootstrap_interval(partial(resampled_mean, of_face), subjects, n_resamples, seed)

    keys = ("accuracy", "low", "high"), ("difference", "difference_low", "difference_high")
    for row in rows:
        hits = right[row["layer"]]
        row |= zip(keys[0], interval(hits), strict=True)
        row |= zip(keys[1], interval(hits - right[str(N_LAYERS)]), strict=True)
    return pd.DataFrame(rows)
