"""The search for the two parameters of a Gaussian SVM: Bayesian optimisation over log C and log gamma.

A trial fits the folds of a cross-validation one after another. A journal keeps the finished trials, so that a search
that was stopped goes on where it was and ends in the same trials as one that was not: what is proposed next depends on
the seed and on the finished trials only.
"""

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import qmc

from fergan.files import hash_array, hash_parameters, read_json, write_json
from fergan.svm.machines import SharedKernel, predicted_classes

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
        Columns ``trial, C, gamma, gamma_scale, score, pruned, n_folds, chosen``, in the order of evaluation. The
        score of a pruned trial is that of the ``n_folds`` folds it saw; it is never chosen.
    fold_scores : ndarray of shape (n_trials, n_folds), float64
        NaN for the folds that a pruned trial did not see.
    """

    C: float
    gamma: float
    score: float
    trials: pd.DataFrame
    fold_scores: np.ndarray


class _Trial(NamedTuple):
    """A finished trial, as the journal holds it; points and sizes are those of the folds seen."""

    C: float
    gamma_scale: float
    pruned: bool
    points: list[float]
    sizes: list[float]

    @property
    def score(self) -> float:
        return sum(self.points) / sum(self.sizes)

    @property
    def fold_scores(self) -> list[float]:
        return [points / size for points, size in zip(self.points, self.sizes, strict=True)]


def search(
    objective: Callable[[float, float], Generator[tuple[float, float]]], distance: float, *,
    n_evaluations: int = 30, seed: int = 0, prune: bool = False, journal: str | Path | None = None,
    problem: str = "", progress: Callable[[str], None] | None = None,
) -> SearchResult:
    """Maximise a cross-validated score over C and gamma by Bayesian optimisation with a Gaussian process.

    The first half of the evaluations (at most ten) is a Halton sequence, the same for every objective with
    the same seed; the others are proposed by Optuna's `GPSampler`. Of equally good points the one with the
    smallest C, then the smallest gamma is chosen: the smoothest classifier.

    Parameters
    ----------
    objective : callable
        A generator: ``objective(C, gamma)`` yields for one fold after another how many points it scored (right answers)
        and how many there were (faces). The score of a trial is the sum of the first over the sum of the second.
    distance : float
        `typical_distance`; gamma is searched in `GAMMA_SCALE_RANGE` divided by it.
    n_evaluations : int
        At least 3. A search of 20 or more continues the journal of a shorter one of 20 or more.
    seed : int
        The same seed and objective give the same trials.
    prune : bool
        Stop a trial whose folds so far are worse than the same folds of the best trial, by Wilcoxon's signed-rank
        test at 0.1, which takes at least four folds. The Gaussian process learns its score on these folds.
    journal : path, optional
        JSON file that is written after each trial; the trials found in it are not evaluated again.
    problem : str
        Names what the objective computes, for example a hash of its data; a journal of another is refused.
    progress : callable, optional
        Called with a line of text after each trial.

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        Fewer than 3 evaluations, a journal of another search, or a score that is not finite.

    References
    ----------
    Snoek, Larochelle and Adams, *Practical Bayesian Optimization of Machine Learning Algorithms*, NIPS 2012.
    """
    if n_evaluations < 3:
        raise ValueError(f"n_evaluations is {n_evaluations}; a Bayesian search needs at least 3")
    n_startup = max(2, min(10, n_evaluations // 2))
    start = 10 ** qmc.scale(qmc.Halton(2, rng=seed).random(n_startup), *np.log10([COST_RANGE, GAMMA_SCALE_RANGE]).T)
    settings = dict(problem=problem, seed=seed, n_startup=n_startup, distance=distance, prune=prune,
                    C=list(COST_RANGE), gamma_scale=list(GAMMA_SCALE_RANGE))
    trials = _read_journal(journal, settings)[:n_evaluations]
    with _quiet_optuna() as optuna:
        pruner = optuna.pruners.WilcoxonPruner() if prune else optuna.pruners.NopPruner()
        study = optuna.create_study(direction="maximize", pruner=pruner)
        box = {name: optuna.distributions.FloatDistribution(*limits, log=True)
               for name, limits in (("C", COST_RANGE), ("gamma_scale", GAMMA_SCALE_RANGE))}
        for number, trial in enumerate(trials):
            study.add_trial(optuna.create_trial(
                params={"C": trial.C, "gamma_scale": trial.gamma_scale}, distributions=box,
                intermediate_values=dict(enumerate(trial.fold_scores)), value=_learnt(trial, trials[:number])))
        for number in range(len(trials), n_evaluations):
            # A new sampler for each trial, or a resumed search would go on from another random state.
            seed_of_trial = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            study.sampler = optuna.samplers.GPSampler(seed=seed_of_trial, n_startup_trials=n_startup)
            if number < n_startup:
                study.enqueue_trial(dict(zip(box, start[number].tolist(), strict=True)))
            asked = study.ask(box)
            trial = _evaluate(objective, asked, distance)
            study.tell(asked, _learnt(trial, trials))
            trials.append(trial)
            if journal is not None:
                write_json(journal, {"settings": settings, "trials": [t._asdict() for t in trials]})
            if progress is not None:
                progress(_line(trials, n_evaluations, distance))
    return _best(trials, distance)


@contextmanager
def _quiet_optuna() -> Iterator:
    import optuna  # here, because its Gaussian process imports torch, which takes a second

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(verbosity)


def _evaluate(objective, asked, distance: float) -> _Trial:
    C, gamma_scale = asked.params["C"], asked.params["gamma_scale"]
    points, sizes, pruned = [], [], False
    with closing(objective(C, gamma_scale / distance)) as folds:  # closing it ends the work of the other folds
        for fold, (right, size) in enumerate(folds):
            score = right / size
            if not np.isfinite(score):
                raise ValueError(f"the score at C = {C:g}, gamma = {gamma_scale / distance:g} is {score}")
            points.append(float(right))
            sizes.append(float(size))
            asked.report(score, fold)
            pruned = asked.should_prune()
            if pruned:
                break
    return _Trial(C, gamma_scale, pruned, points, sizes)


def _line(trials: list[_Trial], n_evaluations: int, distance: float) -> str:
    last, best = trials[-1], max(t.score for t in trials if not t.pruned)
    pruned = f", pruned after {len(last.sizes)} folds" if last.pruned else ""
    return (f"trial {len(trials)} of {n_evaluations}: C {last.C:.3g}, gamma {last.gamma_scale / distance:.3g}, "
            f"score {last.score:.3f}{pruned} (best {best:.3f})")


def _learnt(trial: _Trial, earlier: list[_Trial]) -> float:
    """Return the value that the Gaussian process learns: a pruned trial must not become the one to beat."""
    if not trial.pruned:
        return trial.score
    return min(trial.score, max(t.score for t in earlier if not t.pruned))


def _read_journal(journal: str | Path | None, settings: dict) -> list[_Trial]:
    if journal is None or not Path(journal).exists():
        return []
    content = read_json(journal)
    found = content.get("settings", {}) if isinstance(content, dict) else {}
    differing = [name for name, value in settings.items() if found.get(name) != value]
    if differing:
        raise ValueError(f"{journal} is the journal of another search ({', '.join(differing)} differ);"
                         " delete it or name another file")
    return [_Trial(**trial) for trial in content["trials"]]


def _best(trials: list[_Trial], distance: float) -> SearchResult:
    table = pd.DataFrame({
        "trial": np.arange(len(trials)),
        "C": [t.C for t in trials],
        "gamma": [t.gamma_scale / distance for t in trials],
        "gamma_scale": [t.gamma_scale for t in trials],
        "score": [t.score for t in trials],
        "pruned": [t.pruned for t in trials],
        "n_folds": [len(t.sizes) for t in trials],
    })
    order = table.sort_values(["pruned", "score", "C", "gamma"], ascending=[True, False, True, True])
    table["chosen"] = table.index == order.index[0]
    row = order.iloc[0]
    fold_scores = np.full((len(trials), table["n_folds"].max()), np.nan)
    for of_trial, trial in zip(fold_scores, trials, strict=True):
        of_trial[: len(trial.sizes)] = trial.fold_scores
    return SearchResult(float(row["C"]), float(row["gamma"]), float(row["score"]), table, fold_scores)


Part = tuple[np.ndarray, np.ndarray]  # the faces to train on, the faces to test on


def search_folds(
    models: SharedKernel, parts: Sequence[Part], distance: float, *, n_evaluations: int, seed: int, prune: bool = False,
    journal: str | Path | None = None, name: str = "search", break_ties: bool = True,
    progress: Callable[[str], None] | None = None,
) -> SearchResult:
    """Choose C and gamma by the accuracy over all parts, each predicted by the model that was trained for it.

    Parameters
    ----------
    models : SharedKernel
    parts : sequence of (ndarray of int, ndarray of int)
        The faces to train on and those to test on, of each fold.
    distance, n_evaluations, seed, prune, progress
        See `fergan.svm.search.search`.
    journal, name : path and str, optional
        Folder for the journal, and how its name begins, see `journal_of`.
    break_ties : bool
        See `fergan.svm.machines.predicted_classes`.

    Returns
    -------
    SearchResult
    """

    def right_answers(C: float, gamma: float) -> Iterator[tuple[int, int]]:
        for (_, test), values in zip(parts, models.values(C, gamma, parts), strict=True):
            yield int(np.sum(predicted_classes(values, break_ties) == models.y[test])), len(test)

    return search(right_answers, distance, n_evaluations=n_evaluations, seed=seed, prune=prune, progress=progress,
                  **journal_of(journal, f"{name}-ties" if break_ties else name, models, parts))


def journal_of(folder: str | Path | None, name: str, models: SharedKernel, parts: Sequence[Part]) -> dict[str, object]:
    """Return where the journal of a search lies, and the problem that it is named after, as arguments of `search`.

    The problem is a hash of the distances, of the parts, and of the labels of the faces in them, so that a folder serves
    any number of searches: one whose data changed begins anew beside the old one.
    """
    if folder is None:
        return {}
    faces = np.unique(np.concatenate([rows for part in parts for rows in part]))  # the labels of others must not matter
    hashed = [hash_array(rows.astype(np.int64)) for rows in (models.y[faces], *(rows for part in parts for rows in part))]
    problem = hash_parameters({"name": name, "distances": models.digest, "labels and parts": hashed})
    return {"journal": Path(folder) / f"{name}-{problem}.json", "problem": problem}
