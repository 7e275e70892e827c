"""The pages across all experiments: the paper's numbers beside ours, and what the templates say."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE, curves, emotions, ends, matrix, units

from fergan.book.chapters import labels, results, scaling
from fergan.book.show import markdown_table, say
from fergan.claims import WORDS, Results, Verdict
from fergan.claims.rules import judge
from fergan.experiments.scores import score_table


def test_the_papers_number_stands_beside_its_own_experiment_only_and_hostile_names_are_text():
    other = emotions(1, 0.9)
    other.settings["target"] = HOSTILE
    left = {"emotions": [dict(experiment=6, pretrained="raf-db", target="raf-db")]}
    table = results.beside_the_paper({"emotions": {1: emotions(1, 0.9), 11: other}, "units": {4: units(4, 0.8)}}, left)
    assert table["experiment"].str.split(":").str[0].tolist() == ["1", "6", "11", "4"]
    assert table["experiment"][3].endswith(" on enhanced-ck → rafd-frontal")
    assert table["paper"].round(3).fillna(0).tolist() == [0.986, 0.619, 0, 0.697]
    text = markdown_table(table)
    assert r"\{\{ 7\*7 \}\} \<b\>x\</b\> a\_\$5\_\$6 \| q" in text and "| – |" in text
    assert results.beside_the_paper({"emotions": {}, "units": {}}).empty
    said = results.sentence("E1", Verdict("cannot be tested on this data", "replaced", {"sets": [HOSTILE, "b"]}))
    assert r"\{\{ 7\*7 \}\} \<b\>x\</b\> a\_\$5\_\$6 \| q and b" in said
    assert "[" not in results.sentence("E3", Verdict("not decided", "order", {"better": 1, "differences": {3: ((-0.02, np.nan, np.nan), True)}}))
    table = results.claims_table({"A1": Verdict("not decided", "no_curves", {}, people={"x": 1992, "y": 8})}, ["x"])
    assert table["rests on"].tolist() == ["8 people of 1 set, 1,992 photographs of nobody named, one training of each network"]


def test_means_are_over_all_experiments_and_over_the_papers():
    mine = emotions(2, 0.5)
    mine.settings["pretrained"] = "mine"
    found = results.mean_scores({1: emotions(1, 1.0), 2: mine}, "emotions")
    assert found["n"] == 2 and found["n_papers"] == 1 and found["papers"] == pytest.approx(0.9857)
    assert found["honest_of_papers"] == 1 and 0.7 < found["honest"] < 0.8 and np.isnan(found["hog"])
    nothing = results.mean_scores({}, "units")
    assert nothing["n"] == 0 and np.isnan(nothing["honest"])
    answer = partial(say, "results", "answer", total=54, n=dict.fromkeys(WORDS, 3), emotions=nothing, units=nothing)
    said = answer(emotions=found, rivals={"emotions": {}, "units": {}})
    assert "Action Unit" not in said and "the paper reports 0.986; there we reach" in said and said.count(" 3 ") == 4
    rivals = {"emotions": {"untrained": {"n": 8, "better": 7, "worse": 1, "mean": 0.05}, "hog": {"n": 8, "better": 0, "worse": 6, "mean": -0.1}},
              "units": {"untrained": {"n": 1, "better": 0, "worse": 0, "mean": 0.01}}}
    said = " ".join(answer(rivals=rivals).split())
    assert "in 7 of 8 emotion experiments (+0.050 on average; it clearly lowers it in 1) and in none of 1" in said
    assert "better than the trained network in 6 of 8 emotion experiments. Clearly: the" in said


def test_both_signs_of_the_gap_and_a_threshold_needs_faces_on_both_sides():
    found = emotions(1, 0.9)
    found.predictions = found.predictions.assign(**{f"value_{e}": np.arange(len(found.predictions)) for e in found.emotions})
    assert list(results.threshold_labels(found)) == list(found.emotions)
    found.predictions["true"] = "sad"
    assert results.threshold_labels(found) == {}
    pairs = {1: (0.1, 0.05), 3: (-0.1, 0.05), 5: (0.1, 0.2)}
    found = {n: emotions(n, 0.9) for n in pairs}
    for n, (gap, half) in pairs.items():
        row = ends("protocol_gap", gap, half, protocol="as_published")
        found[n].scores = pd.concat([found[n].scores, score_table([row])])
    gaps = results.protocol_gaps(found)
    assert gaps == {"higher": {1: pytest.approx(0.1)}, "lower": {3: pytest.approx(0.1)}}
    said = say("results", "gap", n=3, gaps=gaps)
    assert "higher in 1 of 3 experiments (experiment 1 by 0.100) and clearly lower in 1" in said


def rivals(cnn, network="network of a"):
    return curves({network: (0.6, 0.7, 0.8), "network of b": (0.9, 0.9, 0.9), "hog": (0.3, 0.4, 0.45), "supervised CNN": cnn})


def test_differences_have_signs_half_of_the_faces_is_reached_or_not_and_names_are_text():
    table = labels.label_summary({"r": rivals((0.4, 0.5, 0.6))}, {"r": [curves({"network of a": (0.4, 0.5, 0.6)})]}).set_index("method")
    assert table["mean, 2 seeds"].dropna().to_dict() == {"network of a": "0.565 (0.465\u00a0to\u00a00.665)"}
    summary = table["first method minus this"]
    assert summary["network of a"] == "–" and summary["supervised CNN"].startswith("+0.200 [") and summary["network of b"].startswith("−0.2")
    half = labels.half(rivals((0.2, 0.3, 0.4), network="network of <b>{{ 7*7 }}"))
    assert half["never"] == ["hog", "supervised CNN"] and list(half["needed"]) == ["network of <b>{{ 7*7 }}", "network of b"]
    text = say("label_efficiency_set", "answer", half=half)
    assert "for hog and supervised CNN" in text and "<b>" not in text and "49" not in text
    none = labels.half(curves({"network of a": (0.1, 0.2, 0.3), "hog": (0.1, 0.2, 0.4)}))
    assert "best method, hog, reaches 0.400 [" in say("label_efficiency_set", "answer", half=none)


def test_transfer_is_told_by_signs_and_marked_in_its_map():
    result = matrix({"a": {"a": 0.7, "b": 0.75, "c": 0.75, "hog": 0.6}, "b": {"a": 0.3, "b": 0.6, "c": 0.25, "hog": 0.6}})
    again = matrix({"a": {"a": 0.7, "b": 0.85, "c": 0.85, "hog": 0.6}, "b": {"a": 0.3, "b": 0.6, "c": 0.25, "hog": 0.6}})
    own = labels.own_table(result, [again]).set_index("faces of")
    assert own.loc["b", "these minus own"].startswith("−0.325 [") and own.loc["mean over sets", "own network"] == "–"
    assert own.loc["a", "these minus own"].endswith("; +0.100 (+0.050\u00a0to\u00a0+0.150)") and ";" not in own.loc["a", "these minus hog"]
    learnt = labels.pretraining_table(result, [again])
    assert learnt["faces learnt"].tolist() == [300, 200, 100] and "to" in learnt.loc[0, "2 seeds"]
    assert [row["sign"] for row in labels.beside_others(result)] == [-1, -1]
    assert "clearly worse than" in say("transfer", "answer", compared=labels.beside_others(result))
    size = judge("E7", Results(labels={"sfew": curves({"n": (0.3, 0.4, 0.4)}), "raf-db": curves({"n": (0.3, 0.4, 0.8)})}))
    assert "raf-db minus sfew is +0.400 [" in say("label_efficiency", "size", size=size)
    remarks = say("transfer", "remarks", skipped={"<b>": "too few"}, collections=["u", "v"])
    assert "<b>" not in remarks and "u and v share people" in remarks and say("transfer", "remarks", skipped={}, collections=[]) == ""
    shares = {"a": {"a": 0.7, "b": 0.7, "hog": 0.6}, "b": {"a": 0.3, "b": 0.6, "hog": 0.6}}
    words = [text.get_text() for text in labels.transfer_map(matrix(shares), {("a", "b"): 7, ("z", "b"): 8}).axes[0].texts]
    assert words[:6] == ["0.70\nown", "0.30\nno. 7", "0.70", "0.60\nown", "0.60", "0.60"] and len(words) == 8, "and guessing"


def test_laws_are_found_again_and_the_newest_record_of_this_machine_goes_first(tmp_path):
    n = np.array([1e3, 4e3, 1.6e4])
    assert scaling.law(n, 7 + 3e-6 * n**2, 2) == pytest.approx((7, 3e-6)) and scaling.law(n, 0.5 * n - 3, 1)[0] == 0 and scaling.makespan([3, 1, 1, 1], 2) == 3
    for folder, day, tasks in (("own", 1, "growth crops"), ("own", 2, "crops"), ("given", 3, "growth training other")):
        (tmp_path / folder).mkdir(exist_ok=True)
        of = dict(date=f"day {day}", machine=dict(processor="P", threads=2), figures=[{"task": t, "value": day} for t in tasks.split()])
        (tmp_path / folder / f"{day}.json").write_text(json.dumps(of))
    found = scaling.newest_figures([tmp_path / "own", tmp_path / "given", tmp_path / "absent"])
    assert found.set_index("task")["date"].to_dict() == {"crops": "day 2", "growth": "day 1", "training": "day 3"}
