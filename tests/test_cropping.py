"""From photographs to a face set: boxes against known places, an account of what is lost, crops with exact answers."""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from PIL import Image
from tiny import WITH_TESTS, kill_when
from torchvision.ops import box_iou

from fergan.data import cropping, detection
from fergan.data.config import FacesConfig, SetConfig
from fergan.data.cropping import CroppingAccount, border_share, crop_face, make_faces, tried
from fergan.data.detection import MTCNNDetector, ViolaJones, face_rate, portrayed
from fergan.data.faces import FACE_SIZE, FaceSet, complete_labels
from fergan.data.photographs import Photograph, Photographs, UnreadablePhotograph
from fergan.rendered import render_faces, stand_in_labels

FOUND = [0, 2, 3, 5, 6, 7, 8]


class Numbered(Photographs):
    """Ten photographs, each of its own number's brightness; number 4 is unreadable."""

    name = "numbered"
    fingerprint = "ten"
    problems = ("a table has no header",)

    def __init__(self):
        self.labels = complete_labels(pd.DataFrame({
            "source": [f"{n}.png" for n in range(10)], "emotion": ["happy"] * 4 + ["sad"] * 4 + [None] * 2,
            "view": ["left", "right"] * 5}))
        self.asked: list[int] = []

    def read(self, rows, least_side=None):
        self.asked += rows
        return [UnreadablePhotograph("4.png: broken") if n == 4 else Photograph(np.full((70, 70, 3), n, np.uint8), (70, 70))
                for n in rows]


def finds(*, fails_at=None):
    """A detector that finds a face in all but photographs 1 and 9, and fails at one."""
    def detect(images):
        numbers = [int(image[0, 0, 0]) for image in images]
        if fails_at in numbers:
            raise KeyboardInterrupt
        boxes = np.array([[n, 0, n + 64, 64, np.nan if n == 2 else 0.9, 2 if n == 3 else 1] for n in numbers]).reshape(-1, 6)
        boxes[np.isin(numbers, (1, 9))] = np.nan
        return boxes

    return detect


def files(folder, *names):
    photographs = Photographs()
    photographs.name, photographs.folder, photographs.fingerprint = "files", folder, ""
    photographs.labels = complete_labels(pd.DataFrame({"source": names, "view": "front"}))
    return photographs


@pytest.fixture
def crop(tmp_path, monkeypatch):
    """Crop into a folder; without margin unless told."""
    def make(photographs=None, detector=None, folder=tmp_path / "faces", batch_size=64, **config):
        monkeypatch.setattr(cropping, "make_detector", lambda config: SimpleNamespace(detect=detector or finds()))
        make_faces(folder, FacesConfig(**{"margin": 0.0} | config), photographs=photographs or Numbered(),
                   batch_size=batch_size, progress=False)
        return FaceSet.load(folder), CroppingAccount.load(folder)

    return make


def check_faces(faces, account):
    assert faces.name == "numbered" and faces.images[:, 0, 0, 0].tolist() == FOUND
    assert faces.labels["source"].tolist() == [f"{n}.png" for n in FOUND]
    assert faces.labels["box_left"].tolist() == FOUND and faces.labels["box_right"].tolist() == [n + 64 for n in FOUND]
    assert np.isnan(faces.labels["detection_probability"][1])
    assert (faces.labels["detection_probability"].drop(1) == 0.9).all() and faces.labels["detected"].all()

    def lost(**of):
        return {word.replace("_", " "): dict(photographs=n, lost=lost, fraction=lost / n) for word, (n, lost) in of.items()}

    # Photographs 7 and 8 are 70 pixels wide, and their boxes end at 71 and 72.
    assert asdict(account) == dict(
        photographs=10, unreadable=[{"source": "4.png", "reason": "4.png: broken"}], no_face=["1.png", "9.png"],
        nominal=[], several=["3.png"], border=pytest.approx((1 + 2) / 64 / 7), problems=["a table has no header"],
        lost_by_emotion=lost(happy=(4, 1), sad=(4, 1), not_labelled=(2, 1)), lost_by_view=lost(left=(5, 1), right=(5, 2)))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_what_cannot_be_read_or_found_is_listed_and_the_rest_is_cropped(crop, tmp_path, batch_size):
    check_faces(*crop(batch_size=batch_size))
    assert sorted(path.name for path in (tmp_path / "faces").iterdir()) == [
        "account.json", "faceset.json", "images.npy", "labels.parquet"], "half-made work was left"


