"""Features that need no training, by name."""

from fergan.features.base import StatelessFeatures
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.features.hog import HOGFeatures
from fergan.features.pixels import PixelFeatures

__all__ = ["BASELINES", "make_baseline"]

BASELINES = ("untrained", "hog", "pixels")


def make_baseline(name: str, width: int = 64, seed: int = 0) -> StatelessFeatures:
    """Return the transformer of a baseline.

    Parameters
    ----------
    name : str
        ``"untrained"`` (the same discriminator before training), ``"hog"`` or ``"pixels"``.
    width, seed : int
        Of the untrained discriminator.
    """
    if name == "untrained":
        return DiscriminatorFeatures(None, width=width, seed=seed)
    if name == "hog":
        return HOGFeatures()
    if name == "pixels":
        return PixelFeatures()
    raise ValueError(f"unknown baseline {name!r}; expected one of {', '.join(BASELINES)}")
