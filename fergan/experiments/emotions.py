"""The emotion experiments: a multiclass Gaussian SVM on each feature set, under every protocol, the same folds."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.experiments.cross_validation import (
    AS_PUBLISHED,
    OFFICIAL_SPLIT,
    SUBJECT_INDEPENDENT,
    check_features,
    check_training_parts,
    fold_blocks,
    fold_numbers,
    folds_of_protocols,
    grouped_folds,
    official_parts,
)
from fergan.experiments.emotion_classes import emotion_classes
from fergan.experiments.emotion_learning import as_published, official_split, subject_independent
from fergan.experiments.emotion_scores import ScoredFaces, emotion_scores
from fergan.experiments.intervals import chance_test, exchangeable
from fergan.experiments.scores import ExperimentResult, roc, score_table
from fergan.svm.kernels import squared_distances
from fergan.svm.search import SearchResult

__all__ = ["EmotionResult", "run_emotion_experiment"]


class EmotionResult(ExperimentResult):
    """Scores, predictions and searches of an emotion experiment.

    ``predictions`` has one row per face, protocol and feature set: ``protocol, features, face, subject, fold,
    true, predicted`` and ``value_<emotion>``, the decision value of each class. Under the official split only its
    test faces have rows.
    """

    @property
    def emotions(self) -> list[str]:
        """The classes, in the order of `fergan.facs.EMOTIONS`."""
        return list(self.settings["emotions"])

    @property
    def protocols(self) -> list[str]:
        """The protocols that the experiment was scored under, in the order of their columns."""
        return list(dict.fromkeys(self.scores["protocol"]))

    def confusion(self, protocol: str, features: str) -> pd.DataFrame:
        """Return the counts of faces, rows by true emotion and columns by predicted emotion."""
        table = self.select(protocol, features)
        counts = pd.crosstab(table["true"], table["predicted"])
        return counts.reindex(index=self.emotions, columns=self.emotions, fill_value=0)

    def roc(self, protocol: str, features: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return, for each emotion against all others, the false and the true positive rates."""
        table = self.select(protocol, features)
        true = table["true"].to_numpy()
        return {e: roc(true == e, table[f"value_{e}"].to_numpy()) for e in self.emotions}


@dataclass(frozen=True)
class _Problem:
    """Whom each protocol trains and scores, the same for all kinds of features."""

    faces: ScoredFaces
    folds: dict[str, list[np.ndarray]]
    official: tuple[np.ndarray, np.ndarray, str] | None
    no_official: str  # why there is no official split, where one was given
    searching: dict  # arguments of the searches

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """The faces that each protocol scores."""
        everyone = np.arange(len(self.faces.y))
        return dict.fromkeys(self.folds, everyone) | ({OFFICIAL_SPLIT: self.official[1]} if self.official else {})

    def fold_of(self, protocol: str) -> np.ndarray:
        """Return the number of the fold of each face that the protocol scores."""
        if protocol == OFFICIAL_SPLIT:
            return np.zeros(len(self.official[1]), dtype=int)
        return fold_numbers(len(self.faces.y), self.folds[protocol])


