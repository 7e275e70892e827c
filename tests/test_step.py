"""One step: its losses, what the discriminator is shown, and that several processes take it together."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import WITH_TESTS

from fergan.gan import TrainConfig, step, training
from fergan.gan.step import POLICIES, TrainingState, adversarial_loss, augment, mirror, train_step
from fergan.gan.training import make_fabric

SMALL = dict(preset="demo", width=4, latent_dim=8, batch_size=8, precision="float32")


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, size=16):
    return torch.rand(n, 3, size, size, generator=random(9)) * 2 - 1


def test_the_cross_entropy_is_torchs_and_the_discriminator_sees_every_face_augmented_afresh(monkeypatch):
    logit = torch.linspace(-9, 9, 37)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    assert torch.allclose(adversarial_loss(logit, 1), entropy(logit, torch.ones(37)))
    assert torch.allclose(adversarial_loss(logit, -1), entropy(logit, torch.zeros(37)))
    label = -1 + 0.2 * torch.randn(37, generator=random(1))
    assert torch.allclose(adversarial_loss(logit, -1, 0.2, random(1)), torch.log1p(torch.exp(-label * logit)).mean())
    seen = []
    monkeypatch.setattr(step, "augment", lambda shown, policy, random: seen.append(shown) or shown)
    fabric = make_fabric("float32", accelerator="cpu")
    real, config = torch.rand(8, 3, 64, 64), TrainConfig(**SMALL, augment="cutout")
    train_step(TrainingState(config, fabric), real, torch.randn(8, 8), config, fabric, random())
    assert len(seen) == 3 and torch.equal(seen[0], real)  # real faces, those shown, and those that teach the generator
    assert torch.equal(seen[1], seen[2]) and not seen[1].requires_grad and seen[2].requires_grad
    # The second update must see a discriminator that the first has changed.
    fabric = make_fabric("float32", accelerator="cpu")
    real, noise, scores = torch.rand(8, 3, 64, 64), torch.randn(8, 8), {}
    for updates in (1, 2):
        config = TrainConfig(**SMALL, learning_rate=0.05, discriminator_updates=updates)
        scores[updates] = train_step(TrainingState(config, fabric), real, noise, config, fabric, random())[2:]
    assert scores[1][1] == scores[2][1] and scores[1][0] != scores[2][0]


def batch():
    source = random(5)
    return torch.rand(8, 3, 64, 64, generator=source), torch.randn(8, 8, generator=source)


def take_a_half(folder):
    """Take the step on this process's half of the batch, and write its weights and losses."""
    fabric = make_fabric("float32", devices=2, accelerator="cpu")
    fabric.launch()
    config = TrainConfig(**SMALL)
    state, rank, (real, noise) = TrainingState(config, fabric), fabric.global_rank, batch()
    losses = train_step(state, real[rank::2], noise[rank::2], config, fabric, torch.Generator())
    weights = {f"{n}.{k}": v.contiguous() for n, net in state.networks().items() for k, v in net.state_dict().items()}
    # What one wishes both do, at the steps at which they ask one another.
    assert [training._agreed((rank == 0, False), asks, fabric) for asks in (True, False)] == [(True, False), (False, False)]
    save_file(weights | {"losses": losses}, f"{folder}/{rank}.safetensors")
    fabric.barrier()
    # Their losses stop being finite. The clock of one tells it to look at them after each step, that of the other never.
    training.SHOW_SECONDS = (-1, 1e9)[rank]
    take, faces = training.next_step, np.zeros((64, 64, 64, 3), np.uint8)
    training.next_step = lambda state, *of: take(state, *of) / (state.step != 6)
    try:
        training.train(f"{folder}/run", config.changed(epochs=9), images=faces, checkpoint_seconds=1e9, n_snapshots=2,
                       fabric=fabric)
    except FloatingPointError as error:
        Path(f"{folder}/{rank}.txt").write_text(str(error))


