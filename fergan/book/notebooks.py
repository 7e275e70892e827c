"""Running a notebook as a page: parameters checked first, executed by papermill, stamped, moved into place when whole.

A notebook has one cell tagged ``parameters``: flat assignments with a comment each. Cells tagged ``page`` belong to the
page of one set or experiment, cells tagged ``summary`` to the page across all of them; untagged cells to both. A page is
the summary when the notebook's ``page_parameter`` (in its metadata, under ``fergan``) is 0 or empty.
"""

import ast
import difflib
import os
import re
import shlex
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from fergan.files import hash_file
from fergan.provenance import Stopwatch, provenance_record

__all__ = [
    "NotebookError", "Parameter", "check_parameters", "hashes_behind", "imported_modules", "note_class",
    "notebook_parameters", "parse_assignments", "run_notebook",
]

_PACKAGE = Path(__file__).parent.parent

Notes = Sequence[tuple[str, str]]


class NotebookError(Exception):
    """A notebook cannot be run as asked, or failed; the message says which, where and what to do."""


@dataclass(frozen=True)
class Parameter:
    """One assignment of the parameters cell."""

    name: str
    default: Any
    comment: str


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def notebook_parameters(notebook: NotebookNode, name: str) -> dict[str, Parameter]:
    """Read the parameters cell.

    Raises
    ------
    NotebookError
        There is not exactly one such cell, or it holds more than assignments of literals.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "parameters" in _tags(cell)]
    if len(cells) != 1:
        raise NotebookError(f"{name} has {len(cells)} cells tagged 'parameters'; expected exactly one")
    lines = cells[0].source.splitlines()
    parameters = {}
    for node in ast.parse(cells[0].source).body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            raise NotebookError(f"{name}: line {node.lineno} of the parameters cell is not a plain assignment")
        line = lines[node.end_lineno - 1]
        comment = line[node.end_col_offset :].strip().lstrip("#").strip()
        key = node.targets[0].id
        try:
            parameters[key] = Parameter(key, ast.literal_eval(node.value), comment)
        except ValueError as error:
            raise NotebookError(f"{name}: parameter {key} must be a literal number, string or boolean") from error
    return parameters


def check_parameters(declared: dict[str, Parameter], given: dict[str, Any], name: str) -> dict[str, Any]:
    """Check given values against the declared ones; papermill itself would only warn.

    Returns
    -------
    dict
        The given values; whole numbers are turned into floats where a float is declared.

    Raises
    ------
    NotebookError
        A parameter is unknown or of another type.
    """
    checked = {}
    for key, value in given.items():
        if key not in declared:
            close = difflib.get_close_matches(key, declared, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(declared)}"
            raise NotebookError(f"{name} has no parameter {key!r}; {hint}")
        expected = type(declared[key].default)
        if expected is float and type(value) is int:
            value = float(value)
        if type(value) is not expected:
            raise NotebookError(
                f"{name}: parameter {key} is {value!r} ({type(value).__name__}); expected {expected.__name__}, "
                f"for example {declared[key].default!r}"
            )
        checked[key] = value
    return checked


def parse_assignments(assignments: list[str], declared: dict[str, Parameter]) -> dict[str, Any]:
    """Turn words such as ``n_folds=5`` into values; what is declared a string is taken as it is."""
    values = {}
    for word in assignments:
        key, equals, text = word.partition("=")
        if not equals:
            raise NotebookError(f"{word!r} is not of the form name=value")
        if key in declared and isinstance(declared[key].default, str):
            values[key] = text
            continue
        try:
            values[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[key] = text  # the type check that follows names the parameter
    return values


def imported_modules(path: str | Path) -> list[Path]:
    """Return the files of this package that a notebook or module imports, directly or through others.

    Imports inside functions count, and so do the tables (CSV) of an imported package.
    """
    seen: set[Path] = set()
    waiting = [Path(path)]
    while waiting:
        for module in _direct_imports(waiting.pop()):
            if module not in seen:
                seen.add(module)
                if module.suffix == ".py":
                    waiting.append(module)
    return sorted(seen)


def _direct_imports(path: Path) -> Iterator[Path]:
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(source, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            yield from _module_files(name)


def _module_files(name: str) -> Iterator[Path]:
    """Yield the files that importing ``fergan.a.b`` runs or reads: the package's, ``a``'s and ``b``'s."""
    parts = name.split(".")
    if parts[0] != "fergan":
        return
    for depth in range(1, len(parts) + 1):
        place = _PACKAGE.joinpath(*parts[1:depth])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                yield file
        yield from place.glob("*.csv") if depth > 1 else ()


def hashes_behind(path: str | Path, stages: Iterable[str | Path] = ()) -> dict[str, Any]:
    """Return the hashes of all that a page is made from but its parameters.

    Parameters
    ----------
    path : path
        The notebook.
    stages : iterable of path
        Stamps of earlier stages, as the page will name them.

    Returns
    -------
    dict
        ``notebook`` -> hash, ``modules`` -> file below the project -> hash, ``stages`` -> stamp -> hash.
    """
    modules = {str(module.relative_to(_PACKAGE.parent)): hash_file(module) for module in imported_modules(path)}
    return {"notebook": hash_file(path), "modules": modules, "stages": {str(stage): hash_file(stage) for stage in stages}}


def note_class(heading: str) -> str:
    """Return the class of a notice in the built page, by which its look and the check of the book find it."""
    return "-".join(re.findall(r"[a-z]+", heading.lower()))


