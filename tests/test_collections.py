"""Every loader on small trees with the true names of its dataset; tables of one's own; face sets and their vocabulary."""

import contextlib
import os
import shutil
import unicodedata
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from planted import face_set
from tiny import open_all, write_pictures, write_text

from fergan.data import collections
from fergan.data.collections import LOADERS, open_photographs
from fergan.data.config import CATALOGUE, Source
from fergan.data.faces import FACE_SIZE, LABEL_COLUMNS, FaceSet, complete_labels, subjects_of
from fergan.data.folders import read_named
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS, EMOTIONS, action_units_of, canonical_emotion, label_groups
from fergan.paper import read_table
from fergan.rendered import render_faces, stand_in_labels

FRAMES = "sequence,frame,AU01"


def rows_of(photographs) -> dict[str, dict]:
    labels = photographs.labels
    return {Path(row["source"]).name: row for row in labels.astype(object).where(labels.notna(), None).to_dict("records")}


def values(photographs, columns: str) -> list:
    """Return the labels in these columns, a list for each photograph, None where missing."""
    table = photographs.labels[columns.split()].astype(object)
    return table.where(table.notna(), None).to_numpy().tolist()


def raf_db(folder: Path, *lines: str) -> None:
    for name in ("train_00001", "train_00002", "test_0001"):
        write_pictures(folder, f"Image/original/{name}.jpg", f"Image/aligned/{name}_aligned.jpg")
    write_text(folder, collections.RAF_DB_TABLE, *lines)


def celeba(folder: Path) -> None:
    names = [f"{number:06d}.jpg" for number in range(1, 7)]
    write_pictures(folder / "Img" / "img_align_celeba", *names)
    attributes = [f"{name} {'1' if number % 2 else '-1'} -1  1" for number, name in enumerate(names)]
    write_text(folder, "Anno/list_attr_celeba.txt", "6", "Smiling Male Young", *attributes)
    write_text(folder, "Anno/identity_CelebA.txt", *(f"{name} {2880 + number // 2}" for number, name in enumerate(names)))
    write_text(folder, "Eval/list_eval_partition.txt", *(f"{name} {number % 3}" for number, name in enumerate(names)))


def ck_plus(folder: Path) -> None:
    """Two sequences of person S005, the second without an emotion, and one of S010."""
    for person, sequence, frames in (("S005", "001", (1, 2, 11)), ("S005", "002", (1, 9)), ("S010", "004", (1593115, 1593120))):
        write_pictures(folder, *(f"cohn-kanade-images/{person}/{sequence}/{person}_{sequence}_{n:08d}.png" for n in frames))
    write_text(folder, "Emotion/S005/001/S005_001_00000011_emotion.txt", "   3.0000000e+00")
    write_text(folder, "Emotion/S010/004/S010_004_01593120_emotion.txt", "   7.0000000e+00")
    facs = "FACS/{0}/{1}/{0}_{1}_{2}_facs.txt".format
    write_text(folder, facs("S005", "001", "00000011"), "   9.0000000e+00   5.0000000e+00", "   1.7000000e+01   0.0000000e+00")
    write_text(folder, facs("S005", "002", "00000009"), "   1.0000000e+01   2.0000000e+00")
    write_text(folder, facs("S010", "004", "01593120"), "   1.0000000e+00   3.0000000e+00", "   2.7000000e+01   4.0000000e+00")


