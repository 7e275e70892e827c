"""Judging generated faces: arrays in, numbers out; the argument order is always (generated, real)."""

from typing import Any

import numpy as np
from scipy import linalg
from scipy.stats import binomtest

from fergan.detection import face_rate
from fergan.features import HOGFeatures

__all__ = [
    "frechet_distance", "judge_samples", "mean_pairwise_distance", "mean_pairwise_interval", "nearest_real",
    "structural_similarity",
]

FACE_PROBABILITY = 0.9  # how sure MTCNN must be that a sample shows a face


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


def _flat_pixels(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1) / 255


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance between the pixels (0..1) of all pairs of different images: a measure of diversity.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), dtype uint8
    """
    return float(_pairwise_distances(images)[np.triu_indices(len(images), 1)].mean())


def _pairwise_distances(images: np.ndarray) -> np.ndarray:
    if len(images) < 2:
        raise ValueError(f"{len(images)} image has no pairs; expected at least 2 images")
    x = _flat_pixels(images)
    squares = (x * x).sum(1)
    return np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * x @ x.T, 0))


def mean_pairwise_interval(images: np.ndarray, n_resamples: int = 500, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval over images of `mean_pairwise_distance`; pairs of an image with itself do not count."""
    distances = _pairwise_distances(images)
    rng = np.random.default_rng(seed)
    n = len(images)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(float)
    totals = np.einsum("ri,ri->r", weights @ distances, weights)
    pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
    low, high = np.quantile(totals / pairs, [0.025, 0.975])
    return float(low), float(high)


def nearest_real(generated: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find each generated image's nearest real one in pixels.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8

    Returns
    -------
    rows : ndarray of int, shape (n_generated,)
        Row of the nearest real image.
    distances : ndarray of float, shape (n_generated,)
        Euclidean distance of the pixels in 0..1.
    """
    x, y = _flat_pixels(generated), _flat_pixels(real)
    squared = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T
    rows = squared.argmin(1)
    return rows, np.sqrt(np.maximum(squared[np.arange(len(x)), rows], 0))


def structural_similarity(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of pairs of images: 1 for equal ones.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8
        Pair by pair; Gaussian window of 11 pixels with standard deviation 1.5.

    Returns
    -------
    ndarray of shape (n,)

    References
    ----------
    Wang et al. (2004), by torchmetrics.
    """
    import torch  # with torchmetrics, for this score alone
    from torchmetrics.functional.image import structural_similarity_index_measure

    pairs = (torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() for images in (generated, real))
    return structural_similarity_index_measure(*pairs, data_range=255.0, reduction="none").numpy()


def judge_samples(generated: np.ndarray, real: np.ndarray, seed: int = 0, n_faces: int = 200) -> dict[str, dict[str, Any]]:
    """Judge the samples of one generator: recognisable, varied, alike, new.

    Parameters
    ----------
    generated, real : ndarray of shape (n, 64, 64, 3), dtype uint8
    seed : int
        Of resamples and of the halves of the real faces.
    n_faces : int
        How many samples the face detector looks at.

    Returns
    -------
    dict
        Score -> ``value, low, high`` (95 % interval, NaN where none is computed), ``n_generated, n_real, note``.
    """
    if len(generated) < n_faces:
        raise ValueError(f"generated has {len(generated)} images; expected at least {n_faces}")
    order = np.random.default_rng(seed).permutation(len(real))
    halves = order[: len(real) // 2], order[len(real) // 2 :]
    n = min(len(generated), len(halves[0]))  # equal numbers on both sides of both distances: their bias depends on n
    hog_generated, *hog_halves = (HOGFeatures().transform(x) for x in (generated[:n], *(real[h[:n]] for h in halves)))
    some_real = real[order[: len(generated)]]
    rows, nearest = nearest_real(generated[:n_faces], real)

    def record(value: float, low: float = np.nan, high: float = np.nan, note: str = "", **sizes: int) -> dict[str, Any]:
        return dict(value=value, low=low, high=high, note=note, **{"n_generated": 0, "n_real": 0, **sizes})

    scores = {}
    for name, images in (("faces_found", generated[:n_faces]), ("faces_found_real", some_real[:n_faces])):
        hits = int((face_rate(images, FACE_PROBABILITY) > 0).sum())
        interval = binomtest(hits, len(images)).proportion_ci(method="wilson")
        side = "n_real" if name.endswith("real") else "n_generated"
        scores[name] = record(hits / len(images), *interval, note="Wilson interval", **{side: len(images)})
    for name, images, side in (("distance", generated, "n_generated"), ("distance_real", some_real, "n_real")):
        interval = mean_pairwise_interval(images, seed=seed)
        scores[name] = record(mean_pairwise_distance(images), *interval, note="pixels in 0..1", **{side: len(images)})
    ratio = scores["distance"]["value"] / scores["distance_real"]["value"]
    scores["distance_ratio"] = record(ratio, n_generated=len(generated), n_real=len(some_real))
    scores["frechet_hog"] = record(
        frechet_distance(hog_generated, hog_halves[1]), n_generated=n, n_real=n, note="not comparable with FID"
    )
    scores["frechet_hog_floor"] = record(
        frechet_distance(*hog_halves), n_real=n, note="two halves of the real faces"
    )
    similarity = structural_similarity(generated[:n_faces], real[rows])
    sizes = dict(n_generated=n_faces, n_real=len(real))
    scores["ssim_nearest"] = record(float(similarity.mean()), note="each sample with its nearest real face", **sizes)
    scores["nearest_real"] = record(float(nearest.mean()), note="pixels in 0..1", **sizes)
    return scores
