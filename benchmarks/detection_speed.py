"""How much faster are the detectors than a plain loop, and do they find the same boxes? One process, taken in turn.

The plain loop is what a tutorial writes: facenet-pytorch's `MTCNN.detect`, and OpenCV's `detectMultiScale`, on one
photograph after the other at full size with their default settings. Both sides have the same photographs, decoded, and the
same threads. Each round times both on the same 30 photographs; the ratio is what counts, because a machine's absolute speed
drifts. Boxes agree where their intersection is at least 0.8 of their union, or where neither side finds a face; of several
faces the same rule chooses on both sides. Where fewer than 98 % agree the exit status is 1; whether the speed reaches what
is wanted of it, five times for MTCNN and six for Viola-Jones, depends on the machine and is only printed.

PyTorch's threads wait for each other where other programs keep the processor busy, which makes the plain loop over MTCNN
look slower than it is: run this on an idle machine, or with ``--threads 1``, which counts the processor's time.

Without a folder, faces are rendered, as portraits of 680 x 1024 pixels. With one (the argument, or the environment
variable FERGAN_DATA), its photographs are brought to that size. A last line compares reading large JPEG files whole and
reduced.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image
from record import record

from fergan.data.detection import MTCNNDetector, ViolaJones, portrayed
from fergan.data.photographs import Photograph, read_photographs
from fergan.rendered import render_faces, stand_in_labels

WIDTH, HEIGHT = 680, 1024
PHOTOGRAPHS_PER_ROUND = 30
LEAST_AGREEMENT = 0.98
WANTED_RATIO = {"MTCNN": 5, "Viola-Jones": 6}
SUFFIXES = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff")


def rendered_scenes(n_photographs, n_people=60, seed=0):
    """Render portraits of a few people, and set each at several sizes and places before its own background's colour."""
    rng = np.random.default_rng(seed)
    labels = stand_in_labels("rafd-frontal")
    portraits, _ = render_faces(labels.iloc[np.linspace(0, len(labels) - 1, n_people).astype(int)], size=256)
    scenes = []
    for number in range(n_photographs):
        portrait = portraits[number % n_people]
        side = int(rng.integers(400, 640))
        x, y = int(rng.integers(0, WIDTH - side)), HEIGHT - side
        scene = np.full((HEIGHT, WIDTH, 3), np.median(portrait[:16, [*range(16), *range(-16, 0)]], axis=(0, 1)), np.uint8)
        scene[y:, x : x + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_CUBIC)
        noise = rng.integers(-4, 5, (HEIGHT, WIDTH, 1), dtype=np.int16)  # a camera's: nothing is perfectly smooth
        scenes.append((scene + noise).clip(0, 255).astype(np.uint8))
    return scenes


