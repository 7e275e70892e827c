"""The chapter on faces and the page on collections: the right sets, shares and words; hostile names come out as text."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fergan.book import build
from fergan.book.chapters import data as chapter
from fergan.book.show import markdown_table, say
from fergan.data.config import CATALOGUE, FacesConfig
from fergan.data.cropping import CroppingAccount
from fergan.data.faces import FaceSet, complete_labels

ROOT = Path(__file__).parent.parent
HOSTILE = "{{ 7*7 }} <b>x</b> a_$5_$6 |\nq"


def face_set(n=4, **columns):
    labels = complete_labels(pd.DataFrame({"source": [f"{i}.png" for i in range(n)]} | columns))
    return FaceSet("x", np.zeros((n, 64, 64, 3), np.uint8), labels)


def account(**fields):
    return CroppingAccount(**{"photographs": 6, "found": 4} | fields)


def test_action_units_are_counted_where_coded():
    table = chapter.unit_counts(face_set(AU12=[1, 0, None, 1], AU04=[0, 0, 0, 0])).set_index("Action Unit")
    assert table.loc["AU12", ["coded", "shown"]].tolist() == [3, 2] and table.loc["AU12", "share"] == pytest.approx(2 / 3)
    assert table.loc["AU04", "shown"] == 0 and len(table) == 2 and chapter.unit_counts(face_set()).empty


def test_the_answer_counts_what_was_placed_and_left_out():
    said = {say("data", "answer", faces=108, sets=2, placed=placed, left_out=out) for placed in (0, 3) for out in (0, 4)}
    assert len(said) == 4 and sum("every photograph" in text for text in said) == 1
    assert sum("4 photographs" in text for text in said) == 2 == sum("In 3 photographs" in text for text in said)


def test_what_became_of_photographs_is_said_only_where_it_happened():
    def said(people, **fields):
        return say("data", "answer_of_set", faces=face_set(), account=account(**fields), people=people, subjects="films",
                   config=FacesConfig(min_face_fraction=0.25))

    whole = said(0, photographs=4)
    assert "4 of 4" in whole and "left out" not in whole and "films" not in whole and "Nobody is named" in whole
    assert "two or more" not in whole and "detector: none" not in whole
    lossy = said(2, nominal=["a"], no_face=["b"], unreadable=[{"source": "c", "reason": "cut off"}], several=["a"], border=0.42)
    assert "of 2 films" in lossy and lossy.count("left out") == 2 and "same view" in lossy and "Nobody" not in lossy
    assert "min_face_fraction" in lossy and "0.25" in lossy and "1 show two or more faces" in lossy and "42 % of the crops" in lossy


def test_hostile_names_come_out_as_text():
    table = chapter.listed_photographs(account(no_face=[HOSTILE], problems=[HOSTILE]))
    for text in (markdown_table(table), say("data", "losses", dataset=HOSTILE, n=0)):
        assert "{{" not in text and "<b>" not in text and "_$" not in text and "|\nq" not in text
    assert chapter.listed_photographs(account()).empty


def test_the_page_on_collections_holds_every_record(tmp_path, monkeypatch):
    monkeypatch.setattr(chapter, "_stand_ins", lambda: {"x": np.zeros((10, 64, 64, 3), np.uint8)})
    build._write_datasets_chapter(tmp_path)
    text = (tmp_path / "sets.md").read_text()
    assert re.findall(r"^\(data-set-(.+)\)=$", text, flags=re.M) == list(CATALOGUE)
    assert all(record.tree in text and record.address in text for record in CATALOGUE.values())
    assert "- frontal: 1,608 photographs, 67 people, 201 of each of 8 emotions (angry, " in text
    assert "- 13,233 photographs, 5,749 people" in text and "- aligned: 15,339 photographs" in text
    known = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), flags=re.M))
    assert {record.citation for record in CATALOGUE.values()} <= known
    before = (tmp_path / "sets.md").stat().st_mtime_ns
    build._write_datasets_chapter(tmp_path)
    assert (tmp_path / "sets.md").stat().st_mtime_ns == before, "written twice"
