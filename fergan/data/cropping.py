"""From photographs to a `FaceSet`: one 64 x 64 crop per face, and an account of every face that was lost.

A long run can be interrupted: given a folder to work in, it takes up the batches that were finished. What is kept of a
photograph in memory is its box: a hundred thousand of them need no more room than a hundred, but for that.
"""

import inspect
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fergan.data import alignment, decoding
from fergan.data.alignment import crop_face, eye_angle
from fergan.data.base import Photographs, UnreadablePhotograph
from fergan.data.decoding import ReducedPhotograph
from fergan.data.faces import FACE_SIZE, FaceSet
from fergan.files import atomic_path, hash_array, hash_file, hash_parameters, write_json
from fergan.threads import available_threads, run_threads

__all__ = ["Batch", "CroppingAccount", "Detector", "crop_batch", "crop_face", "crop_faces", "save_crops"]

BOX_COLUMNS = ("box_left", "box_top", "box_right", "box_bottom", "detection_probability")

#: Photographs are decoded large enough for the smallest face sought to have this many times the pixels of its crop.
OVERSAMPLING = 2


class Detector(Protocol):
    """What `crop_faces` needs of a detector; see `fergan.data.detection`.

    Attributes
    ----------
    name : str
        What it is called.
    parameters : dict
        Everything that decides which boxes it finds, as plain values; with ``min_face_fraction``, the smallest face it
        looks for as a fraction of a photograph's shorter side, large photographs are decoded at reduced size.
    """

    name: str
    parameters: dict[str, Any]

    def detect(self, images: Sequence[np.ndarray]) -> list[Any]:
        """Return one `fergan.data.detection.Detection` or None per RGB uint8 image."""
        ...


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


class _Outcomes:
    """What became of each of n_photographs, in arrays: a dictionary for each would need fifty times the memory.

    Attributes
    ----------
    boxes : ndarray of shape (n_photographs, 6), dtype float64
        Left, top, right, bottom in pixels of the photograph, probability, and the angle by which it was rotated; NaN
        where there is no face.
    nominal : ndarray of shape (n_photographs,), dtype bool
        Where no face was found and the box is the median of its view.
    reasons : dict
        Why each unreadable photograph is so, by row.
    """

    def __init__(self, n_photographs: int):
        self.boxes = np.full((n_photographs, 6), np.nan)
        self.nominal = np.zeros(n_photographs, bool)
        self.reasons: dict[int, str] = {}

    @property
    def cropped(self) -> np.ndarray:
        """Which photographs gave a crop."""
        return ~np.isnan(self.boxes[:, 0])

    @property
    def readable(self) -> np.ndarray:
        """Which photographs could be read."""
        mask = np.ones(len(self.boxes), bool)
        mask[list(self.reasons)] = False
        return mask


@dataclass
class Batch:
    """The crops (n_rows, 64, 64, 3), boxes (n_rows, 6) and reasons (n_rows,), blank where readable, of some rows.

    Rows without a face have an empty crop.
    """

    crops: np.ndarray
    boxes: np.ndarray
    reasons: list[str]


