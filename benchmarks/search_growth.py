"""How do the time and memory of a search grow with the number of faces, and what does an approximation cost and save?

At 1,000 to 16,000 faces of 8,192 features, seven emotions: the distances, and a candidate (C, gamma) of ten folds, exact
and with Nystroem's approximation (see `fergan/svm/nystroem.py`), each in a process of its own, whose largest memory
the system tells. Of the ten folds a few are fitted and the time of ten is scaled from them; both ways get the same folds,
and their accuracies on these are printed side by side. The last line fits t = a n^b to the times.

    python benchmarks/search_growth.py                    # four minutes
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import torch
from record import peak_gb, record
from search_at_size import N_FACES, N_FEATURES, RAF_DB, drawn_features
from threadpoolctl import threadpool_limits

from fergan.experiments.cross_validation import other_rows, random_folds
from fergan.svm.kernels import SharedKernel, squared_distances, typical_distance
from fergan.svm.nystroem import Landmarks, NystroemKernel

SIZES, N_FOLDS = (1000, 2000, 4000, 8000, 16000), 10
COST, SIGNAL = 10.0, 0.09


def faces(n):
    """Features of n faces and their emotions, in RAF-DB's proportions."""
    return drawn_features([max(N_FOLDS, round(part * n / N_FACES)) for part in RAF_DB], N_FEATURES, SIGNAL)


def measure(way, n, n_folds, threads):
    """Print the seconds, the accuracy and the memory of one way as JSON."""
    X, y = faces(n)
    parts = [(other_rows(len(y), [fold]), fold) for fold in random_folds(y, N_FOLDS, 0)[:n_folds]]
    start = time.perf_counter()
    D2 = squared_distances(X) if way == "exact" else Landmarks(X, 12.0)
    models = (SharedKernel if way == "exact" else NystroemKernel)(D2, y, n_threads=threads)
    distances = time.perf_counter() - start
    gamma = 1 / typical_distance(models.D2)
    start = time.perf_counter()
    values = models.values(COST, gamma, parts)
    candidate = (time.perf_counter() - start) * N_FOLDS / n_folds
    right = np.concatenate([v.argmax(1) == y[test] for v, (_, test) in zip(values, parts, strict=True)])
    print(json.dumps(dict(n=len(y), distances=distances, candidate=candidate, accuracy=right.mean(), memory=peak_gb())))


def apart(script, *words):
    """Run one measurement in a process of its own, and return what it printed."""
    ended = subprocess.run([sys.executable, script, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ended.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=2, help="of ten, that are fitted")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--way", choices=("exact", "nystroem"), help="measure this at the first size and print it as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        if arguments.way:
            return measure(arguments.way, arguments.sizes[0], arguments.folds, arguments.threads)
    found = {"exact": [], "nystroem": []}
    for n in arguments.sizes:
        for way, rows in found.items():
            row = apart(__file__, "--way", way, "--sizes", n, "--folds", arguments.folds, "--threads", arguments.threads)
            rows.append(row)
            print(f"{n:>7,} faces, {way:8}: distances {row['distances']:5.1f} s, a candidate {row['candidate']:6.1f} s, "
                  f"{row['memory']:.2f} GB, accuracy {row['accuracy']:.3f}", flush=True)
            record(f"a candidate of ten folds, {n:,} faces, {way}", row["candidate"], "s", task="growth", way=way, **row)
    for way, rows in found.items():
        n, times = np.transpose([(row["n"], row["candidate"]) for row in rows])
        power, scale = np.polyfit(np.log(n), np.log(times), 1)
        print(f"{way}: a candidate takes about {np.exp(scale + power * np.log(1e4)):.1f} s at 10,000 faces, and grows as "
              f"n^{power:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
