"""Sample quality against closed forms and planted collapses."""

import numpy as np
import pytest
from scipy import linalg

from fergan.quality.diversity import mean_pairwise_distance, mean_pairwise_interval, nearest_real
from fergan.quality.frechet import frechet_distance
from fergan.quality.judge import judge_samples
from fergan.quality.similarity import structural_similarity


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


def test_frechet_of_a_set_with_itself_is_zero():
    x = np.random.default_rng(0).standard_normal((50, 8))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)


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


def test_judging_sees_noise_and_collapse(monkeypatch):
    def smooth(images, threshold):
        return (images.std(axis=(1, 2, 3)) < 40).astype(float)

    monkeypatch.setattr("fergan.quality.judge.face_rate", smooth)
    rng = np.random.default_rng(2)
    real = (rng.integers(60, 120, (80, 1, 1, 3)) + rng.integers(0, 9, (80, 64, 64, 3))).astype(np.uint8)
    collapsed = np.repeat(real[:1], 50, axis=0)
    scores = judge_samples(collapsed, real, n_faces=50)
    assert scores["distance_ratio"]["value"] == pytest.approx(0, abs=1e-6)  # distances come from a matrix product
    assert scores["ssim_nearest"]["value"] == pytest.approx(1)  # the collapsed face is a real one
    assert scores["faces_found"]["value"] == 1 and scores["faces_found"]["low"] > 0.9
    noise = rng.integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)
    scores = judge_samples(noise, real, n_faces=50)
    assert scores["faces_found"]["value"] == 0 and scores["faces_found"]["high"] < 0.1
    assert scores["frechet_hog"]["n_generated"] == scores["frechet_hog_floor"]["n_real"] == 40
    with pytest.raises(ValueError, match="expected at least 50"):
        judge_samples(noise[:10], real, n_faces=50)
