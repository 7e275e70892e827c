"""All benchmarks, one after the other, on sizes that take a quarter of an hour on two cores; one table at the end.

    python benchmarks                    all of them (`make bench`)
    python benchmarks search_speed ...   only these; search_large, eight minutes, is run by name alone
    python benchmarks/search_speed.py    one at its full size; --help says what can be changed

The figures go into ``artifacts/bench/<date and time>.json`` with the machine, the commit and the versions: the book's page
*scaling* reads them. The exit status is 1 where a benchmark failed or something was slower than its peer.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from record import FOUND

from fergan.cache import commit, machine, versions
from fergan.files import ROOT, write_json

#: In this order, with what makes them short. What is not named here takes longer: run it by itself.
RUNS = {
    "training_speed": ["--rounds", "5", "--steps", "2"],
    "search_speed": ["--rounds", "1", "--plain", "3", "--folds", "1"],
    "search_growth": ["--folds", "2"],
    "au_speed": ["--faces", "2500", "--plain", "4"],
    "detection_speed": ["--photographs", "60"],
    "crops_speed": ["--photographs", "500", "2000"],
    "check_data_speed": ["--photographs", "50000"],
    "quality_speed": [],
    "neighbours_in_blocks": ["--n", "5000"],
    "coverage": ["--repetitions", "100"],
    "browser_speed": [],
}
NOISE = 0.8  # of the speed of a peer: on a machine that others use too, one and the same step takes 70 to 95 ms
LONGER = {"search_large": []}  # run where it is named


def run(name, found):
    """Run one benchmark; return its seconds and how it ended. Its figures are added to the file `found`."""
    options = (RUNS | LONGER)[name]
    print(f"\n=== {name} {' '.join(options)}", flush=True)
    start = time.monotonic()
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *options]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), FOUND: str(found)})
    return time.monotonic() - start, ended.returncode


def table(rows):
    """Return lines of a table: what was measured, ours, the peer's, the ratio, what is wanted."""
    def number(value):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

    cells = [("", "what", "ours", "unit", "peer", "theirs", "ratio", "wanted")]
    for row in rows:
        ratio = number(row["ratio"]) + (" SLOWER" if row["ratio"] < NOISE else "") if "ratio" in row else ""
        wanted = f"{number(row['wanted'])} {'reached' if row['reached'] else 'NOT reached'}" if "wanted" in row else ""
        ours = number(row["value"]) + ("" if row["kind"] == "measured" else f" ({row['kind']})")
        cells.append((row["benchmark"], row["name"], ours, row["unit"], row.get("peer", ""),
                      number(row["theirs"]) if "theirs" in row else "", ratio, wanted))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def main():
    names = sys.argv[1:] or list(RUNS)
    if unknown := [name for name in names if name not in RUNS | LONGER]:
        raise SystemExit(f"there is no {', '.join(unknown)}; there are {', '.join(RUNS | LONGER)}")
    begun, start = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found"
        found.touch()
        ended = {name: run(name, found) for name in names}
        rows = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
    failed = [name for name, (_, code) in ended.items() if code]
    slower = [row["name"] for row in rows if row.get("ratio", 1) < NOISE]
    path = ROOT / "artifacts" / "bench" / f"{begun:%Y-%m-%dT%H%M}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(date=f"{begun:%Y-%m-%d}", commit=commit(), machine=machine(), packages=versions(), failed=failed,
                          seconds={name: round(seconds, 1) for name, (seconds, _) in ended.items()}, figures=rows))
    print("", *table(rows), "", sep="\n")
    minutes = (time.monotonic() - start) / 60
    print(f"{minutes:.1f} minutes on {machine()['processor']}, {machine()['threads']} threads; {path}")
    if failed or slower:
        raise SystemExit(f"failed: {', '.join(failed) or 'none'}; slower than the peer: {', '.join(slower) or 'none'}")


if __name__ == "__main__":
    main()
