"""Support vector machines on kernel matrices that are computed once and shared by all folds and parameters.

A kernel SVM sees its n_features = 8,192 numbers per face only through inner products or distances. These cost one matrix
product per feature set; after it a fold is a slice, and a new ``gamma`` is one elementwise exponential. Features are not
standardised: no statistic of a test face can then reach the training, and the Gaussian kernel's scale is relative to the
data's own distances (`typical_distance`). Fits run on threads: LibSVM releases Python's global lock.
"""

import os
from collections.abc import Iterator, Sequence

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

from fergan.cache import run_threads

TrainTest = tuple[np.ndarray, np.ndarray]  # the faces to train on, the faces to test on

_BLOCK_BYTES = 1e9  # that blocks of rows may take, beside the matrices themselves
_ROWS = 64  # of a kernel matrix at a time: stay in the processor's cache
_CACHE_MB = 500  # of LibSVM, for each model that is being fitted
_MISSING_CLASS = -1.0  # below every vote count, which starts at -1/3


def squared_distances(X: np.ndarray, Y: np.ndarray | None = None, *, dtype: type = np.float32) -> np.ndarray:
    """Compute all squared Euclidean distances between the rows of two matrices: (n_rows, n_columns), never negative.

    Blocks of rows are centred on the mean of `Y`, and ``|x|^2 + |y|^2 - 2 x.y`` is summed in float64: before the result is
    rounded to float32, its error is about 1e-15 times the largest squared distance from the mean. The rounding, 6e-8 of each
    distance, changes a Gaussian kernel by at most 2.2e-8: less than LibSVM, which rounds its kernel to float32 in training.

    Matrices are (n_rows, n_features) and (n_columns, n_features), float32 or float64; without `Y` it is `X` itself, and the
    result symmetric with a diagonal of exact zeros. Its `dtype` is float32, which suffices for a search, or float64.
    """
    D2 = _empty(len(X), len(X if Y is None else Y), dtype)
    for rows, columns, products, x_norms, y_norms in _centred_products(X, Y):
        products *= -2
        products += x_norms[:, None]
        products += y_norms[None, :]
        D2[rows, columns] = np.maximum(products, 0, out=products)
        if Y is None:
            _mirror(D2, rows, columns)
    if Y is None:
        np.fill_diagonal(D2, 0)
    return D2


def gram(X: np.ndarray, Y: np.ndarray | None = None) -> np.ndarray:
    """Compute the linear kernel ``(x - m).(y - m) / s``, where m is the mean of `Y` and s its mean squared distance from m.

    Moving the origin leaves a C-SVC with a free bias unchanged. Dividing by s gives the diagonal of ``gram(Y)`` a mean of 1,
    so that one grid of C suits features of any scale. For a test set `X` is its faces and `Y` the training set. Returns
    float64 of shape (n_rows, n_columns); see `squared_distances`.
    """
    K = _empty(len(X), len(X if Y is None else Y), np.float64)
    scale = 0.0
    for rows, columns, products, _, y_norms in _centred_products(X, Y):
        K[rows, columns] = products
        if Y is None:
            _mirror(K, rows, columns)
        if rows.start == 0:
            scale += y_norms.sum() / K.shape[1]
    if scale == 0:
        raise ValueError("all faces have the same features; the network that made them has probably collapsed")
    K /= scale
    return K


def _empty(n_rows: int, n_columns: int, dtype: type) -> np.ndarray:
    """Return a new matrix; ValueError where the machine has no room for it, which would end the process without a word."""
    needed, there = n_rows * n_columns * np.dtype(dtype).itemsize, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ValueError(f"kernels of {n_rows:,} faces with {n_columns:,} need {needed / 1e9:,.0f} GB, and this machine has "
                         f"{there / 1e9:,.0f}; take fewer faces (n_faces of the set, max_faces of the transfer matrix)")
    return np.empty((n_rows, n_columns), dtype)


