"""The networks and optimisers of a training run, as they stand after some step."""

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from fergan.gan.dcgan import Discriminator, Generator, initialize_weights
from fergan.gan.runs import TrainConfig

__all__ = ["TrainingState"]


class TrainingState:
    """What a run has learnt so far.

    Parameters
    ----------
    config : TrainConfig
        Of the run.
    fabric : Fabric
        Puts networks and optimisers on its device, and between its processes.

    Attributes
    ----------
    generator, discriminator : Module
        The networks, wrapped for precision and distribution; ``.module`` is the plain one.
    average : Generator
        Moving average of the generator; the generator itself where the average forgets all but the last step.
    optimizer_g, optimizer_d : Optimizer
        Adam of each.
    step : int
        Finished steps.
    """

    def __init__(self, config: TrainConfig, fabric: Fabric):
        generator_width = config.generator_width or config.width
        generator = Generator(config.latent_dim, generator_width)
        discriminator = Discriminator(config.width)
        initialize_weights(generator, config.weight_std, seed=config.seed)
        initialize_weights(discriminator, config.weight_std, seed=config.seed + 1)
        self.average = generator
        if config.average_decay:
            self.average = Generator(config.latent_dim, generator_width).requires_grad_(False)
            self.average.load_state_dict(generator.state_dict())
        for network in (generator, discriminator, self.average):
            network.to(fabric.device, memory_format=torch.channels_last)  # the layout that convolutions are fastest in
        adam = dict(lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)
        self.generator, self.optimizer_g = fabric.setup(
            generator, torch.optim.Adam(generator.parameters(), **adam), move_to_device=False
        )
        self.discriminator, self.optimizer_d = fabric.setup(
            discriminator, torch.optim.Adam(discriminator.parameters(), **adam), move_to_device=False
        )
        self.step = 0

    def networks(self) -> dict[str, nn.Module]:
        """Return the plain networks by name, each once."""
        networks = {"generator": self.generator.module, "discriminator": self.discriminator.module}
        return networks if self.average is self.generator.module else networks | {"average": self.average}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the plain optimisers by name."""
        return {"optimizer_g": self.optimizer_g.optimizer, "optimizer_d": self.optimizer_d.optimizer}

    def statistics(self) -> list[Tensor]:
        """Return the running means and variances of both networks' batch normalisation, which no gradient moves."""
        networks = (self.generator.module, self.discriminator.module)
        return [buffer for network in networks for buffer in network.buffers() if buffer.is_floating_point()]

    @torch.no_grad()
    def move_average(self, decay: float) -> None:
        """Move the average towards the generator, batch-norm statistics included; quickly at first, to forget the start."""
        if not decay:
            return
        decay = min(decay, (1 + self.step) / (10 + self.step))
        pairs = list(zip(self.average.state_dict().values(), self.generator.module.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_(*map(list, zip(*floats, strict=True)), 1 - decay)
        for mean, new in pairs:
            if not mean.is_floating_point():
                mean.copy_(new)
