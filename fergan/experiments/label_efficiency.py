"""Label efficiency: accuracy against the number of labelled people, for features and for networks trained with labels.

Test people are fixed in each split, every method gets the same labelled people, and larger sets hold the smaller ones. An
emotion that no labelled person shows cannot be named, and its test faces count as wrong. The network that is trained with
labels has the discriminator's layers and one output for each class; it starts from scratch or from its weights.
"""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import update_bn

from fergan.cache import computing_device
from fergan.experiments import cross_validation as cv
from fergan.experiments.config import LabelEfficiencyConfig
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import emotion_classes, train_and_test
from fergan.experiments.intervals import independent_difference, interval_over_people, mean_over_people, resampled_mean
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.features import check_images
from fergan.files import read_json, write_json
from fergan.gan import networks as net
from fergan.gan.runs import Run
from fergan.svm.kernels import gaussian_kernel, kernel_slice, multiclass_values, squared_distances, typical_distance
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE

#: What stands in for a search where the labelled people do not suffice for one: the middle of the box that is searched.
DEFAULT_COST = float(np.sqrt(np.prod(COST_RANGE)))
DEFAULT_GAMMA_SCALE = float(np.sqrt(np.prod(GAMMA_SCALE_RANGE)))

_BATCH = 32  # faces of a step of a network, at most all
_AT_ONCE = 256  # faces of its forward pass without gradients


class LabelEfficiencyResult(ExperimentResult):
    """Scores (see `label_scores`), predictions and fits over the number of labelled people.

    ``predictions`` has ``features, split, draw, n_people, face, subject, true, predicted``; ``searches``, a row per fitted
    model, ``features, split, draw, n_people, n_train_people, n_train_faces, n_emotions``, and what the method found.
    """

    @property
    def methods(self) -> list[str]:
        """Kinds of features and networks; the first is compared with the others."""
        return list(self.settings["features"])

    @property
    def sizes(self) -> list[int]:
        """Numbers of labelled people."""
        return list(self.settings["sizes"])

    def right(self, method: str) -> pd.DataFrame:
        """Return the share of draws in which each face was named rightly: one row per face, one column per size."""
        table = self.predictions[self.predictions["features"] == method]
        right = (table["true"] == table["predicted"]).astype(float)
        return right.groupby([table["face"], table["n_people"]]).mean().unstack("n_people")

    def train_faces(self) -> pd.Series:
        """Return the mean number of labelled faces by number of people."""
        return self.searches.groupby("n_people")["n_train_faces"].mean()


class Subset(NamedTuple):
    """The labelled people of one draw of a split, and whom they are tested on; faces are ascending."""

    split: int
    draw: int
    n_people: int  # where everybody is labelled, the smallest number that a split has
    train: np.ndarray  # all faces of the labelled people
    test: np.ndarray
    pool: np.ndarray  # the faces of all training people of the split


def run_label_efficiency(folder: Path, config: LabelEfficiencyConfig, *, features: Mapping[str, np.ndarray],
                         emotions: np.ndarray, subjects: np.ndarray, images: np.ndarray | None = None,
                         network: Run | None = None, target: str = "", n_threads: int = 1) -> None:
    """Score every method at 1, 2, 4, ... and all labelled people, and save a `LabelEfficiencyResult`.

    Finished predictions are kept in ``folder/unfinished``. ValueError before any fit: features that are not finite, a
    missing or unknown emotion, one emotion only, too few people.

    Args:
        features: Name -> (n_faces, n_features); the first are compared with all others.
        emotions, subjects: (n_faces,), str; `target` is the name of their set.
        images: (n_faces, 64, 64, 3), uint8, optional; the faces, for the networks that `config` has trained with labels.
        network: Whose discriminator is trained further where `config` says so.
    """
    folder, subjects = Path(folder), np.asarray(subjects, dtype=str)
    cv.check_features(dict(features), len(emotions))
    names, y = emotion_classes(emotions)
    subsets = label_subsets(names[y], subjects, n_splits=config.n_splits, n_draws=config.n_draws, seed=config.seed)
    networks = {} if config.cnn_width is None else {"supervised CNN": dict(width=config.cnn_width)}
    if networks and config.finetune and network is not None:
        weights = network.folder / "discriminator.safetensors"
        networks["fine-tuned discriminator"] = dict(width=network.config.width, weights=weights)
    predictions, fits = [], []
    for name in (*features, *networks):
        if name in features:
            learn = partial(_by_features, squared_distances(features[name]), y, subjects, config, n_threads)
        else:
            learn = partial(_by_network, networks[name], images, y, config)
        for s in subsets if name in features else [s for s in subsets if s.draw < config.cnn_draws]:
            kept = folder / "unfinished" / f"{name}-{s.split}-{s.draw}-{s.n_people}.json"
            if not kept.is_file():
                write_json(kept, learn(s))
            predicted, fit = read_json(kept)
            base = dict(features=name, split=s.split, draw=s.draw, n_people=s.n_people)
            true, found = (pd.Categorical.from_codes(codes, categories=names) for codes in (y[s.test], predicted))
            predictions.append(pd.DataFrame(base | dict(face=s.test, subject=subjects[s.test], true=true, predicted=found)))
            fits.append(base | dict(n_train_faces=len(s.train), n_train_people=len(np.unique(subjects[s.train])),
                                    n_emotions=len(np.unique(y[s.train]))) | fit)
    table = pd.concat(predictions, ignore_index=True).assign(protocol=SUBJECT_INDEPENDENT)
    # Each face is tested in one split of each draw.
    right = {name: {int(n): of_size.pivot(index="draw", columns="face", values="right").to_numpy(float)
                    for n, of_size in of_method.groupby("n_people")}
             for name, of_method in table.assign(right=table["true"] == table["predicted"]).groupby("features", sort=False)}
    rows = label_scores(right, y, subjects)
    settings = config.model_dump() | dict(
        features=[*features, *networks], networks=list(networks), emotions=names.tolist(), target=target,
        sizes=sorted({subset.n_people for subset in subsets}))
    LabelEfficiencyResult(score_table(rows), table, pd.DataFrame(fits), settings).save(folder)
    shutil.rmtree(folder / "unfinished", ignore_errors=True)


