"""Running a notebook as a page: parameters checked first, executed by papermill, prepared for the book.

A notebook has one cell tagged ``parameters``: assignments with a comment each; configs are dictionaries, a line for each
value. The same notebook runs by hand in JupyterLab, and by plain papermill.
"""

import ast
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from pydantic import ValidationError

from fergan.book.kernels import environment, kernel_spec
from fergan.book.pages import Page
from fergan.book.profile import SECTIONS, Profile, ProfileError, explain, meant
from fergan.book.show import say
from fergan.cache import cached, commit, current, is_whole, machine, result_folder, versions
from fergan.files import ROOT, UserError

NOTEBOOKS = ROOT / "notebooks"

TELL_SECONDS = 5.0  # between two lines on how far a page is

#: Tags of cells that a page shows nothing of, and of those of which it shows what they show.
PLUMBING, DRAWING = "remove-cell", "remove-input"

class NotebookError(UserError):
    """A notebook cannot be run as asked, or failed; the message says which, where and what to do."""


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def read_notebook(name: str) -> NotebookNode:
    """Read a notebook of the project by name."""
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code_of(notebook: NotebookNode) -> str:
    """Return the code of a notebook's cells but its parameters."""
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code" and "parameters" not in tags(cell))


# ---- parameters

def notebook_parameters(notebook: NotebookNode, name: str) -> dict[str, Any]:
    """Return a notebook's parameters with their defaults; NotebookError unless one cell tagged so holds literals alone."""
    cells = [cell.source for cell in notebook.cells if "parameters" in tags(cell)]
    try:
        (source,) = cells
        return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(source).body}
    except (ValueError, AttributeError, SyntaxError) as error:
        raise NotebookError(f"{name} has {len(cells)} cells tagged 'parameters'; expected one, with plain assignments of "
                            f"literals: {error}") from error


def check_parameters(declared: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return given values, checked against the declared ones of a notebook; papermill itself would only warn.

    Of a config only the values that differ need be given; it is returned whole. NotebookError where a parameter is unknown,
    of another type, or a config's value is not allowed.
    """
    checked = {}
    for key, value in given.items():
        if key not in declared:
            raise NotebookError(_unknown(key, declared, name))
        default = declared[key]
        if key in SECTIONS and isinstance(value, Mapping):
            try:
                section = SECTIONS[key](**default)
                # A preset fills other values too.
                new = section.changed(**value) if hasattr(section, "changed") else SECTIONS[key](**default | dict(value))
            except ValidationError as error:
                faults = [f"{name}: {key}.{explain(item, SECTIONS[key])}" for item in error.errors()]
                raise NotebookError("; ".join(faults)) from None
            value = new.model_dump()
        elif isinstance(default, float) and type(value) is int:
            value = float(value)
        elif default is not None and value is not None and type(value) is not type(default):
            raise NotebookError(f"{name}: parameter {key} is {value!r} ({type(value).__name__}); expected "
                                f"{type(default).__name__}, for example {default!r}")
        checked[key] = value
    return checked


def _unknown(key: str, declared: Mapping[str, Any], name: str) -> str:
    known = [*declared, *(inner for value in declared.values() if isinstance(value, dict) for inner in value)]
    return f"{name} has no parameter {key!r}{meant(key.split('.')[-1], map(str, known))}"


def parse_assignments(words: Sequence[str], declared: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Turn words such as ``n_folds=5`` or ``training.epochs=5`` into values; a config's value is found by its name alone."""
    values: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise NotebookError(f"{word!r} is not of the form name=value")
        section, _, inner = key.rpartition(".")
        if not section and key not in declared:
            section = next((k for k, v in declared.items() if k in SECTIONS and inner in v), "")
        if (section or key) not in declared:
            raise NotebookError(_unknown(key, declared, name))
        home, of = (values.setdefault(section, {}), declared[section]) if section else (values, declared)
        home[inner] = text if isinstance(of.get(inner), str) else _literal(text)
    return values


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval({"true": "True", "false": "False", "null": "None"}.get(text, text))
    except (ValueError, SyntaxError):
        return text  # the check that follows names the parameter


def parameter_cell(values: Mapping[str, Any]) -> str:
    """Return the source of a parameters cell: every name, its value and its meaning, by a config's fields or a YAML file."""
    comments = yaml.safe_load((Path(__file__).parent / "parameters.yaml").read_text(encoding="utf-8"))
    lines = []
    for key, value in values.items():
        if key not in SECTIONS:
            lines.append(f"{key} = {_source(value)}  # {comments[key]}")
            continue
        fields = SECTIONS[key].model_fields
        inner = [f'    "{name}": {_source(item)},  # {fields[name].description}' for name, item in value.items()]
        lines += [f"{key} = {{", *inner, "}"]
    return "\n".join(lines)


def _source(value: Any) -> str:
    return repr(value).replace("'", '"')  # no default holds a quotation mark


# ---- execution

@contextmanager
def _surroundings(book: bool) -> Iterator[None]:
    """Start kernels in `environment`; pass the first Ctrl-C or SIGTERM on to them, and let the second end this process."""
    import psutil

    # A kernel lives in a process session of its own, which a terminal's Ctrl-C does not reach; it fails in the usual way.
    def pass_on(number: int, _frame: object) -> None:
        for kernel in psutil.Process().children():
            kernel.send_signal(signal.SIGINT)
        for handled in (signal.SIGINT, signal.SIGTERM):
            signal.signal(handled, handlers[handled])

    before, wanted = dict(os.environ), environment(book=book)
    handlers = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    with TemporaryDirectory(prefix="ipython-") as settings:
        kernel_spec(Path(settings))
        os.environ.clear()
        os.environ.update(wanted | {"IPYTHONDIR": settings, "JUPYTER_PATH": settings})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)


