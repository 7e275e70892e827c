"""Finding faces, cropping them, and the account of what was lost."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data

from fergan.datasets import UnreadablePhotograph, open_photographs
from fergan.detection import DETECTORS, Detection, _choose, crop_face, crop_faces, face_rate, make_detector
from fergan.faces import FACE_SIZE, FaceSet, complete_labels

TRUE_BOX = (180, 65, 272, 170)  # the face of scikit-image's astronaut, 512 x 512, measured by eye: brow to chin


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def detector(request):
    return make_detector(request.param)


def overlap(box, other) -> float:
    """Return the intersection over union of two boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    common = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return common / (sum(areas) - common)


def test_importing_detection_does_not_import_torch():
    code = "import fergan.detection, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_an_unknown_detector_is_named():
    with pytest.raises(ValueError, match=r"detector is 'dlib'; expected one of viola-jones, mtcnn"):
        make_detector("dlib")


# A box of OpenCV's cascade is a square and the true face is not: .5 is the usual bound of a correct detection.


def test_a_real_face_is_found_at_every_size_in_the_photographs_own_pixels(detector, astronaut):
    for side in (128, 256, 512, 1024):
        method = cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
        (found,) = detector.detect([cv2.resize(astronaut, (side, side), interpolation=method)])
        assert overlap(found.box, np.array(TRUE_BOX) * side / 512) > 0.5, side


def test_only_mtcnn_gives_a_probability(astronaut):
    assert np.isnan(make_detector("viola-jones").detect([astronaut])[0].probability)
    assert make_detector("mtcnn").detect([astronaut])[0].probability > 0.99


def test_photographs_without_a_face_or_too_small_for_one_give_none(detector):
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    sizes = [(1, 1), (10, 400), (20, 20), (21, 3000), (2000, 1), (128, 128)]
    images = [noise, *(np.full((*size, 3), 128, np.uint8) for size in sizes)]
    assert detector.detect(images) == [None] * len(images)
    assert detector.detect([]) == []


def test_order_is_kept_whatever_the_sizes(detector, astronaut):
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    grey = np.full((256, 256, 3), 128, np.uint8)
    found = detector.detect([half, astronaut, grey, half])
    assert found[2] is None
    assert found[0].box == found[3].box
    assert overlap(np.array(found[0].box) * 2, found[1].box) > 0.8
    np.testing.assert_allclose(found[1].box, detector.detect([astronaut])[0].box, atol=0.01)


def test_of_several_faces_the_large_central_one_is_taken(detector, astronaut):
    face = astronaut[30:230, 110:330]
    scene = np.full((400, 500, 3), 160, np.uint8)
    scene[110:310, 140:360] = face
    scene[:100, :110] = cv2.resize(face, (110, 100), interpolation=cv2.INTER_AREA)
    (found,) = make_detector(detector.name, min_face_fraction=0.05).detect([scene])
    shifted = np.array(TRUE_BOX) + np.array([30, 80, 30, 80])
    assert overlap(found.box, shifted) > 0.5


def test_of_equally_large_boxes_the_central_one_and_never_an_unsure_one_is_taken():
    image = np.empty((100, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 40, 40], [80, 30, 120, 70], [150, 50, 190, 90]], float)
    assert _choose(boxes, np.array([9, 9, 9]), image) == 1
    assert _choose(boxes, np.array([3, 4, 9]), image) == 2
    boxes[0, 2:] = 90  # larger, so that it outweighs its distance from the centre
    assert _choose(boxes, np.array([9, 9, 9]), image) == 0


def test_an_image_on_which_the_library_fails_spoils_no_other(astronaut, monkeypatch):
    detector = make_detector("mtcnn", max_side=128)
    small = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    broken = np.full_like(small, 255)
    whole = detector._networks.detect

    def fail_on_white(images):
        if (images == 255).all(axis=(1, 2, 3)).any():
            raise IndexError("as facenet-pytorch does when a box leaves the image")
        return whole(images)

    monkeypatch.setattr(detector._networks, "detect", fail_on_white)
    found = detector.detect([small, broken, small])
    assert found[1] is None
    assert found[0] is not None
    assert found[0] == found[2]


