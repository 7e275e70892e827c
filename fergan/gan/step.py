"""One step of training, and all else that can change a weight: the start, random streams, augmentation, losses, Adam.

What is random in a step is seeded by (seed, step), so the state of a run is weights, optimisers' moments and step number.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus
from torch.optim.swa_utils import update_bn

from fergan.gan.networks import Discriminator, Generator, initialize_weights, to_device, to_float

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from fergan.gan import TrainConfig


class TrainingState:
    """Networks and optimisers of a run after `step` steps: wrapped for precision and distribution, ``.module`` is plain."""

    def __init__(self, config: "TrainConfig", fabric: "Fabric"):
        generator = Generator(config.latent_dim, config.generator_channels)
        discriminator = Discriminator(config.width)
        initialize_weights(generator, config.weight_std, seed=config.seed)
        initialize_weights(discriminator, config.weight_std, seed=config.seed + 1)
        self.average = generator  # its moving average, which without decay is the generator itself
        if config.average_decay:
            self.average = Generator(config.latent_dim, config.generator_channels).requires_grad_(False)
            self.average.load_state_dict(generator.state_dict())
        for network in (generator, discriminator, self.average):
            network.to(fabric.device, memory_format=torch.channels_last)  # the layout that convolutions are fastest in

        def set_up(network: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
            betas = (config.beta1, config.beta2)
            adam = torch.optim.Adam(network.parameters(), config.learning_rate, betas, fused=True)
            return fabric.setup(network, adam, move_to_device=False)

        (self.generator, self.optimizer_g), (self.discriminator, self.optimizer_d) = set_up(generator), set_up(discriminator)
        self.step = 0

    def networks(self) -> dict[str, nn.Module]:
        """Return the plain networks by name, each once."""
        networks = {"generator": self.generator.module, "discriminator": self.discriminator.module}
        return networks if self.average is self.generator.module else networks | {"average": self.average}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the plain optimisers by name."""
        return {"optimizer_g": self.optimizer_g.optimizer, "optimizer_d": self.optimizer_d.optimizer}

    @torch.no_grad()
    def move_average(self, decay: float) -> None:
        """Move the average towards the generator, batch-norm statistics included; quickly at first, to forget the start."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        pairs = list(zip(self.average.state_dict().values(), self.generator.module.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_(*map(list, zip(*floats, strict=True)), 1 - decay)
        for mean, new in pairs:
            if not mean.is_floating_point():
                mean.copy_(new)


# ---- random streams

def steps_per_epoch(n_faces: int, config: "TrainConfig") -> int:
    """Return the number of whole batches in one pass."""
    if n_faces < config.batch_size:
        raise ValueError(f"training needs at least one batch of {config.batch_size} faces and the set has {n_faces}")
    return n_faces // config.batch_size


class RandomStreams:
    """What is random in each step, the same on every device; each process has its share of every batch."""

    def __init__(self, n_faces: int, config: "TrainConfig", fabric: "Fabric"):
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
        noise = torch.randn(n, self._config.latent_dim, generator=self._random(stream, offset=250_007))
        return to_device(noise, self._fabric.device)

    def other(self, step: int) -> torch.Generator:
        """Return the source of this step's augmentation and label noise."""
        return self._random((step + 1) * self._fabric.world_size + self._fabric.global_rank, offset=500_009)

    def _random(self, stream: int, offset: int) -> torch.Generator:
        return torch.Generator().manual_seed((self._config.seed + offset) * 1_000_003 + stream)


# ---- augmentation

def _uniform(x: Tensor, random: torch.Generator) -> Tensor:
    # Drawn on the processor, so that every device changes the faces alike.
    return to_device(torch.rand(len(x), 1, 1, 1, generator=random), x.device)


def _offsets(x: Tensor, random: torch.Generator, low: int, high: int) -> Tensor:
    return to_device(torch.randint(low, high + 1, (len(x), 1, 1), generator=random), x.device)


def _color(x: Tensor, random: torch.Generator) -> Tensor:
    """Shift brightness by up to .5 and scale saturation by 0 to 2 and contrast by .5 to 1.5, per image."""
    x = x + (_uniform(x, random) - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = (x - grey) * (2 * _uniform(x, random)) + grey
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, random) + 0.5) + mean


