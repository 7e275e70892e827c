"""The scores of one generator: how recognisable, how near to real faces, how varied and how new its samples are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from fergan.data.detection import face_rate
from fergan.data.faces import FaceSet
from fergan.files import read_json, write_json
from fergan.quality import QualityConfig, distances, similarity
from fergan.quality.backbones import Extract, backbones
from fergan.quality.distances import Floors, jackknife

FACE_PROBABILITY = 0.9  # how sure MTCNN must be that a sample shows a face
N_SEEN = 200  # samples that the face detector and all scores of pictures look at
_N_SPLITS = 10  # of the inception score, as in the work that defines it

#: A score of n samples with its 95 % interval, and its floors: the same score of as many real faces beside others, of the
#: same people and of other people; NaN where people make no difference to it, or nobody is named. ``features``: a backbone,
#: MTCNN, pixels or thumbnails.
QUALITY_COLUMNS = {"features": str, "score": str, "value": float, "low": float, "high": float, "floor": float,
                   "floor_people": float, "n": int}


@dataclass(frozen=True)
class SampleScores:
    """What was found out about a generator's samples.

    ``scores`` has the columns `QUALITY_COLUMNS`, NaN where a score could not be computed; ``distributions`` one number for
    each of ``"samples"`` and ``"real faces"``. Samples whose thumbnails lie nearer than ``memorised_below`` count as
    memorised.
    """

    scores: pd.DataFrame
    distributions: dict[str, dict[str, np.ndarray]]
    memorised_below: float

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `judge_samples` wrote."""
        content = read_json(Path(folder) / "scores.json")
        distributions = {what: {side: np.array(values) for side, values in sides.items()}
                         for what, sides in content["distributions"].items()}
        return cls(quality_rows(content["scores"]), distributions, content["memorised_below"])


def quality_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of `QUALITY_COLUMNS`; what a row does not say is NaN."""
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS)).astype(QUALITY_COLUMNS)


def judge_samples(
    folder: Path, config: QualityConfig, *, generated: np.ndarray, faces: FaceSet, discriminator: Path,
    inception: Path | None = None,
) -> None:
    """Judge the samples of one generator, each score beside its floors, see `fergan.quality.distances.halves`.

    Writes ``scores.json``, see `SampleScores`.

    Args:
        generated: (n, 64, 64, 3), uint8; as many as `config` says.
        faces: What the generator learnt from.
        discriminator, inception: See `fergan.quality.backbones.backbones`.
    """
    if len(generated) != config.n_samples:
        raise ValueError(f"generated has {len(generated)} images; expected n_samples, {config.n_samples}")
    found = judge_images(generated, faces.images, faces.subjects(), backbones(discriminator, inception), config.seed)
    write_json(folder / "scores.json", asdict(found) | {"scores": found.scores.to_dict("records")})


def judge_images(generated: np.ndarray, real: np.ndarray, subjects: np.ndarray, networks: Mapping[str, Extract],
                 seed: int) -> SampleScores:
    """Compute every score of samples; see `judge_samples`."""
    rows = distances.halves(subjects, len(generated), seed)
    floors = {name: tuple(np.array(real[np.sort(side)]) for side in sides) for name, sides in rows.items()}
    half = floors["floor"][1]
    memorised, near, below = _memorised(generated, np.array(real), floors)
    similar, alike = _similarity(generated[:N_SEEN], floors, seed)
    seen, usual = (face_rate(images[:N_SEEN], FACE_PROBABILITY) > 0 for images in (generated, half))
    table = [_row("MTCNN", "faces_found", _share(seen), {"floor": usual.mean()}, len(seen)), memorised, similar]
    for name, extract in networks.items():
        sides = {floor: tuple(map(extract, images)) for floor, images in floors.items()}
        table += [row | {"features": name} for row in judge_features(extract(generated[: len(half)]), sides, seed=seed)]
    return SampleScores(quality_rows(table), {"nearest": near, "ssim_nearest": alike}, below)


def _row(features: str, score: str, ends: Sequence[float], floors: Mapping[str, float], n: int) -> dict[str, Any]:
    """Return a row of the table; `ends` are value, low and high."""
    numbers = dict(zip(("value", "low", "high"), ends, strict=True)) | dict(floors)
    return {"features": features, "score": score, "n": n} | {name: float(number) for name, number in numbers.items()}


def _share(hits: np.ndarray) -> tuple[float, float, float]:
    return hits.mean(), *distances.wilson(hits.sum(), len(hits))


def _memorised(generated: np.ndarray, real: np.ndarray,
               floors: Floors) -> tuple[dict[str, Any], dict[str, np.ndarray], float]:
    """Return the share of samples that all but repeat a real face, all distances to the nearest, and the limit."""
    samples, faces = map(similarity.thumbnails, (generated, real))
    below = distances.memorised_below(faces)
    near = {"samples": distances.nearest(samples, faces)[1], "real faces": distances.nearest_other(faces)}
    shares = {}
    for name, sides in floors.items():
        other, half = map(similarity.thumbnails, sides)
        shares[name] = (distances.nearest(other, half)[1] <= distances.memorised_below(half)).mean()
    return _row("thumbnails", "memorised", _share(near["samples"] <= below), shares, len(samples)), near, below


def _similarity(generated: np.ndarray, floors: Floors, seed: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the structural similarity of samples with their nearest real faces, as a row and one by one."""
    def with_nearest(images: np.ndarray, faces: np.ndarray) -> np.ndarray:
        return similarity.structural_similarity(images, faces[similarity.nearest_real(images, faces)[0]])

    found = with_nearest(generated, floors["floor"][1])
    usual = {name: with_nearest(other[:N_SEEN], half) for name, (other, half) in floors.items()}
    means = {name: of_floor.mean() for name, of_floor in usual.items()}
    row = _row("pixels", "ssim_nearest", jackknife(np.mean, found, seed=seed), means, len(generated))
    return row, {"samples": found, "real faces": usual["floor"]}


