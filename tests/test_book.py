"""The built book: exactly the profile's pages, and a check that sees what is wrong with them."""

import nbformat
import pytest
import yaml
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fergan.book.build import table_of_contents, write_table_of_contents
from fergan.book.check import HEAVIEST, BookError, BuiltPage, check_book
from fergan.book.checks import load_profile
from fergan.book.pages import pages_of
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE

PROSE = ("book/method", "book/limits")
FIGURE = '<img alt="one" src="../../../_images/one.png"/>'
BANNER = '<div class="rendered-faces admonition"></div>'


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({
        "description": "one set", "datasets": {"kdef": {"source": "rendered"}},
        "emotion_experiments": [{"experiment": 11, "pretrained": "kdef", "target": "kdef"}],
    }))
    return load_profile(path)


@pytest.fixture
def check(tmp_path, profile):
    """A book of the right pages, each with one figure and a notice; its check, and the page that tests change."""
    html, executed = tmp_path / "html", tmp_path / "executed"
    (html / "book").mkdir(parents=True)
    (html / "_images").mkdir()
    (html / "_images" / "one.png").write_bytes(b"png")
    for name in ("book/intro", *PROSE):
        (html / f"{name}.html").write_text('<p id="top">prose</p>')
    cells = [new_markdown_cell("# Title\n\n:::{admonition} Rendered faces\n:class: rendered-faces\nDrawn.\n:::"),
             new_code_cell("", metadata={"mystnb": {"figure": {"name": "fig-one"}}})]
    for page in pages_of(profile):
        source, made = executed / f"{page.id}.ipynb", html / "book" / "executed" / f"{page.id}.html"
        for path in (source, made):
            path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=cells), source)
        made.write_text(BANNER + FIGURE + '<a href="../../intro.html#top">intro</a>')
    return lambda: check_book(profile, html, PROSE, executed), html / "book" / "executed" / "01_data" / "kdef.html"


def without(words, instead=""):
    return lambda page: page.write_text(page.read_text().replace(words, instead))


def added(words):
    return lambda page: page.write_text(page.read_text() + words)


@pytest.mark.parametrize(("change", "words"), [
    (lambda page: page.unlink(), "01_data/kdef.html is missing"),
    (lambda page: (page.parents[2] / "method.html").unlink(), "book/method.html is missing"),
    (without(FIGURE), "holds 0 images; its notebook has 1 figures"),
    (without("one.png", "two.png"), "image two.png does not exist"),
    (added("<pre>Traceback (most <b>recent</b> call last)</pre>"), "contains a traceback"),
    (without(BANNER), "does not have its notice rendered-faces"),
    (without('alt="one" '), "has no text that says what it shows"),
    (without("#top", "#bottom"), "its link ../../intro.html#bottom leads nowhere"),
    (without("intro.html", "outro.html"), "its link ../../outro.html#top leads nowhere"),
    (added('<a href="#nowhere">x</a>'), "its link #nowhere leads nowhere"),
    (added('<table id="t"><caption><span class="caption-number">Table 3 </span></caption></table>'
           '<a href="#t"><span class="std std-numref">Table 2</span></a>'), "calls Table 2 what is Table 3, t"),
    (added("x" * HEAVIEST), "at most 1,500,000 are allowed"),
])
def test_each_fault_of_a_page_is_found(check, change, words):
    run, page = check
    change(page)
    with pytest.raises(BookError, match=words.replace("(", r"\(")):
        run()


def test_a_sound_book_passes_whatever_its_links_lead_to(check):
    run, page = check
    added('<h2 id="here"></h2><a href="#here"></a><a href="https://example.org/#x"></a><a href="#"></a><a href="../../../_images/one.png"></a>')(page)
    run()


def test_a_pictures_weight_counts_once(tmp_path):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a.png").write_bytes(b"x" * 1000)
    (tmp_path / "shared.png").write_bytes(b"x" * 5000)
    page = tmp_path / "page.html"
    page.write_text('<img src="_images/a.png"><img src="_images/a.png"><img src="shared.png">')
    assert BuiltPage.read(page).weight == 1000 + page.stat().st_size


def test_the_method_gives_the_range_that_is_searched():
    text = (ROOT / "book" / "method.md").read_text()
    (low, high), (least, most) = COST_RANGE, GAMMA_SCALE_RANGE
    said = f"between {low:g} and {high:g}, and $\\gamma$ between {least:g} and {most:g} over the median squared distance"
    assert said in " ".join(text.split())


def test_the_committed_table_of_contents_is_the_demos():
    demo = load_profile(ROOT / "profiles" / "demo.yaml")
    assert yaml.safe_load((ROOT / "_toc.yml").read_text()) == table_of_contents(demo)


def test_an_equal_table_of_contents_is_not_written_again(tmp_path, profile):
    path = tmp_path / "_toc.yml"
    write_table_of_contents(profile, path)
    before = path.stat().st_mtime_ns
    write_table_of_contents(profile, path)
    assert path.stat().st_mtime_ns == before
