"""The built site: what Sphinx does for it; its pages finished and checked.

``_config.yml`` names this module as a Sphinx extension. Pages ask no other host for anything (MathJax comes with a package
whose own extension copies more than twice what they can ask for), and captions lead to how they were made.
Sphinx's own link checker looks at addresses of other hosts only, and so not at what is checked here.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from docutils import nodes

from fergan.files import ROOT, UserError, atomic_path, read_json, write_json

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

#: Where the executed pages lie that the book is built from.
EXECUTED = ROOT / "book" / "executed"

#: Bytes of a page with its pictures, without the scripts, styles and fonts that all pages share.
HEAVIEST = 1_500_000

# Scripts for a server that runs code on the reader's behalf; no page of the book has a button for it.
_UNUSED_SCRIPTS = ("thebe", "THEBE_JS_URL", "kernelName = ")
_UNUSED_MATHJAX = shutil.ignore_patterns("*svg*", "*full*", "mml", "mml-*", "tex-chtml.js", "core.js", "liteDOM.js")


class BookError(UserError):
    """The book could not be built or is not what it should be; the message lists each fault."""


# ---- what Sphinx does

def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the extension; Sphinx calls this."""
    app.connect("config-inited", _use_own_mathjax, priority=100)  # before all others
    app.connect("env-get-updated", _pages_that_cite_others, priority=900)  # after figures have got their numbers
    app.connect("doctree-resolved", _link_captions)
    app.connect("build-finished", _copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _use_own_mathjax(app: "Sphinx", config: "Config") -> None:
    config.mathjax_path = "mathjax/tex-mml-chtml.js"
    config.nb_ipywidgets_js = {}  # no page has a widget that would need a kernel


def _copy_mathjax(app: "Sphinx", error: Exception | None) -> None:
    if error is None:
        source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
        shutil.copytree(source, Path(app.outdir) / "_static" / "mathjax", ignore=_UNUSED_MATHJAX, dirs_exist_ok=True)


def _pages_that_cite_others(app: "Sphinx", env: "BuildEnvironment") -> list[str]:
    """Return the pages that cite figures by number, to be written anew, where a number or a label is another than before.

    Sphinx does not know of the dependence, and an unchanged text would keep the numbers of an earlier build.
    """
    def cites(node: nodes.Node) -> bool:
        return node.tagname == "pending_xref" and node["reftype"] == "numref"

    labels = env.get_domain("std").anonlabels
    now = repr((sorted(env.toc_fignumbers.items()), sorted(labels.items())))
    if now == getattr(env, "fergan_numbers", ""):
        return []
    env.fergan_numbers = now
    return [name for name in env.found_docs if any(env.get_doctree(name).findall(cites))]


def _link_captions(app: "Sphinx", doctree: nodes.document, page: str) -> None:
    """Let the caption of every figure and table link to the box that says how its page was made."""
    def is_caption(node: nodes.Node) -> bool:
        return isinstance(node, nodes.caption) or (isinstance(node, nodes.title) and isinstance(node.parent, nodes.table))

    boxes = [name for node in doctree.findall(nodes.Admonition) for name in node["ids"] if name.endswith("-made")]
    for caption in list(doctree.findall(is_caption)) if boxes else ():
        caption += nodes.reference("", "how made", refid=boxes[0], internal=True, classes=["how-made"],
                                   reftitle="How this was made")


# ---- pages are finished

@dataclass(frozen=True)
class BuiltPage:
    """What the checks look at in one page of the built book."""

    links: list[str]
    images: list[tuple[str, str | None]]  # address, and the text that says what it shows
    anchors: list[str]
    classes: list[str]
    traceback: bool


def finish_pages(html: Path) -> dict[Path, BuiltPage]:
    """Finish the pages of a built book that are new, and return what is in each.

    What was found in a page is noted beside the book, and the page is left as it is until Sphinx writes it again.
    """
    html, built, code = html.resolve(), {}, Path(__file__).stat().st_mtime_ns
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html)
        if "_static" in name.parts:
            continue
        note = html.parent / f".{html.name}-pages" / f"{name}.json"
        if not note.is_file() or note.stat().st_mtime_ns < max(code, path.stat().st_mtime_ns):
            write_json(note, asdict(_finish(path)))
        built[path] = BuiltPage(**read_json(note))
    return built


