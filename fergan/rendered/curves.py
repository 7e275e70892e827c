"""The curves of a face, and the relief that they raise.

Frame: centimetres, x to the image's right, y up, z to the camera, origin on the head's axis at eye level. One set of curves
(lids, brows, lips, nose) follows from identity and Action Units; relief, colour and landmarks all follow it, so that labels
and pixels cannot disagree. In every function `x` and `y` are places on the smooth head, fields in cm, `person` comes from
:func:`person_of`, `units` are the pairs of left and right intensities of all Action Units, and `curves` the `FaceCurves`.

A *field* is a tensor with a value at each of its points; what belongs to the whole face is a plain *number*. Arithmetic on
numbers costs a fiftieth of a tensor operation, and what has strength 0 need not be computed: so one face at a time is faster
than many at once, and independent of the others bit for bit.
"""

import math
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from fergan.facs import ACTION_UNITS

LARGEST_EXPONENT = 30.0  # exp(-30) is 1e-13; exponentials that underflow are ten times slower
TEXELS = 512  # of the table of noise; a power of two, so that wrapping around is a bit mask
FINE, SMOOTH = 1.1, 4.0  # blur of two tables of noise, texels: a feature, three times as long, should cover several pixels
ZERO = torch.zeros(())
PAIRED_UNITS = ACTION_UNITS[:9]  # AU01 to AU15 move each side on its own; the rest belong to the jaw and both lips
MIDLINE_BLEND = 0.5  # cm over which left and right intensities blend


def bell(*axes):
    """Gaussian bump of height 1, exp(-((x - centre) / width)^2); with several of (x, centre, width), their product."""
    square = ZERO
    for x, centre, width in zip(axes[::3], axes[1::3], axes[2::3], strict=True):
        t = (x - centre).div_(width)
        square = torch.addcmul(square, t, t, value=-1)
    return square.clamp_(min=-LARGEST_EXPONENT).exp_()


def step(x, width):
    """0 for a field far below zero, 1 far above: the logistic function of x / width."""
    return (x / width).clamp_(-LARGEST_EXPONENT, LARGEST_EXPONENT).sigmoid_()


def edge(x, width):
    """A step drawn as a ramp, as steep in the middle as :func:`step`: cheaper, for edges thinner than a pixel."""
    return torch.nn.functional.hardsigmoid(x * (1.5 / width))


def total(like, *terms):
    """Sum of strength times shape, a field like `like`; a term: a strength, and what :func:`bell` takes or a function."""
    result = torch.zeros_like(like)
    for strength, *shape in terms:
        if not torch.is_tensor(strength) and strength == 0:
            continue
        field = shape[0]() if callable(shape[0]) else bell(*shape)
        if torch.is_tensor(strength):
            result.addcmul_(field, strength)
        else:
            result.add_(field, alpha=strength)
    return result


def clip(value, low=-math.inf, high=math.inf):
    """A number or field kept within bounds."""
    return value.clamp(low, high) if torch.is_tensor(value) else min(max(value, low), high)


@lru_cache(maxsize=2)
def _noise_table(blur):
    """Periodic noise of mean 0 and variance 1, flattened: Tensor of shape (TEXELS * TEXELS,)."""
    table = gaussian_filter(np.random.default_rng(7).standard_normal((TEXELS, TEXELS)), blur, mode="wrap")
    return torch.as_tensor((table / table.std()).ravel(), dtype=torch.float32)


