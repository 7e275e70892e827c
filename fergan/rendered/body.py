"""What belongs to a head besides the face: neck and shoulders, ears, glasses; grids of points in cm."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from fergan.rendered.fields import bell, over_grid, soft_step

# Neck and shoulders: height, half-width, depth in front, depth behind.
TORSO_RINGS = np.array(
    [
        [-4.5, 4.4, 3.0, 4.6],
        [-8.0, 4.8, 3.6, 6.0],
        [-11.5, 5.1, 4.0, 6.8],
        [-13.0, 6.4, 4.4, 7.2],
        [-14.2, 10.0, 5.0, 7.5],
        [-15.5, 14.8, 5.8, 7.8],
        [-18.0, 18.8, 7.0, 8.2],
        [-36.0, 20.5, 9.0, 9.0],
    ]
)
NECK_RINGS = np.array([1, 1, 1, 0.8, 0.2, 0, 0, 0], np.float32)
# Where the grid's rows lie on the rings: close on neck and shoulders, wide below, where little is seen.
ROW_KNOTS, ROW_SHARES = [0, 3, 5.3, 6, 7], [0, 0.3, 0.55, 0.66, 1.0]
TORSO_AXIS_Z = -2.2  # cm: the neck stands behind the head's axis


@dataclass
class Part:
    """One grid of surface points.

    Attributes
    ----------
    name : str
    position : Tensor of shape (n_faces, 3, rows, columns)
        Centimetres, in the head's frame.
    coordinates : Tensor of shape (n_faces, 3, rows, columns)
        What the colour depends on; its meaning is the part's own.
    refine : tuple of int
        Points drawn per grid step, down and across, at 128 pixels.
    outward : float
        1 or -1: which side of the grid faces out.
    visible : Tensor of shape (n_faces, rows, columns), bool, or None
    """

    name: str
    position: torch.Tensor
    coordinates: torch.Tensor
    refine: tuple
    outward: float = 1.0
    visible: torch.Tensor | None = None


@lru_cache(maxsize=4)
def _torso_rings(device, n_rows=34):
    knots = np.arange(len(TORSO_RINGS))
    at = np.interp(np.linspace(0, 1, n_rows), ROW_SHARES, ROW_KNOTS)
    rows, neck = PchipInterpolator(knots, TORSO_RINGS)(at), np.interp(at, knots, NECK_RINGS)
    return [torch.as_tensor(values, dtype=torch.float32, device=device) for values in (rows, neck)]


@lru_cache(maxsize=4)
def _around_torso(device, n_columns=88):
    angle = torch.linspace(-math.pi, math.pi, n_columns, device=device)
    return torch.sin(angle), torch.cos(angle)


def torso(person, device):
    """Neck and shoulders; coordinates are x, y and the cosine of the angle around the axis (1 in front)."""
    rings, neck = _torso_rings(str(device))
    sine, cosine = _around_torso(str(device))
    neck = neck[None, :, None]
    y, half, front, back = (rings[None, :, i, None] for i in range(4))
    widen = 1 + (over_grid(person.neck_width) - 1) * neck  # (n_faces, rows, 1)
    broad = 0.9 + 0.16 * over_grid(person.masculinity) * (1 - neck) + 0.1 * neck
    x = half * widen * broad * sine
    z = TORSO_AXIS_Z + torch.where(cosine > 0, front, back) * widen * cosine
    y = y.expand_as(x)
    position = torch.stack([x, y, z], 1)
    return Part("torso", position, torch.stack([x, y, cosine.expand_as(x)], 1), refine=(4, 3))


def torso_albedo(x, y, cosine, person):
    """Skin above the collar, cloth below; a V-neck reaches down in front."""
    front = torch.sigmoid(4 * cosine)
    collar = -13.9 - person.neckline * bell(x, 0, 4.2) * front + 0.6 * (1 - front)
    cloth = soft_step(collar - y, 0.1)
    hem = 1 - 0.25 * bell(collar - y, 0.35, 0.12)
    skin = person.skin.expand(-1, -1, x.shape[1])
    return torch.lerp(skin, person.cloth * hem.unsqueeze(1), cloth.unsqueeze(1))


@lru_cache(maxsize=4)
def _ear_grid(device, n=16):
    """Place on the ear (u to the front, v up), relief of its rim, dome, and which points lie on it."""
    axis = torch.linspace(-1, 1, n, device=device)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    square = (u**2 + v**2).clamp(max=1)
    radius = square.sqrt()
    rim = 0.32 * bell(radius, 0.82, 0.16) - 0.3 * bell(radius, 0.35, 0.3)
    return u, v, rim, (1 - square).sqrt(), u**2 + v**2 < 1


def ear(person, side, device):
    """One ear (side 1 on the image's right); coordinates are the rim's relief, and the place on the ear."""
    u, v, rim, dome, on_it = _ear_grid(str(device))
    covered = over_grid(person.hair_long)  # long hair presses the ear to the head
    x = side * (over_grid(person.head_width) * (7.3 - 0.9 * covered) + (0.25 * dome + rim - 0.4 * u)[None])
    y, z = -1.1 + 3.0 * v - 0.25 * u, -1.0 + 1.6 * u * (1 + 0.18 * v)
    position = torch.stack([x, y.expand_as(x), z.expand_as(x)], 1)
    coordinates = torch.stack([rim, u, v]).expand(len(x), -1, -1, -1)
    return Part("ear", position, coordinates, refine=(3, 2), outward=side, visible=on_it.expand(len(x), -1, -1))


def glasses(person, kind, device):
    """Two lenses with frames, two temples and a bridge, each a grid; `kind` is 0 none, 1 clear or 2 dark."""
    kind = torch.as_tensor(kind, device=device).reshape(-1, 1, 1)
    shape = (len(kind), 8, 44)
    across = torch.linspace(0, 1, 44, device=device)
    down = torch.linspace(-0.5, 0.5, 8, device=device)[:, None]
    parts = []
    for side in (-1.0, 1.0):
        ring = (down + 0.5) ** 0.6
        angle = 2 * math.pi * across
        x = side * (over_grid(person.eye_x) + 0.05) + (2.45 * ring * torch.cos(angle))[None]
        y = -0.25 + 1.75 * ring * torch.sin(angle)
        frame = (ring > 0.9) & (kind > 0)
        parts.append(_glass(shape, x, y, 10.1 - 0.035 * (x.abs() - 1) ** 2, frame | (kind > 1.5)))
        x = side * over_grid(person.head_width) * (5.55 + 2.0 * across**0.7)
        parts.append(_glass(shape, x, 0.55 + 0.3 * down, 9.3 - 10.3 * across, kind > 0))
    x = 1.8 * (across - 0.5)
    y = 0.5 - (2 * across - 1) ** 2 / 4 + 0.25 * down
    parts.append(_glass(shape, x, y, torch.full_like(x, 10.4), kind > 0))
    return parts


def _glass(shape, x, y, z, visible):
    position = torch.stack([t.expand(shape) for t in (x, y, z)], 1)
    return Part("glasses", position, torch.zeros_like(position), refine=(4, 4), visible=visible.expand(shape))
