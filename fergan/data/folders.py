"""What the loaders of collections share: listing a folder, what its file names say, tables, and the opened collection."""

import csv as csv_files
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from fergan.data.faces import complete_labels
from fergan.data.photographs import Photographs
from fergan.facs import ACTION_UNITS

_PICTURES = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".gif", ".webp")

#: So many names of a kind are listed one by one among the problems; the rest is counted.
_LISTED = 20


class FileState(NamedTuple):
    """A file's size in bytes, and when it was last changed, in nanoseconds."""

    size: int
    modified: int


class Files(dict[str, FileState]):
    """What a folder holds, by paths relative to it in sorted order; ``refused`` is what may not be read, and why."""

    refused: Sequence[str] = ()


def is_picture(path: str) -> bool:
    """Say whether a file's name ends like a picture's and is none of the hidden files that systems leave behind."""
    name = path.rpartition("/")[2]
    return name.lower().endswith(_PICTURES) and not name.startswith(".")


def list_files(folder: str | Path, depth: int = 8) -> Files:
    """List the files under a folder, so many folders deep; links are followed, and dangling ones passed over.

    PermissionError where the folder itself may not be read; what lies in it and may not is listed as refused.
    """
    found: dict[str, FileState] = {}
    refused: list[str] = []
    _list_into(found, refused, str(folder), "", depth)
    files = Files(sorted(found.items()))
    files.refused = sorted(refused)
    return files


