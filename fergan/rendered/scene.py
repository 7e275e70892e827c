"""Everything around the face: what stands behind and before it, and what a camera does."""

import cv2
import numpy as np

from fergan.rendered.labels import HAIR_COLOURS, SCENE

COLOURS = SCENE["colours"]  # linear RGB
WALLS, WOODS, CLOTHS, LEAVES, SLEEVES = (COLOURS[name] for name in ("walls", "woods", "cloths", "leaves", "sleeves"))

CANVAS = 64  # what is behind the head is painted at this size and enlarged: it is out of focus anyway
PLAIN_WALLS = {"studio": (0.62, 0.7, 0.15), "laboratory": (0.12, 0.3, 0.3)}  # darkest, lightest grey; darker corners
FILM_EXPOSURE = 0.35  # film scenes are dark
LIGHT = (-0.5, -0.85)  # on what stands before the face, in the image: from the upper left
GAMMA = 1 / 2.2
SUBPIXEL = 4  # bits of position below a pixel that OpenCV draws with


def photograph(image, setting, box, skin, rng):
    """What stands in front of the face and what the camera does: occluder, exposure, blur, noise, JPEG.

    `image` is gamma-encoded RGB 0..1, float32 of shape (size, size, 3), `setting` a row of `draw_setting`, `box` the
    face's left, top, right and bottom in pixels, `skin` the person's, linear RGB. Returns uint8 of the same shape.
    """
    wild = setting["setting"] in ("wild", "film")
    if setting["occluded"]:
        exposure = setting["ambient"] + 0.7 * setting["key"]  # the brightness of what is lit like the face, about 1
        canvas = _Canvas(image, box, skin=np.clip(skin * exposure, 0, 1) ** GAMMA)
        kinds = (_hand, _microphone, _scarf, _cup, _telephone, _shoulder)
        kinds[rng.integers(len(kinds))](canvas, exposure, rng)
        image = canvas.image.astype(np.float32)
    if wild:
        image = np.clip(image, 0, 1) ** rng.uniform(0.8, 1.2) * rng.uniform(0.92, 1.08)
        image = (image - 0.5) * rng.uniform(0.85, 1.15) + 0.5
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1) * image.shape[0] / 128)
    if setting["grey"]:
        image = np.repeat(image @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    noise = rng.uniform(0, 0.02) if wild else 0.006
    image = image + noise * rng.standard_normal(image.shape, dtype=np.float32)
    pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if wild:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))]
        pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR)
    return pixels


def draw_background(setting, size, rng):
    """Paint what is behind the head in one of the settings: linear RGB 0..1, float32 of shape (size, size, 3)."""
    canvas = np.empty((CANVAS, CANVAS, 3), np.float32)
    if setting in PLAIN_WALLS:
        darkest, lightest, vignette = PLAIN_WALLS[setting]
        canvas[:] = rng.uniform(darkest, lightest)
    else:
        (_room if setting == "film" or rng.random() < 0.55 else _outdoors)(canvas, rng)
        if setting == "film":
            canvas *= FILM_EXPOSURE
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.6, 2.4))
        vignette = rng.uniform(0, 0.3)
    canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_LINEAR)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return (canvas * (1 - vignette * (axis[:, None] ** 2 + axis**2) / 2)[..., None]).clip(0, 1)


def _pick(palette, rng, low=0.7, high=1.2):
    colour, level = palette[rng.integers(len(palette))], rng.uniform(low, high)
    return np.minimum(np.array(colour) * level, 1.0)


def _box(canvas, x, y, width, height, colour):
    cv2.rectangle(canvas, (int(x), int(y)), (int(x + width), int(y + height)), tuple(map(float, colour)), -1)


