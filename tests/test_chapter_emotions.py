"""The chapter on emotions: each branch of its sentences follows from planted results, and names come out as text."""

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE, emotions, ends

from fergan.book.chapters import emotions as chapter
from fergan.book.chapters.results import all_scores, beside_rivals, beside_the_paper, rivals_of, rivals_reading, titled
from fergan.book.show import markdown_table, say
from fergan.data.faces import FaceSet
from fergan.experiments.scores import score_table


def experiment(number, share, hog=None, **settings):
    """A planted experiment, with this difference from HOG."""
    result = emotions(number, share)
    result.settings |= settings
    if hog is not None:
        of_hog = (result.scores["score"] == "accuracy_difference") & (result.scores["features"] == "hog")
        result.scores.loc[of_hog, ["value", "low", "high"]] = hog, hog - 0.05, hog + 0.05
    return result


def test_the_answer_has_its_numbers_and_chance_and_splits_are_said_only_where_there_are_some():
    said = dict(never=(0.5, 0.45, 0.55), published=(0.7, 0.6, 0.8), majority=0.125)
    rivals = rivals_of("emotions", experiment(1, 0.5, -0.1, features=["discriminator", "hog"]))
    text = say("emotions_experiment", "answer", paper=float("nan"), rivals=rivals, **said)
    assert "−0.100 [−0.150, −0.050]" in text
    assert "0.500 [0.450, 0.550]" in text and "0.125" in text and "the paper" not in text
    text = say("emotions_experiment", "answer", paper=0.976, rivals={}, named=False, **said)
    assert "Nobody is named" in text and "(the paper: 0.976)" in text and "–" not in text
    test = dict(n_permutations=19, n_alone=0, n_people=20, n_blocks=3, observed=0.5, mean=0.1, highest=0.2, p_value=0.05)
    within, among, both = (say("emotions_experiment", "chance", test=test | dict(n_alone=n)) for n in (0, 20, 3))
    assert "within each person" in within and "0.050" in within and "among people" in among and "3 people" in both
    officials = ("", "test", "left out: no face is sad")
    gaps = [say("emotions_experiment", "gap", gap=(0.1, 0, 0.2), official=official) for official in officials]
    assert "divided" not in gaps[0] and "test part" in gaps[1] and "no face is sad" in gaps[2]
    few = [say("emotions_experiment", "few", people=n, least=5) for n in (4, 9, 10)]
    assert "at least 5" in few[0] and "only 9 people" in few[1] and few[2] == ""


def test_a_column_on_seeds_is_there_where_there_are_several():
    results, again = {1: experiment(1, 0.5, features=["discriminator", "untrained"])}, experiment(1, 0.7)
    low, high = (of.score("accuracy")[0] for of in (results[1], again))
    results[1].scores = pd.concat([results[1].scores, score_table([ends("accuracy", 0.3, 0.1, features="untrained")])])
    names = ["features", "protocol", "outer_folds", "C", "gamma_scale", "accuracy"]
    results[1].searches = again.searches = pd.DataFrame([[*names, True], [*names, False]], columns=[*names, "chosen"])
    for others, cells in (([], []), ([again], [f"{(low + high) / 2:.3f} ({low:.3f}\u00a0to\u00a0{high:.3f})"])):
        tables = [beside_the_paper({"emotions": results}, others={"emotions": {1: others}}), chapter.emotion_table(results[1], 1, others),
                  chapter.state_of_the_art(results, {1: others})]
        found = [[cell for cell in table.filter(like="2 seeds").to_numpy().ravel() if isinstance(cell, str)] for table in tables]
        assert found == [cells, cells * 2, cells * 2], "not of other features"
        chosen = chapter.chosen_parameters(results[1], others)
        assert len(chosen) == 1 + len(others) and ("network" in chosen) == bool(others), "a row for each that was chosen"
        gains = beside_rivals("emotions", results, {1: others}).get("minus untrained, 2 seeds", pd.Series()).tolist()
        assert gains == [f"{(low + high) / 2 - 0.3:+.3f} ({low - 0.3:+.3f}\u00a0to\u00a0{high - 0.3:+.3f})" for _ in others]
        assert ("2 seeds" in say("emotions", "summary_caption", least=5, seed=0, seeds=[1][: len(others)])) == bool(others)


