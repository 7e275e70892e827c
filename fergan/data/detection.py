"""Finding the face in a photograph, and saying whether a 64 x 64 crop shows one.

The paper crops frontal faces with Viola-Jones and other views with MTCNN.

References
----------
P. Viola and M. Jones, "Robust real-time face detection", International Journal of Computer Vision 57(2),
2004.
K. Zhang, Z. Zhang, Z. Li and Y. Qiao, "Joint face detection and alignment using multitask cascaded
convolutional networks", IEEE Signal Processing Letters 23(10), 2016.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fergan.data.cropping import CroppingAccount, Detector, crop_face, crop_faces
from fergan.data.faces import FACE_SIZE
from fergan.threads import available_threads, run_threads

__all__ = [
    "CASCADES",
    "CHOICES",
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

#: Which face is taken where a photograph shows several; see `_choose`.
CHOICES = ("center-weighted", "largest", "most-central", "surest")

#: Which of OpenCV's cascades look for faces.
CASCADES = ("frontal", "frontal+profile")

#: Images that pass through MTCNN together on one thread: more of them leave the processor's cache.
IMAGES_PER_THREAD = 8


@dataclass(frozen=True)
class Detection:
    """Where a face is, in pixels of the photograph.

    Attributes
    ----------
    left, top, right, bottom : float
        The face's box.
    probability : float
        How sure the detector is, 0..1; NaN from Viola-Jones, which does not say.
    eyes : tuple of two (x, y), optional
        The eye on the left of the image, then the other; None from Viola-Jones, which does not look for them.
    """

    left: float
    top: float
    right: float
    bottom: float
    probability: float = float("nan")
    eyes: tuple[tuple[float, float], tuple[float, float]] | None = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels."""
        return self.left, self.top, self.right, self.bottom


class _Detector:
    """What both detectors share: how photographs are reduced, and which of several faces is taken."""

    name: str
    finds_eyes: bool

    def __init__(self, face_pixels: int, min_face_fraction: float, choose: str, threads: int | None):
        if not 0 < min_face_fraction <= 1:
            raise ValueError(f"min_face_fraction is {min_face_fraction}; expected a fraction of the shorter side, 0..1")
        if choose not in CHOICES:
            raise ValueError(f"choose is {choose!r}; expected one of {', '.join(CHOICES)}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; expected 1 or more, or None for all that the process may use")
        self.face_pixels = face_pixels
        self.min_face_fraction = min_face_fraction
        self.choose = choose
        self.threads = threads

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that decides which boxes are found; threads and device do not."""
        known = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        return {key: value for key, value in known.items() if key not in ("threads", "device")} | {"name": self.name}

    def _n_threads(self, n_tasks: int) -> int:
        return max(1, min(self.threads or available_threads(), n_tasks))

    def _on_grid(self, pixels: float) -> float:
        """Return the largest size up to this one, of those looked for when a search starts at the least possible size."""
        least, step = self._sizes
        return least * step ** np.floor(np.log(max(pixels, least) / least) / np.log(step) + 1e-9)

    def _reduce(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Scale an image down until the smallest face looked for has `face_pixels` pixels, or a step less.

        The sizes looked for remain those of a search at full size, whose boxes they then resemble most.

        Returns
        -------
        small : ndarray
            The reduced image, or the image itself where it is small already.
        smallest : float
            The smallest face looked for, in pixels of `small`.
        """
        height, width = image.shape[:2]
        smallest = self.min_face_fraction * min(height, width)
        scale = self._on_grid(self.face_pixels) / self._on_grid(smallest)
        if scale >= 1:
            return image, smallest
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), self._on_grid(self.face_pixels)


