"""Profiles: which faces, networks and experiments a book is made of, checked before anything runs.

A profile is a YAML file under ``profiles/``. A misspelt key, a wrong type, an experiment on a set that is not there or a
missing folder is one clear line that names the key.

A set that is marked optional may be missing, which it also is where its folder holds no files or not the table that its
source reads: a named substitute takes its place where there is one, else the set and its
experiments are left out. The profile that `load_profile` returns holds what there is, and under ``absences`` what there is
not, so that every later stage sees only faces that can be had.
"""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fergan.facs import EMOTION_MAPPINGS
from fergan.paper import read_table
from fergan.runs import make_config

__all__ = [
    "Absences", "ActionUnitExperiment", "DatasetProfile", "EmotionExperiment", "Profile", "ProfileError", "Substitute",
    "load_profile",
]

#: Sources that read a table beside the photographs -> what it is.
_WITH_CSV = {"manifest": "a table with a column 'path'", "enhanced-ck": "the table of Action Units per frame"}

#: Keys of `fergan.datasets.SOURCES`.
_Source = Literal[
    "rendered", "manifest", "rafd", "kdef", "raf-db", "celeba", "ck-plus", "enhanced-ck", "sfew", "lfw", "olivetti", "genki",
    "cmu-faces", "london",
]


class ProfileError(ValueError):
    """A profile cannot be used; the message names the file, the key and what was expected."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Substitute(_Section):
    """What takes the place of a face set whose photographs are not there."""

    name: str = Field(min_length=1, description="what the pages call it, for example CK+")
    source: _Source = Field(description="as for the set itself; so are the next three")
    folder: str = ""
    csv: str = "labels.csv"
    variant: str = ""
    n_faces: int | None = Field(None, ge=16, description="cut to this many photographs; null takes all")


class DatasetProfile(_Section):
    """One face set: where its photographs come from and how its faces are cropped."""

    source: _Source = Field(description="the renderer, a collection as its owners ship it, or a folder with a CSV")
    folder: str = Field("", description="folder of the photographs, relative to the data folder")
    csv: str = Field("labels.csv", description="the folder's table of labels, where the source reads one")
    variant: str = Field("", description="which part of the collection; empty takes the source's default")
    optional: bool = Field(False, description="go on without this set where its folder is missing")
    substitute: Substitute | None = Field(None, description="what takes its place where its folder is missing")
    n_faces: int | None = Field(None, ge=16, description="cut to this many photographs; null takes all")
    detector: Literal["viola-jones", "mtcnn"] = Field("mtcnn", description="face detector")
    choose: Literal["center-weighted", "largest", "most-central", "surest"] = Field(
        "center-weighted", description="which of several faces"
    )
    min_face_fraction: float = Field(0.2, gt=0, le=1, description="smallest face sought, fraction of the shorter side")
    cascades: Literal["frontal", "frontal+profile"] = Field("frontal", description="what viola-jones looks for")
    align: bool = Field(False, description="rotate crops until the eyes are level; mtcnn only")
    margin: float = Field(0.1, ge=0, le=1, description="widening of the face box, fraction of its side")
    nominal_box: bool = Field(False, description="crop undetected faces at the median box of their view (fixed cameras)")
    relabel: str = Field("", description="derive Action Units from emotions by this mapping; empty keeps coded ones")
    epochs: int | None = Field(None, ge=1, description="passes over this set in training; null takes training's")


class TrainingProfile(_Section):
    """How the generators are trained; every value but these comes from the preset."""

    preset: str = Field("radford2015", description="a key of fergan.runs.PRESETS")
    width: int | None = None
    generator_width: int | None = None
    latent_dim: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    weight_std: float | None = None
    epochs: int | None = None
    average_decay: float | None = None
    label_noise: float | None = None
    discriminator_updates: int | None = None
    augment: str | None = None
    flip_probability: float | None = None
    precision: str | None = None
    threads: int = Field(1, ge=1, description="processor threads of one training run")
    checkpoint_seconds: float = Field(20.0, gt=0, description="seconds between checkpoints")

    def changes(self) -> dict[str, int | float | str]:
        """Return what this profile changes in the preset; `fergan.runs.TrainConfig` says what each value means."""
        running = {"preset", "threads", "checkpoint_seconds"}
        return {key: value for key, value in self.model_dump(exclude=running).items() if value is not None}


class ModelProfile(_Section):
    """A further generator of a face set, beside the one that the experiments use: what it changes in training's values."""

    dataset: str
    changes: dict[str, int | float | str] = Field(min_length=1, description="fields of fergan.runs.TrainConfig")


