"""Learning Action Units: folds, and linear support vector machines with their costs and thresholds on one Gram matrix.

Throughout, `Y` has a column for each Action Unit and holds 0, 1 or NaN (not coded), or intensities from 0 (absent) to 1
(maximum; FACS' five grades, A to E, are .2 apart). The cost of a unit is the one with the largest pooled score, its
threshold the one with the best F1. Neither is chosen on the faces that it serves, but for the costs of the published
protocol.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVR

from fergan.cache import run_threads
from fergan.experiments.au_scores import coded_auc, icc_3_1
from fergan.experiments.cross_validation import AS_PUBLISHED, fold_blocks, folds_of_protocols, other_rows
from fergan.svm.kernels import kernel_slice
from fergan.svm.machines import binary_values

#: Half a grade of FACS: a smaller error of an intensity costs nothing in training.
TOLERANCE = 0.1

_MAX_ITERATIONS = 100_000  # of LibSVM's solver, for each fit; a large cost may need millions for digits that do not matter
_CACHE_MB = 500


def unit_folds(Y: np.ndarray, subjects: np.ndarray, n_folds: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Return the folds of each protocol, stratified by the patterns of Action Units: see `folds_of_protocols`.

    A ValueError says that no Action Unit is both present and absent, or that there are too few faces or people.
    """
    strata = _strata(Y, subjects, n_folds)
    if len(np.unique(strata)) < 2:  # nothing to stratify by: any two classes that are spread evenly will do
        strata = np.where(np.arange(len(Y)) % 2, "odd", "even")
    return folds_of_protocols(strata, subjects, n_folds, seed)


def _strata(Y: np.ndarray, subjects: np.ndarray, n_folds: int) -> np.ndarray:
    """Class of each face for stratification: its pattern of Action Units, rare patterns together."""
    if not (np.nanmin(Y, axis=0, initial=1) < np.nanmax(Y, axis=0, initial=0)).any():
        raise ValueError("no Action Unit is both present and absent among these faces; nothing can be learnt")
    patterns = np.array(["".join("?" if np.isnan(v) else str(int(v)) for v in row) for row in Y])
    names, counts = np.unique(patterns, return_counts=True)
    common = {n for n, count in zip(names, counts, strict=True)
              if count >= n_folds and len(np.unique(subjects[patterns == n])) >= 2}
    strata = np.array([p if p in common else "rare" for p in patterns])
    rare = strata == "rare"
    if common and rare.sum() and (rare.sum() < n_folds or len(np.unique(subjects[rare])) < 2):
        strata[rare] = names[counts.argmax()]
    return strata


def best_f1_threshold(values: np.ndarray, positive: np.ndarray) -> float:
    """Return the threshold t for which the rule ``value >= t`` has the largest F1; NaN without positives.

    Faces whose value is NaN take no part. It is one of the values; of equally good thresholds the highest.
    """
    known = ~np.isnan(values)
    values, positive = values[known], positive[known]
    if not positive.any():
        return float("nan")
    descending = np.argsort(-values, kind="stable")
    hits = np.cumsum(positive[descending])
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + positive.sum())
    # Within a tie only the last face is a possible place for the threshold.
    last = np.append(np.diff(values[descending]) != 0, True)
    return float(values[descending][np.where(last, f1, -1).argmax()])


def intensity_values(K_train: np.ndarray, intensity: np.ndarray, K_test: np.ndarray, costs: Sequence[float]) -> np.ndarray:
    """Train one linear support vector regression per cost and return its estimates, cut to 0..1.

    Arguments and shapes are those of `fergan.svm.machines.binary_values`, with intensities as labels; so is the end of the
    ladder of costs, where a solution does not touch its bound. NaN where all training faces have the same intensity.
    """
    values = np.full((len(K_test), len(costs)), np.nan)
    if len(np.unique(intensity)) < 2:
        return values
    for index, C in enumerate(costs):
        model = SVR(kernel="precomputed", C=C, epsilon=TOLERANCE, cache_size=_CACHE_MB, max_iter=_MAX_ITERATIONS)
        with config_context(assume_finite=True), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            values[:, index] = np.clip(model.fit(K_train, intensity).predict(K_test), 0, 1)
        if not model.dual_coef_.size or np.abs(model.dual_coef_).max() < C * (1 - 1e-9):
            values[:, index + 1 :] = values[:, [index]]
            break
    return values


