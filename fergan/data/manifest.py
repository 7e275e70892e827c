"""Photographs in any folder, described by a CSV file: the way to bring one's own data."""

import os
import re
from pathlib import Path

import pandas as pd

from fergan.data.faces import complete_labels
from fergan.data.folders import Contents, Files, FileState, read_csv_table
from fergan.facs import ACTION_UNITS, canonical_emotion

_KNOWN = ("path", "subject", "emotion", "smile", "view", "pose", "split", "yaw", "pitch", "roll")
_ACTION_UNIT = re.compile(r"AU0*(\d+)", re.IGNORECASE)


def has_manifest(csv_path: Path) -> bool:
    """Say whether a file is there whose header line has a column ``path``."""
    if not csv_path.is_file():
        return False
    with open(csv_path, encoding="utf-8-sig", errors="replace") as file:
        return "path" in (column.strip(' "').lower() for column in file.readline().rstrip("\r\n").split(","))


def read_manifest(folder: Path, variant: str, csv: str) -> Contents:
    """Read a CSV file (UTF-8, commas, one header line) that names and labels photographs, and look whether each exists.

    Column ``path`` is relative to the file's folder. Optional: ``subject``, ``emotion`` (synonyms are understood), ``AU01``
    .. ``AU27`` (0, 1 or blank), ``smile`` (0, 1 or blank; becomes AU12), ``view`` or ``pose``, ``split``, and ``yaw``,
    ``pitch``, ``roll`` (numbers, in the owner's unit). Other columns are kept, as numbers where all values are.

    Raises:
        FileNotFoundError: The CSV, or every photograph that it lists, is missing.
        ValueError: The CSV is unreadable or empty, has no ``path``, lists a path twice or outside the folder, or holds an
            unknown emotion or an Action Unit that is neither 0, 1 nor blank; the message names the file and line.
    """
    path = folder / csv
    table, problems = _name_columns(path, read_csv_table(path, "a column 'path' beside the photographs"))
    blank = table["path"] == ""
    problems += [f"{path}, line {line}: no path, left out" for line in table.index[blank]]
    table = _check_paths(path, table[~blank].copy())
    labels = complete_labels(_labels(path, table), where=str(path))
    files = Files((source, state) for source in labels["source"] if (state := _state(path.parent / source)))
    if not files:
        example = path.parent / labels["source"].iloc[0]
        raise FileNotFoundError(f"none of the {len(labels)} photographs that {path} lists exists, for example {example}; "
                                "paths are relative to the CSV")
    there = labels["source"].isin(files)
    return Contents(path.parent, files, labels[there], missing=labels["source"][~there].tolist(), problems=problems)


def _name_columns(path: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give the columns this project's names, and set aside those it cannot use."""
    names, ignored = {}, []
    for column in table:
        unit = _ACTION_UNIT.fullmatch(column)
        names[column] = column.lower() if column.lower() in _KNOWN else column
        if unit:
            names[column] = f"AU{int(unit[1]):02d}"
            if names[column] not in ACTION_UNITS:
                ignored.append(column)
        if column == "source":  # the name under which `path` goes on
            ignored.append(column)
    problems = [f"{path}: {', '.join(ignored)} ignored; studied are {', '.join(ACTION_UNITS)}"] if ignored else []
    table = table.drop(columns=ignored).rename(columns=names)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"{path}: column {twice[0]!r} occurs twice; keep one of the two")
    if "path" not in table:
        raise ValueError(f"{path} has no column 'path', only {', '.join(map(repr, table))}; add one with "
                         f"each photograph's path relative to {path.parent}, and separate columns by commas")
    return table if "view" in table else table.rename(columns={"pose": "view"}), problems


def _check_paths(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their paths in plain form: inside the folder, each once."""
    if table.empty:
        raise ValueError(f"{path} lists no photographs; give one line to each, with its path")
    # Files written on Windows have backslashes. Links inside the folder are the owner's choice: followed.
    table["path"] = [os.path.normpath(name.replace("\\", "/")) for name in table["path"]]
    for line, name in table["path"].items():
        if os.path.isabs(name) or name.split("/")[0] == ".." or name[1:2] == ":":
            raise ValueError(f"{path}, line {line}: path {name!r} leads outside {path.parent}; "
                             "move the photograph into the folder and write its path relative to it")
    twice = table["path"].duplicated()
    if twice.any():
        name = table.loc[twice, "path"].iloc[0]
        lines = table.index[table["path"] == name]
        raise ValueError(f"{path}: {name!r} is listed on lines {', '.join(map(str, lines))}; keep one")
    return table


def _labels(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Turn the text of each column into labels; the table's index holds line numbers."""
    labels = pd.DataFrame({"source": table["path"]}, index=table.index)
    for column in table.columns.drop("path"):
        text = table[column]
        if column in ACTION_UNITS or column == "smile":
            labels[column] = _numbers(path, text, "0, 1 or blank (turn intensities into occurrences first)", [0, 1])
        elif column == "emotion":
            labels[column] = _emotions(path, text)
        elif column in ("yaw", "pitch", "roll"):
            labels[column] = _numbers(path, text, "a number or blank")
        else:
            numbers = pd.to_numeric(text.replace("", "nan"), errors="coerce")
            words = (numbers.isna() & ~_blank(text)).any() or numbers.isna().all()
            # "007" is a name, not the number seven.
            if column in ("subject", "view", "split") or words or text.str.match(r"0\d").any():
                numbers = text.astype("string").replace("", pd.NA)
            labels[column] = numbers
    return _smile_as_lip_corner_puller(path, labels)


def _blank(text: pd.Series) -> pd.Series:
    return text.str.lower().isin(["", "nan"])


def _numbers(path: Path, text: pd.Series, expected: str, known: list[float] | None = None) -> pd.Series:
    numbers = pd.to_numeric(text.replace("", "nan"), errors="coerce")
    wrong = numbers.isna() & ~_blank(text)
    if known is not None:
        wrong |= numbers.notna() & ~numbers.isin(known)
    if wrong.any():
        line = text.index[wrong][0]
        raise ValueError(f"{path}, line {line}: {text.name} is {text[line]!r}; expected {expected}")
    return numbers.astype(float)


def _emotions(path: Path, text: pd.Series) -> pd.Series:
    words = {}
    for word in text.unique():
        try:
            words[word] = canonical_emotion(word) if word else pd.NA
        except ValueError as error:
            line = text.index[text == word][0]
            raise ValueError(f"{path}, line {line}: {error}; rename it, or leave it blank") from None
    return text.map(words).astype("string")


def _smile_as_lip_corner_puller(path: Path, labels: pd.DataFrame) -> pd.DataFrame:
    if "smile" not in labels:
        return labels
    smile = labels["smile"]
    unit = labels.get("AU12", smile)
    contradicts = unit.notna() & smile.notna() & (unit != smile)
    if contradicts.any():
        line = labels.index[contradicts][0]
        raise ValueError(f"{path}, line {line}: AU12 is {unit[line]:g} but smile is {smile[line]:g}; "
                         "a smile is AU12, so correct one or drop column 'smile'")
    return labels.assign(AU12=unit.fillna(smile)).drop(columns="smile")


def _state(path: Path) -> FileState | None:
    try:
        if not path.is_file():
            return None
        state = path.stat()
    except OSError:  # for example a name longer than the file system allows
        return None
    return FileState(state.st_size, state.st_mtime_ns)
