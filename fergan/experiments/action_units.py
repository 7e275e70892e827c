"""The Action Unit experiments: one linear C-SVC per Action Unit, within one dataset or from one to another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from fergan.data.faces import FaceSet
from fergan.experiments.au_detectors import AUData, Decisions, UnitLearner, coded_auc, resampled_icc, unit_folds
from fergan.experiments.config import AUConfig, DetectorConfig
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT, check_features, fold_numbers, other_rows
from fergan.experiments.intervals import bootstrap_interval, resampled_auc, resampled_confusion
from fergan.experiments.scores import ExperimentResult, roc, score_table
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS
from fergan.files import read_json, write_json
from fergan.paper import papers_own, read_table
from fergan.svm.kernels import gram

#: The experiment itself, and the one whose detectors learn the true Action Units where its own learn derived ones. The
#: other variants are named after the mapping by which they derive.
MAIN, TRUTH = "", "truth"

FEATURES = "discriminator"


class AUResult(ExperimentResult):
    """Scores, predictions and searches of an Action Unit experiment.

    ``predictions`` has one row per face, Action Unit and protocol: ``protocol, features, label, face, subject, fold,
    occurrence, value, predicted``; the last two are NaN for an Action Unit that could not be learnt.
    """

    def roc(self, protocol: str, features: str = FEATURES) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the false and the true positive rates of each Action Unit; NaN where they are undefined."""
        table = self.select(protocol, features).dropna(subset=["occurrence", "value"])
        of_units = {unit: table[table["label"] == unit] for unit in ACTION_UNITS}
        return {unit: roc(rows["occurrence"].to_numpy() == 1, rows["value"].to_numpy()) for unit, rows in of_units.items()}

    def costs(self) -> np.ndarray:
        """Return the cost that was chosen for each Action Unit as published, (14,); NaN where it could not be learnt."""
        table = self.searches
        chosen = table[(table["protocol"] == AS_PUBLISHED) & table["chosen"] & table["auc"].notna()]
        return chosen.set_index("label")["C"].reindex(ACTION_UNITS).to_numpy(float)


def run_au_experiment(
    folder: Path, config: AUConfig, *, pretrained: str, train: FaceSet, X: np.ndarray, relabel_train: str | None = None,
    test: FaceSet | None = None, X_test: np.ndarray | None = None, relabel_test: str | None = None, n_threads: int = 1,
) -> None:
    """Run an experiment; where its labels are derived, by every other mapping too, and with the truth where it is known.

    Each variant's result is written into a folder of its own in `folder`, see `load_variants`; the experiment itself last.

    Args:
        pretrained: The name of the network.
        train, test: Face sets; without `test`, within one set.
        X, X_test: Their features by the network, (n_faces, n_features), float32.
        relabel_train, relabel_test: Mappings by which Action Units are derived; None keeps what was coded.
    """
    sets, by = [AUData.of(train, X, config.duplicates_within)], [relabel_train]
    if test is not None:
        sets, by = [*sets, AUData.of(test, X_test, config.duplicates_within)], [*by, relabel_test]
    others = [name for name in EMOTION_MAPPINGS if any(by) and name != (by[0] or by[-1])]
    mappings = {MAIN: by} | {name: [mapping and name for mapping in by] for name in others}
    data = {name: [part.derived(mapping) for part, mapping in zip(sets, of_sets, strict=True)]
            for name, of_sets in mappings.items()}
    if data[MAIN][0].truth is not None:
        data[TRUTH] = [part if part.truth is None else replace(part, Y=part.truth) for part in data[MAIN]]
    for name in reversed(data):
        result = recognise(*data[name], config=config, n_threads=n_threads)
        by = mappings.get(name, [None])
        names = dict(pretrained=pretrained, train=train.name, test=train.name if test is None else test.name)
        result.settings |= names | dict(relabel_train=by[0], relabel_test=by[-1], variants=list(data))
        result.save(folder / name)


def load_variants(folder: str | Path) -> dict[str, AUResult]:
    """Read what `run_au_experiment` wrote: `MAIN`, the other mappings, and `TRUTH`."""
    main = AUResult.load(folder)
    return {name: AUResult.load(Path(folder) / name) if name else main for name in main.settings["variants"]}


