"""How much faster are fourteen searches on one Gram matrix than fourteen of `SVC(kernel="linear")`? Same folds, one process.

The experiment at the size of enhanced Cohn-Kanade: 8,422 faces of 8,192 features, 14 Action Units x 10 folds x 10 values of
C. The plain way, `SVC(kernel="linear", C=C).fit(X[train], y[train])` for each of them, would take many hours, so a few fits
are timed, spread over units, folds and costs, on as many threads at once as the search has; the time of all 1,400 is scaled
from these. The search is timed whole: Gram matrix, all fits, decision values of the faces left out, areas, the choice of C.

Two things make it faster. Inner products of 8,192 numbers are computed once and not in every fit. And a solution that does
not touch its bound C is the solution for every larger C too, so that the search need not solve for these; a last line says
how many fits that spared, and the ratio without it.

Both get the same features, centred and scaled, so that both solve the same problem with the same C. The decisions of the
fits that both made must be the same, fold by fold, or the exit status is 1; faces whose value is within the solver's own
tolerance (1e-3) of zero are decided by neither, and are counted apart. Whether 100 times is reached is only printed.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from record import record
from search_at_size import N_FEATURES, drawn_features
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from fergan.experiments.au_detectors import UnitLearner, coded_auc
from fergan.experiments.cross_validation import other_rows, random_folds
from fergan.facs import ACTION_UNITS, EMOTIONS, action_units_of
from fergan.svm.kernels import gram

N_FACES, N_FOLDS, WANTED_RATIO = 8_422, 10, 100
COSTS = np.logspace(-2, 2, 10)
TOLERANCE = 1e-3  # of LibSVM's stopping criterion


def drawn_faces(n_faces, n_features, seed=0):
    """Return centred and scaled float32 features, and 14 Action Units that emotions show often and other faces rarely."""
    n_of_class = np.full(len(EMOTIONS), n_faces // len(EMOTIONS)) + (np.arange(len(EMOTIONS)) < n_faces % len(EMOTIONS))
    X, emotion = drawn_features(n_of_class.tolist(), n_features, signal=0.15, seed=seed)
    X -= X.mean(axis=0)
    X /= np.sqrt(np.mean(np.einsum("ij,ij->i", X, X)))
    shows = np.array([[unit in action_units_of(e, "emfacs") for unit in ACTION_UNITS] for e in EMOTIONS])
    chance = np.where(shows[emotion], 0.8, 0.04)
    return X, (np.random.default_rng(seed).random(chance.shape) < chance).astype(float)


def search(X, Y, folds, n_threads):
    """Return the decision values of all units and costs, and the index of the best cost of each unit."""
    K = gram(X)
    learner, values = UnitLearner(K, Y, COSTS, n_threads=n_threads), np.empty((*Y.shape, len(COSTS)))
    for fold in folds:
        values[fold] = learner.values(fold)
    areas = [[coded_auc(of_cost, Y[:, u]) for of_cost in values[:, u].T] for u in range(Y.shape[1])]
    return values, np.argmax(areas, axis=1)


def fit_plainly(X, Y, folds, unit, fold, cost):
    """Return the decision values of one fold's faces by the plain way."""
    train = other_rows(len(Y), [folds[fold]])
    return SVC(kernel="linear", C=COSTS[cost]).fit(X[train], Y[train, unit]).decision_function(X[folds[fold]])


def fit_in_turn(X, Y, folds, chosen, n_threads):
    """Return the decision values of the chosen fits, and say of each when it is done: at full size one takes minutes."""
    with ThreadPoolExecutor(n_threads) as pool:
        started, found = time.perf_counter(), []
        for place, values in zip(chosen, pool.map(lambda place: fit_plainly(X, Y, folds, *place), chosen), strict=True):
            print(f"  plain fit of unit {place[0]}, fold {place[1]}, C = {COSTS[place[2]]:.3g}: there after "
                  f"{time.perf_counter() - started:.1f} s", flush=True)
            found.append(values)
    return found


def clocks():
    """Return the time and the processor's time in seconds; on a machine that others use too, only the second says much."""
    return np.array([time.perf_counter(), time.process_time()])


def differing(plain, fast):
    """Return how many decisions differ, and how many of these are within the solver's tolerance."""
    other = (plain > 0) != (fast > 0)
    near = np.minimum(np.abs(plain), np.abs(fast)) < TOLERANCE
    return int(np.sum(other & ~near)), int(np.sum(other & near))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=N_FACES)
    parser.add_argument("--features", type=int, default=N_FEATURES)
    parser.add_argument("--plain", type=int, default=10, help="fits that are timed the plain way")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    X, Y = drawn_faces(arguments.faces, arguments.features)
    folds = random_folds(Y[:, 0].astype(int), N_FOLDS, seed=0)
    n_fits = len(ACTION_UNITS) * N_FOLDS * len(COSTS)
    print(f"{len(Y):,} faces x {arguments.features:,} features, {len(ACTION_UNITS)} Action Units x {N_FOLDS} folds x "
          f"{len(COSTS)} values of C, {arguments.threads} threads", flush=True)
    with threadpool_limits(arguments.threads):
        search(X[:200], Y[:200], np.array_split(np.arange(200), N_FOLDS), arguments.threads)  # warm up
        start = clocks()
        values, _ = search(X, Y, folds, arguments.threads)
        fast, fast_processor = clocks() - start
        print(f"  search {fast:.1f} s", flush=True)
        # Units and folds differ from one to the next, and costs go through the whole ladder, each low one before a high one.
        numbers = range(arguments.plain)
        chosen = [(5 * i % len(ACTION_UNITS), 3 * i % N_FOLDS, (2 + 5 * i + i // 2) % len(COSTS)) for i in numbers]
        start = clocks()
        plain = fit_in_turn(X, Y, folds, chosen, arguments.threads)
        of_fit, of_fit_processor = (clocks() - start) / len(chosen)
    slow = of_fit * n_fits
    wrong, undecided = np.sum([differing(found, values[folds[fold], unit, cost])
                               for found, (unit, fold, cost) in zip(plain, chosen, strict=True)], axis=0)
    # Where the ladder of costs ended, the values of the next cost are the very same.
    spared = sum(int(np.all(values[fold][:, unit, c] == values[fold][:, unit, c - 1]))
                 for fold in folds for unit in range(len(ACTION_UNITS)) for c in range(1, len(COSTS)))
    reached = "reached" if slow / fast >= WANTED_RATIO else "NOT reached on this machine"
    print(f"{fast:.1f} s against {slow / 60:.0f} minutes in SVC(kernel=\"linear\") (scaled from {len(chosen)} of "
          f"{n_fits:,} fits, {of_fit:.2f} s each with {arguments.threads} at a time): ratio {slow / fast:.0f}; of the "
          f"processor's time {of_fit_processor * n_fits / fast_processor:.0f}\n"
          f"  {WANTED_RATIO} times as fast: {reached}; of {sum(map(len, plain)):,} decisions {wrong} differ, {undecided} "
          "more within the solver's tolerance\n"
          f"  fits spared where a larger C changes nothing: {spared} of {n_fits:,}; ratio for each fit that was made "
          f"{slow / fast * (1 - spared / n_fits):.0f}")
    record(f"Action Units, {n_fits:,} SVMs on {len(Y):,} faces", fast, "s",
           peer="scikit-learn, extrapolated", theirs=slow)
    sys.exit(int(wrong > 0))


if __name__ == "__main__":
    main()
