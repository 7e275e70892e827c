"""From photographs to a `FaceSet`: one 64 x 64 crop per face, and an account of every face that was lost.

An interrupted run takes up the batches that were finished. What is kept of a photograph in memory is its box.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fergan.cache import available_threads, digest, run_threads
from fergan.data.config import FacesConfig
from fergan.data.detection import MTCNNDetector, ViolaJones, WholePhotograph
from fergan.data.faces import FACE_SIZE, FaceSet
from fergan.data.photographs import Photograph, Photographs
from fergan.files import atomic_path, hash_parameters, read_json, write_json

Detector = ViolaJones | MTCNNDetector | WholePhotograph
BOX_COLUMNS = ("box_left", "box_top", "box_right", "box_bottom", "detection_probability")

OVERSAMPLING = 2  # times the pixels of its crop that the smallest face sought has in a photograph as it is decoded
TIGHT = 0.1  # faces are cut tight whose crops lie outside their photographs by more than this share, on average


@dataclass
class CroppingAccount:
    """What became of each photograph; those without a face found are lost, cropped all the same or not."""

    photographs: int
    unreadable: list[dict[str, str]] = field(default_factory=list)  # source and reason
    no_face: list[str] = field(default_factory=list)  # sources without a face found, and without a crop
    nominal: list[str] = field(default_factory=list)  # sources without a face found, cropped at the median box of their view
    several: list[str] = field(default_factory=list)  # sources with two or more faces, of which one is cropped
    border: float = 0.0  # share of the crops' area that lies outside their photographs, and repeats their border
    #: Per group ("not labelled" where missing): photographs, how many of them are unreadable or lost, and their fraction.
    lost_by_emotion: dict[str, dict[str, float]] = field(default_factory=dict)
    lost_by_view: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)  # what was found wrong while opening the photographs

    @property
    def tight(self) -> bool:
        """Whether the faces are cut so tight that much of their crops is invented."""
        return self.border > TIGHT

    @classmethod
    def load(cls, folder: str | Path) -> "CroppingAccount":
        """Read the account that `make_faces` left in a folder."""
        return cls(**read_json(Path(folder) / "account.json"))


def make_faces(folder: Path, config: FacesConfig, *, photographs: Photographs, batch_size: int = 64,
               progress: bool = True) -> None:
    """Find, crop and collect the face of every photograph; what cannot be read or found is listed; ValueError if all are.

    The folder gets a face set and ``account.json`` (see `CroppingAccount`). The labels gain ``box_left, box_top, box_right,
    box_bottom`` (pixels of the photograph), ``detection_probability`` (0..1; NaN from Viola-Jones) and ``detected``, False
    for a nominal box. Large photographs are decoded at reduced size, never so far that a crop would have to be enlarged;
    `batch_size` of them are held in memory at once.
    """
    n_photographs = len(photographs)
    detector = make_detector(config)
    work = folder / f"work-{hash_parameters({'photographs': photographs.digest, 'config': digest(config)})}"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=work) as file:  # the mapping outlives the closed file
        images = np.memmap(file, np.uint8, mode="w+", shape=(max(1, n_photographs), FACE_SIZE, FACE_SIZE, 3))
    boxes = np.full((n_photographs, 7), np.nan)  # a dictionary for each would need fifty times the memory
    reasons: dict[int, str] = {}
    with tqdm(total=n_photographs, desc=f"faces of {photographs.name}", unit="photograph", disable=not progress) as bar:
        for start in range(0, n_photographs, batch_size):
            rows = range(start, min(start + batch_size, n_photographs))
            kept = work / f"batch-{rows.start:08d}-{rows.stop:08d}.npz"
            if kept.is_file():
                with np.load(kept, allow_pickle=False) as saved:
                    batch = dict(saved)
            else:
                batch = _crop_batch(photographs, rows, detector, config)
                with atomic_path(kept) as temporary:
                    np.savez(temporary, **batch)
            images[rows.start : rows.stop], boxes[rows.start : rows.stop] = batch["crops"], batch["boxes"]
            reasons |= {row: str(reason) for row, reason in zip(rows, batch["reasons"], strict=True) if reason}
            bar.update(len(rows))
    detected = ~np.isnan(boxes[:, 0])
    if not detected.any():
        unreadable = f", of which {len(reasons)} are unreadable (first: {reasons[min(reasons)]})" if reasons else ""
        raise ValueError(f"{photographs.name}: {config.detector} found no face in any of {n_photographs} photographs"
                         f"{unreadable}; look at some of them, then try the other detector or a smaller min_face_fraction")
    if config.nominal_box:
        _add_nominal_crops(photographs, config, images, boxes, reasons, batch_size)
    cropped = ~np.isnan(boxes[:, 0])
    for number, row in enumerate(np.flatnonzero(cropped)):  # close the gaps in place
        images[number] = images[row]
    labels = photographs.labels.loc[cropped].reset_index(drop=True)
    labels[list(BOX_COLUMNS)] = boxes[cropped, :5]
    labels["detected"] = detected[cropped]
    FaceSet(photographs.name, images[: len(labels)], labels).save(folder)
    write_json(folder / "account.json", asdict(_account(photographs, boxes, detected, reasons)))
    shutil.rmtree(work, ignore_errors=True)  # what cannot be removed costs room, not a result


def make_detector(config: FacesConfig) -> Detector:
    """Return the detector that a config names."""
    if config.detector == "none":
        return WholePhotograph(config.margin)
    if config.detector == "viola-jones":
        return ViolaJones(config.min_face_fraction)
    return MTCNNDetector(config.min_face_fraction)


def tried(photographs: Photographs, config: FacesConfig, n: int = 24) -> tuple[float, int, int]:
    """Crop a few; return the share of border (`border_share`), how many can be read, and in how many no face is found."""
    rows = np.linspace(0, len(photographs) - 1, min(n, len(photographs))).astype(int).tolist()
    batch = _crop_batch(photographs, rows, make_detector(config), config)
    found, n_read = ~np.isnan(batch["boxes"][:, 6]), int(np.sum(batch["reasons"] == ""))
    return float(batch["boxes"][found, 6].mean()) if found.any() else 0.0, n_read, n_read - int(found.sum())


def crop_face(image: np.ndarray, box: Sequence[float], margin: float) -> np.ndarray:
    """Crop a square around a box (left, top, right and bottom in pixels) and scale it to 64 x 64 pixels.

    Where it leaves the image, uint8 (height, width, 3), its border is repeated; `margin` is a fraction of the longer side.
    """
    side, left, top = _square(box, margin)
    height, width = image.shape[:2]
    columns, rows = np.clip(left + np.arange(side), 0, width - 1), np.clip(top + np.arange(side), 0, height - 1)
    # INTER_AREA averages when it reduces, but only repeats pixels when it enlarges.
    method = cv2.INTER_AREA if side >= FACE_SIZE else cv2.INTER_LINEAR
    return cv2.resize(image[np.ix_(rows, columns)], (FACE_SIZE, FACE_SIZE), interpolation=method)


def border_share(image: np.ndarray, box: Sequence[float], margin: float) -> float:
    """Return the share of a crop's area that lies outside the photograph; arguments are those of `crop_face`."""
    side, left, top = _square(box, margin)
    height, width = (max(0, min(start + side, end) - max(start, 0))
                     for start, end in zip((top, left), image.shape[:2], strict=True))
    return 1 - width * height / side**2


