"""Support vector machines: kernels, the search of their parameters, and an estimator as scikit-learn has them."""

import json
import sys
import time

import numpy as np
import pandas as pd
import pytest
from planted import clusters
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from tiny import WITH_TESTS, kill_when

from fergan.svm import kernels
from fergan.svm.gaussian_svc import GaussianSVC
from fergan.svm.kernels import SharedKernel, gaussian_kernel, gram, multiclass_values, squared_distances, typical_distance
from fergan.svm.nystroem import Landmarks, distances_within, kernels_of
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE, search

QUICK = {"n_evaluations": 4, "cv": 4}


def test_distances_are_scipys_far_from_the_origin_and_gram_is_centred_on_and_scaled_by_its_second_argument():
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
    X, _ = clusters(30, seed=1)
    Y, _ = clusters(12, seed=2)
    mean = Y.astype(float).mean(axis=0)
    scale = np.mean(np.sum((Y - mean) ** 2, axis=1))
    np.testing.assert_allclose(gram(X, Y), (X - mean) @ (Y - mean).T / scale, rtol=1e-10, atol=1e-12)
    X = np.array([[0.0], [1.0], [3.0]])
    assert typical_distance(squared_distances(X)) == 4  # of 1, 4, 9
    many = np.broadcast_to(np.float32(1), (2_000_000, 3))
    for of, size in ((squared_distances, "16,000"), (gram, "32,000")):
        with pytest.raises(ValueError, match=f"kernels of 2,000,000 faces .* need {size} GB, .* take fewer faces"):
            of(many)
    with pytest.raises(ValueError, match="collapsed"):
        typical_distance(np.zeros((5, 5)))
    with pytest.raises(ValueError, match="collapsed"):
        gram(np.ones((5, 3)))


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


def test_the_kernel_is_computed_in_float64_and_a_class_without_training_faces_never_predicted():
    D2 = squared_distances(clusters(150)[0])
    expected = np.exp(-0.3 * D2.astype(float))
    for n_threads in (1, 3):
        K = gaussian_kernel(D2, 0.3, n_threads=n_threads)
        np.testing.assert_allclose(K, expected, rtol=1e-14)
    # What rounding the distances to float32 costs, as stated.
    exact = np.exp(-0.3 * squared_distances(clusters(150)[0], dtype=np.float64))
    assert 0 < np.abs(exact - expected).max() < 2.2e-8
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
    # Threads are as many as the memory holds.
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
    assert np.array_equal(values[:, 2], values[:, 3]) and not np.array_equal(values[:, 0], values[:, 1])
    assert np.isnan(kernels.linear_values(np.eye(3), np.ones(3), np.eye(3), [1.0, 2.0])).all(), "one label has no values"


def peak(C, gamma):
    yield -(np.log10(C / 20) ** 2) - np.log10(gamma * 50 / 0.3) ** 2, 1


def constant(*scored):
    return lambda C, gamma: (pair for pair in scored)


def folds(C, gamma):
    """Ten folds of 20 faces: how many are recognised depends on the distance from a peak, and on the fold."""
    distance = abs(np.log10(C / 20)) + abs(np.log10(gamma / 0.3))
    for fold in range(10):
        yield max(0, 18 - int(5 * distance) - fold % 3), 20


def counted(calls):
    def objective(C, gamma):
        calls.append(C)
        yield from folds(C, gamma)

    return objective


