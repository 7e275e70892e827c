"""From executed pages to a published book: table of contents, build, and a check of what was built."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from filecmp import cmp
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml

from fergan.notebooks import note_class
from fergan.page import CHAPTERS, Page
from fergan.pages import pages_of
from fergan.profile_schema import Profile
from fergan.site.extension import STATIC
from fergan.site.images import shrink_images
from fergan.site.truth import missing_keys, stale_pages
from fergan.site.vendor import VendorError, fetch_packages
from fergan.summaries.datasets import write_datasets_chapter

__all__ = ["BookError", "build_book", "check_book", "html_folder", "mirror_pages", "table_of_contents"]

_PROSE_BEFORE = ("book/reading", "book/method", "book/datasets")
_PROSE_AFTER = ("book/limits", "book/references")


class BookError(Exception):
    """The book could not be built or is not what it should be; the message lists each fault."""


def table_of_contents(profile: Profile) -> dict:
    """Return the profile's table of contents as Jupyter Book 1.x expects it in ``_toc.yml``."""
    chapters: dict[str, dict] = {}
    for page in pages_of(profile):
        file = f"book/executed/{page.path.removesuffix('.ipynb')}"
        if page.notebook not in chapters:
            chapters[page.notebook] = {"file": file, "sections": []}
        else:
            chapters[page.notebook]["sections"].append({"file": file})
    made = [{k: v for k, v in chapter.items() if v} for chapter in chapters.values()]
    return {
        "format": "jb-book",
        "root": "book/intro",
        "parts": [
            {"caption": "Before you start", "chapters": [{"file": file} for file in _PROSE_BEFORE]},
            {"caption": "The reproduction", "chapters": made},
            {"caption": "After", "chapters": [{"file": file} for file in _PROSE_AFTER]},
        ],
    }


def write_table_of_contents(profile: Profile, path: Path) -> None:
    """Write the table of contents where it differs from the file; an equal one keeps its time stamp."""
    text = "# Written by `python -m fergan toc`: the pages of the demo and of the paper's own run.\n"
    text += yaml.safe_dump(table_of_contents(profile), sort_keys=False)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def mirror_pages(profile: Profile, source: Path, target: Path) -> bool:
    """Make `target` hold exactly the profile's executed pages; untouched where equal, so that little is rebuilt.

    Returns
    -------
    bool
        Whether anything changed.
    """
    wanted = {page.path for page in pages_of(profile)}
    changed = False
    for path in wanted:
        old, new = target / path, source / path
        if not old.is_file() or not cmp(old, new, shallow=False):
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(new, old)
            changed = True
    for old in target.rglob("*.ipynb"):
        if str(old.relative_to(target)) not in wanted:
            old.unlink()
            changed = True
    return changed


def html_folder(profile: str, root: Path) -> Path:
    """Return where a profile's book is built; jupyter-book puts its own ``_build/html`` below the path it is given."""
    return root / "_build" / "html" if profile == "demo" else root / "_build" / profile / "_build" / "html"


def build_book(profile: Profile, root: Path) -> Path:
    """Build the HTML book of a profile whose pages are executed, and check it.

    Nothing is built when no page, prose or setting is newer than the last good build.

    Returns
    -------
    Path
        The book's ``index.html``.
    """
    html = html_folder(profile.name, root)
    toc = root / "_toc.yml" if profile.name == "demo" else html.parent / "_toc.yml"
    done = html.parent / ".checked"
    mirror_pages(profile, root / "artifacts" / profile.name / "pages", root / "book" / "executed")
    write_table_of_contents(profile, toc)
    write_datasets_chapter(root / "book" / "executed" / "datasets", root / "profiles")
    _check_truth(profile, root)
    sources = [root / "_config.yml", toc, *(p for p in (root / "book").rglob("*") if p.is_file())]
    if done.is_file() and (html / "index.html").is_file() and done.stat().st_mtime > max(p.stat().st_mtime for p in sources):
        return html / "index.html"
    done.unlink(missing_ok=True)
    _bundle_scripts(root)
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", str(root), "--toc", str(toc), "--path-output",
        str(html.parent.parent), "-n", "-W", "--keep-going", "-q",
    ]
    try:
        if subprocess.run(command, cwd=root).returncode:
            raise BookError("jupyter-book found the warnings above; each is an error in a page or in the prose")
        shrink_images(html)
        check_book(profile, root, html)
    except BookError:
        # Sphinx would not repeat the warnings of files that have not changed since.
        shutil.rmtree(html.parent / ".doctrees", ignore_errors=True)
        raise
    done.touch()
    return html / "index.html"


