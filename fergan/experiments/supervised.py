"""A convolutional network that learns emotions from labelled faces: the discriminator's layers, one output for each class.

It is what the features of a discriminator are compared with: the same topology, trained from scratch with labels, or, from a
discriminator's weights, trained further with them.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn
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

_AT_ONCE = 256  # faces of a forward pass without gradients


class SupervisedCNN(ClassifierMixin, BaseEstimator):
    """A small convolutional network trained on labelled faces, as a scikit-learn classifier.

    Adam minimises the cross-entropy for a number of steps that is fixed beforehand, while the learning rate rises and then
    falls to nothing (one cycle, Smith and Topin 2019); none of the faces to be predicted takes part. Running statistics of
    the batch normalisation are recomputed over the training faces at the end, for a short training would leave them half
    way. A network that sees one class names that class.

    Args:
        width: Channels of the first layer, as of the discriminator.
        weights: A ``discriminator.safetensors`` of that width to start from; without it the start is random.
        epochs, min_steps: Passes over the training faces, and steps where that many passes have fewer.
        batch_size, learning_rate: int and float; faces per step, at most all; the largest rate, reached after three tenths
            of the steps.
        seed: Of the initial weights and of the order of the faces. On a processor the same seed gives the same network.
    """

    def __init__(
        self, width: int = 64, *, weights: str | Path | None = None, epochs: int = 30, min_steps: int = 100,
        batch_size: int = 32, learning_rate: float = 1e-3, seed: int = 0,
    ) -> None:
        self.width, self.weights = width, weights
        self.epochs, self.min_steps, self.batch_size = epochs, min_steps, batch_size
        self.learning_rate, self.seed = learning_rate, seed

    def fit(self, images: np.ndarray, y: np.ndarray) -> "SupervisedCNN":
        """Train on images uint8 (n, 64, 64, 3) and their classes (n,); FloatingPointError where the loss is not finite."""
        images, y = check_images(images), np.asarray(y)
        self._check(len(images), y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_steps_, self.train_accuracy_ = 0, 1.0
        if len(self.classes_) == 1:
            return self
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = self._new_network()
        data = torch.from_numpy(np.array(images)).to(self._device)  # a copy: faces on disk are read-only
        self._train(network, data, torch.from_numpy(codes).to(self._device))
        with torch.no_grad():
            parts = data.split(_AT_ONCE)
            recalibrate_batch_norm(network, [to_float(part) for part in parts])
        self.network_ = network.eval()
        self.train_accuracy_ = float(np.mean(self.predict(images) == y))
        return self

    def _check(self, n_faces: int, y: np.ndarray) -> None:
        if y.shape != (n_faces,) or not n_faces:
            raise ValueError(f"{n_faces} images but classes of shape {y.shape}; expected one class per face, and some faces")
        for name in ("epochs", "min_steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected more than 0")

    def _new_network(self) -> nn.Sequential:
        """Return the discriminator's hidden layers, then one logit per class where it has one in all."""
        to_logits = nn.Conv2d(8 * self.width, len(self.classes_), kernel_size=4)
        network = nn.Sequential(Discriminator(self.width).blocks, to_logits, nn.Flatten())  # (n, 3, 64, 64) to (n, k)
        initialize_weights(network, seed=self.seed)
        if self.weights is not None:
            network[0] = load_weights(Discriminator(self.width), Path(self.weights)).requires_grad_(True).blocks
        return network.to(self._device, memory_format=torch.channels_last)

    def _train(self, network: nn.Sequential, data: Tensor, y: Tensor) -> None:
        size = min(self.batch_size, len(data))
        self.n_steps_ = max(self.min_steps, self.epochs * len(data) // size)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=self.n_steps_)
        rng = np.random.default_rng(self.seed)
        waiting = np.empty(0, int)  # faces that this pass has yet to show
        network.train()
        for step in range(self.n_steps_):
            if len(waiting) < size:
                waiting = rng.permutation(len(data))
            rows, waiting = waiting[:size], waiting[size:]
            with self._autocast():
                loss = cross_entropy(network(to_float(data[rows])).float(), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower learning_rate")

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=has_native_bfloat16(self._device))

    def decision_function(self, images: np.ndarray) -> np.ndarray:
        """Return logits float32 (n, n_classes) of images uint8 (n, 64, 64, 3)."""
        images = check_images(images)
        if len(self.classes_) == 1:
            return np.zeros((len(images), 1), np.float32)
        logits = np.empty((len(images), len(self.classes_)), np.float32)
        with torch.inference_mode(), self._autocast():
            for start in range(0, len(images), _AT_ONCE):
                batch = to_float(np.array(images[start : start + _AT_ONCE]), self._device)
                logits[start : start + len(batch)] = self.network_(batch).float().cpu().numpy()
        return logits

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the class of each of the images uint8 (n, 64, 64, 3)."""
        return self.classes_[self.decision_function(images).argmax(axis=1)]
