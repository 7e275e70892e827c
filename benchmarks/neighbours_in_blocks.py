"""How fast, and in how much memory, are precision, recall and coverage of 10,000 samples? In blocks, and plainly.

The plain way is what a formula suggests: all three matrices of distances, whole, each row sorted. The blocks hold 128 MB of
distances at a time and serve all three scores. Both run in a process of their own, whose largest memory is read from the
system: that of the blocks has to stay below 2 GB, features included, or the exit status is 1; the scores have to be
equal, or it is 1 too. The ratio of the times is printed. A last line extracts the features of one generator's samples once
and takes every score from them, beside the time that a pass for each score would take.

    python benchmarks/neighbours_in_blocks.py --n 2000    # smaller, to see that it works
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from record import record
from threadpoolctl import threadpool_limits

LIMIT = 2.0  # GB
WAYS = ("blocks", "plain")


def drawn(n, n_features):
    """Features of two sides whose scores are neither 0 nor 1."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((64, n_features)).astype(np.float32) / 8
    return [(rng.standard_normal((n, 64)).astype(np.float32) * scale) @ hidden for scale in (0.9, 1.0)]


def plain_neighbourhoods(generated, real):
    """The three scores from whole matrices, as their definitions read."""
    def distances(a, b):
        a, b = a.astype(np.float64), b.astype(np.float64)
        return np.sqrt(np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0))

    across = distances(generated, real)
    of_real, of_generated = (np.sort(distances(side, side), axis=1) for side in (real, generated))
    close = across <= of_real[:, 5]
    return [float(close.any(1).mean()), float((across <= of_generated[:, [5]]).any(0).mean()),
            float(close.any(0).mean())]


def measure(way, n, n_features, threads):
    """Run one way; print its time, its scores and the largest memory as JSON."""
    from fergan.quality.distances import neighbourhoods

    generated, real = drawn(n, n_features)
    with threadpool_limits(threads):
        start = time.perf_counter()
        plain = way == "plain"
        scores = plain_neighbourhoods(generated, real) if plain else [*vars(neighbourhoods(generated, real)).values()]
        seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux
    print(json.dumps({"seconds": seconds, "scores": scores, "memory": memory}))


def one_pass(n):
    """Time one pass of HOG and all scores from it, and as many passes as scores."""
    from fergan.features.baselines import HOGFeatures
    from fergan.quality.judge import judge_features

    images = np.random.default_rng(1).integers(0, 256, (3 * n, 64, 64, 3), dtype=np.uint8)
    start = time.perf_counter()
    features = HOGFeatures().transform(images)
    extraction = time.perf_counter() - start
    generated, *real = ((part, None) for part in np.split(features, 3))
    scores = judge_features(generated, {"floor": tuple(real)})
    whole = time.perf_counter() - start
    several = whole + (len(scores) - 1) * extraction
    print(f"one pass of HOG over {3 * n} pictures {extraction:.1f} s, all {len(scores)} scores {whole:.1f} s; "
          f"a pass for each score {several:.1f} s: ratio {several / whole:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="samples, and as many real faces")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help="run this one only and print it as JSON")
    arguments = parser.parse_args()
    if arguments.way:
        measure(arguments.way, arguments.n, arguments.features, arguments.threads)
        return
    found = {}
    for way in WAYS:
        sizes = ["--n", arguments.n, "--features", arguments.features, "--threads", arguments.threads]
        command = [sys.executable, __file__, "--way", way, *map(str, sizes)]
        found[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    blocks, plain = (found[way] for way in WAYS)
    small = blocks["memory"] < LIMIT
    equal = np.allclose(blocks["scores"], plain["scores"], rtol=0, atol=1e-3)  # rounding moves pairs
    size = f"{arguments.n:,} x {arguments.n:,} x {arguments.features:,}"
    print(f"{size}, {arguments.threads} threads: blocks "
          f"{blocks['seconds']:.1f} s and {blocks['memory']:.2f} GB, plain {plain['seconds']:.1f} s and "
          f"{plain['memory']:.2f} GB: ratio {plain['seconds'] / blocks['seconds']:.1f}\n"
          f"  below {LIMIT:g} GB: {'yes' if small else 'NO'}; precision, recall, coverage "
          f"{', '.join(f'{score:.3f}' for score in blocks['scores'])}: {'equal' if equal else 'NOT equal'}", flush=True)
    record(f"precision, recall, coverage, {size}", blocks["seconds"], "s", peer="whole matrices", theirs=plain["seconds"])
    record(f"memory for {size}", blocks["memory"], "GB", peer="whole matrices", theirs=plain["memory"], wanted=1)
    one_pass(min(500, arguments.n // 4))
    sys.exit(int(not (small and equal)))


if __name__ == "__main__":
    main()
