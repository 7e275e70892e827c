"""Profiles: which faces, networks and experiments a book is made of, checked before anything runs.

A profile is a YAML file under ``profiles/``. A misspelt key, a wrong type, an experiment on a set that is not there or a
missing folder is one clear line that names the key.
"""

import difflib
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fergan.facs import EMOTION_MAPPINGS
from fergan.paper import read_table
from fergan.runs import PRESETS

__all__ = [
    "ActionUnitExperiment", "DatasetProfile", "EmotionExperiment", "Profile", "ProfileError", "load_profile",
]


class ProfileError(ValueError):
    """A profile cannot be used; the message names the file, the key and what was expected."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetProfile(_Section):
    """One face set: where its photographs come from and how its faces are cropped."""

    source: Literal["rendered", "manifest"] = Field(description="the renderer, or a folder with a CSV")
    folder: str = Field("", description="folder of the photographs, relative to the data folder")
    csv: str = Field("labels.csv", description="the folder's table of labels")
    n_faces: int | None = Field(None, ge=16, description="cut to this many photographs; null takes all")
    detector: Literal["viola-jones", "mtcnn"] = Field("mtcnn", description="face detector")
    margin: float = Field(0.1, ge=0, le=1, description="widening of the face box, fraction of its side")
    nominal_box: bool = Field(False, description="crop undetected faces at the median box of their view (fixed cameras)")
    relabel: str = Field("", description="derive Action Units from emotions by this mapping; empty keeps coded ones")
    epochs: int | None = Field(None, ge=1, description="passes over this set in training; null takes training's")


class TrainingProfile(_Section):
    """How the generators are trained; every value but these comes from the preset."""

    preset: str = Field("radford2015", description="a key of fergan.runs.PRESETS")
    width: int | None = Field(None, ge=1)
    latent_dim: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=2)
    learning_rate: float | None = Field(None, gt=0)
    beta1: float | None = Field(None, ge=0, lt=1)
    beta2: float | None = Field(None, ge=0, lt=1)
    average_decay: float | None = Field(None, ge=0, lt=1)
    epochs: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1, description="processor threads of one training run")
    checkpoint_seconds: float = Field(20.0, gt=0, description="seconds between checkpoints")

    def changes(self) -> dict[str, int | float]:
        """Return what this profile changes in the preset."""
        running = {"preset", "threads", "checkpoint_seconds"}
        return {key: value for key, value in self.model_dump(exclude=running).items() if value is not None}


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


class ActionUnitExperiment(_Section):
    """A discriminator pretrained on one set; linear SVMs trained on a second and tested on a third."""

    experiment: int = Field(ge=1)
    pretrained: str
    train: str
    test: str


class Profile(_Section):
    """A whole book's parameters. `load_profile` reads it; ``name`` and ``data`` are filled in there."""

    name: str
    data: str = ""
    description: str
    seed: int = 0
    datasets: dict[str, DatasetProfile] = Field(min_length=1)
    training: TrainingProfile = TrainingProfile()
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
    if faults:
        raise ProfileError("\n".join(f"{path}: {fault}" for fault in faults))
    return profile


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
    sections = (Profile, DatasetProfile, TrainingProfile, SearchProfile, QualityProfile, EmotionExperiment,
                ActionUnitExperiment)
    return sorted({key for section in sections for key in section.model_fields})


def _faults(profile: Profile) -> list[str]:
    """Return what the schema alone cannot see, one sentence each."""
    faults = []
    if profile.training.preset not in PRESETS:
        known = ", ".join(PRESETS)
        faults.append(f"training.preset is {profile.training.preset!r}; expected one of {known}")
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
        if dataset.relabel and dataset.relabel not in EMOTION_MAPPINGS:
            known = ", ".join(EMOTION_MAPPINGS)
            faults.append(f"datasets.{name}.relabel is {dataset.relabel!r}; expected one of {known}")
        if dataset.source == "manifest":
            faults += _folder_faults(profile, name, dataset)
    return faults


def _stand_ins() -> set[str]:
    """Return the face sets of the paper, each of which has a stand-in; the renderer itself is slow to import."""
    tables = (read_table("emotion_experiments"), read_table("table5_au_experiments"))
    return {name for table in tables for name in table.drop(columns=["experiment", "n"], errors="ignore").stack()}


def _folder_faults(profile: Profile, name: str, dataset: DatasetProfile) -> list[str]:
    if not profile.data:
        return [f"datasets.{name} needs photographs; give their folder, for example DATA=/path make book"]
    folder = Path(profile.dataset_folder(name))
    if not folder.is_dir():
        return [f"datasets.{name}.folder: {folder} does not exist; expected a folder of photographs with a CSV"]
    if not (folder / dataset.csv).is_file():
        return [f"datasets.{name}.csv: {folder / dataset.csv} does not exist; expected a table with a column 'path'"]
    return []
