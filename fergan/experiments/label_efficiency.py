"""Label efficiency: accuracy against the number of labelled people, for features and for networks trained with labels.

Test people are fixed in each split, every method gets the same labelled people, and larger sets hold the smaller ones (see
`fergan.experiments.label_subsets`). An emotion that no labelled person shows cannot be named, and its test faces count as wrong.
"""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.experiments.cross_validation import check_features
from fergan.experiments.emotion_classes import emotion_classes
from fergan.experiments.few_labels import DEFAULT_COST, DEFAULT_GAMMA_SCALE, Answer, FeatureLearner, NetworkLearner
from fergan.experiments.label_scores import LABELLED_PEOPLE, label_scores
from fergan.experiments.label_subsets import Subset, label_subsets
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.experiments.supervised import SupervisedCNN
from fergan.files import hash_array, hash_parameters, read_json, write_json

__all__ = ["LabelEfficiencyResult", "run_label_efficiency"]


class LabelEfficiencyResult(ExperimentResult):
    """Scores, predictions and fits over the number of labelled people.

    ``scores`` are those of `fergan.experiments.label_scores.label_scores`. ``predictions`` has one row per method, draw, number
    of people and face: ``features, split, draw, n_people, face, subject, true, predicted``. ``searches`` has one row per
    fitted model: ``features, split, draw, n_people, n_train_people, n_train_faces, n_emotions``, for an SVM ``searched, C,
    gamma_scale``, for a network ``steps, train_accuracy``.
    """

    @property
    def methods(self) -> list[str]:
        """Kinds of features and networks; the first is compared with the others."""
        return list(self.settings["features"])

    @property
    def sizes(self) -> list[int]:
        """Numbers of labelled people."""
        return list(self.settings["sizes"])

    def curve(self, method: str, score: str = "accuracy") -> pd.DataFrame:
        """Return ``n_people, value, low, high`` of a score that is given for each number of people."""
        table = self.scores[(self.scores["features"] == method) & (self.scores["score"] == score)]
        table = table[table["label"] != "all"]
        return table.assign(n_people=table["label"].astype(int))[["n_people", "value", "low", "high"]].reset_index(drop=True)

    def right(self, method: str) -> pd.DataFrame:
        """Return the share of draws in which each face was named rightly: one row per face, one column per size."""
        table = self.predictions[self.predictions["features"] == method]
        right = (table["true"] == table["predicted"]).astype(float)
        return right.groupby([table["face"], table["n_people"]]).mean().unstack("n_people")

    def train_faces(self) -> pd.Series:
        """Return the mean number of labelled faces by number of people."""
        return self.searches.groupby("n_people")["n_train_faces"].mean()