def _square(box: Sequence[float], margin: float) -> tuple[int, int, int]:
    """Return side, left and top, in whole pixels, of what is cropped."""
    left, top, right, bottom = box
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    return side, round((left + right) / 2 - side / 2), round((top + bottom) / 2 - side / 2)


def detect(images: Sequence[np.ndarray], detector: Detector, padding: float) -> np.ndarray:
    """Find a face in each image, as `ViolaJones.detect`; look again where there is none or its box leaves the image.

    Detectors need surroundings, which a photograph that is cut tight lacks: `padding`, a share of the shorter side, is added
    on every side for the second look; 0 for none. A box may leave its image.
    """
    found = detector.detect(images)
    ends = np.array([image.shape[1::-1] for image in images]).reshape(-1, 2)
    inside = (found[:, :2] >= 0).all(axis=1) & (found[:, 2:4] <= ends).all(axis=1)
    if padding and not inside.all():
        rows = np.flatnonzero(~inside)
        added = np.ceil(padding * ends[rows].min(axis=1)).astype(int)
        padded = [cv2.copyMakeBorder(images[row], *[n] * 4, cv2.BORDER_REPLICATE)
                  for row, n in zip(rows, added, strict=True)]
        again = detector.detect(padded) - np.outer(added, [1, 1, 1, 1, 0, 0])
        found[rows] = np.where(np.isnan(again[:, :1]), found[rows], again)
    return found


