"""The study's widget in a real JupyterLab: its keys reach the buttons, and every answer its file."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fergan.human_study.answers import read_answers
from fergan.human_study.study import StudyConfig, design_study

ROOT = Path(__file__).parent.parent

WAIT = 300_000  # milliseconds; on an idle machine all takes five seconds

CELL = """
from pathlib import Path

from fergan.human_study.answers import StudyWidget
from fergan.human_study.study import Study

StudyWidget(Study.load(Path("study")), Path("answers.jsonl"), "anna", 0)
"""


@pytest.fixture
def lab(tmp_path, browser):
    """A server that shows a notebook with the study; its address."""
    rng = np.random.default_rng(0)
    generated, real = (rng.integers(low, low + 90, (20, 64, 64, 3), dtype=np.uint8) for low in (0, 150))
    design_study(generated, real, "pair", StudyConfig(n_trials=4, n_catch=0, exposure=300)).save(tmp_path / "study")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell(CELL)], metadata=kernel), tmp_path / "study.ipynb")
    places = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    words = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=t", f"--ServerApp.root_dir={tmp_path}",
             "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = tmp_path / "server.log"
    with open(log, "w") as file:
        server = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", *words], cwd=tmp_path, stdout=file, stderr=file,
                                  env=os.environ | places | {"PYTHONPATH": str(ROOT)})
    until = time.monotonic() + WAIT / 1000
    while not (found := re.search(r"http://127.0.0.1:[0-9]+/lab", log.read_text())):
        assert time.monotonic() < until and server.poll() is None, log.read_text()
        time.sleep(0.2)
    yield f"{found[0]}/tree/study.ipynb?token=t"
    server.terminate()
    server.wait(timeout=30)


def test_keys_answer_in_jupyterlab(lab, browser, tmp_path):
    page, path = browser.new_page(), tmp_path / "answers.jsonl"
    page.goto(lab)
    page.click(".jp-Notebook .jp-Cell .cm-content", timeout=WAIT)
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status='idle']", state="attached", timeout=WAIT)
    page.keyboard.press("Control+Enter")  # before the kernel is there it would be lost on a busy machine
    page.wait_for_selector(".fergan-study-left:not([disabled])", timeout=WAIT)
    page.keyboard.press("Escape")  # command mode, where F and J are JupyterLab's own
    until = time.monotonic() + WAIT / 1000
    for number, key in enumerate(("f", "j", "ArrowRight", "ArrowLeft")):
        page.wait_for_selector(f".study-face-{number}", state="attached")
        if number == 1:  # the faces are hidden by the browser itself
            page.wait_for_function("getComputedStyle(document.querySelector('.study-face-1')).visibility === 'hidden'")
        page.keyboard.press(key)
        while len(read_answers([path] if path.exists() else [])) <= number:
            assert time.monotonic() < until, f"no answer to trial {number}"
            time.sleep(0.05)
    page.wait_for_selector("text=Thank you: all trials are answered.")
    page.close()
    assert read_answers([path])["answer"].tolist() == ["left", "right", "right", "left"]
