"""The head's surface, the curves of the face, and the relief that they raise.

Frame: centimetres, x to the image's right, y up, z to the camera, origin on the head's axis at eye level.

One set of landmark curves (lids, brows, lips, nose) is computed from identity and Action Units; relief, colour and
landmarks all follow the same curves, so that labels and pixels cannot disagree. In every function `x` and `y` are
places on the smooth head, fields in cm, `person` comes from :func:`fergan.rendered.person.person_of`, `units` are
the pairs of left and right intensities of all Action Units, and `curves` are the `FaceCurves` at the same x.
"""

import math
from types import SimpleNamespace

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from fergan.facs import ACTION_UNITS
from fergan.rendered.fields import LARGEST_EXPONENT, bell, bell2, clip, edge, soft_step, total

# Rings from the crown to below the jaw, at these positions along the rows:
# height in front, height at the back, half-width, depth in front, depth behind, superellipse exponent.
RING_POSITION = [0, 0.05, 0.13, 0.25, 0.35, 0.44, 0.51, 0.6, 0.7, 0.79, 0.86, 0.925, 0.965, 0.985, 1.0]
RINGS = [
    [11.3, 11.3, 0.02, 0.02, 0.02, 2.0],
    [10.9, 10.6, 2.9, 3.4, 4.4, 2.0],
    [9.5, 9.0, 5.35, 6.2, 7.7, 2.05],
    [6.8, 6.3, 6.95, 8.2, 9.6, 2.1],
    [4.4, 3.8, 7.45, 9.0, 10.0, 2.15],
    [2.0, 1.2, 7.5, 9.3, 9.9, 2.2],
    [0.2, -0.8, 7.4, 9.25, 9.4, 2.2],
    [-2.2, -3.0, 7.15, 9.2, 8.6, 2.15],
    [-4.6, -4.7, 6.7, 9.25, 7.6, 2.05],
    [-6.7, -5.9, 6.1, 9.3, 6.6, 2.0],
    [-8.4, -6.5, 5.4, 9.15, 5.7, 1.95],
    [-10.0, -6.9, 4.5, 8.95, 5.2, 1.92],
    [-11.1, -7.0, 3.6, 7.9, 4.8, 1.92],
    [-11.4, -6.8, 3.0, 6.2, 4.2, 1.95],
    [-10.7, -6.6, 2.6, 3.5, 3.4, 2.0],
]
# How much of the jaw's width, the chin and the jaw's drop each ring takes part in.
JAW_SHARE = [0, 0, 0, 0, 0, 0, 0, 0.2, 0.5, 0.8, 1, 1, 1, 1, 1]
CHIN_SHARE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.4, 1, 1, 0.8, 0.5]
DROP_SHARE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.25, 0.9, 1, 1, 1, 0.9]

# AU01 to AU15 move each side on its own; the rest belong to the jaw and both lips.
PAIRED_UNITS = ACTION_UNITS[:9]
MIDLINE_BLEND = 0.5  # cm over which left and right intensities blend


def activity(units, x):
    """Intensities au01 .. au27 at the places x: numbers where both sides agree, else fields, left at positive x."""
    toward_left, levels = None, {}
    for name, (left, right) in zip(ACTION_UNITS, units, strict=True):
        if name not in PAIRED_UNITS or left == right:
            level = (left + right) / 2
        else:
            toward_left = soft_step(x, MIDLINE_BLEND) if toward_left is None else toward_left
            level = right + (left - right) * toward_left
        levels[name.lower()] = level
    return SimpleNamespace(**levels)


def jaw_drop(units):
    """How far the jaw is lowered, cm: .3 for parted lips, 2.2 for a stretched mouth."""
    return 0.15 * sum(units[ACTION_UNITS.index("AU25")]) + 1.1 * sum(units[ACTION_UNITS.index("AU27")])


def eye_curves(x, person, act):
    """Lids as functions of x: `q` (-1 inner to 1 outer corner), `axis`, `upper`, `lower`, heights in cm."""
    q = (x.abs() - person.eye_x) / person.eye_halfwidth
    opening = (1 - q**2).clamp(min=0)
    root = opening.sqrt()
    axis = person.eye_tilt * q
    squint = 0.24 * act.au07 + 0.1 * act.au06 + 0.1 * act.au09 + 0.06 * act.au04
    rise = clip(person.eye_open * 0.46 + 0.3 * act.au05 - squint, low=0.08)
    squint = 0.38 * act.au07 + 0.24 * act.au06 + 0.14 * act.au09
    sag = clip(person.eye_open * 0.45 + 0.06 * act.au05 - squint, low=0.05)
    upper = axis + rise * (0.6 * root + 0.4 * opening) * (1 - 0.18 * q)
    lower = axis - sag * (0.3 * root + 0.7 * opening) * (1 + 0.2 * q)
    return SimpleNamespace(q=q, axis=axis, upper=upper, lower=lower)


