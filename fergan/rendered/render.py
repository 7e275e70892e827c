"""Faces from rows of labels, or from one expression, to images and their truth: surfaces, light, visibility, colour."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from fergan.facs import ACTION_UNITS
from fergan.rendered.appearance import part_colour
from fergan.rendered.landmarks import face_box, landmark_pixels
from fergan.rendered.lighting import arriving_light, cast_shadows, light_direction, shade
from fergan.rendered.parts import all_parts, hairline
from fergan.rendered.person import action_unit_array, check_intensities, person_of, sample_identity
from fergan.rendered.raster import Camera, draw_points, reduce_image, rotation
from fergan.rendered.scene import default_setting, draw_background, photograph

SMALLEST, LARGEST, SIZE_STEP = 32, 256, 16

SIDES = tuple(f"{unit}_{side}" for unit in ACTION_UNITS for side in ("left", "right"))
REQUIRED_COLUMNS = ("identity_seed", "scene_seed", "background_seed", *default_setting(), *SIDES)
TRUTH_COLUMNS = ("box_left", "box_top", "box_right", "box_bottom", "covered",
                 *(f"landmark_{i:02d}_{axis}" for i in range(68) for axis in "xy"))


def render_faces(labels, size=128):
    """Render the faces that rows of :func:`fergan.rendered.stand_in_labels` describe.

    Args:
        labels: pandas.DataFrame; any rows in any order; a face does not depend on the others.
        size: Width and height in pixels, 32 to 256 in steps of 16.

    Returns:
        images: (n, size, size, 3), uint8; RGB.
        truth: pandas.DataFrame; same index as `labels`: `box_left`, `box_top`, `box_right`, `box_bottom` (pixels, lower
            forehead to chin, not clipped to the image), `covered` (share of the box behind something, 0..1),
            `landmark_00_x`.. `landmark_67_y` (iBUG, pixels).

    Raises:
        ValueError: For a missing column, an intensity outside 0..1 or an impossible size.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in labels]
    if missing:
        raise ValueError(f"labels: column {missing[0]!r} is missing; rows come from stand_in_labels")
    units = labels[list(SIDES)].to_numpy(np.float32).reshape(len(labels), len(ACTION_UNITS), 2)
    check_intensities(units)
    _check_size(size)
    images = np.empty((len(labels), size, size, 3), np.uint8)
    truth = np.empty((len(labels), len(TRUTH_COLUMNS)))
    for i, row in enumerate(labels[[name for name in REQUIRED_COLUMNS if name not in SIDES]].to_dict("records")):
        images[i], truth[i] = _render(row, units[i], size)
    return images, pd.DataFrame(truth, index=labels.index, columns=list(TRUTH_COLUMNS))


def render_expression(identity_seed, action_units, size=128, scene_seed=0, **setting):
    """Render one person with chosen Action Units, for slider boards and figures.

    Args:
        identity_seed, scene_seed: The person; background and camera noise.
        action_units: Action Unit name ("AU12") to an intensity 0..1, or to a (left, right) pair of the person's own sides.
        size: Width and height in pixels.
        **setting: Any of `yaw`, `pitch`, `roll` (degrees), `gaze_x`, `gaze_y` (cm), `scale`, `glasses`, `light_azimuth`,
            `light_elevation` (degrees), `ambient`, `key`, `setting` ("studio", "wild", ..).

    Returns: ndarray of shape (size, size, 3), uint8; RGB.

    Raises:
        ValueError: For an unknown Action Unit, an intensity outside 0..1, an unknown setting or an impossible size.
    """
    _check_size(size)
    seeds = dict(identity_seed=identity_seed, scene_seed=scene_seed, background_seed=scene_seed)
    return _render(default_setting(**setting) | seeds, action_unit_array(action_units), size)[0]


