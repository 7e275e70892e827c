"""The naming rules of RaFD and KDEF generate their whole sets, and read back what they generate."""

from collections import Counter

import pytest

from fergan.data import kdef, rafd
from fergan.data.catalogue import CATALOGUE

# 20 men, 19 women, 4 boys and 6 girls of one group, 18 men of another: https://rafd.socsci.ru.nl/Overview.html
GROUPS = [
    *[("Caucasian", "male")] * 20, *[("Caucasian", "female")] * 19, *[("Kid", "male")] * 4, *[("Kid", "female")] * 6,
    *[("Moroccan", "male")] * 18,
]  # fmt: skip
MODELS = [(f"{number:02d}", *group) for number, group in enumerate(GROUPS, start=1)]


@pytest.mark.parametrize(("variant", "n", "each"), [("", 8040, 1005), ("frontal", 1608, 201), ("multiview", 2680, 335)])
def test_the_whole_of_rafd_is_generated_and_read_back(variant, n, each):
    names = list(rafd.rafd_names(MODELS, variant))
    assert len(names) == len(set(names)) == n == CATALOGUE["rafd"].variants[variant].photographs
    parts = [rafd.RULE.parse(name) for name in names]
    assert Counter(part["emotion"] for part in parts) == dict.fromkeys(rafd.EMOTIONS, each)
    assert CATALOGUE["rafd"].variants[variant].emotions == dict.fromkeys(rafd.EMOTIONS, each)
    assert {(part["subject"], part["group"], part["sex"]) for part in parts} == set(MODELS)
    assert {part["view"] for part in parts} == ({"frontal"} if variant == "frontal" else set(rafd.CAMERAS.values()))
    assert {part["gaze"] for part in parts} == ({"frontal"} if variant == "multiview" else {"frontal", "left", "right"})


def test_the_example_of_rafds_owners_is_generated():
    assert "Rafd090_28_Caucasian_male_angry_frontal.jpg" in set(rafd.rafd_names([("28", "Caucasian", "male")]))


@pytest.mark.parametrize(("variant", "n"), [("", 4900), ("session-a", 2450), ("session-b", 2450)])
def test_the_whole_of_kdef_is_generated_and_read_back(variant, n):
    names = list(kdef.kdef_names(variant))
    assert len(names) == len(set(names)) == n == CATALOGUE["kdef"].variants[variant].photographs
    parts = [kdef.RULE.parse(name) for name in names]
    assert len({part["subject"] for part in parts}) == 70
    emotions = Counter(part["emotion"] for part in parts)
    assert emotions == CATALOGUE["kdef"].variants[variant].emotions
    assert set(emotions.values()) == {n // 7}
    assert Counter(part["view"] for part in parts) == dict.fromkeys(kdef.VIEWS.values(), n // 5)


def test_kdefs_cut_names_stand_for_names_of_the_rule():
    names = set(kdef.kdef_names())
    for cut, whole in kdef.MISNAMED.items():
        assert cut not in names
        assert whole in names
        assert cut[:4] == whole[:4]
        assert isinstance(kdef.RULE.parse(cut), str)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Rafd090_01_Caucasian_female_bored_frontal.jpg", "emotion 'bored' is unknown; expected one of angry"),
        ("Rafd030_01_Caucasian_female_angry_frontal.jpg", "view '030' is unknown"),
        ("Rafd090_01_Caucasian_female_angry_up.jpg", "gaze 'up' is unknown"),
        ("Rafd090_1_Caucasian_female_angry_frontal.jpg", "not a name of this dataset"),
        ("Rafd090_01_Caucasian_female_angry_frontal.jpg.jpg", "not a name of this dataset"),
    ],
)
def test_a_name_against_rafds_rule_is_explained(name, reason):
    assert rafd.RULE.parse(name).startswith(reason)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("AF01XXS.JPG", "emotion 'XX'"), ("AF36AFS.JPG", "subject 'F36'"), ("CF01AFS.JPG", "session 'C'"), ("AF01AFL.JPG", "view")],
)
def test_a_name_against_kdefs_rule_is_explained(name, reason):
    assert kdef.RULE.parse(name).startswith(reason)
