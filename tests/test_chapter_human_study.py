"""The chapter on the human study: nothing is made up, names are not published, every branch of its sentences renders."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from raters import simulated_answers

from fergan.book.chapters.human_study import example_trials, pooled_table, raters_table
from fergan.book.show import markdown_table, say
from fergan.cache import Config
from fergan.human_study.answers import analyse_studies, append_answer, collected_answers, load_results
from fergan.human_study.study import StudyConfig, load_studies, make_studies

matplotlib.use("agg")


@pytest.fixture
def studies(tmp_path):
    rng = np.random.default_rng(0)
    generated, real = (rng.integers(low, low + 90, (40, 64, 64, 3), dtype=np.uint8) for low in (0, 150))
    make_studies(tmp_path / "design", StudyConfig(n_trials=20, n_catch=4, n_sheets=3), generated=generated, real=real)
    return load_studies(tmp_path / "design")


def results_of(folder, studies):
    analyse_studies(folder, Config(), studies=studies, answers=collected_answers(folder / "answers", studies))
    return load_results(folder)


def test_without_raters_there_is_no_row_and_no_number(studies, tmp_path):
    results = results_of(tmp_path, studies)
    assert set(results) == {"pair", "single"} and pooled_table(results).empty and raters_table(results["pair"]).empty
    text = say("human_study", "answer", results=results, n_needed=1064)
    assert "Nobody has been asked" in text and "1,064" in text and "0.5" not in text


def test_with_raters_there_are_numbers_and_no_names(studies, tmp_path):
    for sheet, (name, accuracy, attention) in enumerate([("anna `{{ 7*7 }}`", 1.0, 1.0), ("<b>|ben</b>", 0.5, 0.0)]):
        for answer in simulated_answers(studies["pair"], name, sheet, accuracy, attention):
            append_answer(tmp_path / "answers" / f"{sheet}.jsonl", answer)
    results = results_of(tmp_path, studies)
    table = raters_table(results["pair"])
    assert sorted(table["right answers"])[1].startswith("1.000 [") and sorted(table["counted"]) == ["no", "yes"]
    assert pooled_table(results)[["raters", "trials"]].to_numpy().tolist() == [[1, 20]]
    assert pd.isna(pooled_table(results)["Krippendorff’s α"]).all(), "one rater agrees with nobody"
    written = markdown_table(table) + (tmp_path / "scores.json").read_text()
    assert "anna" not in written and "ben" not in written and "49" not in written.replace("0.49", "")
    text = say("human_study", "answer", results=results, n_needed=1064)
    assert "side by side" in text and "1.000 [" in text and "one face at a time" not in text and "Nobody" not in text


def test_the_example_shows_an_easy_trial_and_the_method_the_studys_numbers(studies):
    labels = [ax.get_xlabel() for ax in example_trials(studies["pair"]).axes]
    assert len(labels) == 6 and sum("easy" in label for label in labels) >= 1
    text = say("human_study", "method", config=StudyConfig(n_trials=20, n_catch=4, exposure=1500), chance=0.5, attentive=0.8)
    assert "50 %" in text and "1,500 ms" in text and "gets 20 trials" in text and "80 %" in text
    assert "one face" in say("human_study", "raters", kind="single") and "forced choice" in say("human_study", "raters", kind="pair")
    matplotlib.pyplot.close("all")
