"""People: the permanent shape and colouring of a face, and the expression it shows.

An identity is drawn from one integer: a dictionary of floats (centimetres unless said otherwise) and linear-RGB colours,
which no expression, camera or light changes. An expression is 14 Action Units on either side, from 0 (absent) to 1
(maximum). Sides are the person's own: *left* appears on the right of an unmirrored frontal photograph.
"""

from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import torch

from fergan.facs import ACTION_UNITS, EMOTIONS

# name: (mean, standard deviation, shift at full masculinity). The shift is subtracted at full femininity.
# Factors are relative to the average head, lengths in centimetres.
SHAPE = {
    "head_width": (1.0, 0.04, 0.01),
    "jaw_width": (1.0, 0.06, 0.05),
    "face_height": (1.0, 0.03, 0.01),
    "chin_length": (0.0, 0.35, 0.20),
    "chin_depth": (0.1, 0.30, 0.05),
    "jaw_squareness": (0.0, 0.12, 0.12),
    "cheekbone": (0.45, 0.18, -0.03),
    "cheek_fullness": (0.05, 0.25, -0.05),
    "neck_width": (1.0, 0.05, 0.10),
    "eye_x": (3.15, 0.13, 0.0),
    "eye_halfwidth": (1.62, 0.10, 0.0),
    "eye_open": (1.28, 0.14, -0.08),
    "eye_tilt": (0.08, 0.12, -0.04),
    "eye_depth": (0.85, 0.22, 0.10),
    "lid_crease": (0.36, 0.09, -0.03),
    "brow_height": (2.0, 0.20, -0.20),
    "brow_thickness": (0.40, 0.08, 0.08),
    "brow_arch": (0.35, 0.16, -0.08),
    "brow_tilt": (0.0, 0.12, 0.0),
    "brow_density": (0.85, 0.12, 0.05),
    "brow_ridge": (0.30, 0.15, 0.17),
    "nose_length": (4.2, 0.32, 0.06),
    "nose_width": (1.0, 0.15, 0.08),
    "nose_height": (2.1, 0.36, 0.12),
    "nose_bridge": (0.7, 0.28, 0.06),
    "nose_bridge_width": (0.62, 0.1, 0.04),
    "nose_hump": (0.05, 0.24, 0.06),
    "nose_tip": (0.60, 0.22, 0.0),
    "nose_upturn": (0.08, 0.26, -0.06),
    "nose_bend": (0.0, 0.10, 0.0),
    "mouth_y": (-6.95, 0.22, 0.0),
    "mouth_halfwidth": (2.5, 0.20, 0.06),
    "mouth_curve": (0.05, 0.10, 0.0),
    "upper_lip": (0.66, 0.15, -0.09),
    "lower_lip": (0.92, 0.17, -0.09),
}

# Five skins from light to dark, linear RGB; melanin 0..1 interpolates between them.
SKIN_TONES = np.array([[0.80, 0.56, 0.45], [0.70, 0.45, 0.33], [0.54, 0.33, 0.22], [0.34, 0.19, 0.12], [0.17, 0.09, 0.06]])
# Black, dark brown, brown; light brown, blond, red; linear RGB.
HAIR_COLOURS = np.array([[0.022, 0.017, 0.015], [0.055, 0.033, 0.022], [0.13, 0.072, 0.040],
                         [0.27, 0.17, 0.09], [0.48, 0.35, 0.19], [0.26, 0.085, 0.038]])  # fmt: skip
# Dark brown, brown, hazel, blue-grey; linear RGB.
IRIS_COLOURS = np.array([[0.07, 0.04, 0.025], [0.14, 0.08, 0.04], [0.12, 0.13, 0.06], [0.10, 0.15, 0.21]])

# FACS scores five levels, A (trace) to E (maximum); we call an Action Unit present from B (slight) on. With
# the levels spread over 0..1 a trace ends at about one fifth. An Action Unit on one side only is present.
OCCURRENCE_THRESHOLD = 0.2

# Traces that nobody intends: each Action Unit is now and then slightly active, always below the threshold.
BACKGROUND_PROBABILITY, BACKGROUND_MAXIMUM = 0.06, 0.18

