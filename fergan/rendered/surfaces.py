"""The surfaces of head, hair and body as grids of points, in the frame of `fergan.rendered.curves`."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import yaml
from scipy.interpolate import CubicSpline, PchipInterpolator

from fergan.rendered.curves import SMOOTH, FaceCurves, bell, clip, edge, jaw_drop, noise, relief, step

HAIRLINE_STEPS = 512  # entries of a person's hairline, all around the head
BARE = 9.0  # cm to the next hair where there is none
TEMPLE, SIDEBURN, EAR, BEHIND_EAR = 0.62, 1.27, 1.62, 1.9  # azimuths, radians
FROM_AZIMUTH = 8.5  # cm along the skin per radian of azimuth
SHAPES = yaml.safe_load(Path(__file__).with_name("head.yaml").read_text(encoding="utf-8"))
TORSO_AXIS_Z = -2.2  # cm: the neck stands behind the head's axis


@dataclass
class Part:
    """One grid of surface points."""

    name: str
    position: torch.Tensor  # (3, rows, columns), cm in the head's frame
    coordinates: torch.Tensor  # of the same shape: what the colour depends on, whose meaning is the part's own
    refine: tuple  # points that are drawn per grid step, down and across, at 128 pixels
    outward: float = 1.0  # which side faces out, 1 or -1
    visible: torch.Tensor | None = None  # which points are there, None for all


def hairline(person):
    """Height above which hair grows, cm, at all azimuths: Tensor of shape (HAIRLINE_STEPS,)."""
    azimuth = torch.linspace(-math.pi, math.pi, HAIRLINE_STEPS)
    around = azimuth.abs()
    part = person.hair_part
    front = person.hair_line + 0.6 * person.hair_temple * bell(around, TEMPLE, 0.24)
    front = front - person.hair_peak * bell(azimuth, 0, 0.18)
    front = front + 0.5 * clip(person.hair_sweep, -1.5, 1.5) * azimuth
    # The fringe falls from the parting: short above it, longer to both sides.
    cut = 0.75 + 0.35 * torch.cos(1.8 * azimuth + 3 * part) - 0.9 * bell(azimuth, 0.6 * part, 0.16)
    front = front - person.hair_fringe * cut * edge(0.95 - (azimuth - 0.2 * part).abs(), 0.12)
    side = 0.8 - 2.4 * person.hair_long * (1 - 0.5 * person.masculinity)
    rounding = (1 - (around / 1.24).clamp(max=1) ** person.hair_corner).clamp(min=0) ** 0.8
    line = side + (front - side) * rounding
    sideburn = person.hair_sideburn * bell(around, SIDEBURN, 0.1)
    nape = (6.5 + side) * step(around - BEHIND_EAR, 0.06)  # behind the ear hair goes down to the neck
    line = line - sideburn - nape + bell(around, EAR, 0.2)
    uneven = azimuth * FROM_AZIMUTH
    locks = noise(uneven * 9, torch.zeros_like(uneven), person, layer=13, blur=SMOOTH)
    line = line + (0.1 + 0.18 * person.hair_fringe) * locks * edge(1.2 - around, 0.1)
    return line + (1 - person.hair) * 50  # out of reach on a bald head


def depth_inside(azimuth, y, line):
    """Signed distance into the hair, cm: negative on bare skin, zero on the hairline; azimuth 0 is in front."""
    place = (azimuth + math.pi) * ((HAIRLINE_STEPS - 1) / (2 * math.pi))
    return (y - line.gather(0, place.long().clamp_(0, HAIRLINE_STEPS - 1))).clamp_(min=-BARE)


def hair_thickness(azimuth, y, inside, person):
    """Height of the hair above the scalp, cm: zero at the hairline, with locks that break up the outline."""
    lock = noise(azimuth * 34, y * 2.5 + 160, person, layer=3, blur=SMOOTH)
    if person.hair_curl:
        clump = noise(azimuth * 50, y * 6, person, layer=4, blur=SMOOTH)
        lock = torch.lerp(lock, 1.2 * clump, person.hair_curl)
    full = step(y - 3.0, 1.2).mul_(0.55).add_(0.45) * person.hair_thickness
    full = full + person.hair_quiff * bell(azimuth, 0.25 * person.hair_part, 0.75) * step(y - 6.5, 0.7)
    parting = bell(azimuth, 0.6 * person.hair_part, 0.09) * step(y - 6, 0.6)
    # All azimuths meet at the crown, where nothing may depend on them.
    below_crown = ((10.6 - y) * 0.6).clamp_(0, 1)
    uneven = lock * (0.16 * full + 0.14 * min(person.hair_thickness, 1.0))
    uneven = uneven - 0.6 * person.hair_parted * parting * full
    free = 1 - 0.75 * bell(azimuth.abs(), EAR, 0.28) * step(2.5 - y, 0.6)  # hair lies flat around the ear
    rise = (inside / (1.0 + 0.4 * person.hair_thickness)).clamp(0, 1) * free  # thick hair rises over a wider edge
    return (full + below_crown * uneven).clamp_(min=0.03) * rise * (2 - rise)


def curtain(person, n_rows=44, n_columns=84):
    """Long hair hanging behind and beside the face; coordinates are cm around the head and down along the strands."""
    angle = torch.linspace(0.40 * math.pi, 1.60 * math.pi, n_columns)  # from one temple over the nape to the other
    t = torch.linspace(0, 1, n_rows)[:, None]  # the way down
    shape = (n_rows, n_columns)
    around, down = (angle * 9).expand(shape), t.expand(shape)

    def locks(across, layer, steps=6.0):
        """Smooth noise over the curtain, `across` texels per cm around and `steps` down the whole length."""
        return noise(around * across, down * steps, person, layer, blur=SMOOTH)

    # Every lock has its own length: the grid itself ends there, so that no outline is cut out of it.
    uneven = 0.035 * locks(3.5, layer=15, steps=0) + 0.02 * locks(9.0, layer=16, steps=0)
    rounded = 0.05 * torch.cos(2 * (angle - math.pi))  # longest in the middle of the back
    along = (6 + person.hair_length) * t * (1 + rounded - uneven.abs())
    lock = (1 - t**4) * (locks(5.0, layer=8) + person.hair_curl * locks(7.0, layer=17, steps=60.0))
    fall = torch.sin(math.pi * t.clamp(max=0.85))
    width = 7.35 + 0.4 * person.hair_thickness + 0.5 * fall + person.hair_flare * t * 1.3
    width = width + 0.3 * person.hair_part * t * torch.sin(angle)  # more hair falls to one side
    width = width * person.head_width * (1 - 0.16 * t**3) + 0.3 * lock
    behind_ear = torch.sigmoid((torch.cos(angle) + 0.35) / 0.08)
    forward = 2.0 * torch.sigmoid((t - 0.5) / 0.09) * behind_ear * (1 - person.hair_tucked)
    # The front edges wave and draw back towards the ends: strands do not all begin on one line.
    rim = ((angle - math.pi) / (0.6 * math.pi)) ** 5
    wave = 0.1 * torch.sin(4.5 * t + 9 * abs(person.hair_part)) + 0.05 * locks(0, layer=18, steps=40)
    turned = angle - rim * (wave + 0.2 * t**5)
    z = -2.0 + 7.6 * torch.cos(turned) + forward + 0.3 * lock
    position = torch.stack([width * torch.sin(turned), 6.0 - along, z])
    return Part("curtain", position, torch.stack([around, along, torch.zeros_like(along)]), refine=(3, 3))


@lru_cache(maxsize=1)
def _torso_rings(n_rows=34):
    """Height, half-width and both depths of the rows, and their share of the neck, each (n_rows, 1)."""
    *rings, neck = np.array(SHAPES["torso"]["rings"]).T
    knots, rows = np.arange(len(neck)), SHAPES["torso"]["rows"]
    at = np.interp(np.linspace(0, 1, n_rows), rows["share"], rows["ring"])
    values = [*PchipInterpolator(knots, np.transpose(rings))(at).T, np.interp(at, knots, np.float32(neck))]
    return [torch.as_tensor(value, dtype=torch.float32)[:, None] for value in values]


def torso(person, n_columns=88):
    """Neck and shoulders; coordinates are x, y and the cosine of the angle around the axis (1 in front)."""
    y, half, front, back, neck = _torso_rings()
    angle = torch.linspace(-math.pi, math.pi, n_columns)
    sine, cosine = torch.sin(angle), torch.cos(angle)
    widen = 1 + (person.neck_width - 1) * neck  # (rows, 1)
    broad = 0.9 + 0.16 * person.masculinity * (1 - neck) + 0.1 * neck
    x = half * widen * broad * sine
    z = TORSO_AXIS_Z + torch.where(cosine > 0, front, back) * widen * cosine
    y, cosine = y.expand_as(x), cosine.expand_as(x)
    return Part("torso", torch.stack([x, y, z]), torch.stack([x, y, cosine]), refine=(4, 3))


def ear(person, side, n=16):
    """One ear (side 1 on the image's right); coordinates are the rim's relief, and the place on the ear."""
    axis = torch.linspace(-1, 1, n)
    v, u = torch.meshgrid(axis, axis, indexing="ij")  # v up, u to the front
    square = (u**2 + v**2).clamp(max=1)
    radius, dome = square.sqrt(), (1 - square).sqrt()
    rim = 0.32 * bell(radius, 0.82, 0.16) - 0.3 * bell(radius, 0.35, 0.3)
    # Long hair presses the ear to the head.
    x = side * (person.head_width * (7.3 - 0.9 * person.hair_long) + (0.25 * dome + rim - 0.4 * u))
    position = torch.stack([x, -1.1 + 3.0 * v - 0.25 * u, -1.0 + 1.6 * u * (1 + 0.18 * v)])
    visible = u**2 + v**2 < 1
    return Part("ear", position, torch.stack([rim, u, v]), refine=(3, 2), outward=side, visible=visible)


def glasses(person, dark):
    """Two lenses with frames, two temples and a bridge, each a grid; clear lenses are not drawn."""
    across, down = torch.linspace(0, 1, 44), torch.linspace(-0.5, 0.5, 8)[:, None]
    ring, angle = (down + 0.5) ** 0.6, 2 * math.pi * across
    pieces = []
    for side in (-1.0, 1.0):
        x = side * (person.eye_x + 0.05) + 2.45 * ring * torch.cos(angle)
        y = -0.25 + 1.75 * ring * torch.sin(angle)
        pieces.append((x, y, 10.1 - 0.035 * (x.abs() - 1) ** 2, None if dark else (ring > 0.9).expand_as(x)))
        temple_x = side * person.head_width * (5.55 + 2.0 * across**0.7)
        pieces.append((temple_x, 0.55 + 0.3 * down, 9.3 - 10.3 * across, None))
    pieces.append((1.8 * (across - 0.5), 0.5 - (2 * across - 1) ** 2 / 4 + 0.25 * down, torch.full_like(across, 10.4), None))
    positions = [torch.stack(torch.broadcast_tensors(*place)) for *place, _ in pieces]
    return [Part("glasses", position, torch.zeros_like(position), refine=(4, 4), visible=visible)
            for position, (*_, visible) in zip(positions, pieces, strict=True)]


class HeadGrid:
    """The smooth head as a grid of rings (crown to jaw) by azimuths, denser in front."""

    def __init__(self, n_rows=126, n_columns=136):
        u = np.linspace(-1, 1, n_columns)
        s = np.interp(np.linspace(0, 1, n_rows), [0, 0.19, 0.91, 1], [0, 0.26, 0.965, 1.0])
        rings = np.array(SHAPES["head"])
        self.rings, self.shares = (torch.tensor(t, dtype=torch.float32) for t in (rings[:, 1:7], rings[:, 7:].T))
        spline = CubicSpline(rings[:, 0], np.eye(len(rings)), bc_type="natural")
        self.weights = torch.as_tensor(spline(s), dtype=torch.float32)  # (rows, rings)
        self.shape = (n_rows, n_columns)
        self.azimuth = torch.as_tensor(np.pi * (0.62 * u + 0.38 * u**3), dtype=torch.float32)
        self.low = torch.as_tensor(np.interp(s, [0.6, 0.85, 1], [0, 1, 1]), dtype=torch.float32)
        self.first_row = int((s < 0.2).sum())  # the face's part of the grid: below the crown, not behind the ears
        self.side_columns = int((np.abs(self.azimuth.numpy()) > 1.75).sum() // 2)
        self.sine, self.cosine = torch.sin(self.azimuth), torch.cos(self.azimuth)
        self.log_sine, self.log_cosine = (t.abs().clamp(min=1e-6).log() for t in (self.sine, self.cosine))
        self.log_behind = ((1 - self.cosine) / 2 + 1e-6).log()  # 0 at the nape, very negative in front
        self.front_steps = torch.sigmoid(6 * self.cosine) * (self.cosine > 0)  # 1 on the face, 0 behind the ears

    def base(self, person, units):
        """Surface before features: Tensor of shape (3, rows, columns), cm."""
        (jaw, chin, lowered), rings, drop = self.shares, self.rings.clone(), jaw_drop(units)
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


head_grid = lru_cache(maxsize=1)(HeadGrid)  # all heads share it; finer than a pixel in the face at 128 pixels once refined


def head_part(person, units, line):
    """The head with relief and hair, whose coordinates are x, y and azimuth on the smooth head; and that smooth head."""
    grid = head_grid()
    base = grid.base(person, units)
    x, y = (axis.flatten() for axis in grid.face_part(base)[:2])
    position = base.clone()
    face = grid.face_part(position)
    height = relief(x, y, person, FaceCurves(x, person, units)).view(face.shape[1:])
    height *= grid.face_part(grid.front_steps.expand(grid.shape))
    sine, cosine = (grid.face_part(t.expand(grid.shape)) for t in (grid.sine, grid.cosine))
    face[0] += 0.6 * sine * height
    face[2] += (0.4 + 0.6 * cosine) * height
    azimuth = grid.azimuth.expand(grid.shape)
    if person.hair:
        around, level = azimuth.flatten(), base[1].flatten()
        thick = hair_thickness(around, level, depth_inside(around, level, line), person).view(grid.shape)
        position[0] += 0.9 * grid.sine * thick
        position[1] += thick * ((base[1] - 5) * (0.8 / 6)).clamp_(0, 0.8).add_(0.15)
        position[2] += 0.9 * grid.cosine * thick
    return Part("head", position, torch.stack([base[0], base[1], azimuth]), refine=(2, 2)), base


def all_parts(person, units, glasses_kind, line):
    """Every surface of the scene, the head first, and the smooth head; `glasses_kind` is 0 none, 1 clear or 2 dark."""
    head, base = head_part(person, units, line)
    parts = [head, torso(person), ear(person, 1.0), ear(person, -1.0)]
    if person.hair_long:
        parts.append(curtain(person))
    if glasses_kind:
        parts.extend(glasses(person, dark=glasses_kind == 2))
    return parts, base
