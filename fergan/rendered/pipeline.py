"""One batch of faces from parameters to linear images: surfaces, light, visibility, colour."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from fergan.rendered.colouring import part_colour
from fergan.rendered.landmarks import face_box, landmark_pixels
from fergan.rendered.lighting import ambient_share, cast_shadows, light_direction, shade, surface_normals
from fergan.rendered.raster import SUPERSAMPLING, Camera, draw_points, pad_indices, put, rotation, take
from fergan.rendered.surfaces import all_parts


@dataclass
class Truth:
    """What is known of a rendered face: box (n_faces, 4) and landmarks (n_faces, 68, 2), in pixels."""

    box: torch.Tensor
    landmarks: torch.Tensor


@torch.no_grad()
def render_batch(person, units, setting, size):
    """Render n faces without background.

    Parameters
    ----------
    person : SimpleNamespace
        From :func:`fergan.rendered.identity.stack_identities`.
    units : Tensor of shape (n_faces, 14, 2)
        Intensities 0..1, person's left and right.
    setting : dict of Tensor of shape (n_faces, 1)
        The numbers of :func:`fergan.rendered.scene.draw_setting`, and `body_follows`, the share of the head's
        turn that the shoulders make.
    size : int
        Width and height in pixels.

    Returns
    -------
    image : Tensor of shape (n_faces, 3, size, size)
        Linear RGB, multiplied by coverage.
    coverage : Tensor of shape (n_faces, 1, size, size)
        0..1.
    truth : Truth
    """
    parts, base = all_parts(person, units, setting["glasses"])
    angles = [setting[name][:, 0] for name in ("yaw", "pitch", "roll")]
    turn = rotation(*angles)
    turn_body = rotation(angles[0] * setting["body_follows"][:, 0], angles[1] * 0.3, angles[2] * 0.2)
    light = light_direction(setting)
    camera = Camera(size, setting["scale"][:, 0], torch.cat([setting["shift_x"], setting["shift_y"]], 1))
    positions = [
        torch.einsum("bij,bjrc->birc", turn_body if part.name == "torso" else turn, part.position)
        for part in parts
    ]
    nearest, points = draw_points(parts, _lit_surfaces(parts, positions, light), camera)
    image = _colour_visible(parts, nearest, points, person, units, light, setting)

    resolution = camera.resolution
    n_points = sum(table.shape[1] for table in points)
    covered = (nearest < n_points).float().view(-1, 1, resolution, resolution)
    image = F.avg_pool2d(image.reshape(-1, 3, resolution, resolution), SUPERSAMPLING)
    landmarks = landmark_pixels(person, units, parts[0], turn, camera)
    return (
        image,
        F.avg_pool2d(covered, SUPERSAMPLING),
        Truth(face_box(base, landmarks, turn, camera), landmarks),
    )


def _lit_surfaces(parts, positions, light):
    """What each point carries: position, coordinates, normal, and the key and ambient light that arrive."""
    surfaces = []
    for part, position, key_share in zip(parts, positions, cast_shadows(positions, light), strict=True):
        normal = surface_normals(position, part.outward)
        arriving = torch.stack([key_share, ambient_share(part)], 1)
        surfaces.append(torch.cat([position, part.coordinates, normal, arriving], 1))
    return surfaces


def _colour_visible(parts, nearest, points, person, units, light, setting):
    """Colour what the camera sees, one part after the other: (n_faces, 3, pixels), linear RGB."""
    n_faces, n_pixels = nearest.shape
    image = torch.zeros(n_faces, 3, n_pixels + 1, device=units.device)  # one more place for the padding
    gaze = torch.cat([setting["gaze_x"], setting["gaze_y"]], 1)
    first = 0
    for part, table in zip(parts, points, strict=True):
        last = first + table.shape[1]
        pixels = pad_indices((nearest >= first) & (nearest < last))
        point = nearest.gather(1, pixels.clamp(max=n_pixels - 1)) - first
        channels = take(table, point)[3:]
        albedo, gloss, catchlight = part_colour(part.name, channels[:3], person, units, gaze)
        put(image, pixels, shade(albedo, gloss, catchlight, channels[3:6], channels[6:8], light, setting))
        first = last
    return image[..., :-1]
