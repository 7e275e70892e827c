"""Colour of the face: skin, brows, eyes, lips, teeth, beard; linear RGB at any place on the curves."""

import torch

from fergan.rendered.geometry import bell, bell2, forehead_lines, soft_step
from fergan.rendered.relief import crows_feet, fold_window, frown_lines, nose_lines
from fergan.rendered.texture import noise

MOUTH_INSIDE = (0.045, 0.014, 0.014)
TONGUE = (0.38, 0.12, 0.11)
TEETH = (0.74, 0.69, 0.60)
SCLERA = (0.66, 0.61, 0.58)


def face_colour(x, y, person, curves, gaze, front):
    """Albedo of the face.

    Parameters
    ----------
    x, y : Tensor of shape (n_faces, n_points)
        Places on the smooth head, cm.
    person : SimpleNamespace
    curves : FaceCurves
        At the same x.
    gaze : Tensor of shape (n_faces, 2)
        Shift of both irises, cm, to the image's right and up.
    front : Tensor of shape (n_faces, n_points)
        1 where the point lies on the face, 0 behind the ears.

    Returns
    -------
    albedo : Tensor of shape (n_faces, 3, n_points)
        Linear RGB.
    gloss : Tensor of shape (n_faces, n_points)
        1 for skin, more on wet lips, less on the eyes' surroundings.
    catchlight : Tensor of shape (n_faces, n_points)
        Reflection of the light in the eyes, added after shading.
    """
    albedo = _skin(x, y, person, curves, front)
    albedo = _mix(albedo, _beard(x, y, person, curves) * front, person.brow_colour)
    albedo = _nostrils(albedo, x, y, person, curves, front)
    albedo, lip = _mouth(albedo, x, y, person, curves, front)
    albedo, catchlight = _eyes(albedo, x, y, person, curves, gaze, front)
    albedo = _mix(albedo, _brows(x, y, person, curves) * front, person.brow_colour)
    return albedo, 1 + 0.8 * lip, catchlight


def _mix(albedo, weight, colour):
    """Cover albedo (n, 3, m) with a colour, by weight (n, m)."""
    if not torch.is_tensor(colour):
        colour = torch.tensor(colour, device=albedo.device)[None, :, None]
    return torch.lerp(albedo, colour, weight.unsqueeze(1))


def _tint(albedo, weight, factors):
    """Multiply the three channels towards `factors`, by weight."""
    factors = torch.tensor(factors, device=albedo.device)[None, :, None]
    return albedo * (1 - weight.unsqueeze(1) * (1 - factors))


def _arc(x):
    """Way along the skin from the midline, cm: textures on it do not stretch on the head's sides."""
    return 8.5 * torch.asin((x / 7.9).clamp(-0.99, 0.99))


def _skin(x, y, person, curves, front):
    ax, arc = x.abs(), _arc(x)
    mottled = 1 + 0.03 * noise(arc * 2.2, y * 2.2, person) + 0.025 * noise(arc * 9, y * 9, person, layer=1)
    albedo = person.skin * mottled.unsqueeze(1)
    flush = bell2(ax, 4.1, 1.7, y, -3.3, 1.5) + 0.7 * bell2(x, 0, 1.1, y, curves.nose.tip, 1.0)
    flush = flush + 0.4 * bell2(x, 0, 1.2, y, curves.chin_y, 0.9)
    albedo = _tint(albedo, 0.6 * (person.blush + 0.3 * person.makeup) * flush * front, (1.0, 0.72, 0.70))
    freckle = (noise(arc * 11, y * 11, person, layer=2) - 1.0).clamp(0, 0.8)
    dark = freckle * person.freckles * bell2(ax, 2.8, 2.6, y, -2.6, 2.0)
    dark = dark + 0.3 * (0.3 + 0.6 * person.age) * bell2(ax, person.eye_x - 0.3, 1.6, y, -1.0, 0.55)
    dark = dark + 0.22 * bell2(ax, person.eye_x, 1.7, y, 0.8, 0.45) * (1 + person.makeup)
    dark = dark + _creases(x, y, person, curves)
    return _tint(albedo, (dark * front).clamp(0, 0.9), (0.55, 0.42, 0.38))


