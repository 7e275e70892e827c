"""What photographs and their labels cannot give is said before anything runs."""

import shutil
import sys

import pandas as pd
import pytest
import yaml
from fergan.book.preflight import check_data, check_plan
from fergan.book.profiles import ProfileError, load_profile
from PIL import Image
from skimage.data import astronaut
from skimage.io import imsave

import fergan.__main__ as command_line
from fergan.files import read_json


def plan(tmp_path, labels, **changes):
    for number, name in enumerate(labels["path"]):
        imsave(tmp_path / name, astronaut()[number : number + 8, :8], check_contrast=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    content = {"description": "mine", "datasets": {"mine": {"source": "manifest"}}, "search": {"n_folds": 3}} | changes
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    return load_profile(tmp_path / "mine.yaml", data=str(tmp_path))


EMOTIONS = {"emotion_experiments": [{"experiment": 11, "pretrained": "mine", "target": "mine"}]}
UNITS = {"au_experiments": [{"experiment": 11, "pretrained": "mine", "train": "mine", "test": "mine"}]}


def table(n_people=4, emotions=("happy", "sad"), **columns):
    rows = [{"subject": f"p{p}", "emotion": e} for p in range(n_people) for e in emotions for _ in range(2)]
    frame = pd.DataFrame(rows).assign(**columns)
    return frame.assign(path=[f"{i}.png" for i in range(len(frame))])


def test_a_plan_that_can_work_passes(tmp_path):
    check_plan(plan(tmp_path, table(smile=[0, 1] * 8), **EMOTIONS, **UNITS))


@pytest.mark.parametrize(("labels", "experiments", "words"), [
    (table().drop(columns="emotion"), EMOTIONS, "no photograph has an emotion; add a column 'emotion'"),
    (table(emotions=("happy",)), EMOTIONS, "class"),
    (table(n_people=2), EMOTIONS, "2 people"),
    (table(n_people=1), EMOTIONS, "a single person"),
    (table(), UNITS, "no Action Unit is coded both present and absent"),
    (table(smile=1), UNITS, "no Action Unit is coded both present and absent"),
    (table(n_people=2, smile=[0, 1] * 4), UNITS, "2 people for 3 folds; lower search.n_folds"),
    (table(emotions=("happy", "hangry")), EMOTIONS, "hangry"),
])
def test_what_cannot_work_is_named(tmp_path, labels, experiments, words):
    with pytest.raises(ProfileError) as caught:
        check_plan(plan(tmp_path, labels, **experiments))
    assert words in str(caught.value) and "mine" in str(caught.value)


def test_what_to_add_fits_the_kind_of_table(tmp_path):
    Image.fromarray(astronaut()[:8, :8]).save(tmp_path / "S005_001_00000001.png")
    (tmp_path / "labels.csv").write_text("sequence,frame,AU12\nS005_001,1,1\n")
    content = {"description": "mine", "datasets": {"mine": {"source": "enhanced-ck"}}, "search": {"n_folds": 3}} | UNITS
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ProfileError) as caught:
        check_plan(load_profile(tmp_path / "mine.yaml", data=str(tmp_path)))
    assert "coded both present and absent; add columns such as AU12 to labels.csv, or take" in str(caught.value)
    assert str(caught.value).endswith(f"The whole report: PROFILE=mine DATA={tmp_path} make check-data")


def test_damaged_photographs_are_faults_beyond_a_tenth_and_warnings_below(tmp_path):
    profile = plan(tmp_path, table(smile=[0, 1] * 8), **EMOTIONS)
    (tmp_path / "0.png").write_bytes(b"")
    found = check_plan(profile)
    assert found.n_photographs == {"mine": 16} and not found.faults
    assert any("0.png" in warning and warning.startswith("mine: ") for warning in found.warnings), found.warnings
    for number in range(1, 4):
        (tmp_path / f"{number}.png").write_bytes(b"not a picture")
    with pytest.raises(ProfileError, match=r"datasets.mine: 4 of 16 photographs are empty or unreadable"):
        check_plan(profile)


