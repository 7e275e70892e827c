"""The Action Unit experiments: one linear C-SVC per Action Unit, within one dataset or from one to another.

All Action Units share one Gram matrix and the same folds. Labels that are the same for every training face
(as those derived from an emotion often are) share one classifier, so that they cannot differ by rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from fergan.au_learning import coded_auc, distinct_units, learn, unit_folds
from fergan.facs import ACTION_UNITS, action_units_of
from fergan.kernels import gram
from fergan.paper import read_table
from fergan.protocols import (
    bootstrap_interval,
    check_features,
    fold_blocks,
    fold_numbers,
    resampled_auc,
    resampled_confusion,
)
from fergan.results import ExperimentResult, score_table

__all__ = ["AUData", "AUResult", "paper_au_scores", "relabel", "run_au_experiment"]


@dataclass(frozen=True)
class AUData:
    """Features of faces and their Action Units.

    Attributes
    ----------
    features : dict of str to ndarray of shape (n_faces, n_features), float32
        Feature sets by name.
    occurrence : DataFrame of n_faces rows with the columns `fergan.facs.ACTION_UNITS`
        0, 1 or NaN: the labels that are trained and scored on.
    subjects : ndarray of shape (n_faces,), str
    true_occurrence : DataFrame, optional
        Where `occurrence` is derived from the emotion and the truth is known: the truth, for the score
        ``auc_true``.
    """

    features: dict[str, np.ndarray]
    occurrence: pd.DataFrame
    subjects: np.ndarray
    true_occurrence: pd.DataFrame | None = None

    def check(self, where: str) -> None:
        """Raise a ValueError that begins with `where` if the parts do not fit together."""
        for name in ("occurrence", "true_occurrence"):
            table = getattr(self, name)
            if table is None:
                continue
            absent = [unit for unit in ACTION_UNITS if unit not in table]
            if absent:
                raise ValueError(f"{where}: {name} has no column {absent[0]}")
            if not np.isin(table[list(ACTION_UNITS)].fillna(0), (0, 1)).all():
                raise ValueError(f"{where}: {name} holds values other than 0, 1 and NaN")
            if len(table) != len(self.subjects):
                raise ValueError(f"{where}: {name} has {len(table)} rows for {len(self.subjects)} faces")
        try:
            check_features(self.features, len(self.subjects))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error


class AUResult(ExperimentResult):
    """Scores, predictions and searches of an Action Unit experiment.

    ``predictions`` has one row per face, Action Unit, protocol and feature set: ``protocol, features, label,
    face, subject, fold, occurrence, value, predicted``; the last two are NaN for an Action Unit that could
    not be learnt.
    """

    def roc(self, protocol: str, features: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the false and the true positive rates of each Action Unit; NaN where they are undefined."""
        table = self.select(protocol, features).dropna(subset=["occurrence", "value"])
        curves = {}
        for unit in ACTION_UNITS:
            rows = table[table["label"] == unit]
            curves[unit] = self._roc(rows["occurrence"].to_numpy() == 1, rows["value"].to_numpy())
        return curves


def relabel(emotions: Sequence[str], mapping: str = "paper") -> pd.DataFrame:
    """Derive Action Units from emotions, as the paper does for RaFD.

    Parameters
    ----------
    emotions : sequence of str
        One per face; missing ones (None, NaN, NA) are allowed.
    mapping : str
        A key of `fergan.facs.EMOTION_MAPPINGS`.

    Returns
    -------
    DataFrame of n_faces rows with the columns `fergan.facs.ACTION_UNITS`, float
        0 or 1; NaN where the emotion is missing.
    """
    rows = []
    for emotion in emotions:
        shown = None if pd.isna(emotion) else action_units_of(emotion, mapping)
        rows.append([np.nan if shown is None else float(unit in shown) for unit in ACTION_UNITS])
    return pd.DataFrame(rows, columns=list(ACTION_UNITS), dtype=float)


