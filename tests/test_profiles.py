"""Profiles: every fault is one line that names the key, before anything runs."""

import re

import pytest
import yaml

from fergan.book.checks import load_profile
from fergan.book.pages import pages_of
from fergan.book.profile import ProfileError
from fergan.cache import digest
from fergan.files import ROOT

PROFILES = ROOT / "profiles"
SMALL = {
    "description": "two sets",
    "datasets": {"kdef": {"source": "rendered"}, "b": {"source": "manifest", "folder": "b"}},
    "emotion_experiments": [{"experiment": 1, "pretrained": "kdef", "target": "b"}],
}


def model(**fields):
    return {"further_models": {"kdef-other": {"dataset": "kdef"} | fields}}


def load(tmp_path, content, data=None):
    path = tmp_path / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return load_profile(path, data=str(tmp_path if data is None else data))


@pytest.fixture
def data(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "labels.csv").write_text("path\n")
    return tmp_path


def test_demo_is_the_papers_plan_and_quick_has_its_pages():
    demo = load_profile(PROFILES / "demo.yaml")
    assert len(demo.datasets) == 7 and demo.rendered and len(demo.pairs) == 10
    assert len(demo.emotion_experiments) == len(demo.au_experiments) == 8
    quick = load_profile(PROFILES / "quick.yaml")
    assert [page.id for page in pages_of(quick)] == [page.id for page in pages_of(demo)]


@pytest.mark.parametrize(("change", "words"), [
    ({"dataset": {}}, "dataset is not a known key; did you mean 'datasets'?"),
    ({"training": {"widht": 3}}, "training.widht is not a known key; did you mean 'width'?"),
    ({"emotions": {"n_folds": 1}}, "emotions.n_folds is 1; input should be greater than or equal to 3"),
    ({"datasets": {"kdef": {"source": "web"}}}, "datasets.kdef.source is 'web'; input should be 'rendered', 'manifest', 'rafd'"),
    ({"datasets": {"kdef": {"source": "kdef", "substitute": {"name": "b", "source": "manifest", "foldr": "b"}}}},
     "datasets.kdef.substitute.foldr is not a known key; did you mean 'folder'?"),
    ({"datasets": {"mine": {"source": "kdef", "substitute": {"name": "drawn", "source": "rendered"}}}},
     "datasets.mine.substitute: no rendered stand-in has this name"),
    ({"emotion_experiments": [{"experiment": 1, "pretrained": "kdef", "target": "c"}]},
     "emotion_experiments.0.target is 'c', which is not among the datasets (b, kdef)"),
    ({"emotion_experiments": [{"experiment": 1, "pretrained": "kdef", "target": "b"}] * 2}, "has number 1 twice"),
    ({"emotion_experiments": []}, "a book needs at least one experiment"),
    ({"label_efficiency": {"targets": ["c"]}}, "label_efficiency.targets has 'c', which is not among the datasets (b, kdef)"),
    ({"label_efficiency": {"targets": ["b"], "size_targets": ["b"]}}, "label_efficiency.size_targets has 'b', which is among the targets already"),
    ({"transfer": {"targets": ["c"]}}, "transfer.targets has 'c', which is not among the datasets (b, kdef)"),
    ({"datasets": {"kdef": {"source": "rendered", "seed": 3}}, "emotion_experiments": []}, "datasets.kdef.seed is not used"),
    ({"datasets": {"kdef": {"source": "rendered", "relabel": "darwin"}}, "emotion_experiments": []},
     "datasets.kdef.relabel is 'darwin'; expected one of paper, emfacs"),
    ({"datasets": {"A b": {"source": "rendered"}}, "emotion_experiments": []}, "a name has only lower-case letters"),
    ({"features": {"layers": [0, 4]}}, "layers are [0, 4]; expected some of 1 (nearest to the image) to 4"),
    ({"emotions": {"facenet_weights": "none.pt"}}, "emotions.facenet_weights: none.pt does not exist"),
    (model(changes={"epoch": 3}), "changes.epoch is not a known key; did you mean 'epochs'?"),
    ({"seeds": []}, "seeds is []; list should have at least 1 item"), ({"seeds": [0, -1]}, "seeds.1 is -1; input should be greater"),
    ({"seeds": [0, 2, 2]}, "seeds is [0, 2, 2]; expected different seeds"), ({"seeds": [1, 2]}, "seeds is [1, 2]; expected different seeds, first 0, that of training"),
    ({"datasets": {"kdef": {"source": "rendered", "seeds": [2, 0]}}}, "datasets.kdef.seeds is [2, 0]; expected"),
    ({"seeds": [0, 1], "further_models": {"kdef-seed-1": {"dataset": "kdef"}}}, "'kdef-seed-1' is what seeds call a network"),
    (model(only="AU99"), "only is 'AU99'"), (model(dataset="c", only="AU07"), "dataset is 'c', which is not among the datasets"),
])
def test_each_fault_is_one_line_naming_the_key(data, change, words):
    with pytest.raises(ProfileError) as caught:
        load(data, SMALL | change)
    lines = str(caught.value).splitlines()
    assert any("mine.yaml: " in line and words in line for line in lines), lines


