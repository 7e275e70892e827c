"""Rendered faces: truth follows the parameters, designs follow the published grammar. No pixel is stored."""

from itertools import pairwise

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from fergan.book.chapters import rendered as chapter
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.rendered import FULL_SIZES, STAND_INS, render, render_expression, render_faces, stand_in_labels
from fergan.rendered import labels as people
from fergan.rendered.curves import person_of
from fergan.rendered.labels import PUBLISHED, default_setting
from fergan.rendered.surfaces import hairline, head_part

# One landmark on each side that a one-sided movement shifts: the person's left lies on the image's right.
ONE_SIDED = {"AU01": (22, 21), "AU02": (25, 18), "AU04": (23, 20), "AU05": (43, 38), "AU06": (46, 41),
             "AU07": (46, 41), "AU09": (35, 31), "AU12": (54, 48), "AU15": (54, 48)}
# Where each landmark lies in a mirrored face: the iBUG order runs from one side to the other.
MIRROR_ORDER = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), *range(45, 41, -1), 47, 46,
                *range(39, 35, -1), 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65]


def landmarks(unit=None, left=0.0, right=0.0, seeds=range(12)):
    """True landmarks on the smooth head, cm: ndarray (people, 68, 2), NaN for the jaw's 17."""
    units = [(left, right) if name == unit else (0.0, 0.0) for name in ACTION_UNITS]
    places = np.stack([render.landmark_curves(person_of(people.sample_identity(seed)), units).numpy() for seed in seeds])
    return np.concatenate([np.full((len(seeds), 17, 2), np.nan), places], 1)


EYE_UPPER, EYE_LOWER = [37, 38, 43, 44], [40, 41, 46, 47]
# Action Unit: landmarks that it moves up, or apart from those that it moves down.
RISING = {"AU01": [21, 22], "AU02": [17, 18, 25, 26], "AU05": EYE_UPPER, "AU06": EYE_LOWER, "AU07": EYE_LOWER, "AU09": [30, 33],
          "AU12": [48, 54], "AU17": [57, 66], "AU24": [57], "AU25": [62], "AU27": [62]}
FALLING = {"AU04": [20, 21, 22, 23], "AU05": EYE_LOWER, "AU07": EYE_UPPER, "AU15": [48, 54], "AU24": [51], "AU25": [66], "AU27": [66]}


def effect(unit, level):
    """What an Action Unit makes larger, cm, of twelve people."""
    points = landmarks(unit, level, level)
    if unit == "AU23":  # narrows the mouth
        return points[:, 48, 0] - points[:, 54, 0]
    return sum(sign * points[:, moved[unit], 1].mean(1) for sign, moved in ((1, RISING), (-1, FALLING)) if unit in moved)


@pytest.mark.parametrize("unit", ACTION_UNITS)
def test_action_unit_moves_its_landmarks_more_with_intensity_and_left_only_the_persons_left(unit):
    levels = [effect(unit, level) for level in (0.0, 0.3, 0.65, 1.0)]
    for weaker, stronger in pairwise(levels):
        assert np.all(stronger > weaker)  # for every one of the people
    if unit in ONE_SIDED:
        left, right = ONE_SIDED[unit]
        shift, mirrored = (np.abs(landmarks(unit, **{side: 1.0}) - landmarks()).sum(2) for side in ("left", "right"))
        # The blend over the midline leaves a little movement on the other side, most at the inner brows.
        assert np.all(shift[:, left] > 5 * shift[:, right])
        np.testing.assert_allclose(mirrored[:, right], shift[:, left], atol=1e-4)


def points(truth):
    """Landmarks of a table of truth: ndarray (n_faces, 68, 2)."""
    return truth[[f"landmark_{i:02d}_{axis}" for i in range(68) for axis in "xy"]].to_numpy().reshape(-1, 68, 2)


