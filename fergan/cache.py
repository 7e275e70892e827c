"""Results that are computed once: `cached` finds a stage's result by what it is made from, or makes it.

A stage is a public function ``stage(folder, config, **inputs, **running)`` that writes its result into `folder`. The folder
is named by a key: the hash of the config, of the content of each input, and of the code that computes. That code is the
stage and every function, class and constant of this package that it uses, directly or through others, compared by syntax
tree without docstrings and comments; and the tables (CSV, YAML) that it names.

A result's ``stamp.json`` is written last. Half-made work beside it (checkpoints, finished trials) is the stage's own matter.
Nothing is deleted when a key changes: a value changed and changed back computes nothing.
"""

import ast
import logging
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from fergan.files import ROOT, UserError, hash_array, hash_file, hash_parameters, locked, read_json, write_json

_log = logging.getLogger(__name__)

PACKAGES = (  # whose version can change a number
    "torch", "torchvision", "numpy", "scipy", "pillow", "scikit-learn", "opencv-python-headless", "facenet-pytorch",
    "optuna", "torch-fidelity")


class Config(BaseModel):
    """Base of every stage's parameters: types are strict (a whole number passes for a float), and unknown names refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def digest(value: Any) -> str:
    """Return the hexadecimal hash of the content of an array, table, Config, string, number, None, or a collection of these.

    A path counts by the content of its file; an object with an attribute ``digest`` has its own say. TypeError for others.
    """
    if hasattr(value, "digest"):
        return value.digest
    if isinstance(value, np.ndarray):
        return hash_array(value) if value.dtype != object else digest(value.tolist())
    if isinstance(value, Path):
        return hash_file(value)
    if hasattr(value, "to_csv"):  # a table, whose library is slow to import
        return hash_parameters({"table": value.to_csv(), "types": [str(kind) for kind in value.dtypes]}, 64)
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return hash_parameters({str(key): digest(item) for key, item in value.items()}, 64)
    if isinstance(value, (list, tuple)):
        return hash_parameters({"items": [digest(item) for item in value]}, 64)
    if value is None or isinstance(value, (str, int, float, bool, np.generic)):
        return hash_parameters({"value": value, "type": type(value).__name__}, 64)
    raise TypeError(f"the content of a {type(value).__name__} cannot be hashed; give arrays, tables, numbers or paths")


_DATA = (".csv", ".yaml", ".yml")
_SHOWN = (".j2", ".js", ".css", ".html")


@dataclass(frozen=True, eq=False)
class _Module:
    """One file of the package, taken apart."""

    name: str
    folder: Path
    defined: dict[str, list[ast.AST]]
    imported: dict[str, tuple[str, str]]  # local name -> module and the name in it; "" for the module itself
    effects: list[ast.AST]  # what the module does when it is imported, besides defining


@cache
def _path_of(name: str) -> Path | None:
    """Return the file of a module of this package, without importing it; None where there is no such module."""
    parts = name.split(".")
    place = ROOT.joinpath(*parts)
    candidates = (place / "__init__.py", place.with_suffix(".py")) if parts[0] == "fergan" else ()
    return next((path for path in candidates if path.is_file()), None)


def _imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield local name -> (module, name in it) of every import from this package in the nodes (no other form is used)."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fergan":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield alias.asname or alias.name, (inner, "") if _path_of(inner) else (node.module, alias.name)


@cache
def _module(name: str) -> _Module:
    return _taken_apart(name, _path_of(name).parent, _path_of(name).read_text(encoding="utf-8"))


@cache  # whatever is forgotten: an equal text is taken apart once
def _taken_apart(name: str, folder: Path, source: str) -> _Module:
    defined: dict[str, list[ast.AST]] = {}
    effects, tops = [], []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.setdefault(node.name, []).append(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for leaf in (leaf for target in targets for leaf in ast.walk(target)):
                if isinstance(leaf, ast.Name):
                    defined.setdefault(leaf.id, []).append(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            tops.append(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            effects += [] if "TYPE_CHECKING" in ast.dump(node) else [node]
    return _Module(name, folder, defined, dict(_imports(tops)), effects)


class _Bare(ast.NodeTransformer):
    """Takes away what changes no result: docstrings, and the descriptions of a config's fields."""

    def _without_docstring(self, node: Any) -> Any:
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _without_docstring

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Drop ``description`` of ``Field(...)``."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "Field":
            node.keywords = [word for word in node.keywords if word.arg != "description"]
        return node


@cache  # also because it takes docstrings away
def _used_by(of: _Module, nodes: tuple[ast.AST, ...]) -> tuple[str, frozenset[tuple[str, str]], frozenset[str]]:
    """Return parts of a module as text, the definitions that they use, and the words in them."""
    inside = [leaf for node in nodes for leaf in ast.walk(node)]
    imported = of.imported | dict(_imports(inside))
    uses, words = set(), set()
    for leaf in inside:
        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) and 0 < len(leaf.value) < 80:
            words.add(leaf.value)
        elif isinstance(leaf, ast.Name) and leaf.id in of.defined:
            uses.add((of.name, leaf.id))
        elif isinstance(leaf, ast.Name) and leaf.id in imported:
            uses.add(imported[leaf.id])
        elif isinstance(leaf, ast.Attribute) and isinstance(leaf.value, ast.Name):  # module.name
            target = imported.get(leaf.value.id, ("", ""))
            if target[0] and not target[1]:
                uses.add((target[0], leaf.attr))
    text = "\n".join(ast.dump(_Bare().visit(node)) for node in nodes)
    return text, frozenset(uses), frozenset(words)


