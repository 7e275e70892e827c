"""Accuracy on groups of people: a planted difference is found, and each person is in one group."""

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.emotions import GROUPS, EmotionResult, accuracy_by_group, group_differences, people_of_set
from fergan.experiments.scores import score_table
from fergan.rendered.labels import sample_identity


def faces_of(n_people=30, each=10, **more):
    people = np.repeat(np.arange(n_people), each)
    labels = pd.DataFrame({"source": "x", "subject": [f"p{p}" for p in people], "emotion": "happy", "identity_seed": people} | more)
    return FaceSet("small", np.zeros((len(people), 64, 64, 3), np.uint8), complete_labels(labels))


def result_of(faces, right):
    subjects = faces.subjects()
    table = pd.DataFrame({"protocol": "subject_independent", "features": "discriminator", "face": range(len(subjects)), "subject": subjects,
                          "true": "happy", "predicted": np.where(right, "happy", "sad")})
    return EmotionResult(score_table([]), table, pd.DataFrame(), dict(target="small"))


def test_people_are_in_thirds_by_trait_and_a_planted_difference_is_found_and_no_other():
    faces = faces_of(60)
    people = people_of_set(faces)
    for trait, groups in GROUPS.items():
        lows, _, highs = (people.loc[people[f"{trait}_group"] == group, trait] for group in groups)
        assert len(lows) == len(highs) == 20 and lows.max() < highs.min()
    assert people.loc["p7", "skin"] == sample_identity(7)["melanin"]
    dark = people["skin_group"].reindex(faces.subjects()).to_numpy() == GROUPS["skin"][-1]
    right = np.random.default_rng(0).random(len(dark)) < np.where(dark, 0.4, 0.9)
    table = accuracy_by_group(result_of(faces, right), people)
    found = group_differences(table)
    assert table.set_index("group")["value"]["darkest third"] == right[dark].mean() and set(table["n_people"]) == {20}
    # What the other trait shows is what chance and its overlap with the first leave.
    assert found["skin"][1] > 0.3 and abs(found["age"][0]) < abs(found["skin"][0]) / 2