class ViolaJones(_Detector):
    """OpenCV's cascades for faces.

    Parameters
    ----------
    cascades : str
        ``"frontal"`` as in the paper, or ``"frontal+profile"``: where the frontal cascade finds nothing, the one for
        profiles looks at the photograph and, because it knows one side only, at its mirror image.
    face_pixels : int
        Photographs are first reduced until the smallest face looked for has this many pixels; boxes are mapped back. In
        faces below 48 pixels, twice the cascade's window, OpenCV looks at every second place only.
    min_face_fraction : float
        Smallest face looked for, as a fraction of the photograph's shorter side.
    scale : float
        Step between the sizes looked for.
    min_neighbors : int
        How many overlapping hits make a face; more lose faces, fewer find what is none.
    choose : str
        Which of several faces is taken, one of `CHOICES`. Only those with at least half the hits of the face with most are
        considered.
    threads : int, optional
        Photographs looked at simultaneously; without it, as many as the process may use threads.
    """

    name = "viola-jones"
    finds_eyes = False

    def __init__(
        self,
        cascades: str = "frontal",
        face_pixels: int = 36,
        min_face_fraction: float = 0.2,
        scale: float = 1.1,
        min_neighbors: int = 3,
        choose: str = "center-weighted",
        threads: int | None = None,
    ):
        super().__init__(face_pixels, min_face_fraction, choose, threads)
        if cascades not in CASCADES:
            raise ValueError(f"cascades is {cascades!r}; expected one of {', '.join(CASCADES)}")
        self.cascades = cascades
        self.scale = scale
        self.min_neighbors = min_neighbors
        self._sizes = 24, scale  # the cascades' windows
        self._loaded: list[list[cv2.CascadeClassifier]] = []

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Find one face in each image.

        Parameters
        ----------
        images : sequence of ndarray of shape (height, width, 3), dtype uint8
            RGB photographs of any sizes.

        Returns
        -------
        list of Detection or None
            One per image, in order.
        """
        n_threads = self._n_threads(len(images))
        while len(self._loaded) < n_threads:  # a cascade holds the image it looks at: one for each thread
            self._loaded.append(_load_cascades(self.cascades))

        def look(first: int) -> list[Detection | None]:
            return [self._detect_one(image, self._loaded[first]) for image in images[first::n_threads]]

        own = cv2.getNumThreads()
        cv2.setNumThreads(1)  # several images at once need fewer pauses than several threads on one image
        try:
            shares = run_threads(look, range(n_threads), n_threads)
        finally:
            cv2.setNumThreads(own)
        return [shares[number % n_threads][number // n_threads] for number in range(len(images))]

    def _detect_one(self, image: np.ndarray, cascades: list[cv2.CascadeClassifier]) -> Detection | None:
        grey, smallest = self._reduce(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        boxes, hits = self._find(grey, cascades[0], smallest)
        if not len(boxes) and len(cascades) > 1:
            (left, left_hits), (right, right_hits) = (
                self._find(side, cascades[1], smallest) for side in (grey, grey[:, ::-1])
            )
            right[:, [0, 2]] = grey.shape[1] - right[:, [2, 0]]
            boxes, hits = np.concatenate([left, right]), np.concatenate([left_hits, right_hits])
        chosen = _choose(boxes, hits, grey, self.choose)
        return None if chosen is None else Detection(*_enlarge(boxes[chosen], grey, image))

    def _find(self, grey: np.ndarray, cascade: cv2.CascadeClassifier, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Return every box (n, 4) and its number of hits (n,)."""
        side = max(1, round(smallest))
        found, hits = cascade.detectMultiScale2(
            np.ascontiguousarray(grey), scaleFactor=self.scale, minNeighbors=self.min_neighbors, minSize=(side, side)
        )
        boxes = np.array(found, float).reshape(-1, 4)  # x, y, width, height
        boxes[:, 2:] += boxes[:, :2]
        return boxes, np.ravel(hits)


