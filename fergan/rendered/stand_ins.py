"""The seven stand-in sets: person, expression, camera and setting of each face, as a table without pixels.

Each follows the published grammar of the dataset it stands in for (people, emotions, views, sizes, splits).
Smaller versions keep people balanced and keep each person's series of emotions whole.
"""

import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.rendered.person import draw_action_units, occurrence
from fergan.rendered.scene import draw_setting

PUBLISHED = yaml.safe_load(Path(__file__).with_name("stand_ins.yaml").read_text(encoding="utf-8"))
FULL_SIZES = PUBLISHED["full_sizes"]
STAND_INS = tuple(FULL_SIZES)
MINIMUM_FACES = 16
BASIC_EMOTIONS = tuple(e for e in EMOTIONS if e != "contemptuous")
VIEWS = ("frontal", "yaw-45", "yaw+45", "yaw-90", "yaw+90")


def stand_in_labels(name, n_faces=None, seed=0):
    """Describe every face of a stand-in set: identity, expression, pose, light; no pixels yet.

    Args:
        name: One of `STAND_INS`.
        n_faces: Exact number of rows, 16 up to the full size (the default).
        seed: Another seed gives other people and other expressions in the same design.

    Returns: pandas.DataFrame; one row per face: `source` (unique), `subject`, `emotion` (or missing), `view`, `gaze`,
        `split` and `session` (or missing), `sequence`, `frame` (missing and 0 where there are no sequences), the seeds and
        settings that :func:`render_faces` reads, see :func:`draw_setting` (at positive yaw the nose points to the image's
        right), `AU01`.. (occurrence 0. or 1.), `AU01_left`, `AU01_right`.. (intensity 0..1, the person's own sides).

    Raises:
        ValueError: For an unknown name or an impossible number of faces.
    """
    if name not in FULL_SIZES:
        raise ValueError(f"name: unknown stand-in {name!r}, expected one of {', '.join(STAND_INS)}")
    full = FULL_SIZES[name]
    n_faces = full if n_faces is None else n_faces
    if isinstance(n_faces, bool) or not isinstance(n_faces, int | np.integer):
        raise ValueError(f"n_faces: expected a whole number or None, got {n_faces!r}")
    if not MINIMUM_FACES <= n_faces <= full:
        raise ValueError(f"n_faces: expected {MINIMUM_FACES} to {full} for {name!r}, got {n_faces}")
    rng = np.random.default_rng([int(seed), zlib.crc32(name.encode())])
    labels, units, setting = DESIGNS[name](int(n_faces), rng)
    labels = _add_people(labels, name, seed)
    columns = dict(zip(ACTION_UNITS, occurrence(units).T, strict=True))
    for unit, sides in zip(ACTION_UNITS, units.transpose(1, 2, 0), strict=True):
        columns[f"{unit}_left"], columns[f"{unit}_right"] = sides
    labels.insert(0, "source", [f"{name}/{i:05d}" for i in range(n_faces)])
    return pd.concat([labels, pd.DataFrame(columns), draw_setting(labels, setting, rng)], axis=1)


def _add_people(labels, name, seed):
    """Add the identity's seed, another for every set: nobody appears in two sets."""
    offset = zlib.crc32(f"{name}/{int(seed)}".encode()) % 2**30
    people = labels.pop("person")
    labels.insert(0, "subject", [f"{name}/person-{p:05d}" for p in people])
    labels["identity_seed"] = people + offset * 32768  # fewer than 32768 people in any set
    labels["scene_seed"] = np.arange(len(labels)) + offset * 32768
    takes = labels["sequence"].fillna("").where(labels["sequence"].notna(), labels.index.astype("string"))
    labels["background_seed"] = labels["scene_seed"].groupby(takes).transform("min")  # still within a sequence
    return labels


def _table(person, emotion, view, gaze, split=pd.NA, session=pd.NA, sequence=pd.NA, frame=0):
    table = pd.DataFrame({"person": np.asarray(person, int)})
    table["emotion"] = pd.array(emotion, dtype="string")
    table["view"], table["gaze"] = (np.broadcast_to(np.asarray(words, object), len(table)) for words in (view, gaze))
    for name, words in {"split": split, "session": session, "sequence": sequence}.items():
        table[name] = pd.Series(words, index=table.index, dtype="string")
    return table.assign(frame=frame)


def _factorial(n_faces, n_people, cells, n_core):
    """Pick n_faces (person, cell) pairs of a factorial design, people balanced to within one face.

    Of all `cells` of one person the first `n_core` come first, the rest (repetitions) when people run out. Emotions vary
    fastest, so that a person's series of emotions stays whole.
    """
    used = int(np.clip(-(-n_faces // n_core), min(4, n_people), n_people))
    quota = n_faces // used + (np.arange(used) < n_faces % used)
    n_emotions = len({cell[0] for cell in cells})
    # Each person starts at another emotion, so that an incomplete series misses others.
    chosen = [cells[k - k % n_emotions + (k + p) % n_emotions] for p, count in enumerate(quota) for k in range(count)]
    return np.repeat(np.arange(used), quota), chosen


def _posed(n_people, emotions, n_faces, rng, views=("frontal",), gazes=("frontal",), sessions=(pd.NA,)):
    """Laboratory photographs: every person poses every emotion, in every view and gaze, once in each session."""
    cells = [(e, view, gaze, session) for session in sessions for view in views for gaze in gazes for e in emotions]
    person, chosen = _factorial(n_faces, n_people, cells, len(cells) // len(sessions))
    emotion, view, gaze, session = (np.array(column, object) for column in zip(*chosen, strict=True))
    # One pose of a face is photographed by all cameras at once: same expression in every view of a session.
    takes = [f"{p}/{e}/{g}/{s}" for p, (e, _, g, s) in zip(person, chosen, strict=True)]
    codes, first = pd.factorize(pd.Series(takes))[0], ~pd.Series(takes).duplicated()
    units = draw_action_units(emotion[first], rng, gain=PUBLISHED["gains"]["posed"])[codes]
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
    units = draw_action_units(shown.astype(object), rng, gain=PUBLISHED["gains"]["celebrities"], asymmetry=0.1)
    return _table(person, [pd.NA] * n_faces, "wild", "wild"), units, "wild"


def onset_curve(time):
    """Share of the apex intensity reached at `time` 0..1: rest, a smooth rise, then a short hold."""
    t = np.clip((np.asarray(time, float) - 0.08) / 0.8, 0, 1)
    return t * t * t * (t * (6 * t - 15) + 10)


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
    onset = onset_curve(frame / np.maximum(lengths[which] - 1, 1))
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
