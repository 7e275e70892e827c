"""Sample quality against closed forms and planted collapses."""

import numpy as np
import pytest
import torch
from scipy import linalg
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from fergan.quality.distances import (
    check_images,
    extrapolate_frechet,
    frechet_distance,
    inception_score,
    kernel_distance,
    rank_note,
)
from fergan.quality.neighbours import memorised_below, nearest_distances, neighbourhoods
from fergan.quality.similarity import (
    SCALES,
    mean_pairwise_distance,
    mean_pairwise_interval,
    multiscale_similarity,
    nearest_real,
    random_pairs,
    structural_similarity,
)


def with_statistics(n, mean, covariance, seed):
    """Draw n points and shift and scale them so that mean and covariance are exact."""
    x = np.random.default_rng(seed).standard_normal((n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_diagonal_gaussians_in_closed_form():
    rng = np.random.default_rng(0)
    a, b, shift = rng.uniform(0.5, 2, 64), rng.uniform(0.5, 2, 64), rng.standard_normal(64)
    first = with_statistics(300, np.zeros(64), np.diag(a**2), seed=1)
    second = with_statistics(400, shift, np.diag(b**2), seed=2)
    expected = shift @ shift + ((a - b) ** 2).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n", [20, 200])  # fewer samples than features, and more
def test_frechet_equals_the_matrix_square_root_route(n):
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((n, 40)), 0.3 + rng.standard_normal((n, 40)) @ rng.standard_normal((40, 40))
    c1, c2 = np.cov(first.T), np.cov(second.T)
    eigenvalues = linalg.eigvals(c1 @ c2).real.clip(min=0)
    difference = first.mean(0) - second.mean(0)
    expected = difference @ difference + np.trace(c1 + c2) - 2 * np.sqrt(eigenvalues).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_frechet_equals_torch_fidelitys():
    rng = np.random.default_rng(5)
    first, second = rng.standard_normal((150, 30)), 1.5 * rng.standard_normal((120, 30)) + 0.2
    statistics = [fid_features_to_statistics(torch.from_numpy(side)) for side in (first, second)]
    (expected,) = fid_statistics_to_metric(*statistics, verbose=False).values()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("shape", [(50, 8), (40, 90)])
def test_frechet_of_a_set_with_itself_is_zero_and_neither_order_nor_type_matters(shape):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.standard_normal(shape) + 0.1
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-10)
    assert frechet_distance(x[::-1], y) == pytest.approx(frechet_distance(x, y), rel=1e-10)


def test_a_float32_covariance_gives_another_distance():
    """The witness: far from the origin, where features lie, single precision loses what the closed form keeps."""
    first, second = (with_statistics(300, np.full(64, mean), np.eye(64), seed) for seed, mean in enumerate((300.0, 300.1)))
    expected = 64 * 0.1**2
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    x, y = (side.astype(np.float32) for side in (first, second))
    covariances = [(side.T @ side - len(side) * np.outer(side.mean(0), side.mean(0))) / np.float32(len(side) - 1) for side in (x, y)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    plain = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert not abs(plain - expected) < 0.1 * expected


def test_too_few_samples_have_no_full_covariance_and_it_is_said():
    assert "1,608 samples of 2,048 features" in rank_note(1608, 2048) and "rank 1,607" in rank_note(1608, 2048)
    assert rank_note(5000, 2048) == ""


def test_the_extrapolated_distance_is_nearer_to_the_truth_than_any_measured_one():
    rng = np.random.default_rng(3)
    shift = 0.1
    first, second = rng.standard_normal((1500, 24)), shift + rng.standard_normal((1500, 24))
    found = extrapolate_frechet(first, second)
    true = 24 * shift**2
    assert found.n[0] == 600 and found.n[-1] == 1500
    assert (np.diff(found.distance) < 0).all() and found.slope > 0
    assert abs(found.infinite - true) < 0.5 * abs(found.distance[-1] - true)
    assert found.low < found.infinite < found.high
    same = extrapolate_frechet(first[:750], first[750:])
    assert abs(same.infinite) < 0.2 * same.distance[-1], "one distribution is at distance 0"
    with pytest.raises(ValueError, match="expected at least 20"):
        extrapolate_frechet(first[:10], second)


def test_kernel_distance_equals_a_double_loop():
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((12, 5)), 0.5 + rng.standard_normal((12, 5))

    def kernel(a, b):
        return (a @ b / 5 + 1) ** 3

    within = [sum(kernel(side[i], side[j]) for i in range(12) for j in range(12) if i != j) / (12 * 11) for side in (x, y)]
    across = sum(kernel(a, b) for a in x for b in y) / 12**2
    assert kernel_distance(x, y) == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_kernel_distance_is_unbiased_where_the_frechet_distance_is_not():
    rng = np.random.default_rng(8)
    draws = [(rng.standard_normal((30, 6)), rng.standard_normal((30, 6))) for _ in range(200)]
    kernels = np.array([kernel_distance(*draw) for draw in draws])
    assert abs(kernels.mean()) < 3 * kernels.std() / np.sqrt(200) and (kernels < 0).any()
    assert min(frechet_distance(*draw) for draw in draws) > 0.2


def test_inception_score_of_a_uniform_classifier_is_one_and_of_a_perfect_one_the_number_of_classes():
    assert inception_score(np.zeros((100, 8))) == pytest.approx(1, abs=1e-12)
    certain = 50 * np.eye(5)[np.arange(200) % 5]
    assert inception_score(certain, n_splits=1) == pytest.approx(5, rel=1e-9)
    assert inception_score(certain[:1].repeat(200, axis=0)) == pytest.approx(1, abs=1e-12)  # certain, and always the same
    with pytest.raises(ValueError, match="some class has probability 0"):  # the library's NaN is an error here
        inception_score(20 * certain[:1].repeat(200, axis=0))
    with pytest.raises(ValueError, match="logits has 15 rows; expected at least 20"):
        inception_score(np.zeros((15, 8)))


def test_neighbourhoods_by_hand():
    """On a line: real faces at 0 to 7, samples crowded at 0; the radii to the third and fifth neighbours are known."""
    real = np.arange(8.0)[:, None]
    generated = np.array([[0.01], [0.02], [0.03], [0.04], [0.05], [100.0]])
    found = neighbourhoods(generated, real)
    assert found.precision == pytest.approx(5 / 6)  # the one at 100 lies in no neighbourhood
    # The crowd's radii are below .05 and reach 0 only; that of the far one, 99.97, reaches 1 to 7.
    assert found.recall == 1
    assert neighbourhoods((generated[:5] - 0.01).repeat(2, axis=0), real).recall == pytest.approx(1 / 8)
    # To the fifth neighbour: 0 and 7 reach 5 away, 1 and 6 reach 4, the others 3; the crowd lies within 0, 1, 2 and 3.
    assert found.coverage == pytest.approx(4 / 8)
    assert found.density == pytest.approx(4 * 5 / (5 * 6))


def test_a_collapsed_generator_is_precise_and_recalls_nothing_and_a_scattered_one_the_reverse():
    rng = np.random.default_rng(9)
    real = rng.standard_normal((200, 4))
    collapsed = real[:1] + 1e-3 * rng.standard_normal((200, 4))
    found = neighbourhoods(collapsed, real)
    assert found.precision == 1 and found.recall < 0.05 and found.coverage < 0.15
    swapped = neighbourhoods(real, collapsed)
    assert swapped.precision < 0.05 and swapped.recall == 1
    same = neighbourhoods(rng.standard_normal((200, 4)), real)
    assert same.precision > 0.7 and same.recall > 0.7 and same.coverage > 0.8 and same.density == pytest.approx(1, abs=0.15)


def test_precision_and_recall_equal_torch_fidelitys_and_blocks_change_nothing():
    rng = np.random.default_rng(10)
    x, y = rng.standard_normal((150, 6)), 1.3 * rng.standard_normal((110, 6)) + 0.4
    expected = prc_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), verbose=False)
    found = neighbourhoods(x, y)
    assert found.precision == pytest.approx(expected["precision"]) and found.recall == pytest.approx(expected["recall"])
    assert neighbourhoods(x, y, block_rows=7) == neighbourhoods(x, y, block_rows=1) == found


