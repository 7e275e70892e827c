"""What is behind the head: a studio wall, a room or the open air, out of focus."""

import cv2
import numpy as np

CANVAS = 64  # painted at this size and enlarged: it is out of focus anyway
FILM_EXPOSURE = 0.35  # film scenes are dark

# Linear RGB at full light.
WALLS = [(0.72, 0.68, 0.60), (0.62, 0.55, 0.44), (0.55, 0.56, 0.56), (0.45, 0.52, 0.58), (0.44, 0.50, 0.40),
         (0.38, 0.24, 0.15), (0.40, 0.17, 0.14), (0.75, 0.74, 0.72)]  # fmt: skip
WOODS = [(0.20, 0.11, 0.06), (0.32, 0.19, 0.10), (0.10, 0.06, 0.04), (0.45, 0.32, 0.20)]
CLOTHS = [(0.10, 0.13, 0.22), (0.28, 0.08, 0.07), (0.09, 0.16, 0.12), (0.35, 0.31, 0.25), (0.06, 0.06, 0.07)]
LEAVES = [(0.05, 0.10, 0.03), (0.10, 0.18, 0.05), (0.16, 0.22, 0.07), (0.03, 0.06, 0.02), (0.20, 0.16, 0.06)]
FACADES = [(0.45, 0.40, 0.34), (0.30, 0.17, 0.12), (0.36, 0.36, 0.37), (0.55, 0.50, 0.40)]
GROUNDS = [(0.10, 0.17, 0.05), (0.25, 0.24, 0.22), (0.30, 0.25, 0.18)]


def draw_background(setting, size, rng):
    """Paint what is behind the head.

    Parameters
    ----------
    setting : str
        One of `fergan.rendered.scene.SETTINGS`.
    size : int
        Pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (size, size, 3), float32
        Linear RGB, 0..1.
    """
    canvas = np.empty((CANVAS, CANVAS, 3), np.float32)
    if setting == "studio":
        canvas[:] = rng.uniform(0.62, 0.7)
        return _finish(canvas, size, blur=0, vignette=0.15)
    if setting == "laboratory":
        canvas[:] = rng.uniform(0.12, 0.3)
        return _finish(canvas, size, blur=0, vignette=0.3)
    if setting == "film" or rng.random() < 0.55:
        _room(canvas, rng)
    else:
        _outdoors(canvas, rng)
    if setting == "film":
        canvas *= FILM_EXPOSURE
    return _finish(canvas, size, blur=rng.uniform(0.6, 2.4), vignette=rng.uniform(0, 0.3))


def _pick(palette, rng, low=0.7, high=1.2):
    """One of the colours, a little lighter or darker."""
    red, green, blue = palette[rng.integers(len(palette))]
    level = rng.uniform(low, high)
    return (min(red * level, 1.0), min(green * level, 1.0), min(blue * level, 1.0))


def _box(canvas, x, y, width, height, colour):
    cv2.rectangle(canvas, (int(x), int(y)), (int(x + width), int(y + height)), colour, -1)