class SearchProfile(_Section):
    """Folds, hyperparameter search and intervals of the experiments."""

    baselines: list[Literal["untrained", "hog", "pixels"]] = Field(["hog", "pixels"])
    n_folds: int = Field(10, ge=3)
    inner_folds: int = Field(3, ge=2, description="folds of the nested search")
    n_evaluations: int = Field(30, ge=3, description="candidates of the hyperparameter search")
    nested_evaluations: int = Field(30, ge=3, description="candidates of each nested search")
    n_resamples: int = Field(1000, ge=100, description="bootstrap resamples over people")


class QualityProfile(_Section):
    """How generated faces are judged."""

    n_samples: int = Field(1000, ge=200)


class EmotionExperiment(_Section):
    """A discriminator pretrained on one set, its features classified on another."""

    experiment: int = Field(ge=1)
    pretrained: str
    target: str

    @property
    def sets(self) -> tuple[str, ...]:
        """The face sets that it needs."""
        return self.pretrained, self.target


class ActionUnitExperiment(_Section):
    """A discriminator pretrained on one set; linear SVMs trained on a second and tested on a third."""

    experiment: int = Field(ge=1)
    pretrained: str
    train: str
    test: str

    @property
    def sets(self) -> tuple[str, ...]:
        """The face sets that it needs."""
        return self.pretrained, self.train, self.test


class Absences(_Section):
    """What of a profile is not there, and what was done about it.

    Attributes
    ----------
    replaced : dict of str to str
        Face set -> the name of its substitute.
    left_out : list of str
        Face sets without photographs and without a substitute.
    folders : dict of str to str
        The folder in which each of these sets was looked for.
    reasons : dict of str to str
        What was found there, in words that follow the folder's name: "does not exist".
    substitutes : dict of str to str
        What could take the place of a set that is left out, and where it was looked for.
    emotion_experiments, au_experiments : list
        The experiments that need a set that is left out.
    """

    replaced: dict[str, str] = {}
    left_out: list[str] = []
    folders: dict[str, str] = {}
    reasons: dict[str, str] = {}
    substitutes: dict[str, str] = {}
    emotion_experiments: list[EmotionExperiment] = []
    au_experiments: list[ActionUnitExperiment] = []

    def experiments_without(self, name: str) -> list[str]:
        """Return in words which experiments are left out because this set is not there."""
        kinds = (("emotion", self.emotion_experiments), ("Action Unit", self.au_experiments))
        return [f"{kind} experiment {e.experiment}" for kind, experiments in kinds for e in experiments if name in e.sets]

    def lines(self) -> list[str]:
        """Return one sentence for each set that is not there."""
        lines = [f"{name}: {self._looked(name)}; {by} takes its place" for name, by in self.replaced.items()]
        for name in self.left_out:
            needed = ", ".join(self.experiments_without(name)) or "no experiment"
            line = f"{name}: {self._looked(name)}; left out, and with it {needed}"
            could = self.substitutes.get(name)
            lines.append(f"{line}; {could} could take its place" if could else line)
        return lines

    def _looked(self, name: str) -> str:
        return f"{self.folders[name]} {self.reasons.get(name, 'does not exist')}"


