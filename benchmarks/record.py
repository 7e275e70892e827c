"""What benchmarks find: each names its figures, and `python benchmarks` puts them into one table and a dated file."""

import json
import os
import resource
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

FOUND = "FERGAN_BENCH"  # names the file that figures go into, a line of JSON each


def record(name, value, unit, *, peer="", theirs=None, more_is_better=False, wanted=None, **further):
    """Note a figure of this benchmark, measured unless `further` says otherwise, beside that of a peer on the same work.

    The ratio says how many times as good it is as the peer; `wanted` is what the ratio, or a figure without a peer, has to
    reach (as a least value where more is better or there is a peer, else as the most).
    """
    row = dict(benchmark=Path(sys.argv[0]).stem, name=name, value=float(value), unit=unit, kind="measured") | further
    if theirs is not None:
        ratio = value / theirs if more_is_better else theirs / value
        row |= dict(peer=peer, theirs=float(theirs), ratio=float(ratio))
    if wanted is not None:
        figure = row.get("ratio", row["value"])
        reached = figure >= wanted if "ratio" in row or more_is_better else figure <= wanted
        row |= dict(wanted=wanted, reached=bool(reached))
    if path := os.environ.get(FOUND):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def peak_gb():
    """Return the largest memory of this process so far, pages of mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


@contextmanager
def most_own_gb():
    """Yield a list that holds one number, the most memory of its own that this process has had meanwhile."""
    most, done = [0.0], []

    def watch():
        while not done:
            most[0] = max(most[0], own_gb())
            time.sleep(0.05)

    Thread(target=watch, daemon=True).start()
    yield most
    done.append(True)


def own_gb():
    """Return the memory that this process alone holds now: without pages of mapped files, which the system may drop."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024 / 1e9
