"""How much faster are the Fréchet distance, precision and recall of 10,000 samples than torch-fidelity's? Same features.

Both get the same features (2,048, as Inception has), one process, the same threads, and compute in double precision. The
distances have to agree, or the exit status is 1: to 1e-4, because torch-fidelity takes roots of eigenvalues, of which those
that are zero come out as 1e-13, and ours sums singular values. torch-fidelity's precision and recall reach to the third
neighbour, ours to the fifth with coverage beside them: the work is the same, the values are not, and are not compared.
"""

import argparse
import sys
import time

import numpy as np
import torch
from neighbours_in_blocks import drawn
from record import record
from threadpoolctl import threadpool_limits
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from fergan.quality.distances import frechet_distance, neighbourhoods


def seconds(function, *arguments, **options):
    """Return what a function returns, and how long it took."""
    start = time.perf_counter()
    return function(*arguments, **options), time.perf_counter() - start


def their_distance(generated, real):
    """The Fréchet distance as torch-fidelity computes it, in double precision."""
    first, second = (fid_features_to_statistics(torch.from_numpy(side)) for side in (generated, real))
    return fid_statistics_to_metric(first, second, verbose=False)[KEY_METRIC_FID]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="samples, and as many real faces")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generated, real = drawn(arguments.n, arguments.features)
    generated, real = generated + np.float32(0.1), real + np.float32(0)
    with threadpool_limits(arguments.threads):
        ours, fast = seconds(frechet_distance, generated, real)
        theirs, slow = seconds(their_distance, generated.astype(np.float64), real.astype(np.float64))
        _, of_all = seconds(neighbourhoods, generated, real)
        sides = torch.from_numpy(generated).double(), torch.from_numpy(real).double()
        _, plain = seconds(prc_features_to_metric, *sides, verbose=False, save_cpu_ram=False)
    equal = abs(ours - theirs) <= 1e-4 * max(1, theirs)
    size = f"{arguments.n:,} x {arguments.features:,}"
    print(f"{size}: Frechet distance {fast:.1f} s against {slow:.1f} s, ratio {slow / fast:.1f} "
          f"({ours:.6f} and {theirs:.6f}: {'equal' if equal else 'NOT equal'})\n"
          f"  precision, recall, coverage {of_all:.1f} s against {plain:.1f} s for torch-fidelity's precision and recall, "
          f"ratio {plain / of_all:.1f}")
    record(f"Frechet distance, {size}", fast, "s", peer="torch-fidelity", theirs=slow)
    record(f"precision and recall, {size}", of_all, "s", peer="torch-fidelity", theirs=plain)
    sys.exit(int(not equal))


if __name__ == "__main__":
    main()
