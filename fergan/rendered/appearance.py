"""Colour and light: skin, brows, eyes, lips, teeth and hair, shadows, and the light that leaves each point."""

from functools import lru_cache

import torch
import torch.nn.functional as F

from fergan.rendered.curves import SMOOTH, FaceCurves, bell, edge, noise, step, total, wrinkles
from fergan.rendered.labels import PAINT
from fergan.rendered.surfaces import FROM_AZIMUTH, depth_inside

GLASSES_COLOUR = 0.02
HAIRLINE_BLEND = 0.2  # cm over which single hairs become a cover
OPAQUE = 0.98  # hair covers the skin from here on

SHADOW_TEXELS, SHADOW_WIDTH = 96, 40.0  # shadow map: texels and cm
SHADOW_SHARPNESS = 1.2  # per cm: larger is a harder edge
SHADOW_BIAS = 1.4  # cm: a surface this much behind another is still lit, or everything would shade itself
SHADOW_DEPTH = 0.75  # share of the key light a full shadow takes away; the rest is light from all around


def face_colour(x, y, arc, person, curves, gaze, front):
    """Albedo, gloss and catchlight of the face's skin, see :func:`part_colour`; `front` is 1 there, 0 behind the ears.

    `arc` is the way along the skin from the midline, cm: textures on it do not stretch on the head's sides.
    """
    albedo = _skin(x, y, arc, person, curves, front)
    if person.beard:
        albedo = torch.lerp(albedo, person.brow_colour, _beard(x, y, arc, person, curves) * front)
    upturn = person.nose_upturn
    nostril = bell(x.abs(), 0.64 * curves.nose_width, 0.34, y, curves.tip - 0.52 + 0.25 * upturn, 0.17 + 0.05 * upturn)
    albedo = torch.lerp(albedo, PAINT.nostril, nostril.mul_(0.95).mul_(front).clamp_(0, 0.9))
    albedo, lip = _mouth(albedo, x, y, person, curves, front)
    albedo, catchlight = _eyes(albedo, x, y, person, curves, gaze, front)
    albedo = torch.lerp(albedo, person.brow_colour, _brows(x, y, person, curves) * front)
    return albedo, lip.mul_(0.9).add_(1), catchlight


def _tint(albedo, weight, factors):
    """Multiply the three channels towards `factors`, by weight."""
    return albedo * (1 - weight * (1 - factors))


def _skin(x, y, arc, person, curves, front):
    ax = x.abs()
    mottled = 0.03 * noise(arc * 2.2, y * 2.2, person) + 0.025 * noise(arc * 9, y * 9, person, layer=1)
    flush = total(x, (1.0, ax, 4.1, 1.7, y, -3.3, 1.5),
                  (0.7, x, 0, 1.1, y, curves.tip, 1.0),
                  (0.4, x, 0, 1.2, y, curves.chin_y, 0.9))
    albedo = person.skin * mottled.add_(1)
    albedo = _tint(albedo, (0.6 * (person.blush + 0.3 * person.makeup)) * flush * front, PAINT.flushed)
    dark = total(x, (person.freckles, lambda: (noise(arc * 11, y * 11, person, layer=2) - 1.0).clamp_(0, 0.8)
                     * bell(ax, 2.8, 2.6, y, -2.6, 2.0)),
                 (0.09 + 0.18 * person.age, ax, person.eye_x - 0.3, 1.6, y, -1.0, 0.55),
                 (0.22 * (1 + person.makeup), ax, person.eye_x, 1.7, y, 0.8, 0.45))
    around_eyes_and_nose, around_mouth = _creases(x, y, person, curves)
    return _tint(albedo, ((dark + around_eyes_and_nose + around_mouth) * front).clamp_(0, 0.9), PAINT.shaded)


