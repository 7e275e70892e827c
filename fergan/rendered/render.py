"""One batch of faces from parameters to linear images: surfaces, light, visibility, colour."""

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from fergan.facs import ACTION_UNITS
from fergan.rendered.appearance import part_colour
from fergan.rendered.landmarks import face_box, landmark_pixels
from fergan.rendered.lighting import arriving_light, cast_shadows, light_direction, shade
from fergan.rendered.parts import all_parts, hairline
from fergan.rendered.person import action_unit_array, check_intensities, sample_identity, stack
from fergan.rendered.raster import Camera, draw_points, pad_indices, put, reduce_image, rotation, take
from fergan.rendered.scene import default_setting, draw_background, photograph


@torch.inference_mode()
def render_batch(person, units, setting, size):
    """Render n faces without background.

    `setting` has the numbers of :func:`fergan.rendered.scene.draw_setting`, and `body_follows`, the share of the head's turn
    that the shoulders make; `person` and `units` are those of `fergan.rendered.geometry`.

    Returns
    -------
    image : Tensor of shape (n_faces, 3, size, size)
        Linear RGB, multiplied by coverage.
    coverage : Tensor of shape (n_faces, 1, size, size)
        0..1.
    box, landmarks : Tensor of shape (n_faces, 4) and (n_faces, 68, 2)
        Pixels.
    """
    device = units.device
    line = hairline(person, device)
    parts, base = all_parts(person, units, setting.glasses, line)
    turn = rotation(setting.yaw, setting.pitch, setting.roll, device)
    turn_body = rotation(setting.yaw * setting.body_follows, setting.pitch * 0.3, setting.roll * 0.2, device)
    light = light_direction(setting.light_azimuth, setting.light_elevation, device)
    camera = Camera(size, setting.scale, setting.shift_x, setting.shift_y)
    turns = [turn_body if part.name == "torso" else turn for part in parts]
    positions = [(t @ part.position.flatten(2)).view_as(part.position) for t, part in zip(turns, parts, strict=True)]
    surfaces = []  # what each point carries: position, coordinates, and the light that arrives
    for part, position, key_share in zip(parts, positions, cast_shadows(positions, light), strict=True):
        arriving = arriving_light(part, position, key_share, light, setting)
        surfaces.append(torch.cat([position, part.coordinates, arriving], 1))
    nearest, points = draw_points(parts, surfaces, camera)
    image = _colour_visible(parts, nearest, points, person, units, setting, line)

    covered = (nearest < sum(table.shape[1] for table in points)).float()
    image, covered = (reduce_image(t.reshape(len(t), -1, *[camera.resolution] * 2)) for t in (image, covered))
    landmarks = landmark_pixels(person, units, parts[0], turn, camera)
    return image, covered, face_box(base, landmarks, turn, camera), landmarks


def _colour_visible(parts, nearest, points, person, units, setting, line):
    """Colour what the camera sees, one part after the other: (n_faces, 3, pixels), linear RGB."""
    n_faces, n_pixels = nearest.shape
    image = torch.zeros(n_faces, 3, n_pixels + 1, device=units.device)  # one more place for the padding
    gaze = setting.gaze_x, setting.gaze_y
    first = 0
    for part, table in zip(parts, points, strict=True):
        last = first + table.shape[1]
        pixels = pad_indices((nearest >= first) & (nearest < last))
        point = nearest.gather(1, pixels.clamp(max=n_pixels - 1)) - first
        channels = take(table, point)[3:]
        albedo, gloss, catchlight = part_colour(part.name, channels[:3], person, units, gaze, line)
        put(image, pixels, shade(albedo, gloss, catchlight, channels[3:], setting))
        first = last
    return image[..., :-1]


SMALLEST, LARGEST, SIZE_STEP = 32, 256, 16
BATCH_ON_GPU = 64  # faces of 128 pixels at once

SETTING_COLUMNS = tuple(default_setting())
_SEEDS = ("identity_seed", "scene_seed", "background_seed")
_NUMBERS = tuple(name for name in SETTING_COLUMNS if name != "setting")
_SIDES = tuple(f"{unit}_{side}" for unit in ACTION_UNITS for side in ("left", "right"))
REQUIRED_COLUMNS = (*_SEEDS, *SETTING_COLUMNS, *_SIDES)

BOX_COLUMNS = ("box_left", "box_top", "box_right", "box_bottom")
COVERED = "covered"
LANDMARK_COLUMNS = tuple(f"landmark_{i:02d}_{axis}" for i in range(68) for axis in "xy")