def _creases(x, y, person, curves):
    """Dark lines where skin folds; they carry the Action Units that hardly move an outline."""
    act, mouth, nose, ax = curves.act, curves.mouth, curves.nose, x.abs()
    lines = 0.4 * forehead_lines(x, y, person, curves) + 0.8 * frown_lines(x, y, person, curves).clamp(min=0)
    lines = lines + 0.7 * nose_lines(x, y, act) + 0.5 * crows_feet(ax, y, person, curves)
    fold_x = 1.9 + 0.42 * (nose.tip + 0.2 - y) + 0.45 * act.au12 + 0.1 * act.au09
    lines = lines + 0.5 * nose.fold * fold_window(y, curves) * bell(ax, fold_x, 0.22)
    lines = lines + 0.35 * bell2(ax, 1.85 * nose.width, 0.25, y, nose.tip + 0.02, 0.45)
    corner = 0.3 + 0.4 * act.au15 + 0.4 * act.au12 + 0.5 * act.au24 + 0.3 * act.au23
    lines = lines + corner * bell2(mouth.across, 1.07, 0.1, y, mouth.line, 0.25)
    lines = lines + (0.1 + 0.65 * act.au17) * bell2(x, 0, 1.5, y, curves.sulcus_y, 0.32)
    dimples = (noise(x * 6, y * 6, person, layer=9) - 0.2).clamp(0, 1)
    lines = lines + 0.5 * act.au17 * dimples * bell2(x, 0, 1.3, y, curves.chin_y + 0.5, 0.9)
    # Tightened lower lids: a line under the lid and a darker slit.
    pouch = (0.6 * act.au07 + 0.3 * act.au06) * bell2(y, curves.eye.lower - 0.5, 0.13, ax, person.eye_x, 1.3)
    return lines + pouch


def _beard(x, y, person, curves):
    mouth, ax = curves.mouth, x.abs()
    below = soft_step(-4.9 - y + 0.5 * bell(ax, 0, 2.0), 0.35)
    cheek = soft_step(ax - 1.1 * soft_step(y + 6.4, 0.3) + 2.2 * soft_step(-6.3 - y, 0.3), 0.4)
    lips = (
        soft_step(y - mouth.outer_down, 0.1)
        * soft_step(mouth.outer_up - y, 0.1)
        * soft_step(1.08 - mouth.across, 0.05)
    )
    stubble = 0.8 + 0.2 * noise(_arc(x) * 14, y * 14, person, layer=10)
    return (0.8 * person.beard * below * cheek * (1 - 0.9 * lips) * stubble).clamp(0, 0.92)


def _nostrils(albedo, x, y, person, curves, front):
    nose = curves.nose
    hole_y = nose.tip - 0.52 + 0.25 * person.nose_upturn
    hole = bell2(x.abs(), 0.64 * nose.width, 0.34, y, hole_y, 0.17 + 0.05 * person.nose_upturn)
    return _mix(albedo, (hole * front * 0.95).clamp(0, 0.9), (0.035, 0.014, 0.011))


