"""RaFD, the Radboud Faces Database: one flat folder whose file names say everything."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from fergan.data.folders import Contents, NameRule, list_files, one_per_name, read_named

__all__ = ["EMOTIONS", "rafd_names", "read_rafd"]

#: The camera's angle in degrees as it stands in the name -> the view. From 090 the face is seen from the front.
CAMERAS = {"000": "camera-000", "045": "camera-045", "090": "frontal", "135": "camera-135", "180": "camera-180"}

GROUPS = ("Caucasian", "Kid", "Moroccan")
SEXES = ("female", "male")

#: The words of RaFD are this project's own: https://rafd.socsci.ru.nl/Overview.html
EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")

GAZES = ("frontal", "left", "right")

#: Camera angle, model, group, sex, emotion, gaze: https://rafd.socsci.ru.nl/FAQ.html
RULE = NameRule(
    r"Rafd(?P<view>\d{3})_(?P<subject>\d{2})_(?P<group>[A-Za-z]+)_(?P<sex>[a-z]+)_(?P<emotion>[a-z]+)_(?P<gaze>[a-z]+)\.jpg",
    view=CAMERAS, group=GROUPS, sex=SEXES, emotion=EMOTIONS, gaze=GAZES,
)  # fmt: skip


def rafd_names(models: Iterable[tuple[str, str, str]], variant: str = "") -> Iterator[str]:
    """Generate the names of all photographs of these models.

    Parameters
    ----------
    models : iterable of tuple
        Number (two digits), group and sex of each model.
    variant : str
        ``"frontal"`` (the camera at 90 degrees, three gazes), ``"multiview"`` (five cameras, frontal gaze) or ``""``.
    """
    cameras = ["090"] if variant == "frontal" else CAMERAS
    gazes = ["frontal"] if variant == "multiview" else GAZES
    for number, group, sex in models:
        for camera in cameras:
            for emotion in EMOTIONS:
                for gaze in gazes:
                    yield f"Rafd{camera}_{number}_{group}_{sex}_{emotion}_{gaze}.jpg"


def read_rafd(folder: Path, variant: str, csv: str) -> Contents:
    """Read the names of the photographs, one file of each; their folder may have folders of its own.

    Missing is what would complete the models that are there: which numbers were given is nowhere published.
    """
    files = list_files(folder)
    table, unknown = read_named(files, RULE)
    table, again = one_per_name(table)
    models = table[["subject", "group", "sex"]].drop_duplicates().itertuples(index=False, name=None)
    there = {path.rpartition("/")[2] for path in table["source"]}
    missing = [name for name in rafd_names(models, variant) if name not in there]
    if variant == "frontal":
        table = table[table["view"] == "frontal"]
    if variant == "multiview":
        table = table[table["gaze"] == "frontal"]
    return Contents(folder, files, table, missing=missing, unknown=unknown | again)
