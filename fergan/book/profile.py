"""Profiles: which faces, networks and experiments a book is made of, checked before anything runs.

A profile is a YAML file under ``profiles/``. Its sections are the configs of the stages, so that a parameter has one
definition, with its unit, bounds and default, where it is used. A misspelt key, a wrong type, a key given twice, an
experiment on a set that is not there: each is one clear line that names the key.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from fergan.cache import Config
from fergan.data.config import FacesConfig, Seeds, SetConfig
from fergan.experiments import config as experiments
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS
from fergan.features import FeaturesConfig
from fergan.files import UserError
from fergan.gan import TrainConfig
from fergan.human_study.study import StudyConfig
from fergan.paper import read_table
from fergan.quality import QualityConfig


class ProfileError(UserError, ValueError):
    """A profile cannot be used; the message names the file, the key and what was expected."""


class ModelProfile(Config):
    """A further generator of a face set, beside the one that the experiments use: what it changes in training's values."""

    dataset: str = Field(description="the face set that it is trained on")
    changes: dict[str, int | float | str] = Field({}, description="fields of training")
    only: Literal[ACTION_UNITS] | None = Field(None, description="train only on the faces that show this Action Unit")
    collapses: bool = Field(False, description="a training that collapses: the example of that chapter")
    quality: bool = Field(True, description="whether its samples have a page on quality; variety is judged in any case")


class Experiment(Config):
    """What both kinds of experiment have in common: a number, and the set that a discriminator was pretrained on."""

    experiment: int = Field(ge=1)
    pretrained: str

    @property
    def roles(self) -> dict[str, str]:
        """Role -> the face set that it needs in it."""
        return self.model_dump(exclude={"experiment"})


class EmotionExperiment(Experiment):
    """The discriminator's features are classified on another set."""

    target: str


class ActionUnitExperiment(Experiment):
    """Linear SVMs are trained on a second set and tested on a third."""

    train: str
    test: str


class OnePageConfig(Config):
    """The paper on one page, which draws and learns its own faces."""

    n_faces: int = Field(480, ge=96, description="faces that are drawn, about 24 of each person")
    epochs: int = Field(10, ge=1, description="passes of the training over the faces")
    width: int = Field(24, ge=1, description="channels of the layer nearest to the image; the paper has 64")


class Absences(Config):
    """What of a profile is not there, and what was done about it (see `fergan.book.checks`)."""

    replaced: dict[str, str] = Field({}, description="face set -> the name of its substitute")
    left_out: list[str] = Field([], description="face sets without photographs and without a substitute")
    looked: dict[str, str] = Field({}, description='where each was looked for, and why it is absent: "/x does not exist"')
    emotion_experiments: list[EmotionExperiment] = Field([], description="those that need a set that is left out")
    au_experiments: list[ActionUnitExperiment] = Field([], description="those that need a set that is left out")

    def experiments_without(self, name: str) -> list[str]:
        """Return which experiments are left out because this set is not there."""
        kinds = (("emotion", self.emotion_experiments), ("Action Unit", self.au_experiments))
        return [f"{kind} experiment {e.experiment}" for kind, experiments in kinds for e in experiments
                if name in e.roles.values()]


