"""One look for all figures of the book.

Figures are made for a column about 7 inches wide and stay readable at 400 pixels: few panels, no legend over data,
colours that differ in lightness as well as in hue.
"""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns

__all__ = ["WIDTH", "generator_looks", "use_style"]

WIDTH = 7.0  # inches, of a full-width figure


_MARKERS, _DASHES = "osD^vPX*<>dp1", ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))


def generator_looks(names: Iterable[str], marked: str = "") -> dict[str, dict[str, Any]]:
    """Return how to draw the curve of each generator, the same in every figure.

    Generators of one set (``"sfew"``, ``"sfew-augmented"``) have one colour, and lines and markers of their own, which tell
    all curves apart where colours cannot.

    Parameters
    ----------
    names : iterable of str
    marked : str
        A generator to draw in red and above the others: one whose collapse was provoked.
    """
    names = list(names)
    of_set = {name: next((other for other in names if name.startswith(f"{other}-")), name) for name in names}
    sets = list(dict.fromkeys(of_set.values()))
    free = [f"C{k}" for k in range(10) if k != 3]  # C3 is the red
    looks: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(names):
        relatives = sum(of_set[other] == of_set[name] for other in names[:index])
        looks[name] = {"color": free[sets.index(of_set[name]) % len(free)], "marker": _MARKERS[index % len(_MARKERS)],
                       "linestyle": _DASHES[relatives % len(_DASHES)], "linewidth": 1.5 if relatives == 0 else 1.1}
        if name == marked:
            looks[name] |= {"color": "C3", "linewidth": 2, "zorder": 5}
    return looks


def use_style() -> None:
    """Set the book's look; each notebook calls it once."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rcParams.update({
        "figure.dpi": 110, "savefig.bbox": "tight", "figure.constrained_layout.use": True, "axes.titlesize": "medium",
        "axes.spines.top": False, "axes.spines.right": False, "image.interpolation": "nearest",
    })
