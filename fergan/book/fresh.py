"""Which pages are not of the present state, and making them: content decides, never time stamps.

An executed page carries what it was made of: its notebook, parameters and heading, the code, templates and tables that its
cells use, the code of its stages, and the results that it has read. The Snakefile only orders pages.
"""

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat

from fergan.book.pages import Page, pages_of
from fergan.book.profile import Profile
from fergan.book.run import NotebookError, check_parameters, code_of, execute, notebook_parameters, publish, read_notebook
from fergan.book.show import TEMPLATES, say
from fergan.cache import code_hash_of, digest, hash_of_source, is_whole
from fergan.files import ROOT, hash_parameters, read_json


def record_of(path: Path) -> dict[str, Any]:
    """Return what an executed page says of how it was made; empty where there is none."""
    try:
        return read_json(path)["metadata"].get("fergan", {})
    except (OSError, ValueError, KeyError):
        return {}


class Book:
    """The executed pages of one profile."""

    def __init__(self, profile: Profile):
        self.profile = profile
        self.home = ROOT / "artifacts" / profile.name
        self.pages = {page.id: page for page in pages_of(profile)}  # in reading order
        self._notebooks: dict[str, dict[str, Any]] = {}

    def executed(self, page: Page) -> Path:
        """Return the executed copy of a page."""
        return self.home / "pages" / f"{page.id}.ipynb"

    def done(self, page: Page) -> Path:
        """Return the file that tells the workflow that a page is of the present state."""
        return self.home / "pages" / f"{page.id}.done"

    def behind(self, page: Page) -> set[str]:
        """Return the page's id and those of all that it depends on."""
        return {page.id}.union(*(self.behind(self.pages[other]) for other in page.after))

    def heading(self, page: Page) -> str:
        """Return a page's title and notices as Markdown."""
        absences = self.profile.absences
        behind = self.behind(page) if absences.replaced else set()
        replaced = {name: by for name, by in absences.replaced.items() if f"01_data/{name}" in behind}
        across = page.name == "summary" or page.chapter in ("07_results", "07b_claims")
        left_out = {name: absences.experiments_without(name) for name in absences.left_out} if across else {}
        return say("pages", "heading", page=page, rendered=self.profile.rendered, replaced=replaced, left_out=left_out)

    def _notebook(self, name: str) -> dict[str, Any]:
        """Return the hashes of a notebook and of the code that its cells use, and its parameters; many pages share one."""
        if name not in self._notebooks:
            notebook = read_notebook(name)
            cells = [[cell.cell_type, cell.source, cell.metadata] for cell in notebook.cells]
            self._notebooks[name] = {"notebook": hash_parameters({"cells": cells}, 16),
                                     "code": hash_of_source(code_of(notebook), TEMPLATES),
                                     "declared": notebook_parameters(notebook, f"{name}.ipynb")}
        return self._notebooks[name]

    def state(self, page: Page) -> dict[str, Any]:
        """Return all that a page is made from but results, as its metadata will hold it; parameters are whole."""
        of = self._notebook(page.notebook)
        values = of["declared"] | check_parameters(of["declared"], page.parameters, f"{page.notebook}.ipynb")
        return {"notebook": of["notebook"], "code": of["code"], "heading": self.heading(page),
                "parameters": values, "outside": outside(self.profile, page)}

    def why_stale(self, page: Page) -> tuple[str, bool]:
        """Return why a page must be made again, empty where it is of this state; and whether its results may change."""
        record = record_of(self.executed(page))
        if "state" not in record:
            return "it has not been made yet", True
        before, now = record["state"], self.state(page)
        for key in ("parameters", "outside"):
            if before[key] != now[key]:
                what = _what_differs(before[key], now[key]) if key == "parameters" else "photographs or answers"
                return f"its {what} changed", True
        for folder, result in record["results"].items():
            if not is_whole(Path(folder)):
                return f"its result {Path(folder).name} is missing or not whole", True
            keep = result["kept"] and os.environ.get("KEEP_RUNS") == "1"
            if result["code"] != code_hash_of(result["code_of"]) and not keep:
                return f"the code of {result['stage'].rpartition(':')[2]} changed", True
        for home, value in record["reads"].items():
            if _current_digest(Path(home)) != value:
                return f"{'/'.join(Path(home).parts[-2:])} changed", True
        changed = {"notebook": "its notebook", "code": "what its cells draw or say with", "heading": "its title or notices"}
        return next((f"{words} changed" for key, words in changed.items() if before[key] != now[key]), ""), False

    def plan(self) -> dict[str, str]:
        """Return the pages to make, in reading order -> why: stale ones, and those after one whose results may change."""
        reasons: dict[str, str] = {}
        moving: set[str] = set()
        for page in self._ordered():
            why, results = self.why_stale(page)
            before = next((other for other in page.after if other in moving), "")
            if (why and results) or before:
                moving.add(page.id)
            if why or before:
                reasons[page.id] = why or f"after {before}"
        return {name: reasons[name] for name in self.pages if name in reasons}

    def _ordered(self) -> Iterable[Page]:
        """Return the pages, each after those it depends on."""
        done: dict[str, Page] = {}

        def visit(page: Page) -> None:
            if page.id not in done:
                for other in page.after:
                    visit(self.pages[other])
                done[page.id] = page

        for page in self.pages.values():
            visit(page)
        return done.values()

    def announce(self, plan: Mapping[str, str]) -> list[str]:
        """Mark the pages of a plan as not done and all others as done; return what a reader may want to know of it."""
        for page in self.pages.values():
            self.done(page).parent.mkdir(parents=True, exist_ok=True)
            if page.id in plan:
                self.done(page).unlink(missing_ok=True)
            elif not self.done(page).is_file():
                self.done(page).touch()
        lines = [f"  {name}: {why}" for name, why in plan.items()]
        if len(lines) > 12:
            lines = [*lines[:10], f"  and {len(lines) - 10} more"]
        if not plan:
            return ["every page is of the present state"]
        seconds = sum(record_of(self.executed(self.pages[name])).get("seconds", 0) for name in plan)
        before = f" (they took {seconds / 60:.0f} minutes of one core last time)" if seconds > 60 else ""
        return [f"{len(plan)} of {len(self.pages)} pages to make or check{before}:", *lines]

    def prune(self) -> list[str]:
        """Delete results that are no page's current one; return one line for each folder."""
        lines = []
        for pointer in self.home.glob("*/*/current.json"):
            kept = read_json(pointer)["key"]
            for folder in (stamp.parent for stamp in pointer.parent.glob("*/stamp.json")):
                if folder.name != kept:
                    shutil.rmtree(folder)
                    lines.append(f"deleted {folder.relative_to(self.home)}")
        return lines or ["there is nothing that the book does not use"]

    def make(self, page: Page) -> bool:
        """Make one page where it is not of the present state; say whether it was executed.

        Raises:
            NotebookError: A parameter does not fit (nothing has run then), or a cell failed: the half-executed copy is kept
                and named.
        """
        stale, _ = self.why_stale(page)
        path = self.executed(page)
        if stale:
            state, start = self.state(page), time.monotonic()  # before it runs: an edit meanwhile must not pass unnoticed
            partial = path.with_name(f"{page.name}.failed.ipynb")
            notebook, name = read_notebook(page.notebook), f"{page.notebook}.ipynb"
            executed = execute(notebook, partial, state["parameters"], name, book=True)
            seconds = time.monotonic() - start
            publish(executed, page, state["heading"], state["parameters"], seconds)
            executed.metadata["fergan"] |= {"state": state, "seconds": round(seconds, 1)}
            nbformat.write(executed, partial)
            os.replace(partial, path)
        self.done(page).touch()
        return bool(stale)


