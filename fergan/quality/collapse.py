"""Mode collapse: how varied samples are beside real faces, and which emotions and people they leave out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from scipy.stats import binomtest, chi2_contingency

from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import grouped_folds, other_rows
from fergan.features.baselines import HOGFeatures
from fergan.svm.kernels import gaussian_kernel, squared_distances, typical_distance
from fergan.svm.machines import multiclass_values

#: A point's neighbourhood reaches to its fifth neighbour, as in Naeem et al. (2020).
NEIGHBOURS = 5

#: Chosen: below these shares of what real faces reach, spread or recall say that variety is gone, or that some is gone ...
COLLAPSED, NARROW = 0.25, 0.5
#: ... and above this share of samples that are all but equal to another one, that the same faces are drawn again and again.
REPEATING = 0.5

#: Samples nearer to each other than all but this share of real faces are to their nearest are taken for the same face.
_SAME = 0.01

#: Mean square of the pixels (0..1) about each picture's own light, below which there is only rounding.
_NO_CONTRAST = 1e-12


@dataclass(frozen=True)
class Variety:
    """How varied samples are beside real faces.

    Attributes
    ----------
    precision : float
        Share of samples inside the neighbourhood of some real face.
    recall : float
        Share of real faces inside the neighbourhood of some sample: falls to 0 when the samples are few faces repeated.
    coverage : float
        Share of real faces whose neighbourhood holds a sample.
    repeats : float
        Share of samples that are all but equal to another sample: nearer to it than all but 1 % of the real faces are to
        their nearest, each distance in units of the mean distance on its own side, so that contrast does not count.
    spread : float
        Share of the variance of the pixels, each picture's mean light taken off, that lies between pictures: 0 where all
        are the same picture, 1 where they have nothing in common.
    n : int
        Samples, and as many real faces.

    References
    ----------
    Kynkäänniemi et al. (2019), improved precision and recall; Naeem et al. (2020), coverage; Arora and Zhang (2018), whose
    birthday-paradox test looks for repeated samples.
    """

    precision: float
    recall: float
    coverage: float
    repeats: float
    spread: float
    n: int


def thumbnails(images: np.ndarray, side: int = 16) -> np.ndarray:
    """Return grey pictures of `side` x `side` pixels in 0..1, flattened: float64 (n, side * side).

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), dtype uint8
        Height and width are multiples of `side`.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} {images.shape}; expected uint8 (n, height, width, 3)")
    n, height, width, _ = images.shape
    if height % side or width % side:
        raise ValueError(f"images of {height} x {width} pixels have no thumbnails of {side} x {side}")
    grey = images @ np.array([0.299, 0.587, 0.114]) / 255  # ITU-R BT.601 luma
    return grey.reshape(n, side, height // side, side, width // side).mean(axis=(2, 4)).reshape(n, -1)


def spread(pictures: np.ndarray) -> float:
    """Return the share of the pixels' variance that lies between pictures; NaN where no picture has any contrast.

    Parameters
    ----------
    pictures : ndarray of shape (n, n_pixels)
    """
    contrast = pictures - pictures.mean(axis=1, keepdims=True)
    total = (contrast**2).sum()
    if total <= _NO_CONTRAST * pictures.size:
        return float("nan")
    return float(((contrast - contrast.mean(axis=0)) ** 2).sum() / total)


def variety(generated: np.ndarray, real: np.ndarray) -> Variety:
    """Compare the variety of samples with that of as many real faces.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8
        The same number of each: every one of these scores depends on it.
    """
    if len(generated) != len(real):
        raise ValueError(f"{len(generated)} samples but {len(real)} real faces; expected as many of each")
    if len(real) <= NEIGHBOURS + 1:
        raise ValueError(f"{len(real)} faces are too few; neighbourhoods of {NEIGHBOURS} need at least {NEIGHBOURS + 2}")
    x, y = thumbnails(generated), thumbnails(real)
    across, among_generated, among_real = cdist(x, y), np.sort(cdist(x, x)), np.sort(cdist(y, y))
    inside_real = across <= among_real[:, NEIGHBOURS]
    inside_generated = across <= among_generated[:, [NEIGHBOURS]]
    return Variety(
        precision=float(inside_real.any(axis=1).mean()),
        recall=float(inside_generated.any(axis=0).mean()),
        coverage=float(inside_real.any(axis=0).mean()),
        repeats=float((_nearness(among_generated) <= np.quantile(_nearness(among_real), _SAME)).mean()),
        spread=spread(x),
        n=len(real),
    )


def covered(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Say of each real face whether a sample lies in its neighbourhood: the mean of this over all is the coverage.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8
        A neighbourhood reaches to the fifth neighbour among the real faces.

    Returns
    -------
    ndarray of bool, shape (n_real,)
    """
    x, y = thumbnails(generated), thumbnails(real)
    return (cdist(x, y) <= np.sort(cdist(y, y))[:, NEIGHBOURS]).any(axis=0)


def _nearness(distances: np.ndarray) -> np.ndarray:
    """Distance of each point to its nearest other one, over the mean distance of all; 0 where all points are one."""
    mean = distances.sum() / (len(distances) * (len(distances) - 1))
    return distances[:, 1] / mean if mean > 0 else np.zeros(len(distances))


def variety_floor(real: np.ndarray, n: int, seed: int = 0) -> Variety:
    """Compare real faces with as many other real faces: what a perfect generator would reach.

    Parameters
    ----------
    real : ndarray of shape (n_faces, height, width, 3), dtype uint8
    n : int
        Faces on either side; at most half of them.
    seed : int
        Of the draw.
    """
    if 2 * n > len(real):
        raise ValueError(f"two times {n} faces were asked for of {len(real)}; expected n of at most {len(real) // 2}")
    order = np.random.default_rng(seed).permutation(len(real))
    halves = (np.array(real[np.sort(order[part])]) for part in (slice(0, n), slice(n, 2 * n)))
    return variety(*halves)


@dataclass(frozen=True)
class Verdict:
    """Whether a generator's samples have collapsed.

    Attributes
    ----------
    word : str
        ``"collapsed"``, ``"narrow"`` (some variety is missing), ``"unlike"`` (too unlike real faces to say) or ``"varied"``.
    reason : str
        The numbers behind it.
    """

    word: str
    reason: str


def judge_variety(found: Mapping[str, float], floor: Mapping[str, float]) -> Verdict:
    """Say whether samples have collapsed, and why.

    Parameters
    ----------
    found, floor : mapping
        The numbers of `Variety` of the samples, and of real faces beside other real faces.

    Returns
    -------
    Verdict
        *Collapsed* where half of the samples repeat another one, or the spread is below a quarter of the real faces';
        *narrow* where the spread is below a half. *Unlike* where the samples do not lie among the real faces, by a precision
        below a quarter: then recall says nothing, as samples far from all faces have large neighbourhoods. Else by recall:
        *collapsed* below a quarter, *narrow* below a half, and *varied*.

    Raises
    ------
    ValueError
        A number is not finite, or a floor is 0: nothing can be compared.
    """
    scores = ("precision", "recall", "coverage", "spread")
    sides = (("samples", found), ("real faces", floor))
    wrong = [f"{score} of {side}" for score in scores for side, row in sides if not np.isfinite(row[score])]
    wrong += [f"{score} of real faces" for score in scores if floor[score] == 0]
    if wrong:
        raise ValueError(
            f"variety cannot be judged: the {wrong[0]} is 0 or undefined; there are too few faces, or they have no contrast"
        )
    share = {score: found[score] / floor[score] for score in scores}
    said = {score: f"its {score} is {100 * share[score]:.0f} % of what real faces reach" for score in scores}
    if found["repeats"] > max(REPEATING, 2 * floor["repeats"]):
        return Verdict("collapsed", f"{100 * found['repeats']:.0f} % of its samples are all but equal to another one")
    if share["spread"] < NARROW:
        return Verdict("collapsed" if share["spread"] < COLLAPSED else "narrow", said["spread"])
    if share["precision"] < COLLAPSED:
        reason = f"{said['precision']}, so that its recall ({100 * share['recall']:.0f} %) says nothing of variety"
        return Verdict("unlike", reason)
    if share["recall"] < NARROW:
        return Verdict("collapsed" if share["recall"] < COLLAPSED else "narrow", said["recall"])
    return Verdict("varied", said[min(("spread", "recall"), key=share.get)])


#: The classifier's parameters are not searched: it only has to name samples and real faces alike.
_COST, _GAMMA_SCALE = 10.0, 1.0


@dataclass(frozen=True)
class ClassShares:
    """How often a classifier names each class among real faces and among samples.

    Attributes
    ----------
    table : DataFrame
        Columns ``label, real, generated, low, high``: shares, and the 95 % Wilson interval of the samples'.
    p_value : float
        Of a chi-squared test that both are draws from the same shares; NaN where only one class is ever named.
    cramers_v : float
        How far the shares lie apart, 0 (equal) to 1.
    accuracy : float
        Of the classifier on real people whom it has not seen.
    n_real, n_generated : int
    """

    table: pd.DataFrame
    p_value: float
    cramers_v: float
    accuracy: float
    n_real: int
    n_generated: int


def class_shares(
    generated: np.ndarray, real: np.ndarray, labels: Sequence[str], subjects: Sequence[str], *,
    n_folds: int = 5, seed: int = 0,
) -> ClassShares:
    """Compare the shares of classes among samples with those among real faces, both as a Gaussian SVM names them.

    Real faces are named by models that have not seen their people, so that the classifier's mistakes are on both sides.
    Its features should not be those of the discriminator that the generator learnt to deceive.

    Parameters
    ----------
    generated : ndarray of shape (n_generated, n_features)
    real : ndarray of shape (n_real, n_features)
    labels, subjects : sequence of str
        Class and person of each real face.
    n_folds, seed : int
        Of the folds of people.

    Returns
    -------
    ClassShares
    """
    names, y = np.unique(np.asarray(labels, str), return_inverse=True)
    if not len(real) == len(y) == len(subjects):
        raise ValueError(f"{len(real)} real faces, {len(y)} labels and {len(subjects)} subjects; expected as many of each")
    folds = grouped_folds(y, np.asarray(subjects, str), n_folds, seed)
    D2 = squared_distances(np.concatenate([real, generated]))
    gamma = _GAMMA_SCALE / typical_distance(D2[: len(real), : len(real)])
    K = gaussian_kernel(D2, gamma)
    everyone, samples = np.arange(len(real)), np.arange(len(real), len(D2))
    y_all = np.concatenate([y, np.zeros(len(generated), int)])
    named_real = np.empty(len(real), int)
    for fold in folds:
        values = multiclass_values(K, y_all, other_rows(len(real), [fold]), fold, _COST, len(names))
        named_real[fold] = values.argmax(axis=1)
    named = multiclass_values(K, y_all, everyone, samples, _COST, len(names)).argmax(axis=1)
    counts = np.stack([np.bincount(of_side, minlength=len(names)) for of_side in (named_real, named)])
    intervals = [binomtest(int(count), len(named)).proportion_ci(method="wilson") for count in counts[1]]
    table = pd.DataFrame({"label": names, "real": counts[0] / len(real), "generated": counts[1] / len(named)})
    table["low"], table["high"] = zip(*((interval.low, interval.high) for interval in intervals), strict=True)
    statistic, p_value = _homogeneity(counts)
    v = float(np.sqrt(statistic / counts.sum()))
    return ClassShares(table, p_value, v, float(np.mean(named_real == y)), len(real), len(named))


def _homogeneity(counts: np.ndarray) -> tuple[float, float]:
    """Chi-squared statistic and p value of a 2 x k table; NaN where fewer than two classes were ever named."""
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return float("nan"), float("nan")
    found = chi2_contingency(counts, correction=False)
    return float(found.statistic), float(found.pvalue)


@dataclass(frozen=True)
class PeopleFound:
    """How many people of a set are somebody's nearest real face.

    Attributes
    ----------
    n_found : int
        People who are the nearest one to at least one sample.
    n_people : int
        People of the set.
    expected, low, high : float
        How many would be found if samples fell to people as their numbers of faces do: mean and central 95 % of draws.
    largest_share : float
        Of the samples that fall to one person.
    n_generated : int
    """

    n_found: int
    n_people: int
    expected: float
    low: float
    high: float
    largest_share: float
    n_generated: int


def people_found(
    generated: np.ndarray, real: np.ndarray, subjects: Sequence[str], n_draws: int = 1000, seed: int = 0
) -> PeopleFound:
    """Count the people among the nearest real faces of the samples, and how many chance would find.

    Parameters
    ----------
    generated, real : ndarray of shape (n, n_features)
    subjects : sequence of str
        The person of each real face.
    n_draws, seed : int
        Of the draws that give the interval of the expected number.
    """
    names, person = np.unique(np.asarray(subjects, str), return_inverse=True)
    if len(real) != len(person):
        raise ValueError(f"{len(real)} real faces but {len(person)} subjects; expected one of each per face")
    x, y = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    nearest = ((y * y).sum(axis=1)[None] - 2 * x @ y.T).argmin(axis=1)
    hits = np.bincount(person[nearest], minlength=len(names))
    share = np.bincount(person) / len(person)
    draws = np.random.default_rng(seed).multinomial(len(x), share, size=n_draws)
    found = (draws > 0).sum(axis=1)
    low, high = np.quantile(found, [0.025, 0.975])
    expected = float((1 - (1 - share) ** len(x)).sum())
    n_found, largest_share = int((hits > 0).sum()), float(hits.max() / len(x))
    return PeopleFound(n_found, len(names), expected, float(low), float(high), largest_share, len(x))


#: People of whom a set has fewer faces each, on average, are hardly people that a generator could forget.
_FACES_PER_PERSON = 2


def judge_generator(generated: np.ndarray, faces: FaceSet, *, n_folds: int = 5, seed: int = 0) -> dict[str, Any]:
    """Judge how varied samples are, and what of their set they leave out.

    Parameters
    ----------
    generated : ndarray of shape (n_generated, 64, 64, 3), dtype uint8
    faces : FaceSet
        What the generator learnt from.
    n_folds : int
        Of the classifier that names emotions; emotions with fewer faces, or of one person only, take no part.
    seed : int
        Of draws and folds.

    Returns
    -------
    dict
        ``verdict, reason, found, floor`` (see `fergan.quality.collapse`), ``classes`` and ``people`` (see
        `fergan.quality.collapse`), ``coverage_by_emotion`` and ``coverage_by_person`` (see `coverage_by`), each None where
        the set's labels do not allow it.
    """
    n = min(len(generated), len(faces) // 2)
    order = np.random.default_rng(seed).permutation(len(faces))
    rows, others = np.sort(order[:n]), np.sort(order[n : 2 * n])
    real = np.array(faces.images[rows])
    hit = [covered(images, real) for images in (generated[:n], np.array(faces.images[others]))]
    found, floor = asdict(variety(generated[:n], real)), asdict(variety_floor(faces.images, n, seed))
    verdict = judge_variety(found, floor)
    return {
        "verdict": verdict.word, "reason": verdict.reason, "found": found, "floor": floor,
        "classes": _classes(generated, faces, n_folds, seed), "people": _people(generated, faces, seed),
        "coverage_by_emotion": coverage_by(faces.labels["emotion"].iloc[rows].to_numpy(), *hit),
        "coverage_by_person": coverage_by(faces.labels["subject"].iloc[rows].to_numpy(), *hit),
    }


def can_be_judged(faces: FaceSet) -> bool:
    """Say whether a set has faces enough for neighbourhoods on either side of a comparison."""
    return len(faces) // 2 > NEIGHBOURS + 1


def coverage_by(labels: np.ndarray, by_samples: np.ndarray, by_real: np.ndarray) -> list[dict[str, Any]] | None:
    """Return the coverage of the real faces of each label, by samples and by as many other real faces (the floor).

    Parameters
    ----------
    labels : ndarray of shape (n_real,)
        Missing where a face has none.
    by_samples, by_real : ndarray of bool, shape (n_real,)
        See `fergan.quality.collapse.covered`.

    Returns
    -------
    list of dict, or None
        ``label, coverage, low, high, floor, n`` with the Wilson interval; None where no face has a label.
    """
    table = pd.DataFrame({"label": labels, "samples": by_samples, "real": by_real}).dropna()
    if table.empty:
        return None
    rows = []
    for label, part in table.groupby("label", sort=True):
        interval = binomtest(int(part["samples"].sum()), len(part)).proportion_ci(method="wilson")
        rows.append({"label": str(label), "coverage": float(part["samples"].mean()), "low": interval.low,
                     "high": interval.high, "floor": float(part["real"].mean()), "n": len(part)})
    return rows


def _classes(generated: np.ndarray, faces: FaceSet, n_folds: int, seed: int) -> dict[str, Any] | None:
    labels, subjects = faces.labels["emotion"], faces.subjects()
    people = {emotion: set(subjects[(labels == emotion).fillna(False)]) for emotion in faces.emotions}
    usable = [emotion for emotion, shown_by in people.items() if (labels == emotion).sum() >= n_folds and len(shown_by) > 1]
    if len(usable) < 2 or len(set().union(*(people[emotion] for emotion in usable))) < n_folds:
        return None
    rows = np.flatnonzero(labels.isin(usable))
    sides = (HOGFeatures().transform(images) for images in (generated, np.array(faces.images[rows])))
    shares = class_shares(*sides, labels.iloc[rows].to_numpy(str), subjects[rows], n_folds=n_folds, seed=seed)
    return asdict(shares) | {"table": shares.table.to_dict("records")}


def _people(generated: np.ndarray, faces: FaceSet, seed: int) -> dict[str, Any] | None:
    subjects = faces.subjects()
    if len(subjects) < _FACES_PER_PERSON * len(set(subjects)):
        return None
    return asdict(people_found(thumbnails(generated), thumbnails(np.array(faces.images)), subjects, seed=seed))
