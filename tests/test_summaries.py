"""The book's summary tables: the paper's numbers beside ours, and only where they belong together."""

import numpy as np
import pandas as pd
import pytest

from fergan.book.tables.emotions import (
    area_tables_of,
    areas_per_emotion,
    chosen_parameters,
    commonest_mistakes,
    emotion_table,
    paper_confusion,
    papers_emotions,
    state_of_the_art,
    summary_of_emotions,
    worst_mistakes,
)
from fergan.book.tables.faces import action_unit_counts, describe_faces, faces_per_set
from fergan.book.tables.results import baseline_in_words, paper_and_ours
from fergan.book.tables.scores import mean_score, score_of
from fergan.data.cropping import CroppingAccount
from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.scores import score_table
from fergan.files import write_json


def result(target, published, honest, half=0.01, pretrained="enhanced-ck"):
    rows = [
        dict(protocol=protocol, features="discriminator", score="accuracy", label="all", value=value, low=value - half,
             high=value + half, n_faces=100, n_subjects=10)
        for protocol, value in (("as_published", published), ("subject_independent", honest))
    ]
    predictions = pd.DataFrame({
        "protocol": "subject_independent", "features": "discriminator", "face": range(4),
        "true": ["happy", "sad", "sad", "sad"], "predicted": ["happy", "happy", "happy", "sad"],
        "value_happy": [1, 0.5, 2.0, 0], "value_sad": [0, 0.4, 0, 1.0],
    })
    settings = {"target": target, "pretrained": pretrained, "features": ["discriminator"], "emotions": ["happy", "sad"]}
    return EmotionResult(score_table(rows), predictions, pd.DataFrame(), settings)


def test_the_papers_number_stands_beside_its_own_experiment_only():
    table = summary_of_emotions({1: result("rafd-frontal", 0.9, 0.6), 11: result("mine", 0.8, 0.7)}).set_index("experiment")
    assert table.loc[1, "paper"] == pytest.approx(0.9857)
    assert table.loc[1, "difference"] == pytest.approx(0.9 - 0.9857)
    assert np.isnan(table.loc[11, "paper"]) and np.isnan(table.loc[11, "difference"])
    assert table.loc[1, "people never seen"] == "0.600 [0.590, 0.610]"
    assert papers_emotions(1, "enhanced-ck", "mine") is None  # the paper's number, another set
    assert papers_emotions(1, "celeba", "rafd-frontal") is None  # and another network


def test_the_papers_confusion_sums_to_its_class_sizes():
    counts = paper_confusion(1, "enhanced-ck", "rafd-frontal")
    assert counts.to_numpy().sum() == 1608 and (counts.sum(axis=1) == 201).all()
    assert np.trace(counts) == 1585
    assert paper_confusion(1, "enhanced-ck", "mine").isna().all(axis=None)


def test_mistakes_are_the_commonest_first_and_never_right_answers():
    labels = complete_labels(pd.DataFrame({"source": list("abcd")}))
    faces = FaceSet("x", np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 64, 3), np.uint8), labels)
    found = result("x", 0.9, 0.6)
    rows = commonest_mistakes(found, faces, "subject_independent", "discriminator")
    assert list(rows) == ["sad →\nhappy (2)"] and rows["sad →\nhappy (2)"][:, 0, 0, 0].tolist() == [1, 2]
    images, captions = worst_mistakes(found, faces, "subject_independent", "discriminator")
    assert images[:, 0, 0, 0].tolist() == [2, 1] and captions == ["sad →\nhappy"] * 2  # the larger margin first
    found.predictions["predicted"] = found.predictions["true"]
    assert len(commonest_mistakes(found, faces, "subject_independent", "discriminator")["none"]) == 0
    assert worst_mistakes(found, faces, "subject_independent", "discriminator")[1] == []


def test_the_official_split_has_a_column_where_a_set_has_one():
    with_split = result("raf-db", 0.9, 0.6, pretrained="raf-db")
    row = dict(with_split.scores.iloc[0], protocol="official_split", value=0.5, low=0.45, high=0.55)
    with_split.scores = score_table([*with_split.scores.to_dict("records"), row])
    table = summary_of_emotions({6: with_split, 1: result("rafd-frontal", 0.9, 0.6)}).set_index("experiment")
    assert table["official split"].tolist() == ["0.500 [0.450, 0.550]", "–"]
    assert "official split" not in summary_of_emotions({1: result("rafd-frontal", 0.9, 0.6)})
    assert emotion_table(with_split, 6)["protocol"].tolist() == ["the paper's", "as published", "people never seen", "official split"]
    rows = state_of_the_art({6: with_split})
    assert rows["approach"].str.startswith("this book").sum() == 3
    assert rows.loc[rows["approach"] == "the paper", "accuracy"].tolist() == ["0.986", "0.604", "0.619", "0.445"]


