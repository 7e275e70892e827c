"""Colour of visible points, part by part: albedo, gloss and eye reflections."""

import torch

from fergan.rendered.appearance import face_colour
from fergan.rendered.body import torso_albedo
from fergan.rendered.geometry import FaceCurves
from fergan.rendered.hair import hair_depth_inside, strands
from fergan.rendered.raster import pad_indices, put, take
from fergan.rendered.texture import noise

EAR_TINT = (1.0, 0.86, 0.82)  # ears are redder than the face
GLASSES_COLOUR = 0.02


def part_colour(name, coordinates, person, units, gaze):
    """Colour of the visible points of one part.

    Parameters
    ----------
    name : str
        Of the part.
    coordinates : Tensor of shape (3, n_faces, m)
        The part's coordinates at each point.
    person : SimpleNamespace
    units : Tensor of shape (n_faces, 14, 2)
    gaze : Tensor of shape (n_faces, 2)

    Returns
    -------
    albedo : Tensor of shape (n_faces, 3, m)
        Linear RGB.
    gloss, catchlight : Tensor of shape (n_faces, m), or float
    """
    u, v, w = coordinates
    if name == "head":
        return _head_colour(u, v, w, person, units, gaze)
    if name == "torso":
        return torso_albedo(u, v, w, person), 0.3, 0.0
    if name == "curtain":
        return person.hair_colour * strands(u, v, person).unsqueeze(1), 0.35, 0.0
    if name == "ear":
        tint = torch.tensor(EAR_TINT, device=u.device)[None, :, None]
        return person.skin * tint * (0.95 + 0.6 * u).unsqueeze(1), 0.5, 0.0
    return torch.full_like(u, GLASSES_COLOUR).unsqueeze(1).expand(-1, 3, -1), 1.0, 0.0


def _head_colour(x, y, azimuth, person, units, gaze):
    """The head: the face's colours where skin shows, strands where hair grows, mixed at the hairline."""
    inside = hair_depth_inside(azimuth, y, person)
    ragged = inside - 0.1 + 0.2 * noise(azimuth * 90, y * 2.0, person, layer=12)
    cover = torch.sigmoid((ragged / 0.2).clamp(-30, 30)) * (
        0.75 + 0.25 * (person.hair_thickness / 0.4).clamp(max=1)
    )
    strand = strands(azimuth * 9, y, person)
    hair = person.hair_colour * (strand * (0.7 + 0.3 * (inside / 1.0).clamp(0, 1))).unsqueeze(1)
    bare = pad_indices((cover < 0.98) & (azimuth.abs() < 1.7) & (inside < 1.5))
    face_x, face_y, face_azimuth = take(torch.stack([x, y, azimuth], -1), bare)
    front = torch.sigmoid(6 * torch.cos(face_azimuth)) * (torch.cos(face_azimuth) > 0)
    colour, shine, reflection = face_colour(
        face_x, face_y, person, FaceCurves(face_x, person, units), gaze, front
    )
    painted = x.new_zeros(
        len(x), 5, x.shape[1] + 1
    )  # albedo, gloss, catchlight; padding goes to the last place
    painted[:, :3], painted[:, 3] = person.skin, 1.0
    put(painted, bare, torch.cat([colour, shine.unsqueeze(1), reflection.unsqueeze(1)], 1))
    albedo, gloss, catchlight = painted[:, :3, :-1], painted[:, 3, :-1], painted[:, 4, :-1]
    return torch.lerp(albedo, hair, cover.unsqueeze(1)), gloss * (1 - 0.6 * cover), catchlight * (1 - cover)
