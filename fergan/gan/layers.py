"""The two networks counted: what each layer puts out, how many numbers it learns, what it costs.

Costs are floating-point operations (FLOPs) of the convolutions, as PyTorch counts them: one multiply-add is two, and the
zeros around an image are multiplied like any other pixel. Normalisation, rectifiers and the optimiser, a few operations per
number, are left out. Nothing is computed: PyTorch's meta device passes shapes on, so that any width is counted at once.
"""

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fergan.gan.networks import Discriminator, Generator, count_parameters

PAPER_WIDTH = 64  # of the paper's networks, whose features are 512 maps of 4x4

# Names in a table break between parts and not within one.
_NAMES = {
    nn.ConvTranspose2d: "transposed\N{NO-BREAK SPACE}conv", nn.Conv2d: "conv", nn.BatchNorm2d: "norm",
    nn.ReLU: "ReLU", nn.LeakyReLU: "leaky\N{NO-BREAK SPACE}ReLU", nn.Tanh: "tanh",
}


def generator_layers(latent_dim: int, width: int) -> pd.DataFrame:
    """Return the layers of a generator, the input first: columns ``layer, channels, side, learnt, flops``, for one image."""
    with torch.device("meta"):
        network, noise = Generator(latent_dim, width), torch.zeros(1, latent_dim, 1, 1)
        return _layers("noise", noise, [network.project, *network.blocks, nn.Sequential(network.to_image, nn.Tanh())])


def discriminator_layers(width: int) -> pd.DataFrame:
    """Return the layers of a discriminator like `generator_layers`; the last but one holds the features."""
    with torch.device("meta"):
        network, face = Discriminator(width), torch.zeros(1, 3, 64, 64)
        return _layers("face", face, [*network.blocks, network.to_logit])


def _layers(name: str, x: torch.Tensor, stages: list[nn.Module]) -> pd.DataFrame:
    rows = [(name, x.shape[1], x.shape[2], 0, 0)]
    for stage in stages:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            x = stage(x)
        parts = stage if isinstance(stage, nn.Sequential) else [stage]
        name = ", ".join(_NAMES[type(part)] for part in parts)
        rows.append((name, x.shape[1], x.shape[2], count_parameters(stage), counter.get_total_flops()))
    return pd.DataFrame(rows, columns=["layer", "channels", "side", "learnt", "flops"])


def training_step_flops(latent_dim: int, width: int, generator_width: int | None = None) -> int:
    """Count the floating-point operations of one training step, per face of the batch.

    With :math:`F_G` and :math:`F_D` for the forward passes, and :math:`f_G` and :math:`f_D` for their first layers, whose
    input needs no gradient, it comes to :math:`8 F_D - 2 f_D + 3 F_G - f_G`: 2.27 GFLOP at width 64. The count is taken from
    PyTorch while it runs such a step on shapes.
    """
    with torch.device("meta"):
        generator, discriminator = Generator(latent_dim, generator_width or width), Discriminator(width)
        noise, real = torch.zeros(1, latent_dim), torch.zeros(1, 3, 64, 64)
        with FlopCounterMode(display=False) as counter:
            generated = generator(noise)
            (discriminator(real) + discriminator(generated.detach())).sum().backward()
            discriminator.requires_grad_(False)
            discriminator(generated).sum().backward()
    return counter.get_total_flops()
