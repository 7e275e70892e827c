"""The transfer matrix: the features of every network on every set of faces, under folds of whole people.

The rows of a column share faces, folds and the search's budget, so that they can be compared face by face. A cell that is an
emotion experiment of the same settings is read from that experiment's result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.experiments.cross_validation import (
    SUBJECT_INDEPENDENT,
    check_features,
    check_training_parts,
    fold_blocks,
    fold_numbers,
    grouped_folds,
)
from fergan.experiments.emotion_classes import emotion_classes
from fergan.experiments.emotion_learning import subject_independent
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.experiments.transfer_scores import MatrixFaces, transfer_scores
from fergan.svm.kernels import squared_distances

__all__ = ["Column", "TransferResult", "learn_column", "read_experiment", "some_people", "transfer_result"]

#: How to obtain features: an array, or what makes it when it is needed.
Features = np.ndarray | Callable[[], np.ndarray]


@dataclass(frozen=True)
class Column:
    """One target of the matrix.

    Attributes
    ----------
    target : str
    predictions : DataFrame
        Columns ``target, features, face, subject, fold, true, predicted``.
    searches : DataFrame
        Columns ``target, features, block, C, gamma, accuracy``; an experiment that was read has none.
    """

    target: str
    predictions: pd.DataFrame
    searches: pd.DataFrame


class TransferResult(ExperimentResult):
    """Scores, predictions and chosen parameters of a transfer matrix; see `Column` for the latter two.

    ``settings`` also holds ``networks``, ``targets``, ``baselines`` and ``pretraining_faces``, the number of faces
    that each network learnt.
    """

    def matrix(self, score: str = "accuracy") -> pd.DataFrame:
        """Return a score with one row per kind of features and one column per target."""
        table = self.scores[(self.scores["score"] == score) & (self.scores["label"] != "all")]
        rows = [*self.settings["networks"], *self.settings["baselines"]]
        table = table.pivot(index="features", columns="label", values="value")
        return table.reindex(index=rows, columns=self.settings["targets"])

    def faces(self) -> MatrixFaces:
        """Return which faces each kind of features named rightly."""
        s = self.settings
        return _matrix_faces(self.predictions, s["networks"], s["baselines"], s["n_resamples"], s["seed"])


def some_people(subjects: np.ndarray, max_faces: int, seed: int) -> np.ndarray:
    """Return the faces of as many people, in a random order, as have at most `max_faces` faces together.

    Parameters
    ----------
    subjects : ndarray of shape (n_faces,), str
    max_faces : int
        0 takes all; the first two people are taken in any case.
    seed : int

    Returns
    -------
    ndarray of int
        Ascending.
    """
    if not max_faces or len(subjects) <= max_faces:
        return np.arange(len(subjects))
    people, codes = np.unique(subjects, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(people))
    reached = np.cumsum(np.bincount(codes)[order])
    n_people = max(2, int(np.searchsorted(reached, max_faces, side="right")))
    return np.flatnonzero(np.isin(codes, order[:n_people]))


def learn_column(
    target: str, features: Mapping[str, Features], emotions: np.ndarray, subjects: np.ndarray, *, n_folds: int,
    inner_folds: int, n_evaluations: int, seed: int, n_threads: int = 1,
    known: Mapping[str, pd.DataFrame] | None = None, progress: Callable[[str], None] | None = None,
) -> Column:
    """Predict the faces of one set from every kind of features, each face by a model that knows none of its person.

    Parameters
    ----------
    target : str
        The set's name.
    features : mapping of str to ndarray of shape (n_faces, n_features), or to a function that makes one
        Network or baseline -> features of the set's faces.
    emotions, subjects : ndarray of shape (n_faces,), str
    n_folds, inner_folds, n_evaluations, seed, n_threads : int
        See `fergan.experiments.emotion_learning.subject_independent`.
    known : mapping, optional
        Network or baseline -> predictions of an emotion experiment, see `read_experiment`; they are taken where
        faces, labels and folds are the same.
    progress : callable, optional
        Called with a line of text after each kind of features.

    Raises
    ------
    ValueError
        Before any fit: a missing or unknown emotion, one emotion only, too few people or faces for the folds. Features
        that are not finite, when they are made.
    """
    names, y = emotion_classes(emotions, subjects)
    words, subjects = names[y], np.asarray(subjects, dtype=str)
    folds = grouped_folds(words, subjects, n_folds, seed)
    check_training_parts(words, folds)
    fold_blocks(n_folds, inner_folds)
    base = dict(target=target, face=np.arange(len(y)), subject=subjects, fold=fold_numbers(len(y), folds), true=words)
    tables, searches = [], []
    for name, made in features.items():
        table = _same_faces(known.get(name), base) if known else None
        if table is None:
            X = made() if callable(made) else made
            check_features({name: X}, len(y))
            values, results = subject_independent(
                squared_distances(X), y, folds, n_evaluations=n_evaluations, inner_folds=inner_folds, seed=seed,
                n_threads=n_threads,
            )
            table = pd.DataFrame(base | dict(predicted=names[values.argmax(axis=1)]))
            searches += [dict(target=target, features=name, block=i, C=result.C, gamma=result.gamma, accuracy=result.score)
                         for i, (_, result) in enumerate(results)]
        tables.append(table.assign(features=name))
        if progress is not None:
            progress(f"{name} on {target}: accuracy {(table['true'] == table['predicted']).mean():.3f}")
    columns = ["target", "features", "block", "C", "gamma", "accuracy"]
    return Column(target, pd.concat(tables, ignore_index=True), pd.DataFrame(searches, columns=columns))


def _same_faces(table: pd.DataFrame | None, base: Mapping[str, object]) -> pd.DataFrame | None:
    """Return an experiment's predictions as a column has them, if they are of the same faces, labels and folds."""
    if table is None or len(table) != len(base["face"]):
        return None
    table = table.sort_values("face")
    same = all(np.array_equal(table[key].to_numpy(), base[key]) for key in ("face", "subject", "fold", "true"))
    return pd.DataFrame(dict(base) | dict(predicted=table["predicted"].to_numpy(dtype=str))) if same else None


