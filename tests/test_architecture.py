"""Counting the networks: PyTorch's counts against arithmetic by hand."""

import matplotlib
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from fergan.book.figures.training import network_drawing
from fergan.gan.architecture import count_networks, drawing_data, layer_table, layers_of, training_step_flops
from fergan.gan.dcgan import Discriminator, Generator, count_parameters

matplotlib.use("agg")
KERNEL = 16  # 4x4


def discriminator_flops(w):
    """Each output number of a convolution is a sum over kernel and input channels: two operations per product."""
    shapes = [(3, w, 32), (w, 2 * w, 16), (2 * w, 4 * w, 8), (4 * w, 8 * w, 4), (8 * w, 1, 1)]
    return [2 * KERNEL * n_in * n_out * side**2 for n_in, n_out, side in shapes]


def generator_flops(w, z):
    """Each input number of a transposed convolution is spread over kernel and output channels."""
    shapes = [(z, 8 * w, 1), (8 * w, 4 * w, 4), (4 * w, 2 * w, 8), (2 * w, w, 16), (w, 3, 32)]
    return [2 * KERNEL * n_in * n_out * side**2 for n_in, n_out, side in shapes]


@pytest.mark.parametrize("width", [8, 64])
def test_layers_cost_what_arithmetic_says(width):
    assert [layer.flops for layer in layers_of(Discriminator(width))] == [0, *discriminator_flops(width)]
    assert [layer.flops for layer in layers_of(Generator(50, width))] == [0, *generator_flops(width, 50)]


def test_layers_have_the_shapes_and_parameters_of_the_network():
    generator, discriminator = Generator(100, 16), Discriminator(16)
    assert [layer.shape for layer in layers_of(generator)] == [
        (100, 1, 1), (128, 4, 4), (64, 8, 8), (32, 16, 16), (16, 32, 32), (3, 64, 64)]
    assert [layer.shape for layer in layers_of(discriminator)] == [
        (3, 64, 64), (16, 32, 32), (32, 16, 16), (64, 8, 8), (128, 4, 4), (1, 1, 1)]
    for network in (generator, discriminator):
        assert sum(layer.parameters for layer in layers_of(network)) == count_parameters(network)
        assert next(network.parameters()).device.type == "cpu"  # counting leaves the network alone


def test_no_layer_is_left_out():
    """The layers taken one by one cost what the network costs in one pass."""
    for network, x in ((Generator(100, 8), torch.zeros(1, 100)), (Discriminator(8), torch.zeros(1, 3, 64, 64))):
        with FlopCounterMode(display=False) as counter:
            network(x)
        assert sum(layer.flops for layer in layers_of(network)) == counter.get_total_flops()


def test_the_papers_features_are_the_last_hidden_layer():
    features = [layer for layer in layers_of(Discriminator(64)) if layer.is_features]
    assert [(layer.shape, layer.size) for layer in features] == [((512, 4, 4), 8192)]
    assert features[0].name == "conv, norm, leaky\N{NO-BREAK SPACE}ReLU"
    assert not any(layer.is_features for layer in layers_of(Generator(100, 64)))


@pytest.mark.parametrize(("width", "latent_dim"), [(8, 20), (32, 100), (64, 100)])
def test_a_training_step_costs_what_its_derivation_says(width, latent_dim):
    d, g = discriminator_flops(width), generator_flops(width, latent_dim)
    expected = 8 * sum(d) - 2 * d[0] + 3 * sum(g) - g[0]
    assert training_step_flops(Generator(latent_dim, width), Discriminator(width)) == expected


def test_the_papers_step_takes_the_gflop_that_the_docstring_says():
    assert round(training_step_flops(Generator(100, 64), Discriminator(64)) / 1e9, 2) == 2.27


def test_a_table_has_totals_and_the_reference_beside():
    ours, paper = layers_of(Discriminator(32)), layers_of(Discriminator(64))
    alone = layer_table(ours)
    assert list(alone.columns) == ["layer", "output", "learnt, thousands", "MFLOP"]
    assert alone.iloc[4]["output"] == "256×4×4"
    assert alone.iloc[-1]["learnt, thousands"] == pytest.approx(count_parameters(Discriminator(32)) / 1e3)
    both = layer_table(ours, paper, "width 64")
    assert list(both.columns) == [*alone.columns, "width 64: learnt, thousands", "width 64: MFLOP"]
    assert both.iloc[-1]["width 64: MFLOP"] == pytest.approx(sum(discriminator_flops(64)) / 1e6)


def test_the_drawing_highlights_the_features_and_shows_the_papers_width_beside():
    data = drawing_data(count_networks(100, 32), count_networks(100, 64))
    assert data["features"] == ("discriminator", 4, "features: 256 × 4 × 4 = 4,096")
    assert data["note"].endswith("512 × 4 × 4 = 8,192")
    top, bottom = network_drawing(**data).axes
    texts = [text.get_text().strip() for text in bottom.texts]
    assert "4×4\n× 256" in texts and "× 512" in texts and "features: 256 × 4 × 4 = 4,096" in texts
    colours = [patch.get_facecolor() for patch in bottom.patches]
    assert len(top.patches) == len(bottom.patches) == 6 * 3  # three sides of six boxes
    assert colours.count(colours[3 * 4]) == 1 and colours.count(colours[0]) == 5  # one box stands out
    alone = drawing_data(count_networks(100, 64), {})
    assert alone["note"] == "" and "× 1024" not in [text.get_text() for text in network_drawing(**alone).axes[0].texts]
    matplotlib.pyplot.close("all")
