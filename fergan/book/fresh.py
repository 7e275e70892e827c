"""Which pages are not of the present state, and making them: content decides, never time stamps.

An executed page carries what it was made of: its notebook, parameters and heading, the code, templates and tables that its
cells use, the code of its stages, and the results that it has read. The book is made in passes: each makes the pages that
are stale by what they carry, in the Snakefile's order, and the next finds those whose sources came out otherwise.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import yaml

from fergan.book.kernels import COMMON_LIBRARIES, LIBRARIES, serving
from fergan.book.pages import FEATURES_PAGE, RECORDS, Page, longest_training, pages_of
from fergan.book.profile import Profile
from fergan.book.run import NotebookError, check_parameters, code_of, execute, notebook_parameters, publish, read_notebook
from fergan.book.show import TEMPLATES, say
from fergan.cache import code_hash, digest, forget_code, hash_of_source, is_whole
from fergan.files import ROOT, hash_parameters, locked, read_json

#: How a line of a page begins that the reader of a workflow is to see; all else goes into its log.
SIGN = "fergan: "

#: Names a folder with a profile of Snakemake, for example for a cluster; relative to the project, as ``profiles/slurm``.
WORKFLOW = "FERGAN_WORKFLOW"

_CHANGED = {"outside": "its photographs or answers", "notebook": "its notebook",
            "code": "what its cells draw or say with", "heading": "its title or notices"}


def record_of(path: Path) -> dict[str, Any]:
    """Return what an executed page says of how it was made; empty where there is none."""
    try:
        return read_json(path)["metadata"].get("fergan", {})
    except (OSError, ValueError, KeyError):
        return {}


_settings = cache(yaml.safe_load)  # of the book, which each page asks for


def repository() -> dict[str, str]:
    """Return the book's ``github`` (owner/name) and ``branch`` by ``_config.yml``, where pages offer their notebooks.

    Nothing where it gives no address, NotebookError where that is of another form.
    """
    of = _settings((ROOT / "_config.yml").read_text(encoding="utf-8")).get("repository")
    if not of:
        return {}
    if not (found := re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", of.get("url", ""))):
        raise NotebookError(f"_config.yml: repository.url is {of.get('url')!r}; expected https://github.com/owner/name")
    return {"github": found[1], "branch": of.get("branch", "main")}


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
        """Return the file that tells the Snakefile that a page need not be made."""
        return self.home / "pages" / f"{page.id}.done"

    def behind(self, page: Page) -> set[str]:
        """Return the page's id and those that it depends on; whoever reads features comes after their sources too."""
        return {page.id}.union(*(self.behind(self.pages[other]) for other in page.after if other != FEATURES_PAGE))

    def heading(self, page: Page) -> str:
        """Return a page's title and notices as Markdown."""
        absences = self.profile.absences
        behind = self.behind(page) if absences.replaced else set()
        replaced = {name: by for name, by in absences.replaced.items() if f"01_data/{name}" in behind}
        across = page.name == "summary" or page.chapter in ("03_features", "07_results")
        left_out = {name: absences.experiments_without(name) for name in absences.left_out} if across else {}
        return say("pages", "heading", page=page, rendered=self.profile.rendered, replaced=replaced, left_out=left_out,
                   repository=repository())

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
                "parameters": values, "outside": self._outside(page)}

    def _outside(self, page: Page) -> str:
        """Return the state of what a page reads that no page has made: photographs, and raters' answers."""
        if page.chapter == "06c_human_study":
            files = sorted((self.home / page.home / "answers").glob("*"))
            return digest({file.name: file for file in files if file.is_file()}) if files else ""
        if page.chapter == "08_scaling":
            read = [ROOT / "profiles" / "paper.yaml", *(path for folder in RECORDS for path in folder.glob("*.json"))]
            return digest({path.name: path for path in read})
        dataset = self.profile.datasets.get(page.name) if page.chapter == "01_data" else None
        if dataset is None or dataset.source == "rendered":
            return ""
        from fergan.data.collections import open_photographs

        try:
            return open_photographs(page.name, dataset.source, folder=self.profile.dataset_folder(page.name),
                                    csv=dataset.csv, variant=dataset.variant).digest
        except (OSError, ValueError) as error:
            raise NotebookError(f"datasets.{page.name}: {error}") from error

    def why_stale(self, page: Page) -> str:
        """Return why a page must be made again; empty where it is of the present state."""
        record = record_of(self.executed(page))
        if "state" not in record:
            return "it has not been made yet"
        before, now = record["state"], self.state(page)
        if before["parameters"] != now["parameters"]:
            return "its parameters changed"
        for folder, result in record["results"].items():
            if not is_whole(self.home.joinpath(*Path(folder).parts[-3:])):  # the project may have been copied
                return f"its result {Path(folder).name} is missing or not whole"
            keep = result["kept"] and os.environ.get("KEEP_RUNS") == "1"
            if result["code"] != code_hash(*result["code_of"]) and not keep:
                return f"the code of {result['stage'].rpartition(':')[2]} changed"
        for home, value in record["reads"].items():
            pointer = self.home.joinpath(*Path(home).parts[-2:], "current.json")
            if not pointer.is_file() or read_json(pointer)["digest"] != value:
                return f"{'/'.join(Path(home).parts[-2:])} changed"
        return next((f"{words} changed" for key, words in _CHANGED.items() if before[key] != now[key]), "")

    def plan(self) -> dict[str, str]:
        """Return the pages that are not of the present state of files and results -> why; in reading order."""
        forget_code()
        self._notebooks.clear()
        return {name: why for name, page in self.pages.items() if (why := self.why_stale(page))}

    def make(self, page: Page, tell: Callable[[str], None]) -> float:
        """Make one page, and return the seconds that this took; `tell` is called with how far it is.

        NotebookError where a parameter does not fit (nothing has run then), or a cell failed: the copy so far is named.
        """
        path = self.executed(page)
        partial = path.with_name(f"{page.name}.failed.ipynb")
        with locked(path.with_name(f".{page.name}.lock")):  # a killed workflow can leave a page running that still writes
            state, start = self.state(page), time.monotonic()  # before it runs: an edit meanwhile must not pass unnoticed
            notebook, name = read_notebook(page.notebook), f"{page.notebook}.ipynb"
            executed = execute(notebook, partial, state["parameters"], name, book=True, tell=tell)
            seconds = round(time.monotonic() - start, 1)
            publish(executed, page, state["heading"], state["parameters"], seconds)
            executed.metadata["fergan"] |= {"state": state, "seconds": seconds}
            nbformat.write(executed, partial)
            os.replace(partial, path)
            self.done(page).touch()
        return seconds

    def bring_up_to_date(self, cores: str, tell: Callable[[str], None], begun: Callable[[], object] = lambda: None) -> None:
        """Make all pages that are not of the present state, pass by pass, on so many cores or ``all``.

        `tell` takes lines for the reader; `begun` is called before the first page is made. NotebookError where a page
        failed, or is stale for the same reason as before.
        """
        server: Mapping[str, str] | None = None
        with ExitStack() as until_all_are_made:
            for took in self._passes(tell):
                if server is None:
                    begun()
                    libraries = LIBRARIES if len(took) > 3 else COMMON_LIBRARIES  # who makes one page waits for the imports
                    here = nullcontext({}) if os.environ.get(WORKFLOW) else serving(libraries)  # not on a cluster
                    server = until_all_are_made.enter_context(here)
                self._run_workflow(cores, took, tell, server)

    def _passes(self, tell: Callable[[str], None]) -> Iterator[dict[str, float]]:
        """Yield the pages that are to be made -> seconds that each took before, again and again until there are none."""
        made: dict[str, str] = {}
        while plan := self.plan():
            if again := [f"  {name}: {why}" for name, why in plan.items() if made.get(name) == why]:
                raise NotebookError("\n".join(["these pages were made and yet are stale again; if you changed a file "
                                               "meanwhile, run the same command once more", *again]))
            took = dict.fromkeys(plan, 0.0) | reference_seconds(self.profile.name)
            took = {name: record_of(self.executed(self.pages[name])).get("seconds", took[name]) for name in plan}
            minutes = sum(took.values()) / 60
            before = f" (they took {minutes:.0f} minutes of one core before)" if minutes > 1 else ""
            tell(f"{len(plan)} of {len(self.pages)} pages to make{before}:")
            lines = [f"  {name}: {why}" for name, why in plan.items()]
            for line in lines if len(lines) <= 12 else [*lines[:10], f"  and {len(lines) - 10} more"]:
                tell(line)
            for name, page in self.pages.items():
                self.done(page).parent.mkdir(parents=True, exist_ok=True)
                self.done(page).unlink(missing_ok=True) if name in plan else self.done(page).touch()
            yield took
            made = plan

    def _run_workflow(self, cores: str, took: dict[str, float], tell: Callable[[str], None],
                      server: Mapping[str, str]) -> None:
        """Run Snakemake, by the profile in `WORKFLOW` or none, on the pages not done; faults are told last."""
        workflow_profile, first = os.environ.get(WORKFLOW), longest_training(self.profile)
        command = [sys.executable, "-m", "snakemake", "--config", f"profile={self.profile.name}", "--profile", "none",
                   "--workflow-profile", workflow_profile or "none", *([] if workflow_profile else ["--cores", cores]),
                   "--nolock", "--keep-going", "--scheduler", "greedy", "--quiet", "rules"]
        # The longest training starts as soon as its faces are there; begun last, it would hold up the end.
        command += ["--prioritize", f"artifacts/{self.profile.name}/pages/{first}.done"] if first in took else []
        # By a variable: Snakemake reads the values of --config as YAML, and a folder may be called "Study 3: pilot".
        surroundings = os.environ | {"FERGAN_PHOTOGRAPHS": self.profile.data}
        surroundings |= {"OMP_NUM_THREADS": cores} if cores.isdigit() else {}
        log, board = self.home / "workflow.log", _Board(took, tell)
        if workflow_profile:
            if not (ROOT / workflow_profile).is_dir():
                raise NotebookError(f"{WORKFLOW} is {workflow_profile!r}, which is no folder with a profile of Snakemake")
            tell(f"  by the workflow profile {workflow_profile}, which tells how far it is in {log}")
        with open(log, "w", 1, encoding="utf-8") as file, subprocess.Popen(
            command, cwd=ROOT, env=surroundings | dict(server), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            bufsize=1,
        ) as workflow:
            while workflow.poll() is None:
                try:
                    for line in workflow.stdout:
                        file.write(line)
                        if line.startswith(SIGN):
                            board.read(*line.rstrip().removeprefix(SIGN).split(": ", 1))
                except KeyboardInterrupt:
                    continue  # the terminal told the workflow and its pages too: let them save their work
        board.clear()
        if workflow.returncode:
            raise NotebookError("\n".join([*board.faults, "the workflow stopped; what is finished is kept, and the same "
                                           f"command goes on from there (its log: {log})"]))

    def prune(self) -> list[str]:
        """Delete results, finished or not, that no page uses; return one line for each folder.

        NotebookError where pages are not of the present state: they may need what would be deleted.
        """
        if plan := self.plan():
            raise NotebookError(f"{len(plan)} pages are not of the present state and may need what would be deleted; make "
                                "the book first")
        used = {Path(folder).parts[-3:] for page in self.pages.values()
                for folder in record_of(self.executed(page))["results"]}
        lines = []
        for folder in sorted(self.home.glob("*/*/" + "[0-9a-f]" * 16)):
            if folder.parts[-3:] not in used:
                shutil.rmtree(folder)
                lines.append(f"deleted {folder.relative_to(self.home)}")
        return lines or ["there is nothing that the book does not use"]