def _least_side(config: FacesConfig) -> int:
    """Return how many pixels the shorter side of a photograph has to keep."""
    return int(np.ceil(OVERSAMPLING * FACE_SIZE / config.min_face_fraction))


def _crop_batch(photographs: Photographs, rows: Sequence[int], detector: Detector,
                config: FacesConfig) -> dict[str, np.ndarray]:
    """Return crops, blank without a face, reasons, and boxes (n, 7): `detect`'s, and the share of the crop outside."""
    read = photographs.read(rows, _least_side(config))
    readable = [number for number, photograph in enumerate(read) if isinstance(photograph, Photograph)]
    reasons = ["" if isinstance(photograph, Photograph) else str(photograph) for photograph in read]
    crops, boxes = np.zeros((len(read), FACE_SIZE, FACE_SIZE, 3), np.uint8), np.full((len(read), 7), np.nan)
    boxes[readable, :6] = detect([read[number].image for number in readable], detector, config.padding)

    def crop(number: int) -> None:
        seen = read[number].image, boxes[number, :4], config.margin
        crops[number], boxes[number, 6] = crop_face(*seen), border_share(*seen)
        boxes[number, :4] *= np.tile(read[number].scale, 2)  # to pixels of the photograph itself

    run_threads(crop, np.flatnonzero(~np.isnan(boxes[:, 0])), available_threads())
    return {"crops": crops, "boxes": boxes, "reasons": np.array(reasons, dtype=str)}


def _add_nominal_crops(photographs: Photographs, config: FacesConfig, images: np.ndarray, boxes: np.ndarray,
                       reasons: dict[int, str], batch_size: int) -> None:
    """Crop each readable photograph without a face at the median box of its view; where a view has none, there is none."""
    views = photographs.labels["view"].fillna("").to_numpy(dtype=object)
    cropped = ~np.isnan(boxes[:, 0])
    medians = pd.DataFrame(boxes[cropped, :4]).groupby(views[cropped]).median()
    blind = ~cropped & np.isin(views, medians.index)
    blind[list(reasons)] = False
    numbers = np.flatnonzero(blind).tolist()
    for rows in (numbers[start : start + batch_size] for start in range(0, len(numbers), batch_size)):
        for row, photograph in zip(rows, photographs.read(rows, _least_side(config)), strict=True):
            boxes[row, :4] = medians.loc[views[row]]
            seen = photograph.image, boxes[row, :4] / np.tile(photograph.scale, 2), config.margin
            images[row], boxes[row, 6] = crop_face(*seen), border_share(*seen)


def _account(photographs: Photographs, boxes: np.ndarray, detected: np.ndarray, reasons: dict[int, str]) -> CroppingAccount:
    sources, lost, cropped = photographs.labels["source"], pd.Series(~detected), ~np.isnan(boxes[:, 0])
    unreadable = np.isin(np.arange(len(sources)), list(reasons))

    def lost_by(column: str) -> dict[str, dict[str, float]]:
        groups = lost.groupby(photographs.labels[column].fillna("not labelled"))
        return {name: {"photographs": len(part), "lost": int(part.sum()), "fraction": float(part.mean())}
                for name, part in groups}

    return CroppingAccount(
        photographs=len(sources),
        unreadable=[{"source": sources[row], "reason": reason} for row, reason in sorted(reasons.items())],
        no_face=sources[~cropped & ~unreadable].tolist(), nominal=sources[cropped & ~detected].tolist(),
        several=sources[boxes[:, 5] > 1].tolist(), border=float(np.nanmean(boxes[:, 6])),
        lost_by_emotion=lost_by("emotion"), lost_by_view=lost_by("view"), problems=list(photographs.problems))
