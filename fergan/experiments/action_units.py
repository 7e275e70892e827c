"""The Action Unit experiments: one linear C-SVC per Action Unit, within one dataset or from one to another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments.au_detectors import AUData, Decisions, UnitLearner, unit_folds
from fergan.experiments.config import AUConfig
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT, check_features, fold_numbers, other_rows
from fergan.experiments.intervals import Score, interval_over_people, resampled_auc, resampled_mean, resampled_precision
from fergan.experiments.scores import FEATURES, ExperimentResult, roc, score_table, triple
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS
from fergan.svm.kernels import gram

#: The experiment itself, and the one whose detectors learn the true Action Units where its own learn derived ones. The
#: other variants are named after the mapping by which they derive.
MAIN, TRUTH = "", "truth"


class AUResult(ExperimentResult):
    """Scores, predictions and searches of an Action Unit experiment.

    ``predictions`` has one row per face, Action Unit and protocol: ``protocol, features, label, face, subject, fold,
    occurrence, value``; the last is NaN for an Action Unit that could not be learnt.
    """

    def roc(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the false and the true positive rates of each Action Unit on people never seen; NaN where undefined."""
        table = self.select().dropna(subset=["occurrence", "value"])
        of_units = {unit: table[table["label"] == unit] for unit in ACTION_UNITS}
        return {unit: roc(rows["occurrence"].to_numpy() == 1, rows["value"].to_numpy()) for unit, rows in of_units.items()}

    def costs(self) -> np.ndarray:
        """Return the cost that was chosen for each Action Unit as published, (14,); NaN where it could not be learnt."""
        table = self.searches
        chosen = table[(table["protocol"] == AS_PUBLISHED) & table["chosen"] & table["auc"].notna()]
        return chosen.set_index("label")["C"].reindex(ACTION_UNITS).to_numpy(float)


def run_au_experiment(folder: Path, config: AUConfig, *, pretrained: str, train: FaceSet, features: Mapping[str, np.ndarray],
                      relabel_train: str | None = None, test: FaceSet | None = None,
                      features_test: Mapping[str, np.ndarray] | None = None, relabel_test: str | None = None,
                      n_threads: int = 1) -> None:
    """Run an experiment; where its labels are derived, by every other mapping too, and with the truth where it is known.

    `load_variants` reads the results, a folder each; the experiment itself, alone compared with rivals, is written last.
    Without `test` it is within one set. Features (n_faces, n_features), float32, are those of the network `pretrained`
    first, then its rivals'. A mapping derives Action Units (`relabel_train`, `relabel_test`); None keeps what was coded.
    """
    sets, by = [AUData.of(train, features)], [relabel_train]
    if test is not None:
        sets, by = [*sets, AUData.of(test, features_test)], [*by, relabel_test]
    others = [name for name in EMOTION_MAPPINGS if any(by) and name != (by[0] or by[-1])]
    mappings = {MAIN: by} | {name: [mapping and name for mapping in by] for name in others}
    data = {name: [part.derived(mapping) for part, mapping in zip(sets, of_sets, strict=True)]
            for name, of_sets in mappings.items()}
    if data[MAIN][0].truth is not None:
        data[TRUTH] = [part if part.truth is None else replace(part, Y=part.truth) for part in data[MAIN]]
    for name in reversed(data):
        parts = data[name] if name == MAIN else [replace(part, rivals={}) for part in data[name]]
        result, by = recognise(*parts, config=config, n_threads=n_threads), mappings.get(name, [None])
        names = dict(pretrained=pretrained, train=train.name, test=train.name if test is None else test.name)
        result.settings |= names | dict(relabel_train=by[0], relabel_test=by[-1], variants=list(data))
        result.save(folder / name)


def load_variants(folder: str | Path) -> dict[str, AUResult]:
    """Read what `run_au_experiment` wrote: `MAIN`, the other mappings, and `TRUTH`."""
    main = AUResult.load(folder)
    return {name: AUResult.load(Path(folder) / name) if name else main for name in main.settings["variants"]}


