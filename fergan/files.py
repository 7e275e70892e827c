"""Files that a killed process never leaves half of, hashes of what is in them, and pages from templates."""

import base64
import gzip
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent  # the project


class UserError(Exception):
    """What a user can mend: the message says what is wrong, where, and what to do; the command line shows it alone."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it, by one rename, when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with suppress(OSError):  # some file systems know no rights
            os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide results from colleagues
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, refusal: str = "") -> Iterator[None]:
    """Hold the lock of a file, which a killed process gives back; wait for another one, or leave with a `refusal`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            import fcntl  # which Windows has not
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            raise UserError("Windows has no locks for files of this kind; run the project in WSL, its Linux") from None
        except BlockingIOError:
            if refusal:
                raise UserError(refusal) from None
            logging.getLogger(__name__).warning("another process holds %s; waiting for it", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise UserError(f"the file system of {path.parent} has no locks for files ({error.strerror.lower()}); put the "
                            "project on a local disk, or make artifacts and _build links to folders there") from None
        yield


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays, NaN and infinities into what JSON can hold (NaN becomes null)."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as JSON, atomically; NaN is written as null."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(_plain(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file, with an error that names the file."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not readable as JSON ({error}); delete it and run again") from error


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array as ``.npy``, atomically and without pickle."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def hash_parameters(parameters: dict[str, Any], length: int = 10) -> str:
    """Return a short hash of parameters that does not depend on their order."""
    text = json.dumps(_plain(parameters), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def hash_file(path: str | Path, new: Callable[[], Any] = hashlib.sha256) -> str:
    """Return the hexadecimal hash of a file's content, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, new).hexdigest()


def hash_array(array: np.ndarray) -> str:
    """Return the hexadecimal hash of an array's shape, type and content."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    for start in range(0, len(array), 1024):  # in blocks: the array may be memory-mapped
        digest.update(np.ascontiguousarray(array[start : start + 1024]).data)
    return digest.hexdigest()


def rendered(template: str | Path, **values: Any) -> str:
    """Return a Jinja template filled with values, escaped for HTML; ``part(name)`` puts a file beside it in as it is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    folder, name = Path(template).parent, Path(template).name
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    environment.globals["part"] = lambda name: Markup((folder / name).read_text(encoding="utf-8"))
    return environment.get_template(name).render(**values)


def write_script(path: Path, **content: Any) -> None:
    """Write a script that puts content where the page on networks looks, by its stem; bytes become compressed text."""
    content = {key: base64.b64encode(gzip.compress(value, mtime=0)).decode() if isinstance(value, bytes) else value
               for key, value in content.items()}
    with atomic_path(path) as temporary:
        text = f"(window.ferganNetworks ??= {{}})[{json.dumps(path.stem)}] = {json.dumps(content)};\n"
        temporary.write_text(text, encoding="utf-8")