def _creases(x, y, person, curves):
    """Dark lines where skin folds; they carry the Action Units that hardly move an outline."""
    act, mouth, ax = curves.act, curves.mouth, x.abs()
    lines = wrinkles(x, y, person, curves, depths=(0.4, 0.8, 0.7, 0.5))
    around_eyes_and_nose = total(
        x, *((depth, lambda shape=shape: shape().clamp_(min=0)) for depth, shape in lines),
        (0.5 * curves.fold, lambda: curves.fold_window(y) * bell(ax, curves.fold_x(y), 0.22)),
        (0.35, ax, 1.85 * curves.nose_width, 0.25, y, curves.tip + 0.02, 0.45),
        # Tightened lower lids: a dark line under the lid.
        (0.75 * act.au07 + 0.3 * act.au06, y, curves.eye.lower - 0.5, 0.15, ax, person.eye_x, 1.3))
    corner = 0.3 + 0.4 * act.au15 + 0.4 * act.au12 + 0.6 * act.au24 + 0.45 * act.au23
    pressed = 0.45 * act.au24 + 0.3 * act.au23
    around_mouth = total(
        x, (corner, mouth.across, 1.07, 0.1, y, mouth.line, 0.25),
        (0.1 + 0.75 * act.au17, x, 0, 1.5, y, curves.sulcus_y, 0.34),
        (0.6 * act.au17, lambda: (noise(x * 6, y * 6, person, layer=9) - 0.2).clamp_(0, 1)  # the raised chin's dimples
         * bell(x, 0, 1.3, y, curves.chin_y + 0.5, 0.9)),
        (pressed, mouth.across, 0, 0.85, y, mouth.outer_down - 0.12, 0.14),
        (0.8 * pressed, mouth.across, 0, 0.85, y, mouth.outer_up + 0.12, 0.14))
    return around_eyes_and_nose, around_mouth


def _beard(x, y, arc, person, curves):
    mouth, ax = curves.mouth, x.abs()
    below = step(0.5 * bell(ax, 0, 2.0) - 4.9 - y, 0.35)
    cheek = step(ax - 1.1 * step(y + 6.4, 0.3) + 2.2 * step(-6.3 - y, 0.3), 0.4)
    lips = edge(y - mouth.outer_down, 0.1) * edge(mouth.outer_up - y, 0.1) * edge(1.08 - mouth.across, 0.05)
    stubble = 0.8 + 0.2 * noise(arc * 14, y * 14, person, layer=10)
    return (0.8 * person.beard * below * cheek * (1 - 0.9 * lips) * stubble).clamp_(0, 0.92)


def _mouth(albedo, x, y, person, curves, front):
    mouth, act = curves.mouth, curves.act
    inside, thin = edge(1.06 - mouth.across, 0.04) * front, 0.06
    upper = edge(mouth.outer_up - y, thin) * edge(y - mouth.inner_up, thin)
    lower = edge(mouth.inner_down - y, thin) * edge(y - mouth.outer_down, thin)
    lip = inside * (upper + lower).clamp_(0, 1)
    albedo = _tint(albedo, lip * (0.62 + 0.3 * person.makeup), PAINT.lip)
    gap = mouth.inner_up - mouth.inner_down
    closed = (1 - 4 * gap).clamp_(0, 1) * (0.8 - 0.2 * act.au12)
    seam = bell(y, mouth.line, 0.085 + 0.05 * act.au24) * (1 - 0.7 * edge(mouth.across - 0.92, 0.05))
    albedo = torch.lerp(albedo, PAINT.seam, inside * seam * closed)
    if act.au25 == act.au27 == 0:
        return albedo, lip
    hole = inside * edge(mouth.inner_up - y, 0.05) * edge(y - mouth.inner_down, 0.05) * edge(gap - 0.12, 0.03)
    albedo = torch.lerp(albedo, PAINT.mouth_inside, hole)
    if act.au27:
        width, height = mouth.halfwidth * 0.55, 0.5 + 0.4 * act.au27
        tongue = hole * bell(x, 0, width, y, mouth.inner_down + 0.35, height) * (0.8 * act.au27)
        albedo = torch.lerp(albedo, PAINT.tongue, tongue)
    # The upper row of teeth, in the lips' shade towards the corners.
    lower_end = mouth.inner_up - (0.55 + 0.4 * act.au12) * (mouth.arch + 1e-6) ** 0.3
    row = hole * edge(y - lower_end, 0.06) * edge(0.95 - mouth.across, 0.05)
    gaps = 1 - 0.14 * bell(torch.remainder(x.abs() + 0.42, 0.84), 0.42, 0.06)
    return torch.lerp(albedo, PAINT.teeth, row * gaps * (0.3 + 0.65 * mouth.root)), lip


