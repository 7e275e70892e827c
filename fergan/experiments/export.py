"""Networks for a reader's browser: generators, and a discriminator with linear heads, as ONNX models in scripts.

A script can be read from a folder without a server, which a model's file cannot. Weights are rounded to 16 bits.
"""

import copy
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from fergan.experiments.config import EmotionConfig
from fergan.experiments.cross_validation import grouped_folds, other_rows
from fergan.experiments.intervals import auc, mean_over_people
from fergan.facs import ACTION_UNITS
from fergan.files import write_array, write_json, write_script
from fergan.gan.networks import Discriminator, Generator
from fergan.gan.runs import Run
from fergan.gan.sampling import load_discriminator, load_generator

N_MAPS, N_DIRECTIONS = 8, 5  # that a page shows: maps of each hidden layer, leading directions of the noise


class Drawer(nn.Module):
    """A generator as the page asks it: noise (1, latent_dim) to pixels (64, 64, 3) in 0..255."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = halved(generator)

    def forward(self, noise: Tensor) -> Tensor:
        return (self.generator(noise)[0].permute(1, 2, 0) + 1) * 127.5


class Reader(nn.Module):
    """A discriminator with linear heads: pixels (64, 64, 3) in 0..255 to what the page shows of them.

    Returns its logit, the scores (n_heads,), what each of the 4x4 places adds to them (n_heads, 4, 4), and the first maps
    of each hidden layer. Weights are (n_heads, n_features), intercepts (n_heads,).
    """

    def __init__(self, discriminator: Discriminator, weights: np.ndarray, intercepts: np.ndarray):
        super().__init__()
        self.discriminator = halved(discriminator)
        self.register_buffer("weights", torch.as_tensor(weights).half().float().unflatten(1, (-1, 4, 4)))
        self.register_buffer("intercepts", torch.as_tensor(intercepts).float())

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        x, maps = pixels.permute(2, 0, 1)[None] / 127.5 - 1, []
        for block in self.discriminator.blocks:
            x = block(x)
            maps.append(x[0, :N_MAPS])
        places = (x * self.weights).sum(1)
        return self.discriminator.to_logit(x).flatten(), places.sum((1, 2)) + self.intercepts, places, *maps


def halved(network: nn.Module) -> nn.Module:
    """Return a copy of a network whose numbers are rounded to 16 bits, in evaluation mode."""
    return copy.deepcopy(network).eval().requires_grad_(False).half().float()


def linear_heads(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit one least-squares machine (ridge regression on 1 and -1) per column of labels, (n_faces, n_heads), 0, 1 or NaN.

    The penalty is the mean squared distance of the features (n_faces, n_features) from their mean. Returns weights
    (n_heads, n_features) and intercepts; 0 where only one class is known.
    """
    weights, intercepts = np.zeros((Y.shape[1], X.shape[1])), np.zeros(Y.shape[1])
    known, learnable = ~np.isnan(Y), (Y == 0).any(0) & (Y == 1).any(0)
    for pattern in np.unique(known[:, learnable], axis=1).T:
        heads = np.flatnonzero(learnable & (known == pattern[:, None]).all(0))
        rows = np.asarray(X[pattern], np.float64)
        model = Ridge(alpha=rows.var(0).sum()).fit(rows, 2 * Y[np.ix_(pattern, heads)] - 1)
        weights[heads], intercepts[heads] = model.coef_, model.intercept_
    return weights, intercepts


def export_networks(folder: Path, config: EmotionConfig, *, generators: Mapping[str, Run], discriminator: Run,
                    X: np.ndarray, emotions: np.ndarray, units: np.ndarray, subjects: np.ndarray) -> None:
    """Learn heads, test them on the folds of people of an experiment, and write the networks; see `write_networks`.

    X (n_faces, n_features) are features by the run `discriminator`; emotions and subjects are (n_faces,), str, Action Units
    (n_faces, 14), 0, 1 or NaN. The folder also gets ``weights.npy`` and ``intercepts.npy`` of the heads.
    """
    names, y = np.unique(emotions, return_inverse=True)
    Y = np.column_stack([y[:, None] == np.arange(len(names)), units]).astype(float)
    values = np.full(Y.shape, np.nan)
    for fold in grouped_folds(y, subjects, config.n_folds, config.seed):
        train = other_rows(len(y), [fold])
        weights, intercepts = linear_heads(X[train], Y[train])
        values[fold] = X[fold] @ weights.T + intercepts
    right = values[:, : len(names)].argmax(1) == y
    areas = {unit: auc(values[~np.isnan(of), len(names) + u], of[~np.isnan(of)] == 1)
             for u, (unit, of) in enumerate(zip(ACTION_UNITS, units.T, strict=True)) if (of == 0).any() and (of == 1).any()}
    kept = [*range(len(names)), *(len(names) + u for u, unit in enumerate(ACTION_UNITS) if unit in areas)]
    weights, intercepts = linear_heads(X, Y[:, kept])
    write_array(folder / "weights.npy", weights)
    write_array(folder / "intercepts.npy", intercepts)
    reader = Reader(load_discriminator(discriminator), weights, intercepts)
    opened = {name: load_generator(run) for name, run in generators.items()}
    write_networks(folder, opened, reader, names.tolist(), list(areas), areas=areas, n_faces=len(y),
                   n_people=len(set(subjects)), accuracy=mean_over_people(right.astype(float), subjects, share=True))


def write_networks(folder: Path, generators: Mapping[str, Generator], reader: Reader, emotions: Sequence[str],
                   units: Sequence[str], **known: Any) -> None:
    """Write ``generator-NAME.js`` of each generator, ``reader.js``, and ``heads.json`` with names and what else is known."""
    def write(name: str, network: nn.Module, example: Tensor, outputs: list[str], **more: Any) -> None:
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter that needs one package less is called old
            torch.onnx.export(network.eval(), (example,), file, dynamo=False, input_names=["input"], output_names=outputs)
        write_script(folder / f"{name}.js", model=file.getvalue(), **more)

    for name, generator in generators.items():
        found, noise = leading_directions(generator).round(4).tolist(), torch.zeros(1, generator.latent_dim)
        write(f"generator-{name}", Drawer(generator), noise, ["pixels"], directions=found)
    heads = dict(heads=[*emotions, *units], n_emotions=len(emotions))
    outputs = ["logit", "scores", "places", *(f"maps{k}" for k in range(1, 5))]
    write("reader", reader, torch.zeros(64, 64, 3), outputs, **heads)
    write_json(folder / "heads.json", known | heads | {"generators": list(generators)})


def leading_directions(generator: Generator, n: int = N_DIRECTIONS) -> np.ndarray:
    """Return the n directions of the noise, of length 1, that the first layer moves most (Shen and Zhou, 2021)."""
    weights = generator.project[0].weight.detach().flatten(1).numpy()
    return np.linalg.svd(weights, full_matrices=False)[0].T[:n]
