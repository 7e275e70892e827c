"""True positions in the image: the face's box and 68 landmarks in the iBUG order."""

import torch

from fergan.rendered.geometry import FaceCurves

BOX_TOP, BOX_BACK = 5.2, -0.5  # cm: the box takes the lower forehead, and the cheeks up to the ears


# Places along the features, in the iBUG order: brows and nose in cm, eyes and lips from corner to corner.
BROW_X = (-5.2, -4.3, -3.3, -2.3, -1.35, 1.35, 2.3, 3.3, 4.3, 5.2)
RIDGE = (0.1, 0.4, 0.7, 1.0)
BASE_X, BASE_LIFT = (-1.2, -0.6, 0.0, 0.6, 1.2), (-0.35, -0.5, -0.55, -0.5, -0.35)
EYE_Q = (-1.0, -0.36, 0.36, 1.0, 0.36, -0.36)
OUTER_M = (-1.0, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0, 0.6, 0.25, 0.0, -0.25, -0.6)
INNER_M = (-0.9, -0.35, 0.0, 0.35, 0.9, 0.35, 0.0, -0.35)


def landmark_curves(person, units):
    """The 51 inner landmarks (brows, nose, eyes, mouth; iBUG 17 to 67) as places on the smooth head.

    Parameters
    ----------
    person : SimpleNamespace
    units : Tensor of shape (n_faces, 14, 2)

    Returns
    -------
    Tensor of shape (n_faces, 51, 2)
        x and y in centimetres, from the very curves that shape and colour the face.
    """

    def along(*values):
        return torch.tensor(values, device=units.device).expand(len(units), -1)

    ridge = along(*RIDGE)
    eye_q = along(*EYE_Q)
    eyes = [side * person.eye_x + eye_q * person.eye_halfwidth for side in (-1.0, 1.0)]
    # The mouth's width differs between the sides: measure it at rest's corners, left and right.
    half = FaceCurves(person.mouth_halfwidth * along(-1.0, 1.0), person, units).mouth.halfwidth
    m = along(*OUTER_M, *INNER_M)
    lips = m * torch.where(m < 0, half[:, :1], half[:, 1:])
    bridge = 4 * person.nose_bend * ridge * (1 - ridge)
    x = torch.cat([along(*BROW_X), bridge, along(*BASE_X) * person.nose_width, *eyes, lips], 1)

    curves = FaceCurves(x, person, units)
    tip, eye, mouth = curves.nose.tip, curves.eye, curves.mouth
    y = torch.cat(
        [
            curves.brow.height[:, :10],
            0.9 + ridge * (tip[:, 10:14] - 0.9),
            tip[:, 14:19] + along(*BASE_LIFT),
            eye.upper[:, 19:23], eye.lower[:, 23:25], eye.upper[:, 25:29], eye.lower[:, 29:31],
            mouth.outer_up[:, 31:38], mouth.outer_down[:, 38:43],
            mouth.inner_up[:, 43:48], mouth.inner_down[:, 48:51],
        ],
        1,
    )  # fmt: skip
    return torch.stack([x, y], -1)


def landmark_pixels(person, units, head, turn, camera):
    """Landmarks in the image: Tensor of shape (n_faces, 68, 2), pixels."""
    places = landmark_curves(person, units)
    rows, columns = head.position.shape[2:]
    x, y = head.coordinates[:, 0], head.coordinates[:, 1]
    middle = slice(columns // 5, columns - columns // 5)  # the face lies in the middle columns
    x, y = x[:, ::2, middle][..., ::2].flatten(1), y[:, ::2, middle][..., ::2].flatten(1)
    flat = head.position[:, :, ::2, middle][..., ::2].flatten(2)
    near = ((places[..., :1] - x[:, None]).square() + (places[..., 1:] - y[:, None]).square()).argmin(
        2
    )  # (n, 51)
    surface = flat.gather(2, near[:, None].expand(-1, 3, -1))
    missed = places.transpose(1, 2) - torch.stack([x.gather(1, near), y.gather(1, near)], 1)
    inner = torch.cat([surface[:, :2] + missed, surface[:, 2:]], 1)
    # Jaw: from beside the eye down the side of the face and around the chin.
    turning = torch.linspace(-1, 1, 17, device=x.device)
    column = ((turning * 0.36 + 0.5) * (columns - 1)).round().long()
    row = (rows * (0.93 - 0.45 * turning.abs() ** 2.4)).round().long()
    outline = head.position[:, :, row, column]
    points = torch.einsum("bij,bjn->bin", turn, torch.cat([outline, inner], 2))
    column, row, _ = camera.project(points)
    return torch.stack([column, row], -1) * (camera.size / camera.resolution)


def face_box(base, landmarks, turn, camera):
    """Box around the face: lower forehead to chin, cheek to cheek, and every landmark.

    Parameters
    ----------
    base : Tensor of shape (n_faces, 3, rows, columns)
        The smooth head, cm.
    landmarks : Tensor of shape (n_faces, 68, 2)
        Pixels; in profile the nose stands out from the smooth head.
    turn : Tensor of shape (n_faces, 3, 3)
    camera : Camera

    Returns
    -------
    Tensor of shape (n_faces, 4)
        Left, top, right, bottom, pixels.
    """
    belongs = ((base[:, 1] < BOX_TOP) & (base[:, 2] > BOX_BACK)).flatten(1)
    column, row, _ = camera.project(torch.einsum("bij,bjn->bin", turn, base.flatten(2)))
    surface = torch.stack([column, row], -1) * (camera.size / camera.resolution)
    far = 1e6
    low = torch.where(belongs.unsqueeze(-1), surface, far).amin(1)
    high = torch.where(belongs.unsqueeze(-1), surface, -far).amax(1)
    return torch.cat([torch.minimum(low, landmarks.amin(1)), torch.maximum(high, landmarks.amax(1))], 1)