def _eyes(albedo, x, y, person, curves, gaze, front):
    eye, act = curves.eye, curves.act
    beside = eye.q.abs()
    inside = edge(1.01 - beside, 0.025) * front
    opened = inside * edge(eye.upper - y, 0.045) * edge(y - eye.lower, 0.045)
    ix = x - torch.sign(x) * (person.eye_x - 0.05) - gaze[0]
    iy = y - 0.03 - gaze[1]
    radius = (ix * ix).addcmul_(iy, iy).add_(1e-6).sqrt_()  # from the iris's centre, cm
    ball = torch.lerp(PAINT.sclera * (1 - 0.3 * eye.q * eye.q), person.iris * (0.75 + 1.17 * radius.clamp(max=0.6)),
                      edge(0.6 - radius, 0.03))
    ball = ball * ((1 - 0.75 * bell(radius, 0.6, 0.07)) * (1 - 0.96 * edge(0.25 - radius, 0.025)))  # dark ring and pupil
    shadow = 1 - 0.55 * edge(y - eye.upper + 0.22, 0.07)  # the lid's shadow on the eyeball
    albedo = torch.lerp(albedo, ball * shadow, opened)
    crease_y = eye.upper + person.lid_crease * (1 - 0.3 * act.au05)
    crease = edge(1.1 - beside, 0.06) * bell(y, crease_y, 0.1) * front
    albedo = _tint(albedo, crease * 0.5, PAINT.lid_crease)
    lash = bell(y, eye.upper + 0.02, 0.09 + 0.03 * person.makeup) * (0.75 + 0.2 * person.makeup)
    rim = bell(y, eye.lower, 0.06) * (0.35 + 0.2 * person.makeup)
    albedo = torch.lerp(albedo, PAINT.lashes, (inside * (lash + rim)).clamp_(0, 0.92))
    shine = bell(ix, -0.16, 0.11, iy, 0.18, 0.11) + 0.15 * bell(ix, 0.15, 0.1, iy, -0.2, 0.1)
    return albedo, opened * shine


def _brows(x, y, person, curves):
    brow = curves.brow
    place = brow.position.clamp(0, 1)
    taper = (1 - 0.75 * place * place) * person.brow_thickness + 0.05
    ends = edge(brow.position + 0.02, 0.04) * edge(1.0 - brow.position, 0.06)
    slant = x.abs() * 8.4 + (y - brow.height) * 14.4
    hairs = 0.93 + 0.24 * noise(slant, y * 3, person, layer=11)
    return (person.brow_density * ends * bell(y, brow.height, taper) * hairs).clamp_(0, 0.94)


def strands(around, along, person):
    """Brightness of single strands at (around, along) in cm, about 1: fine and coarse lines, or curls."""
    curl, waves = person.hair_curl, 0.0
    if curl < 1:
        fine = noise(around * 9.0, along * 0.9, person, layer=5)
        coarse = noise(around * 11.0, along * 1.2, person, layer=6, blur=SMOOTH)
        waves = (1 - curl) * (0.17 * fine + 0.2 * coarse)
    if curl:
        # Ringlets: bright ridges where smooth noise passes zero.
        ridges = noise(around * 13.0, along * 13.0, person, layer=7, blur=SMOOTH).abs()
        waves = waves + curl * (0.2 - 0.33 * ridges + 0.12 * noise(around * 9.0, along * 9.0, person, layer=5))
    return (1 + waves).clamp_(0.35, 1.8)


def part_colour(name, coordinates, person, units, gaze, line):
    """Colour of the visible points of one part.

    `coordinates` (3, m) are the part's at each point, `gaze` the shift of both irises in cm, to the image's right and up,
    `line` comes from :func:`fergan.rendered.surfaces.hairline`; for the others see there. Returns the albedo (3, m), linear
    RGB; gloss, 1 for skin and more on wet lips, and catchlight, the light's reflection in the eyes, (m,) or numbers.
    """
    u, v, w = coordinates
    if name == "head":
        return _head_colour(u, v, w, person, units, gaze, line)
    if name == "torso":  # skin above the collar, cloth below; a V-neck reaches down in front
        front = torch.sigmoid(4 * w)
        collar = -13.9 - person.neckline * bell(u, 0, 4.2) * front + 0.6 * (1 - front)
        hem = 1 - 0.25 * bell(collar - v, 0.35, 0.12)
        return torch.lerp(person.skin.expand(-1, len(u)), person.cloth * hem, step(collar - v, 0.1)), 0.3, 0.0
    if name == "curtain":
        return person.hair_colour * strands(u, v, person), 0.45, 0.0
    if name == "ear":
        return person.skin * PAINT.ear * (0.95 + 0.6 * u), 0.5, 0.0
    return torch.full_like(u, GLASSES_COLOUR).expand(3, -1), 1.0, 0.0


