"""Whether a built book is sound: its pages are there, hold what they should, weigh little, and lead nowhere in vain.

Sphinx's own link checker looks at addresses of other hosts only, and so not at what is checked here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from fergan.book.pages import Page, pages_of
from fergan.book.profile import Profile
from fergan.cache import ROOT
from fergan.files import read_json

#: Where the executed pages lie that the book is built from.
EXECUTED = ROOT / "book" / "executed"

#: Bytes of a page with its pictures, without the scripts, styles and fonts that all pages share.
HEAVIEST = 1_500_000


class BookError(Exception):
    """The book could not be built or is not what it should be; the message lists each fault."""


@dataclass(frozen=True)
class BuiltPage:
    """What the checks look at in one page of the built book."""

    path: Path
    links: list[str]
    images: list[dict[str, str]]  # their attributes
    anchors: set[str]
    classes: set[str]
    text: str
    numbers: dict[str, str]  # anchor of a figure or table -> its number, "Table 3"
    cited: list[tuple[str, str]]  # link, and the number that it shows

    @classmethod
    def read(cls, path: Path) -> "BuiltPage":
        """Read an HTML file."""
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        tags, numbered = soup.find_all(True), soup.find_all(["table", "figure"], id=True)
        numbers = {tag["id"]: tag.find(class_="caption-number") for tag in numbered}
        return cls(
            path, [tag["href"] for tag in soup.find_all("a", href=True)], [tag.attrs for tag in soup.find_all("img")],
            {tag[key] for tag in tags for key in ("id", "name") if tag.get(key)},
            {name for tag in tags for name in tag.get("class", ())}, soup.get_text(),
            {anchor: tag.get_text().strip() for anchor, tag in numbers.items() if tag},
            [(tag.parent["href"], tag.get_text().strip()) for tag in soup.select("a[href] > .std-numref")],
        )

    def target(self, link: str) -> Path:
        """Return the file that a link or a picture's source names."""
        path = unquote(urlsplit(link).path)
        return (self.path.parent / path).resolve() if path else self.path

    @property
    def local_images(self) -> list[Path]:
        """The picture files that it shows."""
        sources = [image.get("src", "") for image in self.images]
        return [self.target(source) for source in sources if not urlsplit(source).scheme]

    @property
    def weight(self) -> int:
        """Bytes of the page and of the pictures that it alone shows."""
        pictures = {path for path in self.local_images if path.parent.name == "_images" and path.is_file()}
        return sum(path.stat().st_size for path in (self.path, *pictures))


def check_book(profile: Profile, html: Path, prose: Sequence[str] = (), executed: Path = EXECUTED) -> None:
    """Check that every page of the table of contents is there and sound.

    Args:
        html: The folder of the built book.
        prose: sequence of str; its texts beside the introduction, without suffix.
        executed: The folder of the executed pages that it was built from.

    Raises:
        BookError: The message lists each fault: see the functions below.
    """
    html = html.resolve()
    paths = (path for path in sorted(html.rglob("*.html")) if "_static" not in path.relative_to(html).parts)
    built = {path: BuiltPage.read(path) for path in paths}
    faults = [fault for page in pages_of(profile) for fault in _notebook_faults(page, executed, html, built)]
    faults += [f"{name}.html is missing" for name in ("book/intro", *prose) if html / f"{name}.html" not in built]
    faults += [f"{page.path.relative_to(html)}: {fault}" for page in built.values() for fault in _page_faults(page, built)]
    if faults:
        raise BookError("the built book has faults:\n" + "\n".join(f"- {fault}" for fault in faults))


def _notebook_faults(page: Page, executed: Path, html: Path, built: dict[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with a page that a notebook made."""
    path = html / "book" / "executed" / f"{page.id}.html"
    if path not in built:
        yield f"{page.id}.html is missing"
        return
    cells = read_json(executed / f"{page.id}.ipynb")["cells"]
    expected = sum("figure" in cell["metadata"].get("mystnb", {}) for cell in cells)
    found = [image for image in built[path].local_images if image.parent.name == "_images"]
    if len(found) < expected:
        yield f"{path.relative_to(html)}: holds {len(found)} images; its notebook has {expected} figures"
    for notice in set(re.findall(r"^:class: (\S+)$", "".join(cells[0]["source"]), re.M)) - built[path].classes:
        yield f"{path.relative_to(html)}: does not have its notice {notice}"


def _page_faults(page: BuiltPage, built: dict[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with any page."""
    if "Traceback (most recent call last)" in page.text:
        yield "contains a traceback"
    for picture in page.local_images:
        if not picture.is_file():
            yield f"image {picture.name} does not exist"
    for image in page.images:
        if "alt" not in image or image["alt"].startswith(("../", "_images")):
            yield f"image {image.get('src', '')[:80]} has no text that says what it shows"
    if page.weight > HEAVIEST:
        yield f"weighs {page.weight:,} bytes with its pictures; at most {HEAVIEST:,} are allowed"
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        anchor, target = unquote(parts.fragment), page.target(link)
        if parts.scheme or parts.netloc:
            continue
        if not target.exists() or (anchor and target in built and anchor not in built[target].anchors):
            yield f"its link {link} leads nowhere"
    for link, number in page.cited:
        other = built.get(page.target(link))
        found = other and other.numbers.get(unquote(urlsplit(link).fragment))
        if found and found != number:
            yield f"calls {number} what is {found}, {urlsplit(link).fragment}"
