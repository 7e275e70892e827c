"""From photographs to a `FaceSet`: one 64 x 64 crop per face, and an account of every face that was lost.

A long run can be interrupted: given a folder to work in, it takes up the batches that were finished.
"""

import inspect
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fergan.datasets.base import Photographs, UnreadablePhotograph
from fergan.faces import FACE_SIZE, FaceSet
from fergan.files import hash_file, hash_parameters, read_json, write_array, write_json

__all__ = ["CroppingAccount", "Detector", "crop_face", "crop_faces"]

BOX_COLUMNS = ("box_left", "box_top", "box_right", "box_bottom", "detection_probability")


class Detector(Protocol):
    """What `crop_faces` needs of a detector; see `fergan.detection`.

    Attributes
    ----------
    name : str
        What it is called.
    parameters : dict
        Everything that decides which boxes it finds, as plain values.
    """

    name: str
    parameters: dict[str, Any]

    def detect(self, images: Sequence[np.ndarray]) -> list[Any]:
        """Return one `fergan.detection.Detection` or None per RGB uint8 image."""
        ...


def crop_face(image: np.ndarray, box: Sequence[float], margin: float) -> np.ndarray:
    """Crop a square around a box and scale it to 64 x 64 pixels.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype uint8
        The RGB photograph.
    box : sequence of four float
        Left, top, right and bottom in pixels.
    margin : float
        Added on every side, as a fraction of the box's longer side.

    Returns
    -------
    ndarray of shape (64, 64, 3), dtype uint8
        The crop; where the square leaves the photograph, its border pixels are repeated.
    """
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        raise ValueError(f"box is {tuple(box)}; expected left < right and top < bottom")
    if margin <= -0.5:
        raise ValueError(f"margin is {margin}, which leaves nothing; expected 0 or more of the box's side")
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    columns = round((left + right - side) / 2) + np.arange(side)
    rows = round((top + bottom - side) / 2) + np.arange(side)
    height, width = image.shape[:2]
    square = image[np.ix_(np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))]
    # INTER_AREA averages when it reduces, but only repeats pixels when it enlarges.
    method = cv2.INTER_AREA if side >= FACE_SIZE else cv2.INTER_LINEAR
    return cv2.resize(square, (FACE_SIZE, FACE_SIZE), interpolation=method)


