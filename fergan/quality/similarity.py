"""How alike images uint8 (n, height, width, 3) are: structural similarity of pairs, distances of pixels, and thumbnails."""

import numpy as np

from fergan.features import check_images
from fergan.quality.distances import nearest
from fergan.svm.kernels import squared_distances

THUMBNAIL = 16  # pixels a side


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Return grey pictures of 16 x 16 pixels in 0..1, flattened: float64 (n, 256); sides of images are multiples of 16.

    Coarse enough that blurred outlines do not count, with no network that could have been trained on these faces, and quick
    enough to be taken while a generator learns.
    """
    n, height, width, _ = check_images(images).shape
    if height % THUMBNAIL or width % THUMBNAIL:
        raise ValueError(f"images of {height} x {width} pixels have no thumbnails of {THUMBNAIL} x {THUMBNAIL}")
    grey = images @ np.array([0.299, 0.587, 0.114]) / 255  # ITU-R BT.601 luma
    return grey.reshape(n, THUMBNAIL, height // THUMBNAIL, THUMBNAIL, width // THUMBNAIL).mean(axis=(2, 4)).reshape(n, -1)


def _pixels(name: str, images: np.ndarray, minimum: int = 1) -> np.ndarray:
    return check_images(images, name, minimum).reshape(len(images), -1) / 255


def nearest_real(generated: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of each generated image's nearest real one, and the Euclidean distance of the pixels in 0..1."""
    return nearest(_pixels("generated", generated), _pixels("real", real))


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance between the pixels (0..1) of all pairs of different images: a measure of diversity."""
    squared = squared_distances(_pixels("images", images, minimum=2), dtype=np.float64)
    return float(np.sqrt(squared)[np.triu_indices(len(images), 1)].mean())


def structural_similarity(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al., 2004) of images uint8 (n, height, width, 3) pair by pair: (n,), 1 for equal ones.

    The Gaussian window has 11 pixels and a standard deviation of 1.5, and lies within the image, as in Wang et al.'s code:
    torchmetrics lets it reach beyond the border, into mirrored pixels, so that these are cut from its map.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure as similarity

    images = check_images(generated, "generated"), check_images(real, "real")
    if images[0].shape != images[1].shape:
        raise ValueError(f"generated are {images[0].shape} and real {images[1].shape}; expected the same, pair by pair")
    pair = [torch.tensor(side).permute(0, 3, 1, 2).float() for side in images]  # far quicker than double
    whole = similarity(*pair, data_range=255.0, reduction="none", return_full_image=True)[1].permute(0, 2, 3, 1).numpy()
    return whole[:, 5:-5, 5:-5].mean(axis=(1, 2, 3))
