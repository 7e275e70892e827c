"""Hair: where it grows on the head, how thick it lies, its strands, and the curtain of long hair."""

import math

import torch

from fergan.rendered.geometry import bell, soft_step
from fergan.rendered.texture import noise


def hair_depth_inside(azimuth, y, person):
    """Signed distance into the hair, cm: negative on bare skin, zero on the hairline.

    Parameters
    ----------
    azimuth : Tensor of shape (n_faces, n_points)
        0 in front, positive to the image's right, radians.
    y : Tensor of shape (n_faces, n_points)
        Height on the smooth head, cm.
    person : SimpleNamespace

    Returns
    -------
    Tensor of shape (n_faces, n_points)
    """
    around = azimuth.abs()
    front = person.hair_line + 0.6 * person.hair_temple * bell(around, 0.6, 0.24)
    front = (
        front - person.hair_peak * bell(azimuth, 0, 0.18) + 0.5 * person.hair_sweep.clamp(-1.5, 1.5) * azimuth
    )
    fringe_place = soft_step(0.95 - (azimuth - 0.2 * person.hair_part).abs(), 0.12)
    fringe_cut = 1.0 + 0.55 * torch.sin(1.8 * azimuth + 3 * person.hair_part)
    front = front - person.hair_fringe * fringe_cut * fringe_place
    side = 0.8 - 2.4 * person.hair_long * (1 - 0.5 * person.masculinity)
    rounding = (1 - (around / 1.24).clamp(max=1) ** person.hair_corner).clamp(min=0) ** 0.8
    line = side + (front - side) * rounding
    sideburn = 1.3 * (person.masculinity > 0.5) * bell(around, 1.27, 0.1)
    nape = (6.5 + side) * soft_step(around - 1.9, 0.06)  # behind the ear hair goes down to the neck
    ear = 1.0 * bell(around, 1.62, 0.2)
    return torch.where(person.hair > 0, y - line + sideburn + nape - ear, torch.full_like(y, -9.0))


def hair_thickness(azimuth, y, inside, person):
    """Height of the hair above the scalp, cm: zero at the hairline, with locks that break up the outline."""
    lock = noise(azimuth * 9, y * 0.8 + 40, person, layer=3)
    clump = noise(azimuth * 14, y * 1.4, person, layer=4)
    waves = (1 - person.hair_curl) * lock + person.hair_curl * 1.2 * clump
    top = soft_step(y - 3.0, 1.2)
    full = person.hair_thickness * (0.45 + 0.55 * top)
    full = full + person.hair_quiff * bell(azimuth, 0.25 * person.hair_part, 0.75) * soft_step(y - 6.5, 0.7)
    full = full * (1 + 0.16 * waves) + 0.12 * person.hair_thickness.clamp(max=1) * waves
    parting = bell(azimuth, 0.6 * person.hair_part, 0.09) * soft_step(y - 6, 0.6) * (1 - person.hair_curl)
    rise = (inside / 1.1).clamp(0, 1)
    return (full * (1 - 0.5 * parting)).clamp(min=0.03) * rise * (2 - rise)


def strands(around, along, person):
    """Brightness of single strands at (around, along) in cm, about 1: fine and coarse lines, or curls."""
    slanted = around + 0.25 * person.hair_sweep * along
    fine = noise(slanted * 9.0, along * 0.9, person, layer=5)
    coarse = noise(slanted * 3.0, along * 0.5, person, layer=6)
    curls = noise(around * 4.0, along * 4.0, person, layer=7)
    waves = (1 - person.hair_curl) * (0.5 * fine + 0.55 * coarse) + person.hair_curl * 0.8 * curls
    return (1 + 0.36 * waves).clamp(0.3, 2.2)


CURTAIN_PARAMETERS = (
    "hair_length", "hair_flare", "hair_thickness", "hair_part", "hair_tucked", "hair_long", "head_width",
)  # fmt: skip


def curtain(person, device, n_rows=44, n_columns=84):
    """Long hair hanging behind and beside the face.

    Returns
    -------
    position : Tensor of shape (n_faces, 3, n_rows, n_columns)
        Centimetres.
    around, along : Tensor of shape (n_faces, n_rows, n_columns)
        Strand coordinates, cm.
    visible : Tensor of shape (n_faces, n_rows, n_columns), bool
        False for people without long hair and below the uneven ends.
    """
    shape = (len(person.hair_long), n_rows, n_columns)
    angle = torch.linspace(0.40 * math.pi, 1.60 * math.pi, n_columns, device=device)[None, None]
    t = torch.linspace(0, 1, n_rows, device=device)[None, :, None]
    p = {name: getattr(person, name)[..., None] for name in CURTAIN_PARAMETERS}  # (n_faces, 1, 1)
    along = (6 + p["hair_length"]) * t
    around = (angle * 9).expand(shape)
    lock = noise(around.flatten(1) * 1.6, along.expand(shape).flatten(1) * 0.25, person, layer=8).view(shape)
    fall = torch.sin(math.pi * t.clamp(max=0.85))
    width = (
        7.5 + 0.4 * p["hair_thickness"] + 0.5 * fall + p["hair_flare"] * t * 1.3 + 0.3 * p["hair_part"] * t
    )
    width = width * p["head_width"] * (1 - 0.12 * t**3) + 0.22 * lock
    forward = 2.0 * torch.sigmoid((t - 0.5) / 0.09) * torch.sigmoid((torch.cos(angle) + 0.35) / 0.08)
    x = width * torch.sin(angle)
    z = -2.0 + 7.6 * torch.cos(angle) + forward * (1 - p["hair_tucked"]) + 0.25 * lock
    y = (6.0 - along).expand(shape)
    ends = t + 0.06 * lock + 0.12 * (1 - torch.cos(2 * (angle - math.pi))) * 0.3
    visible = (p["hair_long"] > 0) & (ends < 0.96)
    return (
        torch.stack([x.expand(shape), y, z.expand(shape)], 1),
        around,
        along.expand(shape),
        visible.expand(shape),
    )
