"""From a box in a photograph to a crop of 64 x 64 pixels, upright where the eyes are known."""

from collections.abc import Sequence

import cv2
import numpy as np

from fergan.data.faces import FACE_SIZE

__all__ = ["crop_face", "eye_angle"]

#: Eyes nearer to each other than this fraction of the box's longer side belong to a face seen from the side: one is hidden,
#: its place a guess, and the line through both says nothing of how the head is tilted.
LEAST_EYE_DISTANCE = 0.2


def eye_angle(eyes: Sequence[Sequence[float]], box: Sequence[float]) -> float:
    """Return by how many degrees the line through the eyes falls to the right, 0 where a face shows only one side.

    Parameters
    ----------
    eyes : sequence of two (x, y)
        The eye on the left of the image, then the other, in pixels.
    box : sequence of four float
        Left, top, right and bottom of the face in pixels.

    Returns
    -------
    float
        -90 to 90. Rotating the photograph by it, counter-clockwise, brings the eyes to one height.
    """
    (left_x, left_y), (right_x, right_y) = eyes
    left, top, right, bottom = box
    if np.hypot(right_x - left_x, right_y - left_y) < LEAST_EYE_DISTANCE * max(right - left, bottom - top):
        return 0.0
    angle = np.degrees(np.arctan2(right_y - left_y, right_x - left_x))
    return float(angle) if abs(angle) <= 90 else 0.0  # beyond, left and right are exchanged: no portrait stands on its head


def crop_face(image: np.ndarray, box: Sequence[float], margin: float, angle: float = 0.0) -> np.ndarray:
    """Crop a square around a box and scale it to 64 x 64 pixels.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), dtype uint8
        The RGB photograph.
    box : sequence of four float
        Left, top, right and bottom in pixels.
    margin : float
        Added on every side, as a fraction of the box's longer side.
    angle : float
        Degrees by which the photograph is first rotated counter-clockwise around the box's centre; see `eye_angle`.

    Returns
    -------
    ndarray of shape (64, 64, 3), dtype uint8
        The crop; where the square leaves the photograph, its border pixels are repeated.
    """
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        raise ValueError(f"box is {tuple(box)}; expected left < right and top < bottom")
    if margin <= -0.5:
        raise ValueError(f"margin is {margin}, which leaves nothing; expected 0 or more of the box's side")
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    x, y = (left + right) / 2, (top + bottom) / 2
    square = _rotated_square(image, x, y, side, angle) if angle else _square(image, x, y, side)[0]
    # INTER_AREA averages when it reduces, but only repeats pixels when it enlarges.
    method = cv2.INTER_AREA if side >= FACE_SIZE else cv2.INTER_LINEAR
    return cv2.resize(square, (FACE_SIZE, FACE_SIZE), interpolation=method)


def _square(image: np.ndarray, x: float, y: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut out whole pixels around (x, y), unchanged; return them and the left upper corner."""
    corner = np.array([round(x - side / 2), round(y - side / 2)])
    height, width = image.shape[:2]
    columns = np.clip(corner[0] + np.arange(side), 0, width - 1)
    rows = np.clip(corner[1] + np.arange(side), 0, height - 1)
    return image[np.ix_(rows, columns)], corner


def _rotated_square(image: np.ndarray, x: float, y: float, side: int, angle: float) -> np.ndarray:
    """Rotate around (x, y), pixel for pixel, so that what reduces the square afterwards averages as it would unrotated."""
    around, corner = _square(image, x, y, int(np.ceil(side * np.sqrt(2))) + 4)
    # A coordinate counts from the photograph's edge; OpenCV's counts from the first pixel's centre, half a pixel later.
    centre = np.array([x, y]) - corner - 0.5
    move = cv2.getRotationMatrix2D(centre.tolist(), angle, 1.0)
    move[:, 2] += (side - 1) / 2 - centre
    return cv2.warpAffine(around, move, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