class MTCNNDetector(_Detector):
    """The multi-task cascaded network of facenet-pytorch, for any view.

    Parameters
    ----------
    face_pixels, min_face_fraction, choose, threads
        As for `ViolaJones`; MTCNN finds no face below 20 pixels of the reduced photograph.
    thresholds : tuple of three float
        Least probability after each of the three networks; the published values.
    factor : float
        Step between the sizes looked for; the published value.
    device : str
        Where the networks run, for example ``"cpu"`` or ``"cuda"``; ``"auto"`` takes a GPU where there is one.
    """

    name = "mtcnn"
    finds_eyes = True

    def __init__(
        self,
        face_pixels: int = 60,
        min_face_fraction: float = 0.2,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        choose: str = "center-weighted",
        device: str = "auto",
        threads: int | None = None,
    ):
        super().__init__(face_pixels, min_face_fraction, choose, threads)
        self.thresholds = tuple(thresholds)
        self.factor = factor
        self._sizes = 20, 1 / factor  # facenet-pytorch's default
        # torch takes seconds to import, which Viola-Jones does without.
        import torch
        from facenet_pytorch import MTCNN

        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else str(device)
        networks = MTCNN(thresholds=list(self.thresholds), factor=factor, device=self.device).eval()
        # Max-pooling with a pixel's channels side by side halves the time on a processor.
        self._networks = networks.to(memory_format=torch.channels_last)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Find one face in each image, as `ViolaJones.detect`; equally large ones pass together."""
        reduced = run_threads(self._reduce, images, self._n_threads(len(images)))
        small = [image for image, _ in reduced]
        by_size: dict[tuple[Any, ...], list[int]] = {}
        for number, (image, smallest) in enumerate(reduced):
            by_size.setdefault((*image.shape, smallest), []).append(number)
        together = len(images) if self._on_gpu else IMAGES_PER_THREAD
        groups = [g[start : start + together] for g in by_size.values() for start in range(0, len(g), together)]
        detections: list[Detection | None] = [None] * len(images)
        found_in = self._on_threads(lambda g: self._find(np.stack([small[n] for n in g]), reduced[g[0]][1]), groups)
        for group, found in zip(groups, found_in, strict=True):
            for number, (boxes, probabilities, points) in zip(group, found, strict=True):
                chosen = _choose(boxes, probabilities, small[number], self.choose)
                if chosen is not None:
                    box = _enlarge(boxes[chosen], small[number], images[number])
                    eyes = _enlarge(points[chosen, :2].ravel(), small[number], images[number])
                    eyes = (eyes[0], eyes[1]), (eyes[2], eyes[3])
                    detections[number] = Detection(*box, float(probabilities[chosen]), eyes)
        return detections

    def find_all(self, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return every box (n, 4) and its probability (n,) for each of n_images equally large images, unreduced."""
        smallest = int(self.min_face_fraction * min(images.shape[1:3]))
        together = max(1, len(images) if self._on_gpu else IMAGES_PER_THREAD)
        groups = [images[start : start + together] for start in range(0, len(images), together)]
        return [
            found[:2] for group in self._on_threads(lambda group: self._find(group, smallest), groups) for found in group
        ]

    @property
    def _on_gpu(self) -> bool:
        return not self.device.startswith("cpu")

    def _on_threads(self, function: Any, groups: Sequence[Any]) -> list[Any]:
        """Apply `function` to each group, each on a thread of its own, which torch does not divide further."""
        import torch

        if self._on_gpu or not groups:
            return [function(group) for group in groups]

        def alone(group: Any) -> Any:
            torch.set_num_threads(1)
            return function(group)

        own = torch.get_num_threads()
        try:
            return run_threads(alone, groups, self._n_threads(len(groups)))
        finally:
            torch.set_num_threads(own)

    def _find(self, images: np.ndarray, smallest: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return every box (n, 4), its probability (n,) and its five points (n, 5, 2) for each of equally large images."""
        import torch

        none = np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2))
        smallest = max(20, smallest)
        if min(images.shape[1:3]) < smallest:
            return [none] * len(images)
        networks = copy.copy(self._networks)  # the weights are shared; the size is this thread's own
        networks.min_face_size = smallest
        # facenet-pytorch takes (n, height, width, 3), but cuts out candidates faster where channels lie apart in memory.
        apart = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(self.device).float()
        try:
            found = zip(*networks.detect(apart.permute(0, 2, 3, 1), landmarks=True), strict=True)
        except (IndexError, RuntimeError) as error:
            # facenet-pytorch fails when a candidate's box leaves the image altogether: find out which image.
            if isinstance(error, RuntimeError) and "non-empty list" not in str(error):
                raise  # for example no memory left on the GPU
            if len(images) == 1:
                return [none]
            return [self._find(image[None], smallest)[0] for image in images]
        return [
            none if boxes is None else tuple(np.asarray(values, float) for values in (boxes, probabilities, points))
            for boxes, probabilities, points in found
        ]


DETECTORS = {detector.name: detector for detector in (ViolaJones, MTCNNDetector)}


def make_detector(name: str, *, cascades: str = "frontal", **parameters: Any) -> Detector:
    """Return a detector by name.

    Parameters
    ----------
    name : str
        A key of `DETECTORS`.
    cascades : str
        See `ViolaJones`; with any other detector only the default is allowed.
    **parameters
        Go to the detector's class.

    Raises
    ------
    ValueError
        There is no such detector, or a parameter is impossible.
    """
    if name not in DETECTORS:
        raise ValueError(f"detector is {name!r}; expected one of {', '.join(DETECTORS)}")
    if cascades not in CASCADES:
        raise ValueError(f"cascades is {cascades!r}; expected one of {', '.join(CASCADES)}")
    if name == ViolaJones.name:
        parameters["cascades"] = cascades
    elif cascades != "frontal":
        raise ValueError(f"cascades is {cascades!r}, but detector {name} has none; take viola-jones, or leave it out")
    return DETECTORS[name](**parameters)


def face_rate(images: np.ndarray, threshold: float = 0.9, *, batch_size: int = 64, device: str = "auto") -> np.ndarray:
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


def _load_cascades(cascades: str) -> list[cv2.CascadeClassifier]:
    """Return OpenCV's cascade for frontal faces, and with "frontal+profile" the one for faces seen from their right."""
    names = ["frontalface_default", "profileface"][: cascades.count("+") + 1]
    return [cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml") for name in names]


def _choose(boxes: np.ndarray, confidence: np.ndarray, image: np.ndarray, choose: str = "center-weighted") -> int | None:
    """Return which of the boxes (n, 4) in `image` is the portrayed face, given n confidences of any positive unit.

    Of the boxes at least half as sure as the surest (others tend to be clothes or background) the one with the most
    area ("largest"), the one nearest to the centre ("most-central"), or the best compromise ("center-weighted":
    facenet-pytorch's "center_weighted_size"). "surest" looks at nothing but confidence, and at area among equals.
    """
    if not len(boxes):
        return None
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    distance = (((boxes[:, :2] + boxes[:, 2:] - image.shape[1::-1]) / 2) ** 2).sum(axis=1)  # squared
    if choose == "surest":
        return int(np.lexsort((area, confidence))[-1])
    score = {"center-weighted": area - 2 * distance, "largest": area, "most-central": -distance}[choose]
    return int(np.argmax(np.where(confidence >= confidence.max() / 2, score, -np.inf)))


def _enlarge(places: np.ndarray, small: np.ndarray, image: np.ndarray) -> list[float]:
    """Map x, y, x, y in the reduced image back to the photograph."""
    return (places * np.tile(image.shape[1::-1], 2) / np.tile(small.shape[1::-1], 2)).tolist()
