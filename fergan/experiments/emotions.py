"""The emotion experiments: a multiclass Gaussian SVM on each feature set, under every protocol, on the same folds."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.experiments import cross_validation as cv
from fergan.experiments import intervals
from fergan.experiments.config import EmotionConfig
from fergan.experiments.cross_validation import AS_PUBLISHED, OFFICIAL_SPLIT, SUBJECT_INDEPENDENT
from fergan.experiments.scores import ExperimentResult, roc, row_of, score_table
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.files import hash_array
from fergan.paper import read_table
from fergan.svm.kernels import kernel_slice, squared_distances, typical_distance
from fergan.svm.machines import SharedKernel, predicted_classes
from fergan.svm.search import SearchResult, TrainTest, journal_of, search, search_folds


class EmotionResult(ExperimentResult):
    """Scores, predictions and searches of an emotion experiment.

    ``predictions`` has one row per face, protocol and feature set: ``protocol, features, face, subject, fold, true,
    predicted`` and ``value_<emotion>``, the decision value of each class. Under the official split only its test faces have
    rows.
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
        return {e: roc((table["true"] == e).to_numpy(), table[f"value_{e}"].to_numpy()) for e in self.emotions}


@dataclass(frozen=True)
class Faces:
    """Faces that are scored, and how their intervals are drawn; `y` (n_faces,) holds positions in `names`."""

    y: np.ndarray
    names: np.ndarray
    subjects: np.ndarray
    n_resamples: int
    seed: int

    def of(self, rows: np.ndarray) -> "Faces":
        """Return some of the faces."""
        return Faces(self.y[rows], self.names, self.subjects[rows], self.n_resamples, self.seed)

    def interval(self, statistic: Callable) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % interval of a statistic, see `fergan.experiments.intervals.bootstrap_interval`."""
        return intervals.bootstrap_interval(statistic, self.subjects, self.n_resamples, self.seed)

    def right(self, values: np.ndarray) -> np.ndarray:
        """Return 1 where the largest decision value is the true class's, else 0."""
        return (values.argmax(axis=1) == self.y).astype(float)

    def row(self, score: str, of_face: np.ndarray) -> dict[str, Any]:
        """Return the mean of a number of each face as a row of scores, with its interval."""
        low, high = self.interval(partial(intervals.resampled_mean, of_face))
        return dict(score=score, value=of_face.mean(), low=low, high=high)

    @property
    def base(self) -> dict[str, Any]:
        """What every row of scores says."""
        return dict(n_faces=len(self.y), n_subjects=len(np.unique(self.subjects)), label="all", n_labels=len(self.names))