def recognise(train: AUData, test: AUData | None = None, *, config: AUConfig, on_training: bool = False,
              n_threads: int = 1) -> AUResult:
    """Recognise Action Units under both protocols; rivals on people never seen alone, on the same folds.

    Without `test`, within one dataset: folds at random with C chosen on these folds, or folds of people with C chosen by a
    nested search. With `test`, of other people, from one dataset to another: trained on all of `train`, scored on all of
    `test`; the protocols then differ in the folds of `train`, at random or by person, on which C is chosen.

    An Action Unit that is absent, or always present, in training or test is NaN and in no mean (label "all"). For the scores
    see `occurrence_scores`, `rival_scores`, `training_scores` and, with the features "emotion", `oracle_scores`.
    """
    tested = train if test is None else test
    for where, data in (("train", train), ("test", tested)):
        check_features({where: data.X} | data.rivals, len(data.Y))
    folds = unit_folds(train.Y, train.subjects, config.n_folds if test is None else config.inner_folds, config.seed)
    costs, first = np.sort(np.array(config.costs)), {}
    rows, predictions, searches = [], [], []
    for name, X in ({FEATURES: train.X} | train.rivals).items():
        K_test = None if test is None else gram(test.rivals.get(name, test.X), X)
        learner = UnitLearner(gram(X), train.Y, costs, n_threads=n_threads)
        for protocol in folds if name == FEATURES else [SUBJECT_INDEPENDENT]:
            base, of_protocol = dict(protocol=protocol, features=name), folds[protocol]
            found = learner.learn(protocol, of_protocol, config.inner_folds, K_test)
            if first.setdefault(protocol, found) is found:
                rows += [base | row for row in occurrence_scores(tested, found, train.Y)]
            else:
                rows += [base | row for row in rival_scores(tested, found, first[protocol], train.Y)]
            if on_training:
                rows += [base | row for row in training_scores(train, learner, of_protocol, found)]
            fold = fold_numbers(len(X), of_protocol) if test is None else np.full(len(tested.subjects), -1)
            predictions += [base | dict(label=unit, face=np.arange(len(fold)), subject=tested.subjects, fold=fold,
                                        occurrence=tested.Y[:, u], value=found.values[:, u])
                            for u, unit in enumerate(ACTION_UNITS)]
            searches += [base | dict(outer_folds=served, label=unit, C=costs, auc=areas[u],
                                     chosen=np.arange(len(costs)) == chosen[u])
                         for served, chosen, areas in found.searches for u, unit in enumerate(ACTION_UNITS)]
    if tested.truth is not None:
        rows += [dict(protocol=SUBJECT_INDEPENDENT, features="emotion") | row for row in oracle_scores(tested)]
    tables = [pd.concat(map(pd.DataFrame, parts), ignore_index=True) for parts in (predictions, searches)]
    return AUResult(score_table(rows), *tables, config.model_dump() | dict(across=test is not None))


def occurrence_scores(tested: AUData, found: Decisions, Y_train: np.ndarray) -> list[dict]:
    """Return the rows of ``auc, average_precision, prevalence``, with means of the first two.

    Where the truth behind derived labels is known, there are ``auc_true`` against it, ``auc_true_within``: the same over
    pairs of faces of one emotion, which knowing it does not help to order; and ``auc_true_gap``: ``auc_true`` minus ``auc``.
    """
    Y, truth, values = tested.Y, tested.truth, found.values
    scores = {"auc": (_area(values, Y), Y)}
    if truth is not None:
        emotions = np.array(tested.emotions, dtype=object)
        scores["auc_true"] = _area(values, truth), truth
        scores["auc_true_within"] = (
            lambda u, faces, *drawn: resampled_within(values[faces, u], truth[faces, u], emotions[faces], *drawn)), truth
        scores["auc_true_gap"] = _minus(_area(values, truth), _area(values, Y)), np.where(np.isnan(Y), np.nan, truth)
    precision = lambda u, faces, *drawn: resampled_precision(values[faces, u], Y[faces, u] == 1, *drawn)
    scores["average_precision"] = precision, Y
    rows = [row for score, (statistic, labels) in scores.items()
            for row in _rows({score: statistic}, labels, _scorable(values, Y_train, labels), tested.subjects)]
    share = lambda u, faces, *drawn: resampled_mean(Y[faces, u], *drawn)
    return rows + _rows({"prevalence": share}, Y, ~np.isnan(Y).all(axis=0), tested.subjects)[:-1]


