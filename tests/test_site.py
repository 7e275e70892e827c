"""What makes the site: bundled scripts are the pinned ones, pages are of this state, pictures are small."""

import base64
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from fergan.book.notebooks import run_notebook
from fergan.book.page import Page
from fergan.book.site.access import mend_names
from fergan.book.site.figures import write_pasted_figures
from fergan.book.site.images import WIDEST, shrink_images
from fergan.book.site.truth import forget_stale_pages, missing_keys, stale_pages, why_stale
from fergan.book.site.vendor import AXE, MATHJAX, PAGE_SCRIPTS, REQUIREJS, NpmPackage, VendorError, fetch_packages

ROOT = Path(__file__).parent.parent


def archive_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm that packs one archive, and counts how often it is called."""
    content = archive_of({"package/dist/a.js": "a", "package/dist/deep/b.woff2": "b", "package/dist/c.map": "c", "package/LICENSE.md": "free",
                          "package/dist/../../../escape.js": "x"})
    (tmp_path / "bin").mkdir()
    (tmp_path / "one.tgz").write_bytes(content)
    script = tmp_path / "bin" / "npm"
    script.write_text(f"#!/bin/sh\necho call >> {tmp_path}/calls\n[ -e {tmp_path}/broken ] && {{ echo no network >&2; exit 1; }}\n"
                      f'cp {tmp_path}/one.tgz "$4/one.tgz"\n')
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return NpmPackage("one", "1.0", f"sha512-{digest}", "one", "dist", ("*.js", "*.woff2"))


def test_only_the_wanted_files_are_unpacked_and_only_once(npm, tmp_path):
    folder = fetch_packages(tmp_path / "vendor", [npm])
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "one/LICENSE.txt", "one/a.js", "one/deep/b.woff2", "packages.json"]
    fetch_packages(tmp_path / "vendor", [npm])
    assert (tmp_path / "calls").read_text().split() == ["call"]
    assert not list(tmp_path.rglob("escape.js"))


def test_another_version_is_fetched_anew(npm, tmp_path):
    fetch_packages(tmp_path / "vendor", [npm])
    fetch_packages(tmp_path / "vendor", [replace(npm, version="2.0")])
    assert (tmp_path / "calls").read_text().split() == ["call", "call"]
    assert "one@2.0" in json.loads((tmp_path / "vendor" / "packages.json").read_text())


def test_an_archive_that_is_not_the_pinned_one_is_refused_and_the_old_stays(npm, tmp_path):
    fetch_packages(tmp_path / "vendor", [npm])
    with pytest.raises(VendorError, match="one 2.0 is not the pinned one"):
        fetch_packages(tmp_path / "vendor", [replace(npm, version="2.0", integrity=AXE.integrity)])
    assert (tmp_path / "vendor" / "one" / "a.js").read_text() == "a"


def test_no_npm_and_no_network_are_said(npm, tmp_path, monkeypatch):
    (tmp_path / "broken").touch()
    with pytest.raises(VendorError, match="could not fetch one 1.0: no network"):
        fetch_packages(tmp_path / "vendor", [npm])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VendorError, match="npm is missing"):
        fetch_packages(tmp_path / "vendor", [npm])
    assert not (tmp_path / "vendor").exists()


def test_members_go_where_they_belong():
    assert MATHJAX.place_of("package/es5/tex-mml-chtml.js") == "mathjax/tex-mml-chtml.js"
    assert MATHJAX.place_of("package/es5/output/chtml/fonts/woff-v2/a.woff") == "mathjax/output/chtml/fonts/woff-v2/a.woff"
    assert MATHJAX.place_of("package/es5/tex-svg.js") == "" and MATHJAX.place_of("package/package.json") == ""
    assert REQUIREJS.place_of("package/require.js") == "requirejs/require.js"
    assert all(package.integrity.startswith("sha512-") for package in (*PAGE_SCRIPTS, AXE))


@pytest.fixture
def project(tmp_path):
    """A project of one notebook whose page is executed, after one earlier stage."""
    (tmp_path / "notebooks").mkdir()
    cells = [new_markdown_cell("# One\n\nIt is {{page}}."), new_code_cell("n = 3  # many", metadata={"tags": ["parameters"]}),
             new_code_cell("from fergan import facs\nn")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "04_emotions.ipynb")
    (tmp_path / "stamp.json").write_text("{}")
    page = Page("04_emotions", "experiment-1", "First", {"n": 4}, ("stamp.json",), notes=(("Rendered faces", "Drawn."),))
    executed = tmp_path / "page.ipynb"
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        run_notebook(tmp_path / "notebooks" / "04_emotions.ipynb", executed, page.parameters, page=page.label, title=page.title,
                     notes=page.notes, stages=["stamp.json"])
    finally:
        os.chdir(here)
    return tmp_path, page, executed


def test_a_page_of_this_state_is_not_stale_whatever_the_times(project):
    root, page, executed = project
    os.utime(executed, (0, 0))  # older than all that it was made from, as in a fresh clone
    assert why_stale(page, executed, root) == ""


def edit(path):
    path.write_text(path.read_text().replace("n = 3  # many", "n = 3  # how many"))


@pytest.mark.parametrize(("change", "words"), [
    (lambda root, page: (edit(root / "notebooks" / "04_emotions.ipynb"), page)[1], "04_emotions.ipynb has changed since"),
    (lambda root, page: ((root / "stamp.json").write_text("{1}"), page)[1], "stamp.json has changed since"),
    (lambda root, page: replace(page, parameters={"n": 5}), "its parameter n is 4, and now 5"),
    (lambda root, page: replace(page, parameters={}), "its parameter n is 4, and now 3"),
    (lambda root, page: replace(page, notes=()), "its notices have changed"),
    (lambda root, page: replace(page, title="Second"), "its heading"),
])
def test_a_page_of_an_earlier_state_is_told(project, change, words):
    root, page, executed = project
    assert words in why_stale(change(root, page), executed, root)


def test_a_page_made_by_another_module_is_told(project):
    root, page, executed = project
    content = json.loads(executed.read_text())
    content["metadata"]["fergan"]["inputs"]["modules"]["fergan/facs.py"] = "0" * 64
    executed.write_text(json.dumps(content))
    assert why_stale(page, executed, root) == "fergan/facs.py has changed since"
    del content["metadata"]["fergan"]["inputs"]["modules"]
    executed.write_text(json.dumps(content))
    assert "which code made it" in why_stale(page, executed, root)


def test_stale_pages_are_forgotten_and_named(project, monkeypatch):
    root, page, executed = project
    home = root / "artifacts" / "small" / "pages" / "04_emotions"
    home.mkdir(parents=True)
    executed.rename(home / "experiment-1.ipynb")
    profile = type("Profile", (), {"name": "small"})
    monkeypatch.setattr("fergan.book.site.truth.pages_of", lambda _: [page])
    assert stale_pages(profile, root) == {} and forget_stale_pages(profile, root) == []
    (root / "stamp.json").write_text("{2}")
    assert forget_stale_pages(profile, root) == ["04_emotions/experiment-1.ipynb is made again: stamp.json has changed since"]
    assert not list(home.glob("*.ipynb"))


def test_numbers_that_no_cell_pasted_are_named(tmp_path):
    output = new_output("display_data", metadata={"scrapbook": {"name": "n"}})
    text = "{glue:text}`n` {glue:text}`m:.2f`\n```{glue:figure} crops\n```"
    cells = [new_markdown_cell(text), new_code_cell("paste(n=1)", outputs=[output])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "page.ipynb")
    (tmp_path / "text.md").write_text("{glue:text}`page.ipynb::n:d` {glue:text}`page.ipynb::k` {glue:text}`gone.ipynb::n`\n"
                                     "```{glue:figure} n\n:name: fig-n\n:doc: page.ipynb\n\nCaption\n```\n```{glue:figure} k\n:doc: page.ipynb\n```\n")
    faults = list(missing_keys(tmp_path, ["page", "text", "absent"]))
    shown = [fault.split("'")[1] for fault in faults]
    assert shown == ["m", "crops", "page.ipynb::k", "gone.ipynb::n", "page.ipynb::k"]


def test_a_pasted_figure_becomes_a_file_once(tmp_path):
    pixel = base64.b64encode(b"png").decode()
    output = new_output("display_data", data={"application/papermill.record/image/png": pixel}, metadata={"scrapbook": {"name": "story"}})
    (tmp_path / "07_results").mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell("", outputs=[output])]), tmp_path / "07_results" / "results.ipynb")
    write_pasted_figures(tmp_path)
    path = tmp_path / "figures" / "story.png"
    assert path.read_bytes() == b"png"
    before = path.stat().st_mtime_ns
    write_pasted_figures(tmp_path)
    assert path.stat().st_mtime_ns == before
    nbformat.write(new_notebook(cells=[new_code_cell("")]), tmp_path / "07_results" / "results.ipynb")
    with pytest.raises(KeyError, match="no figure 'story'"):
        write_pasted_figures(tmp_path)


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
    shrink_images(tmp_path)
    text = page.read_text()
    assert f'width="{WIDEST}" height="{round(300 * WIDEST / 2000)}"' in text and 'href="_images/drawing.webp"' in text
    assert text.count('loading="lazy"') == 2 and '"_static/logo.png"' in text
    assert not list((tmp_path / "_images").glob("*.png"))
    assert (tmp_path / "_images" / "photograph.webp").stat().st_size < heavy
    with Image.open(tmp_path / "_images" / "drawing.webp") as image:
        assert image.getpixel((10, 10)) == (255, 255, 255) and image.getpixel((10, 110)) == (0, 114, 178)  # drawings are exact
    before = page.stat().st_mtime_ns
    shrink_images(tmp_path)
    assert page.stat().st_mtime_ns == before


def test_buttons_are_called_what_they_say(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<button class="btn search-button-field x" title="Search" aria-label="Search">Search Ctrl+K</button>'
                    '<summary aria-label="Toggle hidden content">Show</summary><summary><span class="toctree-toggle"></span></summary><button aria-label="Next"></button>')
    mend_names(tmp_path)
    assert page.read_text() == ('<button class="btn search-button-field x" title="Search">Search Ctrl+K</button>'
                                '<summary>Show</summary><summary aria-label="Pages of this chapter"><span class="toctree-toggle"></span></summary><button aria-label="Next"></button>')


def test_the_settings_name_the_extension():
    from fergan.book.site import extension

    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert extension.__name__ in settings["sphinx"]["extra_extensions"]


def test_the_preview_has_the_books_settings_and_follows_its_sources(tmp_path):
    from fergan.book.site.serve import write_settings

    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
    shutil.copy2(ROOT / "_config.yml", tmp_path)
    write_settings(tmp_path, tmp_path / "_toc.yml", tmp_path / "preview")
    settings = {}
    exec((tmp_path / "preview" / "conf.py").read_text(), settings)
    assert "fergan.book.site.extension" in settings["extensions"] and settings["external_toc_path"] == "_toc.yml"
    assert settings["html_static_path"] == ["book/_static"] and settings["numfig"]
    (tmp_path / "book" / "intro.md").write_text("# New\n")
    assert (tmp_path / "preview" / "book" / "intro.md").read_text() == "# New\n"
