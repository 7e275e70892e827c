"""A convolutional network that learns emotions from labelled faces: the discriminator's layers, one output for each class.

It is what the features of a discriminator are compared with: the same topology, trained from scratch with labels, or, from a
discriminator's weights, trained further with them.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fergan.features.config import check_images
from fergan.gan.networks import (
    Discriminator,
    has_native_bfloat16,
    initialize_weights,
    load_weights,
    recalibrate_batch_norm,
    to_float,
)

_BATCH = 32  # faces per step, at most all
_AT_ONCE = 256  # faces of a forward pass without gradients


def train_cnn(
    images: np.ndarray, y: np.ndarray, *, width: int, epochs: int, min_steps: int, weights: str | Path | None = None,
    learning_rate: float = 1e-3, seed: int = 0,
) -> tuple[nn.Sequential, int]:
    """Train on faces uint8 (n, 64, 64, 3) of classes 0, 1, ... (n,), all present; return the network and its steps.

    Adam minimises the cross-entropy for a number of steps that is fixed beforehand, while the learning rate rises and then
    falls to nothing (one cycle, Smith and Topin 2019). Running statistics of the batch normalisation are recomputed over
    the training faces at the end, for a short training would leave them half way.

    Args:
        width: Channels of the first layer, as of the discriminator.
        epochs, min_steps: Passes over the training faces, and steps where that many passes have fewer.
        weights: A ``discriminator.safetensors`` of that width to start from; without it the start is random.
        learning_rate: The largest one, reached after three tenths of the steps.
        seed: Of the initial weights and of the order of the faces. On a processor the same seed gives the same network.

    Raises:
        FloatingPointError: The loss is not finite.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # The discriminator's hidden layers, then one logit per class where it has one in all: (n, 3, 64, 64) to (n, k).
    to_logits = nn.Conv2d(8 * width, int(y.max()) + 1, kernel_size=4)
    network = nn.Sequential(Discriminator(width).blocks, to_logits, nn.Flatten())
    initialize_weights(network, seed=seed)
    if weights is not None:
        network[0] = load_weights(Discriminator(width), Path(weights)).requires_grad_(True).blocks
    network.to(device, memory_format=torch.channels_last)
    data = torch.from_numpy(np.array(check_images(images))).to(device)  # a copy: faces on disk are read-only
    classes = torch.from_numpy(np.asarray(y)).to(device)
    size = min(_BATCH, len(data))
    n_steps = max(min_steps, epochs * len(data) // size)
    optimizer = torch.optim.Adam(network.parameters(), learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps)
    rng = np.random.default_rng(seed)
    waiting = np.empty(0, int)  # faces that this pass has yet to show
    network.train()
    for step in range(n_steps):
        if len(waiting) < size:
            waiting = rng.permutation(len(data))
        rows, waiting = waiting[:size], waiting[size:]
        with _autocast(device):
            loss = cross_entropy(network(to_float(data[rows])).float(), classes[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower learning_rate")
    with torch.no_grad():
        recalibrate_batch_norm(network, [to_float(part) for part in data.split(_AT_ONCE)])
    return network.eval(), n_steps


def _autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=has_native_bfloat16(device))


def named_by(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """Return the class of each of the faces uint8 (n, 64, 64, 3), by a network of `train_cnn`."""
    device, named = next(network.parameters()).device, np.empty(len(check_images(images)), int)
    with torch.inference_mode(), _autocast(device):
        for start in range(0, len(images), _AT_ONCE):
            logits = network(to_float(np.array(images[start : start + _AT_ONCE]), device)).float()
            named[start : start + len(logits)] = logits.argmax(1).cpu().numpy()
    return named