def test_landmarks_lie_in_the_box_and_turn_as_a_rotation_does():
    images, truth = render_faces(stand_in_labels("rafd-frontal", 16).iloc[:6], size=64)
    assert images.shape == (6, 64, 64, 3) and images.dtype == np.uint8
    x, y = np.moveaxis(points(truth), 2, 0)
    left, top, right, bottom = truth.filter(like="box_").to_numpy().T[..., None]
    assert np.all((x >= left) & (x <= right) & (y >= top) & (y <= bottom)) and min(left.min(), top.min()) > 0
    assert np.all(x[:, 36] < x[:, 45])  # image-left eye first
    assert np.all(y[:, 8] > y[:, 57])  # chin below the lips
    # Two views of a point give its place in space; a third view must show it where perspective puts it.
    size = 128
    _, truth = render_faces(rows_of([{"yaw": yaw, "scale": 1.0} for yaw in (0, 25, 50)], AU12=(0.9, 0.2)), size)
    inner = points(truth)[:, 17:]  # the outline's points are other points of the head in every view
    u = (inner[..., 0] / size - 0.5) / render.FOCAL  # x over depth, without the camera's centre
    (cosine, sine), (cosine_2, sine_2) = ((np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))) for yaw in (25, 50))
    # u0 (D - z) = x and u1 (D + x sin - z cos) = x cos + z sin, solved for x and z.
    a = np.stack([np.stack([np.ones_like(u[0]), u[0]], -1), np.stack([cosine - u[1] * sine, sine + u[1] * cosine], -1)], -2)
    x, z = np.linalg.solve(a, render.DISTANCE * np.stack([u[0], u[1]], -1)[..., None])[..., 0].T
    expected = render.FOCAL * (x * cosine_2 + z * sine_2) / (render.DISTANCE + x * sine_2 - z * cosine_2)
    np.testing.assert_allclose((expected + 0.5) * size, inner[2, :, 0], atol=0.02)
    assert np.abs(inner[2, :, 0] - inner[0, :, 0]).max() > 20


def rows_of(settings, seed=0, **action_units):
    """Rows for `render_faces`: one person in every setting, with the same Action Units as (left, right)."""
    seeds = dict(identity_seed=seed, scene_seed=0, background_seed=0)
    units = dict.fromkeys(render.SIDES, 0.0)
    for unit, (left, right) in action_units.items():
        units |= {f"{unit}_left": left, f"{unit}_right": right}
    return pd.DataFrame([default_setting(**setting) | seeds | units for setting in settings])


def test_mirrored_parameters_give_a_mirrored_picture(monkeypatch):
    size, sides = 96, (0.9, 0.1)
    setting = {"yaw": 24.0, "roll": 6.0, "gaze_x": 0.4, "light_azimuth": 40.0, "shift_x": 0.03}
    bald = people.sample_identity(3) | {"hair": 0.0, "hair_long": 0.0}  # locks of hair are not mirrored, skin hardly shows it
    pair = [bald, bald | {name: -bald[name] for name in ("nose_bend", "hair_part", "hair_sweep")}]
    monkeypatch.setattr(render, "sample_identity", pair.__getitem__)
    image, truth = render_faces(rows_of([setting], 0, AU12=sides, AU01=sides), size)
    opposite = {name: -value for name, value in setting.items()}
    other, other_truth = render_faces(rows_of([opposite], 1, AU12=sides[::-1], AU01=sides[::-1]), size)
    expected = points(truth)[0, MIRROR_ORDER] * (-1, 1) + (size, 0)
    # The outline is read off a grid of directions, the rest follows the same curves.
    np.testing.assert_allclose(points(other_truth)[0, 17:], expected[17:], atol=0.1)
    np.testing.assert_allclose(points(other_truth)[0], expected, atol=1.0)
    # Blurred, because skin keeps its grain, which is not mirrored.
    mirror, picture, same = (cv2.GaussianBlur(p, (0, 0), 2).astype(float) for p in (image[0][:, ::-1], other[0], image[0]))
    assert np.abs(mirror - picture).mean() < 2.5 < 15 < np.abs(same - picture).mean()


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (-8.0, 12.0), (8.0, -10.0)])
def test_jaw_landmarks_lie_on_the_rendered_outline(pitch, roll):
    """The head is drawn alone, without neck: its mask ends where the jaw's landmarks lie."""
    size = 128
    for seed in (9, 11, 17):
        person = person_of(people.sample_identity(seed) | {"hair": 0.0})
        units = [(0.0, 0.0)] * 14
        head, _ = head_part(person, units, hairline(person))
        camera, turn = render.Camera(size, 1.0, 0.0, 0.0), render.rotation(0.0, pitch, roll)
        jaw = render.landmark_pixels(person, units, head, turn, camera)[:17].numpy()
        nearest, tables = render.draw_points([head], [torch.einsum("ij,jrc->irc", turn, head.position)], camera)
        mask = (nearest < len(tables[0])).view(size * render.SUPERSAMPLING, -1).numpy()
        middle = jaw[[0, 16, 8]].mean(0)
        for point in jaw[2:15]:
            outward = (point - middle) / np.linalg.norm(point - middle)
            inside, outside = (((point + step * outward) * render.SUPERSAMPLING).astype(int) for step in (-1.5, 1.5))
            assert mask[inside[1], inside[0]] and not mask[outside[1], outside[0]]