def test_areas_of_emotions_stand_beside_the_papers():
    found = result("rafd-frontal", 0.9, 0.6)
    rows = [dict(protocol="as_published", features="discriminator", score="auc", label="sad", value=0.75, low=0.7, high=0.8)]
    found.scores = score_table([*found.scores.to_dict("records"), *rows])
    table = areas_per_emotion(found, 1).set_index("emotion")
    assert table.loc["sad", "paper"] == 0.967 and table.loc["sad", "as published"] == "0.750 [0.700, 0.800]"
    assert table.loc["mean", "paper"] == 0.98
    tables = area_tables_of({1: found, 11: result("mine", 0.5, 0.5)})
    assert list(tables) == ["the paper", "this book, as published", "this book, people never seen"]
    assert tables["this book, as published"].loc["sad", "1"] == 0.75 and tables["the paper"].loc["mean", "1"] == 0.98
    assert tables["the paper"]["11"].isna().all()


def test_chosen_parameters_are_those_of_each_search():
    found = result("rafd-frontal", 0.9, 0.6)
    found.searches = pd.DataFrame({
        "protocol": ["as_published", "as_published", "subject_independent"], "features": "discriminator",
        "outer_folds": ["all", "all", "0 1"], "C": [1.0, 10, 3], "gamma": [0.1, 0.2, 0.3], "gamma_scale": 1.0,
        "accuracy": [0.5, 0.6, 0.4], "chosen": [False, True, True]})
    table = chosen_parameters(found)
    assert table[["C", "tried"]].to_numpy().tolist() == [["10", 2], ["3", 1]]


def test_means_and_missing_scores():
    results = {1: result("a", 0.9, 0.6), 2: result("b", 0.7, 0.4)}
    assert mean_score(results, "as_published", "accuracy") == pytest.approx(0.8)
    assert np.isnan(mean_score({}, "as_published", "accuracy"))
    assert np.isnan(score_of(results[1], "as_published", "hog", "accuracy"))
    assert baseline_in_words(results, "discriminator") == "0.500"
    assert baseline_in_words(results) == baseline_in_words({}) == "not run"  # one experiment without them, or none at all
    assert list(paper_and_ours(results, {})["kind"]) == ["emotions, accuracy"] * 2


def test_action_units_are_counted_where_they_were_coded():
    labels = complete_labels(pd.DataFrame({"source": list("abcd"), "subject": ["p", "p", "p", "q"],
                                           "AU12": [1.0, 1.0, 0.0, None],
                                           "AU12_left": [0.4, 1.0, 0.2, 0.1], "AU12_right": [0.6, 1.0, 0.2, 0.1], "AU01": [0.0, 0.0, 0.0, 0.0]}))
    faces = FaceSet("x", np.zeros((4, 64, 64, 3), np.uint8), labels)
    counts = action_unit_counts(faces).set_index("Action Unit")
    assert list(counts.index) == ["AU01", "AU12"]
    assert counts.loc["AU12", ["coded", "shown", "mean intensity"]].tolist() == [3, 2, 0.75]
    assert counts.loc["AU12", "share"] == pytest.approx(2 / 3) and np.isnan(counts.loc["AU01", "mean intensity"])
    facts = describe_faces(faces, CroppingAccount(4, 4)).set_index("")["value"]
    assert facts["crops of one person"] == "1 to 3, median 2"


@pytest.mark.parametrize(("source", "subjects", "one"), [
    ("sfew", "films", "film"), ("rafd", "people", "person"), ("rendered", "people", "person"), ("manifest", "people", "person"),
])
def test_what_subjects_are_is_said_by_their_source(tmp_path, source, subjects, one):
    labels = complete_labels(pd.DataFrame({"source": list("abcd"), "subject": ["p", "p", "p", "q"]}))
    faces = FaceSet("x", np.zeros((4, 64, 64, 3), np.uint8), labels)
    facts = describe_faces(faces, CroppingAccount(4, 4), source).set_index("")["value"]
    assert facts[subjects] == "2" and facts[f"crops of one {one}"] == "1 to 3, median 2"
    for name, given in (("x", source), ("y", "rendered")):
        faces.save(tmp_path / "faces" / name)
        write_json(tmp_path / "faces" / name / "account.json", vars(CroppingAccount(4, 4)))
        parameters = {"source": given, "detector": "mtcnn"}
        write_json(tmp_path / "faces" / name / "faceset.provenance.json", {"parameters": parameters})
    people = faces_per_set(tmp_path, ["x", "y"])["people"].tolist()
    assert people == (["2 films", 2] if source == "sfew" else [2, 2])
