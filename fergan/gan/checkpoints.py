"""Checkpoints of a training run, which survive a kill, and its final weights.

Weights are safetensors, histories parquet, notes JSON: opening a run never runs code.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fergan.files import atomic_path, hash_file
from fergan.gan.step import TrainingState

HISTORY_COLUMNS = ["step", "loss_d", "loss_g", "score_real", "score_generated"]
_CHECKPOINT = "checkpoint.safetensors"
_PREVIOUS = "checkpoint-previous.safetensors"


def save_state(folder: Path, run: str, state: TrainingState, history: list[tuple], note: dict[str, Any]) -> None:
    """Write a checkpoint, and keep the one before it, also where this fails or a weight is not finite (FloatingPointError).

    History comes first, so that a kill leaves one that is merely too long. `run` is the hash of what is trained with and on,
    `history` the rows of `HISTORY_COLUMNS`, and `note` plain values that `load_state` returns.
    """
    weights = _weights(state.networks())
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise FloatingPointError(f"{broken[0]} is not finite after step {state.step}; the last checkpoint is kept")
    moments = {
        f"{name}.{index}.{key}": value
        for name, optimizer in state.optimizers().items()
        for index, moments in optimizer.state_dict()["state"].items()
        for key, value in moments.items()
    }
    new = folder / "checkpoint-new.safetensors"
    with writing(folder):
        with atomic_path(folder / "history.parquet") as temporary:
            pd.DataFrame(history, columns=HISTORY_COLUMNS).to_parquet(temporary, index=False)
        _save(new, weights | moments, {"training": json.dumps(note | {"run": run, "step": state.step})})
        if (folder / _CHECKPOINT).is_file():
            os.replace(folder / _CHECKPOINT, folder / _PREVIOUS)
        os.replace(new, folder / _CHECKPOINT)


def load_state(folder: Path, run: str, state: TrainingState) -> tuple[list[tuple], dict[str, Any]]:
    """Bring `state` to the folder's checkpoint, or the one before it where that is missing, and return its history and note.

    Both are empty without a checkpoint. One that cannot be read, or belongs to another run, is a ValueError.
    """
    path = next((folder / name for name in (_CHECKPOINT, _PREVIOUS) if (folder / name).is_file()), None)
    if path is None:
        return [], {}
    other = path.name == _CHECKPOINT and (folder / _PREVIOUS).is_file()
    remedy = "delete it to " + (f"go on from {_PREVIOUS}" if other else "train this run again")
    with _reading(path, remedy):
        with safe_open(path, framework="pt") as file:
            note = json.loads(file.metadata()["training"])
        if note["run"] != run:
            raise ValueError(f"checkpoint {path} belongs to another run, with other parameters or faces; {remedy}")
        tensors = load_file(path)
        for name, network in state.networks().items():
            network.load_state_dict(_part(tensors, name))
        for name, optimizer in state.optimizers().items():
            _restore_moments(optimizer, _part(tensors, name))
    state.step = note["step"]
    history = read_saved(folder / "history.parquet").head(state.step)
    if len(history) < state.step:
        raise ValueError(f"{folder / 'history.parquet'} ends at step {len(history)}, before its checkpoint at {state.step}; "
                         f"delete {folder} to train this run again")
    return list(history.itertuples(index=False, name=None)), note


def read_saved(path: Path) -> pd.DataFrame:
    """Read a table of a run, with an error that names it."""
    try:
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}); delete its folder to train this run again") from error


def remove(folder: Path, *patterns: str) -> None:
    """Remove files of a run."""
    for path in [path for pattern in patterns for path in folder.glob(pattern)]:
        path.unlink(missing_ok=True)


def save_best(folder: Path, state: TrainingState) -> None:
    """Keep the weights of now as those whose samples were nearest to the faces.

    Earlier ones stay until a checkpoint is past this step, as a run that goes on may find another best.
    """
    _save(_best(folder, state.step), _weights({"average": state.average, "discriminator": state.discriminator.module}))


def keep_best(folder: Path, step: int) -> None:
    """Remove the weights that were once the best, now that those of `step` are."""
    for path in set(folder.glob("best-*.safetensors")) - {_best(folder, step)}:
        path.unlink(missing_ok=True)


def load_best(folder: Path, state: TrainingState, step: int) -> None:
    """Bring the averaged generator and the discriminator to what `save_best` kept after this step."""
    with _reading(_best(folder, step), f"delete {folder} to train this run again"):
        tensors = load_file(_best(folder, step))
        state.average.load_state_dict(_part(tensors, "average"))
        state.discriminator.module.load_state_dict(_part(tensors, "discriminator"))


def save_weights(folder: Path, generator: nn.Module, discriminator: nn.Module) -> str:
    """Write final networks and return the SHA-256 of the discriminator's file."""
    with writing(folder):
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            _save(folder / f"{name}.safetensors", network.state_dict())
    return hash_file(folder / "discriminator.safetensors")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say of a failure to write into a run's folder that nothing saved before is lost."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise OSError(f"{folder} cannot be written ({error}); what was saved before, the last checkpoint too, is kept: "
                      "make room or correct the folder's permissions, and run again to go on from there") from error


@contextmanager
def _reading(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"checkpoint {path} cannot be used ({error}); {remedy}") from error


def _best(folder: Path, step: int) -> Path:
    return folder / f"best-{step:07d}.safetensors"


def _weights(networks: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for name, network in networks.items() for key, value in network.state_dict().items()}


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def _save(path: Path, tensors: dict[str, Tensor], note: dict[str, str] | None = None) -> None:
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(plain, temporary, metadata=note)


def _restore_moments(optimizer: torch.optim.Adam, saved: dict[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        optimizer.state[parameter] = {
            # The fused optimiser walks memory as it lies: a moment in another layout than its parameter (saved
            # tensors are contiguous, parameters channels-last) would be applied to the wrong weights, silently.
            key: torch.empty_like(parameter).copy_(saved[f"{index}.{key}"])
            for key in ("exp_avg", "exp_avg_sq")
        } | {"step": saved[f"{index}.step"].to(parameter.device)}
