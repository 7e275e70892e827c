"""From faces to feature vectors: the discriminator's last hidden layer, and the baselines beside it.

Every kind is a scikit-learn transformer from images uint8 (n, 64, 64, 3) to float32 (n, n_features), so that it fits in
any pipeline. None of them learns from the faces it is given: `fit` only exists because pipelines call it.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["BASELINES", "DiscriminatorFeatures", "HOGFeatures", "PixelFeatures", "make_baseline"]


def _check_images(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} {images.shape}; expected uint8 (n, height, width, 3)")
    return images


class _StatelessFeatures(TransformerMixin, BaseEstimator):
    """A transformer with nothing to fit."""

    def fit(self, images: np.ndarray, y: None = None) -> "_StatelessFeatures":
        _check_images(images)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class DiscriminatorFeatures(_StatelessFeatures):
    """Activations of the discriminator's last hidden layer, in evaluation mode.

    Parameters
    ----------
    weights : path or None
        A ``discriminator.safetensors``; None leaves the network untrained, as a baseline.
    width : int
        The network's width; the features are ``8 * width * 4 * 4`` numbers, 8,192 at the paper's width of 64.
    seed : int
        Of the training run whose untrained discriminator this is.
    batch_size : int
        Faces at a time.

    References
    ----------
    The paper, section 3: "the discriminator's convolutional penultimate layer".
    """

    def __init__(self, weights: str | Path | None = None, width: int = 64, seed: int = 0, batch_size: int = 256):
        self.weights = weights
        self.width = width
        self.seed = seed
        self.batch_size = batch_size

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, 8 * width * 16) of images uint8 (n, 64, 64, 3)."""
        import torch  # here, so that chapters which only need HOG or pixels start faster

        from fergan.checkpoints import load_weights
        from fergan.dcgan import Discriminator, initialize_weights, to_float

        images = _check_images(images)
        network = Discriminator(self.width)
        if self.weights is None:
            initialize_weights(network, seed=self.seed + 1)  # as training starts its discriminator
            network.eval()
        else:
            load_weights(network, Path(self.weights))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network.to(device, memory_format=torch.channels_last)
        features = np.empty((len(images), network.n_features), np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), self.batch_size):
                batch = to_float(images[start : start + self.batch_size], device)
                features[start : start + len(batch)] = network.hidden(batch).flatten(1).cpu().numpy()
        return features


class PixelFeatures(_StatelessFeatures):
    """The image itself: grey values in 0..1, one number per pixel."""

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, height * width)."""
        images = _check_images(images)
        grey = images @ np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601 luma
        return grey.reshape(len(images), -1).astype(np.float32)


class HOGFeatures(_StatelessFeatures):
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

        images = _check_images(images)

        def describe(image: np.ndarray) -> np.ndarray:
            return hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)

        with ThreadPoolExecutor(self.n_threads) as pool:
            return np.stack(list(pool.map(describe, images))).astype(np.float32)


BASELINES = ("untrained", "hog", "pixels")


def make_baseline(name: str, width: int = 64, seed: int = 0) -> _StatelessFeatures:
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
