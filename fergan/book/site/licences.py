"""The licences of everything that the book uses: packages, the scripts that its pages load, and collections of faces."""

import re
from importlib import metadata
from pathlib import Path

import pandas as pd

from fergan.book.report import numbered_table
from fergan.book.site.vendor import PAGE_SCRIPTS
from fergan.data.catalogue import CATALOGUE

__all__ = ["data_licences", "package_licences", "script_licences", "write_licences"]

#: What npm says of the scripts' licences; their texts are unpacked beside them.
_SCRIPT_LICENCES = {"mathjax": "Apache-2.0", "requirejs": "MIT", "@jupyter-widgets/html-manager": "BSD-3-Clause"}


def package_licences(requirements: Path) -> pd.DataFrame:
    """Return one row per pinned package: version, licence as the installed package states it, and what it is for.

    Parameters
    ----------
    requirements : Path
        ``requirements.txt``, one ``name==version  # reason`` a line.
    """
    rows = []
    lines = re.findall(r"^([\w.-]+)==(\S+)\s+# (.*)$", requirements.read_text(encoding="utf-8"), re.M)
    for name, version, reason in lines:
        rows.append({"package": name, "version": version, "licence": _licence_of(name), "for": reason})
    return pd.DataFrame(rows)


def _licence_of(name: str) -> str:
    """Return a package's licence in a few words; its metadata may hold an expression, a text or a classifier."""
    try:
        content = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed"
    expression = content.get("License-Expression")
    classifiers = [line for line in content.get_all("Classifier", []) if line.startswith("License ::")]
    named = [line.rsplit("::", 1)[-1].strip() for line in classifiers]
    named = [licence for licence in named if licence != "OSI Approved"]
    text = (content.get("License") or "").strip()
    return expression or ", ".join(named) or (text if 0 < len(text) < 60 else "see the package")


def script_licences() -> pd.DataFrame:
    """Return one row per package of npm whose scripts the pages load."""
    rows = [(script.name, script.version, _SCRIPT_LICENCES[script.name]) for script in PAGE_SCRIPTS]
    return pd.DataFrame(rows, columns=["package", "version", "licence"])


def data_licences() -> pd.DataFrame:
    """Return one row per collection of faces that the project can read: its terms in a few words."""
    return pd.DataFrame([{"collection": record.title, "terms": record.licence} for record in CATALOGUE.values()])


def write_licences(path: Path, root: Path) -> None:
    """Write the three tables for the book's page on licences; an equal file keeps its time stamp."""
    tables = (
        numbered_table(package_licences(root / "requirements.txt"), "tab-licences-packages",
                       "Python packages that the project pins, with the licence that each states.", sentences=True),
        numbered_table(script_licences(), "tab-licences-scripts", "Scripts that the pages load, from npm."),
        numbered_table(data_licences(), "tab-licences-data",
                       "Collections of faces that can be read; none of them is part of the project.", sentences=True),
    )
    text = "\n\n".join(table.data for table in tables) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
