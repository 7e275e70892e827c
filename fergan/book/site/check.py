"""Whether a built book is sound: its pages are there, hold what they should, weigh little, and lead nowhere in vain."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fergan.book.notebooks import note_class
from fergan.book.page import CHAPTERS, Page
from fergan.book.pages import pages_of
from fergan.book.profile_schema import Profile

__all__ = ["HEAVIEST", "BookError", "BuiltPage", "check_book", "outside_sources", "page_weight"]

#: Bytes of a page with its pictures, without the scripts, styles and fonts that all pages share.
HEAVIEST = 1_500_000

_LOADING = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src"}
_LOADING_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}


class BookError(Exception):
    """The book could not be built or is not what it should be; the message lists each fault."""


class _Reader(HTMLParser):
    """Collects what the checks look at: links, what is loaded, anchors, classes, numbers, and the visible text."""

    def __init__(self):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[dict[str, str]] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.text: list[str] = []
        self.cited: list[tuple[str, str]] = []  # link, and the number that it shows: "Table 3"
        self.numbers: dict[str, str] = {}  # anchor of a figure or table -> its number
        self._anchor = self._link = ""
        self._reads = ""  # class of the number whose text comes next

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag loads, links to, is called and announces; the parser calls this."""
        attributes = {name: value or "" for name, value in attrs}
        self.anchors.update(attributes[key] for key in ("id", "name") if attributes.get(key))
        classes = attributes.get("class", "").split()
        self.classes.update(classes)
        self._anchor = attributes.get("id", "") if tag in ("table", "figure") else self._anchor
        self._link = attributes.get("href", "") if tag == "a" else self._link
        self._reads = next((kind for kind in ("caption-number", "std-numref") if kind in classes), "")
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes)
        if attributes.get(_LOADING.get(tag, "")):
            self.loaded.append(attributes[_LOADING[tag]])
        if tag == "link" and _LOADING_RELATIONS & set(attributes.get("rel", "").split()):
            self.loaded.append(attributes.get("href", ""))

    def handle_data(self, data: str) -> None:
        """Note a text, and the number of a figure or table where one was announced; the parser calls this."""
        self.text.append(data)
        if self._reads == "caption-number":
            self.numbers[self._anchor] = data.strip()
        elif self._reads == "std-numref":
            self.cited.append((self._link, data.strip()))
        self._reads = ""


@dataclass
class BuiltPage:
    """One page of the built book, read once.

    Attributes
    ----------
    path : Path
        Its HTML file.
    """

    path: Path

    @cached_property
    def content(self) -> _Reader:
        """What the page holds."""
        reader = _Reader()
        reader.feed(self.path.read_text(encoding="utf-8"))
        return reader

    @property
    def local_images(self) -> list[Path]:
        """The picture files that it shows."""
        sources = [image.get("src", "") for image in self.content.images]
        return [(self.path.parent / unquote(src)).resolve() for src in sources if not urlsplit(src).scheme]


def page_weight(page: BuiltPage) -> int:
    """Return the bytes of a page and of the pictures that it alone shows."""
    pictures = {path for path in page.local_images if path.parent.name == "_images" and path.is_file()}
    return page.path.stat().st_size + sum(path.stat().st_size for path in pictures)


def outside_sources(page: BuiltPage) -> list[str]:
    """Return the addresses of other hosts that the page would load something from."""
    return [source for source in page.content.loaded if urlsplit(source).netloc]


def check_book(profile: Profile, root: Path, html: Path, prose: Sequence[str] = ()) -> None:
    """Check that every page of the table of contents is there and sound.

    Parameters
    ----------
    profile : Profile
    root : Path
        The project.
    html : Path
        The folder of the built book.
    prose : sequence of str
        Its texts beside the introduction, without suffix.

    Raises
    ------
    BookError
        A page is missing, is too heavy, lacks a figure it should hold, points to a missing picture, page or anchor, shows a
        picture without a text for those who do not see it, cites a figure or table by another number than it has, contains a
        traceback, or does not say of its faces what it should (see `fergan.book.page.Page`): that they are rendered, or those of
        another set.
    """
    html = html.resolve()
    built = {path: BuiltPage(path) for path in sorted(html.rglob("*.html")) if "_static" not in path.relative_to(html).parts}
    faults = [fault for page in pages_of(profile) for fault in _notebook_faults(page, root, html, built)]
    faults += [f"{name}.html is missing" for name in ("book/intro", *prose) if html / f"{name}.html" not in built]
    faults += [f"{page.path.relative_to(html)}: {fault}" for page in built.values() for fault in _page_faults(page, built)]
    if faults:
        raise BookError("the built book has faults:\n" + "\n".join(f"- {fault}" for fault in faults))


def _notebook_faults(page: Page, root: Path, html: Path, built: dict[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with a page that a notebook made."""
    path = html / "book" / "executed" / page.path.replace(".ipynb", ".html")
    if path not in built:
        yield f"{path.name} of {CHAPTERS[page.notebook]} is missing"
        return
    source = (root / "book" / "executed" / page.path).read_text(encoding="utf-8")
    expected = len(re.findall(r"```\{glue:figure\}", source))
    found = [path for path in built[path].local_images if path.parent.name == "_images"]
    if len(found) < expected:
        yield f"{path.relative_to(html)}: holds {len(found)} images; its notebook has {expected} figures"
    for heading, _ in page.notes:
        if note_class(heading) not in built[path].content.classes:
            yield f"{path.relative_to(html)}: does not have its notice {heading!r}"


def _page_faults(page: BuiltPage, built: dict[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with any page."""
    if "Traceback (most recent call last)" in "".join(page.content.text):
        yield "contains a traceback"
    for picture in page.local_images:
        if not picture.is_file():
            yield f"image {picture.name} does not exist"
    for image in page.content.images:
        if "alt" not in image or image["alt"].startswith(("../", "_images")):
            yield f"image {image.get('src', '')[:80]} has no text that says what it shows"
    weight = page_weight(page)
    if weight > HEAVIEST:
        yield f"weighs {weight:,} bytes with its pictures; at most {HEAVIEST:,} are allowed"
    for link in dict.fromkeys(page.content.links):
        if not _leads_somewhere(link, page, built):
            yield f"its link {link} leads nowhere"
    for link, number in page.content.cited:
        other, anchor = _target(link, page, built)
        found = other and other.content.numbers.get(anchor)
        if found and found != number:
            yield f"calls {number} what is {found}, {anchor}"


def _leads_somewhere(link: str, page: BuiltPage, built: dict[Path, BuiltPage]) -> bool:
    """Whether a link is to another host, to a file of the book, or to an anchor that is there."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or link in ("", "#"):
        return True
    if parts.path and not (page.path.parent / unquote(parts.path)).resolve().exists():
        return False
    other, anchor = _target(link, page, built)
    return not anchor or other is None or anchor in other.content.anchors


def _target(link: str, page: BuiltPage, built: dict[Path, BuiltPage]) -> tuple[BuiltPage | None, str]:
    """Return the page of the book that a link leads to, None where it is none of them, and the anchor there."""
    parts = urlsplit(link)
    target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
    return built.get(target), unquote(parts.fragment)
