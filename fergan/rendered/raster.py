"""From surfaces to pixels: project, keep the nearest point of each pixel, gather what is known of it.

Surfaces are drawn as dense points into a depth buffer at twice the image's resolution. Only *where on which
surface* is kept per pixel. Colour follows, once per visible pixel: its detail is not bound to the grid.
"""

import torch
import torch.nn.functional as F

DISTANCE = 100.0  # camera to the head's axis, cm
FOCAL = 3.35  # frame widths per unit of x / depth: about 30 cm of scene fill the frame
SUPERSAMPLING = 2
DEPTH_STEPS, DEPTH_RANGE = 2047, 48.0  # 11-bit depth over 48 cm, and
POINT_BITS = 20  # a 20-bit point index, fill the 31 bits of a positive int32


def rotation(yaw, pitch, roll, device):
    """Matrices (n_faces, 3, 3) from numbers in degrees: yaw to the image's right, pitch down, roll anticlockwise."""
    yaw, pitch, roll = (torch.as_tensor(angle, device=device).reshape(-1).deg2rad() for angle in (yaw, pitch, roll))
    one, zero = torch.ones_like(yaw), torch.zeros_like(yaw)

    def matrix(*entries):
        return torch.stack(entries, -1).view(-1, 3, 3)

    c, s = torch.cos, torch.sin
    about_y = matrix(c(yaw), zero, s(yaw), zero, one, zero, -s(yaw), zero, c(yaw))
    about_x = matrix(one, zero, zero, zero, c(pitch), -s(pitch), zero, s(pitch), c(pitch))
    about_z = matrix(c(roll), -s(roll), zero, s(roll), c(roll), zero, zero, zero, one)
    return about_z @ about_x @ about_y


class Camera:
    """Perspective projection of points in cm to supersampled pixels; `scale` and the shifts are numbers."""

    def __init__(self, size, scale, shift_x, shift_y):
        self.size, self.resolution = size, size * SUPERSAMPLING
        self.focal = FOCAL * self.resolution * scale
        self.centre_x = self.resolution * (0.5 + shift_x)
        self.centre_y = self.resolution * (0.48 + shift_y)

    def project(self, points):
        """Columns, rows (supersampled pixels) and depth (cm), (n_faces, n), of points (n_faces, 3, n)."""
        depth = DISTANCE - points[:, 2]
        factor = self.focal / depth
        return self.centre_x + factor * points[:, 0], self.centre_y - factor * (points[:, 1] + 1.0), depth

    def pixels(self, points):
        """Columns and rows alone, (n_faces, n, 2)."""
        return torch.stack(self.project(points)[:2], -1)


def draw_points(parts, surfaces, camera):
    """Nearest point of any surface in every pixel.

    Parameters
    ----------
    parts : list of Part
    surfaces : list of Tensor of shape (n_faces, 3 + c, rows, columns)
        Position as the camera sees it (cm), then whatever each point carries.
    camera : Camera

    Returns
    -------
    nearest : Tensor of shape (n_faces, resolution * resolution), int32
        Index of the point, counted over all parts; beyond the last where nothing is.
    points : list of Tensor of shape (n_faces, n_points, 3 + c)
        The dense points of each part: column, row, depth, then what they carry.
    """
    side = camera.resolution + 2  # one pixel of margin catches what falls outside
    n_faces, device = len(surfaces[0]), surfaces[0].device
    buffer = torch.full((n_faces, side * side), 2**31 - 1, dtype=torch.int32, device=device)
    points, offset = [], 0
    for part, surface in zip(parts, surfaces, strict=True):
        column, row, depth = camera.project(surface[:, :3].flatten(2))
        if part.visible is not None:
            depth = torch.where(part.visible.flatten(1), depth, DISTANCE * 9)
        place = torch.stack([column, row, depth], 1).view(n_faces, 3, *surface.shape[2:])
        fine = _refine(torch.cat([place, surface[:, 3:]], 1), part.refine, camera.size)
        key, cell = _depth_keys(fine, side, offset)
        buffer.scatter_reduce_(1, cell, key, "amin")
        points.append(fine)
        offset += fine.shape[1]
    if offset >= 2**POINT_BITS:
        raise ValueError(f"size: {camera.size} pixels need {offset} points, more than {2**POINT_BITS}")
    nearest = _close_gaps(buffer.view(n_faces, side, side))[:, 1:-1, 1:-1].flatten(1)
    seen = nearest < (DEPTH_STEPS << POINT_BITS)
    return torch.where(seen, nearest & (2**POINT_BITS - 1), 2**POINT_BITS), points