def test_missing_and_repeated_keys_files_and_folders_are_named(data, tmp_path):
    text = yaml.safe_dump(SMALL | {"training": {"preset": "demo"}})
    assert load(data, text.replace("preset: demo", "learning_rate: 1e-4")).training.learning_rate == 1e-4
    for content, place, words in (
        (text.replace("description", "title"), None, "description is missing"),
        ("", None, "is empty"), ("a: [", None, "not readable as YAML"),
        (text, data / "elsewhere", r"elsewhere cannot be read \(no such file"),
        (text, "", "datasets.b needs photographs; give their folder"),
        (text, data / "b" / "labels.csv", "cannot be read .not a directory"),
        (text + "training: {epochs: 3}\n", None, r"mine.yaml: training is given twice, in lines \d+ and \d+"),
    ):  # fmt: skip
        with pytest.raises(ProfileError, match=words):
            load(data, content, data=place)
    (data / "b" / "labels.csv").unlink()
    with pytest.raises(ProfileError, match="holds no labels.csv, a table with a column 'path'"):
        load(data, SMALL)
    with pytest.raises(ProfileError, match=r"demon.yaml does not exist; profiles there: .*demo"):
        load_profile(PROFILES / "demon.yaml")


def test_sections_take_the_profiles_seed_and_may_have_their_own_and_a_further_generator_differs_in_what_it_changes(data):
    profile = load(data, SMALL | {"seed": 7, "quality": {"seed": 3}} | model(changes={"epochs": 3}))
    assert profile.training.seed == profile.emotions.seed == profile.action_units.seed == 7 and profile.quality.seed == 3
    mirrored = load(data, SMALL | {"datasets": SMALL["datasets"] | {"kdef": {"source": "rendered", "flip_probability": 0.5}}}).models
    assert mirrored["kdef"][1].flip_probability == 0.5 and mirrored["kdef"][1].epochs == profile.training.epochs
    assert profile.models["kdef-other"][1].epochs == 3 and profile.models["kdef"][1].epochs == profile.training.epochs