def recognise(train: AUData, test: AUData | None = None, *, config: DetectorConfig, n_threads: int = 1) -> AUResult:
    """Recognise Action Units under both protocols.

    Without `test`, within one dataset, as in the emotion experiments: folds at random with C chosen on those same folds, or
    folds of people with C chosen by a nested search. With `test`, of other people, from one dataset to another: trained on
    all of `train`, scored on all of `test`; the protocols then differ in the folds of `train`, at random or by person, on
    which C is chosen.

    An Action Unit that is absent, or always present, in training or test is NaN, said in `note`, and in no mean (label
    "all"). For the scores see `occurrence_scores`. Where both sets are graded there is ``icc``, subject-independent only, of
    intensities that a linear regression estimates with one of the three smallest costs. With the features "emotion" come
    the scores of an oracle that knows the emotion and nothing else.
    """
    tested = train if test is None else test
    for where, data in (("train", train), ("test", tested)):
        check_features({where: data.X}, len(data.Y))
    if train.X.shape[1] != tested.X.shape[1]:
        raise ValueError(f"train has {train.X.shape[1]} features, test {tested.X.shape[1]}; they must be the same")
    folds = unit_folds(train.Y, train.subjects, config.n_folds if test is None else config.inner_folds, config.seed)
    costs = np.sort(np.array(config.costs))
    K, K_test = gram(train.X), None if test is None else gram(test.X, train.X)
    learner = UnitLearner(K, train.Y, costs, n_threads=n_threads)
    rows, predictions, searches = [], [], []
    for protocol, of_protocol in folds.items():
        base = dict(protocol=protocol, features=FEATURES)
        found = learner.learn(protocol, of_protocol, config.inner_folds, K_test)
        rows += [base | row for row in occurrence_scores(tested, found, train.Y, config)]
        fold = fold_numbers(len(K), of_protocol) if test is None else np.full(len(tested.subjects), -1)
        predicted = np.where(np.isnan(found.values), np.nan, found.values >= found.thresholds)
        predictions += [base | dict(label=unit, face=np.arange(len(fold)), subject=tested.subjects, fold=fold,
                                    occurrence=tested.Y[:, u], value=found.values[:, u], predicted=predicted[:, u])
                        for u, unit in enumerate(ACTION_UNITS)]
        searches += [base | dict(outer_folds=served, label=unit, C=costs, auc=areas[u],
                                 chosen=np.arange(len(costs)) == chosen[u])
                     for served, chosen, areas in found.searches for u, unit in enumerate(ACTION_UNITS)]
    base = dict(protocol=SUBJECT_INDEPENDENT, features=FEATURES)
    if train.intensity is not None and tested.intensity is not None and train.truth is None:
        # The paper grades nothing, so there is no published way that could be repeated.
        learner, graded = UnitLearner(K, train.intensity, costs[:3], False, n_threads), tested.intensity
        values = learner.learn(SUBJECT_INDEPENDENT, folds[SUBJECT_INDEPENDENT], config.inner_folds, K_test).values
        rows += [base | row for row in _rows(
            "icc", lambda u, faces, *drawn: resampled_icc(graded[faces, u], values[faces, u], *drawn), graded,
            _notes(values, train.intensity, graded, graded=True), tested.subjects, config)]
    if tested.truth is not None:
        rows += [base | dict(features="emotion") | row for row in oracle_scores(tested, config)]
    tables = [pd.concat(map(pd.DataFrame, parts), ignore_index=True) for parts in (predictions, searches)]
    return AUResult(score_table(rows), *tables, config.model_dump() | dict(across=test is not None))


def occurrence_scores(tested: AUData, found: Decisions, Y_train: np.ndarray, config: DetectorConfig) -> list[dict]:
    """Return the rows of ``auc, f1, average_precision, prevalence, n_positive``, with means of the first three.

    Where the truth behind derived labels is known, there is ``auc_true`` against it, and ``auc_true_within``: the same over
    pairs of faces of one emotion, which knowing the emotion does not help to order.
    """
    Y, truth, values, predicted = tested.Y, tested.truth, found.values, found.values >= found.thresholds
    scores = {"auc": (_area(values, Y), Y)}
    if truth is not None:
        emotions = np.array(tested.emotions, dtype=object)
        scores["auc_true"] = _area(values, truth), truth
        scores["auc_true_within"] = (
            lambda u, faces, *drawn: resampled_within(values[faces, u], truth[faces, u], emotions[faces], *drawn)), truth
    scores["f1"] = (lambda u, faces, *drawn: resampled_f1(Y[faces, u], predicted[faces, u], *drawn)), Y
    scores["average_precision"] = (lambda u, faces, *_: [average_precision_score(Y[faces, u], values[faces, u])]), Y
    rows = []
    for score, (statistic, labels) in scores.items():
        notes = _notes(values, Y_train, labels)
        rows += _rows(score, statistic, labels, notes, tested.subjects, config, interval=score != "average_precision")
    uncoded = np.where(np.isnan(Y).all(axis=0), "not coded in test", "")
    for score, count in (("prevalence", np.mean), ("n_positive", np.sum)):
        of_unit = lambda u, faces, *_, count=count: [count(Y[faces, u])]
        rows += _rows(score, of_unit, Y, uncoded, tested.subjects, config, False)[:-1]
    return rows


