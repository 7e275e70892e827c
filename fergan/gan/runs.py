"""What a finished training run holds on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.files import hash_file, hash_parameters, read_json
from fergan.gan.config import TrainConfig


@dataclass(frozen=True)
class Run:
    """A finished training run on disk.

    Attributes:
        folder: Holds the weights, the history and the filmstrip.
        config: What it was trained with.
    """

    folder: Path
    config: TrainConfig

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Open a finished run, with an error that says what to do where it is not finished."""
        folder = Path(folder)
        if not (folder / "finished.json").is_file():
            raise FileNotFoundError(f"{folder} holds no finished training run; run notebook 02_dcgan for it")
        parameters = read_json(folder / "config.json")["parameters"]
        if parameters.get("generator_width") == 0:  # as earlier versions wrote it
            parameters["generator_width"] = None
        return cls(folder, TrainConfig(**parameters))

    @property
    def digest(self) -> str:
        """The hash of both networks' last weights."""
        files = ("generator.safetensors", "discriminator.safetensors")
        return hash_parameters({name: hash_file(self.folder / name) for name in files}, 64)

    @property
    def history(self) -> pd.DataFrame:
        """Losses per step: columns ``step, loss_d, loss_g, score_real, score_generated``."""
        return pd.read_parquet(self.folder / "history.parquet")

    @property
    def finished(self) -> dict[str, Any]:
        """What the training noted at its end: steps, seconds, device, precision, threads, hash of the weights, the step
        at which the samples were nearest to the faces (``best_step``), and the alarms.
        """
        return read_json(self.folder / "finished.json")

    @property
    def snapshots(self) -> pd.DataFrame:
        """What was measured of the samples during training, see `fergan.quality.monitor`: one row per snapshot."""
        names = ("snapshots.parquet", "watched.parquet")  # the second as earlier versions called it
        return pd.read_parquet(next(self.folder / name for name in names if (self.folder / name).is_file()))

    def filmstrip(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (steps, images uint8 (n_frames, n_faces, 64, 64, 3)): the same noise over training."""
        files = sorted((self.folder / "filmstrip").glob("step-*.npy"))
        steps = np.array([int(file.stem.split("-")[1]) for file in files])
        return steps, np.stack([np.load(file, allow_pickle=False) for file in files])
