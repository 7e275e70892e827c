"""Everything around the face: camera, light and accessories of each photograph, and what a camera does."""

import cv2
import numpy as np
import pandas as pd

from fergan.rendered.occluders import occlude

SETTINGS = ("studio", "laboratory", "wild", "film")
GAZE_SHIFT = {"frontal": 0.0, "left": 0.42, "right": -0.42}  # iris shift in cm; left is the person's own left
LABORATORY_YAW_JITTER = 1.5  # degrees: people do not sit exactly still
# How exactly a studio photograph is framed: with `fergan.rendered.protocols.GAINS` this sets how hard the frontal stand-in
# is on plain pixels (three per cent of shift would take a third of the accuracy away).
STUDIO_SCALE, STUDIO_SHIFT = (0.98, 1.08), 0.01  # range; standard deviation in frames
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
        "scale": rng.uniform(*STUDIO_SCALE, n_faces),
        "shift_x": rng.normal(0, STUDIO_SHIFT, n_faces),
        "shift_y": rng.normal(0, STUDIO_SHIFT, n_faces),
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


def photograph(image, setting, box, skin, rng):
    """What stands in front of the face and what the camera does: occluder, exposure, blur, noise, JPEG.

    Parameters
    ----------
    image : ndarray of shape (size, size, 3), float32
        Gamma-encoded RGB, 0..1.
    setting : dict
        One row of :func:`draw_setting`.
    box : sequence of 4 floats
        Left, top, right, bottom of the face in pixels.
    skin : ndarray of shape (3,)
        The person's, linear RGB.
    rng : numpy.random.Generator

    Returns
    -------
    pixels : ndarray of shape (size, size, 3), uint8
    covered : float
        Share of the face's box behind something, 0..1.
    """
    kind = setting["setting"]
    wild = kind in ("wild", "film")
    covered = 0.0
    if setting["occluded"]:
        exposure = setting["ambient"] + 0.7 * setting["key"]
        image, covered = occlude(image, box, skin, exposure, rng)
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
    return pixels, covered
