"""The README's pictures, taken of a built book: three screenshots, and a filmstrip of a threshold that moves."""

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from fergan.files import atomic_path

__all__ = ["PictureError", "filmstrip_of", "find_browser", "take_pictures"]

#: Picture -> page, window in points, and the element that is brought into view.
SCREENSHOTS = {
    "introduction": ("book/intro.html", (1280, 800), "h1"),
    "claims": ("book/executed/07b_claims/verdicts.html", (1280, 800), "#fig-claims-verdicts"),
    "telephone": ("book/executed/07_results/results.html", (390, 800), "#fig-protocols"),
}
_FILM = "book/executed/07_results/results.html"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class PictureError(Exception):
    """The pictures cannot be taken; the message says what is missing."""


def find_browser() -> str:
    """Return the path of the system's Chromium; empty where there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), "")


def take_pictures(html: Path, folder: Path) -> list[Path]:
    """Take every picture.

    Parameters
    ----------
    html : Path
        The folder of the built book.
    folder : Path
        Where the pictures go, as WebP.

    Returns
    -------
    list of Path

    Raises
    ------
    PictureError
        The book is not built, or there is no browser.
    """
    from playwright.sync_api import sync_playwright

    if not (html / "book" / "intro.html").is_file():
        raise PictureError(f"{html} holds no book; run `make book` first")
    if not find_browser():
        raise PictureError("there is no Chromium to take pictures with (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        paths = [_screenshot(browser, html / page, size, element, folder / f"{name}.webp")
                 for name, (page, size, element) in SCREENSHOTS.items()]
        page = _open(browser, html / _FILM, (1000, 900))
        frames = filmstrip_of(page, n_frames=4)
        browser.close()
    rows = [np.concatenate(frames[start : start + 2], axis=1) for start in (0, 2)]
    return [*paths, _save(np.concatenate(rows), folder / "threshold.webp")]


def _open(browser, path: Path, size: tuple[int, int]):
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    page.evaluate("window.MathJax ? MathJax.startup.promise.then(() => 1) : 1")
    return page


def _screenshot(browser, path: Path, size: tuple[int, int], element: str, target: Path) -> Path:
    page = _open(browser, path, size)
    page.locator(element).first.evaluate("element => window.scrollTo(0, element.getBoundingClientRect().top - 70)")
    page.wait_for_timeout(500)  # pictures come late, when they are in view
    return _save(_pixels(page.screenshot()), target)


def filmstrip_of(page, n_frames: int) -> list[np.ndarray]:
    """Return pictures uint8 (height, width, 3) of the page's threshold at even steps from strict to loose."""
    box = page.locator(".threshold-explorer .board").first
    slider = page.locator(".threshold-explorer input").first
    frames = []
    move = "(slider, share) => { slider.value = share * slider.max; slider.dispatchEvent(new Event('input')); }"
    for share in np.linspace(0.1, 0.7, n_frames):
        slider.evaluate(move, share)
        frames.append(_pixels(box.screenshot()))
    return frames


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _save(pixels: np.ndarray, path: Path) -> Path:
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, "WEBP", quality=85, method=6)
    return path
