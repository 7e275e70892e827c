"""The built site: exactly the profile's pages, named as they read, and a check that sees what is wrong with them."""


import nbformat
import pytest
import yaml
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from fergan.book import fresh
from fergan.book.build import table_of_contents, write_licences, write_table_of_contents
from fergan.book.checks import load_profile
from fergan.book.site import HEAVIEST, BookError, check_book, finish_pages
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE

PAGES = ("book/intro", "book/method", "book/executed/01_data/kdef", "book/executed/04_emotions/summary")
FIGURE = '<img alt="one" src="../../../_images/one.png"/>'
BANNER = '<div class="rendered-faces admonition"></div>'


@pytest.fixture
def check(tmp_path):
    """A book whose notebooks have one figure and a notice each; its check, and the page that tests change."""
    html = tmp_path / "html"
    (html / "_images").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(html / "_images" / "one.png")
    cells = [new_markdown_cell("# Title\n\n:::{admonition} Rendered faces\n:class: rendered-faces\nDrawn.\n:::"),
             new_code_cell("", metadata={"mystnb": {"figure": {"name": "fig-one"}}})]
    for name in PAGES:
        for folder in (html, tmp_path):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        made = BANNER + FIGURE + '<a href="../../intro.html#top">intro</a>' if "executed" in name else '<p id="top">prose</p>'
        (html / f"{name}.html").write_text(made)
        if "executed" in name:
            nbformat.write(new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    return lambda: check_book(PAGES, html, finish_pages(html), tmp_path), html / "book" / "executed" / "01_data" / "kdef.html"


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
    (added("x" * HEAVIEST), "at most 1,500,000 are allowed"),
])
def test_each_fault_of_a_page_is_found(check, change, words):
    run, page = check
    change(page)
    with pytest.raises(BookError, match=words.replace("(", r"\(")):
        run()


def test_a_sound_book_passes_whatever_its_links_lead_to_and_is_parsed_where_it_changed(check, monkeypatch):
    run, page = check
    added('<h2 id="here"></h2><a href="#here"></a><a href="https://example.org/#x"></a><a href="#"></a><a href="../../../_images/one.png"></a>')(page)
    run()
    with monkeypatch.context() as patch:
        patch.setattr("fergan.book.site.BeautifulSoup", None)
        run()
    without("#top", "#bottom")(page)
    with pytest.raises(BookError, match="#bottom leads nowhere"):
        run()


def test_buttons_are_called_what_they_say_and_unused_scripts_go(tmp_path):
    page = tmp_path / "html" / "page.html"
    page.parent.mkdir()
    page.write_text('<button class="search-button-field" aria-label="Search">Search Ctrl+K</button><summary aria-label="Toggle hidden content">Show</summary>'
                    '<summary><span class="toctree-toggle"></span></summary><script src="_static/sphinx-thebe.js"></script><script>1 < 2</script>')
    finish_pages(page.parent)
    assert page.read_text() == ('<button class="search-button-field">Search Ctrl+K</button><summary>Show</summary>'
                                '<summary aria-label="Pages of this chapter"><span class="toctree-toggle"></span></summary><script>1 < 2</script>')


def test_the_method_gives_the_range_that_is_searched():
    text = " ".join((ROOT / "book" / "method.md").read_text().split())
    (low, high), (least, most) = COST_RANGE, GAMMA_SCALE_RANGE
    assert f"between {low:g} and {high:g}" in text and f"between {least:g} and {most:g} over the median squared distance" in text


def test_the_committed_table_of_contents_is_the_demos_and_every_licence_is_said(tmp_path):
    demo, path = load_profile(ROOT / "profiles" / "demo.yaml"), tmp_path / "_toc.yml"
    assert yaml.safe_load((ROOT / "_toc.yml").read_text()) == table_of_contents(demo)
    write_table_of_contents(demo, path)
    before = path.stat().st_mtime_ns
    write_table_of_contents(demo, path)
    assert path.stat().st_mtime_ns == before  # an equal one is not written again
    write_licences(tmp_path / "licences.md")
    text = (tmp_path / "licences.md").read_text()
    assert "| jinja2 | " in text and "not installed" not in text


def test_pages_offer_their_notebook_where_the_book_has_an_address(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh, "ROOT", tmp_path)
    book = fresh.Book(load_profile(ROOT / "profiles" / "quick.yaml"))

    def heading(settings):
        (tmp_path / "_config.yml").write_text(settings)
        return book.heading(book.pages["04_emotions/experiment-5"])

    assert "binder" not in heading("title: x\n")
    offered = heading("repository: {url: 'https://github.com/owner/name.git', branch: dev}\n")
    assert "mybinder.org/v2/gh/owner/name/dev?labpath=notebooks/04_emotions_experiment.ipynb)" in offered
    assert "colab.research.google.com/github/owner/name/blob/dev/notebooks/04_emotions_experiment.ipynb)" in offered
    with pytest.raises(fresh.NotebookError, match="repository.url is 'https://example.org'; expected https://github.com/"):
        heading("repository: {url: 'https://example.org'}\n")