def label_subsets(y: np.ndarray, subjects: np.ndarray, *, n_splits: int, n_draws: int, seed: int) -> list[Subset]:
    """Divide people into test and training people, and draw who of the latter is labelled; by split, draw and size.

    In each draw the training people come in a random order, of whom the first 1, 2, 4, ... are labelled, up to four fifths.
    All are labelled in one draw only: there is only one such set. Errors are those of `grouped_folds`.
    """
    folds = cv.grouped_folds(y, subjects, n_splits, seed)
    pools = [cv.other_rows(len(y), [test]) for test in folds]
    n_all = min(len(np.unique(subjects[pool])) for pool in pools)
    some = [2**k for k in range(n_all.bit_length()) if 2**k <= 0.8 * n_all]
    subsets = []
    for split, (test, pool) in enumerate(zip(folds, pools, strict=True)):
        for draw in range(n_draws):
            order = np.random.default_rng([seed, split, draw]).permutation(np.unique(subjects[pool]))
            subsets += [Subset(split, draw, n, pool[np.isin(subjects[pool], order[:n])], test, pool) for n in some]
            subsets += [Subset(split, draw, n_all, pool, test, pool)] if draw == 0 else []
    return subsets


def _by_features(D2: np.ndarray, y: np.ndarray, subjects: np.ndarray, config: LabelEfficiencyConfig, n_threads: int,
                 subset: Subset) -> tuple[np.ndarray, dict[str, Any]]:
    """Name the test faces by a Gaussian SVM, whose C and gamma are searched where the labelled people suffice for folds."""
    train, test = subset.train, subset.test
    present = np.unique(y[train])
    if len(present) == 1:
        return np.full(len(test), present[0]), {"searched": False}
    some = subset.pool[:: max(1, len(subset.pool) // 2000)]
    distance = typical_distance(kernel_slice(D2, some, some))
    rows = np.concatenate([train, test])
    D2, labels, (train, test) = kernel_slice(D2, rows, rows), y[rows], np.split(np.arange(len(rows)), [len(train)])
    try:
        folds = cv.learnable_folds(labels[train], subjects[subset.train], config.inner_folds, config.seed)
    except ValueError:  # too few people
        K = gaussian_kernel(D2, DEFAULT_GAMMA_SCALE / distance, n_threads=n_threads)
        values = multiclass_values(K, labels, train, test, DEFAULT_COST, int(y.max()) + 1)
        return values.argmax(axis=1), {"searched": False, "C": DEFAULT_COST, "gamma_scale": DEFAULT_GAMMA_SCALE}
    values, found = train_and_test(D2, labels, train, test, folds, distance=distance, n_threads=n_threads,
                                   n_evaluations=config.n_evaluations, seed=config.seed)
    return values.argmax(axis=1), {"searched": True, "C": found.C, "gamma_scale": found.gamma * distance}


def _by_network(architecture: Mapping[str, Any], images: np.ndarray, y: np.ndarray, config: LabelEfficiencyConfig,
                subset: Subset) -> tuple[np.ndarray, dict[str, Any]]:
    """Name the test faces by a network that is trained anew, with a seed of this split and draw."""
    present, codes = np.unique(y[subset.train], return_inverse=True)
    if len(present) == 1:
        return np.full(len(subset.test), present[0]), {"steps": 0}
    seed = int(np.random.SeedSequence([config.seed, subset.split, subset.draw]).generate_state(1)[0] >> 1)
    network, n_steps = train_cnn(images[subset.train], codes, epochs=config.cnn_epochs, min_steps=config.cnn_min_steps,
                                 seed=seed, **architecture)
    return present[named_by(network, images[subset.test])], {"steps": n_steps}


def label_scores(right: Mapping[str, Mapping[int, np.ndarray]], y: np.ndarray, subjects: np.ndarray) -> list[dict]:
    """Return the rows of scores of all methods, for `fergan.experiments.scores.score_table`.

    For each method ``accuracy`` (label: the number of labelled people), beside it ``lowest_draw`` and ``highest_draw``;
    ``curve_mean``, the mean of the curve over the logarithm of that number, ``curve_mean_difference``, the first method's
    minus it; ``people_needed`` to name half of the faces rightly, NaN where that is not reached. For features "none",
    ``majority_accuracy``. Intervals are over test people; the draws stay as they are.

    `right` holds by method and number of labelled people the right answers, 0 or 1, (n_draws, n_faces); every face, of class
    `y` and person `subjects` (n_faces,), is tested once in each draw. Differences are over the draws that both have.
    """
    first, rows = next(iter(right.values())), []
    sizes = np.array(list(first))
    for name, curve in right.items():
        columns = np.stack([of_size.mean(axis=0) for of_size in curve.values()], axis=1)

        def heights(counts: np.ndarray, codes: np.ndarray, columns=columns) -> np.ndarray:
            curves = resampled_mean(columns, counts, codes)
            return np.column_stack([curves, curve_mean(sizes, curves)])

        value, low, high = interval_over_people(heights, subjects, share=True)
        # An accuracy is reached earliest where the upper end of the interval reaches it, latest where the lower one does.
        needed = (size_needed(sizes, of[:-1], 0.5) for of in (value, high, low))
        found = [("curve_mean", "all", value[-1], low[-1], high[-1]), ("people_needed", "all", *needed)]
        for k, (n, of_size) in enumerate(curve.items()):
            draws = of_size.mean(axis=1)
            found += [("accuracy", str(n), value[k], low[k], high[k]), ("lowest_draw", str(n), draws.min()),
                      ("highest_draw", str(n), draws.max())]
        rows += [dict(zip(("score", "label", "value", "low", "high"), row, strict=False), features=name) for row in found]
        if curve is not first:
            both = [(first[n], curve[n], min(len(first[n]), len(curve[n]))) for n in sizes]
            columns = np.stack([one[:k].mean(axis=0) - other[:k].mean(axis=0) for one, other, k in both], axis=1)
            difference = mean_over_people(curve_mean(sizes, columns), subjects)
            rows.append(dict(features=name, score="curve_mean_difference", label="all") | difference)
    rows.append(dict(features="none", score="majority_accuracy", label="all", value=float(np.bincount(y).max() / len(y))))
    base = dict(protocol=SUBJECT_INDEPENDENT, n_faces=len(y), n_subjects=len(np.unique(subjects)), n_labels=int(y.max()) + 1)
    return [base | row for row in rows]


def curve_mean(sizes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the mean height of curves (..., n_sizes) over the logarithm of the ascending sizes, by the trapezoidal rule."""
    scores = np.asarray(scores, dtype=float)
    if len(sizes) == 1:
        return scores[..., 0]
    x = np.log(sizes)
    return np.trapezoid(scores, x, axis=-1) / (x[-1] - x[0])


def curve_at(sizes: np.ndarray, scores: np.ndarray, size: float) -> np.ndarray:
    """Return the height of curves (..., n_sizes), straight in the logarithm of the size, at any size; NaN outside."""
    return np.apply_along_axis(lambda curve: np.interp(np.log(size), np.log(sizes), curve, np.nan, np.nan), -1, scores)


def size_needed(sizes: np.ndarray, scores: np.ndarray, level: float) -> float:
    """Return the size at which a curve first reaches a level, the smallest where it begins there; NaN without one."""
    reached = np.flatnonzero(scores >= level)
    if not len(reached):
        return float("nan")
    around = slice(max(0, reached[0] - 1), reached[0] + 1)
    return float(np.exp(np.interp(level, scores[around], np.log(sizes[around]))))


def size_differences(small: LabelEfficiencyResult, large: LabelEfficiencyResult) -> dict[str, Any]:
    """Compare the first method on a small set and on a larger one, at the same number of labelled faces.

    ``full``: balanced accuracy on the larger set with all labels minus that on the small one; ``matched``: at ``size``, the
    largest number of labelled faces that both have; ``shrinking``: what the larger set loses by being cut down to that.
    """
    size = float(min(result.train_faces().iloc[-1] for result in (small, large)))
    (all_small, cut_small, _), (all_large, cut_large, shrinking) = (_cut_down(result, size) for result in (small, large))
    return {"size": size, "shrinking": shrinking, "full": independent_difference(all_large, all_small),
            "matched": independent_difference(cut_large, cut_small)}


def _cut_down(result: LabelEfficiencyResult, size: float) -> list[tuple[float, ...]]:
    """Return the first method's balanced accuracy with all labelled faces, with `size` of them, and the difference."""
    right = result.right(result.methods[0])
    of_faces = result.predictions.drop_duplicates("face").set_index("face").loc[right.index]
    people, true = of_faces["subject"].to_numpy(dtype=str), of_faces["true"].astype(str)
    right = right.div(true.map(true.value_counts(normalize=True)) * true.nunique(), axis=0)
    sizes = right.columns.map(result.train_faces()).to_numpy(dtype=float)

    def accuracies(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        curves = resampled_mean(right.to_numpy(), counts, codes)
        return np.stack([curves[:, -1], curve_at(sizes, curves, size)], axis=1)

    both = np.stack(interval_over_people(accuracies, people, share=True), axis=1)
    lost = interval_over_people(lambda *drawn: -np.diff(accuracies(*drawn))[:, 0], people)
    return [tuple(map(float, ends)) for ends in (*both, lost)]


def train_cnn(images: np.ndarray, y: np.ndarray, *, width: int, epochs: int, min_steps: int,
              weights: str | Path | None = None, learning_rate: float = 1e-3, seed: int = 0) -> tuple[nn.Sequential, int]:
    """Train on faces uint8 (n, 64, 64, 3) of classes 0, 1, ... (n,), all present; return the network and its steps.

    Adam minimises the cross-entropy while the learning rate rises to `learning_rate` and then falls to nothing (one cycle,
    Smith and Topin 2019). Running statistics of the batch normalisation are recomputed over the training faces at the end,
    for a short training would leave them half way. FloatingPointError where the loss is not finite.

    The network starts from `weights`, a ``discriminator.safetensors`` of that `width`, or at random, and has at least
    `min_steps`. The seed is that of the start and of the faces' order; on a processor it decides the network.
    """
    device = torch.device(computing_device("auto"))
    # The discriminator's hidden layers, then one logit per class where it has one in all: (n, 3, 64, 64) to (n, k).
    to_logits = nn.Conv2d(8 * width, int(y.max()) + 1, kernel_size=4)
    network = nn.Sequential(net.Discriminator(width).blocks, to_logits, nn.Flatten())
    net.initialize_weights(network, seed=seed)
    if weights is not None:
        network[0] = net.open_discriminator(weights).requires_grad_(True).blocks
    network.to(device, memory_format=torch.channels_last)
    data = torch.from_numpy(np.array(check_images(images))).to(device)  # a copy: faces on disk are read-only
    classes = torch.from_numpy(np.asarray(y)).to(device)
    size = min(_BATCH, len(data))
    n_steps = max(min_steps, epochs * len(data) // size)
    optimizer = torch.optim.Adam(network.parameters(), learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps)
    rng = np.random.default_rng(seed)
    waiting = np.empty(0, int)  # faces that this pass has yet to show
    network.train()
    for step in range(n_steps):
        if len(waiting) < size:
            waiting = rng.permutation(len(data))
        rows, waiting = waiting[:size], waiting[size:]
        with _autocast(device):
            loss = cross_entropy(network(net.to_float(data[rows])).float(), classes[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower learning_rate")
    update_bn([net.to_float(part) for part in data.split(_AT_ONCE)], network)
    return network.eval(), n_steps


def _autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=net.has_native_bfloat16(device))


def named_by(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """Return the class of each of the faces uint8 (n, 64, 64, 3), by a network of `train_cnn`."""
    device, named = next(network.parameters()).device, np.empty(len(check_images(images)), int)
    with torch.inference_mode(), _autocast(device):
        for start in range(0, len(images), _AT_ONCE):
            logits = network(net.to_float(np.array(images[start : start + _AT_ONCE]), device)).float()
            named[start : start + len(logits)] = logits.argmax(1).cpu().numpy()
    return named
