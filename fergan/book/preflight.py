"""Before anything expensive runs: are the photographs of a profile what they should be, and can its experiments be made?

File names, sizes, tables of labels and hashes are read; no photograph is decoded beyond what `fergan.data.verification`
needs. Rendered faces need no such check.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fergan.book.absences import without_set
from fergan.book.network_pages import further_models
from fergan.book.profile_schema import Absences, Profile
from fergan.book.profiles import ProfileError
from fergan.data import open_photographs
from fergan.data.base import Photographs
from fergan.data.faces import subjects_of
from fergan.data.manifest import has_manifest
from fergan.data.verification import DataReport, verify
from fergan.experiments.cross_validation import grouped_folds, random_folds
from fergan.facs import ACTION_UNITS
from fergan.files import write_json
from fergan.gan.config import TrainConfig

__all__ = ["DataCheck", "check_data", "check_plan"]


@dataclass(frozen=True)
class DataCheck:
    """What was found about the photographs of a profile.

    Attributes
    ----------
    profile : str
        Its name.
    absences : Absences
        Which sets are not there, and what was done about it.
    reports : dict of str to DataReport
        Per set that is photographed and could be opened: faults and warnings.
    n_photographs : dict of str to int
        How many of each of these sets are used, after any cut by ``n_faces``.
    faults : list of str
        Why an experiment cannot be what it claims, one sentence each; empty where all can.
    """

    profile: str
    absences: Absences
    reports: dict[str, DataReport]
    n_photographs: dict[str, int]
    faults: list[str]

    @property
    def warnings(self) -> list[str]:
        """What is not as published and yet leaves every experiment possible, one sentence each."""
        return [f"{name}: {warning}" for name, report in self.reports.items() for warning in report.warnings]

    def lines(self) -> list[str]:
        """Return the whole check as text."""
        lines = self.absences.lines()
        for name, report in self.reports.items():
            lines += ["", f"{name}: {self.n_photographs[name]:,} photographs are used", *(f"  {x}" for x in report.lines())]
        lines += ["", *(f"fault: {fault}" for fault in self.faults)] if self.faults else []
        if not self.reports and not self.faults:
            return [*lines, f"profile {self.profile}: every face is rendered, so there is nothing to check"]
        return [*lines, "", f"profile {self.profile}: faults: {len(self.faults)}, warnings: {len(self.warnings)}"]

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        content: dict[str, Any] = {
            "profile": self.profile, "absences": self.absences.model_dump(), "faults": self.faults,
            "sets": {name: {"used": self.n_photographs[name]} | report.to_dict() for name, report in self.reports.items()},
        }
        write_json(path, content)


def check_data(profile: Profile) -> DataCheck:
    """Look at the photographs of every set, and at the labels behind every experiment."""
    reports: dict[str, DataReport] = {}
    labels: dict[str, pd.DataFrame] = {}
    faults: list[str] = []
    for name, dataset in profile.datasets.items():
        if dataset.source == "rendered":
            continue
        try:
            opened = _open(profile, name, None)
            reports[name] = verify(opened, dataset.source, dataset.variant, _labels_used(profile, name))
            labels[name] = opened.labels if dataset.n_faces is None else _open(profile, name, dataset.n_faces).labels
        except (ValueError, OSError) as error:
            faults.append(_with_way_out(profile, name, str(error)))
        else:
            faults += [_with_way_out(profile, name, fault) for fault in reports[name].faults]
    for find in (_emotion_faults, _au_faults, _people_faults, _only_faults):
        faults += find(profile, labels)
    return DataCheck(profile.name, profile.absences, reports, {name: len(table) for name, table in labels.items()}, faults)


def _labels_used(profile: Profile, name: str) -> set[str]:
    """Return which kinds of labels of a set some experiment depends on."""
    used = {"emotions"} if any(experiment.target == name for experiment in profile.emotion_experiments) else set()
    if any(name in (experiment.train, experiment.test) for experiment in profile.au_experiments):
        used.add("emotions" if profile.datasets[name].relabel else "Action Units")
    return used


def _with_way_out(profile: Profile, name: str, fault: str) -> str:
    """Return a fault of a set, and what may be done about it where the profile can do without the set."""
    without = without_set(profile, name)
    way_out = f"complete it, or move the folder away: the set is then {without}" if without else ""
    between = "\n" if "\n" in fault else "; "  # a fault that ends with the tree that is expected
    return f"datasets.{name}: {fault}{between}{way_out}" if way_out else f"datasets.{name}: {fault}"


def _open(profile: Profile, name: str, n_faces: int | None) -> Photographs:
    dataset = profile.datasets[name]
    return open_photographs(
        name, dataset.source, folder=profile.dataset_folder(name), csv=dataset.csv, variant=dataset.variant, n_faces=n_faces,
        seed=profile.seed,
    )


def check_plan(profile: Profile) -> DataCheck:
    """Return what `check_data` finds where every experiment can be made.

    Raises
    ------
    ProfileError
        The photographs of a set or a table of labels cannot be read, or an experiment cannot be what it says; one line
        per fault.
    """
    found = check_data(profile)
    if found.faults:
        data = f" DATA={profile.data}" if profile.data else ""
        raise ProfileError("\n".join([
            *(f"profiles/{profile.name}.yaml: {fault}" for fault in found.faults),
            f"The whole report: PROFILE={profile.name}{data} make check-data",
        ]))
    return found


def _emotion_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    for experiment in profile.emotion_experiments:
        if experiment.target not in labels:
            continue
        table = labels[experiment.target]
        known = table[table["emotion"].notna()].reset_index(drop=True)
        where = f"emotion experiment {experiment.experiment} on {experiment.target}"
        if known.empty:
            add = "add a column 'emotion'" if _has_own_table(profile, experiment.target) else "look at its labels"
            yield f"{where}: no photograph has an emotion; {add} or take the experiment out"
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
                add = "look at its labels, set relabel"
                if _has_own_table(profile, name):
                    add = "add columns such as AU12 or smile, set relabel"
                elif profile.datasets[name].source == "enhanced-ck":
                    add = f"add columns such as AU12 to {profile.datasets[name].csv}"
                yield f"{where}: no Action Unit is coded both present and absent; {add}, or take the experiment out"


def _has_own_table(profile: Profile, name: str) -> bool:
    """Say whether a set's labels are in a table of its photographs, to which columns can be added."""
    dataset = profile.datasets[name]
    return dataset.source == "manifest" or has_manifest(Path(profile.dataset_folder(name)) / dataset.csv)


