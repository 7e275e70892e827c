"""Histograms of oriented gradients."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fergan.features.base import StatelessFeatures, check_images

__all__ = ["HOGFeatures"]


class HOGFeatures(StatelessFeatures):
    """Histograms of oriented gradients (Dalal and Triggs, 2005): 8x8-pixel cells, 2x2-cell blocks, 9 orientations.

    Parameters
    ----------
    n_threads : int
        Threads to spread the faces over.
    """

    def __init__(self, n_threads: int = 1):
        self.n_threads = n_threads

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, 1764) of images uint8 (n, 64, 64, 3)."""
        from skimage.feature import hog

        images = check_images(images)

        def describe(image: np.ndarray) -> np.ndarray:
            return hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)

        with ThreadPoolExecutor(self.n_threads) as pool:
            return np.stack(list(pool.map(describe, images))).astype(np.float32)
