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
OUTER_M = (-1.0, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0, 0.6, 0.25, 0.0, -0.25, -0.6)
INNER_M = (-0.9, -0.35, 0.0, 0.35, 0.9, 0.35, 0.0, -0.35)


def landmark_curves(person, units):
    """The 51 inner landmarks (iBUG 17 to 67) on the smooth head, (n_faces, 51, 2) in cm, along the face's own curves."""

    def along(*values):
        return torch.tensor(values, device=units.device).expand(len(units), -1)

    ridge = along(*RIDGE)
    eye_q = along(*EYE_Q)
    eyes = [side * person.eye_x + eye_q * person.eye_halfwidth for side in (-1.0, 1.0)]
    # The mouth's width differs between the sides: measure it at rest's corners, left and right.
    half = FaceCurves(person.mouth_halfwidth * along(-1.0, 1.0), person, units).mouth.halfwidth
    half = torch.as_tensor(half, device=units.device).expand(len(units), 2)
    m = along(*OUTER_M, *INNER_M)
    lips = m * torch.where(m < 0, half[:, :1], half[:, 1:])
    bridge = 4 * person.nose_bend * ridge * (1 - ridge)
    x = torch.cat([along(*BROW_X), bridge, along(*BASE_X) * person.nose_width, *eyes, lips], 1)

    curves = FaceCurves(x, person, units)
    eye, mouth = curves.eye, curves.mouth
    tip = torch.as_tensor(curves.nose.tip, device=x.device).expand_as(x)
    y = torch.cat(
        [
            curves.brow.height[:, :10],
            0.9 + ridge * (tip[:, 10:14] - 0.9),
            tip[:, 14:19] + along(*BASE_LIFT),
            eye.upper[:, 19:23], eye.lower[:, 23:25], eye.upper[:, 25:29], eye.lower[:, 29:31],
            mouth.outer_up[:, 31:38], mouth.outer_down[:, 38:43],
            mouth.inner_up[:, 43:48], mouth.inner_down[:, 48:51],
        ],
        1,
    )  # fmt: skip
    return torch.stack([x, y], -1)


def landmark_pixels(person, units, head, turn, camera):
    """Landmarks in the image: Tensor of shape (n_faces, 68, 2), pixels."""
    inner = camera.pixels(turn @ _on_surface(landmark_curves(person, units), head))
    return torch.cat([_jaw(head, turn, camera), inner], 1) * (camera.size / camera.resolution)


def _on_surface(places, head):
    """Positions (n_faces, 3, n) on the relief of places (n_faces, n, 2) on the smooth head."""
    rows, columns = head.position.shape[2:]
    below_crown, middle = slice(rows // 6, rows, 2), slice(columns // 5, columns - columns // 5)  # where the face lies
    known = torch.cat([head.coordinates[:, :2], head.position], 1)[:, :, below_crown, middle]
    known = ((known[..., ::2] + known[..., 1::2]) / 2).flatten(2)  # halves the columns without preferring a side
    off = [(places[..., i, None] - known[:, None, i]).div_(NEIGHBOURHOOD) for i in (0, 1)]  # (n_faces, n, m)
    weight = torch.softmax(-(off[0].square_().addcmul_(off[1], off[1])), 2)
    x, y, *surface = (weight @ known.transpose(1, 2)).unbind(2)
    surface = torch.stack(surface, 1)
    surface[:, :2] += places.transpose(1, 2) - torch.stack([x, y], 1)  # what the mean place of the neighbours misses
    return surface


def _jaw(head, turn, camera):
    """The 17 points of the face's outline, from beside one eye around the chin, (n_faces, 17, 2) in fine pixels.

    They are the farthest points of the rendered face in 17 directions from its middle. In a turned face the near
    side's points lie along the edge of the jaw, before the ear; hair and nose do not count.
    """
    azimuth, level = head.coordinates[0, 2, 0], head.coordinates[:, 1]
    columns = (azimuth.abs() < JAW_AZIMUTH).nonzero()[:, 0]
    patch = slice(int(columns[0]), int(columns[-1]) + 1)
    level = level[..., patch]
    beside_nose = (azimuth[patch].abs() > NOSE_AZIMUTH) | (level < CHIN_LEVEL)
    belongs = ((level < OUTLINE_TOP) & beside_nose).flatten(1)
    points = head.position[..., patch].flatten(2)
    middle = torch.tensor(FACE_MIDDLE, device=turn.device).expand(len(turn), -1)[..., None]
    outline = camera.pixels(turn @ torch.cat([points, middle], 2))
    centre = outline[:, -1:]  # (n_faces, 1, 2)
    # Angles in the image from straight below, in the frame of the rolled head; the left of the image is negative.
    roll = torch.atan2(turn[:, 1, 0], turn[:, 0, 0].abs().clamp(min=0.3))[:, None]
    right, down = (outline[:, :-1] - centre).unbind(2)
    angle = torch.atan2(right, down) + roll
    n_bins = JAW_FINENESS * 16 + 1
    place = (angle + JAW_ANGLE) * ((n_bins - 1) / (2 * JAW_ANGLE))
    cell = place.round().clamp(-1, n_bins).long() + 1  # one more at both ends takes what lies outside
    radius = torch.where(belongs, right.square() + down.square(), 0.0).sqrt()
    farthest = torch.zeros(len(turn), n_bins + 2, device=turn.device).scatter_reduce_(1, cell, radius, "amax")
    farthest = farthest[:, 1:-1][:, ::JAW_FINENESS]  # (n_faces, 17)
    angle = torch.linspace(-JAW_ANGLE, JAW_ANGLE, 17, device=turn.device) - roll
    outline = torch.stack([torch.sin(angle), torch.cos(angle)], -1)
    return centre + farthest.unsqueeze(-1) * outline


def face_box(base, landmarks, turn, camera):
    """Box around the face, (n_faces, 4) as left, top, right, bottom in pixels: lower forehead to chin, cheek to cheek.

    `base` is the smooth head; the box also holds every landmark, because in profile the nose stands out from that head.
    """
    belongs = ((base[:, 1] < BOX_TOP) & (base[:, 2] > BOX_BACK)).flatten(1)
    surface = camera.pixels(turn @ base.flatten(2)) * (camera.size / camera.resolution)
    far = 1e6
    low = torch.where(belongs.unsqueeze(-1), surface, far).amin(1)
    high = torch.where(belongs.unsqueeze(-1), surface, -far).amax(1)
    return torch.cat([torch.minimum(low, landmarks.amin(1)), torch.maximum(high, landmarks.amax(1))], 1)
