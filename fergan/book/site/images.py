"""Smaller pictures in the built pages: WebP, no wider than they are shown, with their size known before they come."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

from fergan.files import atomic_path

__all__ = ["WIDEST", "shrink_images"]

#: Pixels: twice the width of a page's column, for screens with two pixels per point.
WIDEST = 1480

_COLOURS = 20_000  # a drawing has fewer; it is kept exactly, because lines suffer most from loss
_QUALITY = 88
_TAG = re.compile(r"<img\b[^>]*>")
_LINK = re.compile(r'(\bhref="[^"]*_images/[^"]+?)\.png"')
_SOURCE = re.compile(r'\bsrc="([^"]*_images/[^"]+?)\.png"')


def shrink_images(html: Path) -> None:
    """Replace the PNG pictures of a built book by WebP, and let its pages say each picture's size and load it late.

    Parameters
    ----------
    html : Path
        The folder of the built book. A book that was shrunk before is left as it is but for what is new.
    """
    for png in sorted((html / "_images").glob("*.png")):
        _convert(png)
    for page in html.rglob("*.html"):
        before = page.read_text(encoding="utf-8")
        after = _LINK.sub(r'\1.webp"', _TAG.sub(_new_tag(page), before))
        if after != before:
            with atomic_path(page) as temporary:
                temporary.write_text(after, encoding="utf-8")
    for png in (html / "_images").glob("*.png"):
        png.unlink()


def _convert(png: Path) -> None:
    with Image.open(png) as picture:
        image = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    drawn = image.getcolors(_COLOURS) is not None
    with atomic_path(png.with_suffix(".webp")) as temporary:
        image.save(temporary, "WEBP", lossless=drawn, quality=80 if drawn else _QUALITY, method=4)


def _new_tag(page: Path) -> Callable[[re.Match[str]], str]:
    def change(found: re.Match[str]) -> str:
        tag = found.group()
        source = _SOURCE.search(tag)
        picture = (page.parent / f"{unquote(source.group(1))}.webp") if source else None
        if picture is None or not picture.is_file():
            return tag
        with Image.open(picture) as image:
            width, height = image.size
        tag = tag.replace(source.group(), f'src="{source.group(1)}.webp"')
        size = "" if re.search(r'\b(width|height|style)=', tag) else f' width="{width}" height="{height}"'
        return tag.replace("<img", f'<img loading="lazy" decoding="async"{size}', 1)

    return change