@pytest.mark.parametrize("unit", ["AU07", "AU17", "AU24"])
def test_fine_action_units_show_at_64_pixels(unit):
    """They move little, so skin has to show them: compare with what the camera's noise changes."""
    face = np.s_[24:54, 21:43]
    for seed in range(6):
        rest, moved = (render_expression(seed, units, size=64).astype(float) for units in ({}, {unit: 1.0}))
        again = render_expression(seed, {}, size=64, scene_seed=1).astype(float)
        largest = [cv2.GaussianBlur(np.abs(a - rest), (0, 0), 1)[face].max() for a in (moved, again)]
        assert largest[0] > max(12, 2 * largest[1])


def test_a_face_depends_on_no_other_and_occluders_change_those_that_have_one():
    labels = pd.concat([stand_in_labels(name, 16).iloc[:2] for name in ("celeba", "rafd-multiview", "sfew", "enhanced-ck")])
    together, truth = render_faces(labels, size=64)
    order = [4, 6, 0, 5, 1]
    shuffled, shuffled_truth = render_faces(labels.iloc[order], size=64)
    np.testing.assert_array_equal(shuffled_truth, truth.iloc[order])
    np.testing.assert_array_equal(shuffled, together[order])
    labels = stand_in_labels("sfew", 200)
    rows = pd.concat([labels[labels.occluded == 1].iloc[:5], labels[labels.occluded == 0].iloc[:2]])
    images, _ = render_faces(rows, size=64)
    bare, _ = render_faces(rows.assign(occluded=0.0), size=64)
    assert np.all(np.abs(images.astype(int) - bare.astype(int)).mean((1, 2, 3))[:5] > 1)
    np.testing.assert_array_equal(images[5:], bare[5:])


def test_full_sets_follow_the_published_grammar_and_sequences_run_from_rest_to_apex():
    sets = {name: stand_in_labels(name) for name in STAND_INS}
    assert {name: len(labels) for name, labels in sets.items()} == FULL_SIZES
    for name, kind, size in (("rafd-frontal", "gaze", 67 * 8 * 3), ("rafd-multiview", "view", 67 * 8 * 5)):
        assert len(sets[name].groupby(["subject", "emotion", kind])) == len(sets[name]) == size
    multi, kdef, raf, sfew = (sets[name] for name in ("rafd-multiview", "kdef", "raf-db", "sfew"))
    assert set(multi.emotion) == set(EMOTIONS) and {round(v / 45) for v in multi.yaw} == {-2, -1, 0, 1, 2}
    # One expression is photographed from all sides at once.
    assert multi.groupby(["subject", "emotion"])[list(render.SIDES)].nunique().to_numpy().max() == 1
    assert kdef.subject.nunique() == 70 and "contemptuous" not in set(kdef.emotion)
    assert set(kdef.groupby(["subject", "emotion", "view"]).session.apply(lambda s: "".join(sorted(s)))) == {"AB"}
    for split, counts in PUBLISHED["counts"]["raf-db"].items():
        assert raf[raf.split == split].emotion.value_counts().sort_index().tolist() == counts
    assert set(sfew.split) == {"train", "val"} and sets["enhanced-ck"].subject.nunique() == 210
    published = np.array([255, 75, 124, 256, 228, 234, 150])  # SFEW 2.0, aligned faces of both parts
    np.testing.assert_allclose(sfew.emotion.value_counts().sort_index(), published * 1260 / published.sum(), atol=2)
    identities = [set(labels.identity_seed) for labels in sets.values()]
    assert raf.subject.is_unique and len(set().union(*identities)) == sum(map(len, identities))  # nobody is in two sets
    # Sequences run from rest to apex.
    labels = stand_in_labels("enhanced-ck", 300)
    for _, frames in labels.groupby("sequence"):
        total = frames.sort_values("frame")[list(render.SIDES)].sum(axis=1).to_numpy()
        assert total[0] == 0 and total[-1] > 0.2 and np.all(np.diff(total) >= 0)
        assert frames.subject.nunique() == frames.emotion.nunique() == 1
        assert frames.frame.tolist() == list(range(len(frames)))


