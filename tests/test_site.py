"""The built site: exactly the profile's pages, named as they read, and a check that sees what is wrong with them."""

import nbformat
import pytest
import yaml
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from fergan.book import fresh
from fergan.book.build import HEAVIEST, BookError, check_book, table_of_contents, write_licences
from fergan.book.checks import load_profile
from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE

PAGES = ("book/intro", "book/method", "book/executed/01_data/kdef", "book/executed/04_emotions/summary")
FIGURE = '<img alt="one" src="../../../_images/one.png"/>'


@pytest.fixture
def check(tmp_path):
    """A book whose notebooks have one figure each; its check, and the page that tests change."""
    html = tmp_path / "html"
    (html / "_images").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(html / "_images" / "one.png")
    for name in PAGES:
        for folder in (html, tmp_path):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (html / f"{name}.html").write_text(FIGURE if "executed" in name else "prose")
        if "executed" in name:
            cell = new_code_cell("", metadata={"mystnb": {"figure": {"name": "fig-one"}}})
            nbformat.write(new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    return lambda: check_book(PAGES, html, tmp_path), html / "book" / "executed" / "01_data" / "kdef.html"


def test_each_fault_of_a_page_is_found(check):
    run, page = check
    run()
    page.write_text(FIGURE + "x" * HEAVIEST)
    with pytest.raises(BookError, match="kdef.html weighs 1,500,.* bytes with its pictures; at most 1,500,000 are allowed"):
        run()
    page.write_text("")
    with pytest.raises(BookError, match="kdef.html holds 0 images; its notebook has 1 figures"):
        run()
    page.unlink()
    with pytest.raises(BookError, match="01_data/kdef.html is missing"):
        run()


def test_the_contents_are_the_demos_the_method_gives_the_range_that_is_searched_and_every_licence_is_said(tmp_path):
    text = " ".join((ROOT / "book" / "method.md").read_text().split())
    (low, high), (least, most) = COST_RANGE, GAMMA_SCALE_RANGE
    assert f"between {low:g} and {high:g}" in text and f"between {least:g} and {most:g} over the median squared distance" in text
    demo = load_profile(ROOT / "profiles" / "demo.yaml")
    assert yaml.safe_load((ROOT / "_toc.yml").read_text()) == table_of_contents(demo)
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
