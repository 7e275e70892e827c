"""What lies in a folder: its files and what their names say, tables, and a manifest, the way to bring one's own data."""

import csv as csv_files
import io
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.config import CATALOGUE
from fergan.data.faces import complete_labels
from fergan.facs import ACTION_UNITS, EMOTIONS, canonical_emotion

_PICTURES = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".avif")
#: Columns of a manifest that are read, beside Action Units, in any case of their letters; and other words for them.
_READ = ("path", "subject", "emotion", "smile", "view", "split")
_SYNONYMS = {"person": "subject", "expression": "emotion", "pose": "view"}
_SEPARATORS = ",;\t"
#: What stands for a missing value, in lower case: blank, and what R, pandas and spreadsheets write.
_MISSING = ("", "na", "n/a", "#n/a", "nan", "none", "null", "<na>")
#: An Action Unit is present or not in AU12, au_12, "AU 12" and OpenFace's AU12_c; its AU12_r is an intensity.
_ACTION_UNIT = re.compile(r"AU[ _]?0*(\d+)(_c)?", re.IGNORECASE)


class Files(dict[str, os.stat_result]):
    """What a folder holds, by paths relative to it in sorted order; ``refused`` is what may not be read, and why."""

    refused: Sequence[str] = ()


@dataclass
class Contents:
    """What a loader found; for the rest see `fergan.data.photographs.Photographs`."""

    root: Path
    files: Files  # relative to the root
    labels: pd.DataFrame  # one row per photograph that exists, with at least ``source``
    tables: Sequence[str] = ()  # files whose content became labels
    missing: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    coded: int | None = None


def name_of(path: str) -> str:
    """Return a file's name without its folders."""
    return path.rpartition("/")[2]


def is_picture(path: str) -> bool:
    """Say whether a file's name ends like a picture's and is none of the hidden files that systems leave behind."""
    return path.lower().endswith(_PICTURES) and not name_of(path).startswith(".")


def list_files(folder: Path, depth: int = 8) -> Files:
    """List the files under a folder, so many folders deep; links are followed, and dangling ones passed over.

    PermissionError where the folder itself may not be read; what lies in it and may not is listed as refused.
    """
    found: dict[str, os.stat_result] = {}
    refused: list[str] = []

    def relative(path: str) -> str:
        # A name that is not UTF-8 can be neither printed nor kept in a table: its odd letters are replaced.
        return os.path.relpath(path, folder).encode(errors="surrogateescape").decode(errors="replace")

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        if not isinstance(error, FileNotFoundError):
            refused.append(f"{relative(error.filename)}: {(error.strerror or str(error)).lower()}")

    for place, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        if place.count(os.sep) >= str(folder).count(os.sep) + depth:
            folders.clear()
        for path in (f"{place}{os.sep}{name}" for name in names):
            try:
                found[relative(path)] = os.stat(path)
            except OSError as error:
                refuse(error)
    files = Files(sorted(found.items()))
    files.refused = sorted(refused)
    return files