def _centred_products(X: np.ndarray, Y: np.ndarray | None) -> Iterator[tuple]:
    """Yield rows, columns, ``(X - m) (Y - m)'`` and both squared norms of blocks; without `Y` none below the diagonal."""
    other = X if Y is None else Y
    n_rows, n_columns, n_features = len(X), len(other), X.shape[1]
    if other.shape[1] != n_features:
        raise ValueError(f"X has {n_features} features and Y {other.shape[1]}; expected the same number")
    mean = other.mean(axis=0, dtype=np.float64)

    def centre(part: np.ndarray):
        centred = part - mean  # float64, as the mean is
        return centred, np.einsum("ij,ij->i", centred, centred)

    # Three centred parts, of which one is being replaced, and two products: 24 size n_features + 24 size^2 bytes.
    size = max(1, int(np.sqrt(n_features**2 / 4 + _BLOCK_BYTES / 24) - n_features / 2))
    for i in range(0, n_rows, size):
        rows = slice(i, min(i + size, n_rows))
        of_rows, x_norms = centre(X[rows])
        for j in range(i if Y is None else 0, n_columns, size):
            columns = slice(j, min(j + size, n_columns))
            of_columns, y_norms = (of_rows, x_norms) if Y is None and i == j else centre(other[columns])
            yield rows, columns, of_rows @ of_columns.T, x_norms, y_norms


def _mirror(matrix: np.ndarray, rows: slice, columns: slice) -> None:
    """Copy a block on or above the diagonal to its mirror image, for both to have the same bits."""
    block = matrix[rows, columns]
    if rows != columns:
        matrix[columns, rows] = block.T
    else:
        np.copyto(block, block.T.copy(), where=np.tri(len(block), k=-1, dtype=bool))


