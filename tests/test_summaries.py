"""The book's summary tables: the paper's numbers beside ours, and only where they belong together."""

import numpy as np
import pandas as pd
import pytest

from fergan.cropping import CroppingAccount
from fergan.emotions import EmotionResult
from fergan.faces import FaceSet, complete_labels
from fergan.files import write_json
from fergan.results import score_table
from fergan.summaries.emotions import mistakes, paper_confusion, papers_emotions, summary_of_emotions
from fergan.summaries.faces import action_unit_counts, describe_faces, faces_per_set
from fergan.summaries.results import orderings, paper_and_ours
from fergan.summaries.scores import mean_score, score_of


def result(target, published, honest, half=0.01, pretrained="enhanced-ck"):
    rows = [
        dict(protocol=protocol, features="discriminator", score="accuracy", label="all", value=value, low=value - half,
             high=value + half, n_faces=100, n_subjects=10)
        for protocol, value in (("as_published", published), ("subject_independent", honest))
    ]
    predictions = pd.DataFrame({
        "protocol": "subject_independent", "features": "discriminator", "face": range(4),
        "true": ["happy", "sad", "sad", "sad"], "predicted": ["happy", "happy", "happy", "sad"],
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
    rows = mistakes(result("x", 0.9, 0.6), faces, "subject_independent", "discriminator")
    assert list(rows) == ["sad →\nhappy"] and rows["sad →\nhappy"][:, 0, 0, 0].tolist() == [1, 2]


def test_an_ordering_is_decided_only_where_intervals_part():
    def verdict(first, third, half):
        pair = {1: result("rafd-frontal", 1, first, half), 3: result("rafd-multiview", 1, third, half)}
        table = orderings(pair, {}).set_index("compared")
        return table.loc["emotion experiments 1 and 3", "here"]

    assert verdict(0.8, 0.6, 0.05) == "holds"
    assert verdict(0.6, 0.8, 0.05) == "reversed"
    assert verdict(0.8, 0.6, 0.15) == "not decided"
    assert orderings({1: result("mine", 1, 0.8), 3: result("mine", 1, 0.6)}, {}).iloc[0]["here"] == "–"


def test_means_and_missing_scores():
    results = {1: result("a", 0.9, 0.6), 2: result("b", 0.7, 0.4)}
    assert mean_score(results, "as_published", "accuracy") == pytest.approx(0.8)
    assert np.isnan(mean_score({}, "as_published", "accuracy"))
    assert np.isnan(score_of(results[1], "as_published", "hog", "accuracy"))
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
        write_json(tmp_path / "faces" / name / "account.json", CroppingAccount(4, 4).to_dict())
        parameters = {"source": given, "detector": "mtcnn"}
        write_json(tmp_path / "faces" / name / "faceset.provenance.json", {"parameters": parameters})
    people = faces_per_set(tmp_path, ["x", "y"])["people"].tolist()
    assert people == (["2 films", 2] if source == "sfew" else [2, 2])
