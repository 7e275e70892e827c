# The workflow: one rule per notebook. Which pages there are, and what each waits for, stands in fergan/pages.py.
#
#   snakemake --cores all --config profile=demo [data=/folder/of/photographs]
#
# A page runs again when its parameters, its notebook, a module that it imports or an earlier stage's result changes.

import json
import os
import sys
from pathlib import Path

from fergan.data import open_photographs, state_of
from fergan.book.notebooks import imported_modules
from fergan.book.network_pages import cropping_threads
from fergan.book.page import STAMPS, stage_name
from fergan.book.pages import pages_of
from fergan.book.profiles import load_profile

PROFILE = load_profile(Path("profiles") / f"{config.get('profile', 'demo')}.yaml", data=str(config.get("data", "")))
HOME = f"artifacts/{PROFILE.name}"
PAGES = {(page.notebook, page.name): page for page in pages_of(PROFILE)}

# Photographs are watched by names, sizes, times of change and labels: an exchanged picture or an edited table crops anew.
PHOTOGRAPHS = {
    name: state_of(open_photographs(
        name, dataset.source, folder=PROFILE.dataset_folder(name), csv=dataset.csv, variant=dataset.variant
    ))
    for name, dataset in PROFILE.datasets.items()
    if dataset.source != "rendered"
}

wildcard_constraints:
    page=r"(?!summary\b)[a-z0-9-]+",
    notebook=r"[0-9a-z_]+",


def code(notebook):
    """The notebook and every module it imports."""
    return [f"notebooks/{notebook}.ipynb", *(str(Path(m).relative_to(Path.cwd())) for m in imported_modules(f"notebooks/{notebook}.ipynb"))]


def stages(notebook):
    """The stamps of earlier stages that a page waits for."""
    return lambda wildcards: [f"{HOME}/{stamp}" for stamp in PAGES[notebook, wildcards.page].inputs]


def page_words(notebook):
    """What the page is called and made with, as words for the shell."""
    def words(wildcards):
        page = PAGES[notebook or wildcards.notebook, getattr(wildcards, "page", "summary")]
        notes = [word for note in page.notes for word in ("--note", *note)]
        return ["--page", page.label, "--title", page.title, *notes, "--parameters", json.dumps(page.parameters)]
    return words


def photographs(notebook):
    """What a page of faces, or of raters' answers, must also watch; for the others a constant."""
    def state(wildcards):
        if notebook == "06c_human_study":
            files = sorted(Path(HOME, "results", "human_study", wildcards.page, "answers").glob("*"))
            return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        return PHOTOGRAPHS.get(wildcards.page, "rendered") if notebook == "01_data" else ""
    return state


# Freed memory is kept for the next image or batch: asking the system for it anew each time costs rendering a fifth.
MEMORY = "MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=2000000000"
os.environ.setdefault("FERGAN_PYTHON", sys.executable)
RUN = (
    f'OMP_NUM_THREADS={{threads}} {MEMORY} "$FERGAN_PYTHON" -m fergan run {{input.code[0]}} --output {{output.page}} '
    f"--lock {HOME}/.jobs {{params.words:q}}"
)
RUN_AFTER = RUN + " --stages {input.stages}"


rule book:
    default_target: True
    input:
        [f"{HOME}/pages/{page.path}" for page in PAGES.values()],


rule rendered:
    input: code=code("00_faces")
    output: page=f"{HOME}/pages/00_faces/{{page}}.ipynb"
    params: words=page_words("00_faces")
    shell: RUN


def page_threads(notebook):
    """Processor threads of a page; what crops photographs may use those that no training holds."""
    def count(wildcards):
        if notebook == "01_data":
            return cropping_threads(PROFILE, wildcards.page, workflow.cores)
        return PAGES[notebook, wildcards.page].threads
    return count


# A page of many threads must not wait until trainings leave them free; the longest stage starts as soon as its faces are there.
PRIORITIES = {"01_data": 20 if PHOTOGRAPHS else 0, "02_dcgan": 10}

for notebook in dict.fromkeys(page.notebook for page in PAGES.values() if page.stamp):

    rule:
        name: stage_name(notebook)
        input: code=code(notebook), stages=stages(notebook)
        output: page=f"{HOME}/pages/{notebook}/{{page}}.ipynb", stamp=f"{HOME}/{STAMPS[notebook]}"
        params: words=page_words(notebook), photographs=photographs(notebook)
        threads: page_threads(notebook)
        priority: PRIORITIES.get(notebook, 0)
        shell: RUN_AFTER


rule summary:
    input: code=lambda w: code(w.notebook), stages=lambda w: [f"{HOME}/{s}" for s in PAGES[w.notebook, "summary"].inputs]
    output: page=f"{HOME}/pages/{{notebook}}/summary.ipynb"
    params: words=page_words("")
    shell: RUN_AFTER


# Pages that look at results and leave none of their own.
LOOKING = sorted({page.notebook for page in PAGES.values() if not page.stamp and page.name != "summary"} - {"00_faces"})


rule results:
    input: code=lambda w: code(w.notebook), stages=lambda w: [f"{HOME}/{s}" for s in PAGES[w.notebook, w.page].inputs]
    output: page=f"{HOME}/pages/{{notebook,{'|'.join(LOOKING)}}}/{{page}}.ipynb"
    params: words=page_words("")
    shell: RUN_AFTER