_LAST_CELL = "from fergan.cache import opened as _opened\n\ndisplay({'application/json': _opened()}, raw=True)"


class _Bars:
    """What a kernel writes to stderr: of bars of progress, the last state is told every few seconds."""

    def __init__(self, tell: Callable[[str], None]):
        self._tell, self._told = tell, time.monotonic()

    def write(self, text: str) -> None:
        """Tell the last line, if the one before is old enough."""
        lines = text.replace("\r", "\n").strip().splitlines()
        if lines and time.monotonic() - self._told > TELL_SECONDS:
            self._tell(re.sub(r"\|.*?\|", "", lines[-1].strip()))  # without the bar itself
            self._told = time.monotonic()

    def flush(self) -> None:
        """Be a file."""


def execute(notebook: NotebookNode, partial: Path, given: Mapping[str, Any], name: str, *, book: bool,
            tell: Callable[[str], None]) -> NotebookNode:
    """Execute a notebook with checked parameters; what it opened is in its metadata, under ``fergan``.

    The executed cells are written to `partial` meanwhile. What becomes a page of the `book` has results that others read.
    `tell` is called with how far long work is, every few seconds. NotebookError where a cell failed or the kernel died: the
    half-executed copy is kept and named.
    """
    import papermill  # slow to import, and not needed for checks
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    notebook.cells.append(new_code_cell(_LAST_CELL, metadata={"tags": [PLUMBING]}))
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Kernels that start at the same moment can pick the same network port; sockets in a folder of their own cannot.
        with _surroundings(book), TemporaryDirectory(prefix="kernel-") as sockets:
            kernel = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/socket"}})
            executed = papermill.execute_notebook(
                notebook, str(partial), parameters=dict(given), kernel_name="python3", language="python",
                cwd=str(NOTEBOOKS), progress_bar=False, log_output=False, stderr_file=_Bars(tell),
                request_save_on_cell_execute=False, config=kernel,  # it saves every half minute anyway
            )
    except DeadKernelError as error:
        raise NotebookError(f"{name}: its kernel died ({error}); was memory short? what ran so far: {partial}") from None
    except papermill.PapermillExecutionError as error:
        raise NotebookError(f"{name} failed in cell {error.exec_count}: {error.ename}: {error.evalue}\n"
                            f"the half-executed copy with the error: {partial}") from None
    outputs = executed.cells.pop().outputs
    executed.metadata["fergan"] = next(output["data"]["application/json"] for output in outputs if "data" in output)
    return executed


def run_by_hand(page: Page, assignments: Sequence[str], output: Path) -> Path:
    """Execute a page with parameters changed, beside the book; NotebookError where one does not fit or a cell failed."""
    notebook, name = read_notebook(page.notebook), f"{page.notebook}.ipynb"
    declared = notebook_parameters(notebook, name)
    declared |= check_parameters(declared, page.parameters, name)
    given = check_parameters(declared, parse_assignments(assignments, declared, name), name)
    partial = output.with_name(f"{output.stem}.failed.ipynb")
    executed = execute(notebook, partial, page.parameters | given, name, book=False,
                       tell=lambda line: print(line, file=sys.stderr))
    nbformat.write(executed, partial)
    os.replace(partial, output)
    return output


def train_model(profile: Profile, model: str, *, devices: int = 1, num_nodes: int = 1) -> Path | None:
    """Train a generator on several GPUs or machines, which a notebook cannot use, where its notebook looks for it.

    Under ``torchrun`` its processes are joined; otherwise as many are started as there are devices: GPUs, or processes
    without GPUs, on each machine. Returns the folder of the finished run, and None in every process but the first.
    ProfileError where the profile trains no such generator, FileNotFoundError where its faces have not been cropped yet.
    """
    from fergan.data.faces import FaceSet  # these are slow to import
    from fergan.gan.training import WEIGHT_CODE, make_fabric, train, training_progress
    from fergan.quality.collapse import Monitor

    if model not in profile.models:
        raise ProfileError(f"profile {profile.name} trains no generator {model!r}; it has {', '.join(profile.models)}")
    dataset, config, only = profile.models[model]
    home = f"artifacts/{profile.name}"
    faces = FaceSet.load(current(f"{home}/faces/{dataset}"))
    inputs = {"images": (faces.showing(only) if only else faces).images}
    fabric = make_fabric(config.precision, devices=devices, num_nodes=num_nodes)
    fabric.launch()
    stage = (f"{home}/models/{model}", train, config, inputs)
    folder = result_folder(*stage, WEIGHT_CODE)
    there = is_whole(folder)
    fabric.barrier()  # all have looked before the first one begins
    with training_progress(f"training {model}", config.batch_size, disable=not fabric.is_global_zero) as show:
        running = dict(n_threads=profile.threads, checkpoint_seconds=profile.checkpoint_seconds, fabric=fabric,
                       progress=show)
        if fabric.is_global_zero:  # which alone keeps the result
            return cached(*stage, code=WEIGHT_CODE, monitor=Monitor(inputs["images"], config.seed), **running)
        if not there:
            train(folder, config, **inputs, **running)
    return None