def read_experiment(folder: str | Path, settings: Mapping[str, object]) -> tuple[str, dict[str, pd.DataFrame]]:
    """Read the predictions of an emotion experiment on people never seen, if it was run with the given settings.

    Parameters
    ----------
    folder : path
        Of the experiment's result.
    settings : mapping
        ``n_folds``, ``inner_folds``, ``n_evaluations`` (of a nested search) and ``seed``.

    Returns
    -------
    target : str
        The set that it classified.
    tables : dict of str to DataFrame
        Network ("discriminator" under the name of the set that it learnt) or baseline -> predictions; empty where
        settings differ.
    """
    result = ExperimentResult.load(folder)
    found = result.settings | {"n_evaluations": result.settings.get("nested_evaluations")}
    keys = ("n_folds", "inner_folds", "n_evaluations", "seed")
    if found.get("prune") or any(found.get(key) != settings[key] for key in keys):
        return found["target"], {}
    tables = result.predictions[result.predictions["protocol"] == SUBJECT_INDEPENDENT]
    names = {"discriminator": found["pretrained"]}
    return found["target"], {names.get(name, name): table for name, table in tables.groupby("features")}


def transfer_result(
    columns: list[Column], *, networks: Mapping[str, int], baselines: list[str], n_resamples: int, seed: int,
    settings: Mapping[str, object],
) -> TransferResult:
    """Score the columns of a transfer matrix.

    Parameters
    ----------
    columns : list of Column
        At least one.
    networks : mapping of str to int
        Network, named after the set that it learnt -> how many faces that were.
    baselines : list of str
        The other kinds of features.
    n_resamples, seed : int
        Of the bootstrap over people.
    settings : mapping
        What else the result should say of itself.

    Raises
    ------
    ValueError
        There is no column.
    """
    if not columns:
        raise ValueError("no set of faces can be a target; a transfer matrix needs at least one with two emotions")
    predictions = pd.concat([column.predictions for column in columns], ignore_index=True)
    faces = _matrix_faces(predictions, list(networks), baselines, n_resamples, seed)
    of_target = predictions[predictions["features"] == predictions["features"].iloc[0]].groupby("target", sort=False)["true"]
    majority = {target: float(true.value_counts(normalize=True).max()) for target, true in of_target}
    rows = transfer_scores(faces, majority, of_target.nunique().to_dict())
    found = dict(settings) | dict(networks=list(networks), baselines=baselines, targets=[c.target for c in columns],
                                  pretraining_faces=dict(networks), n_resamples=n_resamples, seed=seed)
    filled = [column.searches for column in columns if len(column.searches)] or [columns[0].searches]
    return TransferResult(score_table(rows), predictions, pd.concat(filled, ignore_index=True), found)


def _matrix_faces(
    predictions: pd.DataFrame, networks: list[str], baselines: list[str], n_resamples: int, seed: int
) -> MatrixFaces:
    right = predictions.assign(right=(predictions["true"] == predictions["predicted"]).astype(float))
    order = list(dict.fromkeys(predictions["target"]))
    wide = right.pivot(index=["target", "face", "subject"], columns="features", values="right").reset_index()
    wide = wide.sort_values(["target", "face"], key=lambda c: c.map(order.index) if c.name == "target" else c, kind="stable")
    return MatrixFaces(wide[[*networks, *baselines]].reset_index(drop=True), wide["target"].to_numpy(dtype=str),
                       wide["subject"].to_numpy(dtype=str), tuple(networks), n_resamples, seed)
