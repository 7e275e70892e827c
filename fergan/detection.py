"""Finding the face in a photograph, and saying whether a 64 x 64 crop shows one.

The paper crops frontal faces with Viola-Jones and other views with MTCNN.

References
----------
P. Viola and M. Jones, "Robust real-time face detection", International Journal of Computer Vision 57(2),
2004.
K. Zhang, Z. Zhang, Z. Li and Y. Qiao, "Joint face detection and alignment using multitask cascaded
convolutional networks", IEEE Signal Processing Letters 23(10), 2016.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fergan.cropping import CroppingAccount, Detector, crop_face, crop_faces
from fergan.faces import FACE_SIZE

__all__ = [
    "DETECTORS",
    "CroppingAccount",
    "Detection",
    "Detector",
    "MTCNNDetector",
    "ViolaJones",
    "crop_face",
    "crop_faces",
    "face_rate",
    "make_detector",
]


@dataclass(frozen=True)
class Detection:
    """Where a face is, in pixels of the photograph, and its probability (NaN where a detector gives none)."""

    left: float
    top: float
    right: float
    bottom: float
    probability: float = float("nan")

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels."""
        return self.left, self.top, self.right, self.bottom


class ViolaJones:
    """OpenCV's cascade for frontal faces.

    Parameters
    ----------
    max_side : int
        Photographs are first reduced to this many pixels along their longer side; boxes are mapped back.
    min_face_fraction : float
        Smallest face looked for, as a fraction of the photograph's shorter side.
    scale : float
        Step between the sizes looked for.
    min_neighbors : int
        How many overlapping hits make a face; more lose faces, fewer find what is none.
    """

    name = "viola-jones"

    def __init__(self, max_side: int = 320, min_face_fraction: float = 0.2, scale: float = 1.1, min_neighbors: int = 3):
        self.max_side = max_side
        self.min_face_fraction = min_face_fraction
        self.scale = scale
        self.min_neighbors = min_neighbors
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that decides which boxes are found."""
        return _public_attributes(self) | {"name": self.name}

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Find one face in each image, the sure, large and central one where there are several.

        Parameters
        ----------
        images : sequence of ndarray of shape (height, width, 3), dtype uint8
            RGB photographs of any sizes.

        Returns
        -------
        list of Detection or None
            One per image, in order.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: np.ndarray) -> Detection | None:
        small = _reduce(image, self.max_side)
        smallest = max(1, round(self.min_face_fraction * min(small.shape[:2])))
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        found, hits = self._cascade.detectMultiScale2(
            grey, scaleFactor=self.scale, minNeighbors=self.min_neighbors, minSize=(smallest, smallest)
        )
        boxes = np.array(found, float).reshape(-1, 4)  # x, y, width, height
        boxes[:, 2:] += boxes[:, :2]
        chosen = _choose(boxes, np.ravel(hits), small)
        return None if chosen is None else Detection(*_enlarge(boxes[chosen], small, image))


class MTCNNDetector:
    """The multi-task cascaded network of facenet-pytorch, for any view.

    Parameters
    ----------
    max_side, min_face_fraction
        As for `ViolaJones`; MTCNN finds no face below 20 pixels of the reduced photograph.
    thresholds : tuple of three float
        Least probability after each of the three networks; the published values.
    factor : float
        Step between the sizes looked for; the published value.
    device : str
        Where the networks run, for example ``"cpu"`` or ``"cuda"``.
    """

    name = "mtcnn"

    def __init__(
        self,
        max_side: int = 320,
        min_face_fraction: float = 0.2,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        device: str = "cpu",
    ):
        self.max_side = max_side
        self.min_face_fraction = min_face_fraction
        self.thresholds = tuple(thresholds)
        self.factor = factor
        # torch takes seconds to import, which Viola-Jones does without.
        from facenet_pytorch import MTCNN

        self._networks = MTCNN(thresholds=list(self.thresholds), factor=factor, device=device).eval()

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that decides which boxes are found; the device does not."""
        return _public_attributes(self) | {"name": self.name}

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Find one face in each image, as `ViolaJones.detect`; equally large ones pass together."""
        small = [_reduce(image, self.max_side) for image in images]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for number, image in enumerate(small):
            by_size.setdefault(image.shape, []).append(number)
        detections: list[Detection | None] = [None] * len(images)
        for numbers in by_size.values():
            found = self.find_all(np.stack([small[number] for number in numbers]))
            for number, (boxes, probabilities) in zip(numbers, found, strict=True):
                chosen = _choose(boxes, probabilities, small[number])
                if chosen is not None:
                    box = _enlarge(boxes[chosen], small[number], images[number])
                    detections[number] = Detection(*box, float(probabilities[chosen]))
        return detections

    def find_all(self, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return every box (n, 4) and its probability (n,) for each of n_images equally large images."""
        none = np.empty((0, 4)), np.empty(0)
        smallest = max(20, int(self.min_face_fraction * min(images.shape[1:3])))
        if min(images.shape[1:3]) < smallest:
            return [none] * len(images)
        self._networks.min_face_size = smallest
        try:
            found = zip(*self._networks.detect(images), strict=True)
        except (IndexError, RuntimeError):
            # facenet-pytorch fails when a candidate's box leaves the image altogether: find out which image.
            if len(images) == 1:
                return [none]
            return [self.find_all(image[None])[0] for image in images]
        return [
            none if boxes is None else (np.asarray(boxes, float), np.asarray(probability, float))
            for boxes, probability in found
        ]


