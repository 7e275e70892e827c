"""The pages across all experiments: the paper's numbers beside ours, and what the templates say."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from planted import emotions, ends, units

from fergan.book.chapters import results
from fergan.book.show import markdown_table, say
from fergan.claims import WORDS, Verdict
from fergan.experiments.scores import score_table

HOSTILE = "{{ 7*7 }} <b>x</b> a_$5_$6 |\nx"


def test_the_papers_number_stands_beside_its_own_experiment_only():
    other = emotions(1, 0.9)
    other.settings["target"] = HOSTILE
    left = {"emotions": [dict(experiment=6, pretrained="raf-db", target="raf-db")]}
    table = results.beside_the_paper({"emotions": {1: emotions(1, 0.9), 11: other}, "units": {4: units(4, 0.8)}}, left)
    assert table["experiment"].str.split(":").str[0].tolist() == ["1", "6", "11", "4"]
    assert table["experiment"][3].endswith(" on enhanced-ck → rafd-frontal")
    assert table["paper"].round(3).fillna(0).tolist() == [0.986, 0.619, 0, 0.697]
    text = markdown_table(table)
    assert r"\{\{ 7\*7 \}\} \<b\>x\</b\> a\_\$5\_\$6 \| x" in text and "| – |" in text
    assert results.beside_the_paper({"emotions": {}, "units": {}}).empty


def test_means_are_over_all_experiments_and_over_the_papers():
    mine = emotions(2, 0.5)
    mine.settings["pretrained"] = "mine"
    found = results.mean_scores({1: emotions(1, 1.0), 2: mine}, "emotions")
    assert found["n"] == 2 and found["n_papers"] == 1 and found["papers"] == pytest.approx(0.9857)
    assert found["honest_of_papers"] == 1 and 0.7 < found["honest"] < 0.8 and np.isnan(found["hog"])
    nothing = results.mean_scores({}, "units")
    assert nothing["n"] == 0 and np.isnan(nothing["honest"])
    answer = partial(say, "results", "answer", total=54, n=dict.fromkeys(WORDS, 3), rivals={"emotions": {}, "units": {}})
    said = answer(emotions=found, units=nothing)
    assert "Action Unit" not in said and "For 1 of them the paper reports 0.986; there we reach" in said and said.count(" 3 ") == 4
    assert "mean" not in answer(emotions=nothing, units=nothing)
    rivals = {"emotions": {"untrained": {"n": 8, "better": 7, "worse": 1, "mean": 0.05}, "hog": {"n": 8, "better": 0, "worse": 6, "mean": -0.1}},
              "units": {"untrained": {"n": 1, "better": 0, "worse": 0, "mean": 0.01}}}
    said = " ".join(answer(emotions=nothing, units=nothing, rivals=rivals).split())
    assert "raises the score in 7 of 8 emotion experiments (+0.050 on average; it clearly lowers it in 1) and in none of 1 Action Unit" in said
    assert "better than the trained network in 6 of 8 emotion experiments. Clearly: the" in said


def test_both_signs_of_the_gap():
    pairs = {1: (0.1, 0.05), 3: (-0.1, 0.05), 5: (0.1, 0.2)}
    found = {n: emotions(n, 0.9) for n in pairs}
    for n, (gap, half) in pairs.items():
        row = ends("protocol_gap", gap, half, protocol="as_published")
        found[n].scores = pd.concat([found[n].scores, score_table([row])])
    gaps = results.protocol_gaps(found)
    assert gaps == {"higher": {1: pytest.approx(0.1)}, "lower": {3: pytest.approx(0.1)}}
    said = say("results", "gap", n=3, gaps=gaps)
    assert "higher in 1 of 3 experiments (experiment 1 by 0.100) and clearly lower in 1 (experiment 3 by 0.100); an average" in said
    assert "average" not in say("results", "gap", n=1, gaps=gaps) and "average" not in say("results", "gap", n=3, gaps=gaps | {"lower": {}})


def test_a_threshold_needs_faces_on_both_sides():
    found = emotions(1, 0.9)
    found.predictions = found.predictions.assign(**{f"value_{e}": np.arange(len(found.predictions)) for e in found.emotions})
    labels = results.threshold_labels(found)
    assert list(labels) == list(found.emotions)
    found.predictions["true"] = "sad"
    assert results.threshold_labels(found) == {}


def test_hostile_names_and_missing_intervals_in_sentences():
    said = results.sentence("E1", Verdict("cannot be tested on this data", "replaced", {"sets": [HOSTILE, "b"]}))
    assert r"\{\{ 7\*7 \}\} \<b\>x\</b\> a\_\$5\_\$6 \| x and b" in said
    assert "[" not in results.sentence("E3", Verdict("not decided", "order", {"better": 1, "differences": {3: ((-0.02, np.nan, np.nan), True)}}))
    note = partial(say, "results", "faces_note", profile="mine", n_faces=1992, n_sets=1)
    assert "Nobody is named in x" in note(rendered=False, unnamed=["x"])
    assert note(rendered=False) == "This copy of the book (profile mine) is made of 1,992 faces in 1 set. They are crops of photographs."
    table = results.claims_table({"A1": Verdict("not decided", "no_curves", {}, people={"x": 1992, "y": 8})}, ["x"])
    assert table["rests on"].tolist() == ["8 people of 1 set, 1,992 photographs of nobody named, one training of each network"]
