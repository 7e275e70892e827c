"""The chapter on quality and collapse: every branch of their sentences, what is absent, hostile names."""

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE

from fergan.book.chapters import quality as chapter
from fergan.book.show import markdown_table, say
from fergan.quality.collapse import Variety, judge_variety
from fergan.quality.judge import quality_rows


def row(features, score, value, low, high, floor, people=np.nan):
    return dict(features=features, score=score, value=value, low=low, high=high, floor=floor, floor_people=people, n=200)


SCORES = quality_rows([
    row("MTCNN", "faces_found", 0.9, 0.85, 0.95, 0.99), row("pixels", "ssim_nearest", 0.5, 0.4, 0.6, 0.55),
    row("thumbnails", "memorised", 0.004, 0, 0.01, 0.01, 0.0), row("HOG", "frechet", 6.7, 6.5, 6.9, 5.1, 7.7),
    row("HOG", "recall", 0.1, 0, 0.2, 0.9, 0.4),
])
WITHOUT = SCORES[SCORES["score"] != "recall"].assign(value=lambda t: t["value"].where(t["score"] != "frechet"))


def record(**changes):
    floor = Variety(precision=1.0, recall=1.0, coverage=1.0, repeats=0.0, spread=0.5, n=40)
    found = Variety(**vars(floor) | changes)
    people = {"n_people": 4, "n_found": 2, "expected": 3.9}
    return judge_variety(found, floor) | {"found": vars(found), "floor": vars(floor), "floor_people": None, "people": people}


def test_answers_hold_the_numbers_and_leave_out_what_is_not_there():
    of = chapter.rows_of_scores(SCORES)
    text = say("quality_model", "answer", found=of["faces_found"], frechet=of["frechet"], recall=of["recall"], memorised=of["memorised"])
    assert "90 %" in text and "6.70 in HOG" in text and "5.10, and those of other people 7.70" in text
    assert "reach 90 %" in text and "0.4 %" in text
    of = chapter.rows_of_scores(WITHOUT)
    text = say("quality_model", "answer", found=of["faces_found"], frechet=of["frechet"], recall=of.get("recall"), memorised=of["memorised"])
    assert "too few faces" in text and "nan" not in text and "Varied" not in text
    found = chapter.summary_values({HOSTILE: SCORES, "b": SCORES.assign(value=1.0)})
    text = say("quality", "answer", **found, verdicts=chapter.by_verdict({}), provoked=None)
    assert "90 % to 100 %" in text and "between 0.2 and 1.3 times" in text and "between 0.1 and 0.9 times that of other people" in text
    assert "7\\*7" in text and "<b>" not in text and "generators draw" not in text


def test_what_is_absent_is_a_dash():
    table = chapter.scores_table(SCORES)
    assert table["samples"].iloc[3] == "6.70 [6.50, 6.90]" and table["features"].tolist()[-2:] == ["Inception"] * 2
    assert table["samples"].tolist()[-2:] == ["–", "–"] and table["real, other people"].tolist()[:4] == ["–", "–", "0.000", "7.70"]
    again = chapter.scores_table(SCORES, [SCORES.assign(value=SCORES["value"] + 0.1)])
    assert again["2 seeds"].iloc[3] == "6.75 (6.70\u00a0to\u00a06.80)" and "2 seeds" not in table
    summary = chapter.generators_table("abc", {"a": SCORES, "b": WITHOUT}, {"a": record(), "c": record() | {"people": None}})
    assert summary.loc[0, ["Fréchet distance ↓", "faces found ↑", "recall ↑"]].tolist() == ["6.70 (5.10 / 7.70)", "0.90 (0.99)", "1.00 (1.00)"]
    _, _, a, b, c = markdown_table(summary).splitlines()
    assert a.startswith("| a | varied (spread 100 % of the floor) |") and a.endswith("| 2 of 4 (3.9) |")
    assert b == "| b | – | – | – | – | – | 0.90 (0.99) | – |" and c.endswith("| 1.00 (1.00) | – | – | – |")
    table = chapter.generators_table("abc", {"a": SCORES, "b": SCORES}, {"a": record(), "b": record(coverage=0.5)}, {"a": ["a", "b", "c"]})
    assert table["Fréchet distance ↓"].tolist()[:2] == ["6.70 (5.10 / 7.70); 6.70 (6.70\u00a0to\u00a06.70), 2", "6.70 (5.10 / 7.70)"]
    assert table["coverage ↑"][0].endswith("); 0.75 (0.50\u00a0to\u00a01.00), 2") and ";" not in table["coverage ↑"][1]
    people = record() | {"floor_people": record(precision=0.5)["found"]}
    table = chapter.generators_table("ab", {}, {"a": people, "b": record()})
    assert table["precision ↑"].tolist() == ["1.00 (1.00 / 0.50)", "1.00 (1.00)"]


def test_table_seven_has_the_papers_rows_and_ours_with_what_sets_them_apart():
    table = chapter.table_seven({HOSTILE: SCORES}, 0.25)
    assert len(table) == 10 and "impossible" in table["remark"][1] and "translates" not in table["remark"].iloc[-2]
    ours = table.iloc[-1]
    assert ours["SSIM"] == 0.5 and np.isnan(ours["FID"]) and ours["AMT (%)"] == 25 and "200 samples" in ours["remark"]
    assert "no FID" in ours["remark"] and "<b>" not in markdown_table(table) and "\n" not in ours["model"]
    inception = pd.concat([SCORES, quality_rows([row("Inception", "frechet", 30.0, 29, 31, 4.0)])])
    assert "floor 4.0" in chapter.table_seven({"a": inception})["remark"].iloc[-1] and len(chapter.table_seven({})) == 9
    assert chapter.table_seven({"a": inception, "a-seed-1": SCORES}, 0.25)["AMT (%)"].tolist()[-2] == 25.0


@pytest.mark.parametrize(("changes", "verdict", "words"), [
    ({}, "varied", "of the floor"), ({"recall": 0.1}, "collapsed", "recall 10 %"), ({"recall": 0.4}, "narrow", "recall 40 %"),
    ({"precision": 0.1}, "unlike", "precision 10 %"), ({"repeats": 0.6}, "collapsed", "60 % of the samples repeat"),
    ({"precision": 0.0, "recall": 0.0, "coverage": 0.0}, "diverged", "precision 0 %"),
])
def test_each_verdict_has_its_reason_and_place_in_the_answer(changes, verdict, words):
    one = record(**changes)
    assert one["verdict"] == verdict and words in say("quality", "verdict", record=one)
    found = chapter.summary_values({"b": SCORES})
    text = say("quality", "answer", **found, verdicts=chapter.by_verdict({HOSTILE: one, "b": record()}), provoked=one)
    assert f"samples are {verdict}" in text and ("7\\*7" in text) == (verdict != "varied") and "<b>" not in text
