"""Scores of a transfer matrix: how well the features of each network serve each set of faces."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import permutation_test, rankdata

from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import bootstrap_interval, resampled_mean

__all__ = ["OTHERS", "MatrixFaces", "rank_correlation", "transfer_scores"]

#: What stands under ``features`` for the mean of all networks that learnt other faces than the ones they look at.
OTHERS = "networks of other faces"


@dataclass(frozen=True)
class MatrixFaces:
    """The faces of all targets, and which of them each kind of features named rightly.

    Attributes
    ----------
    right : DataFrame of shape (n_faces, n_features)
        1 or 0, one row per face of any target, one column per network or baseline.
    target, subject : ndarray of shape (n_faces,), str
        The set that a face is of, and its person; people of different sets are different people.
    networks : tuple of str
        The columns that are networks, each named after the set that it learnt.
    n_resamples, seed : int
        Of the bootstrap over people.
    """

    right: pd.DataFrame
    target: np.ndarray
    subject: np.ndarray
    networks: tuple[str, ...]
    n_resamples: int
    seed: int

    @property
    def targets(self) -> list[str]:
        """The sets, in the order of their first faces."""
        return list(dict.fromkeys(self.target))

    @property
    def others(self) -> np.ndarray:
        """Share of the networks of other faces that name each face rightly; NaN with the own network alone."""
        strange = np.stack([self.target != network for network in self.networks], axis=1)
        right = self.right[list(self.networks)].to_numpy()
        with np.errstate(invalid="ignore"):
            return (right * strange).sum(axis=1) / strange.sum(axis=1)

    def own(self) -> np.ndarray:
        """Return for each face whether the network of its own set names it rightly; NaN where there is none."""
        found = np.full(len(self.target), np.nan)
        for network in self.networks:
            found[self.target == network] = self.right.loc[self.target == network, network]
        return found

    def interval(self, values: np.ndarray) -> dict:
        """Return the mean over targets of the mean over their faces, with its 95 % interval over people.

        Faces whose value is NaN are left out.
        """
        there = np.isfinite(values)
        values, targets = values[there], np.unique(self.target[there], return_inverse=True)[1]
        people = np.char.add(np.char.add(self.target[there].astype(str), "/"), self.subject[there].astype(str))
        n_targets = targets.max(initial=-1) + 1

        def statistic(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
            return np.mean([_mean_where(values, targets == t, counts, codes) for t in range(n_targets)], axis=0)

        if not n_targets:
            return dict(value=np.nan, n_faces=0, n_subjects=0)
        low, high = bootstrap_interval(statistic, people, self.n_resamples, self.seed)
        value = np.mean([values[targets == t].mean() for t in range(n_targets)])
        return dict(value=value, low=low, high=high, n_faces=len(values), n_subjects=len(np.unique(people)))


def _mean_where(values: np.ndarray, chosen: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mean over the chosen faces of each resample."""
    share = resampled_mean(chosen.astype(float), counts, codes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share > 0, resampled_mean(values * chosen, counts, codes) / share, np.nan)


def transfer_scores(faces: MatrixFaces, majority: Mapping[str, float], n_emotions: Mapping[str, int]) -> list[dict]:
    """Return the rows of scores of a transfer matrix.

    Parameters
    ----------
    faces : MatrixFaces
    majority : mapping of str to float
        Target -> share of its commonest emotion.
    n_emotions : mapping of str to int
        Target -> how many emotions it has.

    Returns
    -------
    list of dict
        For `fergan.experiments.scores.score_table`; the label is the target, or "all" for the mean over targets. ``accuracy``
        of each kind of features and of `OTHERS`; ``minus_own``, a network's accuracy minus that of the network of
        the target's own faces; ``minus_<baseline>``, a network's accuracy minus a baseline's; ``advantage`` of each
        network, label "all": its accuracy minus the mean of the networks of other faces, over the targets that are
        not its own, so that easy targets favour nobody.
    """
    base = dict(protocol=SUBJECT_INDEPENDENT)
    baselines = [name for name in faces.right if name not in faces.networks]
    columns = {name: faces.right[name].to_numpy(dtype=float) for name in faces.right} | {OTHERS: faces.others}
    own = faces.own()
    rows = []
    for name, right in columns.items():
        comparisons = {"accuracy": right}
        if name not in baselines:
            comparisons |= {"minus_own": np.where(faces.target == name, np.nan, right - own)}
            comparisons |= {f"minus_{baseline}": right - columns[baseline] for baseline in baselines}
        for score, values in comparisons.items():
            rows += [base | dict(features=name, score=score) | row for row in _by_target(faces, values, n_emotions)]
        if name in faces.networks and len(faces.networks) > 1:
            elsewhere = np.where(faces.target == name, np.nan, right - columns[OTHERS])
            rows.append(base | dict(features=name, score="advantage", label="all") | faces.interval(elsewhere))
    rows += [base | dict(features="none", score="majority_accuracy", label=target, value=share)
             for target, share in majority.items()]
    return rows


def _by_target(faces: MatrixFaces, values: np.ndarray, n_emotions: Mapping[str, int]) -> list[dict]:
    """Return the mean at each target, where it is defined, and over all of them."""
    rows = []
    for target in faces.targets:
        row = faces.interval(np.where(faces.target == target, values, np.nan))
        if row["n_faces"]:
            rows.append(row | dict(label=target, n_labels=n_emotions[target]))
    return [*rows, faces.interval(values) | dict(label="all", n_labels=len(rows))] if rows else []


def rank_correlation(x: np.ndarray, y: np.ndarray, n_resamples: int = 9999, seed: int = 0) -> tuple[float, float]:
    """Return Spearman's rank correlation and its two-sided p-value by permuting the pairs, all ways where these are few.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        At least three pairs; fewer, or one value throughout, give NaN.
    n_resamples : int
        Permutations where there are more than this.
    seed : int
    """
    if len(x) < 3 or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return float("nan"), float("nan")

    def correlation(ranks: np.ndarray, axis: int = -1) -> np.ndarray:
        others = rankdata(y)
        centred = ranks - ranks.mean(axis=axis, keepdims=True)
        others = others - others.mean()
        return (centred * others).sum(axis=axis) / np.sqrt((centred**2).sum(axis=axis) * (others**2).sum())

    test = permutation_test((rankdata(x),), correlation, permutation_type="pairings", n_resamples=n_resamples,
                            vectorized=True, rng=np.random.default_rng(seed))
    return float(test.statistic), float(test.pvalue)
