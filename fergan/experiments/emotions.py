"""The emotion experiments: a multiclass Gaussian SVM on each feature set, under every protocol, on the same folds."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments import cross_validation as cv
from fergan.experiments import intervals
from fergan.experiments.config import EmotionConfig
from fergan.experiments.cross_validation import AS_PUBLISHED, OFFICIAL_SPLIT, SUBJECT_INDEPENDENT
from fergan.experiments.intervals import Score
from fergan.experiments.scores import FEATURES, ExperimentResult, roc, score_table
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.svm.kernels import kernel_slice, typical_distance
from fergan.svm.nystroem import Landmarks, distances_within, kernels_of
from fergan.svm.search import SearchResult, search_folds


class EmotionResult(ExperimentResult):
    """Scores, predictions and searches of an emotion experiment.

    ``predictions`` has one row per (under the official split: test) face, protocol and feature set: ``protocol, features,
    face, subject, fold, true, predicted`` and ``value_<emotion>``, the decision value of each class.
    """

    @property
    def emotions(self) -> list[str]:
        """The classes, in the order of `fergan.facs.EMOTIONS`."""
        return list(self.settings["emotions"])

    @property
    def protocols(self) -> list[str]:
        """The protocols that the experiment was scored under, in the order of their columns."""
        return list(dict.fromkeys(self.scores["protocol"]))

    def confusion(self, protocol: str, features: str = FEATURES) -> pd.DataFrame:
        """Return the counts of faces, rows by true emotion and columns by predicted emotion."""
        table = self.select(protocol, features)
        counts = pd.crosstab(table["true"], table["predicted"])
        return counts.reindex(index=self.emotions, columns=self.emotions, fill_value=0)

    def roc(self, protocol: str, features: str = FEATURES) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return, for each emotion against all others, the false and the true positive rates."""
        table = self.select(protocol, features)
        return {e: roc((table["true"] == e).to_numpy(), table[f"value_{e}"].to_numpy()) for e in self.emotions}


def run_emotion_experiment(folder: Path, config: EmotionConfig, *, features: dict[str, np.ndarray], emotions: np.ndarray,
                           subjects: np.ndarray, split: np.ndarray | None = None, pretrained: str = "", target: str = "",
                           collection: str = "", n_threads: int = 1) -> None:
    """Recognise emotions from each feature set, and save an `EmotionResult`; see `emotion_scores`.

    The first feature set is scored under every protocol. The others are what it is compared with on people never seen, and
    on the official split: the published way of scoring is not theirs. Finished trials are kept in ``folder/searches``.
    ValueError before any fit: features that are not finite, a missing or unknown emotion, too few people, faces or classes.

    Args:
        features: Feature sets (n_faces, n_features), float32, by name; the first is compared with the others.
        emotions, subjects: (n_faces,), str; emotions or synonyms of them, none missing, and the person of each face.
        split: (n_faces,), optional; the set's official split, see `fergan.experiments.cross_validation.official_parts`.
            Where its training part is too small it is left out, and ``settings["official_split"]`` says why.
        pretrained, target, collection: Names of the network's set, of the faces' set, and of its collection, to be kept.
    """
    folder, subjects, first = Path(folder), np.asarray(subjects, dtype=str), next(iter(features), "")
    cv.check_features(features, len(emotions))
    names, y = emotion_classes(emotions)
    folds, official = _divided(config, names[y], subjects, split)
    rows = {protocol: parts[1] if protocol == OFFICIAL_SPLIT else np.arange(len(y)) for protocol, parts in folds.items()}
    running = dict(journal=folder / "searches", n_threads=n_threads, memory_gb=config.memory_gb)
    values, searches, predictions, chance, approximated = {}, [], [], {}, {}
    for name, X in features.items():
        D2 = distances_within(X, config.memory_gb)
        for protocol, parts in folds.items():
            if protocol == AS_PUBLISHED and name != first:
                continue
            of_class, results = _learn(protocol, D2, y, subjects, parts, config, running)
            values[protocol, name] = of_class
            of_features = dict(protocol=protocol, features=name)
            for served, result in results:
                trials = pd.DataFrame(of_features | {"outer_folds": served or official}, result.trials.index)
                searches.append(trials.join(result.trials.rename(columns={"score": "accuracy"})))
            scored = rows[protocol]
            fold = np.zeros(len(scored), int) if protocol == OFFICIAL_SPLIT else cv.fold_numbers(len(y), parts)
            predictions.append(pd.DataFrame(of_features | dict(
                face=scored, subject=subjects[scored], fold=fold, true=names[y[scored]], predicted=names[of_class.argmax(1)],
                **{f"value_{e}": of_class[:, k] for k, e in enumerate(names)})))
            if isinstance(D2, Landmarks):  # and one fit takes too long to be repeated with other labels
                models = kernels_of(D2, y, n_threads=n_threads, memory_gb=config.memory_gb)
                approximated = approximated or models.accuracy_lost(parts, results[0][1].C, results[0][1].gamma)
            elif config.n_permutations and name == first and protocol == SUBJECT_INDEPENDENT:
                chance = _against_chance(D2, y, subjects, parts, results, config, n_threads)
    settings = config.model_dump(exclude={"baselines", "facenet_weights"}) | dict(
        features=list(features), emotions=names.tolist(), official_split=official, chance_test=chance,
        approximated=approximated, pretrained=pretrained, target=target, collection=collection or target)
    scores = score_table(emotion_scores(values, rows, names, y, subjects))
    EmotionResult(scores, *(pd.concat(t, ignore_index=True) for t in (predictions, searches)), settings).save(folder)
    shutil.rmtree(folder / "searches", ignore_errors=True)


