"""From executed pages to a published book: contents, what prose includes, the build and its check."""

import base64
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import nbformat
import yaml

from fergan.book.fresh import Book
from fergan.book.pages import pages_of
from fergan.book.profile import Profile
from fergan.book.run import NOTEBOOKS, parameter_cell, passages_of, tags
from fergan.book.show import say
from fergan.data.config import CATALOGUE
from fergan.files import ROOT, UserError, atomic_path, read_json, write_script

#: Where the executed pages lie that the book is built from.
EXECUTED = ROOT / "book" / "executed"

#: Bytes of a page with its pictures, without the scripts, styles and fonts that all pages share.
HEAVIEST = 1_500_000

_METHOD, _LIMITS = "book/method", "book/limits"
_USE = ("book/reading", "book/lesson", "book/exercises", "book/code", "book/datasets", "book/related",
        "book/glossary", "book/licences", "book/references")


class BookError(UserError):
    """The book could not be built or is not what it should be; the message lists each fault."""


def table_of_contents(profile: Profile) -> dict:
    """Return the profile's table of contents as Jupyter Book 1.x expects it in ``_toc.yml``."""
    chapters: dict[str, dict] = {}
    for page in pages_of(profile):
        file = {"file": f"book/executed/{page.id}"}
        if page.chapter in chapters:
            chapters[page.chapter].setdefault("sections", []).append(file)
        else:
            chapters[page.chapter] = file
    before, scaling = [chapters.pop("00_one_page"), {"file": _METHOD}], chapters.pop("08_scaling")
    return {"format": "jb-book", "root": "book/intro", "parts": [
        {"caption": "The paper", "chapters": before},
        {"caption": "The reproduction", "numbered": 1, "chapters": [*chapters.values(), {"file": _LIMITS}]},
        {"caption": "Using the book", "chapters": [*({"file": file} for file in _USE[:5]), scaling,
                                                *({"file": file} for file in _USE[5:])]}]}


def _write_where_different(path: Path, content: str | bytes) -> None:
    """Write a file unless it has this content already: an equal one keeps its time of change, and is not built again."""
    content = content.encode() if isinstance(content, str) else content
    if not path.is_file() or path.read_bytes() != content:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def write_table_of_contents(profile: Profile, path: Path) -> None:
    """Write the table of contents where it differs from the file."""
    text = "# Written by `python -m fergan write`: the pages of the demo and of the paper's own run.\n"
    _write_where_different(path, text + yaml.safe_dump(table_of_contents(profile), sort_keys=False))


def collections() -> str:
    """Return what ``book/datasets.md`` says of each collection of photographs."""
    return say("datasets", "collections", collections=CATALOGUE) + "\n"


