"""The built book: exactly the profile's pages, and a check that sees what is wrong with them."""

from pathlib import Path

import nbformat
import pytest
import yaml
from fergan.book.profiles import load_profile
from nbformat.v4 import new_markdown_cell, new_notebook

from fergan.book.build import mirror_pages, table_of_contents, write_table_of_contents
from fergan.book.check import HEAVIEST, BookError, BuiltPage, check_book
from fergan.book.pages import pages_of
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE

ROOT = Path(__file__).parent.parent
FIGURE = "```{glue:figure} crops\n```"
PROSE = ("book/reading", "book/method", "book/datasets", "book/limits", "book/references")
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
def built(tmp_path, profile):
    """A book of the right pages, each with one figure."""
    html = tmp_path / "html"
    for name in ("intro", "reading", "method", "datasets", "limits", "references"):
        (html / "book").mkdir(parents=True, exist_ok=True)
        (html / "book" / f"{name}.html").write_text('<p id="top">prose</p>')
    (html / "_images").mkdir()
    (html / "_images" / "one.png").write_bytes(b"png")
    for page in pages_of(profile):
        source = tmp_path / "book" / "executed" / page.path
        source.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=[new_markdown_cell(FIGURE)]), source)
        made = html / "book" / "executed" / page.path.replace(".ipynb", ".html")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(BANNER + '<img alt="one" src="../../../_images/one.png"/><a href="../../intro.html#top">intro</a>')
    return tmp_path, html


def test_a_sound_book_passes(profile, built):
    check_book(profile, *built, PROSE)


def without(words, instead=""):
    return lambda page: page.write_text(page.read_text().replace(words, instead))


def added(words):
    return lambda page: page.write_text(page.read_text() + words)


@pytest.mark.parametrize(("change", "words"), [
    (lambda page: page.unlink(), "kdef.html of Faces is missing"),
    (without('<img alt="one" src="../../../_images/one.png"/>'), "holds 0 images; its notebook has 1 figures"),
    (without("one.png", "two.png"), "image two.png does not exist"),
    (added("<pre>Traceback (most <b>recent</b> call last)</pre>"), "contains a traceback"),
    (without(BANNER), "does not have its notice 'Rendered faces'"),
    (without('alt="one" '), "has no text that says what it shows"),
    (without("#top", "#bottom"), "its link ../../intro.html#bottom leads nowhere"),
    (without("intro.html", "outro.html"), "its link ../../outro.html#top leads nowhere"),
    (added('<a href="#nowhere">x</a>'), "its link #nowhere leads nowhere"),
    (added('<table id="t"><caption><span class="caption-number">Table 3 </span></caption></table>'
           '<a href="#t"><span class="std std-numref">Table 2</span></a>'), "calls Table 2 what is Table 3, t"),
    (added("x" * HEAVIEST), "at most 1,500,000 are allowed"),
])
def test_each_fault_of_a_page_is_found(profile, built, change, words):
    root, html = built
    change(html / "book" / "executed" / "01_data" / "kdef.html")
    with pytest.raises(BookError, match=words.replace("(", r"\(")):
        check_book(profile, root, html, PROSE)


def test_links_to_other_hosts_files_and_places_on_the_page_are_followed(profile, built):
    root, html = built
    page = html / "book" / "executed" / "01_data" / "kdef.html"
    added('<h2 id="here"></h2><a href="#here"></a><a href="https://example.org/#x"></a><a href="#"></a><a href="../../../_images/one.png"></a>')(page)
    check_book(profile, root, html, PROSE)


def test_a_pictures_weight_counts_once(tmp_path):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a.png").write_bytes(b"x" * 1000)
    (tmp_path / "shared.png").write_bytes(b"x" * 5000)
    page = tmp_path / "page.html"
    page.write_text('<img src="_images/a.png"><img src="_images/a.png"><img src="shared.png">')
    assert BuiltPage.read(page).weight == 1000 + page.stat().st_size


def test_missing_prose_is_found(profile, built):
    root, html = built
    (html / "book" / "method.html").unlink()
    with pytest.raises(BookError, match=r"book/method.html is missing"):
        check_book(profile, root, html, PROSE)


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


def test_mirror_holds_exactly_the_profiles_pages(tmp_path, profile):
    source, target = tmp_path / "pages", tmp_path / "executed"
    for page in pages_of(profile):
        (source / page.path).parent.mkdir(parents=True, exist_ok=True)
        (source / page.path).write_text(page.path)
    (target / "04_emotions").mkdir(parents=True)
    (target / "04_emotions" / "experiment-1.ipynb").write_text("of another profile")
    assert mirror_pages(profile, source, target)
    assert {str(p.relative_to(target)) for p in target.rglob("*.ipynb")} == {page.path for page in pages_of(profile)}
    assert not mirror_pages(profile, source, target)  # nothing changed: nothing copied
    (source / "01_data" / "kdef.ipynb").write_text("new")
    assert mirror_pages(profile, source, target)
    assert (target / "01_data" / "kdef.ipynb").read_text() == "new"
