"""Running notebooks: parameters are checked first, failures keep the evidence, pages carry their provenance."""

import ast
import contextlib
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fergan.book.notebooks import (
    NotebookError,
    check_parameters,
    imported_modules,
    notebook_parameters,
    parse_assignments,
    run_notebook,
)
from fergan.book.pages import pages_of
from fergan.book.profiles import load_profile
from fergan.book.site.figures import PASTED_FIGURES

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def notebook(tmp_path, *cells, parameters="n = 3  # how many\nrate = 0.5  # share\nname = 'x'  # whose\nflag = True  # whether",
             key="n"):
    first = [new_markdown_cell("# Title\n\nA question about {{page}}?"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[*first, *cells], metadata={"fergan": {"page_parameter": key}}), path)
    return path


def test_a_page_is_executed_stamped_and_labelled(tmp_path):
    path = notebook(tmp_path, new_code_cell("n * 2"), new_code_cell("'only on pages'", metadata={"tags": ["page"]}),
                    new_code_cell("'only on summaries'", metadata={"tags": ["summary"]}))
    output = run_notebook(path, tmp_path / "out" / "page.ipynb", {"n": 21}, page="set-a", title="Set A", notes=[("Rendered faces", "Stand-ins.")])
    cells = nbformat.read(output, as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    assert cells[0].source.startswith("(set-a)=\n# Set A\n") and "about set-a" in cells[0].source
    assert "rendered-faces" in cells[1].source and "Stand-ins." in cells[1].source
    assert any(out.data.get("text/plain") == "42" for cell in cells for out in cell.get("outputs", []))
    assert "only on pages" in text and "only on summaries" not in text
    assert 'make run NOTEBOOK=small ARGS="n=21"' in text
    record = nbformat.read(output, as_version=4).metadata["fergan"]
    assert record["parameters"]["n"] == 21 and record["packages"]["torch"] and len(record["inputs"]["notebook"]) == 64


def test_the_last_cell_lists_the_parameters_that_the_page_uses_and_the_code_above_hides_them(tmp_path):
    path = notebook(tmp_path, new_code_cell("n * 2", metadata={"tags": ["page"]}), new_code_cell("rate + 1", metadata={"tags": ["summary"]}))
    for given, used in (({"n": 3}, {"n"}), ({"n": 0}, {"n", "rate"})):
        cells = nbformat.read(run_notebook(path, tmp_path / "out.ipynb", given), as_version=4).cells
        assert set(re.findall(r"^\| `(\w+)` \|", cells[-1].source, re.MULTILINE)) == used
        injected = next(cell for cell in cells if "injected-parameters" in cell.metadata.get("tags", []))
        assert "remove-input" in injected.metadata["tags"]
    everything = notebook(tmp_path, new_code_cell("sorted(globals())"))
    cells = nbformat.read(run_notebook(everything, tmp_path / "out.ipynb", {}), as_version=4).cells
    assert set(re.findall(r"^\| `(\w+)` \|", cells[-1].source, re.MULTILINE)) == {"n", "rate", "name", "flag"}


def test_a_zero_page_parameter_makes_the_summary(tmp_path):
    path = notebook(tmp_path, new_code_cell("1", metadata={"tags": ["page"]}), new_code_cell("2", metadata={"tags": ["summary"]}))
    cells = nbformat.read(run_notebook(path, tmp_path / "out.ipynb", {"n": 0}), as_version=4).cells
    sources = [cell.source for cell in cells]
    assert "2" in sources and "1" not in sources


def test_a_failing_cell_keeps_the_half_executed_copy_and_the_old_page(tmp_path):
    path = notebook(tmp_path, new_code_cell("print('so far')"), new_code_cell("1 / (n - n)"))
    output = tmp_path / "out" / "page.ipynb"
    output.parent.mkdir()
    output.write_text("the good one")
    with pytest.raises(NotebookError, match=r"ZeroDivisionError[\s\S]*page.failed.ipynb"):
        run_notebook(path, output, {})
    assert output.read_text() == "the good one"
    half = output.with_name("page.failed.ipynb").read_text()
    assert "so far" in half and "ZeroDivisionError" in half


@pytest.mark.parametrize(("given", "words"), [
    ({"rat": 0.1}, "no parameter 'rat'; did you mean 'rate'?"),
    ({"zebra": 1}, "no parameter 'zebra'; it has n, rate, name, flag"),
    ({"n": 2.5}, "parameter n is 2.5 (float); expected int, for example 3"),
    ({"n": "2"}, "parameter n is '2' (str); expected int"),
    ({"n": True}, "parameter n is True (bool); expected int"),
    ({"flag": 1}, "parameter flag is 1 (int); expected bool"),
    ({"name": 5}, "parameter name is 5 (int); expected str"),
])
def test_unknown_and_ill_typed_parameters_are_refused_before_anything_runs(tmp_path, given, words):
    path = notebook(tmp_path, new_code_cell(f"open({str(tmp_path / 'ran')!r}, 'w')"))
    with pytest.raises(NotebookError) as caught:
        run_notebook(path, tmp_path / "out.ipynb", given)
    assert words in str(caught.value)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out.ipynb").exists()


def test_whole_numbers_serve_as_floats_and_words_as_strings(tmp_path):
    declared = notebook_parameters(nbformat.read(notebook(tmp_path), as_version=4), "small")
    assert check_parameters(declared, {"rate": 1}, "small") == {"rate": 1.0}
    assert parse_assignments(["n=4", "name=7", "rate=.25"], declared) == {"n": 4, "name": "7", "rate": 0.25}
    with pytest.raises(NotebookError, match="not of the form name=value"):
        parse_assignments(["n"], declared)


def test_a_parameters_cell_holds_only_literals(tmp_path):
    for source, words in (("n = 2 + 2", "must be a literal"), ("import os", "not a plain assignment")):
        path = notebook(tmp_path, parameters=source)
        with pytest.raises(NotebookError, match=words):
            run_notebook(path, tmp_path / "out.ipynb", {})
    path = notebook(tmp_path, new_code_cell("n = 1", metadata={"tags": ["parameters"]}))
    with pytest.raises(NotebookError, match="2 cells tagged 'parameters'"):
        run_notebook(path, tmp_path / "out.ipynb", {})
    with pytest.raises(NotebookError, match="does not exist; notebooks there: small"):
        run_notebook(tmp_path / "smal.ipynb", tmp_path / "out.ipynb", {})


def test_imports_are_followed_through_modules(tmp_path):
    path = notebook(tmp_path, new_code_cell("from fergan.gan.training import train"))
    names = {module.name for module in imported_modules(path)}
    assert {"training.py", "checkpoints.py", "dcgan.py", "files.py"} <= names
    assert not {"svm.py", "emotions.py", "style.py", "detection.py"} & names
    path = notebook(tmp_path, new_code_cell("def later():\n    from fergan import facs"))
    assert {"facs.py", "table6_emotion_aus.csv"} <= {module.name for module in imported_modules(path)}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_of_the_book_are_thin_and_clean(path):
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code if "parameters" not in cell.metadata.get("tags", [])) <= 20
    assert all(parameter.comment for parameter in notebook_parameters(book, path.name).values())
    assert book.cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_notebooks_import_from_the_package_is_there(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, ast.ImportFrom) and node.module.startswith("fergan."):
                module = importlib.import_module(node.module)
                for name in (alias.name for alias in node.names):
                    assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), f"{node.module}.{name}"


