"""Where a result came from: parameters, inputs, versions, commit, device, time."""

import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fergan.files import read_json, write_json

__all__ = ["Stopwatch", "provenance_record", "read_stamp", "write_stamp"]

#: The packages whose version can change a number.
_PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "pillow", "scikit-learn", "scikit-image", "opencv-python-headless",
    "facenet-pytorch", "optuna", "torchmetrics", "torch-fidelity",
)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self):
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._start


def _commit() -> str:
    """Return the commit of the project's checkout, marked where files differ from it; empty outside one."""
    root = Path(__file__).parent.parent
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def provenance_record(parameters: dict[str, Any], inputs: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Describe how a result was made.

    Parameters
    ----------
    parameters : dict
        What a reader may change.
    inputs : dict
        Name -> hash of what it was made from.
    seconds : float
        How long it took.
    """
    return {
        "parameters": parameters,
        "inputs": inputs,
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "commit": _commit(),
        "seconds": round(seconds, 1),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_stamp(path: str | Path, content: dict[str, Any], provenance: dict[str, Any]) -> None:
    """Finish a stage: write its provenance, then the small file that later stages wait for.

    The stamp holds only what later stages depend on (hashes, counts, names) and nothing that differs between two equal
    runs.
    """
    path = Path(path)
    write_json(path.with_name(f"{path.stem}.provenance.json"), provenance)
    write_json(path, content)


def read_stamp(path: str | Path) -> dict[str, Any]:
    """Read a stage's stamp, with an error that says which stage is missing."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: the stage that writes it has not finished; run `make book`")
    return read_json(path)
