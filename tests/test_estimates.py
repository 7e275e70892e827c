"""Estimates: only what is left is counted, counts follow from the profile, and the probe really measures."""

import os
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fergan.book import estimates
from fergan.book.estimates import StageEstimate, estimate, estimate_lines, is_long
from fergan.book.network_pages import cropping_threads
from fergan.book.pages import pages_of
from fergan.book.profiles import load_profile
from fergan.files import write_json
from fergan.gan.runs import make_config
from fergan.rendered import stand_in_labels

PROFILES = Path(__file__).parent.parent / "profiles"


@pytest.fixture
def quick():
    return load_profile(PROFILES / "quick.yaml")


@pytest.fixture
def one_second(monkeypatch):
    """Every probe takes a second, so that an estimate is a count."""
    for probe in ("_photograph_seconds", "_step_seconds", "_feature_seconds", "_probed_machine_seconds"):
        monkeypatch.setattr(estimates, probe, lambda *_: 1.0)
    monkeypatch.setattr(estimates, "_on_gpu", lambda: False)


def finish(profile, home, *notebooks):
    for page in pages_of(profile):
        if page.stamp and page.notebook in notebooks:
            write_json(home / page.stamp, {})


def test_stages_are_counted_from_the_profile(quick, tmp_path, one_second):
    stages = {stage.stage: stage for stage in estimate(quick, tmp_path, {}, n_cores=1)}
    assert list(stages) == ["faces", "generators", "features", "emotions", "labels", "transfer", "Action Units"]
    assert stages["faces"].seconds == sum(dataset.n_faces for dataset in quick.datasets.values()) == 892
    trained = [*quick.datasets, *(model.dataset for model in quick.further_models.values() if not model.only)]
    steps = [quick.datasets[name].n_faces // 32 * 3 for name in trained]  # whole batches, three epochs
    shown = stand_in_labels("enhanced-ck", n_faces=96, seed=0)["AU07"].sum()
    steps.append(int(shown) // 4 * 3)  # the network of AU7
    assert stages["generators"].seconds == sum(steps) and stages["generators"].amount == f"{sum(steps)} training steps"
    assert stages["generators"].longest == max(steps)
    assert stages["features"].seconds == sum(quick.datasets[target].n_faces for _, target in quick.pairs)
    # Two kinds of features; 3 x 3 fits as published, 3 blocks x 3 points x 2 fits and 3 final ones nested; 8 experiments.
    assert stages["emotions"].amount == f"{2 * (9 + 18 + 3) * 8} support vector machines"
    assert stages["labels"].amount == "4 curves of labelled people"
    assert stages["transfer"].amount == f"{8 * 6} cells of a matrix"  # seven networks and one baseline on six sets
    # Within one set 3 + 3 + 3 models, from one to another 2 x (3 + 1), 14 units each; two more mappings or labels where the
    # labels that are learnt are derived (2, 5, 6, 8), one more where those that are tested are (4, 7); intensities where they
    # are not (1, 3, 4, 7), honest folds alone, twice the time.
    fits = 2 * (9 + 2 * 6) + 2 * 3 * 9 + 2 * 3 * 8 + 2 * (2 * 8 + 2 * 4)
    assert stages["Action Units"].amount == f"{14 * fits:,} support vector machines"


def test_cores_share_the_pages_but_no_page_is_divided(quick, tmp_path, one_second):
    def faces(n_cores):
        return estimate(quick, tmp_path, {}, n_cores=n_cores)[0].seconds

    assert faces(2) == 892 / 2 and faces(100) == 160  # the largest set


@pytest.fixture
def photographed(tmp_path):
    """Two sets of photographs, one of unknown size and a small one, beside a rendered set."""
    for name in ("large", "small"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.csv").write_text("path\n")
    content = {
        "description": "Small.",
        "datasets": {
            "kdef": {"source": "rendered", "n_faces": 60},
            "large": {"source": "manifest", "folder": "large", "min_face_fraction": 0.1},
            "small": {"source": "manifest", "folder": "small", "n_faces": 200, "detector": "viola-jones",
                      "cascades": "frontal+profile"},
        },
        "emotion_experiments": [{"experiment": 1, "pretrained": "kdef", "target": "large"}],
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    return load_profile(tmp_path / "mine.yaml", data=str(tmp_path))


def test_only_a_large_set_of_photographs_has_several_threads_and_one_core_stays_free(photographed, monkeypatch):
    def threads(n_cores):
        monkeypatch.setenv("OMP_NUM_THREADS", str(n_cores))
        return {page.name: page.threads for page in pages_of(photographed) if page.stamp and page.notebook == "01_data"}

    assert threads(8) == {"kdef": 1, "large": 7, "small": 1}
    assert threads(2) == threads(1) == {"kdef": 1, "large": 1, "small": 1}
    alone = photographed.model_copy(update={"datasets": {"large": photographed.datasets["large"]}})
    assert cropping_threads(alone, "large", 8) == 8, "no training can begin before the only set is there"
    wide = photographed.model_copy(update={"training": photographed.training.model_copy(update={"threads": 4})})
    assert cropping_threads(wide, "large", 8) == 4


def test_pages_of_several_threads_are_probed_with_them_and_do_not_go_side_by_side(photographed, tmp_path, one_second, monkeypatch):
    probed = {}

    def probe(profile, name):
        probed[name] = os.environ["OMP_NUM_THREADS"]
        return 1.0

    monkeypatch.setattr(estimates, "_photograph_seconds", probe)
    stage = estimate(photographed, tmp_path, {"large": 400, "small": 200}, n_cores=8)[0]
    assert probed == {"kdef": "1", "large": "7", "small": "1"}
    assert stage.seconds == 60 / 8 + 400 + 200 / 8


def test_the_probe_crops_with_the_sets_own_parameters(photographed, monkeypatch):
    class Photographs:
        labels = pd.DataFrame(index=range(100))

    seen = []
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr("fergan.data.open_photographs", lambda *_, **__: Photographs())
    monkeypatch.setattr("fergan.data.cropping.crop_batch", lambda *arguments: seen.append(arguments))
    assert estimates._photograph_seconds(photographed, "small") >= 0
    for photographs, rows, detector, margin, align in seen:
        assert isinstance(photographs, Photographs) and len(rows) == 12, "six for each thread"
        assert (detector.name, detector.cascades, detector.min_face_fraction) == ("viola-jones", "frontal+profile", 0.2)
        assert (margin, align) == (0.1, False)
    assert len(seen) == 2, "one call that is not counted, one that is"
    estimates._photograph_seconds(photographed, "large")
    assert (seen[-1][2].name, seen[-1][2].min_face_fraction) == ("mtcnn", 0.1)


def test_pages_have_the_detectors_parameters(photographed):
    pages = {page.name: page.parameters for page in pages_of(photographed) if page.notebook == "01_data"}
    assert [pages[name]["min_face_fraction"] for name in ("kdef", "large", "small")] == [0.2, 0.1, 0.2]
    assert [pages[name]["cascades"] for name in ("kdef", "large", "small")] == ["frontal", "frontal", "frontal+profile"]


def test_a_gpu_is_not_multiplied_by_the_cores(quick, tmp_path, one_second, monkeypatch):
    monkeypatch.setattr(estimates, "_on_gpu", lambda: True)
    assert estimate(quick, tmp_path, {}, n_cores=8)[1].seconds == estimate(quick, tmp_path, {}, n_cores=1)[1].seconds


def test_more_faces_cost_a_support_vector_machine_more_than_their_square(quick, tmp_path, one_second):
    def emotions(n):
        return estimate(quick, tmp_path, dict.fromkeys(quick.datasets, n), n_cores=1)[3].seconds

    assert 4 < emotions(2000) / emotions(1000) < 8


def test_what_is_done_is_not_counted(quick, tmp_path, one_second):
    finish(quick, tmp_path, "01_data", "02_dcgan")
    assert [stage.stage for stage in estimate(quick, tmp_path, {})] == ["features", "emotions", "labels", "transfer", "Action Units"]
    finish(quick, tmp_path, "03_features", "04_emotions", "04b_label_efficiency", "04c_transfer", "05_action_units", "06_quality")
    assert estimate(quick, tmp_path, {}) == []
    assert estimate_lines([]) == ["nothing long is left to be done"]


def test_only_the_papers_run_is_worth_a_probe(tmp_path):
    folders = ("enhanced-ck", "celeba", "rafd", "raf-db", "kdef", "sfew")
    for folder in folders:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.csv").touch()
    paper = load_profile(PROFILES / "paper.yaml", data=str(tmp_path))
    sizes = {"enhanced-ck": 8422, "celeba": 30000, "rafd-frontal": 1608, "rafd-multiview": 2680, "raf-db": 15339, "kdef": 2450, "sfew": 1394}
    home = tmp_path / "home"
    assert is_long(paper, home, sizes)
    finish(paper, home, "02_dcgan")
    assert not is_long(paper, home, sizes)
    for name in ("demo", "quick"):
        assert not is_long(load_profile(PROFILES / f"{name}.yaml"), tmp_path / "nowhere", {})


def test_durations_are_written_no_more_exactly_than_they_are_known():
    stages = [StageEstimate("faces", "9 photographs", 30.4, 30.4), StageEstimate("generators", "8 training steps", 3 * 86_400, 7200)]
    lines = estimate_lines(stages)
    assert lines[1].split() == ["faces", "9", "photographs", "about", "30", "s"]
    assert lines[2].endswith("about 3.0 days, the longest page about 2.0 h")
    assert "in all" in lines[3] and "about 3.0 days" in lines[3]
    assert "not counted: sample quality" in lines[4]


def test_the_probes_measure(monkeypatch):
    """Wider networks take longer, and equal ones are probed once."""
    endless = {"epochs": 1_000_000}  # a run that ends before the probe has seen two reports tells nothing
    small, large = make_config("demo", width=4, batch_size=8, **endless), make_config("demo", width=32, batch_size=32, **endless)
    times = [estimates._step_seconds(config, 1, 0.6) for config in (small, large)]
    assert 0 < times[0] < times[1] < 10
    assert estimates._step_seconds(small, 1, 0.6) == times[0]
    assert 0 < estimates._feature_seconds(4) < estimates._feature_seconds(64) < 1
    monkeypatch.setattr(estimates, "_N_PROBED", 200)
    assert 0 < estimates._machine_seconds(2, 200) < 20 and 0 < estimates._machine_seconds(8, 200) < 20


def test_reading_and_detecting_a_photograph_is_timed(quick):
    assert 0 < estimates._photograph_seconds(quick, "enhanced-ck") < 5
