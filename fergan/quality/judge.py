"""The scores of one generator: how recognisable, how near to real faces, how varied and how new its samples are."""

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from fergan.data.detection import face_rate
from fergan.files import hash_file, hash_parameters, read_json, write_json
from fergan.quality import QualityConfig, distances, similarity
from fergan.quality.backbones import Backbone, backbones
from fergan.quality.distances import Extrapolation, jackknife

FACE_PROBABILITY = 0.9  # how sure MTCNN must be that a sample shows a face
N_SEEN = 200  # samples that the face detector and the similarities look at
_N_SPLITS = 10  # of the inception score, as in the work that defines it

#: A score with its 95 % interval, and its floor: the same score of real faces beside as many other real faces, which a
#: perfect generator would reach. ``features``: a backbone, MTCNN, pixels or thumbnails, whose ``weights`` have this hash and
#: which sees pictures of ``side`` pixels; ``rank``: what the rank of a covariance is at most, 0 where it can be full.
QUALITY_COLUMNS = {
    "features": str, "score": str, "value": float, "low": float, "high": float, "floor": float, "n_generated": int,
    "n_real": int, "splits": int, "interval": str, "rank": int, "weights": str, "side": int,
}
_DEFAULTS = {"features": "pixels", "splits": 1, "interval": "left out", "rank": 0, "weights": "", "side": 64}


