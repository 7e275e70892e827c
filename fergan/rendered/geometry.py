"""The head's surface and the curves of the face.

Frame: centimetres, x to the image's right, y up, z to the camera, origin on the head's axis at eye level.

One set of landmark curves (lids, brows, lips, nose) is computed from identity and Action Units; relief,
colour and landmarks all follow the same curves, so that labels and pixels cannot disagree. Points are tensors
of shape (n_faces, n_points), parameters (n_faces, 1).
"""

import math
from types import SimpleNamespace

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from fergan.facs import ACTION_UNITS

# Rings from the crown to below the jaw, at these positions along the rows:
# height in front, height at the back, half-width, depth in front, depth behind, superellipse exponent.
RING_POSITION = [0, 0.05, 0.13, 0.25, 0.35, 0.44, 0.51, 0.6, 0.7, 0.79, 0.86, 0.925, 0.965, 0.985, 1.0]
RINGS = [
    [11.3, 11.3, 0.02, 0.02, 0.02, 2.0],
    [10.8, 10.5, 3.4, 3.8, 4.8, 2.0],
    [9.3, 8.8, 5.75, 6.5, 8.0, 2.05],
    [6.7, 6.3, 7.15, 8.3, 9.6, 2.15],
    [4.4, 3.8, 7.5, 9.1, 10.0, 2.2],
    [2.0, 1.2, 7.5, 9.35, 9.9, 2.2],
    [0.2, -0.8, 7.4, 9.25, 9.4, 2.2],
    [-2.2, -3.0, 7.2, 9.2, 8.6, 2.15],
    [-4.6, -4.7, 6.85, 9.2, 7.6, 2.05],
    [-6.7, -5.9, 6.35, 9.2, 6.6, 2.0],
    [-8.4, -6.5, 5.8, 9.0, 5.7, 1.95],
    [-10.0, -6.9, 5.15, 8.8, 5.2, 1.92],
    [-11.1, -7.0, 4.4, 7.8, 4.8, 1.92],
    [-11.4, -6.8, 3.7, 6.2, 4.2, 1.95],
    [-10.7, -6.6, 3.2, 3.5, 3.4, 2.0],
]
# How much of the jaw's width, the chin and the jaw's drop each ring takes part in.
JAW_SHARE = [0, 0, 0, 0, 0, 0, 0, 0.2, 0.5, 0.8, 1, 1, 1, 1, 1]
CHIN_SHARE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.4, 1, 1, 0.8, 0.5]
DROP_SHARE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.25, 0.9, 1, 1, 1, 0.9]

PAIRED_UNITS = ACTION_UNITS[
    :9
]  # AU01 to AU15 move each side on its own; the rest belong to the jaw and both lips


def bell(x, centre, width):
    """Gaussian bump of height 1: exp(-((x - centre) / width)^2)."""
    t = (x - centre) / width
    return fade(t * t)


def bell2(x, centre_x, width_x, y, centre_y, width_y):
    """Product of two Gaussian bumps, in one exponential."""
    t, s = (x - centre_x) / width_x, (y - centre_y) / width_y
    return fade(t * t + s * s)


def fade(square):
    """exp(-square), cut off at 1e-13: exponentials that underflow are ten times slower."""
    return torch.exp(-square.clamp(max=30))


def soft_step(x, width):
    """0 for x far below zero, 1 far above: the logistic function of x / width."""
    return torch.sigmoid((x / width).clamp(-30, 30))


def activity(units, x):
    """Intensity of each Action Unit at the places x, left and right blended over the midline.

    Parameters
    ----------
    units : Tensor of shape (n_faces, 14, 2)
        Left, right; the person's left is at positive x.
    x : Tensor of shape (n_faces, n_points)

    Returns
    -------
    types.SimpleNamespace
        au01 .. au27: paired ones of shape (n_faces, n_points), the others (n_faces, 1).
    """
    toward_left = soft_step(x, 0.5)
    levels = {}
    for index, name in enumerate(ACTION_UNITS):
        left, right = units[:, index, :1], units[:, index, 1:]
        paired = name in PAIRED_UNITS
        levels[name.lower()] = right + (left - right) * toward_left if paired else (left + right) / 2
    return SimpleNamespace(**levels)


def jaw_drop(units):
    """How far the jaw is lowered, cm, shape (n_faces, 1): .3 for parted lips, 2.2 for a stretched mouth."""
    mean = units.mean(2)
    return 0.3 * mean[:, ACTION_UNITS.index("AU25"), None] + 2.2 * mean[:, ACTION_UNITS.index("AU27"), None]


