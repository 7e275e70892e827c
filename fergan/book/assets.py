"""What the built pages show: small pictures, names of buttons for readers who hear a page, and all licences."""

import re
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from PIL import Image

from fergan.book.show import say
from fergan.cache import ROOT
from fergan.data.catalogue import CATALOGUE
from fergan.files import atomic_path

#: Pixels: twice the width of a page's column, for screens with two pixels per point.
WIDEST = 1480

_COLOURS = 20_000  # a drawing has fewer; it is kept exactly, because lines suffer most from loss
_QUALITY = 88
# Scripts for a server that runs code on the reader's behalf; no page of the book has a button for it.
_UNUSED_SCRIPTS = ("thebe", "THEBE_JS_URL", "kernelName = ")


def finish_pages(html: Path) -> None:
    """Finish the pages of a built book: small pictures, names that can be spoken, no scripts that nothing uses.

    PNG pictures become WebP, and pages say their size and load them late. What was finished before is left as it is.
    """
    pictures = sorted((html / "_images").glob("*.png"))
    for png in pictures:
        _convert(png)
    for page in html.rglob("*.html"):
        before = page.read_text(encoding="utf-8")
        soup = BeautifulSoup(before, "html.parser")
        _show_small_pictures(soup, page.parent)
        _mend_names(soup)
        for script in soup.find_all("script"):
            if any(word in f"{script.get('src')} {script.get('type')} {script.string}" for word in _UNUSED_SCRIPTS):
                script.decompose()
        if str(soup) != before:
            with atomic_path(page) as temporary:
                temporary.write_text(str(soup), encoding="utf-8")
    for png in pictures:
        png.unlink()


def _convert(png: Path) -> None:
    with Image.open(png) as picture:
        image = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    drawn = image.getcolors(_COLOURS) is not None
    with atomic_path(png.with_suffix(".webp")) as temporary:
        image.save(temporary, "WEBP", lossless=drawn, quality=80 if drawn else _QUALITY, method=4)


def _show_small_pictures(soup: BeautifulSoup, folder: Path) -> None:
    for tag in soup.find_all(["a", "img"]):
        key = "src" if tag.name == "img" else "href"
        source = tag.get(key, "")
        picture = (folder / unquote(source)).with_suffix(".webp")
        if "_images/" not in source or not source.endswith(".png") or not picture.is_file():
            continue
        tag[key] = source.removesuffix(".png") + ".webp"
        if tag.name == "img":
            tag.attrs |= {"loading": "lazy", "decoding": "async"}
            if not {"width", "height", "style"} & set(tag.attrs):
                with Image.open(picture) as image:
                    tag["width"], tag["height"] = image.size


def _mend_names(soup: BeautifulSoup) -> None:
    """Name what the theme names otherwise than it reads: a spoken command says what is seen, so a name must hold it."""
    for tag in soup.find_all("button", class_="search-button-field"):
        tag.attrs.pop("aria-label", None)
    for tag in soup.find_all("summary"):
        if tag.get("aria-label") == "Toggle hidden content":
            del tag["aria-label"]
        if tag.find(class_="toctree-toggle", recursive=False):
            tag["aria-label"] = "Pages of this chapter"
    for tag in soup.find_all("div", class_="citation-list"):
        tag.attrs.pop("role", None)
    for tag in soup.find_all("i", class_="theme-switch", title=True):
        del tag["title"]
        tag["aria-hidden"] = "true"


def write_licences(path: Path) -> None:
    """Write the tables of the book's page on licences; an equal file keeps its time stamp.

    They hold the packages that ``requirements.txt`` pins, one ``name==version  # reason`` a line, with the licence that each
    installed package states, and the collections of faces.
    """
    pinned = re.findall(r"^([\w.-]+)==(\S+)\s+# (.*)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M)
    packages = [{"package": name, "version": version, "licence": _licence_of(name), "purpose": purpose}
                for name, version, purpose in pinned]
    text = say("licences", "tables", packages=packages, collections=list(CATALOGUE.values())) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


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