def typical_distance(D2: np.ndarray) -> float:
    """Return the median squared distance between two faces, the data's own unit for ``1 / gamma``.

    It uses no label, and only places the box that is searched. Above 2,000 faces an even subset of rows stands for all.
    """
    rows = D2[:: max(1, len(D2) // 2000)]
    apart = rows[rows > 0]
    median = float(np.median(apart)) if len(apart) >= rows.size / 2 else 0.0
    if median <= 0:
        raise ValueError("most faces have the same features; the network that made them has probably collapsed")
    return median


def gaussian_kernel(D2: np.ndarray, gamma: float, out: np.ndarray | None = None, n_threads: int = 1) -> np.ndarray:
    """Return ``exp(-gamma * D2)`` as float64, in `out` where it is given."""
    out = np.empty(D2.shape) if out is None else out

    def fill(start: int) -> None:
        block = out[start : start + _ROWS]
        np.multiply(D2[start : start + _ROWS], -gamma, out=block, dtype=np.float64)
        np.exp(block, out=block)

    run_threads(fill, range(0, len(D2), _ROWS), n_threads)
    return out


def kernel_slice(K: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Copy the given rows and columns; several times as fast as ``K[np.ix_(rows, columns)]``."""
    out = np.empty((len(rows), len(columns)), K.dtype)
    for row, of_row in zip(rows, out, strict=True):
        K[row].take(columns, out=of_row, mode="clip")  # the mode "raise" would write to a copy first
    return out


def fit_svc(K: np.ndarray, y: np.ndarray, C: float) -> SVC:
    """Train LibSVM's C-SVC on a kernel matrix of shape (n_train, n_train), float64."""
    # The kernel matrix is finite by construction. No limit on iterations: LibSVM stops when it has converged.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return SVC(kernel="precomputed", C=C, cache_size=_CACHE_MB, break_ties=True).fit(K, y)


def room(memory_gb: float) -> int:
    """Return on how many faces SVMs fit into memory, by what `SharedKernel` needs: 12, 8 and at most 4 bytes for a pair."""
    few, many = memory_gb * 1e9 / 24, max(0.0, memory_gb * 1e9 - 1e6 * _CACHE_MB) / 20
    return int(np.sqrt(max(many, min(few, 1e6 * _CACHE_MB / 4))))


class SharedKernel:
    """Gaussian SVMs on parts of one set of faces, several at a time, with one kernel matrix for each gamma.

    `D2` are `squared_distances` (n_samples, n_samples), `y` classes from 0 upwards, int (n_samples,). At most `n_threads`
    models are fitted at a time, fewer where `memory_gb`, 1e9 bytes for the distances, the kernel matrix, and for each thread
    a part of it and LibSVM's cache, do not suffice; an error where not one fits.
    """

    def __init__(self, D2: np.ndarray, y: np.ndarray, *, n_threads: int = 1, memory_gb: float = 12.0) -> None:
        n = len(D2)
        shared, each = D2.nbytes + 8 * n**2, 8 * n**2 + min(1e6 * _CACHE_MB, 4 * n**2)
        fitting = int((memory_gb * 1e9 - shared) // each)
        if fitting < 1:
            raise ValueError(f"memory_gb is {memory_gb:g}; SVMs on {n} faces need at least {(shared + each) / 1e9:.2g}")
        self.n_threads = min(n_threads, fitting)
        self.n_classes = int(y.max()) + 1
        self.y, self.D2 = y, D2
        self._K = self._gamma = None

    def columns(self, train: np.ndarray) -> np.ndarray:
        """Return the columns of `D2` that are faces trained on."""
        return train

    def searched(self, parts: Sequence[TrainTest]) -> tuple["SharedKernel", Sequence[TrainTest]]:
        """Return what C and gamma are chosen on: these models, and these parts."""
        return self, parts

    def values(self, C: float, gamma: float, parts: Sequence[TrainTest]) -> list[np.ndarray]:
        """Return the `multiclass_values` of each part."""
        if self._gamma != gamma:
            self._K = gaussian_kernel(self.D2, gamma, out=self._K, n_threads=self.n_threads)
            self._gamma = gamma

        def fit(part: TrainTest) -> np.ndarray:
            return multiclass_values(self._K, self.y, *part, C, self.n_classes)

        return run_threads(fit, parts, self.n_threads)


def multiclass_values(K: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, C: float,
                      n_classes: int) -> np.ndarray:
    """Train a one-vs-one C-SVC of cost C on some faces and return its decision values on others.

    `train` and `test` are rows of the kernel matrix (n_samples, n_samples), float64; classes (n_samples,) are 0 to
    ``n_classes - 1``.

    Returns: (n_test, n_classes), float64; pairwise votes for each class plus, between -1/3 and 1/3, the summed and squashed
        pairwise decision values; the predicted class is the largest. With two classes, minus and plus the decision value. A
        class without a training face gets a value below all others.
    """
    # With each class contiguous LibSVM reads memory in order: its pairwise problems take a third less time.
    train = train[np.argsort(y[train], kind="stable")]
    present = np.unique(y[train])
    if len(present) < 2:
        raise ValueError("a training part holds a single class; use fewer folds or inner folds, or more people")
    with config_context(assume_finite=True):
        found = fit_svc(kernel_slice(K, train, train), y[train], C).decision_function(kernel_slice(K, test, train))
    if len(present) == 2:
        found = np.column_stack([-found, found])
    values = np.full((len(test), n_classes), _MISSING_CLASS if len(present) > 2 else -np.inf)
    values[:, present] = found
    return values


def linear_values(K_train: np.ndarray, y: np.ndarray, K_test: np.ndarray, costs: Sequence[float]) -> np.ndarray:
    """Train one C-SVC per cost, ascending, and return its decision values (n_test, n_costs).

    Labels are 0 or 1, and values of 1 positive. Where all training labels are the same, values are NaN. The kernels have the
    shapes (n_train, n_train) and (n_test, n_train). A solution whose largest coefficient stays below C does not touch that
    bound, so it solves the problem for every larger C too: the ladder of costs ends there.
    """
    values = np.full((len(K_test), len(costs)), np.nan)
    if len(np.unique(y)) < 2:
        return values
    for index, C in enumerate(costs):
        model = fit_svc(K_train, y.astype(int), C)
        # As its decision_function, by one product.
        values[:, index] = K_test[:, model.support_] @ model.dual_coef_[0] + model.intercept_[0]
        if np.abs(model.dual_coef_).max(initial=0) < C * (1 - 1e-9):
            values[:, index + 1 :] = values[:, [index]]
            break
    return values
