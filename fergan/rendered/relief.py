"""The face's relief: how far each point of the face is raised above the smooth head, in centimetres."""

import math

import torch

from fergan.rendered.fields import bell, bell2, clip, edge, fade, soft_step, total
from fergan.rendered.geometry import forehead_lines


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
    height = _nose(x, y, person, curves)
    for part in (_eyes, _cheeks, _mouth, _folds, _chin, _wrinkles):
        height += part(x, y, person, curves)
    return height


def _eyes(x, y, person, curves):
    act, ax, eye = curves.act, x.abs(), curves.eye
    return total(
        x,
        (-0.95 * person.eye_depth, lambda: bell2(ax, person.eye_x - 0.15, 2.0, y, 0.3 + 0.3 * curves.brow.move, 1.3)),
        (0.62, lambda: bell2(ax, person.eye_x, 1.35, y, 0.0, 0.95)),
        (person.brow_ridge, lambda: bell2(ax, 2.9, 2.0, y, curves.brow.height - 0.15, 0.75)),
        (0.35 * act.au04, lambda: bell2(x, 0, 0.8, y, 1.6, 0.9)),
        # The lid tightener bunches the lower lid into a roll under the eye.
        (0.3 * act.au07 + 0.1 * act.au06, lambda: bell2(ax, person.eye_x, 1.25, y, eye.lower - 0.28, 0.24)),
    )


def _cheeks(x, y, person, curves):
    act, ax = curves.act, x.abs()
    groove = 0.08 + 0.12 * person.age + 0.3 * act.au06 + 0.22 * act.au07
    return total(
        x,
        (person.cheekbone, lambda: bell2(ax, 4.9, 1.7, y, -2.7, 1.5)),
        (person.cheek_fullness, lambda: bell2(ax, 4.3, 1.8, y, -5.6, 2.0)),
        (0.5 * act.au12 + 0.3 * act.au06, lambda: bell2(ax, 4.0, 1.5, y, -3.4 + 0.5 * act.au06, 1.3)),
        (-groove, lambda: bell2(y, -1.35 - 0.25 * curves.eye.q**2 + 0.15 * act.au06, 0.24, ax, person.eye_x - 0.2, 1.3)),
    )


def _nose(x, y, person, curves):
    nose = curves.nose
    along = ((0.9 - y) / (0.9 - nose.tip)).clamp_(1e-6, 1)  # 0 at the root, 1 at the tip and below
    ax = (x - (4 * person.nose_bend) * along * (1 - along)).abs()
    profile = person.nose_bridge * along**0.3 * (1 - along) + person.nose_height * along**1.15
    profile += person.nose_hump * bell(along, 0.42, 0.2)
    across = ax / (person.nose_bridge_width * (1 - along) + (0.62 + 0.3 * nose.width) * along)
    square = across * across
    ridge = profile * fade(square * (0.55 + 0.45 * square))
    ball = (0.62 * person.nose_tip) * bell2(ax, 0, 0.8, y, nose.tip, 0.62)
    # The underside slopes from the tip to the lip; an upturned nose shows more of it.
    under = nose.tip - 0.62 + 0.3 * person.nose_upturn + 0.26 * ax * ax
    above = soft_step(y - under, 0.17)
    wing = bell2(ax, 1.28 * nose.width, 0.48, y, nose.tip - 0.05 + 0.12 * curves.act.au09, 0.55)
    crease = bell2(ax, 1.95 * nose.width, 0.35, y, nose.tip + 0.05, 0.6)
    return (ridge + ball) * above + 0.72 * wing * edge(y - nose.tip + 0.6, 0.12) - 0.18 * crease


