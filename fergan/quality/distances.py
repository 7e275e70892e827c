"""Scores of two sets of features or images: how far they lie apart, who lies in whose neighbourhood; 95 % intervals.

Distances are taken in blocks of rows, so that no n x n matrix is ever held, and each block serves all three scores of
neighbourhoods; the packages that have them (torch-fidelity, prdc) form the whole matrix for each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats
from sklearn.utils import check_array, gen_batches

from fergan.features import check_images
from fergan.svm.kernels import squared_distances

NEIGHBOURS = 5  # to the fifth neighbour reaches a point's neighbourhood, as in the code of Naeem et al. (2020)
THUMBNAIL = 16  # pixels a side
N_GROUPS = 10  # of which the jackknife leaves out each once
_MEMORISED = 0.01  # samples nearer to a real face than all but this share of real faces are to another one
_BLOCK = 128 << 20  # bytes of one block of distances; it does not change the scores

#: For each kind of floor, real faces (or their rows, or features) that stand for samples, and those they are compared with.
Floors = Mapping[str, tuple[np.ndarray, np.ndarray]]


def checked_features(name: str, features: np.ndarray, minimum: int = 2) -> np.ndarray:
    """Return features (n_samples, n_features) as float64; an error where no score can be had from them."""
    return check_array(features, dtype=np.float64, ensure_min_samples=minimum, input_name=name, estimator=name)


def check_pair(generated: np.ndarray, real: np.ndarray, minimum: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides' features as `checked_features` does."""
    return checked_features("generated", generated, minimum), checked_features("real", real, minimum)


def halves(subjects: np.ndarray, largest: int, seed: int = 0) -> Floors:
    """Divide real faces in two, for what a perfect generator would reach: rows of as many faces on all sides.

    ``"floor"`` divides faces at random, so that the same person lies on both sides: samples of the people that were learnt
    would reach it. ``"floor_people"`` divides people (n_faces,), the one with most faces first, each to the side with fewer:
    samples of new people would reach it. It is absent where everybody has one face, and where one person has most faces.
    Every score depends on the number of faces, so that there is one: `largest`, or what the smallest side has.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(subjects))
    person, n_faces_of = np.unique(subjects, return_inverse=True, return_counts=True)[1:]
    sizes, side_of = [0, 0], np.empty(len(n_faces_of), int)
    for one in sorted(rng.permutation(len(n_faces_of)), key=lambda one: -n_faces_of[one]):
        side_of[one] = sizes[1] < sizes[0]
        sizes[side_of[one]] += n_faces_of[one]
    n, divided = min(largest, len(order) // 2), len(n_faces_of) < len(order) and 4 * min(sizes) >= len(order)
    n = min(n, *sizes) if divided else n
    floors = {"floor": (order[n : 2 * n], order[:n])}
    if divided:
        floors["floor_people"] = tuple(order[side_of[person[order]] == side][:n] for side in (0, 1))
    return floors


def frechet_distance(generated: np.ndarray, real: np.ndarray) -> float:
    """Squared Frechet distance of Gaussians fitted to features (n_samples, n_features); Heusel et al. (2017), equation 6.

    ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``. With centred features A and B (rows divided by
    ``sqrt(n - 1)``), ``tr((C1 C2)^(1/2))`` is the nuclear norm of ``A B^T``: exact, and never larger than n x n, so that
    no covariance of n_features x n_features is formed when there are fewer samples than features. In squared units of the
    features, 0 for equal sets. Biased upwards at small n, so compare at equal n.
    """
    generated, real = check_pair(generated, real)
    difference = generated.mean(0) - real.mean(0)
    a = (generated - generated.mean(0)) / np.sqrt(len(generated) - 1)
    b = (real - real.mean(0)) / np.sqrt(len(real) - 1)
    if a.shape[1] <= min(len(a), len(b)):
        import torch  # whose factorisation benchmarks/quality_speed.py measures

        a, b = (torch.linalg.qr(torch.from_numpy(side), mode="r")[1].numpy() for side in (a, b))
    overlap = linalg.svdvals(a @ b.T).sum()
    distance = difference @ difference + (a * a).sum() + (b * b).sum() - 2 * overlap
    return float(max(distance, 0.0))  # rounding can leave -1e-12 for equal sets


def inception_score(logits: np.ndarray, n_splits: int = 10, seed: int = 0) -> float:
    """Inception score: exponential of the mean divergence of each sample's classes from those of all samples.

    Salimans et al. (2016), by torch-fidelity: 1 (every sample the same classes) to n_classes. It knows no real faces.
    Logits (n_samples, n_classes) are those before the softmax. The scores of `n_splits` parts, in an order drawn by `seed`,
    are averaged; the score of few samples is biased, so it belongs to the number of splits.
    """
    import torch
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    logits = checked_features("logits", logits, minimum=2 * n_splits)
    score = isc_features_to_metric(torch.from_numpy(logits), splits=n_splits, rng_seed=seed)[KEY_METRIC_ISC_MEAN]
    if np.isnan(score):
        raise ValueError("the inception score is undefined: some class has probability 0 in all samples of a part")
    return score


@dataclass(frozen=True)
class Neighbourhoods:
    """What neighbourhoods say of samples (Kynkäänniemi et al., 2019, equations 1 to 3; Naeem et al., 2020, equation 4)."""

    precision: float  # share of samples inside the neighbourhood of some real face
    recall: float  # share of real faces inside the neighbourhood of some sample
    coverage: float  # share of real faces whose neighbourhood holds a sample


def neighbourhoods(generated: np.ndarray, real: np.ndarray) -> Neighbourhoods:
    """Measure how neighbourhoods of samples and real faces (n_samples, n_features) hold each other; compare at equal n."""
    x, y = check_pair(generated, real, minimum=NEIGHBOURS + 1)
    reach, of_generated = _radii(y, NEIGHBOURS), _radii(x, NEIGHBOURS)
    inside, covered, recalled = 0, np.zeros(len(y), bool), np.zeros(len(y), bool)
    for rows, squared in _blocks(x, y):
        close = squared <= reach
        inside += int(close.any(axis=1).sum())
        covered |= close.any(axis=0)
        recalled |= (squared <= of_generated[rows, None]).any(axis=0)
    return Neighbourhoods(inside / len(x), float(recalled.mean()), float(covered.mean()))


def nearest(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of the nearest of others to each point, and its Euclidean distance; each of shape (n_points,)."""
    x, y = check_pair(points, others, minimum=1)
    rows, distances = np.empty(len(x), int), np.empty(len(x))
    for block, squared in _blocks(x, y):
        rows[block] = squared.argmin(axis=1)
        distances[block] = np.sqrt(squared.min(axis=1))
    return rows, distances


