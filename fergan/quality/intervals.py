"""95 % intervals of scores of samples."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import binomtest, t

#: Groups of which each is left out once.
N_GROUPS = 10


def wilson(count: int, n: int) -> tuple[float, float]:
    """Return the Wilson interval of a share, of `count` in `n`."""
    interval = binomtest(int(count), int(n)).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def jackknife(
    score: Callable[..., float | Sequence[float]], *sides: np.ndarray, n_groups: int = N_GROUPS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a score with its interval, from leaving out one group of the rows of each side at a time.

    A bootstrap draws rows twice, which makes samples look less varied and raises every distance; leaving rows out does not.
    The interval is symmetric about the score of all rows. Shao and Tu (1995), section 2.3: groups of equal size, Student's t
    of ``n_groups - 1`` degrees of freedom.

    Args:
        score: Takes the sides, returns a number or several, as do ``value, low, high``.
        sides: (n_samples, ...); each is divided into groups at random, by `seed`.
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
