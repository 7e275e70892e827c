"""Before work: what is there is used, what is not is replaced or left out, and what cannot work is said before anything runs."""

import itertools
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.data import astronaut
from skimage.io import imsave
from tiny import write_pictures, write_text

import fergan.__main__ as command_line
from fergan.book.chapters import data as chapter
from fergan.book.checks import absence_lines, check_data, check_plan, load_profile
from fergan.book.fresh import Book
from fergan.book.pages import pages_of
from fergan.book.profile import ProfileError
from fergan.book.show import markdown_table, say
from fergan.data import checks, collections, config
from fergan.data.collections import open_photographs
from fergan.data.config import CATALOGUE
from fergan.data.cropping import CroppingAccount, make_faces
from fergan.data.faces import FaceSet
from fergan.facs import ACTION_UNITS
from fergan.files import ROOT

PROFILES = ROOT / "profiles"
FOLDERS = ("enhanced-ck", "celeba", "rafd", "raf-db", "kdef", "sfew")
OWN = {"emotion_experiments": [{"experiment": 11, "pretrained": "mine", "target": "mine"}]}
UNITS = {"au_experiments": [{"experiment": 11, "pretrained": "mine", "train": "mine", "test": "mine"}]}


def paper(data, *folders):
    """Load the paper's profile over empty folders; whether they hold what they should is another question."""
    for folder in folders:
        (data / folder).mkdir(parents=True, exist_ok=True)
        (data / folder / "labels.csv").touch()
    return load_profile(PROFILES / "paper.yaml", data=str(data))


def experiments(profile):
    chapters = ("04_emotions", "05_action_units")
    return [page.id for page in pages_of(profile) if page.chapter in chapters and page.name != "summary"]


def refused(path, data=""):
    with pytest.raises(ProfileError) as caught:
        load_profile(path, data=str(data))
    return str(caught.value)


def test_a_substitute_takes_the_place_of_the_photographs_and_nothing_else(tmp_path):
    profile = paper(tmp_path, "ck-plus", *FOLDERS[1:])
    replaced = profile.datasets["enhanced-ck"]
    assert (replaced.source, replaced.folder, replaced.n_faces) == ("ck-plus", "ck-plus", None)
    assert replaced.detector == "viola-jones" and replaced.nominal_box  # of the set itself
    assert profile.absences.replaced == {"enhanced-ck": "CK+"} and not profile.absences.left_out
    assert absence_lines(profile.absences) == [f"enhanced-ck: {tmp_path / 'enhanced-ck'} does not exist; CK+ takes its place"]
    assert not paper(tmp_path, "lfw", *FOLDERS).absences.replaced, "the set itself goes before its substitute"
    book = Book(profile)
    told = {n for n in range(1, 9) if "CK+" in book.heading(book.pages[f"04_emotions/experiment-{n}"])}
    assert told == {e.experiment for e in profile.emotion_experiments if e.pretrained == "enhanced-ck"}


def test_what_is_left_out_has_no_pages_and_without_a_data_folder_or_with_every_set_all_are_listed(tmp_path):
    text = refused(PROFILES / "paper.yaml")
    assert "no folder of photographs was given" in text
    assert [line.split(": ")[1] for line in text.splitlines()[1:8]] == [
        f"DATA/{folder}" for folder in ("enhanced-ck", "celeba", "rafd", "rafd", "raf-db", "kdef", "sfew")]
    profile = paper(tmp_path, *FOLDERS)
    assert not absence_lines(profile.absences) and not profile.rendered
    assert list(profile.datasets) == ["enhanced-ck", "celeba", "rafd-frontal", "rafd-multiview", "raf-db", "kdef", "sfew"]
    assert experiments(profile) == [f"{kind}/experiment-{n}" for kind in ("04_emotions", "05_action_units") for n in range(1, 9)]
    profile = paper(few := tmp_path / "few", "enhanced-ck", "rafd", "kdef")
    assert profile.absences.left_out == ["celeba", "raf-db", "sfew"]
    assert list(profile.datasets) == ["enhanced-ck", "rafd-frontal", "rafd-multiview", "kdef"]
    assert experiments(profile) == [*(f"04_emotions/experiment-{n}" for n in (1, 3, 4, 5, 7)),
                                    *(f"05_action_units/experiment-{n}" for n in (1, 2, 7, 8))]
    assert [e.experiment for e in profile.absences.emotion_experiments] == [2, 6, 8]
    assert [e.experiment for e in profile.absences.au_experiments] == [3, 4, 5, 6]
    lines = absence_lines(profile.absences)
    assert lines[1] == f"raf-db: {few / 'raf-db'} does not exist; left out, and with it emotion experiment 6"


