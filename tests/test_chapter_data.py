"""The chapter on faces and the page on collections: the right sets, shares and words; hostile names come out as text."""

import re

import pytest
from planted import HOSTILE, face_set

from fergan.book.build import collections
from fergan.book.chapters import data as chapter
from fergan.book.show import markdown_table, say
from fergan.data.config import CATALOGUE, FacesConfig
from fergan.data.cropping import CroppingAccount
from fergan.files import ROOT


def account(**fields):
    return CroppingAccount(**{"photographs": 6} | fields)


def test_action_units_are_counted_where_coded_and_hostile_names_come_out_as_text():
    table = chapter.unit_counts(face_set(4, AU12=[1, 0, None, 1], AU04=[0, 0, 0, 0])).set_index("Action Unit")
    assert table.loc["AU12", ["coded", "shown"]].tolist() == [3, 2] and table.loc["AU12", "share"] == pytest.approx(2 / 3)
    assert table.loc["AU04", "shown"] == 0 and len(table) == 2 and chapter.unit_counts(face_set(4)).empty
    table = chapter.listed_photographs(account(no_face=[HOSTILE], problems=[HOSTILE]))
    for text in (markdown_table(table), say("data", "losses", dataset=HOSTILE, n=0)):
        assert "{{" not in text and "<b>" not in text and "_$" not in text and "|\nq" not in text
    assert chapter.listed_photographs(account()).empty


def test_what_became_of_photographs_is_said_only_where_it_happened():
    def said(people, **fields):
        return say("data", "answer_of_set", faces=face_set(4), account=account(**fields), people=people, subjects="films",
                   config=FacesConfig(min_face_fraction=0.25))

    whole = said(0, photographs=4)
    assert "4 of 4" in whole and not any(words in whole for words in ("left out", "films", "two or more", "detector: none"))
    lossy = said(2, nominal=["a"], no_face=["b"], unreadable=[{"source": "c", "reason": "cut off"}], several=["a"], border=0.42)
    for words in ("of 2 films", "left out", "same view", "min_face_fraction", "0.25", "1 show two or more faces", "42 %"):
        assert words in lossy


def test_the_page_on_collections_holds_every_record():
    text = collections()
    assert re.findall(r"^\(data-set-(.+)\)=$", text, flags=re.M) == list(CATALOGUE)
    assert all(record.tree in text and record.address in text for record in CATALOGUE.values())
    assert "- frontal: 1,608 photographs, 67 people, 201 of each of 8 emotions (angry, " in text
    known = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), flags=re.M))
    assert {record.citation for record in CATALOGUE.values()} <= known
