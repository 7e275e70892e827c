"""Before anything expensive runs: is the data that a profile needs there, is it what it should be, and does it suffice?

A set that is marked optional may be missing, which it also is where its folder holds no files or not the table that its
source reads: a named substitute takes its place where there is one, else the set and its experiments are left out.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.book.profile import Absences, ActionUnitExperiment, Profile, ProfileError, read_profile
from fergan.data.checks import DataReport, check_photographs
from fergan.data.collections import open_photographs
from fergan.data.config import SetConfig, Substitute
from fergan.data.cropping import TIGHT, tried
from fergan.data.faces import subjects_of
from fergan.data.photographs import Photographs
from fergan.facs import ACTION_UNITS

#: A training that is fitted to few faces has at least so many steps; after fewer its samples are grey.
LEAST_STEPS = 1000

#: Sources that read a table beside the photographs -> what it is.
_WITH_CSV = {"manifest": "a table with a column 'path'", "enhanced-ck": "the table of Action Units per frame"}


def load_profile(path: str | Path, data: str = "") -> Profile:
    """Read a profile, replace the sets that are not there by their substitutes, and leave out those that have none.

    ProfileError, one line per fault, where something in it cannot work or a set that is needed is not there.
    """
    profile = _fitted(_without_missing(read_profile(path, data)))
    if faults := _missing(profile):
        raise ProfileError("\n".join(f"{path}: {fault}" for fault in faults))
    return profile


def _fitted(profile: Profile) -> Profile:
    """Ask of the reader's own photographs what their table can answer, and train for as long as few faces need."""
    if not profile.fitted or len(profile.datasets) != 1:
        return profile
    (name,) = profile.datasets
    try:
        labels = _open(profile, name, profile.datasets[name].n_faces).labels
    except (ValueError, OSError):  # which the check says
        return profile
    known, change = labels.dropna(subset="emotion"), {}
    if not profile.au_experiments and any(labels[unit].nunique() == 2 for unit in ACTION_UNITS):
        change["au_experiments"] = [ActionUnitExperiment(experiment=11, pretrained=name, train=name, test=name)]
    if known["emotion"].nunique() < 2 and (profile.au_experiments or change):
        change["emotion_experiments"] = []
    people = len(set(subjects_of(labels)))
    most = min(len(set(subjects_of(known))), *known["emotion"].value_counts()) if len(known) else people
    for section, key, possible in (("emotions", "n_folds", max(3, most)), ("action_units", "n_folds", max(3, people)),
                                   ("label_efficiency", "n_splits", max(2, most))):  # fmt: skip
        config = getattr(profile, section)
        change[section] = config.model_copy(update={key: int(min(getattr(config, key), possible))})
    batch = min(profile.training.batch_size, max(4, 2 ** int(np.log2(max(4, len(labels) / 4)))))
    epochs = max(profile.training.epochs, -(-LEAST_STEPS // max(1, len(labels) // batch)))
    return profile.model_copy(update=change | {"training": profile.training.changed(batch_size=batch, epochs=epochs)})


def _without_missing(profile: Profile) -> Profile:
    datasets, found = {}, {"replaced": {}, "left_out": [], "looked": {}}
    for name, dataset in profile.datasets.items():
        if reason := _absent(profile, dataset):
            found["looked"][name] = f"{profile.dataset_folder(name) if profile.data else f'DATA/{dataset.folder}'} {reason}"
            if dataset.substitute and not _absent(profile, dataset.substitute):
                found["replaced"][name] = dataset.substitute.name
                dataset = dataset.model_copy(update=dataset.substitute.model_dump(exclude={"name"}))
            elif dataset.optional:
                found["left_out"].append(name)
                continue
        datasets[name] = dataset
    kept = {"datasets": datasets}
    for kind in ("emotion_experiments", "au_experiments"):
        everything = getattr(profile, kind)
        found[kind] = [experiment for experiment in everything if set(experiment.roles.values()) & set(found["left_out"])]
        kept[kind] = [experiment for experiment in everything if experiment not in found[kind]]
    return profile.model_copy(update=kept | {"absences": Absences(**found)})


def _absent(profile: Profile, place: SetConfig | Substitute) -> str:
    """Return why a set counts as absent, in words that follow its folder's name; nothing where it is there."""
    folder = Path(profile.data) / place.folder
    if place.source == "rendered":
        return ""
    try:
        if not profile.data or not folder.is_dir():
            return "does not exist"
        if place.source in _WITH_CSV and not (folder / place.csv).is_file():
            return f"holds no {place.csv}, {_WITH_CSV[place.source]}"
        return "" if _holds_files(folder) else "holds no files"
    except PermissionError:  # something is there; opening it says what may not be read
        return ""


def _holds_files(folder: Path) -> bool:
    """Say whether a file lies anywhere in a folder, but for the hidden ones that systems leave behind."""
    return any(_holds_files(path) if path.is_dir() else not path.name.startswith(".") for path in folder.iterdir())


def _missing(profile: Profile) -> list[str]:
    """Say that the data folder cannot be read, that no experiment is left, or which sets are missing that are needed."""
    absences = profile.absences
    try:
        if profile.data and absences.looked:
            os.listdir(profile.data)
    except OSError as error:
        return [f"the data folder {profile.data} cannot be read ({error.strerror.lower()}); give that of the photographs"]
    if absences.left_out and not (profile.emotion_experiments or profile.au_experiments):
        fault = f"no experiment can be made with {profile.data}" if profile.data else "no folder of photographs was given"
        looked = [f"  {name}: {absences.looked[name].removesuffix(' does not exist')}" for name in absences.left_out]
        give = f"Give the folder that holds them, for example DATA=/path PROFILE={profile.name} make book."
        how = "How to get each: book/datasets.md, the chapter on data."
        return ["\n".join([f"{fault}; missing are", *looked, give, how])]
    give = "needs photographs; give their folder, for example DATA=/path make book"
    return [f"datasets.{name}: {profile.dataset_folder(name)} {reason}" if profile.data else f"datasets.{name} {give}"
            for name, dataset in profile.datasets.items() if (reason := _absent(profile, dataset))]


def absence_lines(absences: Absences) -> list[str]:
    """Return one sentence for each set that is not there."""
    lines = [f"{name}: {absences.looked[name]}; {by} takes its place" for name, by in absences.replaced.items()]
    for name in absences.left_out:
        needed = ", ".join(absences.experiments_without(name)) or "no experiment"
        lines.append(f"{name}: {absences.looked[name]}; left out, and with it {needed}")
    return lines


@dataclass(frozen=True)
class DataCheck:
    """What was found about the photographs of a profile."""

    profile: Profile
    reports: dict[str, DataReport]  # per set that is photographed and could be opened
    n_photographs: dict[str, int]  # how many of each of these sets are used, after any cut by ``n_faces``
    faults: list[str]  # why an experiment cannot be what it claims, one sentence each; empty where all can

    @property
    def warnings(self) -> list[str]:
        """What is not as published and yet leaves every experiment possible, one sentence each."""
        return [f"{name}: {warning}" for name, report in self.reports.items() for warning in report.warnings]

    def lines_before_work(self) -> list[str]:
        """Return what is missing, fitted to the photographs or doubtful as text."""
        return [*self._plan(), *(f"warning: {warning}" for warning in self.warnings)]

    def _plan(self) -> list[str]:
        of, lines = self.profile, absence_lines(self.profile.absences)
        if of.fitted:
            kinds = {"emotions": of.emotion_experiments, "Action Units": of.au_experiments}
            lines.append(f"fitted to the photographs: {' and '.join(kind for kind, some in kinds.items() if some)}, "
                         f"{of.emotions.n_folds} folds; a training of {of.training.epochs} epochs in batches of "
                         f"{of.training.batch_size}")
        return lines

    def lines(self) -> list[str]:
        """Return the whole check as text."""
        lines = self._plan()
        for name, report in self.reports.items():
            lines += ["", f"{name}: {self.n_photographs[name]:,} photographs to read", *(f"  {x}" for x in report.lines())]
        lines += ["", *(f"fault: {fault}" for fault in self.faults)] if self.faults else []
        if not self.reports and not self.faults:
            return [*lines, f"profile {self.profile.name}: every face is rendered, so there is nothing to check"]
        return [*lines, "", f"profile {self.profile.name}: faults: {len(self.faults)}, warnings: {len(self.warnings)}"]


def check_plan(profile: Profile) -> DataCheck:
    """Return what `check_data` finds where every experiment can be made; ProfileError, one line per fault, where not."""
    found = check_data(profile)
    if found.faults:
        data = f" DATA={profile.data}" if profile.data else ""
        lines = [f"profiles/{profile.name}.yaml: {fault}" for fault in found.faults]
        raise ProfileError("\n".join([*lines, f"The whole report: PROFILE={profile.name}{data} make check-data"]))
    return found


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
            used = ["emotions"] if any(name == of.target for of in profile.emotion_experiments) else []
            if any(name in (of.train, of.test) for of in profile.au_experiments):
                used.append("emotions" if dataset.relabel else "Action Units")
            reports[name] = check_photographs(opened, dataset.source, dataset.variant, used)
            border, n_tried, n_lost = tried(opened, dataset.faces)
            if n_lost:
                reports[name].warnings.append(
                    f"no face is found in {n_lost} of {n_tried} photographs that were tried; where faces are small, lower "
                    f"datasets.{name}.min_face_fraction ({dataset.min_face_fraction:g}), where they fill it, raise padding")
            if border > TIGHT:
                reports[name].warnings.append(
                    f"the faces are cut tight: about {border:.0%} of the area of their crops lies outside the photographs "
                    f"and would repeat their border; where they are cropped already, set datasets.{name}.detector to none")
            labels[name] = opened.labels if dataset.n_faces is None else _open(profile, name, dataset.n_faces).labels
        except (ValueError, OSError) as error:
            faults.append(f"datasets.{name}: {error}")
        else:
            faults += [f"datasets.{name}: {fault}" for fault in reports[name].faults]
    for find in (_emotion_faults, _au_faults, _network_faults) if labels else ():  # the first imports scikit-learn
        faults += find(profile, labels)
    return DataCheck(profile, reports, {name: len(table) for name, table in labels.items()}, faults)


def _open(profile: Profile, name: str, n_faces: int | None) -> Photographs:
    of = profile.datasets[name]
    return open_photographs(name, of.source, folder=profile.dataset_folder(name), csv=of.csv, variant=of.variant,
                            n_faces=n_faces, seed=profile.seed)


def _emotion_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    from fergan.experiments import cross_validation as cv  # slow to import

    emotions, efficiency = profile.emotions, profile.label_efficiency
    for experiment in (e for e in profile.emotion_experiments if e.target in labels):
        known = labels[experiment.target].dropna(subset="emotion").reset_index(drop=True)
        where = f"emotion experiment {experiment.experiment} on {experiment.target}"
        if known.empty:
            yield f"{where}: no photograph has an emotion; add a column 'emotion', or take the experiment out"
            continue
        attempts = {where: (cv.learnable_folds, emotions.n_folds, emotions.seed)}
        if experiment.target in (*efficiency.targets, *efficiency.size_targets):
            of = efficiency.n_splits, efficiency.seed
            attempts[f"label_efficiency.n_splits on {experiment.target}"] = cv.grouped_folds, *of
        for place, (make, *of) in attempts.items():
            try:
                make(known["emotion"].to_numpy(str), subjects_of(known), *of)
            except ValueError as error:
                yield f"{place}: {error}"


def _au_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Say where nothing is coded, and where too few people are trained on for the folds that choose or score."""
    for experiment in profile.au_experiments:
        for role in ("train", "test"):
            name = getattr(experiment, role)
            coded = name in labels and any(labels[name][unit].nunique() == 2 for unit in ACTION_UNITS)
            if name in labels and not profile.datasets[name].relabel and not coded:
                yield (f"Action Unit experiment {experiment.experiment}, {role} set {name}: no Action Unit is coded both "
                       "present and absent; look at its labels, add columns such as AU12 or smile to its table, "
                       "set relabel, or take the experiment out")
        key = "n_folds" if experiment.train == experiment.test else "inner_folds"
        needed = getattr(profile.action_units, key)
        if experiment.train in labels and (people := len(set(subjects_of(labels[experiment.train])))) < needed:
            yield (f"Action Unit experiment {experiment.experiment}, train set {experiment.train}: {people} people for "
                   f"{needed} folds; lower action_units.{key}")


def _network_faults(profile: Profile, labels: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Say where a network has fewer faces to learn from than a batch holds."""
    for name, (dataset, config, only) in profile.models.items():
        if dataset not in labels:
            continue
        n = int((labels[dataset][only] == 1).sum()) if only else len(labels[dataset])
        if n < config.batch_size:
            what = f"photographs of {dataset} show {only}" if only else f"photographs of {dataset}"
            where = f"further_models.{name}" if name in profile.further_models else f"training on {name}"
            yield f"{where}: {n} {what}, a batch needs {config.batch_size}; lower batch_size, or take it out"
