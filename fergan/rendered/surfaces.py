"""All surfaces of one scene: the head with relief and hair, and what belongs to it."""

from functools import lru_cache

import torch

from fergan.rendered.body import Part, ear, glasses, torso
from fergan.rendered.geometry import FaceCurves, HeadGrid, jaw_drop
from fergan.rendered.hair import curtain, hair_depth_inside, hair_thickness
from fergan.rendered.relief import relief


@lru_cache(maxsize=4)
def head_grid(device="cpu"):
    """The grid all heads share; finer than a pixel in the face at 128 pixels once refined."""
    return HeadGrid(device=device)


def head_part(person, units):
    """The head with relief and hair.

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
    azimuth = grid.azimuth.expand(grid.shape)
    front = torch.cos(grid.face_part(azimuth)).flatten()
    height = relief(x, y, person, FaceCurves(x, person, units)) * torch.sigmoid(6 * front) * (front > 0)
    raised = torch.zeros_like(base[:, 0])
    grid.face_part(raised)[:] = height.view(n_faces, *window.shape[2:])
    sine, cosine = torch.sin(grid.azimuth), torch.cos(grid.azimuth)
    position = base.clone()
    position[:, 0] += raised * sine * 0.6
    position[:, 2] += raised * (0.4 + 0.6 * cosine)
    around, level = azimuth.flatten()[None].expand(n_faces, -1), base[:, 1].flatten(1)
    inside = hair_depth_inside(around, level, person)
    thick = (hair_thickness(around, level, inside, person)).view(n_faces, *grid.shape)
    up = ((base[:, 1] - 5) / 6).clamp(0, 1)
    position[:, 0] += thick * sine * 0.9
    position[:, 1] += thick * (0.15 + 0.8 * up)
    position[:, 2] += thick * cosine * 0.9
    coordinates = torch.stack([base[:, 0], base[:, 1], azimuth.expand(n_faces, -1, -1)], 1)
    return Part("head", position, coordinates, refine=(2, 2)), base


def all_parts(person, units, glasses_kind):
    """Every surface of the scene; long hair and glasses only where somebody in the batch has them."""
    head, base = head_part(person, units)
    parts = [head, torso(person, jaw_drop(units)), ear(person, 1.0), ear(person, -1.0)]
    if bool((person.hair_long > 0).any()):
        position, around, along, visible = curtain(person, units.device)
        coordinates = torch.stack([around, along, torch.zeros_like(along)], 1)
        parts.append(Part("curtain", position, coordinates, refine=(4, 4), visible=visible))
    if bool((glasses_kind > 0).any()):
        parts.extend(glasses(person, glasses_kind))
    return parts, base
