"""Histograms of oriented gradients."""

from collections.abc import Callable

import numpy as np

from fergan.features.base import StatelessFeatures
from fergan.threads import run_threads

__all__ = ["HOGFeatures"]


class HOGFeatures(StatelessFeatures):
    """Histograms of oriented gradients (Dalal and Triggs, 2005): 8x8-pixel cells, 2x2-cell blocks, 9 orientations.

    1,764 numbers for a face of 64x64 pixels.

    Parameters
    ----------
    n_threads : int
        Threads to spread the faces over.
    """

    def __init__(self, n_threads: int = 1):
        self.n_threads = n_threads

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        from skimage.feature import hog

        def describe(image: np.ndarray) -> np.ndarray:
            return hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)

        return lambda images: np.stack(run_threads(describe, images, self.n_threads)).astype(np.float32)
