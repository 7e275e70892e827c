"""SFEW 2.0, Static Facial Expressions in the Wild: frames of films, in a folder for each part and emotion."""

import re
from pathlib import Path

import pandas as pd

from fergan.data.folders import Contents, is_picture, list_files

__all__ = ["EMOTIONS", "read_sfew"]

#: The folders of each part -> the emotion.
EMOTIONS = {
    "Angry": "angry", "Disgust": "disgusted", "Fear": "fearful", "Happy": "happy", "Neutral": "neutral", "Sad": "sad",
    "Surprise": "surprised",
}  # fmt: skip

SPLITS = {"Train": "train", "Val": "val", "Test": "test"}

#: What a variant is made of. The labels of Test were kept by the organisers, so that it is not part of the default.
PARTS = {"": ("train", "val"), "train": ("train",), "val": ("val",), "test": ("test",)}
PARTS |= {f"aligned-{variant}" if variant else "aligned": parts for variant, parts in PARTS.items()}

#: Film, time and frame: Airheads_000519240_00000005.png
_FRAME = re.compile(r"(?P<film>.+)_\d+_\d+\.\w+")


def read_sfew(folder: Path, variant: str, csv: str) -> Contents:
    """Read the folders' names; those of the archive of aligned faces are like ``Train_Aligned_Faces/Angry``.

    The frames themselves are read, and the aligned faces where there are no frames; variants that begin with ``aligned``
    read the aligned faces only. The same faces are in both, so that they are never read together.

    The actors are not named. ``subject`` is the film, where the file name has one: folds that keep films apart keep their
    people apart, but for those who act in several.
    """
    files = list_files(folder)
    rows, unknown = [], {}
    for path in files:
        if not is_picture(path):
            continue
        *parents, name = path.split("/")
        split = next((SPLITS[parent.partition("_")[0]] for parent in parents if parent.partition("_")[0] in SPLITS), None)
        emotion = EMOTIONS.get(parents[-1]) if parents else None
        if split is None:
            unknown[path] = f"in none of the folders {', '.join(SPLITS)}"
        elif emotion is None and split != "test":
            unknown[path] = f"folder {parents[-1]!r} is no emotion; expected one of {', '.join(EMOTIONS)}"
        elif split in PARTS[variant]:
            film = _FRAME.fullmatch(name)
            rows.append({"source": path, "emotion": emotion, "split": split, "subject": film["film"] if film else None,
                         "aligned": any("aligned" in parent.lower() for parent in parents)})
    labels = pd.DataFrame(rows, columns=["source", "emotion", "split", "subject", "aligned"]).assign(view="wild")
    aligned, problems = labels["aligned"].astype(bool), []
    wanted = aligned if variant.startswith("aligned") or aligned.all() else ~aligned
    if aligned.all() and len(labels) and not variant.startswith("aligned"):
        problems.append(f"{folder}: only aligned faces are there; they are read in place of the frames")
    elif not wanted.all() and wanted.any():
        read, other = ("aligned faces", "frames") if wanted[aligned].any() else ("frames", "aligned faces")
        problems.append(f"{folder}: frames and aligned faces are both there; the {read} are read, the {other} are not")
    return Contents(folder, files, labels[wanted].drop(columns="aligned"), unknown=unknown, problems=problems)