def brow_curve(x, person, act):
    """Brow line: `position` (0 inner end to 1 outer end) and `height` in cm."""
    inner, outer = 1.15 - 0.4 * act.au04, 5.3
    position = (x.abs() - inner) / (outer - inner)
    t = position.clamp(0, 1)
    move = total(
        x,
        (0.95 * act.au01, lambda: (1 - t) ** 1.3),
        (0.95 * act.au02, lambda: t**0.8 * (1 - 0.25 * t)),
        (-1.0 * act.au04, lambda: 0.75 - 0.4 * t),
        (-0.25 * act.au09, lambda: 1 - t),
    )
    rest = person.brow_arch * (1 - ((t - 0.62) / 0.62) ** 2) + person.brow_tilt * t
    rest = rest + (person.brow_height - 0.5 * person.brow_tilt)
    return SimpleNamespace(position=position, height=rest + move, move=move)


def mouth_curves(x, person, act):
    """Lip lines: `m` (-1..1 corner to corner), outer and inner edges, lip fullness `thin` (0..1), in cm."""
    narrow = 0.2 * act.au23 + 0.14 * act.au24 + 0.2 * act.au27
    halfwidth = person.mouth_halfwidth * (1 + 0.24 * act.au12 + 0.03 * act.au15 - narrow)
    m = x / halfwidth
    across = m.abs()
    reach = across.clamp(max=1.3)
    arch = (1 - m * m).clamp_(min=0)
    root = arch.sqrt()
    corner = person.mouth_curve + 0.85 * act.au12 - 0.7 * act.au15 - 0.75 * act.au27 - 0.12 * act.au25
    centre = person.mouth_y + 0.42 * act.au17 + 0.18 * act.au09 + 0.12 * act.au12
    line = centre + corner * reach**1.7
    line = line + total(
        x,
        (-0.3 * act.au15, lambda: reach**4),
        (-0.07, lambda: bell(m, 0, 0.22)),  # the upper lip's tubercle
        (0.05, lambda: bell(across, 0.4, 0.25)),
        (0.2 * act.au17, lambda: 1 - reach * reach),  # the chin pushes the middle of the lips up
    )
    gap_up = 0.2 * act.au25 + 0.3 * act.au27 + act.au25 * (0.42 * act.au12 + 0.2 * act.au09)
    gap_down = 0.75 * act.au25 + 2.15 * act.au27 - 0.06 * act.au25 * act.au12
    thin = 0.5 * act.au23 + 0.8 * act.au24 + 0.2 * act.au12 + 0.12 * act.au17 + 0.15 * act.au27
    thin = clip(1 - thin, low=0.1)
    inner_up, inner_down = line + gap_up * root, line - gap_down * root
    upper = person.upper_lip * thin * (1 - 0.25 * act.au09)
    lower = person.lower_lip * thin * (1 + 0.3 * act.au17)
    outer_up = inner_up + upper * (0.5 * root + 0.5 * arch) * (1 - 0.28 * bell(m, 0, 0.13))
    outer_down = inner_down - lower * (0.3 * root + 0.7 * arch)
    return SimpleNamespace(
        m=m, across=across, arch=arch, root=root, halfwidth=halfwidth, centre=centre, line=line, thin=thin,
        inner_up=inner_up, inner_down=inner_down, outer_up=outer_up, outer_down=outer_down,
    )  # fmt: skip


def nose_layout(person, act):
    """Tip height (cm), relative width, and the strength of the fold from the nostrils to the mouth."""
    tip = -person.nose_length + 0.35 * act.au09
    width = person.nose_width * (1 + 0.12 * act.au12 + 0.14 * act.au09)
    fold = 0.06 + 0.3 * person.age + 0.75 * act.au12 + 0.7 * act.au09 + 0.15 * act.au15 + 0.2 * act.au06
    return SimpleNamespace(tip=tip, width=width, fold=clip(fold, high=1.1))