def eye_curves(x, person, act):
    """Lids as functions of x: `q` (-1 inner to 1 outer corner), `axis`, `upper`, `lower`, heights in cm."""
    q = (x.abs() - person.eye_x) / person.eye_halfwidth
    opening = (1 - q**2).clamp(min=0)
    root = opening.sqrt()
    axis = person.eye_tilt * q
    rise = (
        person.eye_open * 0.46
        + 0.3 * act.au05
        - 0.24 * act.au07
        - 0.1 * act.au06
        - 0.1 * act.au09
        - 0.06 * act.au04
    )
    sag = person.eye_open * 0.45 + 0.06 * act.au05 - 0.36 * act.au07 - 0.24 * act.au06 - 0.14 * act.au09
    upper = axis + rise.clamp(min=0.08) * (0.6 * root + 0.4 * opening) * (1 - 0.18 * q)
    lower = axis - sag.clamp(min=0.05) * (0.3 * root + 0.7 * opening) * (1 + 0.2 * q)
    return SimpleNamespace(q=q, axis=axis, upper=upper, lower=lower)


def brow_curve(x, person, act):
    """Brow line: `position` (0 inner end to 1 outer end) and `height` in cm."""
    inner, outer = 1.15 - 0.4 * act.au04, 5.3
    position = (x.abs() - inner) / (outer - inner)
    t = position.clamp(0, 1)
    move = 0.95 * (1 - t) ** 1.3 * act.au01 + 0.95 * t**0.8 * (1 - 0.25 * t) * act.au02
    move = move - (0.75 - 0.4 * t) * act.au04 - 0.25 * (1 - t) * act.au09
    rest = (
        person.brow_height + person.brow_arch * (1 - ((t - 0.62) / 0.62) ** 2) + person.brow_tilt * (t - 0.5)
    )
    return SimpleNamespace(position=position, height=rest + move, move=move)


def mouth_curves(x, person, act):
    """Lip lines: `m` (-1..1 corner to corner), outer and inner edges, lip fullness `thin` (0..1), in cm."""
    width = 1 + 0.24 * act.au12 - 0.18 * act.au23 - 0.12 * act.au24 - 0.2 * act.au27 + 0.03 * act.au15
    halfwidth = person.mouth_halfwidth * width
    m = x / halfwidth
    across = m.abs().clamp(max=1.3)
    arch = (1 - m**2).clamp(min=0)
    root = arch.sqrt()
    corner = person.mouth_curve + 0.85 * act.au12 - 0.7 * act.au15 - 0.75 * act.au27 - 0.12 * act.au25
    centre = person.mouth_y + 0.42 * act.au17 + 0.18 * act.au09 + 0.12 * act.au12
    line = centre + corner * across**1.7 - 0.3 * act.au15 * across**4
    line = line - 0.07 * bell(m, 0, 0.22) + 0.05 * bell(across, 0.4, 0.25)
    line = line + 0.16 * act.au17 * (1 - across**2)  # the chin pushes the middle of the lips up
    gap_up = 0.2 * act.au25 + 0.3 * act.au27 + 0.38 * act.au25 * act.au12 + 0.2 * act.au09 * act.au25
    gap_down = 0.75 * act.au25 + 2.15 * act.au27 - 0.06 * act.au25 * act.au12
    thin = 1 - 0.5 * act.au23 - 0.78 * act.au24 - 0.22 * act.au12 - 0.12 * act.au17 - 0.15 * act.au27
    thin = thin.clamp(min=0.1)
    inner_up, inner_down = line + gap_up * root, line - gap_down * root
    upper = person.upper_lip * thin * (1 - 0.25 * act.au09)
    lower = person.lower_lip * thin * (1 + 0.25 * act.au17)
    outer_up = inner_up + upper * (0.5 * root + 0.5 * arch) * (1 - 0.28 * bell(m, 0, 0.13))
    outer_down = inner_down - lower * (0.3 * root + 0.7 * arch)
    return SimpleNamespace(
        m=m, across=m.abs(), arch=arch, root=root, halfwidth=halfwidth, centre=centre, line=line, thin=thin,
        inner_up=inner_up, inner_down=inner_down, outer_up=outer_up, outer_down=outer_down,
    )  # fmt: skip


def nose_layout(x, person, act):
    """Tip height (cm), relative width, and the strength of the fold from the nostrils to the mouth."""
    tip = -person.nose_length + 0.35 * act.au09
    width = person.nose_width * (1 + 0.12 * act.au12 + 0.14 * act.au09)
    fold = 0.06 + 0.3 * person.age + 0.75 * act.au12 + 0.7 * act.au09 + 0.15 * act.au15 + 0.2 * act.au06
    return SimpleNamespace(tip=tip, width=width, fold=fold.clamp(max=1.1))


