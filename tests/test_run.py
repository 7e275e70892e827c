"""Running notebooks: parameters are checked first, failures keep the evidence, pages are prepared for the book."""

import ast
import contextlib
import importlib
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fergan.book import run
from fergan.book.build import meanings
from fergan.book.checks import load_profile
from fergan.book.pages import CHAPTERS, Page, pages_of
from fergan.book.profile import SECTIONS
from fergan.book.run import (
    NotebookError,
    check_parameters,
    find_page,
    notebook_parameters,
    parse_assignments,
    publish,
    run_by_hand,
)

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DEMO = pages_of(load_profile(ROOT / "profiles" / "demo.yaml"))
PARAMETERS = "n = 3  # how many\nrate = 0.5  # share\nname = 'x'  # whose\nflag = True  # whether\nonly = None  # which"
PAGE = Page("01_data", "small", {})


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Write the notebook 01_data_set of a project of its own."""
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)

    def write(*cells, parameters=PARAMETERS):
        first = [new_markdown_cell("# Title\n\nA question?"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        nbformat.write(new_notebook(cells=[*first, *cells]), tmp_path / "01_data_set.ipynb")

    return write


def declared():
    return notebook_parameters(run.read_notebook("01_data_set"), "small")


def test_a_page_runs_by_hand_with_a_parameter_changed(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    notebook(new_code_cell("n * 2"), new_code_cell("import os\n[os.environ.get(k) for k in ('FERGAN_BOOK', 'MPLBACKEND', 'OMP_NUM_THREADS')]"))
    output = run_by_hand(PAGE, {"n": 21}, tmp_path / "out" / "page.ipynb")
    texts = [out["data"]["text/plain"] for cell in nbformat.read(output, 4).cells for out in cell.get("outputs", ()) if "data" in out]
    assert "42" in texts and "[None, 'agg', '3']" in texts


def test_a_failing_cell_keeps_the_half_executed_copy_and_the_old_one(notebook, tmp_path):
    notebook(new_code_cell("print('so far')"), new_code_cell("1 / (n - n)"))
    output = tmp_path / "out" / "page.ipynb"
    output.parent.mkdir()
    output.write_text("the good one")
    with pytest.raises(NotebookError, match=r"ZeroDivisionError[\s\S]*page.failed.ipynb"):
        run_by_hand(PAGE, {}, output)
    assert output.read_text() == "the good one"
    half = output.with_name("page.failed.ipynb").read_text()
    assert "so far" in half and "ZeroDivisionError" in half


@pytest.mark.parametrize(("given", "words"), [
    ({"rat": 0.1}, "no parameter 'rat'; did you mean 'rate'?"),
    ({"zebra": 1}, "no parameter 'zebra'; it has n, rate, name, flag, only"),
    ({"n": 2.5}, "parameter n is 2.5 (float); expected int, for example 3"),
    ({"n": "2"}, "parameter n is '2' (str); expected int"),
    ({"n": True}, "parameter n is True (bool); expected int"),
    ({"flag": 1}, "parameter flag is 1 (int); expected bool"),
    ({"name": 5}, "parameter name is 5 (int); expected str"),
])
def test_unknown_and_ill_typed_parameters_are_refused_before_anything_runs(notebook, tmp_path, given, words):
    notebook(new_code_cell(f"open({str(tmp_path / 'ran')!r}, 'w')"))
    with pytest.raises(NotebookError) as caught:
        run_by_hand(PAGE, given, tmp_path / "out.ipynb")
    assert words in str(caught.value)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out.ipynb").exists()


TRAINING = "training = {'preset': 'demo', 'epochs': 3}\nn = 1"


@pytest.mark.parametrize(("words", "fault"), [
    (["epochs=0"], "training.epochs is 0; input should be greater"),
    (["training.epochs=ten"], "training.epochs is 'ten'; input should be a valid integer"),
    (["epoch=3"], "no parameter 'epoch'; did you mean 'epochs'?"),
    (["training.width"], "'training.width' is not of the form name=value"),
])
def test_a_value_of_a_config_is_checked_by_its_class(notebook, words, fault):
    notebook(parameters=TRAINING)
    with pytest.raises(NotebookError) as caught:
        check_parameters(declared(), parse_assignments(words, declared(), "small"), "small")
    assert fault in str(caught.value)


def test_a_value_of_a_config_is_found_by_its_name_and_the_rest_stays(notebook):
    notebook(parameters=TRAINING)
    given = check_parameters(declared(), parse_assignments(["epochs=5", "n=2"], declared(), "small"), "small")
    assert given["n"] == 2 and given["training"]["epochs"] == 5 and given["training"]["preset"] == "demo"
    assert set(given["training"]) == set(SECTIONS["training"].model_fields)


def test_whole_numbers_serve_as_floats_and_words_as_strings(notebook):
    notebook()
    assert check_parameters(declared(), {"rate": 1, "only": "AU07"}, "small") == {"rate": 1.0, "only": "AU07"}
    assert parse_assignments(["n=4", "name=7", "rate=.25"], declared(), "small") == {"n": 4, "name": "7", "rate": 0.25}


def test_a_parameters_cell_holds_only_literals(notebook, tmp_path):
    for source, words in (("n = 2 + 2", "must be a literal"), ("import os", "not a plain assignment")):
        notebook(parameters=source)
        with pytest.raises(NotebookError, match=words):
            run_by_hand(PAGE, {}, tmp_path / "out.ipynb")
    notebook(new_code_cell("n = 1", metadata={"tags": ["parameters"]}))
    with pytest.raises(NotebookError, match="2 cells tagged 'parameters'"):
        run_by_hand(PAGE, {}, tmp_path / "out.ipynb")
    with pytest.raises(NotebookError, match="does not exist; notebooks there: 01_data_set"):
        run.read_notebook("02_dcgan")


def picture(label):
    return new_output("display_data", {"image/png": "iVBORw0="}, metadata={"fergan": {"figure": label, "caption": "It.", "alt": "A line."}})


def said(passage):
    return new_output("display_data", {"text/markdown": f"about {passage}"}, metadata={"fergan": {"passage": passage}})


def test_a_page_of_the_book_opens_with_its_answer_and_figures_have_cells_of_their_own():
    cells = [new_markdown_cell("# Title\n\nA question?"), new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
             new_code_cell("train()", outputs=[new_output("stream", text="50 %", name="stderr")]),
             new_code_cell("draw()", metadata={"tags": ["remove-input"]}, outputs=[said("data-text"), picture("fig-a"), picture("fig-b")]),
             new_code_cell("speak()", outputs=[said("data-answer")])]
    executed = new_notebook(cells=cells, metadata={"fergan": {"results": {}}, "widgets": {"state": 1}})
    publish(executed, PAGE, "# Faces of it\n\nStand-ins.", {"n": 1, "training": {"epochs": 3}}, 2.0)
    first, answer, parameters, train, text, one, two, made = executed.cells
    assert first.source.startswith("(data-small)=\n# Faces of it") and "A question?" in first.source and "# Title" not in first.source
    assert answer.outputs[0].metadata["fergan"]["passage"] == "data-answer"
    assert "remove-cell" in parameters.metadata.tags and not train.outputs and "widgets" not in executed.metadata
    assert text.source == "draw()" and [out.metadata["fergan"] for out in text.outputs] == [{"passage": "data-text"}]
    for cell, label in ((one, "fig-a"), (two, "fig-b")):
        assert cell.metadata["mystnb"] == {"figure": {"name": label, "caption": "It."}, "image": {"alt": "A line."}}
    assert "KEEP_RUNS" not in made.source and "make run PAGE=01_data/small" in made.source and "| training.epochs | 3 |" in made.source
    assert run.passages_of(executed) == {"data-answer": "about data-answer", "data-text": "about data-text"}


def test_the_users_settings_reach_no_kernel_and_what_a_user_needs_does(monkeypatch):
    for name in ("JUPYTER_PATH", "MPLBACKEND", "PYTHONSTARTUP", "IPYTHONDIR", "SNAKEMAKE_PROFILE", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "theirs")
    for name in ("CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "TMPDIR", "SLURM_JOB_ID", "FERGAN_INCEPTION", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "kept")
    monkeypatch.setenv("FERGAN_BOOK", "1")
    kernel = run.environment()
    assert "theirs" not in kernel.values() and "FERGAN_BOOK" not in kernel and run.environment(book=True)["FERGAN_BOOK"] == "1"
    assert {name for name, value in kernel.items() if value == "kept"} == {
        "CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "TMPDIR", "SLURM_JOB_ID", "FERGAN_INCEPTION", "OMP_NUM_THREADS"}
    assert kernel["PYTHONPATH"] == str(ROOT) and os.environ["JUPYTER_PATH"] == "theirs"


@pytest.mark.parametrize(("word", "found"), [
    ("04_emotions/experiment-5", "04_emotions/experiment-5"), ("04_emotions/experiment-5.ipynb", "04_emotions/experiment-5"),
    ("07_results", "07_results/results"), ("notebooks/04c_transfer.ipynb", "04c_transfer/matrix"),
])
def test_a_page_is_named_in_several_ways(word, found):
    assert find_page(DEMO, word).id == found


@pytest.mark.parametrize(("word", "words"), [
    ("04_emotions", "say which page of 04_emotions: 04_emotions/summary, 04_emotions/experiment-1"),
    ("04_emotions_experiment", "for example make run PAGE=04_emotions/experiment-8"),
    ("04_emotion/experiment-5", "did you mean 04_emotions/experiment-5"), ("zebra", "there are 00_one_page/paper"),
])
def test_an_unknown_or_unclear_page_is_answered_with_names(word, words):
    with pytest.raises(NotebookError) as caught:
        find_page(DEMO, word)
    assert words in str(caught.value)


# ---- the notebooks of the project

def test_there_is_a_notebook_for_every_kind_of_page_and_no_other():
    assert {path.stem for path in NOTEBOOKS} == {page.notebook for page in DEMO}
    assert {page.chapter for page in DEMO} == set(CHAPTERS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_as_the_book_needs_it(path):
    cells = nbformat.read(path, 4).cells
    assert cells[0].source.startswith("# ") and cells[0].source.rstrip().endswith("?")
    for cell in cells:
        assert "{glue:" not in cell.source and "{{" not in cell.source
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            if not cell.metadata.get("tags"):  # the method, in sight
                assert max(map(len, cell.source.splitlines())) <= 80 and len(cell.source.splitlines()) <= 15, cell.source
    assert any('"answer' in cell.source for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_parameters_of_a_notebook_are_a_page_of_the_demo_with_every_field(path):
    """Opened by hand, each notebook shows what the book shows; names, order, defaults and units are the schema's."""
    notebook = nbformat.read(path, 4)
    page = next(page for page in DEMO if page.notebook == path.stem)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert cell.source == run.parameter_cell(page.parameters, meanings()), "run `python -m fergan write`"
    for name, value in notebook_parameters(notebook, path.name).items():
        if name in SECTIONS:
            assert list(value) == [field for field, said in SECTIONS[name].model_fields.items() if not said.exclude]