Side = tuple[np.ndarray, np.ndarray | None]  # features, and logits where the backbone has classes


def judge_features(
    generated: Side, floors: Mapping[str, tuple[Side, Side]], seed: int = 0
) -> list[dict[str, Any]]:
    """Return every score that one backbone's features allow, as rows of `QUALITY_COLUMNS`.

    `floors` are pairs of as many real faces as there are samples, see `fergan.quality.distances.halves`; samples are
    compared with the second side of ``"floor"``.
    """
    n = len(generated[0])
    if n < 2 * distances.N_GROUPS:
        return [_row("", "frechet", [np.nan] * 3, {}, n)]
    x, *real = distances.compact(generated[0], *(side[0] for sides in floors.values() for side in sides))
    beside = dict(zip(floors, zip(real[::2], real[1::2], strict=True), strict=True))
    y = beside["floor"][1]

    def measured(names: Sequence[str], function: Callable, sides=(x, y), beside=beside) -> list[dict[str, Any]]:
        ends = np.transpose(np.reshape(jackknife(function, *sides, seed=seed), (3, -1)))
        usual = {floor: np.ravel(function(*pair)) for floor, pair in beside.items()}
        return [_row("", name, ends[i], {floor: of_floor[i] for floor, of_floor in usual.items()}, n)
                for i, name in enumerate(names)]

    scores = []
    if generated[1] is not None:
        splits = min(_N_SPLITS, n // 20)
        scores += measured(["inception_score"], lambda logits: distances.inception_score(logits, splits, seed),
                           (generated[1],), {"floor": (floors["floor"][0][1],)})
    scores += measured(["frechet"], distances.frechet_distance)
    for row in measured(("precision", "recall", "coverage"), lambda a, b: astuple(distances.neighbourhoods(a, b))):
        scores.append(row | {"low": max(0.0, row["low"]), "high": min(1.0, row["high"])})
    return scores