def read_named(files: Iterable[str], source: str,
               normalise: Callable[[str], str] = str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read what the names of pictures say, by the rule (`names` and `codes`) of a collection in the catalogue.

    `normalise` corrects a file's name first. Of several of one name the first is kept, and rather one that it leaves alone.

    Returns: A table with ``source`` and a column per group of the rule, indexed by the name; other pictures -> why not.
    """
    record = CATALOGUE[source]
    rule = re.compile(rf"(?:.*/)?{record.names}")
    rows, unknown = {}, {}
    for path in filter(is_picture, files):
        name = normalise(name_of(path))
        match = rule.fullmatch(path.removesuffix(name_of(path)) + name)
        parts = match.groupdict() if match else {}
        odd = next((group for group in parts if parts[group] not in record.codes.get(group, parts.values())), None)
        if not match:
            unknown[path] = f"not named like {record.example}"
        elif odd:
            unknown[path] = f"{odd} {parts[odd]!r} is unknown; expected one of {', '.join(record.codes[odd])}"
        else:
            rows[path] = {group: record.codes.get(group, {}).get(part, part) for group, part in parts.items()}
    names = {path: normalise(name_of(path)) for path in rows}
    _, again = first_of_name(dict(sorted(names.items(), key=lambda item: item[1] != name_of(item[0]))))
    kept = [path for path in rows if path not in again]
    table = pd.DataFrame([{"source": path} | rows[path] for path in kept], columns=["source", *rule.groupindex],
                         index=[names[path] for path in kept])  # fmt: skip
    return table, unknown | again


def first_of_name(names: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the first path of each name in files (path -> name), and each other path -> why it is left out."""
    first: dict[str, str] = {}
    for path, name in names.items():
        first.setdefault(name, path)
    return first, {path: f"a second file of this name; {first[name]} is read"
                   for path, name in names.items() if first[name] != path}


def some_of(names: Sequence[str], n: int = 3) -> str:
    """Return the first few names, and how many more there are."""
    return ", ".join(names[:n]) + (f" and {len(names) - n:,} more" if len(names) > n else "")


def read_lines(path: Path, what: str) -> list[str]:
    """Return the lines of a table, with an error that names it, and the line where it is not UTF-8."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {what}")
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}, is not UTF-8 text; expected {what}") from error


def read_csv_table(path: Path, what: str) -> pd.DataFrame:
    """Read a CSV file (UTF-8, one header line; commas, or semicolons or tabs) as stripped text, blank where missing.

    The index holds line numbers; blank lines and empty columns at the end are passed over; letters with accents are
    composed. pandas would guess at types, and name no line. `what` is expected, for the errors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write a CSV with {what}")
    rows: dict[int, list[str]] = {}
    try:
        text = unicodedata.normalize("NFC", path.read_bytes().decode("utf-8-sig"))
        reader = csv_files.reader(io.StringIO(text, newline=""), strict=True,
                                  delimiter=max(_SEPARATORS, key=text.partition("\n")[0].count))
        header = [column.strip() for column in next(reader, [])]
        while header and not header[-1]:
            header.pop()
        for row in (list(map(str.strip, values)) for values in reader):
            if any(row):
                rows[reader.line_num] = row if any(row[len(header):]) else row[:len(header)]
    except (OSError, UnicodeDecodeError, csv_files.Error) as error:
        raise ValueError(f"{path} is not readable as CSV ({error}); save it as UTF-8 with commas") from error
    if not header:
        raise ValueError(f"{path} is empty; expected a header line and {what}")
    for line, row in rows.items():
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: {len(row)} values for {len(header)} columns; quote what holds commas")
    return pd.DataFrame(list(rows.values()), columns=header, index=list(rows), dtype=str)


def named_units(columns: Iterable[str]) -> list[str]:
    """Return columns with those of Action Units' presence written as in `fergan.facs`: AU01 for au1 and AU01_c."""
    units = ((column, _ACTION_UNIT.fullmatch(column)) for column in columns)
    return [f"AU{int(unit[1]):02d}" if unit else column for column, unit in units]


def has_manifest(csv_path: Path) -> bool:
    """Say whether a file is there whose header line has a column ``path``."""
    if not csv_path.is_file():
        return False
    with open(csv_path, encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return "path" in (column.strip(' "\n').lower() for column in header.split(max(_SEPARATORS, key=header.count)))


def read_manifest(path: Path) -> Contents:
    """Read a CSV file (see `read_csv_table`) that names and labels photographs, and look whether each exists.

    Column ``path`` is relative to the file's folder, or absolute in it. Optional are Action Units (0, 1 or blank) and the
    others of `_READ`, also by their `_SYNONYMS`; ``smile`` becomes AU12. Further columns are named among the problems; they
    are kept as text where their names say nothing of Action Units. FileNotFoundError where the CSV, or every photograph that
    it lists, is missing; ValueError, with file and line, where something in it cannot be right.
    """
    table, problems = _name_columns(path, read_csv_table(path, "a column 'path' beside the photographs"))
    blank = table["path"] == ""
    problems += [f"{path}, line {line}: no path, left out" for line in table.index[blank]]
    table = table[~blank].copy()
    if table.empty:
        raise ValueError(f"{path} lists no photographs; give one line to each, with its path")
    # Files written on Windows have backslashes. Links inside the folder are the owner's choice: followed.
    table["path"] = [os.path.normpath(name.replace("\\", "/")) for name in table["path"]]
    for folder in (path.parent.absolute(), path.parent.resolve()):
        table["path"] = table["path"].str.removeprefix(f"{folder}/")
    for line, name in table["path"].items():
        if os.path.isabs(name) or name.split("/")[0] == ".." or name[1:2] == ":":
            raise ValueError(f"{path}, line {line}: path {name!r} leads outside {path.parent}; "
                             "move the photograph into the folder and write its path relative to it")
    for name in table["path"][table["path"].duplicated()][:1]:
        lines = table.index[table["path"] == name]
        raise ValueError(f"{path}: {name!r} is listed on lines {', '.join(map(str, lines))}; keep one")
    listed = list_files(path.parent)
    on_disk = {unicodedata.normalize("NFC", name): name for name in listed}  # where accents may be decomposed
    table["path"] = [on_disk.get(name, name) for name in table["path"]]
    files = Files({name: listed[name] for name in table["path"] if name in listed})
    labels = complete_labels(_labels(path, table, problems), where=str(path))
    if not files:
        example = path.parent / labels["source"].iloc[0]
        raise FileNotFoundError(f"no photograph that {path} lists exists, for example {example}; paths are relative to it")
    there = labels["source"].isin(files)
    return Contents(path.parent, files, labels[there], missing=labels["source"][~there].tolist(), problems=problems)


def _name_columns(path: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give the columns this project's names, drop those that cannot be kept, and say which are not read."""
    given = list(table)
    names = [name.lower() if name.lower() in (*_READ, *_SYNONYMS) else name for name in named_units(table)]
    for number, name in enumerate(names):
        meant = _SYNONYMS.get(name, name)
        # An expression may also be what people were asked for: "smiling".
        if meant not in names and (name != "expression" or not _unknown_emotions(table.iloc[:, number])):
            names[number] = meant
    table.columns = names
    for twice in table.columns[table.columns.duplicated() & table.columns.isin([*_READ, *ACTION_UNITS])]:
        raise ValueError(f"{path}: column {twice!r} occurs twice; keep one of the two")
    if "path" not in names:
        raise ValueError(f"{path} has no column 'path', only {', '.join(map(repr, given))}; add one with "
                         f"each photograph's path relative to {path.parent}, and separate columns by commas")
    read = {*_READ, *ACTION_UNITS}
    unread = [was or "one without a name" for was, name in zip(given, names, strict=True) if name not in read]
    said = (f"{path}: columns that are not read: {some_of(unread, 12)}; read are {', '.join(_READ)} and {ACTION_UNITS[0]} "
            f"to {ACTION_UNITS[-1]}. Rename one of people to subject, and turn intensities (AU12_r) into AU12, 1 or 0")
    # `source` is the name under which `path` goes on.
    no_use = table.columns.isin(["", "source"]) | table.columns.str.match(r"(?i)AU[ _]?\d") | table.columns.duplicated()
    return table.loc[:, ~no_use | table.columns.isin(ACTION_UNITS)], [said] if unread else []


def _labels(path: Path, table: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """Turn the text of each column into labels; the table's index holds line numbers."""
    labels = pd.DataFrame({"source": table["path"]}, index=table.index)
    for column in table.columns.drop("path"):
        text = table[column].astype("string")
        missing = text.str.lower().isin(_MISSING if column in (*_READ, *ACTION_UNITS) else ("",))
        if words := text[missing & (text != "")].unique().tolist():
            counted = int((missing & (text != "")).sum())
            problems.append(f"{path}: {column} is {' or '.join(words)} in {counted:,} lines, which counts as missing")
        text = text.mask(missing)
        if column in ACTION_UNITS or column == "smile":
            text = text.str.lower().replace({"true": "1", "false": "0"})
            labels[column] = pd.to_numeric(text, errors="coerce").astype("Float64").astype(float)
            for line in text.index[text.notna() & ~labels[column].isin([0, 1])][:1]:
                raise ValueError(f"{path}, line {line}: {column} is {text[line]!r}; expected 0, 1 or blank")
        elif column == "emotion":
            if unknown := _unknown_emotions(text):
                where = [f"{word!r} ({table.loc[line, 'path']}, line {line})" for word, line in unknown.items()]
                raise ValueError(f"{path}: no emotion is called {some_of(where, 20)}; expected are {', '.join(EMOTIONS)}")
            labels[column] = text.map(canonical_emotion, na_action="ignore")
        else:
            labels[column] = text.str.lower() if column == "split" else text
    if "smile" not in labels:
        return labels
    smile, unit = labels.pop("smile"), labels.get("AU12", pd.Series(np.nan, labels.index))
    for line in labels.index[unit.notna() & smile.notna() & (unit != smile)][:1]:
        raise ValueError(f"{path}, line {line}: AU12 is {unit[line]:g} but smile is {smile[line]:g}, which is AU12 too")
    return labels.assign(AU12=unit.fillna(smile))


def _unknown_emotions(text: pd.Series) -> dict[str, int]:
    """Return the words that are no emotion, and the first line of each."""
    unknown = {}
    for word in text.dropna().unique():
        try:
            if word.lower() not in _MISSING:
                canonical_emotion(word)
        except ValueError:
            unknown[word] = text.index[text == word][0]
    return unknown
