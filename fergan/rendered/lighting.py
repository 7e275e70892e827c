"""Light: normals, hollows, cast shadows, and the light that leaves a surface."""

import torch
import torch.nn.functional as F

SHADOW_TEXELS, SHADOW_WIDTH = 96, 40.0  # shadow map: texels and cm
SHADOW_DEPTH = 0.75  # share of the key light a full shadow takes away; the rest is light from all around
WRAP = (0.28, 0.17, 0.12)  # light that skin carries around edges, by channel


def unit(vectors, dim=1):
    """Vectors scaled to length 1."""
    return vectors * (vectors * vectors).sum(dim, keepdim=True).clamp(min=1e-12).rsqrt()


def surface_normals(position, outward):
    """Unit normals by central differences, for (n_faces, 3, rows, columns)."""
    down, across = torch.gradient(position, dim=(2, 3))
    return unit(torch.linalg.cross(down, across, dim=1) * outward)


def _blur(field, width):
    """Box blur of (n, 1, rows, columns), one axis at a time."""
    half = width // 2
    field = F.avg_pool2d(F.pad(field, (half, half, 0, 0), mode="replicate"), (1, width), stride=1)
    return F.avg_pool2d(F.pad(field, (0, 0, half, half), mode="replicate"), (width, 1), stride=1)


def light_direction(setting):
    """Unit vectors to the light (n_faces, 3) from azimuth (to the image's right) and elevation in degrees."""
    azimuth, elevation = (torch.deg2rad(setting[f"light_{name}"]) for name in ("azimuth", "elevation"))
    across = torch.cos(elevation)
    return torch.cat([torch.sin(azimuth) * across, torch.sin(elevation), torch.cos(azimuth) * across], 1)


def ambient_share(part):
    """Share of the light from all around that reaches each point of a part, 0..1."""
    if part.name == "head":
        return hollow_shade(part)
    if part.name == "torso":
        return neck_shade(part)
    return torch.full_like(part.position[:, 0], 0.9)


def hollow_shade(part):
    """Ambient light in the head's hollows, 0..1: less where the surface lies behind its surroundings."""
    depth = part.position[:, 2:]
    shade = 0.0
    for window, weight in ((7, 0.28), (17, 0.16)):
        shade = shade + weight * (_blur(depth, window) - depth).clamp(min=0)
    return (1 - 1.6 * shade[:, 0]).clamp(0.45, 1)


def neck_shade(part):
    """The neck lies in the chin's shade."""
    y, cosine = part.coordinates[:, 1], part.coordinates[:, 2]
    return 1 - 0.55 * torch.sigmoid((y + 13.2) / 0.7) * torch.sigmoid(5 * (cosine + 0.3))


def cast_shadows(positions, light):
    """Share of the key light that reaches each point, 0..1, by an exponential shadow map.

    Parameters
    ----------
    positions : list of Tensor of shape (n_faces, 3, rows, columns)
        Surfaces as the camera sees them, cm.
    light : Tensor of shape (n_faces, 3)
        Unit vectors to the light.

    Returns
    -------
    list of Tensor of shape (n_faces, rows, columns)
    """
    up = torch.tensor([0.0, 1.0, 0.0], device=light.device).expand_as(light)
    right = unit(torch.linalg.cross(up, light, dim=1))
    axes = torch.stack([right, torch.linalg.cross(light, right, dim=1), light], 1)  # (n_faces, 3, 3)
    points = torch.cat([p.flatten(2) for p in positions], 2)
    u, v, toward = (axes @ points).unbind(1)
    half = SHADOW_WIDTH / 2
    column = ((u + half) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp(0, SHADOW_TEXELS - 1)
    row = ((v + half + 3) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp(0, SHADOW_TEXELS - 1)
    cell = row.long() * SHADOW_TEXELS + column.long()
    nearest = torch.full((len(light), SHADOW_TEXELS**2), -40.0, device=light.device)
    nearest.scatter_reduce_(1, cell, toward, "amax")
    nearest = F.max_pool2d(nearest.view(-1, 1, SHADOW_TEXELS, SHADOW_TEXELS), 3, stride=1, padding=1)
    sharpness = 1.2  # per cm: larger is a harder edge
    blocked = _blur(_blur(torch.exp(sharpness * nearest), 5), 3).flatten(1).gather(1, cell)
    lit = (torch.exp(sharpness * (toward + 1.4)) / blocked).clamp(0, 1)
    lit = 1 - SHADOW_DEPTH * (1 - lit)
    sizes = [p.shape[2] * p.shape[3] for p in positions]
    pieces = lit.split(sizes, 1)
    return [piece.view(-1, *p.shape[2:]) for piece, p in zip(pieces, positions, strict=True)]


def shade(albedo, gloss, catchlight, normal, arriving, light, setting):
    """Light leaving each point, linear RGB (n_faces, 3, m): ambient, wrapped Lambert, two specular lobes."""
    key_share, ambient_share = arriving
    half = unit(light + torch.tensor([0.0, 0.0, 1.0], device=light.device))
    facing = sum(n * light[:, i : i + 1] for i, n in enumerate(normal))
    mirror = sum(n * half[:, i : i + 1] for i, n in enumerate(normal)).clamp(min=0)
    ambient = setting["ambient"] * (0.8 + 0.2 * normal[1]) * ambient_share
    wrap = torch.tensor(WRAP, device=light.device)[None, :, None]
    bleed = torch.tensor([0.10, 0.04, 0.02], device=light.device)[
        None, :, None
    ]  # shadows on skin glow a little red
    through = key_share.unsqueeze(1) * (1 - bleed) + bleed
    diffuse = ((facing.unsqueeze(1) + wrap) / (1 + wrap)).clamp(min=0) * through
    key = setting["key"].unsqueeze(1) * torch.cat([1 + setting["warmth"], torch.ones_like(setting["warmth"]),
                                                   1 - setting["warmth"]], 1).unsqueeze(2)  # fmt: skip
    square = mirror * mirror
    lobe = square**6
    specular = gloss * (0.07 * lobe + 0.09 * lobe**4) * setting["key"] * key_share
    reflected = (specular + 0.75 * catchlight).unsqueeze(1)
    return albedo * (ambient.unsqueeze(1) + diffuse * key) + reflected
