"""From photographs to a face set, with photographs and a detector of which everything is known."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fergan.data import UnreadablePhotograph, cropping
from fergan.data.cropping import crop_face, crop_faces, save_crops
from fergan.data.decoding import FilePhotographs
from fergan.data.detection import Detection
from fergan.data.faces import FACE_SIZE, FaceSet, complete_labels

ROOT = Path(__file__).parents[1]


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


def test_work_is_kept_until_all_is_saved_and_then_removed_with_that_of_other_parameters(tmp_path, monkeypatch):
    options = {"margin": 0, "batch_size": 2, "progress": False, "work_folder": tmp_path / "work"}
    crop_faces(Numbered(), Known(version=2), **options)  # of a parameter that was then edited
    faces, account = crop_faces(Numbered(), Known(), **options)
    saved = {"faces": faces, "account": account, "problems": ("a table has no header",), "work_folder": tmp_path / "work"}

    def fail(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
        patch.setattr(cropping, "write_json", fail)
        save_crops(tmp_path, **saved)
    assert len(list((tmp_path / "work").glob("*/*.npz"))) == 10, "two runs of five batches"
    again = Numbered()
    check_faces(*crop_faces(again, Known(), **options))
    assert again.asked == []

    save_crops(tmp_path, **saved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["account.json", "images.npy", "labels.parquet"]
    check_faces(FaceSet.load(tmp_path), account)
    assert json.loads((tmp_path / "account.json").read_text())["problems"] == ["a table has no header"]
    assert faces.images[:, 0, 0, 0].tolist() == [0, 2, 3, 5, 6, 7, 8], "the crops went with the folder"


def test_when_no_face_is_found_the_error_says_what_to_do():
    class Blind(Known):
        def detect(self, images):
            return [None] * len(images)

    message = r"numbered: known found no face in any of 10 photographs, of which 1 are unreadable .*4.png: broken.*try"
    with pytest.raises(ValueError, match=message):
        crop_faces(Numbered(), Blind(), margin=0, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"margin": -0.5}, "margin is -0.5, which leaves nothing"), ({"margin": 0, "batch_size": 0}, "batch_size is 0; expected"),
     ({"margin": 0, "align": True}, "align needs the eyes, which known does not find; take detector mtcnn")],
)  # fmt: skip
def test_an_impossible_parameter_is_named_before_anything_is_read(options, message):
    photographs = Numbered()
    with pytest.raises(ValueError, match=message):
        crop_faces(photographs, Known(), progress=False, **options)
    assert photographs.asked == []


def test_a_damaged_batch_is_made_again(tmp_path):
    options = {"margin": 0, "batch_size": 2, "progress": False, "work_folder": tmp_path}
    crop_faces(Numbered(), Known(), **options)
    batches = sorted(tmp_path.glob("*/*.npz"))
    assert len(batches) == 5, "one file for each batch"
    batches[1].write_bytes(batches[1].read_bytes()[:100])
    again = Numbered()
    check_faces(*crop_faces(again, Known(), **options))
    assert again.asked == [2, 3]


def test_a_photograph_that_went_in_the_meantime_gets_no_nominal_crop():
    class Going(Numbered):
        def read(self, rows):
            return super().read(rows) if len(self.asked) < 10 else [UnreadablePhotograph("gone")] * len(rows)

    faces, account = crop_faces(Going(), Known(), margin=0, nominal_box=True, progress=False)
    assert faces.images[:, 0, 0, 0].tolist() == [0, 2, 3, 5, 6, 7, 8]
    assert [entry["source"] for entry in account.unreadable] == ["1.png", "4.png", "9.png"]
    assert account.no_face == account.nominal == []


class Tilted(Known):
    """The right eye of every face is lower than the left, by as much as it is to the right."""

    finds_eyes = True

    def detect(self, images):
        found = super().detect(images)
        return [d and Detection(*d.box, d.probability, ((d.left + 16, 16), (d.left + 48, 48))) for d in found]


def test_aligned_crops_are_rotated_and_say_by_how_much():
    class Ramps(Numbered):
        def read(self, rows):
            ramp = np.zeros((70, 200, 3), np.uint8) + np.arange(200, dtype=np.uint8)[:, None]
            read = [image if isinstance(image, Exception) else ramp.copy() for image in super().read(rows)]
            for row, image in zip(rows, read, strict=True):
                if not isinstance(image, Exception):
                    image[0, 0] = row
            return read

    faces, _ = crop_faces(Ramps(), Tilted(), margin=0, align=True, nominal_box=True, progress=False)
    assert faces.labels["rotated_by"].fillna(-1).tolist() == [45, -1, 45, 45, 45, 45, 45, 45, -1]
    image = Ramps().read([7])[0]
    np.testing.assert_array_equal(faces.images[6], crop_face(image, (7, 0, 71, 64), 0, 45))
    np.testing.assert_array_equal(faces.images[1], crop_face(image, (5, 0, 69, 64), 0))


def test_aligning_starts_anew(tmp_path):
    options = {"margin": 0, "progress": False, "work_folder": tmp_path}
    straight, _ = crop_faces(Numbered(), Tilted(), **options)
    turned, _ = crop_faces(Numbered(), Tilted(), align=True, **options)
    assert "rotated_by" not in straight.labels
    assert (turned.labels["rotated_by"] == 45).all()


# Large photographs.


class Files(FilePhotographs):
    name = "files"
    problems = ()

    def __init__(self, folder, sources):
        self.folder = folder
        self.labels = complete_labels(pd.DataFrame({"source": sources, "view": "front"}))


class Fixed:
    """Finds a face in the middle of every photograph whose first pixel is not red, as small as it may be."""

    name = "fixed"

    def __init__(self):
        self.parameters = {"min_face_fraction": 0.25}
        self.seen = []

    def detect(self, images):
        self.seen += [image.shape[:2] for image in images]
        boxes = [np.outer(np.array(image.shape[1::-1]) / 2, [0.75, 1.25]).T.ravel() for image in images]
        return [Detection(*box) if image[0, 0, 0] < 200 else None for box, image in zip(boxes, images, strict=True)]


def test_large_photographs_are_looked_at_reduced_and_boxes_are_the_photographs_own(tmp_path):
    x, y = np.meshgrid(np.linspace(0, 255, 2400), np.linspace(0, 255, 2400))
    whole = np.stack([x, y, 255 - x], axis=-1).round().astype(np.uint8)
    Image.fromarray(whole).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(whole[:, ::-1]).save(tmp_path / "blind.jpg", quality=95)
    Image.fromarray(whole[:400, :400]).save(tmp_path / "small.png")
    detector = Fixed()
    photographs = Files(tmp_path, ["a.jpg", "blind.jpg", "small.png"])
    faces, account = crop_faces(photographs, detector, margin=0.1, nominal_box=True, progress=False)
    assert detector.seen == [(600, 600), (600, 600), (400, 400)], "twice the crop's 64 pixels over a quarter are 512"
    boxes = faces.labels[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
    assert boxes[0].tolist() == [900, 900, 1500, 1500]
    assert boxes[2].tolist() == [150, 150, 250, 250]
    assert boxes[1].tolist() == [525, 525, 875, 875], "the median of both others"
    assert account.nominal == ["blind.jpg"]
    for crop, image, box in zip(faces.images, (whole, whole[:, ::-1]), boxes, strict=False):
        assert np.abs(crop.astype(int) - crop_face(image, box, 0.1)).max() <= 4
    np.testing.assert_array_equal(faces.images[2], crop_face(whole[:400, :400], boxes[2], 0.1))


@pytest.mark.parametrize("margin", [-0.2, 0, 0.3])
@pytest.mark.parametrize("fraction", [0.05, 0.2, 1])
def test_no_crop_is_enlarged_because_a_photograph_was_reduced(tmp_path, margin, fraction):
    Image.new("RGB", (5100, 5100)).save(tmp_path / "large.jpg")
    detector = Fixed()
    detector.parameters = {"min_face_fraction": fraction}
    crop_faces(Files(tmp_path, ["large.jpg"]), detector, margin=margin, progress=False)
    ((shorter, _),) = detector.seen
    smallest = shorter * fraction
    assert min(smallest, smallest * (1 + 2 * margin)) >= 2 * FACE_SIZE, "the smallest face has twice a crop's pixels"


# Killed, and many.

SLOW_RUN = textwrap.dedent("""
    import json, sys, time
    import numpy as np
    import pandas as pd
    from fergan.data.cropping import crop_faces
    from fergan.data.detection import Detection
    from fergan.data.faces import complete_labels

    class Photographs:
        name, problems, read_rows = "slow", [], 0
        labels = complete_labels(pd.DataFrame({"source": [f"{n}.png" for n in range(60)], "view": "front"}))

        def read(self, rows):
            self.read_rows += len(rows)
            return [np.random.default_rng(row).integers(0, 256, (80, 80, 3), dtype=np.uint8) for row in rows]

    class Slow:
        name, parameters = "slow", {}

        def detect(self, images):
            time.sleep(float(sys.argv[3]))
            return [None if image[0, 0, 0] < 60 else Detection(3, 4, 70, 71, image[0, 0, 1] / 255) for image in images]

    photographs = Photographs()
    faces, account = crop_faces(photographs, Slow(), margin=0.1, batch_size=4, nominal_box=True, progress=False,
                                work_folder=sys.argv[1])
    faces.save(sys.argv[2])
    print(json.dumps({"read": photographs.read_rows, "account": account.to_dict()}))
