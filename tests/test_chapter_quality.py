"""The chapters on sample quality and mode collapse: every branch of their sentences, what is absent, hostile names."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import quality as chapter
from fergan.book.show import markdown_table, say
from fergan.quality.collapse import Variety, judge_variety
from fergan.quality.distances import Extrapolation
from fergan.quality.judge import QUALITY_COLUMNS

matplotlib.use("agg")

HOSTILE = "{{ 7*7 }} <b>x</b> a_$5_$6\n|"
FACTS = dict.fromkeys(QUALITY_COLUMNS, 1) | {"weights": "abc", "interval": "Wilson", "rank": 0, "n_generated": 200, "n_real": 60}


def row(features, score, value, low, high, floor):
    return FACTS | dict(features=features, score=score, value=value, low=low, high=high, floor=floor)


SCORES = pd.DataFrame([
    row("MTCNN", "faces_found", 0.9, 0.85, 0.95, 0.99), row("pixels", "ssim_nearest", 0.5, 0.4, 0.6, 0.55),
    row("thumbnails", "memorised", 0.004, 0, 0.01, 0.01), row("HOG", "frechet", 6.7, 6.5, 6.9, 5.1), row("HOG", "recall", 0.1, 0, 0.2, 0.9),
])
WITHOUT = SCORES[SCORES["score"] != "recall"].assign(value=lambda t: t["value"].where(t["score"] != "frechet"))


def record(**changes):
    floor = Variety(precision=1.0, recall=1.0, coverage=1.0, repeats=0.0, spread=0.5, n=40)
    found = Variety(**vars(floor) | changes)
    labelled = [{"label": HOSTILE, "real": 0.5, "generated": 0.1, "low": 0.05, "high": 0.2, "coverage": 0.25, "floor": 1.0}]
    people = {"n_people": 4, "n_found": 2, "expected": 3.9, "low": 3, "high": 4, "largest_share": 0.5, "n_generated": 40}
    return judge_variety(found, floor) | {
        "found": vars(found), "floor": vars(floor), "people": people, "coverage_by_emotion": labelled, "coverage_by_person": None,
        "classes": {"table": labelled, "accuracy": 0.5, "cramers_v": 0.4, "p_value": 1e-9}}


def test_answers_hold_the_numbers_and_leave_out_what_is_not_there():
    of = chapter.rows_of_scores(SCORES)
    text = say("quality_model", "answer", found=of["faces_found"], frechet=of["frechet"], recall=of["recall"], memorised=of["memorised"])
    assert "90 %" in text and "6.70 in HOG" in text and "5.10" in text and "reach 90 %" in text and "0.4 %" in text
    of = chapter.rows_of_scores(WITHOUT)
    text = say("quality_model", "answer", found=of["faces_found"], frechet=of["frechet"], recall=of.get("recall"), memorised=of["memorised"])
    assert "too few faces" in text and "nan" not in text and "Varied" not in text
    text = say("quality", "answer", **chapter.summary_values({HOSTILE: SCORES, "b": SCORES.assign(value=1.0)}))
    assert "90 % to 100 %" in text and "between 0.2 and 1.3 times" in text and "7\\*7" in text and "<b>" not in text


def test_what_is_absent_is_a_dash():
    table = chapter.quality_table(SCORES)
    assert table["samples"].iloc[3] == "6.70 [6.50, 6.90]" and table["features"].tolist()[-2:] == ["Inception"] * 2
    assert table["samples"].tolist()[-2:] == ["–", "–"]
    assert "| – |" in markdown_table(chapter.summary_table({"a": WITHOUT})) and "[6.50" in markdown_table(table)
    assert chapter.records_table(SCORES)["rank"].isna().all()
    assert "FERGAN" in say("quality_model", "absent", reason="set FERGAN_INCEPTION")


def test_table_seven_has_the_papers_rows_and_ours_with_what_sets_them_apart():
    table = chapter.table_seven(SCORES, HOSTILE, 0.25)
    assert len(table) == 10 and "impossible" in table["remark"][1] and "translates" not in table["remark"].iloc[-2]
    ours = table.iloc[-1]
    assert ours["SSIM"] == 0.5 and np.isnan(ours["FID"]) and ours["AMT (%)"] == 25 and "200 samples" in ours["remark"]
    assert "no FID" in ours["remark"] and "<b>" not in markdown_table(table) and "\n" not in ours["model"]
    inception = pd.concat([SCORES, pd.DataFrame([row("Inception", "frechet", 30.0, 29, 31, 4.0)])])
    assert "floor 4.0" in chapter.table_seven(inception, "a")["remark"].iloc[-1] and len(chapter.table_seven(None, None)) == 9


@pytest.mark.parametrize(("changes", "verdict", "words"), [
    ({}, "varied", "of the floor"), ({"recall": 0.1}, "collapsed", "recall 10 %"), ({"recall": 0.4}, "narrow", "recall 40 %"),
    ({"precision": 0.1}, "unlike", "precision 10 %"), ({"repeats": 0.6}, "collapsed", "60 % of the samples repeat"),
])
def test_each_verdict_has_its_reason_and_place_in_the_answer(changes, verdict, words):
    one = record(**changes)
    assert one["verdict"] == verdict and words in say("mode_collapse", "because", record=one)
    text = say("mode_collapse", "answer", verdicts=chapter.by_verdict({HOSTILE: one, "b": record()}), provoked=one)
    assert ("2 of 2" in text) == (verdict == "varied") and ("is seen" in text) == (verdict == "collapsed")
    assert ("; not" in text) == ("7\\*7" in text) == (verdict != "varied") and "<b>" not in text
    assert "provoked" not in say("mode_collapse", "answer", verdicts=chapter.by_verdict({"b": record()}), provoked=None)


def test_tables_and_figures_of_variety_have_what_they_were_given():
    records = {"a": record(), "b": record() | {"classes": None, "people": None, "coverage_by_emotion": None}}
    tables = [make(records) for make in (chapter.verdict_table, chapter.shares_test_table, chapter.coverage_table, chapter.people_left_out)]
    assert [len(table) for table in tables] == [2, 1, 1, 1] and tables[1]["p"][0] == "< .001"
    assert "3.9 [3.0, 4.0]" in markdown_table(tables[3]) and all("<b>" not in markdown_table(table) for table in tables)
    line = Extrapolation(np.array([100, 150, 200]), np.array([9.0, 8, 7]), 5.0, 4.0, 6.0, 400.0)
    figure = chapter.frechet_against_n({"HOG": {"samples": line, "real faces": line}})
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["∞", "100", "150", "200"]
    assert [t.get_text() for t in chapter.generators_against_floors({"a": SCORES, "b": WITHOUT}).axes[0].get_yticklabels()] == ["a", "b"]
    assert len(chapter.share_bars(chapter.share_tables(records)).axes) == 2
    matplotlib.pyplot.close("all")
