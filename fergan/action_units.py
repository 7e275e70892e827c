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

from fergan.facs import ACTION_UNITS, action_units_of
from fergan.paper import read_table
from fergan.protocols import (
    AS_PUBLISHED,
    SUBJECT_INDEPENDENT,
    ExperimentResult,
    auc,
    bootstrap_interval,
    check_features,
    fold_blocks,
    fold_numbers,
    grouped_folds,
    other_rows,
    random_folds,
    resampled_auc,
    resampled_confusion,
    score_table,
)
from fergan.svm import binary_values, gram, kernel_slice, run_threads

__all__ = ["AUData", "AUResult", "best_f1_threshold", "paper_au_scores", "relabel", "run_au_experiment"]


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


def best_f1_threshold(values: np.ndarray, positive: np.ndarray) -> float:
    """Return the threshold t for which the rule ``value >= t`` has the largest F1; NaN without positives.

    Of equally good thresholds the highest. Faces whose value is NaN take no part.
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


def _values(
    K_train: np.ndarray, Y: np.ndarray, K_test: np.ndarray, costs: np.ndarray, n_threads: int
) -> np.ndarray:
    """Decision values (n_test, n_units, n_costs); `costs` has a row of ascending costs for each unit."""

    def of_unit(u: int) -> np.ndarray:
        known = np.flatnonzero(~np.isnan(Y[:, u]))
        if len(known) == len(Y):
            return binary_values(K_train, Y[:, u], K_test, costs[u])
        return binary_values(kernel_slice(K_train, known, known), Y[known, u], K_test.take(known, axis=1), costs[u])

    return np.stack(run_threads(of_unit, range(Y.shape[1]), n_threads), axis=1)


def _part_values(K, Y, train, test, costs, n_threads) -> np.ndarray:
    return _values(kernel_slice(K, train, train), Y[train], kernel_slice(K, test, train), costs, n_threads)


def _out_of_fold(K, Y, folds, costs, n_threads) -> np.ndarray:
    values = np.empty((*Y.shape, costs.shape[1]))
    for fold in folds:
        values[fold] = _part_values(K, Y, other_rows(len(Y), [fold]), fold, costs, n_threads)
    return values


def _known_auc(values: np.ndarray, labels: np.ndarray) -> float:
    known = ~np.isnan(values) & ~np.isnan(labels)
    return auc(values[known], labels[known] == 1)


def _choose(values: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of each unit's cost with the largest pooled AUC, the smallest on a tie, and all AUCs."""
    areas = [[_known_auc(of_cost, Y[:, u]) for of_cost in values[:, u].T] for u in range(Y.shape[1])]
    areas = np.array(areas)
    return np.where(np.isnan(areas), -np.inf, areas).argmax(axis=1), areas