""")


def test_a_killed_process_goes_on_where_it_was_and_gives_the_same_faces(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(SLOW_RUN)

    def command(work, result, seconds):
        return [sys.executable, str(script), str(tmp_path / work), str(tmp_path / result), str(seconds)]

    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command("work", "never", 0.2), env=environment)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("work/*/batch-*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = len(list(tmp_path.glob("work/*/batch-*.npz")))
    assert 3 <= done < 15

    runs = [subprocess.run(command(work, result, 0), env=environment, capture_output=True, check=True, text=True)
            for work, result in (("work", "resumed"), ("fresh", "whole"))]  # fmt: skip
    resumed, whole = (json.loads(run.stdout) for run in runs)
    n_blind = len(whole["account"]["nominal"])
    assert n_blind > 0
    assert resumed["account"] == whole["account"]
    assert (resumed["read"], whole["read"]) == (60 - 4 * done + n_blind, 60 + n_blind)
    for name in ("images.npy", "labels.parquet"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class Many:
    """Photographs that are all alike; every tenth is unreadable, another tenth shows no face."""

    name = "many"
    problems = ()
    fingerprint = "alike"

    def __init__(self, n_photographs):
        self.labels = complete_labels(pd.DataFrame({"source": [f"{n}.png" for n in range(n_photographs)], "view": "front"}))

    def read(self, rows):
        image = np.zeros((64, 64, 3), np.uint8)
        return [UnreadablePhotograph("no") if row % 10 == 0 else image + np.uint8(row % 10 == 1) for row in rows]


class Ones(Known):
    def detect(self, images):
        return [None if image[0, 0, 0] else Detection(0, 0, 64, 64) for image in images]


def test_memory_does_not_grow_with_the_crops(tmp_path):
    def peak(n_photographs):
        photographs = Many(n_photographs)
        tracemalloc.start()
        faces, _ = crop_faces(photographs, Ones(), margin=0, nominal_box=True, progress=False, work_folder=tmp_path)
        assert len(faces) == 0.9 * n_photographs
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)  # what is imported and cached once
    grown = (peak(4000) - peak(400)) / 3600
    assert grown < 2000, f"{grown:.0f} bytes for each photograph; its crop alone has 12288"
