"""The search for the two parameters of a Gaussian SVM: Bayesian optimisation over log C and log gamma."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import qmc

__all__ = ["COST_RANGE", "GAMMA_SCALE_RANGE", "SearchResult", "search"]

#: Box of the Bayesian search, both log-uniform: C, and gamma times the median squared distance.
COST_RANGE = (1e-1, 1e3)
GAMMA_SCALE_RANGE = (1e-2, 3.0)


@dataclass(frozen=True)
class SearchResult:
    """The best point of a search and all points tried.

    Attributes
    ----------
    C, gamma : float
        The chosen cost and kernel parameter.
    score : float
        The objective there.
    trials : DataFrame
        Columns ``trial, C, gamma, gamma_scale, score, chosen``, in the order of evaluation.
    """

    C: float
    gamma: float
    score: float
    trials: pd.DataFrame


def search(
    objective: Callable[[float, float], float], distance: float, *, n_evaluations: int = 30, seed: int = 0
) -> SearchResult:
    """Maximise ``objective(C, gamma)`` by Bayesian optimisation with a Gaussian process.

    The first half of the evaluations (at most ten) is a Halton sequence, the same for every objective with
    the same seed; the others are proposed by Optuna's `GPSampler`. Of equally good points the one with the
    smallest C, then the smallest gamma is chosen: the smoothest classifier.

    Parameters
    ----------
    objective : callable
        Larger is better.
    distance : float
        `typical_distance`; gamma is searched in `GAMMA_SCALE_RANGE` divided by it.
    n_evaluations : int
        At least 3.
    seed : int
        The same seed and objective give the same trials.

    Returns
    -------
    SearchResult

    References
    ----------
    Snoek, Larochelle and Adams, *Practical Bayesian Optimization of Machine Learning Algorithms*, NIPS 2012.
    """
    if n_evaluations < 3:
        raise ValueError(f"n_evaluations is {n_evaluations}; a Bayesian search needs at least 3")
    import optuna  # here, because its Gaussian process imports torch, which takes a second

    n_startup = max(2, min(10, n_evaluations // 2))
    start = qmc.scale(qmc.Halton(2, rng=seed).random(n_startup), *np.log10([COST_RANGE, GAMMA_SCALE_RANGE]).T)

    def evaluate(trial) -> float:
        C = trial.suggest_float("C", *COST_RANGE, log=True)
        scale = trial.suggest_float("gamma_scale", *GAMMA_SCALE_RANGE, log=True)
        score = float(objective(C, scale / distance))
        if not np.isfinite(score):
            raise ValueError(f"the score at C = {C:g}, gamma = {scale / distance:g} is {score}")
        return score

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=n_startup)
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for log_cost, log_scale in start:
                study.enqueue_trial({"C": 10**log_cost, "gamma_scale": 10**log_scale})
            study.optimize(evaluate, n_trials=n_evaluations)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return _best([(t.params["C"], t.params["gamma_scale"], t.value) for t in study.trials], distance)


def _best(points: list[tuple[float, float, float]], distance: float) -> SearchResult:
    trials = pd.DataFrame(points, columns=["C", "gamma_scale", "score"])
    trials.insert(0, "trial", np.arange(len(trials)))
    trials.insert(2, "gamma", trials["gamma_scale"] / distance)
    best = trials.sort_values(["score", "C", "gamma"], ascending=[False, True, True]).index[0]
    trials["chosen"] = trials.index == best
    row = trials.loc[best]
    return SearchResult(float(row["C"]), float(row["gamma"]), float(row["score"]), trials)
