"""Detectors of Action Units: no cost or value depends on the labels that it is scored on; pooled ones share a scale."""

import numpy as np
import pandas as pd
import pytest
from test_action_units import column, faces

from fergan.experiments.au_detectors import UnitLearner, relabel
from fergan.experiments.cross_validation import fold_blocks, grouped_folds
from fergan.experiments.intervals import auc
from fergan.facs import ACTION_UNITS
from fergan.svm.kernels import gram


def test_relabelling_follows_table_six():
    table = pd.DataFrame(relabel(["happy", "anger", None, "neutral", pd.NA]), columns=list(ACTION_UNITS))
    assert list(table.columns[table.loc[0] == 1]) == ["AU06", "AU12", "AU25"]
    assert list(table.columns[table.loc[1] == 1]) == ["AU04", "AU05", "AU07", "AU17", "AU23", "AU24"]
    assert table.loc[[2, 4]].isna().all(axis=None) and (table.loc[3] == 0).all()
    assert relabel(["angry"], "emfacs")[0, ACTION_UNITS.index("AU17")] == 0


def test_neither_cost_nor_value_of_a_fold_depends_on_its_labels():
    data = faces(noise=2.0)
    Y, K = data.Y[:, [2, 3, 7]], gram(data.X)
    folds, block = grouped_folds(Y[:, 0], data.subjects, 4, seed=0), fold_blocks(4, 3)[1]
    assert len(block) == 1
    rows = folds[block[0]]
    other = Y.copy()
    other[rows] = 1 - Y[rows]
    before, after = (UnitLearner(K, labels, np.array([0.01, 0.1, 1.0])).subject_independent(folds, 3) for labels in (Y, other))
    assert np.array_equal(before.values[rows], after.values[rows])
    assert np.array_equal(before.searches[1][2], after.searches[1][2])
    assert not np.array_equal(before.searches[0][2], after.searches[0][2])


def test_folds_with_different_costs_are_pooled_on_one_scale(monkeypatch):
    data = faces(noise=3.0, n_subjects=16)
    y = column(data, "AU12")
    folds, learner = grouped_folds(y, data.subjects, 8, seed=0), UnitLearner(gram(data.X), y[:, None], np.array([0.003, 30.0]))
    turns = iter([0, 1] * 16)
    monkeypatch.setattr(UnitLearner, "_choose", lambda self, values: (np.array([next(turns)]), np.zeros((1, 2))))
    found = learner.subject_independent(folds, 3)
    each = [auc(found.values[fold, 0], y[fold] == 1) for fold in folds]
    assert auc(found.values[:, 0], y == 1) == pytest.approx(np.mean(each), abs=0.03)
    # Without it the values of one cost are spread many times as wide as those of the other.
    monkeypatch.setattr("fergan.experiments.au_detectors._scale_of", lambda values: (0.0, 1.0))
    raw = learner.subject_independent(folds, 3)
    spreads = [np.array([np.std(result.values[fold]) for fold in folds]) for result in (raw, found)]
    assert spreads[0].max() > 10 * spreads[0].min() and spreads[1].max() < 2 * spreads[1].min()
