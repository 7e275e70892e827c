"""Finding faces: boxes against known places."""

from unittest.mock import Mock

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from torchvision.ops import box_iou

from fergan.data import detection
from fergan.data.cropping import crop_face
from fergan.data.detection import MTCNNDetector, ViolaJones, face_rate, portrayed
from fergan.data.faces import FACE_SIZE
from fergan.rendered import render_faces, stand_in_labels

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
