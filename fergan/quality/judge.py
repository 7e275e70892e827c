"""The scores of one generator: how recognisable, how near to real faces, how varied and how new its samples are."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest, t

from fergan.data.detection import face_rate
from fergan.files import hash_file, hash_parameters
from fergan.quality.backbones import Backbone, Features, Missing, compact, kept_features
from fergan.quality.collapse import thumbnails
from fergan.quality.distances import (
    LARGEST_SUBSET,
    Extrapolation,
    extrapolate_frechet,
    frechet_distance,
    inception_score,
    kernel_distance,
    rank_note,
)
from fergan.quality.neighbours import memorised_below, nearest_distances, neighbourhoods
from fergan.quality.similarity import (
    mean_pairwise_distance,
    mean_pairwise_interval,
    multiscale_similarity,
    nearest_real,
    random_pairs,
    structural_similarity,
)

#: Groups of which each is left out once.
N_GROUPS = 10


@dataclass(frozen=True)
class Score:
    """One score of a generator's samples.

    Attributes
    ----------
    name : str
        For example ``"frechet"``.
    value, low, high : float
        With a 95 % interval over resampled samples and faces; NaN where it could not be computed.
    floor : float
        The same score of real faces against as many other real faces: what a perfect generator would reach.
    n_generated, n_real : int
        How many of each; the floor has `n_real` on both sides.
    backbone : str
        Whose features, or ``"pixels"``.
    weights : str
        Hash of the backbone's weights; empty where it has none.
    resize : str
        What was done to the pictures before.
    splits : int
        Parts that the score is the mean of.
    seed : int
        Of draws, order and halves.
    interval : str
        How the interval was found; empty where there is none.
    note : str
        What a reader must know to compare it.
    """

    name: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    floor: float = float("nan")
    n_generated: int = 0
    n_real: int = 0
    backbone: str = "pixels"
    weights: str = ""
    resize: str = "none (64 pixels)"
    splits: int = 1
    seed: int = 0
    interval: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON can hold it; `fergan.files.write_json` writes NaN as null."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Score":
        """Return the score of a record that was read from JSON: null is NaN."""
        return cls(**{key: float("nan") if value is None else value for key, value in record.items()})


def jackknife(
    score: Callable[..., float | Sequence[float]], *sides: np.ndarray, n_groups: int = N_GROUPS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a score with its 95 % interval, from leaving out one group of the rows of each side at a time.

    A bootstrap draws rows twice, which makes samples look less varied and raises every distance; leaving rows out
    does not. The interval is symmetric about the score of all rows.

    Parameters
    ----------
    score : callable
        Takes the sides, returns a number or several.
    sides : ndarray of shape (n_samples, ...)
        Each is divided into groups at random.
    n_groups : int
    seed : int
        Of the division.

    Returns
    -------
    value, low, high : ndarray of shape () or (n_scores,)

    References
    ----------
    Shao and Tu (1995), section 2.3: groups of equal size, Student's t of ``n_groups - 1`` degrees of freedom.
    """
    if min(map(len, sides)) < 2 * n_groups:
        raise ValueError(f"{min(map(len, sides))} rows are too few for {n_groups} groups; expected at least {2 * n_groups}")
    rng = np.random.default_rng(seed)
    parts = [np.array_split(rng.permutation(len(side)), n_groups) for side in sides]
    left = np.array([
        score(*(np.delete(side, part[group], axis=0) for side, part in zip(sides, parts, strict=True)))
        for group in range(n_groups)
    ])
    deviation = np.sqrt((n_groups - 1) / n_groups * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    half, value = t.ppf(0.975, n_groups - 1) * deviation, np.asarray(score(*sides))
    return value, value - half, value + half


def share_score(name: str, hits: np.ndarray, **facts: Any) -> Score:
    """Return the score of a share of samples, with its Wilson interval.

    Parameters
    ----------
    name : str
    hits : ndarray of bool
        One for each sample.
    facts : keyword arguments
        The other fields of `Score`.
    """
    count, n = int(np.sum(hits)), len(hits)
    interval = binomtest(count, n).proportion_ci(method="wilson")
    return Score(name, count / n, interval.low, interval.high, interval="Wilson", **facts)


FACE_PROBABILITY = 0.9  # how sure MTCNN must be that a sample shows a face

_LEFT_OUT = "a tenth left out at a time"
_N_SPLITS = 10  # of the inception score, as in the work that defines it


@dataclass
class Judgement:
    """What was found out about a generator's samples.

    Attributes
    ----------
    scores : list of Score
    curves : dict
        Backbone -> {``"samples"`` or ``"real faces"``: Frechet distances against the number of faces}.
    distributions : dict
        What was measured -> {``"samples"`` or ``"real faces"``: one number for each}.
    memorised_below : float
        Distance of thumbnails below which a sample counts as memorised.
    missing : list of Missing
        Backbones that could not be had.
    """

    scores: list[Score] = field(default_factory=list)
    curves: dict[str, dict[str, Extrapolation]] = field(default_factory=dict)
    distributions: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    memorised_below: float = float("nan")
    missing: list[Missing] = field(default_factory=list)


def judge_samples(
    generated: np.ndarray, real: np.ndarray, networks: Sequence[Backbone | Missing], *, seed: int = 0, n_faces: int = 200,
    keep: Path | str | None = None,
) -> Judgement:
    """Judge the samples of one generator, each score beside its floor: real faces against other real faces.

    The real faces are divided into halves at random. Samples are compared with one half, and so is the other half, with
    the same number on all sides, since nearly every score depends on it.

    Parameters
    ----------
    generated, real : ndarray of shape (n, 64, 64, 3), dtype uint8
    networks : sequence of Backbone or Missing
        Each sees every picture once.
    seed : int
        Of halves, draws and resamples.
    n_faces : int
        How many samples the face detector and the similarities look at.
    keep : path, optional
        Folder beside the face set where features of real faces are kept.

    Returns
    -------
    Judgement
    """
    if len(generated) < n_faces:
        raise ValueError(f"generated has {len(generated)} images; expected at least {n_faces}")
    order = np.random.default_rng(seed).permutation(len(real))
    n = min(len(generated), len(real) // 2)
    halves = [np.array(real[np.sort(rows)]) for rows in (order[:n], order[n : 2 * n])]
    found = Judgement()
    _judge_pixels(found, generated, real, halves, n_faces, seed)
    for network in networks:
        if isinstance(network, Missing):
            found.missing.append(network)
            found.scores += [Score(name, np.nan, backbone=network.name, seed=seed, note=network.reason)
                             for name in ("inception_score", "frechet")]
            continue
        sides = [network.extract(generated[:n]), *(kept_features(network, half, keep) for half in halves)]
        scores, curves = judge_features(*sides, seed=seed)
        facts = dict(backbone=network.name, weights=network.weights, resize=network.resize)
        notes = ["; ".join(filter(None, (score.note, network.note))) for score in scores]
        found.scores += [replace(score, **facts, note=note) for score, note in zip(scores, notes, strict=True)]
        if curves:
            found.curves[network.name] = curves
    return found


def judge_features(
    generated: Features, real: Features, other_real: Features, seed: int = 0
) -> tuple[list[Score], dict[str, Extrapolation]]:
    """Compute every score that one backbone's features allow.

    Parameters
    ----------
    generated, real, other_real : Features of n samples each
        Samples, the faces that they are compared with, and the faces that are compared with these for the floor.
    seed : int

    Returns
    -------
    scores : list of Score
    curves : dict
        ``"samples"`` and ``"real faces"``: Frechet distances against the number of faces.
    """
    n, n_features = generated.features.shape
    if n < 2 * N_GROUPS:
        note = f"{n} faces on either side are too few; at least {2 * N_GROUPS}"
        return [Score("frechet", np.nan, n_generated=n, n_real=n, seed=seed, note=note)], {}
    x, y, z = compact(generated.features, real.features, other_real.features)
    facts = dict(n_generated=n, n_real=n, seed=seed)
    measured = dict(facts, interval=_LEFT_OUT)
    scores = []
    if generated.logits is not None:
        scores.append(_inception_score(generated.logits, other_real.logits, measured))
    rank = rank_note(n, n_features)
    value, low, high = jackknife(frechet_distance, x, y, seed=seed)
    scores.append(Score("frechet", float(value), float(low), float(high), frechet_distance(z, y), note=rank, **measured))
    curves = {"samples": extrapolate_frechet(x, y, seed=seed), "real faces": extrapolate_frechet(z, y, seed=seed)}
    line = curves["samples"]
    scores.append(Score("frechet_infinite", line.infinite, line.low, line.high, curves["real faces"].infinite,
                        interval="of the fitted line", note=rank, **facts))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return kernel_distance(a, b, seed, n_features=n_features)

    value, low, high = jackknife(kernel, x, y, seed=seed)
    splits = 1 if n <= LARGEST_SUBSET else 100
    scores.append(Score("kernel", float(value), float(low), float(high), kernel(z, y), splits=splits, **measured))
    return scores + _neighbourhood_scores(x, y, z, measured), curves


def _inception_score(logits: np.ndarray, of_real: np.ndarray, facts: dict) -> Score:
    n_splits = min(_N_SPLITS, len(logits) // 20)

    def score(rows: np.ndarray) -> float:
        return inception_score(rows, n_splits, facts["seed"])

    value, low, high = jackknife(score, logits, seed=facts["seed"])
    return Score("inception_score", float(value), float(low), float(high), score(of_real), splits=n_splits, **facts)


def _neighbourhood_scores(x: np.ndarray, y: np.ndarray, z: np.ndarray, facts: dict) -> list[Score]:
    names = ("precision", "recall", "density", "coverage")
    values = jackknife(lambda a, b: list(vars(neighbourhoods(a, b)).values()), x, y, seed=facts["seed"])
    floor = neighbourhoods(z, y)
    scores = []
    for name, value, low, high in zip(names, *values, strict=True):
        top = np.inf if name == "density" else 1
        scores.append(Score(name, float(value), max(0.0, float(low)), min(top, float(high)), getattr(floor, name), **facts))
    return scores


def _judge_pixels(
    found: Judgement, generated: np.ndarray, real: np.ndarray, halves: list[np.ndarray], n_faces: int, seed: int
) -> None:
    """Add what needs no network of one's own: detected faces, variety and likeness in pixels, memorised faces."""
    half, other = halves
    facts = dict(n_generated=n_faces, n_real=min(n_faces, len(half)), seed=seed)
    seen, usual = (face_rate(images[:n_faces], FACE_PROBABILITY) > 0 for images in (generated, half))
    detector = dict(backbone="MTCNN", weights=_detector_weights(), resize="as the detector does",
                    note="the floor is the share in real crops")
    found.scores.append(share_score("faces_found", seen, floor=float(usual.mean()), **facts | detector))
    n = len(half)
    distance, interval = mean_pairwise_distance(generated[:n]), mean_pairwise_interval(generated[:n], seed=seed)
    found.scores.append(Score("pairwise_distance", distance, *interval, mean_pairwise_distance(half), n_generated=n,
                              n_real=n, seed=seed, interval="bootstrap", note="pixels in 0..1"))
    small, small_real = thumbnails(generated), thumbnails(np.array(real))
    found.memorised_below = memorised_below(small_real)
    near = {"samples": nearest_distances(small, small_real), "real faces": nearest_distances(small_real)}
    found.distributions["distance to the nearest real face"] = near
    held_out = nearest_distances(thumbnails(other), thumbnails(half)) <= memorised_below(thumbnails(half))
    found.scores.append(share_score(
        "memorised", near["samples"] <= found.memorised_below, floor=float(held_out.mean()), n_generated=len(small),
        n_real=len(real), resize="grey, 16 pixels", seed=seed, note=f"nearer than {found.memorised_below:.3f}",
    ))
    _judge_similarity(found, generated[:n_faces], half, other[:n_faces], facts)


def _judge_similarity(
    found: Judgement, generated: np.ndarray, half: np.ndarray, other: np.ndarray, facts: dict
) -> None:
    """Add structural similarities: of each sample with its nearest real face, and among samples."""
    pairs = {"samples": (generated, half[nearest_real(generated, half)[0]]),
             "real faces": (other, half[nearest_real(other, half)[0]])}
    facts = facts | dict(n_real=len(half), interval=_LEFT_OUT)
    for name, similarity in (("ssim_nearest", structural_similarity), ("ms_ssim_nearest", multiscale_similarity)):
        values = {side: similarity(*pair) for side, pair in pairs.items()}
        found.scores.append(_mean_score(name, values, facts | dict(note="each sample with its nearest real face")))
        if name == "ssim_nearest":
            found.distributions["SSIM with the nearest real face"] = values
    for name, similarity in (("ssim_among", structural_similarity), ("ms_ssim_among", multiscale_similarity)):
        values = {}
        for side, images in (("samples", generated), ("real faces", other)):
            first, second = random_pairs(len(images), len(images), facts["seed"])
            values[side] = similarity(images[first], images[second])
        note = "pairs of samples; large: alike"
        found.scores.append(_mean_score(name, values, facts | dict(n_real=len(other), note=note)))
        if name == "ms_ssim_among":
            found.distributions["MS-SSIM of two of them"] = values


def _detector_weights() -> str:
    """Return the hash of the detector's three networks, which come with its package."""
    folder = Path(find_spec("facenet_pytorch").origin).parent / "data"
    return hash_parameters({name: hash_file(folder / f"{name}.pt") for name in ("pnet", "rnet", "onet")}, length=64)


def _mean_score(name: str, values: dict[str, np.ndarray], facts: dict) -> Score:
    value, low, high = jackknife(np.mean, values["samples"], seed=facts["seed"])
    return Score(name, float(value), float(low), float(high), float(values["real faces"].mean()), **facts)
