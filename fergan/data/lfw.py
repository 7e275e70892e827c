"""LFW, Labeled Faces in the Wild: a folder for each person, as its archives and scikit-learn's fetcher leave it."""

from pathlib import Path

import pandas as pd

from fergan.data.folders import Contents, NameRule, list_files, read_named, within

__all__ = ["read_lfw"]

#: Person and number of the photograph: http://vis-www.cs.umass.edu/lfw/README.txt
RULE = NameRule(r"(?P<subject>.+)_(?P<number>\d{4})\.jpg")

#: The funneled photographs are the originals, turned and shifted until they agree with each other.
_FOLDERS = ("lfw_home/lfw_funneled", "lfw_funneled", "lfw-funneled", "lfw_home/lfw", "lfw")


def read_lfw(folder: Path, variant: str, csv: str) -> Contents:
    """Read the names of folders and files."""
    root = within(folder, *_FOLDERS)
    files = list_files(root, depth=1)
    table, unknown = read_named(files, RULE)
    parents = pd.Series([path.rpartition("/")[0] for path in table["source"]], dtype=object)
    own = parents == table["subject"]
    unknown |= dict.fromkeys(table["source"][~own], "not in the folder of its person")
    labels = table[own].drop(columns="number").assign(view="wild")
    return Contents(root, files, labels, unknown=unknown)
