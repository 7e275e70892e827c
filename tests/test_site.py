"""What makes the site: bundled scripts are the pinned ones, pictures are small, settings hold, licences are said."""

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fergan.book import extension
from fergan.book.assets import (
    AXE,
    PAGE_SCRIPTS,
    WIDEST,
    NpmPackage,
    VendorError,
    fetch_packages,
    finish_pages,
    write_licences,
)
from fergan.book.serve import write_settings

ROOT = Path(__file__).parent.parent


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm that packs one archive, and counts how often it is called."""
    names = ["dist/a.js", "dist/deep/b.woff2", "dist/c.map", "LICENSE.md", "dist/../../../escape.js", "other/d.js"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"package/{name}")
            member.size = 1
            archive.addfile(member, io.BytesIO(b"a"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "one.tgz").write_bytes(buffer.getvalue())
    script = tmp_path / "bin" / "npm"
    script.write_text(f"#!/bin/sh\necho call >> {tmp_path}/calls\n[ -e {tmp_path}/broken ] && {{ echo no network >&2; exit 1; }}\n"
                      f'cp {tmp_path}/one.tgz "$4/one.tgz"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    digest = base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    return NpmPackage("one", "1.0", f"sha512-{digest}", "MIT", "one", "dist", ["*.js", "*.woff2"])


def test_only_the_wanted_files_are_unpacked_and_only_once(npm, tmp_path):
    folder = fetch_packages(tmp_path / "vendor", [npm])
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "one/LICENSE.txt", "one/a.js", "one/deep/b.woff2", "packages.json"]
    fetch_packages(tmp_path / "vendor", [npm])
    assert (tmp_path / "calls").read_text().split() == ["call"]
    assert not list(tmp_path.rglob("escape.js"))
    fetch_packages(tmp_path / "vendor", [replace(npm, version="2.0")])
    assert (tmp_path / "calls").read_text().split() == ["call", "call"]
    assert "one@2.0" in json.loads((tmp_path / "vendor" / "packages.json").read_text())


def test_an_archive_that_is_not_the_pinned_one_is_refused_and_the_old_stays(npm, tmp_path):
    fetch_packages(tmp_path / "vendor", [npm])
    with pytest.raises(VendorError, match="one 2.0 is not the pinned one"):
        fetch_packages(tmp_path / "vendor", [replace(npm, version="2.0", integrity=AXE.integrity)])
    assert (tmp_path / "vendor" / "one" / "a.js").read_text() == "a"
    assert all(package.integrity.startswith("sha512-") for package in (*PAGE_SCRIPTS, AXE))


def test_no_npm_and_no_network_are_said(npm, tmp_path, monkeypatch):
    (tmp_path / "broken").touch()
    with pytest.raises(VendorError, match="could not fetch one 1.0: no network"):
        fetch_packages(tmp_path / "vendor", [npm])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VendorError, match="npm is missing"):
        fetch_packages(tmp_path / "vendor", [npm])
    assert not (tmp_path / "vendor").exists()


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
    write_licences(tmp_path / "licences.md", ROOT)
    text = (tmp_path / "licences.md").read_text()
    assert "| jinja2 | " in text and "| mathjax | 3.2.2 | Apache-2.0 |" in text and "not installed" not in text


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