def test_undetected_faces_can_take_the_median_box_of_their_view_and_where_none_is_found_one_is_told(crop, tmp_path):
    faces, account = crop(nominal_box=True, batch_size=3)
    assert faces.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]  # in the photographs' order, 4 is unreadable
    blind = faces.labels[~faces.labels["detected"]]
    assert blind["source"].tolist() == account.nominal == ["1.png", "9.png"]
    assert blind["box_left"].tolist() == [5, 5]  # of 3, 5 and 7, the found faces seen from the right
    assert blind["detection_probability"].isna().all()
    assert account.no_face == [] and account.lost_by_view["right"]["lost"] == 2
    message = r"numbered: mtcnn found no face in any of 10 photographs, of which 1 are unreadable .*4.png: broken.*try"
    with pytest.raises(ValueError, match=message):
        crop(detector=lambda images: np.full((len(images), 6), np.nan), folder=tmp_path / "none")


def test_an_interrupted_run_goes_on_where_it_stopped_unless_its_parameters_or_photographs_changed(crop):
    class Other(Numbered):
        fingerprint = "other pixels"

    for photographs, config, expected in ((Numbered(), {}, [6, 7, 8, 9]), (Other(), {}, range(10)),
                                          (Numbered(), {"min_face_fraction": 0.1}, range(10))):
        with pytest.raises(KeyboardInterrupt):
            crop(detector=finds(fails_at=6), batch_size=2)
        check_faces(*crop(photographs, batch_size=2, **config))
        assert photographs.asked == list(expected)


def test_where_photographs_lie_is_no_part_of_what_changes_the_crops():
    a, b = (SetConfig(source="kdef", folder=folder, optional=True, epochs=n) for folder, n in (("a", 1), ("b", None)))
    assert a.faces == b.faces == FacesConfig(source="kdef")
    assert SetConfig(margin=0.2).faces != SetConfig().faces