def test_a_folder_without_its_frame_labels_or_without_files_is_a_missing_set(tmp_path):
    paper(tmp_path, *FOLDERS, "ck-plus")
    (tmp_path / "enhanced-ck" / "labels.csv").rename(tmp_path / "enhanced-ck" / "codes.txt")
    (tmp_path / "sfew" / "labels.csv").unlink()
    (tmp_path / "sfew" / "Train").mkdir()
    (tmp_path / "sfew" / "Train" / ".DS_Store").touch()
    absences = load_profile(PROFILES / "paper.yaml", data=str(tmp_path)).absences
    codes = "holds no labels.csv, the table of Action Units per frame"
    assert absence_lines(absences) == [
        f"enhanced-ck: {tmp_path / 'enhanced-ck'} {codes}; CK+ takes its place",
        f"sfew: {tmp_path / 'sfew'} holds no files; left out, and with it emotion experiment 8",
    ]
    (tmp_path / "ck-plus" / "labels.csv").unlink()
    line = absence_lines(load_profile(PROFILES / "paper.yaml", data=str(tmp_path)).absences)[0]
    assert codes in line and "; left out, and with it emotion experiment 1, " in line


def test_a_set_that_is_not_optional_is_required_to_exist_unless_its_substitute_does(tmp_path):
    content = {
        "description": "one set", "emotion_experiments": [{"experiment": 11, "pretrained": "kdef", "target": "kdef"}],
        "datasets": {"kdef": {"source": "kdef", "folder": "kdef", "substitute": {"name": "mine", "source": "genki", "folder": "mine"}}},
    }
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(content))
    assert f"datasets.kdef: {tmp_path / 'kdef'} does not exist" in refused(tmp_path / "one.yaml", tmp_path)
    (tmp_path / "mine").mkdir()
    assert "kdef does not exist" in refused(tmp_path / "one.yaml", tmp_path), "an empty folder takes no place"
    (tmp_path / "mine" / "labels.txt").touch()
    assert load_profile(tmp_path / "one.yaml", data=str(tmp_path)).datasets["kdef"].source == "genki"


