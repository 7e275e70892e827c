"""The built pages: finished (small pictures, names that can be spoken), and checked; each is parsed when Sphinx wrote it.

Sphinx's own link checker looks at addresses of other hosts only, and so not at what is checked here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from PIL import Image

from fergan.book.pages import Page, pages_of
from fergan.book.profile import Profile
from fergan.cache import ROOT
from fergan.files import UserError, atomic_path, read_json, write_json

#: Where the executed pages lie that the book is built from.
EXECUTED = ROOT / "book" / "executed"

#: Bytes of a page with its pictures, without the scripts, styles and fonts that all pages share.
HEAVIEST = 1_500_000

#: Pixels: twice the width of a page's column, for screens with two pixels per point.
WIDEST = 1480

_COLOURS = 20_000  # a drawing has fewer; it is kept exactly, because lines suffer most from loss
_QUALITY = 88
# Scripts for a server that runs code on the reader's behalf; no page of the book has a button for it.
_UNUSED_SCRIPTS = ("thebe", "THEBE_JS_URL", "kernelName = ")


class BookError(UserError):
    """The book could not be built or is not what it should be; the message lists each fault."""


@dataclass(frozen=True)
class BuiltPage:
    """What the checks look at in one page of the built book."""

    links: list[str]
    images: list[tuple[str, str | None]]  # address, and the text that says what it shows
    anchors: list[str]
    classes: list[str]
    traceback: bool
    numbers: dict[str, str]  # anchor of a figure or table -> its number, "Table 3"
    cited: list[tuple[str, str]]  # link, and the number that it shows


def finish_pages(html: Path) -> dict[Path, BuiltPage]:
    """Finish the pages of a built book that are new, and return what is in each.

    PNG pictures become WebP; pages say their size and load them late. What was found in a page is noted beside the book,
    and the page is left as it is until Sphinx writes it again.
    """
    html, built, code = html.resolve(), {}, Path(__file__).stat().st_mtime_ns
    pictures = sorted((html / "_images").glob("*.png"))
    for png in pictures:
        _convert(png)
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html)
        if "_static" in name.parts:
            continue
        note = html.parent / f".{html.name}-pages" / f"{name}.json"
        if not note.is_file() or note.stat().st_mtime_ns < max(code, path.stat().st_mtime_ns):
            write_json(note, asdict(_finish(path)))
        built[path] = BuiltPage(**read_json(note))
    for png in pictures:
        png.unlink()
    return built


def _convert(png: Path) -> None:
    with Image.open(png) as picture:
        image = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    drawn = image.getcolors(_COLOURS) is not None
    with atomic_path(png.with_suffix(".webp")) as temporary:
        image.save(temporary, "WEBP", lossless=drawn, quality=80 if drawn else _QUALITY, method=4)


def _finish(path: Path) -> BuiltPage:
    before = path.read_text(encoding="utf-8")
    soup = BeautifulSoup(before, "html.parser")
    _show_small_pictures(soup, path.parent)
    _mend_names(soup)
    for script in soup.find_all("script"):
        if any(word in f"{script.get('src')} {script.get('type')} {script.string}" for word in _UNUSED_SCRIPTS):
            script.decompose()
    if str(soup) != before:
        with atomic_path(path) as temporary:
            temporary.write_text(str(soup), encoding="utf-8")
    tags = soup.find_all(True)
    numbers = {tag["id"]: tag.find(class_="caption-number") for tag in soup.find_all(["table", "figure"], id=True)}
    return BuiltPage(
        links=[tag["href"] for tag in soup.find_all("a", href=True)],
        images=[(tag.get("src", ""), tag.get("alt")) for tag in soup.find_all("img")],
        anchors=[tag[key] for tag in tags for key in ("id", "name") if tag.get(key)],
        classes=sorted({name for tag in tags for name in tag.get("class", ())}),
        traceback="Traceback (most recent call last)" in soup.get_text(),
        numbers={anchor: tag.get_text().strip() for anchor, tag in numbers.items() if tag},
        cited=[(tag.parent["href"], tag.get_text().strip()) for tag in soup.select("a[href] > .std-numref")],
    )


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


# ---- checks

def check_book(
    profile: Profile, html: Path, built: Mapping[Path, BuiltPage], prose: Sequence[str] = (), executed: Path = EXECUTED
) -> None:
    """Check that every page of the table of contents is there and sound.

    Args:
        html: The folder of the built book.
        built: What `finish_pages` returned.
        prose: Its texts beside the introduction, without suffix.
        executed: The folder of the executed pages that it was built from.

    Raises:
        BookError: The message lists each fault.
    """
    html = html.resolve()
    faults = [fault for page in pages_of(profile) for fault in _notebook_faults(page, executed, html, built)]
    faults += [f"{name}.html is missing" for name in ("book/intro", *prose) if html / f"{name}.html" not in built]
    faults += [f"{path.relative_to(html)}: {fault}" for path in built for fault in _page_faults(path, built)]
    if faults:
        raise BookError("the built book has faults:\n" + "\n".join(f"- {fault}" for fault in faults))


def _target(path: Path, link: str) -> Path:
    """Return the file that a link or a picture's source on a page names."""
    name = unquote(urlsplit(link).path)
    return (path.parent / name).resolve() if name else path


def _pictures(path: Path, page: BuiltPage) -> list[Path]:
    """Return the picture files that a page shows."""
    return [_target(path, source) for source, _ in page.images if not urlsplit(source).scheme]


def weight_of(path: Path, page: BuiltPage) -> int:
    """Return the bytes of a page and of the pictures that it alone shows."""
    pictures = {picture for picture in _pictures(path, page) if picture.parent.name == "_images" and picture.is_file()}
    return sum(file.stat().st_size for file in (path, *pictures))


def _notebook_faults(page: Page, executed: Path, html: Path, built: Mapping[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with a page that a notebook made."""
    path = html / "book" / "executed" / f"{page.id}.html"
    if path not in built:
        yield f"{page.id}.html is missing"
        return
    cells: list[dict[str, Any]] = read_json(executed / f"{page.id}.ipynb")["cells"]
    expected = sum("figure" in cell["metadata"].get("mystnb", {}) for cell in cells)
    found = [image for image in _pictures(path, built[path]) if image.parent.name == "_images"]
    if len(found) < expected:
        yield f"{path.relative_to(html)}: holds {len(found)} images; its notebook has {expected} figures"
    for notice in set(re.findall(r"^:class: (\S+)$", "".join(cells[0]["source"]), re.M)).difference(built[path].classes):
        yield f"{path.relative_to(html)}: does not have its notice {notice}"


def _page_faults(path: Path, built: Mapping[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with any page."""
    page = built[path]
    if page.traceback:
        yield "contains a traceback"
    for picture in _pictures(path, page):
        if not picture.is_file():
            yield f"image {picture.name} does not exist"
    for source, alt in page.images:
        if alt is None or alt.startswith(("../", "_images")):
            yield f"image {source[:80]} has no text that says what it shows"
    if (weight := weight_of(path, page)) > HEAVIEST:
        yield f"weighs {weight:,} bytes with its pictures; at most {HEAVIEST:,} are allowed"
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        anchor, target = unquote(parts.fragment), _target(path, link)
        if parts.scheme or parts.netloc:
            continue
        if not target.exists() or (anchor and target in built and anchor not in built[target].anchors):
            yield f"its link {link} leads nowhere"
    for link, number in page.cited:
        other, anchor = built.get(_target(path, link)), unquote(urlsplit(link).fragment)
        found = other and other.numbers.get(anchor)
        if found and found != number:
            yield f"calls {number} what is {found}, {anchor}"
