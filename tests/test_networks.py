"""The networks, what a training's parameters may be, and walks through the noise: what can be worked out by hand."""

import math

import numpy as np
import pytest
import torch

import fergan
from fergan.gan import PRESETS, TrainConfig
from fergan.gan.networks import Discriminator, Generator, initialize_weights, to_float, to_uint8
from fergan.gan.runs import Run
from fergan.gan.sampling import interpolate, sample, slerp
from fergan.gan.step import POLICIES

KERNEL = 16  # 4x4
FACES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def test_shapes_and_counts_are_as_worked_out_by_hand_and_pixels_survive_the_way_in_and_back():
    discriminator = Discriminator(64)
    assert discriminator.n_features == 512 * 4 * 4
    assert discriminator.hidden(torch.zeros(2, 3, 64, 64)).shape == (2, 512, 4, 4)
    assert discriminator(torch.zeros(2, 3, 64, 64)).shape == (2,)
    images = Generator(latent_dim=7, width=4)(torch.randn(3, 7))
    assert images.shape == (3, 3, 64, 64) and images.abs().max() <= 1
    w, z = 8, 10
    weights = KERNEL * (3 * w + w * 2 * w + 2 * w * 4 * w + 4 * w * 8 * w + 8 * w) + w + 1 + 2 * (2 * w + 4 * w + 8 * w)
    others = KERNEL * (z * 8 * w + 8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w + w * 3) + 3 + 2 * (8 * w + 4 * w + 2 * w + w)
    learnt = [sum(weight.numel() for weight in network.parameters()) for network in (Discriminator(w), Generator(z, w))]
    assert learnt == [weights, others]
    discriminator = Discriminator(4).eval()
    expected = discriminator.hidden(to_float(FACES))
    assert torch.equal(discriminator.hidden(FACES), expected) and torch.equal(discriminator.hidden(torch.tensor(FACES)), expected)
    for wrong in (FACES[:, :32, :32], torch.zeros(2, 1, 64, 64)):
        with pytest.raises(ValueError, match="expected uint8"):
            discriminator.hidden(wrong)
    images = np.arange(256, dtype=np.uint8).repeat(3 * 16).reshape(1, 64, 64, 3)
    assert to_float(images).min() == -1 and to_float(images).max() == 1
    assert np.array_equal(to_uint8(to_float(images)), images)


def test_initial_weights_are_normal_and_depend_on_the_seed_alone():
    first, second, other = Discriminator(16), Discriminator(16), Discriminator(16)
    initialize_weights(first, seed=3)
    torch.manual_seed(99)
    initialize_weights(second, seed=3)
    initialize_weights(other, seed=4)
    weight = first.blocks[3][0].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)  # 131,072 draws: 2 % is ten standard errors
    assert weight.mean().item() == pytest.approx(0, abs=3e-4)
    assert first.blocks[3][1].weight.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(weight, second.blocks[3][0].weight) and not torch.equal(weight, other.blocks[3][0].weight)


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
    for given, words in ((dict(width=0), "greater than or equal to 1"), (dict(learn_rate=1), "learn_rate\n  Extra inputs"),
                         (dict(augment="colour"), "augment\n  String should match pattern"),
                         (dict(preset="best"), "unknown training preset")):
        with pytest.raises(ValueError, match=words):
            config.changed(**given)
    other = config.changed(seed=3).changed(preset="paper", width=8)  # which fills all the rest anew
    assert (other.beta1, other.batch_size, other.width, other.seed, other.average_decay) == (0.9, 128, 8, 3, 0)
    assert TrainConfig(augment=",".join(POLICIES)).augment == "color,translation,cutout"


@pytest.fixture(scope="module")
def run(unlearnt_run):
    return Run.load(unlearnt_run)


def test_samples_depend_on_the_seed_only_and_a_loaded_discriminator_is_frozen(run):
    network, faces = fergan.load_discriminator(run), sample(run, 4)
    assert network.n_features == 8 * 8 * 16
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert torch.allclose(network.hidden(faces)[:1], network.hidden(faces[:1]), atol=1e-5)
    record = run.folder / "config.json"
    record.write_text(record.read_text().replace('"generator_width": 4', '"generator_width": 0'))
    assert Run.load(run.folder).config.generator_width is None and Run.load(run.folder).digest == run.digest
    np.testing.assert_array_equal(sample(run, 6, seed=1), sample(run.folder, 6, seed=1, batch_size=2))
    np.testing.assert_array_equal(fergan.sample(run.folder, 3, seed=4), sample(run, 3, seed=4))
    assert not np.array_equal(sample(run, 6, seed=1), sample(run, 6, seed=2))


def test_slerp_turns_in_proportion_and_rows_of_an_interpolation_join_different_vectors():
    middle = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
    torch.testing.assert_close(middle, torch.tensor([math.sqrt(2), math.sqrt(2)]))
    a = torch.tensor([1.0, 2.0, 2.0])
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)
    a, b = torch.randn(2, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    b *= 3
    angle = torch.acos(a @ b / (a.norm() * b.norm()))
    for share in (0.0, 0.1, 0.5, 0.8, 1.0):
        point = slerp(a, b, share)
        torch.testing.assert_close(point.norm(), (1 - share) * a.norm() + share * b.norm())
        assert float(torch.acos((a @ point / (a.norm() * point.norm())).clamp(max=1))) == pytest.approx(share * float(angle), abs=1e-7)
    rows = interpolate(latent_dim=100, n_rows=3, n_columns=5, seed=2)
    assert rows.shape == (3, 5, 100)
    assert torch.equal(rows, interpolate(100, 3, 5, seed=2)) and not torch.equal(rows, interpolate(100, 3, 5, seed=3))
    assert len({tuple(z.tolist()) for z in rows[:, [0, -1]].reshape(-1, 100)}) == 6
    # The straight line's middle is about 7 long where noise is about 10; the arc's middle is as long as its ends.
    torch.testing.assert_close(rows[:, 2].norm(dim=1), (rows[:, 0].norm(dim=1) + rows[:, 4].norm(dim=1)) / 2)
