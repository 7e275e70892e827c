"""The built book: exactly the profile's pages, and a check that sees what is wrong with them."""

from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_markdown_cell, new_notebook

from fergan.book import BookError, check_book, mirror_pages, table_of_contents, write_table_of_contents
from fergan.pages import pages_of
from fergan.profiles import load_profile

ROOT = Path(__file__).parent.parent
FIGURE = "```{glue:figure} crops\n```"


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
        (html / "book" / f"{name}.html").write_text("<p>prose</p>")
    (html / "_images").mkdir()
    (html / "_images" / "one.png").write_bytes(b"png")
    for page in pages_of(profile):
        source = tmp_path / "book" / "executed" / page.path
        source.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=[new_markdown_cell(FIGURE)]), source)
        made = html / "book" / "executed" / page.path.replace(".ipynb", ".html")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text('<div class="rendered-faces admonition"></div><img src="../../../_images/one.png"/>')
    return tmp_path, html


def test_a_sound_book_passes(profile, built):
    check_book(profile, *built)


@pytest.mark.parametrize(("change", "words"), [
    (lambda page: page.unlink(), "kdef.html of Faces is missing"),
    (lambda page: page.write_text('<div class="rendered-faces"></div>'), "holds 0 images; its notebook has 1 figures"),
    (lambda page: page.write_text('<div class="rendered-faces"></div><img src="../../../_images/two.png"/>'), "two.png does not exist"),
    (lambda page: page.write_text(page.read_text() + "<pre>Traceback (most <b>recent</b> call last)</pre>"), "contains a traceback"),
    (lambda page: page.write_text('<img src="../../../_images/one.png"/>'), "does not have its notice 'Rendered faces'"),
])
def test_each_fault_of_a_page_is_found(profile, built, change, words):
    root, html = built
    change(html / "book" / "executed" / "01_data" / "kdef.html")
    with pytest.raises(BookError, match=words.replace("(", r"\(")):
        check_book(profile, root, html)


def test_missing_prose_is_found(profile, built):
    root, html = built
    (html / "book" / "method.html").unlink()
    with pytest.raises(BookError, match=r"book/method.html is missing"):
        check_book(profile, root, html)


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
