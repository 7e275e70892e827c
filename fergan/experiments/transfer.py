"""Networks beside one another, and their layers: their features on sets of faces, under folds of whole people.

In the transfer matrix the rows of a column share faces, folds and the search's budget: they are compared face by face.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import permutation_test, rankdata

from fergan.data.faces import FaceSet
from fergan.experiments import cross_validation as cv
from fergan.experiments.config import LayersConfig, TransferConfig
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import emotion_classes, subject_independent
from fergan.experiments.intervals import interval_over_people, mean_over_people, resampled_mean
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.features.baselines import make_baseline
from fergan.features.discriminator import N_LAYERS, DiscriminatorFeatures
from fergan.gan.runs import Run
from fergan.svm.kernels import gaussian_kernel, multiclass_values, squared_distances, typical_distance

#: What stands under ``features`` for the mean of all networks that learnt other faces than the ones they look at.
OTHERS = "networks of other faces"
READOUT_COST = 10.0  # C of the classifier on single layers; its gamma is one over the typical squared distance


@dataclass(frozen=True)
class MatrixFaces:
    """The faces of all targets, and which of them each kind of features named rightly.

    Sets of one collection share people, and a network that learnt the one is neither own nor other to the faces of another.
    """

    right: pd.DataFrame  # 1 or 0 (n_faces, n_features), one column per network or baseline
    target: np.ndarray  # (n_faces,): the set of each face ...
    subject: np.ndarray  # ... and its person
    networks: tuple[str, ...]  # named after the set they learnt
    collections: Mapping[str, str]  # set -> the collection that it is a part of; other collections have other people

    def collection(self, name: str) -> str:
        """Return the collection of a set, or its own name."""
        return self.collections.get(name, name)

    @cached_property
    def others(self) -> np.ndarray:
        """Share of the networks of other faces that name each face rightly; NaN with the own network alone."""
        of_target, of_network = ([self.collection(name) for name in names] for names in (self.target, self.networks))
        others = np.array(of_target)[:, None] != np.array(of_network)
        return self.right[list(self.networks)].where(others).mean(axis=1).to_numpy()

    @cached_property
    def own(self) -> np.ndarray:
        """Whether the network of its own set names each face rightly; NaN where there is none."""
        own = self.target[:, None] == np.array(self.networks)
        return self.right[list(self.networks)].where(own).mean(axis=1).to_numpy()

    def interval(self, values: np.ndarray, share: bool = False) -> dict[str, float]:
        """Return the mean over targets of their faces' mean (without NaN), and its 95 % interval; a `share` lies in 0..1."""
        there = np.isfinite(values)
        if not there.any():
            return dict(value=np.nan, n_faces=0, n_subjects=0)
        values, targets = values[there], self.target[there]
        people = np.array([f"{self.collection(name)}/{who}" for name, who in zip(targets, self.subject[there], strict=True)])
        of_target = [targets == target for target in np.unique(targets)]

        def statistic(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
            return np.mean([resampled_mean(values[inside], counts, codes[inside]) for inside in of_target], axis=0)

        value, low, high = map(float, interval_over_people(statistic, people, share=share))
        return dict(value=value, low=low, high=high, n_faces=len(values), n_subjects=len(np.unique(people)))


class TransferResult(ExperimentResult):
    """Scores and predictions (``target, features, face, subject, fold, true, predicted``) of a transfer matrix."""

    def faces(self) -> MatrixFaces:
        """Return which faces each kind of features named rightly."""
        table, settings = self.predictions, self.settings
        order = list(dict.fromkeys(table["target"]))
        right = (table["true"] == table["predicted"]).astype(float)
        wide = table.assign(right=right, place=table["target"].map(order.index)).pivot(
            index=["place", "target", "face", "subject"], columns="features", values="right").reset_index()
        columns = [*settings["networks"], *settings["baselines"]]
        return MatrixFaces(wide[columns], wide["target"].to_numpy(dtype=str), wide["subject"].to_numpy(dtype=str),
                           tuple(settings["networks"]), settings["collections"])


def run_transfer(folder: Path, config: TransferConfig, *, faces: Mapping[str, FaceSet], networks: Mapping[str, Run],
                 pretraining_faces: Mapping[str, int], collections: Mapping[str, str], n_threads: int = 1) -> None:
    """Classify every set by the features of every network and baseline, and save a `TransferResult`.

    A target that cannot be classified is left out, and ``settings["skipped"]`` says why. Networks are named after the sets
    that they learnt, so many faces each; `collections` holds set -> the collection that it is a part of.
    """
    cells, skipped = [], {}
    for target, of_target in faces.items():
        try:
            cells += _column(target, of_target, config, networks, n_threads)
        except ValueError as error:
            skipped[target] = str(error)
    if not cells:
        raise ValueError(f"no set can be a target; a transfer matrix needs at least one with two emotions: {skipped}")
    settings = config.model_dump() | dict(
        networks=list(networks), targets=[target for target in faces if target not in skipped], skipped=skipped,
        pretraining_faces=dict(pretraining_faces), collections=dict(collections))
    result = TransferResult(score_table([]), pd.concat(cells, ignore_index=True), pd.DataFrame(), settings)
    result.scores = score_table(transfer_scores(result))
    result.save(folder)


def _column(target: str, faces: FaceSet, config: TransferConfig, networks: Mapping[str, Run],
            n_threads: int) -> list[pd.DataFrame]:
    """Predict the faces of one set from every kind of features, each face by a model that knows none of its person."""
    faces = faces.select(faces.labels["emotion"].notna().to_numpy())
    if len(faces.emotions) < 2:
        raise ValueError(f"its faces show {'no' if not faces.emotions else 'one'} emotion that is known")
    subjects = cv.people_or_duplicates(faces)
    rows = cv.some_people(subjects, config.max_faces, config.seed)
    images, subjects = faces.images[rows], np.asarray(subjects[rows], dtype=str)
    names, y = emotion_classes(faces.labels["emotion"].to_numpy(str)[rows])
    folds = cv.learnable_folds(names[y], subjects, config.n_folds, config.seed)
    base = dict(target=target, face=np.arange(len(y)), subject=subjects, fold=cv.fold_numbers(len(y), folds), true=names[y])
    kinds = {name: DiscriminatorFeatures(run.folder / "discriminator.safetensors") for name, run in networks.items()}
    width, cells = next(iter(networks.values())).config.width, []
    for name, kind in (kinds | {name: make_baseline(name, width, config.seed) for name in config.baselines}).items():
        X = kind.transform(images)
        cv.check_features({name: X}, len(y))
        values, _ = subject_independent(
            squared_distances(X), y, folds, inner_folds=config.inner_folds, n_evaluations=config.n_evaluations,
            seed=config.seed, n_threads=n_threads)
        cells.append(pd.DataFrame(base | dict(predicted=names[values.argmax(axis=1)], features=name)))
    return cells


def transfer_scores(result: TransferResult) -> list[dict]:
    """Return the rows of scores of a transfer matrix, from its predictions; the label is a target, or "all" for their mean.

    ``accuracy`` of each kind of features and of `OTHERS`; of the latter ``minus_own``, their accuracy minus that of the
    network of the target's own faces, and ``minus_<baseline>``; ``advantage`` of each network, label "all": its accuracy
    minus the mean of the networks of other faces, over the targets of other collections, so that easy targets favour nobody;
    ``majority_accuracy`` of features "none".
    """
    faces, base, table = result.faces(), dict(protocol=SUBJECT_INDEPENDENT), result.predictions
    labels = table[table["features"] == table["features"].iloc[0]].groupby("target", sort=False)["true"]
    n_emotions, rows = labels.nunique().to_dict(), []
    columns = {name: faces.right[name].to_numpy(dtype=float) for name in faces.right} | {OTHERS: faces.others}
    scored = [(name, "accuracy", right) for name, right in columns.items()]
    scored += [(OTHERS, "minus_own", faces.others - faces.own)]
    scored += [(OTHERS, f"minus_{name}", faces.others - columns[name]) for name in result.settings["baselines"]]
    for name, score, values in scored:
        of_targets = _by_target(faces, values, n_emotions, share=score == "accuracy")
        rows += [base | dict(features=name, score=score) | row for row in of_targets]
    for name in faces.networks if len(faces.networks) > 1 else ():
        related = [faces.collection(target) == faces.collection(name) for target in faces.target]
        elsewhere = np.where(related, np.nan, columns[name] - columns[OTHERS])
        rows.append(base | dict(features=name, score="advantage", label="all") | faces.interval(elsewhere))
    for target, true in labels:
        share = true.value_counts(normalize=True).max()
        rows.append(base | dict(features="none", score="majority_accuracy", label=target, value=share))
    return rows


def _by_target(faces: MatrixFaces, values: np.ndarray, n_emotions: Mapping[str, int], share: bool) -> list[dict]:
    """Return the mean at each target, where it is defined, and over all of them."""
    rows = []
    for target in dict.fromkeys(faces.target):
        row = faces.interval(np.where(faces.target == target, values, np.nan), share)
        if row["n_faces"]:
            rows.append(row | dict(label=target, n_labels=n_emotions[target]))
    return [*rows, faces.interval(values, share) | dict(label="all", n_labels=len(rows))] if rows else []


def rank_correlation(x: np.ndarray, y: np.ndarray, n_resamples: int = 9999, seed: int = 0) -> tuple[float, float]:
    """Return Spearman's rank correlation and its two-sided p-value by permuting the pairs, all ways where these are few."""
    if len(x) < 3 or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:  # nothing to order
        return float("nan"), float("nan")
    x, y = (rankdata(values) - (len(values) + 1) / 2 for values in (x, y))
    scale = np.sqrt(np.sum(x**2) * np.sum(y**2))
    test = permutation_test((x,), lambda x, axis: (x * y).sum(axis=axis) / scale, permutation_type="pairings",
                            n_resamples=n_resamples, vectorized=True, rng=np.random.default_rng(seed))
    return float(test.statistic), float(test.pvalue)


def layer_accuracies(folder: Path, config: LayersConfig, *, faces: FaceSet, network: Run) -> None:
    """Recognise emotions of people never seen from each hidden layer, its maps reduced to 4x4, and from all of them.

    Saves an `ExperimentResult` whose features are the layers "1" to "4" and "all": ``accuracy``, and ``minus_last``, its
    paired difference to the last layer's.
    """
    weights, every = network.folder / "discriminator.safetensors", range(1, N_LAYERS + 1)
    kinds = {str(k): DiscriminatorFeatures(weights, layers=(k,), pool=True) for k in every}
    kinds["all"] = DiscriminatorFeatures(weights, layers=every, pool=True)
    _read_out(folder, config, faces, kinds, "minus_last", str(N_LAYERS))


def snapshot_accuracies(folder: Path, config: LayersConfig, *, faces: FaceSet, network: Run) -> None:
    """Recognise emotions of people never seen from the discriminator while it learnt: what does the training buy?

    As `layer_accuracies`, for the steps of the snapshots whose weights the run keeps; ``minus_untrained`` is the paired
    difference to the untrained network, "0".
    """
    kinds = {str(step): DiscriminatorFeatures(path) for step, path in network.kept.items()}
    _read_out(folder, config, faces, kinds, "minus_untrained", "0")


def _read_out(folder: Path, config: LayersConfig, faces: FaceSet, kinds: Mapping[str, DiscriminatorFeatures],
              difference: str, reference: str) -> None:
    """Save the accuracy at fixed parameters (see `READOUT_COST`) of each kind, and its paired difference to one of them."""
    taken = cv.some_people(faces.subjects(), config.n_faces, config.seed, at_least=10)
    known = faces.select(np.isin(np.arange(len(faces)), taken) & faces.labels["emotion"].notna().to_numpy())
    subjects = cv.people_or_duplicates(known)
    names, y = emotion_classes(known.labels["emotion"])
    folds = cv.learnable_folds(y, subjects, config.n_folds, config.seed)
    features, right = {kind: describer.transform(known.images) for kind, describer in kinds.items()}, {}
    for kind, X in features.items():
        D2 = squared_distances(X)
        K = gaussian_kernel(D2, 1 / typical_distance(D2))
        right[kind] = np.empty(len(y))
        for fold in folds:
            values = multiclass_values(K, y, cv.other_rows(len(y), [fold]), fold, READOUT_COST, len(names))
            right[kind][fold] = values.argmax(axis=1) == y[fold]
    base = dict(protocol=SUBJECT_INDEPENDENT, label="all", n_faces=len(y), n_subjects=len(set(subjects)),
                n_labels=len(names))
    rows = [base | dict(features=kind, score=score) | mean_over_people(of_face, subjects, share=score == "accuracy")
            for kind, hits in right.items()
            for score, of_face in (("accuracy", hits), (difference, hits - right[reference]))]
    settings = config.model_dump() | dict(n_features={kind: X.shape[1] for kind, X in features.items()})
    ExperimentResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), settings).save(folder)