def _refine(channels, refine, size):
    """Interpolate a grid (n, c, rows, columns) to about one point per supersampled pixel: (n, points, c)."""
    factor = max(1, round(size / 64)) / 2
    steps = [max(2, round(n * r * factor)) for n, r in zip(channels.shape[2:], refine, strict=True)]
    channels = channels.contiguous(memory_format=torch.channels_last)
    fine = F.interpolate(channels, steps, mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1).reshape(len(fine), -1, channels.shape[1])


def _depth_keys(fine, side, offset):
    """Integer keys that sort by depth and end in the point's index, and the cell of each point."""
    column, row, depth = fine[..., 0], fine[..., 1], fine[..., 2]
    step = ((depth - DISTANCE + DEPTH_RANGE / 2) * ((DEPTH_STEPS + 1) / DEPTH_RANGE)).clamp(0, DEPTH_STEPS).int()
    index = torch.arange(offset, offset + fine.shape[1], device=fine.device, dtype=torch.int32)
    cell = (row + 1).clamp(0, side - 1).long() * side + (column + 1).clamp(0, side - 1).long()
    return (step << POINT_BITS) + index, cell


def _close_gaps(buffer):
    """Widen every point to 2 x 2 pixels, then fill gaps that see through between nearer neighbours."""
    buffer[:, 1:] = torch.minimum(buffer[:, 1:], buffer[:, :-1].clone())
    buffer[:, :, 1:] = torch.minimum(buffer[:, :, 1:], buffer[:, :, :-1].clone())
    gap = round(0.5 * DEPTH_STEPS / DEPTH_RANGE) << POINT_BITS  # half a centimetre
    for before, after in ((1, 1), (1, 2), (2, 1)):  # gaps of one pixel, then either half of two
        for field in (buffer, buffer.transpose(1, 2)):
            n = field.shape[1]
            middle = field[:, before : n - after]
            bridge = torch.maximum(field[:, : n - before - after], field[:, before + after :])
            middle.copy_(torch.where(middle - bridge > gap, bridge, middle))
    return buffer


def reduce_image(image):
    """Mean of 2 x 2 fine pixels: (n, c, resolution, resolution) to (n, c, size, size)."""
    image = image[..., ::2, :] + image[..., 1::2, :]
    return (image[..., ::2] + image[..., 1::2]).mul_(1 / SUPERSAMPLING**2)


def pad_indices(mask):
    """Positions of True per row, padded to a rectangle with the row's length: int64 (n_rows, most)."""
    count = mask.sum(1)
    rows, columns = mask.nonzero(as_tuple=True)
    place = torch.arange(len(rows), device=mask.device) - (count.cumsum(0) - count)[rows]
    indices = torch.full((len(mask), max(1, int(count.max()))), mask.shape[1], device=mask.device)
    indices[rows, place] = columns
    return indices


def take(table, indices):
    """Rows of a table (n_faces, n, c) at padded indices (n_faces, m): Tensor of shape (c, n_faces, m)."""
    n_faces, n, _ = table.shape
    flat = indices.clamp(0, n - 1) + n * torch.arange(n_faces, device=table.device)[:, None]
    return table.reshape(n_faces * n, -1).index_select(0, flat.flatten()).T.reshape(-1, *indices.shape)


def put(target, indices, values):
    """Write values (n_faces, c, m) into target (n_faces, c, n + 1), whose last place takes the padding."""
    target.scatter_(2, indices[:, None].expand_as(values), values)
