"""The Frechet distance between two sets of feature vectors."""

import numpy as np
from scipy import linalg

__all__ = ["frechet_distance"]


def _check_features(name: str, features: np.ndarray, minimum: int = 2) -> np.ndarray:
    features = np.asarray(features, np.float64)
    if features.ndim != 2:
        raise ValueError(f"{name} has shape {features.shape}; expected (n_samples, n_features)")
    if len(features) < minimum:
        raise ValueError(f"{name} has {len(features)} rows; expected at least {minimum}")
    if not np.isfinite(features).all():
        raise ValueError(f"{name} holds values that are not finite")
    return features


def frechet_distance(generated: np.ndarray, real: np.ndarray) -> float:
    """Squared Frechet distance between Gaussians fitted to two sets of features.

    ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``. With centred features A and B (rows divided by
    ``sqrt(n - 1)``), ``tr((C1 C2)^(1/2))`` is the nuclear norm of ``A B^T``: exact, and never larger than n x n, so that
    no covariance of n_features x n_features is formed when there are fewer samples than features.

    Parameters
    ----------
    generated, real : ndarray of shape (n_samples, n_features)
        Statistics are computed in float64.

    Returns
    -------
    float
        0 for equal sets; in squared units of the features. Biased upwards at small n, so compare at equal n.

    References
    ----------
    Heusel et al. (2017), equation 6.
    """
    generated, real = _check_features("generated", generated), _check_features("real", real)
    if generated.shape[1] != real.shape[1]:
        raise ValueError(f"generated has {generated.shape[1]} features and real {real.shape[1]}; expected the same")
    difference = generated.mean(0) - real.mean(0)
    a = (generated - generated.mean(0)) / np.sqrt(len(generated) - 1)
    b = (real - real.mean(0)) / np.sqrt(len(real) - 1)
    if a.shape[1] <= min(len(a), len(b)):
        a, b = linalg.qr(a, mode="r")[0][: a.shape[1]], linalg.qr(b, mode="r")[0][: b.shape[1]]
    overlap = linalg.svdvals(a @ b.T).sum()
    distance = difference @ difference + (a * a).sum() + (b * b).sum() - 2 * overlap
    return float(max(distance, 0.0))  # rounding can leave -1e-12 for equal sets
