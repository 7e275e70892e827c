"""CMU Face Images: twenty people, four poses, four expressions, with and without sunglasses, in three sizes."""

from pathlib import Path

from fergan.data.folders import Contents, NameRule, list_files, read_named, within

__all__ = ["EMOTIONS", "read_cmu_faces"]

PEOPLE = (
    "an2i", "at33", "boland", "bpm", "ch4f", "cheyer", "choon", "danieln", "glickman", "karyadi", "kawamura", "kk49",
    "megak", "mitchell", "night", "phoebe", "saavik", "steffi", "sz24", "tammo",
)  # fmt: skip

#: Where the person looks.
VIEWS = {"straight": "frontal", "left": "left", "right": "right", "up": "up"}

#: The words of the file names, https://archive.ics.uci.edu/dataset/124/cmu+face+images
EMOTIONS = {"neutral": "neutral", "happy": "happy", "sad": "sad", "angry": "angry"}

SCALES = {"": "", "_2": "half", "_4": "quarter"}

#: Person, pose, expression, eyes, scale: https://archive.ics.uci.edu/dataset/124/cmu+face+images
RULE = NameRule(
    r"(?P<subject>[a-z0-9]+)_(?P<view>[a-z]+)_(?P<emotion>[a-z]+)_(?P<eyes>[a-z]+)(?P<scale>(?:_\d)?)\.pgm",
    subject=PEOPLE, view=VIEWS, emotion=EMOTIONS, eyes=("open", "sunglasses"), scale=SCALES,
)  # fmt: skip


def read_cmu_faces(folder: Path, variant: str, csv: str) -> Contents:
    """Read the names of the photographs of one size; those that end in ``.bad`` are damaged, say their owners."""
    root = within(folder, "faces_4/faces", "faces")
    files = list_files(root)
    table, unknown = read_named(files, RULE)
    labels = table[table["scale"] == variant].drop(columns="scale")
    return Contents(root, files, labels, unknown=unknown)