@pytest.mark.parametrize("name", STAND_INS)
def test_exact_size_unique_sources_balance_and_occurrence(name):
    for n_faces in (16, 97, 400):
        labels = stand_in_labels(name, n_faces)
        assert len(labels) == n_faces and labels.source.is_unique and labels.subject.nunique() >= 2
        if not name.startswith("enhanced"):
            assert np.ptp(labels.subject.value_counts()) <= 1
    pd.testing.assert_frame_equal(labels, stand_in_labels(name, 400))
    assert not labels.equals(stand_in_labels(name, 400, seed=1)) and labels.emotion.isna().all() == (name == "celeba")
    strongest = labels[list(render.SIDES)].to_numpy().reshape(400, -1, 2).max(2)
    np.testing.assert_array_equal(strongest >= people.OCCURRENCE_THRESHOLD, labels[list(ACTION_UNITS)] == 1)


def test_emotions_draw_their_prototypes():
    rng = np.random.default_rng(0)
    for emotion in EMOTIONS:
        drawn = people.draw_action_units([emotion] * 800, rng)
        shown = (drawn.max(2) >= people.OCCURRENCE_THRESHOLD).mean(0)
        expected = np.array([people.EMOTION_ACTION_UNITS[emotion].get(u, (0, 0))[0] for u in ACTION_UNITS])
        # Three standard errors of 800 draws; jitter takes a few of the weakest below the threshold.
        np.testing.assert_allclose(shown, expected, atol=0.055)
    smirk = people.draw_action_units(["contemptuous"] * 50, rng)[:, ACTION_UNITS.index("AU12")]
    assert np.all(smirk.max(1) > 2 * smirk.min(1))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: stand_in_labels("rafd"), "name: unknown stand-in 'rafd'"),
    (lambda: stand_in_labels("kdef", 4901), "n_faces: expected 16 to 4900"),
    (lambda: render_expression(0, {"AU99": 1.0}), "unknown Action Unit 'AU99'"),
    (lambda: render_expression(0, {"AU12": 1.5}), "AU12 has an intensity outside 0..1"),
    (lambda: render_expression(0, {"AU12": (0.5, np.nan)}), "AU12 has an intensity outside 0..1"),
    (lambda: render_expression(0, {}, size=100), "size: expected 32 to 256 in steps of 16"),
    (lambda: render_expression(0, {}, tilt=3), "setting: unknown name 'tilt'"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_picture_and_labels_follow_the_sliders(monkeypatch):
    monkeypatch.setattr(chapter, "display", lambda shown: None)
    board = chapter.face_board(7)
    board.update()
    np.testing.assert_array_equal(board.result[0], render_expression(7, {}, size=chapter.BOARD_SIZE))
    scene = dict(yaw=-45.0, gaze_x=-0.42, light_azimuth=60.0)
    controls = {control.description: control for control in board.children if hasattr(control, "description")}
    for name, value in (scene | dict(AU12_left=0.8, AU04_left=0.1)).items():
        controls[name].value = value
    image, present = board.result
    expected = render_expression(7, {"AU12": (0.8, 0), "AU04": (0.1, 0)}, size=chapter.BOARD_SIZE, **scene)
    np.testing.assert_array_equal(image, expected)
    assert present == ["AU12"], "the trace of AU04 is below the threshold of presence"
