"""Things in front of a face: a hand, a microphone, a scarf, a cup, a telephone, somebody's shoulder.

Each is built from flat shapes that are shaded as if they were round, on a gamma-encoded photograph.
"""

import cv2
import numpy as np

from fergan.rendered.identity import HAIR_COLOURS

LIGHT = (-0.5, -0.85)  # in the image: from the upper left
GAMMA = 1 / 2.2
SUBPIXEL = 4  # bits of position below a pixel that OpenCV draws with
CLOTH_COLOURS = [(0.55, 0.18, 0.16), (0.16, 0.22, 0.36), (0.62, 0.56, 0.45), (0.20, 0.20, 0.21), (0.25, 0.34, 0.25),
                 (0.66, 0.64, 0.62), (0.42, 0.28, 0.20)]  # fmt: skip


class _Canvas:
    """A photograph that shapes are put on, and the mask of what they cover."""

    def __init__(self, image, box, skin):
        self.skin = skin
        self.image, self.size = image.copy(), image.shape[0]
        self.left, self.top = box[:2]
        self.width, self.height = box[2] - box[0], box[3] - box[1]
        self.covered = np.zeros(image.shape[:2], np.float32)

    def at(self, u, v):
        """Pixel of a place in the face's box: (0, 0) is its upper left corner, (1, 1) the lower right one."""
        return self.left + u * self.width, self.top + v * self.height

    def _fixed(self, points):
        return np.round(np.asarray(points, float) * 2**SUBPIXEL).astype(np.int32)

    def capsule(self, start, end, radius, colour, texture=None):
        """A finger, an arm or a handle: a line with round ends; radius in widths of the box."""
        mask = np.zeros(self.covered.shape, np.uint8)
        ends = [tuple(int(v) for v in self._fixed(self.at(*p))) for p in (start, end)]
        thickness = max(1, round(2 * radius * self.width))
        cv2.line(mask, ends[0], ends[1], 255, thickness, cv2.LINE_AA, SUBPIXEL)
        self.put(mask, colour, roundness=radius, texture=texture)

    def polygon(self, points, colour, roundness=0.08, texture=None, blur=0.0):
        """A filled outline, given in the box."""
        mask = np.zeros(self.covered.shape, np.uint8)
        outline = self._fixed([self.at(*p) for p in points])
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, SUBPIXEL)
        self.put(mask, colour, roundness, texture, blur)

    def put(self, mask, colour, roundness, texture=None, blur=0.0):
        """Shade a shape by the slope of its own blurred outline and lay it over the photograph."""
        mask = mask.astype(np.float32) / 255
        if blur:
            mask = cv2.GaussianBlur(mask, (0, 0), blur * self.width)
        reach = max(0.6, 0.8 * roundness * self.width)
        height = cv2.GaussianBlur(mask, (0, 0), reach) * reach
        slope_y, slope_x = np.gradient(height)
        shade = 0.72 + 0.28 * mask + 0.9 * (slope_x * LIGHT[0] + slope_y * LIGHT[1]) * -1
        surface = np.asarray(colour, np.float32) * shade[..., None]
        if texture is not None:
            surface = surface * texture[..., None]
        self.image += mask[..., None] * (surface - self.image)
        self.covered = np.maximum(self.covered, mask)

    def shadow(self, points, strength):
        """Darken the face beside what will cover it."""
        mask = np.zeros(self.covered.shape, np.float32)
        cv2.fillPoly(mask, [self._fixed([self.at(*p) for p in points])], 1.0, cv2.LINE_8, SUBPIXEL)
        self.image *= 1 - strength * cv2.GaussianBlur(mask, (0, 0), 0.05 * self.width)[..., None]


