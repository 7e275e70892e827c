"""A training run: its parameters, its folder, and what a finished one holds."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.files import hash_array, hash_parameters, read_json, write_json

__all__ = ["PRESETS", "TRAINING_VERSION", "Run", "TrainConfig", "differences", "make_config", "run_folder"]


#: Raised when a change of the code changes what a run learns, so that no old run is taken for a new one.
TRAINING_VERSION = 1

#: Training presets as data. A preset names what its source fixes; every field is one of `TrainConfig`.
PRESETS: dict[str, dict[str, float | int]] = {
    # Radford, Metz and Chintala (2015), section 4, at the paper's 300 epochs.
    "radford2015": dict(
        width=64, latent_dim=100, batch_size=128, learning_rate=2e-4, beta1=0.5, beta2=0.999, weight_std=0.02,
        epochs=300, average_decay=0.0,
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
        Channels of the layer nearest to the image; 64 gives 8,192 features.
    latent_dim : int
        Length of the noise vector.
    batch_size : int
        Faces per step.
    learning_rate, beta1, beta2 : float
        Of Adam, for both networks.
    weight_std : float
        Standard deviation of the initial weights.
    epochs : int
        Passes over the dataset.
    average_decay : float
        Decay per step of the moving average of the generator that draws the samples, at most (1 + step) / (10 + step);
        0 uses the generator itself.
    seed : int
        Of the initial weights, the noise and the order of the faces.
    """

    preset: str = "radford2015"
    width: int = 64
    latent_dim: int = 100
    batch_size: int = 128
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_std: float = 0.02
    epochs: int = 300
    average_decay: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name in ("width", "latent_dim", "batch_size", "epochs", "learning_rate", "weight_std"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training parameter {name} is {getattr(self, name)}; expected a number above 0")
        for name in ("beta1", "beta2", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"training parameter {name} is {getattr(self, name)}; expected 0 <= {name} < 1")
        if self.batch_size < 2:
            raise ValueError("training parameter batch_size is 1; batch normalisation needs at least 2")


def make_config(preset: str = "radford2015", **changes: float | int) -> TrainConfig:
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


def differences(config: TrainConfig, reference: str = "radford2015") -> dict[str, tuple[float, float]]:
    """Return what a configuration changes against a preset: field -> (its value, the preset's value)."""
    theirs = make_config(reference)
    pairs = {name: (value, getattr(theirs, name)) for name, value in asdict(config).items()}
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
        """What the training noted at its end: steps, seconds, device, precision, threads, hash of the weights."""
        return read_json(self.folder / "finished.json")

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
    """
    identity = {"parameters": asdict(config), "images": hash_array(images), "version": TRAINING_VERSION}
    folder = Path(models) / hash_parameters(identity)
    record = folder / "config.json"
    if record.is_file():
        if read_json(record) != identity:
            raise ValueError(f"{record} belongs to a run with other parameters or faces; move that folder away")
    else:
        write_json(record, identity)
    return folder
