"""Whose features the scores are taken of: Inception where its weights are found, a discriminator and HOG always.

Published scores rest on one network, trained on photographs of a thousand kinds of things. Its weights (95 MB) do not come
with this project: the environment variable `INCEPTION` names the file, or says ``download``, which fetches it once. A file
with another hash than the published one is not opened. Scores on other backbones cannot be compared with published ones.
"""

import hashlib
import io
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.utils import gen_batches

from fergan.cache import computing_device
from fergan.features import check_images
from fergan.features.baselines import HOGFeatures
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.files import atomic_path, hash_file
from fergan.quality import INCEPTION

WEIGHTS_FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS_FILE}"
PUBLISHED_HASH = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

#: A way from images uint8 (n, 64, 64, 3) to features (n, n_features), and class logits (n, n_classes) or None.
Extract = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


def backbones(discriminator: Path | str, inception: Path | None = None) -> dict[str, Extract]:
    """Return the backbones of this book's scores by name; `inception` is what `find_inception` found.

    `discriminator` is the ``discriminator.safetensors`` of another generator than the judged one, which has learnt to
    deceive its own.
    """
    network = DiscriminatorFeatures(discriminator)
    found = {"discriminator": lambda images: (network.transform(images), None),
             "HOG": lambda images: (HOGFeatures().transform(images), None)}
    if inception is None:
        return found
    opened = open_inception(inception)
    return {"Inception": lambda images: inception_features(opened, images)} | found


def find_inception(where: str | None = None) -> tuple[Path | None, str]:
    """Return the file of Inception's weights, `where` it is or by ``"download"``; or None, and why not and how to get it."""
    if not where:
        return None, f"set {INCEPTION} to the file {WEIGHTS_FILE} (from {URL}), or to 'download'"
    path = Path(where).expanduser()
    if where == "download":
        import torch

        path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_FILE
        try:
            if not path.is_file():
                with atomic_path(path) as temporary, urllib.request.urlopen(URL, timeout=30) as answer:
                    temporary.write_bytes(answer.read())
        except OSError as error:
            return None, f"{URL} cannot be had ({error})"
    if not path.is_file():
        return None, f"{path}, which {INCEPTION} names, does not exist; get it from {URL}"
    if (found := hash_file(path)) != PUBLISHED_HASH:
        return None, f"{path} has the hash {found[:12]}…, expected {PUBLISHED_HASH[:12]}…; get it from {URL}"
    return path, ""


def open_inception(path: Path):
    """Return the network of a file of weights, after its hash was checked."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # Read once: what is opened is what was checked. The package unpickles, which can run code; hence the hash comes first.
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != PUBLISHED_HASH:
        raise ValueError(f"{path} is not the published file of weights {WEIGHTS_FILE}; it is not opened")
    layers = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("inception-v3-compat", layers, feature_extractor_weights_path=io.BytesIO(content))


def inception_features(network, images: np.ndarray, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return features float32 (n, 2048) and class logits float32 (n, 1008) of images uint8 (n, height, width, 3).

    The network enlarges them to 299 pixels itself, bilinearly as TensorFlow 1 did, which published scores rest on.
    """
    import torch

    images, device = check_images(images), computing_device("auto")
    network = network.to(device)
    parts = []
    with torch.inference_mode():
        for rows in gen_batches(len(images), batch_size):
            batch = torch.from_numpy(np.ascontiguousarray(images[rows])).permute(0, 3, 1, 2)
            parts.append([side.cpu().numpy() for side in network(batch.to(device))])
    return tuple(np.concatenate(side) for side in zip(*parts, strict=True))
