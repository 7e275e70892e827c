"""A training run: its parameters, its folder, and what a finished one holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.files import hash_array, hash_parameters, read_json, write_json

__all__ = [
    "PRESETS", "TRAINING_VERSION", "Run", "TrainConfig", "config_from_page", "differences", "make_config", "run_folder",
]


#: The parts of differentiable augmentation; `fergan.gan.augmentation`, which has them, needs torch, which is slow to import.
_POLICIES = ("color", "translation", "cutout")

#: Raised when a change of the code changes what a run learns, so that no old run is taken for a new one.
TRAINING_VERSION = 3

#: Training presets as data. A preset names what its source fixes; every field is one of `TrainConfig`, and those it does
#: not name have that class's defaults.
PRESETS: dict[str, dict[str, float | int | str]] = {
    # Radford, Metz and Chintala (2015), section 4; the 300 epochs are those of the paper that this book reproduces.
    "radford2015": dict(
        width=64, latent_dim=100, batch_size=128, learning_rate=2e-4, beta1=0.5, beta2=0.999, weight_std=0.02, epochs=300,
    ),
    # The paper's own text, section 3.1: as above, but a first moment's decay of 0.9.
    "paper": dict(
        width=64, latent_dim=100, batch_size=128, learning_rate=2e-4, beta1=0.9, beta2=0.999, weight_std=0.02, epochs=300,
    ),
    # The public MatConvNet implementation (github.com/sunghbae/dcgan-matconvnet) whose numbers match the paper's: a
    # generator twice as wide (1024-512-256-128 channels), labels of -1 and 1 blurred by noise, the discriminator updated
    # on generated faces and then on real ones. It draws its noise once an epoch, a vector for each face, which comes to the
    # same as drawing it for each step.
    "matconvnet": dict(
        width=64, generator_width=128, latent_dim=100, batch_size=128, learning_rate=2e-4, beta1=0.5, beta2=0.999,
        weight_std=0.02, epochs=300, label_noise=0.2, discriminator_updates=2,
    ),
    # Small enough for two processor cores: a quarter of the arithmetic, smaller batches, larger steps, averaged samples.
    "demo": dict(
        width=32, latent_dim=100, batch_size=64, learning_rate=5e-4, beta1=0.5, beta2=0.999, weight_std=0.02,
        epochs=30, average_decay=0.99,
    ),
}


@dataclass(frozen=True)
class TrainConfig:
    """The parameters of one training run; each changes what is learnt.

    Attributes
    ----------
    preset : str
        Where the other values come from, a key of `PRESETS`.
    width : int
        Channels of the discriminator's layer nearest to the image; 64 gives 8,192 features.
    generator_width : int
        Channels of the generator's layer nearest to the image; 0 takes `width`.
    latent_dim : int
        Length of the noise vector.
    batch_size : int
        Faces per step, over all processes.
    learning_rate, beta1, beta2 : float
        Of Adam, for both networks.
    weight_std : float
        Standard deviation of the initial weights.
    epochs : int
        Passes over the dataset.
    average_decay : float
        Decay per step of the moving average of the generator that draws the samples, at most (1 + step) / (10 + step);
        0 uses the generator itself.
    label_noise : float
        Standard deviation of what is added to the discriminator's labels of -1 and 1, afresh for each face.
    discriminator_updates : int
        1 updates the discriminator on real and generated faces together, 2 on generated and then on real ones.
    augment : str
        Differentiable augmentation of all that the discriminator sees: ``"none"``, or keys of
        `fergan.gan.augmentation.POLICIES` joined by commas.
    flip_probability : float
        How many of the real faces are mirrored, afresh in each step.
    precision : str
        ``"auto"`` multiplies in bfloat16 where the device does so natively, ``"bf16"`` always, ``"float32"`` never.
    seed : int
        Of the initial weights, the noise and the order of the faces.
    """

    preset: str = "radford2015"
    width: int = 64
    generator_width: int = 0
    latent_dim: int = 100
    batch_size: int = 128
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_std: float = 0.02
    epochs: int = 300
    average_decay: float = 0.0
    label_noise: float = 0.0
    discriminator_updates: int = 1
    augment: str = "none"
    flip_probability: float = 0.0
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            kind, value = type(field.default), getattr(self, field.name)
            fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
            self._check(field.name, fits, {int: "a whole number", float: "a number", str: "a word"}[kind])
        for name in ("width", "latent_dim", "batch_size", "epochs", "learning_rate", "weight_std"):
            self._check(name, getattr(self, name) > 0, "a number above 0")
        for name in ("beta1", "beta2", "average_decay"):
            self._check(name, 0 <= getattr(self, name) < 1, f"0 <= {name} < 1")
        self._check("batch_size", self.batch_size > 1, "at least 2, as batch normalisation needs")
        self._check("generator_width", self.generator_width >= 0, "a number above 0, or 0 for that of width")
        self._check("label_noise", self.label_noise >= 0, "0 or more")
        self._check("discriminator_updates", self.discriminator_updates in (1, 2), "1 or 2")
        policies = self.augment.split(",")
        known = policies == ["none"] or (set(policies) <= set(_POLICIES) and len(set(policies)) == len(policies))
        self._check("augment", known, f"'none', or some of {', '.join(_POLICIES)} joined by commas")
        self._check("flip_probability", 0 <= self.flip_probability <= 1, "0 to 1")
        self._check("precision", self.precision in ("auto", "bf16", "float32"), "'auto', 'bf16' or 'float32'")

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"training parameter {name} is {getattr(self, name)!r}; expected {expected}")


def make_config(preset: str = "radford2015", **changes: float | int | str) -> TrainConfig:
    """Return the configuration of a preset with some values changed.

    Raises
    ------
    ValueError
        The preset or the name of a change is unknown.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown training preset {preset!r}; expected one of {', '.join(PRESETS)}")
    names = [field.name for field in fields(TrainConfig)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise ValueError(f"unknown training parameter {unknown[0]!r}; expected one of {', '.join(names)}")
    return replace(TrainConfig(preset=preset, **PRESETS[preset]), **changes)


def config_from_page(preset: str, seed: int, parameters: Mapping[str, float | int | str]) -> TrainConfig:
    """Return the configuration that a page's parameters ask for: -1 and the empty word take the preset's value.

    Parameters
    ----------
    parameters : mapping
        Anything that contains a value for each field of `TrainConfig` but preset and seed, a notebook's globals for example.
    """
    names = [field.name for field in fields(TrainConfig) if field.name not in ("preset", "seed")]
    return make_config(preset, seed=seed, **{name: parameters[name] for name in names if parameters[name] not in (-1, "")})


def differences(config: TrainConfig, reference: str = "radford2015") -> dict[str, tuple[float | str, float | str]]:
    """Return what a configuration changes against a preset: field -> (its value, the preset's value)."""
    theirs = make_config(reference)
    pairs = {name: (value, getattr(theirs, name)) for name, value in asdict(config).items()}
    if config.generator_width:  # 0 is no width, but says which one is taken
        pairs["generator_width"] = config.generator_width, theirs.generator_width or theirs.width
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name not in ("preset", "seed")}


