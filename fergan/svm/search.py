"""The search for the two parameters of a Gaussian SVM: Bayesian optimisation over log C and log gamma.

A journal keeps the finished trials, so that a search that was stopped goes on where it was and ends in the same trials as
one that was not: what is proposed next depends on the seed and the finished trials only. (Optuna's own journal may wait 30 s
after a kill for the lock of the dead process, and a log that ends in half a line cannot be opened once anything was added.)
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import qmc

from fergan.files import hash_array, hash_parameters, read_json, write_json
from fergan.svm.kernels import SharedKernel, TrainTest

#: Box of the Bayesian search, both log-uniform: C, and gamma times the median squared distance.
COST_RANGE = (1e-1, 1e3)
GAMMA_SCALE_RANGE = (1e-2, 3.0)


@dataclass(frozen=True)
class SearchResult:
    """The best point of a search, its score, and all points in the order of evaluation."""

    C: float
    gamma: float
    score: float
    trials: pd.DataFrame  # ``trial, C, gamma, gamma_scale, score, chosen``
    fold_scores: np.ndarray  # (n_trials, n_folds)


def search(objective: Callable[[float, float], Iterator[tuple[float, float]]], distance: float, *, n_evaluations: int = 30,
           seed: int = 0, journal: str | Path | None = None, problem: str = "search") -> SearchResult:
    """Maximise a cross-validated score over C and gamma by Bayesian optimisation with a Gaussian process.

    The first half of the evaluations (at most ten) is a Halton sequence, the same for every objective with the same seed;
    the others are proposed by Optuna's `GPSampler` (Snoek et al., NIPS 2012). Of equally good points the one in their middle
    is chosen: at the edge of a plateau, with the smallest C, a classifier may name little but the commonest class.

    Args:
        objective: Yields for one fold after another of C and gamma how many points it scored (right answers) and how many
            there were (faces). The score of a trial is the sum of the first over the sum of the second.
        distance: `typical_distance`; gamma is searched in `GAMMA_SCALE_RANGE` divided by it.
        n_evaluations: At least 3. A search of 20 or more continues the journal of a shorter one of 20 or more.
        journal: Folder for a file, named by the `problem` and the settings; trials found in it are not evaluated again.
    """
    if n_evaluations < 3:
        raise ValueError(f"n_evaluations is {n_evaluations}; a Bayesian search needs at least 3")
    n_startup = max(2, min(10, n_evaluations // 2))
    start = 10 ** qmc.scale(qmc.Halton(2, rng=seed).random(n_startup), *np.log10([COST_RANGE, GAMMA_SCALE_RANGE]).T)
    settings = hash_parameters({"all": [problem, seed, n_startup, distance, COST_RANGE, GAMMA_SCALE_RANGE]})
    kept = Path(journal) / f"{problem}-{settings}.json" if journal is not None else None
    trials = read_json(kept)[:n_evaluations] if kept and kept.exists() else []
    import optuna  # here, because its Gaussian process imports torch, which takes a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction="maximize")
        box = {name: optuna.distributions.FloatDistribution(*limits, log=True)
               for name, limits in (("C", COST_RANGE), ("gamma_scale", GAMMA_SCALE_RANGE))}
        for trial in trials:
            known = {name: trial[name] for name in box}
            study.add_trial(optuna.create_trial(params=known, distributions=box, value=_score(trial)))
        for number in range(len(trials), n_evaluations):
            # A new sampler for each trial, or a resumed search would go on from another random state.
            seed_of_trial = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            study.sampler = optuna.samplers.GPSampler(seed=seed_of_trial, n_startup_trials=n_startup)
            if number < n_startup:
                study.enqueue_trial(dict(zip(box, start[number].tolist(), strict=True)))
            asked = study.ask(box)
            C, gamma = asked.params["C"], asked.params["gamma_scale"] / distance
            trials.append(asked.params | {"folds": [[float(part) for part in fold] for fold in objective(C, gamma)]})
            score = _score(trials[-1])
            if not np.isfinite(score):
                raise ValueError(f"the score at C = {C:g}, gamma = {gamma:g} is {score}")
            study.tell(asked, score)
            if kept is not None:
                write_json(kept, trials)
    return _result(trials, distance)


def _score(trial: dict) -> float:
    points, sizes = np.sum(trial["folds"], axis=0)
    return float(points / sizes)


def _result(trials: list[dict], distance: float) -> SearchResult:
    table = pd.DataFrame(trials)[["C", "gamma_scale"]].rename_axis("trial").reset_index()
    table.insert(2, "gamma", table["gamma_scale"] / distance)
    table["score"] = [_score(trial) for trial in trials]
    best = table.loc[_middle(table[table["score"] == table["score"].max()])]
    table["chosen"] = table["trial"] == best["trial"]
    points, sizes = np.moveaxis([trial["folds"] for trial in trials], -1, 0)
    return SearchResult(float(best["C"]), float(best["gamma"]), float(best["score"]), table, points / sizes)


def _middle(tied: pd.DataFrame) -> int:
    """Return the row nearest to the mean of all, in shares of the box; of equally near ones that nearest to its centre."""
    low, high = np.log([COST_RANGE, GAMMA_SCALE_RANGE]).T
    places = (np.log(tied[["C", "gamma_scale"]].to_numpy()) - low) / (high - low)
    to_mean, to_centre = (np.linalg.norm(places - middle, axis=1).round(9) for middle in (places.mean(axis=0), 0.5))
    return tied.index[np.lexsort((to_centre, to_mean))[0]]


def search_folds(models: SharedKernel, parts: Sequence[TrainTest], distance: float, *, journal: str | Path | None = None,
                 name: str = "search", **options) -> SearchResult:
    """Choose C and gamma by the accuracy over all parts, each predicted by the model that was trained for it.

    A `journal` is a folder for any number of problems: a file is named by `name` and a hash of the distances, the parts and
    their labels. For other options see `search`.
    Models that stand for more faces than there is room for are searched on some of them.
    """
    models, parts = models.searched(parts)

    def right_answers(C: float, gamma: float) -> Iterator[tuple[int, int]]:
        for (_, test), values in zip(parts, models.values(C, gamma, parts), strict=True):
            yield int(np.sum(values.argmax(axis=1) == models.y[test])), len(test)

    if journal is not None:
        faces = np.unique(np.concatenate([rows for part in parts for rows in part]))  # the labels of others must not matter
        arrays = [models.y[faces], *(rows for part in parts for rows in part)]
        hashes = [hash_array(models.D2), *(hash_array(rows.astype(np.int64)) for rows in arrays)]
        options |= {"journal": journal, "problem": f"{name}-{hash_parameters({'all': hashes})}"}
    return search(right_answers, distance, **options)
