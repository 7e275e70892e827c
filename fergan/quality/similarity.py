"""Structural similarity of pairs of images."""

import numpy as np

__all__ = ["structural_similarity"]


def structural_similarity(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of pairs of images: 1 for equal ones.

    Parameters
    ----------
    generated, real : ndarray of shape (n, height, width, 3), dtype uint8
        Pair by pair; Gaussian window of 11 pixels with standard deviation 1.5.

    Returns
    -------
    ndarray of shape (n,)

    References
    ----------
    Wang et al. (2004), by torchmetrics.
    """
    import torch  # with torchmetrics, for this score alone
    from torchmetrics.functional.image import structural_similarity_index_measure

    pairs = (torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() for images in (generated, real))
    return structural_similarity_index_measure(*pairs, data_range=255.0, reduction="none").numpy()
