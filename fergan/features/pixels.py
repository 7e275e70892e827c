"""The picture itself as features."""

import numpy as np

from fergan.features.base import StatelessFeatures, check_images

__all__ = ["PixelFeatures"]


class PixelFeatures(StatelessFeatures):
    """The image itself: grey values in 0..1, one number per pixel."""

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, height * width)."""
        images = check_images(images)
        grey = images @ np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601 luma
        return grey.reshape(len(images), -1).astype(np.float32)