def emotion_classes(emotions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the emotions that are present, in the order of `fergan.facs.EMOTIONS`, and the class of each face."""
    words = [canonical_emotion(word) for word in emotions]
    names = [emotion for emotion in EMOTIONS if emotion in set(words)]
    return np.array(names), np.array([names.index(word) for word in words])


def _divided(config: EmotionConfig, emotions: np.ndarray, subjects: np.ndarray,
             split: np.ndarray | None) -> tuple[dict[str, list[np.ndarray]], str]:
    """Divide the faces for every protocol, and refuse what cannot work; the official split has two parts, train and test."""
    folds = {AS_PUBLISHED: cv.random_folds(emotions, config.n_folds, config.seed),
             SUBJECT_INDEPENDENT: cv.learnable_folds(emotions, subjects, config.n_folds, config.seed)}
    parts = None if split is None else cv.official_parts(split)
    if parts is None:
        return folds, ""
    train, test, name = parts
    try:
        cv.learnable_folds(emotions[train], subjects[train], config.inner_folds, config.seed)
        absent = [emotion for emotion in EMOTIONS if emotion in set(emotions[test]) - set(emotions[train])]
        if absent:
            raise ValueError(f"no training face shows {absent[0]}")
    except ValueError as error:
        return folds, f"left out: {error}"
    return folds | {OFFICIAL_SPLIT: [train, test]}, name


def _learn(protocol: str, D2: np.ndarray, y: np.ndarray, subjects: np.ndarray, parts: list[np.ndarray],
           config: EmotionConfig, running: Mapping[str, Any]) -> tuple[np.ndarray, list[tuple[str, SearchResult]]]:
    """Return the decision values of the faces that a protocol scores, and its searches with the folds they served."""
    options = dict(running, n_evaluations=config.n_evaluations, seed=config.seed)
    if protocol == AS_PUBLISHED:
        values, result = as_published(D2, y, parts, **options)
        return values, [("all", result)]
    if protocol == SUBJECT_INDEPENDENT:
        options |= dict(n_evaluations=config.nested_evaluations, inner_folds=config.inner_folds)
        values, results = subject_independent(D2, y, parts, **options)
        return values, [(" ".join(map(str, block)), result) for block, result in results]
    train, test = parts
    folds = cv.grouped_folds(y[train], subjects[train], config.inner_folds, config.seed)
    values, result = train_and_test(D2, y, train, test, folds, **options)
    return values, [("", result)]


def as_published(D2: np.ndarray | Landmarks, y: np.ndarray, folds: Sequence[np.ndarray], *, n_threads: int = 1,
                 memory_gb: float = 12.0, **searching: Any) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma by the cross-validated accuracy over `folds`, and return those very predictions.

    The accuracy of the values (n_samples, n_classes) is the maximum of the search, and therefore too good.
    `D2` are squared distances (n_samples, n_samples) of the faces' features, or `Landmarks`; `y` (n_samples,) are classes
    from 0 upwards; for ``n_evaluations, seed, journal`` see `fergan.svm.search.search_folds`.
    """
    models = kernels_of(D2, y, n_threads=n_threads, memory_gb=memory_gb)
    parts = [(cv.other_rows(len(y), [fold]), fold) for fold in folds]
    result = search_folds(models, parts, typical_distance(models.D2), name="as-published", **searching)
    values = np.empty((len(y), models.n_classes))
    values[np.concatenate(folds)] = np.concatenate(models.values(result.C, result.gamma, parts))
    return values, result


def subject_independent(D2: np.ndarray | Landmarks, y: np.ndarray, folds: Sequence[np.ndarray], *,
                        inner_folds: int = 3, n_threads: int = 1, memory_gb: float = 12.0,
                        **searching: Any) -> tuple[np.ndarray, list[tuple[np.ndarray, SearchResult]]]:
    """Score each fold with C and gamma chosen without it.

    The search for a block of folds (see `fergan.experiments.cross_validation.fold_blocks`) maximises the accuracy on the
    other blocks, each predicted by a model trained without it and without the block that the search is for.
    Arguments and values are those of `as_published`, with a search for each block and the outer folds that it served.
    """
    models = kernels_of(D2, y, n_threads=n_threads, memory_gb=memory_gb)
    distance = typical_distance(models.D2)
    blocks = cv.fold_blocks(len(folds), inner_folds)
    rows = [np.concatenate([folds[i] for i in block]) for block in blocks]
    values, results = np.empty((len(y), models.n_classes)), []
    for block, of_block in zip(blocks, rows, strict=True):
        inner = [(cv.other_rows(len(y), [of_block, other]), other) for other in rows if other is not of_block]
        result = search_folds(models, inner, distance, name="nested", **searching)
        parts = [(cv.other_rows(len(y), [folds[i]]), folds[i]) for i in block]
        values[of_block] = np.concatenate(models.values(result.C, result.gamma, parts))
        results.append((block, result))
    return values, results


def train_and_test(D2: np.ndarray | Landmarks, y: np.ndarray, train: np.ndarray, test: np.ndarray,
                   folds: Sequence[np.ndarray], *, distance: float | None = None, n_threads: int = 1,
                   memory_gb: float = 12.0, **searching: Any) -> tuple[np.ndarray, SearchResult]:
    """Choose C and gamma within the training faces, train on all of them, and score the test faces.

    Other arguments and values are those of `as_published`, values in the order of `test`; folds are positions in `train`.
    `distance` is the unit of gamma, without it `typical_distance` of training faces. Other faces take no part.
    """
    models = kernels_of(D2, y, n_threads=n_threads, memory_gb=memory_gb)
    parts = [(train[cv.other_rows(len(train), [fold])], train[fold]) for fold in folds]
    if distance is None:
        distance = typical_distance(kernel_slice(models.D2, train[:: max(1, len(train) // 2000)], models.columns(train)))
    result = search_folds(models, parts, distance, name="official-split", **searching)
    (values,) = models.values(result.C, result.gamma, [(train, test)])
    return values, result


def _against_chance(D2: np.ndarray, y: np.ndarray, subjects: np.ndarray, folds: list[np.ndarray],
                    results: list[tuple[str, SearchResult]], config: EmotionConfig, n_threads: int) -> dict[str, Any]:
    """Return the p-value of the accuracy on people never seen, and what else `chance_test` found."""
    blocks = [(np.concatenate([folds[int(i)] for i in served.split()]), of.C, of.gamma) for served, of in results]
    strata = intervals.exchangeable(y, subjects)[2]
    accuracies = intervals.chance_test(D2, y, subjects, blocks, n_permutations=config.n_permutations, seed=config.seed,
                                       n_threads=n_threads)
    return dict(p_value=float(np.mean(accuracies >= accuracies[0])), n_permutations=config.n_permutations,
                n_blocks=len(blocks), observed=float(accuracies[0]), mean=float(accuracies[1:].mean()),
                highest=float(accuracies[1:].max()), n_alone=int(np.sum(strata == 0)), n_people=len(np.unique(subjects)))


def emotion_scores(values: Mapping[tuple[str, str], np.ndarray], rows: Mapping[str, np.ndarray], names: np.ndarray,
                   y: np.ndarray, subjects: np.ndarray) -> list[dict]:
    """Return the rows of scores of all protocols and feature sets, for `fergan.experiments.scores.score_table`.

    ``accuracy, balanced_accuracy, macro_f1``; ``auc`` per emotion (one against the rest) and its mean, label "all";
    ``accuracy_difference``, the first feature set minus the one of the row, face by face; ``protocol_gap``, the first's
    accuracy as published minus subject-independent; ``majority_accuracy`` and ``chance_accuracy`` with features "none".
    Decision values of all folds are pooled for an area: they are votes, on the scale of classes beaten.
    There are `values` (n_rows, n_classes) by protocol and features, the first of which are compared with the others, `rows`
    that each protocol scores, emotions and each face's position in them.
    """
    first, found = next(iter(values))[1], []
    right = {key: (of_class.argmax(axis=1) == y[rows[key[0]]]).astype(float) for key, of_class in values.items()}
    base = {protocol: dict(protocol=protocol, label="all", n_faces=len(scored), n_subjects=len(np.unique(subjects[scored])),
                           n_labels=len(names)) for protocol, scored in rows.items()}
    for (protocol, name), of_class in values.items():
        of_features, scored = base[protocol] | dict(features=name), rows[protocol]
        found += [of_features | row for row in _class_scores(of_class, names, y[scored], subjects[scored])]
        if name != first:
            difference = right[protocol, first] - right[protocol, name]
            interval = intervals.mean_over_people(difference, subjects[scored])
            found.append(of_features | dict(score="accuracy_difference") | interval)
    gap = intervals.mean_over_people(right[AS_PUBLISHED, first] - right[SUBJECT_INDEPENDENT, first], subjects)
    found.append(base[AS_PUBLISHED] | dict(features=first, score="protocol_gap") | gap)
    for protocol, scored in rows.items():
        guesses = dict(majority_accuracy=np.bincount(y[scored]).max() / len(scored), chance_accuracy=1 / len(names))
        found += [base[protocol] | dict(features="none", score=score, value=value) for score, value in guesses.items()]
    return found


def _class_scores(of_class: np.ndarray, names: np.ndarray, y: np.ndarray, subjects: np.ndarray) -> list[dict]:
    """Return the rows of one protocol and feature set, over all emotions and of each."""
    k, predicted = len(names), of_class.argmax(axis=1)

    def statistic(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        aucs = np.stack([intervals.resampled_auc(of_class[:, c], y == c, counts, codes) for c in range(k)], axis=1)
        rates = intervals.balanced_accuracy_and_f1(intervals.resampled_confusion(y, predicted, k, counts, codes))
        return np.column_stack([intervals.resampled_mean(predicted == y, counts, codes), rates, aucs.mean(axis=1), aucs])

    scores = ["accuracy", "balanced_accuracy", "macro_f1", "auc", *["auc"] * k]
    cells = zip(scores, ["all"] * 4 + list(names), *intervals.interval_over_people(statistic, subjects, share=True),
                [k] * 4 + [1] * k, strict=True)
    return [dict(zip(("score", "label", "value", "low", "high", "n_labels"), row, strict=True)) for row in cells]


def accuracy_difference(first: EmotionResult, second: EmotionResult) -> tuple[Score, bool]:
    """Return the accuracy of one experiment minus another's on people never seen, and whether it is paired.

    Where the faces are of one collection, people who are in both are left out of both at once. Sets of other people differ
    in how often they show their commonest emotion: the difference is then of balanced accuracies, which are independent.
    """
    if first.settings["collection"] != second.settings["collection"]:
        balanced = (result.score("balanced_accuracy") for result in (first, second))
        return intervals.independent_difference(*balanced), False
    both = pd.concat([first.select(), second.select()], keys=(True, False))
    right, of_first = (both["true"] == both["predicted"]).to_numpy(), both.index.get_level_values(0).to_numpy(bool)
    columns = np.stack([right & of_first, of_first, right & ~of_first, ~of_first], axis=1)

    def difference(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        hits, n, hits_of_second, n_of_second = intervals.resampled_mean(columns, counts, codes).T
        return hits / n - hits_of_second / n_of_second

    return tuple(map(float, intervals.interval_over_people(difference, both["subject"].to_numpy(str)))), True


#: Trait of a rendered person -> what the lowest, middle and highest third of the people of a set are called.
GROUPS = {
    "skin": ("lightest third", "middle third", "darkest third"),
    "age": ("youngest third", "middle third", "oldest third"),
}


def people_of_set(faces: FaceSet) -> pd.DataFrame:
    """Return one row per person of a rendered set: each trait of `GROUPS` (0..1), and its group as ``<trait>_group``."""
    from fergan.rendered.labels import sample_identity  # here, because it imports torch, which takes a second

    seeds = pd.Series(faces.labels["identity_seed"].to_numpy(), faces.subjects()).groupby(level=0).first()
    identities = [sample_identity(int(seed)) for seed in seeds]
    people = pd.DataFrame({"skin": [i["melanin"] for i in identities], "age": [i["age"] for i in identities]}, seeds.index)
    for trait, groups in GROUPS.items():
        order = people[trait].rank(method="first").to_numpy() - 1
        people[f"{trait}_group"] = [groups[int(3 * place // len(people))] for place in order]
    return people


def accuracy_by_group(result: EmotionResult, people: pd.DataFrame) -> pd.DataFrame:
    """Return, by ``trait, group``, the accuracy on people never seen: ``value, low, high, n_faces, n_people``."""
    table = result.select()
    right, subjects = (table["true"] == table["predicted"]).to_numpy(float), table["subject"].to_numpy(str)
    rows = []
    for trait, groups in GROUPS.items():
        group_of = people[f"{trait}_group"].reindex(subjects).to_numpy()
        for group in groups:
            inside = group_of == group
            found = intervals.mean_over_people(right[inside], subjects[inside], share=True)
            rows.append(dict(trait=trait, group=group, **found, n_faces=int(inside.sum()),
                             n_people=len(set(subjects[inside]))))
    return pd.DataFrame(rows)


def group_differences(table: pd.DataFrame) -> dict[str, Score]:
    """Return, for each trait, the accuracy on its lowest group minus that on its highest, from `accuracy_by_group`."""
    scores = table.set_index("group")[["value", "low", "high"]]
    return {trait: intervals.independent_difference(scores.loc[low], scores.loc[high])
            for trait, (low, _, high) in GROUPS.items()}
