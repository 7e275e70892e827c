"""A book in a checkout that a test changes for a moment: what is stale then, and what is made."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from functools import cache

from conftest import environment, run_in

#: Answers each line "plan", or "make": as `make book`, but for the HTML, whose making takes longer than that of a page.
BOOK = """
import json, sys
import fergan.__main__  # which knows what jsonschema need not import
from fergan.book.checks import load_profile
from fergan.book.fresh import Book
for line in sys.stdin:
    book, told = Book(load_profile("profiles/quick.yaml")), []
    plan = book.plan() if line == "plan\\n" else book.bring_up_to_date("all", told.append)
    print(json.dumps(plan or told), flush=True)
"""
#: Why a page is made again whose results stay as they are.
SHOWING = ("its notebook", "what its cells", "its title")


@cache
def process(root):
    """A process that runs `BOOK`: its imports take longer than its looking."""
    return subprocess.Popen([sys.executable, "-c", BOOK], cwd=root, env=environment(root), stdin=-1, stdout=-1, text=True)


def ask(root, task):
    """Return what that process answers."""
    print(task, file=process(root).stdin, flush=True)
    return json.loads(process(root).stdout.readline())


def plan(root):
    """Return the pages that are stale -> why."""
    return dict(ask(root, "plan"))


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
    if html:
        done = run_in(root, "-m", "fergan", "book", "--profile", "quick")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    told = done.stdout if html else "\n".join(ask(root, "make"))
    after = computed(root)
    passes = [int(n) for n in re.findall(r"^(\d+) of \d+ pages to make", told, re.M)]
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
