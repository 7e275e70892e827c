"""The scores of one generator: how recognisable, how near to real faces, how varied and how new its samples are.

Scores are taken of the features of a discriminator and HOG, and of Inception where its weights are found. Published ones
rest on that network alone, and cannot be compared with others. Its weights (95 MB) do not come with this project: the
environment variable `INCEPTION` names the file, or says ``download``, which fetches it once. Another file is not opened.
"""

import hashlib
import io
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.utils import gen_batches

from fergan.cache import computing_device
from fergan.data.detection import face_rate
from fergan.data.faces import FaceSet
from fergan.features import check_images
from fergan.features.baselines import HOGFeatures
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.files import atomic_path, hash_file, read_json, write_json
from fergan.quality import INCEPTION, QualityConfig, distances
from fergan.quality.distances import jackknife

FACE_PROBABILITY = 0.9  # how sure MTCNN must be that a sample shows a face
N_SEEN = 200  # samples that the face detector and all scores of pictures look at
_N_SPLITS = 10  # of the inception score, as in the work that defines it
WEIGHTS_FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS_FILE}"
PUBLISHED_HASH = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

#: A way from images uint8 (n, 64, 64, 3) to features (n, n_features), and class logits (n, n_classes) or None.
Extract = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]

#: A score of n samples with its 95 % interval, and its floors: the same score of as many real faces beside others, of the
#: same people and of other people; NaN where people make no difference or nobody is named. ``features``: what it is of.
QUALITY_COLUMNS = {"features": str, "score": str, "value": float, "low": float, "high": float, "floor": float,
                   "floor_people": float, "n": int}


def quality_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of `QUALITY_COLUMNS`; what a row does not say is NaN."""
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS)).astype(QUALITY_COLUMNS)


def judge_samples(folder: Path, config: QualityConfig, *, generated: np.ndarray, faces: FaceSet, discriminator: Path,
                  inception: Path | None = None) -> None:
    """Judge samples uint8 (n, 64, 64, 3) of one generator beside the faces that it learnt from.

    Writes ``scores.json``, which `load_scores` reads; NaN where a score could not be computed. Each score has floors, see
    `fergan.quality.distances.halves`. For `discriminator` and `inception` see `backbones`.
    """
    found = judge_images(generated, faces.images, faces.subjects(), backbones(discriminator, inception), config.seed)
    write_json(folder / "scores.json", {"scores": found.to_dict("records")})


def load_scores(folder: Path | str) -> pd.DataFrame:
    """Read the table, with the columns `QUALITY_COLUMNS`, that `judge_samples` wrote."""
    return quality_rows(read_json(Path(folder) / "scores.json")["scores"])


def judge_images(generated: np.ndarray, real: np.ndarray, subjects: np.ndarray, networks: Mapping[str, Extract],
                 seed: int) -> pd.DataFrame:
    """Compute every score of samples; see `judge_samples`."""
    def copied(images: np.ndarray, faces: np.ndarray) -> np.ndarray:  # which all but repeat a real face
        samples, others = map(distances.thumbnails, (images, faces))
        return distances.nearest(samples, others)[1] <= distances.memorised_below(others)

    def likeness(images: np.ndarray, faces: np.ndarray) -> np.ndarray:  # each one's, with its nearest real face
        return distances.structural_similarity(images, faces[distances.nearest_real(images, faces)[0]])

    rows = distances.halves(subjects, len(generated), seed)
    floors = {name: tuple(np.array(real[np.sort(side)]) for side in sides) for name, sides in rows.items()}
    half = floors["floor"][1]
    seen, usual = (face_rate(images[:N_SEEN], FACE_PROBABILITY) > 0 for images in (generated, half))
    shares = {name: copied(*sides).mean() for name, sides in floors.items()}
    means = {name: likeness(other[:N_SEEN], faces).mean() for name, (other, faces) in floors.items()}
    alike = jackknife(np.mean, likeness(generated[:N_SEEN], half), seed=seed)
    table = [_row("MTCNN", "faces_found", _share(seen), {"floor": usual.mean()}, len(seen)),
             _row("thumbnails", "memorised", _share(copied(generated, np.array(real))), shares, len(generated)),
             _row("pixels", "ssim_nearest", alike, means, len(seen))]
    for name, extract in networks.items():
        sides = {floor: tuple(map(extract, images)) for floor, images in floors.items()}
        table += [row | {"features": name} for row in judge_features(extract(generated[: len(half)]), sides, seed=seed)]
    return quality_rows(table)


def _row(features: str, score: str, ends: Sequence[float], floors: Mapping[str, float], n: int) -> dict[str, Any]:
    """Return a row of the table; `ends` are value, low and high."""
    numbers = dict(zip(("value", "low", "high"), ends, strict=True)) | dict(floors)
    return {"features": features, "score": score, "n": n} | {name: float(number) for name, number in numbers.items()}


def _share(hits: np.ndarray) -> tuple[float, float, float]:
    return hits.mean(), *binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")


Side = tuple[np.ndarray, np.ndarray | None]  # features, and logits where the backbone has classes


def judge_features(generated: Side, floors: Mapping[str, tuple[Side, Side]], seed: int = 0) -> list[dict[str, Any]]:
    """Return every score that one backbone's features allow, as rows of `QUALITY_COLUMNS`.

    `floors` are pairs of as many real faces as there are samples, see `fergan.quality.distances.halves`; samples are
    compared with the second side of ``"floor"``.
    """
    n = len(generated[0])
    if n < 2 * distances.N_GROUPS:
        return [_row("", "frechet", [np.nan] * 3, {}, n)]
    beside = {name: (first[0], second[0]) for name, (first, second) in floors.items()}
    pair = generated[0], beside["floor"][1]

    def measured(names: Sequence[str], function: Callable, sides=pair, beside=beside) -> list[dict[str, Any]]:
        ends = np.transpose(np.reshape(jackknife(function, *sides, seed=seed), (3, -1)))
        usual = {floor: np.ravel(function(*pair)) for floor, pair in beside.items()}
        return [_row("", name, ends[i], {floor: of_floor[i] for floor, of_floor in usual.items()}, n)
                for i, name in enumerate(names)]

    scores = []
    if generated[1] is not None:
        splits = min(_N_SPLITS, n // 20)
        scores += measured(["inception_score"], lambda logits: distances.inception_score(logits, splits, seed),
                           (generated[1],), {"floor": (floors["floor"][0][1],)})
    scores += measured(["frechet"], distances.frechet_distance)
    for row in measured(("precision", "recall", "coverage"), lambda a, b: astuple(distances.neighbourhoods(a, b))):
        scores.append(row | {"low": max(0.0, row["low"]), "high": min(1.0, row["high"])})
    return scores


def backbones(discriminator: Path | str, inception: Path | None = None) -> dict[str, Extract]:
    """Return the backbones of this book's scores by name; `inception` is what `find_inception` found.

    `discriminator` is another generator's ``discriminator.safetensors``: the judged one has learnt to deceive its own.
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
