"""The face's relief: how far each point of the face is raised above the smooth head, in centimetres."""

import math

import torch

from fergan.rendered.geometry import bell, bell2, fade, forehead_lines, soft_step


def relief(x, y, person, curves):
    """Raise eyes, nose, mouth, cheeks and wrinkles.

    Parameters
    ----------
    x, y : Tensor of shape (n_faces, n_points)
        Places on the smooth head, cm.
    person : SimpleNamespace
        From :func:`fergan.rendered.identity.stack_identities`.
    curves : FaceCurves
        At the same x.

    Returns
    -------
    Tensor of shape (n_faces, n_points)
        Height above the smooth head, cm.
    """
    height = _eyes(x, y, person, curves) + _cheeks(x, y, person, curves)
    height = height + _nose(x, y, person, curves) + _mouth(x, y, person, curves)
    return height + _chin(x, y, person, curves) + _wrinkles(x, y, person, curves)


def _eyes(x, y, person, curves):
    act, ax = curves.act, x.abs()
    socket = (
        -0.95 * person.eye_depth * bell2(ax, person.eye_x - 0.15, 2.0, y, 0.3 + 0.3 * curves.brow.move, 1.3)
    )
    ball = 0.62 * bell2(ax, person.eye_x, 1.35, y, 0.0, 0.95)
    ridge = person.brow_ridge * bell2(ax, 2.9, 2.0, y, curves.brow.height - 0.15, 0.75)
    frown = 0.3 * act.au04 * bell2(x, 0, 0.8, y, 1.6, 0.9)
    # The lid tightener bunches the lower lid into a roll under the eye.
    roll = (0.22 * act.au07 + 0.1 * act.au06) * bell2(
        ax, person.eye_x, 1.25, y, curves.eye.lower - 0.28, 0.24
    )
    return socket + ball + ridge + frown + roll


def _cheeks(x, y, person, curves):
    act, ax = curves.act, x.abs()
    bone = person.cheekbone * bell2(ax, 4.9, 1.7, y, -2.7, 1.5)
    fullness = person.cheek_fullness * bell2(ax, 4.3, 1.8, y, -5.6, 2.0)
    apple = (0.5 * act.au12 + 0.3 * act.au06) * bell2(ax, 4.0, 1.5, y, -3.4 + 0.5 * act.au06, 1.3)
    groove_y = -1.35 - 0.25 * curves.eye.q**2 + 0.15 * act.au06
    groove = 0.08 + 0.12 * person.age + 0.3 * act.au06 + 0.2 * act.au07
    return bone + fullness + apple - groove * bell2(y, groove_y, 0.24, ax, person.eye_x - 0.2, 1.3)


def _nose(x, y, person, curves):
    nose = curves.nose
    along = ((0.9 - y) / (0.9 - nose.tip)).clamp(0, 1)  # 0 at the root, 1 at the tip and below
    ax = (x - person.nose_bend * 4 * along * (1 - along)).abs()
    profile = person.nose_bridge * (along + 1e-6) ** 0.3 * (1 - along) + person.nose_height * along**1.15
    profile = profile + person.nose_hump * bell(along, 0.42, 0.2)
    across = ax / (person.nose_bridge_width * (1 - along) + (0.62 + 0.3 * nose.width) * along)
    ridge = profile * fade(across**2 * (0.55 + 0.45 * across**2))
    ball = person.nose_tip * 0.62 * bell2(ax, 0, 0.8, y, nose.tip, 0.62)
    # The underside slopes from the tip to the lip; an upturned nose shows more of it.
    under = nose.tip - 0.62 + 0.32 * (ax / 1.1) ** 2 + 0.3 * person.nose_upturn
    above = soft_step(y - under, 0.17)
    wing = 0.72 * bell2(ax, 1.28 * nose.width, 0.48, y, nose.tip - 0.05 + 0.12 * curves.act.au09, 0.55)
    crease = 0.18 * bell2(ax, 1.95 * nose.width, 0.35, y, nose.tip + 0.05, 0.6)
    return (ridge + ball) * above + wing * soft_step(y - nose.tip + 0.6, 0.12) - crease