def _check_size(size):
    if not SMALLEST <= size <= LARGEST or size % SIZE_STEP:
        raise ValueError(f"size: expected {SMALLEST} to {LARGEST} in steps of {SIZE_STEP}, got {size}")


def _render(row, units, size):
    """One face (size, size, 3) uint8 and its truth (141,), from a row and intensities (14, 2)."""
    identity = sample_identity(int(row["identity_seed"]))
    setting = SimpleNamespace(**{name: v if name == "setting" else float(v) for name, v in row.items()})
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors are small: more threads would wait for each other, thirty times as long on busy cores
    try:
        drawn = _draw(person_of(identity), units.tolist(), setting, size)
    finally:
        torch.set_num_threads(n_threads)
    image, coverage, box, landmarks = (t.numpy() for t in drawn)
    behind = draw_background(row["setting"], size, np.random.default_rng([int(row["background_seed"]), 3]))
    linear = image.transpose(1, 2, 0) + behind * (1 - coverage.transpose(1, 2, 0))
    encoded = (linear / (1 + 0.12 * linear)).clip(0, 1) ** np.float32(1 / 2.2)
    rng = np.random.default_rng([int(row["scene_seed"]), 2])
    picture, covered = photograph(encoded, row, box, identity["skin"], rng)
    return picture, [*box, covered, *landmarks.flatten()]


@torch.inference_mode()
def _draw(person, units, setting, size):
    """Draw a face without background.

    `setting` has the names of :func:`fergan.rendered.scene.draw_setting`; `person` and `units` are those of
    `fergan.rendered.geometry`. Returns linear RGB multiplied by coverage (3, size, size), coverage 0..1 (1, size, size),
    the face's box (4,) and the landmarks (68, 2) in pixels.
    """
    line = hairline(person)
    parts, base = all_parts(person, units, setting.glasses, line)
    turn = rotation(setting.yaw, setting.pitch, setting.roll)
    # Studio cameras stand around a person; elsewhere people turn their heads more than their shoulders.
    follows = 1.0 if setting.setting in ("studio", "laboratory") else 0.5
    turn_body = rotation(setting.yaw * follows, setting.pitch * 0.3, setting.roll * 0.2)
    light = light_direction(setting.light_azimuth, setting.light_elevation)
    camera = Camera(size, setting.scale, setting.shift_x, setting.shift_y)
    turns = [turn_body if part.name == "torso" else turn for part in parts]
    positions = [(t @ part.position.flatten(1)).view_as(part.position) for t, part in zip(turns, parts, strict=True)]
    surfaces = []  # what each point carries: position, coordinates, and the light that arrives
    for part, position, key_share in zip(parts, positions, cast_shadows(positions, light), strict=True):
        arriving = arriving_light(part, position, key_share, light, setting)
        surfaces.append(torch.cat([position, part.coordinates, arriving]))
    nearest, points = draw_points(parts, surfaces, camera)
    image = _colour_visible(parts, nearest, points, person, units, setting, line)

    covered = (nearest < sum(map(len, points))).float()
    image, covered = (reduce_image(t.reshape(-1, camera.resolution, camera.resolution)) for t in (image, covered))
    landmarks = landmark_pixels(person, units, parts[0], turn, camera)
    return image, covered, face_box(base, landmarks, turn, camera), landmarks


def _colour_visible(parts, nearest, points, person, units, setting, line):
    """Colour what the camera sees, one part after the other: (3, pixels), linear RGB."""
    image, first = torch.zeros(3, len(nearest)), 0
    for part, table in zip(parts, points, strict=True):
        pixels = ((nearest >= first) & (nearest < first + len(table))).nonzero()[:, 0]
        channels = table[nearest[pixels] - first].T[3:]
        gaze = setting.gaze_x, setting.gaze_y
        albedo, gloss, catchlight = part_colour(part.name, channels[:3], person, units, gaze, line)
        image[:, pixels] = shade(albedo, gloss, catchlight, channels[3:], setting)
        first += len(table)
    return image
