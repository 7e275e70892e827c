"""Support vector machines on precomputed kernel matrices (see `fergan.svm.kernels`).

Fits run on threads, because LibSVM releases Python's global lock.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR

from fergan.svm.kernels import gaussian_kernel, kernel_slice

_log = logging.getLogger(__name__)

TrainTest = tuple[np.ndarray, np.ndarray]  # the faces to train on, the faces to test on

_CACHE_MB = 500  # of LibSVM, for each model that is being fitted
_MAX_ITERATIONS = 100_000  # of a regression; a large cost may need millions for digits that do not matter
_MISSING_CLASS = -1.0  # below every vote count, which starts at -1/3


def fit_svc(K: np.ndarray, y: np.ndarray, C: float, break_ties: bool = True) -> SVC:
    """Train LibSVM's C-SVC on a kernel matrix of shape (n_train, n_train), float64."""
    # The kernel matrix is finite by construction. No limit on iterations: LibSVM stops when it has converged.
    with config_context(assume_finite=True):
        return SVC(kernel="precomputed", C=C, cache_size=_CACHE_MB, break_ties=break_ties).fit(K, y)


class SharedKernel:
    """Gaussian SVMs on parts of one set of faces, several at a time, with one kernel matrix for each gamma.

    Args:
        D2: (n_samples, n_samples), float32 or float64; see `fergan.svm.kernels.squared_distances`.
        y: (n_samples,), int; classes from 0 upwards.
        n_threads: Models fitted at the same time; fewer, with a warning in the log, where the memory does not suffice.
        memory_gb: 1e9 bytes for the distances, the kernel matrix, and for each thread a part of it and LibSVM's cache; an
            error where not one model fits into it.
    """

    def __init__(self, D2: np.ndarray, y: np.ndarray, *, n_threads: int = 1, memory_gb: float = 12.0) -> None:
        n = len(D2)
        shared, each = D2.nbytes + 8 * n**2, 8 * n**2 + min(1e6 * _CACHE_MB, 4 * n**2)
        fitting = int((memory_gb * 1e9 - shared) // each)
        if fitting < 1:
            raise ValueError(f"memory_gb is {memory_gb:g}; SVMs on {n} faces need at least {(shared + each) / 1e9:.2g}")
        if fitting < n_threads:
            _log.warning("%d of %d threads fit into %g GB with %d faces", fitting, n_threads, memory_gb, n)
        self.n_threads = min(n_threads, fitting)
        self.n_classes = int(y.max()) + 1
        self.y, self.D2 = y, D2
        self._K = self._gamma = None

    def values(self, C: float, gamma: float, parts: Sequence[TrainTest]) -> Iterator[np.ndarray]:
        """Yield the `multiclass_values` of each part; the next ones are fitted meanwhile, until the iterator is closed."""
        if not parts:
            return
        if self._gamma != gamma:
            self._K = gaussian_kernel(self.D2, gamma, out=self._K, n_threads=self.n_threads)
            self._gamma = gamma

        def fit(part: TrainTest) -> np.ndarray:
            return multiclass_values(self._K, self.y, *part, C, self.n_classes)

        if self.n_threads == 1:
            yield from map(fit, parts)
            return
        with ThreadPoolExecutor(self.n_threads) as pool:
            yield from pool.map(fit, parts)


def multiclass_values(
    K: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, C: float, n_classes: int
) -> np.ndarray:
    """Train a one-vs-one C-SVC on some faces and return its decision values on others.

    Args:
        K: (n_samples, n_samples), float64; the kernel matrix of all faces, of which `train` and `test` are rows.
        y: (n_samples,), int; classes 0 to ``n_classes - 1``.
        C: Cost of the margin's violations.

    Returns: (n_test, n_classes), float64; pairwise votes for each class plus, between -1/3 and 1/3, the summed and squashed
        pairwise decision values; the predicted class is the largest. With two classes, minus and plus the decision value. A
        class without a training face gets a value below all others.
    """
    # With each class contiguous LibSVM reads memory in order: its pairwise problems take a third less time.
    train = train[np.argsort(y[train], kind="stable")]
    present = np.unique(y[train])
    if len(present) < 2:
        raise ValueError("a training part holds a single class; use fewer folds or inner folds, or more people")
    found = _decision(fit_svc(kernel_slice(K, train, train), y[train], C), kernel_slice(K, test, train))
    if len(present) == 2:
        found = np.column_stack([-found, found])
    values = np.full((len(test), n_classes), _MISSING_CLASS if len(present) > 2 else -np.inf)
    values[:, present] = found
    return values


def _decision(model: SVC, K: np.ndarray) -> np.ndarray:
    with config_context(assume_finite=True):
        return model.decision_function(K)


def predicted_classes(values: np.ndarray, break_ties: bool = True) -> np.ndarray:
    """Return the class of each row of `multiclass_values`; without `break_ties` the first of equal votes, as in LibSVM."""
    if not break_ties and values.shape[1] > 2:
        values = np.round(values)  # the votes
    return values.argmax(axis=1)


def linear_values(
    K_train: np.ndarray, y: np.ndarray, K_test: np.ndarray, costs: Sequence[float], tolerance: float | None = None
) -> np.ndarray:
    """Train one C-SVC, or regression, per cost, ascending, and return its decision values or estimates (n_test, n_costs).

    Labels are 0 or 1, and values of 1 positive; with a `tolerance`, the error that costs nothing, they are numbers from 0 to
    1, to which the estimates are cut. Where all training labels are the same, values are NaN. The kernels have the shapes
    (n_train, n_train) and (n_test, n_train). A solution whose largest coefficient stays below C does not touch that bound,
    so it solves the problem for every larger C too: the ladder of costs ends there.
    """
    values = np.full((len(K_test), len(costs)), np.nan)
    if len(np.unique(y)) < 2:
        return values
    for index, C in enumerate(costs):
        if tolerance is None:
            model = fit_svc(K_train, y.astype(int), C)
            values[:, index] = _decision(model, K_test)
        else:
            model = SVR(kernel="precomputed", C=C, epsilon=tolerance, cache_size=_CACHE_MB, max_iter=_MAX_ITERATIONS)
            with config_context(assume_finite=True), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                values[:, index] = np.clip(model.fit(K_train, y).predict(K_test), 0, 1)
        if np.abs(model.dual_coef_).max(initial=0) < C * (1 - 1e-9):
            values[:, index + 1 :] = values[:, [index]]
            break
    return values