class Profile(_Section):
    """A whole book's parameters. `load_profile` reads it, and fills in ``name``, ``data`` and ``absences``."""

    name: str
    data: str = ""
    absences: Absences = Absences()
    description: str
    seed: int = 0
    datasets: dict[str, DatasetProfile] = Field(min_length=1)
    training: TrainingProfile = TrainingProfile()
    further_models: dict[str, ModelProfile] = {}
    search: SearchProfile = SearchProfile()
    quality: QualityProfile = QualityProfile()
    emotion_experiments: list[EmotionExperiment] = []
    au_experiments: list[ActionUnitExperiment] = []

    @property
    def rendered(self) -> bool:
        """Whether any face of this profile is rendered rather than photographed."""
        return any(dataset.source == "rendered" for dataset in self.datasets.values())

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The distinct (pretrained, target) pairs whose features some experiment needs."""
        needed = [(e.pretrained, e.target) for e in self.emotion_experiments]
        for e in self.au_experiments:
            needed += [(e.pretrained, e.train), (e.pretrained, e.test)]
        return list(dict.fromkeys(needed))

    def dataset_folder(self, name: str) -> str:
        """Return the absolute folder of a dataset's photographs; empty for rendered ones."""
        dataset = self.datasets[name]
        return "" if dataset.source == "rendered" else str((Path(self.data) / dataset.folder).resolve())

    def without(self, name: str) -> str:
        """Return what becomes of this set where its folder is moved away: replaced or left out; empty where it is needed."""
        dataset = self.datasets[name]
        if name not in self.absences.replaced and dataset.substitute and not _absent(self, dataset.substitute):
            return f"replaced by {dataset.substitute.name}"
        return "left out" if dataset.optional else ""


