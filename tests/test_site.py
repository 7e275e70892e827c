"""What makes the site: pictures are small, settings hold, licences are said."""

import shutil
from pathlib import Path

import numpy as np
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
    text = page.read_text()
    assert f'width="{WIDEST}" height="{round(300 * WIDEST / 2000)}"' in text and 'href="_images/drawing.webp"' in text
    assert text.count('loading="lazy"') == 2 and '"_static/logo.png"' in text
    assert not list((tmp_path / "_images").glob("*.png"))
    assert (tmp_path / "_images" / "photograph.webp").stat().st_size < heavy
    with Image.open(tmp_path / "_images" / "drawing.webp") as image:
        assert image.getpixel((10, 10)) == (255, 255, 255) and image.getpixel((10, 110)) == (0, 114, 178)  # drawings are exact
    before = page.stat().st_mtime_ns
    finish_pages(tmp_path)
    assert page.stat().st_mtime_ns == before


def test_buttons_are_called_what_they_say(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<button class="btn search-button-field x" title="Search" aria-label="Search">Search Ctrl+K</button>'
                    '<summary aria-label="Toggle hidden content">Show</summary><summary><span class="toctree-toggle"></span></summary>')
    finish_pages(tmp_path)
    assert page.read_text() == ('<button class="btn search-button-field x" title="Search">Search Ctrl+K</button>'
                                '<summary>Show</summary><summary aria-label="Pages of this chapter"><span class="toctree-toggle"></span></summary>')


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