@dataclass(frozen=True)
class SampleScores:
    """What was found out about a generator's samples.

    ``scores`` has the columns `QUALITY_COLUMNS`, NaN where a score could not be computed. ``curves`` are Frechet distances
    against the number of faces for each backbone, ``distributions`` what was measured, one number for each face, both of
    ``"samples"`` and of ``"real faces"``. Samples whose thumbnails lie nearer than ``memorised_below`` count as memorised.
    """

    scores: pd.DataFrame
    curves: dict[str, dict[str, Extrapolation]]
    distributions: dict[str, dict[str, np.ndarray]]
    memorised_below: float

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `judge_samples` wrote."""
        content = read_json(Path(folder) / "scores.json")
        curves = {name: {side: Extrapolation(**{key: np.array(v) if isinstance(v, list) else v for key, v in line.items()})
                         for side, line in sides.items()} for name, sides in content["curves"].items()}
        distributions = {what: {side: np.array(values) for side, values in sides.items()}
                         for what, sides in content["distributions"].items()}
        return cls(_table(content["scores"]), curves, distributions, content["memorised_below"])


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([_DEFAULTS | row for row in rows], columns=list(QUALITY_COLUMNS)).astype(QUALITY_COLUMNS)


def judge_samples(
    folder: Path, config: QualityConfig, *, generated: np.ndarray, real: np.ndarray, discriminator: Path, width: int,
    inception: Path | None = None,
) -> None:
    """Judge the samples of one generator, each score beside its floor: real faces against other real faces.

    The real faces are divided into halves at random. Samples are compared with one half, and so is the other half, with
    the same number on all sides, since nearly every score depends on it. Writes ``scores.json``, see `SampleScores`.

    Args:
        generated, real: (n, 64, 64, 3), uint8; as many samples as `config` says, and the faces learnt from.
        discriminator, width, inception: See `fergan.quality.backbones.backbones`.
    """
    if len(generated) != config.n_samples:
        raise ValueError(f"generated has {len(generated)} images; expected n_samples, {config.n_samples}")
    found = judge_images(generated, real, backbones(discriminator, width, inception), config.seed)
    write_json(folder / "scores.json", asdict(found) | {"scores": found.scores.to_dict("records")})


def judge_images(generated: np.ndarray, real: np.ndarray, networks: list[Backbone], seed: int) -> SampleScores:
    """Compute every score of samples; see `judge_samples`."""
    order = np.random.default_rng(seed).permutation(len(real))
    n = min(len(generated), len(real) // 2)
    half, other = (np.array(real[np.sort(rows)]) for rows in (order[:n], order[n : 2 * n]))
    memorised, near, below = _memorised(generated, np.array(real), half, other)
    similar, alike = _similarities(generated[:N_SEEN], half, other[:N_SEEN], seed)
    pairwise = (similarity.mean_pairwise_distance(generated[:n]), *similarity.mean_pairwise_interval(generated[:n], seed),
                similarity.mean_pairwise_distance(half))
    rows = [_faces_found(generated, half), _row("pairwise_distance", pairwise, n, n, interval="bootstrap"),
            memorised, *similar]
    curves = {}
    for network in networks:
        sides = [network.extract(images) for images in (generated[:n], half, other)]
        scores, lines = judge_features(*sides, seed=seed)
        rows += [row | {"features": network.name, "weights": network.weights, "side": network.side} for row in scores]
        curves |= {network.name: lines} if lines else {}
    return SampleScores(_table(rows), curves, {"nearest": near, **alike}, below)


def _row(score: str, numbers: Any, n_generated: int, n_real: int, **facts) -> dict[str, Any]:
    """Return a row of the table; `numbers` are its value, low, high and floor."""
    named = zip(("value", "low", "high", "floor"), map(float, numbers), strict=True)
    return {"score": score, **dict(named), "n_generated": n_generated, "n_real": n_real, **facts}


def _share(score: str, hits: np.ndarray, floor: np.ndarray, n_real: int, **facts) -> dict[str, Any]:
    numbers = (hits.mean(), *distances.wilson(hits.sum(), len(hits)), floor.mean())
    return _row(score, numbers, len(hits), n_real, interval="Wilson", **facts)


def _faces_found(generated: np.ndarray, half: np.ndarray) -> dict[str, Any]:
    seen, usual = (face_rate(images[:N_SEEN], FACE_PROBABILITY) > 0 for images in (generated, half))
    networks = Path(find_spec("facenet_pytorch").origin).parent / "data"  # which come with the package
    weights = hash_parameters({name: hash_file(networks / f"{name}.pt") for name in ("pnet", "rnet", "onet")}, length=64)
    return _share("faces_found", seen, usual, len(usual), features="MTCNN", weights=weights)


def _memorised(
    generated: np.ndarray, real: np.ndarray, half: np.ndarray, other: np.ndarray
) -> tuple[dict[str, Any], dict[str, np.ndarray], float]:
    """Return the share of samples that all but repeat a real face, all distances to the nearest, and the limit."""
    generated, real, half, other = map(similarity.thumbnails, (generated, real, half, other))
    below = distances.memorised_below(real)
    near = {"samples": distances.nearest(generated, real)[1], "real faces": distances.nearest_other(real)}
    held_out = distances.nearest(other, half)[1] <= distances.memorised_below(half)
    return (_share("memorised", near["samples"] <= below, held_out, len(real), features="thumbnails",
                   side=similarity.THUMBNAIL), near, below)


def _similarities(
    generated: np.ndarray, half: np.ndarray, other: np.ndarray, seed: int
) -> tuple[list[dict[str, Any]], dict[str, dict[str, np.ndarray]]]:
    """Return structural similarities of each sample with its nearest real face, and among samples; two distributions."""
    sides = {"samples": generated, "real faces": other}
    nearest_ones = {side: (images, half[similarity.nearest_real(images, half)[0]]) for side, images in sides.items()}
    among = {side: tuple(images[rows] for rows in similarity.random_pairs(len(images), len(images), seed))
             for side, images in sides.items()}
    rows, values = [], {}
    for which, pairs, n_real in (("nearest", nearest_ones, len(half)), ("among", among, len(other))):
        for name, likeness in (("ssim", similarity.structural_similarity), ("ms_ssim", similarity.multiscale_similarity)):
            found = {side: likeness(*pair) for side, pair in pairs.items()}
            values[f"{name}_{which}"] = found
            numbers = (*jackknife(np.mean, found["samples"], seed=seed), found["real faces"].mean())
            rows.append(_row(f"{name}_{which}", numbers, len(generated), n_real))
    return rows, {name: values[name] for name in ("ssim_nearest", "ms_ssim_among")}


Side = tuple[np.ndarray, np.ndarray | None]  # features, and logits where the backbone has classes


def judge_features(
    generated: Side, real: Side, other: Side, seed: int = 0
) -> tuple[list[dict[str, Any]], dict[str, Extrapolation]]:
    """Return every score that one backbone's features allow, as rows of `QUALITY_COLUMNS`, and Frechet distances against n.

    The sides are n samples, the faces that they are compared with, and the faces compared with these for the floor.
    """
    n, n_features = generated[0].shape
    rank = n - 1 if n <= n_features else 0
    if n < 2 * distances.N_GROUPS:
        return [_row("frechet", [np.nan] * 4, n, n, rank=rank)], {}
    x, y, z = distances.compact(generated[0], real[0], other[0])

    def measured(names, function, sides=(x, y), others=(z, y), **facts) -> list[dict[str, Any]]:
        columns = map(np.atleast_1d, (*jackknife(function, *sides, seed=seed), function(*others)))
        return [_row(name, numbers, n, n, **facts) for name, *numbers in zip(names, *columns, strict=True)]

    def neighbourhood_scores(a: np.ndarray, b: np.ndarray) -> list[float]:
        found = distances.neighbourhoods(a, b)
        return [found.precision, found.recall, found.density, found.coverage]

    scores = []
    if generated[1] is not None:
        splits = min(_N_SPLITS, n // 20)
        scores += measured(["inception_score"], lambda logits: distances.inception_score(logits, splits, seed),
                           (generated[1],), (other[1],), splits=splits)
    scores += measured(["frechet"], distances.frechet_distance, rank=rank)
    line, floor = (distances.extrapolate_frechet(side, y, seed=seed) for side in (x, z))
    scores.append(_row("frechet_infinite", (line.infinite, line.low, line.high, floor.infinite), n, n, interval="line",
                       rank=rank))
    scores += measured(["kernel"], lambda a, b: distances.kernel_distance(a, b, seed, n_features=n_features),
                       splits=1 if n <= distances.LARGEST_SUBSET else distances.N_SUBSETS)
    for row in measured(("precision", "recall", "density", "coverage"), neighbourhood_scores):
        top = np.inf if row["score"] == "density" else 1
        scores.append(row | {"low": max(0.0, row["low"]), "high": min(top, row["high"])})
    return scores, {"samples": line, "real faces": floor}