def load_profile(path: str | Path, data: str = "") -> Profile:
    """Read and check a profile.

    Parameters
    ----------
    path : path
        A YAML file.
    data : str
        The data folder; needed where a dataset comes from photographs.

    Raises
    ------
    ProfileError
        Something in it cannot work; the message has one line per fault.
    """
    path = Path(path)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ProfileError(f"profile {path} does not exist; profiles there: {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ProfileError(f"{path} is not readable as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ProfileError(f"{path} is empty; expected keys such as description, datasets and training")
    content = _paper_experiments(content) | {"name": path.stem, "data": data}
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        raise ProfileError("\n".join(_explain(path, item) for item in error.errors())) from error
    faults = _faults(profile)
    profile = _without_what_is_missing(profile)
    faults += _data_faults(profile)
    faults += _nothing_left(profile) or [fault for name in profile.datasets for fault in _folder_faults(profile, name)]
    if faults:
        raise ProfileError("\n".join(f"{path}: {fault}" for fault in faults))
    return profile


def _absent(profile: Profile, place: DatasetProfile | Substitute) -> str:
    """Return why a set counts as absent, in words that follow its folder's name; nothing where it is there."""
    if place.source == "rendered":
        return ""
    if not profile.data:
        return "does not exist"
    folder = Path(profile.data) / place.folder
    try:
        if not folder.is_dir():
            return "is a file" if folder.exists() else "does not exist" + _alike(profile, place.folder)
        if place.source in _WITH_CSV and not (folder / place.csv).is_file():
            return f"holds no {place.csv}, {_WITH_CSV[place.source]}"
        return "" if _holds_files(folder) else "holds no files"
    except PermissionError:  # something is there; opening it says what may not be read
        return ""


def _holds_files(folder: Path) -> bool:
    """Say whether a file lies anywhere in a folder, but for the hidden ones that systems leave behind."""
    def refuse(error: OSError) -> None:
        raise error

    parts = os.walk(folder, onerror=refuse, followlinks=True)
    return any(not name.startswith(".") for _, _, names in parts for name in names)


def _alike(profile: Profile, folder: str) -> str:
    """Return which folder may be meant by one that is not there, in words that follow "does not exist"."""
    places = [place for dataset in profile.datasets.values() for place in (dataset, dataset.substitute) if place]
    expected = {place.folder for place in places}
    try:
        there = [entry.name for entry in os.scandir(profile.data) if entry.is_dir() and entry.name not in expected]
    except OSError:
        return ""
    by_case = {name.casefold(): name for name in there}
    alike = by_case.get(folder.casefold()) or next(iter(difflib.get_close_matches(folder, there, n=1, cutoff=0.75)), "")
    return f" (is it {alike}, which is there? Then name it {folder})" if alike else ""


def _data_faults(profile: Profile) -> Iterator[str]:
    """Yield what is wrong with the data folder itself, where a set of photographs needs it."""
    folders = {dataset.folder for dataset in profile.datasets.values() if dataset.source != "rendered"}
    folders |= {Path(folder).name for folder in profile.absences.folders.values()}
    if not profile.data or not folders:
        return
    data = Path(profile.data)
    try:
        if data.is_dir() and not os.access(data, os.R_OK | os.X_OK):
            yield f"the data folder {data} may not be read; give yourself the right to, for example chmod u+rx {data}"
        elif data.is_file():
            yield f"the data folder {data} is a file; give the folder that holds the photographs"
        elif not data.exists():
            siblings = [path.name for path in data.parent.iterdir() if path.is_dir()] if data.parent.is_dir() else []
            alike = difflib.get_close_matches(data.name, siblings, n=1)
            hint = f"; did you mean {data.parent / alike[0]}?" if alike else ""
            yield f"the data folder {data} does not exist{hint}"
        elif not any((data / folder).is_dir() for folder in folders):
            own = next((folder for folder in folders if folder.casefold() == data.name.casefold()), "")
            if own:
                yield f"the data folder {data} looks like {own} itself; give the folder that holds it, DATA={data.parent}"
    except PermissionError as error:
        yield f"the data folder {data} may not be read: {error.strerror.lower()} at {error.filename}"


def _without_what_is_missing(profile: Profile) -> Profile:
    """Replace the sets that are not there by their substitutes, and leave out the optional ones that have none."""
    datasets, replaced, left_out, folders, reasons, substitutes = {}, {}, [], {}, {}, {}
    for name, dataset in profile.datasets.items():
        if reason := _absent(profile, dataset):
            substitute = dataset.substitute
            folders[name] = profile.dataset_folder(name) if profile.data else f"DATA/{dataset.folder}"
            reasons[name] = reason
            if substitute and not _absent(profile, substitute):
                place = substitute.model_dump(exclude={"name"})
                dataset, replaced[name] = dataset.model_copy(update=place), substitute.name
            elif dataset.optional:
                left_out.append(name)
                if substitute:
                    where = Path(profile.data or "DATA") / substitute.folder
                    substitutes[name] = f"{substitute.name} in {where}"
                continue
        datasets[name] = dataset
    kept, lost = {"datasets": datasets}, {}
    for kind in ("emotion_experiments", "au_experiments"):
        everything = getattr(profile, kind)
        lost[kind] = [experiment for experiment in everything if set(experiment.sets) & set(left_out)]
        kept[kind] = [experiment for experiment in everything if experiment not in lost[kind]]
    absences = Absences(
        replaced=replaced, left_out=left_out, folders=folders, reasons=reasons, substitutes=substitutes, **lost
    )
    return profile.model_copy(update=kept | {"absences": absences})


def _nothing_left(profile: Profile) -> list[str]:
    """Return what to do where no experiment is left, or nothing."""
    absences = profile.absences
    if not absences.left_out or profile.emotion_experiments or profile.au_experiments:
        return []
    if not profile.data:
        fault = "no folder of photographs was given; expected in it are"
    elif profile.datasets:
        fault = f"with only {', '.join(profile.datasets)} no experiment can be made; missing are"
    else:
        fault = f"none of its face sets is in {profile.data}; expected are"
    expected = "\n".join(
        f"  {name}: {absences.folders[name]}{'' if reason == 'does not exist' else ' ' + reason}"
        for name in absences.left_out for reason in [absences.reasons[name]]
    )
    return [
        f"{fault}\n{expected}\nGive the folder that holds them, for example DATA=/path PROFILE={profile.name} make book. "
        "How to get each: the chapter \"The data\", book/datasets.md."
    ]


def _paper_experiments(content: dict[str, Any]) -> dict[str, Any]:
    """Let ``emotion_experiments: paper`` and ``au_experiments: paper`` stand for the paper's own lists."""
    content = dict(content)
    if content.get("emotion_experiments") == "paper":
        table = read_table("emotion_experiments")[["experiment", "pretrained", "target"]]
        content["emotion_experiments"] = table.to_dict("records")
    if content.get("au_experiments") == "paper":
        content["au_experiments"] = read_table("table5_au_experiments").to_dict("records")
    return content


def _explain(path: Path, item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(item["loc"][-1]), _all_keys(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{path}: {key} is not a known key{hint}"
    if item["type"] == "missing":
        return f"{path}: {key} is missing"
    return f"{path}: {key} is {item['input']!r}; {item['msg'][0].lower()}{item['msg'][1:]}"


def _all_keys() -> list[str]:
    sections = (Profile, DatasetProfile, Substitute, TrainingProfile, SearchProfile, QualityProfile, EmotionExperiment,
                ActionUnitExperiment)
    return sorted({key for section in sections for key in section.model_fields})


def _faults(profile: Profile) -> list[str]:
    """Return what the schema alone cannot see, one sentence each."""
    faults = []
    faults += _training_faults(profile)
    if not profile.emotion_experiments and not profile.au_experiments:
        faults.append("emotion_experiments and au_experiments are both empty; a book needs at least one experiment")
    for kind in ("emotion_experiments", "au_experiments"):
        experiments = getattr(profile, kind)
        numbers = [experiment.experiment for experiment in experiments]
        for number in sorted({n for n in numbers if numbers.count(n) > 1}):
            faults.append(f"{kind} has number {number} twice")
        for index, experiment in enumerate(experiments):
            for role, name in experiment.model_dump(exclude={"experiment"}).items():
                if name not in profile.datasets:
                    known = ", ".join(profile.datasets)
                    faults.append(f"{kind}.{index}.{role} is {name!r}, which is not among the datasets ({known})")
    for name, dataset in profile.datasets.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or name.startswith("summary") or "-on-" in name:
            faults.append(f"datasets.{name}: a name has only lower-case letters, digits and hyphens, no '-on-' or 'summary'")
        if dataset.source == "rendered" and name not in _stand_ins():
            known = ", ".join(sorted(_stand_ins()))
            faults.append(f"datasets.{name}: no rendered stand-in has this name; there are {known}")
        if dataset.align and dataset.detector != "mtcnn":
            faults.append(f"datasets.{name}.align needs the eyes, which only detector mtcnn finds")
        if dataset.cascades != "frontal" and dataset.detector != "viola-jones":
            faults.append(f"datasets.{name}.cascades: only detector viola-jones has cascades")
        if dataset.relabel and dataset.relabel not in EMOTION_MAPPINGS:
            known = ", ".join(EMOTION_MAPPINGS)
            faults.append(f"datasets.{name}.relabel is {dataset.relabel!r}; expected one of {known}")
        if dataset.substitute and dataset.substitute.source == "rendered" and name not in _stand_ins():
            faults.append(f"datasets.{name}.substitute: no rendered stand-in has this name")
    return faults


def _training_faults(profile: Profile) -> list[str]:
    try:
        make_config(profile.training.preset, **profile.training.changes())
    except ValueError as error:
        return [f"training: {error}"]
    faults = []
    for name, model in profile.further_models.items():
        if model.dataset not in profile.datasets:
            faults.append(f"further_models.{name}.dataset is {model.dataset!r}, which is not among the datasets")
        if name in profile.datasets or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or name.startswith("summary"):
            faults.append(f"further_models.{name}: expected lower-case letters, digits and hyphens, and no dataset's name")
        fixed = sorted({"preset", "seed"} & set(model.changes))
        if fixed:
            faults.append(f"further_models.{name}.changes.{fixed[0]}: that is the whole profile's; change another value")
            continue
        try:
            make_config(profile.training.preset, **profile.training.changes() | model.changes)
        except ValueError as error:
            faults.append(f"further_models.{name}.changes: {error}")
    return faults


def _stand_ins() -> set[str]:
    """Return the face sets of the paper, each of which has a stand-in; the renderer itself is slow to import."""
    tables = (read_table("emotion_experiments"), read_table("table5_au_experiments"))
    return {name for table in tables for name in table.drop(columns=["experiment", "n"], errors="ignore").stack()}


def _folder_faults(profile: Profile, name: str) -> list[str]:
    dataset = profile.datasets[name]
    if dataset.source == "rendered":
        return []
    if not profile.data:
        return [f"datasets.{name} needs photographs; give their folder, for example DATA=/path make book"]
    reason, folder = _absent(profile, dataset), Path(profile.dataset_folder(name))
    if not reason:
        return []
    if reason.startswith(f"holds no {dataset.csv},"):
        return [f"datasets.{name}.csv: {folder / dataset.csv} does not exist; expected {_WITH_CSV[dataset.source]}"]
    what = "a folder of photographs with a CSV" if dataset.source == "manifest" else f"the folder of {dataset.source}"
    return [f"datasets.{name}.folder: {folder} {reason}; expected {what}"]
