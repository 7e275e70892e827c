"""Where on a face the detector of an Action Unit looks, and whether that is where the Action Unit acts.

A linear SVM decides by ``w . h(x) + b``, with h the discriminator's last hidden layer. How much each pixel x_p matters is
``|d(w . h(x)) / d x_p|`` (Simonyan, Vedaldi and Zisserman, 2014), summed over colours and averaged over faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter

from fergan.data.cropping import crop_face
from fergan.data.faces import FaceSet
from fergan.experiments.au_detectors import AUData
from fergan.experiments.config import SaliencyConfig
from fergan.facs import ACTION_UNITS
from fergan.files import read_json, write_array, write_json
from fergan.gan.networks import to_float
from fergan.gan.runs import Run
from fergan.gan.sampling import load_discriminator
from fergan.rendered import render_faces
from fergan.rendered.render import REQUIRED_COLUMNS
from fergan.svm.kernels import fit_svc, gram, kernel_slice

SMOOTHING = 1.5  # pixels; convolutions with a stride of 2 reach some pixels more often than others
SHARE_OF_CHANGE = 0.5  # the pixels that change most, together this share of all change, are where an Action Unit acts
_PHOTOGRAPH = 128  # pixels a side of a rendered photograph, see fergan.data.photographs


@dataclass(frozen=True)
class SaliencyMaps:
    """What `map_saliency` writes."""

    maps: np.ndarray  # (14, 64, 64), float64, see `saliency_maps`
    average: np.ndarray  # of the faces, (64, 64, 3), uint8
    n_faces: int
    regions: np.ndarray | None  # where each Action Unit acts, (14, 64, 64), bool; known of rendered faces only
    checks: pd.DataFrame  # a row for each Action Unit that has a map, see `check_region`; empty without regions

    @classmethod
    def load(cls, folder: str | Path) -> "SaliencyMaps":
        """Read what `map_saliency` wrote."""
        found = {path.stem: np.load(path) for path in Path(folder).glob("*.npy")}
        content = read_json(Path(folder) / "checks.json")
        return cls(**{"regions": None} | found, n_faces=content["n_faces"], checks=pd.DataFrame(content["checks"]))


def map_saliency(folder: Path, config: SaliencyConfig, *, faces: FaceSet, X: np.ndarray, mapping: str | None,
                 costs: np.ndarray, run: Run, margin: float) -> None:
    """Map where the detectors of an Action Unit experiment look, and write a `SaliencyMaps` into `folder`.

    The detectors, of `costs` C (14,), NaN where there is none, learn from `faces` and their features X by the discriminator
    of `run`. A mapping derives the Action Units from the emotions; None takes the coded ones. `margin` is that of the crops.
    """
    labels, checks = faces.labels, []
    weights = linear_weights(X, AUData.of(faces, {"X": X}).derived(mapping).Y, costs)
    rows = np.sort(np.random.default_rng(config.seed).choice(len(faces), min(config.n_faces, len(faces)), replace=False))
    maps = saliency_maps(load_discriminator(run), weights, faces.images[rows])
    if set(REQUIRED_COLUMNS) <= set(labels.columns):  # the faces can be rendered anew
        regions = action_regions(labels, margin, config.n_people, config.seed)
        write_array(folder / "regions.npy", regions)
        checks = [{"AU": unit} | check_region(maps[u], regions, u) for u, unit in enumerate(ACTION_UNITS)
                  if not np.isnan(maps[u]).any()]
    write_array(folder / "maps.npy", maps)
    write_array(folder / "average.npy", faces.images[rows].mean(axis=0).astype(np.uint8))
    write_json(folder / "checks.json", dict(n_faces=len(rows), checks=checks))


def linear_weights(X: np.ndarray, Y: np.ndarray, costs: Sequence[float]) -> np.ndarray:
    """Return the weights w of one linear C-SVC per column of labels (0, 1 or NaN), from their solutions on one Gram matrix.

    Shape (n_units, n_features): ``X @ w`` differs from the decision values by a constant; NaN where only one class is coded
    or the cost (in the unit of `fergan.svm.kernels.gram`) is NaN.
    """
    K, mean = gram(X), X.mean(axis=0, dtype=np.float64)
    scale = np.mean([np.sum((row - mean) ** 2) for row in X])
    weights = np.full((Y.shape[1], X.shape[1]), np.nan)
    for labels, C, w in zip(Y.T, costs, weights, strict=True):
        known = np.flatnonzero(~np.isnan(labels))
        if np.isnan(C) or len(np.unique(labels[known])) < 2:
            continue
        model = fit_svc(kernel_slice(K, known, known), labels[known].astype(int), C)
        w[:] = model.dual_coef_[0] @ (X[known[model.support_]] - mean) / scale
    return weights


def saliency_maps(network: torch.nn.Module, weights: np.ndarray, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Return how much each pixel matters to each of several linear decisions on the last layer, the network's ``hidden``.

    Weights are (n_units, n_features), images uint8 (n_faces, h, w, 3). Maps, float64 (n_units, h, w), sum to 1, or are NaN.
    """
    W = torch.as_tensor(np.nan_to_num(weights), dtype=torch.float32)
    total = np.zeros((len(weights), *images.shape[1:3]))
    for start in range(0, len(images), batch_size):
        x = to_float(np.ascontiguousarray(images[start : start + batch_size])).requires_grad_()
        values = network.hidden(x).flatten(1) @ W.T  # (n, n_units)
        for unit in range(len(weights)):
            (gradient,) = torch.autograd.grad(values[:, unit].sum(), x, retain_graph=True)
            total[unit] += gradient.abs().sum(1).sum(0).numpy()
    total = np.stack([gaussian_filter(values, SMOOTHING, mode="nearest") for values in total])
    sums = total.sum(axis=(1, 2), keepdims=True)
    undefined = np.isnan(weights).any(axis=1)[:, None, None] | (sums == 0)
    return np.where(undefined, np.nan, total / np.where(sums == 0, 1, sums))