def oracle_scores(tested: AUData, config: DetectorConfig) -> list[dict]:
    """Return the rows of ``auc_true`` for `emotion_oracle`: against the derived labels its area is 1 by construction."""
    values = emotion_oracle(tested.emotions, tested.truth, tested.subjects)
    known = ~np.isnan(values).all(axis=1)
    Y = np.where(known[:, None], tested.truth, np.nan)
    rows = _rows("auc_true", _area(values, Y), Y, _notes(values, Y, Y), tested.subjects, config)
    rows[-1] |= dict(n_faces=int(known.sum()), n_subjects=len(np.unique(tested.subjects[known])))
    return rows


def _rows(
    score: str, statistic: Callable, Y: np.ndarray, notes: Sequence[str], subjects: np.ndarray, config: DetectorConfig,
    interval: bool = True,
) -> list[dict]:
    """Rows of one score: each Action Unit without a note, and their mean, with 95 % intervals over people.

    ``statistic(u, faces, counts, codes)`` is that of the faces for which unit u is known, in each resample of people, see
    `fergan.experiments.intervals.bootstrap_interval`; the value is the one of all people once.
    """
    coded = [np.flatnonzero(~np.isnan(y)) for y in Y.T]
    everyone = np.ones((1, 1)), np.zeros(len(Y), dtype=int)

    def of_unit(u: int, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return statistic(u, coded[u], counts, codes[coded[u]])

    points = np.array([np.nan if note else of_unit(u, *everyone)[0] for u, note in enumerate(notes)])
    # Only pairs within an emotion can be missing where both classes are there.
    notes = [note or ("no emotion has it on some faces and not on others" if np.isnan(point) else "")
             for note, point in zip(notes, points, strict=True)]
    fine = [u for u, note in enumerate(notes) if not note]

    def with_mean(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        found = np.stack([of_unit(u, counts, codes) for u in fine], axis=1)
        # A resample without any face of a rare unit still has a mean over the other units.
        return np.column_stack([found, np.ma.masked_invalid(found).mean(axis=1).filled(np.nan)])

    low, high = np.full((2, len(points) + 1), np.nan)
    if interval and fine:  # the same resamples of people for all scores, also of some faces only
        low[[*fine, -1]], high[[*fine, -1]] = bootstrap_interval(with_mean, subjects, config.n_resamples, config.seed)
    left_out = ", ".join(unit for unit, note in zip(ACTION_UNITS, notes, strict=True) if note)
    return pd.DataFrame(dict(
        score=score, label=[*ACTION_UNITS, "all"], value=[*points, points[fine].mean() if fine else np.nan], low=low,
        high=high, n_faces=[*map(len, coded), len(Y)],
        n_subjects=[len(set(subjects[faces])) for faces in coded] + [len(set(subjects))],
        n_labels=[1] * len(points) + [len(fine)], note=[*notes, f"without {left_out}" if left_out else ""],
    )).to_dict("records")


def _area(values: np.ndarray, Y: np.ndarray) -> Callable:
    return lambda u, faces, *drawn: resampled_auc(values[faces, u], Y[faces, u] == 1, *drawn)


def _notes(values: np.ndarray, train: np.ndarray, test: np.ndarray, graded: bool = False) -> list[str]:
    """Say for each Action Unit why it cannot be scored, or nothing."""

    def why(labels: np.ndarray) -> str:
        present = np.unique(labels[~np.isnan(labels)])
        if len(present) > 1:
            return ""
        if graded:
            return "not graded, or always the same,"
        return ("always present" if present[0] else "never present") if len(present) else "not coded"

    partly = f"{'always the same' if graded else 'never or always present'} in the training part of a fold"
    notes = []
    for u in range(len(ACTION_UNITS)):
        words = {"training": why(train[:, u]), "test": why(test[:, u])}
        found = [f"{word} in {where}" for where, word in words.items() if word]
        notes.append(found[0] if found else partly if np.isnan(values[~np.isnan(test[:, u]), u]).any() else "")
    return notes


def resampled_f1(true: np.ndarray, predicted: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """F1 of each resample of people, NaN without a positive face or prediction."""
    confusion = resampled_confusion(true.astype(int), predicted.astype(int), 2, counts, codes)
    with np.errstate(invalid="ignore"):
        return 2 * confusion[:, 1, 1] / (2 * confusion[:, 1, 1] + confusion[:, 0, 1] + confusion[:, 1, 0])


def resampled_within(
    values: np.ndarray, labels: np.ndarray, groups: np.ndarray, counts: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve over pairs within a group: the share of (positive, negative) pairs of one group in order.

    Faces whose group is None take no part. Shape (n_resamples,), NaN where no group has both a positive and a negative face.
    """
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
    """Return what somebody would say who sees nothing but the emotion: how often others who show it show each unit.

    Shares of shape (n_faces, n_units), NaN where the emotion is None or nobody else shows it. A face's own person does not
    count.
    """
    table, emotion = pd.DataFrame(truth), pd.Series(emotions, dtype="object")
    of_all, of_own = table.groupby(emotion), table.groupby([emotion, pd.Series(subjects)])
    shown, coded = (of_all.transform(each) - of_own.transform(each) for each in ("sum", "count"))
    return (shown / coded.where(coded > 0)).to_numpy()


def run_single_unit(
    folder: Path, config: DetectorConfig, *, features: Mapping[str, np.ndarray], occurrence: np.ndarray,
    subjects: np.ndarray, unit: str, n_threads: int = 1,
) -> None:
    """Recognise one Action Unit within a set from the features of several networks, under both protocols.

    Writes ``scores.json``: ``auc`` of faces that no model had seen; ``auc_train``, the mean over folds of the area on the
    very faces that each fold's model learnt from; and for all but the first feature set ``auc_difference``, the first's area
    minus this one's on the same resamples of people. NaN, with a note, where the unit cannot be learnt.

    Args:
        features: Matrices of shape (n_faces, n_features) by name.
        occurrence: Shape (n_faces,), 0, 1 or NaN.
        subjects: Shape (n_faces,), str.
        unit: What the Action Unit is called.
    """
    check_features(features, len(occurrence))
    coded = ~np.isnan(occurrence)
    Y, subjects = occurrence[coded, None], subjects[coded]
    folds, costs = unit_folds(Y, subjects, config.n_folds, config.seed), np.sort(np.array(config.costs))
    rows, of_first = [], {}
    for name, X in features.items():
        learner = UnitLearner(gram(X[coded]), Y, costs, n_threads=n_threads)
        for protocol, of_protocol in folds.items():
            found = learner.learn(protocol, of_protocol, config.inner_folds)
            unseen, learnt = (found.values[:, 0], np.arange(len(Y))), _on_training(learner, of_protocol, found)
            scores = {"auc": ([unseen], [1.0]), "auc_train": (learnt, np.full(len(learnt), 1 / len(learnt)))}
            if of_first.setdefault(protocol, unseen) is not unseen:
                scores["auc_difference"] = [of_first[protocol], unseen], [1.0, -1.0]
            base = dict(protocol=protocol, features=name, label=unit, n_faces=len(Y), n_subjects=len(set(subjects)))
            rows += [base | dict(score=score) | _sum_of_areas(parts, np.array(weights), Y[:, 0], subjects, config)
                     for score, (parts, weights) in scores.items()]
    write_json(folder / "scores.json", {"unit": unit, "scores": score_table(rows).to_dict("records")})


def load_single_unit(folder: str | Path) -> tuple[str, pd.DataFrame]:
    """Read the Action Unit and the table of scores that `run_single_unit` wrote."""
    content = read_json(Path(folder) / "scores.json")
    return content["unit"], score_table(content["scores"])


def _on_training(learner: UnitLearner, folds: Sequence[np.ndarray], found: Decisions) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each fold the decision values of the faces that its model learnt from, and which faces these are."""
    parts = []
    for which, chosen, _ in found.searches:
        for number in range(len(folds)) if which == "all" else map(int, which.split()):
            rows = other_rows(len(learner.Y), [folds[number]])
            parts.append((learner.values(rows, learner.costs[chosen, None], rows)[:, 0, 0], rows))
    return parts


def _sum_of_areas(
    parts: Sequence[tuple[np.ndarray, np.ndarray]], weights: np.ndarray, labels: np.ndarray, subjects: np.ndarray,
    config: DetectorConfig,
) -> dict[str, object]:
    """Return value, low, high and note of the weighted sum of the areas of parts (values and their faces)."""
    areas = np.array([coded_auc(values, labels[rows]) for values, rows in parts])
    if np.isnan(areas).any() or any(np.isnan(values).any() for values, _ in parts):
        return dict(note="never or always present in the training part of a fold")

    def resampled(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return weights @ np.array([resampled_auc(values, labels[rows] == 1, counts, codes[rows]) for values, rows in parts])

    low, high = bootstrap_interval(resampled, subjects, config.n_resamples, config.seed)
    return dict(value=weights @ areas, low=low, high=high)


def papers_units(experiment: int, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the paper's areas under the curve (Table IV) by Action Unit, and their mean as "all".

    Empty where the paper has no such experiment, or has it on other sets than the `settings` of a result name.
    """
    if not papers_own("units", experiment, settings):
        return {}
    return read_table("table4_au_auc").set_index("au")[f"exp{experiment}"].rename({"Average": "all"}).to_dict()
