# The order of the pages, spread over cores or a cluster. Which pages there are, and what each comes after, stands in
# fergan/book/pages.py; which of them are to be made, in fergan/book/fresh.py.
#
#   python -m fergan book --profile demo        decides by content and calls this
#   FERGAN_PHOTOGRAPHS=/folder snakemake --cores all --config profile=demo     goes on with what is not done

import os
import sys
from pathlib import Path

from fergan.book.checks import load_profile
from fergan.book.pages import longest_training, pages_of

PHOTOGRAPHS = os.environ.setdefault("FERGAN_PHOTOGRAPHS", "")
PROFILE = load_profile(Path("profiles") / f"{config.get('profile', 'demo')}.yaml", data=PHOTOGRAPHS)
PAGES = pages_of(PROFILE)
os.environ.setdefault("FERGAN_PYTHON", sys.executable)


def done(page):
    return f"artifacts/{PROFILE.name}/pages/{page}.done"


# The longest training starts as soon as its faces are there; begun last, it would hold up the end.
PRIORITY = {"01_data": 20, "02_dcgan": 10}
FIRST = {longest_training(PROFILE), *next(page.after for page in PAGES if page.id == longest_training(PROFILE))}


rule book:
    default_target: True
    input: [done(page.id) for page in PAGES]


RUN = (
    f'OMP_NUM_THREADS={{threads}} "$FERGAN_PYTHON" -m fergan page {{params.page}} --profile {PROFILE.name} '
    '--data "$FERGAN_PHOTOGRAPHS"'
)

for page in PAGES:

    rule:
        name: page.id.replace("/", "_").replace("-", "_")
        input: [ancient(done(other)) for other in page.after]
        output: done(page.id)
        threads: page.threads
        priority: 30 if page.id in FIRST else PRIORITY.get(page.chapter, 0)
        params: page=page.id
        shell: RUN
