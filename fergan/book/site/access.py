"""What the theme leaves to do for readers who hear or speak to a page: names of buttons that say what is written on them."""

import re
from pathlib import Path

from fergan.files import atomic_path

__all__ = ["mend_names"]

#: What is found in a page -> what takes its place. A spoken command names what is seen, so the name must hold it.
_MENDED = (
    (re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    (re.compile(r'(<summary) aria-label="Toggle hidden content"'), r"\1"),
    (re.compile(r'<summary>(<span class="toctree-toggle")'), r'<summary aria-label="Pages of this chapter">\1'),
    (re.compile(r'<div role="list" class="citation-list">'), r'<div class="citation-list">'),
    (re.compile(r'(<i class="theme-switch[^>]*?) title="[^"]*"'), r'\1 aria-hidden="true"'),
)


def mend_names(html: Path) -> None:
    """Mend the names of buttons on every page of a built book; one that is mended already stays as it is."""
    for page in html.rglob("*.html"):
        before = after = page.read_text(encoding="utf-8")
        for pattern, name in _MENDED:
            after = pattern.sub(name, after)
        if after != before:
            with atomic_path(page) as temporary:
                temporary.write_text(after, encoding="utf-8")
