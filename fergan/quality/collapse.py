"""Mode collapse: how varied samples are beside real faces, and which emotions and people they leave out.

Faces are compared as thumbnails: coarse enough that blurred outlines do not count, and seen by no network.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from scipy.stats import chi2_contingency
from sklearn.model_selection import StratifiedGroupKFold

from fergan.data.faces import FaceSet
from fergan.features.baselines import HOGFeatures
from fergan.files import write_json
from fergan.quality.config import QualityConfig
from fergan.quality.distances import nearest, neighbourhoods, wilson
from fergan.quality.similarity import thumbnails
from fergan.svm.kernels import SharedKernel, predicted_classes, squared_distances, typical_distance

#: A point's neighbourhood reaches to its fifth neighbour, as in Naeem et al. (2020), for precision and recall too.
NEIGHBOURS = 5

#: Chosen: below these shares of what real faces reach, spread or recall say that variety is gone, or that some is gone ...
COLLAPSED, NARROW = 0.25, 0.5
#: ... and above this share of samples that are all but equal to another one, that the same faces are drawn again and again.
REPEATING = 0.5

_SAME = 0.01  # samples nearer to each other than all but this share of real faces are taken for the same face
_NO_CONTRAST = 1e-12  # mean square of the pixels (0..1) about each picture's own light, below which there is only rounding
_FACES_PER_PERSON = 2  # with fewer faces each, on average, people are hardly people that a generator could forget

#: The parameters of the classifier that names emotions are not searched: it only has to name samples and real faces alike.
_COST, _N_FOLDS = 10.0, 5


def judge_collapse(folder: Path, config: QualityConfig, *, generated: np.ndarray, faces: FaceSet) -> None:
    """Judge how varied samples are, and what of their set they leave out; write ``variety.json``.

    It holds what `judge_variety` returns, ``found`` and ``floor`` (see `Variety`), and, each None where the set's labels do
    not allow it, ``classes`` (`class_shares`), ``people`` (`people_found`), ``coverage_by_emotion`` and
    ``coverage_by_person`` (`coverage_by`).

    Args:
        generated: (n_generated, 64, 64, 3), uint8
        faces: What the generator learnt from.
    """
    seed = config.seed
    n = min(len(generated), len(faces) // 2)
    order = np.random.default_rng(seed).permutation(len(faces))
    rows = np.sort(order[:n])
    real, others = np.array(faces.images[rows]), np.array(faces.images[np.sort(order[n : 2 * n])])
    found, floor = variety(generated[:n], real), variety(real, others)
    small = thumbnails(real)
    covered = [neighbourhoods(thumbnails(images), small, NEIGHBOURS).covered for images in (generated[:n], others)]
    by = {f"coverage_by_{name}": coverage_by(faces.labels[column].iloc[rows].to_numpy(), *covered)
          for name, column in (("emotion", "emotion"), ("person", "subject"))}
    subjects, people = faces.subjects(), None
    if len(subjects) >= _FACES_PER_PERSON * len(set(subjects)):
        people = people_found(thumbnails(generated), thumbnails(np.array(faces.images)), subjects, seed)
    write_json(folder / "variety.json", judge_variety(found, floor) | by | {
        "found": asdict(found), "floor": asdict(floor), "classes": _classes(generated, faces, seed), "people": people})


def can_be_judged(faces: FaceSet) -> bool:
    """Say whether a set has faces enough for neighbourhoods on either side of a comparison."""
    return len(faces) // 2 > NEIGHBOURS + 1


@dataclass(frozen=True)
class Variety:
    """How varied n samples are beside as many real faces, by their thumbnails.

    ``precision, recall, coverage`` are those of `fergan.quality.distances`, to the fifth neighbour: recall falls to 0 when
    the samples are few faces repeated. ``repeats`` is the share of samples that are all but equal to another sample (after
    the birthday-paradox test of Arora and Zhang, 2018): nearer to it than all but 1 % of the real faces are to their
    nearest, in units of the mean distance on its own side, so that contrast does not count. See also `spread`.
    """

    precision: float
    recall: float
    coverage: float
    repeats: float
    spread: float
    n: int


def spread(pictures: np.ndarray) -> float:
    """Return the share of the variance of pixels, each picture's mean light taken off, that lies between pictures.

    0 where all pictures (n, n_pixels) are the same, 1 where they have nothing in common; NaN where none has any contrast.
    """
    contrast = pictures - pictures.mean(axis=1, keepdims=True)
    total = (contrast**2).sum()
    if total <= _NO_CONTRAST * pictures.size:
        return float("nan")
    return float(((contrast - contrast.mean(axis=0)) ** 2).sum() / total)


def variety(generated: np.ndarray, real: np.ndarray) -> Variety:
    """Compare samples with as many real faces, both uint8 (n, height, width, 3): every one of these scores depends on n."""
    if len(generated) != len(real):
        raise ValueError(f"{len(generated)} samples but {len(real)} real faces; expected as many of each")
    if len(real) <= NEIGHBOURS + 1:
        raise ValueError(f"{len(real)} faces are too few; neighbourhoods of {NEIGHBOURS} need at least {NEIGHBOURS + 2}")
    x, y = thumbnails(generated), thumbnails(real)
    near = neighbourhoods(x, y, NEIGHBOURS)
    repeats = float((_nearness(x) <= np.quantile(_nearness(y), _SAME)).mean())
    return Variety(near.precision, near.recall, near.coverage, repeats, spread(x), len(real))


def _nearness(points: np.ndarray) -> np.ndarray:
    """Distance of each point to its nearest other one, over the mean distance of all; 0 where all points are one."""
    distances = cdist(points, points)  # not by their products: of equal points it is exactly 0
    mean = distances.sum() / (len(points) * (len(points) - 1))
    return np.sort(distances)[:, 1] / mean if mean > 0 else np.zeros(len(points))


def variety_floor(real: np.ndarray, n: int, seed: int = 0) -> Variety:
    """Compare real faces with as many other real faces, n on either side: what a perfect generator would reach."""
    order = np.random.default_rng(seed).permutation(len(real))
    return variety(*(np.array(real[np.sort(rows)]) for rows in (order[:n], order[n : 2 * n])))


def judge_variety(found: Variety, floor: Variety) -> dict[str, Any]:
    """Say whether samples have collapsed, by the variety found and that of real faces beside other real faces.

    Returns: ``share``: precision, recall, coverage and spread as shares of their floors. ``verdict``: *collapsed* where half
        of the samples repeat another one, or the spread is below a quarter; *narrow* where the spread is below a half.
        *Unlike* where the precision is below a quarter, so that samples do not lie among the real faces: then recall says
        nothing, as samples far from all faces have large neighbourhoods. Else by recall: *collapsed* below a quarter,
        *narrow* below a half, and *varied*. ``because``: the score that decided.

    Raises:
        ValueError: A number is not finite, or a floor is 0: nothing can be compared.
    """
    scores = ("precision", "recall", "coverage", "spread")
    for score in scores:
        for side, number in (("samples", getattr(found, score)), ("real faces", getattr(floor, score))):
            if not np.isfinite(number) or (number == 0 and side == "real faces"):
                raise ValueError(f"variety cannot be judged: the {score} of {side} is 0 or undefined; "
                                 "there are too few faces, or they have no contrast")
    share = {score: getattr(found, score) / getattr(floor, score) for score in scores}
    if found.repeats > max(REPEATING, 2 * floor.repeats):
        verdict, because = "collapsed", "repeats"
    elif share["spread"] < NARROW:
        verdict, because = "collapsed" if share["spread"] < COLLAPSED else "narrow", "spread"
    elif share["precision"] < COLLAPSED:
        verdict, because = "unlike", "precision"
    elif share["recall"] < NARROW:
        verdict, because = "collapsed" if share["recall"] < COLLAPSED else "narrow", "recall"
    else:
        verdict, because = "varied", min(("spread", "recall"), key=share.get)
    return {"verdict": verdict, "because": because, "share": share}


def coverage_by(labels: np.ndarray, by_samples: np.ndarray, by_real: np.ndarray) -> list[dict[str, Any]] | None:
    """Return the coverage of the real faces of each label, by samples and by as many other real faces (the floor).

    `labels` are missing where a face has none; the others say whether a sample, or another real face, lies in a face's
    neighbourhood. Returns rows ``label, coverage, low, high, floor, n`` with the Wilson interval; None without any label.
    """
    table = pd.DataFrame({"label": labels, "samples": by_samples, "real": by_real}).dropna()
    rows = []
    for label, part in table.groupby("label", sort=True):
        low, high = wilson(part["samples"].sum(), len(part))
        rows.append({"label": str(label), "coverage": float(part["samples"].mean()), "low": low, "high": high,
                     "floor": float(part["real"].mean()), "n": len(part)})
    return rows or None


def _classes(generated: np.ndarray, faces: FaceSet, seed: int) -> dict[str, Any] | None:
    """Return `class_shares`, without emotions that have too few faces or one person; None where fewer than two are left."""
    labels, subjects = faces.labels["emotion"], faces.subjects()
    people = {emotion: set(subjects[(labels == emotion).fillna(False)]) for emotion in faces.emotions}
    usable = [emotion for emotion, shown_by in people.items() if (labels == emotion).sum() >= _N_FOLDS and len(shown_by) > 1]
    if len(usable) < 2 or len(set().union(*(people[emotion] for emotion in usable))) < _N_FOLDS:
        return None
    rows = np.flatnonzero(labels.isin(usable))
    sides = (HOGFeatures().transform(images) for images in (generated, np.array(faces.images[rows])))
    return class_shares(*sides, labels.iloc[rows].to_numpy(str), subjects[rows], seed)


def class_shares(
    generated: np.ndarray, real: np.ndarray, labels: Sequence[str], subjects: Sequence[str], seed: int = 0
) -> dict[str, Any]:
    """Compare the shares of classes among samples with those among real faces, both as a Gaussian SVM names them.

    Real faces are named by models that have not seen their people, so that the classifier's mistakes are on both sides.
    Its features (n, n_features) should not be those of the discriminator that the generator learnt to deceive.

    Returns: ``table``: for each class ``label, real, generated, low, high``, its shares and the 95 % Wilson interval of the
        samples'. ``p_value, cramers_v``: of a chi-squared test that both are draws from the same shares, and how far these
        lie apart, 0 (equal) to 1; NaN where only one class is ever named. ``accuracy``: of the classifier on real people
        whom it has not seen. ``n_real, n_generated``.
    """
    names, y = np.unique(np.asarray(labels, str), return_inverse=True)
    D2 = squared_distances(np.concatenate([real, generated]))
    gamma = 1 / typical_distance(D2[: len(real), : len(real)])
    everyone, samples = np.arange(len(real)), np.arange(len(real), len(D2))
    folds = list(StratifiedGroupKFold(_N_FOLDS, shuffle=True, random_state=seed).split(everyone, y, subjects))
    models = SharedKernel(D2, np.concatenate([y, np.zeros(len(generated), int)]))
    *named, of_samples = map(predicted_classes, models.values(_COST, gamma, [*folds, (everyone, samples)]))
    of_real = np.empty(len(real), int)
    for (_, test), of_fold in zip(folds, named, strict=True):
        of_real[test] = of_fold
    counts = np.stack([np.bincount(of_side, minlength=len(names)) for of_side in (of_real, of_samples)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    table = [dict(zip(("label", "real", "generated", "low", "high"), (str(name), *of_class, *wilson(count, len(samples))),
                      strict=True)) for name, of_class, count in zip(names, shares.T.tolist(), counts[1], strict=True)]
    ever = counts[:, counts.any(axis=0)]
    statistic, p_value = chi2_contingency(ever, correction=False)[:2] if ever.shape[1] > 1 else (np.nan, np.nan)
    return {"table": table, "p_value": float(p_value), "cramers_v": float(np.sqrt(statistic / counts.sum())),
            "accuracy": float(np.mean(of_real == y)), "n_real": len(real), "n_generated": len(samples)}


def people_found(generated: np.ndarray, real: np.ndarray, subjects: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Count the people among the nearest real faces (n, n_features) of the samples, and how many chance would find.

    Returns: ``n_found``: people who are the nearest one to a sample, of ``n_people``. ``expected, low, high``: how many
        would be if samples fell to people as their numbers of faces do, mean and central 95 % of draws. ``largest_share``:
        of the samples that fall to one person. ``n_generated``.
    """
    names, person = np.unique(np.asarray(subjects, str), return_inverse=True)
    hits = np.bincount(person[nearest(generated, real)[0]], minlength=len(names))
    share, n = np.bincount(person) / len(person), len(generated)
    draws = np.random.default_rng(seed).multinomial(n, share, size=1000)
    low, high = np.quantile((draws > 0).sum(axis=1), [0.025, 0.975])
    return {"n_found": int((hits > 0).sum()), "n_people": len(names), "expected": float((1 - (1 - share) ** n).sum()),
            "low": float(low), "high": float(high), "largest_share": float(hits.max() / n), "n_generated": n}