def licences() -> str:
    """Return the tables of the page on licences: of the collections, and of the packages that are pinned."""
    pinned = re.findall(r"^([\w.-]+)==(\S+)\s+# (.*)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M)
    packages = [{"package": name, "version": version, "licence": _licence_of(name), "purpose": purpose}
                for name, version, purpose in pinned]
    return say("licences", "tables", packages=packages, collections=list(CATALOGUE.values())) + "\n"


def _licence_of(name: str) -> str:
    """Return a package's licence in a few words; its metadata may hold an expression, a text or a classifier."""
    try:
        content = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed"
    named = [line.rsplit("::", 1)[-1].strip() for line in content.get_all("Classifier", []) if line.startswith("License ::")]
    text = (content.get("License") or "").strip()
    return (content.get("License-Expression") or ", ".join(licence for licence in named if licence != "OSI Approved")
            or (text if 0 < len(text) < 60 else "see the package"))


def write_parameter_cells(profile: Profile) -> None:
    """Write every notebook's parameters cell: all names, the values of its first page in this profile, and their meaning."""
    for name, page in {page.notebook: page for page in reversed(pages_of(profile))}.items():
        path = NOTEBOOKS / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        (cell,) = [cell for cell in notebook.cells if "parameters" in tags(cell)]
        cell.source = parameter_cell(page.parameters)
        _write_where_different(path, nbformat.writes(notebook) + "\n")


def html_folder(profile: str) -> Path:
    """Return where a profile's book is built; jupyter-book puts its own ``_build/html`` below the path it is given."""
    return ROOT / "_build" / "html" if profile == "demo" else ROOT / "_build" / profile / "_build" / "html"


def prepare_sources(book: Book) -> Path:
    """Put into ``book/executed`` what the profile's book is built from; return the table of contents."""
    wanted = dict(_sources(book))
    for path, content in wanted.items():
        _write_where_different(path, content)
    for old in EXECUTED.rglob("*"):
        if old.suffix in (".ipynb", ".md", ".png", ".jpeg") and old not in wanted:
            old.unlink()
    toc = ROOT / "_toc.yml" if book.profile.name == "demo" else html_folder(book.profile.name).parent / "_toc.yml"
    write_table_of_contents(book.profile, toc)
    return toc


def _sources(book: Book) -> Iterator[tuple[Path, str | bytes]]:
    """Yield the executed pages and what prose includes: tables, and passages and figures of pages across all others."""
    yield EXECUTED / "collections.md", collections()
    yield EXECUTED / "licences.md", licences()
    for page in book.pages.values():
        path = book.executed(page)
        yield EXECUTED / f"{page.id}.ipynb", path.read_bytes()
        if page.atlas:
            continue
        executed, said = read_json(path), EXECUTED / "said" / page.label
        for name, text in passages_of(executed).items():
            yield said / f"{name}.md", text
        for output in (output for cell in executed["cells"] for output in cell.get("outputs", ())):
            if label := output.get("metadata", {}).get("fergan", {}).get("figure"):
                kind = next(kind for kind in ("png", "jpeg") if f"image/{kind}" in output["data"])
                yield said / f"{label}.{kind}", base64.b64decode(output["data"][f"image/{kind}"])


def build_book(book: Book, server: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Build the HTML book of a profile whose pages are of the present state, check it, and return its ``index.html``.

    Nothing is built when no page, prose or setting is newer than the last good build. `server` is what `serving` yields, if
    one has imported Sphinx. A BookError lists each fault.
    """
    html = html_folder(book.profile.name)
    done, toc = html.parent / ".checked", prepare_sources(book)
    sources = [ROOT / "_config.yml", toc, *(p for p in (ROOT / "book").rglob("*") if p.is_file()),
               *(ROOT / "fergan").rglob("*.py")]  # whose code and docstrings the prose includes
    if done.is_file() and (html / "index.html").is_file() and done.stat().st_mtime > max(p.stat().st_mtime for p in sources):
        return html / "index.html"
    done.unlink(missing_ok=True)
    command = [sys.executable, "-m", "fergan.book.kernels", "start", "fergan.book.site", "build", str(ROOT), "--toc",
               str(toc), "--path-output", str(html.parent.parent), "-n", "-W", "--keep-going", "-q"]
    try:
        with ThreadPoolExecutor(1) as meanwhile:
            networks = meanwhile.submit(publish_networks, html, ROOT / "artifacts" / book.profile.name / "networks" / "live")
            if subprocess.run(command, cwd=ROOT, env=os.environ | dict(server)).returncode:
                raise BookError("jupyter-book found the warnings above; each is an error in a page or in the prose")
        pages = ["book/intro", _METHOD, *(f"book/executed/{name}" for name in book.pages), _LIMITS, *_USE]
        for old in set((html / "book").rglob("*.html")) - {html / f"{name}.html" for name in pages}:
            old.unlink()  # of an earlier build, with other pages
        check_book(pages, html)
        networks.result()
    except BookError:
        # Sphinx would not repeat the warnings of files that have not changed since.
        shutil.rmtree(html.parent / ".doctrees", ignore_errors=True)
        raise
    done.touch()
    return html / "index.html"


def check_book(pages: Iterable[str], html: Path, sources: Path = ROOT) -> None:
    """Check that every page of a book is there with its figures, and light; Sphinx itself refuses what leads nowhere.

    Pages are paths without suffix, as ``book/method``, below `html`, the book, and `sources`. BookError lists all faults.
    """
    faults = []
    for name in pages:
        page, notebook = html / f"{name}.html", sources / f"{name}.ipynb"
        if not page.is_file():
            faults.append(f"{name}.html is missing")
            continue
        found = re.findall(r'src="[./]*(_images/[^"]+)"', page.read_text(encoding="utf-8"))
        cells = read_json(notebook)["cells"] if notebook.is_file() else ()
        expected = sum("figure" in cell["metadata"].get("mystnb", {}) for cell in cells)
        if len(found) < expected:
            faults.append(f"{name}.html holds {len(found)} images; its notebook has {expected} figures")
        weight = sum(file.stat().st_size for file in (page, *(html / picture for picture in set(found))))
        if weight > HEAVIEST:
            faults.append(f"{name}.html weighs {weight:,} bytes with its pictures; at most {HEAVIEST:,} are allowed")
    if faults:
        raise BookError("the built book has faults:\n" + "\n".join(f"- {fault}" for fault in faults))


#: What runs the page on networks: ONNX's runtime for browsers, under the MIT licence, and its two files that are needed.
_RUNTIME, _LOADER, _WASM = "onnxruntime-web@1.30.0", "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


def publish_networks(html: Path, home: Path) -> None:
    """Put the networks that a stage wrote into `home`, if it did, beside the pages of a book, and what runs them."""
    for made in home.glob("current.json"):
        place, others = html / "_static" / "networks", shutil.ignore_patterns("*.npy", "*.json")
        shutil.copytree(home / read_json(made)["key"], place, ignore=others, dirs_exist_ok=True)
        try:
            shutil.copy2(runtime_script(), place)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"npm gave no {_RUNTIME} ({error}): the page on networks stays at rest. Install npm, and build again.",
                  file=sys.stderr)


def runtime_script() -> Path:
    """Return ``runtime.js``, made of npm's package once for all books; OSError or SubprocessError if it fails."""
    script = ROOT / "_build" / "npm" / _RUNTIME / "runtime.js"
    if not script.is_file():
        with tempfile.TemporaryDirectory() as work:
            command = ["npm", "pack", _RUNTIME, "--silent"]
            subprocess.run(command, cwd=work, check=True, capture_output=True, timeout=300)
            with tarfile.open(next(Path(work).glob("*.tgz"))) as files:
                loader, wasm = (files.extractfile(f"package/dist/{name}").read() for name in (_LOADER, _WASM))
        write_script(script, loader=loader, wasm=wasm)
    return script