def test_where_nobody_is_named_no_people_are_counted():
    numbers = dict(experiment=11, n=1992, folds=5, seed=0, majority=0.25, splits=3, draws=2, counted="faces", chance=0.25, units=3)
    for template, passage, keys in (
        ("emotions_experiment", "scores_caption", "experiment n folds seed"), ("emotions_experiment", "dots_caption", "n majority seed"),
        ("label_efficiency_set", "curves_caption", "n counted splits draws chance seed"), ("action_units_experiment", "roc_caption", "n units seed"),
    ):  # fmt: skip
        nobody, some = (say(template, passage, people=people, **{key: numbers[key] for key in keys.split()}) for people in (0, 30))
        assert "1,992 faces, nobody named" in nobody and "of 30 people" in some and "nobody" not in some


def test_experiments_are_summed_up_with_signs_and_only_the_papers_own_stand_beside_it():
    kinds = dict(features=["discriminator", "hog", "untrained"])
    results = {1: experiment(1, 0.9, 0.1, **kinds), 5: experiment(5, 0.6, 0.2, **kinds), 11: experiment(1, 0.9, -0.1, target=HOSTILE, **kinds)}
    table = beside_the_paper({"emotions": results})
    rivals = beside_rivals("emotions", results)
    assert table["paper"].isna().tolist() == [False, False, True] and rivals["labels"].tolist() == [1, 1, 1]
    assert rivals["minus hog"].tolist()[0] == "+0.100 [+0.050, +0.150]" and rivals["commonest emotion"].tolist() == [0.125] * 3
    assert "official split" not in table and (all_scores(titled(results), "accuracy")["experiment"] == "5: rafd-frontal").sum() == 2
    text = markdown_table(table)
    assert r"\{\{ 7\*7 \}\}" in text and "<b>" not in text and len(text.splitlines()) == 5
    reading = rivals_reading("emotions", results)
    assert reading["hog"] == {"n": 3, "better": 2, "worse": 1, "mean": pytest.approx(0.2 / 3)}
    said = say("emotions", "answer", never=[0.4, 0.6], published=[0.5, 0.5], others=reading)
    assert "(HOG) do clearly better in 1 of 3 experiments and clearly worse in 2" in said
    assert chapter.emotion_table(results[1], 1)["features"].tolist() == ["discriminator (the paper)", *["discriminator"] * 2]
    assert chapter.state_of_the_art({1: results[1]})["faces"].str.contains("here").sum() == 2


def test_mistakes_are_shown_by_their_margin_and_areas_beside_the_papers():
    found = experiment(1, 0.9)
    right = np.arange(40) < 20
    found.predictions = found.predictions[:40].assign(
        true="sad", predicted=np.where(right, "sad", "happy"), **dict.fromkeys((f"value_{e}" for e in found.emotions), 0.0))
    found.predictions["value_happy"] = np.where(right, 0.0, np.arange(40.0))
    faces = FaceSet("x", np.repeat(np.arange(40, dtype=np.uint8), 64 * 64 * 3).reshape(40, 64, 64, 3), pd.DataFrame(index=range(40)))
    rows = chapter.typical_mistakes(found, faces, n_faces=2)
    assert {name: images[:, 0, 0, 0].tolist() for name, images in rows.items()} == {"sad →\nhappy (20)": [29, 30]}
    shown = {1: found, 2: experiment(2, 0.5)}, {11: experiment(1, 0.5, target=HOSTILE)}
    panels = [len(chapter.area_figure(of).axes) for of in shown]
    assert panels == [4, 3], "no empty panel of the paper's"
