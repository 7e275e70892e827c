"""Trees of tiny files, as several tests of datasets lay them out; processes that are killed."""

import os
import signal
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from fergan.data.collections import open_photographs
from fergan.files import ROOT

#: What a process of its own needs to import tests.
WITH_TESTS = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}


def write_pictures(folder: Path, *names: str) -> None:
    """Write a small picture under each name, each with another content."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        with open(path, "wb") as file:
            kind = {"jpg": "JPEG", "png": "PNG", "pgm": "PPM"}[path.suffix[1:].lower()]
            Image.fromarray(rng.integers(0, 256, (6, 8), dtype=np.uint8)).save(file, kind)


def noise(n: int = 40, seed: int = 0, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (n, 64, 64, 3), dtype=np.uint8)


def write_text(folder: Path, name: str, *lines: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def kill_when(ready, *command, **options) -> None:
    """Start a process, and kill it as soon as this holds."""
    process = subprocess.Popen(command, **options)
    deadline = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def interrupt_call(monkeypatch, module, name: str, at: int) -> list[dict]:
    """Press Ctrl-C at one of the calls of a function; return the list of the options of all calls."""
    calls, function = [], getattr(module, name)

    def counting(*arguments, **options):
        calls.append(options)
        if len(calls) == at:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, counting)
    return calls


def open_all(folder: Path, source: str, **options):
    """Open a dataset and see that all of it decodes."""
    photographs = open_photographs("mine", source, folder=str(folder), **options)
    read = photographs.read(range(len(photographs)))
    assert all(photograph.image.ndim == 3 and photograph.image.dtype == np.uint8 for photograph in read)
    assert photographs.name == "mine"
    return photographs
