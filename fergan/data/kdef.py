"""KDEF, the Karolinska Directed Emotional Faces: a folder for each person and session, eight-letter file names."""

from collections.abc import Iterator
from pathlib import Path

from fergan.data.folders import Contents, NameRule, list_files, one_per_name, read_named, within

__all__ = ["EMOTIONS", "kdef_names", "read_kdef"]

SESSIONS = {"A": "session-a", "B": "session-b"}

PEOPLE = tuple(f"{sex}{number:02d}" for sex in "FM" for number in range(1, 36))

#: The codes of the set's own description, https://kdef.se, "About KDEF"
EMOTIONS = {
    "AF": "fearful", "AN": "angry", "DI": "disgusted", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprised",
}  # fmt: skip
VIEWS = {"FL": "full-left", "HL": "half-left", "S": "frontal", "HR": "half-right", "FR": "full-right"}

#: Session, sex and person, expression, angle: https://kdef.se, "About KDEF"
RULE = NameRule(
    r"(?P<session>[A-Z])(?P<subject>[A-Z]\d{2})(?P<emotion>[A-Z]{2})(?P<view>[A-Z]{1,2})\.JPG",
    session=SESSIONS, subject=PEOPLE, emotion=EMOTIONS, view=VIEWS,
)  # fmt: skip

#: Two files are shipped with cut names. In each folder exactly one name of the rule is absent. The letter that is left
#: agrees with it for AM31 ("H" of "HR"); for AF31 ("V") it says nothing, and the correction rests on elimination alone.
#: Users of the set who wrote down a correction give these two.
MISNAMED = {"AF31V.JPG": "AF31SAHL.JPG", "AM31H.JPG": "AM31SUHR.JPG"}


def kdef_names(variant: str = "") -> Iterator[str]:
    """Generate the names of all photographs of both sessions, or of one."""
    for session, named in SESSIONS.items():
        if variant in ("", named):
            for person in PEOPLE:
                for emotion in EMOTIONS:
                    for view in VIEWS:
                        yield f"{session}{person}{emotion}{view}.JPG"


def read_kdef(folder: Path, variant: str, csv: str) -> Contents:
    """Read the names of the photographs, one file of each; the averaged faces (AKDEF) shipped beside them are left alone.

    ``subject`` has no session: AF01 and BF01 are the same woman.
    """
    root = within(folder, "KDEF_and_AKDEF/KDEF", "KDEF")
    files = list_files(root)
    table, unknown = read_named(files, RULE, normalise=_true_name)
    table, again = one_per_name(table, _true_name)
    there = {_true_name(path.rpartition("/")[2]) for path in table["source"]}
    problems = [
        f"{root / path}: taken for {MISNAMED[name]}, by the name that is absent there"
        for path in table["source"]
        if (name := path.rpartition("/")[2].upper()) in MISNAMED
    ]
    if variant:
        table = table[table["session"] == variant]
    missing = [name for name in kdef_names(variant) if name not in there]
    return Contents(root, files, table, missing=missing, unknown=unknown | again, problems=problems)


def _true_name(name: str) -> str:
    return MISNAMED.get(name.upper(), name.upper())
