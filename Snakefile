# The workflow: one rule per notebook. Which pages there are, and what each waits for, stands in fergan/pages.py.
#
#   snakemake --cores all --config profile=demo [data=/folder/of/photographs]
#
# A page runs again when its parameters, its notebook, a module that it imports or an earlier stage's result changes.

import json
import os
import sys
from pathlib import Path

from fergan.datasets import open_photographs, state_of
from fergan.notebooks import imported_modules
from fergan.pages import cropping_threads, pages_of
from fergan.profiles import load_profile

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


# Freed memory is kept for the next image or batch: asking the system for it anew each time costs rendering a fifth.
MEMORY = "MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=2000000000"
os.environ.setdefault("FERGAN_PYTHON", sys.executable)
RUN = (
    f'OMP_NUM_THREADS={{threads}} {MEMORY} "$FERGAN_PYTHON" -m fergan run {{input.code[0]}} --output {{output.page}} '
    f"--lock {HOME}/.jobs {{params.words:q}}"
)


rule book:
    default_target: True
    input:
        [f"{HOME}/pages/{page.path}" for page in PAGES.values()],


rule rendered:
    input: code=code("00_faces")
    output: page=f"{HOME}/pages/00_faces/{{page}}.ipynb"
    params: words=page_words("00_faces")
    shell: RUN


rule data:
    input: code=code("01_data"), stages=stages("01_data")
    output: page=f"{HOME}/pages/01_data/{{page}}.ipynb", stamp=f"{HOME}/faces/{{page}}/faceset.json"
    params: words=page_words("01_data"), photographs=lambda wildcards: PHOTOGRAPHS.get(wildcards.page, "rendered")
    threads: lambda wildcards: cropping_threads(PROFILE, wildcards.page, workflow.cores)
    priority: 20 if PHOTOGRAPHS else 0  # a page of many threads must not wait until trainings leave them free
    shell: RUN


rule dcgan:
    input: code=code("02_dcgan"), stages=stages("02_dcgan")
    output: page=f"{HOME}/pages/02_dcgan/{{page}}.ipynb", stamp=f"{HOME}/models/{{page}}/run.json"
    params: words=page_words("02_dcgan")
    threads: lambda wildcards: PAGES["02_dcgan", wildcards.page].threads
    priority: 10  # the longest stage: started as soon as its faces are there
    shell: RUN


rule features:
    input: code=code("03_features"), stages=stages("03_features")
    output: page=f"{HOME}/pages/03_features/{{page}}.ipynb", stamp=f"{HOME}/features/{{page}}/features.json"
    params: words=page_words("03_features")
    shell: RUN


rule emotions:
    input: code=code("04_emotions"), stages=stages("04_emotions")
    output: page=f"{HOME}/pages/04_emotions/{{page}}.ipynb", stamp=f"{HOME}/results/emotions/{{page}}/scores.json"
    params: words=page_words("04_emotions")
    shell: RUN


rule action_units:
    input: code=code("05_action_units"), stages=stages("05_action_units")
    output: page=f"{HOME}/pages/05_action_units/{{page}}.ipynb", stamp=f"{HOME}/results/action_units/{{page}}/scores.json"
    params: words=page_words("05_action_units")
    shell: RUN


rule quality:
    input: code=code("06_quality"), stages=stages("06_quality")
    output: page=f"{HOME}/pages/06_quality/{{page}}.ipynb", stamp=f"{HOME}/results/quality/{{page}}/scores.json"
    params: words=page_words("06_quality")
    shell: RUN


rule summary:
    input: code=lambda w: code(w.notebook), stages=lambda w: [f"{HOME}/{s}" for s in PAGES[w.notebook, "summary"].inputs]
    output: page=f"{HOME}/pages/{{notebook}}/summary.ipynb"
    params: words=page_words("")
    shell: RUN


rule results:
    input: code=code("07_results"), stages=lambda w: [f"{HOME}/{s}" for s in PAGES["07_results", "results"].inputs]
    output: page=f"{HOME}/pages/07_results/{{page}}.ipynb"
    params: words=page_words("07_results")
    shell: RUN