# emotion: {Action Unit: (probability, mean intensity)}, after the field's prototypes (EMFACS).
EMOTION_ACTION_UNITS = {
    "angry": {
        "AU04": (1.0, 0.85), "AU05": (0.5, 0.5), "AU07": (0.85, 0.7), "AU17": (0.4, 0.5),
        "AU23": (0.6, 0.75), "AU24": (0.6, 0.75), "AU25": (0.15, 0.4),
    },
    "contemptuous": {"AU12": (1.0, 0.6), "AU07": (0.2, 0.25), "AU17": (0.2, 0.3), "AU24": (0.25, 0.35)},
    "disgusted": {
        "AU04": (0.6, 0.45), "AU06": (0.3, 0.4), "AU07": (0.6, 0.5), "AU09": (1.0, 0.85),
        "AU15": (0.4, 0.5), "AU17": (0.6, 0.6), "AU25": (0.35, 0.5),
    },
    "fearful": {
        "AU01": (1.0, 0.8), "AU02": (0.85, 0.65), "AU04": (0.7, 0.45), "AU05": (1.0, 0.8),
        "AU07": (0.3, 0.3), "AU25": (0.95, 0.7), "AU27": (0.25, 0.3),
    },
    "happy": {"AU06": (0.9, 0.75), "AU07": (0.2, 0.3), "AU12": (1.0, 0.8), "AU25": (0.8, 0.7)},
    "neutral": {},
    "sad": {"AU01": (1.0, 0.75), "AU04": (0.85, 0.5), "AU07": (0.15, 0.3), "AU15": (1.0, 0.75), "AU17": (0.6, 0.6)},
    "surprised": {
        "AU01": (1.0, 0.85), "AU02": (1.0, 0.85), "AU05": (0.85, 0.65), "AU25": (1.0, 0.7), "AU27": (0.95, 0.7),
    },
}  # fmt: skip
ONE_SIDED = {("contemptuous", "AU12")}  # contempt is a smile on one side


@lru_cache(maxsize=4096)
def sample_identity(seed):
    """Draw one person: the same seed is the same person on every machine.

    Returns: Floats (lengths in cm, proportions 0..1) and linear-RGB colours, ndarray of shape (3,); read-only, it is cached.
    """
    rng = np.random.default_rng([int(seed), 1])
    masculinity = float(rng.beta(0.6, 0.6))
    age = float(rng.beta(1.6, 2.2))
    melanin = float(rng.beta(1.0, 1.9))
    face = _shape(rng, masculinity)
    face["eye_open"] -= 0.14 * (age - 0.4)
    face["nose_width"] += 0.14 * (melanin - 0.4)
    face["upper_lip"] += 0.2 * (melanin - 0.4)
    face["lower_lip"] += 0.2 * (melanin - 0.4)
    skin = np.array([np.interp(melanin * 4, np.arange(5), SKIN_TONES[:, c]) for c in range(3)])
    face["skin"] = skin * (1 + np.array([0.0, 0.05, 0.1]) * rng.uniform(-1, 1))
    face["hair_colour"] = _hair_colour(rng, melanin, age)
    face["brow_colour"] = face["hair_colour"] * 0.6 + 0.006
    iris_weights = [0.35, 0.25, 0.15, 0.25] if melanin < 0.35 else [0.7, 0.25, 0.04, 0.01]
    face["iris"] = IRIS_COLOURS[rng.choice(4, p=iris_weights)] * rng.uniform(0.8, 1.3)
    face.update(_hair_style(rng, masculinity, melanin, age))
    tone = rng.uniform(0.03, 0.5)
    face["cloth"] = np.clip(tone * (1 + 0.35 * rng.standard_normal(3)), 0.02, 0.6)
    face["neckline"] = rng.uniform(-0.4, 2.4)
    bearded = masculinity > 0.55 and rng.random() < 0.45
    face.update(
        masculinity=masculinity,
        age=age,
        melanin=melanin,
        blush=rng.uniform(0.2, 0.8),
        makeup=float((masculinity < 0.5) * rng.random()),
        beard=float(bearded * rng.uniform(0.15, 1.0)),
        freckles=float((rng.random() < 0.25) * rng.random() * (melanin < 0.5)),
        texture=float(rng.integers(1 << 20)),
    )
    return face


def _shape(rng, masculinity):
    """Normal lengths and factors, clipped at two standard deviations so that nobody is a caricature."""
    deviate = np.clip(rng.standard_normal(len(SHAPE)), -2, 2)
    side = 2 * masculinity - 1
    return {
        name: mean + spread * z + shift * side
        for (name, (mean, spread, shift)), z in zip(SHAPE.items(), deviate, strict=True)
    }


def _hair_colour(rng, melanin, age):
    weights = np.array([3, 3, 2.2, 1.3, 0.9, 0.5])
    weights[2:] *= max(0.0, 1 - 1.8 * melanin) + 0.03
    natural = HAIR_COLOURS[rng.choice(6, p=weights / weights.sum())] * rng.uniform(0.8, 1.25)
    grey = float(np.clip((age - 0.6) * 2.2, 0, 0.9)) * (rng.random() < 0.8)
    return natural * (1 - grey) + np.array([0.42, 0.41, 0.40]) * grey


