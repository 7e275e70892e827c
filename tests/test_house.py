"""The structure of the package: which way imports run, how large things are, and what Python may not contain."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fergan

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fergan"
FILES = sorted(PACKAGE.rglob("*.py"))

#: Folders in the order of the chain: each may import from itself and from those before it. Flat files and the paper's tables
#: come first, the package itself and its command line, which may use everything, last.
ROOMS = ("rendered", "data", "svm", "gan", "features", "quality", "experiments", "human_study", "claims", "book")
TOP = ("fergan", "fergan.__main__")

MAX_LINES, MAX_MODULES, MAX_FLAT, MAX_FUNCTION = 13_500, 80, 8, 60

MARKUP = ("<div", "<span", "<script", "<style", "<svg", "<table", "<button", "<input", "function(", "function (", "addEventListener")


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def rank(module):
    if module in TOP:
        return len(ROOMS) + 1
    room = module.split(".")[1]
    return ROOMS.index(room) + 1 if room in ROOMS else 0


def imports(module):
    """Return the modules of the package that one imports, anywhere in its code."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):  # what a result depends on is read from "from fergan ... import ..." alone
            assert not [alias.name for alias in node.names if alias.name.startswith("fergan")], module
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in TREES else node.module)
    return {name for name in found if name in TREES and name != module}


def docstrings(tree):
    """Return the nodes of all docstrings."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    return {id(body[0].value): body[0] for body in bodies if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)}


def test_imports_run_downwards_and_in_no_circle():
    upwards = [f"{module} -> {other}" for module in TREES for other in sorted(imports(module)) if rank(other) > rank(module)]
    assert not upwards, "\n".join(upwards)
    TopologicalSorter({module: imports(module) for module in TREES}).prepare()  # else a CycleError that names it


def test_the_package_is_small():
    flat = [path.name for path in PACKAGE.glob("*.py")]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in FILES)
    assert len(flat) <= MAX_FLAT, flat
    assert len(FILES) <= MAX_MODULES
    assert lines <= MAX_LINES
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob("tests/*.py")) <= 7_500


def test_functions_fit_on_a_screen():
    long = []
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                own = docstrings(node).get(id(getattr(node.body[0], "value", None)))
                lines = node.end_lineno - node.lineno + 1 - (own.end_lineno - own.lineno + 1 if own else 0)
                long += [f"{module}.{node.name}: {lines}"] * (lines > MAX_FUNCTION)
    assert not long, "\n".join(long)


def test_pages_are_not_written_in_python():
    found = []
    for module, tree in TREES.items():
        documentation = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                found += [f"{module}:{node.lineno} {mark}" for mark in MARKUP if mark in node.value]
    assert not found, "\n".join(found)


def test_one_name_means_one_thing():
    """No two modules define the same public function, class or constant; a command may be called as the function that it calls."""
    owners = defaultdict(set)
    for module, tree in TREES.items():
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            if isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and module != "fergan.__main__"):
                names.append(node.name)
            for name in names:
                if not name.startswith("_"):
                    owners[name].add(module)
    twice = [f"{name}: {', '.join(sorted(modules))}" for name, modules in owners.items() if len(modules) > 1]
    assert not twice, "\n".join(twice)


def test_importing_the_package_is_cheap_and_offers_what_the_readme_uses():
    heavy = "torch", "pandas", "numpy", "sklearn", "pydantic", "lightning"
    code = f"import sys, fergan; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == "[]"
    modules = "fergan.data.detection, fergan.experiments.emotions, fergan.experiments.action_units"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert 'torch' not in sys.modules"], check=True, cwd=ROOT)
    examples = "".join(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL))
    imported = {name for listed in re.findall(r"from fergan import (.+)", examples) for name in re.split(r",\s*", listed)}
    used = imported | set(re.findall(r"fergan\.(\w+)", examples))
    assert {"sample", "load_discriminator", "DiscriminatorFeatures", "GaussianSVC"} <= used <= set(dir(fergan))
    for name in fergan._OFFERED:
        assert getattr(fergan, name).__name__ == name
    with pytest.raises(AttributeError, match="'samples'"):
        _ = fergan.samples


def test_the_method_page_shows_code_that_is_there():
    """Beside its equations ``book/method.md`` includes functions and classes by name."""
    page = (ROOT / "book" / "method.md").read_text(encoding="utf-8")
    shown = re.findall(r"\{literalinclude\} \.\./(\S+)\n:pyobject: (\S+)", page)
    assert len(shown) >= 10
    for file, name in shown:
        body = TREES[name_of(ROOT / file)].body
        for part in name.split("."):
            found = [node for node in body if getattr(node, "name", "") == part]
            assert len(found) == 1, f"book/method.md shows {name} of {file}, which is not there"
            body = found[0].body