def test_search_finds_a_peak_repeats_itself_prefers_the_middle_of_a_plateau_and_refuses_what_has_no_score():
    result = search(peak, 50.0, n_evaluations=14, seed=1)
    assert result.score > -0.1  # within a third of a decade of the peak, in a box of 4 by 2.5 decades
    assert result.score > result.trials["score"][:7].max() and result.trials["chosen"].sum() == 1
    assert result.score == next(peak(result.C, result.gamma))[0] == result.trials["score"].max()
    assert result.trials["C"].between(*COST_RANGE).all() and result.trials["gamma_scale"].between(*GAMMA_SCALE_RANGE).all()
    assert result.trials.equals(search(peak, 50.0, n_evaluations=14, seed=1).trials)
    assert not result.trials.equals(search(peak, 50.0, n_evaluations=14, seed=2).trials)
    # Below a cost of 3 everything is named alike, above 300 it is worse: neither edge of the plateau between is chosen.
    def plateau(C, gamma):
        yield 2 if 3 < C < 300 else 1, 3

    found = search(plateau, 1.0, n_evaluations=20)
    tied = np.sort(found.trials.loc[found.trials["score"] == found.score, "C"])
    assert len(tied) > 4 and tied[1] < found.C < tied[-2]
    result = search(constant((1, 1), (1, 3), (0, 6)), 1.0, n_evaluations=4)
    assert (result.trials["score"] == 0.2).all(), "the share of all points"
    assert np.array_equal(result.fold_scores, [[1, 1 / 3, 0]] * 4)
    for scored, n, words in (((1, 2), 2, "at least 3"), ((np.nan, 1), 3, "is nan")):
        with pytest.raises(ValueError, match=words):
            search(constant(scored), 1.0, n_evaluations=n)


def slow(C, gamma):
    time.sleep(0.1)
    yield from folds(C, gamma)


def test_a_killed_search_ends_in_the_same_trials(tmp_path):
    def n_finished():
        return sum(len(json.loads(path.read_text())) for path in tmp_path.glob("[!.]*.json"))

    code = f"from test_svm import search, slow; search(slow, 1.0, n_evaluations=18, seed=3, journal={str(tmp_path)!r})"
    kill_when(lambda: n_finished() >= 8, sys.executable, "-c", code, env=WITH_TESTS)
    calls, n = [], n_finished()
    assert 8 <= n < 18
    resumed, whole = search(counted(calls), 1.0, n_evaluations=18, seed=3, journal=tmp_path), search(folds, 1.0, n_evaluations=18, seed=3)
    assert len(calls) == 18 - n and resumed.trials.equals(whole.trials) and np.array_equal(resumed.fold_scores, whole.fold_scores)


def test_a_longer_search_continues_a_shorter_one_and_another_search_begins_anew(tmp_path):
    search(folds, 1.0, n_evaluations=20, journal=tmp_path)
    calls = []
    longer = search(counted(calls), 1.0, n_evaluations=23, journal=tmp_path)
    assert len(calls) == 3 and longer.trials.equals(search(folds, 1.0, n_evaluations=23).trials)
    search(counted(calls), 1.0, n_evaluations=21, journal=tmp_path)
    assert len(calls) == 3, "a shorter one reads the beginning"
    for change in ({}, {"problem": "other"}, {"seed": 1}, {"distance": 2.0}):  # so short a one has other starting points
        calls.clear()
        search(counted(calls), **dict(distance=1.0, n_evaluations=4, journal=tmp_path) | change)
        assert len(calls) == 4
    assert len(list(tmp_path.iterdir())) == 5
    next(tmp_path.glob("other*")).write_text("{")
    with pytest.raises(ValueError, match="is not readable as JSON"):
        search(folds, 1.0, n_evaluations=4, problem="other", journal=tmp_path)


def samples(n_samples=120, n_classes=4):
    """Clusters far from the origin, with words as labels."""
    X, y = clusters(n_samples, n_classes=n_classes)
    return X + 10, np.array(["sad", "angry", "happy", "fearful"])[y]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([GaussianSVC(n_evaluations=3, cv=2)])