def render_faces(labels, size=128, device="cpu", progress=False):
    """Render the faces that rows of :func:`fergan.rendered.stand_in_labels` describe.

    Parameters
    ----------
    labels : pandas.DataFrame
        Any rows in any order; a face does not depend on the others.
    size : int
        Width and height in pixels, 32 to 256 in steps of 16.
    device : str or torch.device
    progress : bool
        Draw a progress bar on standard error.

    Returns
    -------
    images : ndarray of shape (n, size, size, 3), uint8
        RGB.
    truth : pandas.DataFrame
        Same index as `labels`: `box_left`, `box_top`, `box_right`, `box_bottom` (pixels, lower forehead to
        chin, not clipped to the image), `covered` (share of the box behind something, 0..1),
        `landmark_00_x`, `landmark_00_y`.. `landmark_67_y` (iBUG, pixels).

    Raises
    ------
    ValueError
        For a missing column, an intensity outside 0..1 or an impossible size.
    """
    _check_size(size)
    missing = [name for name in REQUIRED_COLUMNS if name not in labels]
    if missing:
        raise ValueError(f"labels: column {missing[0]!r} is missing; rows come from stand_in_labels")
    units = labels[list(_SIDES)].to_numpy(np.float32).reshape(len(labels), len(ACTION_UNITS), 2)
    check_intensities(units)
    images = np.empty((len(labels), size, size, 3), np.uint8)
    truth_columns = [*BOX_COLUMNS, COVERED, *LANDMARK_COLUMNS]
    numbers = np.empty((len(labels), len(truth_columns)))
    # On a processor one face at a time is as fast as several, and its pixels then depend on nothing but itself: sums
    # over batches of other sizes round differently, which moves strands of hair.
    batch = 1 if torch.device(device).type == "cpu" else max(1, BATCH_ON_GPU * 128**2 // size**2)
    settings = labels[[*_SEEDS, *SETTING_COLUMNS]].to_dict("records")
    with tqdm(total=len(labels), desc="rendering", unit="face", disable=not progress) as bar:
        for start in range(0, len(labels), batch):
            rows = slice(start, start + batch)
            images[rows], numbers[rows] = _render(settings[rows], units[rows], size, device)
            bar.update(len(settings[rows]))
    return images, pd.DataFrame(numbers, index=labels.index, columns=truth_columns)


def render_expression(identity_seed, action_units, size=128, scene_seed=0, device="cpu", **setting):
    """Render one person with chosen Action Units, for slider boards and figures.

    Parameters
    ----------
    identity_seed : int
        The person.
    action_units : dict
        Action Unit name ("AU12") to an intensity 0..1, or to a (left, right) pair of the person's own sides.
    size : int
        Width and height in pixels.
    scene_seed : int
        Background and camera noise.
    device : str or torch.device
    **setting
        Any of `yaw`, `pitch`, `roll` (degrees), `gaze_x`, `gaze_y` (cm), `scale`, `glasses`, `light_azimuth`,
        `light_elevation` (degrees), `ambient`, `key`, `setting` ("studio", "wild", ..).

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        RGB.

    Raises
    ------
    ValueError
        For an unknown Action Unit, an intensity outside 0..1, an unknown setting or an impossible size.
    """
    _check_size(size)
    seeds = dict(zip(_SEEDS, (identity_seed, scene_seed, scene_seed), strict=True))
    row = {**seeds, **default_setting(**setting)}
    return _render([row], action_unit_array(action_units)[None], size, device)[0][0]


def _check_size(size):
    if not SMALLEST <= size <= LARGEST or size % SIZE_STEP:
        raise ValueError(f"size: expected {SMALLEST} to {LARGEST} in steps of {SIZE_STEP}, got {size}")


def _render(settings, units, size, device):
    """Images (n, size, size, 3) uint8 and numbers (n, 4 + 136) of a batch that fits in memory."""
    people = [sample_identity(int(row["identity_seed"])) for row in settings]
    person = stack(people, device)
    # Studio cameras stand around a person; elsewhere people turn their heads more than their shoulders.
    numbers = [
        {name: float(row[name]) for name in _NUMBERS}
        | {"body_follows": 1.0 if row["setting"] in ("studio", "laboratory") else 0.5}
        for row in settings
    ]
    setting = stack(numbers, device)
    batch = render_batch(person, torch.tensor(units, device=device), setting, size)
    image, coverage, box, landmarks = (t.cpu().numpy() for t in batch)
    pictures = np.empty((len(settings), size, size, 3), np.uint8)
    covered = np.zeros((len(settings), 1))
    for i, row in enumerate(settings):
        rng = np.random.default_rng([int(row["scene_seed"]), 2])
        behind = draw_background(row["setting"], size, np.random.default_rng([int(row["background_seed"]), 3]))
        linear = image[i].transpose(1, 2, 0) + behind * (1 - coverage[i].transpose(1, 2, 0))
        encoded = (linear / (1 + 0.12 * linear)).clip(0, 1) ** np.float32(1 / 2.2)
        pictures[i], covered[i] = photograph(encoded, row, box[i], people[i]["skin"], rng)
    return pictures, np.concatenate([box, covered, landmarks.reshape(len(settings), -1)], 1)
