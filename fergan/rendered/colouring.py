"""Colour of visible points, part by part: albedo, gloss and eye reflections."""

import torch

from fergan.rendered.appearance import colour, face_colour
from fergan.rendered.body import torso_albedo
from fergan.rendered.fields import bell, clip
from fergan.rendered.geometry import FaceCurves
from fergan.rendered.hair import FROM_AZIMUTH, depth_inside, scalp_strands, strands
from fergan.rendered.raster import pad_indices, put, take
from fergan.rendered.texture import noise

EAR_TINT = (1.0, 0.86, 0.82)  # ears are redder than the face
GLASSES_COLOUR = 0.02
HAIRLINE_BLEND = 0.2  # cm over which single hairs become a cover
OPAQUE = 0.98  # hair covers the skin from here on


def part_colour(name, coordinates, person, units, gaze, line):
    """Colour of the visible points of one part.

    Parameters
    ----------
    name : str
        Of the part.
    coordinates : Tensor of shape (3, n_faces, m)
        The part's coordinates at each point.
    person : SimpleNamespace
    units : Tensor of shape (n_faces, 14, 2)
    gaze : tuple of 2 numbers
    line : Tensor
        From :func:`fergan.rendered.hair.hairline`.

    Returns
    -------
    albedo : Tensor of shape (n_faces, 3, m)
        Linear RGB.
    gloss, catchlight : Tensor of shape (n_faces, m), or float
    """
    u, v, w = coordinates
    if name == "head":
        return _head_colour(u, v, w, person, units, gaze, line)
    if name == "torso":
        return torso_albedo(u, v, w, person), 0.3, 0.0
    if name == "curtain":
        return person.hair_colour * strands(u, v, person).unsqueeze(1), 0.45, 0.0
    if name == "ear":
        tint = colour(EAR_TINT, str(u.device))
        return person.skin * tint * (0.95 + 0.6 * u).unsqueeze(1), 0.5, 0.0
    return torch.full_like(u, GLASSES_COLOUR).unsqueeze(1).expand(-1, 3, -1), 1.0, 0.0


def _head_colour(x, y, azimuth, person, units, gaze, line):
    """The head: the face's colours where skin shows, strands where hair grows, mixed at the hairline."""
    arc = azimuth * FROM_AZIMUTH
    inside = depth_inside(azimuth, y, line)
    hairs = noise(arc * 9, y * 2.5, person, layer=12)
    cover = torch.sigmoid((inside - 0.15 + 0.16 * hairs).div_(HAIRLINE_BLEND).clamp_(-30, 30))
    cover = cover * (0.7 + 0.3 * clip(person.hair_thickness / 0.4, high=1.0))
    parting = bell(azimuth, 0.6 * person.hair_part, 0.028) * ((y - 6.5) * 0.5).clamp_(0, 1)
    cover = cover * (1 - 0.5 * person.hair_parted * parting)
    strand = scalp_strands(azimuth, y, person) * inside.mul(0.3).clamp_(0, 0.3).add_(0.7)
    hair = person.hair_colour * strand.unsqueeze(1)
    bare = pad_indices((cover < OPAQUE) & (azimuth.abs() < 1.7) & (inside < 1.5))
    face_x, face_y, face_azimuth, depth = take(torch.stack([x, y, azimuth, inside], -1), bare)
    cosine = torch.cos(face_azimuth)
    front = torch.sigmoid(6 * cosine) * (cosine > 0)
    curves = FaceCurves(face_x, person, units)
    skin, gloss, catchlight = face_colour(face_x, face_y, face_azimuth * FROM_AZIMUTH, person, curves, gaze, front)
    # Hair shades the skin before it, the more the thicker it lies.
    shade = bell(depth.clamp(max=0.0), 0.0, 0.55) * (0.3 * clip(person.hair_thickness + person.hair_fringe, high=1.0))
    skin = skin * (1 - shade).unsqueeze(1)
    # Albedo, gloss, catchlight; the padding goes to one more place at the end.
    painted = x.new_zeros(len(x), 5, x.shape[1] + 1)
    painted[:, :3], painted[:, 3] = person.skin, 1.0
    put(painted, bare, torch.cat([skin, gloss.unsqueeze(1), catchlight.unsqueeze(1)], 1))
    albedo, gloss, catchlight = painted[:, :3, :-1], painted[:, 3, :-1], painted[:, 4, :-1]
    return torch.lerp(albedo, hair, cover.unsqueeze(1)), gloss * (1 - 0.55 * cover), catchlight * (1 - cover)
