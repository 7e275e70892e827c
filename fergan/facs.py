"""The one vocabulary of labels: emotions, Action Units, and which emotion shows which Action Units.

An Action Unit (AU) is one visible movement of the face in the Facial Action Coding System (FACS) of Ekman, Friesen and
Hager (2002). An *occurrence* is 0 or 1 (NaN where nobody coded it); an *intensity* runs from 0 to 1.
"""

from collections.abc import Iterable
from pathlib import Path

import yaml

EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")

_WORDS = yaml.safe_load(Path(__file__).with_name("facs.yaml").read_text(encoding="utf-8"))
AU_MEANINGS: dict[str, str] = _WORDS["meanings"]
ACTION_UNITS = tuple(AU_MEANINGS)
EMOTION_MAPPINGS: dict[str, dict[str, tuple[str, ...]]] = {
    name: {emotion: tuple(units) for emotion, units in mapping.items()} for name, mapping in _WORDS["mappings"].items()}


def canonical_emotion(word: str) -> str:
    """Translate a word for an emotion ("Happiness", "anger") into one of `EMOTIONS`; a ValueError names an unknown one."""
    emotion = str(word).strip().lower()
    emotion = _WORDS["synonyms"].get(emotion, emotion)
    if emotion not in EMOTIONS:
        raise ValueError(f"unknown emotion {word!r}; expected one of {', '.join(EMOTIONS)}")
    return emotion


def action_units_of(emotion: str, mapping: str = "paper") -> tuple[str, ...]:
    """Return the Action Units that an emotion, or a synonym of one, shows by a mapping, a key of `EMOTION_MAPPINGS`."""
    if mapping not in EMOTION_MAPPINGS:
        raise ValueError(f"unknown mapping {mapping!r}; expected one of {', '.join(EMOTION_MAPPINGS)}")
    return EMOTION_MAPPINGS[mapping][canonical_emotion(emotion)]


def label_groups(emotions: Iterable[str], mapping: str = "paper") -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return (Action Units with one and the same label, the emotions of a relabelled dataset that show them); no others."""
    shown_by: dict[tuple[str, ...], list[str]] = {}
    emotions = [canonical_emotion(emotion) for emotion in emotions]
    for unit in ACTION_UNITS:
        key = tuple(dict.fromkeys(e for e in emotions if unit in action_units_of(e, mapping)))
        if key:
            shown_by.setdefault(key, []).append(unit)
    return [(tuple(units), key) for key, units in shown_by.items()]