def noise(u, v, person, layer=0, blur=FINE):
    """Noise at texture coordinates in texels, another pattern for each person (by its `texture`) and layer."""
    start = person.texture + 7919 * layer  # positive coordinates: truncation then rounds down
    column = (u + (start % 509 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    row = (v + (start % 491 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    place = column.add_(row, alpha=TEXELS)
    return _noise_table(blur).index_select(0, place.flatten()).view(place.shape)


def person_of(identity):
    """An identity as a namespace of floats, and of colours that broadcast over points, tensors of shape (3, 1)."""
    colours = {name: torch.as_tensor(v, dtype=torch.float32)[:, None] for name, v in identity.items() if np.ndim(v)}
    return SimpleNamespace(**{name: float(v) for name, v in identity.items() if name not in colours}, **colours)


def activity(units, x):
    """Intensities au01 .. au27 at the places x: numbers where both sides agree, else fields, left at positive x."""
    toward_left, levels = None, {}
    for name, (left, right) in zip(ACTION_UNITS, units, strict=True):
        level = (left + right) / 2
        if name in PAIRED_UNITS and left != right:
            toward_left = step(x, MIDLINE_BLEND) if toward_left is None else toward_left
            level = right + (left - right) * toward_left
        levels[name.lower()] = level
    return SimpleNamespace(**levels)


def jaw_drop(units):
    """How far the jaw is lowered, cm: .3 for parted lips, 2.2 for a stretched mouth."""
    return 0.15 * sum(units[ACTION_UNITS.index("AU25")]) + 1.1 * sum(units[ACTION_UNITS.index("AU27")])


def eye_curves(x, person, act):
    """Lids as functions of x: `q` (-1 inner to 1 outer corner), `upper`, `lower`, heights in cm."""
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
    return SimpleNamespace(q=q, upper=upper, lower=lower)


def brow_curve(x, person, act):
    """Brow line: `position` (0 inner end to 1 outer end), `height` in cm, and `move`, what Action Units add to it."""
    inner, outer = 1.15 - 0.4 * act.au04, 5.3
    position = (x.abs() - inner) / (outer - inner)
    t = position.clamp(0, 1)
    move = total(x, (0.95 * act.au01, lambda: (1 - t) ** 1.3),
                 (0.95 * act.au02, lambda: t**0.8 * (1 - 0.25 * t)),
                 (-1.0 * act.au04, lambda: 0.75 - 0.4 * t),
                 (-0.25 * act.au09, lambda: 1 - t))
    rest = person.brow_arch * (1 - ((t - 0.62) / 0.62) ** 2) + person.brow_tilt * t
    rest = rest + (person.brow_height - 0.5 * person.brow_tilt)
    return SimpleNamespace(position=position, height=rest + move, move=move)


def mouth_curves(x, person, act):
    """Lip lines in cm: middle, outer and inner edges; `across` (0 middle to 1 corner), lip fullness `thin` (0..1)."""
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
    line = line + total(x, (-0.3 * act.au15, lambda: reach**4),
                        (-0.07, m, 0, 0.22),  # the upper lip's tubercle
                        (0.05, across, 0.4, 0.25),
                        (0.2 * act.au17, lambda: 1 - reach * reach))  # the chin pushes the middle of the lips up
    gap_up = 0.2 * act.au25 + 0.3 * act.au27 + act.au25 * (0.42 * act.au12 + 0.2 * act.au09)
    gap_down = 0.75 * act.au25 + 2.15 * act.au27 - 0.06 * act.au25 * act.au12
    thin = 0.5 * act.au23 + 0.8 * act.au24 + 0.2 * act.au12 + 0.12 * act.au17 + 0.15 * act.au27
    thin = clip(1 - thin, low=0.1)
    inner_up, inner_down = line + gap_up * root, line - gap_down * root
    upper = person.upper_lip * thin * (1 - 0.25 * act.au09)
    lower = person.lower_lip * thin * (1 + 0.3 * act.au17)
    outer_up = inner_up + upper * (0.5 * root + 0.5 * arch) * (1 - 0.28 * bell(m, 0, 0.13))
    outer_down = inner_down - lower * (0.3 * root + 0.7 * arch)
    return SimpleNamespace(across=across, arch=arch, root=root, halfwidth=halfwidth, centre=centre, line=line, thin=thin,
                           inner_up=inner_up, inner_down=inner_down, outer_up=outer_up, outer_down=outer_down)


class FaceCurves:
    """All curves at one set of places, computed once and shared by relief, colour and landmarks."""

    def __init__(self, x, person, units):
        self.act = act = activity(units, x)
        self.eye = eye_curves(x, person, act)
        self.brow = brow_curve(x, person, act)
        self.mouth = mouth_curves(x, person, act)
        self.tip = -person.nose_length + 0.35 * act.au09  # height of the nose's tip
        self.nose_width = person.nose_width * (1 + 0.12 * act.au12 + 0.14 * act.au09)
        fold = 0.06 + 0.3 * person.age + 0.75 * act.au12 + 0.7 * act.au09 + 0.15 * act.au15 + 0.2 * act.au06
        self.fold = clip(fold, high=1.1)  # how strong the nasolabial fold is, from the nostrils to beside the mouth
        drop = jaw_drop(units)
        self.sulcus_y = -8.6 - drop + 0.15 * act.au17  # groove between lower lip and chin
        self.chin_y = -9.95 * person.face_height - person.chin_length - drop

    def fold_x(self, y):
        """Distance of the nasolabial fold from the midline, cm."""
        return 0.42 * (self.tip + 0.2 - y) + (1.9 + 0.45 * self.act.au12 + 0.1 * self.act.au09)

    def fold_window(self, y):
        """Where along the height the nasolabial fold shows."""
        bottom = self.mouth.centre - 0.6 + 0.3 * self.act.au12
        return step(self.tip + 0.3 - y, 0.25) * step(y - bottom, 0.5)


def relief(x, y, person, curves):
    """How far eyes, nose, mouth, cheeks and wrinkles raise the face above the smooth head: a field, cm."""
    act, eye, mouth, ax = curves.act, curves.eye, curves.mouth, x.abs()
    height = _nose(x, y, person, curves)
    height += total(x, (-0.95 * person.eye_depth, ax, person.eye_x - 0.15, 2.0, y, 0.3 + 0.3 * curves.brow.move, 1.3),
                    (0.62, ax, person.eye_x, 1.35, y, 0.0, 0.95),
                    (person.brow_ridge, ax, 2.9, 2.0, y, curves.brow.height - 0.15, 0.75),
                    (0.35 * act.au04, x, 0, 0.8, y, 1.6, 0.9),
                    # The lid tightener bunches the lower lid into a roll under the eye.
                    (0.3 * act.au07 + 0.1 * act.au06, ax, person.eye_x, 1.25, y, eye.lower - 0.28, 0.24))
    groove = 0.08 + 0.12 * person.age + 0.3 * act.au06 + 0.22 * act.au07
    height += total(x, (person.cheekbone, ax, 4.9, 1.7, y, -2.7, 1.5),
                    (person.cheek_fullness, ax, 4.3, 1.8, y, -5.6, 2.0),
                    (0.5 * act.au12 + 0.3 * act.au06, ax, 4.0, 1.5, y, -3.4 + 0.5 * act.au06, 1.3),
                    (-groove, y, -1.35 - 0.25 * eye.q**2 + 0.15 * act.au06, 0.24, ax, person.eye_x - 0.2, 1.3))
    height += _mouth(x, y, person, curves)
    fold_x, window = curves.fold_x(y), curves.fold_window(y)
    sag_x = mouth.halfwidth * 1.05 + 0.2 * (mouth.centre - y)
    height += total(x, (0.3 * curves.fold, lambda: window * bell(ax, fold_x + 0.95, 0.8)),
                    (-0.26 * curves.fold, lambda: window * bell(ax, fold_x, 0.3)),
                    (-0.25 * act.au15 - 0.14 * person.age, ax, sag_x, 0.22, y, mouth.centre - 1.1, 0.8))
    height += total(x, (-0.3 - 0.6 * act.au17 - 0.1 * act.au15, x, 0, 1.5, y, curves.sulcus_y, 0.42),
                    (0.5 + 0.7 * act.au17, x, 0, 1.3, y, curves.chin_y + 0.5 * act.au17, 0.95))
    return height.add_(total(x, *wrinkles(x, y, person, curves, depths=(-0.13, -0.28, -0.2, -0.13))))


def _nose(x, y, person, curves):
    tip, width = curves.tip, curves.nose_width
    along = ((0.9 - y) / (0.9 - tip)).clamp_(1e-6, 1)  # 0 at the root, 1 at the tip and below
    ax = (x - (4 * person.nose_bend) * along * (1 - along)).abs()
    profile = person.nose_bridge * along**0.3 * (1 - along) + person.nose_height * along**1.15
    profile += person.nose_hump * bell(along, 0.42, 0.2)
    across = ax / (person.nose_bridge_width * (1 - along) + (0.62 + 0.3 * width) * along)
    square = across * across
    ridge = profile * torch.exp(-(square * (0.55 + 0.45 * square)).clamp(max=LARGEST_EXPONENT))
    ball = (0.62 * person.nose_tip) * bell(ax, 0, 0.8, y, tip, 0.62)
    # The underside slopes from the tip to the lip; an upturned nose shows more of it.
    under = tip - 0.62 + 0.3 * person.nose_upturn + 0.26 * ax * ax
    above = step(y - under, 0.17)
    wing = bell(ax, 1.28 * width, 0.48, y, tip - 0.05 + 0.12 * curves.act.au09, 0.55)
    crease = bell(ax, 1.95 * width, 0.35, y, tip + 0.05, 0.6)
    return (ridge + ball) * above + 0.72 * wing * edge(y - tip + 0.6, 0.12) - 0.18 * crease


def _mouth(x, y, person, curves):
    act, mouth = curves.act, curves.mouth
    inside = edge(1.08 - mouth.across, 0.05)
    full = 0.5 + 0.6 * mouth.thin
    upper = 0.3 * bell(y, (mouth.outer_up + mouth.inner_up) / 2, 0.4)
    lower = 0.42 * mouth.root * bell(y, (mouth.outer_down + mouth.inner_down) / 2, 0.45)
    lips = inside * (full * (upper + lower) - 0.3 * bell(y, mouth.line, 0.2))
    pit = 0.15 + 0.35 * act.au12 + 0.3 * act.au15 + 0.35 * act.au24 + 0.3 * act.au23 + 0.2 * act.au17
    pressed = 0.6 * act.au24 + 0.3 * act.au23  # pressed lips bulge above and below the red
    return lips + total(x, (0.2, x, 0, 3.2, y, person.mouth_y + 0.3, 2.0),  # teeth push the whole region forward
                        (-0.2, x, 0, 0.3, y, (mouth.outer_up + curves.tip) / 2 - 0.2, 0.6),
                        (-pit, mouth.across, 1.1, 0.16, y, mouth.line - 0.1, 0.4),
                        (pressed, mouth.across, 0, 0.8, y, mouth.outer_up + 0.4, 0.35),
                        (pressed, mouth.across, 0, 0.8, y, mouth.outer_down - 0.38, 0.35))


def wrinkles(x, y, person, curves, depths):
    """Terms of :func:`total`: lines of the forehead, frown, bunched nose and crow's feet, each times one of four depths."""
    act, age, ax = curves.act, person.age, x.abs()
    forehead, frown, nose, feet = depths
    return (
        (forehead, lambda: _forehead_lines(x, y, person, curves)),
        # Two furrows between the brows (AU04), with the raised skin between them below zero.
        (frown * (act.au04 * (0.7 + 0.6 * age) + 0.15 * age),
         lambda: (bell(ax, 0.52, 0.18) - 0.5 * bell(x, 0, 0.25)) * bell(y, 1.75 - 0.35 * act.au04, 0.95)),
        # Bunched skin at the nose's root (AU09).
        (nose * act.au09, lambda: torch.cos((2 * math.pi / 0.62) * (y + 0.3 * ax - 0.1)).clamp_(min=0) ** 2
         * bell(ax, 0.45, 0.75, y, 0.1, 0.85)),
        (feet * (1.1 * act.au06 * (0.45 + 0.9 * age) + 0.35 * age**2), lambda: _crows_feet(ax, y, person)),
    )


def _forehead_lines(x, y, person, curves):
    """Horizontal wrinkles of AU01 (centre) and AU02 (sides), 0..1; age shows them at rest."""
    act, ax = curves.act, x.abs()
    shown = 0.45 + 0.9 * person.age
    strength = total(x, (act.au01 * shown, x, 0, 2.6), (act.au02 * shown, ax, 3.6, 2.0))
    above = y - curves.brow.height
    line = torch.cos(2 * math.pi / 0.95 * (above - 0.35 * bell(x, 0, 2) - 0.9)).clamp_(min=0) ** 3
    window = edge(above - 0.6, 0.15) * edge(3.9 - above, 0.3) * edge(5.2 - ax, 0.4)
    return (strength + 0.2 * person.age**2) * window * line


def _crows_feet(ax, y, person):
    """Rays from the outer corner of the eye (AU06)."""
    corner = person.eye_x + person.eye_halfwidth
    angle = torch.atan2(y + 0.1, (ax - corner).clamp(min=0.05))
    rays = torch.cos(angle * 7).clamp_(min=0) ** 4
    return rays * bell(ax, corner + 0.75, 0.55, y, 0, 1.1)