def run_emotion_experiment(
    features: dict[str, np.ndarray], emotions: np.ndarray, subjects: np.ndarray, *, split: np.ndarray | None = None,
    n_folds: int = 10, n_evaluations: int = 30, nested_evaluations: int | None = None, inner_folds: int = 3,
    n_resamples: int = 1000, n_permutations: int = 0, prune: bool = False, seed: int = 0, n_threads: int = 1,
    journal: str | Path | None = None, progress: Callable[[str], None] | None = None,
) -> EmotionResult:
    """Recognise emotions from each feature set under every protocol.

    Parameters
    ----------
    features : dict of str to ndarray of shape (n_faces, n_features), float32
        Feature sets by name; the first is the one that the others are compared with.
    emotions : ndarray of shape (n_faces,), str
        Emotions of `fergan.facs.EMOTIONS` or synonyms of them; none missing.
    subjects : ndarray of shape (n_faces,), str
        The person of each face.
    split : ndarray of shape (n_faces,), optional
        The set's official split, see `fergan.experiments.cross_validation.official_parts`. Where its training part is too small for
        `inner_folds` it is left out, and ``settings["official_split"]`` says why.
    n_folds : int
        Folds of the protocols without an official split.
    n_evaluations : int
        Points that the Bayesian search tries, as published and within an official training part.
    nested_evaluations : int, optional
        Points that each nested search tries; `n_evaluations` when left out.
    inner_folds : int
        Folds of the nested search, and of that within an official training part.
    n_resamples : int
        Bootstrap resamples over people for the 95 % intervals.
    n_permutations : int
        Labellings that the first feature set's accuracy on people never seen is compared with; 0 for no such test.
    prune : bool
        Stop hopeless candidates of the nested and the official searches, see `fergan.svm.search.search`; as published every
        candidate sees every fold.
    seed : int
        Of folds, searches, resamples and permutations.
    n_threads : int
        Folds fitted at the same time.
    journal : path, optional
        Folder that keeps finished trials, so that an experiment that was stopped goes on; removed at the end.
    progress : callable, optional
        Called with a line of text after each trial, and after each protocol and feature set.

    Returns
    -------
    EmotionResult
        Scores ``accuracy, balanced_accuracy, macro_f1``; ``auc`` per emotion (one against the rest) and its
        mean, label "all"; ``accuracy_difference``, the first feature set minus the one of the row, over the same
        resamples, and its ``accuracy_difference_p_value``; ``protocol_gap``, accuracy as published minus
        subject-independent; ``p_value`` of the first feature set against chance; ``majority_accuracy`` and
        ``chance_accuracy`` with features "none". The decision values behind an area come from n_folds models and
        are pooled, which assumes that these are on one scale; they are votes of pairwise classifiers, so the scale is
        the number of classes beaten.

    Raises
    ------
    ValueError
        Before any fit: features that are not finite, a missing or unknown emotion, too few people, faces or
        classes.
    """
    check_features(features, len(emotions))
    nested_evaluations = nested_evaluations or n_evaluations
    searching = dict(seed=seed, n_threads=n_threads, journal=journal, progress=progress, inner_folds=inner_folds,
                     n_evaluations=n_evaluations, nested_evaluations=nested_evaluations, prune=prune)
    problem = _pose(emotions, subjects, split, n_folds, n_resamples, searching)
    faces, first = problem.faces, next(iter(features))
    values, searches, rows = {}, [], []
    for name, X in features.items():
        D2 = squared_distances(X)
        for protocol in problem.rows:
            found, results = _learn(protocol, D2, problem)
            values[protocol, name] = found
            searches += [_trials(protocol, name, " ".join(map(str, block)), result) for block, result in results]
            if progress is not None:
                right = faces.of(problem.rows[protocol]).right(found).mean()
                progress(f"{name}, {protocol}: accuracy {right:.3f}")
            if n_permutations and name == first and protocol == SUBJECT_INDEPENDENT:
                rows.append(_against_chance(name, D2, problem, results, n_permutations))
    test_part = problem.official[2] if problem.official else problem.no_official
    settings = dict(n_evaluations=n_evaluations, inner_folds=inner_folds, seed=seed, n_folds=n_folds,
                    n_resamples=n_resamples, n_permutations=n_permutations, nested_evaluations=nested_evaluations,
                    prune=prune, features=list(features), emotions=faces.names.tolist(), official_split=test_part)
    notes = {OFFICIAL_SPLIT: f"trained on {len(problem.official[0])} faces"} if problem.official else {}
    scores = score_table(emotion_scores(values, problem.rows, faces, notes) + rows)
    predictions = pd.concat([_predictions(*key, found, problem) for key, found in values.items()], ignore_index=True)
    if journal is not None:
        shutil.rmtree(journal, ignore_errors=True)
    return EmotionResult(scores, predictions, pd.concat(searches, ignore_index=True), settings)