def crop_faces(
    photographs: Photographs,
    detector: Detector,
    *,
    margin: float,
    align: bool = False,
    nominal_box: bool = False,
    batch_size: int = 64,
    progress: bool = True,
    work_folder: str | Path | None = None,
) -> tuple[FaceSet, CroppingAccount]:
    """Find, crop and collect the face of every photograph; what cannot be read or found is listed, not fatal.

    Parameters
    ----------
    photographs : Photographs
        See `fergan.data.base`. Those that can `read_reduced` (see `fergan.data.decoding.FilePhotographs`) decode
        large photographs at reduced size, never so far that a crop would have to be enlarged because of it.
    detector : Detector
        See `make_detector`.
    margin : float
        See `crop_face`.
    align : bool
        Rotate each crop until the eyes are at one height; see `fergan.data.alignment.eye_angle`. Only for detectors that find
        eyes: MTCNN.
    nominal_box : bool
        Where no face was found, crop the median box of the same view instead: for sets with a fixed camera, whose
        faces are all in the same place. These faces are counted, and flagged in the labels.
    batch_size : int
        Photographs held in memory at once.
    progress : bool
        Draw a progress bar on standard error.
    work_folder : str or Path, optional
        Where each finished batch is kept: a rerun with the same photographs and parameters takes it from
        there, until `save_crops` removes it. The crops then stay on disk, memory-mapped; without it, they are in memory.

    Returns
    -------
    faces : FaceSet
        The crops; labels gain ``box_left, box_top, box_right, box_bottom`` (pixels of the photograph) and
        ``detection_probability`` (0..1; NaN from Viola-Jones), and ``detected``, False for a nominal box; with `align`
        also ``rotated_by`` (degrees counter-clockwise; NaN for a nominal box).
    account : CroppingAccount
        What was lost.

    Raises
    ------
    ValueError
        No face was found at all; `align` with a detector that finds no eyes; an impossible `margin` or `batch_size`.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; expected 1 or more photographs")
    if margin <= -0.5:
        raise ValueError(f"margin is {margin}, which leaves nothing; expected 0 or more of the box's side")
    if align and not getattr(detector, "finds_eyes", False):
        raise ValueError(f"align needs the eyes, which {detector.name} does not find; take detector mtcnn, or align = False")
    n_photographs = len(photographs.labels)
    least_side = _least_side(detector, margin)
    folder = _batch_folder(work_folder, photographs, detector, margin, align, batch_size)
    images = _preallocate(folder, n_photographs)
    outcomes = _Outcomes(n_photographs)
    title = f"faces of {photographs.name}"
    with tqdm(total=n_photographs, desc=title, unit="photograph", disable=not progress) as bar:
        for rows in _batches(range(n_photographs), batch_size):
            batch = _load_batch(folder, rows)
            if batch is None:
                batch = crop_batch(photographs, rows, detector, margin, align)
                _save_batch(folder, rows, batch)
            images[rows.start : rows.stop] = batch.crops
            outcomes.boxes[rows.start : rows.stop] = batch.boxes
            outcomes.reasons |= {row: reason for row, reason in zip(rows, batch.reasons, strict=True) if reason}
            bar.update(len(rows))
    if not outcomes.cropped.any():
        raise ValueError(_nothing_found(photographs.name, detector.name, _account(photographs.labels, outcomes)))
    if nominal_box:
        _add_nominal_crops(photographs, outcomes, images, margin, batch_size, least_side)
    images = _close_gaps(images, np.flatnonzero(outcomes.cropped), batch_size)
    return FaceSet(photographs.name, images, _label(photographs.labels, outcomes, align)), _account(
        photographs.labels, outcomes
    )


def save_crops(
    folder: str | Path, faces: FaceSet, account: CroppingAccount, problems: Sequence[str], work_folder: str | Path
) -> None:
    """Save a face set and ``account.json``, then remove what `crop_faces` kept for being taken up again.

    Parameters
    ----------
    folder : path
        Where to.
    faces, account
        What `crop_faces` returned.
    problems : sequence of str
        What was found wrong while opening the photographs; written into the account.
    work_folder : path
        As for `crop_faces`. Removed with everything in it, also what other parameters left there, once all else is written.
    """
    faces.save(folder)
    write_json(Path(folder) / "account.json", account.to_dict() | {"problems": list(problems)})
    shutil.rmtree(work_folder, ignore_errors=True)  # what cannot be removed costs room, not a result


def _batches(rows: Sequence[int], batch_size: int) -> Iterator[Sequence[int]]:
    return (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))


def _least_side(detector: Detector, margin: float) -> int | None:
    """Return how many pixels the shorter side of a photograph has to keep, None where nothing is known of its faces."""
    fraction = detector.parameters.get("min_face_fraction")
    return int(np.ceil(OVERSAMPLING * FACE_SIZE / (fraction * min(1, 1 + 2 * margin)))) if fraction else None


def _read(
    photographs: Photographs, rows: Sequence[int], least_side: int | None
) -> list[ReducedPhotograph | UnreadablePhotograph]:
    if hasattr(photographs, "read_reduced"):
        return photographs.read_reduced(rows, least_side)
    read = photographs.read(rows)
    return [p if isinstance(p, UnreadablePhotograph) else ReducedPhotograph(p, p.shape[1::-1]) for p in read]


def crop_batch(photographs: Photographs, rows: Sequence[int], detector: Detector, margin: float, align: bool) -> Batch:
    """Read the photographs of these rows, find and crop the face of each; see `crop_faces`."""
    read = _read(photographs, rows, _least_side(detector, margin))
    detections = iter(detector.detect([p.image for p in read if isinstance(p, ReducedPhotograph)]))
    found = [next(detections) if isinstance(p, ReducedPhotograph) else None for p in read]
    batch = Batch(
        crops=np.zeros((len(read), FACE_SIZE, FACE_SIZE, 3), np.uint8),
        boxes=np.full((len(read), 6), np.nan),
        reasons=["" if isinstance(p, ReducedPhotograph) else str(p) for p in read],
    )

    def crop(number: int) -> None:
        photograph, detection = read[number], found[number]
        if detection is None:
            return
        angle = eye_angle(detection.eyes, detection.box) if align else 0.0
        batch.crops[number] = crop_face(photograph.image, detection.box, margin, angle)
        batch.boxes[number] = [*detection.box * np.tile(photograph.scale, 2), detection.probability, angle]

    run_threads(crop, range(len(read)), min(available_threads(), len(read)))
    return batch


def _add_nominal_crops(
    photographs: Photographs,
    outcomes: _Outcomes,
    images: np.ndarray,
    margin: float,
    batch_size: int,
    least_side: int | None,
) -> None:
    """Give each readable photograph without a face the median box of its view.

    Changes the outcomes and the crops of these photographs. A view in which no face was found at all has no box to give.
    """
    views = photographs.labels["view"].fillna("").to_numpy(dtype=object)
    cropped = outcomes.cropped
    medians = pd.DataFrame(outcomes.boxes[cropped, :4]).groupby(views[cropped]).median()
    blind = ~cropped & outcomes.readable & np.isin(views, medians.index)
    for rows in _batches(np.flatnonzero(blind), batch_size):
        for row, photograph in zip(rows, _read(photographs, rows.tolist(), least_side), strict=True):
            if isinstance(photograph, UnreadablePhotograph):  # it went in the meantime
                outcomes.reasons[int(row)] = str(photograph)
                continue
            box = medians.loc[views[row]].to_numpy()
            images[row] = crop_face(photograph.image, box / np.tile(photograph.scale, 2), margin)
            outcomes.boxes[row, :4] = box
            outcomes.nominal[row] = True


def _close_gaps(images: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Move the images of these rows, in ascending order, to the front, in place; return them."""
    if len(rows) < len(images):
        for targets in _batches(range(len(rows)), batch_size):
            images[targets.start : targets.stop] = images[rows[targets.start : targets.stop]]
    return images[: len(rows)]