@dataclass(frozen=True)
class Run:
    """A finished training run on disk.

    Attributes
    ----------
    folder : Path
        Holds the weights, the history and the filmstrip.
    config : TrainConfig
        What it was trained with.
    """

    folder: Path
    config: TrainConfig

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Open a finished run, with an error that says what to do where it is not finished."""
        folder = Path(folder)
        if not (folder / "finished.json").is_file():
            raise FileNotFoundError(f"{folder} holds no finished training run; run notebook 02_dcgan for it")
        return cls(folder, TrainConfig(**read_json(folder / "config.json")["parameters"]))

    @property
    def history(self) -> pd.DataFrame:
        """Losses per step: columns ``step, loss_d, loss_g, score_real, score_generated``."""
        return pd.read_parquet(self.folder / "history.parquet")

    @property
    def finished(self) -> dict:
        """What the training noted at its end: steps, seconds, device, precision, threads, hash of the weights, the step
        at which the samples were nearest to the faces (``best_step``), and the alarms.
        """
        return read_json(self.folder / "finished.json")

    @property
    def watched(self) -> pd.DataFrame:
        """What was seen of the samples during training, see `fergan.gan.watch`: one row per look."""
        return pd.read_parquet(self.folder / "watched.parquet")

    def filmstrip(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (steps, images uint8 (n_frames, n_faces, 64, 64, 3)): the same noise over training."""
        files = sorted((self.folder / "filmstrip").glob("step-*.npy"))
        steps = np.array([int(file.stem.split("-")[1]) for file in files])
        return steps, np.stack([np.load(file, allow_pickle=False) for file in files])


def run_folder(models: str | Path, images: np.ndarray, config: TrainConfig) -> Path:
    """Return the folder of a run, named by the hash of its parameters and of the faces it learns from.

    An edited parameter therefore trains anew beside the old run, and an unchanged one resumes.

    Raises
    ------
    ValueError
        The folder exists and holds a run with other parameters.
    OSError
        The folder cannot be written.
    """
    identity = {"parameters": asdict(config), "images": hash_array(images), "version": TRAINING_VERSION}
    folder = Path(models) / hash_parameters(identity)
    record = folder / "config.json"
    if record.is_file():
        if read_json(record) != identity:
            raise ValueError(f"{record} belongs to a run with other parameters or faces; move that folder away")
    else:
        try:
            write_json(record, identity)
        except OSError as error:
            raise OSError(
                error.errno, f"{folder} cannot be written ({error.strerror}); give training a folder that can be written"
            ) from error
    return folder
