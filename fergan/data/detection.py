"""Finding the face in a photograph, and saying whether a 64 x 64 crop shows one.

The paper crops frontal faces with Viola-Jones (Viola and Jones, IJCV 57(2), 2004) and other views with MTCNN (Zhang et al.,
IEEE Signal Processing Letters 23(10), 2016).
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np

from fergan.cache import available_threads, computing_device, run_threads
from fergan.data.faces import FACE_SIZE

IMAGES_PER_THREAD = 8  # that pass through MTCNN together: more of them leave the processor's cache


@dataclass
class _Detector:
    """What both detectors share: how photographs are reduced before they are searched."""

    min_face_fraction: float = 0.2  # smallest face looked for, of the photograph's shorter side

    face_pixels: ClassVar[int]  # photographs are reduced until the smallest face looked for has this many, or a step less
    sizes: ClassVar[tuple[float, float]]  # the least size looked for in pixels, and the step between sizes

    def _on_grid(self, pixels: float) -> float:
        """Return the largest size up to this one, of those looked for when a search starts at the least possible size."""
        least, step = self.sizes
        return least * step ** np.floor(np.log(max(pixels, least) / least) / np.log(step) + 1e-9)

    def _reduce(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Return an image, reduced where it is large, and the smallest face looked for: sizes remain those at full size."""
        height, width = image.shape[:2]
        smallest = self.min_face_fraction * min(height, width)
        scale = self._on_grid(self.face_pixels) / self._on_grid(smallest)
        if scale >= 1:
            return image, smallest
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), self._on_grid(self.face_pixels)


