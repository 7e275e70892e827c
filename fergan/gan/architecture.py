"""The two networks counted: what each layer puts out, how many numbers it learns, what it costs.

Costs are floating-point operations (FLOPs) of the convolutions, as PyTorch counts them: one multiply-add is two, and the
zeros around an image are multiplied like any other pixel. Normalisation, rectifiers and the optimiser, a few operations per
number, are left out.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fergan.gan.dcgan import Discriminator, Generator, count_parameters

__all__ = ["PAPER_WIDTH", "Layer", "count_networks", "drawing_data", "layer_table", "layers_of", "training_step_flops"]

PAPER_WIDTH = 64  # of the paper's networks, whose features are 512 maps of 4x4

# Names in a table break between parts and not within one.
_NAMES = {
    nn.ConvTranspose2d: "transposed\N{NO-BREAK SPACE}conv", nn.Conv2d: "conv", nn.BatchNorm2d: "norm",
    nn.ReLU: "ReLU", nn.LeakyReLU: "leaky\N{NO-BREAK SPACE}ReLU", nn.Tanh: "tanh",
}


@dataclass(frozen=True)
class Layer:
    """One layer of a network, counted for one image.

    Attributes
    ----------
    name : str
        What it does; the first is the input.
    shape : tuple of int
        Channels, height and width of what it puts out.
    parameters : int
        How many numbers it learns.
    flops : int
        Of the forward pass.
    is_features : bool
        Whether its output is the paper's feature vector.
    """

    name: str
    shape: tuple[int, int, int]
    parameters: int = 0
    flops: int = 0
    is_features: bool = False

    @property
    def size(self) -> int:
        """Numbers in its output."""
        channels, height, width = self.shape
        return channels * height * width


def _stages(network: Generator | Discriminator) -> tuple[str, Tensor, list[nn.Module]]:
    """Return what the input is called, one input, and the layers in order."""
    if isinstance(network, Generator):
        noise = torch.zeros(1, network.latent_dim, 1, 1, device="meta")
        return "noise", noise, [network.project, *network.blocks, nn.Sequential(network.to_image, nn.Tanh())]
    return "face", torch.zeros(1, 3, 64, 64, device="meta"), [*network.blocks, network.to_logit]


def layers_of(network: Generator | Discriminator) -> list[Layer]:
    """Count a network layer by layer, the input first.

    Nothing is computed: the layers pass shapes on (PyTorch's meta device), so that any width is counted at once.
    """
    network = deepcopy(network).to("meta")
    name, x, stages = _stages(network)
    layers = [Layer(name, tuple(x.shape[1:]))]
    for stage in stages:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            x = stage(x)
        parts = stage if isinstance(stage, nn.Sequential) else [stage]
        # The features are what the discriminator's last block hands to the logit.
        is_features = isinstance(network, Discriminator) and stage is network.blocks[-1]
        name = ", ".join(_NAMES[type(part)] for part in parts)
        layers.append(Layer(name, tuple(x.shape[1:]), count_parameters(stage), counter.get_total_flops(), is_features))
    return layers


def count_networks(latent_dim: int, width: int, generator_width: int = 0) -> dict[str, list[Layer]]:
    """Return the layers of ``generator`` and ``discriminator`` at a width; the generator may have another."""
    with torch.device("meta"):
        networks = {"generator": Generator(latent_dim, generator_width or width), "discriminator": Discriminator(width)}
    return {name: layers_of(network) for name, network in networks.items()}


def drawing_data(networks: Mapping[str, Sequence[Layer]], reference: Mapping[str, Sequence[Layer]]) -> dict[str, Any]:
    """Return the arguments of `fergan.book.figures.training.network_drawing` for networks and a reference, which may be empty."""
    shapes, theirs = ({key: [layer.shape for layer in each[key]] for key in each} for each in (networks, reference))
    name, index, layer = _features_in(networks)
    note = ""
    if reference:
        paper = _features_in(reference)[2]
        note = f"grey: channels at the paper's width, {PAPER_WIDTH}, where the features are {_product(paper)}"
    return dict(networks=shapes, reference=theirs, features=(name, index, f"features: {_product(layer)}"), note=note)


def _features_in(networks: Mapping[str, Sequence[Layer]]) -> tuple[str, int, Layer]:
    return next((name, i, layer) for name, layers in networks.items() for i, layer in enumerate(layers) if layer.is_features)


def _product(layer: Layer) -> str:
    return f"{' × '.join(map(str, layer.shape))} = {layer.size:,}"


def training_step_flops(generator: Generator, discriminator: Discriminator) -> int:
    """Count one training step, per face of the batch.

    A forward pass costs :math:`F_G` or :math:`F_D`. A backward pass costs as much once for the gradient of each layer's
    weights and once more for that of its input. The step makes

    - one generated image, :math:`F_G`;
    - the discriminator's turn, on a real face and on the generated image: forward and both gradients, but the first layer's
      input, an image, needs none (its cost is :math:`f_D`): :math:`2 (3 F_D - f_D)`;
    - the generator's turn: forward and back through the discriminator, whose weights rest, so one gradient: :math:`2 F_D`;
    - then both gradients of the generator, but none for the noise (:math:`f_G`): :math:`2 F_G - f_G`.

    Together :math:`8 F_D - 2 f_D + 3 F_G - f_G`. At width 64, :math:`F_G = 209` and :math:`F_D = 208` MFLOP, and the step
    comes to 2.27 GFLOP per face. The count here is taken from PyTorch while it runs such a step on shapes.

    Returns
    -------
    int
        Floating-point operations; the same at any batch size and precision.
    """
    generator, discriminator = deepcopy(generator).to("meta"), deepcopy(discriminator).to("meta")
    noise = torch.zeros(1, generator.latent_dim, device="meta")
    real = torch.zeros(1, 3, 64, 64, device="meta")
    with FlopCounterMode(display=False) as counter:
        generated = generator(noise)
        (discriminator(real) + discriminator(generated.detach())).sum().backward()
        discriminator.requires_grad_(False)
        discriminator(generated).sum().backward()
    return counter.get_total_flops()


def layer_table(layers: Sequence[Layer], reference: Sequence[Layer] = (), heading: str = "") -> pd.DataFrame:
    """Return layers as a table with a line of totals.

    Parameters
    ----------
    layers : sequence of Layer
        Of one network.
    reference : sequence of Layer
        Of the same network at another width, to stand beside it; may be empty.
    heading : str
        What the columns of the reference are called, for example ``width 64``.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``output`` (channels x height x width), ``learnt, thousands`` and ``MFLOP``; the last two again
        for the reference.
    """
    table = pd.DataFrame({"layer": [layer.name for layer in layers] + ["together"], **_columns(layers)})
    if reference:
        table = table.join(pd.DataFrame(_columns(reference)).drop(columns="output").add_prefix(f"{heading}: "))
    return table


def _columns(layers: Sequence[Layer]) -> dict[str, list]:
    return {
        "output": ["×".join(map(str, layer.shape)) for layer in layers] + [""],
        "learnt, thousands": [n / 1e3 for n in _with_sum([layer.parameters for layer in layers])],
        "MFLOP": [n / 1e6 for n in _with_sum([layer.flops for layer in layers])],
    }


def _with_sum(values: list[int]) -> list[int]:
    return [*values, sum(values)]
