"""The networks: shapes, counts and starting weights that can be worked out by hand; what a training's parameters may be."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from fergan.gan import PRESETS, TrainConfig
from fergan.gan.networks import Discriminator, Generator, initialize_weights, recalibrate_batch_norm, to_float, to_uint8
from fergan.gan.step import POLICIES

KERNEL = 16  # 4x4
FACES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def learnt(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_shapes_and_counts_of_weights_are_as_worked_out_by_hand():
    discriminator = Discriminator(64)
    assert discriminator.n_features == 512 * 4 * 4 == 8192
    assert discriminator.hidden(torch.zeros(2, 3, 64, 64)).shape == (2, 512, 4, 4)
    assert discriminator(torch.zeros(2, 3, 64, 64)).shape == (2,)
    images = Generator(latent_dim=7, width=4)(torch.randn(3, 7))
    assert images.shape == (3, 3, 64, 64) and images.abs().max() <= 1
    w, z = 8, 10
    weights = KERNEL * (3 * w + w * 2 * w + 2 * w * 4 * w + 4 * w * 8 * w + 8 * w) + w + 1 + 2 * (2 * w + 4 * w + 8 * w)
    assert learnt(Discriminator(w)) == weights
    weights = KERNEL * (z * 8 * w + 8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w + w * 3) + 3 + 2 * (8 * w + 4 * w + 2 * w + w)
    assert learnt(Generator(z, w)) == weights


def test_faces_are_taken_as_pixels_too_and_pixels_survive_the_way_into_the_networks_and_back():
    discriminator = Discriminator(4).eval()
    expected = discriminator.hidden(to_float(FACES))
    assert torch.equal(discriminator.hidden(FACES), expected) and torch.equal(discriminator.hidden(torch.tensor(FACES)), expected)
    assert discriminator(FACES).shape == (5,)
    for wrong in (FACES[:, :32, :32], torch.zeros(2, 1, 64, 64)):
        with pytest.raises(ValueError, match="expected uint8"):
            discriminator.hidden(wrong)
    images = np.arange(256, dtype=np.uint8).repeat(3 * 16).reshape(1, 64, 64, 3)
    floats = to_float(images)
    assert floats.min() == -1 and floats.max() == 1
    assert np.array_equal(to_uint8(floats), images)


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


def test_recalibrated_statistics_are_plain_means():
    generator = Generator(4, 2)
    batches = [torch.randn(64, 4) for _ in range(3)]
    recalibrate_batch_norm(generator, batches)
    layer = generator.project[1]
    activations = [generator.project[0](z[:, :, None, None]) for z in batches]
    expected = torch.stack([a.mean(dim=(0, 2, 3)) for a in activations]).mean(0)
    assert torch.allclose(layer.running_mean, expected, atol=1e-6)
    assert layer.momentum == 0.1


@pytest.mark.parametrize(("given", "words"), [
    (dict(learn_rate=1e-3), "learn_rate\n  Extra inputs"), (dict(learning_rate=-1), "learning_rate\n  Input should be greater than 0"),
    (dict(epochs=2.5), "epochs\n  Input should be a valid integer"), (dict(augment=3), "augment\n  Input should be a valid string"),
    (dict(augment="colour"), "augment\n  String should match pattern"),
    (dict(batch_size=1), "batch_size\n  Input should be greater than or equal to 2"), (dict(preset="best"), "unknown training preset"),
    (dict(discriminator_updates=3), "discriminator_updates\n  Input should be 1 or 2"), (dict(beta1=1.0), "less than 1"),
])
def test_bad_parameters_are_named(given, words):
    with pytest.raises(ValidationError, match=words):
        TrainConfig(**given)


def test_presets_are_their_sources_and_fill_what_is_not_given():
    def changes(preset):
        return {name: value for name, value in TrainConfig(preset=preset) if value != getattr(TrainConfig(), name)}

    assert TrainConfig().preset == "radford2015" and TrainConfig().generator_channels == 64 and set(PRESETS) >= {"paper", "demo"}
    assert changes("paper") == {"preset": "paper", "beta1": 0.9}
    assert changes("matconvnet") == {"preset": "matconvnet", "generator_width": 128, "label_noise": 0.2, "discriminator_updates": 2}
    channels = [block[0].out_channels for block in Generator(100, TrainConfig(preset="matconvnet").generator_channels).blocks]
    assert channels == [512, 256, 128]  # after the 1024 of the projection
    config = TrainConfig(preset="demo", batch_size=16, learning_rate=1)
    assert (config.width, config.average_decay, config.batch_size, config.beta1) == (32, 0.99, 16, 0.5)
    assert config.changed(width=8, seed=3) == TrainConfig(preset="demo", batch_size=16, learning_rate=1.0, width=8, seed=3)
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        config.changed(width=0)
    other = config.changed(seed=3).changed(preset="paper", width=8)  # which fills all the rest anew
    assert (other.beta1, other.batch_size, other.width, other.seed, other.average_decay) == (0.9, 128, 8, 3, 0)
    assert TrainConfig(**config.model_dump()) == config
    assert TrainConfig(augment=",".join(POLICIES)).augment == "color,translation,cutout"
