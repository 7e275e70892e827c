import numpy as np
import pytest
from planted import clusters
from scipy.spatial.distance import cdist
from sklearn.svm import SVC

from fergan.svm import kernels
from fergan.svm.kernels import SharedKernel, gaussian_kernel, gram, multiclass_values, squared_distances, typical_distance


def test_distances_are_scipys_far_from_the_origin_and_to_itself_symmetric_with_a_zero_diagonal():
    # 1,000 away from the origin, float32 products without centring would lose every digit of these distances.
    X, _ = clusters(20)
    X = X + np.float32(1000)
    Y = X[:7] + np.float32(0.25)
    expected = cdist(X.astype(float), Y.astype(float), "sqeuclidean")
    np.testing.assert_allclose(squared_distances(X, Y, dtype=np.float64), expected, rtol=1e-10)
    # The stated error of a float32 result: half a unit in the last place, and the one of the summation.
    assert squared_distances(X, Y).dtype == np.float32
    np.testing.assert_allclose(squared_distances(X, Y), expected, rtol=2.0**-24 + 1e-10)
    X, _ = clusters(50)
    D2 = squared_distances(np.concatenate([X, X]))
    exact = squared_distances(X, dtype=np.float64)  # whose last bits no rounding hides
    assert np.array_equal(D2, D2.T) and np.array_equal(exact, exact.T)
    assert np.all(np.diag(D2) == 0) and D2.min() >= 0
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


def test_gram_is_centred_on_and_scaled_by_its_second_argument_and_collapsed_features_are_refused():
    X, _ = clusters(30, seed=1)
    Y, _ = clusters(12, seed=2)
    mean = Y.astype(float).mean(axis=0)
    scale = np.mean(np.sum((Y - mean) ** 2, axis=1))
    np.testing.assert_allclose(gram(X, Y), (X - mean) @ (Y - mean).T / scale, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.diag(gram(Y)).mean(), 1)
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


def test_a_class_without_training_faces_is_never_predicted():
    X, y = clusters()
    K = gaussian_kernel(squared_distances(X), 0.05)
    for kept in ([0, 2, 3], [0, 3]):
        values = multiclass_values(K, y, np.flatnonzero(np.isin(y, kept)), np.flatnonzero(y == 1), 1.0, 4)
        assert (values[:, 1] < values[:, kept].min(axis=1)).all()
    with pytest.raises(ValueError, match="single class"):
        multiclass_values(K, y, np.flatnonzero(y == 1), np.arange(5), 1.0, 4)


def test_models_of_shared_kernels_come_in_order_on_any_number_of_threads():
    X, y = clusters()
    D2 = squared_distances(X)
    parts = [(np.setdiff1d(np.arange(120), fold), fold) for fold in np.array_split(np.arange(120), 6)]
    for n_threads in (1, 2):
        models = SharedKernel(D2, y, n_threads=n_threads)
        for C, gamma in ((1.0, 0.05), (30.0, 0.05), (1.0, 0.2), (1.0, 0.05)):  # another kernel, and the first again
            expected = [multiclass_values(gaussian_kernel(D2, gamma), y, *part, C, 4) for part in parts]
            assert all(map(np.array_equal, models.values(C, gamma, parts), expected))


def test_threads_are_as_many_as_the_memory_holds():
    D2 = np.zeros((1000, 1000), np.float32)  # 4 MB, their kernel 8 MB, and for each thread 8 + 4 MB
    y = np.arange(1000) % 3
    for memory_gb, n_threads in ((0.0245, 1), (0.0365, 2), (0.1, 4)):
        assert SharedKernel(D2, y, n_threads=4, memory_gb=memory_gb).n_threads == n_threads
    with pytest.raises(ValueError, match="memory_gb is 0.02; SVMs on 1000 faces need at least 0.024"):
        SharedKernel(D2, y, memory_gb=0.02)


def test_linear_kernel_equals_libsvms_own_and_the_ladder_of_costs_equals_single_fits():
    X, y = clusters(n_features=200, n_classes=2)
    train, test = np.arange(80), np.arange(80, 120)
    costs = [0.01, 1.0, 100.0, 1000.0]
    K, K_test = gram(X[train]), gram(X[test], X[train])
    values = kernels.linear_values(K, y[train], K_test, costs)
    mean = X[train].mean(axis=0, dtype=float)
    scaled = (X - mean) / np.sqrt(np.mean(np.sum((X[train] - mean) ** 2, axis=1)))
    for index, C in enumerate(costs):
        direct = SVC(kernel="linear", C=C).fit(scaled[train], y[train])
        np.testing.assert_allclose(values[:, index], direct.decision_function(scaled[test]), atol=5e-3)
    # 80 faces in 200 dimensions are separable: the last two solve one problem and the early exit copies it.
    assert np.array_equal(values[:, 2], values[:, 3])
    assert not np.array_equal(values[:, 0], values[:, 1])
    assert np.isnan(kernels.linear_values(np.eye(3), np.ones(3), np.eye(3), [1.0, 2.0])).all(), "one label has no values"
