"""All surfaces of one scene: the head with relief and hair, and what belongs to it."""

from functools import lru_cache

import torch

from fergan.rendered.body import Part, ear, glasses, torso
from fergan.rendered.fields import is_absent
from fergan.rendered.geometry import FaceCurves, HeadGrid
from fergan.rendered.hair import curtain, depth_inside, hair_thickness
from fergan.rendered.relief import relief


@lru_cache(maxsize=4)
def head_grid(device="cpu"):
    """The grid all heads share; finer than a pixel in the face at 128 pixels once refined."""
    return HeadGrid(device=device)


def head_part(person, units, line):
    """The head with relief and hair.

    Parameters
    ----------
    person : SimpleNamespace
    units : Tensor of shape (n_faces, 14, 2)
    line : Tensor
        From :func:`fergan.rendered.hair.hairline`.

    Returns
    -------
    part : Part
        Coordinates are x and y on the smooth head, and azimuth.
    base : Tensor of shape (n_faces, 3, rows, columns)
        The smooth head.
    """
    grid = head_grid(str(units.device))
    base = grid.base(person, units)
    n_faces = len(base)
    window = grid.face_part(base)
    x, y = window[:, 0].flatten(1), window[:, 1].flatten(1)
    height = relief(x, y, person, FaceCurves(x, person, units)).view(n_faces, *window.shape[2:])
    position = base.clone()
    face = grid.face_part(position)
    height *= grid.face_part(grid.front_steps.expand(grid.shape))
    sine, cosine = (grid.face_part(t.expand(grid.shape)) for t in (grid.sine, grid.cosine))
    face[:, 0] += 0.6 * sine * height
    face[:, 2] += (0.4 + 0.6 * cosine) * height
    azimuth = grid.azimuth.expand(n_faces, *grid.shape)
    if not is_absent(person.hair):
        around, level = azimuth.flatten(1), base[:, 1].flatten(1)
        thick = hair_thickness(around, level, depth_inside(around, level, line), person).view(n_faces, *grid.shape)
        position[:, 0] += 0.9 * grid.sine * thick
        position[:, 1] += thick * ((base[:, 1] - 5) * (0.8 / 6)).clamp_(0, 0.8).add_(0.15)
        position[:, 2] += 0.9 * grid.cosine * thick
    return Part("head", position, torch.stack([base[:, 0], base[:, 1], azimuth], 1), refine=(2, 2)), base


def all_parts(person, units, glasses_kind, line):
    """Every surface of the scene; long hair and glasses only where somebody in the batch has them."""
    device = units.device
    head, base = head_part(person, units, line)
    parts = [head, torso(person, device), ear(person, 1.0, device), ear(person, -1.0, device)]
    if _anybody(person.hair_long):
        position, around, along, visible = curtain(person, device)
        coordinates = torch.stack([around, along, torch.zeros_like(along)], 1)
        parts.append(Part("curtain", position, coordinates, refine=(3, 3), visible=visible))
    if _anybody(glasses_kind):
        parts.extend(glasses(person, glasses_kind, device))
    return parts, base


def _anybody(number):
    return bool((number > 0).any()) if torch.is_tensor(number) else number > 0
