"""Everything around the face: camera, light, background, things in front of it, and what a camera does."""

import cv2
import numpy as np
import pandas as pd

SETTINGS = ("studio", "laboratory", "wild", "film")
GAZE_SHIFT = {"frontal": 0.0, "left": 0.42, "right": -0.42}  # iris shift in cm; left is the person's own left
LABORATORY_YAW_JITTER = 1.5  # degrees: people do not sit exactly still
GLASSES = {"none": 0.0, "clear": 1.0, "dark": 2.0}


def draw_setting(labels, setting, rng):
    """Draw camera, light and accessories of every row of a table.

    Parameters
    ----------
    labels : pandas.DataFrame
        With `view` ("frontal", "yaw+45".. or "wild"), `gaze`, and `sequence`, where the camera stands still.
    setting : str
        One of `SETTINGS`.
    rng : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame
        One row per face: `setting`, `yaw`, `pitch`, `roll` (degrees), `gaze_x`, `gaze_y` (cm), `scale` (1
        fills most of the frame), `shift_x`, `shift_y` (fractions of the frame), `light_azimuth`,
        `light_elevation` (degrees), `ambient`, `key` (relative intensities), `warmth` (of the light),
        `glasses` (0 none, 1 clear, 2 dark), `occluded`, `grey` (0 or 1).
    """
    n_faces = len(labels)
    draw = _draw_wild if setting in ("wild", "film") else _draw_posed
    table = draw(labels, setting, rng)
    table["setting"] = setting
    table = pd.DataFrame({name: np.broadcast_to(values, n_faces) for name, values in table.items()})
    if labels["sequence"].notna().any():
        codes = labels["sequence"].factorize()[0]
        sway = table[["yaw", "pitch", "roll"]] * 0.1
        first = np.unique(codes, return_index=True)[1]
        table = table.iloc[first[codes]].reset_index(drop=True)
        table[["yaw", "pitch", "roll"]] += sway
    return table


def _draw_posed(labels, setting, rng):
    n_faces = len(labels)
    view = labels["view"].map(lambda v: float(v[3:]) if v.startswith("yaw") else 0.0).to_numpy()
    studio = setting == "studio"
    return {
        "yaw": view + rng.normal(0, LABORATORY_YAW_JITTER, n_faces),
        "pitch": rng.normal(0, 2, n_faces),
        "roll": rng.normal(0, 1.5, n_faces),
        "gaze_x": labels["gaze"].map(GAZE_SHIFT).to_numpy(),
        "gaze_y": 0.0,
        "scale": rng.uniform(0.98, 1.08, n_faces),
        "shift_x": rng.normal(0, 0.01, n_faces),
        "shift_y": rng.normal(0, 0.01, n_faces),
        "light_azimuth": rng.normal(0 if studio else -20, 4 if studio else 8, n_faces),
        "light_elevation": rng.uniform(30, 40, n_faces),
        "ambient": rng.uniform(0.42, 0.5, n_faces) if studio else rng.uniform(0.32, 0.45, n_faces),
        "key": rng.uniform(0.66, 0.78, n_faces),
        "warmth": 0.0,
        "glasses": 0.0,
        "occluded": 0.0,
        "grey": 0.0 if studio else 1.0,  # the Cohn-Kanade tapes are mostly grey
    }


def _draw_wild(labels, setting, rng):
    n_faces = len(labels)
    film = setting == "film"
    return {
        "yaw": np.clip(rng.normal(0, 20 if film else 16, n_faces), -60, 60),
        "pitch": np.clip(rng.normal(0, 6, n_faces), -16, 16),
        "roll": np.clip(rng.normal(0, 6, n_faces), -16, 16),
        "gaze_x": rng.uniform(-0.4, 0.4, n_faces),
        "gaze_y": rng.uniform(-0.12, 0.1, n_faces),
        "scale": rng.uniform(0.62, 0.9, n_faces) if film else rng.uniform(0.72, 1.05, n_faces),
        "shift_x": rng.normal(0, 0.04, n_faces),
        "shift_y": rng.normal(0, 0.03, n_faces),
        "light_azimuth": np.clip(rng.normal(0, 45 if film else 35, n_faces), -80, 80),
        "light_elevation": rng.uniform(-5, 60, n_faces),
        "ambient": rng.uniform(0.10, 0.3, n_faces) if film else rng.uniform(0.3, 0.6, n_faces),
        "key": rng.uniform(0.25, 0.75, n_faces) if film else rng.uniform(0.35, 0.95, n_faces),
        "warmth": rng.normal(0.04, 0.1, n_faces),
        "glasses": rng.choice([0.0, 1.0, 2.0], n_faces, p=[0.84, 0.11, 0.05]),
        "occluded": (rng.random(n_faces) < (0.2 if film else 0.1)).astype(float),
        "grey": (rng.random(n_faces) < 0.1).astype(float),
    }


