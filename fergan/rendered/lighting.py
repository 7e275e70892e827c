"""Light: normals, hollows, cast shadows, and the light that leaves a surface."""

from functools import lru_cache

import torch
import torch.nn.functional as F

from fergan.rendered.fields import constant

SHADOW_TEXELS, SHADOW_WIDTH = 96, 40.0  # shadow map: texels and cm
SHADOW_SHARPNESS = 1.2  # per cm: larger is a harder edge
SHADOW_BIAS = 1.4  # cm: a surface this much behind another is still lit, or everything would shade itself
SHADOW_DEPTH = 0.75  # share of the key light a full shadow takes away; the rest is light from all around
WRAP = (0.28, 0.17, 0.12)  # light that skin carries around edges, by channel
BLEED = (0.10, 0.04, 0.02)  # shadows on skin glow a little red


def _unit(vectors):
    """Vectors scaled to length 1."""
    return vectors * (vectors * vectors).sum(0, keepdim=True).clamp(min=1e-12).rsqrt()


@lru_cache(maxsize=16)
def _box_blur(n, widths):
    """Matrix (n, n) of box blurs one after the other, the border repeated: cheaper than pooling on grids this small."""
    matrix = torch.eye(n)
    for width in widths:
        reach = torch.arange(-(width // 2), width // 2 + 1)
        places = (torch.arange(n)[:, None] + reach).clamp(0, n - 1)
        share = torch.full(places.shape, 1 / width)
        matrix = torch.zeros(n, n).scatter_add_(1, places, share) @ matrix
    return matrix


def _blur(field, *widths):
    """Box blurs of (rows, columns)."""
    down, across = (_box_blur(n, widths) for n in field.shape)
    return down @ field @ across.T


def light_direction(azimuth, elevation):
    """Unit vector to the light (3,) from numbers in degrees: azimuth to the image's right, elevation."""
    azimuth, elevation = (torch.as_tensor(angle).deg2rad() for angle in (azimuth, elevation))
    across = torch.cos(elevation)
    return torch.stack([torch.sin(azimuth) * across, torch.sin(elevation), torch.cos(azimuth) * across])


def _ambient_share(part):
    """Share of the light from all around that reaches each point of a part, 0..1."""
    if part.name == "head":  # less in hollows, where the surface lies behind its surroundings
        depth = part.position[2]
        near, far = ((_blur(depth, window) - depth).clamp_(min=0) for window in (7, 17))
        return (1 - 0.45 * near - 0.26 * far).clamp_(0.45, 1)
    if part.name == "torso":  # the neck lies in the chin's shade
        y, cosine = part.coordinates[1:]
        return 1 - 0.5 * torch.sigmoid((y + 13.9) / 1.1) * torch.sigmoid(5 * (cosine + 0.3))
    return torch.full_like(part.position[0], 0.9)


def cast_shadows(positions, light):
    """Share of the key light that reaches each point, 0..1, by an exponential shadow map.

    `positions` are the surfaces as the camera sees them, each (3, rows, columns) in cm; `light` points to the light; the
    result is a tensor (rows, columns) for each.
    """
    right = _unit(torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), light))
    axes = torch.stack([right, torch.linalg.cross(light, right), light])
    u, v, toward = axes @ torch.cat([p.flatten(1) for p in positions], 1)
    half = SHADOW_WIDTH / 2
    column = ((u + half) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp_(0, SHADOW_TEXELS - 1)
    row = ((v + half + 3) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp_(0, SHADOW_TEXELS - 1)
    cell = row.long() * SHADOW_TEXELS + column.long()
    nearest = torch.full((SHADOW_TEXELS**2,), -40.0).scatter_reduce_(0, cell, toward, "amax")
    nearest = F.max_pool2d(nearest.view(1, SHADOW_TEXELS, SHADOW_TEXELS), 3, stride=1, padding=1)[0]
    shadow_map = _blur(torch.exp(SHADOW_SHARPNESS * nearest), 5, 3)[None, None]
    place = torch.stack([column, row], -1).mul_(2 / SHADOW_TEXELS).sub_(1)[None, None]  # -1..1 across the map
    blocked = F.grid_sample(shadow_map, place, padding_mode="border", align_corners=False).flatten()
    lit = (torch.exp(SHADOW_SHARPNESS * (toward + SHADOW_BIAS)) / blocked).clamp(0, 1)
    pieces = (1 - SHADOW_DEPTH * (1 - lit)).split([p[0].numel() for p in positions])
    return [piece.view(p.shape[1:]) for piece, p in zip(pieces, positions, strict=True)]


def arriving_light(part, position, key_share, light, setting):
    """What reaches each point of a part and in which direction it leaves: Tensor of shape (4, rows, columns).

    Cosine to the light, cosine of the mirrored view to the light, ambient light, share of the key light.
    """
    down, across = torch.gradient(position, dim=(1, 2))
    normal = _unit(torch.linalg.cross(down, across, dim=0) * part.outward)
    half = _unit(light + torch.tensor([0.0, 0.0, 1.0]))
    towards = torch.stack([light, half]) @ normal.flatten(1)  # (2, n_points)
    ambient = (0.8 + 0.2 * normal[1]) * _ambient_share(part) * setting.ambient
    return torch.cat([towards.view(2, *ambient.shape), torch.stack([ambient, key_share])])


def shade(albedo, gloss, catchlight, arriving, setting):
    """Light leaving each point, linear RGB (3, m): ambient, wrapped Lambert, two specular lobes.

    `arriving` are the four channels of :func:`arriving_light`, (4, m).
    """
    facing, mirror, ambient, key_share = arriving
    wrap, bleed = constant(*WRAP), constant(*BLEED)
    diffuse = ((facing + wrap) / (1 + wrap)).clamp_(min=0)
    diffuse *= torch.addcmul(bleed, key_share, 1 - bleed)
    diffuse *= (1 + setting.warmth * constant(1.0, 0.0, -1.0)) * setting.key  # warm light is redder and less blue
    sixth = mirror.clamp(min=0) ** 12
    square = sixth * sixth
    specular = (0.07 * sixth).addcmul_(square, square, value=0.09) * key_share * gloss * setting.key
    return albedo * diffuse.add_(ambient) + (specular + 0.75 * catchlight)
