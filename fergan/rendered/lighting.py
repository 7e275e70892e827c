"""Light: normals, hollows, cast shadows, and the light that leaves a surface."""

from functools import lru_cache

import torch
import torch.nn.functional as F

from fergan.rendered.fields import constant, over_grid

SHADOW_TEXELS, SHADOW_WIDTH = 96, 40.0  # shadow map: texels and cm
SHADOW_SHARPNESS = 1.2  # per cm: larger is a harder edge
SHADOW_BIAS = 1.4  # cm: a surface this much behind another is still lit, or everything would shade itself
SHADOW_DEPTH = 0.75  # share of the key light a full shadow takes away; the rest is light from all around
WRAP = (0.28, 0.17, 0.12)  # light that skin carries around edges, by channel
BLEED = (0.10, 0.04, 0.02)  # shadows on skin glow a little red


def _unit(vectors):
    """Vectors scaled to length 1."""
    return vectors * (vectors * vectors).sum(1, keepdim=True).clamp(min=1e-12).rsqrt()


@lru_cache(maxsize=16)
def _box_blur(n, widths, device):
    """Matrix (n, n) of box blurs one after the other, the border repeated: cheaper than pooling on grids this small."""
    matrix = torch.eye(n, device=device)
    for width in widths:
        reach = torch.arange(-(width // 2), width // 2 + 1, device=device)
        places = (torch.arange(n, device=device)[:, None] + reach).clamp(0, n - 1)
        share = torch.full(places.shape, 1 / width, device=device)
        matrix = torch.zeros(n, n, device=device).scatter_add_(1, places, share) @ matrix
    return matrix


def _blur(field, *widths):
    """Box blurs of (n_faces, rows, columns)."""
    down, across = (_box_blur(n, widths, str(field.device)) for n in field.shape[1:])
    return down @ field @ across.T


def light_direction(azimuth, elevation, device):
    """Unit vectors to the light (n_faces, 3) from numbers in degrees: azimuth to the image's right, elevation."""
    azimuth, elevation = (torch.as_tensor(a, device=device).reshape(-1, 1).deg2rad() for a in (azimuth, elevation))
    across = torch.cos(elevation)
    return torch.cat([torch.sin(azimuth) * across, torch.sin(elevation), torch.cos(azimuth) * across], 1)


def _ambient_share(part):
    """Share of the light from all around that reaches each point of a part, 0..1."""
    if part.name == "head":  # less in hollows, where the surface lies behind its surroundings
        depth = part.position[:, 2]
        near, far = ((_blur(depth, window) - depth).clamp_(min=0) for window in (7, 17))
        return (1 - 0.45 * near - 0.26 * far).clamp_(0.45, 1)
    if part.name == "torso":  # the neck lies in the chin's shade
        y, cosine = part.coordinates[:, 1], part.coordinates[:, 2]
        return 1 - 0.5 * torch.sigmoid((y + 13.9) / 1.1) * torch.sigmoid(5 * (cosine + 0.3))
    return torch.full_like(part.position[:, 0], 0.9)


def cast_shadows(positions, light):
    """Share of the key light that reaches each point, 0..1, by an exponential shadow map.

    `positions` are the surfaces as the camera sees them, each (n_faces, 3, rows, columns) in cm; `light` (n_faces, 3) points
    to the light; the result is a tensor (n_faces, rows, columns) for each.
    """
    up = torch.tensor([0.0, 1.0, 0.0], device=light.device).expand_as(light)
    right = _unit(torch.linalg.cross(up, light, dim=1))
    axes = torch.stack([right, torch.linalg.cross(light, right, dim=1), light], 1)  # (n_faces, 3, 3)
    points = torch.cat([p.flatten(2) for p in positions], 2)
    u, v, toward = (axes @ points).unbind(1)
    half = SHADOW_WIDTH / 2
    column = ((u + half) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp_(0, SHADOW_TEXELS - 1)
    row = ((v + half + 3) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp_(0, SHADOW_TEXELS - 1)
    cell = row.long() * SHADOW_TEXELS + column.long()
    nearest = torch.full((len(light), SHADOW_TEXELS**2), -40.0, device=light.device)
    nearest.scatter_reduce_(1, cell, toward, "amax")
    nearest = F.max_pool2d(nearest.view(-1, SHADOW_TEXELS, SHADOW_TEXELS), 3, stride=1, padding=1)
    shadow_map = _blur(torch.exp(SHADOW_SHARPNESS * nearest), 5, 3).unsqueeze(1)
    place = torch.stack([column, row], -1).mul_(2 / SHADOW_TEXELS).sub_(1).unsqueeze(1)  # -1..1 across the map
    blocked = F.grid_sample(shadow_map, place, padding_mode="border", align_corners=False).flatten(1)
    lit = (torch.exp(SHADOW_SHARPNESS * (toward + SHADOW_BIAS)) / blocked).clamp(0, 1)
    pieces = (1 - SHADOW_DEPTH * (1 - lit)).split([p.shape[2] * p.shape[3] for p in positions], 1)
    return [piece.view(-1, *p.shape[2:]) for piece, p in zip(pieces, positions, strict=True)]


def arriving_light(part, position, key_share, light, setting):
    """What reaches each point of a part and in which direction it leaves: Tensor of shape (n_faces, 4, rows, columns).

    Cosine to the light, cosine of the mirrored view to the light, ambient light, share of the key light.
    """
    down, across = torch.gradient(position, dim=(2, 3))
    normal = _unit(torch.linalg.cross(down, across, dim=1) * part.outward)
    half = _unit(light + constant((0.0, 0.0, 1.0), light.device).flatten())
    towards = torch.stack([light, half], 1) @ normal.flatten(2)  # (n_faces, 2, n_points)
    ambient = (0.8 + 0.2 * normal[:, 1]) * _ambient_share(part) * over_grid(setting.ambient)
    return torch.cat([towards.view(-1, 2, *ambient.shape[1:]), torch.stack([ambient, key_share], 1)], 1)


def shade(albedo, gloss, catchlight, arriving, setting):
    """Light leaving each point, linear RGB (n_faces, 3, m): ambient, wrapped Lambert, two specular lobes.

    `arriving` are the four channels of :func:`arriving_light`, (4, n_faces, m).
    """
    facing, mirror, ambient, key_share = arriving
    wrap, bleed = constant(WRAP, albedo.device), constant(BLEED, albedo.device)
    diffuse = ((facing.unsqueeze(1) + wrap) / (1 + wrap)).clamp_(min=0)
    diffuse *= torch.addcmul(bleed, key_share.unsqueeze(1), 1 - bleed)
    # Warm light is redder and less blue: (n_faces, 3, 1).
    warmth, key = (torch.as_tensor(n, device=albedo.device).reshape(-1, 1, 1) for n in (setting.warmth, setting.key))
    diffuse *= (1 + warmth * constant((1.0, 0.0, -1.0), albedo.device)) * key
    sixth = mirror.clamp(min=0) ** 12
    square = sixth * sixth
    specular = (0.07 * sixth).addcmul_(square, square, value=0.09) * key_share * gloss * setting.key
    return albedo * diffuse.add_(ambient.unsqueeze(1)) + (specular + 0.75 * catchlight).unsqueeze(1)
