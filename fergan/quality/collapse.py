"""Mode collapse: how varied samples are beside real faces, how many people they show, and the monitor of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from fergan.data.faces import FaceSet
from fergan.features.baselines import HOGFeatures
from fergan.files import write_json
from fergan.quality import QualityConfig, distances
from fergan.quality.distances import NEIGHBOURS, Neighbourhoods, thumbnails

# Chosen: below these shares of what real faces reach ...
COLLAPSED, NARROW = 0.25, 0.5  # ... spread or recall say that variety is gone, or that some is gone
DIVERGED = 0.02  # ... precision, recall and coverage all say that no sample is a face of the set
REPEATING = 0.5  # above this share of samples that all but equal another one, the same faces are drawn again and again
TELLING = 0.1  # precision of other people's faces above which `DIVERGED` is telling: beside frames of one film none has more

_SAME = 0.01  # samples nearer to each other than all but this share of real faces are taken for the same face
_NO_CONTRAST = 1e-12  # mean square of the pixels (0..1) about each picture's own light, below which there is only rounding
_FACES_PER_PERSON = 2  # with fewer faces each, on average, people are hardly people that a generator could forget


def judge_collapse(folder: Path, config: QualityConfig, *, generated: np.ndarray, faces: FaceSet) -> None:
    """Judge how varied samples uint8 (n, 64, 64, 3) are, and how many people of the faces learnt; write ``variety.json``.

    It holds what `judge_variety` returns, ``found``, ``floor`` and, None where people cannot be divided, ``floor_people``
    (see `Variety` and `fergan.quality.distances.halves`), and ``people`` (`people_found`), None where nobody has two faces.
    """
    rows = distances.halves(faces.subjects(), len(generated), config.seed)
    sides = {name: [np.array(faces.images[np.sort(side)]) for side in pair] for name, pair in rows.items()}
    half = sides["floor"][1]
    found, floors = variety(generated[: len(half)], half), {name: variety(*pair) for name, pair in sides.items()}
    subjects, people = faces.subjects(), None
    if len(subjects) >= _FACES_PER_PERSON * len(set(subjects)):
        people = people_found(thumbnails(generated), thumbnails(np.array(faces.images)), subjects)
    write_json(folder / "variety.json", judge_variety(found, **floors) | {"floor_people": None} | {
        name: asdict(one) for name, one in {"found": found, **floors}.items()} | {"people": people})


def can_be_judged(faces: FaceSet) -> bool:
    """Say whether a set has faces enough for neighbourhoods on either side of a comparison."""
    return len(distances.halves(faces.subjects(), len(faces))["floor"][0]) > NEIGHBOURS + 1


@dataclass(frozen=True)
class Variety(Neighbourhoods):
    """How varied n samples are beside as many real faces, by their thumbnails; see also `spread`.

    Recall falls to 0 when the samples are few faces repeated. ``repeats`` is the share of samples that are all but equal to
    another one (after the birthday-paradox test of Arora and Zhang, 2018): nearer to it than all but 1 % of the real faces
    are to their nearest, in units of the mean distance on its own side, so that contrast does not count.
    """

    repeats: float
    spread: float
    n: int


def spread(pictures: np.ndarray) -> float:
    """Return the share of the variance of pixels, each picture's mean light taken off, between pictures (n, n_pixels)."""
    contrast = pictures - pictures.mean(axis=1, keepdims=True)
    total = (contrast**2).sum()
    if total <= _NO_CONTRAST * pictures.size:
        return float("nan")
    return float(((contrast - contrast.mean(axis=0)) ** 2).sum() / total)


def variety(generated: np.ndarray, real: np.ndarray) -> Variety:
    """Compare samples with as many real faces, both uint8 (n, height, width, 3): every one of these scores depends on n."""
    x, y = thumbnails(generated), thumbnails(real)
    repeats = float((_nearness(x) <= np.quantile(_nearness(y), _SAME)).mean())
    return Variety(**vars(distances.neighbourhoods(x, y)), repeats=repeats, spread=spread(x), n=len(real))


def _nearness(points: np.ndarray) -> np.ndarray:
    """Distance of each point to its nearest other one, over the mean distance of all; 0 where all points are one."""
    apart = cdist(points, points)  # not by their products: of equal points it is exactly 0
    mean = apart.sum() / (len(points) * (len(points) - 1))
    return np.sort(apart)[:, 1] / mean if mean > 0 else np.zeros(len(points))


def variety_floor(real: np.ndarray, n: int, seed: int = 0) -> Variety:
    """Compare real faces with as many other real faces, n on either side: what a perfect generator would reach."""
    order = np.random.default_rng(seed).permutation(len(real))
    return variety(*(np.array(real[np.sort(rows)]) for rows in (order[:n], order[n : 2 * n])))