def test_sources_are_those_of_the_schema_the_catalogue_and_the_loaders(tmp_path):
    assert set(get_args(Source)) == {*CATALOGUE, "rendered", "manifest"} and set(CATALOGUE) == set(LOADERS)
    for source in get_args(Source):
        with pytest.raises(ValueError, match=rf"variant is 'sideways'; source '{source}' has ''"):
            open_photographs("mine", source, folder=str(tmp_path), variant="sideways")
    with pytest.raises(ValueError, match="source 'manifest' needs parameter folder"):
        open_photographs("faces", "manifest")
    with pytest.raises(FileNotFoundError, match=r"folder is .*nowhere, which does not exist; set"):
        open_photographs("faces", "kdef", folder=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("source", LOADERS)
def test_a_folder_of_something_else_is_an_error_that_names_the_table_or_the_tree(tmp_path, source):
    write_text(tmp_path, "holiday/notes.txt", "nothing")
    with pytest.raises(FileNotFoundError) as error:
        open_photographs("mine", source, folder=str(tmp_path))
    table = {"enhanced-ck": "labels.csv", "raf-db": "list_patition_label.txt", "genki": "labels.txt"}.get(source)
    for words in [f"{table} is missing"] if table else [CATALOGUE[source].tree, "the first of 1 files there: holiday/notes.txt"]:
        assert words in str(error.value)


def test_a_draw_is_seeded_and_leaves_the_fingerprint_of_what_it_draws(tmp_path):
    write_pictures(tmp_path, *list(collections.kdef_names())[:40])
    draws = [open_all(tmp_path, "kdef", n_faces=10, seed=seed) for seed in (0, 0, 1)]
    sources = [draw.labels["source"].tolist() for draw in draws]
    assert sources[0] == sources[1] != sources[2] and len(set(sources[0])) == 10
    assert draws[0].fingerprint == draws[1].fingerprint != draws[2].fingerprint
    everything = open_all(tmp_path, "kdef", n_faces=100)
    assert len(everything) == 40 and any("100 faces asked for, 40 there" in problem for problem in everything.problems)
    os.utime(tmp_path / sources[0][0], ns=(0, 0))
    assert open_all(tmp_path, "kdef", n_faces=10).fingerprint != draws[0].fingerprint


def test_many_problems_are_counted_and_odd_names_and_dangling_links_are_no_trouble(tmp_path):
    write_pictures(tmp_path, "AF01AFS.JPG", *(f"holiday{number:02d}.jpg" for number in range(30)))
    write_text(tmp_path, ".DS_Store", "x")
    (tmp_path / os.fsdecode(b"K\xe4se.jpg")).write_bytes(b"x")
    (tmp_path / "AF01ANS.JPG").symlink_to(tmp_path / "nowhere")
    photographs = open_all(tmp_path, "kdef")
    assert photographs.labels["source"].tolist() == ["AF01AFS.JPG"]
    assert len(photographs.unknown) == 31 and "K\ufffdse.jpg" in photographs.unknown
    assert sum(": not named like AF01AFFL.JPG" in problem for problem in photographs.problems) == 20
    assert any(problem.endswith("11 more like the last") for problem in photographs.problems)
    assert "DS_Store" not in "\n".join(photographs.problems).encode().decode()


def test_a_folder_that_may_not_be_read_is_an_error_and_a_subfolder_is_listed(tmp_path, monkeypatch):
    """The system refuses to list a folder; permissions would not stop every account that tests may run under."""
    write_pictures(tmp_path, "AF01/AF01AFS.JPG", "AF05/AF05AFS.JPG")
    closed, listed = [f"{tmp_path}/AF05"], os.scandir

    def scandir(path):
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    photographs = open_all(tmp_path, "kdef")
    assert photographs.labels["source"].tolist() == ["AF01/AF01AFS.JPG"]
    assert f"{tmp_path}/AF05: permission denied" in photographs.problems and photographs.notes == photographs.problems[:1]
    shutil.rmtree(tmp_path / "AF01")
    with pytest.raises(FileNotFoundError, match=r"it holds no files; not looked into: AF05: permission denied"):
        open_photographs("mine", "kdef", folder=str(tmp_path))
    closed.append(str(tmp_path))
    with pytest.raises(PermissionError, match=str(tmp_path)):
        open_photographs("mine", "kdef", folder=str(tmp_path))


@pytest.mark.parametrize(("source", "names"), [
    ("rafd", ["Rafd090_01_Caucasian_female_sad_right.jpg", "copy/Rafd090_01_Caucasian_female_sad_right.jpg"]),
    ("kdef", ["AF01/AF01AFS.JPG", "again/AF01AFS.jpg"]), ("kdef", ["AM31/AM31SUHR.JPG", "AM31/AM31H.JPG"]),
])
def test_one_file_is_kept_of_each_name(tmp_path, source, names):
    write_pictures(tmp_path, *names)
    photographs = open_all(tmp_path, source)
    assert photographs.labels["source"].tolist() == names[:1]
    assert photographs.unknown == {names[1]: f"a second file of this name; {names[0]} is read"}
    assert not any("taken for" in problem for problem in photographs.problems)


@pytest.mark.parametrize(("source", "variant"), [("genki", ""), ("cmu-faces", ""), ("london", ""), ("kdef", "session-a")])
def test_a_table_with_paths_is_read_in_place_of_the_owners_layout(tmp_path, source, variant):
    write_pictures(tmp_path, "x/1.png", "x/AF01AFS.JPG")
    write_text(tmp_path, "labels.csv", "Path,subject,smile", "x/1.png,ann,1")
    assert values(open_all(tmp_path, source, variant=variant), "source subject AU12") == [["x/1.png", "ann", 1]]
    write_text(tmp_path, "labels.csv", "file,subject,smile", "x/1.png,ann,1")  # another table of the reader's
    with pytest.raises(FileNotFoundError) if source != "kdef" else contextlib.nullcontext():
        assert open_all(tmp_path, source, variant=variant).labels["source"].tolist() == ["x/AF01AFS.JPG"]


def test_rafd_reads_its_names(tmp_path):
    write_pictures(tmp_path, *collections.rafd_names([("38", "Moroccan", "male")]))
    everything, frontal, multiview = (open_all(tmp_path, "rafd", variant=v) for v in ("", "frontal", "multiview"))
    assert [len(everything), len(frontal), len(multiview)] == [120, 24, 40]
    assert list(everything.problems) == everything.missing == []
    row = rows_of(everything)["Rafd045_38_Moroccan_male_contemptuous_left.jpg"]
    assert (row["view"], row["gaze"], row["split"], row["AU12"]) == ("camera-045", "left", None, None)
    assert set(frontal.labels["view"]) == set(multiview.labels["gaze"]) == {"frontal"}
    gone, bored = (f"Rafd090_38_Moroccan_male_{emotion}_right.jpg" for emotion in ("sad", "bored"))
    (tmp_path / gone).rename(tmp_path / bored)
    frontal = open_all(tmp_path, "rafd", variant="frontal")
    assert frontal.missing == [gone] and "emotion 'bored' is unknown" in frontal.unknown.pop(bored) and not frontal.unknown
    assert open_all(tmp_path, "rafd", variant="multiview").missing == []


def test_kdef_reads_both_sessions_of_a_person_as_one_subject_and_corrects_cut_names(tmp_path):
    names = [f"{name[:4]}/{name}" for name in collections.kdef_names() if name[1:4] in ("F01", "M35")]
    write_pictures(tmp_path / "KDEF_and_AKDEF" / "KDEF", *names)
    write_pictures(tmp_path / "KDEF_and_AKDEF" / "AKDEF", "FAFS.JPG")
    both = open_all(tmp_path, "kdef")
    assert (len(both), len(both.missing), list(both.unknown)) == (140, 4900 - 140, [])
    assert set(both.labels["subject"]) == {"F01", "M35"}
    row = rows_of(both)["BM35SUHL.JPG"]
    assert (row["emotion"], row["view"], row["session"]) == ("surprised", "half-left", "session-b")
    assert set(open_all(tmp_path, "kdef", variant="session-a").labels["session"]) == {"session-a"}
    write_pictures(tmp_path / "cut", "AF31/AF31V.JPG", "AM31/AM31H.JPG")
    photographs = open_all(tmp_path / "cut", "kdef", variant="session-a")
    assert values(photographs, "emotion view") == [["sad", "half-left"], ["surprised", "half-right"]]
    assert not {"AF31SAHL.JPG", "AM31SUHR.JPG"} & set(photographs.missing) and len(photographs.missing) == 2450 - 2
    assert sum("taken for" in problem for problem in photographs.problems) == 2


@pytest.mark.parametrize(("source", "variant"), [(s, v) for s in ("rafd", "kdef") for v in CATALOGUE[s].variants])
def test_the_naming_rules_generate_whole_sets_and_read_back_what_they_generate(source, variant):
    groups = {"Caucasian male": 20, "Caucasian female": 19, "Kid male": 4, "Kid female": 6, "Moroccan male": 18}
    models = [(f"{n:02d}", *group.split()) for n, group in enumerate(Counter(groups).elements(), start=1)]
    names = list(collections.rafd_names(models, variant) if source == "rafd" else collections.kdef_names(variant))
    table, unknown = read_named(names, source)
    published = CATALOGUE[source].variants[variant]
    assert table["source"].tolist() == names and not unknown and len(names) == published.photographs
    assert table["emotion"].value_counts().to_dict() == published.emotions
    assert table["subject"].nunique() == published.people
    codes = CATALOGUE[source].codes
    views = {"frontal"} if variant == "frontal" else set(codes["view"].values())
    assert Counter(table["view"]) == dict.fromkeys(views, len(names) // len(views))
    if source == "rafd":
        assert set(table["gaze"]) == ({"frontal"} if variant == "multiview" else set(codes["gaze"]))
        assert set(table[["subject", "group", "sex"]].itertuples(index=False, name=None)) == set(models)


def test_raf_db_reads_its_table_and_lists_what_is_missing_unlabelled_or_there_twice_at_any_depth(tmp_path):
    raf_db(tmp_path / "basic", "train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7")
    original, aligned = (open_all(tmp_path, "raf-db", variant=variant) for variant in ("original", "aligned"))
    rows = [["train_00001", "sad", "train", None], ["train_00002", "surprised", "train", None],
            ["test_0001", "neutral", "test", None]]
    for photographs, path in ((original, "Image/original/{}.jpg"), (aligned, "Image/aligned/{}_aligned.jpg")):
        assert values(photographs, "source emotion split subject") == [[path.format(name), *rest] for name, *rest in rows]
    assert original.fingerprint != aligned.fingerprint and open_all(tmp_path, "raf-db").labels.equals(original.labels)
    raf_db(folder := tmp_path / "other", "train_00001.jpg 5", "train_00003.jpg 1", "test_0001.jpg 7")
    photographs = open_all(folder, "raf-db", variant="aligned")
    assert photographs.missing == ["Image/aligned/train_00003_aligned.jpg"]
    assert list(photographs.unknown) == ["Image/aligned/train_00002_aligned.jpg"]
    shutil.copytree(folder / "Image" / "original", folder / "Image" / "original" / "original")
    (folder / "Image" / "original" / "test_0001.jpg").unlink()
    photographs = open_all(folder, "raf-db", variant="original")
    assert values(photographs, "source") == [["Image/original/train_00001.jpg"], ["Image/original/original/test_0001.jpg"]]
    assert "second file" in photographs.unknown["Image/original/original/train_00001.jpg"]


def test_ck_plus_takes_both_ends_of_each_sequence(tmp_path):
    ck_plus(tmp_path)
    photographs = open_all(tmp_path, "ck-plus")
    rows = rows_of(photographs)
    assert photographs.problems == [] and len(rows) == 6 and "S005_001_00000002.png" not in rows
    start, apex = rows["S005_001_00000001.png"], rows["S005_001_00000011.png"]
    assert (start["emotion"], start["subject"], start["sequence"], start["frame"]) == ("neutral", "S005", "S005_001", 1)
    assert all(start[unit] == 0 for unit in ACTION_UNITS)
    assert [apex[name] for name in ("emotion", "AU09", "AU17", "AU12")] == ["disgusted", 1, 1, 0]
    unlabelled = rows["S005_002_00000009.png"]
    assert unlabelled["emotion"] is None and all(unlabelled[unit] == 0 for unit in ACTION_UNITS)
    only_apex = open_all(tmp_path, "ck-plus", variant="apex")
    assert set(rows_of(only_apex)) == {"S005_001_00000011.png", "S005_002_00000009.png", "S010_004_01593120.png"}
    for frame in (1, 2):  # a sequence that is cut has no neutral start
        (tmp_path / f"cohn-kanade-images/S005/001/S005_001_{frame:08d}.png").unlink()
    write_pictures(tmp_path / "cohn-kanade-images/S005/001", "S005_001_00000009.png", "S005_001_00000010.png")
    photographs = open_all(tmp_path, "ck-plus")
    assert [row["emotion"] for name, row in rows_of(photographs).items() if name.startswith("S005_001")] == ["disgusted"]
    assert photographs.notes[0].startswith(f"{tmp_path}: the neutral start of 1 sequences is missing")
    assert open_all(tmp_path, "ck-plus", variant="apex").notes == []


def test_ck_plus_leaves_labels_missing_where_nobody_coded_and_moves_none_to_another_frame(tmp_path):
    ck_plus(tmp_path)
    (tmp_path / "FACS/S005/001/S005_001_00000011_facs.txt").unlink()
    write_text(tmp_path, "FACS/S005/002/S005_002_00000009_facs.txt", "twelve")
    write_text(tmp_path, "Emotion/S010/004/S010_004_01593120_emotion.txt", "9")
    images = tmp_path / "cohn-kanade-images/S005/001"
    for frame in (1, 2):
        (images / f"S005_001_{frame:08d}.png").rename(images / f"me{frame}.png")
    photographs = open_all(tmp_path, "ck-plus")
    rows = rows_of(photographs)
    for name in ("S005_001_00000011.png", "S005_002_00000009.png"):
        assert all(rows[name][unit] is None for unit in ACTION_UNITS)
    assert rows["S005_001_00000011.png"]["emotion"] == "disgusted" and rows["S010_004_01593120.png"]["emotion"] is None
    for said in ("no FACS file", "lines of an Action Unit and 0 to 5", "one number from 0 to 7", "me1.png: not named like"):
        assert said in "\n".join(photographs.problems)
    (images / "S005_001_00000011.png").rename(images / "S005_001_00000012.png")
    photographs = open_all(tmp_path, "ck-plus")
    assert rows_of(photographs)["S005_001_00000012.png"]["emotion"] is None
    assert any("labels frame 11, but the last frame here is 12" in problem for problem in photographs.problems)


def test_enhanced_ck_reads_a_table_of_frames(tmp_path):
    ck_plus(tmp_path / "photographs")
    lines = ["sequence,frame,AU1,AU12,AU10", "S005_001,1,0,0,0", "S005_001,2,,1,0", "S005_001,11,1,D,1", "S005_001,12,1,1,1"]
    write_text(tmp_path, "frames.csv", *lines)
    photographs = open_all(tmp_path / "photographs", "enhanced-ck", csv=str(tmp_path / "frames.csv"))
    assert values(photographs, "subject frame AU01 AU12 AU25 emotion") == [
        ["S005", 1, 0, 0, None, None], ["S005", 2, None, 1, None, None], ["S005", 11, 1, 1, None, None]]
    assert photographs.missing == ["S005_001_00000012.png"]
    assert any("4 frames are not in" in problem for problem in photographs.problems)
    assert any("frames.csv: AU10 ignored; studied are AU01" in problem for problem in photographs.problems)
    write_text(tmp_path, "photographs/labels.csv", *lines[:3])
    assert len(open_all(tmp_path / "photographs", "enhanced-ck")) == 2


@pytest.mark.parametrize(("source", "name", "lines", "message"), [
    *(("raf-db", collections.RAF_DB_TABLE, ["train_00001.jpg 5", "", line], "line 3: ")
      for line in ("train_00002.jpg 8", "train_00002.jpg", "train_00001.jpg 4")),
    ("genki", "labels.txt", ["1 0 0 0", "2 0 0 0"], "line 2: '2 0 0 0'; expected 0 or 1"),
    ("celeba", "Anno/identity_CelebA.txt", ["000001.jpg Ann"], "line 1: .*; expected .* identity, a number"),
    ("celeba", "Anno/identity_CelebA.txt", ["1", "Smiling", "Bj\xf6rk.jpg 1"], ", line 3, is not UTF-8"),
    ("celeba", "Anno/list_attr_celeba.txt", ["1", "Smiling Male", "000001.jpg 0 1"], "line 3: .* Smiling, 1 or -1"),
    ("celeba", "Anno/list_attr_celeba.txt", ["1", "Smiling Male", "1.jpg 1 1", "", "2.jpg 1"], "line 5: '2.jpg 1'"),
    ("enhanced-ck", "labels.csv", ["sequence,AU01", "S005_001,1"], "columns sequence, AU01; expected sequence, frame"),
    ("enhanced-ck", "labels.csv", ["sequence,frame,smile", "S005_001,1,1"], "expected sequence, frame and Action Units"),
    ("enhanced-ck", "labels.csv", [FRAMES, "S5_1,1,1"], "line 2: S5_1, frame 1; expected for example S005_001 and 11"),
    ("enhanced-ck", "labels.csv", [FRAMES, "S005_001,1,1", "S005_001,1.5,1"], "line 3: S005_001, frame 1.5"),
    ("enhanced-ck", "labels.csv", [FRAMES, "S005_001,1,1", "S005_001,1,0"], "line 3: .* each pair once"),
    ("enhanced-ck", "labels.csv", [FRAMES, "S005_001,1,3"], "line 2: AU01 is '3'; expected 0, 1, A to E, or blank"),
])
def test_a_wrong_table_is_refused_with_its_file_and_line(tmp_path, source, name, lines, message):
    {"raf-db": raf_db, "celeba": celeba, "enhanced-ck": ck_plus}.get(source, Path)(tmp_path)
    (tmp_path / name).write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(ValueError, match=rf"{Path(name).name}.*{message}"):
        open_photographs("mine", source, folder=str(tmp_path))


def test_sfew_reads_folders_and_celeba_its_three_tables_as_text_or_csv(tmp_path):
    write_pictures(tmp_path, "Train/Angry/Airheads_000519240_00000005.png", "Train/Disgust/About_A_Boy_000001200_00000031.png",
                   "Val/Surprise/Juno_000519240_00000005.png", "Test/00017.png")
    unknown = ["Extra/Angry/Juno_1_4.png", "Train/Bored/Juno_1_3.png", "Train/Train_Aligned_Faces/Angry/Juno_1_2.png",
               "Val_Aligned_Faces/Sad/Juno_1_3.png"]  # fmt: skip
    write_pictures(tmp_path, *unknown)
    both, train, val, test = (open_all(tmp_path, "sfew", variant=variant) for variant in ("", "train", "val", "test"))
    assert values(both, "emotion split subject") == [
        ["angry", "train", "Airheads"], ["disgusted", "train", "About_A_Boy"], ["surprised", "val", "Juno"]]
    assert [len(part) for part in (train, val, test)] == [2, 1, 1]
    assert test.labels[["emotion", "subject"]].isna().all(axis=None)
    assert list(both.unknown) == unknown and "folder 'Bored' is no emotion; expected one of Angry" in both.unknown[unknown[1]]
    celeba(folder := tmp_path / "celeba")
    write_pictures(folder / "Img" / "img_celeba", "000001.jpg", "000002.jpg")
    aligned, wild = (open_all(folder, "celeba", variant=variant) for variant in ("aligned", "in-the-wild"))
    assert values(aligned, "AU12 subject split AU06") == [
        [number % 2, str(2880 + number // 2), ("train", "val", "test")[number % 3], None] for number in range(6)]
    assert list(aligned.problems) == []
    assert wild.labels["source"].tolist() == ["Img/img_celeba/000001.jpg", "Img/img_celeba/000002.jpg"]
    assert wild.missing == [f"00000{number}.jpg" for number in (3, 4, 5, 6)]
    for name, header in (("Eval/list_eval_partition", "image_id,partition"), ("Anno/list_attr_celeba", "image_id,Smiling,Male,Young")):
        lines = (folder / f"{name}.txt").read_text().splitlines()
        (folder / f"{name}.txt").unlink()
        write_text(folder, f"{Path(name).name}.csv", header, *(",".join(line.split()) for line in lines if ".jpg" in line))
    (folder / "Anno" / "identity_CelebA.txt").unlink()  # its labels are lost, not the photographs
    write_pictures(folder / "Img" / "img_align_celeba", "stray.jpg")
    photographs = open_all(folder, "celeba")
    assert photographs.labels.drop(columns="subject").equals(aligned.labels.drop(columns="subject"))
    assert photographs.labels["subject"].isna().all()
    assert any("identity_CelebA.txt is missing" in problem for problem in photographs.problems)
    assert list(photographs.unknown) == ["Img/img_align_celeba/stray.jpg"]


CMU = [f"an2i_{of}.pgm" for of in ("left_angry_open", "straight_happy_sunglasses", "left_angry_open_2", "left_bored_open")]
LFW = [f"lfw-deepfunneled/lfw-deepfunneled/{name}.jpg" for name in (
    "Ann_Lee/Ann_Lee_0001", "Ann_Lee/Ann_Lee_0002", "Bo/Bo_0001", "Bo/Ann_Lee_0003", "Bo/portrait")]
LONDON = ["neutral_front/001_03.jpg", "neutral_front/173_03.jpg", "smiling_front/001_08.jpg"]


@pytest.mark.parametrize(("source", "variant", "names", "columns", "rows", "unknown", "missing"), [
    ("genki", "", [f"files/file000{number}.jpg" for number in (1, 2, 4)], "AU12", [[1], [0]],
     ["files/file0004.jpg"], ["files/file0003.jpg"]),
    ("cmu-faces", "", CMU, "subject emotion view eyes",
     [["an2i", "angry", "left", "open"], ["an2i", "happy", "frontal", "sunglasses"]], ["an2i_left_bored_open.pgm"], []),
    ("lfw", "", LFW, "subject", [["Ann_Lee"], ["Ann_Lee"], ["Bo"]],
     ["lfw-deepfunneled/Bo/Ann_Lee_0003.jpg", "lfw-deepfunneled/Bo/portrait.jpg"], []),
    ("cmu-faces", "half", CMU, "source", [["an2i_left_angry_open_2.pgm"]], ["an2i_left_bored_open.pgm"], []),
    ("london", "", [*LONDON, "smiling_front/001_03.jpg", "neutral_left_profile/001_01.jpg"],
     "source subject AU12 expression",
     [[LONDON[0], "001", 0, "neutral"], [LONDON[1], "173", 0, "neutral"], [LONDON[2], "001", 1, "smiling"]],
     ["smiling_front/001_03.jpg"], ["smiling_front/173_08.jpg"]),
])
def test_folders_and_tables_become_labels(tmp_path, source, variant, names, columns, rows, unknown, missing):
    """Of CMU's photographs those of one size are read, and damaged ones passed over."""
    write_pictures(tmp_path, *names)
    write_text(tmp_path, "an2i_up_sad_open.bad", "x")
    if source == "genki":
        write_text(tmp_path, "labels.txt", "1 -0.021162 0.059530 -0.039662", "0 0.1 0.2 0.3", "1 0 0 0")
    photographs = open_all(tmp_path, source, variant=variant)
    assert values(photographs, columns) == rows and "scale" not in photographs.labels
    assert (sorted(photographs.unknown), photographs.missing) == (sorted(unknown), missing)


@pytest.fixture
def folder(tmp_path):
    write_pictures(tmp_path, "a.png", "b.png", "c.png")
    return tmp_path


def open_csv(folder, *lines: str, **options):
    if lines:
        write_text(folder, "labels.csv", *lines)
    return open_photographs("people", "manifest", folder=str(folder), **options)


def test_columns_become_labels(folder):
    photographs = open_csv(folder, "path,subject,emotion,AU1,AU04,AU10,smile,pose,split,eyes,code",
                           "a.png,007,Happiness,1,0,1,1,left,Train,open,007", "b.png,Ann,,,1,0,,straight,test,none,")
    expected = {
        "source": ["a.png", "b.png"], "subject": ["007", "Ann"], "emotion": ["happy", None], "AU01": [1, None], "AU04": [0, 1],
        "AU12": [1, None], "view": ["left", "straight"], "split": ["train", "test"],
        "code": ["007", None], "eyes": ["open", "none"],
    }  # fmt: skip
    assert values(photographs, " ".join(expected)) == list(map(list, zip(*expected.values(), strict=True)))
    assert photographs.name == "people" and not {"smile", "AU10"} & set(photographs.labels)
    (unread,) = photographs.problems
    assert "columns that are not read: AU10, eyes, code; read are path, subject" in unread
    photographs = open_csv(folder, "path,AU12,smile", "a.png,,1", "b.png,0,0", "c.png,TRUE,")
    assert photographs.labels["AU12"].tolist() == [1, 0, 1], "a smile fills a blank AU12 and may repeat it"
    assert not photographs.problems


@pytest.mark.parametrize("word", ["NA", "nan", "None", "n/a", "NULL", "#N/A", "<NA>"])
def test_what_others_write_for_a_missing_value_is_no_person(folder, word):
    header = "path,subject,view,split,emotion,AU12"
    photographs = open_csv(folder, header, f"a.png,{word},{word},{word},{word},{word}", f"b.png,{word},,,sad,1", "c.png,Ann,left,test,,")
    labels = photographs.labels[["subject", "view", "split", "emotion", "AU12"]]
    assert labels.isna().to_numpy().tolist() == [[True] * 5, [True] * 3 + [False] * 2, [False] * 3 + [True] * 2]
    assert any(f"subject is {word} in 2 lines, which counts as missing" in problem for problem in photographs.problems)
    assert len(set(subjects_of(photographs.labels))) == 3


@pytest.mark.parametrize("column", ["AU12", "au12", "AU12_c", "AU_12", "au 12", "AU 12_C", "smile", "Smile"])
def test_columns_in_others_spelling_are_read(folder, column):
    photographs = open_csv(folder, f"path,Person,Expression,{column}", "a.png,Ann,joy,1", "b.png,Ben,,0")
    assert photographs.labels[["subject", "emotion", "AU12"]].astype(object).values.tolist()[0] == ["Ann", "happy", 1]
    assert photographs.labels["AU12"].tolist() == [1, 0] and not photographs.problems


@pytest.mark.parametrize(("column", "value", "named"), [
    ("AU12_r", "3.2", "AU12_r"), ("id", "17", "id"), ("emotoin", "sad", "emotoin"), ("expression", "smiling", "expression"),
    ("", "0", "one without a name"), ("AU45_c", "1", "AU45"),
])  # fmt: skip
def test_a_column_that_can_mean_something_else_is_not_read_and_named(folder, column, value, named):
    photographs = open_csv(folder, f"{column},path", f"{value},a.png")
    assert photographs.labels.drop(columns="source")[[*ACTION_UNITS, "subject", "emotion"]].isna().all(axis=None)
    (said,) = photographs.problems
    assert f"columns that are not read: {named}" in said and "people to subject, and turn intensities (AU12_r) into AU12" in said


def test_missing_files_are_listed_and_left_out_and_tables_of_other_programs_are_read(folder):
    photographs = open_csv(folder, "path,subject", "a.png,ann", "gone.png,bob", ",eve", "c.png,cid")
    assert photographs.labels[["source", "subject"]].to_numpy().tolist() == [["a.png", "ann"], ["c.png", "cid"]]
    blank, missing = photographs.problems
    assert "labels.csv, line 4: no path" in blank and "gone.png: missing, left out" in missing
    with pytest.raises(FileNotFoundError, match="no photograph that .* lists exists"):
        open_csv(folder, "path", "x.png", "y.png")
    with pytest.raises(FileNotFoundError, match=r"other.csv is missing; write a CSV"):
        open_csv(folder, csv="other.csv")
    first = open_csv(folder, "path", "a.png", "b.png").fingerprint
    assert open_csv(folder, "path,emotion", "a.png,sad", "b.png,sad").fingerprint == first
    os.utime(folder / "a.png", ns=(0, 0))
    assert open_csv(folder, "path", "a.png", "b.png").fingerprint != first
    photographs = open_csv(folder, "path;emotion;AU12;;", "a.png;sad;0;;", "b.png;joy;1;;")
    assert photographs.labels[["emotion", "AU12"]].values.tolist() == [["sad", 0], ["happy", 1]]
    assert photographs.digest == open_csv(folder, "path\temotion\tAU12", "a.png\tsad\t0", "b.png\tjoy\t1").digest
    assert not photographs.problems
    absolute = open_csv(folder, "path", str(folder / "a.png"))
    assert absolute.labels["source"].tolist() == ["a.png"]
    (folder / "sub").mkdir()
    (folder / "a.png").rename(folder / "sub" / "a.png")
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbfpath,subject\r\nsub\\a.png,Ann\r\n")
    assert open_csv(folder).labels[["source", "subject"]].to_numpy().tolist() == [["sub/a.png", "Ann"]]


@pytest.mark.parametrize(("disk", "table"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_are_the_same_letters_composed_or_not(folder, disk, table):
    on_disk, named = (unicodedata.normalize(form, "José/ä.png") for form in (disk, table))
    (folder / on_disk).parent.mkdir()
    (folder / "a.png").rename(folder / on_disk)
    photographs = open_csv(folder, "path,subject", f"{named},{unicodedata.normalize('NFD', 'José')}", "b.png,José")
    assert photographs.labels["source"].tolist() == [on_disk, "b.png"] and photographs.labels["subject"].nunique() == 1
    assert photographs.read([0])[0].image.shape == (6, 8, 3) and not photographs.missing


@pytest.mark.parametrize(("lines", "message"), [
    (["path,emotion", "a.png,hungry", "b.png,bored", "c.png,hungry"],
     r"no emotion is called 'hungry' \(a.png, line 2\), 'bored' \(b.png, line 3\); expected are angry, cont"),
    (["path,AU12", "a.png,0", "", "b.png,0.4"], r"labels.csv, line 4: AU12 is '0.4'; expected 0, 1 or blank"),
    (["path,smile", "a.png,yes"], "line 2: smile is 'yes'; expected 0, 1 or blank"),
    (["path,AU12,smile", "a.png,0,1"], "line 2: AU12 is 0 but smile is 1"),
    (["file,emotion", "a.png,happy"], r"no column 'path', only 'file', 'emotion'; add one"),
    (["path,AU1,AU01", "a.png,0,0"], "column 'AU01' occurs twice"),
    (["path,note", "a.png,one,two"], "line 2: 3 values for 2 columns"),
    (["path", "a.png", "./a.png"], r"'a.png' is listed on lines 2, 3"),
    *((["path", path], "line 2: .* leads outside") for path in ("../a.png", "/etc/passwd", "x/../../a.png", "C:\\a.png")),
    (["path,emotion"], "lists no photographs"), ([""], "labels.csv is empty"),
    (["path,note", 'a.png,"never closed'], "labels.csv is not readable as CSV"),
    (["path,subject", "a.png,Andr\xe9"], "labels.csv is not readable as CSV .* UTF-8"),
])  # fmt: skip
def test_a_wrong_csv_is_refused_with_file_line_and_reason(folder, lines, message):
    (folder / "labels.csv").write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        open_csv(folder)


def test_rendered_photographs_are_what_the_renderer_draws():
    photographs = open_photographs("rafd-frontal", "rendered", n_faces=16, seed=3)
    images, _ = render_faces(stand_in_labels("rafd-frontal", n_faces=16, seed=3).iloc[[5, 2]])
    # Which face covers a pixel can hang on a float's last bit: nearly equal to its own, unlike the other.
    own, other = (np.abs(photographs.read([2])[0].image.astype(int) - image).mean() for image in images[::-1])
    assert own < 0.5 < 5 < other and photographs.labels["emotion"].notna().all()
    same, other = (open_photographs("rafd-frontal", "rendered", n_faces=16, seed=seed) for seed in (3, 0))
    assert photographs.digest == same.digest != other.digest
    with pytest.raises(ValueError, match="unknown stand-in 'mine', expected one of rafd-frontal"):
        open_photographs("mine", "rendered")


@pytest.fixture
def faces():
    images = np.random.default_rng(0).integers(0, 256, (5, FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
    return face_set(5, "small", images, subject=["ann", "ann", "bob", None, None],
                    emotion=["sad", "happy", None, "happy", "angry"], AU12=[0, 1, np.nan, 1, 0], yaw=[0, 1.5, 2, 3, 4])


def test_missing_columns_are_missing_values_and_wrong_labels_or_images_are_named(faces):
    assert list(faces.labels.columns[: len(LABEL_COLUMNS)]) == list(LABEL_COLUMNS)
    assert faces.labels[["AU01", "view"]].isna().all(axis=None)
    np.testing.assert_array_equal(faces.labels[["AU12", "yaw"]].T, [[0, 1, np.nan, 1, 0], [0, 1.5, 2, 3, 4]])
    assert all(faces.labels[unit].dtype == float for unit in ACTION_UNITS)
    for columns, message in (({"source": ["a", "b"], "AU12": [0.0, 0.5]}, "table: AU12 of b is 0.5; expected 0, 1"),
                             ({"source": ["a", "b"], "emotion": ["happy", "Joy"]}, "table: unknown emotion 'Joy'; expected")):
        with pytest.raises(ValueError, match=message):
            complete_labels(pd.DataFrame(columns), where="table")
    images = faces.images
    for wrong in (images[:4], images[..., 0], images.transpose(0, 3, 1, 2), images.astype(np.float32)):
        with pytest.raises(ValueError, match=r"face set 'x': images are .*, expected uint8"):
            FaceSet("x", wrong, faces.labels)


def test_save_and_load_give_the_same_faces_mapped_from_disk_and_half_a_set_is_refused(faces, tmp_path):
    faces.save(tmp_path / "small")
    loaded = FaceSet.load(tmp_path / "small")
    assert loaded.name == "small" and isinstance(loaded.images, np.memmap)
    np.testing.assert_array_equal(loaded.images, faces.images)
    pd.testing.assert_frame_equal(loaded.labels, faces.labels)
    faces.select([True, False, False, False, True]).save(tmp_path / "part")
    (tmp_path / "part" / "images.npy").rename(tmp_path / "small" / "images.npy")
    with pytest.raises(ValueError, match="images are"):
        FaceSet.load(tmp_path / "small")


def test_select_and_showing_take_images_and_labels_together_and_the_digest_follows_both_and_not_the_name(faces):
    some = FaceSet("some", faces.images, faces.labels.assign(AU07=[1.0, 0.0, np.nan, 1.0, 0.0], AU12=0.0))
    for part, rows in ((faces.select(faces.labels["emotion"] == "happy"), [1, 3]), (some.showing("AU07"), [0, 3])):
        assert part.labels["source"].tolist() == [f"{row}.png" for row in rows]
        np.testing.assert_array_equal(part.images, faces.images[rows])
    assert some.showing("") is some
    for unit, words in (("AU12", "no face shows it"), ("AU27", "nobody coded it"), ("AU7", "only is 'AU7'; expected one of AU01")):
        with pytest.raises(ValueError, match=words):
            some.showing(unit)
    other = FaceSet("renamed", faces.images, faces.labels)
    assert faces.digest == other.digest
    changed = faces.images.copy()
    changed[3, 0, 0, 0] ^= 1
    assert len({faces.digest, FaceSet("small", changed, faces.labels).digest,
                FaceSet("small", faces.images, faces.labels.assign(AU12=0.0)).digest}) == 3


def test_a_face_without_a_subject_is_a_person_of_its_own_and_frames_of_one_sequence_are_one(faces):
    assert faces.emotions == ["angry", "happy", "sad"], "in the order of the vocabulary"
    subjects = faces.subjects()
    assert subjects[0] == subjects[1] == "ann" and len(set(subjects)) == 4
    labels = pd.DataFrame({"subject": ["ann", None, None, None, None], "sequence": ["s1", "s1", "s2", "s2", None]})
    subjects = subjects_of(labels)
    assert subjects[0] == subjects[1] == "ann"  # another frame of the sequence says who it is
    assert subjects[2] == subjects[3] != "ann" and len(set(subjects)) == 3
    assert len(set(subjects_of(labels.drop(columns="sequence")))) == 5


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
