import subprocess
import sys

import numpy as np
import pytest
from sklearn.svm import SVC

from fergan.kernels import gaussian_kernel, gram, squared_distances, typical_distance
from fergan.search import COST_RANGE, GAMMA_SCALE_RANGE, search
from fergan.svm import binary_values, multiclass_values
from fergan.threads import run_threads


def clusters(n_samples=120, n_features=8, n_classes=4, spread=1.5, seed=0):
    """Overlapping Gaussian clusters in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.normal(size=(n_classes, n_features))[y] + spread * rng.normal(size=(n_samples, n_features))
    return X.astype(np.float32), y


def test_distances_equal_a_double_loop_far_from_the_origin():
    # 1,000 away from the origin, float32 products without centring would lose every digit of these distances.
    X, _ = clusters(20)
    X = X + np.float32(1000)
    Y = X[:7] + np.float32(0.25)
    expected = np.array([[np.sum((x.astype(float) - y.astype(float)) ** 2) for y in Y] for x in X])
    np.testing.assert_allclose(squared_distances(X, Y), expected, rtol=1e-10)
    assert squared_distances(X, Y).shape == (20, 7)


def test_distances_to_itself_are_symmetric_with_a_zero_diagonal():
    X, _ = clusters(50)
    D2 = squared_distances(np.concatenate([X, X]))
    assert np.array_equal(D2, D2.T)
    assert np.all(np.diag(D2) == 0)
    assert D2.min() >= 0
    np.testing.assert_allclose(D2[:50, :50], squared_distances(X, X), atol=1e-12)


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


@pytest.mark.parametrize("n_classes", [2, 4])
def test_precomputed_kernel_equals_libsvms_own_rbf_fold_by_fold(n_classes):
    X, y = clusters(n_classes=n_classes)
    gamma, C = 0.05, 3.0
    K = gaussian_kernel(squared_distances(X), gamma)
    for fold in np.array_split(np.arange(len(y)), 5):
        train = np.setdiff1d(np.arange(len(y)), fold)
        values = multiclass_values(K, y, train, fold, C, n_classes)
        direct = SVC(kernel="rbf", C=C, gamma=gamma, break_ties=True).fit(X[train].astype(float), y[train])
        expected = direct.decision_function(X[fold].astype(float))
        # LibSVM stops at a violation of 1e-3, and the order of the faces differs.
        np.testing.assert_allclose(values if n_classes > 2 else values[:, 1], expected, atol=5e-3)
        assert np.array_equal(values.argmax(axis=1), direct.predict(X[fold].astype(float)))


def test_a_class_without_training_faces_is_never_predicted():
    X, y = clusters()
    K = gaussian_kernel(squared_distances(X), 0.05)
    for kept in ([0, 2, 3], [0, 3]):
        values = multiclass_values(K, y, np.flatnonzero(np.isin(y, kept)), np.flatnonzero(y == 1), 1.0, 4)
        assert (values[:, 1] < values[:, kept].min(axis=1)).all()
    with pytest.raises(ValueError, match="single class"):
        multiclass_values(K, y, np.flatnonzero(y == 1), np.arange(5), 1.0, 4)


def test_linear_kernel_equals_libsvms_own_and_the_ladder_of_costs_equals_single_fits():
    X, y = clusters(n_features=200, n_classes=2)
    train, test = np.arange(80), np.arange(80, 120)
    costs = [0.01, 1.0, 100.0, 1000.0]
    K, K_test = gram(X[train]), gram(X[test], X[train])
    values = binary_values(K, y[train], K_test, costs)
    mean = X[train].mean(axis=0, dtype=float)
    scaled = (X - mean) / np.sqrt(np.mean(np.sum((X[train] - mean) ** 2, axis=1)))
    for index, C in enumerate(costs):
        direct = SVC(kernel="linear", C=C).fit(scaled[train], y[train])
        np.testing.assert_allclose(values[:, index], direct.decision_function(scaled[test]), atol=5e-3)
    # 80 faces in 200 dimensions are separable: the last two solve one problem and the early exit copies it.
    assert np.array_equal(values[:, 2], values[:, 3])
    assert not np.array_equal(values[:, 0], values[:, 1])


def test_an_action_unit_of_one_class_has_no_decision_values():
    assert np.isnan(binary_values(np.eye(3), np.ones(3), np.eye(3), [1.0, 2.0])).all()


def test_search_finds_a_peak_repeats_itself_and_beats_its_starting_points():
    def objective(C, gamma):
        return -(np.log10(C / 20) ** 2) - np.log10(gamma * 50 / 0.3) ** 2

    result = search(objective, 50.0, n_evaluations=14, seed=1)
    assert result.score > -0.1  # within a third of a decade of the peak, in a box of 4 by 2.5 decades
    assert result.score > result.trials["score"][:7].max()
    assert result.score == objective(result.C, result.gamma) == result.trials["score"].max()
    assert result.trials["chosen"].sum() == 1
    assert result.trials["C"].between(*COST_RANGE).all()
    assert result.trials["gamma_scale"].between(*GAMMA_SCALE_RANGE).all()
    assert result.trials.equals(search(objective, 50.0, n_evaluations=14, seed=1).trials)


def test_search_prefers_the_smallest_cost_on_a_plateau_and_refuses_too_few_evaluations():
    result = search(lambda C, gamma: 0.5, 1.0, n_evaluations=4)
    assert result.trials["C"].min() == result.C
    with pytest.raises(ValueError, match="at least 3"):
        search(lambda C, gamma: 0.5, 1.0, n_evaluations=2)
    with pytest.raises(ValueError, match="is nan"):
        search(lambda C, gamma: np.nan, 1.0, n_evaluations=3)


def test_threads_keep_the_order():
    assert run_threads(lambda x: x * x, range(20), 3) == [x * x for x in range(20)]


def test_importing_the_experiments_does_not_import_torch():
    code = "import sys, fergan.emotions, fergan.action_units; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
