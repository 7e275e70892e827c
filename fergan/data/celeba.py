"""CelebA, CelebFaces Attributes: photographs of celebrities with attributes, identities and an official split."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.folders import Contents, FileState, is_picture, list_files, read_lines

__all__ = ["read_celeba"]

FOLDERS = {"": "img_align_celeba", "aligned": "img_align_celeba", "in-the-wild": "img_celeba"}

ATTRIBUTES, IDENTITIES, PARTITIONS = "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"

#: The numbers of list_eval_partition.txt, as its readme explains them.
SPLITS = {0: "train", 1: "val", 2: "test"}


def read_celeba(folder: Path, variant: str, csv: str) -> Contents:
    """Read the tables and look which photographs there are, in whatever folders the archives were unpacked.

    ``Smiling`` becomes AU12, which is what a smile is; the other attributes are kept as columns in lower case (1, 0 or
    missing). A missing table costs its labels only: the photographs can be trained on without.
    """
    files = list_files(folder)
    places = _places(files)
    pictures = _pictures(files, FOLDERS[variant])
    problems, tables, missing = [], [], set()
    labels = pd.DataFrame({"source": pd.Series(pictures, dtype=object)})
    for name, read in ((PARTITIONS, _read_split), (IDENTITIES, _read_identity), (ATTRIBUTES, _read_attributes)):
        if name not in places:
            problems.append(f"{folder}: {name} is missing, so what it says is not known")
            continue
        table = read(folder / places[name])
        tables.append(places[name])
        missing |= set(table.index).difference(pictures)
        labels = labels.join(table)
    labels["view"] = "wild"
    unknown = {}
    if tables:
        named = labels.drop(columns=["source", "view"]).notna().any(axis=1)
        unknown = dict.fromkeys(labels["source"][~named], "in none of the tables")
        labels = labels[named]
    return Contents(folder, files, labels, tables, sorted(missing), unknown, problems)


def _places(files: dict[str, FileState]) -> dict[str, str]:
    """Return the path of each table by its name."""
    tables = (ATTRIBUTES, IDENTITIES, PARTITIONS)
    return {path.rpartition("/")[2]: path for path in files if path.endswith(tables)}


def _pictures(files: dict[str, FileState], folder: str) -> dict[str, str]:
    """Return the path of each photograph by its name; `folder` may lie anywhere and be nested in one of its name."""
    parts = (path.rpartition("/") for path in files)
    return {
        name: f"{parent}/{name}"
        for parent, _, name in parts
        if parent.endswith(folder) and parent.rpartition("/")[2] == folder and is_picture(name)
    }


def _read(path: Path, columns: list[str], skip: int = 0) -> pd.DataFrame:
    """Read a table of a name and whole numbers, separated by spaces; the index holds the names."""
    what = f"a name and {len(columns)} whole numbers a line" if len(columns) > 3 else f"a name and its {columns[0]}"
    lines = read_lines(path, what)
    for number, line in enumerate(lines[skip:], start=skip + 1):
        if line.strip() and (n := len(line.split())) != len(columns) + 1:
            raise ValueError(f"{path}, line {number} is not readable ({n} values); expected {what}")
    text = io.StringIO("\n".join(lines[skip:]))
    table = pd.read_csv(text, sep=r"\s+", header=None, names=["name", *columns], index_col="name", dtype={"name": str})
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0]
        number = _last_line(lines, twice)
        raise ValueError(f"{path}, line {number} is not readable ({twice} is listed twice); expected {what}")
    odd = table.apply(lambda column: pd.to_numeric(column, errors="coerce")).isna().any(axis=1)
    odd |= table.select_dtypes("float").apply(lambda column: column % 1 != 0).any(axis=1)
    if odd.any():
        number = _last_line(lines, odd.index[odd][0])
        raise ValueError(f"{path}, line {number} is not readable ({lines[number - 1][:40].strip()}); expected {what}")
    return table.astype(int)


def _last_line(lines: list[str], name: str) -> int:
    """Return the number of the last line that begins with this name."""
    return max(number for number, line in enumerate(lines, start=1) if line.split()[:1] == [name])


def _read_split(path: Path) -> pd.DataFrame:
    split = _read(path, ["split"])["split"]
    if not split.isin(SPLITS).all():
        raise ValueError(f"{path}: {split[~split.isin(SPLITS)].index[0]} is in none of the parts 0, 1, 2")
    return split.map(SPLITS).astype("string").to_frame()


def _read_identity(path: Path) -> pd.DataFrame:
    return _read(path, ["subject"]).astype("string")


def _read_attributes(path: Path) -> pd.DataFrame:
    head = read_lines(path, "the attributes of CelebA")[:2]  # how many photographs there are, and the attributes
    names = head[1].split() if len(head) > 1 else []
    if "Smiling" not in names:
        raise ValueError(f"{path}: no attribute Smiling in line 2; expected the attributes' names there")
    table = _read(path, names, skip=2)
    if not (np.abs(table.to_numpy()) == 1).all():
        raise ValueError(f"{path} holds something other than 1 and -1; take the file as its owners ship it")
    table = (table > 0).astype("Int8").rename(columns=str.lower)
    return table.drop(columns="smiling").assign(AU12=table["smiling"].astype(float))
