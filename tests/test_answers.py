"""The sentences in which each page says what it found follow the numbers, whichever way these point."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fergan.book.report import rounded, with_interval

from fergan.book.tables.action_units import (
    answer_of_unit_experiment,
    areas_in_words,
    emotions_part,
)
from fergan.book.tables.emotions import answer_of_emotions, answer_of_experiment, what_the_protocol_is_worth
from fergan.book.tables.faces import LEFT_OUT, PLACED, answer_of_set, answer_of_sets, listed_photographs
from fergan.book.tables.groups import groups_in_words
from fergan.book.tables.label_efficiency import answer_of_labels
from fergan.book.tables.results import answer_of_results
from fergan.book.tables.single_unit import by_heart, single_unit_reading
from fergan.book.tables.transfer import answer_of_transfer, no_better_than_commonest
from fergan.book.tables.words import compared, counted, listed, percent, ranged, share
from fergan.data.cropping import CroppingAccount
from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.action_units import MAIN, AUResult
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.scores import score_table


def test_small_words():
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["none", "a", "a and b", "a, b and c"]
    assert ranged(0.2, 0.4, 1) == "between 0.2 and 0.4" and ranged(0.201, 0.204, 1) == "0.2"
    assert share(12, 1608) == "12 of 1,608 (0.7 %)" and share(0, 8) == "0 of 8" and percent(0.614) == "61 %"
    assert [compared(*ends) for ends in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1))] == [
        "clearly better than", "clearly worse than", "about as good as"]
    assert [counted(0, 8), counted(3, 8), counted(0), counted(2)] == ["none of 8", "3 of 8", "none", "2"]


def test_what_rounds_to_zero_has_no_sign():
    assert rounded(-0.00001, 4) == "0.0000" and rounded(-0.5, 1) == "-0.5"
    assert with_interval(-0.0001, -0.1, 0.1) == "0.000 [-0.100, 0.100]"


def row(protocol, features, score, value, low=np.nan, high=np.nan, label="all"):
    return dict(protocol=protocol, features=features, score=score, label=label, value=value, low=low, high=high, n_faces=100,
                n_subjects=10, n_labels=14)


def emotion_result(never, published, hog, target="rafd-frontal"):
    """A result whose discriminator is less accurate than HOG by ``hog``, each interval .02 to either side."""
    gap = published - never
    rows = [row("subject_independent", "discriminator", "accuracy", never, never - 0.02, never + 0.02),
            row("as_published", "discriminator", "accuracy", published, published - 0.02, published + 0.02),
            row("as_published", "discriminator", "protocol_gap", gap, gap - 0.02, gap + 0.02),
            row("as_published", "hog", "protocol_gap", 0.5, 0.4, 0.6),
            row("subject_independent", "hog", "accuracy", never + hog),
            row("subject_independent", "hog", "accuracy_difference", -hog, -hog - 0.02, -hog + 0.02),
            row("subject_independent", "none", "majority_accuracy", 0.125)]
    settings = {"target": target, "pretrained": "enhanced-ck", "features": ["discriminator", "hog"]}
    return EmotionResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), settings)


@pytest.mark.parametrize("hog, words", [(0.1, "clearly more"), (-0.1, "clearly less"), (0.01, "which is not clearly different")])
def test_an_emotion_experiment_says_how_it_compares(hog, words):
    said = answer_of_experiment(emotion_result(0.6, 0.7, hog), 1)
    assert f"Histograms of gradients (HOG) reach {0.6 + hog:.3f} on the same folds, {words}." in said
    assert "0.600 [0.580, 0.620]" in said and "as published 0.700 [0.680, 0.720] (the paper: 0.986)" in said and "0.125" in said
    assert "(the paper" not in answer_of_experiment(emotion_result(0.6, 0.7, hog, "mine"), 1)


def test_all_emotion_experiments_and_both_signs_of_the_gap():
    results = {1: emotion_result(0.6, 0.7, 0.1), 3: emotion_result(0.4, 0.3, -0.1, "rafd-multiview"),
               5: emotion_result(0.5, 0.51, 0.01)}
    said = answer_of_emotions(results)
    assert "it names 0.400 (experiment 3, rafd-multiview) to 0.600 (experiment 1, rafd-frontal) of" in said
    assert "as published, where people are known, 0.300 (experiment 3, rafd-multiview) to 0.700 (experiment 1, rafd-frontal)." in said
    assert "(HOG) do clearly better in 1 of 3 experiments and clearly worse in 1." in said
    worth = what_the_protocol_is_worth(results)  # HOG's own gap, .5, takes no part
    assert "higher in 1 of 3 experiments (in experiment 1 by 0.100) and clearly lower in 1 (in experiment 3 by 0.100)" in worth
    assert what_the_protocol_is_worth({5: results[5]}).endswith("in 0 of 1 experiments and clearly lower in 0")


def unit_result(value, train="a", test="a"):
    rows = [row(p, "discriminator", "auc", value, value - 0.02, value + 0.02) for p in ("subject_independent", "as_published")]
    settings = {"pretrained": "celeba", "train": train, "test": test, "relabel_train": "", "relabel_test": ""}
    return AUResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), settings)


def test_areas_within_a_set_and_across():
    results = {1: unit_result(0.7), 2: unit_result(0.8), 3: unit_result(0.6, test="b")}
    assert "between 0.700 and 0.800 within one set and 0.600 from one set to another" in areas_in_words(results)
    assert areas_in_words({}) == "This book has no experiment on Action Units."
    said = answer_of_unit_experiment({MAIN: results[1]}, 1)
    assert "over 14 Action Units is 0.700 [0.680, 0.720]" in said and "relabelled" not in said


def sides(true, within, oracle=0.95):
    cells = {("against derived labels", "all"): 0.93, ("against true AUs", "all"): true, ("knows the emotion only", "all"): oracle,
             ("against true AUs", "one emotion"): within}
    return pd.DataFrame([dict(AU="mean", detector=d, pairs=p, value=v, low=v, high=v) for (d, p), v in cells.items()])


@pytest.mark.parametrize("within, lost", [(0.5, "100 %"), (0.9, "0 %"), (0.6, "75 %"), (0.95, "0 %"), (0.4, "100 %")])
def test_how_much_of_an_area_goes_with_the_emotion(within, lost):
    """All of it where nothing is left among faces of one emotion, none where everything is."""
    said = emotions_part(sides(0.9, within))
    assert said.startswith(f"On these relabelled faces {lost} of what") and f"from 0.900 to {within:.3f} when" in said and "reach 0.950" in said
    several = pd.concat([sides(0.9, within).assign(experiment=name) for name in ("a", "b")])
    assert emotions_part(several).startswith(f"On relabelled faces (2 experiments) {lost} of")


def test_without_the_truth_nothing_is_said_of_emotion():
    assert emotions_part(sides(np.nan, 0.6)) == "" and emotions_part(sides(0.5, 0.5)) == ""


def test_faces_left_out_and_placed_by_view():
    images = np.zeros((3, 64, 64, 3), np.uint8)
    faces = FaceSet("x", images, complete_labels(pd.DataFrame({"source": list("abc"), "subject": list("aab")})))
    account = CroppingAccount(photographs=4, found=2, unreadable=[{"source": "d", "reason": "cut off"}], nominal=["c"])
    said = answer_of_set(faces, account)
    assert "3 of 4 photographs became crops of 2 people" in said and "In 1 of 4 (25.0 %) no face" in said
    assert "1 of 4 (25.0 %) gave none and are left out" in said
    assert answer_of_set(faces, CroppingAccount(photographs=3, found=3)) == "3 of 3 photographs became crops of 2 people."
    table = listed_photographs(account, ["a folder is empty"])
    assert table["what"].tolist() == ["left out: cut off", "placed by view: no face found", "a folder is empty"]
    assert listed_photographs(CroppingAccount(photographs=1, found=1))["photograph"].tolist() == ["none"]


def test_the_set_with_most_faces_missed():
    """By share, not by count: the larger set has more of them."""
    table = pd.DataFrame({"set": ["a", "b"], "faces": [100, 8], PLACED: [5, 0], LEFT_OUT: [0, 2]})
    assert "worst on b: in 2 of 10 (20.0 %) of its photographs they found no face, the largest share of all; all were left out." in answer_of_sets(table)
    assert answer_of_sets(table).endswith("Over all sets 2 photographs were left out.")
    assert "in every photograph" in answer_of_sets(table.assign(**{PLACED: 0, LEFT_OUT: 0}))


def labels(needed):
    rows = [dict(protocol="labelled_people", features=m, score=s, label=label, value=v, low=v, high=v, n_faces=9, n_subjects=9)
            for m, (half, last) in needed.items() for s, label, v in (("people_needed", "0.5", half), ("accuracy", "4", last))]
    predictions = pd.DataFrame({"subject": ["a", "a"], "face": [0, 1], "n_people": [4, 4]})
    settings = {"features": list(needed), "sizes": [1, 4], "networks": []}
    return LabelEfficiencyResult(score_table(rows), predictions, pd.DataFrame(), settings)


def test_labels_that_are_needed_fewest_first():
    said = answer_of_labels(labels({"a": (9.0, 0.6), "b": (3.0, 0.7), "c": (np.nan, 0.4)}), "x")
    assert "so many labelled people are needed, read off the curves: b 3.0; a 9.0. All 4 do not suffice for c." in said
    said = answer_of_labels(labels({"a": (np.nan, 0.2), "b": (np.nan, 0.3)}), "x")
    assert said.startswith("All 4 labelled people of x do not suffice") and "best method, b, reaches 0.300" in said


def test_transfer_says_both_differences_and_where_nothing_is_learnt():
    rows = [row("subject_independent", "networks of other faces", "minus_own", -0.01, -0.03, 0.01),
            row("subject_independent", "networks of other faces", "minus_hog", -0.1, -0.2, -0.05)]
    for target, low in (("x", 0.1), ("y", 0.3)):
        rows.append(row("subject_independent", "networks of other faces", "minus_own", low - 0.2, label=target))
        rows += [row("subject_independent", "n", "accuracy", 0.4, low, 0.5, target),
                 row("subject_independent", "none", "majority_accuracy", 0.2, label=target)]
    result = SimpleNamespace(scores=score_table(rows), settings={"baselines": ["hog"], "networks": ["n"], "targets": ["x", "y"]})
    said = answer_of_transfer(result)
    assert "about as good as the network of the set's own faces (difference in accuracy -0.010" in said
    assert "clearly worse than the baseline hog" in said and said.endswith("goes from -0.100 on x to +0.100 on y.")
    assert no_better_than_commonest(result).endswith("on x (0.200)")




def test_learnt_by_heart():
    scores = {"only": (1.0, 0.75), "all": (0.9, np.nan), "untrained": (1.0, 0.9)}
    rows = [row("subject_independent", f, s, v, label="AU07") for f, pair in scores.items() for s, v in zip(("auc_train", "auc"), pair, strict=True)]
    said = by_heart(score_table(rows), "AU07")
    assert said.endswith("by 0.250 with the network of faces with AU07 only and 0.100 with the untrained one")
    assert "no network has an area" in by_heart(score_table(rows), "AU01")


@pytest.mark.parametrize("ends, words", [((0.01, 0.1), "Nothing less"), ((-0.2, -0.01), "Less"), ((-0.1, 0.1), "No less, as far as can be told")])
def test_one_unit_is_judged_by_the_paired_difference(ends, words):
    rows = [row("subject_independent", f, "auc", v, label="AU07") for f, v in (("only", 0.8), ("all", 0.75))]
    rows.append(row("subject_independent", "all", "auc_difference", 0.05, *ends, label="AU07"))
    assert single_unit_reading(score_table(rows), "AU07").startswith(f"{words} than a network of all faces")


def test_the_papers_mean_and_ours_over_the_same_experiments():
    emotions = {1: emotion_result(0.6, 0.7, 0.1), 9: emotion_result(0.1, 0.1, 0.1, "mine")}  # 9 is not the paper's
    said = answer_of_results(emotions, {})
    assert said == ("Over 1 experiment on emotions, the paper's mean accuracy is 0.986; here it is 0.700 as published and 0.600 on people "
                    "never seen.")
    assert answer_of_results({9: emotions[9]}, {}) == "No experiment of this book is one of the paper's."
    assert answer_of_results({}, {}) == "This book has no experiment."