def _head_colour(x, y, azimuth, person, units, gaze, line):
    """The head: the face's colours where skin shows, strands where hair grows, mixed at the hairline."""
    arc = azimuth * FROM_AZIMUTH
    inside = depth_inside(azimuth, y, line)
    hairs = noise(arc * 9, y * 2.5, person, layer=12)
    cover = torch.sigmoid((inside - 0.15 + 0.16 * hairs).div_(HAIRLINE_BLEND).clamp_(-30, 30))
    cover = cover * (0.7 + 0.3 * min(person.hair_thickness / 0.4, 1.0))
    parting = bell(azimuth, 0.6 * person.hair_part, 0.028) * ((y - 6.5) * 0.5).clamp_(0, 1)
    cover = cover * (1 - 0.5 * person.hair_parted * parting)
    # Strands fall away from the parting, with a sheen around the crown.
    fall = (azimuth - 0.6 * person.hair_part).mul_(3).clamp_(-1, 1)
    sheen = bell(y, 8.4 + 0.35 * noise(azimuth * 60, y * 3, person, layer=14, blur=SMOOTH), 1.1)
    strand = strands(arc - fall * (0.35 + 0.1 * person.hair_sweep) * y, y, person) * sheen.mul_(0.28).add_(0.93)
    hair = person.hair_colour * (strand * inside.mul(0.3).clamp_(0, 0.3).add_(0.7))
    bare = ((cover < OPAQUE) & (azimuth.abs() < 1.7) & (inside < 1.5)).nonzero()[:, 0]
    face_x, face_y, face_azimuth, depth = torch.stack([x, y, azimuth, inside], -1)[bare].T
    cosine = torch.cos(face_azimuth)
    front = torch.sigmoid(6 * cosine) * (cosine > 0)
    curves = FaceCurves(face_x, person, units)
    skin, gloss, catchlight = face_colour(face_x, face_y, face_azimuth * FROM_AZIMUTH, person, curves, gaze, front)
    # Hair shades the skin before it, the more the thicker it lies.
    shade = bell(depth.clamp(max=0.0), 0.0, 0.55) * (0.3 * min(person.hair_thickness + person.hair_fringe, 1.0))
    skin = skin * (1 - shade)
    painted = x.new_zeros(5, len(x))  # albedo, gloss, catchlight
    painted[:3], painted[3] = person.skin, 1.0
    painted[:, bare] = torch.cat([skin, gloss[None], catchlight[None]])
    return torch.lerp(painted[:3], hair, cover), painted[3] * (1 - 0.55 * cover), painted[4] * (1 - cover)


def _unit(vectors):
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
    down, across = (_box_blur(n, widths) for n in field.shape)
    return down @ field @ across.T


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
    """Shares 0..1 of the light from a direction that reach surfaces (3, rows, columns), in cm: an exponential shadow map."""
    right = _unit(torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), light))
    axes = torch.stack([right, torch.linalg.cross(light, right), light])
    u, v, toward = axes @ torch.cat([p.flatten(1) for p in positions], 1)
    column = ((u + SHADOW_WIDTH / 2) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp_(0, SHADOW_TEXELS - 1)
    row = ((v + SHADOW_WIDTH / 2 + 3) * (SHADOW_TEXELS / SHADOW_WIDTH)).clamp_(0, SHADOW_TEXELS - 1)
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
    """What reaches points (4, rows, columns): cosines to light and mirrored view, ambient light, share of the key light."""
    down, across = torch.gradient(position, dim=(1, 2))
    normal = _unit(torch.linalg.cross(down, across, dim=0) * part.outward)
    half = _unit(light + torch.tensor([0.0, 0.0, 1.0]))
    towards = torch.stack([light, half]) @ normal.flatten(1)  # (2, n_points)
    ambient = (0.8 + 0.2 * normal[1]) * _ambient_share(part) * setting.ambient
    return torch.cat([towards.view(2, *ambient.shape), torch.stack([ambient, key_share])])


def shade(albedo, gloss, catchlight, arriving, setting):
    """Light leaving each point, linear RGB (3, m), of that of :func:`arriving_light` (4, m): wrapped Lambert, two lobes."""
    facing, mirror, ambient, key_share = arriving
    diffuse = ((facing + PAINT.wrap) / (1 + PAINT.wrap)).clamp_(min=0)
    diffuse *= torch.addcmul(PAINT.bleed, key_share, 1 - PAINT.bleed)
    diffuse *= (1 + setting.warmth * PAINT.warmth) * setting.key  # warm light is redder and less blue
    sixth = mirror.clamp(min=0) ** 12
    square = sixth * sixth
    specular = (0.07 * sixth).addcmul_(square, square, value=0.09) * key_share * gloss * setting.key
    return albedo * diffuse.add_(ambient) + (specular + 0.75 * catchlight)
