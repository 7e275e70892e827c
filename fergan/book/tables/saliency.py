"""Tables of the chapter on saliency."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import AS_PUBLISHED
from fergan.experiments.saliency import RegionCheck
from fergan.facs import ACTION_UNITS

__all__ = ["chosen_costs", "region_table", "saliency_words"]


def chosen_costs(result: AUResult, features: str = "discriminator") -> np.ndarray:
    """Return the cost that an experiment chose for each Action Unit, as published; NaN where it could not be learnt."""
    table = result.searches
    found = table[(table["protocol"] == AS_PUBLISHED) & (table["features"] == features) & table["chosen"]]
    found = found[found["auc"].notna()].set_index("label")["C"]
    return np.array([found.get(unit, np.nan) for unit in ACTION_UNITS], dtype=float)


def region_table(checks: Mapping[str, RegionCheck]) -> pd.DataFrame:
    """Return one row per Action Unit: how much of the saliency lies inside its region, and how much would by chance."""
    return pd.DataFrame([
        {"AU": unit, "share inside": check.share, "area": check.area, "95 % of shuffled": check.threshold,
         "looks there": "yes" if check.inside else "no", "rank": check.rank}
        for unit, check in checks.items()
    ])


def saliency_words(checks: Mapping[str, RegionCheck]) -> str:
    """Say for how many Action Units the detector looks where they act; plainly so where they are few."""
    if not checks:
        return "These are no rendered faces: where their Action Units act is not known"
    n, inside = len(checks), [unit for unit, check in checks.items() if check.inside]
    first = sum(check.rank == 1 for check in checks.values())
    names = f" ({', '.join(inside)})" if inside else ""
    found = (f"For {len(inside)} of {n} Action Units{names} the share inside the region is above the 95th percentile of "
             f"shuffled regions, where {0.05 * n:.1f} would be by chance; {first} of {n} have more saliency per pixel in "
             "their own region than in any other's")
    few = "These are few: most detectors do not look where their Action Unit acts, whatever their areas under the curve"
    return f"{found}. {few}" if len(inside) <= n / 2 else found