class Profile(Config):
    """A whole book's parameters. `load_profile` reads it, and fills in ``name``, ``data`` and ``absences``."""

    name: str
    data: str = ""
    absences: Absences = Absences()
    description: str
    seed: int = Field(0, description="of everything that is random; a section may have its own")
    seeds: Seeds = Field([], description="of trainings, the first that of training: every network but those of one Action "
                                         "Unit is trained from each, and experiments are repeated on its features")
    threads: int = Field(1, ge=1, description="processor threads of one training")
    checkpoint_seconds: float = Field(20.0, gt=0, description="seconds between a training's checkpoints")
    fitted: bool = Field(False, description="fit experiments, folds and training to what the table of the only set holds")
    datasets: dict[str, SetConfig] = Field(min_length=1)
    one_page: OnePageConfig = OnePageConfig()
    training: TrainConfig = TrainConfig()
    further_models: dict[str, ModelProfile] = Field({})
    features: FeaturesConfig = FeaturesConfig()
    layers: experiments.LayersConfig = experiments.LayersConfig()
    emotions: experiments.EmotionConfig = experiments.EmotionConfig()
    label_efficiency: experiments.LabelEfficiencyConfig = experiments.LabelEfficiencyConfig()
    transfer: experiments.TransferConfig = experiments.TransferConfig()
    action_units: experiments.AUConfig = experiments.AUConfig()
    saliency: experiments.SaliencyConfig = experiments.SaliencyConfig()
    quality: QualityConfig = QualityConfig()
    human_study: StudyConfig = StudyConfig()
    emotion_experiments: list[EmotionExperiment] = Field([])
    au_experiments: list[ActionUnitExperiment] = Field([])

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

    @property
    def pretrained_sets(self) -> list[str]:
        """The sets that some experiment needs a network of."""
        needed = {pretrained for pretrained, _ in self.pairs}
        return [name for name in self.datasets if name in needed]

    @property
    def models(self) -> dict[str, tuple[str, TrainConfig, str | None]]:
        """Every generator of the book: its set, how it is trained, and the one Action Unit whose faces it sees, or None."""
        own = {name: ModelProfile(dataset=name) for name in self.pretrained_sets}
        further = {name: model for name, model in self.further_models.items() if model.dataset in own}
        of_set = {name: of.model_dump(include={"epochs", "flip_probability"}, exclude_none=True)
                  for name, of in self.datasets.items()}
        return {name: (model.dataset, self.training.changed(**of_set[model.dataset] | model.changes), model.only)
                for name, model in (own | further | self.reseeded).items()}

    @property
    def reseeded(self) -> dict[str, ModelProfile]:
        """The networks that differ from another in their seed alone, by its name and theirs: "kdef-seed-1"."""
        found = {f"{name}-seed-{seed}": ModelProfile(dataset=name, changes={"seed": seed})
                 for name in self.pretrained_sets for seed in (*self.seeds[1:], *self.datasets[name].seeds[1:])}
        return found | {f"{name}-seed-{seed}": model.model_copy(update={"changes": model.changes | {"seed": seed}})
                        for name, model in self.further_models.items() for seed in self.seeds[1:]
                        if model.dataset in self.pretrained_sets and (model.only or "seed" not in model.changes)}

    def dataset_folder(self, name: str) -> str:
        """Return the absolute folder of a dataset's photographs; empty for rendered ones."""
        dataset = self.datasets[name]
        return "" if dataset.source == "rendered" else str((Path(self.data) / dataset.folder).resolve())

    @property
    def collections(self) -> dict[str, str]:
        """The sets whose photographs lie in one folder, and so may show the same people: set -> the first of them."""
        folders = {name: self.dataset_folder(name) or name for name in self.datasets}
        first = {folder: name for name, folder in reversed(folders.items())}
        return {name: first[folder] for name, folder in folders.items() if list(folders.values()).count(folder) > 1}


#: Section of a profile, which is also the name of a notebook's parameter -> its class.
SECTIONS: dict[str, type[Config]] = {
    name: field.annotation for name, field in Profile.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Config) and name != "absences"
} | {"faces": FacesConfig}


class _Loader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, and 1e-4 a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; the first of two equal keys would be dropped without a word."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if key in seen:
                raise ProfileError(f"{key} is given twice, in lines {seen[key]} and {line}; keep one, with all values")
            seen[key] = line
        return super().construct_mapping(node, deep)


_SCIENTIFIC = re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _SCIENTIFIC, list("-+0123456789"))


def read_profile(path: str | Path, data: str = "") -> Profile:
    """Read a profile and check what can be checked without looking for its photographs.

    `data` is the data folder, needed where a dataset comes from photographs. A ProfileError has one line per fault.
    """
    path = Path(path)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ProfileError(f"profile {path} does not exist; profiles there: {known}")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise ProfileError(f"{path} is not readable as YAML: {error}") from error
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise ProfileError(f"{path} is empty; expected keys such as description, datasets and training")
    content = _completed(content) | {"name": path.stem, "data": data}
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        raise ProfileError("\n".join(f"{path}: {explain(item, Profile)}" for item in error.errors())) from None
    if faults := list(_faults(profile)):
        raise ProfileError("\n".join(f"{path}: {fault}" for fault in faults))
    return profile


def _completed(content: dict[str, Any]) -> dict[str, Any]:
    """Put the paper's experiments where they are called ``paper``, and the profile's seed where a section has none."""
    seed, content = content.get("seed", 0), dict(content)
    for kind, table in {"emotion_experiments": "emotion_experiments", "au_experiments": "table5_au_experiments"}.items():
        if content.get(kind) == "paper":
            content[kind] = read_table(table).drop(columns="n", errors="ignore").to_dict("records")
    for name, section in SECTIONS.items():
        if name in Profile.model_fields and "seed" in section.model_fields and isinstance(content.get(name, {}), dict):
            content[name] = {"seed": seed} | content.get(name, {})
    return content


