"""Scores of features that torch-fidelity computes: the inception score and the kernel distance."""

import numpy as np

from fergan.quality.checks import check_features, check_pair

__all__ = ["LARGEST_SUBSET", "inception_score", "kernel_distance"]

#: Rows whose kernel matrices are formed at once; more are drawn in subsets of this size, as published scores do.
LARGEST_SUBSET = 1000


def inception_score(logits: np.ndarray, n_splits: int = 10, seed: int = 0) -> float:
    """Inception score: exponential of the mean divergence of each sample's classes from those of all samples.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
        Before the softmax.
    n_splits : int
        Parts whose scores are averaged; the score of few samples is biased, so it belongs to the number of splits.
    seed : int
        Of the order of the samples.

    Returns
    -------
    float
        1 (every sample the same classes) to n_classes. It knows no real faces.

    References
    ----------
    Salimans et al. (2016), by torch-fidelity.
    """
    import torch
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    logits = check_features("logits", logits, minimum=2 * n_splits)
    score = isc_features_to_metric(torch.from_numpy(logits), splits=n_splits, rng_seed=seed)[KEY_METRIC_ISC_MEAN]
    if np.isnan(score):
        raise ValueError("the inception score is undefined: some class has probability 0 in all samples of a part")
    return score


def kernel_distance(
    generated: np.ndarray, real: np.ndarray, seed: int = 0, n_subsets: int = 100, n_features: int | None = None
) -> float:
    """Squared maximum mean discrepancy with the cubic kernel ``(x y / n_features + 1)^3``, unbiased (KID).

    Parameters
    ----------
    generated, real : ndarray of shape (n_samples, n_features)
        As many of each are compared: the smaller side's number, or subsets of `LARGEST_SUBSET` where both have more.
    seed : int
        Of the subsets.
    n_subsets : int
        Whose mean is taken where not all samples are compared at once.
    n_features : int, optional
        The kernel's, where the features were turned into fewer (`fergan.quality.backbones.compact`).

    Returns
    -------
    float
        0 in expectation for samples of one distribution, so a single value can lie below 0.

    References
    ----------
    Bińkowski et al. (2018), equation 4, by torch-fidelity.
    """
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    generated, real = check_pair(generated, real)
    size = min(len(generated), len(real), LARGEST_SUBSET)
    whole = size == len(generated) == len(real)
    found = kid_features_to_metric(
        torch.from_numpy(generated), torch.from_numpy(real), kid_subset_size=size, kid_subsets=1 if whole else n_subsets,
        kid_kernel_poly_gamma=1 / (n_features or generated.shape[1]), rng_seed=seed, verbose=False,
    )
    return found[KEY_METRIC_KID_MEAN]