def _finish(path: Path) -> BuiltPage:
    before = path.read_text(encoding="utf-8")
    soup = BeautifulSoup(before, "html.parser")
    _mend_names(soup)
    for script in soup.find_all("script"):
        if any(word in f"{script.get('src')} {script.get('type')} {script.string}" for word in _UNUSED_SCRIPTS):
            script.decompose()
    if str(soup) != before:
        with atomic_path(path) as temporary:
            temporary.write_text(str(soup), encoding="utf-8")
    tags = soup.find_all(True)
    return BuiltPage(
        links=[tag["href"] for tag in soup.find_all("a", href=True)],
        images=[(tag.get("src", ""), tag.get("alt")) for tag in soup.find_all("img")],
        anchors=[tag[key] for tag in tags for key in ("id", "name") if tag.get(key)],
        classes=sorted({name for tag in tags for name in tag.get("class", ())}),
        traceback="Traceback (most recent call last)" in soup.get_text(),
    )


def _mend_names(soup: BeautifulSoup) -> None:
    """Name what the theme names otherwise than it reads: a spoken command says what is seen, so a name must hold it."""
    wrong = {"button.search-button-field": "aria-label", 'summary[aria-label="Toggle hidden content"]': "aria-label",
             "div.citation-list": "role"}
    for selector, attribute in wrong.items():
        for tag in soup.select(selector):
            tag.attrs.pop(attribute, None)
    for tag in soup.select("summary:has(> .toctree-toggle)"):
        tag["aria-label"] = "Pages of this chapter"
    for tag in soup.select("i.theme-switch[title]"):
        del tag["title"]
        tag["aria-hidden"] = "true"


# ---- pages are checked

def check_book(pages: Iterable[str], html: Path, built: Mapping[Path, BuiltPage], sources: Path = ROOT) -> None:
    """Check that every page of a book is there and sound.

    Args:
        pages: Their paths below `html` and `sources` without suffix, for example ``book/method``.
        html: The folder of the built book.
        built: What `finish_pages` returned.
        sources: The folder that it was built from.

    Raises:
        BookError: The message lists each fault.
    """
    html = html.resolve()
    faults = [f"{name}.html is missing" for name in pages if html / f"{name}.html" not in built]
    for path, page in built.items():
        name = path.relative_to(html)
        faults += [f"{name}: {fault}" for fault in _page_faults(path, built)]
        if (notebook := sources / name.with_suffix(".ipynb")).is_file():
            faults += [f"{name}: {fault}" for fault in _notebook_faults(path, page, notebook)]
    if faults:
        raise BookError("the built book has faults:\n" + "\n".join(f"- {fault}" for fault in faults))


def _target(path: Path, link: str) -> Path:
    """Return the file that a link or a picture's source on a page names."""
    name = unquote(urlsplit(link).path)
    return (path.parent / name).resolve() if name else path


def _pictures(path: Path, page: BuiltPage) -> list[Path]:
    """Return the picture files that a page shows."""
    return [_target(path, source) for source, _ in page.images if not urlsplit(source).scheme]


def _notebook_faults(path: Path, page: BuiltPage, notebook: Path) -> Iterator[str]:
    """Yield what a page lacks of the executed notebook that it shows."""
    cells = read_json(notebook)["cells"]
    expected = sum("figure" in cell["metadata"].get("mystnb", {}) for cell in cells)
    found = [image for image in _pictures(path, page) if image.parent.name == "_images"]
    if len(found) < expected:
        yield f"holds {len(found)} images; its notebook has {expected} figures"
    for notice in set(re.findall(r"^:class: (\S+)$", "".join(cells[0]["source"]), re.M)).difference(page.classes):
        yield f"does not have its notice {notice}"


def _page_faults(path: Path, built: Mapping[Path, BuiltPage]) -> Iterator[str]:
    """Yield what is wrong with any page."""
    page = built[path]
    if page.traceback:
        yield "contains a traceback"
    yield from (f"image {picture.name} does not exist" for picture in _pictures(path, page) if not picture.is_file())
    for source, alt in page.images:
        if alt is None or alt.startswith(("../", "_images")):
            yield f"image {source[:80]} has no text that says what it shows"
    pictures = {picture for picture in _pictures(path, page) if picture.parent.name == "_images" and picture.is_file()}
    if (weight := sum(file.stat().st_size for file in (path, *pictures))) > HEAVIEST:
        yield f"weighs {weight:,} bytes with its pictures; at most {HEAVIEST:,} are allowed"
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        anchor, target = unquote(parts.fragment), _target(path, link)
        if parts.scheme or parts.netloc:
            continue
        if not target.exists() or (anchor and target in built and anchor not in built[target].anchors):
            yield f"its link {link} leads nowhere"
