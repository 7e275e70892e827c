"""The book seen from outside: a preview that follows its prose, and the README's pictures of a built book."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from fergan.book.profile import Profile
from fergan.book.site import EXECUTED
from fergan.files import UserError, atomic_path

#: Screenshot -> page, window in points, and the element that is brought into view.
SCREENSHOTS = {
    "introduction": ("book/intro.html", (1280, 800), "h1"),
    "claims": ("book/executed/07b_claims/verdicts.html", (1280, 800), "#fig-claims-verdicts"),
    "telephone": ("book/executed/07_results/results.html", (390, 800), "#fig-protocols"),
}
_OVERVIEW = EXECUTED / "said" / "results-results" / "fig-results-overview.png"
_MOVE = "(slider, share) => { slider.value = share * slider.max; slider.dispatchEvent(new Event('input')); }"


class PictureError(UserError):
    """The pictures cannot be taken; the message says what is missing."""


def write_settings(root: Path, toc: Path, folder: Path) -> None:
    """Lay out a folder that Sphinx itself can build: the book's settings as ``conf.py``, its contents, and its sources.

    The sources are a link, so that what is edited is what is built.
    """
    from jupyter_book.config import get_final_config

    contents = {"external_toc_path": toc.name, "latex_individualpages": False}
    settings, _ = get_final_config(user_yaml=root / "_config.yml", sourcedir=root, cli_config=contents)
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "book"
    if not link.is_symlink():
        link.symlink_to(root / "book", target_is_directory=True)
    (folder / toc.name).write_bytes(toc.read_bytes())
    with atomic_path(folder / "conf.py") as temporary:
        temporary.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()), encoding="utf-8")


def preview(profile: Profile, root: Path, port: int = 8000) -> int:
    """Build a preview, open a server for it, and build again what is saved in ``book/``; return the server's exit status.

    Nothing is executed: the pages of notebooks are those of the last ``make book``.
    """
    from fergan.book.build import prepare_sources  # slow to import
    from fergan.book.fresh import Book

    toc, folder = prepare_sources(Book(profile)), root / "_build" / "preview"
    write_settings(root, toc, folder / "source")
    command = [sys.executable, "-m", "sphinx_autobuild", str(folder / "source"), str(folder / "html"),
               "--watch", str(root / "book"), "--host", "127.0.0.1", "--port", str(port), "-q"]
    try:
        return subprocess.run(command, cwd=root).returncode
    except KeyboardInterrupt:
        return 0


def find_browser() -> str:
    """Return the path of the system's Chromium; empty where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


def draw_pictures(profile: Profile, folder: Path) -> list[Path]:
    """Take every picture of a profile's built book, into `folder`.

    Raises:
        PictureError: The book is not built, or there is no browser.
    """
    from playwright.sync_api import sync_playwright

    from fergan.book.build import html_folder

    html = html_folder(profile.name)
    if not (html / "book" / "intro.html").is_file() or not _OVERVIEW.is_file():
        raise PictureError(f"{html} holds no book; run `make book` first")
    if not find_browser():
        raise PictureError("there is no Chromium to take pictures with (on Debian: apt-get install chromium)")
    pictures = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name, (page, size, element) in SCREENSHOTS.items():
            view = _open(browser, html / page, size)
            view.locator(element).first.evaluate("it => window.scrollTo(0, it.getBoundingClientRect().top - 70)")
            view.wait_for_timeout(500)  # pictures come late, when they are in view
            pictures[name] = _pixels(view.screenshot())
        results = _open(browser, html / SCREENSHOTS["telephone"][0], (1000, 900))
        explorer, frames = results.locator(".threshold-explorer").first, []
        for share in np.linspace(0.1, 0.7, 4):  # from a strict threshold to a loose one
            explorer.locator("input").evaluate(_MOVE, share)
            frames.append(_pixels(explorer.locator(".board").screenshot()))
        pictures["threshold"] = np.vstack([np.hstack(frames[:2]), np.hstack(frames[2:])])
        browser.close()
    for name, pixels in pictures.items():
        with atomic_path(folder / f"{name}.webp") as temporary:
            Image.fromarray(pixels).save(temporary, "WEBP", quality=85, method=6)
    with atomic_path(folder / "overview.png") as temporary:
        shutil.copyfile(_OVERVIEW, temporary)
    return [folder / "overview.png", *(folder / f"{name}.webp" for name in pictures)]


def _open(browser, path: Path, size: tuple[int, int]):
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    page.evaluate("window.MathJax ? MathJax.startup.promise.then(() => 1) : 1")
    return page


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
