"""The Action Unit experiments: one linear C-SVC per Action Unit, within one dataset or from one to another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments.au_data import AUData
from fergan.experiments.au_learning import Decisions, UnitLearner, decision_values, unit_folds
from fergan.experiments.au_scores import UnitScores, coded_auc
from fergan.experiments.config import AUConfig, DetectorConfig
from fergan.experiments.cross_validation import (
    AS_PUBLISHED,
    SUBJECT_INDEPENDENT,
    check_features,
    fold_numbers,
    other_rows,
)
from fergan.experiments.intervals import bootstrap_interval, resampled_auc
from fergan.experiments.scores import ExperimentResult, roc, score_table
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS
from fergan.files import read_json, write_json
from fergan.paper import papers_own, read_table
from fergan.svm.kernels import gram, kernel_slice

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
        chosen = table[(table["protocol"] == AS_PUBLISHED) & table["chosen"] & table["auc"].notna()].set_index("label")["C"]
        return np.array([chosen.get(unit, np.nan) for unit in ACTION_UNITS], dtype=float)


def run_au_experiment(
    folder: Path, config: AUConfig, *, pretrained: str, train: FaceSet, X: np.ndarray, relabel_train: str | None = None,
    test: FaceSet | None = None, X_test: np.ndarray | None = None, relabel_test: str | None = None, n_threads: int = 1,
) -> None:
    """Run an experiment; where its labels are derived, by every other mapping too, and with the truth where it is known.

    Each variant's result is written into a folder of its own in `folder`, see `load_variants`; the experiment itself last.

    Parameters
    ----------
    pretrained : the name of the network
    train, test : FaceSet; without `test`, within one set
    X, X_test : ndarray of shape (n_faces, n_features), float32, their features by the network
    relabel_train, relabel_test : mappings by which Action Units are derived; None keeps what was coded
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

    For the scores see `fergan.experiments.au_scores.UnitScores`: per Action Unit, and means with the label "all". An Action
    Unit that is absent, or always present, in training or test is NaN, said in `note`, and in no mean. Where both sets are
    graded there is ``icc``, subject-independent only, of intensities that a linear regression estimates with one of the
    three smallest costs. With the features "emotion" come the scores of an oracle that knows the emotion and nothing else.
    """
    tested = train if test is None else test
    for where, data in (("train", train), ("test", tested)):
        check_features({where: data.X}, len(data.Y))
    if train.X.shape[1] != tested.X.shape[1]:
        raise ValueError(f"train has {train.X.shape[1]} features, test {tested.X.shape[1]}; they must be the same")
    folds = unit_folds(train.Y, train.subjects, config.n_folds if test is None else config.inner_folds, config.seed)
    costs = np.sort(np.array(config.costs))
    scores = UnitScores(tested, config.n_resamples, config.seed)
    K, K_test = gram(train.X), None if test is None else gram(test.X, train.X)
    learner = UnitLearner(K, train.Y, costs, n_threads=n_threads)
    rows, predictions, searches = [], [], []
    for protocol, of_protocol in folds.items():
        base = dict(protocol=protocol, features=FEATURES)
        found = learner.learn(protocol, of_protocol, config.inner_folds, K_test)
        fold = fold_numbers(len(K), of_protocol) if test is None else np.full(len(tested.subjects), -1)
        rows += [base | row for row in scores.occurrence(found.values, found.thresholds, train.Y)]
        predictions += _predictions(base, found, tested, fold)
        searches += [
            pd.DataFrame(base | dict(outer_folds=served, label=unit, C=costs, auc=areas[u],
                                     chosen=np.arange(len(costs)) == chosen[u]))
            for served, chosen, areas in found.searches for u, unit in enumerate(ACTION_UNITS)
        ]
    base = dict(protocol=SUBJECT_INDEPENDENT, features=FEATURES)
    if train.intensity is not None and tested.intensity is not None and train.truth is None:
        # The paper grades nothing, so there is no published way that could be repeated.
        learner = UnitLearner(K, train.intensity, costs[:3], False, n_threads)
        found = learner.learn(SUBJECT_INDEPENDENT, folds[SUBJECT_INDEPENDENT], config.inner_folds, K_test)
        rows += [base | row for row in scores.intensity(found.values, train.intensity)]
    rows += [base | dict(features="emotion") | row for row in scores.oracle()]
    settings = config.model_dump() | dict(across=test is not None)
    tables = [pd.concat(parts, ignore_index=True) for parts in (predictions, searches)]
    return AUResult(score_table(rows), *tables, settings)


def _predictions(base: dict, found: Decisions, tested: AUData, fold: np.ndarray) -> list[pd.DataFrame]:
    predicted = np.where(np.isnan(found.values), np.nan, found.values >= found.thresholds)
    return [
        pd.DataFrame(base | dict(label=unit, face=np.arange(len(fold)), subject=tested.subjects, fold=fold,
                                 occurrence=tested.Y[:, u], value=found.values[:, u], predicted=predicted[:, u]))
        for u, unit in enumerate(ACTION_UNITS)
    ]


def run_single_unit(
    folder: Path, config: DetectorConfig, *, features: Mapping[str, np.ndarray], occurrence: np.ndarray,
    subjects: np.ndarray, unit: str, n_threads: int = 1,
) -> None:
    """Recognise one Action Unit within a set from the features of several networks, under both protocols.

    Writes ``scores.json``: ``auc`` of faces that no model had seen; ``auc_train``, the mean over folds of the area on the
    very faces that each fold's model learnt from; and for all but the first feature set ``auc_difference``, the first's area
    minus this one's on the same resamples of people. NaN, with a note, where the unit cannot be learnt.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n_faces, n_features)
    occurrence : ndarray of shape (n_faces,), 0, 1 or NaN
    subjects : ndarray of shape (n_faces,), str
    unit : what the Action Unit is called
    """
    check_features(features, len(occurrence))
    coded = ~np.isnan(occurrence)
    Y, subjects = occurrence[coded, None], subjects[coded]
    folds, costs = unit_folds(Y, subjects, config.n_folds, config.seed), np.sort(np.array(config.costs))
    score = partial(_area, labels=Y[:, 0], subjects=subjects, config=config)
    everyone, rows, of_first = np.arange(len(Y)), [], {}
    for name, X in features.items():
        learner = UnitLearner(gram(X[coded]), Y, costs, n_threads=n_threads)
        for protocol, of_protocol in folds.items():
            found = learner.learn(protocol, of_protocol, config.inner_folds)
            base = dict(protocol=protocol, features=name, label=unit, n_faces=len(Y), n_subjects=len(set(subjects)))
            unseen = (found.values[:, 0], everyone)
            rows += [base | dict(score="auc") | score([unseen]),
                     base | dict(score="auc_train") | score(_on_training(learner, of_protocol, found))]
            if of_first.setdefault(protocol, unseen) is not unseen:
                both = [of_first[protocol], unseen]
                rows.append(base | dict(score="auc_difference") | score(both, weights=np.array([1, -1])))
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
            K = kernel_slice(learner.K, rows, rows)
            parts.append((decision_values(K, learner.Y[rows], K, learner.costs[chosen, None])[:, 0, 0], rows))
    return parts


def _area(
    parts: Sequence[tuple[np.ndarray, np.ndarray]], labels: np.ndarray, subjects: np.ndarray, config: DetectorConfig,
    weights: np.ndarray | None = None,
) -> dict[str, object]:
    """Return value, low, high and note of the mean, or weighted sum, of the areas of parts (values and their faces)."""
    weights = np.full(len(parts), 1 / len(parts)) if weights is None else weights
    areas = np.array([coded_auc(values, labels[rows]) for values, rows in parts])
    if np.isnan(areas).any() or any(np.isnan(values).any() for values, _ in parts):
        return dict(value=np.nan, note="never or always present in the training part of a fold")

    def resampled(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return weights @ np.array([resampled_auc(values, labels[rows] == 1, counts, codes[rows]) for values, rows in parts])

    low, high = bootstrap_interval(resampled, subjects, config.n_resamples, config.seed)
    return dict(value=float(weights @ areas), low=float(low), high=float(high))


def papers_units(experiment: int, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the paper's areas under the curve (Table IV) by Action Unit, and their mean as "all".

    Empty where the paper has no such experiment, or has it on other sets than the `settings` of a result name.
    """
    if not papers_own("units", experiment, settings):
        return {}
    return read_table("table4_au_auc").set_index("au")[f"exp{experiment}"].rename({"Average": "all"}).to_dict()