def _label(labels: pd.DataFrame, outcomes: _Outcomes, align: bool) -> pd.DataFrame:
    cropped = outcomes.cropped
    labels = labels.loc[cropped].reset_index(drop=True)
    labels[list(BOX_COLUMNS)] = outcomes.boxes[cropped, :5]
    labels["detected"] = ~outcomes.nominal[cropped]
    if align:
        labels["rotated_by"] = outcomes.boxes[cropped, 5]
    return labels


def _batch_folder(
    work_folder: str | Path | None,
    photographs: Photographs,
    detector: Detector,
    margin: float,
    align: bool,
    batch_size: int,
) -> Path | None:
    """Return a folder of its own for everything that the crops depend on."""
    if work_folder is None:
        return None
    known = getattr(photographs, "fingerprint", None)
    code = (__file__, alignment.__file__, decoding.__file__, inspect.getfile(type(detector)))
    key = hash_parameters(
        {
            "name": photographs.name,
            "photographs": known or hash_array(pd.util.hash_pandas_object(photographs.labels).to_numpy()),
            "sources": hash_array(pd.util.hash_pandas_object(photographs.labels["source"], index=False).to_numpy()),
            "detector": detector.parameters,
            "margin": margin,
            "align": align,
            "batch_size": batch_size,
            "code": [hash_file(path) for path in code],
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


def _batch_file(folder: Path, rows: range) -> Path:
    return folder / f"batch-{rows.start:08d}.npz"


def _save_batch(folder: Path | None, rows: range, batch: Batch) -> None:
    if folder is not None:
        with atomic_path(_batch_file(folder, rows)) as temporary:
            np.savez(temporary, crops=batch.crops, boxes=batch.boxes, reasons=np.array(batch.reasons, dtype=str))


def _load_batch(folder: Path | None, rows: range) -> Batch | None:
    """Return what an earlier run made of these rows, None where it did not come so far or the file is damaged."""
    if folder is None or not _batch_file(folder, rows).is_file():
        return None
    try:
        with np.load(_batch_file(folder, rows), allow_pickle=False) as saved:
            batch = Batch(saved["crops"], saved["boxes"], saved["reasons"].tolist())
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return batch if len(batch.crops) == len(batch.boxes) == len(batch.reasons) == len(rows) else None


def _account(labels: pd.DataFrame, outcomes: _Outcomes) -> CroppingAccount:
    cropped = outcomes.cropped
    lost = pd.Series(~cropped | outcomes.nominal)
    sources = labels["source"].reset_index(drop=True)
    return CroppingAccount(
        photographs=len(labels),
        found=int(cropped.sum()),
        unreadable=[{"source": sources[row], "reason": reason} for row, reason in sorted(outcomes.reasons.items())],
        no_face=sources[~cropped & outcomes.readable].tolist(),
        nominal=sources[outcomes.nominal].tolist(),
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
