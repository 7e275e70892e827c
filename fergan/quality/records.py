"""A score as it is kept: its value with all that a reader needs to compare it, and the interval of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, t

__all__ = ["N_GROUPS", "Score", "jackknife", "share_score"]

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
