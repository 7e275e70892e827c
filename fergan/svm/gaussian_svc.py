"""A Gaussian SVM that chooses its C and gamma itself, as a scikit-learn estimator."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from fergan.svm.kernels import TrainTest, fit_svc, gaussian_kernel, squared_distances, typical_distance
from fergan.svm.nystroem import Landmarks, approximate_svc, distances_within, kernels_of
from fergan.svm.search import SearchResult, search_folds

_FLOATS = (np.float64, np.float32)
_AT_ONCE = 10**8  # kernel values that a prediction holds


@dataclass(eq=False, repr=False, kw_only=True)
class GaussianSVC(ClassifierMixin, BaseEstimator):
    """LibSVM's ``SVC(kernel="rbf")`` with C and gamma found by Bayesian optimisation over cross-validation folds.

    It predicts what `sklearn.svm.SVC` with ``break_ties=True`` predicts at the same C and gamma. The search shares one
    matrix of distances, which makes it much faster where there are many features. Features are not standardised.

    Args:
        n_evaluations: Points (C, gamma) that are tried, at least 3.
        cv: int or scikit-learn splitter; folds are drawn at random, stratified, of whole groups where `fit` is given some.
        seed: Of these folds and of the search.
        n_threads, memory_gb: Folds fitted at the same time, see `fergan.svm.kernels.SharedKernel`. Of more samples than
            have room C and gamma are chosen on some, and the model is approximated, see `fergan.svm.nystroem`: it has no
            support vectors.
        journal: See `fergan.svm.search.search`.

    Attributes:
        best_params_, best_score_, best_index_: ``C`` and ``gamma``, their cross-validated accuracy (the maximum of the
            search, and therefore too good), their trial.
        cv_results_: As of `sklearn.model_selection.GridSearchCV`, without times. The mean is the accuracy over all samples,
            so that larger folds count more.
        classes_, n_features_in_, support_, support_vectors_: As of `sklearn.svm.SVC`.
    """

    n_evaluations: int = 30
    cv: Any = 10
    seed: int = 0
    n_threads: int = 1
    memory_gb: float = 12.0
    journal: str | Path | None = None

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> "GaussianSVC":
        """Search, then train on everything.

        Features (n_samples, n_features) are finite, classes (n_samples,) numbers or strings. Samples of one of the groups
        (n_samples,), for example a person, stay in one fold. What cannot work is refused before the search: a class that
        some training part lacks, fewer groups than folds, or too little memory for any approximation.
        """
        X, y = validate_data(self, X, y, dtype=_FLOATS, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        parts = self._parts(y, groups)
        D2 = distances_within(X, self.memory_gb)
        models = kernels_of(D2, codes, n_threads=self.n_threads, memory_gb=self.memory_gb)
        result = search_folds(models, parts, typical_distance(models.D2), n_evaluations=self.n_evaluations, seed=self.seed,
                              journal=self.journal, name="gaussian-svc")
        del models  # and its kernel matrix
        self.best_params_, self.best_score_ = {"C": result.C, "gamma": result.gamma}, result.score
        self.best_index_, self.cv_results_ = int(result.trials["chosen"].argmax()), _cv_results(result)
        if isinstance(D2, Landmarks):
            self._model = approximate_svc(X, codes, result.C, result.gamma)
            return self
        self._model = fit_svc(gaussian_kernel(D2, result.gamma, n_threads=self.n_threads), codes, result.C)
        self.support_, self.support_vectors_ = self._model.support_, X[self._model.support_]
        return self

    def _parts(self, y: np.ndarray, groups: np.ndarray | None) -> list[TrainTest]:
        if len(self.classes_) < 2:
            raise ValueError(f"all {len(y)} samples are {y[0]!s}; a classifier needs at least two classes")
        if groups is not None:
            check_consistent_length(y, groups)
        splitter = self.cv
        if not hasattr(splitter, "split"):
            kind = StratifiedKFold if groups is None else StratifiedGroupKFold
            splitter = kind(self.cv, shuffle=True, random_state=self.seed)
        parts = list(splitter.split(np.zeros(len(y)), y, groups))
        for number, (train, test) in enumerate(parts):
            absent = np.setdiff1d(self.classes_, y[train])
            if len(absent) or not len(test):
                what = f"has no sample of class {absent[0]!s} to train on" if len(absent) else "is empty"
                raise ValueError(f"fold {number} of {len(parts)} {what}; try other folds, or leave the class out")
        return parts

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class of each sample."""
        codes = [self._model.predict(rows) for rows in self._kernels(X)]
        return self.classes_[np.concatenate(codes)]

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return decision values as `sklearn.svm.SVC` does: (n_samples, n_classes), with two classes (n_samples,)."""
        return np.concatenate([self._model.decision_function(rows) for rows in self._kernels(X)])

    def _kernels(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield, of some rows at a time, the kernel with the support vectors; features where the model is approximated."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=_FLOATS)
        if isinstance(self._model, Pipeline):
            yield from (X[rows] for rows in gen_batches(len(X), 10_000))
            return
        n_train = self._model.shape_fit_[0]
        for rows in gen_batches(len(X), max(1, _AT_ONCE // n_train)):
            D2 = squared_distances(X[rows], self.support_vectors_, dtype=np.float64)
            K = np.zeros((len(D2), n_train))
            K[:, self.support_] = gaussian_kernel(D2, self.best_params_["gamma"])
            yield K


def _cv_results(result: SearchResult) -> dict[str, object]:
    C, gamma, scores = (result.trials[name].to_numpy() for name in ("C", "gamma", "score"))
    return {
        "params": result.trials[["C", "gamma"]].to_dict("records"), "param_C": C, "param_gamma": gamma,
        **{f"split{k}_test_score": of_fold for k, of_fold in enumerate(result.fold_scores.T)},
        "mean_test_score": scores, "std_test_score": np.std(result.fold_scores, axis=1),
        "rank_test_score": rankdata(-scores, method="min").astype(np.int32),
    }
