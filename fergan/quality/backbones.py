"""Whose features the scores are taken of, and the features of real faces, kept beside their set.

Published scores rest on one network, trained on photographs of a thousand kinds of things (`fergan.quality.inception`). The
others here are always there, and no score on them can be compared with published ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fergan.features.discriminator import DiscriminatorFeatures
from fergan.features.hog import HOGFeatures
from fergan.files import hash_array, hash_file, hash_parameters, read_json, write_array, write_json
from fergan.quality.inception import WeightsAbsent, open_inception

__all__ = ["NOT_COMPARABLE", "Backbone", "Features", "Missing", "backbones", "compact", "kept_features"]

NOT_COMPARABLE = "not comparable with published FID"


@dataclass(frozen=True)
class Features:
    """What a backbone says of pictures.

    Attributes
    ----------
    features : ndarray of shape (n, n_features)
    logits : ndarray of shape (n, n_classes) or None
        Of its classes, where it has any.
    """

    features: np.ndarray
    logits: np.ndarray | None = None


@dataclass(frozen=True)
class Backbone:
    """A way from pictures to features.

    Attributes
    ----------
    name : str
    extract : callable
        Images uint8 (n, 64, 64, 3) -> `Features`.
    weights : str
        Hash of its weights; empty where it has none.
    resize : str
        What it does to the pictures first.
    note : str
        Whether its scores can be compared with others'.
    """

    name: str
    extract: Callable[[np.ndarray], Features]
    weights: str = ""
    resize: str = "none (64 pixels)"
    note: str = NOT_COMPARABLE


@dataclass(frozen=True)
class Missing:
    """A backbone that cannot be had, and why."""

    name: str
    reason: str


def backbones(discriminator: Path | str, width: int, inception: str = "") -> list[Backbone | Missing]:
    """Return the backbones of this book's scores: Inception where its weights are found, a discriminator and HOG always.

    Parameters
    ----------
    discriminator : path
        A ``discriminator.safetensors``: of another generator than the judged one, which has learnt to deceive its own.
    width : int
        Of that network.
    inception : str
        See `fergan.quality.inception.open_inception`.
    """
    network = DiscriminatorFeatures(discriminator, width=width)
    hash_ = hash_file(discriminator)
    return [
        _inception(inception),
        Backbone("discriminator", lambda images: Features(network.transform(images)), weights=hash_),
        Backbone("HOG", lambda images: Features(HOGFeatures().transform(images))),
    ]


def _inception(where: str) -> Backbone | Missing:
    try:
        found = open_inception(where)
    except WeightsAbsent as error:
        return Missing("Inception", str(error))
    resize = "64 to 299 pixels, bilinear as in TensorFlow 1"
    return Backbone("Inception", lambda images: Features(*found.transform(images)), found.weights, resize, note="")


def kept_features(backbone: Backbone, images: np.ndarray, folder: Path | str | None = None) -> Features:
    """Return a backbone's features of real faces, from the folder where they were kept, or extracted and kept there.

    Features are kept whole rather than their mean and covariance, as all scores but the Frechet distance need each face.

    Parameters
    ----------
    backbone : Backbone
    images : ndarray of shape (n, 64, 64, 3), dtype uint8
    folder : path, optional
        Beside the face set; None keeps nothing, and so does a folder that cannot be written.
    """
    if folder is None:
        return backbone.extract(images)
    made_by = {"backbone": backbone.name, "weights": backbone.weights, "resize": backbone.resize}
    identity = made_by | {"images": hash_array(images)}
    place = Path(folder) / f"{backbone.name.lower()}-{hash_parameters(identity)}"
    record = place / "features.json"
    if record.is_file() and read_json(record)["identity"] == identity:
        return _read(place)
    found = backbone.extract(images)
    try:
        for name, array in vars(found).items():
            if array is not None:
                write_array(place / f"{name}.npy", array)
        write_json(record, {"identity": identity, "n": len(images), "n_features": found.features.shape[1]})
    except OSError:
        return found  # an archive that may only be read
    return found


def _read(place: Path) -> Features:
    paths = {name: place / f"{name}.npy" for name in ("features", "logits")}
    return Features(**{name: np.load(path, allow_pickle=False) for name, path in paths.items() if path.is_file()})


def compact(*sides: np.ndarray) -> list[np.ndarray]:
    """Turn features into as few numbers as there are rows in all: float64, every product and distance as before.

    Parameters
    ----------
    sides : ndarray of shape (n_samples, n_features)
        Each with the same features. They come back as they are where that would not save much.
    """
    together = np.concatenate(sides).astype(np.float64)
    if together.shape[1] > 1.5 * len(together):
        # R of the QR factors of the transpose: its columns are the rows, in a basis of the space that they span.
        together = np.linalg.qr(together.T, mode="r").T
    return np.split(together, np.cumsum([len(side) for side in sides])[:-1])
