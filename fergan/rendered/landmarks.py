"""True positions in the image: the face's box and 68 landmarks in the iBUG order."""

import torch

from fergan.rendered.geometry import FaceCurves

BOX_TOP, BOX_BACK = 6.4, -0.5  # cm: the box takes the forehead nearly to the hair, and the cheeks up to the ears

NEIGHBOURHOOD = 0.25  # cm: a landmark's depth is the mean of what lies so near, little more than the grid's step

# The outline of the jaw: the surface that makes it (radians, cm), the point that looks at it (cm), and the angle
# from straight down to its ends beside the eyes.
JAW_AZIMUTH, NOSE_AZIMUTH, CHIN_LEVEL, OUTLINE_TOP = 1.6, 0.35, -8.5, 1.5
FACE_MIDDLE, JAW_ANGLE = (0.0, -3.5, 3.0), 2.02
JAW_FINENESS = 5  # directions looked at for each one that is kept

# Places along the features, in the iBUG order: brows and nose in cm, eyes and lips from corner to corner.
BROW_X = (-5.2, -4.3, -3.3, -2.3, -1.35, 1.35, 2.3, 3.3, 4.3, 5.2)
RIDGE = (0.1, 0.4, 0.7, 1.0)
BASE_X, BASE_LIFT = (-1.2, -0.6, 0.0, 0.6, 1.2), (-0.35, -0.5, -0.55, -0.5, -0.35)
EYE_Q = (-1.0, -0.36, 0.36, 1.0, 0.36, -0.36)
LIPS_M = (-1.0, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0, 0.6, 0.25, 0.0, -0.25, -0.6,  # outside
          -0.9, -0.35, 0.0, 0.35, 0.9, 0.35, 0.0, -0.35)  # inside


def landmark_curves(person, units):
    """The 51 inner landmarks (iBUG 17 to 67) on the smooth head, (51, 2) in cm, along the face's own curves."""
    brow_x, ridge, base_x, base_lift, eye_q, m = map(torch.tensor, (BROW_X, RIDGE, BASE_X, BASE_LIFT, EYE_Q, LIPS_M))
    eyes = [side * person.eye_x + eye_q * person.eye_halfwidth for side in (-1.0, 1.0)]
    # The mouth's width differs between the sides: measure it at rest's corners, left and right.
    half = FaceCurves(person.mouth_halfwidth * torch.tensor([-1.0, 1.0]), person, units).mouth.halfwidth
    half = torch.as_tensor(half).expand(2)
    lips = m * torch.where(m < 0, half[0], half[1])
    bridge = 4 * person.nose_bend * ridge * (1 - ridge)
    x = torch.cat([brow_x, bridge, base_x * person.nose_width, *eyes, lips])

    curves = FaceCurves(x, person, units)
    eye, mouth = curves.eye, curves.mouth
    tip = torch.as_tensor(curves.nose.tip).expand_as(x)
    y = torch.cat([
        curves.brow.height[:10], 0.9 + ridge * (tip[10:14] - 0.9), tip[14:19] + base_lift,
        eye.upper[19:23], eye.lower[23:25], eye.upper[25:29], eye.lower[29:31],
        mouth.outer_up[31:38], mouth.outer_down[38:43], mouth.inner_up[43:48], mouth.inner_down[48:51],
    ])  # fmt: skip
    return torch.stack([x, y], -1)


def landmark_pixels(person, units, head, turn, camera):
    """Landmarks in the image: Tensor of shape (68, 2), pixels."""
    inner = camera.pixels(turn @ _on_surface(landmark_curves(person, units), head))
    return torch.cat([_jaw(head, turn, camera), inner]) * (camera.size / camera.resolution)


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
    """The 17 points of the face's outline, from beside one eye around the chin, (17, 2) in fine pixels.

    They are the farthest points of the rendered face in 17 directions from its middle. In a turned face the near
    side's points lie along the edge of the jaw, before the ear; hair and nose do not count.
    """
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


def face_box(base, landmarks, turn, camera):
    """Box around the face, (4,) as left, top, right, bottom in pixels: lower forehead to chin, cheek to cheek.

    `base` is the smooth head; the box also holds every landmark, because in profile the nose stands out from that head.
    """
    belongs = ((base[1] < BOX_TOP) & (base[2] > BOX_BACK)).flatten()
    surface = camera.pixels(turn @ base.flatten(1)) * (camera.size / camera.resolution)
    known = torch.cat([surface[belongs], landmarks])
    return torch.cat([known.amin(0), known.amax(0)])
