"""Photographs in any folder, described by a CSV file: the way to bring one's own data."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.decoding import FilePhotographs
from fergan.data.faces import complete_labels
from fergan.data.folders import FileState, draw_rows, fingerprint_of
from fergan.data.tables import read_csv_table
from fergan.facs import ACTION_UNITS, canonical_emotion

__all__ = ["ManifestPhotographs", "has_manifest"]

_KNOWN = ("path", "subject", "emotion", "smile", "view", "pose", "split", "yaw", "pitch", "roll")
_ACTION_UNIT = re.compile(r"AU0*(\d+)", re.IGNORECASE)


def has_manifest(csv_path: Path) -> bool:
    """Say whether a file is there whose header line has a column ``path``."""
    if not csv_path.is_file():
        return False
    with open(csv_path, encoding="utf-8-sig", errors="replace") as file:
        return "path" in (column.strip(' "').lower() for column in file.readline().rstrip("\r\n").split(","))


class ManifestPhotographs(FilePhotographs):
    """A folder of photographs with a CSV file that names and labels them.

    Opening reads the CSV and looks whether each file exists; no photograph is decoded.

    Parameters
    ----------
    csv_path : str or Path
        The CSV file (UTF-8, commas, one header line). Column ``path`` is relative to the file's folder.
        Optional: ``subject``, ``emotion`` (synonyms are understood), ``AU01`` .. ``AU27`` (0, 1 or blank),
        ``smile`` (0, 1 or blank; becomes AU12), ``view`` or ``pose``, ``split``, and ``yaw``, ``pitch``,
        ``roll`` (numbers, in the owner's unit). Other columns are kept, as numbers where all values are.
    name : str, optional
        The dataset's name; without it, that of the folder.
    n_faces : int, optional
        Use this many photographs, drawn without replacement; without it, all.
    seed : int
        Seed of that draw.

    Attributes
    ----------
    name, labels, problems
        See `fergan.data.base.Photographs`; ``source`` is the path in the CSV.
    fingerprint : str
        Changes when a file is exchanged for another (name, size or time of change).
    sizes : ndarray of int64
        Bytes of each photograph's file, row by row.
    missing : list of str
        Listed, but not there.
    notes : list of str
        Those of `problems` that are about the table.

    Raises
    ------
    FileNotFoundError
        The CSV, or every photograph that it lists, is missing.
    ValueError
        The CSV is unreadable or empty, has no ``path``, lists a path twice or outside the folder, or holds an
        unknown emotion or an Action Unit that is neither 0, 1 nor blank; the message names the file and line.
    """

    def __init__(self, csv_path: str | Path, *, name: str | None = None, n_faces: int | None = None, seed: int = 0):
        self.csv_path = Path(csv_path)
        self.folder = self.csv_path.parent
        self.name = name or self.folder.resolve().name
        self.problems: list[str] = []
        table = read_csv_table(self.csv_path, "a column 'path' beside the photographs")
        table = self._check_paths(self._name_columns(table))
        labels = complete_labels(self._labels(table), where=str(self.csv_path))
        self.notes = list(self.problems)  # before missing files are listed, which are counted by themselves
        labels, states = self._drop_missing(labels)
        self.fingerprint = fingerprint_of(zip(labels["source"], states, strict=True))
        rows = draw_rows(len(labels), n_faces, seed)
        if n_faces is not None and n_faces > len(labels):
            self.problems.append(f"{self.csv_path}: {n_faces} faces asked for, {len(labels)} there")
        self.labels = labels.iloc[rows].reset_index(drop=True)
        self.sizes = np.array([states[row].size for row in rows], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def _name_columns(self, table: pd.DataFrame) -> pd.DataFrame:
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
        if ignored:
            studied = ", ".join(ACTION_UNITS)
            self.problems.append(f"{self.csv_path}: {', '.join(ignored)} ignored; studied are {studied}")
        table = table.drop(columns=ignored).rename(columns=names)
        twice = table.columns[table.columns.duplicated()]
        if len(twice):
            raise ValueError(f"{self.csv_path}: column {twice[0]!r} occurs twice; keep one of the two")
        if "path" not in table:
            raise ValueError(
                f"{self.csv_path} has no column 'path', only {', '.join(map(repr, table))}; add one with "
                f"each photograph's path relative to {self.folder}, and separate columns by commas"
            )
        if "pose" in table and "view" not in table:
            table = table.rename(columns={"pose": "view"})
        return table

    def _check_paths(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that name a path inside the folder, each once."""
        blank = table["path"] == ""
        self.problems += [f"{self.csv_path}, line {line}: no path, left out" for line in table.index[blank]]
        table = table[~blank].copy()
        if table.empty:
            raise ValueError(f"{self.csv_path} lists no photographs; give one line to each, with its path")
        # Files written on Windows have backslashes. Links inside the folder are the owner's choice: followed.
        table["path"] = [os.path.normpath(path.replace("\\", "/")) for path in table["path"]]
        for line, path in table["path"].items():
            if os.path.isabs(path) or path.split("/")[0] == ".." or path[1:2] == ":":
                raise ValueError(
                    f"{self.csv_path}, line {line}: path {path!r} leads outside {self.folder}; "
                    "move the photograph into the folder and write its path relative to it"
                )
        twice = table["path"].duplicated()
        if twice.any():
            path = table.loc[twice, "path"].iloc[0]
            lines = table.index[table["path"] == path]
            raise ValueError(f"{self.csv_path}: {path!r} is listed on lines {', '.join(map(str, lines))}; keep one")
        return table

    def _labels(self, table: pd.DataFrame) -> pd.DataFrame:
        """Turn the text of each column into labels; the table's index holds line numbers."""
        labels = pd.DataFrame({"source": table["path"]}, index=table.index)
        for column in table.columns.drop("path"):
            if column in ACTION_UNITS or column == "smile":
                labels[column] = self._binary(table[column])
            elif column == "emotion":
                labels[column] = self._emotions(table[column])
            elif column in ("subject", "view", "split"):
                labels[column] = table[column].astype("string").replace("", pd.NA)
            else:
                labels[column] = self._plain(table[column])
        return self._smile_as_lip_corner_puller(labels)

    def _binary(self, text: pd.Series) -> pd.Series:
        values = pd.to_numeric(text.replace("", "nan"), errors="coerce")
        wrong = (values.isna() & ~text.str.lower().isin(["", "nan"])) | (values.notna() & ~values.isin([0, 1]))
        if wrong.any():
            line = text.index[wrong][0]
            raise ValueError(
                f"{self.csv_path}, line {line}: {text.name} is {text[line]!r}; expected 0, 1 or blank "
                "(turn intensities into occurrences first)"
            )
        return values.astype(float)

    def _emotions(self, text: pd.Series) -> pd.Series:
        words = {}
        for word in text.unique():
            try:
                words[word] = canonical_emotion(word) if word else pd.NA
            except ValueError as error:
                line = text.index[text == word][0]
                raise ValueError(f"{self.csv_path}, line {line}: {error}; rename it, or leave it blank") from None
        return text.map(words).astype("string")

    def _plain(self, text: pd.Series) -> pd.Series:
        numbers = pd.to_numeric(text.replace("", "nan"), errors="coerce")
        failed = numbers.isna() & ~text.str.lower().isin(["", "nan"])
        if text.name in ("yaw", "pitch", "roll") and failed.any():
            line = text.index[failed][0]
            raise ValueError(f"{self.csv_path}, line {line}: {text.name} is {text[line]!r}; expected a number or blank")
        # "007" is a name, not the number seven.
        if failed.any() or numbers.isna().all() or text.str.match(r"0\d").any():
            return text.astype("string").replace("", pd.NA)
        return numbers

    def _smile_as_lip_corner_puller(self, labels: pd.DataFrame) -> pd.DataFrame:
        if "smile" not in labels:
            return labels
        if "AU12" in labels:
            contradicts = labels["AU12"].notna() & labels["smile"].notna() & (labels["AU12"] != labels["smile"])
            if contradicts.any():
                line = labels.index[contradicts][0]
                raise ValueError(
                    f"{self.csv_path}, line {line}: AU12 is {labels['AU12'][line]:g} but smile is "
                    f"{labels['smile'][line]:g}; a smile is AU12, so correct one or drop column 'smile'"
                )
            labels["AU12"] = labels["AU12"].fillna(labels["smile"])
        else:
            labels["AU12"] = labels["smile"]
        return labels.drop(columns="smile")

    def _drop_missing(self, labels: pd.DataFrame) -> tuple[pd.DataFrame, list[FileState]]:
        """Return the rows whose file exists, and what each file is."""
        states = [self._state(source) for source in labels["source"]]
        there = np.array([state is not None for state in states])
        if not there.any():
            example = self.folder / labels["source"].iloc[0]
            raise FileNotFoundError(
                f"none of the {len(labels)} photographs that {self.csv_path} lists exists, "
                f"for example {example}; paths are relative to the CSV"
            )
        self.missing = labels["source"][~there].tolist()
        self.problems += [
            f"{self.folder / source}: listed in {self.csv_path.name} but missing, left out" for source in self.missing
        ]
        return labels[there].reset_index(drop=True), [state for state in states if state]

    def _state(self, source: str) -> FileState | None:
        path = self.folder / source
        try:
            if not path.is_file():
                return None
            state = path.stat()
        except OSError:  # for example a name longer than the file system allows
            return None
        return FileState(state.st_size, state.st_mtime_ns)
