"""Running notebooks, and the built site: parameters are checked first, failures keep the evidence, faults are found."""

import ast
import contextlib
import errno
import importlib
import os
import subprocess
import time
from unittest.mock import Mock

import nbformat
import pytest
import yaml
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import fergan.__main__ as command_line
from fergan.book import fresh, run
from fergan.book.build import HEAVIEST, BookError, check_book, licences, table_of_contents
from fergan.book.checks import load_profile
from fergan.book.fresh import Book
from fergan.book.kernels import environment, serving
from fergan.book.pages import CHAPTERS, Page, pages_of
from fergan.book.profile import SECTIONS
from fergan.book.run import NotebookError, find_page, notebook_parameters, publish, run_by_hand
from fergan.files import UserError
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DEMO = pages_of(load_profile(ROOT / "profiles" / "demo.yaml"))
PARAMETERS = "n = 3\nrate = 0.5\nname = 'x'\nflag = True\nonly = None\ntraining = {'preset': 'demo', 'epochs': 3}"
PAGE = Page("01_data", "small", {})
FORKED = "import os, sys\n'colorsys' in sys.modules, 'fergan' in sys.modules, os.environ['MARK'], os.getpid(), n"
PAGES = ("book/intro", "book/method", "book/executed/01_data/kdef", "book/executed/04_emotions/summary")
FIGURE = '<img alt="one" src="../../../_images/one.png"/>'


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Write the notebook 01_data_set of a project of its own."""
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)

    def write(*cells, parameters=PARAMETERS):
        first = [new_markdown_cell("# Title\n\nA question?"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        nbformat.write(new_notebook(cells=[*first, *cells]), tmp_path / "01_data_set.ipynb")

    return write


def checked(*words, **values):
    """Check what a command line or a page gives to the notebook."""
    declared = notebook_parameters(run.read_notebook("01_data_set"), "small")
    return run.check_parameters(declared, run.parse_assignments(words, declared, "small") | values, "small")


def test_a_page_runs_by_hand_with_a_parameter_changed_and_says_how_far_it_is(notebook, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(run, "TELL_SECONDS", 0.0)
    notebook(new_code_cell("n * 2"),
             new_code_cell("import os\n[os.environ.get(k) for k in ('FERGAN_BOOK', 'MPLBACKEND', 'OMP_NUM_THREADS')]"),
             new_code_cell("from tqdm.auto import tqdm\nfor _ in tqdm(range(40), desc='steps'):\n    pass"),
             new_code_cell("get_ipython().kernel.log.error('KeyboardInterrupt caught in kernel')"))
    output = run_by_hand(PAGE, ["n=21"], tmp_path / "out" / "page.ipynb")
    texts = [out["data"]["text/plain"] for cell in nbformat.read(output, 4).cells for out in cell.get("outputs", ()) if "data" in out]
    assert "42" in texts and "[None, 'agg', '3']" in texts
    said = "".join(capfd.readouterr())
    assert "steps: 100% 40/40 [" in said and "caught in kernel" not in said, "a kernel that ends well logs no error"


def test_a_failing_cell_keeps_the_half_executed_copy_and_the_old_one(notebook, tmp_path):
    notebook(new_code_cell("print('so far')"), new_code_cell("1 / (n - n)"))
    output = tmp_path / "out" / "page.ipynb"
    output.parent.mkdir()
    output.write_text("the good one")
    with pytest.raises(NotebookError, match=r"ZeroDivisionError[\s\S]*page.failed.ipynb"):
        run_by_hand(PAGE, [], output)
    assert output.read_text() == "the good one"
    half = output.with_name("page.failed.ipynb").read_text()
    assert "so far" in half and "ZeroDivisionError" in half


def test_kernels_of_a_server_have_its_libraries_and_nothing_of_the_project_and_end_as_others_do(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pids = set()
    with serving(["colorsys"]) as kernels:
        monkeypatch.setenv(*kernels.popitem())
        for mark in ("one", "two"):
            monkeypatch.setenv("MARK", mark)
            notebook(new_code_cell(FORKED))
            found = nbformat.read(run_by_hand(PAGE, ["n=21"], tmp_path / "page.ipynb"), 4).cells[3].outputs[0]
            library, project, seen, pid, n = ast.literal_eval(found["data"]["text/plain"])
            assert (library, project, seen, n) == (True, False, mark, 21)
            pids.add(pid)
        for ending, fault in (("os._exit(3)", "its kernel died"), ("os.kill(os.getpid(), 9)", "its kernel died"),
                              ("os.kill(PAGE, 2); time.sleep(60)", "KeyboardInterrupt")):
            notebook(new_code_cell(f"import os, time\nPAGE = {os.getpid()}\n{ending}"))
            with pytest.raises(NotebookError, match=fault):
                run_by_hand(PAGE, [], tmp_path / "ended.ipynb")
        code = f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nos.kill({{page}}, 9)\nwhile True: pass"
        if (page := os.fork()) == 0:
            notebook(new_code_cell(code.format(page=os.getpid())))
            run_by_hand(PAGE, [], tmp_path / "killed.ipynb")
        os.waitpid(page, 0)
        pids.add(kernel := int((tmp_path / "pid").read_text()))
        until = time.monotonic() + 30
        while os.path.exists(f"/proc/{kernel}") and time.monotonic() < until:
            time.sleep(0.1)
    assert len(pids) == 3 and not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    notebook(new_code_cell(FORKED))  # the server has gone
    found = nbformat.read(run_by_hand(PAGE, ["n=21"], tmp_path / "page.ipynb"), 4).cells[3].outputs[0]
    assert found["data"]["text/plain"].startswith("(False, False, 'two'")


@pytest.mark.parametrize(("words", "fault"), [
    ("rat=0.1", "no parameter 'rat'; did you mean 'rate'?"), ("epoch=3", "no parameter 'epoch'; did you mean 'epochs'?"),
    ("n=2.5", "parameter n is 2.5 (float); expected int, for example 3"),
    ("n=two", "parameter n is 'two' (str); expected int"),
    ("n=True", "parameter n is True (bool); expected int"), ("flag=1", "parameter flag is 1 (int); expected bool"),
    ("epochs=0", "training.epochs is 0; input should be greater"),
    ("training.width", "'training.width' is not of the form name=value"),
])
def test_what_does_not_fit_is_refused_before_anything_runs(notebook, tmp_path, words, fault):
    notebook(new_code_cell(f"open({str(tmp_path / 'ran')!r}, 'w')"))
    with pytest.raises(NotebookError) as caught:
        run_by_hand(PAGE, [words], tmp_path / "out.ipynb")
    assert fault in str(caught.value) and not (tmp_path / "ran").exists() and not (tmp_path / "out.ipynb").exists()


def test_values_are_found_by_their_names_and_types_and_a_parameters_cell_holds_only_literals(notebook):
    notebook()
    given = checked("epochs=5", "n=2", "name=7", "rate=1", only="AU07")
    assert set(given["training"]) == set(SECTIONS["training"].model_fields)
    assert given["training"]["epochs"] == 5 and given["training"]["preset"] == "demo"
    assert given == {"training": given["training"], "n": 2, "name": "7", "rate": 1.0, "only": "AU07"}
    for source in ("n = [2 * 2]", "import os", "n ="):
        notebook(parameters=source)
        with pytest.raises(NotebookError, match="with plain assignments of literals"):
            checked()
    notebook(new_code_cell("n = 1", metadata={"tags": ["parameters"]}))
    with pytest.raises(NotebookError, match="2 cells tagged 'parameters'"):
        checked()


def shown(kind, **record):
    data = {"image/png": "iVBORw0="} if kind == "figure" else {"text/markdown": f"about {record['passage']}"}
    return new_output("display_data", data, metadata={"fergan": record})


def test_a_page_of_the_book_opens_with_its_answer_and_figures_have_cells_of_their_own():
    figures = [shown("figure", figure=label, caption="It.", alt="A line.") for label in ("fig-a", "fig-b")]
    cells = [new_markdown_cell("# Title\n\nA question?"), new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
             new_markdown_cell("## A section of nothing", metadata={"needs": "units"}),
             new_code_cell("train()", outputs=[new_output("stream", text="50 %", name="stderr")]),
             new_code_cell("draw()", metadata={"tags": ["remove-input"]}, outputs=[shown("text", passage="data-text"), *figures]),
             new_code_cell("speak()", outputs=[shown("text", passage="data-answer")])]
    results = {"a": {"seconds": 3.0, "differs": ["threads"], "kept": True}}
    executed = new_notebook(cells=cells, metadata={"fergan": {"results": results}, "widgets": {"state": 1}})
    publish(executed, PAGE, "# Faces of it\n\nStand-ins.", {"n": 1, "units": {}, "training": {"epochs": 3}}, 2.0)
    first, answer, parameters, train, text, one, two, made = executed.cells
    assert first.source.startswith("(data-small)=\n# Faces of it") and "A question?" in first.source and "# Title" not in first.source
    assert answer.outputs[0].metadata["fergan"]["passage"] == "data-answer"
    assert "remove-cell" in parameters.metadata.tags and not train.outputs and "widgets" not in executed.metadata
    assert text.source == "draw()" and [out.metadata["fergan"] for out in text.outputs] == [{"passage": "data-text"}]
    for cell, label in ((one, "fig-a"), (two, "fig-b")):
        assert cell.metadata["mystnb"] == {"figure": {"name": label, "caption": "It."}, "image": {"alt": "A line."}}
    assert "make run PAGE=01_data/small" in made.source and "| training.epochs | 3 |" in made.source
    assert "KEEP_RUNS=1" in made.source and "another threads than" in made.source
    assert run.passages_of(executed) == {"data-answer": "about data-answer", "data-text": "about data-text"}


def test_the_users_settings_reach_no_kernel_and_what_a_user_needs_does(monkeypatch):
    needed = {"CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "TMPDIR", "SLURM_JOB_ID", "FERGAN_INCEPTION", "OMP_NUM_THREADS"}
    for name in ("JUPYTER_PATH", "MPLBACKEND", "PYTHONSTARTUP", "IPYTHONDIR", "SNAKEMAKE_PROFILE", "MATPLOTLIBRC", *needed):
        monkeypatch.setenv(name, "kept" if name in needed else "theirs")
    monkeypatch.setenv("FERGAN_BOOK", "1")
    kernel = environment()
    assert "theirs" not in kernel.values() and "FERGAN_BOOK" not in kernel and environment(book=True)["FERGAN_BOOK"] == "1"
    assert {name for name, value in kernel.items() if value == "kept"} == needed
    assert kernel["PYTHONPATH"] == str(ROOT) and os.environ["JUPYTER_PATH"] == "theirs"


def test_a_page_is_found_by_its_id_and_one_that_stays_stale_is_an_error_and_no_endless_loop(monkeypatch, tmp_path):
    assert find_page(DEMO, "04_emotions/experiment-5") == find_page(DEMO, "04_emotions/experiment-5.ipynb")
    with pytest.raises(NotebookError, match="no page '04_emotion/experiment-5'; did you mean '04_emotions/experiment-5'"):
        find_page(DEMO, "04_emotion/experiment-5")
    with pytest.raises(NotebookError, match="no page 'xyz'; there are 00_one_page"):
        find_page(DEMO, "xyz")
    book, lines = Book(load_profile(ROOT / "profiles" / "quick.yaml")), []
    book.home = tmp_path
    monkeypatch.setattr(Book, "_run_workflow", lambda *_: lines.append("runs"))
    monkeypatch.setattr(fresh, "serving", lambda _: contextlib.nullcontext({}))
    with pytest.raises(NotebookError, match=r"stale again[\s\S]*07_results/results: it has not been made yet"):
        book.bring_up_to_date("1", lines.append)
    assert lines[0] == f"{len(DEMO)} of {len(DEMO)} pages to make:" and lines.count("runs") == 1


def test_a_cluster_is_used_where_it_is_named_alone_and_only_training_asks_for_a_gpu(monkeypatch, tmp_path):
    book, commands = Book(load_profile(ROOT / "profiles" / "quick.yaml")), []
    book.home = tmp_path
    monkeypatch.setattr(fresh.subprocess, "Popen", lambda command, env, **_: commands.append((" ".join(command), "SERVER" in env)))
    monkeypatch.setattr(fresh, "serving", lambda _: contextlib.nullcontext({"SERVER": "1"}))
    for cluster in ("", "profiles/slurm"):
        monkeypatch.setenv("FERGAN_WORKFLOW", cluster)
        with contextlib.suppress(TypeError):  # what was started is none
            book.bring_up_to_date("2", print)
        command, served = commands.pop()
        assert f"--profile none --workflow-profile {cluster or 'none'} " in command
        assert ("--cores 2" in command) == served == (not cluster)
    monkeypatch.setenv("FERGAN_WORKFLOW", "profiles/slrm")
    with pytest.raises(NotebookError, match="'profiles/slrm', which is no folder"):
        book.bring_up_to_date("2", print)
    rules = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())["set-resources"]
    assert set(rules) < {page.chapter for page in DEMO} and [rule for rule, needs in rules.items() if "gpu" in needs] == ["02_dcgan"]


@pytest.mark.parametrize("folder", ["faces #2", "Study 3: pilot", "a$b", "it's", ""])
def test_a_folder_may_have_any_name(folder):
    command = ["make", "-C", str(ROOT), "check-data", "READY=", "RUN=printf '%s\\n'"]
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")} | {"DATA": folder}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=surroundings).stdout.splitlines()
    assert said[said.index("--data") + 1] == folder


@pytest.mark.parametrize(("error", "words"), [
    (OSError(errno.EROFS, "Read-only file system", "/x"), "/x may not be written (read-only file system); make room"),
    (UserError("no"), "no"),
])
def test_what_a_user_can_mend_is_one_line(monkeypatch, error, words):
    monkeypatch.setattr(command_line, "locked", Mock(side_effect=error))
    monkeypatch.setattr("sys.argv", ["fergan", "prune", "--profile", "quick"])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_as_the_book_needs_it(path):
    """Opened by hand, each shows a page of the demo; its parameters' names, order, defaults and units are the schema's."""
    notebook = nbformat.read(path, 4)
    assert notebook.cells[0].source.startswith("# ") and notebook.cells[0].source.rstrip().endswith("?")
    for cell in notebook.cells:
        assert "{glue:" not in cell.source and "{{" not in cell.source
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            if not cell.metadata.get("tags"):  # the method, in sight
                assert max(map(len, cell.source.splitlines())) <= 80 and len(cell.source.splitlines()) <= 15, cell.source
    assert '"answer' in run.code_of(notebook)
    page = next(page for page in DEMO if page.notebook == path.stem)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert cell.source == run.parameter_cell(page.parameters), "run `python -m fergan write`"
    for name, value in notebook_parameters(notebook, path.name).items():
        if name in SECTIONS:
            assert list(value) == [field for field, said in SECTIONS[name].model_fields.items() if not said.exclude]
    # What it takes from the package is there: a wrong name would fail only after a training.
    tree, modules = ast.parse(run.code_of(notebook)), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fergan":
            module = importlib.import_module(node.module)
            for alias in node.names:
                with contextlib.suppress(ImportError):
                    modules[alias.asname or alias.name] = importlib.import_module(f"{node.module}.{alias.name}")
                assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    assert not [f"{n.value.id}.{n.attr}" for n in used if n.value.id in modules and not hasattr(modules[n.value.id], n.attr)]


def test_there_is_a_notebook_for_every_kind_of_page_and_every_page_fits_its_parameters():
    assert {path.stem for path in NOTEBOOKS} == {page.notebook for page in DEMO}
    assert {page.chapter for page in DEMO} == set(CHAPTERS)
    for profile, seeds in (("demo", []), ("quick", [0, 1])):
        for page in pages_of(load_profile(ROOT / "profiles" / f"{profile}.yaml").model_copy(update={"seeds": seeds})):
            declared = notebook_parameters(run.read_notebook(page.notebook), page.notebook)
            run.check_parameters(declared, page.parameters, page.notebook)


@pytest.fixture
def check(tmp_path):
    """A book whose notebooks have one figure each; its check, and the page that tests change."""
    html = tmp_path / "html"
    (html / "_images").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(html / "_images" / "one.png")
    for name in PAGES:
        for folder in (html, tmp_path):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (html / f"{name}.html").write_text(FIGURE if "executed" in name else "prose")
        if "executed" in name:
            cell = new_code_cell("", metadata={"mystnb": {"figure": {"name": "fig-one"}}})
            nbformat.write(new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    return lambda: check_book(PAGES, html, tmp_path), html / "book" / "executed" / "01_data" / "kdef.html"


def test_each_fault_of_a_page_is_found(check):
    run, page = check
    run()
    page.write_text(FIGURE + "x" * HEAVIEST)
    with pytest.raises(BookError, match="kdef.html weighs 1,500,.* bytes with its pictures; at most 1,500,000 are allowed"):
        run()
    page.write_text("")
    with pytest.raises(BookError, match="kdef.html holds 0 images; its notebook has 1 figures"):
        run()
    page.unlink()
    with pytest.raises(BookError, match="01_data/kdef.html is missing"):
        run()


def test_the_contents_are_the_demos_the_method_gives_the_range_that_is_searched_and_every_licence_is_said():
    text = " ".join((ROOT / "book" / "method.md").read_text().split())
    (low, high), (least, most) = COST_RANGE, GAMMA_SCALE_RANGE
    assert f"between {low:g} and {high:g}" in text and f"between {least:g} and {most:g} over the median squared distance" in text
    demo = load_profile(ROOT / "profiles" / "demo.yaml")
    assert yaml.safe_load((ROOT / "_toc.yml").read_text()) == table_of_contents(demo)
    text = licences()
    assert "| jinja2 | " in text and "not installed" not in text


def test_pages_offer_their_notebook_where_the_book_has_an_address(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh, "ROOT", tmp_path)
    book = fresh.Book(load_profile(ROOT / "profiles" / "quick.yaml"))

    def heading(settings):
        (tmp_path / "_config.yml").write_text(settings)
        return book.heading(book.pages["04_emotions/experiment-5"])

    assert "binder" not in heading("title: x\n")
    offered = heading("repository: {url: 'https://github.com/owner/name.git', branch: dev}\n")
    assert "mybinder.org/v2/gh/owner/name/dev?labpath=notebooks/04_emotions_experiment.ipynb)" in offered
    assert "colab.research.google.com/github/owner/name/blob/dev/notebooks/04_emotions_experiment.ipynb)" in offered
    with pytest.raises(fresh.NotebookError, match="repository.url is 'https://example.org'; expected https://github.com/"):
        heading("repository: {url: 'https://example.org'}\n")


def test_a_terminal_shows_what_is_made_what_runs_and_when_it_ends(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    told, before = [], {"a": 60.0, "b": 60.0, "c": 240.0}
    board = fresh._Board(before, told.append)
    for line in ("begun: a", "a: 120 s", "begun: b", "doing: b step 3 of 9", "fault: no disk"):  # a: twice as slow as before
        board.read(*line.split(": "))
    shown = capsys.readouterr().out
    assert told == ["  [1/3] a: 120 s"] and board.faults == ["no disk"]
    assert "now b step 3 of 9" in shown and "about 10 minutes are left" in shown
    assert set(fresh.reference_seconds("demo")) <= {page.id for page in DEMO}
    assert fresh.reference_seconds("own") == {}
