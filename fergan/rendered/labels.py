"""What each face shows, as tables without pixels: people, expressions, cameras and light, and the seven stand-in sets.

An identity is drawn from one integer, and no expression, camera or light changes it. An expression is 14 Action Units on
either side, from 0 (absent) to 1 (maximum). Sides are the person's own: *left* appears on the right of a frontal photograph.
A stand-in follows the published grammar of its dataset (people, emotions, views, sizes, splits); smaller ones keep people
balanced and each person's series of emotions whole.
"""

import zlib
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
import yaml

from fergan.facs import ACTION_UNITS, EMOTIONS

_HERE = Path(__file__).parent
_PERSON = yaml.safe_load((_HERE / "person.yaml").read_text(encoding="utf-8"))
SCENE = yaml.safe_load((_HERE / "scene.yaml").read_text(encoding="utf-8"))
PUBLISHED = yaml.safe_load((_HERE / "stand_ins.yaml").read_text(encoding="utf-8"))

SKIN_TONES, HAIR_COLOURS, IRIS_COLOURS = (np.array(_PERSON["colours"][name]) for name in ("skin", "hair", "iris"))
EMOTION_ACTION_UNITS = _PERSON["emotions"]  # emotion: {Action Unit: (probability, mean intensity)}
PAINT = SimpleNamespace(**{name: torch.tensor(rgb)[:, None] for name, rgb in _PERSON["paint"].items()})  # each (3, 1)
ONE_SIDED = {("contemptuous", "AU12")}  # contempt is a smile on one side
GAZE_SHIFT = SCENE["gaze"]

# FACS scores A (trace) to E (maximum); an Action Unit, also on one side, is present from B (slight) on, a fifth of 0..1.
OCCURRENCE_THRESHOLD = 0.2
BACKGROUND_PROBABILITY, BACKGROUND_MAXIMUM = 0.06, 0.18  # traces that nobody intends, always below the threshold

FULL_SIZES = PUBLISHED["full_sizes"]
STAND_INS = tuple(FULL_SIZES)
MINIMUM_FACES = 16
BASIC_EMOTIONS = tuple(e for e in EMOTIONS if e != "contemptuous")
VIEWS = ("frontal", "yaw-45", "yaw+45", "yaw-90", "yaw+90")


@lru_cache(maxsize=4096)
def sample_identity(seed):
    """Draw one person: floats (cm, proportions 0..1) and linear-RGB colours, arrays (3,); read-only, for it is cached."""
    rng = np.random.default_rng([int(seed), 1])
    masculinity = float(rng.beta(0.6, 0.6))
    age = float(rng.beta(1.6, 2.2))
    melanin = float(rng.beta(1.0, 1.9))
    shape = _PERSON["shape"]
    deviates = np.clip(rng.standard_normal(len(shape)), -2, 2)  # so that nobody is a caricature
    face = {name: mean + spread * z + shift * (2 * masculinity - 1)
            for (name, (mean, spread, shift)), z in zip(shape.items(), deviates, strict=True)}
    face["eye_open"] -= 0.14 * (age - 0.4)
    for name, change in {"nose_width": 0.14, "upper_lip": 0.2, "lower_lip": 0.2}.items():
        face[name] += change * (melanin - 0.4)
    skin = np.array([np.interp(melanin * 4, np.arange(5), tones) for tones in SKIN_TONES.T])
    face["skin"] = skin * (1 + np.array([0.0, 0.05, 0.1]) * rng.uniform(-1, 1))
    weights = np.array([3, 3, 2.2, 1.3, 0.9, 0.5])
    weights[2:] *= max(0.0, 1 - 1.8 * melanin) + 0.03
    natural = HAIR_COLOURS[rng.choice(6, p=weights / weights.sum())] * rng.uniform(0.8, 1.25)
    grey = float(np.clip((age - 0.6) * 2.2, 0, 0.9)) * (rng.random() < 0.8)
    face["hair_colour"] = natural * (1 - grey) + np.array([0.42, 0.41, 0.40]) * grey
    face["brow_colour"] = face["hair_colour"] * 0.6 + 0.006
    iris_weights = [0.35, 0.25, 0.15, 0.25] if melanin < 0.35 else [0.7, 0.25, 0.04, 0.01]
    face["iris"] = IRIS_COLOURS[rng.choice(4, p=iris_weights)] * rng.uniform(0.8, 1.3)
    face.update(_hair_style(rng, masculinity, melanin, age))
    tone = rng.uniform(0.03, 0.5)
    face["cloth"] = np.clip(tone * (1 + 0.35 * rng.standard_normal(3)), 0.02, 0.6)
    face["neckline"] = rng.uniform(-0.4, 2.4)
    bearded = masculinity > 0.55 and rng.random() < 0.45
    return face | {
        "masculinity": masculinity, "age": age, "melanin": melanin, "blush": rng.uniform(0.2, 0.8),
        "makeup": float((masculinity < 0.5) * rng.random()), "beard": float(bearded * rng.uniform(0.15, 1.0)),
        "freckles": float((rng.random() < 0.25) * rng.random() * (melanin < 0.5)),
        "texture": float(rng.integers(1 << 20)),
    }


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


