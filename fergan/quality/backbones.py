"""Whose features the scores are taken of: Inception where its weights are found, a discriminator and HOG always."""

import hashlib
import io
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fergan.features.baselines import HOGFeatures
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.files import atomic_path, hash_array, hash_file, hash_parameters, read_json, write_array, write_json
from fergan.quality.distances import check_images

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
        See `fergan.quality.backbones.open_inception`.
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


VARIABLE = "FERGAN_INCEPTION"  # also in fergan.book.network_pages
WEIGHTS_FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS_FILE}"
PUBLISHED_HASH = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

_SECONDS = 30  # without an answer, before a download is given up


class WeightsAbsent(Exception):
    """The network cannot be used; the message says why and how to get its weights."""


@dataclass(frozen=True)
class Inception:
    """The network, open.

    Attributes
    ----------
    network : torch_fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    weights : str
        Hash of its file.
    """

    network: object
    weights: str

    def transform(self, images: np.ndarray, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
        """Return features float32 (n, 2048) and class logits float32 (n, 1008), both from one pass.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, 3), dtype uint8
            The network enlarges them to 299 pixels itself, as TensorFlow 1 did, which published scores rest on.
        batch_size : int
            Images at a time; it does not change the features.
        """
        import torch

        images = check_images("images", images)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network = self.network.to(device)
        parts = []
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                batch = torch.from_numpy(np.ascontiguousarray(images[start : start + batch_size])).permute(0, 3, 1, 2)
                parts.append([side.cpu().numpy() for side in network(batch.to(device))])
        features, logits = (np.concatenate(side) for side in zip(*parts, strict=True))
        return features, logits


def open_inception(where: str = "") -> Inception:
    """Find the network's weights, check their hash, and open it.

    Parameters
    ----------
    where : str
        The file with the weights, or ``"download"``; empty takes what the environment variable `VARIABLE` says.

    Raises
    ------
    WeightsAbsent
        There is no such file, it has another hash, or it cannot be downloaded.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    where = where or os.environ.get(VARIABLE, "")
    if not where:
        raise WeightsAbsent(f"weights absent: set {VARIABLE} to the file {WEIGHTS_FILE} (from {URL}), or to 'download'")
    path = _downloaded() if where == "download" else Path(where).expanduser()
    if not path.is_file():
        raise WeightsAbsent(f"weights absent: {path}, which {VARIABLE} names, does not exist; get it from {URL}")
    # Read once: what is opened is what was checked. The package unpickles, which can run code; hence the hash comes first.
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != PUBLISHED_HASH:
        hashes = f"has the hash {found[:12]}…, expected {PUBLISHED_HASH[:12]}…"
        raise WeightsAbsent(f"weights refused: {path} {hashes}; get it from {URL}")
    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=io.BytesIO(content)
    )
    return Inception(network, found)


def _downloaded() -> Path:
    """Return the weights' place in PyTorch's cache, fetched there unless they are there already."""
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_FILE
    if not path.is_file():
        try:
            with atomic_path(path) as temporary, urllib.request.urlopen(URL, timeout=_SECONDS) as answer:
                temporary.write_bytes(answer.read())
        except OSError as error:
            raise WeightsAbsent(f"weights absent: {URL} cannot be had ({error})") from error
    return path
