"""Crops with exact answers, and faces set upright."""

import cv2
import numpy as np
import pytest
import skimage.data

from fergan.data.alignment import crop_face, eye_angle
from fergan.data.detection import make_detector


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture
def ramp():
    """Column number in red, row number in green, 100 wide and 80 high."""
    image = np.zeros((80, 100, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(100), np.arange(80)[:, None]
    return image


def test_a_box_of_64_pixels_is_cut_out_unchanged(ramp):
    np.testing.assert_array_equal(crop_face(ramp, (10, 5, 74, 69), 0), ramp[5:69, 10:74])


def test_the_margin_is_added_on_every_side(ramp):
    np.testing.assert_array_equal(crop_face(ramp, (26, 21, 58, 53), 0.5), ramp[5:69, 10:74])


def test_the_longer_side_decides_around_the_same_centre(ramp):
    np.testing.assert_array_equal(crop_face(ramp, (32, 5, 52, 69), 0), ramp[5:69, 10:74])


def test_reducing_averages(astronaut):
    crop = crop_face(astronaut, (100, 50, 228, 178), 0)
    blocks = astronaut[50:178, 100:228].reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop - blocks).max() <= 0.5


def test_outside_the_photograph_its_border_is_repeated(ramp):
    crop = crop_face(ramp, (-32, -32, 32, 32), 0)
    assert crop.shape == (64, 64, 3)
    assert (crop[:32, :32] == ramp[0, 0]).all()
    np.testing.assert_array_equal(crop[32:, 32:], ramp[:32, :32])
    assert (crop_face(ramp, (200, 200, 264, 264), 0) == ramp[-1, -1]).all()


def test_enlarging_is_smooth(ramp):
    steps = np.diff(crop_face(ramp * 2, (10, 10, 42, 42), 0)[32, :, 0].astype(int))
    assert (steps[1:-1] == 1).all(), "pixels were repeated: steps of 0 and 2"


@pytest.mark.parametrize(("box", "margin"), [((5, 5, 5, 9), 0), ((9, 5, 5, 9), 0), ((5, 5, 9, 9), -0.5)])
def test_an_empty_box_is_refused(ramp, box, margin):
    with pytest.raises(ValueError, match=r"box is|margin is"):
        crop_face(ramp, box, margin)


# Rotated crops.


def test_a_quarter_turn_turns_every_pixel(ramp):
    upright = crop_face(ramp, (10, 5, 74, 69), 0)
    np.testing.assert_array_equal(crop_face(ramp, (10, 5, 74, 69), 0, angle=90), np.rot90(upright))
    np.testing.assert_array_equal(crop_face(ramp, (10, 5, 74, 69), 0, angle=-90), np.rot90(upright, -1))


@pytest.mark.parametrize("angle", [-30, 1e-4, 17])
def test_a_plane_is_sampled_where_the_rotation_says(angle):
    x, y = np.meshgrid(np.arange(200) + 0.5, np.arange(160) + 0.5)
    image = np.repeat((0.6 * x + 0.8 * y)[..., None], 3, axis=2).round().astype(np.uint8)
    box = (61, 43, 125, 107)
    offset_y, offset_x = np.mgrid[-31.5:32, -31.5:32]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    expected = 0.6 * (93 + cos * offset_x - sin * offset_y) + 0.8 * (75 + sin * offset_x + cos * offset_y)
    assert np.abs(crop_face(image, box, 0, angle)[..., 0] - expected).max() < 1.5  # two roundings


def test_a_rotated_crop_repeats_the_border_and_takes_photographs_of_any_length():
    image = np.full((40, 40_000, 3), 7, np.uint8)
    assert (crop_face(image, (39_900, 0, 39_990, 40), 0.5, angle=20) == 7).all()


@pytest.mark.parametrize(
    ("eyes", "angle"),
    [(((10, 20), (30, 20)), 0), (((10, 20), (30, 40)), 45), (((10, 40), (30, 20)), -45), (((10, 10), (10, 30)), 90),
     (((20, 20), (25, 23)), 0),  # 5.8 pixels apart in a face of 40: a profile
     (((30, 20), (10, 20)), 0)],  # left and right exchanged
)  # fmt: skip
def test_the_angle_between_the_eyes(eyes, angle):
    assert eye_angle(eyes, (0, 0, 30, 40)) == pytest.approx(angle)


@pytest.mark.parametrize("tilt", [-25, 15])
def test_a_tilted_face_is_set_upright(astronaut, tilt):
    """Tilt a photograph, and let the detector measure the eyes of the crop again."""
    detector = make_detector("mtcnn", min_face_fraction=0.15, device="cpu")
    turn = cv2.getRotationMatrix2D((226, 118), tilt, 1)
    image = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    (found,) = detector.detect([image])
    angle = eye_angle(found.eyes, found.box)
    (straight,) = detector.detect([astronaut])
    assert angle == pytest.approx(eye_angle(straight.eyes, straight.box) - tilt, abs=4)
    crops = [cv2.resize(crop_face(image, found.box, 0.5, a), (256, 256)) for a in (0.0, angle)]
    tilted, aligned = (eye_angle(f.eyes, f.box) for f in detector.detect(crops))
    assert abs(aligned) < 4 < abs(tilted)
