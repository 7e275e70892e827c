"""The networks: shapes, counts and starting weights that can be worked out by hand."""

import numpy as np
import pytest
import torch

from fergan.gan.dcgan import (
    Discriminator,
    Generator,
    count_parameters,
    initialize_weights,
    to_float,
    to_uint8,
)
from fergan.gan.runs import make_config


def test_the_papers_network_has_8192_features():
    discriminator = Discriminator(64)
    assert discriminator.n_features == 512 * 4 * 4 == 8192
    assert discriminator.hidden(torch.zeros(2, 3, 64, 64)).shape == (2, 512, 4, 4)
    assert discriminator(torch.zeros(2, 3, 64, 64)).shape == (2,)


def test_generator_makes_images_in_range():
    images = Generator(latent_dim=7, width=4)(torch.randn(3, 7))
    assert images.shape == (3, 3, 64, 64)
    assert images.abs().max() <= 1


def test_parameter_counts_by_hand():
    w, z = 8, 10
    kernel = 16  # 4x4
    convolutions = kernel * (3 * w + w * 2 * w + 2 * w * 4 * w + 4 * w * 8 * w + 8 * w * 1)
    biases = w + 1
    norms = 2 * (2 * w + 4 * w + 8 * w)
    assert count_parameters(Discriminator(w)) == convolutions + biases + norms
    convolutions = kernel * (z * 8 * w + 8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w + w * 3)
    assert count_parameters(Generator(z, w)) == convolutions + 3 + 2 * (8 * w + 4 * w + 2 * w + w)


def test_initial_weights_are_normal_with_std_002_and_depend_on_the_seed_only():
    first, second, other = Discriminator(16), Discriminator(16), Discriminator(16)
    initialize_weights(first, seed=3)
    torch.manual_seed(99)
    initialize_weights(second, seed=3)
    initialize_weights(other, seed=4)
    weight = first.blocks[3][0].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)  # 131,072 draws: 2 % is ten standard errors
    assert weight.mean().item() == pytest.approx(0, abs=3e-4)
    assert first.blocks[3][1].weight.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(weight, second.blocks[3][0].weight)
    assert not torch.equal(weight, other.blocks[3][0].weight)


def test_pixels_survive_the_way_into_the_networks_and_back():
    images = np.arange(256, dtype=np.uint8).repeat(3 * 16).reshape(1, 64, 64, 3)
    floats = to_float(images)
    assert floats.min() == -1 and floats.max() == 1
    assert np.array_equal(to_uint8(floats), images)


def test_the_default_preset_is_radfords_at_the_papers_length():
    values = vars(make_config("radford2015"))
    assert (values["width"], values["batch_size"], values["learning_rate"], values["beta1"]) == (64, 128, 2e-4, 0.5)
    assert values["epochs"] == 300 and values["weight_std"] == 0.02 and values["average_decay"] == 0
