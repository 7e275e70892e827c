"""RAF-DB, the Real-world Affective Faces Database: its basic set of single labels."""

from pathlib import Path

import pandas as pd

from fergan.datasets.folders import Contents, is_picture, list_files, read_lines, within

__all__ = ["EMOTIONS", "read_raf_db"]

#: The numbers of EmoLabel/list_patition_label.txt, as the set's readme explains them.
EMOTIONS = {
    "1": "surprised", "2": "fearful", "3": "disgusted", "4": "happy", "5": "sad", "6": "angry", "7": "neutral",
}  # fmt: skip

TABLE = "EmoLabel/list_patition_label.txt"


def read_raf_db(folder: Path, variant: str, csv: str) -> Contents:
    """Read the table of labels; the official split is in the names that it lists.

    Nobody is named, so every photograph counts as a person of its own.
    """
    root = within(folder, "basic", "RAF-DB/basic", "RAFDB/basic")
    aligned = variant == "aligned"
    table = _read_table(root / TABLE)
    stems = table.index.str.removesuffix(".jpg")
    table["source"] = [f"Image/aligned/{stem}_aligned.jpg" if aligned else f"Image/original/{stem}.jpg" for stem in stems]
    table["split"] = stems.str.partition("_").get_level_values(0)
    files = list_files(root)
    there = table["source"].isin(files)
    named, picture_folder = set(table["source"]), "Image/aligned/" if aligned else "Image/original/"
    unknown = {
        path: f"not in {TABLE}"
        for path in files
        if path.startswith(picture_folder) and path not in named and is_picture(path)
    }
    labels = table[there].assign(view="wild")
    return Contents(root, files, labels, [TABLE], missing=table["source"][~there].tolist(), unknown=unknown)


def _read_table(path: Path) -> pd.DataFrame:
    """Return the emotion per file name."""
    what = "the table of RAF-DB's basic set, with lines such as 'train_00001.jpg 5'"
    emotions: dict[str, str] = {}
    for number, line in enumerate(read_lines(path, what), start=1):
        if not line.strip():
            continue
        name, _, code = line.strip().partition(" ")
        if not name.startswith(("train_", "test_")) or code.strip() not in EMOTIONS:
            raise ValueError(f"{path}, line {number}: {line.strip()!r}; expected train_ or test_NNNNN.jpg and 1 to 7")
        if name in emotions:
            raise ValueError(f"{path}, line {number}: {name} is listed twice; keep one")
        emotions[name] = EMOTIONS[code.strip()]
    return pd.DataFrame({"emotion": pd.Series(emotions, dtype="string")})
