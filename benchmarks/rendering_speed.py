"""How fast are faces rendered, as the book does it: two processes of one thread each? Same faces, taken in turn.

The plain way renders batches as one would first write it in torch: every number of a face is a tensor, every term is
computed for every face. What the package does on a processor is one face at a time, its numbers plain floats, terms of
strength zero left out; it also makes a face independent of its batch, bit for bit. Prints one line for the processor,
and a second for a GPU where there is one (batches there against one core here). The ratio is what counts, because a
machine's absolute speed drifts.
"""

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import torch

from fergan.rendered import STAND_INS, render_faces, stand_in_labels
from fergan.rendered.render import _SEEDS, _SIDES, SETTING_COLUMNS, _render

PLAIN_BATCH = 16


def one_thread():
    """Keep a process to one core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def plain_faces(labels, size):
    """Render in batches, every number a tensor."""
    units = labels[list(_SIDES)].to_numpy(np.float32).reshape(len(labels), -1, 2)
    settings = labels[[*_SEEDS, *SETTING_COLUMNS]].to_dict("records")
    for start in range(0, len(labels), PLAIN_BATCH):
        rows = slice(start, start + PLAIN_BATCH)
        _render(settings[rows], units[rows], size, "cpu")


def seconds(render, *arguments):
    """Duration of one call."""
    start = time.perf_counter()
    render(*arguments)
    return time.perf_counter() - start


def in_processes(pool, render, shares, size):
    """Wall-clock seconds for all shares, one process each."""
    start = time.perf_counter()
    for done in [pool.submit(seconds, render, share, size) for share in shares]:
        done.result()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stand-in", default="rafd-frontal", choices=STAND_INS)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--faces", type=int, default=32, help="per process and round, a multiple of the plain batch")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    one_thread()
    size, n_faces = arguments.size, arguments.faces * arguments.processes
    labels = stand_in_labels(arguments.stand_in).sample(n_faces, random_state=0)
    shares = [labels.iloc[k :: arguments.processes] for k in range(arguments.processes)]

    with ProcessPoolExecutor(arguments.processes, get_context("spawn"), initializer=one_thread) as pool:
        for render in (plain_faces, render_faces):  # warm up
            in_processes(pool, render, [share.head(PLAIN_BATCH) for share in shares], size)
        times = [
            tuple(in_processes(pool, render, shares, size) for render in (plain_faces, render_faces))
            for _ in range(arguments.rounds)
        ]
    ratios = [plain / ours for plain, ours in times]
    rates = [n_faces / statistics.median(column) for column in zip(*times, strict=True)]
    print(
        f"{arguments.stand_in}, {size} px, {arguments.processes} processes of one thread: {rates[1]:.0f} against "
        f"{rates[0]:.0f} faces/s, ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} over "
        f"{len(ratios)} rounds)"
    )
    if not torch.cuda.is_available():
        return
    render_faces(shares[0], size, "cuda")  # warm up; results come back to the processor, which waits for them
    times = [
        (seconds(render_faces, shares[0], size), seconds(render_faces, shares[0], size, "cuda"))
        for _ in range(arguments.rounds)
    ]
    ratios = [core / gpu for core, gpu in times]
    rates = [len(shares[0]) / statistics.median(column) for column in zip(*times, strict=True)]
    print(
        f"{torch.cuda.get_device_name()}: {rates[1]:.0f} against {rates[0]:.0f} faces/s on one core, ratio "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds)"
    )


if __name__ == "__main__":
    main()
