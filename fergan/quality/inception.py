"""The network behind published inception scores and Frechet inception distances: found, checked, then opened.

Its weights (95 MB) do not come with this project. The environment variable `VARIABLE` names the file, or says
``download``, which fetches it once. A file with another hash than the published one is not opened.
"""

import hashlib
import io
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fergan.files import atomic_path
from fergan.quality.checks import check_images

__all__ = ["PUBLISHED_HASH", "URL", "VARIABLE", "WEIGHTS_FILE", "Inception", "WeightsAbsent", "open_inception"]

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