def test_large_photographs_are_looked_at_reduced_and_boxes_are_the_photographs_own(crop, tmp_path):
    x, y = np.meshgrid(np.linspace(0, 255, 2400), np.linspace(0, 255, 2400))
    whole = np.stack([x, y, 255 - x], axis=-1).round().astype(np.uint8)
    Image.fromarray(whole).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(whole[:, ::-1]).save(tmp_path / "blind.jpg", quality=95)
    Image.fromarray(whole[:400, :400]).save(tmp_path / "small.png")
    photographs, seen = files(tmp_path, "a.jpg", "blind.jpg", "small.png"), []

    def middle(images):
        seen.extend(image.shape[:2] for image in images)
        return np.stack([[*np.outer(np.array(image.shape[1::-1]) / 2, [0.75, 1.25]).T.ravel(), 1, 1]
                         if image[0, 0, 0] < 200 else np.full(6, np.nan) for image in images])

    faces, account = crop(photographs, middle, margin=0.1, min_face_fraction=0.25, nominal_box=True)
    assert seen == [(600, 600), (600, 600), (400, 400)], "twice the crop's 64 pixels over a quarter are 512"
    boxes = faces.labels[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
    assert boxes.tolist() == [[900, 900, 1500, 1500], [525, 525, 875, 875], [150, 150, 250, 250]], "the median of both others"
    assert account.nominal == ["blind.jpg"]
    for made, image, box in zip(faces.images, (whole, whole[:, ::-1]), boxes, strict=False):
        assert np.abs(made.astype(int) - crop_face(image, box, 0.1)).max() <= 4
    np.testing.assert_array_equal(faces.images[2], crop_face(whole[:400, :400], boxes[2], 0.1))


def test_a_second_look_with_more_border_finds_a_face_that_is_cut_tight_and_its_border_is_counted(tmp_path):
    tight = skimage.data.astronaut()[82:165, 186:266]
    Image.fromarray(tight).save(tmp_path / "tight.png")
    photographs = files(tmp_path, "tight.png")

    def made(**config):
        config = FacesConfig(**{"detector": "viola-jones"} | config)
        make_faces(tmp_path / "faces", config, photographs=photographs, progress=False)
        return FaceSet.load(tmp_path / "faces"), CroppingAccount.load(tmp_path / "faces")

    with pytest.raises(ValueError, match="found no face"):
        made()
    faces, account = made(padding=0.25)
    left, top, right, bottom = faces.labels[["box_left", "box_top", "box_right", "box_bottom"]].iloc[0]
    assert left < 0 < 60 < right and top < 0 < 60 < bottom, "in pixels of the photograph without what was added"
    assert account.border > 0.1 and account.tight
    assert tried(photographs, FacesConfig(detector="viola-jones", padding=0.25)) == (pytest.approx(account.border), 1, 0)
    assert tried(photographs, FacesConfig(detector="viola-jones")) == (0.0, 1, 1)
    whole, whole_account = made(detector="none")
    np.testing.assert_array_equal(whole.images[0], crop_face(tight, (0, 2, 80, 82), 0))
    assert whole_account.border == 0 and not whole_account.tight


def crop_apart(folder, seconds):
    """Crop in a process of its own, which pauses before each photograph and prints which it has read."""
    detector = SimpleNamespace(detect=lambda images: time.sleep(seconds) or finds()(images))
    cropping.make_detector, photographs = lambda config: detector, Numbered()
    config = FacesConfig(margin=0.0, nominal_box=True)
    make_faces(Path(folder), config, photographs=photographs, batch_size=1, progress=False)
    print(photographs.asked)


def test_a_killed_process_goes_on_where_it_was_and_gives_the_same_faces(tmp_path):
    def command(folder, seconds):
        return [sys.executable, "-c", f"from test_cropping import crop_apart; crop_apart({str(tmp_path / folder)!r}, {seconds})"]

    def done():
        return len(list(tmp_path.glob("resumed/work-*/batch-*.npz")))

    kill_when(lambda: done() >= 3, *command("resumed", 0.3), env=WITH_TESTS)
    n_done, every = done(), [*range(10), 1, 9]  # those without a face are read again for their nominal crops
    assert 3 <= n_done < 10
    for folder, rows in (("resumed", every[n_done:]), ("whole", every)):
        assert json.loads(subprocess.check_output(command(folder, 0), env=WITH_TESTS)) == rows
    for name in ("images.npy", "labels.parquet", "account.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture
def ramp():
    """Column number in red, row number in green, 100 wide and 80 high."""
    image = np.zeros((80, 100, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(100), np.arange(80)[:, None]
    return image


def test_squares_are_cut_out_reduced_enlarged_and_continued_outside_the_photograph(ramp):
    # The margin is added on every side; the longer side decides, around the same centre.
    for box, margin in (((10, 5, 74, 69), 0), ((26, 21, 58, 53), 0.5), ((32, 5, 52, 69), 0)):
        np.testing.assert_array_equal(crop_face(ramp, box, margin), ramp[5:69, 10:74])
    astronaut = skimage.data.astronaut()
    crop = crop_face(astronaut, (100, 50, 228, 178), 0)
    assert np.abs(crop - astronaut[50:178, 100:228].reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))).max() <= 0.5
    steps = np.diff(crop_face(ramp * 2, (10, 10, 42, 42), 0)[32, :, 0].astype(int))
    assert (steps[1:-1] == 1).all(), "pixels were repeated: steps of 0 and 2"
    crop = crop_face(ramp, (-32, -32, 32, 32), 0)
    assert crop.shape == (FACE_SIZE, FACE_SIZE, 3) and (crop[:32, :32] == ramp[0, 0]).all()
    np.testing.assert_array_equal(crop[32:, 32:], ramp[:32, :32])
    assert (crop_face(ramp, (200, 200, 264, 264), 0) == ramp[-1, -1]).all()
    for box, share in (((0, 0, 40, 40), 0), ((-20, 0, 20, 40), 0.5), ((80, 60, 120, 100), 0.75), ((200, 0, 240, 40), 1)):
        assert border_share(ramp, box, 0) == share


TRUE_BOX = (180, 65, 272, 170)  # the face of scikit-image's astronaut, 512 x 512, measured by eye: brow to chin


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module", params=[ViolaJones, MTCNNDetector], ids=["viola-jones", "mtcnn"])
def detector(request):
    return request.param()


def overlap(box, other) -> float:
    """Return the intersection over union of two boxes."""
    return box_iou(*(torch.tensor(np.array([sides[:4]], float)) for sides in (box, other))).item()


def test_a_real_face_is_found_at_every_size_in_the_photographs_own_pixels(detector, astronaut):
    for side in (128, 256, 512, 1024):
        method = cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
        (found,) = detector.detect([cv2.resize(astronaut, (side, side), interpolation=method)])
        assert overlap(found, np.array(TRUE_BOX) * side / 512) > 0.5, side
        assert np.isnan(found[4]) if isinstance(detector, ViolaJones) else found[4] > 0.99, "only MTCNN gives a probability"


def test_order_is_kept_whatever_the_sizes_and_photographs_without_a_face_give_none(detector, astronaut):
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    grey = np.full((256, 256, 3), 128, np.uint8)
    found = detector.detect([half, astronaut, grey, half])
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(found[0], found[3])
    assert overlap(found[0] * 2, found[1]) > 0.8
    np.testing.assert_allclose(found[1], detector.detect([astronaut])[0], atol=0.01)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    sizes = [(1, 1), (10, 400), (20, 20), (21, 3000), (2000, 1), (128, 128)]
    images = [noise, *(np.full((*size, 3), 128, np.uint8) for size in sizes)]
    assert np.isnan(detector.detect(images)).all()
    assert detector.detect([]).shape == (0, 6)


def test_of_several_faces_the_large_central_one_is_taken_and_large_ones_are_counted(detector, astronaut):
    face = astronaut[30:230, 110:330]
    scene = np.full((400, 500, 3), 160, np.uint8)
    scene[110:310, 140:360] = face
    scene[:100, :110] = cv2.resize(face, (110, 100), interpolation=cv2.INTER_AREA)
    (found,) = type(detector)(min_face_fraction=0.05).detect([scene])
    assert overlap(found, np.array(TRUE_BOX) + np.array([30, 80, 30, 80])) > 0.5 and found[5] == 2
    assert type(detector)(min_face_fraction=0.05).detect([scene[100:]])[0, 5] == 1


def test_of_equally_large_boxes_the_central_one_and_never_an_unsure_one_is_taken():
    image = np.empty((100, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 40, 40], [80, 30, 120, 70], [150, 50, 190, 90]], float)
    assert portrayed(boxes, np.array([9, 9, 9]), image) == (1, 3)
    assert portrayed(boxes, np.array([3, 4, 9]), image) == (2, 1), "those half as sure are no faces"
    boxes[0, 2:] = 150  # larger, so that it outweighs its distance from the centre
    assert portrayed(boxes, np.array([9, 9, 9]), image) == (0, 1), "and those a fourth as wide are others'"
    assert portrayed(np.empty((0, 4)), np.empty(0), image) is None


def test_an_image_on_which_the_library_fails_spoils_no_other_and_a_lack_of_memory_is_an_error(astronaut, monkeypatch):
    detector = MTCNNDetector()
    small = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    broken = np.full_like(small, 255)
    whole = detector._networks.detect

    def fail_on_white(images):
        if (images == 255).flatten(1).all(dim=1).any():
            raise IndexError("as facenet-pytorch does when a box leaves the image")
        return whole(images)

    monkeypatch.setattr(detector._networks, "detect", fail_on_white)
    found = detector.detect([small, broken, small])
    assert np.isnan(found[1]).all() and not np.isnan(found[0]).any()
    np.testing.assert_array_equal(found[0], found[2])
    monkeypatch.setattr(detector._networks, "detect", Mock(side_effect=RuntimeError("CUDA out of memory")))
    with pytest.raises(RuntimeError, match="out of memory"):
        detector.detect([astronaut])


def test_boxes_hang_neither_on_threads_nor_on_neighbours(detector, astronaut, monkeypatch):
    sides = (150, 200, 200, 200, 300, 300, 150, 512, 512)
    images = [cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA) for side in sides]
    own = torch.get_num_threads(), cv2.getNumThreads()
    one, found = type(detector)(min_face_fraction=0.15), []
    for n_threads in (3, 1):
        monkeypatch.setattr(detection, "available_threads", lambda n=n_threads: n)
        found.append(one.detect(images))
    several, together = found
    np.testing.assert_array_equal(together, several)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == own, "others' threads were changed"
    for image, found in zip(images, together, strict=True):
        np.testing.assert_allclose(one.detect([image])[0], found, atol=0.01)