def _at(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Values (n_faces, n_units) at the chosen cost of each unit."""
    return np.take_along_axis(values, chosen[None, :, None], axis=2)[:, :, 0]


def _thresholds(values: np.ndarray, Y: np.ndarray) -> np.ndarray:
    known = ~np.isnan(Y)
    return np.array([best_f1_threshold(v[k], y[k] == 1) for v, y, k in zip(values.T, Y.T, known.T, strict=True)])


@dataclass
class _Decisions:
    """Decision values and thresholds (n_faces, n_units) with the search behind them."""

    values: np.ndarray
    thresholds: np.ndarray
    trials: list[tuple[str, np.ndarray, np.ndarray]]  # outer folds, chosen (n_units,), AUCs (n_units, n_costs)


def _as_published(K, Y, folds, costs, n_threads) -> _Decisions:
    every = _out_of_fold(K, Y, folds, costs, n_threads)
    chosen, areas = _choose(every, Y)
    values = _at(every, chosen)
    thresholds = np.empty_like(values)
    for fold in folds:
        rest = other_rows(len(Y), [fold])
        thresholds[fold] = _thresholds(values[rest], Y[rest])
    return _Decisions(values, thresholds, [("all", chosen, areas)])


def _subject_independent(K, Y, folds, costs, inner_folds, n_threads) -> _Decisions:
    blocks = fold_blocks(len(folds), inner_folds)
    rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
    # inner[a] holds decision values of all faces outside block a, by models that saw neither block a nor
    # their own.
    inner = np.full((len(blocks), *Y.shape, costs.shape[1]), np.nan)
    for a in range(len(blocks)):
        for c in range(a):
            train, test = other_rows(len(Y), [rows[a], rows[c]]), np.concatenate([rows[a], rows[c]])
            of_a, of_c = np.split(_part_values(K, Y, train, test, costs, n_threads), [len(rows[a])])
            inner[c][rows[a]], inner[a][rows[c]] = of_a, of_c
    found = _Decisions(np.empty(Y.shape), np.empty(Y.shape), [])
    for a, block in enumerate(blocks):
        chosen, areas = _choose(inner[a], Y)
        found.trials.append((" ".join(map(str, block)), chosen, areas))
        found.thresholds[rows[a]] = _thresholds(_at(inner[a], chosen), Y)
        best = np.take_along_axis(costs, chosen[:, None], axis=1)
        for i in block:
            train = other_rows(len(Y), [folds[i]])
            found.values[folds[i]] = _part_values(K, Y, train, folds[i], best, n_threads)[..., 0]
    return found


def _across(K, Y, K_test, folds, costs, n_threads) -> _Decisions:
    """Choose the costs over `folds` of the training set, train on all of it, decide on the test set."""
    inner = _out_of_fold(K, Y, folds, costs, n_threads)
    chosen, areas = _choose(inner, Y)
    best = np.take_along_axis(costs, chosen[:, None], axis=1)
    values = _values(K, Y, K_test, best, n_threads)[..., 0]
    thresholds = np.broadcast_to(_thresholds(_at(inner, chosen), Y), values.shape)
    return _Decisions(values, thresholds, [("all", chosen, areas)])


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


def _folds(Y: np.ndarray, subjects: np.ndarray, n_folds: int, seed: int) -> dict[str, list[np.ndarray]]:
    strata = _strata(Y, subjects, n_folds)
    if len(np.unique(strata)) < 2:  # nothing to stratify by: any two classes that are spread evenly will do
        strata = np.where(np.arange(len(Y)) % 2, "odd", "even")
    return {AS_PUBLISHED: random_folds(strata, n_folds, seed),
            SUBJECT_INDEPENDENT: grouped_folds(strata, subjects, n_folds, seed)}


def run_au_experiment(
    train: AUData,
    test: AUData | None = None,
    *,
    n_folds: int = 10,
    inner_folds: int = 3,
    costs: Sequence[float] = (0.01, 0.1, 1.0, 10.0),
    n_resamples: int = 1000,
    seed: int = 0,
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
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
        smallest on a tie. Their unit is that of `fergan.svm.gram`.
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
    train.check("train")
    if test is not None:
        test.check("test")
        widths = [{name: X.shape[1] for name, X in data.features.items()} for data in (train, test)]
        if widths[0] != widths[1]:
            raise ValueError(f"train has features of widths {widths[0]}, test of {widths[1]}; they must be the same")
    every_Y = train.occurrence[list(ACTION_UNITS)].to_numpy(dtype=float)
    Y, unit_of = np.unique(np.nan_to_num(every_Y, nan=-1), axis=1, return_inverse=True)
    Y[Y == -1] = np.nan
    subjects = np.asarray(train.subjects, dtype=str)
    folds = _folds(every_Y, subjects, n_folds if test is None else inner_folds, seed)
    if test is None:
        fold_blocks(n_folds, inner_folds)
    ladder = np.tile(np.sort(np.asarray(costs, dtype=float)), (Y.shape[1], 1))
    tested = train if test is None else test
    interval = partial(bootstrap_interval, groups=np.asarray(tested.subjects, str), n_resamples=n_resamples, seed=seed)
    rows, predictions, searches = [], [], []
    for name, X in train.features.items():
        K = gram(X)
        K_test = None if test is None else gram(test.features[name], X)
        for protocol, of_protocol in folds.items():
            if test is not None:
                found = _across(K, Y, K_test, of_protocol, ladder, n_threads)
                numbers = np.full(len(tested.subjects), -1)
            else:
                numbers = fold_numbers(len(Y), of_protocol)
                if protocol == AS_PUBLISHED:
                    found = _as_published(K, Y, of_protocol, ladder, n_threads)
                else:
                    found = _subject_independent(K, Y, of_protocol, ladder, inner_folds, n_threads)
            values, thresholds = found.values[:, unit_of], found.thresholds[:, unit_of]
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
            mean = np.nansum(found, axis=1) / np.maximum(1, (~np.isnan(found)).sum(axis=1))
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
    units = range(len(ACTION_UNITS))
    subjects = np.asarray(tested.subjects, str)
    rows = []
    for score, table in (("auc", tested.occurrence), ("auc_true", tested.true_occurrence)):
        if table is None:
            continue
        Y = table[list(ACTION_UNITS)].to_numpy(dtype=float)
        known = ~np.isnan(Y)

        def area(u, counts, codes, Y=Y, known=known):
            return resampled_auc(values[known[:, u], u], Y[known[:, u], u] == 1, counts, codes[known[:, u]])

        points = np.array([_known_auc(values[:, u], Y[:, u]) for u in units])
        rows += _score_rows(score, points, area, Y, _notes(values, Y_train, Y), subjects, interval)

    Y = tested.occurrence[list(ACTION_UNITS)].to_numpy(dtype=float)
    known, notes = ~np.isnan(Y), _notes(values, Y_train, Y)
    fine = [not note for note in notes]
    predicted = (values >= thresholds).astype(int)

    def f1(u, counts, codes):
        rows_of = known[:, u]
        confusion = resampled_confusion(Y[rows_of, u].astype(int), predicted[rows_of, u], 2, counts, codes[rows_of])
        wrong = confusion[:, 0, 1] + confusion[:, 1, 0]
        with np.errstate(invalid="ignore"):
            return 2 * confusion[:, 1, 1] / (2 * confusion[:, 1, 1] + wrong)

    everyone = (np.ones((1, 1)), np.zeros(len(Y), dtype=int))
    points = np.array([f1(u, *everyone)[0] if fine[u] else np.nan for u in units])
    rows += _score_rows("f1", points, f1, Y, notes, subjects, interval)
    points = np.array([average_precision_score(Y[known[:, u], u], values[known[:, u], u]) if fine[u] else np.nan
                       for u in units])
    rows += _score_rows("average_precision", points, None, Y, notes, subjects, interval)
    n_positive = np.nansum(Y, axis=0)
    uncoded = ["" if known[:, u].any() else "not coded in test" for u in units]
    for score, points in (("prevalence", n_positive / np.maximum(1, known.sum(axis=0))), ("n_positive", n_positive)):
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
