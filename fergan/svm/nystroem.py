"""Gaussian SVMs on more faces than a kernel matrix has room for: Nystroem's map, and linear least-squares SVMs on it.

The kernel of all faces with a few of them, the landmarks, stands for the whole matrix (Williams and Seeger, NIPS 2001).
C and gamma are chosen with exact kernels on some of the faces. All is scikit-learn's: `Nystroem`, and `RidgeClassifier`,
which is a least-squares SVM (Suykens and Vandewalle, 1999) for each class against the others, all solved at once: as
accurate here as `LinearSVC`, which takes hours where this takes minutes.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from fergan.cache import run_threads
from fergan.svm.kernels import SharedKernel, TrainTest, gaussian_kernel, kernel_slice, room, squared_distances

N_LANDMARKS = 1000
N_SEARCHED = 5000  # faces that C and gamma are chosen on, at most
_LEAST = 200  # faces that a search makes sense on
_BYTES = 24  # for each face and landmark: distances, the kernel, and what it is mapped to


class Landmarks:
    """Features (n_samples, n_features) of too many faces, and the squared distances of all to some of them."""

    def __init__(self, X: np.ndarray, memory_gb: float, seed: int = 0):
        self.X, self.memory_gb = X, memory_gb
        self.n_searched = min(N_SEARCHED, room(memory_gb))
        if self.n_searched < _LEAST:
            raise ValueError(f"memory_gb is {memory_gb:g}, which suffices for {self.n_searched} of {len(X)} faces; expected "
                             f"room for {_LEAST} at least")
        n = min(N_LANDMARKS, self.n_searched, len(X))
        self.rows = np.sort(np.random.default_rng(seed).choice(len(X), n, replace=False))
        self.distances = squared_distances(X, X[self.rows])


def distances_within(X: np.ndarray, memory_gb: float) -> np.ndarray | Landmarks:
    """Return the squared distances of all faces, or `Landmarks` where SVMs on all of them need more than `memory_gb`."""
    return squared_distances(X) if len(X) <= room(memory_gb) else Landmarks(X, memory_gb)


def kernels_of(D2: np.ndarray | Landmarks, y: np.ndarray, **options: Any) -> "SharedKernel | NystroemKernel":
    """Return what fits SVMs on these faces; for options see `fergan.svm.kernels.SharedKernel`."""
    return NystroemKernel(D2, y, **options) if isinstance(D2, Landmarks) else SharedKernel(D2, y, **options)


class NystroemKernel:
    """As `fergan.svm.kernels.SharedKernel`, approximated: one least-squares SVM for each class against the others."""

    def __init__(self, landmarks: Landmarks, y: np.ndarray, *, n_threads: int = 1, memory_gb: float = 12.0):
        self.of, self.y, self.D2, self.n_classes = landmarks, y, landmarks.distances, int(y.max()) + 1
        self.n_threads = n_threads
        self.fitting = max(1, min(n_threads, int(memory_gb * 1e9 // (_BYTES * landmarks.distances.size))))

    def columns(self, train: np.ndarray) -> np.ndarray:
        """Return the columns of `D2` that are faces trained on."""
        return np.flatnonzero(np.isin(self.of.rows, train))

    def searched(self, parts: Sequence[TrainTest]) -> tuple[SharedKernel, list[TrainTest]]:
        """Return exact kernels of some of the faces, and where these are in each part."""
        rows = self._some(np.unique(np.concatenate([part for pair in parts for part in pair])))
        exact = SharedKernel(squared_distances(self.of.X[rows]), self.y[rows], n_threads=self.n_threads,
                             memory_gb=self.of.memory_gb)
        return exact, [tuple(np.flatnonzero(np.isin(rows, part)) for part in pair) for pair in parts]

    def _some(self, faces: np.ndarray) -> np.ndarray:
        return np.sort(np.random.default_rng(0).choice(faces, min(self.of.n_searched, len(faces)), replace=False))

    def accuracy_lost(self, folds: Sequence[np.ndarray], C: float, gamma: float) -> dict[str, Any]:
        """Return the cross-validated accuracy with exact kernels and approximated, on faces that have room for both."""
        everyone = np.arange(len(self.y))
        exact, parts = self.searched([(np.setdiff1d(everyone, fold), fold) for fold in folds])
        of = Landmarks(self.of.X[self._some(everyone)], self.of.memory_gb)
        found = dict(n_landmarks=len(self.of.rows), n_searched=self.of.n_searched)
        for name, models in (("exact", exact), ("approximate", NystroemKernel(of, exact.y, n_threads=self.n_threads))):
            values = models.values(C, gamma, parts)
            right = [of_part.argmax(axis=1) == exact.y[test] for of_part, (_, test) in zip(values, parts, strict=True)]
            found[name] = float(np.concatenate(right).mean())
        return found

    def values(self, C: float, gamma: float, parts: Sequence[TrainTest]) -> list[np.ndarray]:
        """Return, for each part, the decision values (n_test, n_classes); no landmark is a face that is tested."""
        with threadpool_limits(1 if self.fitting > 1 else None):  # products of several fits would wait for one another
            return run_threads(partial(self._of_part, C, gamma), parts, self.fitting)

    def _of_part(self, C: float, gamma: float, part: TrainTest) -> np.ndarray:
        """Train on the faces of one part, and return the values of the others."""
        train, test = part
        columns = self.columns(train)

        def kernel(rows: np.ndarray) -> np.ndarray:
            return gaussian_kernel(kernel_slice(self.D2, rows, columns), gamma)

        mapping = Nystroem(kernel="precomputed", n_components=len(columns), random_state=0)
        mapping.fit(kernel(self.of.rows[columns]))
        model = _least_squares_svm(C).fit(mapping.transform(kernel(train)), self.y[train])
        found = model.decision_function(mapping.transform(kernel(test)))
        values = np.full((len(test), self.n_classes), -np.inf)
        values[:, model.classes_] = found if found.ndim == 2 else np.column_stack([-found, found])
        return values


def approximate_svc(X: np.ndarray, y: np.ndarray, C: float, gamma: float) -> Pipeline:
    """Train the approximation on features (n_samples, n_features); what it returns predicts from features."""
    return make_pipeline(Nystroem(gamma=gamma, n_components=N_LANDMARKS, random_state=0), _least_squares_svm(C)).fit(X, y)


def _least_squares_svm(C: float) -> RidgeClassifier:
    return RidgeClassifier(alpha=1 / C, copy_X=False, solver="cholesky")
