"""Scores of sets of features against closed forms, other routes and packages, with planted collapses and refusals."""

import numpy as np
import pytest
import torch
from scipy import linalg
from torch_fidelity.metric_prc import prc_features_to_metric

from fergan.quality.distances import (
    compact,
    frechet_distance,
    halves,
    inception_score,
    jackknife,
    memorised_below,
    nearest,
    nearest_other,
    neighbourhoods,
    wilson,
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
    assert frechet_distance(first, second) == pytest.approx(shift @ shift + ((a - b) ** 2).sum(), rel=1e-10)
    far = [with_statistics(300, np.full(64, mean), np.eye(64), seed) for seed, mean in enumerate((300.0, 300.1))]
    assert frechet_distance(*far) == pytest.approx(64 * 0.1**2, rel=1e-8), "where single precision loses it"


@pytest.mark.parametrize("n", [20, 200])  # fewer samples than features, and more
def test_frechet_equals_the_matrix_square_root_route(n):
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((n, 40)), 0.3 + rng.standard_normal((n, 40)) @ rng.standard_normal((40, 40))
    c1, c2 = np.cov(first.T), np.cov(second.T)
    eigenvalues = linalg.eigvals(c1 @ c2).real.clip(min=0)
    difference = first.mean(0) - second.mean(0)
    expected = difference @ difference + np.trace(c1 + c2) - 2 * np.sqrt(eigenvalues).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(second[::-1], first) == pytest.approx(frechet_distance(first, second), rel=1e-10)


def test_inception_score_of_a_uniform_classifier_is_one_and_of_a_perfect_one_the_number_of_classes():
    assert inception_score(np.zeros((100, 8))) == pytest.approx(1, abs=1e-12)
    certain = 50 * np.eye(5)[np.arange(200) % 5]
    assert inception_score(certain, n_splits=1) == pytest.approx(5, rel=1e-9)
    with pytest.raises(ValueError, match="some class has probability 0"):  # the library's NaN is an error here
        inception_score(20 * certain[:1].repeat(200, axis=0))
    with pytest.raises(ValueError, match="logits has 15 rows; expected at least 20"):
        inception_score(np.zeros((15, 8)))


def test_compact_features_keep_every_product():
    rng = np.random.default_rng(2)
    sides = [rng.standard_normal((n, 300)).astype(np.float32) for n in (20, 30)]
    x, y = compact(*sides)
    assert x.shape == (20, 50) and y.shape == (30, 50) and x.dtype == np.float64
    np.testing.assert_allclose(x @ y.T, sides[0].astype(float) @ sides[1].astype(float).T, rtol=1e-9, atol=1e-9)
    assert compact(sides[0][:, :25])[0].shape == (20, 25), "no use where there are few features"


def test_neighbourhoods_by_hand():
    """On a line: real faces at 0 to 7, samples crowded at 0; the radii to the third and fifth neighbours are known."""
    real = np.arange(8.0)[:, None]
    generated = np.array([[0.01], [0.02], [0.03], [0.04], [0.05], [0.06], [100.0]])
    found = neighbourhoods(generated, real)
    assert found.precision == pytest.approx(6 / 7)  # the one at 100 lies in no neighbourhood
    # The crowd's radii are at most .05 and reach 0 only; that of the far one, 99.98, reaches 1 to 7.
    assert found.recall == 1 and neighbourhoods(generated[:6], real).recall == pytest.approx(1 / 8)
    # To the fifth neighbour: 0 and 7 reach 5 away, 1 and 6 reach 4, the others 3; the crowd lies within 0, 1, 2 and 3.
    assert found.coverage == pytest.approx(4 / 8)


def test_precision_and_recall_equal_torch_fidelitys_and_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(10)
    x, y = rng.standard_normal((150, 6)), 1.3 * rng.standard_normal((110, 6)) + 0.4
    expected = prc_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=5, verbose=False)
    found = neighbourhoods(x, y)
    assert found.precision == pytest.approx(expected["precision"]) and found.recall == pytest.approx(expected["recall"])
    for n_bytes in (8 * 110 * 7, 1):
        monkeypatch.setattr("fergan.quality.distances._BLOCK", n_bytes)
        assert neighbourhoods(x, y) == found