def rival_scores(tested: AUData, found: Decisions, first: Decisions, Y_train: np.ndarray) -> list[dict]:
    """Return the rows of ``auc`` of other features, and ``auc_difference``: the first's area minus theirs, paired."""
    Y, area = tested.Y, _area(found.values, tested.Y)
    scores = {"auc": area, "auc_difference": _minus(_area(first.values, Y), area)}
    return _rows(scores, Y, _scorable(found.values, Y_train, Y), tested.subjects)


def training_scores(data: AUData, learner: UnitLearner, folds: Sequence[np.ndarray], found: Decisions) -> list[dict]:
    """Return the rows of ``auc_train``, mean area on the faces that a fold's model learnt, and ``auc_train_gap``."""
    learnt = []
    for served, chosen, _ in found.searches:
        for number in range(len(folds)) if served == "all" else map(int, served.split()):
            rows = other_rows(len(data.Y), [folds[number]])
            values = np.full(data.Y.shape, np.nan)
            values[rows] = learner.values(rows, learner.costs[chosen, None], rows)[..., 0]
            learnt.append(values)

    def area(u: int, faces: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        there = [~np.isnan(values[faces, u]) for values in learnt]
        return np.mean([_area(values, data.Y)(u, faces[k], counts, codes[k])
                        for values, k in zip(learnt, there, strict=True)], axis=0)

    scores = {"auc_train": area, "auc_train_gap": _minus(area, _area(found.values, data.Y))}
    return _rows(scores, data.Y, _scorable(found.values, data.Y, data.Y), data.subjects)


def oracle_scores(tested: AUData) -> list[dict]:
    """Return the rows of ``auc_true`` for `emotion_oracle`: against the derived labels its area is 1 by construction."""
    values = emotion_oracle(tested.emotions, tested.truth, tested.subjects)
    known = ~np.isnan(values).all(axis=1)
    Y = np.where(known[:, None], tested.truth, np.nan)
    rows = _rows({"auc_true": _area(values, Y)}, Y, _scorable(values, Y, Y), tested.subjects)
    rows[-1] |= dict(n_faces=int(known.sum()), n_subjects=len(np.unique(tested.subjects[known])))
    return rows


def _rows(scores: Mapping[str, Callable], Y: np.ndarray, scorable: np.ndarray, subjects: np.ndarray) -> list[dict]:
    """Rows of some scores ``(u, faces, counts, codes)``: each Action Unit that is `scorable`, and their mean."""
    coded, fine, rows = [np.flatnonzero(~np.isnan(y)) for y in Y.T], np.flatnonzero(scorable), []
    base = pd.DataFrame(dict(
        label=[*ACTION_UNITS, "all"], n_faces=[*map(len, coded), len(Y)], n_labels=1,
        n_subjects=[len(set(subjects[faces])) for faces in coded] + [len(set(subjects))]))
    for score, statistic in scores.items():

        def with_mean(counts: np.ndarray, codes: np.ndarray, statistic: Callable = statistic) -> np.ndarray:
            found = np.stack([statistic(u, coded[u], counts, codes[coded[u]]) for u in fine], axis=1)
            # Without the only person who shows a rare unit there is still a mean over the others.
            return np.column_stack([found, np.ma.masked_invalid(found).mean(axis=1).filled(np.nan)])

        ends = np.full((3, len(base)), np.nan)
        if len(fine):
            share = not score.endswith(("_difference", "_gap"))
            ends[:, [*fine, -1]] = interval_over_people(with_mean, subjects, share=share)
        table = base.assign(score=score, value=ends[0], low=ends[1], high=ends[2])
        table.loc[table.index[-1], "n_labels"] = np.isfinite(ends[0, :-1]).sum()
        rows += table.to_dict("records")
    return rows


def _area(values: np.ndarray, Y: np.ndarray) -> Callable:
    return lambda u, faces, *drawn: resampled_auc(values[faces, u], Y[faces, u] == 1, *drawn)


def _minus(first: Callable, second: Callable) -> Callable:
    return lambda *drawn: first(*drawn) - second(*drawn)


def _scorable(values: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Whether each Action Unit is both present and absent in training and test, and has a value wherever it is tested."""
    varies = [np.nanmin(Y, axis=0, initial=1) < np.nanmax(Y, axis=0, initial=0) for Y in (train, test)]
    return varies[0] & varies[1] & ~(np.isnan(values) & ~np.isnan(test)).any(axis=0)


def resampled_within(values: np.ndarray, labels: np.ndarray, groups: np.ndarray, counts: np.ndarray,
                     codes: np.ndarray) -> np.ndarray:
    """Area under the ROC curve over pairs of faces of one group, none of None: (n,), NaN where no group has both classes."""
    won, pairs = np.zeros((2, len(counts)))
    for group in dict.fromkeys(group for group in groups if group is not None):
        rows = np.flatnonzero(groups == group)
        positive = labels[rows] == 1
        if positive.any() and not positive.all():
            n_pairs = np.prod([counts @ np.bincount(codes[rows[of_class]], minlength=counts.shape[1])
                               for of_class in (positive, ~positive)], axis=0)
            won += np.nan_to_num(resampled_auc(values[rows], positive, counts, codes[rows])) * n_pairs
            pairs += n_pairs
    return np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0)


def emotion_oracle(emotions: Sequence[str | None], truth: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Return how often other people who show the emotion of a face show each unit (n_faces, n_units), NaN without any."""
    table, emotion = pd.DataFrame(truth), pd.Series(emotions, dtype="object")
    of_all, of_own = table.groupby(emotion), table.groupby([emotion, pd.Series(subjects)])
    shown, coded = (of_all.transform(each) - of_own.transform(each) for each in ("sum", "count"))
    return (shown / coded.where(coded > 0)).to_numpy()


def run_single_unit(folder: Path, config: AUConfig, *, faces: FaceSet, features: Mapping[str, np.ndarray], unit: str,
                    n_threads: int = 1) -> None:
    """Recognise one coded Action Unit of a set from the features (n_faces, n_features) of several networks, by name.

    Saves an `AUResult` of the faces that are coded, with `training_scores`, in which the first network is the main one.
    """
    coded = faces.labels[unit].notna().to_numpy()
    data = AUData.of(faces.select(coded), {name: X[coded] for name, X in features.items()})
    alone = np.where(np.array(ACTION_UNITS) == unit, data.Y, np.nan)
    result = recognise(replace(data, Y=alone), config=config, on_training=True, n_threads=n_threads)
    result.settings |= dict(unit=unit, dataset=faces.name)
    result.save(folder)


def area_difference(first: AUResult, second: AUResult) -> Score:
    """Return the mean area of one experiment minus another's, paired on people never seen, over units that both score."""
    one, other = (result.select().set_index(["label", "face"]) for result in (first, second))
    Y, values, others = (column.unstack("face").loc[list(ACTION_UNITS)].to_numpy(float).T
                         for column in (one["occurrence"], one["value"], other["value"]))
    subjects = one.loc["AU01", "subject"].to_numpy(str)
    difference = {"auc_difference": _minus(_area(values, Y), _area(others, Y))}
    return triple(_rows(difference, Y, _scorable(values + others, Y, Y), subjects)[-1])
