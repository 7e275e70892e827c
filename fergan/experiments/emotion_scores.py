"""Scores of an emotion experiment from its decision values, and the paper's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.intervals import (
    N_FLIPS,
    auc,
    balanced_accuracy_and_f1,
    bootstrap_interval,
    resampled_auc,
    resampled_confusion,
    resampled_mean,
    sign_flip_p_value,
)
from fergan.experiments.scores import score_table
from fergan.facs import canonical_emotion
from fergan.paper import read_table

__all__ = ["ScoredFaces", "emotion_scores", "paper_emotion_scores"]


@dataclass(frozen=True)
class ScoredFaces:
    """The faces that a protocol scores, and how their intervals are drawn.

    Attributes
    ----------
    y : ndarray of shape (n_samples,), int
        Classes, by position in `names`.
    names : ndarray of str
    subjects : ndarray of shape (n_samples,), str
    n_resamples, seed : int
        Of the bootstrap over people.
    """

    y: np.ndarray
    names: np.ndarray
    subjects: np.ndarray
    n_resamples: int
    seed: int

    def of(self, rows: np.ndarray) -> "ScoredFaces":
        """Return some of the faces."""
        return ScoredFaces(self.y[rows], self.names, self.subjects[rows], self.n_resamples, self.seed)

    def interval(self, statistic: Callable) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % interval of a statistic, see `fergan.experiments.intervals.bootstrap_interval`."""
        return bootstrap_interval(statistic, self.subjects, self.n_resamples, self.seed)

    @property
    def base(self) -> dict:
        """What every row of scores says."""
        return {"n_faces": len(self.y), "n_subjects": len(np.unique(self.subjects)), "label": "all",
                "n_labels": len(self.names)}

    def right(self, values: np.ndarray) -> np.ndarray:
        """Return 1 where the largest decision value is the true class's, else 0."""
        return (values.argmax(axis=1) == self.y).astype(float)


def emotion_scores(
    values: Mapping[tuple[str, str], np.ndarray], rows: Mapping[str, np.ndarray], faces: ScoredFaces,
    notes: Mapping[str, str],
) -> list[dict]:
    """Return the rows of scores of all protocols and feature sets.

    Parameters
    ----------
    values : mapping
        (protocol, features) -> decision values of shape (n_rows, n_classes); the first features are compared with
        the others.
    rows : mapping
        protocol -> the faces that it scores.
    faces : ScoredFaces
        All faces.
    notes : mapping
        protocol -> note of its accuracies.

    Returns
    -------
    list of dict
        For `fergan.experiments.scores.score_table`.
    """
    first = next(iter(values))[1]
    found = []
    for (protocol, name), of_class in values.items():
        scored = faces.of(rows[protocol])
        base = scored.base | dict(protocol=protocol, features=name)
        of_protocol = [base | row for row in _class_scores(of_class, scored)]
        of_protocol[0]["note"] = notes.get(protocol, "")
        found += of_protocol
        if name != first:
            difference = scored.right(values[protocol, first]) - scored.right(of_class)
            words = f"{first} minus {name}"
            p_value = sign_flip_p_value(difference, scored.subjects, seed=scored.seed)
            found += [base | _mean_row("accuracy_difference", difference, scored, words),
                      base | dict(score="accuracy_difference_p_value", value=p_value,
                                  note=f"{words}: signs of people's differences flipped {N_FLIPS:,} times")]
    for name in dict.fromkeys(name for _, name in values):
        gap = faces.right(values[AS_PUBLISHED, name]) - faces.right(values[SUBJECT_INDEPENDENT, name])
        found.append(faces.base | dict(protocol=AS_PUBLISHED, features=name)
                     | _mean_row("protocol_gap", gap, faces, "accuracy as published minus subject-independent"))
    for protocol, of_protocol in rows.items():
        scored = faces.of(of_protocol)
        base = scored.base | dict(protocol=protocol, features="none")
        found += [dict(base, score="majority_accuracy", value=np.bincount(scored.y).max() / len(scored.y)),
                  dict(base, score="chance_accuracy", value=1 / len(faces.names))]
    return found


def _mean_row(score: str, of_face: np.ndarray, scored: ScoredFaces, note: str) -> dict:
    low, high = scored.interval(partial(resampled_mean, of_face))
    return dict(score=score, value=of_face.mean(), low=low, high=high, note=note)


def _class_scores(of_class: np.ndarray, scored: ScoredFaces) -> list[dict]:
    """Rows of the scores of one protocol and feature set, over all emotions and of each."""
    y, names, k = scored.y, scored.names, len(scored.names)
    predicted = of_class.argmax(axis=1)
    right = scored.right(of_class)
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
    cells = zip(scores, ["all"] * 4 + list(names), points, *scored.interval(resampled), [k] * 4 + [1] * k, strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


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