def occlude(image, box, skin, exposure, rng):
    """Cover a part of the face.

    Parameters
    ----------
    image : ndarray of shape (size, size, 3), float32
        Gamma-encoded RGB, 0..1.
    box : sequence of 4 floats
        Left, top, right, bottom of the face in pixels.
    skin : ndarray of shape (3,)
        The person's own, for hands; linear RGB.
    exposure : float
        Brightness of what is lit like the face, about 1.
    rng : numpy.random.Generator

    Returns
    -------
    image : ndarray of shape (size, size, 3), float32
    covered : float
        Share of the face's box that is covered, 0..1.
    """
    canvas = _Canvas(image, box, skin=np.clip(skin * exposure, 0, 1) ** GAMMA)
    kinds = (_hand, _microphone, _scarf, _cup, _telephone, _shoulder)
    kinds[rng.integers(len(kinds))](canvas, exposure, rng)
    left, top, right, bottom = np.clip(np.round(box), 0, canvas.size).astype(int)
    inside = canvas.covered[top:bottom, left:right]
    return canvas.image.astype(np.float32), float(inside.mean()) if inside.size else 0.0


def _cloth(exposure, rng):
    return np.array(CLOTH_COLOURS[rng.integers(len(CLOTH_COLOURS))]) * min(exposure, 1.2) * rng.uniform(0.8, 1.15)


def _fingers(canvas, skin, u, v, side, lean, length=0.34):
    """Four fingers from a palm at (u, v) upwards, leaning to one side, and the thumb."""
    for k in range(4):
        knuckle = (u + side * (0.13 - 0.085 * k), v - 0.02 * (k in (1, 2)))
        reach = length * (0.86, 1.0, 0.97, 0.75)[k]
        tip = (knuckle[0] + lean * (0.6 + 0.2 * k) * reach, knuckle[1] - reach)
        canvas.capsule(knuckle, tip, 0.047, skin * (1 - 0.03 * k))


def _hand(canvas, exposure, rng):
    """A hand at the cheek or before the mouth."""
    skin, side = canvas.skin, rng.choice([-1.0, 1.0])
    u = 0.5 + side * rng.uniform(0.15, 0.5)
    v = rng.uniform(0.85, 1.0)
    sleeve = (u + side * 0.45, v + 1.1)
    canvas.shadow([(u - 0.2, v - 0.3), (u + 0.2, v - 0.3), (u + 0.2, v + 0.3), (u - 0.2, v + 0.3)], 0.35)
    canvas.capsule((u + side * 0.08, v + 0.2), sleeve, 0.13, skin * 0.95)
    canvas.capsule((u + side * 0.3, v + 0.75), sleeve, 0.2, _cloth(exposure, rng))
    canvas.capsule((u - side * 0.03, v + 0.02), (u + side * 0.05, v + 0.16), 0.17, skin)
    _fingers(canvas, skin, u, v, side, -side * rng.uniform(0.0, 0.4))
    canvas.capsule((u - side * 0.15, v + 0.1), (u - side * 0.26, v - 0.1), 0.055, skin)


def _microphone(canvas, exposure, rng):
    """A microphone before the mouth, held from below."""
    u, v = rng.uniform(0.35, 0.65), rng.uniform(0.86, 1.0)
    lean = rng.uniform(-0.35, 0.35)
    foot = (u + lean, v + 0.9)
    canvas.shadow([(u - 0.15, v - 0.1), (u + 0.15, v - 0.1), (u + 0.15, v + 0.2), (u - 0.15, v + 0.2)], 0.3)
    canvas.capsule((u, v), foot, 0.055, np.full(3, 0.10))
    rows, columns = np.mgrid[: canvas.size, : canvas.size] / (0.035 * canvas.width)
    mesh = 0.8 + 0.35 * (np.sin(rows * 3) * np.sin(columns * 3)).astype(np.float32)
    canvas.capsule((u, v), (u + 0.02 * lean, v + 0.03), 0.13, np.full(3, rng.uniform(0.14, 0.4)), texture=mesh)
    skin = canvas.skin
    for k in range(4):
        across, down = u + lean * (0.5 + 0.1 * k), v + 0.42 + 0.09 * k
        canvas.capsule((across - 0.1, down), (across + 0.09, down - 0.02), 0.048, skin)


