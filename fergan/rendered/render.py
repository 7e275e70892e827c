"""Faces from rows of labels, or from one expression, to images and their truth.

Surfaces are drawn as dense points into a depth buffer at twice the image's resolution. Only *where on which surface* is
kept per pixel. Colour follows, once per visible pixel: its detail is not bound to the grid.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from fergan.facs import ACTION_UNITS
from fergan.rendered.appearance import arriving_light, cast_shadows, part_colour, shade
from fergan.rendered.curves import FaceCurves, person_of
from fergan.rendered.labels import default_setting, sample_identity
from fergan.rendered.scene import GAMMA, draw_background, photograph
from fergan.rendered.surfaces import SHAPES, all_parts, hairline

SMALLEST, LARGEST, SIZE_STEP = 32, 256, 16
SIDES = tuple(f"{unit}_{side}" for unit in ACTION_UNITS for side in ("left", "right"))
REQUIRED_COLUMNS = ("identity_seed", "scene_seed", "background_seed", *default_setting(), *SIDES)
TRUTH_COLUMNS = ("box_left", "box_top", "box_right", "box_bottom",
                 *(f"landmark_{i:02d}_{axis}" for i in range(68) for axis in "xy"))

DISTANCE = 100.0  # camera to the head's axis, cm
FOCAL = 3.35  # frame widths per unit of x / depth: about 30 cm of scene fill the frame
SUPERSAMPLING = 2
DEPTH_STEPS, DEPTH_RANGE = 2047, 48.0  # 11-bit depth over 48 cm, and
POINT_BITS = 20  # a 20-bit point index, fill the 31 bits of a positive int32

BOX_TOP, BOX_BACK = 6.4, -0.5  # cm: the box takes the forehead nearly to the hair, and the cheeks up to the ears
NEIGHBOURHOOD = 0.25  # cm: a landmark's depth is the mean of what lies so near, little more than the grid's step
# The jaw's outline: the surface that makes it (radians, cm), what looks at it (cm), the angle from below to its ends.
JAW_AZIMUTH, NOSE_AZIMUTH, CHIN_LEVEL, OUTLINE_TOP = 1.6, 0.35, -8.5, 1.5
FACE_MIDDLE, JAW_ANGLE = (0.0, -3.5, 3.0), 2.02
JAW_FINENESS = 5  # directions looked at for each one that is kept


def render_faces(labels, size=128):
    """Render the faces that rows of :func:`fergan.rendered.stand_in_labels` describe.

    A face does not depend on other rows; `size` is width and height in pixels, 32 to 256 in steps of 16. A missing column,
    an intensity outside 0..1 or an impossible size is a KeyError or ValueError.

    Returns: images, uint8 (n, size, size, 3), RGB, and the truth, with the index of `labels`: `box_left`, `box_top`,
        `box_right`, `box_bottom` (lower forehead to chin, not clipped to the image), `landmark_00_x`.. (iBUG), in pixels.
    """
    units = labels[list(SIDES)].to_numpy(np.float32).reshape(len(labels), len(ACTION_UNITS), 2)
    images, truth = np.empty((len(labels), size, size, 3), np.uint8), np.empty((len(labels), len(TRUTH_COLUMNS)))
    for i, row in enumerate(labels[[name for name in REQUIRED_COLUMNS if name not in SIDES]].to_dict("records")):
        images[i], truth[i] = _render(row, units[i], size)
    return images, pd.DataFrame(truth, index=labels.index, columns=list(TRUTH_COLUMNS))


def render_expression(identity_seed, action_units, size=128, scene_seed=0, **setting):
    """Render one person with chosen Action Units, for slider boards and figures: RGB, uint8 (size, size, 3).

    `action_units` holds, for names such as "AU12", an intensity 0..1 or a (left, right) pair of the person's own sides;
    `scene_seed` draws background and camera noise; `setting` is any column of `fergan.rendered.labels.draw_setting`. What is
    unknown or outside its bounds is a ValueError.
    """
    seeds = dict(identity_seed=identity_seed, scene_seed=scene_seed, background_seed=scene_seed)
    for name in set(action_units) - set(ACTION_UNITS):
        raise ValueError(f"action_units: unknown Action Unit {name!r}, expected one of {', '.join(ACTION_UNITS)}")
    units = np.array([np.broadcast_to(action_units.get(unit, 0.0), 2) for unit in ACTION_UNITS], np.float32)
    return _render(default_setting(**setting) | seeds, units, size)[0]


def _render(row, units, size):
    """One face (size, size, 3) uint8 and its truth (140,), from a row and intensities (14, 2)."""
    if not SMALLEST <= size <= LARGEST or size % SIZE_STEP:
        raise ValueError(f"size: expected {SMALLEST} to {LARGEST} in steps of {SIZE_STEP}, got {size}")
    for unit, side in np.argwhere(~((units >= 0) & (units <= 1))):  # written so that NaN is one
        raise ValueError(f"action_units: {ACTION_UNITS[unit]} has an intensity outside 0..1 ({units[unit, side]:g})")
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
    encoded = (linear / (1 + 0.12 * linear)).clip(0, 1) ** np.float32(GAMMA)
    rng = np.random.default_rng([int(row["scene_seed"]), 2])
    return photograph(encoded, row, box, identity["skin"], rng), [*box, *landmarks.flatten()]


@torch.inference_mode()
def _draw(person, units, setting, size):
    """Draw a face: linear RGB times coverage (3, size, size), coverage (1, size, size), box (4,) and landmarks (68, 2)."""
    line = hairline(person)
    parts, base = all_parts(person, units, setting.glasses, line)
    turn = rotation(setting.yaw, setting.pitch, setting.roll)
    # Studio cameras stand around a person; elsewhere people turn their heads more than their shoulders.
    follows = 1.0 if setting.setting in ("studio", "laboratory") else 0.5
    turn_body = rotation(setting.yaw * follows, setting.pitch * 0.3, setting.roll * 0.2)
    angles = setting.light_azimuth, setting.light_elevation
    azimuth, elevation = (torch.as_tensor(angle).deg2rad() for angle in angles)
    across = torch.cos(elevation)
    light = torch.stack([torch.sin(azimuth) * across, torch.sin(elevation), torch.cos(azimuth) * across])  # of length 1
    camera = Camera(size, setting.scale, setting.shift_x, setting.shift_y)
    turns = [turn_body if part.name == "torso" else turn for part in parts]
    positions = [(t @ part.position.flatten(1)).view_as(part.position) for t, part in zip(turns, parts, strict=True)]
    surfaces = []  # what each point carries: position, coordinates, and the light that arrives
    for part, position, key_share in zip(parts, positions, cast_shadows(positions, light), strict=True):
        arriving = arriving_light(part, position, key_share, light, setting)
        surfaces.append(torch.cat([position, part.coordinates, arriving]))
    nearest, points = draw_points(parts, surfaces, camera)
    fine, first, gaze = torch.zeros(4, len(nearest)), 0, (setting.gaze_x, setting.gaze_y)
    for part, table in zip(parts, points, strict=True):  # colour what the camera sees
        pixels = ((nearest >= first) & (nearest < first + len(table))).nonzero()[:, 0]
        channels = table[nearest[pixels] - first].T[3:]
        albedo, gloss, catchlight = part_colour(part.name, channels[:3], person, units, gaze, line)
        fine[:3, pixels] = shade(albedo, gloss, catchlight, channels[3:], setting)
        first += len(table)
    fine[3] = nearest < first
    fine = fine.view(4, camera.resolution, camera.resolution)
    fine = fine[..., ::2, :] + fine[..., 1::2, :]
    image = (fine[..., ::2] + fine[..., 1::2]).mul_(1 / SUPERSAMPLING**2)  # the mean of 2 x 2 fine pixels
    landmarks = landmark_pixels(person, units, parts[0], turn, camera)
    belongs = ((base[1] < BOX_TOP) & (base[2] > BOX_BACK)).flatten()
    # The box holds the landmarks too, because in profile the nose stands out from the smooth head.
    known = torch.cat([camera.pixels(turn @ base.flatten(1))[belongs], landmarks])
    return image[:3], image[3:], torch.cat([known.amin(0), known.amax(0)]), landmarks


def rotation(yaw, pitch, roll):
    """Matrix (3, 3) from numbers in degrees: yaw to the image's right, pitch down, roll anticlockwise."""
    angles = torch.tensor([yaw, pitch, roll]).deg2rad()
    (cy, cx, cz), (sy, sx, sz) = torch.cos(angles).tolist(), torch.sin(angles).tolist()
    about_y = torch.tensor([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_x = torch.tensor([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
    about_z = torch.tensor([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
    return (about_z[None] @ about_x[None] @ about_y[None])[0]  # as a batch of one: a plain product rounds differently


class Camera:
    """Perspective projection of points in cm to supersampled pixels; `scale` and the shifts are numbers."""

    def __init__(self, size, scale, shift_x, shift_y):
        self.size, self.resolution = size, size * SUPERSAMPLING
        self.focal = FOCAL * self.resolution * scale
        self.centre_x = self.resolution * (0.5 + shift_x)
        self.centre_y = self.resolution * (0.48 + shift_y)

    def project(self, points):
        """Columns, rows (supersampled pixels) and depth (cm), (n,) each, of points (3, n)."""
        x, y, z = points
        depth = DISTANCE - z
        factor = self.focal / depth
        return self.centre_x + factor * x, self.centre_y - factor * (y + 1.0), depth

    def pixels(self, points):
        """Columns and rows in the image, (n, 2)."""
        return torch.stack(self.project(points)[:2], -1) / SUPERSAMPLING


def draw_points(parts, surfaces, camera):
    """Nearest point in every pixel of surfaces (3 + c, rows, columns): position in cm, then whatever each point carries.

    Returns the index of the nearest point, counted over all parts and beyond the last where nothing is, int32
    (resolution * resolution,); and the dense points of each part (n_points, 3 + c): column, row, depth, the rest.
    """
    side = camera.resolution + 2  # one pixel of margin catches what falls outside
    buffer = torch.full((side * side,), 2**31 - 1, dtype=torch.int32)
    points, offset = [], 0
    for part, surface in zip(parts, surfaces, strict=True):
        column, row, depth = camera.project(surface[:3].flatten(1))
        if part.visible is not None:
            depth = torch.where(part.visible.flatten(), depth, DISTANCE * 9)
        place = torch.stack([column, row, depth]).view(3, *surface.shape[1:])
        # Interpolated to about one point per supersampled pixel.
        factor = max(1, round(camera.size / 64)) / 2
        steps = [max(2, round(n * r * factor)) for n, r in zip(place.shape[1:], part.refine, strict=True)]
        channels = torch.cat([place, surface[3:]])[None].contiguous(memory_format=torch.channels_last)
        fine = F.interpolate(channels, steps, mode="bilinear", align_corners=True)[0]
        fine = fine.permute(1, 2, 0).reshape(-1, len(fine))
        column, row, depth = fine.T[:3]
        step = ((depth - DISTANCE + DEPTH_RANGE / 2) * ((DEPTH_STEPS + 1) / DEPTH_RANGE)).clamp(0, DEPTH_STEPS).int()
        key = (step << POINT_BITS) + torch.arange(offset, offset + len(fine), dtype=torch.int32)  # sorts by depth
        cell = (row + 1).clamp(0, side - 1).long() * side + (column + 1).clamp(0, side - 1).long()
        buffer.scatter_reduce_(0, cell, key, "amin")
        points.append(fine)
        offset += len(fine)
    nearest = _close_gaps(buffer.view(side, side))[1:-1, 1:-1].flatten()
    return torch.where(nearest < (DEPTH_STEPS << POINT_BITS), nearest & (2**POINT_BITS - 1), 2**POINT_BITS), points


def _close_gaps(buffer):
    """Widen every point to 2 x 2 pixels, then fill gaps that see through between nearer neighbours."""
    for field in (buffer, buffer.T):
        field[1:] = torch.minimum(field[1:], field[:-1].clone())
    gap = round(0.5 * DEPTH_STEPS / DEPTH_RANGE) << POINT_BITS  # half a centimetre
    for before, after in ((1, 1), (1, 2), (2, 1)):  # gaps of one pixel, then either half of two
        for field in (buffer, buffer.T):
            n = len(field)
            middle = field[before : n - after]
            bridge = torch.maximum(field[: n - before - after], field[before + after :])
            middle.copy_(torch.where(middle - bridge > gap, bridge, middle))
    return buffer


def landmark_curves(person, units):
    """The 51 inner landmarks (iBUG 17 to 67) on the smooth head, (51, 2) in cm, along the face's own curves."""
    brow_x, ridge, base_x, base_lift, eye_q, m = map(torch.tensor, SHAPES["landmarks"].values())
    eyes = [side * person.eye_x + eye_q * person.eye_halfwidth for side in (-1.0, 1.0)]
    # The mouth's width differs between the sides: measure it at rest's corners, left and right.
    half = FaceCurves(person.mouth_halfwidth * torch.tensor([-1.0, 1.0]), person, units).mouth.halfwidth
    half = torch.as_tensor(half).expand(2)
    lips = m * torch.where(m < 0, half[0], half[1])
    bridge = 4 * person.nose_bend * ridge * (1 - ridge)
    x = torch.cat([brow_x, bridge, base_x * person.nose_width, *eyes, lips])

    curves = FaceCurves(x, person, units)
    eye, mouth = curves.eye, curves.mouth
    tip = torch.as_tensor(curves.tip).expand_as(x)
    y = torch.cat([
        curves.brow.height[:10], 0.9 + ridge * (tip[10:14] - 0.9), tip[14:19] + base_lift,
        eye.upper[19:23], eye.lower[23:25], eye.upper[25:29], eye.lower[29:31],
        mouth.outer_up[31:38], mouth.outer_down[38:43], mouth.inner_up[43:48], mouth.inner_down[48:51],
    ])
    return torch.stack([x, y], -1)


def landmark_pixels(person, units, head, turn, camera):
    """Landmarks in the image: Tensor of shape (68, 2), pixels."""
    inner = camera.pixels(turn @ _on_surface(landmark_curves(person, units), head))
    return torch.cat([_jaw(head, turn, camera), inner])


def _on_surface(places, head):
    """Positions (3, n) on the relief of places (n, 2) on the smooth head."""
    rows, columns = head.position.shape[1:]
    below_crown, middle = slice(rows // 6, rows, 2), slice(columns // 5, columns - columns // 5)  # where the face lies
    known = torch.cat([head.coordinates[:2], head.position])[:, below_crown, middle]
    known = ((known[..., ::2] + known[..., 1::2]) / 2).flatten(1)  # halves the columns without preferring a side
    off = [(places[:, i, None] - known[i]).div_(NEIGHBOURHOOD) for i in (0, 1)]  # (n, m)
    weight = torch.softmax(-(off[0].square_().addcmul_(off[1], off[1])), 1)
    x, y, *surface = (weight @ known.T).unbind(1)
    surface = torch.stack(surface)
    surface[:2] += places.T - torch.stack([x, y])  # what the mean place of the neighbours misses
    return surface


def _jaw(head, turn, camera):
    """The farthest points of the face, without hair and nose, in 17 directions from its middle: (17, 2) in pixels."""
    azimuth, level = head.coordinates[2, 0], head.coordinates[1]
    columns = (azimuth.abs() < JAW_AZIMUTH).nonzero()[:, 0]
    patch = slice(int(columns[0]), int(columns[-1]) + 1)
    level = level[..., patch]
    beside_nose = (azimuth[patch].abs() > NOSE_AZIMUTH) | (level < CHIN_LEVEL)
    belongs = ((level < OUTLINE_TOP) & beside_nose).flatten()
    points = head.position[..., patch].flatten(1)
    outline = camera.pixels(turn @ torch.cat([points, torch.tensor(FACE_MIDDLE)[:, None]], 1))
    centre = outline[-1]
    # Angles in the image from straight below, in the frame of the rolled head; the left of the image is negative.
    roll = torch.atan2(turn[1, 0], turn[0, 0].abs().clamp(min=0.3))
    right, down = (outline[:-1] - centre).unbind(1)
    angle = torch.atan2(right, down) + roll
    n_bins = JAW_FINENESS * 16 + 1
    place = (angle + JAW_ANGLE) * ((n_bins - 1) / (2 * JAW_ANGLE))
    cell = place.round().clamp(-1, n_bins).long() + 1  # one more at both ends takes what lies outside
    radius = torch.where(belongs, right.square() + down.square(), 0.0).sqrt()
    farthest = torch.zeros(n_bins + 2).scatter_reduce_(0, cell, radius, "amax")[1:-1][::JAW_FINENESS]  # (17,)
    angle = torch.linspace(-JAW_ANGLE, JAW_ANGLE, 17) - roll
    outline = torch.stack([torch.sin(angle), torch.cos(angle)], -1)
    return centre + farthest.unsqueeze(-1) * outline
