"""What makes the site: pictures are small, settings hold, licences are said."""

import shutil
from pathlib import Path

import numpy as np
from bs4 import BeautifulSoup
from PIL import Image

from fergan.book import extension
from fergan.book.assets import WIDEST, finish_pages, write_licences
from fergan.book.serve import write_settings

ROOT = Path(__file__).parent.parent


def test_pictures_become_small_and_say_their_size(tmp_path):
    (tmp_path / "_images").mkdir()
    rng = np.random.default_rng(0)
    drawing = np.full((300, 2000, 3), 255, np.uint8)
    drawing[100:200] = (0, 114, 178)
    photograph = rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)
    for name, pixels in (("drawing", drawing), ("photograph", photograph)):
        Image.fromarray(pixels).save(tmp_path / "_images" / f"{name}.png")
    page = tmp_path / "page.html"
    page.write_text('<a href="_images/drawing.png"><img alt="d" src="_images/drawing.png"/></a><img src="_images/photograph.png" style="width: 3em">'
                    '<img src="_static/logo.png">')
    heavy = (tmp_path / "_images" / "photograph.png").stat().st_size
    finish_pages(tmp_path)
    soup = BeautifulSoup(page.read_text(), "html.parser")
    shown, plain, logo = soup.find_all("img")
    assert (shown["width"], shown["height"], soup.a["href"]) == (str(WIDEST), str(round(300 * WIDEST / 2000)), "_images/drawing.webp")
    assert shown["loading"] == plain["loading"] == "lazy" and "width" not in plain.attrs and logo.attrs == {"src": "_static/logo.png"}
    assert not list((tmp_path / "_images").glob("*.png"))
    assert (tmp_path / "_images" / "photograph.webp").stat().st_size < heavy
    with Image.open(tmp_path / "_images" / "drawing.webp") as image:
        assert image.getpixel((10, 10)) == (255, 255, 255) and image.getpixel((10, 110)) == (0, 114, 178)  # drawings are exact
    before = page.stat().st_mtime_ns
    finish_pages(tmp_path)
    assert page.stat().st_mtime_ns == before


def test_buttons_are_called_what_they_say_and_unused_scripts_go(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<button class="search-button-field" aria-label="Search">Search Ctrl+K</button><summary aria-label="Toggle hidden content">Show</summary>'
                    '<summary><span class="toctree-toggle"></span></summary><script src="_static/sphinx-thebe.js"></script><script>1 < 2</script>')
    finish_pages(tmp_path)
    assert page.read_text() == ('<button class="search-button-field">Search Ctrl+K</button><summary>Show</summary>'
                                '<summary aria-label="Pages of this chapter"><span class="toctree-toggle"></span></summary><script>1 < 2</script>')


def test_every_licence_is_said(tmp_path):
    write_licences(tmp_path / "licences.md")
    text = (tmp_path / "licences.md").read_text()
    assert "| jinja2 | " in text and "not installed" not in text


def test_the_settings_name_the_extension_and_the_preview_follows_its_sources(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
    shutil.copy2(ROOT / "_config.yml", tmp_path)
    write_settings(tmp_path, tmp_path / "_toc.yml", tmp_path / "preview")
    settings = {}
    exec((tmp_path / "preview" / "conf.py").read_text(), settings)
    assert extension.__name__ in settings["extensions"] and settings["external_toc_path"] == "_toc.yml"
    assert settings["html_static_path"] == ["book/_static"] and settings["numfig"]
    (tmp_path / "book" / "intro.md").write_text("# New\n")
    assert (tmp_path / "preview" / "book" / "intro.md").read_text() == "# New\n"
