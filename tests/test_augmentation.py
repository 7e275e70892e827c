"""What the discriminator is shown: changed at random, alike for the same seed, and with gradients."""

import pytest
import torch

from fergan.gan.augmentation import POLICIES, augment, mirror
from fergan.gan.runs import make_config


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, size=16):
    return torch.rand(n, 3, size, size, generator=random(9)) * 2 - 1


@pytest.mark.parametrize("policy", [*POLICIES, "color,translation,cutout"])
def test_each_policy_depends_on_the_seed_and_passes_gradients(policy):
    x = images().requires_grad_()
    first = augment(x, policy, random(1))
    assert torch.equal(first, augment(x, policy, random(1))) and not torch.equal(first, augment(x, policy, random(2)))
    assert first.shape == x.shape
    first.square().sum().backward()
    assert x.grad.abs().sum() > 0


def test_a_configuration_knows_every_policy():
    assert make_config(augment=",".join(POLICIES)).augment == "color,translation,cutout"
    with pytest.raises(ValueError, match="augment is 'colour'; expected 'none', or some of color, translation, cutout"):
        make_config(augment="colour")


def test_none_leaves_images_as_they_are():
    x = images()
    assert augment(x, "none", random()) is x and mirror(x, 0.0, random()) is x


def test_translation_moves_and_does_not_change():
    """Every image holds one bright pixel: it is moved by at most an eighth, or is gone beyond the border."""
    x = torch.zeros(200, 3, 16, 16)
    x[:, :, 8, 8] = 1
    moved = augment(x, "translation", random())
    places = moved[:, 0].nonzero()
    assert len(places) == 200 and (moved.amax(dim=(1, 2, 3)) == 1).all()  # 8 +- 2 never leaves 16 pixels
    offsets = places[:, 1:] - 8
    assert offsets.abs().max() == 2 and {tuple(o) for o in offsets.tolist()} == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}


def test_translation_fills_with_grey():
    moved = augment(torch.ones(100, 3, 16, 16), "translation", random())
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert ((moved == 0).all(dim=1).sum(dim=(1, 2)) <= 16 * 16 - 14 * 14).all()


def test_cutout_blanks_at_most_a_quarter():
    kept = augment(torch.ones(300, 3, 16, 16), "cutout", random())
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    blank = (kept[:, 0] == 0).sum(dim=(1, 2))
    assert blank.max() == 8 * 8 and blank.min() >= 4 * 4 and (blank == 64).sum() > 50


def test_colour_keeps_the_pattern_of_a_grey_image():
    """Brightness and contrast are linear, and saturation does nothing to grey: the image stays a line of itself."""
    grey = torch.rand(20, 1, 16, 16, generator=random(3)).expand(-1, 3, -1, -1)
    changed = augment(grey, "color", random())
    for before, after in zip(grey, changed, strict=True):
        slope = (after.amax() - after.amin()) / (before.amax() - before.amin())
        assert torch.allclose(after - after.mean(), slope * (before - before.mean()), atol=1e-5) and 0.5 <= slope <= 1.5
    assert (changed.mean(dim=(1, 2, 3)) - grey.mean(dim=(1, 2, 3))).abs().max() <= 0.5


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


def test_mirroring_turns_the_asked_share():
    x = images(n=2000, size=4)
    turned = mirror(x, 0.3, random())
    same, flipped = (turned == x).all(dim=(1, 2, 3)), (turned == x.flip(3)).all(dim=(1, 2, 3))
    assert (same | flipped).all() and abs(float(flipped.float().mean()) - 0.3) < 0.04