def test_memorised_faces_are_found_by_the_distances_of_real_ones():
    rng = np.random.default_rng(11)
    real = rng.standard_normal((300, 10))
    below = memorised_below(real)
    new, copied = rng.standard_normal((200, 10)), real[:20] + 1e-4 * rng.standard_normal((20, 10))
    assert (nearest_distances(new, real) <= below).mean() < 0.05
    assert (nearest_distances(copied, real) <= below).all()
    np.testing.assert_allclose(nearest_distances(real[:5], real), 0, atol=1e-6)
    by_hand = np.sort(np.linalg.norm(real[:, None] - real, axis=2))[:, 1]
    np.testing.assert_allclose(nearest_distances(real), by_hand, rtol=1e-9)


@pytest.mark.parametrize("score", [frechet_distance, kernel_distance, neighbourhoods])
def test_every_score_of_features_refuses_what_has_none(score):
    x = np.random.default_rng(0).standard_normal((30, 4))
    hole = x.copy()
    hole[3, 2] = np.nan
    for pair, words in (((hole, x), "generated holds values that are not finite"), ((x, hole), "real holds values"),
                        ((x[:1], x), "generated has 1 rows"), ((x, x[:1]), "real has 1 rows"), ((x, x[:, :2]), "expected the same"),
                        ((x[0], x), "expected (n_samples, n_features)")):
        with pytest.raises(ValueError) as caught:
            score(*pair)
        assert words in str(caught.value)