def _room(canvas, rng):
    n, wall = CANVAS, _pick(WALLS, rng, 0.45, 1.0)
    canvas[:] = wall
    corner = int(rng.integers(-n // 4, n + n // 4))
    far = n if corner > n / 2 else 0
    side = np.array([[corner, 0], [far, 0], [far, n], [corner, n]], np.int32)
    cv2.fillPoly(canvas, [side], tuple(map(float, wall * rng.uniform(0.55, 0.85))))
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
    _box(canvas, x, y, w, CANVAS, 0.5 * wood)
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
        _box(canvas, x + 3, y, w - 6, 18, 0.8 * wood)


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
    canvas[:, columns] = folds[None, :, None] * _pick(CLOTHS + WALLS, rng)


def _outdoors(canvas, rng):
    n, horizon = CANVAS, int(CANVAS * rng.uniform(0.35, 0.85))
    fade = np.linspace(0, 1, n, dtype=np.float32)[:, None, None]
    blue = np.float32([0.34, 0.50, 0.78]) * rng.uniform(0.7, 1.1)
    cloudy = rng.random() < 0.35
    canvas[:] = (np.float32([0.62, 0.66, 0.70]) if cloudy else blue) * (1 - fade) + 0.82 * fade
    if rng.random() < 0.45:
        for _ in range(rng.integers(1, 4)):
            _house(canvas, horizon, rng)
    _box(canvas, 0, horizon, n, n, _pick(COLOURS["grounds"], rng, 0.6, 1.3))
    for _ in range(rng.integers(1, 6)):  # trees
        x, height = rng.uniform(0, n), rng.uniform(8, 34)
        _box(canvas, x, horizon - height / 2, max(1, height / 12), height / 2 + 2, (0.06, 0.04, 0.025))
        _foliage(canvas, rng, x, horizon - 0.7 * height, 0.42 * height, 0.45 * height, int(12 + height))
    if rng.random() < 0.35:  # a hedge close behind
        _foliage(canvas, rng, rng.uniform(0, n), n * rng.uniform(0.6, 0.9), n * 0.7, n * 0.3, 60)


def _house(canvas, horizon, rng):
    x, w, top = rng.integers(-10, CANVAS), rng.integers(12, 34), horizon - rng.integers(10, 44)
    facade = _pick(COLOURS["facades"], rng)
    _box(canvas, x, top, w, horizon - top, facade)
    glass = facade * rng.uniform(0.25, 0.5, 3)
    for row in range(top + 3, horizon - 3, 7):
        for column in range(x + 2, x + w - 3, 6):
            _box(canvas, column, row, 2, 3, glass)


def _foliage(canvas, rng, x, y, spread_x, spread_y, n_tufts):
    centre = rng.normal(0, 0.45, (n_tufts, 2))
    tone, radius = rng.random(n_tufts), rng.integers(1, 4, n_tufts)
    base = _pick(LEAVES, rng)
    for (u, v), t, r in zip(centre, tone, radius, strict=True):
        colour = base * (1.0 - 0.6 * v) * (0.5 + t)
        place = int(x + u * spread_x), int(y + v * spread_y)
        cv2.circle(canvas, place, int(r), tuple(float(c) for c in colour), -1)


class _Canvas:
    """A photograph that shapes are put on."""

    def __init__(self, image, box, skin):
        self.skin = skin
        self.image, self.size = image.copy(), image.shape[0]
        self.left, self.top = box[:2]
        self.width, self.height = box[2] - box[0], box[3] - box[1]

    def _fixed(self, places):
        """Pixels for OpenCV of places in the face's box: (0, 0) is its upper left corner, (1, 1) the lower right one."""
        pixels = [(self.left + u * self.width, self.top + v * self.height) for u, v in places]
        return np.round(np.asarray(pixels, float) * 2**SUBPIXEL).astype(np.int32)

    def capsule(self, start, end, radius, colour, texture=None):
        """A finger, an arm or a handle: a line with round ends; radius in widths of the box."""
        mask, thickness = np.zeros(self.image.shape[:2], np.uint8), max(1, round(2 * radius * self.width))
        cv2.line(mask, *self._fixed((start, end)).tolist(), 255, thickness, cv2.LINE_AA, SUBPIXEL)
        self._put(mask, colour, radius, texture)

    def polygon(self, points, colour, roundness=0.08, texture=None, blur=0.0):
        """A filled outline, given in the box."""
        mask = np.zeros(self.image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [self._fixed(points)], 255, cv2.LINE_AA, SUBPIXEL)
        self._put(mask, colour, roundness, texture, blur)

    def _put(self, mask, colour, roundness, texture, blur=0.0):
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

    def shadow(self, points, strength):
        """Darken the face beside what will cover it."""
        mask = np.zeros(self.image.shape[:2], np.float32)
        cv2.fillPoly(mask, [self._fixed(points)], 1.0, cv2.LINE_8, SUBPIXEL)
        self.image *= 1 - strength * cv2.GaussianBlur(mask, (0, 0), 0.05 * self.width)[..., None]


def _cloth(exposure, rng):
    return np.array(SLEEVES[rng.integers(len(SLEEVES))]) * min(exposure, 1.2) * rng.uniform(0.8, 1.15)


def _hand(canvas, exposure, rng):
    skin, side = canvas.skin, rng.choice([-1.0, 1.0])
    u, v = 0.5 + side * rng.uniform(0.15, 0.5), rng.uniform(0.85, 1.0)
    sleeve = (u + side * 0.45, v + 1.1)
    canvas.shadow([(u - 0.2, v - 0.3), (u + 0.2, v - 0.3), (u + 0.2, v + 0.3), (u - 0.2, v + 0.3)], 0.35)
    canvas.capsule((u + side * 0.08, v + 0.2), sleeve, 0.13, skin * 0.95)
    canvas.capsule((u + side * 0.3, v + 0.75), sleeve, 0.2, _cloth(exposure, rng))
    canvas.capsule((u - side * 0.03, v + 0.02), (u + side * 0.05, v + 0.16), 0.17, skin)
    lean = -side * rng.uniform(0.0, 0.4)
    for k, length in enumerate((0.86, 1.0, 0.97, 0.75)):
        across, down, reach = u + side * (0.13 - 0.085 * k), v - 0.02 * (k in (1, 2)), 0.34 * length
        tip = (across + lean * (0.6 + 0.2 * k) * reach, down - reach)
        canvas.capsule((across, down), tip, 0.047, skin * (1 - 0.03 * k))
    canvas.capsule((u - side * 0.15, v + 0.1), (u - side * 0.26, v - 0.1), 0.055, skin)


def _microphone(canvas, exposure, rng):
    u, v = rng.uniform(0.35, 0.65), rng.uniform(0.86, 1.0)
    lean = rng.uniform(-0.35, 0.35)
    canvas.shadow([(u - 0.15, v - 0.1), (u + 0.15, v - 0.1), (u + 0.15, v + 0.2), (u - 0.15, v + 0.2)], 0.3)
    canvas.capsule((u, v), (u + lean, v + 0.9), 0.055, np.full(3, 0.10))
    rows, columns = np.mgrid[: canvas.size, : canvas.size] / (0.035 * canvas.width)
    mesh = 0.8 + 0.35 * (np.sin(rows * 3) * np.sin(columns * 3)).astype(np.float32)
    canvas.capsule((u, v), (u + 0.02 * lean, v + 0.03), 0.13, np.full(3, rng.uniform(0.14, 0.4)), texture=mesh)
    for k in range(4):
        across, down = u + lean * (0.5 + 0.1 * k), v + 0.42 + 0.09 * k
        canvas.capsule((across - 0.1, down), (across + 0.09, down - 0.02), 0.048, canvas.skin)


def _scarf(canvas, exposure, rng):
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
    u, v, side = rng.uniform(0.42, 0.58), rng.uniform(0.72, 0.85), rng.choice([-1.0, 1.0])
    skin, china = canvas.skin, np.array(SLEEVES[rng.integers(len(SLEEVES))])
    canvas.shadow([(u - 0.22, v), (u + 0.22, v), (u + 0.2, v + 0.4), (u - 0.2, v + 0.4)], 0.3)
    canvas.capsule((u + side * 0.25, v + 0.25), (u + side * 0.75, v + 1.1), 0.13, skin * 0.92)
    cup = [(u - 0.2, v), (u + 0.2, v), (u + 0.16, v + 0.42), (u - 0.16, v + 0.42)]
    canvas.polygon(cup, np.clip(china * 1.3 * exposure, 0, 0.95), roundness=0.14)
    for k in range(4):
        down = v + 0.1 + 0.085 * k
        canvas.capsule((u + side * 0.24, down), (u - side * 0.06, down - 0.02), 0.046, skin)


def _telephone(canvas, exposure, rng):
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
    side = rng.choice([-1.0, 1.0])
    u = 0.5 + side * rng.uniform(0.62, 0.8)
    angle = np.linspace(0, 2 * np.pi, 24)
    hair = np.clip(0.7 * HAIR_COLOURS[rng.integers(3)] * exposure, 0, 1) ** GAMMA  # dark: it stands in the shade
    body = [(u - 0.8, 1.15), (u - 0.3, 0.95), (u + 0.3, 0.95), (u + 0.8, 1.15), (u + 0.9, 2.4), (u - 0.9, 2.4)]
    canvas.polygon(body, _cloth(exposure, rng) * 0.7, roundness=0.2, blur=0.03)
    head = [(u + 0.42 * np.cos(a), 0.5 + 0.55 * np.sin(a)) for a in angle]
    canvas.polygon(head, hair, roundness=0.25, blur=0.03)
