"""A training run on disk: checkpoints that survive a kill, final weights, and what reads them back.

Weights are safetensors, histories parquet, notes JSON: opening a run never runs code.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fergan.files import atomic_path, hash_file

if TYPE_CHECKING:
    from fergan.training import _State

__all__ = ["load_state", "load_weights", "recalibrate_batch_norm", "save_state", "save_weights"]

HISTORY_COLUMNS = ["step", "loss_d", "loss_g", "score_real", "score_generated"]
_CHECKPOINT = "checkpoint.safetensors"


def _state_tensors(state: "_State") -> dict[str, Tensor]:
    tensors = {}
    for name, network in state.networks().items():
        for key, value in network.state_dict().items():
            tensors[f"{name}.{key}"] = value
    for name, optimizer in state.optimizers().items():
        for index, moments in optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"{name}.{index}.{key}"] = value
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def save_state(folder: Path, state: "_State", history: list[tuple], seconds: float) -> None:
    """Write a checkpoint: history first, then weights and moments, each moved into place when whole.

    The checkpoint is the later of the two, so that a kill between them leaves a history that is merely too long.
    """
    with atomic_path(folder / "history.parquet") as temporary:
        pd.DataFrame(history, columns=HISTORY_COLUMNS).to_parquet(temporary, index=False)
    note = json.dumps({"step": state.step, "seconds": seconds})
    with atomic_path(folder / _CHECKPOINT) as temporary:
        save_file(_state_tensors(state), temporary, metadata={"training": note})


def load_state(folder: Path, state: "_State") -> tuple[list[tuple], float]:
    """Bring `state` to the folder's checkpoint, if there is one.

    Returns
    -------
    history : list of tuple
        The rows of `HISTORY_COLUMNS` up to the checkpoint's step.
    seconds : float
        Training time so far.

    Raises
    ------
    ValueError
        The checkpoint cannot be read or belongs to other networks.
    """
    path = folder / _CHECKPOINT
    if not path.is_file():
        return [], 0.0
    try:
        with safe_open(path, framework="pt") as file:
            note = json.loads(file.metadata()["training"])
        tensors = load_file(path)
        for name, network in state.networks().items():
            network.load_state_dict(_part(tensors, name))
        for name, optimizer in state.optimizers().items():
            _restore_moments(optimizer, _part(tensors, name))
    except (SafetensorError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"checkpoint {path} cannot be used ({error}); delete it to train this run again") from error
    state.step = note["step"]
    history = pd.read_parquet(folder / "history.parquet").head(state.step)
    return list(history.itertuples(index=False, name=None)), note["seconds"]


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def _restore_moments(optimizer: torch.optim.Adam, saved: dict[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        optimizer.state[parameter] = {
            # The fused optimiser walks memory as it lies: a moment in another layout than its parameter (saved
            # tensors are contiguous, parameters channels-last) would be applied to the wrong weights, silently.
            key: torch.empty_like(parameter).copy_(saved[f"{index}.{key}"])
            for key in ("exp_avg", "exp_avg_sq")
        } | {"step": saved[f"{index}.step"].to(parameter.device)}


def save_weights(folder: Path, state: "_State") -> str:
    """Write the final networks and return the SHA-256 of the discriminator's file."""
    for name, network in (("generator", state.average), ("discriminator", state.discriminator)):
        weights = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
        with atomic_path(folder / f"{name}.safetensors") as temporary:
            save_file(weights, temporary)
    return hash_file(folder / "discriminator.safetensors")


def load_weights(network: nn.Module, path: Path) -> nn.Module:
    """Fill a network from a weights file, in evaluation mode, with an error that names the file."""
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"weights {path} cannot be used ({error}); train that run again") from error
    return network.eval().requires_grad_(False)


@torch.no_grad()
def recalibrate_batch_norm(network: nn.Module, batches: list[Tensor]) -> None:
    """Recompute running statistics as plain means over `batches`.

    A moving average of weights has activations of its own, which the averaged statistics only follow roughly
    (Izmailov et al., 2018, section 3).
    """
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative mean
    network.train()
    for batch in batches:
        network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
