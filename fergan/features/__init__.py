"""From faces to feature vectors: the discriminator's hidden layers, and baselines.

Every kind is a scikit-learn transformer from images uint8 (n, 64, 64, 3) to float32 (n, n_features), so that it fits in
any pipeline. None of them learns from the faces it is given: `fit` only exists because pipelines call it. Here: which
features the experiments see, and checks of what they are computed from; light, since every command reads it.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field, field_validator

from fergan.cache import Config

N_LAYERS = 4  # hidden layers of the discriminator; the last one is the paper's


def checked_layers(layers: Sequence[int]) -> Sequence[int]:
    """Return the numbers of hidden layers, or say what is wrong with them."""
    if not layers or not set(layers) <= set(range(1, N_LAYERS + 1)) or len(set(layers)) < len(layers):
        raise ValueError(f"layers are {layers!r}; expected some of 1 (nearest to the image) to {N_LAYERS}, each once")
    return layers


class FeaturesConfig(Config):
    """Which layers of the discriminator the experiments see."""

    layers: list[int] = Field([N_LAYERS], description="hidden layers, 1 (nearest to the image) to 4 (the paper's)")
    pool: bool = Field(False, description="reduce each layer's maps to 4x4 by the maximum, as Radford et al. do")

    _known = field_validator("layers")(checked_layers)


def check_images(images: np.ndarray, name: str = "images", minimum: int = 1) -> np.ndarray:
    """Return images uint8 (n, height, width, 3), at least so many, as an array, or say what is wrong with them."""
    images = np.asanyarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"{name} are {images.dtype} {images.shape}; expected uint8 (n, height, width, 3), values 0 to 255")
    if len(images) < minimum:
        raise ValueError(f"{name} are {len(images)}; expected at least {minimum}")
    if images.max(initial=0) == 1:
        raise ValueError(f"{name} have no value above 1; expected 0 to 255")
    return images
