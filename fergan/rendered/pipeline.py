"""One batch of faces from parameters to linear images: surfaces, light, visibility, colour."""

from dataclasses import dataclass

import torch

from fergan.rendered.colouring import part_colour
from fergan.rendered.hair import hairline
from fergan.rendered.landmarks import face_box, landmark_pixels
from fergan.rendered.lighting import arriving_light, cast_shadows, light_direction, shade
from fergan.rendered.raster import Camera, draw_points, pad_indices, put, reduce_image, rotation, take, turned
from fergan.rendered.surfaces import all_parts


@dataclass
class Truth:
    """What is known of a rendered face: box (n_faces, 4) and landmarks (n_faces, 68, 2), in pixels."""

    box: torch.Tensor
    landmarks: torch.Tensor


@torch.inference_mode()
def render_batch(person, units, setting, size):
    """Render n faces without background.

    Parameters
    ----------
    person : SimpleNamespace
        From :func:`fergan.rendered.identity.stack_identities`.
    units : Tensor of shape (n_faces, 14, 2)
        Intensities 0..1, person's left and right.
    setting : SimpleNamespace
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
    device = units.device
    line = hairline(person, device)
    parts, base = all_parts(person, units, setting.glasses, line)
    turn = rotation(setting.yaw, setting.pitch, setting.roll, device)
    turn_body = rotation(setting.yaw * setting.body_follows, setting.pitch * 0.3, setting.roll * 0.2, device)
    light = light_direction(setting.light_azimuth, setting.light_elevation, device)
    camera = Camera(size, setting.scale, setting.shift_x, setting.shift_y)
    positions = [turned(part.position, turn_body if part.name == "torso" else turn) for part in parts]
    nearest, points = draw_points(parts, _lit_surfaces(parts, positions, light, setting), camera)
    image = _colour_visible(parts, nearest, points, person, units, setting, line)

    resolution = camera.resolution
    n_points = sum(table.shape[1] for table in points)
    covered = (nearest < n_points).float().view(-1, 1, resolution, resolution)
    image = reduce_image(image.reshape(-1, 3, resolution, resolution))
    landmarks = landmark_pixels(person, units, parts[0], turn, camera)
    return (
        image,
        reduce_image(covered),
        Truth(face_box(base, landmarks, turn, camera), landmarks),
    )


def _lit_surfaces(parts, positions, light, setting):
    """What each point carries: position, coordinates, and the light that arrives."""
    surfaces = []
    for part, position, key_share in zip(parts, positions, cast_shadows(positions, light), strict=True):
        arriving = arriving_light(part, position, key_share, light, setting)
        surfaces.append(torch.cat([position, part.coordinates, arriving], 1))
    return surfaces


def _colour_visible(parts, nearest, points, person, units, setting, line):
    """Colour what the camera sees, one part after the other: (n_faces, 3, pixels), linear RGB."""
    n_faces, n_pixels = nearest.shape
    image = torch.zeros(n_faces, 3, n_pixels + 1, device=units.device)  # one more place for the padding
    gaze = setting.gaze_x, setting.gaze_y
    first = 0
    for part, table in zip(parts, points, strict=True):
        last = first + table.shape[1]
        pixels = pad_indices((nearest >= first) & (nearest < last))
        point = nearest.gather(1, pixels.clamp(max=n_pixels - 1)) - first
        channels = take(table, point)[3:]
        albedo, gloss, catchlight = part_colour(part.name, channels[:3], person, units, gaze, line)
        put(image, pixels, shade(albedo, gloss, catchlight, channels[3:], setting))
        first = last
    return image[..., :-1]