def _closure(start: Iterable[tuple[str, str]]) -> tuple[dict[tuple[str, str], str], set[str], set[Path]]:
    """Return every definition that is used, as text, with all words in them and the folders of their modules."""
    found: dict[tuple[str, str], str] = {}
    words, folders, waiting = set(), set(), list(start)
    while waiting:
        module, name = waiting.pop()
        if (module, name) in found or not _path_of(module):
            continue
        of = _module(module)
        if name and name not in of.defined:
            if name in of.imported:
                waiting.append(of.imported[name])
            elif _path_of(f"{module}.{name}"):
                waiting.append((f"{module}.{name}", ""))
            continue
        nodes = of.defined[name] if name else of.effects  # what a module does when it is imported
        found[module, name], uses, inside = _used_by(of, tuple(nodes))
        words |= inside
        folders.add(of.folder)
        waiting += [*uses, (module, "")]
    return found, words, folders


def _files(words: set[str], folders: Iterable[Path], kinds: tuple[str, ...]) -> list[Path]:
    """Return the files of these folders that the words name, with their ending or without it."""
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in kinds
            and words & {path.name, path.stem, path.name.removesuffix(".md.j2")}]


def code_hash(*things: Any) -> str:
    """Return the hash of all code that functions or classes (or ``module:name``) use, and of the tables that it names."""
    return _hash_of_code(tuple(tuple(name.split(":")) for name in map(_name_of, things)))


def _name_of(thing: Any) -> str:
    return thing if isinstance(thing, str) else f"{thing.__module__}:{thing.__qualname__.split('.')[0]}"


@cache
def _hash_of_code(names: tuple[tuple[str, str], ...]) -> str:
    found, words, folders = _closure(names)
    tables = {path.name: hash_file(path) for path in _files(words, folders, _DATA)}
    return hash_parameters({"code": sorted(filter(None, found.values())), "tables": tables}, 16)


def forget_code() -> None:
    """Read the code anew when it is next asked for: files may have been edited since."""
    for part in (_path_of, _module, _hash_of_code):
        part.cache_clear()


def hash_of_source(source: str, templates: Path) -> str:
    """Return the hash of all that a notebook's code uses: code, tables, and what it names of a folder of templates."""
    of = _taken_apart("notebook", templates, source)
    nodes = *of.effects, *(node for nodes in of.defined.values() for node in nodes)
    _, uses, words = _used_by(of, nodes)
    found, inside, folders = _closure([*uses, *(target for target in of.imported.values() if target[1])])
    files = _files(words | inside, {*folders, templates}, (*_DATA, *_SHOWN))
    return hash_parameters({"code": sorted(found.values()), "files": {path.name: hash_file(path) for path in files}}, 16)