def photographs_in(folder, n_photographs):
    """Read evenly spaced photographs of a folder and its subfolders, each filled out to 680 x 1024."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder} holds no photographs ({', '.join(SUFFIXES)})")
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(n_photographs, len(paths))).astype(int)]
    read = [p for p in read_photographs(chosen, least_side=WIDTH) if isinstance(p, Photograph)]
    images = []
    for photograph in read:
        height, width = photograph.image.shape[:2]
        scale = max(WIDTH / width, HEIGHT / height)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        size = max(WIDTH, round(width * scale)), max(HEIGHT, round(height * scale))
        large = cv2.resize(photograph.image, size, interpolation=method)
        y, x = (large.shape[0] - HEIGHT) // 2, (large.shape[1] - WIDTH) // 2
        images.append(np.ascontiguousarray(large[y : y + HEIGHT, x : x + WIDTH]))
    return images


def plain_mtcnn():
    """Return the plain loop over facenet-pytorch."""
    network = MTCNN()

    def detect(images):
        return [network.detect(image) for image in images]

    def chosen(found, image):
        boxes, probabilities = found
        return None if boxes is None else box_of(np.asarray(boxes, float), np.asarray(probabilities, float), image)

    return detect, chosen


def plain_viola_jones():
    """Return the plain loop over OpenCV's cascade for frontal faces."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def detect(images):  # detectMultiScale2 is detectMultiScale, and says how many hits each box had
        return [cascade.detectMultiScale2(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in images]

    def chosen(found, image):
        boxes = np.array(found[0], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return box_of(boxes, np.ravel(found[1]), image)

    return detect, chosen


def box_of(boxes, confidence, image):
    """Return the box of the portrayed face, None where there is none."""
    chosen = portrayed(boxes, confidence, image)
    return None if chosen is None else boxes[chosen[0]]


def overlap(box, other):
    """Return the intersection over union of two boxes; 1 where both are None, 0 where one is."""
    if box is None or other is None:
        return float(box is None and other is None)
    corner, opposite = np.maximum(box[:2], other[:2]), np.minimum(box[2:4], other[2:4])
    common = np.prod(np.clip(opposite - corner, 0, None))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return common / (sum(areas) - common)


def seconds(clock, function, *arguments):
    """Return what `function` returns, and how long it took."""
    start = clock()
    result = function(*arguments)
    return result, clock() - start


def compare(name, plain, detector, images, clock):
    """Print the ratio of both speeds, and return the share of photographs on which both boxes agree."""
    detect, chosen = plain
    detect(images[:2]), detector.detect(images[:8])  # warm up
    ratios, rates, overlaps, missed = [], [], [], [0, 0]
    for start in range(0, len(images), PHOTOGRAPHS_PER_ROUND):
        part = images[start : start + PHOTOGRAPHS_PER_ROUND]
        found, slow = seconds(clock, detect, part)
        ours, fast = seconds(clock, detector.detect, part)
        ratios.append(slow / fast)
        rates.append((len(part) / slow, len(part) / fast))
        theirs = [chosen(f, image) for f, image in zip(found, part, strict=True)]
        boxes = [None if np.isnan(box[0]) else box[:4] for box in ours]
        overlaps += [overlap(a, b) for a, b in zip(theirs, boxes, strict=True)]
        missed = [n + sum(box is None for box in side) for n, side in zip(missed, (theirs, boxes), strict=True)]
    plain_rate, our_rate = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio, wanted = statistics.median(ratios), WANTED_RATIO[name]
    agreement = np.mean(np.array(overlaps) >= 0.8)
    print(
        f"{name}: {our_rate:.0f} against {plain_rate:.0f} photographs/s, ratio {ratio:.1f} "
        f"({min(ratios):.1f} to {max(ratios):.1f} over {len(ratios)} rounds); boxes agree on "
        f"{agreement:.1%} of {len(images)} (median overlap {np.median(overlaps):.2f}; "
        f"no face: {missed[1]} against {missed[0]})\n"
        f"  {wanted} times as fast: {'reached' if ratio >= wanted else 'NOT reached on this machine'}, in "
        f"{sum(r >= wanted for r in ratios)} of {len(ratios)} rounds; "
        f"{LEAST_AGREEMENT:.0%} of the boxes: {'reached' if agreement >= LEAST_AGREEMENT else 'NOT reached'}",
        flush=True,
    )
    record(f"faces found by {name}", our_rate, "photographs/s", peer="plain loop", theirs=plain_rate, more_is_better=True,
           wanted=wanted)
    return agreement


def compare_reading(images, clock):
    """Print how much faster large JPEG files are read reduced than whole, with the same threads."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(min(8, len(images)))]
        for path, image in zip(paths, images, strict=False):
            Image.fromarray(cv2.resize(image, (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_CUBIC)).save(path, quality=90)
        times = []
        for _ in range(3):
            times.append([seconds(clock, read_photographs, paths, side)[1] for side in (None, 640)])
    ratio = statistics.median(whole / reduced for whole, reduced in times)
    print(f"reading JPEG files of {4 * WIDTH} x {4 * HEIGHT}: reduced to a quarter, ratio {ratio:.1f} to reading them whole")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=os.environ.get("FERGAN_DATA", ""), help="without it, rendered faces")
    parser.add_argument("--photographs", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # which the project's own threads obey
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    if arguments.folder:
        images = photographs_in(arguments.folder, arguments.photographs)
    else:
        images = rendered_scenes(arguments.photographs)
    origin = arguments.folder or "the renderer"
    print(f"{len(images)} photographs of {WIDTH} x {HEIGHT} from {origin}, {arguments.threads} threads", flush=True)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    agreements = [
        compare("MTCNN", plain_mtcnn(), MTCNNDetector(), images, clock),
        compare("Viola-Jones", plain_viola_jones(), ViolaJones(), images, clock),
    ]
    compare_reading(images, clock)
    sys.exit(int(min(agreements) < LEAST_AGREEMENT))


if __name__ == "__main__":
    main()