def _check_truth(profile: Profile, root: Path) -> None:
    """Refuse to build from pages of an earlier state, or a text that asks for a number which no page has."""
    faults = [f"{page} is of an earlier state: {reason}" for page, reason in stale_pages(profile, root).items()]
    faults += missing_keys(root, _files_of(table_of_contents(profile)))
    if faults:
        lines = "\n".join(f"- {fault}" for fault in faults)
        raise BookError(f"these pages cannot be published; run `make book` again\n{lines}")


def _files_of(contents: Any) -> list[str]:
    """Return every file of a table of contents, or of a part of it."""
    if isinstance(contents, list):
        return [file for part in contents for file in _files_of(part)]
    if not isinstance(contents, dict):
        return []
    own = [contents[key] for key in ("root", "file") if key in contents]
    return own + [file for key in ("parts", "chapters", "sections") for file in _files_of(contents.get(key))]


def _bundle_scripts(root: Path) -> None:
    """Fetch the scripts that pages load, so that these need no network; without npm they are loaded from elsewhere."""
    try:
        fetch_packages(root / STATIC / "vendor")
    except VendorError as error:
        shutil.rmtree(root / STATIC, ignore_errors=True)
        print(f"the book's scripts are not bundled: {error}; its equations will be loaded from a public server", flush=True)


class _PageReader(HTMLParser):
    """Collects what the check looks at: image sources, classes, and the visible text."""

    def __init__(self):
        super().__init__()
        self.images: list[str] = []
        self.classes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "img":
            self.images.append(attributes.get("src") or "")
        self.classes.update((attributes.get("class") or "").split())

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check_book(profile: Profile, root: Path, html: Path) -> None:
    """Check that every page of the table of contents is there and sound.

    Raises
    ------
    BookError
        A page is missing, lacks a figure it should hold, points to a missing image, contains a traceback, or does not
        say of its faces what it should (see `fergan.page.Page`): that they are rendered, or those of another set.
    """
    faults = [fault for page in pages_of(profile) for fault in _page_faults(page, root, html)]
    for name in ("book/intro", *_PROSE_BEFORE, *_PROSE_AFTER):
        if not (html / f"{name}.html").is_file():
            faults.append(f"{name}.html is missing")
    if faults:
        raise BookError("the built book has faults:\n" + "\n".join(f"- {fault}" for fault in faults))


def _page_faults(page: Page, root: Path, html: Path) -> Iterator[str]:
    path = html / "book" / "executed" / page.path.replace(".ipynb", ".html")
    if not path.is_file():
        yield f"{path.name} of {CHAPTERS[page.notebook]} is missing"
        return
    reader = _PageReader()
    reader.feed(path.read_text(encoding="utf-8"))
    text = "".join(reader.text)
    if "Traceback (most recent call last)" in text:
        yield f"{path}: contains a traceback"
    source = (root / "book" / "executed" / page.path).read_text(encoding="utf-8")
    expected = len(re.findall(r"```\{glue:figure\}", source))
    local = [src for src in reader.images if not src.startswith(("data:", "http"))]
    if len([src for src in local if "_images/" in src]) < expected:
        yield f"{path}: holds {len(local)} images; its notebook has {expected} figures"
    for src in local:
        if not (path.parent / src).resolve().is_file():
            yield f"{path}: image {src} does not exist"
    for heading, _ in page.notes:
        if note_class(heading) not in reader.classes:
            yield f"{path}: does not have its notice {heading!r}"