def run_label_efficiency(
    features: Mapping[str, np.ndarray], emotions: np.ndarray, subjects: np.ndarray, *,
    networks: Mapping[str, SupervisedCNN] | None = None, images: np.ndarray | None = None, n_splits: int = 5,
    n_draws: int = 3, network_draws: int = 1, n_evaluations: int = 10, inner_folds: int = 3, n_resamples: int = 1000,
    seed: int = 0, n_threads: int = 1, journal: str | Path | None = None, progress: Callable[[str], None] | None = None,
) -> LabelEfficiencyResult:
    """Score every method at 1, 2, 4, ... and all labelled people.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n_faces, n_features)
        The first are compared with all others.
    emotions, subjects : ndarray of shape (n_faces,), str
        In a set without people each face is a person of its own.
    networks : mapping of str to SupervisedCNN, optional
        Networks that are trained on the labelled faces.
    images : ndarray of shape (n_faces, 64, 64, 3), uint8, optional
        The faces, for the networks.
    n_splits, n_draws : int
        See `fergan.experiments.label_subsets.label_subsets`.
    network_draws : int
        In how many of the draws the networks, which take longest, are trained.
    n_evaluations, inner_folds, n_threads : int
        See `fergan.experiments.few_labels.FeatureLearner`.
    n_resamples : int
        Of the bootstrap over test people.
    seed : int
        Of splits, draws, searches and resamples; networks have their own.
    journal : path, optional
        Folder in which finished answers are kept until all are there: a run that was stopped goes on there.
    progress : callable, optional
        Called with a line of text now and then.

    Raises
    ------
    ValueError
        Before any fit: features that are not finite, a missing or unknown emotion, one emotion only, too few people.
    """
    check_features(dict(features), len(emotions))
    names, y = emotion_classes(emotions, subjects)
    subjects, networks = np.asarray(subjects, dtype=str), networks or {}
    subsets = label_subsets(names[y], subjects, n_splits=n_splits, n_draws=n_draws, seed=seed)
    if networks and (images is None or len(images) != len(y)):
        raise ValueError(f"networks need the {len(y)} faces; images has {'none' if images is None else len(images)}")
    searching = dict(n_evaluations=n_evaluations, inner_folds=inner_folds, seed=seed)
    answers = []
    for name, X in features.items():
        learner = FeatureLearner(X, y, subjects, n_threads=n_threads, **searching)
        problem = hash_parameters({"features": hash_array(X), "y": hash_array(y), "subjects": subjects.tolist()} | searching)
        answers += [(name, subset, _kept(learner, subset, problem, journal)) for subset in subsets]
        if progress is not None:
            progress(f"{name}: {len(subsets)} sets of labelled people")
    for name, network in networks.items():
        learner = NetworkLearner(network, images, y, progress)
        problem = hash_parameters({"images": hash_array(images), "y": hash_array(y), "network": network.get_params()})
        answers += [(name, s, _kept(learner, s, problem, journal)) for s in subsets if s.draw < max(1, network_draws)]
    rows = label_scores(_right_answers(answers, y), y, subjects, n_resamples=n_resamples, seed=seed)
    settings = dict(n_splits=n_splits, n_draws=n_draws, network_draws=network_draws, n_resamples=n_resamples, **searching,
                    features=[*features, *networks], networks=list(networks), emotions=names.tolist(),
                    sizes=sorted({subset.n_people for subset in subsets}), default_cost=DEFAULT_COST,
                    default_gamma_scale=DEFAULT_GAMMA_SCALE)
    if journal is not None:
        shutil.rmtree(journal, ignore_errors=True)
    return LabelEfficiencyResult(score_table(rows), _predictions(answers, names, y, subjects),
                                 _fits(answers, y, subjects), settings)


def _kept(learner: Callable[[Subset], Answer], subset: Subset, problem: str, journal: str | Path | None) -> Answer:
    """Return a learner's answer, or the one that an earlier run left."""
    if journal is None:
        return learner(subset)
    rows = [hash_array(rows) for rows in (subset.train, subset.test, subset.pool)]
    path = Path(journal) / f"{hash_parameters({'problem': problem, 'rows': rows, 'draw': subset.draw}, 16)}.json"
    if path.is_file():
        content = read_json(path)
        return Answer(np.array(content["predicted"], dtype=int), content["fit"])
    answer = learner(subset)
    write_json(path, {"predicted": answer.predicted, "fit": answer.fit})
    return answer


Answers = list[tuple[str, Subset, Answer]]


def _right_answers(answers: Answers, y: np.ndarray) -> dict[str, dict[int, np.ndarray]]:
    """Gather what was right: each face is tested in one split of each draw."""
    n_draws: dict[tuple[str, int], int] = {}
    for name, subset, _ in answers:
        n_draws[name, subset.n_people] = max(n_draws.get((name, subset.n_people), 0), subset.draw + 1)
    right: dict[str, dict[int, np.ndarray]] = {name: {} for name, _, _ in answers}
    for name, subset, answer in answers:
        n = subset.n_people
        of_size = right[name].setdefault(n, np.full((n_draws[name, n], len(y)), np.nan))
        of_size[subset.draw, subset.test] = answer.predicted == y[subset.test]
    return {name: dict(sorted(curve.items())) for name, curve in right.items()}


def _predictions(answers: Answers, names: np.ndarray, y: np.ndarray, subjects: np.ndarray) -> pd.DataFrame:
    words = partial(pd.Categorical.from_codes, categories=names)
    parts = [
        pd.DataFrame(dict(features=name, split=s.split, draw=s.draw, n_people=s.n_people, face=s.test,
                          subject=subjects[s.test], true=words(y[s.test]), predicted=words(answer.predicted)))
        for name, s, answer in answers
    ]
    return pd.concat(parts, ignore_index=True).assign(protocol=LABELLED_PEOPLE)


def _fits(answers: Answers, y: np.ndarray, subjects: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame([
        dict(features=name, split=s.split, draw=s.draw, n_people=s.n_people, n_train_faces=len(s.train),
             n_train_people=len(np.unique(subjects[s.train])), n_emotions=len(np.unique(y[s.train]))) | answer.fit
        for name, s, answer in answers
    ])
