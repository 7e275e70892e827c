"""GENKI-4K: photographs from the web with a smile or none, and the pose of the head."""

from pathlib import Path

import pandas as pd

from fergan.data.folders import Contents, is_picture, list_files, read_lines, within

__all__ = ["read_genki"]

TABLE = "labels.txt"


def read_genki(folder: Path, variant: str, csv: str) -> Contents:
    """Read the table: line n belongs to ``files/file000n.jpg``.

    A smile is AU12. ``yaw, pitch, roll`` are in radians. Nobody is named, so every photograph counts as a person of its
    own.
    """
    root = within(folder, "genki4k", "GENKI-4K")
    lines = read_lines(root / TABLE, "a line for each photograph: 1 (smile) or 0, then yaw, pitch and roll in radians")
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            rows.append({"source": f"files/file{number:04d}.jpg"} | _numbers(root / TABLE, number, line))
    table = pd.DataFrame(rows, columns=["source", "AU12", "yaw", "pitch", "roll"])
    files = list_files(root)
    there, named = table["source"].isin(files), set(table["source"])
    unknown = {path: f"has no line in {TABLE}" for path in files if is_picture(path) and path not in named}
    return Contents(
        root, files, table[there].assign(view="wild"), [TABLE], missing=table["source"][~there].tolist(), unknown=unknown
    )


def _numbers(path: Path, number: int, line: str) -> dict[str, float]:
    try:
        smile, yaw, pitch, roll = (float(value) for value in line.split())
        if smile not in (0, 1):
            raise ValueError
    except ValueError:
        raise ValueError(f"{path}, line {number}: {line.strip()!r}; expected 0 or 1, then yaw, pitch and roll") from None
    return {"AU12": smile, "yaw": yaw, "pitch": pitch, "roll": roll}
