"""Expressions: 14 Action Units per side of the face, and how an emotion draws them.

Intensities run from 0 (absent) to 1 (maximum). Sides are the person's own: *left* appears on the right of an
unmirrored frontal photograph.
"""

import numpy as np

from fergan.facs import ACTION_UNITS, EMOTIONS

LEFT, RIGHT = 0, 1

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
    "sad": {
        "AU01": (1.0, 0.75), "AU04": (0.85, 0.5), "AU07": (0.15, 0.3), "AU15": (1.0, 0.75),
        "AU17": (0.6, 0.6),
    },
    "surprised": {
        "AU01": (1.0, 0.85), "AU02": (1.0, 0.85), "AU05": (0.85, 0.65), "AU25": (1.0, 0.7),
        "AU27": (0.95, 0.7),
    },
}  # fmt: skip
# Contempt is a smile on one side.
ONE_SIDED = {("contemptuous", "AU12")}


def draw_action_units(emotions, rng, gain=1.5, asymmetry=0.08):
    """Draw the Action Units of posed or spontaneous emotions.

    Parameters
    ----------
    emotions : sequence of str
        n names out of `fergan.facs.EMOTIONS`.
    rng : numpy.random.Generator
    gain : float
        Scales every intensity: about 1.5 for a posed face, .95 in the wild.
    asymmetry : float
        Relative left-right jitter (one standard deviation).

    Returns
    -------
    ndarray of shape (n, 14, 2), float32
        Intensities 0..1 in the order of `fergan.facs.ACTION_UNITS`, person's left then right.

    Raises
    ------
    ValueError
        For a name that is no emotion.
    """
    emotions = np.asarray(emotions, dtype=object)
    check_emotions(emotions)
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


def onset_curve(time):
    """Share of the apex intensity reached at `time` 0..1: rest, a smooth rise, then a short hold."""
    t = np.clip((np.asarray(time, float) - 0.08) / 0.8, 0, 1)
    return t * t * t * (t * (6 * t - 15) + 10)


def action_unit_array(action_units):
    """Turn {"AU12": .8, "AU01": (left, right)} into intensities of shape (14, 2).

    Parameters
    ----------
    action_units : dict
        Action Unit name to one intensity for both sides or a (left, right) pair, each 0..1.

    Returns
    -------
    ndarray of shape (14, 2), float32

    Raises
    ------
    ValueError
        For an unknown Action Unit or an intensity outside 0..1.
    """
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


def check_emotions(emotions):
    """Raise ValueError naming the first entry that is no emotion."""
    for emotion in emotions:
        if emotion not in EMOTIONS:
            raise ValueError(f"emotion: unknown emotion {emotion!r}, expected one of {', '.join(EMOTIONS)}")
