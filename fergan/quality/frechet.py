"""The Frechet distance between two sets of feature vectors, and what it would be with endless samples."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from fergan.quality.checks import check_pair

__all__ = ["Extrapolation", "extrapolate_frechet", "frechet_distance", "rank_note"]


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
    generated, real = check_pair(generated, real)
    difference = generated.mean(0) - real.mean(0)
    a = (generated - generated.mean(0)) / np.sqrt(len(generated) - 1)
    b = (real - real.mean(0)) / np.sqrt(len(real) - 1)
    if a.shape[1] <= min(len(a), len(b)):
        a, b = linalg.qr(a, mode="r")[0][: a.shape[1]], linalg.qr(b, mode="r")[0][: b.shape[1]]
    overlap = linalg.svdvals(a @ b.T).sum()
    distance = difference @ difference + (a * a).sum() + (b * b).sum() - 2 * overlap
    return float(max(distance, 0.0))  # rounding can leave -1e-12 for equal sets


def rank_note(n_samples: int, n_features: int) -> str:
    """Return a sentence where so few samples cannot have a covariance of full rank; empty where they can."""
    if n_samples > n_features:
        return ""
    return f"{n_samples:,} samples of {n_features:,} features: covariances of rank {n_samples - 1:,} at most"


@dataclass(frozen=True)
class Extrapolation:
    """Frechet distances of smaller sets, and the line through them.

    Attributes
    ----------
    n : ndarray of int, shape (n_sizes,)
        Samples on either side.
    distance : ndarray of shape (n_sizes,)
        Mean over draws of so many.
    infinite, low, high : float
        Where the line in 1 / n reaches n = infinity, with the fit's 95 % interval. It can lie below 0.
    slope : float
        Of the line.
    """

    n: np.ndarray
    distance: np.ndarray
    infinite: float
    low: float
    high: float
    slope: float


def extrapolate_frechet(
    generated: np.ndarray, real: np.ndarray, n_sizes: int = 6, n_draws: int = 2, smallest: float = 0.4, seed: int = 0
) -> Extrapolation:
    """Extrapolate the Frechet distance to endless samples.

    The distance's bias falls as ``1 / n``, so a line through distances at several n, over ``1 / n``, meets the axis at the
    distance without it. Both sides are cut to the same n here, since both are samples.

    Parameters
    ----------
    generated, real : ndarray of shape (n_samples, n_features)
    n_sizes : int
        Sizes, evenly spaced in ``1 / n`` up to the smaller side's.
    n_draws : int
        Draws of each size but the largest, which leaves no choice where both sides are equal.
    smallest : float
        Smallest size as a share of the largest.
    seed : int
        Of the draws.

    Returns
    -------
    Extrapolation

    References
    ----------
    Chong and Forsyth (2020), equation 5. The interval is the line's, which knows nothing of curvature: where there are
    fewer samples than features the bias is not yet a line in ``1 / n``, and the real faces' own extrapolation,
    which should be 0, says how far one can trust it.
    """
    generated, real = check_pair(generated, real, minimum=20)
    largest = min(len(generated), len(real))
    sizes = np.unique((1 / np.linspace(1 / largest, 1 / (smallest * largest), n_sizes)).round().astype(int))
    rng = np.random.default_rng(seed)
    distances = []
    for n in sizes:
        draws = [[side[rng.permutation(len(side))[:n]] for side in (generated, real)] for _ in range(n_draws)]
        draws = draws[:1] if n == len(generated) == len(real) else draws
        distances.append(np.mean([frechet_distance(*draw) for draw in draws]))
    line = stats.linregress(1 / sizes, distances)
    half = stats.t.ppf(0.975, len(sizes) - 2) * line.intercept_stderr
    ends = (float(line.intercept - half), float(line.intercept + half))
    return Extrapolation(sizes, np.array(distances), float(line.intercept), *ends, float(line.slope))