def test_two_processes_take_the_step_that_one_takes_on_both_halves(tmp_path):
    """Each process sees half of the batch: the gradients are means over both, batch norm's statistics too."""
    path = tmp_path / "two.py"
    path.write_text(f"from test_step import take_a_half; take_a_half({str(tmp_path)!r})")
    subprocess.run([sys.executable, str(path)], check=True, env=WITH_TESTS, timeout=300)
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    said = [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)]
    assert "not finite at step 5 of 72" in said[0] and said[0] == said[1]

    fabric, (real, noise) = make_fabric("float32", accelerator="cpu"), batch()
    state = TrainingState(TrainConfig(**SMALL), fabric)
    generator, discriminator = state.generator.module, state.discriminator.module
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    made = [generator(noise[half::2]) for half in (0, 1)]
    loss_d = sum(entropy(discriminator(real[half::2]), torch.ones(4))
                 + entropy(discriminator(made[half].detach()), torch.zeros(4)) for half in (0, 1)) / 2
    loss_d.backward()
    state.optimizer_d.step()
    loss_g = sum(entropy(discriminator(faces), torch.ones(4)) for faces in made) / 2
    loss_g.backward()
    state.optimizer_g.step()
    assert first["losses"][:2].tolist() == pytest.approx([loss_d.item(), loss_g.item()], rel=1e-5)
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        for key, value in network.named_parameters():
            assert torch.allclose(first[f"{name}.{key}"], value, atol=1e-5), key


@pytest.mark.parametrize("policy", [*POLICIES, "color,translation,cutout"])
def test_each_policy_depends_on_the_seed_and_passes_gradients(policy):
    x = images().requires_grad_()
    first = augment(x, policy, random(1))
    assert torch.equal(first, augment(x, policy, random(1))) and not torch.equal(first, augment(x, policy, random(2)))
    assert first.shape == x.shape
    first.square().sum().backward()
    assert x.grad.abs().sum() > 0


def test_colour_changes_saturation_brightness_and_contrast_as_far_as_published():
    """Of each image, brightness moves the mean, contrast scales its grey pattern, saturation what differs from grey."""
    random_image = torch.rand(1, 3, 8, 8, generator=random(5)).expand(2000, -1, -1, -1)
    changed = augment(random_image, "color", random())
    grey = [x.mean(dim=1, keepdim=True) for x in (random_image, changed)]
    shift = (changed.mean(dim=(1, 2, 3)) - random_image.mean(dim=(1, 2, 3)))
    contrast = (grey[1].std(dim=(1, 2, 3)) / grey[0].std(dim=(1, 2, 3)))
    colour = [(x - g).std(dim=(1, 2, 3)) for x, g in zip((random_image, changed), grey, strict=True)]
    saturation = colour[1] / colour[0] / contrast
    for factor, (low, high) in ((shift, (-0.5, 0.5)), (contrast, (0.5, 1.5)), (saturation, (0, 2))):
        assert low - 1e-4 <= factor.min() < low + 0.01 and high - 0.01 < factor.max() <= high + 1e-4


def test_mirroring_translation_and_cutout_change_as_much_as_they_say():
    x = images(n=2000, size=4)
    turned = mirror(x, 0.3, random())
    same, flipped = (turned == x).all(dim=(1, 2, 3)), (turned == x.flip(3)).all(dim=(1, 2, 3))
    assert (same | flipped).all() and abs(float(flipped.float().mean()) - 0.3) < 0.04
    x = images()
    assert augment(x, "none", random()) is x and mirror(x, 0.0, random()) is x
    # Every image holds one bright pixel, which 8 +- 2 never moves out of 16 pixels.
    x = torch.zeros(200, 3, 16, 16)
    x[:, :, 8, 8] = 1
    moved = augment(x, "translation", random())
    places = moved[:, 0].nonzero()
    assert len(places) == 200 and (moved.amax(dim=(1, 2, 3)) == 1).all()
    offsets = places[:, 1:] - 8
    assert {tuple(o) for o in offsets.tolist()} == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}
    moved = augment(torch.ones(100, 3, 16, 16), "translation", random())
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert ((moved == 0).all(dim=1).sum(dim=(1, 2)) <= 16 * 16 - 14 * 14).all()
    kept = augment(torch.ones(300, 3, 16, 16), "cutout", random())
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    blank = (kept[:, 0] == 0).sum(dim=(1, 2))
    assert blank.max() == 8 * 8 and blank.min() >= 4 * 4 and (blank == 64).sum() > 50
