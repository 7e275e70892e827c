"""Photographs described by a CSV, and the registry of sources."""

import os
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from fergan.data import SOURCES, Photographs, UnreadablePhotograph, open_photographs
from fergan.data.catalogue import CATALOGUE
from fergan.data.config import Source
from fergan.rendered import render_faces, stand_in_labels


@pytest.fixture
def folder(tmp_path):
    """Three small photographs in a folder called people, and a function that writes its labels.csv."""
    folder = tmp_path / "people"
    folder.mkdir()
    for number, name in enumerate("abc"):
        Image.new("RGB", (8, 6), (number, 100, 200)).save(folder / f"{name}.png")
    return folder


def open_csv(folder: Path, *lines: str, **options) -> Photographs:
    if lines:
        (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_photographs("people", "manifest", folder=str(folder), **options)


def test_columns_become_labels(folder):
    photographs = open_csv(
        folder,
        "path,subject,emotion,AU1,AU04,AU10,smile,pose,split,yaw,eyes,age,code",
        "a.png,007,Happiness,1,0,1,1,left,train,0.5,open,31,007",
        "b.png,NA,,,1,0,,straight,test,,closed,,008",
    )
    labels = photographs.labels
    assert photographs.name == "people"
    assert labels["source"].tolist() == ["a.png", "b.png"]
    assert labels["subject"].tolist() == ["007", "NA"]
    assert labels["emotion"][0] == "happy"
    assert labels["emotion"].isna()[1]
    assert labels["AU01"][0] == 1
    assert np.isnan(labels["AU01"][1])
    assert labels["AU04"].tolist() == [0, 1]
    assert labels["AU12"][0] == 1
    assert np.isnan(labels["AU12"][1])
    assert "smile" not in labels
    assert "AU10" not in labels
    assert labels["view"].tolist() == ["left", "straight"]
    assert labels["yaw"][0] == 0.5
    assert labels["age"][0] == 31
    assert labels["code"].tolist() == ["007", "008"]
    assert labels["eyes"].tolist() == ["open", "closed"]
    assert len(photographs.problems) == 1
    assert "AU10 ignored" in photographs.problems[0]


def test_a_smile_fills_a_blank_au12_and_may_repeat_it(folder):
    photographs = open_csv(folder, "path,AU12,smile", "a.png,,1", "b.png,0,0", "c.png,1,")
    assert photographs.labels["AU12"].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,emotion", "a.png,happy", "b.png,hungry"], r"labels.csv, line 3: unknown emotion 'hungry'.*angry, cont"),
        (["path,AU12", "a.png,0", "", "b.png,0.4"], r"labels.csv, line 4: AU12 is '0.4'; expected 0, 1 or blank"),
        (["path,smile", "a.png,yes"], "line 2: smile is 'yes'; expected 0, 1 or blank"),
        (["path,AU12,smile", "a.png,0,1"], "line 2: AU12 is 0 but smile is 1"),
        (["path,yaw", "a.png,left"], "line 2: yaw is 'left'; expected a number"),
        (["file,emotion", "a.png,happy"], r"no column 'path', only 'file', 'emotion'; add one"),
        (["path;emotion", "a.png;happy"], r"no column 'path', only 'path;emotion'.*commas"),
        (["path,AU1,AU01", "a.png,0,0"], "column 'AU01' occurs twice"),
        (["path,note", "a.png,one,two"], "line 2: 3 values for 2 columns"),
        (["path", "a.png", "./a.png"], r"'a.png' is listed on lines 2, 3"),
        (["path", "../a.png"], r"line 2: path '../a.png' leads outside"),
        (["path", "/etc/passwd"], "line 2: path '/etc/passwd' leads outside"),
        (["path", "x/../../a.png"], "line 2: .* leads outside"),
        (["path", 'C:\\a.png'], "line 2: .* leads outside"),
        (["path,emotion"], "lists no photographs"),
        ([""], "labels.csv is empty"),
        (["path,note", 'a.png,"never closed'], "labels.csv is not readable as CSV"),
    ],
)  # fmt: skip
def test_a_wrong_csv_is_refused_with_file_line_and_reason(folder, lines, message):
    with pytest.raises(ValueError, match=message):
        open_csv(folder, *lines)


def test_a_csv_in_another_encoding_or_missing_is_named(folder):
    (folder / "labels.csv").write_bytes(b"path,subject\na.png,Andr\xe9\n")
    with pytest.raises(ValueError, match=r"labels.csv is not readable as CSV .* UTF-8"):
        open_csv(folder)
    with pytest.raises(FileNotFoundError, match=r"other.csv is missing; write a CSV"):
        open_csv(folder, csv="other.csv")


