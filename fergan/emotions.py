"""The emotion experiments: a multiclass Gaussian SVM on each feature set, both protocols, the same folds."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from fergan.emotion_learning import as_published, subject_independent
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.kernels import squared_distances
from fergan.paper import read_table
from fergan.protocols import (
    AS_PUBLISHED,
    PROTOCOLS,
    auc,
    balanced_accuracy_and_f1,
    bootstrap_interval,
    check_features,
    check_training_parts,
    fold_blocks,
    fold_numbers,
    folds_of_protocols,
    resampled_auc,
    resampled_confusion,
    resampled_mean,
)
from fergan.results import ExperimentResult, score_table
from fergan.search import SearchResult

__all__ = ["EmotionResult", "paper_emotion_scores", "run_emotion_experiment"]


class EmotionResult(ExperimentResult):
    """Scores, predictions and searches of an emotion experiment.

    ``predictions`` has one row per face, protocol and feature set: ``protocol, features, face, subject, fold,
    true, predicted`` and ``value_<emotion>``, the decision value of each class.
    """

    @property
    def emotions(self) -> list[str]:
        """The classes, in the order of `fergan.facs.EMOTIONS`."""
        return list(self.settings["emotions"])

    def confusion(self, protocol: str, features: str) -> pd.DataFrame:
        """Return the counts of faces, rows by true emotion and columns by predicted emotion."""
        table = self.select(protocol, features)
        counts = pd.crosstab(table["true"], table["predicted"])
        return counts.reindex(index=self.emotions, columns=self.emotions, fill_value=0)

    def roc(self, protocol: str, features: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return, for each emotion against all others, the false and the true positive rates."""
        table = self.select(protocol, features)
        true = table["true"].to_numpy()
        return {e: self._roc(true == e, table[f"value_{e}"].to_numpy()) for e in self.emotions}


def run_emotion_experiment(
    features: dict[str, np.ndarray], emotions: np.ndarray, subjects: np.ndarray, *,
    n_folds: int = 10, n_evaluations: int = 30, nested_evaluations: int | None = None, inner_folds: int = 3,
    n_resamples: int = 1000, seed: int = 0, n_threads: int = 1, progress: Callable[[str], None] | None = None,
) -> EmotionResult:
    """Recognise emotions from each feature set under both protocols.

    Parameters
    ----------
    features : dict of str to ndarray of shape (n_faces, n_features), float32
        Feature sets by name; the first is the one that the others are compared with.
    emotions : ndarray of shape (n_faces,), str
        Emotions of `fergan.facs.EMOTIONS` or synonyms of them; none missing.
    subjects : ndarray of shape (n_faces,), str
        The person of each face.
    n_folds : int
        Folds of either protocol.
    n_evaluations : int
        Points that the Bayesian search tries, as published.
    nested_evaluations : int, optional
        Points that each nested search tries; `n_evaluations` when left out.
    inner_folds : int
        Folds of the nested search.
    n_resamples : int
        Bootstrap resamples over people for the 95 % intervals.
    seed : int
        Of folds, searches and resamples.
    n_threads : int
        Folds fitted at the same time.
    progress : callable, optional
        Called with a line of text after each protocol and feature set.

    Returns
    -------
    EmotionResult
        Scores ``accuracy, balanced_accuracy, macro_f1``; ``auc`` per emotion (one against the rest) and its
        mean, label "all"; ``accuracy_difference``, the first feature set minus the one of the row, over the
        same resamples; ``majority_accuracy`` and ``chance_accuracy`` with features "none". The decision
        values behind an area come from n_folds models and are pooled, which assumes that these are on one
        scale; they are votes of pairwise classifiers, so the scale is the number of classes beaten.

    Raises
    ------
    ValueError
        Before any fit: features that are not finite, a missing or unknown emotion, too few people, faces or
        classes.
    """
    check_features(features, len(emotions))
    subjects = np.asarray(subjects, dtype=str)
    names, y = _classes(emotions, subjects)
    folds = folds_of_protocols(names[y], subjects, n_folds, seed)
    for of_protocol in folds.values():
        check_training_parts(names[y], of_protocol)
    fold_blocks(n_folds, inner_folds)  # refuses numbers that do not go together while nothing is fitted yet
    nested_evaluations = nested_evaluations or n_evaluations
    common = {"seed": seed, "n_threads": n_threads}
    values, searches = {}, []
    for name, X in features.items():
        D2 = squared_distances(X)
        for protocol, of_protocol in folds.items():
            if protocol == AS_PUBLISHED:
                found, result = as_published(D2, y, of_protocol, n_evaluations=n_evaluations, **common)
                results = [(["all"], result)]
            else:
                found, results = subject_independent(D2, y, of_protocol, n_evaluations=nested_evaluations,
                                                     inner_folds=inner_folds, **common)
            values[protocol, name] = found
            searches += [_trials(protocol, name, " ".join(map(str, block)), result) for block, result in results]
            if progress is not None:
                progress(f"{name}, {protocol}: accuracy {np.mean(found.argmax(axis=1) == y):.3f}")
    settings = dict(n_evaluations=n_evaluations, inner_folds=inner_folds, seed=seed, n_folds=n_folds,
                    n_resamples=n_resamples, nested_evaluations=nested_evaluations, features=list(features),
                    emotions=names.tolist())
    interval = partial(bootstrap_interval, groups=subjects, n_resamples=n_resamples, seed=seed)
    predictions = [_predictions(*key, found, y, names, subjects, fold_numbers(len(y), folds[key[0]]))
                   for key, found in values.items()]
    return EmotionResult(_scores(values, y, names, subjects, interval), pd.concat(predictions, ignore_index=True),
                         pd.concat(searches, ignore_index=True), settings)


