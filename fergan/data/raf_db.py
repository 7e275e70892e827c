"""RAF-DB, the Real-world Affective Faces Database: its basic set of single labels."""

from pathlib import Path

import pandas as pd

from fergan.data.folders import Contents, is_picture, list_files, one_per_name, read_lines, within

__all__ = ["EMOTIONS", "read_raf_db"]

#: The numbers of EmoLabel/list_patition_label.txt, as the set's readme explains them.
EMOTIONS = {
    "1": "surprised", "2": "fearful", "3": "disgusted", "4": "happy", "5": "sad", "6": "angry", "7": "neutral",
}  # fmt: skip

TABLE = "EmoLabel/list_patition_label.txt"


def read_raf_db(folder: Path, variant: str, csv: str) -> Contents:
    """Read the table of labels; the official split is in the names that it lists.

    Photographs are known by their names, at whatever depth below ``Image/original`` or ``Image/aligned`` the archive inside
    the archive was unpacked. Nobody is named, so every photograph counts as a person of its own.
    """
    root = within(folder, "basic", "RAF-DB/basic", "RAFDB/basic")
    aligned = variant == "aligned"
    table = _read_table(root / TABLE)
    stems = table.index.str.removesuffix(".jpg")
    names = [f"{stem}_aligned.jpg" if aligned else f"{stem}.jpg" for stem in stems]
    table["split"] = stems.str.partition("_").get_level_values(0)
    files = list_files(root)
    place = "Image/aligned/" if aligned else "Image/original/"
    pictures = sorted((path for path in files if path.startswith(place) and is_picture(path)), key=lambda p: p.count("/"))
    found, again = one_per_name(pd.DataFrame({"source": pd.Series(pictures, dtype=object)}))
    by_name = {path.rpartition("/")[2]: path for path in found["source"]}
    named = set(names)
    missing = [place + name for name in names if name not in by_name]
    unknown = {path: f"not in {TABLE}" for name, path in by_name.items() if name not in named}
    table["source"] = [by_name.get(name) for name in names]
    labels = table[table["source"].notna()].assign(view="wild")
    return Contents(root, files, labels, [TABLE], missing=missing, unknown=unknown | again)


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
