"""One look for all figures of the book.

Figures are made for a column about 7 inches wide and stay readable at 400 pixels: few panels, no legend over data,
colours that differ in lightness as well as in hue.
"""

import matplotlib.pyplot as plt
import seaborn as sns

__all__ = ["WIDTH", "use_style"]

WIDTH = 7.0  # inches, of a full-width figure


def use_style() -> None:
    """Set the book's look; each notebook calls it once."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rcParams.update({
        "figure.dpi": 110, "savefig.bbox": "tight", "figure.constrained_layout.use": True, "axes.titlesize": "medium",
        "axes.spines.top": False, "axes.spines.right": False, "image.interpolation": "nearest",
    })
