"""What belongs to a head besides the face: neck and shoulders, ears, glasses; grids of points in cm."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

# Neck and shoulders: height, half-width, depth in front, depth behind.
TORSO_RINGS = np.array(
    [
        [-4.5, 4.5, 3.0, 4.6],
        [-8.0, 5.1, 3.6, 6.0],
        [-11.5, 5.5, 4.0, 6.8],
        [-13.0, 6.7, 4.4, 7.2],
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


def torso(person, drop, n_columns=88):
    """Neck and shoulders; coordinates are x, y and the cosine of the angle around the axis (1 in front)."""
    device = drop.device
    rows, neck = _torso_rings(str(device))
    angle = torch.linspace(-math.pi, math.pi, n_columns, device=device)
    sine, cosine = torch.sin(angle), torch.cos(angle)
    y, half, front, back = (rows[:, i, None] for i in range(4))
    widen = 1 + (person.neck_width[..., None] - 1) * neck[None, :, None]  # (n_faces, rows, 1)
    broad = 0.9 + 0.16 * person.masculinity[..., None] * (1 - neck[None, :, None]) + 0.1 * neck[None, :, None]
    x = half * widen * broad * sine
    depth = torch.where(cosine > 0, front, back)
    z = TORSO_AXIS_Z + depth * widen * cosine
    y = y.expand_as(x)
    position = torch.stack([x, y, z], 1)
    return Part("torso", position, torch.stack([x, y, cosine.expand_as(x)], 1), refine=(4, 3))


def torso_albedo(x, y, cosine, person):
    """Skin above the collar, cloth below; a V-neck reaches down in front."""
    front = torch.sigmoid(4 * cosine)
    collar = -13.9 - person.neckline * torch.exp(-((x / 4.2) ** 2)) * front + 0.6 * (1 - front)
    cloth = torch.sigmoid((collar - y) / 0.1)
    hem = 1 - 0.25 * torch.exp(-(((collar - 0.35 - y) / 0.12) ** 2))
    return torch.lerp(
        person.skin.expand(-1, -1, x.shape[1]), person.cloth * hem.unsqueeze(1), cloth.unsqueeze(1)
    )


def ear(person, side, n=16):
    """One ear (side 1 on the image's right); coordinates are the rim's relief, and the place on the ear."""
    device = person.age.device
    axis = torch.linspace(-1, 1, n, device=device)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    square = (u**2 + v**2).clamp(max=1)
    radius = square.sqrt()
    rim = 0.32 * torch.exp(-(((radius - 0.82) / 0.16) ** 2)) - 0.3 * torch.exp(
        -(((radius - 0.35) / 0.3) ** 2)
    )
    dome = (1 - square).sqrt()
    z = -1.0 + 1.6 * u * (1 + 0.18 * v)
    y = -1.1 + 3.0 * v - 0.25 * u
    x = side * (7.3 * person.head_width[..., None] + 0.25 * dome + rim - 0.4 * u)
    position = torch.stack([x, y.expand_as(x), z.expand_as(x)], 1)
    coordinates = torch.stack([rim, u, v]).expand(len(x), -1, -1, -1)
    visible = (u**2 + v**2 < 1).expand(len(x), -1, -1)
    return Part("ear", position, coordinates, refine=(3, 2), outward=side, visible=visible)


def glasses(person, kind):
    """Two lenses with frames, one bridge and two temples in one grid; coordinates are opacity, and place.

    `kind` is a tensor of shape (n_faces, 1): 0 none, 1 clear, 2 dark.
    """
    device = kind.device
    angle = torch.linspace(0, 2 * math.pi, 44, device=device)
    radius = torch.linspace(0, 1, 8, device=device)[:, None] ** 0.6
    n_faces = len(kind)
    sides, masks = [], []
    for side in (-1.0, 1.0):
        x = side * (person.eye_x[..., None] + 0.05) + 2.45 * radius * torch.cos(angle)
        y = (-0.25 + 1.75 * radius * torch.sin(angle)).expand_as(x)
        z = 10.1 - 0.07 * (x.abs() - 1) ** 2 / 2
        sides.append(torch.stack([x, y, z], 1))
        frame = (radius > 0.9).expand(8, 44)[None]
        masks.append((frame & (kind[..., None] > 0)) | (kind[..., None] > 1.5))
    for side in (-1.0, 1.0):  # temples, as wide as the other blocks so that all fit one grid
        t = torch.linspace(0, 1, 44, device=device)[None]
        x = (
            side
            * (5.55 + 2.0 * t**0.7)
            * torch.ones(n_faces, 8, 1, device=device)
            * person.head_width[..., None]
        )
        y = (0.55 + 0.3 * torch.linspace(-0.5, 0.5, 8, device=device)[:, None] + 0 * t).expand_as(x)
        z = (9.3 - 10.3 * t).expand_as(x)
        sides.append(torch.stack([x, y, z], 1))
        masks.append((kind[..., None] > 0).expand(n_faces, 8, 44))
    t = torch.linspace(-1, 1, 44, device=device)[None]
    x = (0.9 * t).expand(n_faces, 8, 44)
    y = (0.25 + 0.25 * (1 - t**2) + 0.25 * torch.linspace(-0.5, 0.5, 8, device=device)[:, None]).expand_as(x)
    sides.append(torch.stack([x, y, torch.full_like(x, 10.4)], 1))
    masks.append((kind[..., None] > 0).expand(n_faces, 8, 44))
    parts = []
    for position, visible in zip(sides, masks, strict=True):
        parts.append(Part("glasses", position, torch.zeros_like(position), refine=(4, 4), visible=visible))
    return parts
