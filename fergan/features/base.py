"""What all kinds of features have in common."""

from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


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


def computing_device(device: str) -> str:
    """Return "cuda" for "auto" where PyTorch finds a GPU, else "cpu"; any other word as it is."""
    import torch  # here, so that chapters which only need HOG or pixels start faster

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


class StatelessFeatures(TransformerMixin, BaseEstimator):
    """A transformer with nothing to fit; a subclass's ``_describer()`` returns a function from images to their features."""

    batch_size = 256  # faces at a time

    def fit(self, images: np.ndarray, y: None = None) -> "StatelessFeatures":
        """Check the images, and learn nothing."""
        check_images(images)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, images: np.ndarray, allocate: Callable[..., np.ndarray] = np.empty) -> np.ndarray:
        """Return features float32 (n, n_features) of images uint8 (n, height, width, 3), which may be memory-mapped.

        `allocate` makes the array that is filled block by block, from its shape and type: one on disk, for example.
        """
        images, X = check_images(images), None
        describe = self._describer()
        for start in range(0, len(images), self.batch_size):
            # A copy: images on disk are read-only, which PyTorch warns of.
            block = describe(np.array(images[start : start + self.batch_size]))
            if X is None:
                X = allocate((len(images), block.shape[1]), np.float32)
            X[start : start + len(block)] = block
        return X
