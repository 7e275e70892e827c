"""People: the permanent shape and colouring of a face, and the expression it shows.

An identity is drawn from one integer: a dictionary of floats (centimetres unless said otherwise) and linear-RGB colours,
which no expression, camera or light changes. An expression is 14 Action Units on either side, from 0 (absent) to 1
(maximum). Sides are the person's own: *left* appears on the right of an unmirrored frontal photograph.
"""

from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import yaml

from fergan.facs import ACTION_UNITS, EMOTIONS

_TABLES = yaml.safe_load(Path(__file__).with_name("person.yaml").read_text(encoding="utf-8"))
SKIN_TONES, HAIR_COLOURS, IRIS_COLOURS = (np.array(_TABLES["colours"][name]) for name in ("skin", "hair", "iris"))
EMOTION_ACTION_UNITS = _TABLES["emotions"]  # emotion: {Action Unit: (probability, mean intensity)}
PAINT = SimpleNamespace(**{name: torch.tensor(rgb)[:, None] for name, rgb in _TABLES["paint"].items()})  # each (3, 1)
ONE_SIDED = {("contemptuous", "AU12")}  # contempt is a smile on one side

# FACS scores five levels, A (trace) to E (maximum); we call an Action Unit present from B (slight) on. With
# the levels spread over 0..1 a trace ends at about one fifth. An Action Unit on one side only is present.
OCCURRENCE_THRESHOLD = 0.2
# Traces that nobody intends: each Action Unit is now and then slightly active, always below the threshold.
BACKGROUND_PROBABILITY, BACKGROUND_MAXIMUM = 0.06, 0.18


@lru_cache(maxsize=4096)
def sample_identity(seed):
    """Draw one person: the same seed is the same person on every machine.

    Returns: Floats (lengths in cm, proportions 0..1) and linear-RGB colours, ndarray of shape (3,); read-only, it is cached.
    """
    rng = np.random.default_rng([int(seed), 1])
    masculinity = float(rng.beta(0.6, 0.6))
    age = float(rng.beta(1.6, 2.2))
    melanin = float(rng.beta(1.0, 1.9))
    shape = _TABLES["shape"]
    deviates = np.clip(rng.standard_normal(len(shape)), -2, 2)  # so that nobody is a caricature
    face = {name: mean + spread * z + shift * (2 * masculinity - 1)
            for (name, (mean, spread, shift)), z in zip(shape.items(), deviates, strict=True)}
    face["eye_open"] -= 0.14 * (age - 0.4)
    face["nose_width"] += 0.14 * (melanin - 0.4)
    face["upper_lip"] += 0.2 * (melanin - 0.4)
    face["lower_lip"] += 0.2 * (melanin - 0.4)
    skin = np.array([np.interp(melanin * 4, np.arange(5), tones) for tones in SKIN_TONES.T])
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
    return face | {
        "masculinity": masculinity,
        "age": age,
        "melanin": melanin,
        "blush": rng.uniform(0.2, 0.8),
        "makeup": float((masculinity < 0.5) * rng.random()),
        "beard": float(bearded * rng.uniform(0.15, 1.0)),
        "freckles": float((rng.random() < 0.25) * rng.random() * (melanin < 0.5)),
        "texture": float(rng.integers(1 << 20)),
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
        emotions: n of `fergan.facs.EMOTIONS`; a ValueError names the first that is none.
        rng: numpy.random.Generator.
        gain: Scales every intensity: about 1.5 for a posed face, .95 in the wild.
        asymmetry: Relative left-right jitter (one standard deviation).

    Returns: ndarray of shape (n, 14, 2), float32; intensities 0..1 in the order of `fergan.facs.ACTION_UNITS`, person's left
        then right.
    """
    emotions = np.asarray(emotions, dtype=object)
    for emotion in emotions:
        if emotion not in EMOTIONS:
            raise ValueError(f"emotion: unknown emotion {emotion!r}, expected one of {', '.join(EMOTIONS)}")
    units = np.zeros((len(emotions), len(ACTION_UNITS), 2))
    strong_side = rng.integers(2, size=len(emotions))
    for emotion in EMOTIONS:
        rows = np.flatnonzero(emotions == emotion)
        for name, (probability, mean) in EMOTION_ACTION_UNITS[emotion].items():
            active = rng.random(len(rows)) < probability
            level = np.clip(gain * rng.beta(6 * mean + 1, 6 * (1 - mean) + 1, len(rows)), 0.25, 1)
            sides = level[:, None] * (1 + asymmetry * rng.standard_normal((len(rows), 2)))
            if (emotion, name) in ONE_SIDED:
                sides[np.arange(len(rows)), 1 - strong_side[rows]] *= 0.1
            units[rows, ACTION_UNITS.index(name)] = active[:, None] * np.clip(sides, 0, 1)
    shape = (*units.shape[:2], 1)
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