def _classes(emotions: np.ndarray, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    missing = np.flatnonzero(pd.isna(np.asarray(emotions, dtype=object)))
    if len(missing):
        raise ValueError(f"{len(missing)} faces have no emotion (first: row {missing[0]}); leave these faces out")
    if len(subjects) != len(emotions):
        raise ValueError(f"{len(emotions)} emotions but {len(subjects)} subjects; expected one of each per face")
    words = [canonical_emotion(word) for word in emotions]
    names = [emotion for emotion in EMOTIONS if emotion in set(words)]
    return np.array(names), np.array([names.index(word) for word in words])


def _trials(protocol: str, name: str, outer_folds: str, result: SearchResult) -> pd.DataFrame:
    table = result.trials.rename(columns={"score": "accuracy"})
    return pd.DataFrame(dict(protocol=protocol, features=name, outer_folds=outer_folds), table.index).join(table)


def _predictions(protocol, name, values, y, names, subjects, fold) -> pd.DataFrame:
    columns = dict(protocol=protocol, features=name, face=np.arange(len(y)), subject=subjects, fold=fold,
                   true=names[y], predicted=names[values.argmax(axis=1)])
    return pd.DataFrame(columns | {f"value_{e}": values[:, k] for k, e in enumerate(names)})


def _class_scores(of_class: np.ndarray, y: np.ndarray, names: np.ndarray, interval: Callable) -> list[dict]:
    """Rows of the scores of one protocol and feature set, over all emotions and of each."""
    k = len(names)
    predicted = of_class.argmax(axis=1)
    right = (predicted == y).astype(float)
    confusion = np.zeros((k, k))
    np.add.at(confusion, (y, predicted), 1)
    areas = np.array([auc(of_class[:, c], y == c) for c in range(k)])

    def resampled(counts, codes):
        aucs = np.stack([resampled_auc(of_class[:, c], y == c, counts, codes) for c in range(k)], axis=1)
        rates = balanced_accuracy_and_f1(resampled_confusion(y, predicted, k, counts, codes))
        return np.column_stack([resampled_mean(right, counts, codes), rates, aucs.mean(axis=1), aucs])

    scores = ["accuracy", "balanced_accuracy", "macro_f1", "auc", *["auc"] * k]
    points = [right.mean(), *balanced_accuracy_and_f1(confusion), areas.mean(), *areas]
    columns = ("score", "label", "value", "low", "high", "n_labels")
    cells = zip(scores, ["all"] * 4 + list(names), points, *interval(resampled), [k] * 4 + [1] * k, strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def _scores(values: dict, y: np.ndarray, names: np.ndarray, subjects: np.ndarray, interval: Callable) -> pd.DataFrame:
    size = {"n_faces": len(y), "n_subjects": len(np.unique(subjects))}
    whole = {"label": "all", "n_labels": len(names)}
    first = next(iter(values))[1]
    rows = []
    for (protocol, name), of_class in values.items():
        base = dict(size, protocol=protocol, features=name)
        rows += [base | row for row in _class_scores(of_class, y, names, interval)]
        if name != first:
            rights = [(values[protocol, which].argmax(axis=1) == y).astype(float) for which in (first, name)]
            difference = rights[0] - rights[1]
            low, high = interval(partial(resampled_mean, difference))
            rows.append(base | whole | dict(score="accuracy_difference", value=difference.mean(), low=low, high=high,
                                            note=f"{first} minus {name}"))
    for protocol in PROTOCOLS:
        base = size | whole | dict(protocol=protocol, features="none")
        rows += [dict(base, score="majority_accuracy", value=np.bincount(y).max() / len(y)),
                 dict(base, score="chance_accuracy", value=1 / len(names))]
    return score_table(rows)


def paper_emotion_scores(experiment: int) -> pd.DataFrame:
    """Return the paper's accuracy (Fig. 6) and areas under the curve (Table II) as a table of scores.

    The paper states neither intervals nor numbers of people: these are NaN and 0. Where its printed average
    is not the mean of its column, the note says so.

    Parameters
    ----------
    experiment : int
        1 to 8.
    """
    if experiment not in range(1, 9):
        raise ValueError(f"the paper has emotion experiments 1 to 8, not {experiment!r}")
    accuracy = read_table("fig6_emotion_accuracy").set_index("experiment").loc[experiment]
    areas = read_table("table2_emotion_auc").set_index("emotion")[f"exp{experiment}"].dropna()
    n_faces = 0 if np.isnan(accuracy["n"]) else int(accuracy["n"])
    base = dict(protocol="paper", features="discriminator", n_faces=n_faces)
    whole = dict(base, label="all", n_labels=len(areas) - 1)
    rows = [dict(whole, score="accuracy", value=accuracy["accuracy_percent"] / 100, note=accuracy["source"])]
    mean = areas.drop("Average").mean()
    note = "" if abs(mean - areas["Average"]) < 0.0015 else f"the column averages {mean:.3f}"
    rows.append(dict(whole, score="auc", value=areas["Average"], note=note))
    rows += [dict(base, score="auc", label=canonical_emotion(word), value=value)
             for word, value in areas.drop("Average").items()]
    return score_table(rows)
