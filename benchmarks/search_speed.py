"""How much faster is the search than the same candidates in scikit-learn's `cross_val_score`? Same folds, one process.

The plain way is what a tutorial writes: `cross_val_score` with `SVC(kernel="rbf", C=C, gamma=gamma)`. It would take most of
an hour, so a few of the 30 candidates are timed, spread evenly over the search, with a few folds each; the time of all
30 x 10 fits is scaled from these. The search is timed whole, with its threads: distances, proposals, 30 x 10 fits and the
final model. A second ratio counts the processor's time, as if both had one thread. The scores of the folds that both fitted
must be the same to the last face, or the exit status is 1. Whether 120 times is reached depends on the machine and is only
printed.

A last line says what pruning hopeless candidates saves. The features are drawn as those of `search_at_size.py`: 1,608 faces
of eight emotions, 8,192 features.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch
from record import record
from search_at_size import N_CANDIDATES, N_FEATURES, N_FOLDS, drawn_features
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from fergan.experiments.cross_validation import other_rows, random_folds
from fergan.svm.gaussian_svc import GaussianSVC

N_OF_CLASS = [201] * 8
WANTED_RATIO = 120


def seconds(function, *arguments, **options):
    """Return what `function` returns, how long it took, and how much of the processor's time."""
    start, processor = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.perf_counter() - start, time.process_time() - processor


def fit_plainly(model, X, y, numbers, n_folds):
    """Time some candidates the plain way; return the times of a fit, and by how many faces a fold differed at most."""
    folds = random_folds(y, N_FOLDS, model.seed)[:n_folds]
    splits = [(other_rows(len(y), [fold]), fold) for fold in folds]
    times, differing = [], []
    for number in numbers:
        parameters = model.cv_results_["params"][number]
        scores, *taken = seconds(cross_val_score, SVC(kernel="rbf", break_ties=True, **parameters), X, y, cv=splits)
        ours = [model.cv_results_[f"split{k}_test_score"][number] for k in range(n_folds)]
        differing += [round(abs(a - b) * len(fold)) for a, b, fold in zip(scores, ours, folds, strict=True)]
        times.append(np.array(taken) / n_folds)
        print(f"  C {parameters['C']:8.3g}, gamma {parameters['gamma']:.2e}: {times[-1][0]:.1f} s a fit, accuracy on "
              f"{n_folds} folds {scores.mean():.3f}, by the search {np.mean(ours):.3f}", flush=True)
    return np.mean(times, axis=0), max(differing)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", type=int, default=5, help="candidates that are timed the plain way")
    parser.add_argument("--folds", type=int, default=2, help="folds of each of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="how often the search is timed; the median counts")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    X, y = drawn_features(N_OF_CLASS, N_FEATURES, signal=0.15)
    n_fits = N_CANDIDATES * N_FOLDS
    print(f"{len(y)} faces x {N_FEATURES} features, {N_CANDIDATES} candidates x {N_FOLDS} folds, "
          f"{arguments.threads} threads", flush=True)
    options = dict(n_evaluations=N_CANDIDATES, cv=N_FOLDS, n_threads=arguments.threads)
    with threadpool_limits(arguments.threads):
        GaussianSVC(n_evaluations=3, cv=2).fit(X[:64], y[:64] > 3)  # warm up: imports
        models, *times = zip(*(seconds(GaussianSVC(**options).fit, X, y) for _ in range(arguments.rounds)), strict=True)
        numbers = np.linspace(0, N_CANDIDATES - 1, arguments.plain).astype(int)
        of_fit, differing = fit_plainly(models[0], X, y, numbers, arguments.folds)
    fast, processor = map(statistics.median, times)
    slow = of_fit[0] * n_fits
    print(f"search {fast:.1f} s ({min(times[0]):.1f} to {max(times[0]):.1f} over {len(models)} rounds) against "
          f"{slow / 60:.1f} minutes in cross_val_score (scaled from {arguments.plain} of {N_CANDIDATES} candidates, "
          f"{arguments.folds} of {N_FOLDS} folds): ratio {slow / fast:.0f}; of the processor's time "
          f"{of_fit[1] * n_fits / processor:.0f}\n"
          f"  {WANTED_RATIO} times as fast: {'reached' if slow / fast >= WANTED_RATIO else 'NOT reached on this machine'}; "
          f"scores of the same folds differ by at most {differing} faces")
    record(f"search of {n_fits} SVMs on {len(y):,} faces", fast, "s", peer="scikit-learn, extrapolated", theirs=slow,
           wanted=WANTED_RATIO, task="search", n=len(y))
    sys.exit(int(differing > 0))


if __name__ == "__main__":
    main()
