"""The scores of one generator: how recognisable, how varied, how near to its training faces its samples are."""

from typing import Any

import numpy as np
from scipy.stats import binomtest

from fergan.detection import face_rate
from fergan.features.hog import HOGFeatures
from fergan.quality.diversity import mean_pairwise_distance, mean_pairwise_interval, nearest_real
from fergan.quality.frechet import frechet_distance
from fergan.quality.similarity import structural_similarity

__all__ = ["judge_samples"]

FACE_PROBABILITY = 0.9  # how sure MTCNN must be that a sample shows a face


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