@pytest.fixture(scope="module")
def rendered():
    return open_photographs("rafd-frontal", "rendered", n_faces=16).read_with_truth([0, 4, 8, 12])


def test_both_detectors_find_the_rendered_faces_where_they_are(detector, rendered):
    images, truth = rendered
    boxes = truth[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
    for found, box in zip(detector.detect(list(images)), boxes, strict=True):
        assert overlap(found.box, box) > 0.5


# Cropping: cases with exact answers.


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


# From photographs to a face set, with photographs and a detector of which everything is known.


class Numbered:
    """Ten photographs, each of its own number's brightness; number 4 is unreadable."""

    name = "numbered"
    problems = ()

    def __init__(self):
        self.labels = complete_labels(pd.DataFrame({
            "source": [f"{n}.png" for n in range(10)],
            "emotion": ["happy"] * 4 + ["sad"] * 4 + [None] * 2,
            "view": ["left", "right"] * 5,
        }))  # fmt: skip
        self.asked: list[int] = []

    def read(self, rows):
        self.asked += rows
        images = [np.full((70, 70, 3), n, np.uint8) for n in rows]
        return [UnreadablePhotograph("4.png: broken") if n == 4 else i for n, i in zip(rows, images, strict=True)]


class Known:
    """Finds a face in all but photographs 1 and 9; fails at photograph `fails_at`."""

    name = "known"

    def __init__(self, version=1, fails_at=None):
        self.parameters = {"name": self.name, "version": version}
        self.fails_at = fails_at

    def detect(self, images):
        numbers = [int(image[0, 0, 0]) for image in images]
        if self.fails_at in numbers:
            raise KeyboardInterrupt
        return [None if n in (1, 9) else Detection(n, 0, n + 64, 64, np.nan if n == 2 else 0.9) for n in numbers]


def check_faces(faces, account):
    found = [0, 2, 3, 5, 6, 7, 8]
    assert faces.images[:, 0, 0, 0].tolist() == found
    assert faces.labels["source"].tolist() == [f"{n}.png" for n in found]
    assert faces.labels["box_left"].tolist() == found
    assert faces.labels["box_right"].tolist() == [n + 64 for n in found]
    assert np.isnan(faces.labels["detection_probability"][1])
    assert (faces.labels["detection_probability"].drop(1) == 0.9).all()
    assert account.to_dict() == {
        "photographs": 10,
        "found": 7,
        "unreadable": [{"source": "4.png", "reason": "4.png: broken"}],
        "no_face": ["1.png", "9.png"],
        "nominal": [],
        "lost_by_emotion": {
            "happy": {"photographs": 4, "lost": 1, "fraction": 0.25},
            "sad": {"photographs": 4, "lost": 1, "fraction": 0.25},
            "not labelled": {"photographs": 2, "lost": 1, "fraction": 0.5},
        },
        "lost_by_view": {
            "left": {"photographs": 5, "lost": 1, "fraction": 0.2},
            "right": {"photographs": 5, "lost": 2, "fraction": 0.4},
        },
    }


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_what_cannot_be_read_or_found_is_listed_and_the_rest_is_cropped(batch_size):
    check_faces(*crop_faces(Numbered(), Known(), margin=0, batch_size=batch_size, progress=False))


def test_undetected_faces_can_take_the_median_box_of_their_view():
    faces, account = crop_faces(Numbered(), Known(), margin=0, nominal_box=True, batch_size=3, progress=False)
    assert faces.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]  # in the photographs' order, 4 is unreadable
    blind = faces.labels[~faces.labels["detected"]]
    assert blind["source"].tolist() == account.nominal == ["1.png", "9.png"]
    assert blind["box_left"].tolist() == [5, 5]  # of 3, 5 and 7, the found faces seen from the right
    assert blind["detection_probability"].isna().all()
    assert account.no_face == [] and account.found == 9 and account.lost_by_view["right"]["lost"] == 2


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    options = {"margin": 0, "batch_size": 2, "progress": False, "work_folder": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        crop_faces(Numbered(), Known(fails_at=6), **options)
    again = Numbered()
    check_faces(*crop_faces(again, Known(), **options))
    assert again.asked == [6, 7, 8, 9]


def test_other_photographs_or_parameters_start_anew(tmp_path):
    options = {"margin": 0, "batch_size": 5, "progress": False, "work_folder": tmp_path}
    first, _ = crop_faces(Numbered(), Known(), **options)
    changed = Numbered()
    changed.fingerprint = "other pixels"
    cases = [(Numbered(), Known(), {}, 0), (Numbered(), Known(version=2), {}, 10), (changed, Known(), {}, 10),
             (Numbered(), Known(), {"margin": 0.1}, 10)]  # fmt: skip
    for photographs, detector, other, n_read in cases:
        crop_faces(photographs, detector, **options | other)
        assert len(photographs.asked) == n_read
    assert first.images[:, 0, 0, 0].tolist() == [0, 2, 3, 5, 6, 7, 8], "a rerun changed the first run's faces"


def test_faces_kept_on_disk_can_be_saved(tmp_path):
    faces, _ = crop_faces(Numbered(), Known(), margin=0, progress=False, work_folder=tmp_path / "work")
    assert isinstance(faces.images, np.memmap)
    faces.save(tmp_path / "numbered")
    np.testing.assert_array_equal(FaceSet.load(tmp_path / "numbered").images, faces.images)


def test_when_no_face_is_found_the_error_says_what_to_do():
    class Blind(Known):
        def detect(self, images):
            return [None] * len(images)

    message = r"numbered: known found no face in any of 10 photographs, of which 1 are unreadable .*4.png: broken.*try"
    with pytest.raises(ValueError, match=message):
        crop_faces(Numbered(), Blind(), margin=0, progress=False)


# How sure MTCNN is that a crop is a face.


def test_a_real_crop_is_a_face_and_noise_or_its_shuffled_quarters_are_not(astronaut):
    crop = crop_face(astronaut, TRUE_BOX, 0.1)
    noise = np.random.default_rng(0).integers(0, 256, (FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
    shuffled = np.roll(crop, (FACE_SIZE // 2, FACE_SIZE // 2), axis=(0, 1))
    rates = face_rate(np.stack([crop, noise, shuffled, crop]), batch_size=3)
    assert rates[0] > 0.99
    assert rates[3] == pytest.approx(rates[0], abs=1e-6)
    assert rates[1:3].tolist() == [0, 0]
    assert face_rate(crop[None], threshold=1.1).tolist() == [0]
    assert face_rate(np.empty((0, FACE_SIZE, FACE_SIZE, 3), np.uint8)).shape == (0,)


def test_images_in_the_networks_range_are_refused():
    with pytest.raises(ValueError, match=r"images are float32 .* expected uint8"):
        face_rate(np.zeros((2, 3, FACE_SIZE, FACE_SIZE), np.float32))


@pytest.mark.parametrize(("name", "least"), [("viola-jones", 0.95), ("mtcnn", 1.0)])
def test_faces_of_real_photographs_are_found_and_recognised(name, least):
    root = os.environ.get("FERGAN_DATA")
    if not root or not (Path(root) / "london").is_dir():
        pytest.skip("needs real photographs in $FERGAN_DATA/london")
    photographs = open_photographs("london", "manifest", folder=f"{root}/london", n_faces=40)
    faces, account = crop_faces(photographs, make_detector(name), margin=0.1, progress=False)
    assert account.found >= least * 40
    assert (face_rate(faces.images) > 0).mean() >= 0.97
