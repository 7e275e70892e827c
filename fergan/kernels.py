"""Kernel matrices that are computed once and shared by all folds and parameters of a support vector machine.

A kernel SVM sees its n_features = 8,192 numbers per face only through inner products or distances. These cost one matrix
product per feature set; after it a fold is a slice, and a new ``gamma`` is one elementwise exponential.

Features are not standardised: no statistic of a test face can then reach the training, and the scale of the Gaussian kernel
is relative to the data's own distances (`typical_distance`).
"""

import numpy as np

__all__ = ["gaussian_kernel", "gram", "kernel_slice", "squared_distances", "typical_distance"]


def squared_distances(X: np.ndarray, Y: np.ndarray | None = None) -> np.ndarray:
    """Compute all squared Euclidean distances between the rows of two matrices.

    Both are centred on the mean of `Y` before ``|x|^2 + |y|^2 - 2 x.y`` is summed in float64, so that little
    is lost to cancellation: the error is about 1e-15 times the largest squared distance from the mean.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32 or float64
    Y : ndarray of shape (n_columns, n_features), optional
        `X` itself when left out; the result is then symmetric with a diagonal of exact zeros.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), float64
        Never negative.
    """
    mean = (X if Y is None else Y).mean(axis=0, dtype=np.float64)
    X_centred = X - mean
    Y_centred = X_centred if Y is None else Y - mean
    D2 = X_centred @ Y_centred.T
    x_norms = np.einsum("ij,ij->i", X_centred, X_centred)
    y_norms = np.einsum("ij,ij->i", Y_centred, Y_centred)
    D2 *= -2
    D2 += x_norms[:, None]
    D2 += y_norms[None, :]
    np.maximum(D2, 0, out=D2)
    if Y is None:
        # The norms are added in another order above and below the diagonal: make both halves the same bits.
        D2 = np.minimum(D2, D2.T)
        np.fill_diagonal(D2, 0)
    return D2


def gram(X: np.ndarray, Y: np.ndarray | None = None) -> np.ndarray:
    """Compute the linear kernel ``(x - m).(y - m) / s``, centred and scaled by its second argument.

    Here m is the mean of `Y` and s its mean squared distance from m. Moving the origin leaves a C-SVC with a
    free bias unchanged. Dividing by s gives the diagonal of ``gram(Y)`` a mean of 1, so that one grid of C
    suits features of any scale.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32 or float64
        For a test set the rows are its faces, and `Y` is the training set.
    Y : ndarray of shape (n_columns, n_features), optional
        `X` itself when left out.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), float64
    """
    mean = (X if Y is None else Y).mean(axis=0, dtype=np.float64)
    X_centred = X - mean
    Y_centred = X_centred if Y is None else Y - mean
    scale = np.einsum("ij,ij->", Y_centred, Y_centred) / len(Y_centred)
    if scale == 0:
        raise ValueError(
            "all faces have the same features; the network that made them has probably collapsed"
        )
    return X_centred @ Y_centred.T / scale


def typical_distance(D2: np.ndarray) -> float:
    """Return the median squared distance between two faces, the data's own unit for ``1 / gamma``.

    It uses every face without its label, test faces included; it only places the box that is searched. Above
    2,000 faces an even subset of rows stands for all.
    """
    rows = D2[:: max(1, len(D2) // 2000)]
    apart = rows[rows > 0]
    median = float(np.median(apart)) if len(apart) >= rows.size / 2 else 0.0
    if median <= 0:
        raise ValueError(
            "most faces have the same features; the network that made them has probably collapsed"
        )
    return median


def gaussian_kernel(D2: np.ndarray, gamma: float) -> np.ndarray:
    """Return ``exp(-gamma * D2)`` as float64."""
    K = np.multiply(D2, -gamma)
    return np.exp(K, out=K)


def kernel_slice(K: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Copy the given rows and columns; twice as fast as ``K[np.ix_(rows, columns)]``."""
    return K.take(rows, axis=0).take(columns, axis=1)