def run_au_experiment(
    train: AUData, test: AUData | None = None, *,
    n_folds: int = 10, inner_folds: int = 3, costs: Sequence[float] = (0.01, 0.1, 1.0, 10.0), n_resamples: int = 1000,
    seed: int = 0, n_threads: int = 1, progress: Callable[[str], None] | None = None,
) -> AUResult:
    """Recognise Action Units from each feature set under both protocols.

    Without `test`, within one dataset, as in the emotion experiments: folds at random with C chosen on those
    same folds, or folds of people with C chosen by a nested search. With `test`, from one dataset to another:
    trained on all of `train`, scored on all of `test`; the protocols then differ in the folds of `train`, at
    random or by person, on which C is chosen.

    Parameters
    ----------
    train : AUData
    test : AUData, optional
        With the same feature sets as `train`, and of other people.
    n_folds : int
        Folds within one dataset.
    inner_folds : int
        Folds of the nested search, and of the choice of C across datasets.
    costs : sequence of float
        Values of C to choose from, by the pooled area under the curve, separately for each Action Unit; the
        smallest on a tie. Their unit is that of `fergan.kernels.gram`.
    n_resamples : int
        Bootstrap resamples over people of the tested set for the 95 % intervals of ``auc``, ``auc_true`` and
        ``f1``.
    seed : int
        Of folds and resamples.
    n_threads : int
        Action Units fitted at the same time.
    progress : callable, optional
        Called with a line of text after each protocol and feature set.

    Returns
    -------
    AUResult
        Scores ``auc, average_precision, f1, prevalence, n_positive`` per Action Unit, ``auc_true`` where the
        truth is known, and means with the label "all", whose `n_labels` counts the Action Units in them. An
        Action Unit that is absent, or always present, in training or test is NaN, said in `note`, and in no
        mean. The threshold of F1 is the best one on training faces, from decision values of models that did
        not see them. Within one dataset the decision values of n_folds models are pooled, which assumes that
        these are on one scale.
    """
    _check(train, test)
    every_Y = _labels(train.occurrence)
    Y, unit_of = distinct_units(every_Y)
    folds = unit_folds(every_Y, np.asarray(train.subjects, str), n_folds if test is None else inner_folds, seed)
    if test is None:
        fold_blocks(n_folds, inner_folds)  # refuses numbers that do not go together while nothing is fitted yet
    ladder = np.tile(np.sort(np.asarray(costs, dtype=float)), (Y.shape[1], 1))
    tested = train if test is None else test
    interval = partial(bootstrap_interval, groups=np.asarray(tested.subjects, str), n_resamples=n_resamples, seed=seed)
    rows, predictions, searches = [], [], []
    for name, X in train.features.items():
        K = gram(X)
        K_test = None if test is None else gram(test.features[name], X)
        for protocol, of_protocol in folds.items():
            found = learn(K, Y, K_test, protocol, of_protocol, ladder, inner_folds, n_threads)
            values, thresholds = found.values[:, unit_of], found.thresholds[:, unit_of]
            numbers = fold_numbers(len(Y), of_protocol) if test is None else np.full(len(test.subjects), -1)
            base = {"protocol": protocol, "features": name}
            rows += [base | row for row in _scores(values, thresholds, every_Y, tested, interval)]
            predictions.append(_predictions(base, values, thresholds, tested, numbers))
            searches += _trials(base, found.trials, ladder[0], unit_of)
            if progress is not None:
                mean = next(r["value"] for r in rows[::-1] if r["score"] == "auc" and r["label"] == "all")
                progress(f"{name}, {protocol}: mean AUC {mean:.3f}")
    settings = dict(n_folds=n_folds, inner_folds=inner_folds, costs=ladder[0].tolist(), across=test is not None,
                    n_resamples=n_resamples, seed=seed, features=list(train.features))
    return AUResult(score_table(rows), pd.concat(predictions, ignore_index=True),
                    pd.concat(searches, ignore_index=True), settings)


def _check(train: AUData, test: AUData | None) -> None:
    train.check("train")
    if test is not None:
        test.check("test")
        widths = [{name: X.shape[1] for name, X in data.features.items()} for data in (train, test)]
        if widths[0] != widths[1]:
            raise ValueError(f"train has features of widths {widths[0]}, test of {widths[1]}; they must be the same")


def _labels(table: pd.DataFrame) -> np.ndarray:
    return table[list(ACTION_UNITS)].to_numpy(dtype=float)


def _notes(values: np.ndarray, Y_train: np.ndarray, Y_test: np.ndarray) -> list[str]:
    """Say for each Action Unit why it cannot be scored, or nothing."""

    def note(labels: np.ndarray, where: str) -> str:
        present = np.unique(labels[~np.isnan(labels)])
        if len(present) == 2:
            return ""
        if not len(present):
            return f"not coded in {where}"
        return f"{'always' if present[0] else 'never'} present in {where}"

    notes = [note(Y_train[:, u], "training") or note(Y_test[:, u], "test") for u in range(len(ACTION_UNITS))]
    partly = np.isnan(values).any(axis=0)
    return [n or ("never or always present in the training part of a fold" if p else "")
            for n, p in zip(notes, partly, strict=True)]


def _score_rows(score: str, points: np.ndarray, resampled: Callable | None, Y, notes, subjects, interval) -> list[dict]:
    """Rows of one score: each Action Unit, and the mean over those without a note."""
    fine = [u for u, note in enumerate(notes) if not note]
    low, high = np.full((2, len(points) + 1), np.nan)
    if resampled is not None and fine:

        def statistic(counts, codes):
            found = np.stack([resampled(u, counts, codes) for u in fine], axis=1)
            # A resample without any face of a rare unit still has a mean over the other units.
            counted = (~np.isnan(found)).sum(axis=1)
            mean = np.where(counted, np.nansum(found, axis=1) / np.maximum(1, counted), np.nan)
            return np.column_stack([found, mean])

        low[[*fine, -1]], high[[*fine, -1]] = interval(statistic)
    rows = []
    for u, unit in enumerate(ACTION_UNITS):
        known = ~np.isnan(Y[:, u])
        rows.append(dict(score=score, label=unit, value=points[u] if u in fine else np.nan, low=low[u], high=high[u],
                         n_faces=int(known.sum()), n_subjects=len(np.unique(subjects[known])), note=notes[u]))
    left_out = [unit for unit, note in zip(ACTION_UNITS, notes, strict=True) if note]
    rows.append(dict(score=score, label="all", value=np.mean(points[fine]) if fine else np.nan, low=low[-1],
                     high=high[-1], n_faces=len(Y), n_subjects=len(np.unique(subjects)), n_labels=len(fine),
                     note=f"without {', '.join(left_out)}" if left_out else ""))
    return rows