def draw_action_units(emotions, rng, gain=1.5, asymmetry=0.08):
    """Draw the Action Units of n posed or spontaneous emotions.

    `gain` scales every intensity: about 1.5 for a posed face, .95 in the wild; `asymmetry` is one standard deviation of left
    against right. Returns intensities 0..1 (n, 14, 2), float32, of `fergan.facs.ACTION_UNITS`, the person's left then right.
    """
    emotions = np.asarray(emotions, dtype=object)
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


def draw_setting(labels, setting, rng):
    """Draw camera, light and accessories of every row of a table, in one of the settings of scene.yaml.

    The table has `view` ("frontal", "yaw+45".. or "wild"), `gaze`, and `sequence`, where the camera stands still.

    Returns: pandas.DataFrame; one row per face: `setting`, `yaw`, `pitch`, `roll` (degrees), `gaze_x`, `gaze_y` (cm),
        `scale` (1 fills most of the frame), `shift_x`, `shift_y` (fractions of the frame), `light_azimuth`,
        `light_elevation` (degrees), `ambient`, `key`, `warmth`, `glasses` (1 clear, 2 dark), `occluded`, `grey` (0|1).
    """
    table = pd.DataFrame({name: _drawn(rule, len(labels), rng) for name, rule in SCENE["settings"][setting].items()})
    table["yaw"] += labels["view"].str.extract(r"yaw(.*)")[0].astype(float).fillna(0.0)
    table["gaze_x"] += labels["gaze"].map(GAZE_SHIFT).fillna(0.0)
    table["setting"] = setting
    if labels["sequence"].notna().any():
        codes = labels["sequence"].factorize()[0]
        sway = table[["yaw", "pitch", "roll"]] * 0.1
        table = table[~labels["sequence"].duplicated()].iloc[codes].reset_index(drop=True)
        table[["yaw", "pitch", "roll"]] += sway
    return table


def _drawn(rule, n_faces, rng):
    """Numbers (n_faces,) by a rule of scene.yaml."""
    if isinstance(rule, dict):
        return rng.choice(list(rule), n_faces, p=list(rule.values()))
    if isinstance(rule, float):
        return np.full(n_faces, rule)
    kind, *numbers = rule
    if kind == "uniform":
        return rng.uniform(*numbers, n_faces)
    mean, spread, limit = (*numbers, np.inf)[:3]
    return np.clip(rng.normal(mean, spread, n_faces), -limit, limit)


def default_setting(**changes):
    """Settings of one well-lit frontal studio photograph, with any of them changed: a dict for one row."""
    for unknown in sorted(set(changes) - set(SCENE["default"])):
        raise ValueError(f"setting: unknown name {unknown!r}, expected one of {', '.join(SCENE['default'])}")
    return SCENE["default"] | changes


