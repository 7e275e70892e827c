"""Who lies in whose neighbourhood: by hand, by another package, and with planted collapses and refusals."""

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from fergan.quality.distances import frechet_distance, kernel_distance
from fergan.quality.neighbours import memorised_below, nearest, nearest_other, neighbourhoods


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
    assert found.coverage == pytest.approx(4 / 8) and found.covered.tolist() == [True] * 4 + [False] * 4
    assert found.density == pytest.approx(4 * 5 / (5 * 6))


@pytest.mark.parametrize("k", [3, 5])
def test_precision_and_recall_equal_torch_fidelitys_and_blocks_change_nothing(k, monkeypatch):
    rng = np.random.default_rng(10)
    x, y = rng.standard_normal((150, 6)), 1.3 * rng.standard_normal((110, 6)) + 0.4
    expected = prc_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=k, verbose=False)
    found = neighbourhoods(x, y, k)
    assert found.precision == pytest.approx(expected["precision"]) and found.recall == pytest.approx(expected["recall"])
    for n_bytes in (8 * 110 * 7, 1):
        monkeypatch.setattr("fergan.quality.neighbours._BLOCK", n_bytes)
        assert neighbourhoods(x, y, k) == found


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


def test_memorised_faces_are_found_by_the_distances_of_real_ones():
    rng = np.random.default_rng(11)
    real = rng.standard_normal((300, 10))
    below = memorised_below(real)
    new, copied = rng.standard_normal((200, 10)), real[:20] + 1e-4 * rng.standard_normal((20, 10))
    assert (nearest(new, real)[1] <= below).mean() < 0.05
    rows, distances = nearest(copied, real)
    assert (distances <= below).all() and np.array_equal(rows, np.arange(20))
    by_hand = np.sort(np.linalg.norm(real[:, None] - real, axis=2))[:, 1]
    np.testing.assert_allclose(nearest_other(real), by_hand, rtol=1e-9)


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
