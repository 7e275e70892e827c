"""What every measure of sample quality refuses: features and images from which no score can be had."""

import numpy as np

__all__ = ["check_features", "check_images", "check_pair"]


def check_features(name: str, features: np.ndarray, minimum: int = 2) -> np.ndarray:
    """Return features as float64 after a look at them.

    Parameters
    ----------
    name : str
        What to call them in an error.
    features : ndarray of shape (n_samples, n_features)
    minimum : int
        Fewest samples that the score has a meaning for.

    Raises
    ------
    ValueError
        Another shape, too few samples, or a value that is not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2:
        raise ValueError(f"{name} has shape {features.shape}; expected (n_samples, n_features)")
    if len(features) < minimum:
        raise ValueError(f"{name} has {len(features)} rows; expected at least {minimum}")
    if not np.isfinite(features).all():
        raise ValueError(f"{name} holds values that are not finite")
    return features


def check_pair(generated: np.ndarray, real: np.ndarray, minimum: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides' features as float64 after a look at them; see `check_features`.

    Raises
    ------
    ValueError
        As there, or the two sides differ in their number of features.
    """
    generated, real = check_features("generated", generated, minimum), check_features("real", real, minimum)
    if generated.shape[1] != real.shape[1]:
        raise ValueError(f"generated has {generated.shape[1]} features and real {real.shape[1]}; expected the same")
    return generated, real


def check_images(name: str, images: np.ndarray, minimum: int = 1) -> np.ndarray:
    """Return images after a look at them.

    Parameters
    ----------
    name : str
        What to call them in an error.
    images : ndarray of shape (n, height, width, 3), dtype uint8
    minimum : int
        Fewest images that the score has a meaning for.

    Raises
    ------
    ValueError
        Another shape or type, too few images, or values of 0 and 1 that were meant as a range of 0 to 1.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"{name} are {images.dtype} {images.shape}; expected uint8 (n, height, width, 3) with values 0 to 255, "
            "for example by fergan.gan.dcgan.to_uint8"
        )
    if len(images) < minimum:
        raise ValueError(f"{name} are {len(images)}; expected at least {minimum}")
    if images.max() == 1:
        raise ValueError(f"{name} have no value above 1; expected 0 to 255")
    return images