@dataclass
class ViolaJones(_Detector):
    """OpenCV's cascade for frontal faces, as in the paper."""

    _cascades: list[cv2.CascadeClassifier] = field(default_factory=list, init=False)
    face_pixels = 36  # below 48, twice the cascade's window, OpenCV looks at every second place only
    sizes = 24, 1.1
    min_neighbors = 3  # overlapping hits that make a face; more lose faces, fewer find what is none

    def detect(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Find one face in each image uint8 (height, width, 3), RGB, of any size.

        Returns: (n_images, 6), float64; left, top, right and bottom in pixels of the photograph; how sure the detector is,
            0..1, NaN from Viola-Jones, which does not say; and how many faces there are (see `portrayed`). NaN without one.
        """
        n_threads = max(1, min(available_threads(), len(images)))
        while len(self._cascades) < n_threads:  # a cascade holds the image it looks at: one for each thread
            self._cascades.append(cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml"))
        boxes = np.full((len(images), 6), np.nan)

        def look(first: int) -> None:
            for number in range(first, len(images), n_threads):
                grey, smallest = self._reduce(cv2.cvtColor(images[number], cv2.COLOR_RGB2GRAY))
                least = [max(1, round(smallest))] * 2
                found, hits = self._cascades[first].detectMultiScale2(
                    np.ascontiguousarray(grey), scaleFactor=self.sizes[1], minNeighbors=self.min_neighbors, minSize=least)
                found = np.array(found, float).reshape(-1, 4)  # x, y, width, height
                found[:, 2:] += found[:, :2]
                if chosen := portrayed(found, np.ravel(hits), grey):
                    boxes[number] = [*_enlarge(found[chosen[0]], grey, images[number]), np.nan, chosen[1]]

        own = cv2.getNumThreads()
        cv2.setNumThreads(1)  # several images at once need fewer pauses than several threads on one image
        try:
            run_threads(look, range(n_threads), n_threads)
        finally:
            cv2.setNumThreads(own)
        return boxes


class MTCNNDetector(_Detector):
    """The multi-task cascaded network of facenet-pytorch, for any view; it finds no face below 20 pixels.

    `thresholds` are the least probabilities after each of the three networks, as published. It uses a GPU that works.
    """

    face_pixels = 60
    sizes = 20, 1 / 0.709  # facenet-pytorch's least size, and the published factor

    def __init__(self, min_face_fraction: float = 0.2, thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)):
        super().__init__(min_face_fraction)
        # torch takes seconds to import, which Viola-Jones does without.
        import torch
        from facenet_pytorch import MTCNN

        self.device = computing_device("auto")
        networks = MTCNN(thresholds=list(thresholds), factor=0.709, device=self.device).eval()
        # Max-pooling with a pixel's channels side by side halves the time on a processor.
        self._networks = networks.to(memory_format=torch.channels_last)

    def detect(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Find one face in each image, as `ViolaJones.detect`; equally large ones pass together."""
        reduced = run_threads(self._reduce, images, available_threads())
        by_size: dict[tuple[Any, ...], list[int]] = {}
        for number, (image, smallest) in enumerate(reduced):
            by_size.setdefault((*image.shape, smallest), []).append(number)
        groups = [group for numbers in by_size.values() for group in self._together(numbers)]
        found_in = self._on_threads(lambda g: self._find(np.stack([reduced[n][0] for n in g]), reduced[g[0]][1]), groups)
        detected = np.full((len(images), 6), np.nan)
        for group, found in zip(groups, found_in, strict=True):
            for number, (boxes, probabilities) in zip(group, found, strict=True):
                small = reduced[number][0]
                if chosen := portrayed(boxes, probabilities, small):
                    box = _enlarge(boxes[chosen[0]], small, images[number])
                    detected[number] = [*box, probabilities[chosen[0]], chosen[1]]
        return detected

    def find_all(self, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return every box (n, 4) and its probability (n,) for each of n_images equally large images, unreduced."""
        smallest = int(self.min_face_fraction * min(images.shape[1:3]))
        groups = self._on_threads(lambda group: self._find(group, smallest), self._together(images))
        return [found for group in groups for found in group]

    def _together(self, images: Sequence[Any]) -> list[Sequence[Any]]:
        size = max(1, len(images)) if self.device == "cuda" else IMAGES_PER_THREAD
        return [images[start : start + size] for start in range(0, len(images), size)]

    def _on_threads(self, function: Callable[[Any], Any], groups: Sequence[Any]) -> list[Any]:
        """Apply `function` to each group, each on a thread of its own, which torch does not divide further."""
        import torch

        def alone(group: Any) -> Any:
            torch.set_num_threads(1)
            return function(group)

        own = torch.get_num_threads()
        try:
            return run_threads(alone, groups, 1 if self.device == "cuda" else available_threads())
        finally:
            torch.set_num_threads(own)

    def _find(self, images: np.ndarray, smallest: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return every box (n, 4) and its probability (n,) for each of equally large images."""
        import torch

        none = np.empty((0, 4)), np.empty(0)
        smallest = max(20, smallest)
        if min(images.shape[1:3]) < smallest:
            return [none] * len(images)
        networks = copy.copy(self._networks)  # the weights are shared; the size is this thread's own
        networks.min_face_size = smallest
        # facenet-pytorch takes (n, height, width, 3), but cuts out candidates faster where channels lie apart in memory.
        apart = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(self.device).float()
        try:
            found = zip(*networks.detect(apart.permute(0, 2, 3, 1)), strict=True)
        except (IndexError, RuntimeError) as error:
            # facenet-pytorch fails when a candidate's box leaves the image altogether: find out which image.
            if isinstance(error, RuntimeError) and "non-empty list" not in str(error):
                raise  # for example no memory left on the GPU
            if len(images) == 1:
                return [none]
            return [self._find(image[None], smallest)[0] for image in images]
        return [none if boxes is None else (np.asarray(boxes, float), np.asarray(probabilities, float))
                for boxes, probabilities in found]


class WholePhotograph:
    """For photographs that are cropped already: each is taken as it is, cut to its central square."""

    def __init__(self, margin: float):
        self.margin = margin  # by which the box will be widened to that square, see `fergan.data.cropping.crop_face`

    def detect(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return the boxes (n_images, 6) that become the whole photographs, as `ViolaJones.detect`; one face in each."""
        sizes = np.array([image.shape[1::-1] for image in images], float).reshape(-1, 2)
        half = sizes.min(axis=1, keepdims=True) / (1 + 2 * self.margin) / 2
        ones = np.ones((len(sizes), 1))
        return np.hstack([sizes / 2 - half, sizes / 2 + half, np.nan * ones, ones])


def portrayed(boxes: np.ndarray, confidence: np.ndarray, image: np.ndarray) -> tuple[int, int] | None:
    """Return which of the boxes (n, 4) in `image` is the portrayed face, and how many faces there are; None without any.

    Of the boxes at least half as sure as the surest (others tend to be clothes or background) it is the best compromise of
    area and distance from the centre: facenet-pytorch's "center_weighted_size". Those at least a third as wide are counted
    as faces. `confidence` (n,) has any positive unit.
    """
    if not len(boxes):
        return None
    sure = confidence >= confidence.max() / 2
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    distance = (((boxes[:, :2] + boxes[:, 2:] - image.shape[1::-1]) / 2) ** 2).sum(axis=1)  # squared
    chosen = int(np.argmax(np.where(sure, area - 2 * distance, -np.inf)))
    return chosen, int(np.sum(sure & (area >= area[chosen] / 9)))


def _enlarge(box: np.ndarray, small: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Map a box in the reduced image back to the photograph."""
    return box * np.tile(image.shape[1::-1], 2) / np.tile(small.shape[1::-1], 2)


def face_rate(images: np.ndarray, threshold: float = 0.9, *, batch_size: int = 64) -> np.ndarray:
    """Return the probability of the best face that MTCNN sees in each of images uint8 (n_images, 64, 64, 3), RGB.

    It is 0 where there is none or it is less probable than `threshold`. A detector needs surroundings, which a crop lacks:
    its border pixels are repeated by a quarter of a side first. (Mirroring them instead would make faces out of shuffled
    parts of faces.) Each crop is also looked at mirrored: the detector finds half of all profiles in one of the two only.
    """
    # The first two networks pass more candidates on than usual; how sure the last one is decides.
    detector = MTCNNDetector(min_face_fraction=0.4, thresholds=(0.5, 0.5, 0.7))
    rates, border, size = np.zeros(len(images)), [FACE_SIZE // 4] * 4, (3 * FACE_SIZE, 3 * FACE_SIZE)
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        for shown in (batch, batch[:, :, ::-1]):
            padded = [cv2.copyMakeBorder(np.ascontiguousarray(image), *border, cv2.BORDER_REPLICATE) for image in shown]
            large = [cv2.resize(image, size, interpolation=cv2.INTER_LINEAR) for image in padded]
            found = detector.find_all(np.stack(large))  # blurred faces and profiles are found more often
            best = [probabilities.max(initial=0.0) for _, probabilities in found]
            rates[start : start + len(batch)] = np.maximum(rates[start : start + len(batch)], best)
    return np.where(rates >= threshold, rates, 0.0)
