"""What the built pages show: small pictures, names of buttons for readers who hear a page, and all licences."""

import re
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

from fergan.book.show import say
from fergan.cache import ROOT
from fergan.data.catalogue import CATALOGUE
from fergan.files import atomic_path

#: Pixels: twice the width of a page's column, for screens with two pixels per point.
WIDEST = 1480

_COLOURS = 20_000  # a drawing has fewer; it is kept exactly, because lines suffer most from loss
_QUALITY = 88
_TAG = re.compile(r"<img\b[^>]*>")
_LINK = re.compile(r'(\bhref="[^"]*_images/[^"]+?)\.png"')
_SOURCE = re.compile(r'\bsrc="([^"]*_images/[^"]+?)\.png"')
# What the theme says to readers who hear or speak to a page -> what takes its place. A spoken command names what is seen,
# so a button's name must hold it.
_MENDED = (
    (re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    (re.compile(r'(<summary) aria-label="Toggle hidden content"'), r"\1"),
    (re.compile(r'(<summary)>(<span class="toctree-toggle")'), r'\1 aria-label="Pages of this chapter">\2'),
    (re.compile(r'(<div) role="list"( class="citation-list">)'), r"\1\2"),
    (re.compile(r'(<i class="theme-switch[^>]*?) title="[^"]*"'), r'\1 aria-hidden="true"'),
)


def finish_pages(html: Path) -> None:
    """Make a built book's PNG pictures WebP, let its pages say their size and load them late, and mend names of buttons.

    A book that was finished before is left as it is but for what is new.
    """
    pictures = sorted((html / "_images").glob("*.png"))
    for png in pictures:
        _convert(png)
    for page in html.rglob("*.html"):
        before = page.read_text(encoding="utf-8")
        after = _LINK.sub(r'\1.webp"', _TAG.sub(lambda tag, page=page: _new_tag(tag.group(), page), before))
        for pattern, name in _MENDED:
            after = pattern.sub(name, after)
        if after != before:
            with atomic_path(page) as temporary:
                temporary.write_text(after, encoding="utf-8")
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


def _new_tag(tag: str, page: Path) -> str:
    source = _SOURCE.search(tag)
    picture = (page.parent / f"{unquote(source.group(1))}.webp") if source else None
    if picture is None or not picture.is_file():
        return tag
    with Image.open(picture) as image:
        width, height = image.size
    tag = tag.replace(source.group(), f'src="{source.group(1)}.webp"')
    size = "" if re.search(r"\b(width|height|style)=", tag) else f' width="{width}" height="{height}"'
    return tag.replace("<img", f'<img loading="lazy" decoding="async"{size}', 1)


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