def write_tree(data, n_people=12):
    """Write all six folders with the names that their owners give, a dozen people in each."""
    models = [(f"{number:02d}", "Caucasian", "female") for number in range(1, n_people + 1)]
    for variant in ("frontal", "multiview"):
        write_pictures(data / "rafd", *collections.rafd_names(models, variant))
    of_kdef = (name for name in collections.kdef_names("session-a") if int(name[2:4]) <= n_people // 2)
    write_pictures(data / "kdef", *(f"{name[:4]}/{name}" for name in of_kdef))
    codes = list(enumerate(list(CATALOGUE["raf-db"].codes["emotion"]) * n_people, start=1))
    write_pictures(data / "raf-db" / "Image" / "original", *(f"train_{number:05d}.jpg" for number, _ in codes))
    write_text(data / "raf-db", collections.RAF_DB_TABLE, *(f"train_{number:05d}.jpg {code}" for number, code in codes))
    write_pictures(data / "celeba" / "img_align_celeba", *(f"{number:06d}.jpg" for number in range(1, 41)))
    films = itertools.product(range(n_people), CATALOGUE["sfew"].codes["emotion"])
    write_pictures(data / "sfew", *(f"{'Train' if n else 'Val'}/{word}/Film{n}_000100000_00000001.png" for n, word in films))
    frames = list(itertools.product((f"S{person:03d}" for person in range(1, n_people + 1)), range(1, 5)))
    write_pictures(data / "enhanced-ck", *(f"images/{person}/001/{person}_001_{frame:08d}.png" for person, frame in frames))
    shown = (f"{person}_001,{frame}," + ",".join(str((frame + unit) % 2) for unit in range(14)) for person, frame in frames)
    write_text(data / "enhanced-ck", "labels.csv", "sequence,frame," + ",".join(ACTION_UNITS), *shown)


def test_folders_as_their_owners_ship_them_serve_every_experiment(tmp_path, monkeypatch):
    """With the published numbers set aside, a dozen people of each set are enough for ten folds."""
    write_tree(tmp_path)
    monkeypatch.setattr(checks, "LEAST_SHARE", 0.0)
    celeba = config.CATALOGUE["celeba"]
    smaller = {name: published.model_copy(update={"least": 1}) for name, published in celeba.variants.items()}
    monkeypatch.setitem(config.CATALOGUE, "celeba", celeba.model_copy(update={"variants": smaller}))
    profile = load_profile(PROFILES / "paper.yaml", data=str(tmp_path))
    found = check_data(profile.model_copy(update={"training": profile.training.changed(batch_size=40)}))
    assert found.faults == []
    assert found.n_photographs == {
        "enhanced-ck": 48, "celeba": 40, "rafd-frontal": 12 * 24, "rafd-multiview": 12 * 40, "raf-db": 84, "kdef": 12 * 35, "sfew": 84}


def plan(folder, labels, **changes):
    write_pictures(folder, *labels["path"])
    labels.to_csv(folder / "labels.csv", index=False)
    small = {"emotions": {"n_folds": 3}, "action_units": {"n_folds": 3}, "training": {"batch_size": 4}}
    content = {"description": "mine", "datasets": {"mine": {"source": "manifest"}}} | small | changes
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    return load_profile(folder / "mine.yaml", data=str(folder))


def table(n_people=4, emotions=("happy", "sad"), **columns):
    rows = [{"subject": f"p{p}", "emotion": e} for p in range(n_people) for e in emotions for _ in range(2)]
    frame = pd.DataFrame(rows).assign(**columns)
    return frame.assign(path=[f"{i}.png" for i in range(len(frame))])


@pytest.mark.parametrize(("labels", "experiments", "words"), [
    (table().drop(columns="emotion"), OWN, "no photograph has an emotion; add a column 'emotion'"),
    (table(n_people=2), OWN, "2 people"),
    (table(smile=1), UNITS, "no Action Unit is coded both present and absent"),
    (table(n_people=2, smile=[0, 1] * 4), UNITS, "2 people for 3 folds; lower action_units.n_folds"),
    (table(emotions=("happy", "hangry")), OWN, "hangry"),
    (table(), OWN | {"training": {"batch_size": 17}}, "16 photographs of mine, a batch needs 17; lower batch_size"),
    (table(), OWN | {"label_efficiency": {"targets": ["mine"]}}, "n_splits on mine: the dataset has 4 people, 5 folds"),
])  # fmt: skip
def test_what_cannot_work_is_named(tmp_path, labels, experiments, words):
    with pytest.raises(ProfileError) as caught:
        check_plan(plan(tmp_path, labels, **experiments))
    assert words in str(caught.value) and "mine" in str(caught.value)
    assert str(caught.value).endswith(f"The whole report: PROFILE=mine DATA={tmp_path} make check-data")


def test_a_cut_set_is_checked_on_the_cut_and_a_network_of_one_action_unit_needs_a_batch_of_faces(tmp_path):
    labels = table(n_people=40)
    found = check_data(plan(tmp_path, labels, datasets={"mine": {"source": "manifest", "n_faces": 20}}, **OWN))
    assert found.n_photographs == {"mine": 20} and found.reports["mine"].photographs == len(labels) == 160
    only = {"mine-au12": {"dataset": "mine", "only": "AU12", "changes": {"batch_size": 8}}}
    check_plan(plan(tmp_path, table(smile=[0, 1] * 8), **UNITS, further_models=only))
    only["mine-au12"]["changes"]["batch_size"] = 9
    with pytest.raises(ProfileError, match="further_models.mine-au12: 8 photographs of mine show AU12, a batch needs 9"):
        check_plan(plan(tmp_path, table(smile=[0, 1] * 8), **UNITS, further_models=only))


def own(folder, labels):
    plan(folder, labels, **OWN)
    return load_profile(PROFILES / "own.yaml", data=str(folder))


@pytest.mark.parametrize(("labels", "kinds", "folds", "batch", "epochs"), [
    (table(n_people=4), ["emotion"], 4, 4, 250), (table(n_people=9), ["emotion"], 5, 8, 250),
    (table(n_people=23).assign(emotion=None, smile=[0, 1] * 46), ["au"], 5, 16, 200),
    (table(n_people=5, smile=[0, 1] * 10), ["emotion", "au"], 5, 4, 200), (table(n_people=100), ["emotion"], 5, 64, 167),
])  # fmt: skip
def test_profile_own_asks_what_the_table_can_answer_and_trains_as_long_as_few_faces_need(tmp_path, labels, kinds, folds, batch, epochs):
    profile = own(tmp_path, labels)
    assert [kind for kind in ("emotion", "au") if getattr(profile, f"{kind}_experiments")] == kinds
    assert profile.emotions.n_folds == folds and profile.label_efficiency.n_splits <= folds
    assert (profile.training.batch_size, profile.training.epochs) == (batch, epochs)
    found = check_data(profile)
    assert found.faults == [] and f"{folds} folds; a training of {epochs} epochs in batches of {batch}" in found.lines_before_work()[0]


def test_photographs_without_a_face_found_and_faces_cut_tight_are_said_before_work_with_what_to_do(tmp_path):
    profile = own(tmp_path, table())
    (warning,) = [warning for warning in check_data(profile).warnings if "no face is found" in warning]
    assert "in 16 of 16 photographs that were tried" in warning
    assert "lower datasets.photographs.min_face_fraction (0.2)" in warning
    for path in tmp_path.glob("*.png"):
        imsave(path, astronaut()[82:165, 186:266], check_contrast=False)
    (warning,) = [warning for warning in check_data(profile).warnings if "cut tight" in warning]
    assert "set datasets.photographs.detector to none" in warning


def test_check_data_is_content_with_good_photographs_and_fails_where_work_cannot_be_done(tmp_path, monkeypatch, capsys):
    root = tmp_path / "profiles"
    root.mkdir()
    monkeypatch.setattr(command_line, "ROOT", tmp_path)

    def check(profile, data=""):
        """Run the command; return its exit status and what it printed."""
        monkeypatch.setattr(sys, "argv", ["fergan", "check-data", "--profile", profile, "--data", str(data)])
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        return caught.value.code, capsys.readouterr().out

    plan(root, table(smile=[0, 1] * 8), **OWN, **UNITS, emotions={"n_folds": 3, "inner_folds": 3})
    status, printed = check("mine", root)
    assert status == 0 and "mine: 16 photographs to read" in printed and "faults: 0" in printed
    plan(root, table(), **UNITS)
    status, printed = check("mine", root)
    assert status == 1 and "fault: Action Unit experiment 11, train set mine: no Action Unit" in printed
    assert "cannot be read" in str(check("mine", root / "elsewhere")[0])
    shutil.copy(PROFILES / "quick.yaml", root)
    status, printed = check("quick")
    assert status == 0 and "every face is rendered, so there is nothing to check" in printed


NAMES = st.sampled_from([
    "path", "Path", "subject", "person", "id", "emotion", "expression", "AU12", "AU12_c", "au 6", "AU12_r", "AU10", "smile", "view",
    "pose", "split", "yaw", "source", "", "{{ 7*7 }}", "<b>", "a_$5_$", "né",
])
WORDS = st.sampled_from([
    "", "a.png", "b.png", "sub/c.png", "gone.png", "../x.png", "/etc/passwd", "sub\\c.png", "{{ 7*7 }}.jpg", "<b>x</b>.jpg", "a|b\nc",
    "NA", "nan", "None", "sad", "Joy", "hungry", "0", "1", "2.5", "0,5", "-1", "TRUE", "inf", "Train", "José", "Jose\u0301", "\0",
    "[1](2)", "x" * 300,
]) | st.text(max_size=4)
FILES = st.sampled_from([None, None, None, b"", b"<html>", b"\xff\xd8\xff", b"GIF8"])  # None is a sound picture
VALUES = st.none() | st.booleans() | st.integers(-2, 70) | st.floats() | st.text(max_size=3) | st.just(["a"]) | st.just({})
KEYS = ["csv", "n_faces", "detector", "margin", "padding", "relabel", "variant", "epochs", "flip_probability"]
SETS = st.just({}) | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2)
SECTIONS = st.just({}) | st.dictionaries(st.sampled_from(["training", "emotions", "fitted", "seed", "quality", "datasets", "threads"]), VALUES, max_size=2)


