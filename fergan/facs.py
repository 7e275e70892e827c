"""The one vocabulary of labels: emotions, Action Units, and which emotion shows which Action Units.

An Action Unit (AU) is one visible movement of the face in the Facial Action Coding System (FACS) of Ekman, Friesen and
Hager (2002). An *occurrence* is 0 or 1 (NaN where nobody coded it); an *intensity* runs from 0 to 1.
"""

from collections.abc import Iterable

EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")

AU_MEANINGS = {
    "AU01": "inner brow raiser", "AU02": "outer brow raiser", "AU04": "brow lowerer", "AU05": "upper lid raiser",
    "AU06": "cheek raiser", "AU07": "lid tightener", "AU09": "nose wrinkler", "AU12": "lip corner puller",
    "AU15": "lip corner depressor", "AU17": "chin raiser", "AU23": "lip tightener", "AU24": "lip pressor",
    "AU25": "lips part", "AU27": "mouth stretch",
}
ACTION_UNITS = tuple(AU_MEANINGS)

# Words that datasets use for the same eight classes.
_SYNONYMS = {
    "anger": "angry", "contempt": "contemptuous", "disgust": "disgusted", "fear": "fearful", "afraid": "fearful",
    "happiness": "happy", "joy": "happy", "sadness": "sad", "surprise": "surprised",
}


def canonical_emotion(word: str) -> str:
    """Translate a dataset's word for an emotion ("Happiness", "anger", "sad") into one of `EMOTIONS`.

    A ValueError names the word that is none of them nor a known synonym.
    """
    emotion = str(word).strip().lower()
    emotion = _SYNONYMS.get(emotion, emotion)
    if emotion not in EMOTIONS:
        raise ValueError(f"unknown emotion {word!r}; expected one of {', '.join(EMOTIONS)}")
    return emotion


# "paper" is Table VI (paper/table6_emotion_aus.csv, with which a test compares it). "emfacs" holds the core Action Units of
# the emotion prototypes of Ekman, Friesen and Hager, FACS Investigator's Guide (2002), cut to the fourteen studied here
# (Fear's AU20 and AU26 are not among them).
EMOTION_MAPPINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "paper": {
        "angry": ("AU04", "AU05", "AU07", "AU17", "AU23", "AU24"),
        "contemptuous": ("AU12",),
        "disgusted": ("AU09", "AU15", "AU17", "AU25"),
        "fearful": ("AU01", "AU02", "AU05", "AU15", "AU25"),
        "happy": ("AU06", "AU12", "AU25"),
        "neutral": (),
        "sad": ("AU01", "AU04", "AU15", "AU17"),
        "surprised": ("AU01", "AU02", "AU05", "AU25", "AU27"),
    },
    "emfacs": {
        "angry": ("AU04", "AU05", "AU07", "AU23", "AU24"),
        "contemptuous": ("AU12",),
        "disgusted": ("AU09", "AU15", "AU17"),
        "fearful": ("AU01", "AU02", "AU04", "AU05", "AU07", "AU25"),
        "happy": ("AU06", "AU12", "AU25"),
        "neutral": (),
        "sad": ("AU01", "AU04", "AU15", "AU17"),
        "surprised": ("AU01", "AU02", "AU05", "AU25", "AU27"),
    },
}


def action_units_of(emotion: str, mapping: str = "paper") -> tuple[str, ...]:
    """Return the Action Units that an emotion, or a synonym of one, shows by a mapping, a key of `EMOTION_MAPPINGS`."""
    if mapping not in EMOTION_MAPPINGS:
        raise ValueError(f"unknown mapping {mapping!r}; expected one of {', '.join(EMOTION_MAPPINGS)}")
    return EMOTION_MAPPINGS[mapping][canonical_emotion(emotion)]


def label_groups(emotions: Iterable[str], mapping: str = "paper") -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Group the Action Units by the emotions, of those that a relabelled dataset has, that they are derived from.

    Returns a list of (Action Units, emotions): Action Units with one and the same label, and the emotions that show them;
    those that no emotion shows are left out.
    """
    shown_by: dict[tuple[str, ...], list[str]] = {}
    emotions = [canonical_emotion(emotion) for emotion in emotions]
    for unit in ACTION_UNITS:
        key = tuple(dict.fromkeys(e for e in emotions if unit in action_units_of(e, mapping)))
        if key:
            shown_by.setdefault(key, []).append(unit)
    return [(tuple(units), key) for key, units in shown_by.items()]
