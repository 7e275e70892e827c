import warnings

import numpy as np
import pandas as pd
import pytest
from planted import clusters
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from fergan.svm.gaussian_svc import GaussianSVC

WORDS = np.array(["sad", "angry", "happy", "fearful"])
QUICK = {"n_evaluations": 4, "cv": 4}


def samples(n_samples=120, n_classes=4):
    """Clusters far from the origin, with words as labels."""
    X, y = clusters(n_samples, n_classes=n_classes)
    return X + 10, WORDS[y]


@parametrize_with_checks([GaussianSVC(n_evaluations=3, cv=2)])
def test_the_estimator_keeps_the_conventions_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
    assert np.array_equal(model.classes_, direct.classes_)
    assert len(np.setxor1d(model.support_, direct.support_)) <= 2  # those whose coefficient is about zero
    assert np.array_equal(model.support_vectors_, X[model.support_])


def test_groups_stay_in_one_fold_and_any_splitter_will_do():
    X, y = samples()
    groups = np.random.default_rng(0).permutation(120) % 5
    model = GaussianSVC(n_evaluations=4, cv=LeaveOneGroupOut()).fit(X, y, groups=groups)
    of_numbers = GaussianSVC(n_evaluations=4, cv=5).fit(X, y, groups=groups)  # five folds of five groups: the same
    for k in range(5):
        direct = SVC(kernel="rbf", break_ties=True, **model.cv_results_["params"][2]).fit(X[groups != k].astype(float), y[groups != k])
        expected = direct.score(X[groups == k].astype(float), y[groups == k])
        assert model.cv_results_[f"split{k}_test_score"][2] == expected
        assert expected in [of_numbers.cv_results_[f"split{j}_test_score"][2] for j in range(5)]


def test_results_of_the_search_have_the_form_of_scikit_learns_own():
    X, y = samples()
    model = GaussianSVC(n_evaluations=4, cv=10).fit(X, y)
    table = pd.DataFrame(model.cv_results_)
    assert len(table) == 4 and table["rank_test_score"][model.best_index_] == 1 and model.best_params_ == table["params"][model.best_index_]
    assert model.best_score_ == table["mean_test_score"][model.best_index_] == table["mean_test_score"].max()
    splits = table[[f"split{k}_test_score" for k in range(10)]]
    np.testing.assert_allclose(table[["mean_test_score", "std_test_score"]], np.stack([splits.mean(axis=1), splits.std(axis=1, ddof=0)], 1))
    assert table["param_C"].tolist() == [p["C"] for p in table["params"]]


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