def _mouth(albedo, x, y, person, curves, front):
    mouth, act = curves.mouth, curves.act
    inside, edge = soft_step(1.06 - mouth.across, 0.04) * front, 0.06
    upper = soft_step(mouth.outer_up - y, edge) * soft_step(y - mouth.inner_up, edge)
    lower = soft_step(mouth.inner_down - y, edge) * soft_step(y - mouth.outer_down, edge)
    lip = inside * (upper + lower).clamp(0, 1)
    albedo = _tint(albedo, lip * (0.5 + 0.35 * person.makeup), (0.88, 0.36, 0.38))
    gap = mouth.inner_up - mouth.inner_down
    closed = (1 - gap / 0.25).clamp(0, 1)
    seam = (
        inside
        * bell(y, mouth.line, 0.085 + 0.05 * act.au24)
        * (1 - 0.7 * soft_step(mouth.across - 0.92, 0.05))
    )
    albedo = _mix(albedo, seam * closed * (0.8 - 0.2 * act.au12), (0.07, 0.025, 0.022))
    hole = (
        inside
        * soft_step(mouth.inner_up - y, 0.05)
        * soft_step(y - mouth.inner_down, 0.05)
        * soft_step(gap - 0.12, 0.03)
    )
    albedo = _mix(albedo, hole, MOUTH_INSIDE)
    tongue = (
        hole
        * bell2(x, 0, mouth.halfwidth * 0.55, y, mouth.inner_down + 0.35, 0.5 + 0.4 * act.au27)
        * act.au27
    )
    albedo = _mix(albedo, 0.8 * tongue, TONGUE)
    tooth_edge = mouth.inner_up - (0.55 + 0.35 * act.au12) * (mouth.arch + 1e-6) ** 0.3
    teeth = hole * soft_step(y - tooth_edge, 0.06) * soft_step(0.93 - mouth.across, 0.05)
    gaps = 1 - 0.18 * bell(torch.remainder(x.abs() + 0.42, 0.84), 0.42, 0.06)
    return _mix(albedo, teeth * gaps * (0.45 + 0.5 * mouth.root), TEETH), lip


def _eyes(albedo, x, y, person, curves, gaze, front):
    eye, act = curves.eye, curves.act
    inside = soft_step(1.01 - eye.q.abs(), 0.025) * front
    opened = inside * soft_step(eye.upper - y, 0.045) * soft_step(y - eye.lower, 0.045)
    ix = x - torch.sign(x) * (person.eye_x - 0.05) - gaze[:, :1]
    iy = y - 0.03 - gaze[:, 1:]
    radius = (ix**2 + iy**2 + 1e-6).sqrt()
    white = torch.tensor(SCLERA, device=x.device)[None, :, None] * (1 - 0.3 * eye.q**2).unsqueeze(1)
    iris = person.iris * (0.75 + 0.7 * (radius / 0.6).clamp(max=1)).unsqueeze(1)
    ball = torch.lerp(white, iris, soft_step(0.6 - radius, 0.03).unsqueeze(1))
    ball = ball * (1 - 0.75 * bell(radius, 0.6, 0.07)).unsqueeze(1)  # dark ring of the iris
    ball = ball * (1 - 0.96 * soft_step(0.25 - radius, 0.025)).unsqueeze(1)
    shadow = 1 - 0.55 * soft_step(y - eye.upper + 0.22, 0.07)  # the lid's shadow on the eyeball
    albedo = torch.lerp(albedo, ball * shadow.unsqueeze(1), opened.unsqueeze(1))
    lash = inside * bell(y, eye.upper + 0.02, 0.09 + 0.03 * person.makeup) * (0.75 + 0.2 * person.makeup)
    rim = inside * bell(y, eye.lower, 0.06) * (0.35 + 0.2 * person.makeup)
    crease_y = eye.upper + person.lid_crease * (1 - 0.3 * act.au05)
    crease = soft_step(1.1 - eye.q.abs(), 0.06) * bell(y, crease_y, 0.1) * 0.5 * front
    albedo = _tint(albedo, crease, (0.5, 0.38, 0.34))
    albedo = _mix(albedo, (lash + rim).clamp(0, 0.92), (0.02, 0.014, 0.012))
    catchlight = opened * (
        bell2(ix, -0.16, 0.11, iy, 0.18, 0.11) + 0.15 * bell2(ix, 0.15, 0.1, iy, -0.2, 0.1)
    )
    return albedo, catchlight


def _brows(x, y, person, curves):
    brow = curves.brow
    taper = (1 - 0.75 * brow.position.clamp(0, 1) ** 2) * person.brow_thickness
    ends = soft_step(brow.position + 0.02, 0.04) * soft_step(1.0 - brow.position, 0.06)
    slant = x.abs() * 0.7 + (y - brow.height) * 1.2
    hairs = 0.85 + 0.22 * noise(slant * 12, y * 3, person, layer=11)
    return (person.brow_density * ends * bell(y, brow.height, taper + 0.05) * hairs * 1.1).clamp(0, 0.94)
