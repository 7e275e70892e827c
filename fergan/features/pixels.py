"""The picture itself as features."""

from collections.abc import Callable

import numpy as np

from fergan.features.base import StatelessFeatures

__all__ = ["PixelFeatures"]


class PixelFeatures(StatelessFeatures):
    """The image itself: grey values in 0..1, one number per pixel."""

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        luma = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601
        return lambda images: (images @ luma).reshape(len(images), -1).astype(np.float32)