def test_training_and_rendering_do_not_depend_on_the_classifiers():
    """A change to the SVMs must not train a network again."""
    for name in ("01_data", "02_dcgan", "03_features", "06_quality"):
        modules = imported_modules(ROOT / "notebooks" / f"{name}.ipynb")
        imported = {str(module.relative_to(ROOT / "fergan")) for module in modules}
        assert not {"svm.py", "kernels.py", "search.py", "protocols.py", "emotions.py", "action_units.py"} & imported, name


def test_every_page_fits_its_notebooks_parameters():
    for profile in ("demo", "quick"):
        for page in pages_of(load_profile(ROOT / "profiles" / f"{profile}.yaml")):
            path = ROOT / "notebooks" / f"{page.notebook}.ipynb"
            declared = notebook_parameters(nbformat.read(path, as_version=4), path.name)
            check_parameters(declared, page.parameters, path.name)


def test_the_defaults_of_a_notebook_are_a_page_of_the_demo():
    """Opened by hand, each notebook shows what the book shows."""
    pages = pages_of(load_profile(ROOT / "profiles" / "demo.yaml"))
    for path in NOTEBOOKS:
        defaults = {k: p.default for k, p in notebook_parameters(nbformat.read(path, as_version=4), path.name).items()}
        ours = [page.parameters for page in pages if page.notebook == path.stem]
        ignored = {"output", "description", "live"}
        assert any(all(defaults[k] == v for k, v in given.items() if k not in ignored) for given in ours), path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_pasted_out_of_sight_is_shown_by_some_text(path):
    """A figure whose own output is removed is on the page only where a text asks for it."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text += "\n".join(prose.read_text() for prose in (ROOT / "book").glob("*.md"))
    hidden = [cell for cell in cells if cell.cell_type == "code" and "remove-output" in cell.metadata.get("tags", [])]
    calls = [node for cell in hidden for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    names = [word.arg for call in calls if getattr(call.func, "id", "") == "paste" for word in call.keywords if word.arg]
    elsewhere = {name for figures in PASTED_FIGURES.values() for name in figures}
    elsewhere |= {name for cell in cells for name in re.findall(r'numbered_figure\("(\w+)"', cell.source)}
    names = [name for name in names if name not in elsewhere]
    assert not [name for name in names if not re.search(rf"\{{glue:figure\}} \S*\b{name}\b|\{{glue:\w*\}}`[^`]*\b{name}\b", text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_opens_with_its_answer_and_a_chapter_closes_with_what_was_found(path):
    book = nbformat.read(path, as_version=4)
    kinds = ("page", "summary") if book.metadata.get("fergan", {}).get("page_parameter") else ("",)
    question, _, answer = book.cells[0].source.partition(":::{admonition} In short")
    assert question.rstrip().endswith("?") and answer
    for kind in kinds:
        cells = [cell for cell in book.cells if not {*cell.metadata.get("tags", [])} & {*kinds} - {kind}]
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert not [name for name in re.findall(r"\{glue:text\}`(\w+)", answer) if f"{name}=" not in code and f'"{name}"' not in code
                    and not (path.stem == "07b_claims" and "word.replace" in code)]
    headings = re.findall("^## (.*)", "\n".join(cell.source for cell in cells if cell.cell_type == "markdown"), re.MULTILINE)
    assert headings[-1:] == ["What was found"] or path.stem == "07c_groups"  # whose last kind of page has nothing to find


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_takes_out_of_an_imported_module_is_there(path):
    """``from fergan import plots`` and then ``plots.gone(...)`` would fail only after a training."""
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    tree = ast.parse(code)
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fergan":
            for alias in node.names:
                with contextlib.suppress(ImportError):
                    modules[alias.asname or alias.name] = importlib.import_module(f"{node.module}.{alias.name}")
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    missing = [f"{node.value.id}.{node.attr}" for node in used
               if node.value.id in modules and not hasattr(modules[node.value.id], node.attr)]
    assert not missing