def stand_in_labels(name, n_faces=None, seed=0):
    """Describe every face of a stand-in set: identity, expression, pose, light; no pixels yet.

    `name` is one of `STAND_INS`; there are `n_faces` rows, 16 up to the full size (the default). Another seed gives other
    people and other expressions in the same design. An unknown name or an impossible number of faces is a ValueError.

    Returns: pandas.DataFrame; one row per face: `source` (unique), `subject`, `emotion` (or missing), `view`, `gaze`,
        `split` and `session` (or missing), `sequence`, `frame` (missing and 0 where there are no sequences), the seeds and
        settings that :func:`render_faces` reads, see :func:`draw_setting` (at positive yaw the nose points to the image's
        right), `AU01`.. (occurrence 0. or 1.), `AU01_left`, `AU01_right`.. (intensity 0..1, the person's own sides).
    """
    if name not in FULL_SIZES:
        raise ValueError(f"name: unknown stand-in {name!r}, expected one of {', '.join(STAND_INS)}")
    full = FULL_SIZES[name]
    n_faces = full if n_faces is None else int(n_faces)
    if not MINIMUM_FACES <= n_faces <= full:
        raise ValueError(f"n_faces: expected {MINIMUM_FACES} to {full} for {name!r}, got {n_faces}")
    rng = np.random.default_rng([int(seed), zlib.crc32(name.encode())])
    labels, units, setting = DESIGNS[name](n_faces, rng)
    offset = zlib.crc32(f"{name}/{int(seed)}".encode()) % 2**30  # other seeds for every set: nobody appears in two of them
    persons = labels.pop("person")
    labels.insert(0, "source", [f"{name}/{i:05d}" for i in range(n_faces)])
    labels.insert(1, "subject", [f"{name}/person-{p:05d}" for p in persons])
    labels["identity_seed"] = persons + offset * 32768  # fewer than 32768 people in any set
    labels["scene_seed"] = np.arange(n_faces) + offset * 32768
    takes = labels["sequence"].fillna("").where(labels["sequence"].notna(), labels.index.astype("string"))
    labels["background_seed"] = labels["scene_seed"].groupby(takes).transform("min")  # still within a sequence
    columns = dict(zip(ACTION_UNITS, (units.max(-1) >= OCCURRENCE_THRESHOLD).astype(float).T, strict=True))
    for unit, sides in zip(ACTION_UNITS, units.transpose(1, 2, 0), strict=True):
        columns[f"{unit}_left"], columns[f"{unit}_right"] = sides
    return pd.concat([labels, pd.DataFrame(columns), draw_setting(labels, setting, rng)], axis=1)


def _table(person, emotion, view, gaze, split=pd.NA, session=pd.NA, sequence=pd.NA, frame=0):
    table = pd.DataFrame({"person": np.asarray(person, int)})
    table["emotion"] = pd.array(emotion, dtype="string")
    table["view"], table["gaze"] = (np.broadcast_to(np.asarray(words, object), len(table)) for words in (view, gaze))
    for name, words in {"split": split, "session": session, "sequence": sequence}.items():
        table[name] = pd.Series(words, index=table.index, dtype="string")
    return table.assign(frame=frame)


