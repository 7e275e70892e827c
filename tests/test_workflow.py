"""The whole way, at the smallest sizes: a book is built, and a change makes again only what depends on it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from conftest import environment, run_in

pytestmark = pytest.mark.book

BOOK = """
import json, sys
from fergan.book.checks import load_profile
from fergan.book.fresh import Book
def book(): return Book(load_profile("profiles/quick.yaml"))
"""
#: As `make book`, but for the HTML, whose making takes longer than that of a page.
PAGES = BOOK + "book().bring_up_to_date('all', print)"
PLAN = BOOK + "for _ in sys.stdin: print(json.dumps(book().plan()), flush=True)"
#: Why a page is made again whose results stay as they are.
SHOWING = ("its notebook", "what its cells", "its title")


@cache
def planner(root):
    """A process that answers each line with a plan: its imports take longer than its looking."""
    return subprocess.Popen([sys.executable, "-c", PLAN], cwd=root, env=environment(root), stdin=-1, stdout=-1, text=True)


def plan(root):
    """Return the pages that are stale -> why."""
    print(file=planner(root).stdin, flush=True)
    return json.loads(planner(root).stdout.readline())


def computing(root):
    """Return the stale pages whose results may change."""
    return {name for name, why in plan(root).items() if not why.startswith(SHOWING)}


def computed(root):
    """Return how often each result has been computed so far."""
    home = root / "artifacts" / "quick"
    return {str(log.parent.relative_to(home)): len(log.read_text().splitlines()) for log in home.glob("*/*/computed.log")}


def make(root, *, html=False):
    """Make the pages; return how many each pass made, and the results that were computed."""
    before = computed(root)
    done = run_in(root, *(("-m", "fergan", "book", "--profile", "quick") if html else ("-c", PAGES)))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    after = computed(root)
    passes = [int(n) for n in re.findall(r"^(\d+) of \d+ pages to make", done.stdout, re.M)]
    return passes, {name for name in after if after[name] != before.get(name)}


@contextmanager
def edited(path, old, new):
    """Change a file of the checkout for a moment."""
    before, stat = path.read_text(), path.stat()
    assert old in before, f"{old!r} is not in {path}"
    path.write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_book_has_its_pages_and_every_stage_its_results_and_what_is_unchanged_is_not_made_again(checkout):
    html = checkout / "_build" / "quick" / "_build" / "html"
    home = checkout / "artifacts" / "quick"
    n_pages = len(list((home / "pages").rglob("*.done")))
    assert len(list((html / "book" / "executed").rglob("*.html"))) == n_pages > 50 and (html / "index.html").is_file()
    found = {kind.name: len(list(kind.glob("*/current.json"))) for kind in home.iterdir() if kind.is_dir() and kind.name != "pages"}
    assert found == {"faces": 7, "models": 11, "features": 10, "difficulty": 1, "layers": 5, "emotions": 8, "label_efficiency": 4,
                     "transfer": 1, "action_units": 8, "single_unit": 1, "saliency": 1, "quality": 7, "mode_collapse": 10,
                     "snapshots": 2, "studies": 1, "human_study": 1, "networks": 1}
    assert set(computed(checkout).values()) == {1} and not list(home.rglob("*.pkl"))
    watched = [*(checkout / "artifacts").rglob("*.ipynb"), *(checkout / "_build").rglob("*.html")]
    before = [path.stat().st_mtime_ns for path in watched]
    assert make(checkout, html=True) == ([], set())
    assert [path.stat().st_mtime_ns for path in watched] == before


@pytest.mark.parametrize(("path", "old", "new", "page"), [
    ("notebooks/04_emotions_experiment.ipynb", "## ", "## So ", "04_emotions/experiment-1"),
    ("fergan/book/plots.py", "linewidth=1.4", "linewidth=1.5", "04_emotions/experiment-1"),
    ("fergan/book/templates/emotions_experiment.md.j2", "In short", "In brief", "04_emotions/experiment-1"),
    ("fergan/svm/kernels.py", '"""', '"""More. ', None), ("book/intro.md", "\n", "\nMore.\n", None),
])
def test_what_only_shows_computes_nothing(checkout, path, old, new, page):
    with (edited(checkout / path, old, new), edited(checkout / "fergan/experiments/saliency.py", '"""', '"""Maps. '),
          edited(checkout / "fergan/book/chapters/emotions.py", "import pandas as pd", "import pandas as pd\nUNUSED = 1")):
        stale = plan(checkout)
        assert all(why.startswith(SHOWING) for why in stale.values()) and (page in stale if page else stale == {})


def test_a_changed_word_makes_its_page_only_and_the_prose_that_includes_it(checkout):
    template = checkout / "fergan" / "book" / "templates" / "claims.md.j2"
    prose = checkout / "_build" / "quick" / "_build" / "html" / "book" / "intro.html"
    with edited(template, "- Its features carry emotions", "- Its features, so many, carry emotions"):
        assert make(checkout, html=True) == ([1], set()) and "so many" in prose.read_text()
    assert make(checkout) == ([1], set())


def test_values_and_back_and_results_that_are_deleted_or_truncated(checkout):
    """Only what depends on them is made, pass by pass; equal faces retrain nothing; changed back, nothing is computed."""
    profile, home = checkout / "profiles" / "quick.yaml", checkout / "artifacts" / "quick"
    with edited(profile, "  epochs: 3", "  epochs: 4"):
        assert {name.split("/")[0] for name in computing(checkout)} == {"02_dcgan"}
    (unit,), (saliency,) = home.glob("single_unit/*/*/scores.json"), home.glob("saliency/*/*/checks.json")
    content = saliency.read_bytes()
    with (edited(profile, "n_evaluations: 3\n\naction_units", "n_evaluations: 4\n\naction_units"),
          edited(profile, "n_faces: 96, detector: mtcnn}", "n_faces: 96, detector: mtcnn, padding: 0.5}")):  # none needs it
        assert computing(checkout) == {"04c_transfer/matrix", "01_data/celeba"}
        unit.unlink()
        saliency.write_bytes(content[:-5])
        passes, results = make(checkout)
        assert results == {"transfer/matrix", "faces/celeba", "single_unit/enhanced-ck-au07", "saliency/experiment-1"}
        assert len(passes) > 1 and sum(passes) < 12 and saliency.read_bytes() == content and unit.is_file()
    assert make(checkout)[1] == set()


@pytest.mark.parametrize(("path", "old", "new", "chapter"), [
    ("fergan/experiments/saliency.py", "    write_json(", "    assert folder\n    write_json(", "05_action_units"),
    ("fergan/quality/judge.py", "    write_json(", "    assert folder\n    write_json(", "06_quality"),
    ("fergan/data/cropping.py", "    write_json(", "    assert folder\n    write_json(", "01_data"),
    ("fergan/paper/claims.csv", "A1,", "A1 ,", ""),
])
def test_computing_code_makes_its_stages_anew(checkout, path, old, new, chapter):
    """A line of code counts for the stages that use it, and for no others."""
    with edited(checkout / path, old, new):
        stale = computing(checkout)
        assert {name.split("/")[0] for name in stale} == {chapter} - {""} and (len(stale) == 7 or chapter != "01_data")


def test_a_failing_page_is_one_fault_at_the_end_and_the_same_command_goes_on(checkout):
    with edited(checkout / "notebooks" / "07c_groups.ipynb", "use_style()", "use_style(1)"):
        done = run_in(checkout, "-m", "fergan", "book", "--profile", "quick")
        *_, fault, where, last = done.stderr.strip().splitlines()
        assert done.returncode == 1 and fault.startswith("07c_groups.ipynb failed in cell") and "TypeError" in fault
        assert "people.failed.ipynb" in where and "goes on from there" in last and "Error in rule" not in done.stdout + done.stderr
    assert make(checkout) in (([], set()), ([1], set()))


def test_an_interrupted_training_leaves_a_checkpoint_and_goes_on(checkout):
    words = ["-m", "fergan", "run", "02_dcgan/sfew", "epochs=4000", "checkpoint_seconds=2.0", "--profile", "quick",
             "--output", str(checkout / "interrupted.ipynb")]
    options = dict(cwd=checkout, env=environment(checkout), stderr=subprocess.PIPE, text=True)
    process = subprocess.Popen([sys.executable, *words], **options)
    models = checkout / "artifacts" / "quick" / "models" / "sfew"
    until = time.monotonic() + 240
    while not list(models.glob("*/checkpoint.safetensors")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "KeyboardInterrupt" in errors, errors
    assert "interrupted.failed.ipynb" in errors and (checkout / "interrupted.failed.ipynb").is_file()
    (checkpoint,) = models.glob("*/checkpoint.safetensors")
    assert not (checkpoint.parent / "finished.json").exists()


def test_plain_papermill_computes_an_experiment_and_says_what_it_misses(checkout):
    before = computed(checkout)["emotions/experiment-1"]
    words = ["-m", "papermill", "notebooks/04_emotions_experiment.ipynb", "out.ipynb", "-p", "artifacts"]
    changed = "{emotions: {baselines: [hog], n_folds: 3, inner_folds: 3, n_evaluations: 3, nested_evaluations: 4, n_permutations: 0}}"
    done = run_in(checkout, *words, "artifacts/quick", "-y", changed)
    assert done.returncode == 0, done.stderr[-3000:]
    assert computed(checkout)["emotions/experiment-1"] == before + 1
    text = (checkout / "out.ipynb").read_text()
    assert "In short" in text and not re.search(r"\{(glue|numref|cite)", json.dumps([
        output for cell in json.loads(text)["cells"] for output in cell.get("outputs", ())]))
    done = run_in(checkout, *words, "artifacts/none")
    assert re.search(rf"{checkout}/artifacts/none/\S+ holds no finished result yet; PROFILE=none make book makes it", done.stderr)
    assert plan(checkout) == {}


def test_a_generator_trained_by_several_processes_is_found_by_its_page(checkout):
    """Change a value, train with two processes, and let the page run: it shows that run and trains nothing."""
    with edited(checkout / "profiles" / "quick.yaml", "  epochs: 3", "  epochs: 2"):
        done = run_in(checkout, "-m", "fergan", "train", "sfew", "--profile", "quick", "--devices", "2")
        assert done.returncode == 0, done.stderr
        finished = json.loads((Path(done.stdout.split()[-1]) / "finished.json").read_text())
        assert finished["processes"] == 2 and finished["steps"] > 0
        before = computed(checkout)["models/sfew"]
        shown = run_in(checkout, "-m", "fergan", "run", "02_dcgan/sfew", "--profile", "quick")
        assert shown.returncode == 0, shown.stderr
        assert computed(checkout)["models/sfew"] == before


def test_one_page_with_a_value_changed_leaves_the_book_as_it_is_and_prune_deletes_its_result(checkout):
    done = run_in(checkout, "-m", "fergan", "run", "04_emotions/experiment-5", "n_folds=4", "--profile", "quick")
    assert done.returncode == 0, done.stderr
    assert (checkout / "artifacts" / "runs" / "04_emotions" / "experiment-5.ipynb").is_file() and plan(checkout) == {}
    done = run_in(checkout, "-m", "fergan", "prune", "--profile", "quick")
    assert done.returncode == 0 and "deleted emotions/experiment-5/" in done.stdout
    home = checkout / "artifacts" / "quick"
    assert all(len(list(folder.parent.glob("*/stamp.json"))) == 1 for folder in home.glob("*/*/current.json"))
    assert plan(checkout) == {}
