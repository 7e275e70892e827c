"""Walks through the noise: geometry with exact answers, and a widget driven from Python."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from fergan.gan.dcgan import Generator, initialize_weights
from fergan.gan.explorer import (
    Explorer,
    draw,
    interpolate,
    leading_directions,
    noise_of,
    pixel_change,
    random_directions,
    shift,
    slerp,
)


@pytest.fixture(scope="module")
def generator():
    network = Generator(latent_dim=20, width=4)
    initialize_weights(network, std=0.2, seed=1)
    return network.eval()


def test_slerp_starts_and_ends_where_it_should():
    a, b = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(slerp(a, b, 0.0), a)
    torch.testing.assert_close(slerp(a, b, 1.0), b)


def test_the_middle_of_two_axes_is_the_diagonal():
    middle = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
    torch.testing.assert_close(middle, torch.tensor([math.sqrt(2), math.sqrt(2)]))
    third = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 1 / 3)  # a third of 90 degrees
    torch.testing.assert_close(third, torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)]))


def test_the_length_changes_in_proportion_and_the_angle_too():
    a, b = torch.randn(2, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    b *= 3
    angle = torch.acos(a @ b / (a.norm() * b.norm()))
    for share in (0.1, 0.5, 0.8):
        point = slerp(a, b, share)
        torch.testing.assert_close(point.norm(), (1 - share) * a.norm() + share * b.norm())
        torch.testing.assert_close(torch.acos(a @ point / (a.norm() * point.norm())), share * angle)


def test_slerp_of_parallel_vectors_is_the_straight_line_and_of_opposite_ones_an_error():
    a = torch.tensor([1.0, 2.0, 2.0])
    torch.testing.assert_close(slerp(a, a, 0.3), a)
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)
    with pytest.raises(ValueError, match="opposite directions; use another seed"):
        slerp(a, -a, 0.5)
    with pytest.raises(ValueError, match="not zero"):
        slerp(a, 0 * a, 0.5)


def test_rows_of_an_interpolation_join_different_vectors_of_equal_kind():
    rows = interpolate(latent_dim=100, n_rows=3, n_columns=5, seed=2)
    assert rows.shape == (3, 5, 100)
    assert torch.equal(rows, interpolate(100, 3, 5, seed=2)) and not torch.equal(rows, interpolate(100, 3, 5, seed=3))
    assert len({tuple(z.tolist()) for z in rows[:, [0, -1]].reshape(-1, 100)}) == 6
    # The straight line's middle is about 7 long where noise is about 10; the arc's middle is as long as its ends.
    torch.testing.assert_close(rows[:, 2].norm(dim=1), (rows[:, 0].norm(dim=1) + rows[:, 4].norm(dim=1)) / 2)


def test_faces_keep_the_layout_of_their_noise(generator):
    noise = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    faces = draw(generator, noise)
    assert faces.shape == (2, 3, 64, 64, 3) and faces.dtype == np.uint8
    np.testing.assert_array_equal(faces[1, 2], draw(generator, noise[1, 2]))


def test_a_planted_direction_is_found_first():
    network = Generator(latent_dim=20, width=4)
    initialize_weights(network, seed=0)
    planted = random_directions(20, 1, seed=5)[0]
    with torch.no_grad():
        pattern = torch.randn(32, 4, 4, generator=torch.Generator().manual_seed(0))
        network.project[0].weight += planted[:, None, None, None] * pattern
    found = leading_directions(network, 3)
    assert abs(float(found[0] @ planted)) > 0.99
    torch.testing.assert_close(found @ found.T, torch.eye(3), atol=1e-5, rtol=0)
    assert (found.gather(1, found.abs().argmax(1, keepdim=True)) > 0).all()
    with pytest.raises(ValueError, match="n is 21; expected 1 to 20 directions"):
        leading_directions(network, 21)


def test_leading_directions_stretch_the_most(generator):
    weight = generator.project[0].weight.detach().flatten(1)
    lengths = (leading_directions(generator, 20) @ weight).norm(dim=1)
    assert (lengths.diff() < 1e-5).all()
    assert lengths[0] >= (random_directions(20, 200) @ weight).norm(dim=1).max()


def test_a_shift_moves_by_the_amount_and_no_other_way():
    directions = torch.eye(6)[:2]
    moved = shift(torch.ones(6), directions, np.array([-2.0, 0.0, 3.0]))
    assert moved.shape == (2, 3, 6)
    assert moved[0, 0].tolist() == [-1, 1, 1, 1, 1, 1] and moved[1, 2].tolist() == [1, 4, 1, 1, 1, 1]


def test_pixels_change_along_what_the_generator_uses_and_not_along_what_it_ignores():
    network = Generator(latent_dim=20, width=4)
    initialize_weights(network, std=0.2, seed=1)
    with torch.no_grad():
        network.project[0].weight[10:] = 0
    network.eval()
    axes = torch.eye(20)
    assert pixel_change(network, axes[10:], reach=3) == 0
    assert pixel_change(network, axes[:10], reach=3) > pixel_change(network, axes[:10], reach=1) > 0


def shown(image):
    return np.asarray(Image.open(io.BytesIO(image.value)))


def test_the_explorer_starts_with_face_a_and_draws_at_every_move(generator):
    explorer = Explorer(generator, seed=7, n_directions=3)
    np.testing.assert_array_equal(explorer.face, draw(generator, noise_of(7, 20)))
    before = explorer._picture.value
    explorer.mixes[0].value = 1.0
    np.testing.assert_array_equal(explorer.face, draw(generator, noise_of(8, 20)))
    assert explorer._picture.value != before and shown(explorer._picture).shape == (256, 256, 3)
    explorer.mixes[1].value = 0.5
    torch.testing.assert_close(explorer.noise, slerp(noise_of(8, 20), noise_of(9, 20), 0.5))


def test_the_explorer_moves_along_the_leading_directions_and_back(generator):
    explorer = Explorer(generator, seed=7, n_directions=3)
    explorer.moves[1].value = -2.5
    torch.testing.assert_close(explorer.noise, noise_of(7, 20) - 2.5 * leading_directions(generator, 3)[1])
    explorer.mixes[0].value = 0.4
    explorer.reset()
    torch.testing.assert_close(explorer.noise, noise_of(7, 20))


def test_a_chosen_face_is_shown_and_mixed(generator):
    explorer = Explorer(generator, seed=0)
    sources = [picture.value for picture in explorer._sources]
    explorer.seeds[1].value = 42
    assert [picture.value == old for picture, old in zip(explorer._sources, sources, strict=True)] == [True, False, True]
    explorer.mixes[0].value = 1.0
    np.testing.assert_array_equal(explorer.face, draw(generator, noise_of(42, 20)))
