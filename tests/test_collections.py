"""Every loader on small trees with the true names of its dataset, right and wrong ones."""

import contextlib
import os
import shutil
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fergan.data import SOURCES, collections, open_photographs
from fergan.data.catalogue import CATALOGUE
from fergan.data.config import FacesConfig
from fergan.data.cropping import make_faces
from fergan.data.faces import FaceSet
from fergan.data.fetch import fetch
from fergan.facs import ACTION_UNITS
from fergan.rendered import render_faces, stand_in_labels

FOLDER_SOURCES = sorted(set(SOURCES) - {"rendered", "manifest"})


def write_pictures(folder: Path, *names: str) -> None:
    """Write a small picture under each name, each with another content."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        with open(path, "wb") as file:
            kind = {"jpg": "JPEG", "png": "PNG", "pgm": "PPM"}[path.suffix[1:].lower()]
            Image.fromarray(rng.integers(0, 256, (6, 8), dtype=np.uint8)).save(file, kind)


def write_text(folder: Path, name: str, *lines: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def open_all(folder: Path, source: str, **options):
    """Open a dataset and see that all of it decodes."""
    photographs = open_photographs("mine", source, folder=str(folder), **options)
    read = photographs.read(range(len(photographs)))
    assert all(photograph.image.ndim == 3 and photograph.image.dtype == np.uint8 for photograph in read)
    assert photographs.name == "mine"
    return photographs


def rows_of(photographs) -> dict[str, dict]:
    """Return the labels by file name."""
    labels = photographs.labels
    return {Path(row["source"]).name: row for row in labels.astype(object).where(labels.notna(), None).to_dict("records")}


# What holds for all.


@pytest.mark.parametrize("source", [source for source in FOLDER_SOURCES if source not in ("enhanced-ck", "raf-db", "genki")])
def test_a_folder_of_something_else_is_an_error_with_the_expected_tree(tmp_path, source):
    write_text(tmp_path, "holiday/notes.txt", "nothing")
    with pytest.raises(FileNotFoundError) as error:
        open_photographs("mine", source, folder=str(tmp_path))
    assert CATALOGUE[source].tree in str(error.value)
    if source != "olivetti":
        assert "the first of 1 files there: holiday/notes.txt" in str(error.value)


@pytest.mark.parametrize(
    ("source", "table"), [("enhanced-ck", "labels.csv"), ("raf-db", "list_patition_label.txt"), ("genki", "labels.txt")]
)
def test_a_missing_table_without_which_nothing_is_known_is_named(tmp_path, source, table):
    with pytest.raises(FileNotFoundError, match=f"{table} is missing"):
        open_photographs("mine", source, folder=str(tmp_path))


@pytest.mark.parametrize("source", FOLDER_SOURCES)
def test_an_unknown_variant_is_refused_before_anything_is_read(tmp_path, source):
    with pytest.raises(ValueError, match=rf"variant is 'sideways'; source '{source}' has ''"):
        open_photographs("mine", source, folder=str(tmp_path), variant="sideways")
    assert set(CATALOGUE) == set(FOLDER_SOURCES)


def test_a_draw_is_seeded_and_leaves_the_fingerprint_of_what_it_draws(tmp_path):
    write_pictures(tmp_path, *list(collections.kdef_names())[:40])
    draws = [open_all(tmp_path, "kdef", n_faces=10, seed=seed) for seed in (0, 0, 1)]
    sources = [draw.labels["source"].tolist() for draw in draws]
    assert sources[0] == sources[1] != sources[2]
    assert len(set(sources[0])) == 10
    assert draws[0].fingerprint == draws[1].fingerprint != draws[2].fingerprint
    everything = open_all(tmp_path, "kdef", n_faces=100)
    assert len(everything) == 40
    assert any("100 faces asked for, 40 there" in problem for problem in everything.problems)
    os.utime(tmp_path / sources[0][0], ns=(0, 0))
    assert open_all(tmp_path, "kdef", n_faces=10).fingerprint != draws[0].fingerprint


def test_many_problems_of_a_kind_are_counted(tmp_path):
    write_pictures(tmp_path, "AF01AFS.JPG", *(f"holiday{number:02d}.jpg" for number in range(30)))
    write_text(tmp_path, ".DS_Store", "x")
    photographs = open_all(tmp_path, "kdef")
    assert len(photographs.unknown) == 30
    assert sum("holiday" in problem for problem in photographs.problems) == 20
    assert any(problem.endswith("10 more pictures that are no part of this dataset") for problem in photographs.problems)
    assert not any("DS_Store" in problem for problem in photographs.problems)


def test_a_name_that_is_not_utf8_and_a_dangling_link_are_no_trouble(tmp_path):
    write_pictures(tmp_path, "AF01AFS.JPG")
    (tmp_path / os.fsdecode(b"K\xe4se.jpg")).write_bytes(b"x")
    (tmp_path / "AF01ANS.JPG").symlink_to(tmp_path / "nowhere")
    photographs = open_all(tmp_path, "kdef")
    assert photographs.labels["source"].tolist() == ["AF01AFS.JPG"]
    assert list(photographs.unknown) == ["K\ufffdse.jpg"]
    "\n".join(photographs.problems).encode()


def refuse(monkeypatch, closed: Path) -> None:
    """Let the system refuse to list a folder; permissions would not stop every account that tests may run under."""
    listed = os.scandir

    def scandir(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_may_not_be_read_is_an_error_and_a_subfolder_is_listed(tmp_path, monkeypatch):
    write_pictures(tmp_path, "AF01/AF01AFS.JPG", "AF05/AF05AFS.JPG")
    with monkeypatch.context() as patch:
        refuse(patch, tmp_path / "AF05")
        photographs = open_all(tmp_path, "kdef")
    assert photographs.labels["source"].tolist() == ["AF01/AF01AFS.JPG"]
    assert f"{tmp_path}/AF05/: permission denied" in photographs.problems and photographs.notes == photographs.problems[:1]
    with monkeypatch.context() as patch:
        refuse(patch, tmp_path)
        with pytest.raises(ValueError, match=rf"{tmp_path} may not be read; .*chmod -R u\+rX {tmp_path}"):
            open_photographs("mine", "kdef", folder=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
        with pytest.raises(ValueError, match=rf"^{tmp_path} may not be read"):
            open_photographs("mine", "kdef", folder=str(tmp_path))
    shutil.rmtree(tmp_path / "AF01")
    refuse(monkeypatch, tmp_path / "AF05")
    with pytest.raises(FileNotFoundError, match=r"it holds no files; not looked into: AF05/: permission denied"):
        open_photographs("mine", "kdef", folder=str(tmp_path))


@pytest.mark.parametrize(("source", "names"), [
    ("rafd", ["Rafd090_01_Caucasian_female_sad_right.jpg", "copy/Rafd090_01_Caucasian_female_sad_right.jpg"]),
    ("kdef", ["AF01/AF01AFS.JPG", "again/AF01AFS.jpg"]), ("kdef", ["AM31/AM31SUHR.JPG", "AM31/AM31H.JPG"]),
])
def test_one_file_is_kept_of_each_name(tmp_path, source, names):
    write_pictures(tmp_path, *names)
    photographs = open_all(tmp_path, source)
    assert photographs.labels["source"].tolist() == names[:1]
    assert list(photographs.unknown) == names[1:] and f"a second file of this name; {names[0]} is read" in "".join(photographs.problems)
    assert not any("taken for" in problem for problem in photographs.problems)


@pytest.mark.parametrize(("source", "variant"), [("genki", ""), ("cmu-faces", ""), ("london", ""), ("kdef", "session-a")])
def test_a_table_with_paths_is_read_in_place_of_the_owners_layout(tmp_path, source, variant):
    write_pictures(tmp_path, "x/1.png", "x/AF01AFS.JPG")
    write_text(tmp_path, "labels.csv", "Path,subject,smile", "x/1.png,ann,1")
    photographs = open_all(tmp_path, source, variant=variant)
    assert photographs.labels[["source", "subject", "AU12"]].to_numpy().tolist() == [["x/1.png", "ann", 1]]
    with pytest.raises(ValueError, match="variant is 'sideways'"):
        open_photographs("mine", source, folder=str(tmp_path), variant="sideways")
    write_text(tmp_path, "labels.csv", "file,subject,smile", "x/1.png,ann,1")  # another table of the reader's
    with pytest.raises(FileNotFoundError) if source != "kdef" else contextlib.nullcontext():
        assert open_all(tmp_path, source, variant=variant).labels["source"].tolist() == ["x/AF01AFS.JPG"]


# RaFD.

MODELS = [("01", "Caucasian", "female"), ("38", "Moroccan", "male")]


def test_rafd_reads_its_names(tmp_path):
    write_pictures(tmp_path, *collections.rafd_names(MODELS))
    everything, frontal, multiview = (open_all(tmp_path, "rafd", variant=v) for v in ("", "frontal", "multiview"))
    assert [len(everything), len(frontal), len(multiview)] == [240, 48, 80]
    assert list(everything.problems) == everything.missing == []
    row = rows_of(everything)["Rafd045_38_Moroccan_male_contemptuous_left.jpg"]
    assert (row["subject"], row["emotion"], row["view"], row["gaze"]) == ("38", "contemptuous", "camera-045", "left")
    assert (row["group"], row["sex"], row["split"]) == ("Moroccan", "male", None)
    assert all(row[unit] is None for unit in ACTION_UNITS)
    assert set(frontal.labels["view"]) == {"frontal"}
    assert set(multiview.labels["gaze"]) == {"frontal"}


def test_rafd_lists_what_is_missing_and_what_is_unknown(tmp_path):
    names = list(collections.rafd_names(MODELS))
    write_pictures(tmp_path, *names)
    gone = "Rafd090_01_Caucasian_female_sad_right.jpg"
    (tmp_path / gone).rename(tmp_path / "Rafd090_01_Caucasian_female_bored_right.jpg")
    frontal = open_all(tmp_path, "rafd", variant="frontal")
    assert frontal.missing == [gone]
    assert list(frontal.unknown) == ["Rafd090_01_Caucasian_female_bored_right.jpg"]
    assert any("emotion 'bored' is unknown" in problem for problem in frontal.problems)
    assert open_all(tmp_path, "rafd", variant="multiview").missing == []


# KDEF.


def test_kdef_reads_both_sessions_of_a_person_as_one_subject(tmp_path):
    names = [f"{name[:4]}/{name}" for name in collections.kdef_names() if name[1:4] in ("F01", "M35")]
    write_pictures(tmp_path / "KDEF_and_AKDEF" / "KDEF", *names)
    write_pictures(tmp_path / "KDEF_and_AKDEF" / "AKDEF", "FAFS.JPG")
    both = open_all(tmp_path, "kdef")
    assert len(both) == 140
    assert list(both.unknown) == []
    assert set(both.labels["subject"]) == {"F01", "M35"}
    row = rows_of(both)["BM35SUHL.JPG"]
    assert (row["emotion"], row["view"], row["session"]) == ("surprised", "half-left", "session-b")
    assert set(open_all(tmp_path, "kdef", variant="session-a").labels["session"]) == {"session-a"}
    assert len(both.missing) == 4900 - 140


def test_kdefs_cut_names_are_corrected_and_said(tmp_path):
    names = {f"{name[:4]}/{name}" for name in collections.kdef_names("session-a") if name[1:4] in ("F31", "M31")}
    names -= {"AF31/AF31SAHL.JPG", "AM31/AM31SUHR.JPG"}
    write_pictures(tmp_path, *names, "AF31/AF31V.JPG", "AM31/AM31H.JPG")
    photographs = open_all(tmp_path, "kdef", variant="session-a")
    rows = rows_of(photographs)
    assert (rows["AF31V.JPG"]["emotion"], rows["AF31V.JPG"]["view"]) == ("sad", "half-left")
    assert (rows["AM31H.JPG"]["emotion"], rows["AM31H.JPG"]["view"]) == ("surprised", "half-right")
    assert not {"AF31SAHL.JPG", "AM31SUHR.JPG"} & set(photographs.missing)
    assert sum("taken for" in problem for problem in photographs.problems) == 2


# RAF-DB.


def raf_db(folder: Path, *lines: str) -> None:
    names = ["train_00001", "train_00002", "test_0001"]
    write_pictures(folder, *(f"Image/original/{name}.jpg" for name in names))
    write_pictures(folder, *(f"Image/aligned/{name}_aligned.jpg" for name in names))
    write_text(folder, "EmoLabel/list_patition_label.txt", *lines)


def test_raf_db_reads_its_table(tmp_path):
    raf_db(tmp_path / "basic", "train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7")
    original, aligned = (open_all(tmp_path, "raf-db", variant=variant) for variant in ("original", "aligned"))
    assert original.labels["emotion"].tolist() == aligned.labels["emotion"].tolist() == ["sad", "surprised", "neutral"]
    assert original.labels["split"].tolist() == ["train", "train", "test"]
    assert original.labels["subject"].isna().all()
    assert original.labels["source"][0] == "Image/original/train_00001.jpg"
    assert aligned.labels["source"][2] == "Image/aligned/test_0001_aligned.jpg"
    assert original.fingerprint != aligned.fingerprint
    assert open_all(tmp_path, "raf-db").labels.equals(original.labels)


def test_raf_db_lists_what_is_missing_and_what_has_no_label(tmp_path):
    raf_db(tmp_path, "train_00001.jpg 5", "train_00003.jpg 1", "test_0001.jpg 7")
    photographs = open_all(tmp_path, "raf-db", variant="aligned")
    assert photographs.missing == ["Image/aligned/train_00003_aligned.jpg"]
    assert list(photographs.unknown) == ["Image/aligned/train_00002_aligned.jpg"]


def test_raf_db_finds_photographs_at_any_depth_by_their_names(tmp_path):
    raf_db(tmp_path, "train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7")
    (tmp_path / "Image" / "original").rename(tmp_path / "unpacked")
    (tmp_path / "Image" / "original").mkdir()
    (tmp_path / "unpacked").rename(tmp_path / "Image" / "original" / "original")
    write_pictures(tmp_path, "Image/original/train_00001.jpg")
    photographs = open_all(tmp_path, "raf-db", variant="original")
    assert photographs.labels["source"].tolist() == [
        "Image/original/train_00001.jpg", "Image/original/original/train_00002.jpg", "Image/original/original/test_0001.jpg"]
    assert photographs.missing == [] and list(photographs.unknown) == ["Image/original/original/train_00001.jpg"]


@pytest.mark.parametrize("line", ["train_00002.jpg 8", "train_00002.jpg", "valid_1.jpg 3", "train_00001.jpg 4"])
def test_raf_db_refuses_a_wrong_table_with_its_line(tmp_path, line):
    raf_db(tmp_path, "train_00001.jpg 5", "", line)
    with pytest.raises(ValueError, match=r"list_patition_label.txt, line 3: "):
        open_photographs("mine", "raf-db", folder=str(tmp_path))


# CelebA.


def celeba(folder: Path, n: int = 6) -> list[str]:
    names = [f"{number:06d}.jpg" for number in range(1, n + 1)]
    write_pictures(folder / "Img" / "img_align_celeba", *names)
    attributes = [f"{name} {'1' if number % 2 else '-1'} -1  1" for number, name in enumerate(names)]
    write_text(folder, "Anno/list_attr_celeba.txt", str(n), "Smiling Male Young", *attributes)
    write_text(folder, "Anno/identity_CelebA.txt", *(f"{name} {2880 + number // 2}" for number, name in enumerate(names)))
    write_text(folder, "Eval/list_eval_partition.txt", *(f"{name} {number % 3}" for number, name in enumerate(names)))
    return names


def test_celeba_reads_its_three_tables(tmp_path):
    celeba(tmp_path)
    write_pictures(tmp_path / "Img" / "img_celeba", "000001.jpg", "000002.jpg")
    aligned, wild = (open_all(tmp_path, "celeba", variant=variant) for variant in ("aligned", "in-the-wild"))
    assert aligned.labels["AU12"].tolist() == [0, 1, 0, 1, 0, 1]
    assert aligned.labels["AU06"].isna().all()
    assert aligned.labels["subject"].tolist() == ["2880", "2880", "2881", "2881", "2882", "2882"]
    assert aligned.labels["split"].tolist() == ["train", "val", "test"] * 2
    assert aligned.labels["male"].tolist() == [0] * 6
    assert aligned.labels["young"].tolist() == [1] * 6
    assert "smiling" not in aligned.labels
    assert aligned.problems == []
    assert wild.labels["source"].tolist() == ["Img/img_celeba/000001.jpg", "Img/img_celeba/000002.jpg"]
    assert wild.missing == [f"00000{number}.jpg" for number in (3, 4, 5, 6)]
    draws = [open_all(tmp_path, "celeba", n_faces=3, seed=seed).labels["source"].tolist() for seed in (5, 5, 6)]
    assert draws[0] == draws[1] != draws[2]


def test_celeba_goes_on_without_a_table_and_says_what_is_not_known(tmp_path):
    celeba(tmp_path)
    (tmp_path / "Anno" / "identity_CelebA.txt").unlink()
    write_pictures(tmp_path / "Img" / "img_align_celeba", "stray.jpg")
    photographs = open_all(tmp_path, "celeba")
    assert len(photographs) == 6
    assert photographs.labels["subject"].isna().all()
    assert any("identity_CelebA.txt is missing" in problem for problem in photographs.problems)
    assert list(photographs.unknown) == ["Img/img_align_celeba/stray.jpg"]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("Eval/list_eval_partition.txt", ["000001.jpg 3"], "000001.jpg is in none of the parts 0, 1, 2"),
        ("Anno/identity_CelebA.txt", ["000001.jpg 1", "000001.jpg 2"], "000001.jpg is listed twice"),
        ("Anno/identity_CelebA.txt", ["000001.jpg Ann"], "is not readable .*; expected a name and its subject"),
        ("Anno/list_attr_celeba.txt", ["1", "Smiling Male", "000001.jpg 1 0"], "something other than 1 and -1"),
        ("Anno/list_attr_celeba.txt", ["000001.jpg 1 1"], "no attribute Smiling in line 2"),
        ("Anno/list_attr_celeba.txt", ["1", "Smiling Male", "1.jpg 1 1", "2.jpg 1 1 1"], "line 4 is not readable .2.jpg 1 1 1"),
        ("Anno/list_attr_celeba.txt", ["1", "Smiling Male", "1.jpg 1 1", "", "2.jpg 1"], "line 5 is not readable .2.jpg 1"),
        ("Anno/identity_CelebA.txt", ["000001.jpg 1", "000002.jpg 2 3"], "line 2 is not readable .*; expected a name and its subject"),
        ("Anno/identity_CelebA.txt", ["000001.jpg 1", "000002.jpg 2.5"], "line 2 is not readable .000002.jpg 2.5"),
        ("Eval/list_eval_partition.txt", ["000001.jpg 1", "000002.jpg"], "line 2 is not readable"),
    ],
)
def test_celeba_refuses_a_wrong_table(tmp_path, name, lines, message):
    celeba(tmp_path)
    write_text(tmp_path, name, *lines)
    with pytest.raises(ValueError, match=rf"{Path(name).name}.*{message}"):
        open_photographs("mine", "celeba", folder=str(tmp_path))


@pytest.mark.parametrize("name", ["Anno/list_attr_celeba.txt", "Anno/identity_CelebA.txt"])
def test_celebas_tables_in_another_encoding_are_refused_with_their_line(tmp_path, name):
    celeba(tmp_path)
    (tmp_path / name).write_bytes("1\nSmiling\nBj\u00f6rk.jpg 1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=rf"{Path(name).name}, line 3, is not UTF-8"):
        open_photographs("mine", "celeba", folder=str(tmp_path))


# CK+ and enhanced CK.


def ck_plus(folder: Path) -> None:
    """Two sequences of person S005, the second without an emotion, and one of S010."""
    write_pictures(folder, *(f"cohn-kanade-images/S005/001/S005_001_{n:08d}.png" for n in (1, 2, 11)))
    write_pictures(folder, *(f"cohn-kanade-images/S005/002/S005_002_{n:08d}.png" for n in (1, 9)))
    write_pictures(folder, *(f"cohn-kanade-images/S010/004/S010_004_{n:08d}.png" for n in (1593115, 1593120)))
    write_text(folder, "Emotion/S005/001/S005_001_00000011_emotion.txt", "   3.0000000e+00")
    write_text(folder, "Emotion/S010/004/S010_004_01593120_emotion.txt", "   7.0000000e+00")
    facs = "FACS/{0}/{1}/{0}_{1}_{2}_facs.txt".format
    write_text(folder, facs("S005", "001", "00000011"), "   9.0000000e+00   5.0000000e+00", "   1.7000000e+01   0.0000000e+00")
    write_text(folder, facs("S005", "002", "00000009"), "   1.0000000e+01   2.0000000e+00")
    write_text(folder, facs("S010", "004", "01593120"), "   1.0000000e+00   3.0000000e+00", "   2.7000000e+01   4.0000000e+00")


def test_ck_plus_takes_both_ends_of_each_sequence(tmp_path):
    ck_plus(tmp_path)
    photographs = open_all(tmp_path, "ck-plus")
    rows = rows_of(photographs)
    assert photographs.problems == []
    assert len(rows) == 6
    assert "S005_001_00000002.png" not in rows
    start, apex = rows["S005_001_00000001.png"], rows["S005_001_00000011.png"]
    assert (start["emotion"], start["subject"], start["sequence"], start["frame"]) == ("neutral", "S005", "S005_001", 1)
    assert all(start[unit] == 0 == start[f"{unit}_intensity"] for unit in ACTION_UNITS)
    assert (apex["emotion"], apex["AU09"], apex["AU09_intensity"]) == ("disgusted", 1, 1)
    assert (apex["AU17"], apex["AU17_intensity"]) == (1, None)
    assert (apex["AU12"], apex["AU12_intensity"]) == (0, 0)
    unlabelled = rows["S005_002_00000009.png"]
    assert unlabelled["emotion"] is None
    assert all(unlabelled[unit] == 0 for unit in ACTION_UNITS)
    assert rows["S010_004_01593120.png"]["AU01_intensity"] == pytest.approx(0.6)
    only_apex = open_all(tmp_path, "ck-plus", variant="apex")
    assert set(rows_of(only_apex)) == {"S005_001_00000011.png", "S005_002_00000009.png", "S010_004_01593120.png"}


def test_ck_plus_leaves_action_units_missing_where_nobody_coded(tmp_path):
    ck_plus(tmp_path)
    (tmp_path / "FACS/S005/001/S005_001_00000011_facs.txt").unlink()
    write_text(tmp_path, "FACS/S005/002/S005_002_00000009_facs.txt", "twelve")
    write_text(tmp_path, "Emotion/S010/004/S010_004_01593120_emotion.txt", "9")
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000001.png").unlink()
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000002.png").unlink()
    write_pictures(tmp_path, "cohn-kanade-images/S005/001/me.png")
    photographs = open_all(tmp_path, "ck-plus")
    rows = rows_of(photographs)
    for name in ("S005_001_00000011.png", "S005_002_00000009.png"):
        assert all(rows[name][unit] is None for unit in ACTION_UNITS)
    assert rows["S005_001_00000011.png"]["emotion"] == "disgusted"
    assert rows["S010_004_01593120.png"]["emotion"] is None
    problems = "\n".join(photographs.problems)
    for said in ("no FACS file", "lines of an Action Unit and 0 to 5", "one number from 0 to 7", "no neutral start", "me.png"):
        assert said in problems


def test_ck_plus_does_not_move_a_label_to_another_frame(tmp_path):
    ck_plus(tmp_path)
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000011.png").unlink()
    photographs = open_all(tmp_path, "ck-plus")
    row = rows_of(photographs)["S005_001_00000002.png"]
    assert row["emotion"] is None
    assert row["AU09"] is None
    assert any("labels frame 11, but the last frame here is 2" in problem for problem in photographs.problems)


def test_enhanced_ck_reads_a_table_of_frames(tmp_path):
    ck_plus(tmp_path / "photographs")
    lines = ["sequence,frame,AU1,AU12,AU10", "S005_001,1,0,0,0", "S005_001,2,,1,0", "S005_001,11,1,D,1", "S005_001,12,1,1,1"]
    write_text(tmp_path, "frames.csv", *lines)
    photographs = open_all(tmp_path / "photographs", "enhanced-ck", csv=str(tmp_path / "frames.csv"))
    labels = photographs.labels
    assert labels["frame"].tolist() == [1, 2, 11]
    np.testing.assert_array_equal(labels["AU01"], [0, np.nan, 1])
    np.testing.assert_array_equal(labels["AU12"], [0, 1, 1])
    np.testing.assert_array_equal(labels["AU12_intensity"], [0, np.nan, 0.8])
    assert labels["AU25"].isna().all()
    assert labels["emotion"].isna().all()
    assert set(labels["subject"]) == {"S005"}
    assert photographs.missing == ["S005_001_00000012.png"]
    assert any("4 frames are not in" in problem for problem in photographs.problems)
    assert any("frames.csv: AU10 ignored; studied are AU01" in problem for problem in photographs.problems)
    write_text(tmp_path, "photographs/labels.csv", *lines[:3])
    assert len(open_all(tmp_path / "photographs", "enhanced-ck")) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["sequence,AU01", "S005_001,1"], "has columns sequence, AU01; expected sequence, frame and Action Units"),
        (["sequence,frame,smile", "S005_001,1,1"], "expected sequence, frame and Action Units"),
        (["sequence,frame,AU01", "S5_1,1,1"], "line 2: S5_1, frame 1; expected for example S005_001 and 11"),
        (["sequence,frame,AU01", "S005_001,first,1"], "line 2: S005_001, frame first"),
        (["sequence,frame,AU01", "S005_001,1,1", "S005_001,1.5,1"], "line 3: S005_001, frame 1.5"),
        (["sequence,frame,AU01", "S005_001,1,1", "S005_001,1,0"], "line 3: .* each pair once"),
        (["sequence,frame,AU01", "S005_001,1,3"], "line 2: AU01 is '3'; expected 0, 1, A to E, or blank"),
    ],
)
def test_enhanced_ck_refuses_a_wrong_table_with_its_line(tmp_path, lines, message):
    ck_plus(tmp_path)
    write_text(tmp_path, "labels.csv", *lines)
    with pytest.raises(ValueError, match=message):
        open_photographs("mine", "enhanced-ck", folder=str(tmp_path))


# SFEW.


@pytest.mark.parametrize("inner", ["", "{0}_Aligned_Faces/"])
def test_sfew_reads_parts_and_emotions_from_folders(tmp_path, inner):
    write_pictures(
        tmp_path,
        f"Train/{inner.format('Train')}Angry/Airheads_000519240_00000005.png",
        f"Train/{inner.format('Train')}Disgust/About_A_Boy_000001200_00000031.png",
        f"Val/{inner.format('Val')}Surprise/Juno_000519240_00000005.png",
        f"Test/{inner.format('Test')}00017.png",
    )
    both, train, val, test = (open_all(tmp_path, "sfew", variant=variant) for variant in ("", "train", "val", "test"))
    assert both.labels["emotion"].tolist() == ["angry", "disgusted", "surprised"]
    assert both.labels["split"].tolist() == ["train", "train", "val"]
    assert both.labels["subject"].tolist() == ["Airheads", "About_A_Boy", "Juno"]
    assert [len(part) for part in (train, val, test)] == [2, 1, 1]
    assert test.labels["emotion"].isna().all()
    assert test.labels["subject"].isna().all()


def test_sfew_never_reads_frames_and_aligned_faces_together(tmp_path):
    frame, aligned, val = "Train/Angry/Juno_1_2.png", "Train/Train_Aligned_Faces/Angry/Juno_1_2.png", "Val_Aligned_Faces/Sad/Juno_1_3.png"
    write_pictures(tmp_path, frame, aligned, val)
    for variant, expected, read in (("", [frame], "frames"), ("train", [frame], "frames"), ("aligned", [aligned, val], "aligned faces"),
                                    ("aligned-train", [aligned], "aligned faces")):
        photographs = open_all(tmp_path, "sfew", variant=variant)
        assert photographs.labels["source"].tolist() == expected
        assert any(f"are both there; the {read} are read" in note for note in photographs.notes)
    assert open_all(tmp_path, "sfew", variant="aligned-val").notes == []
    (tmp_path / frame).unlink()
    alone = open_all(tmp_path, "sfew")
    assert alone.labels["source"].tolist() == [aligned, val] and "only aligned faces are there" in alone.notes[0]


def test_sfew_lists_folders_that_are_no_emotion(tmp_path):
    write_pictures(tmp_path, "Train/Angry/Juno_1_2.png", "Train/Bored/Juno_1_3.png", "Extra/Angry/Juno_1_4.png")
    photographs = open_all(tmp_path, "sfew")
    assert photographs.labels["source"].tolist() == ["Train/Angry/Juno_1_2.png"]
    assert any("folder 'Bored' is no emotion; expected one of Angry" in problem for problem in photographs.problems)
    assert any("Extra/Angry/Juno_1_4.png: in none of the folders Train" in problem for problem in photographs.problems)


# LFW and Olivetti.


@pytest.mark.parametrize("inside", ["", "lfw_funneled", "lfw_home/lfw_funneled", "lfw"])
def test_lfw_reads_people_from_folders(tmp_path, inside):
    write_pictures(tmp_path / inside, "Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo/Bo_0001.jpg")
    write_pictures(tmp_path / inside, "Bo/Ann_Lee_0003.jpg", "Bo/portrait.jpg")
    photographs = open_all(tmp_path, "lfw")
    assert photographs.labels["subject"].tolist() == ["Ann_Lee", "Ann_Lee", "Bo"]
    assert sorted(photographs.unknown) == ["Bo/Ann_Lee_0003.jpg", "Bo/portrait.jpg"]
    assert any("Ann_Lee_0003.jpg: not in the folder of its person" in problem for problem in photographs.problems)


def test_lfw_is_fetched_to_where_it_is_looked_for(tmp_path, monkeypatch):
    def fetch_lfw_people(data_home, **options):
        assert options["funneled"]
        write_pictures(Path(data_home) / "lfw_home" / "lfw_funneled", "Bo/Bo_0001.jpg")

    monkeypatch.setattr("sklearn.datasets.fetch_lfw_people", fetch_lfw_people)
    fetch("lfw", tmp_path / "new")
    assert open_all(tmp_path / "new", "lfw").labels["subject"].tolist() == ["Bo"]
    with pytest.raises(ValueError, match="source is 'rafd'; expected 'lfw' or 'olivetti'"):
        fetch("rafd", tmp_path)


def test_olivetti_reads_either_file(tmp_path, monkeypatch):
    from scipy.io import savemat

    faces = np.random.default_rng(0).integers(0, 256, (20, 64, 64), dtype=np.uint8)
    bunch = type("Bunch", (), {"images": (faces / 255).astype(np.float32)})
    monkeypatch.setattr("sklearn.datasets.fetch_olivetti_faces", lambda data_home: bunch)
    fetch("olivetti", tmp_path / "array")
    photographs = open_all(tmp_path / "array", "olivetti")
    assert photographs.labels["subject"].tolist() == ["person-01"] * 10 + ["person-02"] * 10
    np.testing.assert_array_equal(photographs.read([13])[0].image[..., 1], faces[13])
    drawn = open_all(tmp_path / "array", "olivetti", n_faces=5, seed=2)
    number = int(drawn.labels["source"][3].rpartition("/")[2])
    np.testing.assert_array_equal(drawn.read([3])[0].image[..., 0], faces[number])
    # MATLAB's file has a face per column, each written column by column.
    (tmp_path / "matlab").mkdir()
    savemat(tmp_path / "matlab" / "olivettifaces.mat", {"faces": faces.transpose(0, 2, 1).reshape(20, -1).T})
    np.testing.assert_array_equal(open_all(tmp_path / "matlab", "olivetti").read([13])[0].image[..., 1], faces[13])


def test_olivetti_refuses_another_array_and_opens_no_pickle(tmp_path):
    np.save(tmp_path / "olivetti_faces.npy", np.zeros((3, 32, 32), np.uint8))
    with pytest.raises(ValueError, match=r"olivetti_faces.npy does not hold the Olivetti faces \(uint8 \(3, 32, 32\)"):
        open_photographs("mine", "olivetti", folder=str(tmp_path))
    (tmp_path / "olivetti_faces.npy").rename(tmp_path / "olivetti_py3.pkz")
    with pytest.raises(FileNotFoundError, match="python -m fergan.data.fetch olivetti"):
        open_photographs("mine", "olivetti", folder=str(tmp_path))


# GENKI-4K, CMU Faces, London Set.


def test_genki_reads_a_line_per_file(tmp_path):
    write_pictures(tmp_path, *(f"files/file{number:04d}.jpg" for number in (1, 2, 4)))
    write_text(tmp_path, "labels.txt", "1 -0.021162 0.059530 -0.039662", "0 0.1 0.2 0.3", "1 0 0 0")
    photographs = open_all(tmp_path, "genki")
    assert photographs.labels["AU12"].tolist() == [1, 0]
    assert photographs.labels["pitch"].tolist() == [0.059530, 0.2]
    assert photographs.missing == ["files/file0003.jpg"]
    assert list(photographs.unknown) == ["files/file0004.jpg"]
    write_text(tmp_path, "labels.txt", "1 0 0 0", "2 0 0 0")
    with pytest.raises(ValueError, match=r"labels.txt, line 2: '2 0 0 0'; expected 0 or 1"):
        open_photographs("mine", "genki", folder=str(tmp_path))


def test_cmu_faces_reads_one_size_and_passes_damaged_ones_over(tmp_path):
    write_pictures(
        tmp_path / "faces" / "an2i", "an2i_left_angry_open.pgm", "an2i_left_angry_open_2.pgm", "an2i_left_angry_open_4.pgm",
        "an2i_straight_happy_sunglasses.pgm", "an2i_left_bored_open.pgm",
    )  # fmt: skip
    write_text(tmp_path, "faces/an2i/an2i_up_sad_open.bad", "x")
    full, half = open_all(tmp_path, "cmu-faces"), open_all(tmp_path, "cmu-faces", variant="half")
    rows = rows_of(full)
    assert set(rows) == {"an2i_left_angry_open.pgm", "an2i_straight_happy_sunglasses.pgm"}
    row = rows["an2i_straight_happy_sunglasses.pgm"]
    assert (row["subject"], row["emotion"], row["view"], row["eyes"]) == ("an2i", "happy", "frontal", "sunglasses")
    assert set(rows_of(half)) == {"an2i_left_angry_open_2.pgm"}
    assert list(full.unknown) == ["an2i/an2i_left_bored_open.pgm"]


def test_london_reads_both_folders_and_the_table_of_people(tmp_path):
    write_pictures(tmp_path, "neutral_front/001_03.jpg", "neutral_front/173_03.jpg", "smiling_front/001_08.jpg")
    write_pictures(tmp_path, "smiling_front/001_03.jpg", "neutral_left_profile/001_01.jpg")
    people = ["face_id,face_age,face_gender,face_eth", "X001,24,female,white", "X173,,male,east_asian/white"]
    write_text(tmp_path, "london_faces_info.csv", *people)
    photographs = open_all(tmp_path, "london")
    rows = rows_of(photographs)
    assert [rows[name]["AU12"] for name in ("001_03.jpg", "173_03.jpg", "001_08.jpg")] == [0, 0, 1]
    assert (rows["001_08.jpg"]["subject"], rows["001_08.jpg"]["age"], rows["001_08.jpg"]["gender"]) == ("001", 24, "female")
    assert rows["173_03.jpg"]["age"] is None
    assert photographs.labels["emotion"].isna().all()
    assert list(photographs.unknown) == ["smiling_front/001_03.jpg"]
    assert photographs.missing == ["smiling_front/173_08.jpg"]
    (tmp_path / "london_faces_info.csv").unlink()
    assert any("london_faces_info.csv is missing" in problem for problem in open_all(tmp_path, "london").problems)


# Real photographs: their labels were written down by others, from the same names and tables.


def real(name: str):
    root = os.environ.get("FERGAN_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"needs real photographs in $FERGAN_DATA/{name}")
    return open_photographs(name, "manifest", folder=f"{root}/{name}").labels


def link(folder: Path, name: str, sources, names) -> None:
    for source, target in zip(sources, names, strict=True):
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).symlink_to(Path(os.environ["FERGAN_DATA"]) / name / source)


def test_names_of_real_cmu_faces_give_the_labels_that_others_gave_them(tmp_path):
    labels = real("cmu_faces")
    names = [Path(source).name for source in labels["source"]]
    link(tmp_path, "cmu_faces", labels["source"], [f"faces/{name.partition('_')[0]}/{name}" for name in names])
    rows = rows_of(open_photographs("cmu", "cmu-faces", folder=str(tmp_path)))
    assert len(rows) == len(labels) == CATALOGUE["cmu-faces"].variants[""].photographs
    for name, row in zip(names, labels.to_dict("records"), strict=True):
        view = "frontal" if row["view"] == "straight" else row["view"]
        ours = rows[name]
        assert (ours["subject"], ours["emotion"], ours["view"], ours["eyes"]) == (
            row["subject"], row["emotion"], view, row["eyes"])  # fmt: skip


def test_the_table_of_real_genki_gives_the_labels_that_others_gave_it(tmp_path):
    labels = real("genki4k")
    link(tmp_path, "genki4k", labels["source"], ["files/" + Path(source).name for source in labels["source"]])
    table = labels[["AU12", "yaw", "pitch", "roll"]].itertuples(index=False)
    write_text(tmp_path, "labels.txt", *(f"{smile:.0f} {yaw:f} {pitch:f} {roll:f}" for smile, yaw, pitch, roll in table))
    photographs = open_photographs("genki", "genki", folder=str(tmp_path))
    assert len(photographs.labels) == CATALOGUE["genki"].variants[""].photographs
    for column in ("AU12", "yaw", "pitch", "roll"):
        np.testing.assert_allclose(photographs.labels[column].astype(float), labels[column].astype(float), atol=1e-6)
    assert photographs.missing == list(photographs.unknown) == []


def test_names_of_the_real_london_set_give_the_labels_that_others_gave_them(tmp_path):
    labels = real("london")
    names = [Path(source).name for source in labels["source"]]
    folders = {"03": "neutral_front", "08": "smiling_front"}
    link(tmp_path, "london", labels["source"], [f"{folders[name[4:6]]}/{name}" for name in names])
    rows = rows_of(open_photographs("london", "london", folder=str(tmp_path)))
    assert len(rows) == len(labels) == CATALOGUE["london"].variants[""].photographs
    for name, row in zip(names, labels.to_dict("records"), strict=True):
        ours = rows[name]
        assert (f"L{ours['subject']}", ours["expression"], ours["AU12"]) == (row["subject"], row["expression"], row["AU12"])


# Rendered faces under the owners' names, from the file to the labelled crop.


def rafd_and_kdef_names(number: int, emotion: str) -> tuple[str, str]:
    """Return names of RaFD and KDEF for one face of one person each."""
    code = next(code for code, name in collections.KDEF_EMOTIONS.items() if name == emotion)
    return f"Rafd090_{number:02d}_Caucasian_female_{emotion}_frontal.jpg", f"AF{number:02d}/AF{number:02d}{code}S.JPG"


@pytest.mark.parametrize("source", ["rafd", "kdef"])
def test_faces_are_found_through_a_loader_with_their_labels(tmp_path, source):
    recipes = stand_in_labels("rafd-frontal", n_faces=96, seed=1)
    recipes = recipes[recipes["emotion"] != "contemptuous"].head(12).reset_index(drop=True)
    expected = {}
    for number, (image, emotion) in enumerate(zip(render_faces(recipes)[0], recipes["emotion"], strict=True), start=1):
        name = rafd_and_kdef_names(number, emotion)[source == "kdef"]
        expected[name] = (f"{'F' if source == 'kdef' else ''}{number:02d}", emotion, "frontal", np.asarray(image))
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.asarray(image)).resize((384, 384)).save(tmp_path / name, "JPEG", quality=95)
    photographs = open_photographs("mine", source, folder=str(tmp_path))
    make_faces(tmp_path / "faces", FacesConfig(detector="viola-jones", margin=0.0), photographs=photographs, progress=False)
    faces = FaceSet.load(tmp_path / "faces")
    assert len(photographs) == 12 and len(faces) >= 11
    for crop, row in zip(faces.images, faces.labels.to_dict("records"), strict=True):
        *labels, image = expected[row["source"]]
        assert [row["subject"], row["emotion"], row["view"]] == labels
        box = [round(row[f"box_{side}"] / 3) for side in ("left", "top", "right", "bottom")]
        same_part = np.asarray(Image.fromarray(image).crop(box).resize((64, 64))).astype(float)
        assert np.abs(same_part - crop).mean() < 10, row["source"]  # this photograph's face, so that the labels are its own


# The naming rules of RaFD and KDEF generate their whole sets, and read back what they generate.

# 20 men, 19 women, 4 boys and 6 girls of one group, 18 men of another: https://rafd.socsci.ru.nl/Overview.html
RAFD_GROUPS = [
    *[("Caucasian", "male")] * 20, *[("Caucasian", "female")] * 19, *[("Kid", "male")] * 4, *[("Kid", "female")] * 6,
    *[("Moroccan", "male")] * 18,
]  # fmt: skip
RAFD_MODELS = [(f"{number:02d}", *group) for number, group in enumerate(RAFD_GROUPS, start=1)]


@pytest.mark.parametrize(("variant", "n", "each"), [("", 8040, 1005), ("frontal", 1608, 201), ("multiview", 2680, 335)])
def test_the_whole_of_rafd_is_generated_and_read_back(variant, n, each):
    names = list(collections.rafd_names(RAFD_MODELS, variant))
    assert len(names) == len(set(names)) == n == CATALOGUE["rafd"].variants[variant].photographs
    parts = [collections.RAFD_RULE.parse(name) for name in names]
    assert Counter(part["emotion"] for part in parts) == dict.fromkeys(collections.RAFD_EMOTIONS, each)
    assert CATALOGUE["rafd"].variants[variant].emotions == dict.fromkeys(collections.RAFD_EMOTIONS, each)
    assert {(part["subject"], part["group"], part["sex"]) for part in parts} == set(RAFD_MODELS)
    assert {part["view"] for part in parts} == ({"frontal"} if variant == "frontal" else set(collections.RAFD_CAMERAS.values()))
    assert {part["gaze"] for part in parts} == ({"frontal"} if variant == "multiview" else {"frontal", "left", "right"})


@pytest.mark.parametrize(("variant", "n"), [("", 4900), ("session-a", 2450), ("session-b", 2450)])
def test_the_whole_of_kdef_is_generated_and_read_back(variant, n):
    names = list(collections.kdef_names(variant))
    assert len(names) == len(set(names)) == n == CATALOGUE["kdef"].variants[variant].photographs
    parts = [collections.KDEF_RULE.parse(name) for name in names]
    assert len({part["subject"] for part in parts}) == 70
    emotions = Counter(part["emotion"] for part in parts)
    assert emotions == CATALOGUE["kdef"].variants[variant].emotions
    assert set(emotions.values()) == {n // 7}
    assert Counter(part["view"] for part in parts) == dict.fromkeys(collections.KDEF_VIEWS.values(), n // 5)


@pytest.mark.parametrize(("rule", "name", "reason"), [
    ("RAFD", "Rafd090_01_Caucasian_female_bored_frontal.jpg", "emotion 'bored' is unknown; expected one of angry"),
    ("RAFD", "Rafd030_01_Caucasian_female_angry_frontal.jpg", "view '030' is unknown"),
    ("RAFD", "Rafd090_1_Caucasian_female_angry_frontal.jpg", "not a name of this dataset"),
    ("KDEF", "AF01XXS.JPG", "emotion 'XX'"), ("KDEF", "AF36AFS.JPG", "subject 'F36'"), ("KDEF", "AF01AFL.JPG", "view"),
    *(("KDEF", name, "") for name in collections.KDEF_MISNAMED),
])  # fmt: skip
def test_a_name_against_the_rule_is_explained(rule, name, reason):
    found = getattr(collections, f"{rule}_RULE").parse(name)
    assert isinstance(found, str) and found.startswith(reason)
