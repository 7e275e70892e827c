"""The vocabulary of emotions and Action Units."""

import pytest

from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS, EMOTIONS, action_units_of, canonical_emotion, label_groups
from fergan.paper import read_table


def test_synonyms_do_not_matter_mappings_cover_every_emotion_and_groups_say_who_shows_a_label():
    words = ["anger", "contempt", "disgust", "fear", " HAPPY ", "neutral", "sadness", "surprise"]
    assert tuple(canonical_emotion(word) for word in words) == EMOTIONS
    assert canonical_emotion("joy") == canonical_emotion("Happiness") == "happy"
    for word in ("hungry", "", "nan"):
        with pytest.raises(ValueError, match=r"unknown emotion .* expected one of angry, contemptuous"):
            canonical_emotion(word)
    for mapping in EMOTION_MAPPINGS.values():
        assert set(mapping) == set(EMOTIONS) and mapping["neutral"] == ()
        assert all(set(units) <= set(ACTION_UNITS) and len(units) == len(set(units)) for units in mapping.values())
    table = read_table("table6_emotion_aus")
    printed = {canonical_emotion(row.emotion): tuple(f"AU{int(n):02d}" for n in str(row.aus).split()) for row in table.itertuples()}
    assert EMOTION_MAPPINGS["paper"] == printed | {"neutral": ()}
    assert action_units_of("Joy", "emfacs") == ("AU06", "AU12", "AU25")
    with pytest.raises(ValueError, match=r"unknown mapping 'facs'; expected one of paper, emfacs"):
        action_units_of("happy", "facs")
    groups = dict(label_groups(EMOTIONS, "paper"))
    assert groups["AU07", "AU23", "AU24"] == ("angry",) and groups[("AU27",)] == ("surprised",)
    assert groups[("AU12",)] == ("contemptuous", "happy")
    assert sorted(unit for units in groups for unit in units) == list(ACTION_UNITS)
    labels = {unit: tuple(unit in action_units_of(e) for e in EMOTIONS) for unit in ACTION_UNITS}
    assert all(len({labels[unit] for unit in units}) == 1 for units in groups) and len(groups) == len(set(labels.values()))
    # Where nobody is contemptuous, a smile is happiness alone.
    assert dict(label_groups(["happy", "sad"], "paper"))["AU06", "AU12", "AU25"] == ("happy",)
    assert label_groups(["neutral"], "emfacs") == []