@pytest.mark.parametrize(("images", "words"), [
    (np.zeros((4, 64, 64), np.uint8), "expected uint8 (n, height, width, 3)"),
    (np.zeros((4, 3, 64, 64), np.uint8), "expected uint8 (n, height, width, 3)"),
    (np.zeros((4, 64, 64, 3), np.float32), "with values 0 to 255"),
    (np.ones((4, 64, 64, 3), np.uint8), "no value above 1"),
    (np.zeros((0, 64, 64, 3), np.uint8), "expected at least 1"),
])
def test_images_of_another_shape_or_range_are_refused(images, words):
    good = np.full((4, 64, 64, 3), 9, np.uint8)
    for score in (lambda x: check_images("generated", x), lambda x: structural_similarity(x, good), lambda x: nearest_real(x, good)):
        with pytest.raises(ValueError) as caught:
            score(images)
        assert words in (str(caught.value) if len(images) else str(caught.value) + " expected at least 1")


def test_frechet_refuses_what_has_no_distance():
    x = np.zeros((5, 3))
    with pytest.raises(ValueError, match="generated has 1 rows"):
        frechet_distance(x[:1], x)
    with pytest.raises(ValueError, match="real holds values that are not finite"):
        frechet_distance(x, x + np.nan)
    with pytest.raises(ValueError, match="expected the same"):
        frechet_distance(x, x[:, :2])


def test_pairwise_distance_by_hand_and_zero_for_a_collapsed_generator():
    images = np.zeros((3, 2, 2, 3), np.uint8)
    images[1] = 255  # distance sqrt(12) to the others
    assert mean_pairwise_distance(images) == pytest.approx(np.sqrt(12) * 2 / 3)
    assert mean_pairwise_distance(images[[0, 0, 0]]) == 0  # black: nothing to round
    with pytest.raises(ValueError, match="no pairs"):
        mean_pairwise_distance(images[:1])


def test_pairwise_interval_holds_the_value_and_narrows_with_n():
    rng = np.random.default_rng(0)
    widths = []
    for n in (20, 320):
        images = rng.integers(0, 256, (1, 1, 1, 3)) * np.ones((n, 8, 8, 3)) * rng.uniform(0, 1, (n, 1, 1, 1))
        images = images.astype(np.uint8)
        low, high = mean_pairwise_interval(images)
        assert low < mean_pairwise_distance(images) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2  # a quarter in expectation


def test_nearest_real_finds_the_planted_copy():
    rng = np.random.default_rng(1)
    real = rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    rows, distances = nearest_real(real[[7, 3]], real)
    assert rows.tolist() == [7, 3]
    np.testing.assert_allclose(distances, 0, atol=1e-6)
    assert nearest_real(255 - real[:1], real)[1][0] > 1


def test_structural_similarity_is_one_for_equals_and_falls_with_noise():
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    noisy = (images.astype(int) + rng.integers(-60, 61, images.shape)).clip(0, 255).astype(np.uint8)
    np.testing.assert_allclose(structural_similarity(images, images), 1, atol=1e-5)
    assert (structural_similarity(noisy, images) < 0.95).all() and structural_similarity(255 - images, images).max() < 0
    with pytest.raises(ValueError, match="pair by pair"):
        structural_similarity(images, images[:2])


def test_similarity_over_scales_has_three_of_them_and_falls_with_noise():
    assert sum(SCALES) == pytest.approx(1) and len(SCALES) == 3
    rng = np.random.default_rng(4)
    images = rng.integers(60, 200, (3, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2).astype(np.uint8)
    noisy = (images.astype(int) + rng.integers(-40, 41, images.shape)).clip(0, 255).astype(np.uint8)
    np.testing.assert_allclose(multiscale_similarity(images, images), 1, atol=1e-5)
    several, single = multiscale_similarity(noisy, images), structural_similarity(noisy, images)
    assert (several < 0.99).all() and (several > single).all(), "coarse scales forgive noise"


def test_pairs_are_of_different_images():
    first, second = random_pairs(5, 400, seed=1)
    assert (first != second).all() and set(first) == set(second) == set(range(5))
    with pytest.raises(ValueError, match="no pairs"):
        random_pairs(1, 3)