def _posed(n_people, emotions, n_faces, rng, views=("frontal",), gazes=("frontal",), sessions=(pd.NA,)):
    """Laboratory photographs: every person poses every emotion, which vary fastest, in every view, gaze and session."""
    cells = [(e, view, gaze, session) for session in sessions for view in views for gaze in gazes for e in emotions]
    used = int(np.clip(-(-n_faces // (len(cells) // len(sessions))), min(4, n_people), n_people))
    quota, n = n_faces // used + (np.arange(used) < n_faces % used), len(emotions)
    chosen = [cells[k - k % n + (k + p) % n] for p, count in enumerate(quota) for k in range(count)]
    person = np.repeat(np.arange(used), quota)
    emotion, view, gaze, session = (np.array(column, object) for column in zip(*chosen, strict=True))
    # One pose of a face is photographed by all cameras at once: same expression in every view of a session.
    takes = pd.Series([f"{p}/{e}/{g}/{s}" for p, (e, _, g, s) in zip(person, chosen, strict=True)])
    units = draw_action_units(emotion[~takes.duplicated()], rng, gain=PUBLISHED["gains"]["posed"])[takes.factorize()[0]]
    return _table(person, emotion, view, gaze, session=session), units, "studio"


def _in_proportion(n_faces, counts):
    """Share n_faces among cells by largest remainder; no cell stays empty while there are enough faces."""
    counts = np.asarray(counts, float)
    exact = counts * n_faces / counts.sum()
    shares = np.floor(exact).astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: n_faces - shares.sum()]] += 1
    while n_faces >= len(counts) and shares.min() == 0:
        shares[shares.argmax()] -= 1
        shares[shares.argmin()] += 1
    return shares


def _scattered(name, setting, n_faces, rng):
    """Photographs of strangers: one person each, emotions as unequal as in the original."""
    counts = PUBLISHED["counts"][name]
    cells = [(split, emotion) for split in counts for emotion in BASIC_EMOTIONS]
    rows = np.repeat(np.arange(len(cells)), _in_proportion(n_faces, np.concatenate(list(counts.values()))))
    split, emotion = (list(column) for column in zip(*(cells[r] for r in rows[rng.permutation(n_faces)]), strict=True))
    labels = _table(np.arange(n_faces), emotion, "wild", "wild", split=split)
    return labels, draw_action_units(emotion, rng, gain=PUBLISHED["gains"][setting], asymmetry=0.12), setting


def _celeba(n_faces, rng):
    published = PUBLISHED["celeba"]
    n_people = max(4, round(n_faces * published["people"] / FULL_SIZES["celeba"]))
    person = rng.permutation(np.arange(n_faces) % n_people)
    shown = rng.choice(list(published["emotions"]), n_faces, p=list(published["emotions"].values()))
    units = draw_action_units(shown, rng, gain=PUBLISHED["gains"]["celebrities"], asymmetry=0.1)
    return _table(person, [pd.NA] * n_faces, "wild", "wild"), units, "wild"


def _enhanced_ck(n_faces, rng):
    """Video frames: each sequence runs from a neutral face to the apex of one posed emotion."""
    published = PUBLISHED["enhanced-ck"]
    n_sequences = max(2, round(n_faces / (FULL_SIZES["enhanced-ck"] / published["sequences"])))
    lengths = _in_proportion(n_faces, rng.uniform(0.75, 1.25, n_sequences))
    people = max(min(n_sequences, 4), round(n_sequences * published["people"] / published["sequences"]))
    posed = [e for e in EMOTIONS if e != "neutral"]
    emotion = np.array([posed[(k + k // len(posed)) % len(posed)] for k in range(n_sequences)], object)
    apex = draw_action_units(emotion, rng, gain=PUBLISHED["gains"]["laboratory"])
    which = np.repeat(np.arange(n_sequences), lengths)
    frame = np.concatenate([np.arange(length) for length in lengths])
    t = np.clip((frame / np.maximum(lengths[which] - 1, 1) - 0.08) / 0.8, 0, 1)
    onset = t * t * t * (t * (6 * t - 15) + 10)  # rest, a smooth rise, then a short hold
    units = (apex[which] * onset[:, None, None]).astype(np.float32)
    sequence = [f"enhanced-ck/sequence-{k:03d}" for k in which]
    labels = _table(which % people, emotion[which], "frontal", "frontal", sequence=sequence, frame=frame)
    return labels, units, "laboratory"


# Each turns a number of faces and a random generator into labels, Action Units (n_faces, 14, 2) and the setting's name.
DESIGNS = {
    "rafd-frontal": partial(_posed, 67, EMOTIONS, gazes=("frontal", "left", "right")),
    "rafd-multiview": partial(_posed, 67, EMOTIONS, views=VIEWS),
    "kdef": partial(_posed, 70, BASIC_EMOTIONS, views=VIEWS, sessions=("A", "B")),
    "raf-db": partial(_scattered, "raf-db", "wild"),
    "celeba": _celeba,
    "enhanced-ck": _enhanced_ck,
    "sfew": partial(_scattered, "sfew", "film"),
}