def is_whole(folder: Path) -> bool:
    """Say whether a folder holds a finished result, each file of which has the size that its stamp says."""
    try:
        files = read_json(folder / "stamp.json")["files"]
        return all((folder / name).stat().st_size == size for name, (size, _) in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def cached(home: str | Path, stage: Callable[..., None], config: BaseModel, inputs: Mapping[str, Any], *,
           code: Iterable[Any] = (), keep: bool = False, **running: Any) -> Path:
    """Return the folder with the result of a stage; compute it where it is not there.

    Args:
        home: The folder of all results of this kind and name; where it is not absolute, below the project.
        inputs: Name -> what it computes from, see `digest`.
        code: Functions and classes that can change the result, where those are less than all that the stage uses.
        keep: Open a result of the same parameters and inputs by earlier code, where the environment has ``KEEP_RUNS=1``.
        **running: What changes how it is computed and never what: threads, progress.

    Returns: ``home/<key>``. The book's own pages, and the first result of its kind, also become what `current` returns.
    """
    home, made_of = ROOT / home, _made_of(stage, config, inputs, code)
    folder = home / hash_parameters(made_of, 16)
    kept = _kept(home, made_of) if keep and not is_whole(folder) else None
    if kept is None:
        with locked(folder / ".lock"):
            if not is_whole(folder):
                _compute(folder, stage, config, inputs, made_of, list(map(_name_of, code or (stage,))), running)
    folder = kept or folder
    _opened.append(folder)
    if os.environ.get("FERGAN_BOOK") or not (home / "current.json").is_file():
        write_json(home / "current.json", {"key": folder.name, "digest": read_json(folder / "stamp.json")["digest"]})
    return folder


def result_folder(home: str | Path, stage: Callable[..., None], config: BaseModel, inputs: Mapping[str, Any],
                  code: Iterable[Any] = ()) -> Path:
    """Return where `cached` keeps this result, there or not: for processes that work on one result together."""
    return ROOT / home / hash_parameters(_made_of(stage, config, inputs, code), 16)


def _made_of(stage: Callable[..., None], config: BaseModel, inputs: Mapping[str, Any], code: Iterable[Any]) -> dict:
    return {"config": digest(config), "inputs": {name: digest(value) for name, value in sorted(inputs.items())},
            "code": code_hash(*(code or (stage,)))}


def _kept(home: Path, made_of: dict[str, Any]) -> Path | None:
    """Return the newest result of the same parameters and inputs by other code, where the user asks for it."""
    if os.environ.get("KEEP_RUNS") != "1":
        return None
    stamps = [path for path in home.glob("*/stamp.json") if is_whole(path.parent)
              and made_of == read_json(path)["made_of"] | {"code": made_of["code"]}]
    return max(stamps, key=lambda path: path.stat().st_mtime).parent if stamps else None


def _compute(folder: Path, stage: Callable[..., None], config: BaseModel, inputs: Mapping[str, Any], made_of: dict[str, Any],
             code_of: list[str], running: Mapping[str, Any]) -> None:
    if (folder / "stamp.json").is_file():
        _log.warning("%s is not whole and is made again", folder)
        for path in folder.iterdir():
            if path.name != ".lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    start = time.monotonic()
    stage(folder, config, **inputs, **running)
    files = {str(path.relative_to(folder)): (path.stat().st_size, hash_file(path))
             for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")}
    content = {name: value for name, (_, value) in files.items()}
    write_json(folder / "stamp.json", {
        "stage": f"{stage.__module__}:{stage.__qualname__}", "made_of": made_of, "code_of": code_of,
        "config": config.model_dump(mode="json"), "files": files, "digest": hash_parameters(content, 64),
        "provenance": machine() | {"packages": versions(), "commit": commit(), "seconds": round(time.monotonic() - start, 1),
                                   "created": datetime.now(UTC).isoformat(timespec="seconds")}})
    with open(folder.parent / "computed.log", "a", encoding="utf-8") as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {folder.name}\n")


_opened: list[Path] = []  # results that this process has opened
_read: list[Path] = []  # homes that this process has asked for their current result


class NoResultError(UserError, FileNotFoundError):
    """A result that is needed has not been made yet."""


def current(home: str | Path) -> Path:
    """Return the folder of the result that the book now uses; a NoResultError says what makes one that is not there."""
    home = ROOT / home
    path = home / "current.json"
    folder = home / read_json(path)["key"] if path.is_file() else home
    if not is_whole(folder):
        raise NoResultError(f"{home} holds no finished result yet; PROFILE={home.parts[-3]} make book makes it")
    _read.append(home)
    return folder


def opened() -> dict[str, Any]:
    """Return what this process has computed or opened by `cached`, and what it has read by `current`; paths as text."""
    results = {}
    for folder in dict.fromkeys(_opened):
        stamp = read_json(folder / "stamp.json")
        now = machine() | {"packages": versions()}
        then = {key: stamp["provenance"].get(key) for key in now}
        code = stamp["made_of"]["code"]
        results[str(folder)] = {name: stamp[name] for name in ("stage", "code_of", "digest")} | {
            "code": code, "kept": code != code_hash(*stamp["code_of"]), "seconds": stamp["provenance"]["seconds"],
            "differs": sorted(key for key in now if now[key] != then[key])}
    reads = {str(home): read_json(home / "current.json")["digest"] for home in dict.fromkeys(_read)}
    return {"results": results, "reads": reads}


def versions() -> dict[str, str]:
    """Return the versions of the packages that can change a number."""
    return {name: metadata.version(name) for name in PACKAGES}


@cache
def machine() -> dict[str, Any]:
    """Return what rounding depends on: processor, threads and Python."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.M) if info.is_file() else None
    processor = found[1] if found else platform.processor() or platform.machine()
    return {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}",
            "processor": processor, "threads": available_threads()}


def commit() -> str:
    """Return the commit of the project's checkout, marked where files differ from it; empty outside one."""
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def available_threads() -> int:
    """Return how many processor threads this process may use: what OMP_NUM_THREADS says, else all cores it may run on."""
    budget = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if budget.isdigit() and int(budget) > 0:
        return int(budget)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def computing_device(device: str) -> str:
    """Return "cuda" for "auto" where there is a GPU that PyTorch can compute on, else "cpu"; any other word as it is."""
    import torch  # slow to import
    if device != "auto":
        return device
    try:
        return "cuda" if torch.cuda.is_available() and torch.ones(1, device="cuda").sum().item() else "cpu"
    except RuntimeError as error:  # it has no kernels for this GPU, or somebody else has all of it
        _log.warning("PyTorch cannot compute on the GPU (%s); the processor does its work", str(error).splitlines()[0])
        return "cpu"


def run_threads(function: Callable[[Any], Any], items: Iterable[Any], n_threads: int) -> list[Any]:
    """Apply a function that leaves Python's lock to others to every item, on several threads; keep the order."""
    if n_threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))