def _room(canvas, rng):
    """A wall with a corner, a floor or table, and what stands before it."""
    n = CANVAS
    wall = _pick(WALLS, rng, 0.45, 1.0)
    canvas[:] = wall
    corner = int(rng.integers(-n // 4, n + n // 4))
    far = n if corner > n / 2 else 0
    side = np.array([[corner, 0], [far, 0], [far, n], [corner, n]], np.int32)
    shade = rng.uniform(0.55, 0.85)
    cv2.fillPoly(canvas, [side], tuple(c * shade for c in wall))
    things = (_window, _shelf, _door, _picture, _lamp, _drapes)
    for k in rng.permutation(len(things))[: rng.integers(1, 4)]:
        things[k](canvas, rng)
    if rng.random() < 0.5:
        top = n * rng.uniform(0.65, 1.0)
        _box(canvas, rng.integers(-n // 2, n // 2), top, n, n, _pick(WOODS + CLOTHS, rng))


def _window(canvas, rng):
    x, y, w, h = rng.integers(-8, CANVAS), rng.integers(-10, 14), rng.integers(14, 30), rng.integers(24, 44)
    frame = _pick(WOODS + WALLS, rng)
    _box(canvas, x - 2, y - 2, w + 4, h + 4, frame)
    _box(canvas, x, y, w, h, (0.80, 0.88, 0.95))
    _box(canvas, x, y + h * rng.uniform(0.5, 0.9), w, h * 0.1 + 1, _pick(LEAVES, rng, 1.0, 2.0))
    _box(canvas, x + w // 2 - 1, y, 1, h, frame)


def _shelf(canvas, rng):
    x, y, w = rng.integers(-10, CANVAS - 10), rng.integers(-6, 20), rng.integers(18, 40)
    wood = _pick(WOODS, rng)
    _box(canvas, x, y, w, CANVAS, tuple(0.5 * c for c in wood))
    for row in range(y, CANVAS, 11):
        _box(canvas, x, row, w, 1, wood)
        book = x + 1
        while book < x + w - 2:
            width, height = rng.integers(1, 4), rng.integers(6, 10)
            _box(canvas, book, row + 10 - height, width - 1, height, _pick(CLOTHS + WALLS, rng, 0.4, 1.2))
            book += width


def _door(canvas, rng):
    x, w = rng.integers(-10, CANVAS - 5), rng.integers(14, 24)
    wood = _pick(WOODS + WALLS[-1:], rng)
    _box(canvas, x, rng.integers(-5, 12), w, CANVAS, wood)
    for y in (16, 40):
        _box(canvas, x + 3, y, w - 6, 18, tuple(0.8 * c for c in wood))


def _picture(canvas, rng):
    x, y, w, h = rng.integers(-5, CANVAS), rng.integers(0, 30), rng.integers(8, 20), rng.integers(8, 20)
    _box(canvas, x - 1, y - 1, w + 2, h + 2, _pick(WOODS, rng))
    _box(canvas, x, y, w, h, _pick(WALLS, rng))
    _box(canvas, x, y + h // 2, w, h - h // 2, _pick(CLOTHS + LEAVES, rng))


def _lamp(canvas, rng):
    x, y = int(rng.integers(0, CANVAS)), int(rng.integers(8, 34))
    glow = np.hypot(np.arange(CANVAS)[:, None] - y, np.arange(CANVAS)[None] - x)
    canvas += 0.35 * np.exp(-((glow / 16) ** 2))[..., None].astype(np.float32) * np.float32([1.0, 0.8, 0.5])
    shade = np.array([[x - 2, y - 4], [x + 2, y - 4], [x + 5, y + 4], [x - 5, y + 4]], np.int32)
    cv2.fillPoly(canvas, [shade], (0.95, 0.82, 0.58))
    _box(canvas, x, y + 4, 1, CANVAS, (0.08, 0.06, 0.05))


def _drapes(canvas, rng):
    x, w = int(rng.integers(-10, CANVAS - 8)), int(rng.integers(12, 26))
    columns = np.arange(max(x, 0), min(x + w, CANVAS))
    folds = 0.75 + 0.25 * np.sin(columns * rng.uniform(1.0, 1.8) + rng.uniform(0, 6))
    canvas[:, columns] = folds[None, :, None] * np.array(_pick(CLOTHS + WALLS, rng))


def _outdoors(canvas, rng):
    """Sky over a horizon, houses or trees, and grass or pavement."""
    n, horizon = CANVAS, int(CANVAS * rng.uniform(0.35, 0.85))
    fade = np.linspace(0, 1, n, dtype=np.float32)[:, None, None]
    blue = np.float32([0.34, 0.50, 0.78]) * rng.uniform(0.7, 1.1)
    cloudy = rng.random() < 0.35
    canvas[:] = (np.float32([0.62, 0.66, 0.70]) if cloudy else blue) * (1 - fade) + 0.82 * fade
    if rng.random() < 0.45:
        for _ in range(rng.integers(1, 4)):
            _house(canvas, horizon, rng)
    _box(canvas, 0, horizon, n, n, _pick(GROUNDS, rng, 0.6, 1.3))
    for _ in range(rng.integers(1, 6)):
        _tree(canvas, horizon, rng)
    if rng.random() < 0.35:  # a hedge close behind
        _foliage(canvas, rng, rng.uniform(0, n), n * rng.uniform(0.6, 0.9), n * 0.7, n * 0.3, 60)


def _house(canvas, horizon, rng):
    x, w, top = rng.integers(-10, CANVAS), rng.integers(12, 34), horizon - rng.integers(10, 44)
    facade = _pick(FACADES, rng)
    _box(canvas, x, top, w, horizon - top, facade)
    glass = tuple(c * rng.uniform(0.25, 0.5) for c in facade)
    for row in range(top + 3, horizon - 3, 7):
        for column in range(x + 2, x + w - 3, 6):
            _box(canvas, column, row, 2, 3, glass)


def _tree(canvas, horizon, rng):
    x, height = rng.uniform(0, CANVAS), rng.uniform(8, 34)
    _box(canvas, x, horizon - height / 2, max(1, height / 12), height / 2 + 2, (0.06, 0.04, 0.025))
    _foliage(canvas, rng, x, horizon - 0.7 * height, 0.42 * height, 0.45 * height, int(12 + height))


def _foliage(canvas, rng, x, y, spread_x, spread_y, n_tufts):
    """Tufts of leaves, darker below, lit from above."""
    centre = rng.normal(0, 0.45, (n_tufts, 2))
    tone, radius = rng.random(n_tufts), rng.integers(1, 4, n_tufts)
    base = np.array(_pick(LEAVES, rng))
    for (u, v), t, r in zip(centre, tone, radius, strict=True):
        colour = base * (1.0 - 0.6 * v) * (0.5 + t)
        place = int(x + u * spread_x), int(y + v * spread_y)
        cv2.circle(canvas, place, int(r), tuple(float(c) for c in colour), -1)


def _finish(canvas, size, blur, vignette):
    if blur:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_LINEAR)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return (canvas * (1 - vignette * (axis[:, None] ** 2 + axis**2) / 2)[..., None]).clip(0, 1)
