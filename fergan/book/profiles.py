"""Reading profiles: which faces, networks and experiments a book is made of, checked before anything runs.

A profile is a YAML file under ``profiles/``. A misspelt key, a wrong type, an experiment on a set that is not there or a
missing folder is one clear line that names the key.

The profile that `load_profile` returns holds what there is, and under ``absences`` what there is not, so that every later
stage sees only faces that can be had.
"""

import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fergan.book.absences import data_faults, folder_faults, nothing_left, without_what_is_missing
from fergan.book.profile_schema import (
    ActionUnitExperiment,
    DatasetProfile,
    EmotionExperiment,
    FeaturesProfile,
    LabelEfficiencyProfile,
    Profile,
    QualityProfile,
    SearchProfile,
    Substitute,
    TrainingProfile,
    TransferProfile,
)
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS
from fergan.gan.runs import make_config
from fergan.paper import read_table

__all__ = ["ProfileError", "load_profile"]

class ProfileError(ValueError):
    """A profile cannot be used; the message names the file, the key and what was expected."""


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
    profile = without_what_is_missing(profile)
    faults += data_faults(profile)
    faults += nothing_left(profile) or [fault for name in profile.datasets for fault in folder_faults(profile, name)]
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
    sections = (Profile, DatasetProfile, Substitute, TrainingProfile, FeaturesProfile, SearchProfile, LabelEfficiencyProfile,
                TransferProfile, QualityProfile, EmotionExperiment, ActionUnitExperiment)
    return sorted({key for section in sections for key in section.model_fields})


def _faults(profile: Profile) -> list[str]:
    """Return what the schema alone cannot see, one sentence each."""
    faults = []
    faults += _training_faults(profile)
    weights = profile.search.facenet_weights
    if weights and not Path(weights).is_file():
        faults.append(f"search.facenet_weights: {weights} does not exist; name the weights file, or leave it empty")
    layers = profile.features.layers
    if not set(layers) <= {1, 2, 3, 4} or len(set(layers)) < len(layers):
        faults.append(f"features.layers is {layers}; expected some of 1 (nearest to the image) to 4, each once")
    faults += _target_faults(profile)
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


def _target_faults(profile: Profile) -> list[str]:
    """Return what is wrong with the sets that label efficiency and transfer name; one that is left out is no fault."""
    faults = []
    labels = profile.label_efficiency
    listed = {"label_efficiency.targets": labels.targets, "label_efficiency.size_targets": labels.size_targets,
              "transfer.targets": profile.transfer.targets}
    for key, names in listed.items():
        faults += [f"{key} has {name!r}, which is not among the datasets ({', '.join(profile.datasets)})"
                   for name in names if name not in profile.datasets]
    for name in sorted(set(labels.targets) & set(labels.size_targets)):
        faults.append(f"label_efficiency.size_targets has {name!r}, which is among the targets already")
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
        if not model.changes and not model.only:
            faults.append(f"further_models.{name} changes nothing; give changes, or the Action Unit of only")
        if model.only and model.only not in ACTION_UNITS:
            faults.append(f"further_models.{name}.only is {model.only!r}; expected one of {', '.join(ACTION_UNITS)}")
        fixed = sorted({"preset"} & set(model.changes))
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