@dataclass
class CroppingAccount:
    """What became of each photograph.

    Attributes
    ----------
    photographs, found : int
        How many there were, and how many gave a crop.
    unreadable : list of dict
        ``source`` and ``reason`` of each photograph that could not be read.
    no_face : list of str
        The sources in which no face was found, and which gave no crop.
    nominal : list of str
        The sources in which no face was found, and which were cropped at the median box of their view.
    lost_by_emotion, lost_by_view : dict
        Per emotion and per view (``"not labelled"`` where missing): ``photographs``, ``lost`` (unreadable, or
        no face found, cropped all the same or not) and their ``fraction``.
    """

    photographs: int
    found: int
    unreadable: list[dict[str, str]] = field(default_factory=list)
    no_face: list[str] = field(default_factory=list)
    nominal: list[str] = field(default_factory=list)
    lost_by_emotion: dict[str, dict[str, float]] = field(default_factory=dict)
    lost_by_view: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the account as plain values for JSON."""
        return asdict(self)


def crop_faces(
    photographs: Photographs,
    detector: Detector,
    *,
    margin: float,
    nominal_box: bool = False,
    batch_size: int = 64,
    progress: bool = True,
    work_folder: str | Path | None = None,
) -> tuple[FaceSet, CroppingAccount]:
    """Find, crop and collect the face of every photograph; what cannot be read or found is listed, not fatal.

    Parameters
    ----------
    photographs : Photographs
        See `fergan.datasets.base`.
    detector : Detector
        See `make_detector`.
    margin : float
        See `crop_face`.
    nominal_box : bool
        Where no face was found, crop the median box of the same view instead: for sets with a fixed camera, whose
        faces are all in the same place. These faces are counted, and flagged in the labels.
    batch_size : int
        Photographs held in memory at once.
    progress : bool
        Draw a progress bar on standard error.
    work_folder : str or Path, optional
        Where each finished batch is kept: a rerun with the same photographs and parameters takes it from
        there. The crops then stay on disk, memory-mapped; without it, they are in memory.

    Returns
    -------
    faces : FaceSet
        The crops; labels gain ``box_left, box_top, box_right, box_bottom`` (pixels of the photograph) and
        ``detection_probability`` (0..1; NaN from Viola-Jones), and ``detected``, False for a nominal box.
    account : CroppingAccount
        What was lost.

    Raises
    ------
    ValueError
        No face was found at all.
    """
    n_photographs = len(photographs.labels)
    folder = _batch_folder(work_folder, photographs, detector, margin, batch_size)
    images = _preallocate(folder, n_photographs)
    outcomes: list[dict[str, Any]] = []
    n_found = 0
    title = f"faces of {photographs.name}"
    with tqdm(total=n_photographs, desc=title, unit="face", disable=not progress) as bar:
        for start in range(0, n_photographs, batch_size):
            rows = range(start, min(start + batch_size, n_photographs))
            crops, batch = _load_batch(folder, rows) or _crop_batch(photographs, rows, detector, margin)
            _save_batch(folder, rows, crops, batch)
            images[n_found : n_found + len(crops)] = crops
            n_found += len(crops)
            outcomes += batch
            bar.update(len(rows))
    if not n_found:
        raise ValueError(_nothing_found(photographs.name, detector.name, _account(photographs.labels, outcomes)))
    images = images[:n_found]
    if nominal_box:
        images = _add_nominal_crops(photographs, outcomes, images, margin)
    found = np.array([outcome["box"] is not None for outcome in outcomes])
    labels = photographs.labels.loc[found].reset_index(drop=True)
    labels[list(BOX_COLUMNS)] = np.array([o["box"] for o in outcomes if o["box"]], dtype=float)
    labels["detected"] = [not o.get("nominal", False) for o in outcomes if o["box"]]
    return FaceSet(photographs.name, images, labels), _account(photographs.labels, outcomes)


def _add_nominal_crops(
    photographs: Photographs, outcomes: list[dict[str, Any]], images: np.ndarray, margin: float
) -> np.ndarray:
    """Give each readable photograph without a face the median box of its view; return all crops in row order.

    Changes the outcomes of these photographs. A view in which no face was found at all has no box to give.
    """
    views = photographs.labels["view"].fillna("").tolist()
    boxes: dict[str, list[list[float]]] = {}
    for view, outcome in zip(views, outcomes, strict=True):
        if outcome["box"]:
            boxes.setdefault(view, []).append(outcome["box"][:4])
    found = iter(images)
    crops = []
    for row, (view, outcome) in enumerate(zip(views, outcomes, strict=True)):
        if outcome["box"]:
            crops.append(next(found))
        elif not outcome["reason"] and view in boxes:
            box = np.median(boxes[view], axis=0)
            crops.append(crop_face(photographs.read([row])[0], box, margin))
            outcome |= {"box": [*box, np.nan], "nominal": True}
    return np.stack(crops)


def _batch_folder(
    work_folder: str | Path | None,
    photographs: Photographs,
    detector: Detector,
    margin: float,
    batch_size: int,
) -> Path | None:
    """Return a folder of its own for everything that the crops depend on."""
    if work_folder is None:
        return None
    known = getattr(photographs, "fingerprint", None)
    identity = known or pd.util.hash_pandas_object(photographs.labels).to_numpy().tolist()
    key = hash_parameters(
        {
            "name": photographs.name,
            "photographs": identity,
            "sources": photographs.labels["source"].tolist(),
            "detector": detector.parameters,
            "margin": margin,
            "batch_size": batch_size,
            "code": [hash_file(__file__), hash_file(inspect.getfile(type(detector)))],
        }
    )
    folder = Path(work_folder) / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _preallocate(folder: Path | None, n_photographs: int) -> np.ndarray:
    """Return room for all crops: in memory, or in a file of `folder` that goes when the array does."""
    shape = (n_photographs, FACE_SIZE, FACE_SIZE, 3)
    if folder is None or n_photographs == 0:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:  # the mapping outlives the closed file
        return np.memmap(file, np.uint8, mode="w+", shape=shape)


def _crop_batch(
    photographs: Photographs, rows: range, detector: Detector, margin: float
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return the crops of these rows, and for every row its box and probability or why it has none."""
    read = photographs.read(rows)
    readable = [image for image in read if not isinstance(image, UnreadablePhotograph)]
    detections = iter(detector.detect(readable))
    crops, outcomes = [], []
    for image in read:
        if isinstance(image, UnreadablePhotograph):
            outcomes.append({"box": None, "reason": str(image)})
        elif (detection := next(detections)) is None:
            outcomes.append({"box": None, "reason": None})
        else:
            crops.append(crop_face(image, detection.box, margin))
            outcomes.append({"box": [*detection.box, detection.probability], "reason": None})
    return np.stack(crops) if crops else np.empty((0, FACE_SIZE, FACE_SIZE, 3), np.uint8), outcomes