def _translation(x: Tensor, random: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its side each way; what comes in from outside is 0, mid-grey."""
    n, _, height, width = x.shape
    # One row and column of zeros on each side: every index beyond the image is clamped there.
    padded = pad(x, (1, 1, 1, 1))
    rows = torch.arange(height, device=x.device)[None, :, None] + _offsets(x, random, -(height // 8), height // 8)
    columns = torch.arange(width, device=x.device)[None, None, :] + _offsets(x, random, -(width // 8), width // 8)
    rows, columns = (rows + 1).clamp(0, height + 1), (columns + 1).clamp(0, width + 1)
    images = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)


def _cutout(x: Tensor, random: torch.Generator) -> Tensor:
    """Blank a square of half the side at a random place, part of which may lie outside."""
    height, width = x.shape[2:]
    from_row = torch.arange(height, device=x.device)[None, :, None] - _offsets(x, random, 0, height)
    from_column = torch.arange(width, device=x.device)[None, None, :] - _offsets(x, random, 0, width)
    blank_rows = (from_row >= -(height // 4)) & (from_row < height // 4)
    blank_columns = (from_column >= -(width // 4)) & (from_column < width // 4)
    return x * ~(blank_rows & blank_columns)[:, None]


POLICIES = {"color": _color, "translation": _translation, "cutout": _cutout}  # the parts, in the order that a policy names


def augment(images: Tensor, policy: str, random: torch.Generator) -> Tensor:
    """Change each image (n, 3, height, width) at random, differentiably, by a policy: ``"none"`` or some `POLICIES`.

    Zhao, Liu, Lin, Zhu and Han (2020), "Differentiable augmentation for data-efficient GAN training", section 3 and
    appendix; strengths as there.
    """
    for name in [] if policy == "none" else policy.split(","):
        images = POLICIES[name](images, random)
    return images


def mirror(images: Tensor, probability: float, random: torch.Generator) -> Tensor:
    """Turn each image (n, 3, height, width) left to right with this probability."""
    if not probability:
        return images
    return torch.where(_uniform(images, random) < probability, images.flip(3), images)


# ---- the step

def adversarial_loss(logit: Tensor, label: float, label_noise: float = 0.0, random: torch.Generator | None = None) -> Tensor:
    """Mean of log(1 + exp(-label * logit)): for labels of -1 and 1 the cross-entropy, which noise blurs."""
    if not label_noise:
        return softplus(-label * logit).mean()
    noise = to_device(torch.randn(logit.shape, generator=random), logit.device)
    return softplus(-(label + label_noise * noise) * logit).mean()


def train_step(state: TrainingState, real: Tensor, noise: Tensor, config: "TrainConfig", fabric: "Fabric",
               random: torch.Generator) -> Tensor:
    """Update both networks once, in place, on faces (n, 3, 64, 64) in -1..1 and noise (n, latent_dim).

    Returns ``loss_d, loss_g, score_real, score_generated`` (4,), the scores as probabilities of being real.
    """
    generator, discriminator = state.generator, state.discriminator
    real = augment(mirror(real, config.flip_probability, random), config.augment, random)

    # Update the discriminator: real faces towards 1, generated ones towards -1.
    if config.discriminator_updates == 2:
        generated = generator(noise)
        logit_generated = discriminator(augment(generated.detach(), config.augment, random))
        loss_generated = adversarial_loss(logit_generated, -1, config.label_noise, random)
        _update(state.optimizer_d, loss_generated, fabric)
        logit_real = discriminator(real)
        loss_real = adversarial_loss(logit_real, 1, config.label_noise, random)
        _update(state.optimizer_d, loss_real, fabric)
    else:
        with fabric.autocast():  # around all three, so that weights are turned to bfloat16 once
            generated = generator(noise)
            shown = augment(generated.detach(), config.augment, random)
            logit_real, logit_generated = discriminator(real), discriminator(shown)
        loss_real = adversarial_loss(logit_real, 1, config.label_noise, random)
        loss_generated = adversarial_loss(logit_generated, -1, config.label_noise, random)
        _update(state.optimizer_d, loss_real + loss_generated, fabric)

    # Update the generator, through the plain discriminator, whose own gradients nobody needs.
    discriminator.requires_grad_(False)
    with fabric.autocast():
        logit = discriminator.module(augment(generated, config.augment, random)).float()
    loss_g = adversarial_loss(logit, 1)
    _update(state.optimizer_g, loss_g, fabric)
    discriminator.requires_grad_(True)

    scores = logit_real.sigmoid().mean(), logit_generated.sigmoid().mean()
    losses = torch.stack([loss_real + loss_generated, loss_g, *scores]).detach()
    if fabric.world_size > 1:
        losses = _merge(state, losses, fabric.world_size)
    if config.average_decay:
        state.move_average(config.average_decay)
    return losses


def _update(optimizer: torch.optim.Optimizer, loss: Tensor, fabric: "Fabric") -> None:
    optimizer.zero_grad()
    fabric.backward(loss)
    optimizer.step()


def _merge(state: TrainingState, losses: Tensor, world_size: int) -> Tensor:
    """Average batch-norm statistics and losses over the processes, which saw different faces; one exchange for all."""
    networks = (state.generator.module, state.discriminator.module)
    parts = [losses, *(buffer for network in networks for buffer in network.buffers() if buffer.is_floating_point())]
    merged = torch.cat([part.flatten() for part in parts])
    torch.distributed.all_reduce(merged)  # Fabric's own waits for all processes first
    merged /= world_size
    values = merged.split([part.numel() for part in parts])
    for part, value in zip(parts[1:], values[1:], strict=True):
        part.copy_(value.view_as(part))
    return values[0]


def next_step(state: TrainingState, faces: Tensor, streams: RandomStreams, config: "TrainConfig",
              fabric: "Fabric") -> Tensor:
    """Take the step that follows, on its share of faces uint8 (n_faces, 64, 64, 3); return the losses of `train_step`."""
    real = to_float(faces[streams.rows(state.step)])
    losses = train_step(state, real, streams.noise(state.step), config, fabric, streams.other(state.step))
    state.step += 1
    return losses


def calibrate_average(state: TrainingState, streams: RandomStreams) -> None:
    """Give the averaged generator batch-norm statistics of its own (Izmailov et al., 2018), from 2,048 noise vectors."""
    update_bn([streams.fixed_noise(256, -2 - i) for i in range(8)], state.average)
