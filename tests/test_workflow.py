"""The whole way, at the smallest sizes: a book is built, and a change makes again only what depends on it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import environment, run_in

pytestmark = pytest.mark.book

PLAN = """
import json, sys
from fergan.book.checks import load_profile
from fergan.book.fresh import Book
book = Book(load_profile("profiles/quick.yaml"))
print(json.dumps({name: book.why_stale(book.pages[name]) if not why.startswith("after") else [why, None] for name, why in book.plan().items()}))
"""


def plan(root):
    """Return the pages that would be made or checked -> whether their results may change; None: after one of those."""
    done = run_in(root, "-c", PLAN)
    assert done.returncode == 0, done.stderr
    return {name: results for name, (_, results) in json.loads(done.stdout).items()}


def computed(root):
    """Return how often each result has been computed so far."""
    home = root / "artifacts" / "quick"
    return {str(log.parent.relative_to(home)): len(log.read_text().splitlines()) for log in home.glob("*/*/computed.log")}


def make(root, profile="quick"):
    done = run_in(root, "-m", "fergan", "book", "--profile", profile)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done


class Edited:
    """Change a file of the checkout for a moment."""

    def __init__(self, path, old, new):
        self.path, self.old, self.new = path, old, new

    def __enter__(self):
        self.before, self.stat = self.path.read_text(), self.path.stat()
        assert self.old in self.before, f"{self.old!r} is not in {self.path}"
        self.path.write_text(self.before.replace(self.old, self.new, 1))

    def __exit__(self, *_):
        self.path.write_text(self.before)
        os.utime(self.path, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


def test_the_book_has_its_pages_and_every_stage_its_results(checkout):
    html = checkout / "_build" / "quick" / "_build" / "html"
    assert (html / "index.html").is_file()
    home = checkout / "artifacts" / "quick"
    n_pages = len(list((home / "pages").rglob("*.done")))
    assert len(list((html / "book" / "executed").rglob("*.html"))) == n_pages > 70
    found = {kind.name: len(list(kind.glob("*/current.json"))) for kind in home.iterdir() if kind.is_dir() and kind.name != "pages"}
    assert found == {"faces": 7, "models": 13, "features": 10, "difficulty": 1, "layers": 5, "emotions": 8, "label_efficiency": 4,
                     "transfer": 1, "action_units": 8, "single_unit": 1, "saliency": 1, "quality": 8, "mode_collapse": 12,
                     "studies": 1, "human_study": 1}
    assert set(computed(checkout).values()) == {1}
    assert not list(home.rglob("*.pkl"))


def test_nothing_changed_makes_and_builds_nothing(checkout):
    watched = [*(checkout / "artifacts").rglob("*.ipynb"), *(checkout / "_build").rglob("*.html")]
    before = [path.stat().st_mtime_ns for path in watched]
    assert plan(checkout) == {}
    make(checkout)
    assert [path.stat().st_mtime_ns for path in watched] == before


def edits(root):
    """Yield file, old text, new text, and a page that shows it: edits that compute nothing."""
    chapters = root / "fergan" / "book" / "chapters"
    yield root / "notebooks" / "04_emotions_experiment.ipynb", "## ", "## So ", "04_emotions/experiment-1"
    yield root / "fergan" / "book" / "plots.py", "linewidth=1.4", "linewidth=1.5", "04_emotions/experiment-1"
    yield root / "fergan" / "book" / "templates" / "emotions_experiment.md.j2", "In short", "In brief", "04_emotions/experiment-1"
    yield chapters / "emotions.py", "import pandas as pd", "import pandas as pd\nUNUSED = 1", None
    yield root / "fergan" / "svm" / "kernels.py", '"""', '"""More. ', None


def test_what_only_shows_computes_nothing(checkout):
    for path, old, new, page in edits(checkout):
        with Edited(path, old, new):
            found = plan(checkout)
            assert not any(found.values()) and None not in found.values(), (path.name, found)
            assert page is None or page in found, path.name
    with Edited(checkout / "book" / "intro.md", "\n", "\nMore.\n"):
        assert plan(checkout) == {}


def test_a_changed_word_makes_its_pages_only_and_computes_nothing(checkout):
    before = computed(checkout)
    page = checkout / "artifacts" / "quick" / "pages" / "03b_layers" / "layers.ipynb"
    others = {path: path.stat().st_mtime_ns for path in (checkout / "artifacts").rglob("*.ipynb") if path != page}
    old = page.stat().st_mtime_ns
    with Edited(checkout / "notebooks" / "03b_layers.ipynb", "## ", "## So: "):
        make(checkout)
        assert page.stat().st_mtime_ns > old and "So: " in page.read_text()
        assert {path: path.stat().st_mtime_ns for path in others} == others
    make(checkout)
    assert computed(checkout) == before


def test_a_value_of_one_set_and_back(checkout):
    """Only what depends on it is made; changed back, nothing is computed."""
    with Edited(checkout / "profiles" / "quick.yaml", "  epochs: 3", "  epochs: 4"):
        assert plan(checkout)["02_dcgan/sfew"] is True
    before = computed(checkout)
    with Edited(checkout / "profiles" / "quick.yaml", "  n_evaluations: 3\n  nested_evaluations: 3", "  n_evaluations: 4\n  nested_evaluations: 3"):
        found = plan(checkout)
        assert {name for name, results in found.items() if results} == {f"04_emotions/experiment-{n}" for n in range(1, 9)}
        assert not any(name.startswith(("01_", "02_", "03_", "05_", "06_")) for name in found)
        make(checkout)
    after = computed(checkout)
    assert {name for name in after if after[name] != before[name]} <= {f"emotions/experiment-{n}" for n in range(1, 9)} | {"transfer/matrix"}
    make(checkout)
    assert computed(checkout) == after


def test_computing_code_and_tables_make_their_stages_anew(checkout):
    """A line of code, and a CSV file that code reads, count for the stages that use them, and for no others."""
    for path, old, new, kinds in (
        ("fergan/experiments/saliency.py", '"""', '"""Maps. ', set()),
        ("fergan/experiments/saliency.py", "    write_json(", "    assert folder\n    write_json(", {"05c_saliency"}),
        ("fergan/quality/judge.py", "    write_json(", "    assert folder\n    write_json(", {"06_quality"}),
        ("fergan/paper/claims.csv", "A1,", "A1 ,", set()),
    ):
        with Edited(checkout / path, old, new):
            assert {name.split("/")[0] for name, results in plan(checkout).items() if results} == kinds, path


def test_equal_faces_retrain_nothing(checkout):
    """The code that crops changes, the crops do not: they are made again, and nothing after them is."""
    before = computed(checkout)
    with Edited(checkout / "fergan" / "data" / "cropping.py", "    write_json(", "    assert folder\n    write_json("):
        found = plan(checkout)
        assert {name for name, results in found.items() if results} == {
            f"01_data/{path.name}" for path in (checkout / "artifacts" / "quick" / "faces").iterdir()}
        make(checkout)
        after = computed(checkout)
        assert {name for name in after if after[name] != before[name]} == {name for name in after if name.startswith("faces/")}
    make(checkout)
    assert computed(checkout) == after


def test_a_deleted_and_a_truncated_result_are_made_again(checkout):
    home = checkout / "artifacts" / "quick"
    before = computed(checkout)
    (unit,), (saliency,) = home.glob("single_unit/*/*/scores.json"), home.glob("saliency/*/*/checks.json")
    content = saliency.read_bytes()
    unit.unlink()
    saliency.write_bytes(content[:-5])
    make(checkout)
    after = computed(checkout)
    assert {name for name in after if after[name] != before[name]} == {"single_unit/enhanced-ck-au07", "saliency/experiment-1"}
    assert saliency.read_bytes() == content and unit.is_file()


def test_an_interrupted_training_leaves_a_checkpoint_and_goes_on(checkout):
    words = ["-m", "fergan", "run", "02_dcgan/sfew", "epochs=4000", "checkpoint_seconds=2.0", "--profile", "quick",
             "--output", str(checkout / "interrupted.ipynb")]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=checkout, env=environment(checkout), stderr=subprocess.PIPE, text=True
    )
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


def test_plain_papermill_computes_an_experiment(checkout):
    before = computed(checkout)["emotions/experiment-1"]
    words = ["-m", "papermill", "notebooks/04_emotions_experiment.ipynb", "out.ipynb", "-p", "artifacts", "artifacts/quick",
             "-y", "{emotions: {baselines: [hog], n_folds: 3, inner_folds: 3, n_evaluations: 3, nested_evaluations: 4, n_resamples: 100, n_permutations: 0}}"]
    done = run_in(checkout, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert computed(checkout)["emotions/experiment-1"] == before + 1
    text = (checkout / "out.ipynb").read_text()
    assert "In short" in text and not re.search(r"\{(glue|numref|cite)", json.dumps([
        output for cell in json.loads(text)["cells"] for output in cell.get("outputs", ())]))
    assert plan(checkout) == {}


def test_one_page_with_a_value_changed_leaves_the_book_as_it_is(checkout):
    done = run_in(checkout, "-m", "fergan", "run", "04_emotions/experiment-5", "n_folds=4", "--profile", "quick")
    assert done.returncode == 0, done.stderr
    assert (checkout / "artifacts" / "runs" / "04_emotions" / "experiment-5.ipynb").is_file()
    assert plan(checkout) == {}


def test_a_generator_trained_by_several_processes_is_found_by_its_page(checkout):
    """Change a value, train with two processes, and let the page run: it shows that run and trains nothing."""
    with Edited(checkout / "profiles" / "quick.yaml", "  epochs: 3", "  epochs: 2"):
        done = run_in(checkout, "-m", "fergan", "train", "sfew", "--profile", "quick", "--devices", "2")
        assert done.returncode == 0, done.stderr
        folder = Path(done.stdout.split()[-1])
        finished = json.loads((folder / "finished.json").read_text())
        assert finished["processes"] == 2 and finished["steps"] > 0
        before = computed(checkout)["models/sfew"]
        shown = run_in(checkout, "-m", "fergan", "run", "02_dcgan/sfew", "--profile", "quick")
        assert shown.returncode == 0, shown.stderr
        assert computed(checkout)["models/sfew"] == before


def test_prune_deletes_what_the_book_does_not_use(checkout):
    home = checkout / "artifacts" / "quick"
    done = run_in(checkout, "-m", "fergan", "prune", "--profile", "quick")
    assert done.returncode == 0 and "deleted emotions/experiment-5/" in done.stdout
    assert all(len(list(folder.parent.glob("*/stamp.json"))) == 1 for folder in home.glob("*/*/current.json"))
    assert plan(checkout) == {}


def test_a_second_run_is_refused_while_one_is_writing(checkout):
    import fcntl

    with open(checkout / "artifacts" / "quick" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_in(checkout, "-m", "fergan", "book", "--profile", "quick")
    assert done.returncode == 1 and "another run is still writing" in done.stderr


def test_a_faulty_profile_is_one_line_and_nothing_runs(checkout):
    for old, new, words in (("  epochs: 3", "  epoch: 3", "training.epoch is not a known key; did you mean 'epochs'?"),
                            ("quality:\n", "seed: 1\nquality:\n", "seed is given twice, in lines")):
        with Edited(checkout / "profiles" / "quick.yaml", old, new):
            done = run_in(checkout, "-m", "fergan", "book", "--profile", "quick")
        assert done.returncode == 1 and words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
