"""What a generator says about faces: the noise that redraws a face, and what that noise becomes on its way."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fergan.features.base import StatelessFeatures, computing_device

if TYPE_CHECKING:
    from torch import Tensor

    from fergan.gan.networks import Generator


class GeneratorFeatures(StatelessFeatures):
    """Activations of the generator's first layer, at the noise vector whose drawing is nearest to the face.

    This is the discriminator's last hidden layer seen from the other side: ``8 * width`` maps of 4x4. A generator takes no
    faces, so that each is first *inverted*: its noise vector is found by gradient descent on the mean squared difference of
    the pixels. The paper names features from the generator as future work.

    Args:
        weights: A ``generator.safetensors``.
        n_steps, learning_rate: int, float; of gradient descent (Adam), for each face. It takes as long as that many epochs
            of training.
        prior: Weight of the noise vector's mean squared length, whose expectation is 1 in training.
        batch_size, device: int, str; as for `fergan.features.discriminator.DiscriminatorFeatures`.

    Source: Creswell and Bharath, *Inverting the Generator of a Generative Adversarial Network*, IEEE TNNLS 30, 2019.
    """

    def __init__(self, weights: str | Path, n_steps: int = 100, learning_rate: float = 0.1, prior: float = 1e-3,
                 batch_size: int = 256, device: str = "auto"):
        self.weights = weights
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.prior = prior
        self.batch_size = batch_size
        self.device = device

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import torch

        from fergan.gan.networks import open_generator

        device = computing_device(self.device)
        network = open_generator(self.weights).to(device, memory_format=torch.channels_last)

        def describe(images: np.ndarray) -> np.ndarray:
            noise = self._invert(network, images, device)
            with torch.inference_mode():
                return network.project(noise[:, :, None, None]).flatten(1).cpu().numpy()

        return describe

    def _invert(self, network: "Generator", images: np.ndarray, device: str) -> "Tensor":
        """Return the noise vectors (n, latent_dim) of some faces; all start at the mean of the noise."""
        import torch

        from fergan.gan.networks import to_float

        target = to_float(images, device)
        with torch.enable_grad():
            noise = torch.zeros(len(images), network.latent_dim, device=device, requires_grad=True)
            # Adam scales each number by its own gradients, and the sum over faces keeps these apart.
            optimizer = torch.optim.Adam([noise], lr=self.learning_rate)
            for _ in range(self.n_steps):
                optimizer.zero_grad()
                difference = (network(noise) - target).square().mean(dim=(1, 2, 3))
                (difference + self.prior * noise.square().mean(dim=1)).sum().backward()
                optimizer.step()
        return noise.detach()
