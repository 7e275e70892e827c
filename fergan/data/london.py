"""The Face Research Lab London Set: 102 people from the front, neutral and smiling."""

import re
from pathlib import Path

import pandas as pd

from fergan.data.folders import Contents, is_picture, list_files
from fergan.data.tables import read_csv_table

__all__ = ["read_london"]

#: Folder -> the number in its file names, and what was asked for.
FOLDERS = {"neutral_front": ("03", "neutral"), "smiling_front": ("08", "smiling")}

TABLE = "london_faces_info.csv"

_NAME = re.compile(r"(?P<subject>\d{3})_(?P<code>\d{2})\.jpg")


def read_london(folder: Path, variant: str, csv: str) -> Contents:
    """Read names and, where it is there, the table of the people's gender, age and ethnicity.

    A smile is AU12. ``expression`` is what the people were asked for; it is not taken for an emotion.
    """
    files = list_files(folder)
    rows, unknown = [], {}
    for path in files:
        *parents, name = path.split("/")
        where = next((parent for parent in parents if parent in FOLDERS), None)
        if where is None or not is_picture(name):
            continue  # the archives of other views may lie beside
        code, expression = FOLDERS[where]
        match = _NAME.fullmatch(name)
        if match and match["code"] == code:
            rows.append({"source": path, "subject": match["subject"], "expression": expression})
        else:
            unknown[path] = f"not named like 001_{code}.jpg"
    labels = pd.DataFrame(rows, columns=["source", "subject", "expression"]).assign(view="frontal")
    labels["AU12"] = (labels["expression"] == "smiling").astype(float)
    tables = [path for path in files if path.rpartition("/")[2] == TABLE][:1]
    problems = [] if tables else [f"{folder}: {TABLE} is missing, so gender, age and ethnicity are not known"]
    for table in tables:
        labels = labels.join(_read_people(folder / table), on="subject")
    missing = [
        f"{where}/{subject}_{code}.jpg"
        for where, (code, expression) in FOLDERS.items()
        for subject in sorted(set(labels["subject"]) - set(labels["subject"][labels["expression"] == expression]))
    ]
    return Contents(folder, files, labels, tables, missing, unknown, problems)


def _read_people(path: Path) -> pd.DataFrame:
    """Return gender, age in years and ethnicity by the person's number; the table writes X001 for 001."""
    table = read_csv_table(path, "columns face_id, face_age, face_gender and face_eth")
    if "face_id" not in table:
        raise ValueError(f"{path} has columns {', '.join(table)}; expected face_id, face_age, face_gender and face_eth")
    names = {"face_gender": "gender", "face_sex": "gender", "face_age": "age", "face_eth": "ethnicity"}
    people = table.set_index(table["face_id"].str.lstrip("X"))[[column for column in names if column in table]]
    people = people.rename(columns=names)
    people = people.loc[~people.index.duplicated(), ~people.columns.duplicated()]
    if "age" in people:
        people["age"] = pd.to_numeric(people["age"], errors="coerce")
    return people.replace({"": pd.NA})
