"""Tables of the chapter on faces."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fergan.cropping import CroppingAccount
from fergan.datasets.catalogue import CATALOGUE
from fergan.faces import FaceSet
from fergan.facs import ACTION_UNITS, AU_MEANINGS
from fergan.files import read_json

__all__ = ["action_unit_counts", "count_by", "describe_faces", "faces_per_set"]


def describe_faces(faces: FaceSet, account: CroppingAccount, source: str = "") -> pd.DataFrame:
    """Return what a face set holds, one fact per row; what its subjects are is said by its source (see the catalogue)."""
    subjects = _subjects(source)
    labels = faces.labels
    coded = [unit for unit in ACTION_UNITS if labels[unit].notna().any()]
    people = labels["subject"].nunique()
    facts = {
        "photographs": f"{account.photographs:,}",
        "crops": f"{len(faces):,}",
        "without a face": f"{len(account.no_face):,}",
        "cropped at the median box": f"{len(account.nominal):,}",
        "unreadable": f"{len(account.unreadable):,}",
        subjects: f"{people:,}" if people else "not labelled",
        f"crops of one {'person' if subjects == 'people' else subjects.removesuffix('s')}": _per_person(labels["subject"]),
        "emotions": ", ".join(faces.emotions) or "not labelled",
        "Action Units": ", ".join(coded) or "not labelled",
    }
    return pd.DataFrame(facts.items(), columns=["", "value"])


def _subjects(source: str) -> str:
    """Return what column ``subject`` tells apart in photographs of this source: people, or films."""
    return CATALOGUE[source].subjects if source in CATALOGUE else "people"


def _per_person(subjects: pd.Series) -> str:
    """Return the least, the median and the most faces of one person, in words."""
    counts = subjects.value_counts()
    if counts.empty:
        return "not labelled"
    least, most = counts.min(), counts.max()
    return f"{least:,} to {most:,}, median {counts.median():g}" if least < most else f"{least:,}"


def action_unit_counts(faces: FaceSet) -> pd.DataFrame:
    """Return per coded Action Unit how many crops were coded and show it; no rows where none was coded."""
    rows = []
    for unit in ACTION_UNITS:
        values = faces.labels[unit].dropna()
        if len(values):
            graded = faces.labels[[name for name in _intensity_columns(unit) if name in faces.labels]]
            rows.append({"Action Unit": unit, "": AU_MEANINGS[unit], "coded": len(values), "shown": int(values.sum()),
                         "share": values.mean(), "mean intensity": graded[faces.labels[unit] == 1].mean(axis=1).mean()})
    return pd.DataFrame(rows)


def _intensity_columns(unit: str) -> tuple[str, str, str]:
    """Return where a set keeps intensities (0 to 1): one for the face, or one for each of its sides."""
    return f"{unit}_intensity", f"{unit}_left", f"{unit}_right"


def count_by(faces: FaceSet, account: CroppingAccount) -> pd.DataFrame:
    """Return per emotion and per view how many photographs there were and what share of them was lost."""
    rows = []
    for kind, groups in (("emotion", account.lost_by_emotion), ("view", account.lost_by_view)):
        for name, lost in groups.items():
            rows.append({"by": kind, "": name, "photographs": lost["photographs"], "lost": lost["fraction"]})
    return pd.DataFrame(rows)


def faces_per_set(home: str | Path, names: Iterable[str]) -> pd.DataFrame:
    """Return one row per face set: what it holds and what was lost; subjects that are no people are named in their cell."""
    rows, others = [], {}
    for name in names:
        folder = Path(home) / "faces" / name
        faces, account = FaceSet.load(folder), read_json(folder / "account.json")
        made = read_json(folder / "faceset.provenance.json")["parameters"]
        if (subjects := _subjects(made["source"])) != "people":
            others[len(rows)] = subjects
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
    table = table.astype(dict.fromkeys(("people", "emotions", "AUs", "views"), "Int64"))
    if others:
        table["people"] = [
            n if pd.isna(n) or row not in others else f"{n:,} {others[row]}" for row, n in enumerate(table["people"])
        ]
    return table