def reference_seconds(profile: str) -> dict[str, float]:
    """Return page -> the seconds that it took on two cores of another machine; empty for profiles that nobody measured."""
    with open(Path(__file__).parent / "demo_page_seconds.csv", encoding="utf-8") as lines:
        return {page: float(seconds) for of, page, seconds in list(csv.reader(lines))[1:] if of == profile}


class _Board:
    """A line for each page that is made and, in a terminal, what runs now; `took` has the seconds of each before."""

    def __init__(self, took: Mapping[str, float], tell: Callable[[str], None]):
        self._left, self._n, self._tell = dict(took), len(took), tell
        self._spent, self._foreseen = 0.0, 0.0  # seconds of what is made: here, and before
        self._running: dict[str, str] = {}
        self._drawn = 0
        self.faults: list[str] = []

    def read(self, kind: str, text: str) -> None:
        """Take in what a page says: that it has begun, how far it is, that it is made, or its fault."""
        if kind == "begun":
            self._running[text] = ""
        elif kind == "doing":
            page, self._running[page] = text.split(" ", 1)
        elif kind == "failed":
            self._running.pop(text, None)
        elif kind == "fault":
            self.faults.append(text)
        else:
            self._running.pop(kind, None)  # a line of another process can stand before its first one
            self._foreseen += self._left.pop(kind, 0.0)
            self._spent += float(text.split()[0])
            self.clear()
            self._tell(f"  [{self._n - len(self._left)}/{self._n}] {kind}: {text}")
        if sys.stdout.isatty() and self._running:
            self.clear()
            slower = self._spent / self._foreseen if self._foreseen else 1.0
            minutes = slower * sum(self._left.values()) / len(self._running) / 60
            lines = [f"  now {page} {doing}" for page, doing in self._running.items()]
            lines += [f"  about {minutes:.0f} minutes are left"] * (minutes > 1)
            width = shutil.get_terminal_size().columns
            print(*(line[: width - 1] for line in lines), sep="\n", flush=True)
            self._drawn = len(lines)

    def clear(self) -> None:
        """Take away what runs now."""
        if self._drawn:
            print(f"\033[{self._drawn}F\033[J", end="", flush=True)
        self._drawn = 0