def smallest_region(change: np.ndarray, share: float = SHARE_OF_CHANGE) -> np.ndarray:
    """Return the fewest pixels that together hold a share of a map: a mask of its shape."""
    order = np.argsort(-change, axis=None, kind="stable")
    reached = np.cumsum(change.ravel()[order])
    region = np.zeros(change.size, dtype=bool)
    region[order[: np.searchsorted(reached, share * reached[-1]) + 1]] = True
    return region.reshape(change.shape)


def action_regions(labels: pd.DataFrame, margin: float, n_people: int = 12, seed: int = 0) -> np.ndarray:
    """Return where each Action Unit acts, bool (14, 64, 64): the same people rendered with it at full intensity and without.

    `labels` are those of a rendered face set, with its boxes, and `margin` is that of its crops; see `smallest_region`.
    """
    people = labels.groupby("subject", sort=True).sample(1, random_state=seed)
    people = people.sample(min(n_people, len(people)), random_state=seed).reset_index(drop=True)
    people[[f"{unit}_{side}" for unit in ACTION_UNITS for side in ("left", "right")]] = 0.0
    at_rest = _crops(people, margin)
    regions = []
    for unit in ACTION_UNITS:
        moved = _crops(people.assign(**{f"{unit}_left": 1.0, f"{unit}_right": 1.0}), margin)
        change = np.abs(moved.astype(float) - at_rest).sum(axis=3).mean(axis=0)
        regions.append(smallest_region(gaussian_filter(change, SMOOTHING, mode="nearest")))
    return np.stack(regions)


def _crops(labels: pd.DataFrame, margin: float) -> np.ndarray:
    images, _ = render_faces(labels, size=_PHOTOGRAPH)
    boxes = labels[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy(float)
    return np.stack([crop_face(image, box, margin) for image, box in zip(images, boxes, strict=True)])


def check_region(saliency: np.ndarray, regions: np.ndarray, unit: int) -> dict[str, Any]:
    """Compare the saliency (h, w) inside a unit's region, of all units' (n_units, h, w), with that inside shuffled ones.

    Regions are shuffled within the rectangle around all of them, so that hair and background do not make it easy: every
    cyclic shift of the region within it counts once, and every one of its mirror image.

    Returns: ``share`` of the saliency inside the region; its ``area`` as a share of the part, which a detector that looks
        everywhere would reach; ``threshold``, the 95th percentile of shares in shuffled ones; ``inside``, a larger share.
    """
    rows, columns = (np.flatnonzero(regions.any(axis=(0, axis))) for axis in (2, 1))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    values, mask = saliency[part] / saliency[part].sum(), regions[unit][part]
    share, threshold = values[mask].sum(), np.quantile(shifted_shares(values, [mask, mask[:, ::-1]]), 0.95)
    return dict(share=share, area=mask.mean(), threshold=threshold, inside=bool(share > threshold))


def shifted_shares(values: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of `values` inside each mask at each of its cyclic shifts, by the convolution theorem."""
    spectra = np.conj(np.fft.rfft2(np.array(masks, dtype=float)))
    return np.fft.irfft2(np.fft.rfft2(values) * spectra, s=values.shape).ravel()
