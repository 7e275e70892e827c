"""What the loaders share: listing a folder, reading what its file names say, drawing a part, and the opened dataset."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from fergan.data.base import UnreadablePhotograph
from fergan.data.catalogue import CATALOGUE
from fergan.data.decoding import FilePhotographs, ReducedPhotograph
from fergan.data.faces import complete_labels
from fergan.facs import ACTION_UNITS

__all__ = [
    "Contents", "FileState", "Files", "FolderPhotographs", "NameRule", "check_variant", "draw_rows", "fingerprint_of",
    "is_picture", "list_files", "one_per_name", "read_lines", "read_named", "some_of", "within",
]

_PICTURES = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".gif", ".webp")

#: So many names of a kind are listed one by one among the problems; the rest is counted.
_LISTED = 20


class FileState(NamedTuple):
    """A file's size in bytes, and when it was last changed, in nanoseconds."""

    size: int
    modified: int


class Files(dict[str, FileState]):
    """What a folder holds: paths relative to it, in sorted order, and under ``refused`` what of it may not be read.

    Attributes
    ----------
    refused : list of str
        Files and folders (which end in a slash) that the system refused, each with its reason.
    """

    refused: list[str]


def is_picture(path: str) -> bool:
    """Say whether a file's name ends like a picture's and is none of the hidden files that systems leave behind."""
    name = path.rpartition("/")[2]
    return name.lower().endswith(_PICTURES) and not name.startswith(".")


