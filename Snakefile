# The order of the pages, spread over cores or a cluster: one rule for each chapter, so that a profile of Snakemake can give
# its pages what they need (profiles/slurm). Which pages there are, and what each comes after, stands in
# fergan/book/pages.py; which of them are to be made, in fergan/book/fresh.py.
#
#   python -m fergan book --profile demo        decides by content and calls this
#   FERGAN_PHOTOGRAPHS=/folder snakemake --cores all --config profile=demo     goes on with what is not done

import os
import sys
from pathlib import Path

from fergan.book.checks import load_profile
from fergan.book.pages import pages_of

PHOTOGRAPHS = os.environ.setdefault("FERGAN_PHOTOGRAPHS", "")
PROFILE = load_profile(Path("profiles") / f"{config.get('profile', 'demo')}.yaml", data=PHOTOGRAPHS)
os.environ.setdefault("FERGAN_PYTHON", sys.executable)
PAGES = {page.id: page for page in pages_of(PROFILE)}
PRIORITY = {"01_data": 20, "02_dcgan": 10, "05_action_units": 5}  # the last has the longest summary


def done(page):
    return f"artifacts/{PROFILE.name}/pages/{page}.done"


def page_of(wildcards):
    return PAGES[f"{wildcards.chapter}/{wildcards.name}"]


TODO = [page for page in PAGES if not Path(done(page)).is_file()]


rule book:
    default_target: True
    input: [done(page) for page in TODO]


for chapter in {PAGES[name].chapter: None for name in TODO}:

    rule:
        name: chapter
        input: lambda wildcards: [done(other) for other in page_of(wildcards).after if other in TODO]
        output: done("{chapter}/{name}")
        wildcard_constraints: chapter=chapter
        threads: lambda wildcards: page_of(wildcards).threads
        priority: PRIORITY.get(chapter, 0)
        params: page=lambda wildcards: page_of(wildcards).id, profile=PROFILE.name
        shell:
            'OMP_NUM_THREADS={threads} "$FERGAN_PYTHON" -m fergan.book.kernels start fergan page {params.page} '
            '--profile {params.profile} --data "$FERGAN_PHOTOGRAPHS"'