def test_the_estimator_keeps_the_conventions_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_it_predicts_fold_by_fold_and_afterwards_what_libsvms_own_rbf_predicts(n_classes):
    X, y = samples(600, n_classes=n_classes)
    model = GaussianSVC(seed=3, **QUICK).fit(X[:90], y[:90])
    for trial, parameters in enumerate(model.cv_results_["params"]):
        direct = SVC(kernel="rbf", break_ties=True, **parameters)
        right = 0
        for k, (train, fold) in enumerate(StratifiedKFold(4, shuffle=True, random_state=3).split(X[:90], y[:90])):
            predicted = clone(direct).fit(X[train].astype(float), y[train]).predict(X[fold].astype(float))
            assert model.cv_results_[f"split{k}_test_score"][trial] == np.mean(predicted == y[fold])
            right += np.sum(predicted == y[fold])
        assert model.cv_results_["mean_test_score"][trial] == right / 90
    direct = SVC(kernel="rbf", break_ties=True, **model.best_params_).fit(X[:90].astype(float), y[:90])
    assert np.array_equal(model.predict(X[90:]), direct.predict(X[90:].astype(float)))
    np.testing.assert_allclose(model.decision_function(X[90:]), direct.decision_function(X[90:].astype(float)), atol=5e-3)
    assert len(np.setxor1d(model.support_, direct.support_)) <= 2  # those whose coefficient is about zero
    assert np.array_equal(model.support_vectors_, X[model.support_])


def test_groups_stay_in_one_fold_any_splitter_will_do_and_results_have_the_form_of_scikit_learns_own():
    X, y = samples()
    groups = np.random.default_rng(0).permutation(120) % 5
    model = GaussianSVC(n_evaluations=4, cv=LeaveOneGroupOut()).fit(X, y, groups=groups)
    of_numbers = GaussianSVC(n_evaluations=4, cv=5).fit(X, y, groups=groups)  # five folds of five groups: the same
    for k in range(5):
        direct = SVC(kernel="rbf", break_ties=True, **model.cv_results_["params"][2]).fit(X[groups != k].astype(float), y[groups != k])
        expected = direct.score(X[groups == k].astype(float), y[groups == k])
        assert model.cv_results_[f"split{k}_test_score"][2] == expected
        assert expected in [of_numbers.cv_results_[f"split{j}_test_score"][2] for j in range(5)]
    table = pd.DataFrame(model.cv_results_)
    assert len(table) == 4 and table["rank_test_score"][model.best_index_] == 1 and model.best_params_ == table["params"][model.best_index_]
    assert model.best_score_ == table["mean_test_score"][model.best_index_] == table["mean_test_score"].max()
    splits = table[[f"split{k}_test_score" for k in range(5)]]
    np.testing.assert_allclose(table[["mean_test_score", "std_test_score"]], np.stack([splits.mean(axis=1), splits.std(axis=1, ddof=0)], 1))