def _scarf(canvas, exposure, rng):
    """A scarf up to the chin, the mouth or the nose, in folds."""
    top = rng.choice([0.92, 0.78, 0.66])
    sag, tilt = rng.uniform(0.06, 0.14), rng.uniform(-0.05, 0.05)
    across = np.linspace(-0.14, 1.14, 15)
    edge = top + sag * (1 - (2 * across - 1) ** 2) + tilt * (across - 0.5) + 0.012 * np.sin(9 * across + rng.uniform(0, 6))
    outline = [*zip(across, edge, strict=True), (1.3, 1.25), (1.6, 1.6), (-0.6, 1.6), (-0.3, 1.25)]
    rows, columns = np.mgrid[: canvas.size, : canvas.size].astype(np.float32)
    u, v = (columns - canvas.left) / canvas.width, (rows - canvas.top) / canvas.height
    bent = v - sag * (1 - (2 * u - 1) ** 2) - tilt * u
    folds = 0.87 + 0.11 * np.sin(24 * bent + 2.2 * np.sin(3 * u + rng.uniform(0, 6)))
    folds *= 1 - 0.3 * np.clip(np.abs(2 * u - 1) - 0.7, 0, 1)
    canvas.shadow([(u_, v_ - 0.02) for u_, v_ in outline], 0.3)
    canvas.polygon(outline, _cloth(exposure, rng), texture=folds.astype(np.float32))


def _cup(canvas, exposure, rng):
    """A cup at the lips, held by a hand."""
    u, v, side = rng.uniform(0.42, 0.58), rng.uniform(0.72, 0.85), rng.choice([-1.0, 1.0])
    skin, china = canvas.skin, np.array(CLOTH_COLOURS[rng.integers(len(CLOTH_COLOURS))])
    canvas.shadow([(u - 0.22, v), (u + 0.22, v), (u + 0.2, v + 0.4), (u - 0.2, v + 0.4)], 0.3)
    canvas.capsule((u + side * 0.25, v + 0.25), (u + side * 0.75, v + 1.1), 0.13, skin * 0.92)
    cup = [(u - 0.2, v), (u + 0.2, v), (u + 0.16, v + 0.42), (u - 0.16, v + 0.42)]
    canvas.polygon(cup, np.clip(china * 1.3 * exposure, 0, 0.95), roundness=0.14)
    for k in range(4):
        down = v + 0.1 + 0.085 * k
        canvas.capsule((u + side * 0.24, down), (u - side * 0.06, down - 0.02), 0.046, skin)


def _telephone(canvas, exposure, rng):
    """A telephone at the ear: glass and fingers over one cheek."""
    side = rng.choice([-1.0, 1.0])
    u, lean = 0.5 + side * rng.uniform(0.36, 0.46), side * rng.uniform(-0.12, 0.02)
    skin = canvas.skin
    canvas.capsule((u + side * 0.1, 0.75), (u + side * 0.5, 1.7), 0.14, skin * 0.92)
    body = [(u - 0.1, 0.3), (u + 0.1, 0.3), (u + 0.1 - lean, 0.95), (u - 0.1 - lean, 0.95)]
    canvas.polygon(body, np.full(3, rng.uniform(0.06, 0.3)), roundness=0.03)
    for k in range(4):
        down = 0.45 + 0.1 * k
        canvas.capsule((u + side * 0.16, down + 0.04), (u - side * 0.09, down), 0.048, skin)


def _shoulder(canvas, exposure, rng):
    """Somebody who stands nearer, out of focus: the back of a head and a shoulder."""
    side = rng.choice([-1.0, 1.0])
    u = 0.5 + side * rng.uniform(0.62, 0.8)
    angle = np.linspace(0, 2 * np.pi, 24)
    hair = np.clip(0.7 * HAIR_COLOURS[rng.integers(3)] * exposure, 0, 1) ** GAMMA  # dark: it stands in the shade
    body = [(u - 0.8, 1.15), (u - 0.3, 0.95), (u + 0.3, 0.95), (u + 0.8, 1.15), (u + 0.9, 2.4), (u - 0.9, 2.4)]
    canvas.polygon(body, _cloth(exposure, rng) * 0.7, roundness=0.2, blur=0.03)
    head = [(u + 0.42 * np.cos(a), 0.5 + 0.55 * np.sin(a)) for a in angle]
    canvas.polygon(head, hair, roundness=0.25, blur=0.03)