def test_every_page_fits_its_notebooks_parameters():
    for profile in ("demo", "quick"):
        for page in pages_of(load_profile(ROOT / "profiles" / f"{profile}.yaml")):
            check_parameters(notebook_parameters(run.read_notebook(page.notebook), page.notebook), page.parameters, page.notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_notebooks_take_from_the_package_is_there(path):
    """A wrong name would fail only after a training."""
    tree, modules = ast.parse(run.code_of(nbformat.read(path, 4))), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fergan":
            module = importlib.import_module(node.module)
            for alias in node.names:
                with contextlib.suppress(ImportError):
                    modules[alias.asname or alias.name] = importlib.import_module(f"{node.module}.{alias.name}")
                assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    assert not [f"{n.value.id}.{n.attr}" for n in used if n.value.id in modules and not hasattr(modules[n.value.id], n.attr)]


def test_a_page_says_where_a_result_of_earlier_code_was_kept():
    results = {"a": {"seconds": 3.0, "differs": ["threads"], "kept": True}}
    executed = new_notebook(cells=[new_markdown_cell("# Title\n\nA question?")], metadata={"fergan": {"results": results}})
    publish(executed, PAGE, "# Faces", {"n": 1}, 2.0)
    assert "KEEP_RUNS=1" in executed.cells[-1].source and "another threads than" in executed.cells[-1].source