def test_it_works_in_pipelines_with_a_journal_and_on_any_number_of_threads(tmp_path, monkeypatch):
    X, y = samples()
    model = make_pipeline(PCA(5, random_state=0), GaussianSVC(journal=tmp_path, **QUICK))
    predicted = cross_val_predict(model, X, y, groups=np.arange(120) // 4, cv=GroupKFold(3))
    assert np.mean(predicted == y) > 0.4 and len(list(tmp_path.glob("gaussian-svc-*.json"))) == 3
    searched = [clone(model).set_params(gaussiansvc__journal=None, gaussiansvc__n_threads=n).fit(X, y) for n in (1, 2)]
    model.fit(X, y)
    monkeypatch.setattr("fergan.svm.kernels.SharedKernel.values", lambda *a: pytest.fail("a finished trial was done again"))
    values = [m.decision_function(X) for m in (clone(model).fit(X, y), *searched, model)]
    assert all(np.array_equal(values[0], of_model) for of_model in values[1:])


def test_more_faces_than_memory_are_approximated_without_the_faces_that_are_tested(monkeypatch):
    X, y = clusters(700, n_features=40)
    train, test = np.split(np.arange(700), [560])
    assert kernels.room(12) == 23_979 and kernels.room(0.012) >= 700 > kernels.room(0.0022) and isinstance(distances_within(X, 0.012), np.ndarray)
    models = kernels_of(distances_within(X, 0.0022), y, memory_gb=0.0022)
    gamma = 1 / typical_distance(models.D2)
    lost = models.accuracy_lost(np.array_split(np.arange(700), 5), 3, gamma)
    assert lost["n_searched"] == kernels.room(0.0022) and lost["approximate"] > 0.4 and abs(lost["exact"] - lost["approximate"]) < 0.06
    # With every face a landmark, the map is the whole kernel: (K + I/C) a + b = y, sum(a) = 0 (Suykens and Vandewalle, 1999).
    monkeypatch.setattr("fergan.svm.nystroem.N_LANDMARKS", 700)
    (values,) = kernels_of(Landmarks(X, 0.012), y).values(3, gamma, [(train, test)])
    K = np.block([[np.zeros((1, 1)), np.ones((1, 560))],
                  [np.ones((560, 1)), gaussian_kernel(squared_distances(X[train]), gamma) + np.eye(560) / 3]])
    b, *a = np.linalg.solve(K, np.vstack([np.zeros((1, y.max() + 1)), 2.0 * np.eye(y.max() + 1)[y[train]] - 1]))
    direct = gaussian_kernel(squared_distances(X[test], X[train]), gamma) @ np.array(a) + b
    np.testing.assert_allclose(values, direct, atol=1e-4)
    # Faces that are tested, some of them landmarks, cannot change what the others get.
    monkeypatch.setattr("fergan.svm.nystroem.N_LANDMARKS", 60)
    moved = X + 100 * np.isin(np.arange(700), test[:-1])[:, None]
    values, after = (kernels_of(Landmarks(faces, 0.012), y).values(3, gamma, [(train, test)])[0] for faces in (X, moved))
    np.testing.assert_allclose(values[-1], after[-1], atol=1e-4)  # the centre of the distances moved
    assert np.abs(values[0] - after[0]).max() > 0.1
    model, exact = (GaussianSVC(memory_gb=memory, **QUICK).fit(X[train], y[train]) for memory in (0.0022, 12))
    assert abs(model.score(X[test], y[test]) - exact.score(X[test], y[test])) < 0.1 and not hasattr(model, "support_vectors_")


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(("change", "message"), [
    ({"y": lambda y: np.where(np.arange(120) == 5, "bored", y)}, "no sample of class bored to train on"),
    ({"y": lambda y: np.full(120, "sad")}, "all 120 samples are sad"),
    ({"groups": np.arange(120) % 3}, "is empty|n_splits=4"),
    ({"groups": np.arange(9)}, "inconsistent numbers of samples"),
    ({"memory_gb": 1e-6}, "memory_gb is 1e-06"),
    ({"X": "same"}, "most faces have the same features"),
])
def test_what_cannot_work_is_refused_before_any_search(monkeypatch, change, message):
    monkeypatch.setattr("fergan.svm.kernels.fit_svc", lambda *a, **k: pytest.fail("a model was fitted"))
    X, y = samples()
    change = dict(change)
    X = X * (change.pop("X", "") != "same")
    y = change.pop("y", lambda y: y)(y)
    groups = change.pop("groups", None)
    with pytest.raises(ValueError, match=message):
        GaussianSVC(**QUICK | change).fit(X, y, groups)


def test_decision_values_are_computed_in_float64_and_many_rows_in_parts(monkeypatch):
    X, y = samples(n_classes=2)
    model = GaussianSVC(**QUICK).fit(X, y)
    distances = np.sum((X[:, None].astype(float) - model.support_vectors_.astype(float)) ** 2, axis=2)
    svc = model._model
    expected = np.exp(-model.best_params_["gamma"] * distances) @ svc.dual_coef_[0] + svc.intercept_
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=0, atol=1e-11)
    whole = model.predict(X)
    monkeypatch.setattr("fergan.svm.gaussian_svc._AT_ONCE", 120 * 7)
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=0, atol=1e-11)
    assert np.array_equal(model.predict(X), whole)
