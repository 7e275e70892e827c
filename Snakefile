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
os.environ.setdefault("FERGAN_PYTHON", sys.executable)


def done(page):
    return f"artifacts/{PROFILE.name}/pages/{page}.done"


PAGES = {page.id: page for page in pages_of(PROFILE)}
TODO = [page for page in PAGES if not Path(done(page)).is_file()]

# The longest training starts as soon as its faces are there; begun last, it would hold up the end.
PRIORITY = {"01_data": 20, "02_dcgan": 10}
FIRST = {longest_training(PROFILE), *PAGES[longest_training(PROFILE)].after}


rule book:
    default_target: True
    input: [done(page) for page in TODO]


for name in TODO:

    rule:
        name: name.replace("/", "_").replace("-", "_")
        input: [done(other) for other in PAGES[name].after if other in TODO]
        output: done(name)
        threads: PAGES[name].threads
        priority: 30 if name in FIRST else PRIORITY.get(PAGES[name].chapter, 0)
        params: page=name, profile=PROFILE.name
        shell:
            'OMP_NUM_THREADS={threads} "$FERGAN_PYTHON" -m fergan.book.kernels start fergan page {params.page} '
            '--profile {params.profile} --data "$FERGAN_PHOTOGRAPHS"'
