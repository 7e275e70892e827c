import tracemalloc

import numpy as np
import pytest

from fergan.svm.kernels import gaussian_kernel, gram, squared_distances, typical_distance


def clusters(n_samples=120, n_features=8, n_classes=4, spread=1.5, seed=0):
    """Overlapping Gaussian clusters in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.normal(size=(n_classes, n_features))[y] + spread * rng.normal(size=(n_samples, n_features))
    return X.astype(np.float32), y


def loop(X, Y):
    return np.array([[np.sum((x.astype(float) - y.astype(float)) ** 2) for y in Y] for x in X])


def test_distances_equal_a_double_loop_far_from_the_origin():
    # 1,000 away from the origin, float32 products without centring would lose every digit of these distances.
    X, _ = clusters(20)
    X = X + np.float32(1000)
    Y = X[:7] + np.float32(0.25)
    D2 = squared_distances(X, Y, dtype=np.float64)
    np.testing.assert_allclose(D2, loop(X, Y), rtol=1e-10)
    # The stated error of a float32 result: half a unit in the last place, and the one of the summation.
    assert squared_distances(X, Y).dtype == np.float32 and D2.shape == (20, 7)
    np.testing.assert_allclose(squared_distances(X, Y), loop(X, Y), rtol=2.0**-24 + 1e-10)


def test_distances_to_itself_are_symmetric_with_a_zero_diagonal():
    X, _ = clusters(50)
    D2 = squared_distances(np.concatenate([X, X]))
    assert np.array_equal(D2, D2.T)
    assert np.all(np.diag(D2) == 0)
    assert D2.min() >= 0
    exact = squared_distances(X, dtype=np.float64)  # whose last bits no rounding hides
    assert np.array_equal(exact, exact.T)
    np.testing.assert_allclose(D2[:50, :50], squared_distances(X, X), rtol=2e-7, atol=1e-12)


@pytest.mark.parametrize("n_bytes", [600, 1e4, 1e5])
def test_blocks_of_any_size_give_the_same_matrices(monkeypatch, n_bytes):
    X, _ = clusters(53)
    Y, _ = clusters(31, seed=1)
    pairs = ((X,), (X, Y), (Y, X))
    whole = [(squared_distances(*pair), gram(*pair)) for pair in pairs]
    monkeypatch.setattr("fergan.svm.kernels._BLOCK_BYTES", n_bytes)
    for pair, (D2, K) in zip(pairs, whole, strict=True):
        # Bits may differ: a product is summed in another order.
        np.testing.assert_allclose(squared_distances(*pair), D2, rtol=2e-7, atol=1e-12)
        np.testing.assert_allclose(gram(*pair), K, rtol=1e-9, atol=1e-12)
    assert np.array_equal(squared_distances(X), squared_distances(X).T)


def test_blocks_stay_within_their_memory(monkeypatch):
    monkeypatch.setattr("fergan.svm.kernels._BLOCK_BYTES", 2e6)
    X = np.random.default_rng(0).normal(size=(1500, 400)).astype(np.float32)  # 4.8 MB as float64
    tracemalloc.start()
    D2 = squared_distances(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - D2.nbytes < 2e6


def test_both_arithmetics_agree():
    X, _ = clusters(40)
    Y, _ = clusters(30, seed=1)
    for pair in ((X + np.float32(100),), (X, Y)):
        there = squared_distances(*pair, device="cpu:0")  # PyTorch's, as on a GPU
        np.testing.assert_allclose(there, squared_distances(*pair, device="cpu"), rtol=2e-7, atol=1e-12)
        np.testing.assert_allclose(gram(*pair, device="cpu:0"), gram(*pair), rtol=1e-9, atol=1e-12)


def test_gram_is_centred_on_and_scaled_by_its_second_argument():
    X, _ = clusters(30, seed=1)
    Y, _ = clusters(12, seed=2)
    mean = Y.astype(float).mean(axis=0)
    scale = np.mean(np.sum((Y - mean) ** 2, axis=1))
    np.testing.assert_allclose(gram(X, Y), (X - mean) @ (Y - mean).T / scale, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.diag(gram(Y)).mean(), 1)


def test_typical_distance_is_the_median_and_refuses_collapsed_features():
    X = np.array([[0.0], [1.0], [3.0]])
    assert typical_distance(squared_distances(X)) == 4  # of 1, 4, 9
    with pytest.raises(ValueError, match="collapsed"):
        typical_distance(np.zeros((5, 5)))
    with pytest.raises(ValueError, match="collapsed"):
        gram(np.ones((5, 3)))


def test_the_kernel_is_computed_in_float64_on_any_number_of_threads():
    D2 = squared_distances(clusters(150)[0])
    expected = np.exp(-0.3 * D2.astype(float))
    for n_threads in (1, 3):
        K = gaussian_kernel(D2, 0.3, n_threads=n_threads)
        assert K.dtype == np.float64
        np.testing.assert_allclose(K, expected, rtol=1e-14)
    again = gaussian_kernel(D2, 0.1, out=K)
    assert again is K and not np.array_equal(K, expected)
    # What rounding the distances to float32 costs, as stated.
    exact = np.exp(-0.3 * squared_distances(clusters(150)[0], dtype=np.float64))
    assert 0 < np.abs(exact - expected).max() < 2.2e-8
