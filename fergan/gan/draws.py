"""What is random in a training run, each number drawn from (seed, step) alone."""

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from fergan.gan.dcgan import to_device
from fergan.gan.runs import TrainConfig

__all__ = ["Draws", "steps_per_epoch"]


def steps_per_epoch(n_faces: int, config: TrainConfig) -> int:
    """Return the number of whole batches in one pass."""
    if n_faces < config.batch_size:
        raise ValueError(
            f"training needs at least one batch of {config.batch_size} faces and the set has {n_faces}; "
            "lower batch_size or give more faces"
        )
    return n_faces // config.batch_size


class Draws:
    """What is random in each step, the same on every device; each process has its share of every batch."""

    def __init__(self, n_faces: int, config: TrainConfig, fabric: Fabric):
        if config.batch_size % fabric.world_size:
            raise ValueError(f"batch_size is {config.batch_size}; expected a multiple of the {fabric.world_size} processes")
        self._config, self._fabric, self._n_faces = config, fabric, n_faces
        self._per_epoch = steps_per_epoch(n_faces, config)
        self._share = slice(fabric.global_rank, None, fabric.world_size)
        self._order = (-1, torch.empty(0))

    def rows(self, step: int) -> Tensor:
        """Return which faces this step sees: every epoch is one shuffled pass, its last short batch left out."""
        epoch, batch = divmod(step, self._per_epoch)
        if self._order[0] != epoch:
            order = np.random.default_rng([self._config.seed, epoch]).permutation(self._n_faces)
            self._order = epoch, torch.from_numpy(order).to(self._fabric.device)
        size = self._config.batch_size
        return self._order[1][batch * size : (batch + 1) * size][self._share]

    def noise(self, step: int) -> Tensor:
        """Return this step's noise vectors."""
        return self.fixed_noise(self._config.batch_size, step)[self._share]

    def fixed_noise(self, n: int, stream: int) -> Tensor:
        """Return n noise vectors of a stream of their own; drawn on the processor, so that every device has the same."""
        noise = torch.randn(n, self._config.latent_dim, generator=_random(self._config, stream, offset=250_007))
        return to_device(noise, self._fabric.device)

    def other(self, step: int) -> torch.Generator:
        """Return the source of this step's augmentation and label noise."""
        return _random(self._config, (step + 1) * self._fabric.world_size + self._fabric.global_rank, offset=500_009)


def _random(config: TrainConfig, stream: int, offset: int) -> torch.Generator:
    return torch.Generator().manual_seed((config.seed + offset) * 1_000_003 + stream)
