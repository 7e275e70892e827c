"""Learning emotions from few labelled people: a Gaussian SVM on features, or a network on the faces themselves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone

from fergan.experiments.cross_validation import check_training_parts, grouped_folds, other_rows
from fergan.experiments.label_subsets import Subset
from fergan.experiments.supervised import SupervisedCNN
from fergan.svm.kernels import gaussian_kernel, kernel_slice, squared_distances, typical_distance
from fergan.svm.machines import SharedKernel, multiclass_values
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE, search_folds

__all__ = ["DEFAULT_COST", "DEFAULT_GAMMA_SCALE", "Answer", "FeatureLearner", "NetworkLearner"]

#: What stands in for a search where the labelled people do not suffice for one: the middle of the box that is searched.
DEFAULT_COST = float(np.sqrt(np.prod(COST_RANGE)))
DEFAULT_GAMMA_SCALE = float(np.sqrt(np.prod(GAMMA_SCALE_RANGE)))


@dataclass(frozen=True)
class Answer:
    """What a method says of the test faces of a subset.

    Attributes
    ----------
    predicted : ndarray of shape (n_test,), int
        Classes; one that no training face shows is never among them.
    fit : dict
        How the model came about: plain values, one column each in the table of fits.
    """

    predicted: np.ndarray
    fit: dict[str, Any] = field(default_factory=dict)


class FeatureLearner:
    """A Gaussian SVM on one kind of features, which chooses C and gamma among the labelled people.

    Where these suffice for `inner_folds` folds of whole people, none of which takes a class away, a search over the
    folds chooses both. Otherwise they are `DEFAULT_COST` and `DEFAULT_GAMMA_SCALE` over the typical distance. That
    distance is between the faces of the split's training people; it needs no labels.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
        Features of all faces.
    y : ndarray of shape (n_samples,), int
        Classes from 0 upwards.
    subjects : ndarray of shape (n_samples,), str
        The person of each face.
    n_evaluations, inner_folds, seed : int
        Of the search, see `fergan.svm.search.search` and `fergan.experiments.cross_validation.grouped_folds`.
    n_threads : int
        Folds fitted at the same time.
    """

    def __init__(
        self, X: np.ndarray, y: np.ndarray, subjects: np.ndarray, *, n_evaluations: int, inner_folds: int, seed: int = 0,
        n_threads: int = 1,
    ) -> None:
        self._D2 = squared_distances(X)
        self._y, self._subjects = y, np.asarray(subjects, dtype=str)
        self._n_evaluations, self._inner_folds, self._seed = n_evaluations, inner_folds, seed
        self._n_threads = n_threads
        self._distances: dict[int, float] = {}

    def __call__(self, subset: Subset) -> Answer:
        """Train on the labelled faces of a subset and name its test faces."""
        train, test, y = subset.train, subset.test, self._y
        present = np.unique(y[train])
        if len(present) == 1:
            return Answer(np.full(len(test), present[0]), {"searched": False})
        distance = self._distance(subset)
        folds = self._inner(train)
        C, gamma = DEFAULT_COST, DEFAULT_GAMMA_SCALE / distance
        if folds:
            models = SharedKernel(kernel_slice(self._D2, train, train), y[train], n_threads=self._n_threads)
            parts = [(other_rows(len(train), [fold]), fold) for fold in folds]
            found = search_folds(models, parts, distance, n_evaluations=self._n_evaluations, seed=self._seed)
            C, gamma = found.C, found.gamma
        rows = np.concatenate([train, test])
        places = np.arange(len(train)), np.arange(len(train), len(rows))
        K = gaussian_kernel(kernel_slice(self._D2, rows, rows), gamma, n_threads=self._n_threads)
        values = multiclass_values(K, y[rows], *places, C, int(y.max()) + 1)
        return Answer(values.argmax(axis=1), {"searched": bool(folds), "C": C, "gamma_scale": gamma * distance})

    def _distance(self, subset: Subset) -> float:
        if subset.split not in self._distances:
            some = subset.pool[:: max(1, len(subset.pool) // 2000)]
            self._distances[subset.split] = typical_distance(kernel_slice(self._D2, some, some))
        return self._distances[subset.split]

    def _inner(self, train: np.ndarray) -> list[np.ndarray]:
        """Return folds of labelled people; none where there are too few."""
        y, subjects = self._y[train], self._subjects[train]
        try:
            folds = grouped_folds(y, subjects, self._inner_folds, self._seed)
            check_training_parts(y, folds)
        except ValueError:
            return []
        return folds


class NetworkLearner:
    """A network that is trained anew on the labelled faces of each subset.

    Parameters
    ----------
    network : SupervisedCNN
        Its parameters; the seed is replaced by one of each split and draw.
    images : ndarray of shape (n_samples, 64, 64, 3), uint8
    y : ndarray of shape (n_samples,), int
    progress : callable, optional
        Called with a line of text after each training.
    """

    def __init__(
        self, network: SupervisedCNN, images: np.ndarray, y: np.ndarray, progress: Callable[[str], None] | None = None
    ) -> None:
        self._network, self._images, self._y, self._progress = network, images, y, progress

    def __call__(self, subset: Subset) -> Answer:
        """Train on the labelled faces of a subset and name its test faces."""
        seed = int(np.random.SeedSequence([self._network.seed, subset.split, subset.draw]).generate_state(1)[0] >> 1)
        network = clone(self._network).set_params(seed=seed).fit(self._images[subset.train], self._y[subset.train])
        if self._progress is not None:
            self._progress(f"split {subset.split}, draw {subset.draw}, {subset.n_people} people: {network.n_steps_} steps")
        fit = {"steps": network.n_steps_, "train_accuracy": network.train_accuracy_}
        return Answer(network.predict(self._images[subset.test]), fit)