def default_setting(**changes):
    """Settings of one well-lit frontal studio photograph, with any of them changed: a dict for one row."""
    setting = {
        "setting": "studio", "yaw": 0.0, "pitch": 0.0, "roll": 0.0, "gaze_x": 0.0, "gaze_y": 0.0,
        "scale": 1.03, "shift_x": 0.0, "shift_y": 0.0, "light_azimuth": 0.0, "light_elevation": 35.0,
        "ambient": 0.46, "key": 0.72, "warmth": 0.0, "glasses": 0.0, "occluded": 0.0, "grey": 0.0,
    }  # fmt: skip
    unknown = sorted(set(changes) - set(setting))
    if unknown:
        raise ValueError(f"setting: unknown name {unknown[0]!r}, expected one of {', '.join(setting)}")
    return {**setting, **changes}


def draw_background(setting, size, rng):
    """Paint what is behind the head: a studio wall, a room or the open air, out of focus.

    Returns
    -------
    ndarray of shape (size, size, 3), float32
        Linear RGB, 0..1.
    """
    n = 64  # painted small: it is out of focus anyway
    if setting == "studio":
        level = rng.uniform(0.62, 0.7)
        canvas = np.full((n, n, 3), level, np.float32)
        return _finish(canvas, size, rng, blur=0, vignette=0.15)
    if setting == "laboratory":
        canvas = np.full((n, n, 3), rng.uniform(0.12, 0.3), np.float32)
        return _finish(canvas, size, rng, blur=0, vignette=0.3)
    canvas = _room(n, rng) if setting == "film" or rng.random() < 0.55 else _outdoors(n, rng)
    canvas *= 0.35 if setting == "film" else 1.0
    return _finish(canvas, size, rng, blur=rng.uniform(0.8, 3.0), vignette=rng.uniform(0, 0.3))


def _colour(rng, level, saturation=0.25):
    """A muted random colour of the given linear brightness."""
    return tuple(float(v) for v in np.clip(level * (1 + saturation * rng.standard_normal(3)), 0.01, 0.95))


