"""The schema of profiles: which faces, networks and experiments a book is made of.

`fergan.book.profiles` reads a profile from its file, and checks what no schema can see.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Absences", "ActionUnitExperiment", "DatasetProfile", "EmotionExperiment", "LabelEfficiencyProfile", "ModelProfile",
    "Profile", "Substitute", "TransferProfile",
]

#: Keys of `fergan.data.SOURCES`.
_Source = Literal[
    "rendered", "manifest", "rafd", "kdef", "raf-db", "celeba", "ck-plus", "enhanced-ck", "sfew", "lfw", "olivetti", "genki",
    "cmu-faces", "london",
]


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

    preset: str = Field("radford2015", description="a key of fergan.gan.runs.PRESETS")
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
        """Return what this profile changes in the preset; `fergan.gan.runs.TrainConfig` says what each value means."""
        running = {"preset", "threads", "checkpoint_seconds"}
        return {key: value for key, value in self.model_dump(exclude=running).items() if value is not None}


class ModelProfile(_Section):
    """A further generator of a face set, beside the one that the experiments use: what it changes in training's values."""

    dataset: str
    changes: dict[str, int | float | str] = Field({}, description="fields of fergan.gan.runs.TrainConfig")
    only: str = Field("", description="learn only the faces that show this Action Unit, for example AU07")
    collapses: bool = Field(False, description="trained so that it collapses: the example of that chapter")
    quality: bool = Field(True, description="whether its samples have a page on quality; variety is judged in any case")


class FeaturesProfile(_Section):
    """Which layers of the discriminator the experiments see."""

    layers: list[int] = Field([4], min_length=1, description="hidden layers, 1 (nearest to the image) to 4 (the paper's)")
    pool: bool = Field(False, description="reduce each layer's maps to 4x4 by the maximum, as Radford et al. do")


class SearchProfile(_Section):
    """Folds, hyperparameter search and intervals of the experiments."""

    baselines: list[Literal["untrained", "hog", "pixels", "pooled", "generator", "facenet"]] = Field(["hog", "pixels"])
    facenet_weights: str = Field("", description="file of facenet-pytorch's weights, for the baseline facenet")
    n_folds: int = Field(10, ge=3)
    inner_folds: int = Field(3, ge=2, description="folds of the nested search")
    n_evaluations: int = Field(30, ge=3, description="candidates of the hyperparameter search")
    nested_evaluations: int = Field(30, ge=3, description="candidates of each nested search")
    n_resamples: int = Field(1000, ge=100, description="bootstrap resamples over people")
    n_permutations: int = Field(200, ge=0, description="permuted labellings of the test against chance; 0 for none")
    prune: bool = Field(False, description="stop hopeless candidates of the nested and official searches")
    duplicates_within: float = Field(
        0.0, ge=0, lt=1, description="faces of unknown people nearer than this share of the typical distance stay together"
    )


class LabelEfficiencyProfile(_Section):
    """Accuracy against the number of labelled people, for sets that some emotion experiment classifies."""

    targets: list[str] = Field([], description="sets on which every method is compared, a network trained with labels too")
    size_targets: list[str] = Field([], description="sets with features only: accuracy against the size of the set")
    baselines: list[Literal["untrained", "hog", "pixels"]] = Field(["untrained", "hog", "pixels"], min_length=1)
    size_baselines: list[Literal["untrained", "hog", "pixels"]] = Field(["hog"], min_length=1)
    max_networks: int = Field(3, ge=1, description="networks of a target: those of its first experiments")
    n_splits: int = Field(5, ge=2, description="divisions into training and test people")
    n_draws: int = Field(3, ge=1, description="orders in which training people are labelled")
    n_evaluations: int = Field(10, ge=3, description="candidates of each search among the labelled people")
    inner_folds: int = Field(3, ge=2, description="folds of each search")
    cnn_width: int = Field(16, ge=1, description="channels of the first layer of the network trained with labels")
    cnn_epochs: int = Field(30, ge=1, description="its passes over the labelled faces")
    cnn_min_steps: int = Field(100, ge=1, description="its steps where that many passes have fewer")
    cnn_draws: int = Field(1, ge=1, description="in how many of the draws it is trained")
    finetune: bool = Field(False, description="train the discriminator itself further with labels, too")


class TransferProfile(_Section):
    """Every network on every set of faces."""

    targets: list[str] = Field([], description="sets that are classified; those without two emotions are left out")
    baselines: list[Literal["untrained", "hog", "pixels"]] = Field(["hog"], min_length=1)
    n_folds: int = Field(10, ge=3)
    inner_folds: int = Field(3, ge=2, description="folds of the nested search")
    n_evaluations: int = Field(30, ge=3, description="candidates of each nested search")
    max_faces: int | None = Field(None, ge=16, description="classify only so many people of each set; null takes all")


class QualityProfile(_Section):
    """How generated faces are judged."""

    n_samples: int = Field(1000, ge=200)
    n_trials: int = Field(100, ge=2, multiple_of=2, description="of one rater of the human study; an even number")
    n_catch: int = Field(10, ge=0, description="easy ones besides, which catch inattention")
    exposure: int = Field(1000, ge=1, description="milliseconds for which a rater sees faces")


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
    features: FeaturesProfile = FeaturesProfile()
    search: SearchProfile = SearchProfile()
    label_efficiency: LabelEfficiencyProfile = LabelEfficiencyProfile()
    transfer: TransferProfile = TransferProfile()
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