def run_emotion_experiment(
    folder: Path, config: EmotionConfig, *, features: dict[str, np.ndarray], emotions: np.ndarray, subjects: np.ndarray,
    split: np.ndarray | None = None, pretrained: str = "", target: str = "", n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Recognise emotions from each feature set under every protocol, and save an `EmotionResult`; see `emotion_scores`.

    Finished trials are kept in ``folder/searches`` until the end. ValueError is raised before any fit: features that are
    not finite, a missing or unknown emotion, too few people, faces or classes.

    Args:
        features: dict of str to (n_faces, n_features), float32; feature sets by name; the first is the one that the others
            are compared with.
        emotions, subjects: (n_faces,), str; emotions or synonyms of them, none missing, and the person of each face.
        split: (n_faces,), optional; the set's official split, see `fergan.experiments.cross_validation.official_parts`.
            Where its training part is too small it is left out, and ``settings["official_split"]`` says why.
        pretrained, target: Names of the network's set and of the faces' set, kept with the result.
        progress: Called with a line of text after each trial, and after each protocol and feature set.
    """
    folder = Path(folder)
    cv.check_features(features, len(emotions))
    faces, folds, official = _divided(config, emotions, subjects, split)
    rows = {protocol: _scored(protocol, parts) for protocol, parts in folds.items()}
    running = dict(journal=folder / "searches", n_threads=n_threads, progress=progress)
    first = next(iter(features))
    values, searches, tests, tested = {}, [], [], {}
    for name, X in features.items():
        D2 = squared_distances(X)
        for protocol, parts in folds.items():
            found, results = _learn(protocol, D2, faces, parts, config, running)
            values[protocol, name] = found
            searches += [_trials(protocol, name, block if len(block) else [official], result) for block, result in results]
            if progress is not None:
                progress(f"{name}, {protocol}: accuracy {faces.of(rows[protocol]).right(found).mean():.3f}")
            if config.n_permutations and name == first and protocol == SUBJECT_INDEPENDENT:
                p_value, tested = _against_chance(D2, faces, parts, results, config, n_threads)
                tests.append(faces.base | dict(protocol=protocol, features=name, score="p_value", value=p_value))
    settings = config.model_dump(exclude={"baselines", "facenet_weights"}) | dict(
        features=list(features), hashes={name: hash_array(X) for name, X in features.items()}, emotions=faces.names.tolist(),
        official_split=official, chance_test=tested, pretrained=pretrained, target=target)
    notes = {OFFICIAL_SPLIT: f"trained on {len(folds[OFFICIAL_SPLIT][0])} faces"} if OFFICIAL_SPLIT in folds else {}
    predictions = [_predictions(*key, found, faces, rows[key[0]], folds[key[0]]) for key, found in values.items()]
    EmotionResult(score_table(emotion_scores(values, rows, faces, notes) + tests), pd.concat(predictions, ignore_index=True),
                  pd.concat(searches, ignore_index=True), settings).save(folder)
    shutil.rmtree(folder / "searches", ignore_errors=True)


def emotion_classes(emotions: Sequence[str], subjects: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the emotions that are present, in the order of `fergan.facs.EMOTIONS`, and the class of each face."""
    missing = np.flatnonzero(pd.isna(np.asarray(emotions, dtype=object)))
    if len(missing):
        raise ValueError(f"{len(missing)} faces have no emotion (first: row {missing[0]}); leave these faces out")
    if len(subjects) != len(emotions):
        raise ValueError(f"{len(emotions)} emotions but {len(subjects)} subjects; expected one of each per face")
    words = [canonical_emotion(word) for word in emotions]
    names = [emotion for emotion in EMOTIONS if emotion in set(words)]
    return np.array(names), np.array([names.index(word) for word in words])


def _divided(
    config: EmotionConfig, emotions: np.ndarray, subjects: np.ndarray, split: np.ndarray | None
) -> tuple[Faces, dict[str, list[np.ndarray]], str]:
    """Divide the faces for every protocol, and refuse what cannot work; the official split has two parts, train and test."""
    subjects = np.asarray(subjects, dtype=str)
    names, y = emotion_classes(emotions, subjects)
    folds = cv.folds_of_protocols(names[y], subjects, config.n_folds, config.seed)
    for of_protocol in folds.values():
        cv.check_training_parts(names[y], of_protocol)
    cv.fold_blocks(config.n_folds, config.inner_folds)
    if split is not None and len(split) != len(y):
        raise ValueError(f"{len(y)} emotions but {len(split)} entries of split; expected one of each per face")
    official, said = (None if split is None else cv.official_parts(split)), ""
    if official is not None:
        train, test, said = official
        try:
            words = names[y[train]]
            cv.check_training_parts(words, cv.grouped_folds(words, subjects[train], config.inner_folds, config.seed))
            absent = np.setdiff1d(y[test], y[train])
            if len(absent):
                raise ValueError(f"no training face shows {names[absent[0]]}")
            folds[OFFICIAL_SPLIT] = [train, test]
        except ValueError as error:
            said = f"left out: {error}"
    return Faces(y, names, subjects, config.n_resamples, config.seed), folds, said


def _scored(protocol: str, parts: list[np.ndarray]) -> np.ndarray:
    return parts[1] if protocol == OFFICIAL_SPLIT else np.sort(np.concatenate(parts))


def _learn(
    protocol: str, D2: np.ndarray, faces: Faces, parts: list[np.ndarray], config: EmotionConfig, running: Mapping[str, Any]
) -> tuple[np.ndarray, list[tuple[Any, SearchResult]]]:
    """Return the decision values of the faces that a protocol scores, and its searches with the folds they served."""
    options = dict(running, n_evaluations=config.n_evaluations, seed=config.seed)
    if protocol == AS_PUBLISHED:  # every candidate sees every fold
        values, result = as_published(D2, faces.y, parts, **options)
        return values, [(["all"], result)]
    options |= dict(prune=config.prune, inner_folds=config.inner_folds)
    if protocol == SUBJECT_INDEPENDENT:
        return subject_independent(D2, faces.y, parts, **options | dict(n_evaluations=config.nested_evaluations))
    values, result = official_split(D2, faces.y, *parts, faces.subjects, **options)
    return values, [([], result)]


def as_published(
    D2: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], *, n_threads: int = 1, **searching: Any
) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma by the cross-validated accuracy over `folds`, and return those very predictions.

    The accuracy of the returned values (n_samples, n_classes) is the maximum of the search, and therefore too good: the
    faces that it is measured on took part in the choice.

    Args:
        D2: (n_samples, n_samples), float32 or float64; squared distances between the faces' features.
        y: (n_samples,), int; classes from 0 upwards.
        **searching: ``n_evaluations, seed, prune, progress`` of `fergan.svm.search.search`, and ``journal``, a folder for
            any number of problems: a journal is named after a hash of all that its search depends on.
    """
    models = SharedKernel(D2, y, n_threads=n_threads)
    parts = [(cv.other_rows(len(y), [fold]), fold) for fold in folds]
    result = search_folds(models, parts, typical_distance(D2), name="as-published", **searching)
    values = np.empty((len(y), models.n_classes))
    for fold, of_fold in zip(folds, models.values(result.C, result.gamma, parts), strict=True):
        values[fold] = of_fold
    return values, result


def subject_independent(
    D2: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], *, inner_folds: int = 3, n_threads: int = 1,
    journal: Path | None = None, **searching: Any,
) -> tuple[np.ndarray, list[tuple[np.ndarray, SearchResult]]]:
    """Score each fold with C and gamma chosen without it.

    The search for a block of folds (see `fergan.experiments.cross_validation.fold_blocks`) maximises the accuracy on the
    other blocks, each predicted by a model trained without it and without the block that the search is for.

    Arguments and values are those of `as_published`; no person is in two folds, the inner cross-validation has `inner_folds`
    blocks, and there is a search for each block, with the numbers of the outer folds that it served.
    """
    models = SharedKernel(D2, y, n_threads=n_threads)
    blocks = cv.fold_blocks(len(folds), inner_folds)
    rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
    # (C, gamma, a, c) -> right answers on block c of the model without blocks a and c
    hits: dict[tuple[float, float, int, int], int] = {}

    def inner_parts(a: int, numbers: Sequence[int]) -> list[TrainTest]:
        return [(cv.other_rows(len(y), [rows[a], rows[c]]), np.concatenate([rows[a], rows[c]])) for c in numbers]

    def right_answers(a: int, C: float, gamma: float) -> Iterator[tuple[int, int]]:
        others = [c for c in range(len(blocks)) if c != a]
        # The searches of all blocks begin with the same points, which need no second fit.
        new = [c for c in others if (C, gamma, a, c) not in hits]
        fitted = models.values(C, gamma, inner_parts(a, new))
        for c in others:
            if c in new:
                of_a, of_c = np.split(predicted_classes(next(fitted)), [len(rows[a])])
                hits[C, gamma, c, a] = int(np.sum(of_a == y[rows[a]]))
                hits[C, gamma, a, c] = int(np.sum(of_c == y[rows[c]]))
            yield hits[C, gamma, a, c], len(rows[c])

    distance = typical_distance(D2)
    values = np.empty((len(y), models.n_classes))
    results = []
    for a, block in enumerate(blocks):
        others = [c for c in range(len(blocks)) if c != a]
        kept = journal_of(journal, "nested", models, inner_parts(a, others))
        result = search(partial(right_answers, a), distance, **kept, **searching)
        parts = [(cv.other_rows(len(y), [folds[i]]), folds[i]) for i in block]
        for i, of_fold in zip(block, models.values(result.C, result.gamma, parts), strict=True):
            values[folds[i]] = of_fold
        results.append((block, result))
    return values, results


def official_split(
    D2: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, groups: np.ndarray, *, inner_folds: int,
    seed: int = 0, n_threads: int = 1, **searching: Any,
) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma within the training faces of a set's own split, train on all of them, and score the test faces.

    Other arguments and values are those of `as_published`, values in the order of `test`. The test faces do not reach the
    search, faces on neither side take no part, and the faces of a person (`groups`) stay in one of its `inner_folds`.
    """
    folds = cv.grouped_folds(y[train], groups[train], inner_folds, seed)
    models = SharedKernel(D2, y, n_threads=n_threads)
    parts = [(train[cv.other_rows(len(train), [fold])], train[fold]) for fold in folds]
    some = train[:: max(1, len(train) // 2000)]
    distance = typical_distance(kernel_slice(D2, some, train))
    result = search_folds(models, parts, distance, seed=seed, name="official-split", **searching)
    (values,) = models.values(result.C, result.gamma, [(train, test)])
    return values, result


def _against_chance(
    D2: np.ndarray, faces: Faces, folds: list[np.ndarray], results: list, config: EmotionConfig, n_threads: int
) -> tuple[float, dict[str, Any]]:
    """Return the p-value of the accuracy on people never seen, and what else the test found."""
    blocks = [(np.concatenate([folds[i] for i in block]), result.C, result.gamma) for block, result in results]
    test = intervals.chance_test(D2, faces.y, faces.subjects, blocks, n_permutations=config.n_permutations, seed=config.seed,
                                 n_threads=n_threads)
    alone = intervals.exchangeable(faces.subjects) == 0
    return test.p_value, dict(
        n_permutations=config.n_permutations, n_blocks=len(blocks), observed=test.observed, mean=float(test.permuted.mean()),
        highest=float(test.permuted.max()), n_alone=int(alone.sum()), n_faces=len(alone))


def _trials(protocol: str, name: str, folds: Sequence, result: SearchResult) -> pd.DataFrame:
    table = result.trials.rename(columns={"score": "accuracy"})
    base = dict(protocol=protocol, features=name, outer_folds=" ".join(map(str, folds)))
    return pd.DataFrame(base, table.index).join(table)


def _predictions(
    protocol: str, name: str, values: np.ndarray, faces: Faces, rows: np.ndarray, folds: list[np.ndarray]
) -> pd.DataFrame:
    scored = faces.of(rows)
    fold = np.zeros(len(rows), dtype=int) if protocol == OFFICIAL_SPLIT else cv.fold_numbers(len(rows), folds)
    columns = dict(protocol=protocol, features=name, face=rows, subject=scored.subjects, fold=fold,
                   true=faces.names[scored.y], predicted=faces.names[values.argmax(axis=1)])
    return pd.DataFrame(columns | {f"value_{e}": values[:, k] for k, e in enumerate(faces.names)})


def emotion_scores(
    values: Mapping[tuple[str, str], np.ndarray], rows: Mapping[str, np.ndarray], faces: Faces, notes: Mapping[str, str]
) -> list[dict]:
    """Return the rows of scores of all protocols and feature sets, for `fergan.experiments.scores.score_table`.

    ``accuracy, balanced_accuracy, macro_f1``; ``auc`` per emotion (one against the rest) and its mean, label "all";
    ``accuracy_difference``, the first feature set minus the one of the row, over the same resamples, and its
    ``accuracy_difference_p_value``; ``protocol_gap``, accuracy as published minus subject-independent; ``majority_accuracy``
    and ``chance_accuracy`` with features "none". Decision values of n_folds models are pooled for an area: they are votes of
    pairwise classifiers, on the scale of classes beaten.

    Args:
        values: (protocol, features) -> decision values (n_rows, n_classes); the first features are compared with the others.
        rows, notes: protocol -> the faces that it scores, and a note on its accuracies.
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
            p_value = intervals.sign_flip_p_value(difference, scored.subjects, seed=scored.seed)
            found += [base | scored.row("accuracy_difference", difference),
                      base | dict(score="accuracy_difference_p_value", value=p_value)]
    for name in dict.fromkeys(name for _, name in values):
        gap = faces.right(values[AS_PUBLISHED, name]) - faces.right(values[SUBJECT_INDEPENDENT, name])
        found.append(faces.base | dict(protocol=AS_PUBLISHED, features=name) | faces.row("protocol_gap", gap))
    for protocol, of_protocol in rows.items():
        scored = faces.of(of_protocol)
        base = scored.base | dict(protocol=protocol, features="none")
        found += [dict(base, score="majority_accuracy", value=np.bincount(scored.y).max() / len(scored.y)),
                  dict(base, score="chance_accuracy", value=1 / len(faces.names))]
    return found


def _class_scores(of_class: np.ndarray, scored: Faces) -> list[dict]:
    """Rows of the scores of one protocol and feature set, over all emotions and of each."""
    y, names, k = scored.y, scored.names, len(scored.names)
    predicted, right = of_class.argmax(axis=1), scored.right(of_class)
    confusion = np.zeros((k, k))
    np.add.at(confusion, (y, predicted), 1)
    areas = np.array([intervals.auc(of_class[:, c], y == c) for c in range(k)])

    def resampled(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        aucs = np.stack([intervals.resampled_auc(of_class[:, c], y == c, counts, codes) for c in range(k)], axis=1)
        rates = intervals.balanced_accuracy_and_f1(intervals.resampled_confusion(y, predicted, k, counts, codes))
        return np.column_stack([intervals.resampled_mean(right, counts, codes), rates, aucs.mean(axis=1), aucs])

    scores = ["accuracy", "balanced_accuracy", "macro_f1", "auc", *["auc"] * k]
    points = [right.mean(), *intervals.balanced_accuracy_and_f1(confusion), areas.mean(), *areas]
    columns = ("score", "label", "value", "low", "high", "n_labels")
    cells = zip(scores, ["all"] * 4 + list(names), points, *scored.interval(resampled), [k] * 4 + [1] * k, strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def accuracy_difference(
    first: EmotionResult, second: EmotionResult, *, protocol: str = SUBJECT_INDEPENDENT, features: str = "discriminator"
) -> tuple[intervals.Difference, bool]:
    """Return the accuracy of one experiment minus another's, and whether it is paired.

    Where both classified the same faces the difference of each face is resampled over people, as often and from the same
    seed as the first experiment's own intervals, so that every page gives one interval. Otherwise the two intervals, which
    are independent, are combined, see `fergan.experiments.intervals.Difference.of_scores`.
    """
    tables = [result.select(protocol, features).sort_values("face") for result in (first, second)]
    same = first.settings["target"] == second.settings["target"] and np.array_equal(*(t["face"] for t in tables))
    if same and np.array_equal(*(t["true"] for t in tables)):
        right = [(table["true"] == table["predicted"]).to_numpy(float) for table in tables]
        difference, people = right[0] - right[1], tables[0]["subject"].to_numpy(str)
        low, high = intervals.bootstrap_interval(partial(intervals.resampled_mean, difference), people,
                                                 *(first.settings[key] for key in ("n_resamples", "seed")))
        return intervals.Difference(float(difference.mean()), float(low), float(high)), True
    rows = [row_of(result.scores, protocol, features, "accuracy") for result in (first, second)]
    scores = [tuple(float(row[key]) for key in ("value", "low", "high")) for row in rows]
    return intervals.Difference.of_scores(*scores), False


def paper_emotion_scores(experiment: int) -> pd.DataFrame:
    """Return the paper's accuracy (Fig. 6) and areas under the curve (Table II) of experiment 1 to 8 as a table of scores.

    The paper states neither intervals nor numbers of people: these are NaN and 0. Where its printed average is not the mean
    of its column, the note says so.
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
