"""Detectors of Action Units: the faces they learn from, folds, and linear SVMs on one Gram matrix.

Throughout, `Y` has a column for each Action Unit and holds 0, 1 or NaN (not coded). The cost of a unit is the one with the
largest pooled area under the ROC curve; but for the published protocol it is not chosen on the faces that it serves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from fergan.cache import run_threads
from fergan.data.faces import FaceSet
from fergan.experiments import cross_validation as cv
from fergan.experiments.intervals import auc
from fergan.facs import ACTION_UNITS, action_units_of
from fergan.svm.kernels import kernel_slice, linear_values


@dataclass(frozen=True)
class AUData:
    """Features of faces and their Action Units."""

    X: np.ndarray  # (n_faces, n_features), float32
    Y: np.ndarray  # (n_faces, 14): the labels that are learnt and scored on
    subjects: np.ndarray  # (n_faces,), str
    truth: np.ndarray | None = None  # (n_faces, 14): where Y is derived from the emotion and the truth is known
    emotions: Sequence[str | None] | None = None
    rivals: Mapping[str, np.ndarray] = field(default_factory=dict)  # other features of the same faces, to compare X with

    @classmethod
    def of(cls, faces: FaceSet, features: Mapping[str, np.ndarray]) -> "AUData":
        """Take the coded Action Units of a face set; its first features are X, the others their rivals."""
        (X, *_), rivals = features.values(), dict(list(features.items())[1:])
        coded, emotions = faces.labels[list(ACTION_UNITS)].to_numpy(float), faces.labels["emotion"]
        emotions = [None if pd.isna(emotion) else emotion for emotion in emotions]
        return cls(X, coded, cv.people_or_duplicates(faces), None, emotions, rivals)

    def derived(self, mapping: str | None) -> "AUData":
        """Return these faces with Action Units derived by a mapping, if there is one; what was coded is then the truth."""
        if mapping is None:
            return self
        return replace(self, Y=relabel(self.emotions, mapping), truth=None if np.isnan(self.Y).all() else self.Y)


def relabel(emotions: Iterable[str | None], mapping: str = "paper") -> np.ndarray:
    """Derive Action Units, of shape (n_faces, 14), from emotions, as the paper does for RaFD; NaN where one is missing."""
    shown = [None if pd.isna(emotion) else action_units_of(emotion, mapping) for emotion in emotions]
    return np.array([[np.nan if units is None else float(unit in units) for unit in ACTION_UNITS] for units in shown])


def unit_folds(Y: np.ndarray, subjects: np.ndarray, n_folds: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Return `fergan.experiments.cross_validation.folds_of_protocols` by patterns of Action Units, the rare ones together.

    A ValueError says that no Action Unit is both present and absent, or that there are too few faces or people.
    """
    if not (np.nanmin(Y, axis=0, initial=1) < np.nanmax(Y, axis=0, initial=0)).any():
        raise ValueError("no Action Unit is both present and absent among these faces; nothing can be learnt")
    patterns = np.array(["".join("?" if np.isnan(v) else str(int(v)) for v in row) for row in Y])
    names, counts = np.unique(patterns, return_counts=True)

    def divisible(chosen: np.ndarray) -> bool:
        return chosen.sum() >= n_folds and len(np.unique(subjects[chosen])) >= 2

    common = [name for name in names if divisible(patterns == name)]
    strata = np.where(np.isin(patterns, common), patterns, "rare")
    rare = strata == "rare"
    if common and rare.any() and not divisible(rare):
        strata[rare] = names[counts.argmax()]
    if len(np.unique(strata)) < 2:  # nothing to stratify by: any two classes that are spread evenly will do
        strata = np.where(np.arange(len(Y)) % 2, "odd", "even")
    return cv.folds_of_protocols(strata, subjects, n_folds, seed)