def _batch_files(folder: Path, rows: range) -> tuple[Path, Path]:
    return folder / f"chunk-{rows.start:08d}.npy", folder / f"chunk-{rows.start:08d}.json"


def _save_batch(folder: Path | None, rows: range, crops: np.ndarray, outcomes: list[dict[str, Any]]) -> None:
    if folder is None or all(path.is_file() for path in _batch_files(folder, rows)):
        return
    crops_file, outcomes_file = _batch_files(folder, rows)
    write_array(crops_file, crops)
    write_json(outcomes_file, outcomes)


def _load_batch(folder: Path | None, rows: range) -> tuple[np.ndarray, list[dict[str, Any]]] | None:
    """Return the crops and outcomes of these rows that an earlier run finished, if it did."""
    if folder is None or not all(path.is_file() for path in _batch_files(folder, rows)):
        return None
    crops_file, outcomes_file = _batch_files(folder, rows)
    return np.load(crops_file, allow_pickle=False), read_json(outcomes_file)


def _account(labels: pd.DataFrame, outcomes: list[dict[str, Any]]) -> CroppingAccount:
    cropped = [outcome["box"] is not None for outcome in outcomes]
    lost = pd.Series([o["box"] is None or o.get("nominal", False) for o in outcomes], dtype=bool)
    sources = labels["source"].tolist()
    pairs = list(zip(sources, outcomes, strict=True))
    return CroppingAccount(
        photographs=len(labels),
        found=sum(cropped),
        unreadable=[{"source": source, "reason": o["reason"]} for source, o in pairs if o["reason"]],
        no_face=[source for source, o in pairs if o["box"] is None and not o["reason"]],
        nominal=[source for source, o in pairs if o.get("nominal", False)],
        lost_by_emotion=_lost_by(lost, labels["emotion"]),
        lost_by_view=_lost_by(lost, labels["view"]),
    )


def _lost_by(lost: pd.Series, group: pd.Series) -> dict[str, dict[str, float]]:
    groups = lost.groupby(group.reset_index(drop=True).fillna("not labelled"))
    return {
        name: {"photographs": len(part), "lost": int(part.sum()), "fraction": float(part.mean())} for name, part in groups
    }


def _nothing_found(name: str, detector: str, account: CroppingAccount) -> str:
    message = f"{name}: {detector} found no face in any of {account.photographs} photographs"
    if account.unreadable:
        first = account.unreadable[0]["reason"]
        message += f", of which {len(account.unreadable)} are unreadable (first: {first})"
    return message + "; look at some of them, then try the other detector or a smaller min_face_fraction"