def _pose(emotions, subjects, split, n_folds: int, n_resamples: int, searching: dict) -> _Problem:
    """Divide the faces for every protocol, and refuse what cannot work while nothing is fitted yet."""
    subjects = np.asarray(subjects, dtype=str)
    names, y = emotion_classes(emotions, subjects)
    seed, inner_folds = searching["seed"], searching["inner_folds"]
    folds = folds_of_protocols(names[y], subjects, n_folds, seed)
    for of_protocol in folds.values():
        check_training_parts(names[y], of_protocol)
    fold_blocks(n_folds, inner_folds)
    if split is not None and len(split) != len(y):
        raise ValueError(f"{len(y)} emotions but {len(split)} entries of split; expected one of each per face")
    official, why_not = (None if split is None else official_parts(split)), ""
    if official is not None:
        train = official[0]
        try:
            check_training_parts(names[y[train]], grouped_folds(names[y[train]], subjects[train], inner_folds, seed))
            absent = np.setdiff1d(y[official[1]], y[train])
            if len(absent):
                raise ValueError(f"no training face shows {names[absent[0]]}")
        except ValueError as error:
            official, why_not = None, f"left out: {error}"
    return _Problem(ScoredFaces(y, names, subjects, n_resamples, seed), folds, official, why_not, searching)


def _learn(protocol: str, D2: np.ndarray, problem: _Problem) -> tuple[np.ndarray, list[tuple[list, SearchResult]]]:
    """Return the decision values of the faces that a protocol scores, and its searches with the folds they served."""
    y, options = problem.faces.y, dict(problem.searching)
    nested, inner_folds = options.pop("nested_evaluations"), options.pop("inner_folds")
    if protocol == AS_PUBLISHED:
        options.pop("prune")
        values, result = as_published(D2, y, problem.folds[protocol], **options)
        return values, [(["all"], result)]
    if protocol == SUBJECT_INDEPENDENT:
        options["n_evaluations"] = nested
        return subject_independent(D2, y, problem.folds[protocol], inner_folds=inner_folds, **options)
    train, test, name = problem.official
    values, result = official_split(D2, y, train, test, problem.faces.subjects, inner_folds=inner_folds, **options)
    return values, [([name], result)]


def _against_chance(name: str, D2: np.ndarray, problem: _Problem, results: list, n_permutations: int) -> dict:
    faces, folds = problem.faces, problem.folds[SUBJECT_INDEPENDENT]
    blocks = [(np.concatenate([folds[i] for i in block]), result.C, result.gamma) for block, result in results]
    test = chance_test(D2, faces.y, faces.subjects, blocks, n_permutations=n_permutations, seed=faces.seed,
                       n_threads=problem.searching["n_threads"])
    alone = int(np.sum(exchangeable(faces.subjects) == 0))
    within = "among people with one face" if alone == len(faces.y) else "within people"
    if 0 < alone < len(faces.y):
        within += f", those of the {alone} people with one face among these"
    note = (f"{n_permutations} permutations {within}; {len(blocks)} blocks of folds: accuracy {test.observed:.3f},"
            f" permuted {test.permuted.mean():.3f} on average, {test.permuted.max():.3f} at most")
    return faces.base | dict(protocol=SUBJECT_INDEPENDENT, features=name, score="p_value", value=test.p_value, note=note)


def _trials(protocol: str, name: str, outer_folds: str, result: SearchResult) -> pd.DataFrame:
    table = result.trials.rename(columns={"score": "accuracy"})
    return pd.DataFrame(dict(protocol=protocol, features=name, outer_folds=outer_folds), table.index).join(table)


def _predictions(protocol: str, name: str, values: np.ndarray, problem: _Problem) -> pd.DataFrame:
    rows = problem.rows[protocol]
    faces = problem.faces.of(rows)
    columns = dict(protocol=protocol, features=name, face=rows, subject=faces.subjects, fold=problem.fold_of(protocol),
                   true=faces.names[faces.y], predicted=faces.names[values.argmax(axis=1)])
    return pd.DataFrame(columns | {f"value_{e}": values[:, k] for k, e in enumerate(faces.names)})
