"""The search for the two parameters of a Gaussian SVM: Bayesian optimisation over log C and log gamma.

A journal keeps the finished trials, so that a search that was stopped goes on where it was and ends in the same trials as
one that was not: what is proposed next depends on the seed and the finished trials only. (Optuna's own journal ends in the
same trials too, but after a kill it may wait 30 s for the lock of the dead process, and a log that ends in half a line
cannot be opened again once anything was added.)
"""

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import qmc

from fergan.files import hash_array, hash_parameters, read_json, write_json
from fergan.svm.machines import SharedKernel, TrainTest, predicted_classes

#: Box of the Bayesian search, both log-uniform: C, and gamma times the median squared distance.
COST_RANGE = (1e-1, 1e3)
GAMMA_SCALE_RANGE = (1e-2, 3.0)


@dataclass(frozen=True)
class SearchResult:
    """The best point of a search, its score, and all points.

    ``trials`` has the columns ``trial, C, gamma, gamma_scale, score, pruned, n_folds, chosen``, in the order of evaluation.
    A pruned trial is never chosen; its score is that of the ``n_folds`` folds it saw, and its ``fold_scores``
    (n_trials, n_folds) are NaN for the others.
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

    def learnt(self, earlier: Sequence["_Trial"]) -> float:
        """Return what the Gaussian process learns: a pruned trial must not become the one to beat."""
        return min(self.score, max(t.score for t in earlier if not t.pruned)) if self.pruned else self.score


def search(
    objective: Callable[[float, float], Generator[tuple[float, float]]], distance: float, *,
    n_evaluations: int = 30, seed: int = 0, prune: bool = False, journal: str | Path | None = None,
    problem: str = "search", progress: Callable[[str], None] | None = None,
) -> SearchResult:
    """Maximise a cross-validated score over C and gamma by Bayesian optimisation with a Gaussian process.

    The first half of the evaluations (at most ten) is a Halton sequence, the same for every objective with the same seed;
    the others are proposed by Optuna's `GPSampler` (Snoek et al., NIPS 2012). Of equally good points the one with the
    smallest C, then the smallest gamma is chosen: the smoothest classifier.

    Args:
        objective: Yields for one fold after another of C and gamma how many points it scored (right answers) and how many
            there were (faces). The score of a trial is the sum of the first over the sum of the second.
        distance: `typical_distance`; gamma is searched in `GAMMA_SCALE_RANGE` divided by it.
        n_evaluations: At least 3. A search of 20 or more continues the journal of a shorter one of 20 or more.
        prune: Stop a trial whose folds so far are worse than the same folds of the best trial, by Wilcoxon's signed-rank
            test at 0.1, which takes at least four folds. The Gaussian process learns its score on these folds.
        journal: Folder for a file that is written after each trial; the trials found in it are not evaluated again.
        problem: Names what the objective computes, for example by a hash of its data, and with the settings the file.
        progress: Called with a line of text after each trial.
    """
    if n_evaluations < 3:
        raise ValueError(f"n_evaluations is {n_evaluations}; a Bayesian search needs at least 3")
    n_startup = max(2, min(10, n_evaluations // 2))
    start = 10 ** qmc.scale(qmc.Halton(2, rng=seed).random(n_startup), *np.log10([COST_RANGE, GAMMA_SCALE_RANGE]).T)
    settings = hash_parameters({"all": [problem, seed, n_startup, distance, prune, COST_RANGE, GAMMA_SCALE_RANGE]})
    kept = Path(journal) / f"{problem}-{settings}.json" if journal is not None else None
    trials = [_Trial(**trial) for trial in read_json(kept)][:n_evaluations] if kept and kept.exists() else []
    import optuna  # here, because its Gaussian process imports torch, which takes a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.WilcoxonPruner() if prune else optuna.pruners.NopPruner()
        study = optuna.create_study(direction="maximize", pruner=pruner)
        box = {name: optuna.distributions.FloatDistribution(*limits, log=True)
               for name, limits in (("C", COST_RANGE), ("gamma_scale", GAMMA_SCALE_RANGE))}
        for number, trial in enumerate(trials):
            study.add_trial(optuna.create_trial(
                params={"C": trial.C, "gamma_scale": trial.gamma_scale}, distributions=box,
                intermediate_values=dict(enumerate(trial.fold_scores)), value=trial.learnt(trials[:number])))
        for number in range(len(trials), n_evaluations):
            # A new sampler for each trial, or a resumed search would go on from another random state.
            seed_of_trial = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            study.sampler = optuna.samplers.GPSampler(seed=seed_of_trial, n_startup_trials=n_startup)
            if number < n_startup:
                study.enqueue_trial(dict(zip(box, start[number].tolist(), strict=True)))
            asked = study.ask(box)
            trial = _evaluate(objective, asked, distance)
            study.tell(asked, trial.learnt(trials))
            trials.append(trial)
            if kept is not None:
                write_json(kept, [t._asdict() for t in trials])
            if progress is not None:
                pruned = f", pruned after {len(trial.sizes)} folds" if trial.pruned else ""
                best = max(t.score for t in trials if not t.pruned)
                progress(f"trial {len(trials)} of {n_evaluations}: C {trial.C:.3g}, "
                         f"gamma {trial.gamma_scale / distance:.3g}, score {trial.score:.3f}{pruned} (best {best:.3f})")
    return _best(trials, distance)


def _evaluate(objective, asked, distance: float) -> _Trial:
    trial = _Trial(asked.params["C"], asked.params["gamma_scale"], False, [], [])
    C, gamma = trial.C, trial.gamma_scale / distance
    with closing(objective(C, gamma)) as folds:  # closing it ends the work of the other folds
        for fold, (right, size) in enumerate(folds):
            if not np.isfinite(right / size):
                raise ValueError(f"the score at C = {C:g}, gamma = {gamma:g} is {right / size}")
            trial.points.append(float(right))
            trial.sizes.append(float(size))
            asked.report(right / size, fold)
            if asked.should_prune():
                return trial._replace(pruned=True)
    return trial


def _best(trials: list[_Trial], distance: float) -> SearchResult:
    table = pd.DataFrame(trials)[["C", "gamma_scale", "pruned"]]
    table.insert(0, "trial", np.arange(len(trials)))
    table.insert(2, "gamma", table["gamma_scale"] / distance)
    table.insert(4, "score", [t.score for t in trials])
    table["n_folds"] = [len(t.sizes) for t in trials]
    best = table.sort_values(["pruned", "score", "C", "gamma"], ascending=[True, False, True, True]).iloc[0]
    table["chosen"] = table["trial"] == best["trial"]
    fold_scores = pd.DataFrame([t.fold_scores for t in trials]).to_numpy()  # shorter rows end in NaN
    return SearchResult(float(best["C"]), float(best["gamma"]), float(best["score"]), table, fold_scores)


def search_folds(
    models: SharedKernel, parts: Sequence[TrainTest], distance: float, *, journal: str | Path | None = None,
    name: str = "search", break_ties: bool = True, **options,
) -> SearchResult:
    """Choose C and gamma by the accuracy over all parts, each predicted by the model that was trained for it.

    See `journal_of` for `journal` and `name`, `predicted_classes` for `break_ties`, and `search` for all others.
    """

    def right_answers(C: float, gamma: float) -> Iterator[tuple[int, int]]:
        for (_, test), values in zip(parts, models.values(C, gamma, parts), strict=True):
            yield int(np.sum(predicted_classes(values, break_ties) == models.y[test])), len(test)

    return search(right_answers, distance, **options, **journal_of(journal, name, models, parts))


def journal_of(folder: str | Path | None, name: str, models: SharedKernel, parts: Sequence[TrainTest]) -> dict[str, object]:
    """Return the arguments `journal` and `problem` of `search`, by a hash of the distances, the parts and their labels."""
    if folder is None:
        return {}
    faces = np.unique(np.concatenate([rows for part in parts for rows in part]))  # the labels of others must not matter
    hashed = [hash_array(rows.astype(np.int64)) for rows in (models.y[faces], *(rows for part in parts for rows in part))]
    problem = hash_parameters({"distances": hash_array(models.D2), "labels and parts": hashed})
    return {"journal": folder, "problem": f"{name}-{problem}"}