def test_seeds_repeat_networks_and_experiments_on_them_and_leave_those_of_the_first_as_they_are(data):
    further = {"kdef-au12": {"dataset": "kdef", "only": "AU12"}, "kdef-other": {"dataset": "kdef", "changes": {"beta1": 0.9}}}
    plan = SMALL | {"further_models": further, "au_experiments": [{"experiment": 4, "pretrained": "kdef", "train": "b", "test": "b"}]}
    once, often = load(data, plan), load(data, plan | {"seeds": [0, 3]})
    by_hand = load(data, SMALL | {"further_models": {"kdef-seed-3": {"dataset": "kdef", "changes": {"seed": 3}}}})
    assert digest(often.models["kdef-seed-3"]) == digest(by_hand.models["kdef-seed-3"]), "the same key"
    pages, more = ({page.id: page for page in pages_of(of)} for of in (once, often))
    first, again = "04_emotions/experiment-1", "04_emotions/experiment-1-seed-3"
    assert set(more) - set(pages) == {f"02_dcgan/{name}-seed-3" for name in ("kdef", "kdef-other", "kdef-au12")} | {
        again, "05_action_units/experiment-4-seed-3", "06_quality/kdef-seed-3", "06_quality/kdef-other-seed-3"}
    compared = more["05_action_units/summary"]
    assert "02_dcgan/kdef-au12-seed-3" in compared.after and list(compared.parameters["single_units"]) == ["kdef-au12"]
    assert set(pages) <= set(more) and more[first].parameters == pages[first].parameters | {"seeds": [3]} and again in more[first].after
    assert more[again].atlas and more[again].parameters["pretrained"] == "kdef-seed-3" and "02_dcgan/kdef-seed-3" in more["03_features/pairs"].after
    homes = more["07_results/results"].parameters["results"]
    assert "mode_collapse/kdef-seed-3" in homes and "emotions/experiment-1" in homes and "emotions/experiment-1-seed-3" not in homes
    alone = pages_of(load(data, plan | {"datasets": SMALL["datasets"] | {"kdef": {"source": "rendered", "seeds": [0, 3]}}}))
    assert {page.id for page in alone} - set(pages) == {"02_dcgan/kdef-seed-3"}, "a set's seeds are of its network alone"


def test_pages_are_exactly_the_profiles_after_pages_that_are_there_and_where_there_is_something_to_compare(data):
    assert {page.id for page in pages_of(load(data, SMALL))} == {
        "00_one_page/paper", "00_faces/rendered", "01_data/summary", "01_data/kdef", "01_data/b", "02_dcgan/summary", "02_dcgan/kdef",
        "03_features/pairs", "04_emotions/summary", "04_emotions/experiment-1", "06_quality/summary",
        "06_quality/kdef", "06c_human_study/kdef", "07_results/results", "08_scaling/costs",
    }
    for profile in (load(data, SMALL), load_profile(PROFILES / "demo.yaml")):
        pages = {page.id: page for page in pages_of(profile)}
        assert len(pages) == len(pages_of(profile)) == len({page.label for page in pages.values()})
        for page in pages.values():
            assert set(page.after) <= set(pages) - {page.id}, page.id
    asked = {"label_efficiency": {"targets": ["b"], "size_targets": ["kdef"]}, "transfer": {"targets": ["b"]}}
    one = {page.id: page for page in pages_of(load(data, SMALL | asked))}
    assert {name for name in one if name.startswith(("04b", "04c"))} == {
        "04b_label_efficiency/summary", "04b_label_efficiency/b"}, "kdef is no target, and one network no matrix"
    assert one["04b_label_efficiency/b"].parameters["networks"] == ["kdef"]
    both = asked | {"emotion_experiments": [{"experiment": 1, "pretrained": "kdef", "target": "b"},
                                            {"experiment": 2, "pretrained": "b", "target": "kdef"}]}
    two = {page.id: page for page in pages_of(load(data, SMALL | both))}
    matrix = two["04c_transfer/matrix"]
    assert matrix.parameters["networks"] == ["b", "kdef"] and [e["experiment"] for e in matrix.parameters["experiments"]] == [1]
    gone = SMALL | {"emotion_experiments": [], "au_experiments": [{"experiment": 1, "pretrained": "b", "train": "b", "test": "b"}]}
    assert not [page for page in pages_of(load(data, gone | asked)) if page.chapter.startswith(("04b", "04c"))]


def test_prose_refers_only_to_pages_that_every_profile_has(data):
    prose = "".join(path.read_text(encoding="utf-8") for path in (PROFILES.parent / "book").glob("*.md"))
    demo, least = ({page.label for page in pages_of(profile)} for profile in (
        load_profile(PROFILES / "demo.yaml"), load(data, SMALL | {"datasets": {"b": SMALL["datasets"]["b"]}, "emotion_experiments": [], "au_experiments": [
            {"experiment": 1, "pretrained": "b", "train": "b", "test": "b"}]})))
    assert not demo & set(re.findall(r"\{\w+\}`(?:[^`]*<)?([\w-]+)>?`", prose)) - least