def _prepare(notebook: NotebookNode, values: dict[str, Any], page: str, title: str, notes: Notes) -> NotebookNode:
    """Keep the cells of this page, fill in its name, and put title and notes at the top."""
    key = notebook.metadata.get("fergan", {}).get("page_parameter", "")
    unwanted = "page" if key and not values.get(key) else "summary"
    notebook.cells = [cell for cell in notebook.cells if unwanted not in _tags(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("{{page}}", page)
    first = notebook.cells[0]
    if title:
        heading, _, rest = first.source.partition("\n")
        if not heading.startswith("# "):
            raise NotebookError(f"the first cell starts with {heading!r}; expected a heading '# ...'")
        first.source = f"({page})=\n# {title}\n{rest}"
    boxes = [f":::{{admonition}} {heading}\n:class: {note_class(heading)}\n{text}\n:::" for heading, text in notes]
    notebook.cells[1:1] = [new_markdown_cell(box) for box in boxes]
    return notebook


def _names_used(notebook: NotebookNode) -> set[str]:
    """Return the names that a page's code reads: a notebook's other pages have parameters that this one does not use."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code" and "parameters" not in _tags(cell)]
    trees = (node for source in sources for node in ast.walk(ast.parse(source)))
    return {node.id for node in trees if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _how_made(
    record: dict[str, Any], notebook: Path, values: dict[str, Any], given: dict[str, Any], page: str, used: set[str]
) -> NotebookNode:
    """Return the last cell of a page: its parameters, the command that reruns it, versions; every caption links to it."""
    rows = "\n".join(f"| `{key}` | `{value!r}` |" for key, value in values.items() if key in used or "globals" in used)
    words = " ".join(shlex.quote(f"{key}={value}") for key, value in given.items() if key != "output")
    packages = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    text = f"""```{{admonition}} How this page was made
:class: dropdown note
:name: {page}-made

`notebooks/{notebook.name}` in {record["seconds"]:.0f} s, {record["created"]}, commit `{record["commit"] or "unknown"}`;
Python {record["python"]}, {packages}.

| parameter | value |
|:--|:--|
{rows}

Run it again with any of them changed; what it writes goes to `artifacts/runs` and leaves this book as it is:

`make run NOTEBOOK={notebook.stem} ARGS="{words}"`
```"""
    return new_markdown_cell(text, metadata={"tags": ["provenance"]})


@contextmanager
def _interrupting_the_kernel() -> Iterator[None]:
    """Pass the first Ctrl-C or SIGTERM on to the kernel, which then saves its work and fails in the usual way.

    The kernel lives in a process session of its own, which a terminal's Ctrl-C does not reach. A second signal ends
    this process at once.
    """
    import psutil

    def pass_on(number: int, _frame: object) -> None:
        for kernel in psutil.Process().children():
            kernel.send_signal(signal.SIGINT)
        for handled in (signal.SIGINT, signal.SIGTERM):
            signal.signal(handled, before[handled])

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_notebook(
    path: str | Path, output: str | Path, given: dict[str, Any], *, page: str = "", title: str = "", notes: Notes = (),
    stages: Sequence[str | Path] = (),
) -> Path:
    """Execute a notebook with parameters and keep the executed copy.

    Parameters
    ----------
    path : path
        The notebook.
    output : path
        Where the executed copy goes; it is replaced only by a complete one.
    given : dict
        Parameters that differ from the notebook's defaults.
    page : str
        The page's label in the book, unique there; defaults to the output's name.
    title : str
        The page's heading.
    notes : sequence of (str, str)
        Notices under it, each with a heading and a text.
    stages : sequence of path
        Stamps of earlier stages that the page is made from, relative to the working directory.

    Raises
    ------
    NotebookError
        A parameter does not fit (nothing has run then), or a cell failed: the half-executed copy is kept and named.
    """
    import papermill  # slow to import, and not needed for checks
    from nbclient.exceptions import DeadKernelError

    path, output = Path(path), Path(output)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        raise NotebookError(f"notebook {path} does not exist; notebooks there: {known}")
    notebook = nbformat.read(path, as_version=4)
    declared = notebook_parameters(notebook, path.name)
    given = check_parameters(declared, given, path.name)
    values = {key: parameter.default for key, parameter in declared.items()} | given
    prepared = _prepare(notebook, values, page or output.stem, title, notes)

    inputs = hashes_behind(path, stages)  # before it runs: an edit meanwhile must not pass for what made the page
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.stem}.failed.ipynb")  # its name once something went wrong
    source = output.with_name(f".{output.stem}.prepared.ipynb")
    nbformat.write(prepared, source)
    watch = Stopwatch()
    try:
        # Kernels that start at the same moment can pick the same network port; sockets in a folder of their own cannot.
        with _interrupting_the_kernel(), TemporaryDirectory(prefix="kernel-") as sockets:
            kernel = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/socket"}})
            executed = papermill.execute_notebook(
                str(source), str(partial), parameters=given, kernel_name="python3", language="python",
                cwd=str(path.parent), progress_bar=False, log_output=False, config=kernel,
            )
    except DeadKernelError as error:
        message = f"{path.name}: its kernel died ({error}); was memory short? what ran so far: {partial}"
        raise NotebookError(message) from None
    except papermill.PapermillExecutionError as error:
        raise NotebookError(
            f"{path.name} failed in cell {error.exec_count}: {error.ename}: {error.evalue}\n"
            f"the half-executed copy with the error: {partial}"
        ) from None
    finally:
        source.unlink(missing_ok=True)
    record = provenance_record(values, inputs, watch.seconds)
    record["heading"] = {"title": title, "notes": [list(note) for note in notes]}
    executed.metadata["fergan"] = record
    for cell in executed.cells:
        if "injected-parameters" in _tags(cell):
            cell.metadata["tags"] = [*_tags(cell), "remove-input"]  # the last cell shows them, with the command
    executed.cells.append(_how_made(record, path, values, given, page or output.stem, _names_used(prepared) | given.keys()))
    nbformat.write(executed, partial)
    os.replace(partial, output)
    return output