def judge_variety(found: Variety, floor: Variety, floor_people: Variety | None = None) -> dict[str, Any]:
    """Say whether samples have collapsed, by the variety found and that of real faces beside others (see `halves`).

    Returns: ``share``: precision, recall, coverage and spread as shares of their floors: precision of the floor by people
        (at least `TELLING`), as faces of new people are not unlike; the others of that by faces, as these people's variety
        was learnt. ``verdict``: *collapsed* where half of the samples repeat another one. *Diverged* where precision, recall
        and coverage are all but 0 and the precision of other people is not: the samples are no faces of the set, few or
        many. *Collapsed* where the spread is below a quarter, *narrow* below a half. *Unlike* where the precision is below a
        quarter: then recall says nothing, as samples far from all faces have large neighbourhoods. Else by recall:
        *collapsed* below a quarter, *narrow* below a half, and *varied*. ``because``: the score that decided. A number that
        is not finite, or a floor by faces that is 0, is a ValueError.
    """
    scores = ("precision", "recall", "coverage", "spread")
    for score in scores:
        for side, number in (("samples", getattr(found, score)), ("real faces", getattr(floor, score))):
            if not np.isfinite(number) or (number == 0 and side == "real faces"):
                raise ValueError(f"variety cannot be judged: the {score} of {side} is 0 or undefined")
    share = {score: getattr(found, score) / getattr(floor, score) for score in scores}
    away = max(share[score] for score in ("precision", "recall", "coverage"))
    bar = (floor_people or floor).precision
    share["precision"] = found.precision / max(bar, TELLING)
    if found.repeats > max(REPEATING, 2 * floor.repeats):
        verdict, because = "collapsed", "repeats"
    elif away < DIVERGED and bar > TELLING:
        verdict, because = "diverged", "precision"
    elif share["spread"] < NARROW:
        verdict, because = "collapsed" if share["spread"] < COLLAPSED else "narrow", "spread"
    elif share["precision"] < COLLAPSED:
        verdict, because = "unlike", "precision"
    elif share["recall"] < NARROW:
        verdict, because = "collapsed" if share["recall"] < COLLAPSED else "narrow", "recall"
    else:
        verdict, because = "varied", min(("spread", "recall"), key=share.get)
    return {"verdict": verdict, "because": because, "share": share}


def people_found(generated: np.ndarray, real: np.ndarray, subjects: Sequence[str]) -> dict[str, Any]:
    """Count the people among the nearest real faces (n, n_features) of the samples.

    Returns: ``n_found``: people who are the nearest one to a sample, of ``n_people``. ``expected``: how many would be if
        samples fell to people as their numbers of faces do.
    """
    names, person = np.unique(np.asarray(subjects, str), return_inverse=True)
    found = np.unique(person[distances.nearest(generated, real)[0]])
    share = np.bincount(person) / len(person)
    return {"n_found": len(found), "n_people": len(names), "expected": float((1 - (1 - share) ** len(generated)).sum())}


#: Samples less varied than this share of as many real faces are taken for a collapse. Chosen: a generator that has learnt
#: its set comes near 1, one that ignores its noise is at 0; each generator's page shows its own.
COLLAPSE_RATIO = 0.5
CERTAINTY = 0.99  # a discriminator that gives real faces more, and generated ones less than the rest, has nothing to teach
N_MONITORED = 192  # samples and real faces that are compared at each snapshot, fewer where there are fewer faces
WARM_UP = 0.2  # the first part of training, in which samples are all alike because nothing is learnt yet


class Monitor:
    """Measure the samples of a training against faces it learns from, uint8 (n_faces, 64, 64, 3), chosen by `seed`."""

    def __init__(self, images: np.ndarray, seed: int = 0):
        self.n_samples = min(N_MONITORED, len(images))
        rows = np.random.default_rng(seed).choice(len(images), self.n_samples, replace=False)
        real = np.array(images[np.sort(rows)])
        self._hog = HOGFeatures().transform(real)
        self._diversity = distances.mean_pairwise_distance(real)
        half = rows[: len(images) // 2]  # so that real faces can be compared with as many others
        self._half = np.array(images[np.sort(half)])
        self._floor = variety_floor(images, len(half), seed) if len(half) > NEIGHBOURS + 1 else None

    def measure(self, step: int, n_steps: int, samples: np.ndarray, scores: np.ndarray) -> dict[str, float | str]:
        """Measure one snapshot after `step` of `n_steps`: samples uint8 (n_samples, 64, 64, 3), of the same noise each time.

        The scores (n, 2) are the discriminator's means of real and generated faces in the steps since the last snapshot.

        Returns: ``frechet`` (distance of HOG features to as many real faces; not comparable with published FID),
            ``diversity_ratio`` (mean pairwise distance of the samples' pixels over that of as many real faces),
            ``score_real, score_generated`` (means of the scores; NaN before the first step), ``spread, recall, coverage``
            (see `fergan.quality.collapse.Variety`; NaN where there are too few faces), each also with ``_floor`` (what real
            faces reach beside as many others), and ``alarm`` (why the run needs attention; empty where it does not).
        """
        samples = samples[: self.n_samples]
        certainty = scores.mean(0) if len(scores) else np.full(2, np.nan)
        ratio = distances.mean_pairwise_distance(samples) / self._diversity if self._diversity else float("nan")
        found = {"frechet": distances.frechet_distance(HOGFeatures().transform(samples), self._hog),
                 "diversity_ratio": ratio, "score_real": float(certainty[0]), "score_generated": float(certainty[1])}
        here = variety(samples[: len(self._half)], self._half) if self._floor else None
        for end, side in (("", here), ("_floor", self._floor)):
            found |= {f"{name}{end}": getattr(side, name, float("nan")) for name in ("spread", "recall", "coverage")}
        alarms, learning = [], step >= WARM_UP * n_steps
        if learning and ratio < COLLAPSE_RATIO:
            alarms.append(f"the samples are {ratio:.2f} times as varied as real faces (collapse: below {COLLAPSE_RATIO:g})")
        if learning and certainty[0] > CERTAINTY and certainty[1] < 1 - CERTAINTY:
            alarms.append(f"the discriminator is certain ({certainty[0]:.3f} for real, {certainty[1]:.3f} for generated "
                          "faces), so the generator learns little")
        return found | {"alarm": "; ".join(alarms)}
