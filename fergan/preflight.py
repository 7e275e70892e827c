"""Before anything expensive runs: can the experiments of a profile be made with the labels that its photographs have?

Only tables of labels are read, no photograph. Rendered faces need no such check.
"""

from collections.abc import Callable, Iterator

import pandas as pd

from fergan.datasets import open_photographs
from fergan.faces import subjects_of
from fergan.facs import ACTION_UNITS
from fergan.profiles import Profile, ProfileError
from fergan.protocols import grouped_folds, random_folds

__all__ = ["check_plan"]


def check_plan(profile: Profile) -> None:
    """Check the labels behind every experiment on photographs.

    Raises
    ------
    ProfileError
        A table of labels cannot be read, or an experiment cannot be what it says; one line per fault.
    """
    faults = []
    labels = {}
    for name, dataset in profile.datasets.items():
        if dataset.source != "rendered":
            folder = profile.dataset_folder(name)
            try:
                opened = open_photographs(name, dataset.source, folder=folder, csv=dataset.csv, n_faces=dataset.n_faces)
            except (ValueError, FileNotFoundError) as error:
                faults.append(f"datasets.{name}: {error}")
            else:
                labels[name] = opened.labels
    faults += _emotion_faults(profile, labels)
    faults += _au_faults(profile, labels)
    faults += _people_faults(profile, labels)
    if faults:
        raise ProfileError("\n".join(f"profiles/{profile.name}.yaml: {fault}" for fault in faults))


def _emotion_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    for experiment in profile.emotion_experiments:
        if experiment.target not in labels:
            continue
        table = labels[experiment.target]
        known = table[table["emotion"].notna()].reset_index(drop=True)
        where = f"emotion experiment {experiment.experiment} on {experiment.target}"
        if known.empty:
            yield f"{where}: no photograph has an emotion; add a column 'emotion' or take the experiment out"
            continue
        y, n_folds = known["emotion"].to_numpy(str), profile.search.n_folds
        yield from _fold_faults(where, random_folds, y, n_folds, profile.seed)
        yield from _fold_faults(where, grouped_folds, y, subjects_of(known), n_folds, profile.seed)


def _au_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    for experiment in profile.au_experiments:
        for role in ("train", "test"):
            name = getattr(experiment, role)
            if name in labels and not profile.datasets[name].relabel and not _varying(labels[name]):
                where = f"Action Unit experiment {experiment.experiment}, {role} set {name}"
                yield (f"{where}: no Action Unit is coded both present and absent; add columns such as AU12 or smile, "
                       "set relabel, or take the experiment out")


def _people_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Say where too few people are trained on for the folds that choose or score."""
    for experiment in profile.au_experiments:
        needed = profile.search.n_folds if experiment.train == experiment.test else profile.search.inner_folds
        if experiment.train in labels and (people := len(set(subjects_of(labels[experiment.train])))) < needed:
            yield (f"Action Unit experiment {experiment.experiment}, train set {experiment.train}: {people} people for "
                   f"{needed} folds; lower search.{'n_folds' if needed == profile.search.n_folds else 'inner_folds'}")


def _fold_faults(where: str, make: Callable[..., object], *arguments: object) -> Iterator[str]:
    try:
        make(*arguments)
    except ValueError as error:
        yield f"{where}: {error}"


def _varying(labels: pd.DataFrame) -> list[str]:
    return [unit for unit in ACTION_UNITS if labels[unit].nunique() == 2]
