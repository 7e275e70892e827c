"""The whole way, at the smallest sizes: a book is built, and a change runs again only what depends on it."""

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

from fergan.book.pages import pages_of
from fergan.book.profiles import load_profile

pytestmark = pytest.mark.book


def would_run(root):
    """Return the jobs that Snakemake would run, as "rule page"."""
    done = run_in(root, "-m", "snakemake", "-n", "--cores", "2", "--nolock", "--config", "profile=quick")
    assert done.returncode == 0, done.stderr
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", done.stdout + done.stderr, flags=re.M)
    found = set()
    for rule, text in jobs:
        wildcards = re.search(r"wildcards: (.*)", text)
        name = ", ".join(re.findall(r"=([^,\s]+)", wildcards.group(1))) if wildcards else ""
        found.add(f"{rule} {name}".strip())
    return found - {"book"}


class Edited:
    """Change a file of the checkout for a moment."""

    def __init__(self, path, change):
        self.path, self.change = path, change

    def __enter__(self):
        self.before, self.stat = self.path.read_text(), self.path.stat()
        changed = self.change(self.before)
        assert changed != self.before
        self.path.write_text(changed)

    def __exit__(self, *_):
        self.path.write_text(self.before)
        os.utime(self.path, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


def test_the_book_has_its_pages_and_every_stage_left_its_results(checkout):
    html = checkout / "_build" / "quick" / "_build" / "html"
    assert (html / "index.html").is_file()
    profile = load_profile(checkout / "profiles" / "quick.yaml")
    assert len(list((html / "book" / "executed").rglob("*.html"))) == len(pages_of(profile))
    home = checkout / "artifacts" / "quick"
    assert len(list(home.glob("faces/*/faceset.json"))) == 7
    assert len(list(home.glob("models/*/*/finished.json"))) == 7 + len(profile.further_models)
    assert len(list(home.glob("features/*/X.npy"))) == 10
    assert len(list(home.glob("results/emotions/*/scores.json"))) == 8
    assert len(list(home.glob("results/label_efficiency/*/scores.json"))) == 4
    assert len(list(home.glob("results/transfer/*/scores.json"))) == 1
    assert len(list(home.glob("results/action_units/*/scores.json"))) == 8
    assert len(list(home.glob("results/single_unit/*/scores.json"))) == len(list(home.glob("results/saliency/*/scores.json"))) == 1
    assert len(list(home.glob("results/quality/*/scores.json"))) == 8 and len(list(home.glob("results/human_study/*/scores.json"))) == 1
    assert not list(home.rglob("*.pkl"))


def test_nothing_changed_executes_and_builds_nothing(checkout):
    watched = [*(checkout / "artifacts").rglob("*.ipynb"), *(checkout / "_build").rglob("*.html")]
    before = [path.stat().st_mtime_ns for path in watched]
    assert would_run(checkout) == set()
    assert run_in(checkout, "-m", "fergan", "book", "--profile", "quick").returncode == 0
    assert [path.stat().st_mtime_ns for path in watched] == before


def test_prose_executes_nothing(checkout):
    with Edited(checkout / "book" / "intro.md", lambda text: text + "\nMore.\n"):
        assert would_run(checkout) == set()


def test_a_value_of_one_set_runs_only_what_depends_on_it(checkout):
    with Edited(checkout / "profiles" / "quick.yaml", lambda text: text.replace("n_faces: 140", "n_faces: 154")):
        assert would_run(checkout) == {
            "data kdef", "dcgan kdef", "features kdef-on-kdef", "emotions experiment-7", "quality kdef", "summary 01_data",
            "summary 02_dcgan", "summary 03_features", "summary 04_emotions", "summary 06_quality", "transfer matrix",
            "label_efficiency kdef", "summary 04b_label_efficiency", "layers layers", "mode_collapse generators",
            "results 07_results, results", "results 07b_claims, verdicts", "results 07c_groups, people",
            "rendered rendered",  # whose table has the size of each set
        }


def test_a_value_of_the_search_trains_nothing(checkout):
    with Edited(checkout / "profiles" / "quick.yaml", lambda text: text.replace("  n_evaluations: 3", "  n_evaluations: 4", 1)):
        jobs = would_run(checkout)
        assert jobs == {f"emotions experiment-{n}" for n in range(1, 9)} | {
            "summary 04_emotions", "transfer matrix",  # the matrix reads cells from the experiments
            "results 07_results, results", "results 07b_claims, verdicts", "results 07c_groups, people"}


def test_a_module_runs_only_the_stages_that_import_it(checkout):
    with Edited(checkout / "fergan" / "action_units.py", lambda text: text + "\n# more\n"):
        assert would_run(checkout) == {f"action_units experiment-{n}" for n in range(1, 9)} | {
            "summary 05_action_units", "saliency experiment-1", "results 07_results, results", "results 07b_claims, verdicts"}
    with Edited(checkout / "fergan" / "quality" / "judge.py", lambda text: text + "\n# more\n"):
        assert {job.split()[0] for job in would_run(checkout)} == {"quality", "summary", "results"}


def test_an_interrupted_training_leaves_a_checkpoint_and_goes_on(checkout):
    words = ["-m", "fergan", "run", "02_dcgan", "artifacts=../artifacts/quick", "dataset=sfew", "model=sfew", "width=8", "batch_size=32",
             "epochs=4000", "checkpoint_seconds=2.0", "--output", str(checkout / "interrupted.ipynb")]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=checkout, env=environment(checkout), stderr=subprocess.PIPE, text=True
    )
    models = checkout / "artifacts" / "quick" / "models" / "sfew"
    until = time.monotonic() + 120
    while not list(models.glob("*/checkpoint.safetensors")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "KeyboardInterrupt" in errors, errors
    assert "interrupted.failed.ipynb" in errors and (checkout / "interrupted.failed.ipynb").is_file()
    (checkpoint,) = models.glob("*/checkpoint.safetensors")
    assert not (checkpoint.parent / "finished.json").exists()


def test_a_generator_trained_by_several_processes_is_found_by_its_page(checkout):
    """Change a value, train with two processes, and let the page run: it shows that run and trains nothing."""
    with Edited(checkout / "profiles" / "quick.yaml", lambda text: text.replace("  epochs: 3", "  epochs: 2")):
        done = run_in(checkout, "-m", "fergan", "train", "sfew", "--profile", "quick", "--devices", "2")
        assert done.returncode == 0, done.stderr
        folder = Path(done.stdout.split()[-1])
        finished = json.loads((folder / "finished.json").read_text())
        assert finished["processes"] == 2 and finished["steps"] > 0
        page = next(page for page in pages_of(load_profile(checkout / "profiles" / "quick.yaml"))
                    if (page.notebook, page.name) == ("02_dcgan", "sfew"))
        shown = run_in(checkout, "-m", "fergan", "run", "02_dcgan", "--parameters",
                    json.dumps(page.parameters | {"output": str(checkout / "shown")}), "--output", str(checkout / "shown.ipynb"))
        assert shown.returncode == 0, shown.stderr
    stamp = json.loads((checkout / "shown" / "models" / "sfew" / "run.json").read_text())
    assert stamp["folder"] == folder.name and json.loads((folder / "finished.json").read_text()) == finished


def test_a_second_run_is_refused_while_one_is_writing(checkout):
    import fcntl

    with open(checkout / "artifacts" / "quick" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_in(checkout, "-m", "fergan", "book", "--profile", "quick")
    assert done.returncode == 1 and "another run is still writing" in done.stderr


def test_a_faulty_profile_is_one_line_and_nothing_runs(checkout):
    with Edited(checkout / "profiles" / "quick.yaml", lambda text: text.replace("  epochs: 3", "  epoch: 3")):
        done = run_in(checkout, "-m", "fergan", "book", "--profile", "quick")
    assert done.returncode == 1
    assert "training.epoch is not a known key; did you mean 'epochs'?" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
