"""The chapter on the data is the catalogue and the profiles, written out; it shows no photograph and is not written twice."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fergan.book.tables.datasets import collections_table, describe_collection, profiles_table, write_datasets_chapter
from fergan.data import SOURCES
from fergan.data.catalogue import CATALOGUE, Published

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chapter")
    write_datasets_chapter(folder, ROOT / "profiles")
    return folder


def test_every_source_but_a_table_and_the_renderer_has_a_section(chapter):
    text = (chapter / "sets.md").read_text()
    assert re.findall(r"^\(data-set-(.+)\)=$", text, flags=re.M) == list(CATALOGUE)
    assert set(CATALOGUE) == set(SOURCES) - {"rendered", "manifest"}
    for record in CATALOGUE.values():
        for words in (record.description, record.access, record.address, record.licence, record.tree, *record.traps):
            assert words in text


def test_every_citation_is_in_the_bibliography():
    known = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), flags=re.M))
    assert {record.citation for record in CATALOGUE.values()} <= known


def test_counts_are_the_catalogues():
    text = describe_collection("rafd", CATALOGUE["rafd"])
    assert "- `frontal`: 1,608 photographs, 67 people, 201 of each of 8 emotions (angry, " in text
    assert "- the default: 8,040 photographs" in text
    assert "- 13,233 photographs, 5,749 people" in describe_collection("lfw", CATALOGUE["lfw"])  # one variant needs no name
    assert "the default, `original`, `aligned`: 15,339 photographs, 867 angry, " in describe_collection("raf-db", CATALOGUE["raf-db"])
    assert CATALOGUE["enhanced-ck"].variants == {"": Published()}
    assert "To be expected" not in describe_collection("enhanced-ck", CATALOGUE["enhanced-ck"])  # nothing is published
    table = collections_table(CATALOGUE).set_index("collection")
    assert table.loc["RaFD", "photographs"] == "8,040" and table.loc["SFEW 2.0", "people"] == "–"


def test_what_profiles_need_is_what_they_say():
    table = profiles_table(ROOT / "profiles").set_index(["profile", "set"])
    assert table.loc[("demo", "all"), "source"] == "rendered"
    assert table.loc[("own", "photographs"), "folder"] == "DATA itself"
    assert table.loc[("paper", "kdef")].tolist() == ["`kdef/`", "kdef, session-a", "left out"]
    assert table.loc[("paper", "celeba"), "where it is missing"] == "LFW in `lfw/`, else left out"
    assert table.loc[("open", "london"), "where it is missing"] == "an error"


def test_the_picture_has_a_row_of_different_faces_for_each_stand_in(chapter):
    picture = np.asarray(Image.open(chapter / "stand-ins.png").convert("RGB"))
    white = (picture == 255).all(axis=(1, 2))
    assert np.count_nonzero(np.diff(white.astype(int)) == -1) == 7
    assert picture.shape[1] > 900


def test_nothing_is_written_twice_until_a_profile_changes(chapter, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in chapter.iterdir()}
    write_datasets_chapter(chapter, ROOT / "profiles")
    assert {path: path.stat().st_mtime_ns for path in chapter.iterdir()} == before
    (tmp_path / "one.yaml").write_text("datasets: {mine: {source: manifest, folder: there}}")
    write_datasets_chapter(chapter, tmp_path)
    assert "| one | mine | `there/` | manifest | an error |" in (chapter / "profiles.md").read_text()
