"""The chapter on emotions: each branch of its sentences follows from planted results, and names come out as text."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import emotions as chapter
from fergan.book.show import markdown_table, say
from fergan.data.faces import FaceSet
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.scores import score_table

matplotlib.use("agg")
HOSTILE = "{{ 7*7 }} <b>x</b> a_$5_$6 |\n"


def result(never=0.5, published=0.7, hog=0.4, pretrained="enhanced-ck", target="rafd-frontal", half=0.05, right=None):
    """An experiment with planted accuracies, whose features beside the discriminator's are `hog`."""
    def row(protocol, score, value, features="discriminator", **more):
        return dict(protocol=protocol, features=features, score=score, label="all", value=value, low=value - half,
                    high=value + half) | more

    rows = [row("subject_independent", "accuracy", never), row("as_published", "accuracy", published),
            row("as_published", "protocol_gap", published - never), row("subject_independent", "accuracy", hog, "hog"),
            row("as_published", "accuracy", hog, "hog"), row("as_published", "protocol_gap", 0.0, "hog"),
            row("subject_independent", "accuracy_difference", never - hog, "hog"),
            row("subject_independent", "majority_accuracy", 0.125, "none", low=np.nan, high=np.nan)]
    for protocol in ("subject_independent", "as_published"):
        rows += [row(protocol, score, 0.6, features) for score in ("auc", "balanced_accuracy", "macro_f1")
                 for features in ("discriminator", "hog")]
    right = np.arange(40) < 40 * never if right is None else right
    predictions = pd.DataFrame({
        "protocol": "subject_independent", "features": "discriminator", "face": range(40), "fold": 0, "true": "sad",
        "subject": [f"p{i // 2}" for i in range(40)], "predicted": np.where(right, "sad", "happy"),
        "value_happy": np.where(right, 0.0, np.arange(40.0)), "value_sad": np.where(right, 1.0, 0.0)})
    searches = pd.DataFrame({"protocol": "as_published", "features": "discriminator", "outer_folds": "all", "trial": range(3),
                             "C": [1.0, 10, 100], "gamma": [0.1, 1, 0.5], "gamma_scale": [1, 2, 3.0], "accuracy": [0.1, 0.7, 0.2],
                             "pruned": False, "chosen": [False, True, False]})
    settings = dict(pretrained=pretrained, target=target, features=["discriminator", "hog"], emotions=["happy", "sad"],
                    collection=target)
    return EmotionResult(score_table(rows), predictions, searches, settings)


def test_the_answer_of_an_experiment_has_its_numbers_and_compares_by_the_interval():
    for hog, word in ((0.4, "clearly less"), (0.6, "clearly more"), (0.5, "not clearly different")):
        found = result(hog=hog)
        text = say("emotions_experiment", "answer", never=(0.5, 0.45, 0.55), published=(0.7, 0.6, 0.8), paper=float("nan"),
                   others=chapter.other_features(found), majority=0.125)
        assert word in text and "0.500 [0.450, 0.550]" in text and "0.125" in text and "the paper" not in text
    said = dict(never=(0.5, 0.45, 0.55), published=(0.7, 0.6, 0.8), paper=0.976, others=[], majority=0.1)
    text = say("emotions_experiment", "answer", **said)
    assert "Nobody is named" in say("emotions_experiment", "answer", named=False, **said) and "Nobody" not in text
    assert "(the paper: 0.976)" in text and "–" not in text


def test_chance_official_splits_and_few_people_are_said_only_where_there_are_some():
    test = dict(n_permutations=19, n_alone=0, n_people=20, n_blocks=3, observed=0.5, mean=0.1, highest=0.2)
    say_it = lambda **more: say("emotions_experiment", "chance", p_value=0.05, test=test | more)
    assert "within each person, whole expressions at a time" in say_it() and "2 of 3 blocks" in say_it() and "0.050" in say_it()
    assert "among people" in say_it(n_alone=20) and "those of the 3 people" in say_it(n_alone=3)
    assert say("emotions_experiment", "chance", p_value=0.05, test={}) == ""
    gaps = {official: say("emotions_experiment", "gap", gap=(0.1, 0, 0.2), official=official)
            for official in ("", "test", "left out: no training face shows sad")}
    assert "divided" not in gaps[""] and "test part" in gaps["test"] and "no training face shows sad" in gaps["left out: no training face shows sad"]
    few = [say("emotions_experiment", "few", people=n, least=5) for n in (4, 9, 10)]
    assert "at least 5" in few[0] and "only 9 people" in few[1] and few[2] == ""


def test_experiments_are_summed_up_with_signs_and_only_the_papers_own_stand_beside_it():
    results = {1: result(0.5, 0.7), 5: result(0.6, 0.4, pretrained="rafd-frontal"), 11: result(0.5, 0.5, target=HOSTILE)}
    table = chapter.emotion_summary(results)
    assert table["paper"].isna().tolist() == [False, False, True] and np.isnan(table["difference"].iloc[2])
    assert table["difference"][0] == pytest.approx(0.7 - table["paper"][0])
    text = markdown_table(table) + say("emotions", "answer", never=chapter.spans(results, "subject_independent"), others=[],
                                       published=chapter.spans(results, "as_published"))
    assert r"\{\{ 7\*7 \}\}" in text and "<b>" not in text and "49" not in text and len(markdown_table(table).splitlines()) == 5
    text = say("emotions", "worth", n=3, higher={1: 0.2}, lower={})
    assert "1 of 3" in text and "1 by 0.200" in text and "none" in text
    (hog,) = chapter.others(results)
    assert (hog["features"], hog["n"], hog["better"], hog["worse"]) == ("hog", 3, 0, 3)
    assert [number for _, number, _ in hog["span"]] == [1, 5] and hog["span"][1][0] == pytest.approx(0.2)
    for name, words in (("untrained", "is worth +0.100 (experiment 1, rafd-frontal) to +0.200"), ("hog", "(HOG) do clearly better in none of 3")):
        assert words in say("emotions", "answer", never=[], published=[], others=[hog | {"features": name}])
    assert chapter.baselines_table(results)["minus hog"][0].startswith("+0.100 [")
    assert chapter.state_of_the_art({1: results[1]})["faces"].str.contains("here").sum() == 2



def test_mistakes_are_shown_by_their_margin_and_figures_draw_every_line():
    found = result()
    faces = FaceSet("x", np.repeat(np.arange(40, dtype=np.uint8), 64 * 64 * 3).reshape(40, 64, 64, 3), pd.DataFrame(index=range(40)))
    wrong = chapter.mistakes(found)
    assert wrong["margin"].tolist() == list(range(20, 40)) and (wrong["predicted"] == "happy").all()
    assert {name: images[:, 0, 0, 0].tolist() for name, images in chapter.typical_mistakes(wrong, faces, n_faces=2).items()} == {
        "sad →\nhappy (20)": [29, 30]}
    results = {1: found, 2: result(pretrained="celeba")}
    assert len(chapter.area_figure(results).axes) == 4
    groups = pd.DataFrame([dict(experiment="1: x", trait=trait, group=group, value=0.5, low=0.4, high=0.6)
                           for trait in ("skin", "age") for group in ("low", "high")])
    assert [ax.get_title(loc="left") for ax in chapter.group_figure(groups).axes] == ["skin", "age"]
    assert "1 of 8" in say("groups", "answer", clear={"skin": 1, "age": 0}, n=8)
    matplotlib.pyplot.close("all")