def _hair_style(rng, masculinity, melanin, age):
    """Hair lengths in centimetres; `hair` is 0 for a bald head."""
    masculine = masculinity > 0.5
    bald = rng.random() < 0.13 * masculine * (1 + age)
    curl = float(rng.random() < 0.15 + 0.4 * melanin) * rng.uniform(0.5, 1.0)
    cropped = rng.random() < (0.4 if masculine else 0.05)
    long = float(rng.random() < (0.06 if masculine else 0.72)) * (not cropped)
    thickness = rng.uniform(0.12, 0.4) if cropped else rng.uniform(0.6, 1.6) + 1.3 * curl * rng.random()
    fringe = 0.0 if cropped else float(rng.choice([0, 0, 0, 0, 0.9, 1.9, 3.0]))
    return {
        "hair": float(not bald),
        "hair_thickness": thickness,
        "hair_line": 7.4 + 0.5 * np.clip(rng.standard_normal(), -2, 2) + 0.9 * age * masculinity,
        "hair_temple": rng.uniform(0, 0.5) + 1.3 * masculinity * age * rng.random(),
        "hair_peak": rng.uniform(-0.3, 0.6),
        "hair_corner": rng.uniform(1.7, 3.4) + 1.2 * masculinity,  # larger: a squarer hairline
        "hair_fringe": fringe,
        "hair_sideburn": 1.3 * masculine * rng.random(),
        "hair_sweep": rng.normal(),
        "hair_parted": (1 - curl) * (not cropped) * (rng.random() < (0.25 if masculine else 0.5)),
        "hair_part": rng.uniform(-0.8, 0.8),
        "hair_curl": curl,
        "hair_quiff": rng.uniform(0, 1.2) * (not cropped),
        "hair_long": long * (not bald),
        "hair_length": rng.uniform(7, 19) if not masculine else rng.uniform(6, 12),
        "hair_flare": rng.uniform(-0.5, 1.6) + 1.2 * curl,
        "hair_tucked": float(rng.random() < 0.4),
    }


def person_of(identity):
    """An identity as a namespace of floats, and of colours that broadcast over points, tensors of shape (3, 1)."""
    colours = {name: torch.as_tensor(v, dtype=torch.float32)[:, None] for name, v in identity.items() if np.ndim(v)}
    return SimpleNamespace(**{name: float(v) for name, v in identity.items() if name not in colours}, **colours)


def draw_action_units(emotions, rng, gain=1.5, asymmetry=0.08):
    """Draw the Action Units of posed or spontaneous emotions.

    Args:
        emotions: sequence of n str; out of `fergan.facs.EMOTIONS`; a ValueError names the first that is none.
        rng: numpy.random.Generator
        gain: Scales every intensity: about 1.5 for a posed face, .95 in the wild.
        asymmetry: Relative left-right jitter (one standard deviation).

    Returns: ndarray of shape (n, 14, 2), float32; intensities 0..1 in the order of `fergan.facs.ACTION_UNITS`, person's left
        then right.
    """
    emotions = np.asarray(emotions, dtype=object)
    for emotion in emotions:
        if emotion not in EMOTIONS:
            raise ValueError(f"emotion: unknown emotion {emotion!r}, expected one of {', '.join(EMOTIONS)}")
    n_faces = len(emotions)
    units = np.zeros((n_faces, len(ACTION_UNITS), 2))
    strong_side = rng.integers(2, size=n_faces)
    for emotion in EMOTIONS:
        rows = np.flatnonzero(emotions == emotion)
        for name, (probability, mean) in EMOTION_ACTION_UNITS[emotion].items():
            active = rng.random(len(rows)) < probability
            level = np.clip(gain * rng.beta(6 * mean + 1, 6 * (1 - mean) + 1, len(rows)), 0.25, 1)
            sides = level[:, None] * (1 + asymmetry * rng.standard_normal((len(rows), 2)))
            if (emotion, name) in ONE_SIDED:
                sides[np.arange(len(rows)), 1 - strong_side[rows]] *= 0.1
            units[rows, ACTION_UNITS.index(name)] = active[:, None] * np.clip(sides, 0, 1)
    shape = (n_faces, len(ACTION_UNITS), 1)
    background = (rng.random(shape) < BACKGROUND_PROBABILITY) * rng.uniform(0, BACKGROUND_MAXIMUM, shape)
    return np.maximum(units, background).astype(np.float32)


def occurrence(units):
    """Presence on either side: float64 of shape (n, 14), 0. or 1., from intensities (n, 14, 2)."""
    return (np.asarray(units).max(-1) >= OCCURRENCE_THRESHOLD).astype(float)


def action_unit_array(action_units):
    """Turn {"AU12": .8, "AU01": (left, right)} into float32 intensities of shape (14, 2), or raise ValueError."""
    units = np.zeros((len(ACTION_UNITS), 2), np.float32)
    for name, intensity in action_units.items():
        if name not in ACTION_UNITS:
            raise ValueError(f"action_units: unknown Action Unit {name!r}, expected one of {', '.join(ACTION_UNITS)}")
        units[ACTION_UNITS.index(name)] = intensity
    check_intensities(units)
    return units


def check_intensities(units):
    """Raise ValueError unless every intensity is a number in 0..1."""
    units = np.asarray(units, float)
    bad = ~((units >= 0) & (units <= 1))  # written so that NaN is bad too
    if bad.any():
        name = ACTION_UNITS[np.argwhere(bad)[0][-2]]
        raise ValueError(f"action_units: {name} has an intensity outside 0..1 ({units[bad][0]:g})")