def list_files(folder: str | Path, depth: int = 8) -> Files:
    """List the files under a folder, each looked at once; links are followed, and dangling ones passed over.

    Parameters
    ----------
    folder : str or Path
        Where to start.
    depth : int
        How many folders deep to go.

    Returns
    -------
    Files
        Keys are relative to `folder`, with slashes, in sorted order.

    Raises
    ------
    PermissionError
        The folder itself may not be read; what lies in it and may not is listed as refused.
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


def check_variant(source: str, variant: str) -> None:
    """Raise ValueError where a dataset has no such variant."""
    known = CATALOGUE[source].variants
    if variant not in known:
        expected = ", ".join(repr(name) for name in known)
        raise ValueError(f"variant is {variant!r}; source {source!r} has {expected}")


class NameRule:
    """A rule by which files are named.

    Parameters
    ----------
    pattern : str
        A regular expression with named groups that the whole name must match.
    **codes : mapping or collection
        Per group the codes that may stand there; a mapping also says what each means.
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
    """Read the names of files by a rule.

    Parameters
    ----------
    files : iterable of str
        Paths; only their last parts are read. Those that are no pictures are passed over.
    rule : NameRule
        How they are named.
    normalise : callable
        Applied to each name before it is read, where wrong names are known or case varies.

    Returns
    -------
    table : DataFrame
        ``source`` and one column per group of the rule.
    unknown : dict of str to str
        Path of each picture that does not follow the rule -> why.
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


def one_per_name(
    table: pd.DataFrame, normalise: Callable[[str], str] = str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Keep one file per name: archives that were unpacked twice, or copied beside themselves, add nothing.

    Parameters
    ----------
    table : DataFrame
        With column ``source``, as `read_named` returns it.
    normalise : callable
        As for `read_named`. Of files that differ before it, the one whose name it leaves alone is kept.

    Returns
    -------
    table : DataFrame
        The rows that are kept, in their order.
    again : dict of str to str
        Path of each other file -> why it is left out.
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


def draw_rows(n_rows: int, n_faces: int | None, seed: int) -> np.ndarray:
    """Draw rows without replacement, the same each time; all of them where `n_faces` is None or too many.

    Returns
    -------
    ndarray of int
        Row numbers in increasing order.

    Raises
    ------
    ValueError
        `n_faces` is below 1.
    """
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
    """What a loader found in a folder.

    Attributes
    ----------
    root : Path
        The folder to which every path below is relative.
    files : Files
        Everything that was listed.
    labels : DataFrame
        One row per photograph that exists, with at least ``source``.
    tables : list of str
        Tables whose content became labels; the fingerprint watches them too.
    missing : list of str
        Photographs that a table names, or that the dataset's design has, and that are not there.
    unknown : dict of str to str
        Pictures of no use, and why.
    problems : list of str
        Everything else that was passed over.
    coded : int or None
        Photographs whose Action Units a coder gave; None where that is not told apart.
    """

    root: Path
    files: Files
    labels: pd.DataFrame
    tables: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    coded: int | None = None


class FolderPhotographs(FilePhotographs):
    """A dataset in the folder in which its owners ship it.

    Opening lists the folder and reads tables of labels; no photograph is decoded.

    Parameters
    ----------
    name : str
        The face set's name.
    source : str
        A key of `fergan.data.catalogue.CATALOGUE`.
    folder : Path
        Where the photographs lie.
    read : callable
        The dataset's loader: takes (folder, variant, csv), returns `Contents`.
    variant, csv : str
        See `fergan.data.open_photographs`.
    n_faces : int, optional
        Use this many photographs, drawn without replacement; without it, all.
    seed : int
        Seed of that draw.

    Attributes
    ----------
    name, labels, problems, fingerprint
        See `fergan.data.base.Photographs`; ``source`` is relative to `folder`.
    sizes : ndarray of int64
        Bytes of each photograph's file, row by row.
    missing, unknown : list of str
        See `Contents`.
    reasons : dict of str to str
        Why each of `unknown` is of no use.
    notes : list of str
        Those of `problems` that are about neither missing nor unknown files.
    coded : int or None
        See `Contents`.

    Raises
    ------
    FileNotFoundError
        A table is missing, or nothing in the folder is of this dataset.
    ValueError
        There is no such variant, or a table cannot be read.
    """

    def __init__(
        self, name: str, source: str, folder: Path, read: Callable[[Path, str, str], Contents], *,
        variant: str = "", csv: str = "labels.csv", n_faces: int | None = None, seed: int = 0,
    ):  # fmt: skip
        check_variant(source, variant)
        contents = read(folder, variant, csv)
        if contents.labels.empty:
            raise FileNotFoundError(_nothing_found(source, variant, folder, contents))
        self.name = name
        self.folder = contents.root
        self.missing, self.unknown = contents.missing, list(contents.unknown)
        self.reasons, self.coded = contents.unknown, contents.coded
        self.notes = [*(f"{contents.root / path}" for path in contents.files.refused), *contents.problems]
        self.problems = _describe(contents, self.notes)
        labels = _wide(contents.labels)
        rows = draw_rows(len(labels), n_faces, seed)
        if n_faces is not None and n_faces > len(labels):
            self.problems.append(f"{folder}: {n_faces} faces asked for, {len(labels)} there")
        self.labels = complete_labels(labels.iloc[rows], where=str(folder))
        sources = self.labels["source"].tolist()  # a column of strings is slow to walk through
        self.fingerprint = fingerprint_of((path, contents.files[path]) for path in [*sources, *contents.tables])
        self.sizes = np.array([contents.files[path].size for path in sources], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def read_reduced(self, rows: Sequence[int], least_side: int | None) -> list[ReducedPhotograph | UnreadablePhotograph]:
        """Return the photographs of these rows; one that is a single flat colour shows nothing and is unreadable."""
        sources = self.labels["source"].iloc[list(rows)]
        read = super().read_reduced(rows, least_side)
        return [_unless_flat(photograph, self.folder / path) for photograph, path in zip(read, sources, strict=True)]


def _unless_flat(read: ReducedPhotograph | UnreadablePhotograph, path: Path) -> ReducedPhotograph | UnreadablePhotograph:
    # KDEF is shipped with some black pictures; where a fixed camera gives every face a nominal box, they would be cropped.
    if isinstance(read, ReducedPhotograph) and np.ptp(read.image[::4, ::4]) < 8 and np.ptp(read.image) < 8:
        return UnreadablePhotograph(f"{path}: one flat colour, so there is nothing to see")
    return read


def _wide(labels: pd.DataFrame) -> pd.DataFrame:
    """Return labels with every Action Unit's column, made in one go: thousands of rows, dozens of columns."""
    absent = [unit for unit in ACTION_UNITS if unit not in labels]
    return labels.reindex(columns=[*labels.columns, *absent])


def _describe(contents: Contents, notes: list[str]) -> list[str]:
    """Return one sentence per problem; of many alike, the first ones and a count."""
    root = contents.root
    unknown = [f"{root / path}: {why}; left out" for path, why in contents.unknown.items()]
    missing = [f"{root / path}: missing" for path in contents.missing]
    problems = []
    kinds = ((notes, "problems"), (unknown, "pictures that are no part of this dataset"), (missing, "missing photographs"))
    for sentences, what in kinds:
        problems += sentences[:_LISTED]
        if len(sentences) > _LISTED:
            problems.append(f"{root}: {len(sentences) - _LISTED:,} more {what}")
    return problems


def _nothing_found(source: str, variant: str, folder: Path, contents: Contents) -> str:
    record = CATALOGUE[source]
    what = f"{record.title} (variant {variant!r})" if variant else record.title
    there = list(contents.files)
    seen = f"the first of {len(there):,} files there: {', '.join(there[:5])}" if there else "it holds no files"
    reason = next(iter(contents.unknown.items()), None)
    why = f" ({reason[0]}: {reason[1]})" if reason else ""
    why += f"; not looked into: {some_of(contents.files.refused)}" if contents.files.refused else ""
    return f"{folder} holds no photograph of {what}; {seen}{why}. Expected is\n{record.tree}"
