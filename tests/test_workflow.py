"""The whole way, at the smallest sizes: a book is built, and what only shows computes nothing."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from changed import SHOWING, computed, edited, make, plan
from conftest import environment, run_in

pytestmark = pytest.mark.book


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