def _list_into(found: dict[str, FileState], refused: list[str], folder: str, prefix: str, depth: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            # A name that is not UTF-8 can be neither printed nor kept in a table: its odd letters are replaced.
            name = prefix + entry.name.encode(errors="surrogateescape").decode(errors="replace")
            try:
                if entry.is_dir():
                    if depth:
                        name += "/"
                        _list_into(found, refused, entry.path, name, depth - 1)
                else:
                    state = entry.stat()
                    found[name] = FileState(state.st_size, state.st_mtime_ns)
            except FileNotFoundError:  # a dangling link
                continue
            except OSError as error:
                refused.append(f"{name}: {(error.strerror or str(error)).lower()}")


def within(folder: Path, *candidates: str) -> Path:
    """Return the first of these subfolders that exists, else the folder itself: archives unpack at various depths."""
    return next((folder / name for name in candidates if (folder / name).is_dir()), folder)


class NameRule:
    """A rule by which files are named: a regular expression with named groups, and the codes that may stand in a group.

    Codes that are a mapping also say what each means.
    """

    def __init__(self, pattern: str, **codes: Mapping[str, object] | Iterable[str]):
        self.pattern = re.compile(pattern)
        self.codes = {group: dict(c) if isinstance(c, Mapping) else {code: code for code in c} for group, c in codes.items()}

    def parse(self, name: str) -> dict[str, object] | str:
        """Return what the name says per group, or as text why it does not follow the rule."""
        match = self.pattern.fullmatch(name)
        if not match:
            return "not a name of this dataset"
        parts: dict[str, object] = match.groupdict()
        for group, meanings in self.codes.items():
            code = parts[group]
            if code not in meanings:
                return f"{group} {code!r} is unknown; expected one of {', '.join(meanings)}"
            parts[group] = meanings[code]
        return parts


def read_named(
    files: Iterable[str], rule: NameRule, normalise: Callable[[str], str] = str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read the names of the pictures among files by a rule, each first corrected by `normalise`.

    Returns a table with ``source`` and a column per group, and the path of each other picture -> why it is none.
    """
    rows, unknown = [], {}
    for path in files:
        if is_picture(path):
            parts = rule.parse(normalise(path.rpartition("/")[2]))
            if isinstance(parts, str):
                unknown[path] = parts
            else:
                rows.append({"source": path} | parts)
    return pd.DataFrame(rows, columns=["source", *rule.pattern.groupindex]), unknown


def one_per_name(table: pd.DataFrame, normalise: Callable[[str], str] = str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Keep one file per name: archives that were unpacked twice, or copied beside themselves, add nothing.

    Of files that differ before `normalise`, the one whose name it leaves alone is kept. Returns the rows of the table (with
    column ``source``) that are kept, and the path of each other file -> why it is left out.
    """
    given = pd.Series([path.rpartition("/")[2] for path in table["source"]], index=table.index, dtype=object)
    true = given.map(normalise)
    order = (given != true).sort_values(kind="stable").index
    again = true.loc[order].duplicated().reindex(table.index)
    kept = dict(zip(true[~again], table["source"][~again], strict=True))
    dropped = zip(table["source"][again], true[again], strict=True)
    return table[~again], {path: f"a second file of this name; {kept[name]} is read" for path, name in dropped}


def read_lines(path: Path, what: str) -> list[str]:
    """Return the lines of a table, with an error that names it, and the line where it is not UTF-8."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {what}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} is not readable ({error.strerror}); expected {what}") from error
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}, is not UTF-8 text; expected {what}") from error


def read_csv_table(path: Path, what: str) -> pd.DataFrame:
    """Read a CSV file (UTF-8, commas, one header line) as stripped text, blank where missing.

    The index holds line numbers; blank lines are passed over. pandas would guess at types, and name no line. `what` is
    expected, for the errors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write a CSV with {what}")
    rows: dict[int, list[str]] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv_files.reader(file, strict=True)
            header = [column.strip() for column in next(reader, [])]
            for row in reader:
                if any(value.strip() for value in row):
                    rows[reader.line_num] = [value.strip() for value in row]
    except (OSError, UnicodeDecodeError, csv_files.Error) as error:
        raise ValueError(f"{path} is not readable as CSV ({error}); save it as UTF-8 with commas") from error
    if not any(header):
        raise ValueError(f"{path} is empty; expected a header line and {what}")
    for line, row in rows.items():
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: {len(row)} values for {len(header)} columns; "
                             "put values that contain a comma in double quotes")
    return pd.DataFrame(list(rows.values()), columns=header, index=list(rows), dtype=str)


def draw_rows(n_rows: int, n_faces: int | None, seed: int) -> np.ndarray:
    """Draw row numbers without replacement, in increasing order; all of them where `n_faces` is None or too many."""
    if n_faces is None:
        return np.arange(n_rows)
    if n_faces < 1:
        raise ValueError(f"n_faces is {n_faces}; expected at least 1, or none for all {n_rows}")
    return np.sort(np.random.default_rng(seed).permutation(n_rows)[:n_faces])


def fingerprint_of(states: Iterable[tuple[str, FileState]]) -> str:
    """Return a short hash of files' names, sizes and times of change."""
    text = "\n".join(f"{path}|{state.size}|{state.modified}" for path, state in states)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def some_of(names: Sequence[str], n: int = 3) -> str:
    """Return the first few names, and how many more there are."""
    return ", ".join(names[:n]) + (f" and {len(names) - n:,} more" if len(names) > n else "")


@dataclass
class Contents:
    """What a loader found: `files` are relative to `root`, `tables` those of them whose content became labels.

    `labels` has one row per photograph that exists, with at least ``source``; for the rest see
    `fergan.data.photographs.Photographs`.
    """

    root: Path
    files: Files
    labels: pd.DataFrame
    tables: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    coded: int | None = None


class FolderPhotographs(Photographs):
    """A collection in a folder, as a loader found it; no photograph is decoded on opening.

    It is `folder` for the reader; with `n_faces`, so many photographs are drawn without replacement.
    """

    def __init__(self, name: str, folder: Path, contents: Contents, *, n_faces: int | None = None, seed: int = 0):
        self.name, self.folder = name, contents.root
        self.missing, self.unknown, self.coded = contents.missing, contents.unknown, contents.coded
        self.notes = [*(f"{contents.root / path}" for path in contents.files.refused), *contents.problems]
        self.problems = self._describe()
        # Every Action Unit's column, made in one go: thousands of rows, dozens of columns.
        absent = [unit for unit in ACTION_UNITS if unit not in contents.labels]
        labels = contents.labels.reindex(columns=[*contents.labels.columns, *absent])
        rows = draw_rows(len(labels), n_faces, seed)
        if n_faces is not None and n_faces > len(labels):
            self.problems.append(f"{folder}: {n_faces} faces asked for, {len(labels)} there")
        self.labels = complete_labels(labels.iloc[rows], where=str(folder))
        sources = self.labels["source"].tolist()  # a column of strings is slow to walk through
        self.fingerprint = fingerprint_of((path, contents.files[path]) for path in [*sources, *contents.tables])
        self.sizes = np.array([contents.files[path].size for path in sources], dtype=np.int64)

    def _describe(self) -> list[str]:
        """Return one sentence per problem; of many alike, the first ones and a count."""
        unknown = [f"{self.folder / path}: {why}; left out" for path, why in self.unknown.items()]
        missing = [f"{self.folder / path}: missing, left out" for path in self.missing]
        problems = []
        for sentences, what in ((self.notes, "problems"), (unknown, "pictures that are no part of this dataset"),
                                (missing, "missing photographs")):
            problems += sentences[:_LISTED]
            if len(sentences) > _LISTED:
                problems.append(f"{self.folder}: {len(sentences) - _LISTED:,} more {what}")
        return problems
