"""Finding faces: boxes and eyes against known places."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from fergan.data import open_photographs
from fergan.data.detection import CHOICES, DETECTORS, _choose, crop_face, crop_faces, face_rate, make_detector
from fergan.data.faces import FACE_SIZE

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
    code = "import fergan.data.detection, sys; assert 'torch' not in sys.modules"
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


def test_which_face_is_taken_can_be_chosen():
    image = np.empty((100, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 60, 60], [85, 35, 115, 65], [120, 20, 170, 70], [0, 90, 9, 99]], float)
    confidence = np.array([6, 7, 9, 1])
    chosen = {choose: _choose(boxes, confidence, image, choose) for choose in CHOICES}
    assert chosen == {"largest": 0, "most-central": 1, "surest": 2, "center-weighted": 1}
    assert _choose(boxes[:2], np.array([9, 9]), image, "surest") == 0, "of equally sure ones the larger"
    assert all(_choose(np.empty((0, 4)), np.empty(0), image, choose) is None for choose in CHOICES)


def test_an_image_on_which_the_library_fails_spoils_no_other(astronaut, monkeypatch):
    detector = make_detector("mtcnn")
    small = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    broken = np.full_like(small, 255)
    whole = detector._networks.detect

    def fail_on_white(images, landmarks):
        if (images == 255).flatten(1).all(dim=1).any():
            raise IndexError("as facenet-pytorch does when a box leaves the image")
        return whole(images, landmarks=landmarks)

    monkeypatch.setattr(detector._networks, "detect", fail_on_white)
    found = detector.detect([small, broken, small])
    assert found[1] is None
    assert found[0] is not None
    assert found[0] == found[2]


def test_a_lack_of_memory_is_no_lack_of_faces(astronaut, monkeypatch):
    detector = make_detector("mtcnn", device="cpu")

    def fail(images, landmarks):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(detector._networks, "detect", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        detector.detect([astronaut])


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [("viola-jones", {"cascades": "profile"}, "cascades is 'profile'; expected one of frontal, frontal\\+profile"),
     ("mtcnn", {"choose": "best"}, "choose is 'best'; expected one of center-weighted, largest, most-central, surest"),
     ("mtcnn", {"min_face_fraction": 0}, "min_face_fraction is 0; expected a fraction"),
     ("viola-jones", {"threads": 0}, "threads is 0; expected 1 or more"),
     ("mtcnn", {"cascades": "frontal+profile"}, "cascades is 'frontal\\+profile', but detector mtcnn has none; take viola-jones"),
     ("mtcnn", {"cascades": "profile"}, "cascades is 'profile'; expected one of frontal, frontal\\+profile")],
)  # fmt: skip
def test_an_impossible_parameter_is_named(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_detector(name, **parameters)


def test_a_page_names_cascades_for_either_detector_and_they_count():
    assert make_detector("viola-jones", cascades="frontal+profile").parameters["cascades"] == "frontal+profile"
    assert "cascades" not in make_detector("mtcnn", cascades="frontal").parameters
    assert make_detector("mtcnn", min_face_fraction=0.1).parameters["min_face_fraction"] == 0.1


def test_a_small_face_of_a_scene_needs_a_smaller_fraction(detector, astronaut):
    scene = np.full((700, 900, 3), 150, np.uint8)
    face = cv2.resize(astronaut[30:230, 110:330], (176, 160), interpolation=cv2.INTER_AREA)
    scene[300:460, 400:576] = face
    true = (np.array(TRUE_BOX) - np.array([110, 30, 110, 30])) * 0.8 + np.array([400, 300, 400, 300])
    large_only, small = (make_detector(detector.name, min_face_fraction=f).detect([scene])[0] for f in (0.4, 0.1))
    assert large_only is None
    assert overlap(small.box, true) > 0.5


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_boxes_hang_neither_on_threads_nor_on_neighbours(name, astronaut):
    sides = (150, 200, 200, 200, 300, 300, 150, 512, 512)
    images = [cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA) for side in sides]
    import torch

    own = torch.get_num_threads(), cv2.getNumThreads()
    options = {"min_face_fraction": 0.15} | ({"device": "cpu"} if name == "mtcnn" else {})
    one, several = (make_detector(name, threads=threads, **options) for threads in (1, 3))
    assert one.detect(images) == several.detect(images)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == own, "others' threads were changed"
    assert one.parameters == several.parameters
    for alone, together in zip([one.detect([image])[0] for image in images], one.detect(images), strict=True):
        np.testing.assert_allclose(alone.box, together.box, atol=0.01)


def test_photographs_are_reduced_until_the_smallest_face_has_its_size(monkeypatch):
    detector = make_detector("viola-jones", face_pixels=40, min_face_fraction=0.1)
    seen = []
    monkeypatch.setattr(
        detector,
        "_find",
        lambda grey, cascade, smallest: seen.append((*grey.shape, smallest)) or (np.empty((0, 4)), np.empty(0)),
    )
    monkeypatch.setattr(detector, "_n_threads", lambda n: 1)
    detector.detect([np.zeros((*size, 3), np.uint8) for size in [(800, 1200), (1200, 800), (300, 350)]])
    step = 1.1**7  # from the 80 pixels of a tenth to 40, in the cascade's own steps from 24 upwards: 75.3 to 38.7
    assert [shape[:2] for shape in seen] == [(round(800 / step), round(1200 / step)), (616, 411), (300, 350)]
    assert [shape[2] for shape in seen] == pytest.approx([24 * 1.1**5] * 2 + [30])


# The renderer knows where its faces are.


@pytest.fixture(scope="module")
def rendered():
    photographs = open_photographs("rafd-multiview", "rendered", n_faces=300)
    views = photographs.labels["view"].to_numpy(dtype=str)
    rows = [row for view in ("frontal", "yaw+45", "yaw-45") for row in np.flatnonzero(views == view)[::10][:4]]
    images, truth = photographs.read_with_truth(rows)
    return list(images), truth, views[rows]


def true_box(truth, number):
    return truth[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()[number]


def test_both_detectors_find_frontal_faces_where_they_are(detector, rendered):
    images, truth, views = rendered
    frontal = np.flatnonzero(views == "frontal")
    for number, found in zip(frontal, detector.detect([images[n] for n in frontal]), strict=True):
        assert overlap(found.box, true_box(truth, number)) > 0.5


def test_turned_faces_need_mtcnn_or_the_profile_cascade(rendered):
    images, truth, views = rendered
    turned = np.flatnonzero((views == "yaw+45") | (views == "yaw-45"))
    assert len(turned) == 8

    def share(detector):
        found = detector.detect([images[n] for n in turned])
        return np.mean(
            [f is not None and overlap(f.box, true_box(truth, n)) > 0.4 for f, n in zip(found, turned, strict=True)]
        )

    frontal, both = (share(make_detector("viola-jones", cascades=c)) for c in ("frontal", "frontal+profile"))
    assert share(make_detector("mtcnn")) >= 0.85
    assert both >= max(0.85, frontal + 0.2)


def test_a_profile_and_its_mirror_image_are_found_at_mirrored_places(rendered):
    images, _, views = rendered
    detector = make_detector("viola-jones", cascades="frontal+profile")
    whole = detector._find
    # Without the frontal cascade: what remains knows one side only, and must find the other in the mirror.
    detector._find = lambda grey, cascade, smallest: (
        (np.empty((0, 4)), np.empty(0)) if cascade is detector._loaded[0][0] else whole(grey, cascade, smallest)
    )
    detector.threads = 1
    image = images[np.flatnonzero(views == "yaw+45")[0]]
    (found,), (mirrored,) = detector.detect([image]), detector.detect([np.ascontiguousarray(image[:, ::-1])])
    left, top, right, bottom = found.box
    np.testing.assert_allclose(mirrored.box, (image.shape[1] - right, top, image.shape[1] - left, bottom), atol=1e-9)


def test_mtcnn_finds_the_eyes(rendered):
    images, truth, views = rendered
    frontal = np.flatnonzero(views == "frontal")
    for number, found in zip(frontal, make_detector("mtcnn").detect([images[n] for n in frontal]), strict=True):
        row = truth.iloc[number]
        for eye, points in zip(found.eyes, (range(36, 42), range(42, 48)), strict=True):  # iBUG: corners and lids
            true = [np.mean([row[f"landmark_{point:02d}_{axis}"] for point in points]) for axis in "xy"]
            assert np.hypot(*np.subtract(eye, true)) < 0.12 * (found.right - found.left)


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


# Real photographs.


def real_photographs(name, n_faces):
    root = os.environ.get("FERGAN_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"needs real photographs in $FERGAN_DATA/{name}")
    return open_photographs(name, "manifest", folder=f"{root}/{name}", n_faces=n_faces)


@pytest.mark.parametrize(
    ("dataset", "name", "least"),
    [("london", "viola-jones", 0.95), ("london", "mtcnn", 1.0), ("genki4k", "mtcnn", 0.95)],
)
def test_faces_of_real_photographs_are_found_and_recognised(dataset, name, least):
    photographs = real_photographs(dataset, 40)
    faces, account = crop_faces(photographs, make_detector(name), margin=0.1, progress=False)
    assert account.found >= least * 40
    assert (face_rate(faces.images) > 0).mean() >= 0.95


def test_turned_real_faces_are_found_more_often_with_the_profile_cascade():
    photographs = real_photographs("cmu_faces", None)
    turned = np.flatnonzero(photographs.labels["view"].isin(["left", "right"]))[::4]
    images = photographs.read(turned)
    found = {
        cascades: np.mean([f is not None for f in make_detector("viola-jones", cascades=cascades).detect(images)])
        for cascades in ("frontal", "frontal+profile")
    }
    assert found["frontal+profile"] > found["frontal"] + 0.1
