"""Tables of the chapter on faces."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fergan.cropping import CroppingAccount
from fergan.faces import FaceSet
from fergan.facs import ACTION_UNITS
from fergan.files import read_json

__all__ = ["count_by", "describe_faces", "faces_per_set"]


def describe_faces(faces: FaceSet, account: CroppingAccount) -> pd.DataFrame:
    """Return what a face set holds, one fact per row."""
    labels = faces.labels
    coded = [unit for unit in ACTION_UNITS if labels[unit].notna().any()]
    people = labels["subject"].nunique()
    facts = {
        "photographs": f"{account.photographs:,}",
        "crops": f"{len(faces):,}",
        "without a face": f"{len(account.no_face):,}",
        "cropped at the median box": f"{len(account.nominal):,}",
        "unreadable": f"{len(account.unreadable):,}",
        "people": f"{people:,}" if people else "not labelled",
        "emotions": ", ".join(faces.emotions) or "not labelled",
        "Action Units": ", ".join(coded) or "not labelled",
    }
    return pd.DataFrame(facts.items(), columns=["", "value"])


def count_by(faces: FaceSet, account: CroppingAccount) -> pd.DataFrame:
    """Return per emotion and per view how many photographs there were and what share of them was lost."""
    rows = []
    for kind, groups in (("emotion", account.lost_by_emotion), ("view", account.lost_by_view)):
        for name, lost in groups.items():
            rows.append({"by": kind, "": name, "photographs": lost["photographs"], "lost": lost["fraction"]})
    return pd.DataFrame(rows)


def faces_per_set(home: str | Path, names: Iterable[str]) -> pd.DataFrame:
    """Return one row per face set: what it holds and what was lost."""
    rows = []
    for name in names:
        folder = Path(home) / "faces" / name
        faces, account = FaceSet.load(folder), read_json(folder / "account.json")
        made = read_json(folder / "faceset.provenance.json")["parameters"]
        rows.append({
            "set": name,
            "source": made["source"],
            "faces": len(faces),
            "no face": account["photographs"] - len(faces),
            "median box": len(account["nominal"]),
            "people": faces.labels["subject"].nunique() or None,
            "emotions": len(faces.emotions) or None,
            "AUs": int(faces.labels[list(ACTION_UNITS)].notna().any().sum()) or None,
            "views": faces.labels["view"].nunique() or None,
            "detector": made["detector"],
        })
    table = pd.DataFrame(rows)
    return table.astype(dict.fromkeys(("people", "emotions", "AUs", "views"), "Int64"))
