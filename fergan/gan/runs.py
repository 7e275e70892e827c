"""What a training run keeps on disk: results, weights, and the checkpoint that survives a kill.

A checkpoint is one safetensors file, replaced as a whole: weights, the optimisers' moments, losses and notes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fergan.files import atomic_path, hash_file, hash_parameters, read_json
from fergan.gan import TrainConfig
from fergan.gan.step import TrainingState

_NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Run:
    """A finished training run on disk."""

    folder: Path  # holds the weights, the history and the filmstrip
    config: TrainConfig  # what it was trained with

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Open a finished run, with an error that says what to do where it is not finished."""
        folder = Path(folder)
        if not (folder / "finished.json").is_file():
            raise FileNotFoundError(f"{folder} holds no finished training run; make the book, which finishes it")
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
        """What the training noted at its end, see `fergan.gan.training`: steps, seconds, device, ``best_step``, alarms."""
        return read_json(self.folder / "finished.json")

    @property
    def snapshots(self) -> pd.DataFrame:
        """What was measured of the samples during training, see `fergan.quality.collapse`: one row per snapshot."""
        return pd.read_parquet(self.folder / "snapshots.parquet")

    @property
    def kept(self) -> dict[int, Path]:
        """Step -> the discriminator's weights then, of some snapshots; none of runs by earlier versions."""
        return {int(path.stem.split("-")[1]): path for path in sorted((self.folder / "kept").glob("step-*.safetensors"))}

    def filmstrip(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (steps, images uint8 (n_frames, n_faces, 64, 64, 3)): the same noise over training."""
        files = sorted((self.folder / "filmstrip").glob("step-*.npy"))
        steps = np.array([int(file.stem.split("-")[1]) for file in files])
        return steps, np.stack([np.load(file, allow_pickle=False) for file in files])


def save_state(folder: Path, state: TrainingState, history: np.ndarray, note: dict[str, Any]) -> None:
    """Replace the checkpoint; the old one stays where a weight is not finite (FloatingPointError)."""
    weights = {f"{name}.{key}": value for name, network in state.networks().items()
               for key, value in network.state_dict().items()}
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise FloatingPointError(f"{broken[0]} is not finite after step {state.step}; the last checkpoint is kept")
    moments = {f"{name}.{index}.{key}": value for name, optimizer in state.optimizers().items()
               for index, moments in optimizer.state_dict()["state"].items() for key, value in moments.items()}
    note = {"training": json.dumps(note | {"step": state.step}, default=float)}
    _save(folder / _NAME, weights | moments | {"history": torch.from_numpy(history)}, note)


def load_state(folder: Path, state: TrainingState) -> tuple[np.ndarray, dict[str, Any]]:
    """Bring `state` to the folder's checkpoint, if any, and return what else it holds; ValueError where it is of no use."""
    path = folder / _NAME
    if not path.is_file():
        return np.empty((0, 4)), {}
    try:
        with safe_open(path, framework="pt") as file:
            note = json.loads(file.metadata()["training"])
        tensors = load_file(path)
        for name, network in state.networks().items():
            network.load_state_dict(_part(tensors, name))
        for name, optimizer in state.optimizers().items():
            _restore_moments(optimizer, _part(tensors, name))
        history = tensors["history"].numpy()
    except (SafetensorError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"checkpoint {path} cannot be used ({error}); delete it to train again") from error
    state.step = note["step"]
    return history, note


def save_weights(folder: Path, generator: nn.Module, discriminator: nn.Module) -> None:
    """Write the final networks."""
    _save(folder / "generator.safetensors", generator.state_dict())
    _save(folder / "discriminator.safetensors", discriminator.state_dict())


def keep_discriminator(folder: Path, step: int, discriminator: nn.Module) -> None:
    """Write a discriminator under way, in half precision: for a look at its features, not to go on from."""
    weights = discriminator.state_dict()
    weights = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    _save(folder / "kept" / f"step-{step:07d}.safetensors", weights)


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors of a network or an optimiser, without its name before their own."""
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def _save(path: Path, tensors: dict[str, Tensor], note: dict[str, str] | None = None) -> None:
    with atomic_path(path) as temporary:
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, temporary, metadata=note)


def _restore_moments(optimizer: torch.optim.Adam, saved: dict[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        # The fused optimiser walks memory as it lies: a moment in another layout than its parameter (saved tensors are
        # contiguous, parameters channels-last) would be applied to the wrong weights, silently.
        moments = {key: torch.empty_like(parameter).copy_(saved[f"{index}.{key}"]) for key in ("exp_avg", "exp_avg_sq")}
        optimizer.state[parameter] = moments | {"step": saved[f"{index}.step"].to(parameter.device)}
