"""What each layer of a discriminator knows of the emotions: the same classifier on every layer, at the same size of maps."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments import cross_validation as cv
from fergan.experiments.config import LayersConfig
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import emotion_classes
from fergan.experiments.intervals import bootstrap_interval, resampled_mean
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.features.discriminator import N_LAYERS, DiscriminatorFeatures
from fergan.svm.kernels import gaussian_kernel, squared_distances, typical_distance
from fergan.svm.machines import multiclass_values

if TYPE_CHECKING:
    from fergan.gan.runs import Run

#: C of the classifier; its gamma is one over the typical squared distance. Nothing is searched, for any layer.
READOUT_COST = 10.0


def layer_accuracies(folder: Path, config: LayersConfig, *, faces: FaceSet, network: "Run") -> None:
    """Recognise emotions of people never seen from each hidden layer, its maps reduced to 4x4, and from all of them.

    The result is an `ExperimentResult` whose features are the layers "1" to "4" and "all", with ``accuracy`` at fixed
    parameters (see `READOUT_COST`) and ``minus_last``, its paired difference to the last layer's.

    Some people of the set are taken; faces without an emotion take no part. ValueError where faces, people or emotions are
    too few, see `fergan.experiments.cross_validation.grouped_folds`.
    """
    taken = cv.some_people(faces.subjects(), config.n_faces, config.seed, at_least=10)
    known = faces.select(np.isin(np.arange(len(faces)), taken) & faces.labels["emotion"].notna().to_numpy())
    subjects = known.subjects()
    names, y = emotion_classes(known.labels["emotion"], subjects)
    folds = cv.grouped_folds(y, subjects, config.n_folds, config.seed)
    cv.check_training_parts(y, folds)
    every = tuple(range(1, N_LAYERS + 1))
    whole = DiscriminatorFeatures(network.folder / "discriminator.safetensors", width=network.config.width, layers=every,
                                  pool=True).transform(known.images)
    ends = np.cumsum([0, *(whole.shape[1] * 2 ** (k - 1) // (2**N_LAYERS - 1) for k in every)])
    columns = {str(k): slice(ends[k - 1], ends[k]) for k in every} | {"all": slice(None)}
    right = {}
    for layer, of_layer in columns.items():
        D2 = squared_distances(whole[:, of_layer])
        K = gaussian_kernel(D2, 1 / typical_distance(D2))
        right[layer] = np.empty(len(y))
        for fold in folds:
            values = multiclass_values(K, y, cv.other_rows(len(y), [fold]), fold, READOUT_COST, len(names))
            right[layer][fold] = values.argmax(axis=1) == y[fold]
    rows = []
    base = dict(protocol=SUBJECT_INDEPENDENT, label="all", n_faces=len(y), n_subjects=len(set(subjects)),
                n_labels=len(names))
    for layer, hits in right.items():
        for score, of_face in (("accuracy", hits), ("minus_last", hits - right[str(N_LAYERS)])):
            low, high = bootstrap_interval(partial(resampled_mean, of_face), subjects, config.n_resamples, config.seed)
            rows.append(base | dict(features=layer, score=score, value=of_face.mean(), low=low, high=high))
    n_features = {layer: whole[:, of_layer].shape[1] for layer, of_layer in columns.items()}
    settings = config.model_dump() | dict(n_features=n_features)
    ExperimentResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), settings).save(folder)
