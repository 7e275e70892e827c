"""Tables and figures of sample quality and of the human study: what is absent is said, and nothing is made up."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from fergan.book.report import numbered_table
from raters import simulated_answers

from fergan.book.figures.human_study import example_trials, rater_dots
from fergan.book.figures.quality import distributions_of_samples, frechet_against_n, generators_against_floors
from fergan.book.figures.variety import share_bars
from fergan.book.tables.human_study import pooled_table, raters_table
from fergan.book.tables.mode_collapse import coverage_table, shares_test_table
from fergan.book.tables.quality import (
    absent_networks,
    quality_table,
    records_table,
    share_of_raters,
    summary_of_quality,
    table_seven,
)
from fergan.files import write_json
from fergan.human_study.answers import analyse, append_answer, collected_answers, read_answers
from fergan.human_study.design import CHANCE, StudyConfig, design_study
from fergan.quality.backbones import Missing
from fergan.quality.collapse import coverage_by, covered
from fergan.quality.distances import Extrapolation
from fergan.quality.judge import Score

matplotlib.use("agg")

SCORES = [
    Score("faces_found", 0.9, 0.85, 0.95, 0.99, 200, 200, backbone="MTCNN"),
    Score("ssim_nearest", 0.5, 0.4, 0.6, 0.55, 200, 500),
    Score("inception_score", np.nan, backbone="Inception", note="weights absent: set FERGAN_INCEPTION"),
    Score("frechet", 6.7, 6.5, 6.9, 5.1, 500, 500, backbone="HOG", note="not comparable with published FID"),
]


@pytest.fixture
def home(tmp_path):
    write_json(tmp_path / "results" / "quality" / "sfew" / "scores.json", {"scores": [score.to_dict() for score in SCORES]})
    return tmp_path


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    generated, real = (rng.integers(low, low + 90, (40, 64, 64, 3), dtype=np.uint8) for low in (0, 150))
    return design_study(generated, real, "pair", StudyConfig(n_trials=20, n_catch=4, n_sheets=3))


def test_what_is_absent_has_a_row_and_a_way_to_get_it():
    table = quality_table(SCORES).set_index("score")
    assert table.loc["inception score ↑", "samples"] == "–" and table.loc["inception score ↑", "remark"] == "weights absent"
    assert table.loc["Fréchet distance ↓", ["samples", "real faces"]].tolist() == ["6.70 [6.50, 6.90]", "5.10"]
    assert len(records_table(SCORES)) == 3
    assert "get them" in absent_networks([Missing("Inception", "weights absent: get them")]).data and not absent_networks([]).data


def test_table_seven_has_the_papers_rows_and_ours_with_what_sets_them_apart(home):
    table = table_seven(home, "sfew")
    assert len(table) == 10 and table["remark"].notna().all()
    assert table["IS"].iloc[1] == 0.875 and "impossible" in table["remark"].iloc[1]
    ours = table.iloc[-1]
    assert ours["model"] == "this book, sfew" and ours["SSIM"] == 0.5 and np.isnan(ours["FID"]) and np.isnan(ours["AMT (%)"])
    assert "no IS and no FID" in ours["remark"] and "200 samples" in ours["remark"]
    assert np.isnan(share_of_raters(home, "sfew")), "nobody was asked"
    write_json(home / "results" / "human_study" / "sfew" / "scores.json", {"single": {"pooled": {"said_real": 0.25}}})
    assert table_seven(home, "sfew", share_of_raters(home, "sfew"))["AMT (%)"].iloc[-1] == 25
    assert len(table_seven(home, "")) == 9, "a profile without the paper's set has the paper's rows alone"


def test_a_generator_without_some_score_has_a_dash(home):
    (row,) = summary_of_quality(home, ["sfew"]).to_dict("records")
    assert row["Fréchet distance ↓"] == "6.70 (5.10)" and row["recall ↑"] == "–"


def test_coverage_by_label_has_its_share_and_floor():
    labels = np.array(["happy"] * 4 + ["sad"] * 2 + [pd.NA], dtype=object)
    rows = coverage_by(labels, np.array([1, 1, 0, 1, 0, 0, 1], bool), np.ones(7, bool))
    assert [(row["label"], row["coverage"], row["floor"], row["n"]) for row in rows] == [("happy", 0.75, 1, 4), ("sad", 0, 1, 2)]
    assert rows[1]["high"] > 0.3, "two faces say little"
    assert coverage_by(np.array([pd.NA], dtype=object), np.ones(1, bool), np.ones(1, bool)) is None
    table = coverage_table({"a": {"coverage_by_emotion": rows}, "b": {"coverage_by_emotion": None}})
    assert table.to_dict("records") == [{"generator": "a", "happy": "0.75 (1.00)", "sad": "0.00 (1.00)"}]


def test_a_forgotten_emotion_is_not_covered():
    rng = np.random.default_rng(1)
    patterns = rng.uniform(0, 255, (2, 8, 8, 3))

    def pictures(which, seed):
        noise = np.random.default_rng(seed).normal(0, 25, (len(which), 8, 8, 3))
        return np.clip(patterns[which] + noise, 0, 255).repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)

    which = np.arange(80) % 2
    hit = [covered(pictures(drawn, seed), pictures(which, 5)) for drawn, seed in ((0 * which, 6), (which, 7))]
    forgotten = {row["label"]: row for row in coverage_by(np.array(["happy", "sad"])[which], *hit)}
    assert forgotten["happy"]["coverage"] > 0.8 and forgotten["sad"]["coverage"] == 0 and forgotten["sad"]["floor"] > 0.8


def test_figures_have_what_they_were_given():
    line = Extrapolation(np.array([100, 150, 200]), np.array([9.0, 8, 7]), 5.0, 4.0, 6.0, 400.0)
    figure = frechet_against_n({"HOG": {"samples": line, "real faces": line}})
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["∞", "100", "150", "200"]
    assert frechet_against_n({}).axes[0].texts[0].get_text() == "too few faces for a line"
    assert "no generator learnt" in share_bars({}).axes[0].texts[0].get_text()
    assert shares_test_table({"a": {"classes": None}}).iloc[0].eq("–").all()
    values = {"samples": np.arange(5.0), "real faces": np.arange(3.0)}
    assert len(distributions_of_samples({"distance": values, "SSIM": values}, line=1.0).axes) == 2
    table = pd.DataFrame([{"generator": name, "score": "recall", "value": 0.5, "low": 0.4, "high": 0.6, "floor": 0.9} for name in "ab"])
    assert [tick.get_text() for tick in generators_against_floors(table, {"recall": "recall"}).axes[0].get_yticklabels()] == ["a", "b"]
    matplotlib.pyplot.close("all")


def test_without_raters_tables_are_dashes_and_with_them_numbers(study, tmp_path):
    empty = analyse(study, read_answers([]))
    assert set(pooled_table(empty).iloc[0]) == set(raters_table(empty).iloc[0]) == {"–"}
    assert "nobody" in rater_dots({"pair": empty}, CHANCE).axes[0].texts[0].get_text()
    for record in simulated_answers(study, "anna", 0, 1.0).to_dict("records"):
        append_answer(tmp_path / "anna.jsonl", record)
    found = analyse(study, collected_answers(tmp_path, {"pair": study})["pair"])
    assert pooled_table(found)["raters"].tolist() == [1] and raters_table(found)["right answers"].iloc[0].startswith("1.000 [")
    assert "anna" not in str(numbered_table(raters_table(found), "t", "c").data), "names are not published"
    assert not rater_dots({"pair": found, "single": found}, CHANCE).axes[0].texts
    other = design_study(study.pictures, study.pictures, "pair", StudyConfig(n_trials=4, n_catch=0))
    with pytest.raises(ValueError, match="holds answers to study"):
        collected_answers(tmp_path, {"pair": other})
    matplotlib.pyplot.close("all")


def test_the_example_shows_an_easy_trial(study):
    labels = [ax.get_xlabel() for ax in example_trials(study).axes]
    assert len(labels) == 6 and sum("easy" in label for label in labels) >= 1
    matplotlib.pyplot.close("all")
