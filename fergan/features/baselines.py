"""Features that stand beside the discriminator's last layer: HOG, pixels, and others by name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fergan.features.base import StatelessFeatures
from fergan.features.discriminator import N_LAYERS, DiscriminatorFeatures

#: Kinds of features that need no training, then those of the same training run's networks, then another network's.
BASELINES = ("untrained", "hog", "pixels", "pooled", "generator", "facenet")


class HOGFeatures(StatelessFeatures):
    """Histograms of oriented gradients (Dalal and Triggs, 2005), 1,764 numbers: cells of 8x8 pixels, blocks of 2x2 cells."""

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        from skimage.feature import hog

        def describe(image: np.ndarray) -> np.ndarray:
            return hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)

        return lambda images: np.stack([describe(image) for image in images]).astype(np.float32)


class PixelFeatures(StatelessFeatures):
    """The image itself: grey values in 0..1, one number per pixel."""

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        luma = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601
        return lambda images: (images @ luma).reshape(len(images), -1).astype(np.float32)


def make_baseline(
    name: str, width: int = 64, seed: int = 0, run: str | Path | None = None, facenet_weights: str | Path = ""
) -> StatelessFeatures:
    """Return the transformer of a baseline.

    Args:
        name: ``"untrained"`` (the discriminator before training, of `width` and `seed`), ``"hog"``, ``"pixels"``,
            ``"pooled"`` (all layers of the trained one, each reduced to 4x4), ``"generator"`` (its first layer), or
            ``"facenet"``.
        run: Folder of the training run, for ``"pooled"`` and ``"generator"``.
        facenet_weights: See `fergan.features.facenet.FacenetFeatures`.
    """
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; expected one of {', '.join(BASELINES)}")
    if name in ("pooled", "generator") and run is None:
        raise ValueError(f"baseline {name!r} needs the folder of a training run")
    if name == "untrained":
        return DiscriminatorFeatures(None, width=width, seed=seed)
    if name == "hog":
        return HOGFeatures()
    if name == "pixels":
        return PixelFeatures()
    if name == "pooled":
        return DiscriminatorFeatures(Path(run) / "discriminator.safetensors", layers=range(1, N_LAYERS + 1), pool=True)
    if name == "generator":
        from fergan.features.generator import GeneratorFeatures

        return GeneratorFeatures(Path(run) / "generator.safetensors")
    from fergan.features.facenet import FacenetFeatures

    return FacenetFeatures(facenet_weights)


def absent_baselines(names: list[str], facenet_weights: str = "") -> dict[str, str]:
    """Return which of these baselines cannot be had here, and why in words."""
    if "facenet" in names and not facenet_weights:
        return {"facenet": "its weights are absent; name their file in the profile (emotions.facenet_weights)"}
    return {}