def test_a_byte_order_mark_and_backslashes_of_windows_are_understood(folder):
    (folder / "sub").mkdir()
    (folder / "a.png").rename(folder / "sub" / "a.png")
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbfpath,subject\r\nsub\\a.png,Ann\r\n")
    photographs = open_csv(folder)
    assert photographs.labels["source"].tolist() == ["sub/a.png"]
    assert photographs.labels["subject"].tolist() == ["Ann"]


def test_missing_files_are_listed_and_left_out(folder):
    photographs = open_csv(folder, "path,subject", "a.png,ann", "gone.png,bob", ",eve", "c.png,cid")
    assert photographs.labels["source"].tolist() == ["a.png", "c.png"]
    assert photographs.labels["subject"].tolist() == ["ann", "cid"]
    assert len(photographs.problems) == 2
    assert any("gone.png: missing, left out" in problem for problem in photographs.problems)
    assert any("labels.csv, line 4: no path" in problem for problem in photographs.problems)
    with pytest.raises(FileNotFoundError, match=r"none of the 2 photographs .* exists"):
        open_csv(folder, "path", "x.png", "y.png")


def test_opening_decodes_nothing_and_one_bad_file_spoils_no_other(folder):
    whole = (folder / "b.png").read_bytes()
    (folder / "a.png").write_bytes(b"this is no image")
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").touch()
    photographs = open_csv(folder, "path", "a.png", "b.png", "c.png", "empty.png")
    assert list(photographs.problems) == []
    bad, truncated, good, empty = photographs.read([0, 1, 2, 3])
    for problem, name in ((bad, "a.png"), (truncated, "b.png"), (empty, "empty.png")):
        assert isinstance(problem, UnreadablePhotograph)
        assert str(folder / name) in str(problem)
    assert "empty" in str(empty)
    assert good.image.shape == (6, 8, 3)
    assert good.image[0, 0].tolist() == [2, 100, 200]


def test_the_fingerprint_changes_when_a_file_does(folder):
    first = open_csv(folder, "path", "a.png", "b.png").fingerprint
    assert open_csv(folder, "path,emotion", "a.png,sad", "b.png,sad").fingerprint == first
    os.utime(folder / "a.png", ns=(0, 0))
    assert open_csv(folder, "path", "a.png", "b.png").fingerprint != first


# The registry.


def test_an_unknown_source_or_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"source is 'radboud'; expected one of rendered, manifest, olivetti, rafd"):
        open_photographs("faces", "radboud")
    with pytest.raises(ValueError, match="source 'manifest' needs parameter folder"):
        open_photographs("faces", "manifest")
    with pytest.raises(FileNotFoundError, match=r"folder is .*nowhere, which does not exist; set"):
        open_photographs("faces", "manifest", folder=str(tmp_path / "nowhere"))
    for source in SOURCES:
        with pytest.raises(ValueError, match="variant is 'nonsense'"):
            open_photographs("faces", source, folder=str(tmp_path), variant="nonsense")


def test_sources_are_those_of_the_schema_and_the_catalogue():
    assert set(SOURCES) == set(get_args(Source)) == set(CATALOGUE) | {"rendered", "manifest"}


def test_rendered_photographs_are_what_the_renderer_draws():
    photographs = open_photographs("rafd-frontal", "rendered", n_faces=16, seed=3)
    images, _ = render_faces(stand_in_labels("rafd-frontal", n_faces=16, seed=3).iloc[[5, 2]])
    # Which face covers a pixel can hang on a float's last bit: nearly equal to its own, unlike the other.
    own, other = (np.abs(photographs.read([2])[0].image.astype(int) - image).mean() for image in images[::-1])
    assert own < 0.5 < 5 < other
    assert photographs.labels["emotion"].notna().all()
    assert photographs.digest == open_photographs("rafd-frontal", "rendered", n_faces=16, seed=3).digest
    assert photographs.digest != open_photographs("rafd-frontal", "rendered", n_faces=16).digest
    with pytest.raises(ValueError, match="no rendered stand-in for 'mine'; choose one of rafd-frontal"):
        open_photographs("mine", "rendered")


@pytest.mark.parametrize(("name", "n_photographs"), [("london", 204), ("genki4k", 4000), ("cmu_faces", 624)])
def test_real_photographs_open_and_decode(name, n_photographs):
    root = os.environ.get("FERGAN_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"needs real photographs in $FERGAN_DATA/{name}")
    photographs = open_photographs(name, "manifest", folder=f"{root}/{name}")
    assert len(photographs) == n_photographs and list(photographs.problems) == []
    assert all(read.image.ndim == 3 for read in photographs.read(range(0, n_photographs, n_photographs // 10)))