class FaceCurves:
    """All curves at one set of places, computed once and shared by relief and colour.

    Parameters
    ----------
    x : Tensor of shape (n_faces, n_points)
        Places across the face, cm.
    person : SimpleNamespace
        From :func:`fergan.rendered.identity.stack_identities`.
    units : Tensor of shape (n_faces, 14, 2)
        Intensities 0..1.
    """

    def __init__(self, x, person, units):
        self.act = activity(units, x)
        self.eye = eye_curves(x, person, self.act)
        self.brow = brow_curve(x, person, self.act)
        self.mouth = mouth_curves(x, person, self.act)
        self.nose = nose_layout(x, person, self.act)
        self.drop = jaw_drop(units)
        self.sulcus_y = -8.6 - self.drop + 0.15 * self.act.au17  # groove between lower lip and chin
        self.chin_y = -9.95 * person.face_height - person.chin_length - self.drop


class HeadGrid:
    """The smooth head as a grid of rings (crown to jaw) by azimuths, denser in front."""

    def __init__(self, n_rows=126, n_columns=136, device="cpu"):
        u = np.linspace(-1, 1, n_columns)
        s = np.interp(np.linspace(0, 1, n_rows), [0, 0.19, 0.91, 1], [0, 0.26, 0.965, 1.0])
        self.shape = (n_rows, n_columns)
        self.azimuth = torch.as_tensor(np.pi * (0.62 * u + 0.38 * u**3), dtype=torch.float32, device=device)
        spline = CubicSpline(RING_POSITION, np.eye(len(RINGS)), bc_type="natural")
        self.weights = torch.as_tensor(spline(s), dtype=torch.float32, device=device)  # (rows, rings)
        self.rings = torch.tensor(RINGS, device=device)
        self.low = torch.as_tensor(
            np.interp(s, [0.6, 0.85, 1], [0, 1, 1]), dtype=torch.float32, device=device
        )
        self.shares = [
            torch.tensor(share, device=device)[None] for share in (JAW_SHARE, CHIN_SHARE, DROP_SHARE)
        ]
        self.first_row = int(
            (s < 0.2).sum()
        )  # the face's part of the grid: below the crown, not behind the ears
        self.side_columns = int((np.abs(self.azimuth.cpu().numpy()) > 1.75).sum() // 2)
        self.s = torch.as_tensor(s, dtype=torch.float32, device=device)

    def base(self, person, units):
        """Surface before features: Tensor of shape (n_faces, 3, rows, columns), cm."""
        drop = jaw_drop(units)
        jaw, chin, lowered = self.shares
        rings = self.rings[None].repeat(len(drop), 1, 1)
        rings[..., :2] *= person.face_height[:, None]
        rings[..., 2] *= person.head_width * (1 + (person.jaw_width - 1) * jaw)
        rings[..., 0] -= chin * person.chin_length + lowered * drop
        rings[..., 1] -= lowered * drop * 0.1
        rings[..., 3] += chin * person.chin_depth - lowered * drop * 0.3
        rings[..., 5] += jaw * person.jaw_squareness
        y_front, y_back, half, front, back, n = (self.weights @ rings)[..., None].unbind(2)
        sine, cosine = torch.sin(self.azimuth), torch.cos(self.azimuth)
        depth = torch.where(cosine > 0, front.clamp(min=0.01), back.clamp(min=0.01))
        radius = ((sine.abs() / half.clamp(min=0.01)) ** n + (cosine.abs() / depth) ** n) ** (-1 / n)
        # Rows run level across the face and climb to the nape; a square jaw climbs later.
        bend = 1 - (0.22 - 0.5 * person.jaw_squareness[..., None]) * self.low[:, None]
        climb = ((1 - cosine) / 2 + 1e-6) ** bend
        return torch.stack([radius * sine, y_front + (y_back - y_front) * climb, radius * cosine], 1)

    def face_part(self, field):
        """View of the rows and columns that carry features, of a tensor ending in (rows, columns)."""
        return field[..., self.first_row :, self.side_columns : self.shape[1] - self.side_columns]


def forehead_lines(x, y, person, curves):
    """Horizontal wrinkles of AU01 (centre) and AU02 (sides), 0..1; age shows them at rest."""
    act, brow = curves.act, curves.brow
    strength = (act.au01 * bell(x, 0, 2.6) + act.au02 * bell(x.abs(), 3.6, 2.0)) * (0.45 + 0.9 * person.age)
    above = y - brow.height
    line = torch.cos(2 * math.pi * (above - 0.35 * bell(x, 0, 2) - 0.9) / 0.95).clamp(min=0) ** 3
    window = soft_step(above - 0.6, 0.15) * soft_step(3.9 - above, 0.3) * soft_step(5.2 - x.abs(), 0.4)
    return (strength + 0.2 * person.age**2) * window * line
