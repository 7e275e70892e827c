"""From photographs to a face set, with photographs and a detector of which everything is known; crops with exact answers."""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image
from tiny import WITH_TESTS, kill_when

from fergan.data import cropping
from fergan.data.config import FacesConfig, SetConfig
from fergan.data.cropping import CroppingAccount, border_share, crop_face, make_faces, tried
from fergan.data.faces import FACE_SIZE, FaceSet, complete_labels
from fergan.data.photographs import Photograph, Photographs, UnreadablePhotograph

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