def memorised_below(real: np.ndarray) -> float:
    """Return the distance below which a sample counts as memorised: the 1 % quantile of real faces' nearest others."""
    # Exact duplicates count once: they would make it 0, which no distance that is rounded stays below.
    return float(np.quantile(np.sqrt(_radii(checked_features("real", np.unique(real, axis=0)), 1)), _MEMORISED))


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of x and their squared distances to all of y."""
    for rows in gen_batches(len(x), max(1, _BLOCK // (8 * len(y)))):
        yield rows, squared_distances(x[rows], y, dtype=np.float64)


def _radii(x: np.ndarray, neighbour: int) -> np.ndarray:
    """Return each row's squared distance to its first, fifth, ... nearest other row."""
    radii = np.empty(len(x))
    for rows, squared in _blocks(x, x):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf  # not its own neighbour
        radii[rows] = np.partition(squared, neighbour - 1, axis=1)[:, neighbour - 1]
    return radii


def jackknife(score: Callable[..., float | Sequence[float]], *sides: np.ndarray,
              seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``value, low, high`` of one or several scores of the sides, from leaving out a tenth of each at a time.

    A bootstrap draws rows twice, which makes samples look less varied and raises every distance; leaving rows out does not.
    The interval is symmetric about the score of all rows. Shao and Tu (1995), section 2.3: groups of equal size, at random
    by `seed`, and Student's t of ``N_GROUPS - 1`` degrees of freedom.
    """
    if min(map(len, sides)) < 2 * N_GROUPS:
        raise ValueError(f"{min(map(len, sides))} rows are too few for {N_GROUPS} groups; expected at least {2 * N_GROUPS}")
    rng = np.random.default_rng(seed)
    parts = [np.array_split(rng.permutation(len(side)), N_GROUPS) for side in sides]
    left = np.array([score(*(np.delete(side, rows, axis=0) for side, rows in zip(sides, group, strict=True)))
                     for group in zip(*parts, strict=True)])
    deviation = np.sqrt((N_GROUPS - 1) / N_GROUPS * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    half, value = stats.t.ppf(0.975, N_GROUPS - 1) * deviation, np.asarray(score(*sides))
    return value, value - half, value + half


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Return grey pictures of 16 x 16 pixels in 0..1, flattened: float64 (n, 256); sides of images are multiples of 16.

    Coarse enough that blurred outlines do not count, with no network that could have been trained on these faces, and quick.
    """
    n, height, width, _ = check_images(images).shape
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
    pair = [torch.tensor(side).permute(0, 3, 1, 2).float() for side in images]  # far quicker than double
    whole = similarity(*pair, data_range=255.0, reduction="none", return_full_image=True)[1].permute(0, 2, 3, 1).numpy()
    return whole[:, 5:-5, 5:-5].mean(axis=(1, 2, 3))