class Decisions(NamedTuple):
    """Decision values and thresholds of shape (n_faces, n_units), with the searches behind them.

    Each search has the outer folds that it served, each unit's index of a cost (n_units,), and scores (n_units, n_costs).
    """

    values: np.ndarray
    thresholds: np.ndarray
    searches: list[tuple[str, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class UnitLearner:
    """A linear SVM for each Action Unit, all on one Gram matrix and the same folds (the faces of each).

    Where it does not `classify`, it estimates intensities: these need neither thresholds nor a common scale.
    """

    K: np.ndarray  # Gram matrix (n_faces, n_faces), float64
    Y: np.ndarray  # (n_faces, n_units)
    costs: np.ndarray  # ascending values of C to choose from (n_costs,)
    classify: bool = True
    n_threads: int = 1  # Action Units fitted at the same time

    def learn(
        self, protocol: str, folds: Sequence[np.ndarray], inner_folds: int, K_test: np.ndarray | None = None
    ) -> Decisions:
        """Learn across datasets if there is a test set, otherwise within one dataset by the given protocol.

        Labels that are the same for every face, as those derived from an emotion often are, share one classifier, so that
        they cannot differ by rounding.
        """
        columns, unit_of = np.unique(np.nan_to_num(self.Y, nan=-1), axis=1, return_inverse=True)
        columns[columns == -1] = np.nan
        learner = replace(self, Y=columns)
        nested = K_test is None and protocol != AS_PUBLISHED
        found = learner.subject_independent(folds, inner_folds) if nested else learner.over_folds(folds, K_test)
        searches = [(served, chosen[unit_of], scores[unit_of]) for served, chosen, scores in found.searches]
        return Decisions(found.values[:, unit_of], found.thresholds[:, unit_of], searches)

    def over_folds(self, folds: Sequence[np.ndarray], K_test: np.ndarray | None = None) -> Decisions:
        """Choose the costs over `folds`; decide on those very folds, as published, or train on all and decide on a test set.

        The thresholds of a fold are the best ones on the other folds, those of a test set the best ones on all folds.
        `K_test`, of shape (n_test, n_faces), is the Gram matrix of test and training faces.
        """
        every = self.out_of_fold(folds)
        chosen, scores = self._choose(every)
        values, search = _at(every, chosen), ("all", chosen, scores)
        if K_test is not None:
            thresholds = self._thresholds(values, self.Y)
            values = decision_values(self.K, self.Y, K_test, self.costs[chosen, None], self.classify, self.n_threads)[..., 0]
            return Decisions(values, np.broadcast_to(thresholds, values.shape), [search])
        thresholds = np.empty_like(values)
        for fold in folds:
            rest = other_rows(len(values), [fold])
            thresholds[fold] = self._thresholds(values[rest], self.Y[rest])
        return Decisions(values, thresholds, [search])

    def subject_independent(self, folds: Sequence[np.ndarray], inner_folds: int) -> Decisions:
        """Score each fold with costs and thresholds chosen without it, by a search for each block of folds.

        Decision values grow with the cost, and blocks may choose different ones. So that values of all folds can be pooled,
        each block's are standardised: less the mean, and divided by the standard deviation, of the values with the same
        costs of faces outside the block, by models that had not seen them. For the blocks see
        `fergan.experiments.cross_validation.fold_blocks`.
        """
        blocks = fold_blocks(len(folds), inner_folds)
        rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
        inner = self._values_without_blocks(rows)
        found = Decisions(np.empty(self.Y.shape), np.empty(self.Y.shape), [])
        for a, block in enumerate(blocks):
            chosen, scores = self._choose(inner[a])
            found.searches.append((" ".join(map(str, block)), chosen, scores))
            of_chosen = _at(inner[a], chosen)
            centre, spread = _scale_of(of_chosen) if self.classify else (0.0, 1.0)
            found.thresholds[rows[a]] = (self._thresholds(of_chosen, self.Y) - centre) / spread
            for i in block:
                values = self._values(other_rows(len(self.Y), [folds[i]]), folds[i], self.costs[chosen, None])[..., 0]
                found.values[folds[i]] = (values - centre) / spread
        return found

    def out_of_fold(self, folds: Sequence[np.ndarray]) -> np.ndarray:
        """Return the values of every face by models trained on the other folds, of shape (n_faces, n_units, n_costs)."""
        values = np.empty((*self.Y.shape, len(self.costs)))
        for fold in folds:
            values[fold] = self._values(other_rows(len(self.Y), [fold]), fold)
        return values

    def _values(self, train: np.ndarray, test: np.ndarray, costs: np.ndarray | None = None) -> np.ndarray:
        costs = np.tile(self.costs, (self.Y.shape[1], 1)) if costs is None else costs
        K_train, K_test = kernel_slice(self.K, train, train), kernel_slice(self.K, test, train)
        return decision_values(K_train, self.Y[train], K_test, costs, self.classify, self.n_threads)

    def _values_without_blocks(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """For each block, values of all other faces by models that saw neither the block nor the one that the face is in.

        A model without blocks a and c serves both of them. Shape (n_blocks, n_faces, n_units, n_costs), NaN in the block.
        """
        inner = np.full((len(rows), *self.Y.shape, len(self.costs)), np.nan)
        for a in range(len(rows)):
            for c in range(a):
                values = self._values(other_rows(len(self.Y), [rows[a], rows[c]]), np.concatenate([rows[a], rows[c]]))
                inner[c][rows[a]], inner[a][rows[c]] = np.split(values, [len(rows[a])])
        return inner

    def _choose(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index of each unit's cost with the largest pooled score, the smallest on a tie, and all scores."""
        score = coded_auc if self.classify else lambda values, graded: icc_3_1(graded, values)
        scores = np.array([[score(of_cost, y) for of_cost in of_unit.T]
                           for of_unit, y in zip(values.transpose(1, 0, 2), self.Y.T, strict=True)])
        return np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1), scores

    def _thresholds(self, values: np.ndarray, Y: np.ndarray) -> np.ndarray:
        if not self.classify:
            return np.full(Y.shape[1], np.nan)
        known = ~np.isnan(Y)
        return np.array([best_f1_threshold(v[k], y[k] == 1) for v, y, k in zip(values.T, Y.T, known.T, strict=True)])


def decision_values(
    K_train: np.ndarray, Y: np.ndarray, K_test: np.ndarray, costs: np.ndarray, classify: bool = True, n_threads: int = 1
) -> np.ndarray:
    """Train every Action Unit with every cost (n_units, n_costs) on the faces for which it is coded.

    Returns values of shape (n_test, n_units, n_costs), NaN for a unit of which the training faces show only one class.
    """

    fit = binary_values if classify else intensity_values

    def of_unit(u: int) -> np.ndarray:
        known = np.flatnonzero(~np.isnan(Y[:, u]))
        if len(known) == len(Y):
            return fit(K_train, Y[:, u], K_test, costs[u])
        return fit(kernel_slice(K_train, known, known), Y[known, u], K_test.take(known, axis=1), costs[u])

    return np.stack(run_threads(of_unit, range(Y.shape[1]), n_threads), axis=1)


def _at(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Values (n_faces, n_units) at the chosen cost of each unit."""
    return np.take_along_axis(values, chosen[None, :, None], axis=2)[:, :, 0]


def _scale_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each unit's values, 0 and 1 where it has none."""
    known = ~np.isnan(values)
    n = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, values, 0).sum(axis=0) / n
    spread = np.sqrt(np.sum(np.where(known, values - centre, 0) ** 2, axis=0) / n)
    return centre, np.where(spread > 0, spread, 1.0)