def _people_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Say where too few people are trained on for the folds that choose or score."""
    for experiment in profile.au_experiments:
        needed = profile.search.n_folds if experiment.train == experiment.test else profile.search.inner_folds
        if experiment.train in labels and (people := len(set(subjects_of(labels[experiment.train])))) < needed:
            yield (f"Action Unit experiment {experiment.experiment}, train set {experiment.train}: {people} people for "
                   f"{needed} folds; lower search.{'n_folds' if needed == profile.search.n_folds else 'inner_folds'}")


def _only_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Say where too few faces show the Action Unit that a network is to learn from."""
    for name, model in further_models(profile).items():
        if not model.only or model.dataset not in labels:
            continue
        shown = int((labels[model.dataset][model.only] == 1).sum())
        config = TrainConfig(preset=profile.training.preset, **profile.training.changes() | model.changes)
        if shown < config.batch_size:
            yield (f"further_models.{name}: {shown} photographs of {model.dataset} show {model.only}, a batch needs "
                   f"{config.batch_size}; choose another Action Unit, lower batch_size in its changes, or take it out")


def _fold_faults(where: str, make: Callable[..., object], *arguments: object) -> Iterator[str]:
    try:
        make(*arguments)
    except ValueError as error:
        yield f"{where}: {error}"


def _varying(labels: pd.DataFrame) -> list[str]:
    return [unit for unit in ACTION_UNITS if labels[unit].nunique() == 2]
