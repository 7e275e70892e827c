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


def rotation(yaw, pitch, roll):
    """Matrix (3, 3) from numbers in degrees: yaw to the image's right, pitch down, roll anticlockwise."""
    angles = torch.tensor([yaw, pitch, roll]).deg2rad()
    (cy, cx, cz), (sy, sx, sz) = torch.cos(angles).tolist(), torch.sin(angles).tolist()
    about_y = torch.tensor([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_x = torch.tensor([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
    about_z = torch.tensor([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
    return (about_z[None] @ about_x[None] @ about_y[None])[0]  # as a batch of one: a plain product rounds differently


class Camera:
    """Perspective projection of points in cm to supersampled pixels; `scale` and the shifts are numbers."""

    def __init__(self, size, scale, shift_x, shift_y):
        self.size, self.resolution = size, size * SUPERSAMPLING
        self.focal = FOCAL * self.resolution * scale
        self.centre_x = self.resolution * (0.5 + shift_x)
        self.centre_y = self.resolution * (0.48 + shift_y)

    def project(self, points):
        """Columns, rows (supersampled pixels) and depth (cm), (n,) each, of points (3, n)."""
        x, y, z = points
        depth = DISTANCE - z
        factor = self.focal / depth
        return self.centre_x + factor * x, self.centre_y - factor * (y + 1.0), depth

    def pixels(self, points):
        """Columns and rows alone, (n, 2)."""
        return torch.stack(self.project(points)[:2], -1)


def draw_points(parts, surfaces, camera):
    """Nearest point of any surface in every pixel.

    `surfaces` has a tensor (3 + c, rows, columns) for each part: position as the camera sees it (cm), then whatever each
    point carries. Returns the index of the nearest point, counted over all parts and beyond the last where nothing is, int32
    of shape (resolution * resolution,); and the dense points of each part (n_points, 3 + c): column, row, depth, the rest.
    """
    side = camera.resolution + 2  # one pixel of margin catches what falls outside
    buffer = torch.full((side * side,), 2**31 - 1, dtype=torch.int32)
    points, offset = [], 0
    for part, surface in zip(parts, surfaces, strict=True):
        column, row, depth = camera.project(surface[:3].flatten(1))
        if part.visible is not None:
            depth = torch.where(part.visible.flatten(), depth, DISTANCE * 9)
        place = torch.stack([column, row, depth]).view(3, *surface.shape[1:])
        fine = _refine(torch.cat([place, surface[3:]]), part.refine, camera.size)
        key, cell = _depth_keys(fine, side, offset)
        buffer.scatter_reduce_(0, cell, key, "amin")
        points.append(fine)
        offset += len(fine)
    if offset >= 2**POINT_BITS:
        raise ValueError(f"size: {camera.size} pixels need {offset} points, more than {2**POINT_BITS}")
    nearest = _close_gaps(buffer.view(side, side))[1:-1, 1:-1].flatten()
    seen = nearest < (DEPTH_STEPS << POINT_BITS)
    return torch.where(seen, nearest & (2**POINT_BITS - 1), 2**POINT_BITS), points


def _refine(channels, refine, size):
    """Interpolate a grid (c, rows, columns) to about one point per supersampled pixel: (points, c)."""
    factor = max(1, round(size / 64)) / 2
    steps = [max(2, round(n * r * factor)) for n, r in zip(channels.shape[1:], refine, strict=True)]
    channels = channels[None].contiguous(memory_format=torch.channels_last)
    fine = F.interpolate(channels, steps, mode="bilinear", align_corners=True)[0]
    return fine.permute(1, 2, 0).reshape(-1, len(fine))


def _depth_keys(fine, side, offset):
    """Integer keys that sort by depth and end in the point's index, and the cell of each point."""
    column, row, depth = fine[:, 0], fine[:, 1], fine[:, 2]
    step = ((depth - DISTANCE + DEPTH_RANGE / 2) * ((DEPTH_STEPS + 1) / DEPTH_RANGE)).clamp(0, DEPTH_STEPS).int()
    index = torch.arange(offset, offset + len(fine), dtype=torch.int32)
    cell = (row + 1).clamp(0, side - 1).long() * side + (column + 1).clamp(0, side - 1).long()
    return (step << POINT_BITS) + index, cell


def _close_gaps(buffer):
    """Widen every point to 2 x 2 pixels, then fill gaps that see through between nearer neighbours."""
    for field in (buffer, buffer.T):
        field[1:] = torch.minimum(field[1:], field[:-1].clone())
    gap = round(0.5 * DEPTH_STEPS / DEPTH_RANGE) << POINT_BITS  # half a centimetre
    for before, after in ((1, 1), (1, 2), (2, 1)):  # gaps of one pixel, then either half of two
        for field in (buffer, buffer.T):
            n = len(field)
            middle = field[before : n - after]
            bridge = torch.maximum(field[: n - before - after], field[before + after :])
            middle.copy_(torch.where(middle - bridge > gap, bridge, middle))
    return buffer


def reduce_image(image):
    """Mean of 2 x 2 fine pixels: (c, resolution, resolution) to (c, size, size)."""
    image = image[..., ::2, :] + image[..., 1::2, :]
    return (image[..., ::2] + image[..., 1::2]).mul_(1 / SUPERSAMPLING**2)