def test_both_detectors_find_frontal_faces_where_they_are_and_mtcnn_turned_ones(detector):
    labels = stand_in_labels("rafd-multiview", n_faces=300)
    asked = ((["frontal"], 0.5, 1), (["yaw+45", "yaw-45"], 0.4, 0.85))
    for views, least, share in asked[: 1 + isinstance(detector, MTCNNDetector)]:
        images, truth = render_faces(pd.concat([labels[labels["view"] == view].iloc[::10][:4] for view in views]))
        boxes = truth[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
        found = detector.detect(list(images))
        assert len(found) == 4 * len(views)
        assert np.mean([overlap(f, box) > least for f, box in zip(found, boxes, strict=True)]) >= share


def test_a_real_crop_is_a_face_and_noise_or_its_shuffled_quarters_are_not(astronaut):
    crop = crop_face(astronaut, TRUE_BOX, 0.1)
    noise = np.random.default_rng(0).integers(0, 256, (FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
    shuffled = np.roll(crop, (FACE_SIZE // 2, FACE_SIZE // 2), axis=(0, 1))
    rates = face_rate(np.stack([crop, noise, shuffled, crop]), batch_size=3)
    assert rates[0] > 0.99 and rates[3] == pytest.approx(rates[0], abs=1e-6) and rates[1:3].tolist() == [0, 0]
    assert face_rate(crop[None], threshold=1.1).tolist() == [0]
    assert face_rate(np.empty((0, FACE_SIZE, FACE_SIZE, 3), np.uint8)).shape == (0,)
