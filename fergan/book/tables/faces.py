"""Tables of the chapter on faces."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from fergan.book.tables.words import listed, percent, share
from fergan.data.catalogue import CATALOGUE
from fergan.data.cropping import CroppingAccount
from fergan.data.faces import FaceSet
from fergan.facs import ACTION_UNITS, AU_MEANINGS
from fergan.files import read_json

__all__ = [
    "action_unit_counts", "answer_of_set", "answer_of_sets", "count_by", "describe_faces", "faces_per_set",
    "listed_photographs", "uneven_losses",
]

#: What became of a photograph in which no face was found, in the words of all pages.
LEFT_OUT, PLACED = "left out", "placed by view"


def describe_faces(faces: FaceSet, account: CroppingAccount, source: str = "") -> pd.DataFrame:
    """Return what a face set holds, one fact per row; what its subjects are is said by its source (see the catalogue)."""
    subjects = _subjects(source)
    labels = faces.labels
    coded = [unit for unit in ACTION_UNITS if labels[unit].notna().any()]
    people = labels["subject"].nunique()
    facts = {
        "photographs": f"{account.photographs:,}",
        "crops": f"{len(faces):,}",
        f"no face found, {PLACED}": f"{len(account.nominal):,}",
        f"no face found, {LEFT_OUT}": f"{len(account.no_face):,}",
        f"unreadable, {LEFT_OUT}": f"{len(account.unreadable):,}",
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
    """Return per emotion and per view how many photographs there were, and the share without a face that was found."""
    rows = []
    for kind, groups in (("emotion", account.lost_by_emotion), ("view", account.lost_by_view)):
        for name, lost in groups.items():
            rows.append({"by": kind, "": name, "photographs": lost["photographs"], "no face found": lost["fraction"]})
    return pd.DataFrame(rows)


def faces_per_set(home: str | Path, names: Iterable[str]) -> pd.DataFrame:
    """Return one row per face set: what it holds, and what became of photographs in which no face was found.

    Subjects that are no people are named in their cell.
    """
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
            PLACED: len(account["nominal"]),
            LEFT_OUT: account["photographs"] - len(faces),
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


def answer_of_set(faces: FaceSet, account: CroppingAccount, source: str = "") -> str:
    """Say in one or two sentences what a set came to: crops, people, and the photographs in which no face was found."""
    people = faces.labels["subject"].nunique()
    of_people = f" of {people:,} {_subjects(source)}" if people else ""
    words = f"{len(faces):,} of {account.photographs:,} photographs became crops{of_people}."
    lost = account.photographs - len(faces)
    if account.nominal:
        words += (f" In {share(len(account.nominal), account.photographs)} no face was found, and the crop lies where "
                  "other faces of the same view do.")
    return words + (f" {share(lost, account.photographs)} gave none and are left out." if lost else "")


def answer_of_sets(table: pd.DataFrame) -> str:
    """Say what the sets of `faces_per_set` hold, and in which of them detectors found no face most often."""
    missed, photographs = table[PLACED] + table[LEFT_OUT], table["faces"] + table[LEFT_OUT]
    words = f"The networks see {table['faces'].sum():,} faces in {len(table)} sets."
    if not missed.any():
        return f"{words} A face was found in every photograph."
    worst = (missed / photographs).idxmax()
    said = {LEFT_OUT: "were left out", PLACED: "were cropped where the other faces of the same view are"}
    fates = [f"{'all' if table[column][worst] == missed[worst] else f'{table[column][worst]:,}'} {fate}"
             for column, fate in said.items() if table[column][worst]]
    missing = share(int(missed[worst]), int(photographs[worst]))
    return (f"{words} Detectors did worst on {table['set'][worst]}: in {missing} of its photographs they found no face, the "
            f"largest share of all; {listed(fates)}. Over all sets {table[LEFT_OUT].sum():,} photographs were left out.")


def listed_photographs(account: CroppingAccount, problems: Sequence[str] = (), n: int = 20) -> pd.DataFrame:
    """Return the first photographs that were left out or placed by view, and what else is wrong with the source."""
    rows = [{"photograph": of["source"], "what": f"{LEFT_OUT}: {of['reason']}"} for of in account.unreadable]
    rows += [{"photograph": name, "what": f"{LEFT_OUT}: no face found"} for name in account.no_face]
    rows += [{"photograph": name, "what": f"{PLACED}: no face found"} for name in account.nominal]
    rows += [{"photograph": "–", "what": problem} for problem in problems]
    return pd.DataFrame(rows[:n] or [{"photograph": "none", "what": "–"}])


def uneven_losses(home: str | Path, names: Iterable[str]) -> str:
    """Say on which set photographs without a face found are spread most unevenly over emotions, and over views."""
    words = []
    for kind in ("emotion", "view"):
        spans = {}
        for name in names:
            lost = read_json(Path(home) / "faces" / name / "account.json")[f"lost_by_{kind}"]
            found = {group: of["fraction"] for group, of in lost.items()}
            if len(found) > 1:
                low, high = min(found, key=found.get), max(found, key=found.get)
                spans[name] = found[high] - found[low], low, found[low], high, found[high]
        if spans:
            name = max(spans, key=lambda key: spans[key][0])
            _, low, least, high, most = spans[name]
            words.append(f"between {kind}s most on {name}, from {percent(least, 1)} ({low}) to {percent(most, 1)} ({high})")
    if not words:
        return "No set has labels of emotion or view to compare losses by"
    return f"The share of photographs in which no face was found differs {listed(words)}"
