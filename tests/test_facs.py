"""The vocabulary of emotions and Action Units."""

import pytest

from fergan.facs import (
    ACTION_UNITS,
    EMOTION_MAPPINGS,
    EMOTIONS,
    action_units_of,
    canonical_emotion,
    identical_action_units,
    label_groups,
)


def test_there_are_eight_emotions_and_fourteen_action_units():
    assert len(EMOTIONS) == len(set(EMOTIONS)) == 8
    assert len(ACTION_UNITS) == len(set(ACTION_UNITS)) == 14
    assert list(ACTION_UNITS) == sorted(ACTION_UNITS)


@pytest.mark.parametrize("word", ["Happiness", "joy", " HAPPY ", "happy"])
def test_synonyms_and_case_do_not_matter(word):
    assert canonical_emotion(word) == "happy"


def test_every_synonym_of_the_datasets_is_known():
    words = ["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
    assert tuple(canonical_emotion(word) for word in words) == EMOTIONS


@pytest.mark.parametrize("word", ["hungry", "", "nan"])
def test_an_unknown_word_is_refused_with_the_allowed_ones(word):
    with pytest.raises(ValueError, match=r"unknown emotion .* expected one of angry, contemptuous"):
        canonical_emotion(word)


@pytest.mark.parametrize("mapping", EMOTION_MAPPINGS)
def test_each_mapping_covers_every_emotion_with_known_action_units(mapping):
    assert set(EMOTION_MAPPINGS[mapping]) == set(EMOTIONS)
    for units in EMOTION_MAPPINGS[mapping].values():
        assert set(units) <= set(ACTION_UNITS)
        assert len(units) == len(set(units))
    assert EMOTION_MAPPINGS[mapping]["neutral"] == ()


def test_action_units_of_understands_synonyms_and_refuses_unknown_mappings():
    assert action_units_of("Joy", "emfacs") == ("AU06", "AU12", "AU25")
    with pytest.raises(ValueError, match=r"unknown mapping 'facs'; expected one of paper, emfacs"):
        action_units_of("happy", "facs")


def test_the_papers_mapping_makes_the_units_of_anger_one_label():
    groups = identical_action_units(EMOTIONS, "paper")
    assert ("AU07", "AU23", "AU24") in groups
    labels = {unit: [unit in action_units_of(e) for e in EMOTIONS] for unit in ACTION_UNITS}
    for group in groups:
        assert len(group) > 1
        assert all(labels[unit] == labels[group[0]] for unit in group)
    grouped = {unit for group in groups for unit in group}
    alone = [tuple(labels[unit]) for unit in ACTION_UNITS if unit not in grouped and any(labels[unit])]
    assert len(alone) == len(set(alone)), "a pair of identical labels is missing from the groups"


def test_fewer_emotions_make_more_units_identical():
    # Of happiness alone, every unit that it shows is the same label, and the others are shown by none.
    assert identical_action_units(["happiness"], "emfacs") == [("AU06", "AU12", "AU25")]
    assert identical_action_units(["neutral"], "emfacs") == []


def test_groups_say_by_which_emotions_a_label_is_shown():
    groups = dict(label_groups(EMOTIONS, "paper"))
    assert groups["AU07", "AU23", "AU24"] == ("angry",)
    assert groups[("AU06",)] == ("happy",) and groups[("AU09",)] == ("disgusted",) and groups[("AU27",)] == ("surprised",)
    assert groups[("AU12",)] == ("contemptuous", "happy")
    assert sorted(unit for units in groups for unit in units) == list(ACTION_UNITS)
    assert [units for units in groups if len(units) > 1] == identical_action_units(EMOTIONS, "paper")
    # Where nobody is contemptuous, a smile is happiness alone.
    assert dict(label_groups(["happy", "sad"], "paper"))["AU06", "AU12", "AU25"] == ("happy",)