def _what_differs(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    name = next(key for key in (*now, *before) if before.get(key) != now.get(key))
    old, new = before.get(name), now.get(name)
    if isinstance(old, dict) and isinstance(new, dict):
        return f"{name}.{_what_differs(old, new)}"
    return f"parameter {name} ({old!r}, now {new!r})"


def _current_digest(home: Path) -> str:
    try:
        return read_json(home / "current.json")["digest"]
    except (OSError, ValueError, KeyError):
        return ""


def outside(profile: Profile, page: Page) -> str:
    """Return the state of what a page reads that no page has made: photographs, and raters' answers."""
    if page.chapter == "06c_human_study":
        files = sorted((ROOT / "artifacts" / profile.name / page.home / "answers").glob("*"))
        return digest({file.name: file for file in files if file.is_file()}) if files else ""
    if page.chapter != "01_data" or page.name == "summary" or profile.datasets[page.name].source == "rendered":
        return ""
    from fergan.data.collections import open_photographs

    dataset = profile.datasets[page.name]
    try:
        return open_photographs(page.name, dataset.source, folder=profile.dataset_folder(page.name), csv=dataset.csv,
                                variant=dataset.variant).digest
    except (OSError, ValueError) as error:
        raise NotebookError(f"datasets.{page.name}: {error}") from error