# ---- a page of the book

def publish(executed: NotebookNode, page: Page, heading: str, values: Mapping[str, Any], seconds: float) -> None:
    """Turn an executed notebook into a page, in place.

    The title and notices replace its first heading, and a passage ``answer...`` follows them. A figure becomes the output of
    a cell of its own, with label, caption and alternative text in the cell's metadata, where MyST-NB reads them. Bars of
    progress and warnings go, and cells whose metadata ``needs`` an empty parameter. The last cell says how it was made.
    """
    first, *rest = [cell for cell in executed.cells if values.get(cell.metadata.get("needs"), True)]
    cells = [cell for old in rest for cell in _cells_of(old)]
    answers = [cell for cell in cells if any(_record(output).get("passage", "").partition("-")[2].startswith("answer")
                                             for output in cell.get("outputs", ()))]
    cells = [cell for cell in cells if cell not in answers]
    text = first.source.partition("\n")[2]
    top = new_markdown_cell(f"({page.label})=\n{heading}\n{text}")
    if page.name == "summary":
        cells.append(new_markdown_cell(say("pages", "atlas")))
    made = new_markdown_cell(_how_made(executed, page, values, seconds), metadata={"tags": ["provenance"]})
    executed.cells = [top, *answers, *cells, made]
    executed.metadata.pop("widgets", None)


_ALONE = "# drawn by the cell above"  # MyST-NB leaves out a cell without source


def _cells_of(cell: NotebookNode) -> Iterator[NotebookNode]:
    """Yield a cell and, after it, one more for each further figure that it shows."""
    if cell.cell_type != "code":
        yield cell
        return
    if {"parameters", "injected-parameters"} & set(tags(cell)):
        cell.metadata["tags"] = [*tags(cell), PLUMBING]
    kept = [output for output in cell.outputs if output.output_type in ("display_data", "execute_result", "error")
            and "application/vnd.jupyter.widget-view+json" not in output.get("data", {})]
    groups: list[list[NotebookNode]] = [[]]
    for output in kept:
        alone = "figure" in _record(output)
        if groups[-1] and (alone or "figure" in _record(groups[-1][0])):
            groups.append([])
        groups[-1].append(output)
    cell.outputs = groups[0]
    for index, group in enumerate(groups):
        part = cell if index == 0 else new_code_cell(_ALONE, metadata={"tags": [DRAWING]}, outputs=group)
        record = _record(group[0]) if group else {}
        if "figure" in record:
            part.metadata["mystnb"] = {"figure": {"name": record["figure"], "caption": record["caption"]},
                                       "image": {"alt": record["alt"]}}
        yield part


def _record(output: Mapping[str, Any]) -> Mapping[str, str]:
    return output.get("metadata", {}).get("fergan", {})


def passages_of(executed: Mapping[str, Any]) -> dict[str, str]:
    """Return the passages that an executed page shows, by name: texts of the book include them."""
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", ())]
    spoken = [output for output in outputs if "passage" in _record(output)]
    return {_record(output)["passage"]: "".join(output["data"]["text/markdown"]) for output in spoken}


def _how_made(executed: NotebookNode, page: Page, values: Mapping[str, Any], seconds: float) -> str:
    """Return the box that says how a page was made: parameters, the command that reruns it, versions."""
    flat = {}
    for key, value in values.items():
        flat |= {f"{key}.{k}": v for k, v in value.items()} if key in SECTIONS else {key: value}
    results = executed.metadata["fergan"]["results"].values()
    numbers = (f"{k.rpartition('.')[2]}={v}" for k, v in flat.items() if isinstance(v, int) and "." in k)
    example = next(numbers, "seed=1" if "seed" in flat else "")  # names and whole numbers: nothing that a shell would read
    return say("pages", "made", page=page, seconds=seconds, commit=commit(), machine=machine(), packages=versions(),
               parameters=flat, computed=sum(result["seconds"] for result in results), example=example,
               differs=sorted({key for result in results for key in result["differs"]}),
               kept=any(result["kept"] for result in results))


def find_page(pages: Sequence[Page], word: str) -> Page:
    """Return the page of this id; NotebookError where there is none."""
    by_id, word = {page.id: page for page in pages}, word.removesuffix(".ipynb")
    if word not in by_id:
        raise NotebookError(f"there is no page {word!r}{meant(word, by_id) or '; there are ' + ', '.join(by_id)}")
    return by_id[word]