@st.composite
def tables(draw):
    """A table of labels, in most cases one that can be read."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(st.lists(WORDS, min_size=len(names), max_size=len(names)), max_size=6))
    separator, sound = draw(st.sampled_from(",,,;\t")), draw(st.booleans())
    if sound:
        names, rows = ["path", *names], [[name, *row] for name, row in zip(("a.png", "b.png", "sub/c.png"), rows, strict=False)]
    quoted = [[f'"{word}"' if set(word) & set(",;\t\n\r") else word for word in row] for row in (names, *rows)]
    return "\n".join(separator.join(row) for row in quoted).encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"])), "replace")


@settings(max_examples=350, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(table=tables(), files=st.lists(FILES, min_size=3, max_size=3), of_set=SETS, sections=SECTIONS)
def test_any_table_files_and_profile_give_a_clear_line_or_the_finished_page(table, files, of_set, sections):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sub").mkdir()
        for number, (name, content) in enumerate(zip(("a.png", "b.png", "sub/c.png"), files, strict=True)):
            Image.linear_gradient("L").rotate(90 * number).save(folder / name)
            if content is not None:
                (folder / name).write_bytes(content)
        (folder / "labels.csv").write_bytes(table)
        content = yaml.safe_load((PROFILES / "own.yaml").read_text())
        content["datasets"] = {"mine": {"source": "manifest", "detector": "none"} | of_set}
        content |= {"emotion_experiments": [{"experiment": 11, "pretrained": "mine", "target": "mine"}]} | sections
        (folder / "mine.yaml").write_text(yaml.safe_dump(content | {"label_efficiency": {}}))
        try:
            profile = load_profile(folder / "mine.yaml", data=place)
        except ProfileError as error:
            assert str(error) and "Traceback" not in str(error)
            return
        found = check_data(profile)
        assert found.lines() and all(isinstance(line, str) for line in found.lines())
        if found.reports:
            finish_page(folder, profile.datasets["mine"])


def finish_page(folder, dataset):
    """Crop, and write what the page says: without a kernel."""
    config = dataset.faces.model_copy(update={"detector": "none"})
    photographs = open_photographs("mine", "manifest", folder=str(folder), csv=dataset.csv, n_faces=dataset.n_faces)
    try:
        make_faces(folder / "made", config, photographs=photographs, progress=False)
    except ValueError as error:
        assert "found no face in any of" in str(error)
        return
    faces, account = FaceSet.load(folder / "made"), CroppingAccount.load(folder / "made")
    pages = [say("data", "answer_of_set", faces=faces, account=account, people=faces.labels["subject"].nunique(), subjects="people", config=config)]
    pages += [markdown_table(table) for table in (chapter.losses(account), chapter.unit_counts(faces), chapter.listed_photographs(account))]
    assert not any(live in page for page in pages for live in ("{{", "<b>", "<html>", "_$"))
