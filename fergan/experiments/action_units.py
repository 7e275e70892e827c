"""The Action Unit experiments: one linear C-SVC per Action Unit, within one dataset or from one to another.

All Action Units share one Gram matrix and the same folds. Labels that are the same for every training face
(as those derived from an emotion often are) share one classifier, so that they cannot differ by rounding.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from fergan.experiments.au_data import AUData, relabel
from fergan.experiments.au_folds import distinct_units, unit_folds
from fergan.experiments.au_intensity import INTENSITY
from fergan.experiments.au_learning import learn
from fergan.experiments.au_scores import intensity_scores, labels_of, occurrence_scores, oracle_scores
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT, fold_blocks, fold_numbers
from fergan.experiments.intervals import bootstrap_interval
from fergan.experiments.scores import ExperimentResult, roc, score_table
from fergan.facs import ACTION_UNITS
from fergan.paper import read_table
from fergan.svm.kernels import gram

__all__ = ["AUData", "AUResult", "paper_au_scores", "relabel", "run_au_experiment"]


class AUResult(ExperimentResult):
    """Scores, predictions and searches of an Action Unit experiment.

    ``predictions`` has one row per face, Action Unit, protocol and feature set: ``protocol, features, label,
    face, subject, fold, occurrence, value, predicted``; the last two are NaN for an Action Unit that could
    not be learnt.
    """

    def roc(self, protocol: str, features: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the false and the true positive rates of each Action Unit; NaN where they are undefined."""
        table = self.select(protocol, features).dropna(subset=["occurrence", "value"])
        curves = {}
        for unit in ACTION_UNITS:
            rows = table[table["label"] == unit]
            curves[unit] = roc(rows["occurrence"].to_numpy() == 1, rows["value"].to_numpy())
        return curves


def run_au_experiment(
    train: AUData, test: AUData | None = None, *,
    n_folds: int = 10, inner_folds: int = 3, costs: Sequence[float] = (0.01, 0.1, 1.0, 10.0), n_resamples: int = 1000,
    seed: int = 0, n_threads: int = 1, progress: Callable[[str], None] | None = None,
) -> AUResult:
    """Recognise Action Units from each feature set under both protocols.

    Without `test`, within one dataset, as in the emotion experiments: folds at random with C chosen on those
    same folds, or folds of people with C chosen by a nested search. With `test`, from one dataset to another:
    trained on all of `train`, scored on all of `test`; the protocols then differ in the folds of `train`, at
    random or by person, on which C is chosen.

    Parameters
    ----------
    train : AUData
    test : AUData, optional
        With the same feature sets as `train`, and of other people.
    n_folds : int
        Folds within one dataset.
    inner_folds : int
        Folds of the nested search, and of the choice of C across datasets.
    costs : sequence of float
        Values of C to choose from, by the pooled area under the curve, separately for each Action Unit; the
        smallest on a tie. Their unit is that of `fergan.svm.kernels.gram`.
    n_resamples : int
        Bootstrap resamples over people of the tested set for the 95 % intervals of ``auc``, ``auc_true`` and
        ``f1``.
    seed : int
        Of folds and resamples.
    n_threads : int
        Action Units fitted at the same time.
    progress : callable, optional
        Called with a line of text after each protocol and feature set.

    Returns
    -------
    AUResult
        Scores ``auc, average_precision, f1, prevalence, n_positive`` per Action Unit, ``auc_true`` and
        ``auc_true_within`` where the truth is known, and means with the label "all", whose `n_labels` counts the Action
        Units in them; see `fergan.experiments.au_scores`. With the features "emotion" come the scores of an oracle that knows
        the emotion and nothing else. Where both sets are graded there is ``icc``, subject-independent only, of
        intensities that a linear regression estimates with one of the three smallest costs. An Action Unit that is
        absent, or always present, in training or test is NaN, said in `note`, and in no mean. The threshold of F1 is
        the best one on training faces, from decision values of models that did not see them. Within one dataset the
        decision values of n_folds models are pooled; where folds choose costs of their own, on one scale, see
        `fergan.experiments.au_learning.subject_independent`.
    """
    _check(train, test)
    Y = labels_of(train.occurrence)
    folds = unit_folds(Y, np.asarray(train.subjects, str), n_folds if test is None else inner_folds, seed)
    if test is None:
        fold_blocks(n_folds, inner_folds)  # refuses numbers that do not go together while nothing is fitted yet
    costs = np.sort(np.asarray(costs, dtype=float))
    tested = train if test is None else test
    interval = partial(bootstrap_interval, groups=np.asarray(tested.subjects, str), n_resamples=n_resamples, seed=seed)
    rows, predictions, searches = [], [], []
    for name, X in train.features.items():
        K, K_test = gram(X), None if test is None else gram(test.features[name], X)
        for protocol, of_protocol in folds.items():
            base = {"protocol": protocol, "features": name}
            values, thresholds, trials = _occurrences(K, Y, K_test, protocol, of_protocol, costs, inner_folds, n_threads)
            numbers = fold_numbers(len(Y), of_protocol) if test is None else np.full(len(test.subjects), -1)
            rows += [base | row for row in occurrence_scores(values, thresholds, Y, tested, interval)]
            predictions.append(_predictions(base, values, thresholds, tested, numbers))
            searches += [trial.assign(**base) for trial in trials]
            if progress is not None:
                mean = next(r["value"] for r in rows[::-1] if r["score"] == "auc" and r["label"] == "all")
                progress(f"{name}, {protocol}: mean AUC {mean:.3f}")
        if _is_graded(train, tested):
            # The paper grades nothing, so there is no published way that could be repeated.
            graded, honest = labels_of(train.intensity), folds[SUBJECT_INDEPENDENT]
            ladder = np.tile(costs[:3], (len(ACTION_UNITS), 1))
            found = learn(K, graded, K_test, SUBJECT_INDEPENDENT, honest, ladder, inner_folds, n_threads, INTENSITY)
            base = {"protocol": SUBJECT_INDEPENDENT, "features": name}
            rows += [base | row for row in intensity_scores(found.values, graded, tested, interval)]
    oracle = {"protocol": SUBJECT_INDEPENDENT, "features": "emotion"}
    rows += [oracle | row for row in oracle_scores(tested, interval)]
    settings = dict(n_folds=n_folds, inner_folds=inner_folds, costs=costs.tolist(), across=test is not None,
                    n_resamples=n_resamples, seed=seed, features=list(train.features))
    columns = ["protocol", "features", "outer_folds", "label", "C", "auc", "chosen"]
    return AUResult(score_table(rows), pd.concat(predictions, ignore_index=True),
                    pd.concat(searches, ignore_index=True)[columns], settings)


