"""Do crops of many photographs take flat memory and all cores, and go on after a kill? Rendered JPEG files of 256 pixels.

Each number of photographs is cropped (MTCNN) in a process of its own, which says its photographs a second and the largest
memory of its own: without pages of mapped files, which the system may drop. The smaller number is cropped again and killed
half-way; what is left has to be done by the next process, and the faces have to be the same to the bit, or the exit status
is 1. A last line scales time and memory to 200,000 photographs, CelebA's number; `--photographs 1000 5000` measures more.

The peer is the plain loop: `MTCNN.detect` of facenet-pytorch on one photograph after the other, and a crop of each.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from record import most_own_gb, record

from fergan.cache import available_threads
from fergan.data.collections import open_photographs
from fergan.data.config import FacesConfig
from fergan.data.cropping import crop_face, make_faces
from fergan.files import hash_file
from fergan.rendered import render_faces, stand_in_labels

N_PEOPLE, N_PLAIN, ALL = 60, 60, 200_000


def write_photographs(folder, n):
    """Write n JPEG files, each with a camera's noise of its own, and their table."""
    rng = np.random.default_rng(0)
    labels = stand_in_labels("rafd-frontal")
    faces, _ = render_faces(labels.iloc[np.linspace(0, len(labels) - 1, N_PEOPLE).astype(int)], size=256)
    for number in range(n):
        noise = rng.integers(-4, 5, (256, 256, 1), dtype=np.int16)
        Image.fromarray((faces[number % N_PEOPLE] + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{number:06}.jpg")
    rows = [f"{number:06}.jpg,{number % N_PEOPLE},{'happy' if number % 2 else 'sad'}" for number in range(n)]
    (folder / "labels.csv").write_text("\n".join(["path,subject,emotion", *rows]))


def measure(photographs, result):
    """Crop one folder into another; print the seconds, the number of crops and the largest memory of its own as JSON."""
    opened = open_photographs("many", "manifest", folder=str(photographs))
    start = time.perf_counter()
    with most_own_gb() as most:
        make_faces(result, FacesConfig(source="manifest", detector="mtcnn"), photographs=opened, progress=False)
    print(json.dumps(dict(seconds=time.perf_counter() - start, memory=most[0])))


def command(photographs, result):
    """The command that crops one folder into another."""
    return [sys.executable, __file__, "--measure", str(photographs), str(result)]


def plain_rate(photographs):
    """Photographs a second of the plain loop."""
    from facenet_pytorch import MTCNN

    network, paths = MTCNN(), sorted(photographs.glob("*.jpg"))[:N_PLAIN]
    start = time.perf_counter()
    for path in paths:
        with Image.open(path) as file:
            image = np.asarray(file.convert("RGB"))
        boxes, _ = network.detect(image)
        if boxes is not None:
            crop_face(image, boxes[0], 0.1)
    return len(paths) / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, nargs=2, default=(1000, 5000))
    parser.add_argument("--measure", type=Path, nargs=2, help="crop this folder into that one, and print JSON")
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(*arguments.measure)
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folders = {n: Path(place) / str(n) for n in arguments.photographs}
        for n, folder in folders.items():
            folder.mkdir()
            write_photographs(folder, n)
            found[n] = json.loads(subprocess.check_output(command(folder, folder / "whole")))
            print(f"{n:,} photographs: {n / found[n]['seconds']:.0f} a second, {found[n]['memory']:.2f} GB", flush=True)
        n, folder = next(iter(folders.items()))
        process = subprocess.Popen(command(folder, folder / "killed"), stdout=subprocess.DEVNULL)
        while len(list(folder.glob("killed/work-*/batch-*.npz"))) < n // 64 // 2 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = 64 * len(list(folder.glob("killed/work-*/batch-*.npz")))
        rest = json.loads(subprocess.check_output(command(folder, folder / "killed")))
        same = len({hash_file(folder / kind / "images.npy") for kind in ("whole", "killed")}) == 1
        plain = plain_rate(folder)
    (small, large), threads = arguments.photographs, available_threads()
    rate = (large - small) / (found[large]["seconds"] - found[small]["seconds"])
    growth = (found[large]["memory"] - found[small]["memory"]) / (large - small)
    print(f"killed after {done:,} of {n:,}: the rest took {rest['seconds']:.1f} s of {found[n]['seconds']:.1f} s; faces "
          f"{'the same' if same else 'NOT the same'}\n"
          f"{ALL:,} photographs, extrapolated: {ALL / rate / 3600:.1f} hours at {rate:.0f} a second on {threads} threads, "
          f"{found[large]['memory'] + max(0, growth) * (ALL - large):.2f} GB")
    record(f"crops of {large:,} photographs", rate, "photographs/s", peer="plain loop", theirs=plain, more_is_better=True,
           task="crops", n=large, threads=threads)
    record(f"memory for {small:,} photographs", found[small]["memory"], "GB", task="crops memory", n=small)
    record(f"memory for {large:,} photographs", found[large]["memory"], "GB", wanted=2 * found[small]["memory"],
           task="crops memory", n=large)
    record(f"crops of {ALL:,} photographs", ALL / rate / 3600, "hours", kind="extrapolated", n=ALL)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