def _mouth(x, y, person, curves):
    act, mouth, nose = curves.act, curves.mouth, curves.nose
    ax, inside = x.abs(), soft_step(1.08 - mouth.across, 0.05)
    full = 0.45 + 0.55 * mouth.thin
    muzzle = 0.12 * bell2(
        x, 0, 3.2, y, person.mouth_y + 0.3, 2.0
    )  # teeth below push the whole region forward
    upper = 0.3 * bell(y, (mouth.outer_up + mouth.inner_up) / 2, 0.4)
    lower = 0.42 * mouth.root * bell(y, (mouth.outer_down + mouth.inner_down) / 2, 0.45)
    lips = inside * full * (upper + lower) - 0.3 * inside * bell(y, mouth.line, 0.2)
    philtrum = -0.2 * bell2(x, 0, 0.3, y, (mouth.outer_up + nose.tip) / 2 - 0.2, 0.6)
    pit = 0.15 + 0.35 * act.au12 + 0.3 * act.au15 + 0.3 * act.au24 + 0.25 * act.au23 + 0.2 * act.au17
    corners = -pit * bell2(mouth.across, 1.1, 0.16, y, mouth.line - 0.1, 0.4)
    # Pressed lips bulge above and below the red.
    press = (0.5 * act.au24 + 0.25 * act.au23) * bell(mouth.across, 0, 0.8)
    bulge = press * (bell(y, mouth.outer_up + 0.4, 0.35) + bell(y, mouth.outer_down - 0.38, 0.35))
    fold_x = 1.9 + 0.42 * (nose.tip + 0.2 - y) + 0.45 * act.au12 + 0.1 * act.au09
    fold = (
        nose.fold
        * fold_window(y, curves)
        * (0.3 * bell(ax, fold_x + 0.95, 0.8) - 0.26 * bell(ax, fold_x, 0.3))
    )
    sag_x = mouth.halfwidth * 1.05 + 0.2 * (mouth.centre - y)
    marionette = -(0.25 * act.au15 + 0.14 * person.age) * bell2(ax, sag_x, 0.22, y, mouth.centre - 1.1, 0.8)
    return muzzle + lips + philtrum + corners + bulge + fold + marionette


def fold_window(y, curves):
    """Where along the height the nasolabial fold shows: from the nostrils to beside the mouth."""
    bottom = curves.mouth.centre - 0.6 + 0.3 * curves.act.au12
    return soft_step(curves.nose.tip + 0.3 - y, 0.25) * soft_step(y - bottom, 0.5)


def _chin(x, y, person, curves):
    act = curves.act
    sulcus = -(0.3 + 0.5 * act.au17 + 0.1 * act.au15) * bell2(x, 0, 1.5, y, curves.sulcus_y, 0.42)
    boss = (0.42 + 0.6 * act.au17) * bell2(x, 0, 1.3, y, curves.chin_y + 0.5 * act.au17, 0.95)
    return sulcus + boss


def _wrinkles(x, y, person, curves):
    act, ax = curves.act, x.abs()
    forehead = -0.13 * forehead_lines(x, y, person, curves)
    return (
        forehead
        - 0.28 * frown_lines(x, y, person, curves)
        - 0.2 * nose_lines(x, y, act)
        - (0.13 * crows_feet(ax, y, person, curves))
    )


def frown_lines(x, y, person, curves):
    """Two furrows between the brows (AU04), with the raised skin between them."""
    act = curves.act
    strength = act.au04 * (0.7 + 0.6 * person.age) + 0.15 * person.age
    return (
        strength
        * (bell(x.abs(), 0.52, 0.18) - 0.5 * bell(x, 0, 0.25))
        * bell(y, 1.75 - 0.35 * act.au04, 0.95)
    )


def nose_lines(x, y, act):
    """Bunched skin at the nose's root (AU09)."""
    line = torch.cos(2 * math.pi * (y + 0.3 * x.abs() - 0.1) / 0.62).clamp(min=0) ** 2
    return act.au09 * line * bell2(x.abs(), 0.45, 0.75, y, 0.1, 0.85)


def crows_feet(ax, y, person, curves):
    """Rays from the outer corner of the eye (AU06), deeper with age."""
    corner = person.eye_x + person.eye_halfwidth
    angle = torch.atan2(y + 0.1, (ax - corner).clamp(min=0.05))
    rays = torch.cos(angle * 7).clamp(min=0) ** 4
    strength = 1.1 * curves.act.au06 * (0.45 + 0.9 * person.age) + 0.35 * person.age**2
    return strength * rays * bell2(ax, corner + 0.75, 0.55, y, 0, 1.1)