def _occurrences(K, Y, K_test, protocol, folds, costs, inner_folds, n_threads) -> tuple:
    """Return decision values and thresholds of every Action Unit, and the table of each search."""
    distinct, unit_of = distinct_units(Y)
    ladder = np.tile(costs, (distinct.shape[1], 1))
    found = learn(K, distinct, K_test, protocol, folds, ladder, inner_folds, n_threads)
    return found.values[:, unit_of], found.thresholds[:, unit_of], _trials(found.trials, costs, unit_of)


def _check(train: AUData, test: AUData | None) -> None:
    train.check("train")
    if test is not None:
        test.check("test")
        widths = [{name: X.shape[1] for name, X in data.features.items()} for data in (train, test)]
        if widths[0] != widths[1]:
            raise ValueError(f"train has features of widths {widths[0]}, test of {widths[1]}; they must be the same")


def _is_graded(train: AUData, tested: AUData) -> bool:
    """Say whether intensities can be learnt and scored: both sets have them, and the labels are not the emotion's."""
    return train.intensity is not None and tested.intensity is not None and train.true_occurrence is None


def _predictions(base: dict, values, thresholds, tested: AUData, fold: np.ndarray) -> pd.DataFrame:
    predicted = np.where(np.isnan(values), np.nan, values >= thresholds)
    subjects = np.asarray(tested.subjects, str)
    of_units = [
        pd.DataFrame(dict(base, label=unit, face=np.arange(len(values)), subject=subjects, fold=fold,
                          occurrence=tested.occurrence[unit].to_numpy(float), value=values[:, u],
                          predicted=predicted[:, u]))
        for u, unit in enumerate(ACTION_UNITS)
    ]
    return pd.concat(of_units, ignore_index=True)


def _trials(trials, costs: np.ndarray, unit_of: np.ndarray) -> list[pd.DataFrame]:
    return [
        pd.DataFrame(dict(outer_folds=outer_folds, label=unit, C=costs, auc=areas[unit_of[u]],
                          chosen=np.arange(len(costs)) == chosen[unit_of[u]]))
        for outer_folds, chosen, areas in trials for u, unit in enumerate(ACTION_UNITS)
    ]


def paper_au_scores(experiment: int) -> pd.DataFrame:
    """Return the paper's areas under the curve (Table IV) as a table of scores.

    The paper states neither intervals nor numbers of faces or people: these are NaN and 0.

    Parameters
    ----------
    experiment : int
        1 to 8.
    """
    if experiment not in range(1, 9):
        raise ValueError(f"the paper has Action Unit experiments 1 to 8, not {experiment!r}")
    areas = read_table("table4_au_auc").set_index("au")[f"exp{experiment}"]
    base = dict(protocol="paper", features="discriminator", score="auc")
    rows = [dict(base, label=unit, value=areas[unit]) for unit in ACTION_UNITS]
    return score_table([*rows, dict(base, label="all", value=areas["Average"], n_labels=len(ACTION_UNITS))])