def test_a_collapsed_generator_is_precise_and_recalls_nothing_and_a_scattered_one_the_reverse():
    rng = np.random.default_rng(9)
    real = rng.standard_normal((200, 4))
    collapsed = real[:1] + 1e-3 * rng.standard_normal((200, 4))
    found = neighbourhoods(collapsed, real)
    assert found.precision == 1 and found.recall < 0.05 and found.coverage < 0.15
    swapped = neighbourhoods(real, collapsed)
    assert swapped.precision < 0.05 and swapped.recall == 1
    same = neighbourhoods(rng.standard_normal((200, 4)), real)
    assert same.precision > 0.7 and same.recall > 0.7 and same.coverage > 0.8


def test_memorised_faces_are_found_by_the_distances_of_real_ones():
    rng = np.random.default_rng(11)
    real = rng.standard_normal((300, 10))
    below = memorised_below(real)
    new, copied = rng.standard_normal((200, 10)), real[:20] + 1e-4 * rng.standard_normal((20, 10))
    assert (nearest(new, real)[1] <= below).mean() < 0.05
    rows, distances = nearest(copied, real)
    assert (distances <= below).all() and np.array_equal(rows, np.arange(20))
    twice = np.concatenate([real, real[:20]])  # exact duplicates among the real faces: copies of any face are copies still
    assert memorised_below(twice) == pytest.approx(below) and (nearest(real, twice)[1] <= memorised_below(twice)).all()
    by_hand = np.sort(np.linalg.norm(real[:, None] - real, axis=2))[:, 1]
    np.testing.assert_allclose(nearest_other(real), by_hand, rtol=1e-9)


def test_halves_of_people_share_nobody_and_all_sides_have_as_many_faces():
    subjects = np.repeat(np.arange(7), [30, 5, 5, 10, 10, 20, 20])
    floors = halves(subjects, 1000, seed=1)
    assert {len(side) for sides in floors.values() for side in sides} == {50}
    (first, second), faces = floors["floor_people"], floors["floor"]
    assert not set(subjects[first]) & set(subjects[second]) and set(subjects[faces[0]]) & set(subjects[faces[1]])
    assert all(not set(a) & set(b) for a, b in floors.values())
    assert {len(side) for sides in halves(subjects, 12).values() for side in sides} == {12}
    for alone in (np.arange(40), np.zeros(40), np.repeat([0, 1], [35, 5])):  # nothing to divide by, or nearly one person only
        assert list(halves(alone, 1000)) == ["floor"]


@pytest.mark.parametrize("score", [frechet_distance, neighbourhoods])
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


def test_intervals_of_means_and_shares_are_the_textbooks():
    x = np.random.default_rng(0).standard_normal(4000)
    value, low, high = jackknife(np.mean, x)
    assert value == pytest.approx(x.mean()) and low == pytest.approx(2 * value - high)
    assert (high - low) / 2 == pytest.approx(2.26 * x.std() / np.sqrt(4000), rel=0.5)  # Student's t of 9 degrees
    both = jackknife(lambda rows: [rows.mean(), rows.std()], x)
    assert both[0].shape == both[1].shape == (2,)
    with pytest.raises(ValueError, match="19 rows are too few for 10 groups"):
        jackknife(np.mean, x[:19])
    assert wilson(3, 4) == pytest.approx((0.3006, 0.9544), abs=1e-3)


def test_the_jackknife_holds_the_truth_where_a_bootstrap_of_the_frechet_distance_does_not():
    rng = np.random.default_rng(1)
    draws = [[rng.standard_normal((100, 8)) + shift for shift in (0, 0.5)] for _ in range(40)]
    expected = np.mean([frechet_distance(*draw) for draw in draws])  # at this n
    held = [low <= expected <= high for _, low, high in (jackknife(frechet_distance, *draw) for draw in draws)]
    assert np.mean(held) > 0.85
    again = [frechet_distance(*(side[rng.integers(100, size=100)] for side in draws[0])) for _ in range(50)]
    assert np.quantile(again, 0.1) > frechet_distance(*draws[0]), "drawn with replacement, samples seem less varied"
