"""Photographs described by a CSV or drawn, face sets of crops with one row of labels each, and the vocabulary of labels."""

import os
import unicodedata

import numpy as np
import pandas as pd
import pytest
from planted import face_set
from tiny import write_pictures, write_text

from fergan.data.collections import open_photographs
from fergan.data.faces import FACE_SIZE, LABEL_COLUMNS, FaceSet, complete_labels, subjects_of
from fergan.facs import ACTION_UNITS, EMOTION_MAPPINGS, EMOTIONS, action_units_of, canonical_emotion, label_groups
from fergan.paper import read_table
from fergan.rendered import render_faces, stand_in_labels


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
    labels = photographs.labels.astype(object).where(photographs.labels.notna(), None)
    assert {column: labels[column].tolist() for column in expected} == expected
    assert photographs.name == "people" and not {"smile", "AU10"} & set(labels)
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