def _mouth(x, y, person, curves):
    act, mouth, nose = curves.act, curves.mouth, curves.nose
    inside = edge(1.08 - mouth.across, 0.05)
    full = 0.5 + 0.6 * mouth.thin
    upper = 0.3 * bell(y, (mouth.outer_up + mouth.inner_up) / 2, 0.4)
    lower = 0.42 * mouth.root * bell(y, (mouth.outer_down + mouth.inner_down) / 2, 0.45)
    lips = inside * (full * (upper + lower) - 0.3 * bell(y, mouth.line, 0.2))
    pit = 0.15 + 0.35 * act.au12 + 0.3 * act.au15 + 0.35 * act.au24 + 0.3 * act.au23 + 0.2 * act.au17
    return lips + total(
        x,
        (0.2, lambda: bell2(x, 0, 3.2, y, person.mouth_y + 0.3, 2.0)),  # teeth push the whole region forward
        (-0.2, lambda: bell2(x, 0, 0.3, y, (mouth.outer_up + nose.tip) / 2 - 0.2, 0.6)),
        (-pit, lambda: bell2(mouth.across, 1.1, 0.16, y, mouth.line - 0.1, 0.4)),
        # Pressed lips bulge above and below the red.
        (0.6 * act.au24 + 0.3 * act.au23, lambda: bell2(mouth.across, 0, 0.8, y, mouth.outer_up + 0.4, 0.35)),
        (0.6 * act.au24 + 0.3 * act.au23, lambda: bell2(mouth.across, 0, 0.8, y, mouth.outer_down - 0.38, 0.35)),
    )


def _folds(x, y, person, curves):
    act, mouth, ax = curves.act, curves.mouth, x.abs()
    fold_x = nasolabial_x(y, curves)
    window = fold_window(y, curves)
    sag_x = mouth.halfwidth * 1.05 + 0.2 * (mouth.centre - y)
    return total(
        x,
        (0.3 * curves.nose.fold, lambda: window * bell(ax, fold_x + 0.95, 0.8)),
        (-0.26 * curves.nose.fold, lambda: window * bell(ax, fold_x, 0.3)),
        (-0.25 * act.au15 - 0.14 * person.age, lambda: bell2(ax, sag_x, 0.22, y, mouth.centre - 1.1, 0.8)),
    )


def nasolabial_x(y, curves):
    """Distance of the nasolabial fold from the midline, cm."""
    return 0.42 * (curves.nose.tip + 0.2 - y) + (1.9 + 0.45 * curves.act.au12 + 0.1 * curves.act.au09)


def fold_window(y, curves):
    """Where along the height the nasolabial fold shows: from the nostrils to beside the mouth."""
    bottom = curves.mouth.centre - 0.6 + 0.3 * curves.act.au12
    return soft_step(curves.nose.tip + 0.3 - y, 0.25) * soft_step(y - bottom, 0.5)


def _chin(x, y, person, curves):
    act = curves.act
    return total(
        x,
        (-0.3 - 0.6 * act.au17 - 0.1 * act.au15, lambda: bell2(x, 0, 1.5, y, curves.sulcus_y, 0.42)),
        (0.5 + 0.7 * act.au17, lambda: bell2(x, 0, 1.3, y, curves.chin_y + 0.5 * act.au17, 0.95)),
    )


def _wrinkles(x, y, person, curves):
    act, ax = curves.act, x.abs()
    return total(
        x,
        (-0.13, lambda: forehead_lines(x, y, person, curves)),
        (-0.28 * frown_strength(person, act), lambda: frown_lines(x, y, act)),
        (-0.2 * act.au09, lambda: nose_lines(x, y)),
        (-0.13 * crows_feet_strength(person, act), lambda: crows_feet(ax, y, person)),
    )


def frown_strength(person, act):
    """How deep the furrows between the brows are (AU04), deeper with age."""
    return act.au04 * (0.7 + 0.6 * person.age) + 0.15 * person.age


def frown_lines(x, y, act):
    """Two furrows between the brows, with the raised skin between them."""
    return (bell(x.abs(), 0.52, 0.18) - 0.5 * bell(x, 0, 0.25)) * bell(y, 1.75 - 0.35 * act.au04, 0.95)


def nose_lines(x, y):
    """Bunched skin at the nose's root (AU09)."""
    line = torch.cos((2 * math.pi / 0.62) * (y + 0.3 * x.abs() - 0.1)).clamp_(min=0) ** 2
    return line * bell2(x.abs(), 0.45, 0.75, y, 0.1, 0.85)


def crows_feet_strength(person, act):
    """How deep the rays beside the eyes are (AU06), deeper with age."""
    return 1.1 * act.au06 * (0.45 + 0.9 * person.age) + 0.35 * person.age**2


def crows_feet(ax, y, person):
    """Rays from the outer corner of the eye."""
    corner = person.eye_x + person.eye_halfwidth
    angle = torch.atan2(y + 0.1, clip(ax - corner, low=0.05))
    rays = torch.cos(angle * 7).clamp_(min=0) ** 4
    return rays * bell2(ax, corner + 0.75, 0.55, y, 0, 1.1)
