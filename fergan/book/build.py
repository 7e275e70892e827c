"""From executed pages to a published book: table of contents, build, and a check of what was built."""

import shutil
import subprocess
import sys
from filecmp import cmp
from pathlib import Path
from typing import Any

import yaml

from fergan.book.pages import pages_of
from fergan.book.profile_schema import Profile
from fergan.book.site.access import mend_names
from fergan.book.site.check import BookError, check_book
from fergan.book.site.extension import STATIC
from fergan.book.site.figures import write_pasted_figures
from fergan.book.site.images import shrink_images
from fergan.book.site.licences import write_licences
from fergan.book.site.truth import missing_keys, stale_pages
from fergan.book.site.vendor import VendorError, fetch_packages
from fergan.book.tables.datasets import write_datasets_chapter

__all__ = ["build_book", "html_folder", "mirror_pages", "prepare_sources", "table_of_contents"]

_PROSE_BEFORE = ("book/reading", "book/related", "book/method", "book/datasets")
_PROSE_AFTER = ("book/conclusion", "book/limits", "book/exercises", "book/glossary", "book/licences", "book/references")


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


def prepare_sources(profile: Profile, root: Path) -> Path:
    """Put into ``book/executed`` what the profile's book is built from, and refuse what is not of this state.

    Returns
    -------
    Path
        The table of contents.

    Raises
    ------
    BookError
        A page is of an earlier state, or a text asks for a number that no page has.
    """
    html = html_folder(profile.name, root)
    toc = root / "_toc.yml" if profile.name == "demo" else html.parent / "_toc.yml"
    mirror_pages(profile, root / "artifacts" / profile.name / "pages", root / "book" / "executed")
    write_table_of_contents(profile, toc)
    write_datasets_chapter(root / "book" / "executed" / "datasets", root / "profiles")
    write_licences(root / "book" / "executed" / "licences.md", root)
    _check_truth(profile, root)
    write_pasted_figures(root / "book" / "executed")
    return toc


def build_book(profile: Profile, root: Path) -> Path:
    """Build the HTML book of a profile whose pages are executed, and check it.

    Nothing is built when no page, prose or setting is newer than the last good build.

    Returns
    -------
    Path
        The book's ``index.html``.
    """
    html = html_folder(profile.name, root)
    done = html.parent / ".checked"
    toc = prepare_sources(profile, root)
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
        _forget_old_pages(profile, html)
        shrink_images(html)
        mend_names(html)
        check_book(profile, root, html, [*_PROSE_BEFORE, *_PROSE_AFTER])
    except BookError:
        # Sphinx would not repeat the warnings of files that have not changed since.
        shutil.rmtree(html.parent / ".doctrees", ignore_errors=True)
        raise
    done.touch()
    return html / "index.html"


def _forget_old_pages(profile: Profile, html: Path) -> None:
    """Delete what earlier builds left of pages that the profile no longer has."""
    wanted = {html / f"{name}.html" for name in _files_of(table_of_contents(profile))}
    for old in set((html / "book").rglob("*.html")) - wanted:
        old.unlink()


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