def meant(wrong: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the known word that is nearest to a wrong one; empty where none is near."""
    close = difflib.get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def explain(item: Any, model: type[BaseModel]) -> str:
    """Return one of pydantic's errors as one line that names the key and what was expected."""
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        schema, wrong = model.model_json_schema(), str(item["loc"][-1])
        known = {name for part in (schema, *schema.get("$defs", {}).values()) for name in part.get("properties", {})}
        return f"{key} is not a known key{meant(wrong, sorted(known - {wrong}))}"
    if item["type"] == "missing":
        return f"{key} is missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key} is {item['input']!r}; {message[0].lower()}{message[1:]}"


def _faults(profile: Profile) -> Iterator[str]:
    kinds, known = ("emotion_experiments", "au_experiments"), ", ".join(profile.datasets)
    labels = profile.label_efficiency
    named = [(f"label_efficiency.{key} has", name) for key in ("targets", "size_targets") for name in getattr(labels, key)]
    named += [("transfer.targets has", name) for name in profile.transfer.targets]
    named += [(f"further_models.{name}.dataset is", model.dataset) for name, model in profile.further_models.items()]
    for kind in kinds:
        experiments = getattr(profile, kind)
        named += [(f"{kind}.{index}.{role} is", name) for index, experiment in enumerate(experiments)
                  for role, name in experiment.roles.items()]
        numbers = Counter(experiment.experiment for experiment in experiments)
        yield from (f"{kind} has number {number} twice" for number, n in numbers.items() if n > 1)
    yield from (f"{key} {name!r}, which is not among the datasets ({known})" for key, name in named
                if name not in profile.datasets)
    for key, seeds in [("seeds", profile.seeds), *((f"datasets.{n}.seeds", of.seeds) for n, of in profile.datasets.items())]:
        if seeds and (seeds[0] != profile.training.seed or len(set(seeds)) < len(seeds)):
            yield f"{key} is {seeds}; expected different seeds, first {profile.training.seed}, that of training"
    for name in sorted(set(profile.reseeded) & {*profile.datasets, *profile.further_models}):
        yield f"{name!r} is what seeds call a network that is trained from another seed; give this one another name"
    for name in sorted(set(labels.targets) & set(labels.size_targets)):
        yield f"label_efficiency.size_targets has {name!r}, which is among the targets already"
    if not any(getattr(profile, kind) for kind in kinds):
        yield "emotion_experiments and au_experiments are both empty; a book needs at least one experiment"
    weights = profile.emotions.facenet_weights
    if weights and not Path(weights).is_file():
        yield f"emotions.facenet_weights: {weights} does not exist; name the weights file, or leave it out"
    tables = (read_table("emotion_experiments"), read_table("table5_au_experiments"))  # the renderer is slow to import
    stand_ins = {name for table in tables for name in table.drop(columns=["experiment", "n"], errors="ignore").stack()}
    for name, dataset in profile.datasets.items():
        for key, place in ((name, dataset), (f"{name}.substitute", dataset.substitute)):
            if place and place.source == "rendered" and name not in stand_ins:
                yield f"datasets.{key}: no rendered stand-in has this name; there are {', '.join(sorted(stand_ins))}"
        if "seed" in dataset.model_fields_set:
            yield f"datasets.{name}.seed is not used; the profile's seed is that of every set"
        if dataset.relabel and dataset.relabel not in EMOTION_MAPPINGS:
            yield f"datasets.{name}.relabel is {dataset.relabel!r}; expected one of {', '.join(EMOTION_MAPPINGS)}"
    for name in [*profile.datasets, *profile.further_models]:
        if not re.fullmatch(r"(?!summary)(?!.*-on-)[a-z0-9][a-z0-9-]*", name):
            yield f"{name!r}: a name has only lower-case letters, digits and hyphens, no '-on-' or 'summary'"
    for name, model in profile.further_models.items():
        if name in profile.datasets:
            yield f"further_models.{name} has a dataset's name"
        try:
            profile.training.changed(**model.changes)
        except ValidationError as error:
            yield from (f"further_models.{name}.changes.{explain(item, TrainConfig)}" for item in error.errors())