DETECTORS = {detector.name: detector for detector in (ViolaJones, MTCNNDetector)}


def make_detector(name: str, **parameters: Any) -> Detector:
    """Return a detector by name, a key of `DETECTORS`; further parameters go to its class."""
    if name not in DETECTORS:
        raise ValueError(f"detector is {name!r}; expected one of {', '.join(DETECTORS)}")
    return DETECTORS[name](**parameters)


def face_rate(images: np.ndarray, threshold: float = 0.9, *, batch_size: int = 64, device: str = "cpu") -> np.ndarray:
    """Say how sure MTCNN is that each crop shows a face; the share above 0 is the rate of recognisable faces.

    A detector needs surroundings, which a crop lacks: its border pixels are repeated by a quarter of a side first.
    (Mirroring them instead would make faces out of shuffled parts of faces.) Each crop is looked at as it is and
    turned left to right: the detector is not symmetric, and finds half of all profiles in one of the two only.

    Parameters
    ----------
    images : ndarray of shape (n_images, 64, 64, 3), dtype uint8
        Generated samples or real crops, RGB.
    threshold : float
        A face less probable than this counts as none.
    batch_size : int
        Images passed through together.
    device : str
        See `MTCNNDetector`.

    Returns
    -------
    ndarray of shape (n_images,), dtype float64
        The probability of the best face, 0 where there is none.
    """
    if images.dtype != np.uint8 or images.shape[1:] != (FACE_SIZE, FACE_SIZE, 3):
        raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 (n, {FACE_SIZE}, {FACE_SIZE}, 3)")
    # The first two networks pass more candidates on than usual; how sure the last one is decides.
    detector = MTCNNDetector(min_face_fraction=0.4, thresholds=(0.5, 0.5, 0.7), device=device)
    rates = np.zeros(len(images))
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        for shown in (batch, batch[:, :, ::-1]):
            found = detector.find_all(np.stack([_with_surroundings(image) for image in shown]))
            best = [probabilities.max(initial=0.0) for _, probabilities in found]
            rates[start : start + len(batch)] = np.maximum(rates[start : start + len(batch)], best)
    return np.where(rates >= threshold, rates, 0.0)


def _with_surroundings(image: np.ndarray) -> np.ndarray:
    """Repeat the border of a crop outwards, and enlarge it: blurred faces and profiles are then found more often."""
    border = [FACE_SIZE // 4] * 4
    padded = cv2.copyMakeBorder(np.ascontiguousarray(image), *border, cv2.BORDER_REPLICATE)
    return cv2.resize(padded, (3 * FACE_SIZE, 3 * FACE_SIZE), interpolation=cv2.INTER_LINEAR)


def _public_attributes(detector: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(detector).items() if not key.startswith("_")}


def _reduce(image: np.ndarray, max_side: int) -> np.ndarray:
    """Scale an image down until its longer side is at most `max_side` pixels."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _choose(boxes: np.ndarray, confidence: np.ndarray, image: np.ndarray) -> int | None:
    """Return which of the boxes (n, 4) in `image` is the portrayed face, given n confidences of any positive unit.

    Of the boxes at least half as sure as the surest (others tend to be clothes or background), the large and
    central one: facenet-pytorch's "center_weighted_size".
    """
    if not len(boxes):
        return None
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    offset = (boxes[:, :2] + boxes[:, 2:] - image.shape[1::-1]) / 2
    score = area - 2 * (offset**2).sum(axis=1)
    return int(np.argmax(np.where(confidence >= confidence.max() / 2, score, -np.inf)))


def _enlarge(box: np.ndarray, small: np.ndarray, image: np.ndarray) -> list[float]:
    """Map a box in the reduced image back to the photograph."""
    return (box * np.tile(image.shape[1::-1], 2) / np.tile(small.shape[1::-1], 2)).tolist()
