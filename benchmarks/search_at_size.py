"""How long does a full search take at RAF-DB's size, and how much memory? 15,339 faces of 8,192 features, seven emotions.

One search as the book runs it: 30 candidates (C, gamma), ten folds each, then the final model on everything. Prints the
seconds of its parts and the peak memory of the process, and whether these stay within what is wanted: 20 minutes on two
cores, 16 GB. With ``--candidates`` only the first few are tried and the time of 30 is scaled from them, which is rough:
what a candidate takes depends on its C and gamma.

Features are drawn: leaky rectified mixtures of few factors whose variances fall as those of a discriminator's features do,
with the emotions in RAF-DB's proportions hidden in them so deep that about six of ten faces are recognised.
"""

import argparse
import resource
import sys
import time

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from fergan.svm.gaussian_svc import GaussianSVC

N_FACES, N_FEATURES, N_CANDIDATES, N_FOLDS = 15_339, 8_192, 30, 10
RAF_DB = (867, 877, 355, 5957, 2460, 1619, 3204)  # faces of each emotion, training and test together
WANTED_MINUTES, WANTED_GB = 20, 16


def drawn_features(n_of_class, n_features, signal, seed=0, n_factors=300):
    """Return float32 features, leaky rectified and with a falling spectrum, and the classes hidden in them."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(n_of_class)), n_of_class))
    deviation = np.arange(1, n_factors + 1, dtype=np.float32) ** -0.55
    factors = rng.standard_normal((len(y), n_factors), np.float32)
    factors += signal * rng.standard_normal((len(n_of_class), n_factors), np.float32)[y]
    factors *= deviation
    X = factors @ rng.standard_normal((n_factors, n_features), np.float32)
    for part in np.array_split(X, 32):
        part += 0.3 * rng.standard_normal(part.shape, np.float32)
        np.maximum(part, 0.2 * part, out=part)
    return X, y


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=N_CANDIDATES, help="how many of 30 are tried, at least 3")
    parser.add_argument("--faces", type=int, default=N_FACES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", type=float, default=12.0, help="GB that the search may use (memory_gb)")
    parser.add_argument("--signal", type=float, default=0.09, help="how far apart the emotions are")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    n_of_class = [round(n * arguments.faces / N_FACES) for n in RAF_DB]
    X, y = drawn_features(n_of_class, N_FEATURES, arguments.signal)
    print(f"{len(y)} faces x {N_FEATURES} features, {len(RAF_DB)} classes, {arguments.candidates} candidates x {N_FOLDS} "
          f"folds, {arguments.threads} threads, {arguments.memory:g} GB", flush=True)
    model = GaussianSVC(n_evaluations=arguments.candidates, cv=N_FOLDS, n_threads=arguments.threads,
                        memory_gb=arguments.memory)
    start = time.perf_counter()
    with threadpool_limits(arguments.threads):
        model.fit(X, y)
    total = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    print(f"distances, {arguments.candidates} candidates, the final model: {total:.0f} s; accuracy {model.best_score_:.3f}")
    whole = total * N_CANDIDATES / arguments.candidates
    scaled = "" if arguments.candidates == N_CANDIDATES else f" (scaled from {arguments.candidates} candidates)"
    print(f"search of {N_CANDIDATES} x {N_FOLDS} fits: {whole / 60:.1f} minutes{scaled}, peak memory {peak:.1f} GB\n"
          f"  {WANTED_MINUTES} minutes: {'reached' if whole <= 60 * WANTED_MINUTES else 'NOT reached on this machine'}; "
          f"below {WANTED_GB} GB: {'reached' if peak < WANTED_GB else 'NOT reached'}")


if __name__ == "__main__":
    main()
