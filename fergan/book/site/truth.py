"""Whether what is about to be published is of this run: each executed page against what it was made from.

Every page carries, in its metadata, the hashes of its notebook, of each module that the notebook imports and of the
earlier stages' stamps, with its parameters (`fergan.book.notebooks.run_notebook`). Hashes, not time stamps: a copied or cloned
project has new times and the same content.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from fergan.book.notebooks import hashes_behind, notebook_parameters
from fergan.book.page import Page
from fergan.book.pages import pages_of
from fergan.book.profile_schema import Profile
from fergan.files import hash_file, read_json

__all__ = ["forget_stale_pages", "missing_keys", "stale_pages", "why_stale"]

# A role, {glue:text}`key` or {glue:text}`page.ipynb::key`, and a directive, whose page stands in an option below it.
_ROLE = re.compile(r"\{glue:[a-z]*\}`([^`]+)`")
_DIRECTIVE = re.compile(r"\{glue:[a-z]*\}[ ]+([^\s`]+)((?:\n:[^\n]*)*)")
_PAGE_OPTION = re.compile(r"^:doc:\s*(\S+)", re.MULTILINE)


def stale_pages(profile: Profile, root: Path) -> dict[str, str]:
    """Return the executed pages of a profile that no longer fit what they are made from: path -> reason.

    A page that is not there is not stale: the workflow makes it.
    """
    found, behind = {}, cache(hashes_behind)  # many pages come from one notebook
    for page in pages_of(profile):
        path = root / "artifacts" / profile.name / "pages" / page.path
        reason = why_stale(page, path, root, behind) if path.is_file() else ""
        if reason:
            found[page.path] = reason
    return found


def why_stale(page: Page, executed: Path, root: Path, behind: Callable[[Path], dict] = hashes_behind) -> str:
    """Return why an executed copy is not what running its page now would start from; empty where it is.

    Parameters
    ----------
    page : Page
    executed : Path
        Its executed copy.
    root : Path
        The project.
    behind : callable
        Notebook -> its hash and those of its modules.
    """
    record = read_json(executed)["metadata"].get("fergan", {})
    source = root / "notebooks" / f"{page.notebook}.ipynb"
    inputs = record.get("inputs", {})
    if "modules" not in inputs:
        return "it does not say which code made it"
    now = behind(source)
    if inputs["notebook"] != now["notebook"]:
        return f"{source.name} has changed since"
    different = _different(inputs["modules"], now["modules"])
    if different:
        return f"{different} has changed since"
    different = next((name for name, value in inputs["stages"].items() if _hash_of(root / name) != value), "")
    if different:
        return f"{different} has changed since"
    declared = notebook_parameters(nbformat.read(source, as_version=4), source.name)
    wanted = {key: parameter.default for key, parameter in declared.items()} | page.parameters
    different = _different(record["parameters"], wanted)
    if different:
        return f"its parameter {different} is {record['parameters'].get(different)!r}, and now {wanted.get(different)!r}"
    if record["heading"] != {"title": page.title, "notes": [list(note) for note in page.notes]}:
        return "its heading or its notices have changed since"
    return ""


def _different(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return the first key that is not the same in both; empty where there is none."""
    return next((key for key in sorted({*before, *now}) if before.get(key) != now.get(key)), "")


def _hash_of(path: Path) -> str:
    return hash_file(path) if path.is_file() else ""


def forget_stale_pages(profile: Profile, root: Path) -> list[str]:
    """Delete the stale pages, so that the workflow makes them again even where time stamps hide the change.

    Returns
    -------
    list of str
        One line for each.
    """
    lines = []
    for page, reason in stale_pages(profile, root).items():
        (root / "artifacts" / profile.name / "pages" / page).unlink()
        lines.append(f"{page} is made again: {reason}")
    return lines


def missing_keys(root: Path, toc_files: list[str]) -> Iterator[str]:
    """Yield, one sentence each, the numbers and figures that a text asks for and no page has left.

    Parameters
    ----------
    root : Path
        The project, with the executed pages in ``book/executed``.
    toc_files : list of str
        The book's pages and texts without suffix, relative to `root`.
    """
    for name in toc_files:
        notebook, text = root / f"{name}.ipynb", root / f"{name}.md"
        path = notebook if notebook.is_file() else text
        if not path.is_file():
            continue
        source = _text_of(notebook) if path == notebook else path.read_text(encoding="utf-8")
        for other, key in _asked_for(source):
            if key not in _pasted(path.parent / other if other else path):
                target = f"{other}::{key}" if other else key
                yield f"{path.relative_to(root)} shows {target!r}, which no cell has pasted"


def _asked_for(source: str) -> Iterator[tuple[str, str]]:
    """Yield the page, empty for the same one, and the key of everything pasted that a text asks for."""
    for target in _ROLE.findall(source):
        other, _, rest = target.rpartition("::")
        yield other, rest.partition(":")[0]
    for key, options in _DIRECTIVE.findall(source):
        page = _PAGE_OPTION.search(options)
        yield page.group(1) if page else "", key


def _cells(path: Path) -> list[dict[str, Any]]:
    return read_json(path)["cells"] if path.suffix == ".ipynb" and path.is_file() else []


def _text_of(path: Path) -> str:
    return "\n".join("".join(cell["source"]) for cell in _cells(path) if cell["cell_type"] == "markdown")


def _pasted(path: Path) -> set[str]:
    outputs = [output for cell in _cells(path) for output in cell.get("outputs", ())]
    return {output.get("metadata", {}).get("scrapbook", {}).get("name", "") for output in outputs}