def _scores(values, thresholds, Y_train, tested: AUData, interval: Callable) -> list[dict]:
    """Rows of all scores of one protocol and feature set."""
    subjects = np.asarray(tested.subjects, str)
    rows = []
    for score, table in (("auc", tested.occurrence), ("auc_true", tested.true_occurrence)):
        if table is not None:
            Y = _labels(table)
            points, notes = _areas(values, Y), _notes(values, Y_train, Y)
            rows += _score_rows(score, points, partial(_resampled_area, values, Y), Y, notes, subjects, interval)

    Y = _labels(tested.occurrence)
    notes = _notes(values, Y_train, Y)
    f1 = partial(_resampled_f1, values >= thresholds, Y)
    everyone = (np.ones((1, 1)), np.zeros(len(Y), dtype=int))
    points = np.array([np.nan if note else f1(u, *everyone)[0] for u, note in enumerate(notes)])
    rows += _score_rows("f1", points, f1, Y, notes, subjects, interval)
    points = np.array([np.nan if note else _average_precision(values[:, u], Y[:, u]) for u, note in enumerate(notes)])
    rows += _score_rows("average_precision", points, None, Y, notes, subjects, interval)
    return rows + _count_rows(Y, subjects, interval)


def _areas(values: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return np.array([coded_auc(of_unit, labels) for of_unit, labels in zip(values.T, Y.T, strict=True)])


def _average_precision(values: np.ndarray, labels: np.ndarray) -> float:
    known = ~np.isnan(labels)
    return average_precision_score(labels[known], values[known])


def _resampled_area(values, Y, u: int, counts, codes) -> np.ndarray:
    known = ~np.isnan(Y[:, u])
    return resampled_auc(values[known, u], Y[known, u] == 1, counts, codes[known])


def _resampled_f1(predicted, Y, u: int, counts, codes) -> np.ndarray:
    known = ~np.isnan(Y[:, u])
    confusion = resampled_confusion(Y[known, u].astype(int), predicted[known, u].astype(int), 2, counts, codes[known])
    wrong = confusion[:, 0, 1] + confusion[:, 1, 0]
    with np.errstate(invalid="ignore"):
        return 2 * confusion[:, 1, 1] / (2 * confusion[:, 1, 1] + wrong)


def _count_rows(Y: np.ndarray, subjects: np.ndarray, interval: Callable) -> list[dict]:
    """Rows of how often each Action Unit is present, of which there is no mean."""
    n_coded, n_positive = (~np.isnan(Y)).sum(axis=0), np.nansum(Y, axis=0)
    uncoded = ["" if n else "not coded in test" for n in n_coded]
    rows = []
    for score, points in (("prevalence", n_positive / np.maximum(1, n_coded)), ("n_positive", n_positive)):
        rows += _score_rows(score, points, None, Y, uncoded, subjects, interval)[:-1]
    return rows


def _predictions(base: dict, values, thresholds, tested: AUData, fold: np.ndarray) -> pd.DataFrame:
    predicted = np.where(np.isnan(values), np.nan, values >= thresholds)
    subjects = np.asarray(tested.subjects, str)
    of_units = [
        pd.DataFrame(dict(base, label=unit, face=np.arange(len(values)), subject=subjects, fold=fold,
                          occurrence=tested.occurrence[unit].to_numpy(float), value=values[:, u],
                          predicted=predicted[:, u]))
        for u, unit in enumerate(ACTION_UNITS)
    ]
    return pd.concat(of_units, ignore_index=True)


def _trials(base: dict, trials, costs: np.ndarray, unit_of: np.ndarray) -> list[pd.DataFrame]:
    return [
        pd.DataFrame(dict(base, outer_folds=outer_folds, label=unit, C=costs, auc=areas[unit_of[u]],
                          chosen=np.arange(len(costs)) == chosen[unit_of[u]]))
        for outer_folds, chosen, areas in trials for u, unit in enumerate(ACTION_UNITS)
    ]


def paper_au_scores(experiment: int) -> pd.DataFrame:
    """Return the paper's areas under the curve (Table IV) as a table of scores.

    The paper states neither intervals nor numbers of faces or people: these are NaN and 0.

    Parameters
    ----------
    experiment : int
        1 to 8.
    """
    if experiment not in range(1, 9):
        raise ValueError(f"the paper has Action Unit experiments 1 to 8, not {experiment!r}")
    areas = read_table("table4_au_auc").set_index("au")[f"exp{experiment}"]
    base = dict(protocol="paper", features="discriminator", score="auc")
    rows = [dict(base, label=unit, value=areas[unit]) for unit in ACTION_UNITS]
    return score_table([*rows, dict(base, label="all", value=areas["Average"], n_labels=len(ACTION_UNITS))])