def test_a_cut_set_is_checked_whole_and_its_experiments_on_the_cut(tmp_path):
    labels = table(n_people=40)
    profile = plan(tmp_path, labels, datasets={"mine": {"source": "manifest", "n_faces": 20}}, **EMOTIONS)
    found = check_data(profile)
    assert found.n_photographs == {"mine": 20} and found.reports["mine"].photographs == len(labels) == 160


def check(monkeypatch, root, profile, data=""):
    """Run the command on profiles under `root`; return its exit status."""
    monkeypatch.setattr(command_line, "ROOT", root)
    monkeypatch.setattr(sys, "argv", ["fergan", "check-data", "--profile", profile, "--data", str(data)])
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    return caught.value.code


@pytest.fixture
def project(tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "project").mkdir()
    return tmp_path / "project", tmp_path / "photographs"


def test_check_data_is_content_with_good_photographs(project, monkeypatch, capsys):
    root, data = project
    plan(data, table(smile=[0, 1] * 8), **EMOTIONS, **UNITS)
    (root / "profiles").mkdir()
    shutil.move(data / "mine.yaml", root / "profiles" / "mine.yaml")
    assert check(monkeypatch, root, "mine", data) == 0
    printed = capsys.readouterr().out
    assert "mine: 16 photographs are used" in printed and "faults: 0" in printed
    kept = read_json(root / "artifacts" / "mine" / "check-data.json")
    assert kept["faults"] == [] and kept["sets"]["mine"]["used"] == kept["sets"]["mine"]["photographs"] == 16


def test_check_data_fails_where_an_experiment_cannot_be_made(project, monkeypatch, capsys):
    root, data = project
    plan(data, table(), **UNITS)
    (root / "profiles").mkdir()
    shutil.move(data / "mine.yaml", root / "profiles" / "mine.yaml")
    assert check(monkeypatch, root, "mine", data) == 1
    assert "fault: Action Unit experiment 11, train set mine: no Action Unit" in capsys.readouterr().out
    assert len(read_json(root / "artifacts" / "mine" / "check-data.json")["faults"]) == 2
    assert "does not exist" in str(check(monkeypatch, root, "mine", data / "elsewhere"))


def test_the_report_is_printed_where_it_cannot_be_saved(project, monkeypatch, capsys):
    root, data = project
    plan(data, table(smile=[0, 1] * 8), **EMOTIONS)
    (root / "profiles").mkdir()
    shutil.move(data / "mine.yaml", root / "profiles" / "mine.yaml")
    (root / "artifacts").write_text("no folder, so that nothing can be written into it")
    assert check(monkeypatch, root, "mine", data) == 0
    *report, last = capsys.readouterr().out.splitlines()
    assert "faults: 0" in report[-1]
    assert last == (f"{root / 'artifacts' / 'mine' / 'check-data.json'} may not be written (not a directory), "
                    "so that this report is not kept")
    busy = pytest.raises(SystemExit, match=r"mine/.lock may not be written \(not a directory\)")
    with busy, command_line._alone(root / "artifacts" / "mine"):
        pass


def test_check_data_has_nothing_to_say_of_rendered_faces(project, monkeypatch, capsys):
    root, _ = project
    shutil.copytree(command_line.ROOT / "profiles", root / "profiles")
    assert check(monkeypatch, root, "quick") == 0
    assert "every face is rendered, so there is nothing to check" in capsys.readouterr().out


def test_a_network_of_one_action_unit_needs_a_batch_of_faces(tmp_path):
    only = {"mine-au12": {"dataset": "mine", "only": "AU12", "changes": {"batch_size": 8}}}
    check_plan(plan(tmp_path, table(smile=[0, 1] * 8), **UNITS, further_models=only))
    only["mine-au12"]["changes"]["batch_size"] = 9
    with pytest.raises(ProfileError, match="further_models.mine-au12: 8 photographs of mine show AU12, a batch needs 9"):
        check_plan(plan(tmp_path, table(smile=[0, 1] * 8), **UNITS, further_models=only))