def coded_auc(values: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve over the faces with a value and a label (0, 1 or NaN); NaN without positives or negatives."""
    known = ~np.isnan(values) & ~np.isnan(labels)
    return auc(values[known], labels[known] == 1)


class Decisions(NamedTuple):
    """Decision values, with the searches behind them."""

    values: np.ndarray  # (n_faces, n_units)
    searches: list[tuple[str, np.ndarray, np.ndarray]]  # folds served, cost indices (n_units,), areas (n_units, n_costs)


@dataclass(frozen=True)
class UnitLearner:
    """A linear SVM for each Action Unit, all on one Gram matrix and the same folds (the faces of each)."""

    K: np.ndarray  # Gram matrix (n_faces, n_faces), float64
    Y: np.ndarray  # (n_faces, n_units)
    costs: np.ndarray  # ascending values of C to choose from (n_costs,)
    n_threads: int = 1  # Action Units fitted at the same time

    def learn(self, protocol: str, folds: Sequence[np.ndarray], inner_folds: int,
              K_test: np.ndarray | None = None) -> Decisions:
        """Learn across datasets if there is a test set, else by the protocol; equal columns of labels share a classifier."""
        columns, unit_of = np.unique(np.nan_to_num(self.Y, nan=-1), axis=1, return_inverse=True)
        learner = replace(self, Y=np.where(columns == -1, np.nan, columns))
        nested = K_test is None and protocol != cv.AS_PUBLISHED
        found = learner.subject_independent(folds, inner_folds) if nested else learner.over_folds(folds, K_test)
        searches = [(served, chosen[unit_of], scores[unit_of]) for served, chosen, scores in found.searches]
        return Decisions(found.values[:, unit_of], searches)

    def over_folds(self, folds: Sequence[np.ndarray], K_test: np.ndarray | None = None) -> Decisions:
        """Choose costs over `folds`; decide on these, as published, or train on all for `K_test` (n_test, n_faces)."""
        every = np.empty((*self.Y.shape, len(self.costs)))  # by models of the other folds
        for fold in folds:
            every[fold] = self.values(fold)
        chosen, scores = self._choose(every)
        values = _at(every, chosen)
        if K_test is not None:
            values = self._fit(self.K, self.Y, K_test, self.costs[chosen, None])[..., 0]
        return Decisions(values, [("all", chosen, scores)])

    def subject_independent(self, folds: Sequence[np.ndarray], inner_folds: int) -> Decisions:
        """Score each fold with costs chosen without it, by a search for each block of folds.

        Decision values grow with the cost, and blocks (see `fergan.experiments.cross_validation.fold_blocks`) may choose
        different ones. So that values of all folds can be pooled, each block's are standardised: less the mean, and divided
        by the deviation, of the values with the same costs of faces outside the block, by models that had not seen them.
        """
        blocks = cv.fold_blocks(len(folds), inner_folds)
        rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
        # Values of all faces outside block a by models that saw neither it nor their own: one without a and c serves both.
        inner = np.full((len(rows), *self.Y.shape, len(self.costs)), np.nan)
        for a in range(len(rows)):
            for c in range(a):
                values = self.values(np.concatenate([rows[a], rows[c]]))
                inner[c][rows[a]], inner[a][rows[c]] = np.split(values, [len(rows[a])])
        found = Decisions(np.empty(self.Y.shape), [])
        for a, block in enumerate(blocks):
            chosen, scores = self._choose(inner[a])
            found.searches.append((" ".join(map(str, block)), chosen, scores))
            centre, spread = _scale_of(_at(inner[a], chosen))
            for i in block:
                found.values[folds[i]] = (self.values(folds[i], self.costs[chosen, None])[..., 0] - centre) / spread
        return found

    def values(self, test: np.ndarray, costs: np.ndarray | None = None, train: np.ndarray | None = None) -> np.ndarray:
        """Return the values (n_test, n_units, n_costs) by models of all other faces, or of `train`; NaN if of one class."""
        train = cv.other_rows(len(self.Y), [test]) if train is None else train
        costs = np.tile(self.costs, (self.Y.shape[1], 1)) if costs is None else costs
        return self._fit(kernel_slice(self.K, train, train), self.Y[train], kernel_slice(self.K, test, train), costs)

    def _fit(self, K_train: np.ndarray, Y: np.ndarray, K_test: np.ndarray, costs: np.ndarray) -> np.ndarray:
        def of_unit(u: int) -> np.ndarray:
            known = np.flatnonzero(~np.isnan(Y[:, u]))
            if len(known) == len(Y):
                return linear_values(K_train, Y[:, u], K_test, costs[u])
            return linear_values(kernel_slice(K_train, known, known), Y[known, u], K_test.take(known, axis=1), costs[u])

        return np.stack(run_threads(of_unit, range(Y.shape[1]), self.n_threads), axis=1)

    def _choose(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index of each unit's cost with the largest pooled area, the smallest on a tie, and all areas."""
        areas = np.array([[coded_auc(of_cost, y) for of_cost in values[:, u].T] for u, y in enumerate(self.Y.T)])
        return np.where(np.isnan(areas), -np.inf, areas).argmax(axis=1), areas


def _at(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Values (n_faces, n_units) at the chosen cost of each unit."""
    return np.take_along_axis(values, chosen[None, :, None], axis=2)[:, :, 0]


def _scale_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each unit's values, 0 and 1 where it has none."""
    known = np.ma.masked_invalid(values)
    spread = known.std(axis=0).filled(0)
    return known.mean(axis=0).filled(0), np.where(spread > 0, spread, 1.0)
