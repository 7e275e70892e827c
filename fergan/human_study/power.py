"""How many trials a study needs: for an interval of a wanted width, and to tell an accuracy from guessing."""

import numpy as np
import pandas as pd
from scipy.stats import binom, binomtest

from fergan.human_study.analysis import CHANCE

__all__ = ["power_against_chance", "power_table", "trials_for_half_width", "wilson_half_width"]


def wilson_half_width(n: int, share: float = CHANCE) -> float:
    """Return half the width of the 95 % Wilson interval of a share of right answers in `n` trials."""
    interval = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return (interval.high - interval.low) / 2


def trials_for_half_width(half_width: float, share: float = CHANCE) -> int:
    """Return the fewest trials whose 95 % Wilson interval reaches at most `half_width` to either side.

    Parameters
    ----------
    half_width : float
        For example .03 for plus or minus three percent.
    share : float
        Of right answers; the interval is widest at a half.
    """
    if not 0 < half_width < 0.5:
        raise ValueError(f"half_width is {half_width:g}; expected more than 0 and less than .5")
    low, high = 1, 2
    while wilson_half_width(high, share) > half_width:
        low, high = high, 2 * high
    while high - low > 1:  # the width falls with n, but for rounding of the count, which the last loop mends
        middle = (low + high) // 2
        low, high = (low, middle) if wilson_half_width(middle, share) <= half_width else (middle, high)
    while high > 1 and wilson_half_width(high - 1, share) <= half_width:
        high -= 1
    return high


def power_against_chance(n: int, share: float, level: float = 0.05) -> float:
    """Return how probably `n` trials show that raters do not guess, where they are right in `share` of them.

    The exact two-sided binomial test at `level`, trials independent.
    """
    counts = np.arange(n + 1)
    # The test at a half is symmetric: both tails beyond the same distance from the middle.
    tail = binom.cdf(counts, n, CHANCE)
    lower = int(np.searchsorted(tail, level / 2, side="right")) - 1  # the largest count whose tail is small enough
    if lower < 0:
        return 0.0
    return float(binom.cdf(lower, n, share) + binom.sf(n - lower - 1, n, share))


def power_table(half_widths: tuple[float, ...] = (0.1, 0.05, 0.03, 0.02, 0.01), n_per_rater: int = 100) -> pd.DataFrame:
    """Return one row per width: trials, raters, and what can be told from chance with as many.

    Parameters
    ----------
    half_widths : tuple of float
    n_per_rater : int
        Trials that one rater answers.
    """
    rows = []
    for half in half_widths:
        n = trials_for_half_width(half)
        rows.append({"interval": f"± {100 * half:g} %", "trials": n, f"raters of {n_per_rater} trials": -(-n // n_per_rater),
                     "power at 53 %": power_against_chance(n, 0.53), "power at 55 %": power_against_chance(n, 0.55),
                     "power at 60 %": power_against_chance(n, 0.6)})
    return pd.DataFrame(rows)