class FaceCurves:
    """All curves at one set of places, computed once and shared by relief and colour."""

    def __init__(self, x, person, units):
        self.act = activity(units, x)
        self.eye = eye_curves(x, person, self.act)
        self.brow = brow_curve(x, person, self.act)
        self.mouth = mouth_curves(x, person, self.act)
        self.nose = nose_layout(person, self.act)
        self.drop = jaw_drop(units)
        self.sulcus_y = -8.6 - self.drop + 0.15 * self.act.au17  # groove between lower lip and chin
        self.chin_y = -9.95 * person.face_height - person.chin_length - self.drop


class HeadGrid:
    """The smooth head as a grid of rings (crown to jaw) by azimuths, denser in front."""

    def __init__(self, n_rows=126, n_columns=136):
        u = np.linspace(-1, 1, n_columns)
        s = np.interp(np.linspace(0, 1, n_rows), [0, 0.19, 0.91, 1], [0, 0.26, 0.965, 1.0])
        self.shape = (n_rows, n_columns)
        self.azimuth = torch.as_tensor(np.pi * (0.62 * u + 0.38 * u**3), dtype=torch.float32)
        spline = CubicSpline(RING_POSITION, np.eye(len(RINGS)), bc_type="natural")
        self.weights = torch.as_tensor(spline(s), dtype=torch.float32)  # (rows, rings)
        self.low = torch.as_tensor(np.interp(s, [0.6, 0.85, 1], [0, 1, 1]), dtype=torch.float32)
        self.first_row = int((s < 0.2).sum())  # the face's part of the grid: below the crown, not behind the ears
        self.side_columns = int((np.abs(self.azimuth.numpy()) > 1.75).sum() // 2)
        self.sine, self.cosine = torch.sin(self.azimuth), torch.cos(self.azimuth)
        self.log_sine, self.log_cosine = (t.abs().clamp(min=1e-6).log() for t in (self.sine, self.cosine))
        self.log_behind = ((1 - self.cosine) / 2 + 1e-6).log()  # 0 at the nape, very negative in front
        self.front_steps = torch.sigmoid(6 * self.cosine) * (self.cosine > 0)  # 1 on the face, 0 behind the ears

    def base(self, person, units):
        """Surface before features: Tensor of shape (3, rows, columns), cm."""
        jaw, chin, lowered = torch.tensor([JAW_SHARE, CHIN_SHARE, DROP_SHARE])
        rings, drop = torch.tensor(RINGS), jaw_drop(units)
        rings[..., :2] *= person.face_height
        rings[..., 2] *= person.head_width * (1 + (person.jaw_width - 1) * jaw)
        rings[..., 0] -= chin * person.chin_length + lowered * drop
        rings[..., 1] -= lowered * drop * 0.1
        rings[..., 3] += chin * person.chin_depth - lowered * drop * 0.3
        rings[..., 5] += jaw * person.jaw_squareness
        y_front, y_back, half, front, back, n = (self.weights @ rings)[..., None].unbind(1)
        half, front, back = (axis.clamp(min=0.01) for axis in (half, front, back))
        # Superellipse in logarithms: three exponentials are much cheaper than three powers.
        depth = torch.where(self.cosine > 0, front, back)
        side = (n * (self.log_sine - half.log())).exp_()
        radius = side.add_((n * (self.log_cosine - depth.log())).exp_()).log_().div_(-n).exp_()
        # Rows run level across the face and climb to the nape; a square jaw climbs later.
        bend = 1 - (0.22 - 0.5 * person.jaw_squareness) * self.low[:, None]
        climb = (bend * self.log_behind).exp_()
        level = y_front + (y_back - y_front) * climb
        return torch.stack([radius * self.sine, level, radius * self.cosine])

    def face_part(self, field):
        """View of the rows and columns that carry features, of a tensor ending in (rows, columns)."""
        return field[..., self.first_row :, self.side_columns : self.shape[1] - self.side_columns]


def forehead_lines(x, y, person, curves):
    """Horizontal wrinkles of AU01 (centre) and AU02 (sides), 0..1; age shows them at rest."""
    act, ax = curves.act, x.abs()
    shown = 0.45 + 0.9 * person.age
    strength = total(
        x,
        (act.au01 * shown, lambda: bell(x, 0, 2.6)),
        (act.au02 * shown, lambda: bell(ax, 3.6, 2.0)),
    )
    above = y - curves.brow.height
    line = torch.cos(2 * math.pi / 0.95 * (above - 0.35 * bell(x, 0, 2) - 0.9)).clamp_(min=0) ** 3
    window = edge(above - 0.6, 0.15) * edge(3.9 - above, 0.3) * edge(5.2 - ax, 0.4)
    return (strength + 0.2 * person.age**2) * window * line


def relief(x, y, person, curves):
    """How far eyes, nose, mouth, cheeks and wrinkles raise the face above the smooth head: a field, cm."""
    height = _nose(x, y, person, curves)
    for part in (_eyes, _cheeks, _mouth, _folds, _chin, _wrinkles):
        height += part(x, y, person, curves)
    return height


def _eyes(x, y, person, curves):
    act, ax, eye = curves.act, x.abs(), curves.eye
    return total(
        x,
        (-0.95 * person.eye_depth, lambda: bell2(ax, person.eye_x - 0.15, 2.0, y, 0.3 + 0.3 * curves.brow.move, 1.3)),
        (0.62, lambda: bell2(ax, person.eye_x, 1.35, y, 0.0, 0.95)),
        (person.brow_ridge, lambda: bell2(ax, 2.9, 2.0, y, curves.brow.height - 0.15, 0.75)),
        (0.35 * act.au04, lambda: bell2(x, 0, 0.8, y, 1.6, 0.9)),
        # The lid tightener bunches the lower lid into a roll under the eye.
        (0.3 * act.au07 + 0.1 * act.au06, lambda: bell2(ax, person.eye_x, 1.25, y, eye.lower - 0.28, 0.24)),
    )


def _cheeks(x, y, person, curves):
    act, ax = curves.act, x.abs()
    groove = 0.08 + 0.12 * person.age + 0.3 * act.au06 + 0.22 * act.au07
    return total(
        x,
        (person.cheekbone, lambda: bell2(ax, 4.9, 1.7, y, -2.7, 1.5)),
        (person.cheek_fullness, lambda: bell2(ax, 4.3, 1.8, y, -5.6, 2.0)),
        (0.5 * act.au12 + 0.3 * act.au06, lambda: bell2(ax, 4.0, 1.5, y, -3.4 + 0.5 * act.au06, 1.3)),
        (-groove, lambda: bell2(y, -1.35 - 0.25 * curves.eye.q**2 + 0.15 * act.au06, 0.24, ax, person.eye_x - 0.2, 1.3)),
    )


def _nose(x, y, person, curves):
    nose = curves.nose
    along = ((0.9 - y) / (0.9 - nose.tip)).clamp_(1e-6, 1)  # 0 at the root, 1 at the tip and below
    ax = (x - (4 * person.nose_bend) * along * (1 - along)).abs()
    profile = person.nose_bridge * along**0.3 * (1 - along) + person.nose_height * along**1.15
    profile += person.nose_hump * bell(along, 0.42, 0.2)
    across = ax / (person.nose_bridge_width * (1 - along) + (0.62 + 0.3 * nose.width) * along)
    square = across * across
    ridge = profile * torch.exp(-(square * (0.55 + 0.45 * square)).clamp(max=LARGEST_EXPONENT))
    ball = (0.62 * person.nose_tip) * bell2(ax, 0, 0.8, y, nose.tip, 0.62)
    # The underside slopes from the tip to the lip; an upturned nose shows more of it.
    under = nose.tip - 0.62 + 0.3 * person.nose_upturn + 0.26 * ax * ax
    above = soft_step(y - under, 0.17)
    wing = bell2(ax, 1.28 * nose.width, 0.48, y, nose.tip - 0.05 + 0.12 * curves.act.au09, 0.55)
    crease = bell2(ax, 1.95 * nose.width, 0.35, y, nose.tip + 0.05, 0.6)
    return (ridge + ball) * above + 0.72 * wing * edge(y - nose.tip + 0.6, 0.12) - 0.18 * crease


def _mouth(x, y, person, curves):
    act, mouth, nose = curves.act, curves.mouth, curves.nose
    inside = edge(1.08 - mouth.across, 0.05)
    full = 0.5 + 0.6 * mouth.thin
    upper = 0.3 * bell(y, (mouth.outer_up + mouth.inner_up) / 2, 0.4)
    lower = 0.42 * mouth.root * bell(y, (mouth.outer_down + mouth.inner_down) / 2, 0.45)
    lips = inside * (full * (upper + lower) - 0.3 * bell(y, mouth.line, 0.2))
    pit = 0.15 + 0.35 * act.au12 + 0.3 * act.au15 + 0.35 * act.au24 + 0.3 * act.au23 + 0.2 * act.au17
    return lips + total(
        x,
        (0.2, lambda: bell2(x, 0, 3.2, y, person.mouth_y + 0.3, 2.0)),  # teeth push the whole region forward
        (-0.2, lambda: bell2(x, 0, 0.3, y, (mouth.outer_up + nose.tip) / 2 - 0.2, 0.6)),
        (-pit, lambda: bell2(mouth.across, 1.1, 0.16, y, mouth.line - 0.1, 0.4)),
        # Pressed lips bulge above and below the red.
        (0.6 * act.au24 + 0.3 * act.au23, lambda: bell2(mouth.across, 0, 0.8, y, mouth.outer_up + 0.4, 0.35)),
        (0.6 * act.au24 + 0.3 * act.au23, lambda: bell2(mouth.across, 0, 0.8, y, mouth.outer_down - 0.38, 0.35)),
    )


def _folds(x, y, person, curves):
    act, mouth, ax = curves.act, curves.mouth, x.abs()
    fold_x = nasolabial_x(y, curves)
    window = fold_window(y, curves)
    sag_x = mouth.halfwidth * 1.05 + 0.2 * (mouth.centre - y)
    return total(
        x,
        (0.3 * curves.nose.fold, lambda: window * bell(ax, fold_x + 0.95, 0.8)),
        (-0.26 * curves.nose.fold, lambda: window * bell(ax, fold_x, 0.3)),
        (-0.25 * act.au15 - 0.14 * person.age, lambda: bell2(ax, sag_x, 0.22, y, mouth.centre - 1.1, 0.8)),
    )


def nasolabial_x(y, curves):
    """Distance of the nasolabial fold from the midline, cm."""
    return 0.42 * (curves.nose.tip + 0.2 - y) + (1.9 + 0.45 * curves.act.au12 + 0.1 * curves.act.au09)


def fold_window(y, curves):
    """Where along the height the nasolabial fold shows: from the nostrils to beside the mouth."""
    bottom = curves.mouth.centre - 0.6 + 0.3 * curves.act.au12
    return soft_step(curves.nose.tip + 0.3 - y, 0.25) * soft_step(y - bottom, 0.5)


def _chin(x, y, person, curves):
    act = curves.act
    return total(
        x,
        (-0.3 - 0.6 * act.au17 - 0.1 * act.au15, lambda: bell2(x, 0, 1.5, y, curves.sulcus_y, 0.42)),
        (0.5 + 0.7 * act.au17, lambda: bell2(x, 0, 1.3, y, curves.chin_y + 0.5 * act.au17, 0.95)),
    )


def _wrinkles(x, y, person, curves):
    act, ax = curves.act, x.abs()
    return total(
        x,
        (-0.13, lambda: forehead_lines(x, y, person, curves)),
        (-0.28 * frown_strength(person, act), lambda: frown_lines(x, y, act)),
        (-0.2 * act.au09, lambda: nose_lines(x, y)),
        (-0.13 * crows_feet_strength(person, act), lambda: crows_feet(ax, y, person)),
    )


def frown_strength(person, act):
    """How deep the furrows between the brows are (AU04), deeper with age."""
    return act.au04 * (0.7 + 0.6 * person.age) + 0.15 * person.age


def frown_lines(x, y, act):
    """Two furrows between the brows, with the raised skin between them."""
    return (bell(x.abs(), 0.52, 0.18) - 0.5 * bell(x, 0, 0.25)) * bell(y, 1.75 - 0.35 * act.au04, 0.95)


def nose_lines(x, y):
    """Bunched skin at the nose's root (AU09)."""
    line = torch.cos((2 * math.pi / 0.62) * (y + 0.3 * x.abs() - 0.1)).clamp_(min=0) ** 2
    return line * bell2(x.abs(), 0.45, 0.75, y, 0.1, 0.85)


def crows_feet_strength(person, act):
    """How deep the rays beside the eyes are (AU06), deeper with age."""
    return 1.1 * act.au06 * (0.45 + 0.9 * person.age) + 0.35 * person.age**2


def crows_feet(ax, y, person):
    """Rays from the outer corner of the eye."""
    corner = person.eye_x + person.eye_halfwidth
    angle = torch.atan2(y + 0.1, (ax - corner).clamp(min=0.05))
    rays = torch.cos(angle * 7).clamp_(min=0) ** 4
    return rays * bell2(ax, corner + 0.75, 0.55, y, 0, 1.1)
