"""The README's pictures of a built book: real and generated faces beside scores, screenshots, and a threshold that moves."""

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from fergan.book.check import EXECUTED
from fergan.book.profile import Profile
from fergan.files import atomic_path

#: Screenshot -> page, window in points, and the element that is brought into view.
SCREENSHOTS = {
    "introduction": ("book/intro.html", (1280, 800), "h1"),
    "claims": ("book/executed/07b_claims/verdicts.html", (1280, 800), "#fig-claims-verdicts"),
    "telephone": ("book/executed/07_results/results.html", (390, 800), "#fig-protocols"),
}
_OVERVIEW = EXECUTED / "said" / "results-results" / "fig-results-overview.png"
_MOVE = "(slider, share) => { slider.value = share * slider.max; slider.dispatchEvent(new Event('input')); }"
_FILM = "book/executed/07_results/results.html"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class PictureError(Exception):
    """The pictures cannot be taken; the message says what is missing."""


def find_browser() -> str:
    """Return the path of the system's Chromium; empty where there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), "")


def draw_pictures(profile: Profile, folder: Path) -> list[Path]:
    """Take every picture of a profile's built book, into `folder`.

    Raises:
        PictureError: The book is not built, or there is no browser.
    """
    from playwright.sync_api import sync_playwright

    from fergan.book.build import html_folder  # slow to import, and nothing else here needs it

    html = html_folder(profile.name)
    if not (html / "book" / "intro.html").is_file() or not _OVERVIEW.is_file():
        raise PictureError(f"{html} holds no book; run `make book` first")
    if not find_browser():
        raise PictureError("there is no Chromium to take pictures with (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        pictures = {}
        for name, (page, size, element) in SCREENSHOTS.items():
            view = _open(browser, html / page, size)
            view.locator(element).first.evaluate("it => window.scrollTo(0, it.getBoundingClientRect().top - 70)")
            view.wait_for_timeout(500)  # pictures come late, when they are in view
            pictures[name] = _pixels(view.screenshot())
        explorer, frames = _open(browser, html / _FILM, (1000, 900)).locator(".threshold-explorer").first, []
        for share in np.linspace(0.1, 0.7, 4):  # from a strict threshold to a loose one
            explorer.locator("input").evaluate(_MOVE, share)
            frames.append(_pixels(explorer.locator(".board").screenshot()))
        pictures["threshold"] = np.concatenate([np.concatenate(frames[row : row + 2], axis=1) for row in (0, 2)])
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