def _room(n, rng):
    """A wall with a side wall, some furniture, perhaps a window, a picture or a lamp."""
    canvas = np.empty((n, n, 3), np.float32)
    canvas[:] = _colour(rng, rng.uniform(0.12, 0.55), 0.12)
    corner = int(rng.integers(-n // 4, n + n // 4))
    side = np.array(
        [[corner, 0], [n if corner > n / 2 else 0, 0], [n if corner > n / 2 else 0, n], [corner, n]]
    )
    cv2.fillPoly(canvas, [side.astype(np.int32)], _colour(rng, rng.uniform(0.08, 0.4), 0.12))
    if rng.random() < 0.5:
        x, y, w, h = (
            int(rng.integers(-8, n)),
            int(rng.integers(-8, n // 3)),
            int(rng.integers(10, 26)),
            n // 2,
        )
        cv2.rectangle(canvas, (x - 1, y - 1), (x + w + 1, y + h + 1), _colour(rng, 0.3, 0.1), -1)
        cv2.rectangle(canvas, (x, y), (x + w, y + h), _colour(rng, 0.85, 0.08), -1)
        cv2.line(canvas, (x + w // 2, y), (x + w // 2, y + h), _colour(rng, 0.3, 0.1), 1)
    for _ in range(int(rng.integers(0, 3))):  # pictures, shelves, doors
        x, y = int(rng.integers(-10, n)), int(rng.integers(-10, n))
        w, h = int(rng.integers(6, 22)), int(rng.integers(4, 30))
        cv2.rectangle(canvas, (x, y), (x + w, y + h), _colour(rng, rng.uniform(0.04, 0.5)), -1)
    top = int(n * rng.uniform(0.6, 1.0))
    cv2.rectangle(canvas, (int(rng.integers(-n // 2, n // 2)), top), (n, n), _colour(rng, 0.12), -1)
    if rng.random() < 0.3:
        centre = (int(rng.integers(0, n)), int(rng.integers(0, n // 2)))
        cv2.circle(canvas, centre, int(rng.integers(2, 6)), _colour(rng, 0.9, 0.05), -1)
    return canvas


def _outdoors(n, rng):
    """Sky over a horizon, with trees or houses, and grass or pavement."""
    horizon = int(n * rng.uniform(0.3, 0.8))
    fade = np.linspace(0, 1, n, dtype=np.float32)[:, None, None]
    sky = np.array([_colour(rng, 0.45, 0.05)]) * np.array([0.75, 0.95, 1.25])
    canvas = (sky * (1 - fade) + 0.8 * fade) * np.ones((n, n, 1))
    canvas = np.ascontiguousarray(canvas.clip(0, 1), np.float32)
    ground = (0.10, 0.17, 0.05) if rng.random() < 0.5 else (0.25, 0.24, 0.22)
    cv2.rectangle(canvas, (0, horizon), (n, n), tuple(float(g * rng.uniform(0.6, 1.3)) for g in ground), -1)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):  # houses
            x, w, top = (
                int(rng.integers(-10, n)),
                int(rng.integers(10, 30)),
                horizon - int(rng.integers(6, 36)),
            )
            cv2.rectangle(
                canvas, (x, top), (x + w, horizon + 2), _colour(rng, rng.uniform(0.1, 0.5), 0.15), -1
            )
    for _ in range(int(rng.integers(4, 26))):  # foliage
        centre = (int(rng.integers(0, n)), horizon - int(abs(rng.normal(0, 12))))
        green = tuple(float(v) for v in np.array([0.07, 0.13, 0.035]) * rng.uniform(0.4, 2.2))
        cv2.circle(canvas, centre, int(rng.integers(3, 10)), green, -1)
    return canvas


def _finish(canvas, size, rng, blur, vignette):
    if blur:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_LINEAR)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return (canvas * (1 - vignette * (axis[:, None] ** 2 + axis**2) / 2)[..., None]).clip(0, 1)


def photograph(image, setting, box, rng):
    """What stands in front of the face and what the camera does: occluder, exposure, blur, noise, JPEG.

    Parameters
    ----------
    image : ndarray of shape (size, size, 3), float32
        Gamma-encoded RGB, 0..1.
    setting : dict
        One row of :func:`draw_setting`.
    box : sequence of 4 floats
        Left, top, right, bottom of the face in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
    """
    kind = setting["setting"]
    wild = kind in ("wild", "film")
    if setting["occluded"]:
        image = _occlude(image, box, rng)
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


def _occlude(image, box, rng):
    """Cover a part of the face: with a hand, a microphone, a scarf, or whatever stands beside."""
    size = image.shape[0]
    left, top, right, bottom = box
    w, h = right - left, bottom - top
    mask = np.zeros((size, size), np.float32)
    kind = rng.choice(["hand", "microphone", "scarf", "edge"])
    if kind == "hand":
        colour = np.array([0.76, 0.57, 0.47]) * rng.uniform(0.45, 1.1)
        x, y = left + w * rng.choice([0.05, 0.95]), bottom - h * rng.uniform(0.0, 0.25)
        _ellipse(mask, (x, y + 0.1 * h), (0.3 * w, 0.36 * h), 0)
        for k in range(4):
            _ellipse(mask, (x - 0.14 * w + 0.1 * w * k, y - 0.16 * h), (0.085 * w, 0.34 * h), 8 * (k - 1.5))
    elif kind == "microphone":
        colour = np.full(3, rng.uniform(0.05, 0.25))
        x = left + w * rng.uniform(0.3, 0.7)
        _ellipse(mask, (x, bottom - 0.02 * h), (0.24 * w, 0.26 * h), 0)
        _ellipse(mask, (x, bottom + 0.5 * h), (0.12 * w, 0.9 * h), 0)
    elif kind == "scarf":
        colour = np.array(_colour(rng, rng.uniform(0.15, 0.6), 0.2))
        _ellipse(mask, (left + w / 2, bottom + 0.16 * h), (1.5 * w, 0.55 * h), rng.uniform(-6, 6))
    else:
        colour = np.array(_colour(rng, rng.uniform(0.08, 0.4), 0.15))
        _ellipse(
            mask,
            (left + w * rng.choice([-0.05, 1.05]), top + 0.5 * h),
            (0.45 * w, 4 * h),
            rng.uniform(-15, 15),
        )
    mask = cv2.GaussianBlur(mask, (0, 0), size / 110)[..., None]
    shade = 1 + 0.1 * cv2.resize(rng.standard_normal((7, 7)).astype(np.float32), (size, size))[..., None]
    return (image * (1 - mask) + mask * colour.astype(np.float32) * shade).astype(np.float32)


def _ellipse(mask, centre, axes, angle):
    centre, axes = tuple(float(v) for v in centre), tuple(float(v) for v in axes)
    cv2.ellipse(mask, (centre, axes, float(angle)), 1.0, -1)
