"""Mode collapse, measured: how much of the real faces' variety do the samples have, and do they repeat themselves?

Faces are compared as thumbnails, grey pictures of 16 x 16 pixels: coarse enough that blurred outlines do not count, with no
network that could have been trained on these faces, and quick enough to be taken while a generator learns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

__all__ = [
    "NEIGHBOURS", "Variety", "Verdict", "covered", "judge_variety", "thumbnails", "variety", "variety_floor",
]

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
