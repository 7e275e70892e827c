"""Photographs of every kind give the same RGB or are refused; faces are found, cropped and accounted for."""

import json
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from PIL import Image
from tiny import WITH_TESTS, kill_when, write_pictures
from torchvision.ops import box_iou

from fergan.data import collections, config, cropping, detection, photographs
from fergan.data.checks import check_photographs
from fergan.data.collections import open_photographs
from fergan.data.config import CATALOGUE, FacesConfig, Published, SetConfig
from fergan.data.cropping import CroppingAccount, border_share, crop_face, make_faces, tried
from fergan.data.detection import MTCNNDetector, ViolaJones, face_rate, portrayed
from fergan.data.faces import FACE_SIZE, FaceSet, complete_labels
from fergan.data.photographs import Photograph, Photographs, UnreadablePhotograph, read_photographs
from fergan.facs import EMOTIONS
from fergan.rendered import render_faces, stand_in_labels

#: A red, a green, a blue and a grey quarter, 32 wide and 24 high.
PIXELS = np.uint8([[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (90, 90, 90)]]).repeat(12, axis=0).repeat(16, axis=1)
ANIMATED = dict(save_all=True, append_images=[Image.new("RGB", (32, 24), "white")], lossless=True)
DEEP = np.linspace(0, 255, 120).round().astype(np.int64).reshape(10, 12)
PEOPLE = [f"{session}{sex}{number:02d}" for session in "A" for sex in "FM" for number in range(1, 6)]


def read_photograph(path):
    (read,) = read_photographs([path])
    assert isinstance(read, Photograph), read
    return read.image


@pytest.fixture(scope="module")
def large():
    """A smooth picture, 1600 wide and 1200 high, no two places of which are alike."""
    x, y = np.meshgrid(np.linspace(0, 255, 1600), np.linspace(0, 255, 1200))
    return np.stack([x, y, 255 - x], axis=-1).round().astype(np.uint8)


def difference(decoded, expected):
    return np.abs(decoded.astype(int) - expected).max()


@pytest.mark.parametrize(("name", "options", "tolerance"), [
    *((f"a.{kind}", {}, 0) for kind in ("png", "bmp", "tif", "ppm", "jp2")), ("a.webp", {"lossless": True}, 0),
    ("a.avif", {"quality": 100, "subsampling": "4:4:4"}, 3), ("a.jpg", {"quality": 100, "subsampling": 0}, 3),
    ("no-suffix", {"format": "PNG"}, 0), *((f"a.{kind}", ANIMATED, 2) for kind in ("gif", "png", "webp", "tif")),
])
def test_every_common_format_gives_the_same_rgb_and_a_film_its_first(tmp_path, name, options, tolerance):
    Image.fromarray(PIXELS).save(tmp_path / name, **options)
    decoded = read_photograph(tmp_path / name)
    assert decoded.dtype == np.uint8 and difference(decoded, PIXELS) <= tolerance


def test_transparent_parts_are_white(tmp_path):
    picture = Image.fromarray(PIXELS)
    picture.putalpha(Image.fromarray((PIXELS[..., 0] == 200).astype(np.uint8) * 255))
    picture.save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "alpha.png"), np.where(PIXELS[..., :1] == 200, PIXELS, 255))
    picture.convert("LA").save(tmp_path / "grey-alpha.png")
    assert (read_photograph(tmp_path / "grey-alpha.png")[12:] == 255).all()


@pytest.mark.parametrize("name", ["grey.png", "grey.pgm", "grey.tif"])
def test_grey_of_eight_and_sixteen_bits_keeps_its_brightness_and_a_pgm_file_says_what_is_white(tmp_path, name):
    Image.fromarray(DEEP.astype(np.uint8)).save(tmp_path / name)
    Image.fromarray(DEEP.astype(np.uint16) * 256 + 77).save(tmp_path / f"deep-{name}")
    for file in (name, f"deep-{name}"):
        np.testing.assert_array_equal(read_photograph(tmp_path / file), np.repeat(DEEP[..., None], 3, axis=2))
    for maximum in (4095, 1023):
        pixels = (DEEP * (maximum + 1) // 256).astype(">u2")
        (tmp_path / "deep.pgm").write_bytes(b"P5 12 10 %d\n" % maximum + pixels.tobytes())
        assert difference(read_photograph(tmp_path / "deep.pgm")[..., 0], DEEP) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("least_side", [None, 12])
def test_a_photograph_stored_turned_or_mirrored_is_set_upright(tmp_path, large, orientation, least_side):
    names = ["", "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270"]
    upright = Image.fromarray(large).resize((64, 48))
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose[names[orientation - 1]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=100, subsampling=0)
    (photograph,) = read_photographs([tmp_path / "turned.jpg"], least_side)
    assert photograph.size == (64, 48)
    height, width = photograph.image.shape[:2]
    assert (width, height) == ((64, 48) if least_side is None else (16, 12))
    assert difference(photograph.image, np.asarray(upright.resize((width, height), Image.Resampling.BOX))) <= 4


@pytest.mark.parametrize(("name", "decoded"), [("a.jpg", (400, 300)), ("a.png", (1600, 1200))])
def test_large_photographs_are_reduced_and_jpeg_files_decoded_small(tmp_path, large, monkeypatch, name, decoded):
    sizes = []
    convert = photographs._to_rgb
    monkeypatch.setattr(photographs, "_to_rgb", lambda image: sizes.append(image.size) or convert(image))
    Image.fromarray(large).save(tmp_path / name)
    (photograph,) = read_photographs([tmp_path / name], least_side=300)
    assert sizes == [decoded] and photograph.image.shape == (300, 400, 3)
    assert photograph.size == (1600, 1200) and photograph.scale.tolist() == [4, 4]
    blocks = large.reshape(300, 4, 400, 4, 3).mean(axis=(1, 3))
    assert np.abs(photograph.image - blocks).max() <= 8  # JPEG's own error
    for least_side in (299, 301, 599, 601, 1200, 1201):  # the shorter side keeps what it must
        (photograph,) = read_photographs([tmp_path / name], least_side)
        shorter = min(photograph.image.shape[:2])
        assert min(least_side, 1200) <= shorter <= 1200 and shorter < 2 * least_side
        np.testing.assert_allclose(photograph.scale * photograph.image.shape[1::-1], (1600, 1200))


def refused(path, least_side=None):
    (read,) = read_photographs([path], least_side)
    assert isinstance(read, UnreadablePhotograph) and str(path) in str(read)
    return str(read)


@pytest.mark.parametrize(("write", "reason"), [
    (lambda path: None, "No such file"),
    (lambda path: path.mkdir(), "directory"),
    (lambda path: path.touch(), "the file is empty"),
    (lambda path: path.write_text("Bring the photographs on Monday."), "not an image of a kind that is read (JPEG, PNG"),
    (lambda path: path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)), "save it as JPEG or PNG"),
    (lambda path: Image.new("RGB", (8, 8)).save(path, "EPS"), "not an image of a kind that is read"),  # needs Ghostscript
    (lambda path: Image.fromarray(np.ones((8, 8), np.float32)).save(path, "TIFF"), "floating-point pixels"),
    (lambda path: Image.fromarray((DEEP * 2**22).astype(np.int32)).save(path, "TIFF"), "pixels with a sign or of 32 bits"),
])  # fmt: skip
def test_what_is_no_photograph_is_refused_by_name(tmp_path, write, reason):
    write(tmp_path / "a.jpg")
    assert reason in refused(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.bmp", "a.webp"])
def test_a_truncated_file(tmp_path, large, name):
    Image.fromarray(large[:600]).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert refused(tmp_path / name) and refused(tmp_path / name, 300)


def test_pixels_whose_range_is_unknown_are_refused_and_an_exif_block_of_a_wrong_type_says_nothing(tmp_path):
    for kind in (np.uint16, np.int32):
        Image.fromarray((DEEP * 16 + 5).astype(kind)).save(tmp_path / "dark.tif")
        assert "what is white is unknown; save it with 8 bits" in refused(tmp_path / "dark.tif")
    cv2.imwrite(str(tmp_path / "dark.png"), np.repeat(DEEP[..., None] * 16, 3, axis=2).astype(np.uint16))
    assert "what is white is unknown" in refused(tmp_path / "dark.png"), "nor are twelve bits of colour in sixteen"
    ascii_orientation = struct.pack("<HHII", 0x0112, 2, 4, 0x00414141)  # letters where a number belongs
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + ascii_orientation + bytes(4)
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=block)
    assert difference(read_photograph(tmp_path / "a.jpg"), PIXELS) <= 3


@pytest.mark.parametrize("size", [(12_000, 9_000), (14_000, 13_000)])  # the second is what Pillow takes for an attack
def test_a_decompression_bomb_is_refused_before_decoding(tmp_path, monkeypatch, size):
    Image.new("1", size).save(tmp_path / "bomb.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("the image was decoded"))
    assert "above 100 megapixels; reduce it" in refused(tmp_path / "bomb.png")


def test_order_is_kept_and_a_collection_reads_its_rows_and_has_a_digest_of_labels_and_files(tmp_path, monkeypatch, large):
    paths = [tmp_path / f"{number}.png" for number in range(20)]
    for number, path in enumerate(paths):
        Image.new("L", (4, 4), number).save(path)
    paths[7].write_text("no image")
    for n_threads in (1, 3):
        monkeypatch.setattr(photographs, "available_threads", lambda n=n_threads: n)
        read = read_photographs(paths)
        assert isinstance(read.pop(7), UnreadablePhotograph)
        assert [photograph.image[0, 0, 0] for photograph in read] == [n for n in range(20) if n != 7]
    collection = Photographs()
    collection.folder, collection.labels = tmp_path, pd.DataFrame({"source": ["a.jpg", "missing.jpg", "b.jpg", "flat.png"]})
    Image.fromarray(large).save(tmp_path / "a.jpg")
    Image.fromarray(large[:600, :800]).save(tmp_path / "b.jpg")
    Image.new("RGB", (562, 762)).save(tmp_path / "flat.png")
    missing, whole, flat = collection.read([1, 0, 3])
    assert isinstance(missing, UnreadablePhotograph)
    assert "flat.png: one flat colour" in str(flat) and whole.image.shape == (1200, 1600, 3)
    a, b = collection.read([0, 2], 600)
    assert a.image.shape == b.image.shape == (600, 800, 3) and (a.size, b.size) == ((1600, 1200), (800, 600))

    def digest(folder="a", fingerprint="x", emotion="sad"):
        collection = Photographs()
        collection.folder, collection.fingerprint = tmp_path / folder, fingerprint
        collection.labels = pd.DataFrame({"source": ["1.png"], "emotion": [emotion]})
        return collection.digest

    assert digest() == digest(folder="b")
    assert len({digest(), digest(fingerprint="y"), digest(emotion="happy")}) == 3


def publish(monkeypatch, source="kdef", variant="session-a", **numbers):
    """Let the catalogue say that a variant of a set is as large as this."""
    record = CATALOGUE[source].model_copy(update={"variants": {"": Published(), variant: Published(**numbers)}})
    monkeypatch.setitem(config.CATALOGUE, source, record)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Ten people of KDEF's first session, and a catalogue that says that this is all: 350 photographs."""
    names = [name for name in collections.kdef_names("session-a") if name[:4] in PEOPLE]
    write_pictures(tmp_path, *(f"{name[:4]}/{name}" for name in names))
    emotions = {emotion: 50 for emotion in EMOTIONS if emotion != "contemptuous"}
    publish(monkeypatch, photographs=350, people=10, emotions=emotions)
    monkeypatch.setattr(collections, "kdef_names", lambda variant: names)
    return tmp_path


def check(folder: Path, **options):
    photographs = open_photographs("kdef", "kdef", folder=str(folder), variant="session-a")
    return check_photographs(photographs, "kdef", "session-a", **options)


def test_a_whole_set_is_as_published_few_missing_photographs_are_a_warning_and_many_a_fault(tree):
    report = check(tree)
    assert (report.photographs, report.people, sum(report.emotions.values())) == (350, 10, 350)
    assert report.faults == report.warnings == []
    assert report.lines()[0] == "KDEF, session-a: 350 photographs, people: 10" and report.lines()[-1] == "as published"
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("AF0*AFS.JPG"))
    (tree / names[0]).unlink()
    report = check(tree)
    assert report.faults == []
    for words in ("349 photographs; published are 350", "49 fearful (50)", f"files that are missing: 1, the first {Path(names[0]).name}"):
        assert words in "\n".join(report.warnings)
    shutil.rmtree(tree / "AF05")
    report = check(tree)
    assert report.faults == ["314 photographs; KDEF, session-a has 350, and at least 315 are needed to speak of it"]
    assert "9 people; published are 10" in report.warnings


def test_too_few_people_a_surplus_or_many_copies_are_faults(tree, monkeypatch):
    publish(monkeypatch, photographs=350, people=20)
    assert check(tree).faults == ["10 people; published are 20"]
    publish(monkeypatch, photographs=5000, people=70, least=300)  # a set of which a part may be used
    report = check(tree)
    assert report.faults == [] and report.warnings == ["350 photographs; published are 5,000", "10 people; published are 70"]
    publish(monkeypatch, photographs=319, people=10)  # 350 are not a tenth more
    assert check(tree).faults == [] and "350 photographs; published are 319" in check(tree).warnings
    publish(monkeypatch, photographs=318, people=10)
    assert check(tree).faults == ["350 photographs; KDEF, session-a has 318: something lies in the folder twice, or does not belong"]
    publish(monkeypatch, photographs=350, people=10)
    for person, n_copies in (("AF01", 34), ("AF02", 1), ("AF03", 1)):
        first, *others = sorted((tree / person).glob("*.JPG"))
        for path in others[:n_copies]:
            shutil.copy(first, path)
        report = check(tree)
        assert bool(report.faults) == (person == "AF03")
    assert report.faults[0].startswith("photographs there more than once: 36 of 350, for example AF01/AF01AFFL.JPG and ")


def test_an_emotion_that_is_absent_is_a_fault(tree):
    for path in tree.rglob("*SU*.JPG"):
        path.rename(path.with_name(path.name.replace("SU", "XX")))
    report = check(tree)
    assert "no photograph is surprised" in report.faults
    left_out = "no part of this set, and left out: 50, the first AF01/AF01XXFL.JPG (emotion 'XX'"
    assert any(left_out in warning for warning in report.warnings)
    unused = check(tree, used=("Action Units",))
    assert "no photograph is surprised" in unused.warnings and "no photograph is surprised" not in unused.faults


def test_damaged_files_are_named_with_the_reason_and_those_with_a_film_after_their_end_are_whole(tree):
    whole = (tree / "AF01" / "AF01AFS.JPG").read_bytes()
    for name, content in (("AFS", whole[:-30]), ("ANS", b""), ("DIS", b"<html>please log in</html>")):
        (tree / "AF01" / f"AF01{name}.JPG").write_bytes(content)
    for path in tree.glob("A?04/*.JPG"):
        path.write_bytes(path.read_bytes() + b"\0\0\0\x18ftypmp42" + bytes(500))
    report = check(tree)
    reasons = {"AF01/AF01AFS.JPG": "truncated", "AF01/AF01ANS.JPG": "empty", "AF01/AF01DIS.JPG": "not an image"}
    assert report.faults == [] and set(report.unreadable) == set(reasons)
    assert all(words in report.unreadable[path] for path, words in reasons.items())
    assert any(warning.startswith("files that are unreadable: 3, the first AF01/AF01AFS.JPG (") for warning in report.warnings)
    for path in (*tree.glob("AF02/*.JPG"), *tree.glob("AF03/*.JPG")):
        path.write_bytes(b"")
    assert "73 of 350 photographs are empty or unreadable" in check(tree).faults


@pytest.mark.parametrize(("kind", "mode"), [("PPM", "RGB"), ("PPM", "L"), ("AVIF", "RGB"), ("TIFF", "L"), ("WEBP", "RGB"), ("BMP", "L")])
def test_other_formats_are_whole_and_portable_pixmaps_that_are_cut_off_are_found(tmp_path, kind, mode):
    image = Image.linear_gradient("L").resize((40, 30)).convert(mode)
    for number, name in enumerate(("a.img", "b.img")):
        image.rotate(180 * number).save(tmp_path / name, kind)
    (tmp_path / "labels.csv").write_text("path\na.img\nb.img\n")
    cut = (tmp_path / "a.img").read_bytes()[:-1]
    reports = []
    for content in ((tmp_path / "a.img").read_bytes(), cut):
        (tmp_path / "a.img").write_bytes(content)
        reports.append(check_photographs(open_photographs("x", "manifest", folder=str(tmp_path)), "manifest"))
    assert [list(report.unreadable) for report in reports] == [[], ["a.img"] if kind == "PPM" else []]


def test_the_same_photograph_within_and_across_people(tree):
    shutil.copy(tree / "AF01/AF01AFS.JPG", tree / "AF01/AF01ANS.JPG")  # under another emotion of the same person
    shutil.copy(tree / "AM02/AM02NES.JPG", tree / "AM03/AM03NES.JPG")  # under another person
    report = check(tree)
    assert report.repeated == [["AF01/AF01AFS.JPG", "AF01/AF01ANS.JPG"]]
    assert report.shared == [["AM02/AM02NES.JPG", "AM03/AM03NES.JPG"]] and report.faults == []
    for words in ("filed under several people: 1 of 350, for example AM02/AM02NES.JPG and AM03/AM03NES.JPG",
                  "there more than once: 1 of 350, for example AF01/AF01AFS.JPG",
                  "under different emotions: 1 of 350, for example AF01/AF01AFS.JPG and AF01/AF01ANS.JPG"):
        assert f"photographs {words}" in "\n".join(report.warnings)
    for emotion in ("NES", "HAS", "SAS"):
        shutil.copy(tree / f"AM02/AM02{emotion}.JPG", tree / f"AM04/AM04{emotion}.JPG")
    assert any("filed under several people: 4 of 350" in fault for fault in check(tree).faults)
    # Files that agree in size and samples but not in content are no duplicates.
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90), dtype=np.uint8))
    noise.save(tree / "noise.bmp")
    for name, value in (("AF01AFS.JPG", 1), ("AM01AFS.JPG", 2), ("AM02AFS.JPG", 1)):
        content = bytearray((tree / "noise.bmp").read_bytes())
        content[3000] = value  # neither at the start, in the middle nor at the end
        (tree / name[:4] / name).write_bytes(content)
    found = check(tree).shared
    assert ["AF01/AF01AFS.JPG", "AM02/AM02AFS.JPG"] in found and not any("AM01/AM01AFS.JPG" in files for files in found)


def test_a_photograph_in_both_parts_of_a_split_is_a_warning_and_a_manifest_has_nothing_to_compare_with(tmp_path):
    write_pictures(tmp_path, "a.png", "c.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text("path,emotion\na.png,happy\nb.png,happy\nc.png,sad\ngone.png,sad\n")
    report = check_photographs(open_photographs("mine", "manifest", folder=str(tmp_path)), "manifest")
    assert (report.title, report.people, report.emotions) == ("mine", 0, {"happy": 2, "sad": 1})
    missing, again, nobody = report.warnings
    assert report.faults == [] and missing == "files that are missing: 1, the first gone.png"
    assert again == "photographs there more than once: 1 of 3, for example a.png and b.png"
    assert nobody.startswith("nobody is named") and "people never seen" in nobody
    rendered = check_photographs(open_photographs("rafd-frontal", "rendered", n_faces=16), "rendered")
    assert rendered.faults == rendered.warnings == [] and "nothing wrong was found" in rendered.lines()
    films = tmp_path / "sfew"
    write_pictures(films, "Train/Angry/Juno_1_2.png", "Val/Angry/Juno_1_3.png", "Train/Angry/Juno_1_4.png")
    shutil.copy(films / "Train/Angry/Juno_1_2.png", films / "Val/Angry/Juno_1_3.png")
    report = check_photographs(open_photographs("sfew", "sfew", folder=str(films)), "sfew")
    both = "1 of 3, for example Train/Angry/Juno_1_2.png and Val/Angry/Juno_1_3.png"
    assert f"photographs in more than one part of the official split: {both}" in report.warnings
    assert report.faults[1] == "no photograph is disgusted, fearful, happy, neutral, sad, surprised"


def test_counts_of_the_catalogue_add_up():
    for source, record in CATALOGUE.items():
        assert "" in record.variants
        for name, variant in record.variants.items():
            assert {*variant.emotions, *variant.present} <= set(EMOTIONS)
            labelled = 327 if (source, name) == ("ck-plus", "apex") else variant.photographs
            assert not variant.emotions or source == "ck-plus" != name or sum(variant.emotions.values()) == labelled


def test_sequences_of_ck_plus_that_are_not_coded_are_counted(tmp_path, monkeypatch):
    for number in range(1, 11):
        write_pictures(tmp_path, *(f"a/S005_{number:03d}_{frame:08d}.png" for frame in (1, 2)))
        (tmp_path / f"S005_{number:03d}_00000002_facs.txt").write_text("12 3")
    publish(monkeypatch, "ck-plus", "", photographs=20, people=1, coded=10)

    def judge(**options):
        report = check_photographs(open_photographs("ck", "ck-plus", folder=str(tmp_path)), "ck-plus", **options)
        return report.faults, report.warnings

    assert judge() == ([], [])
    for number in range(1, 11):
        (tmp_path / f"S005_{number:03d}_00000002_facs.txt").unlink()
        text = f"{10 - number} photographs are coded for Action Units; published are 10"
        faults, warnings = judge()
        assert (faults, text in warnings) == ([text] if number > 1 else [], number == 1)
        assert sum("no FACS file" in warning for warning in warnings) == min(number, 5)
        assert ("5 more like these" in warnings) == (number == 10)
    assert judge(used=("emotions",))[0] == []


FOUND = [0, 2, 3, 5, 6, 7, 8]


class Numbered(Photographs):
    """Ten photographs, each of its own number's brightness; number 4 is unreadable."""

    name = "numbered"
    fingerprint = "ten"
    problems = ("a table has no header",)

    def __init__(self):
        self.labels = complete_labels(pd.DataFrame({
            "source": [f"{n}.png" for n in range(10)], "emotion": ["happy"] * 4 + ["sad"] * 4 + [None] * 2,
            "view": ["left", "right"] * 5}))
        self.asked: list[int] = []

    def read(self, rows, least_side=None):
        self.asked += rows
        return [UnreadablePhotograph("4.png: broken") if n == 4 else Photograph(np.full((70, 70, 3), n, np.uint8), (70, 70))
                for n in rows]


def finds(*, fails_at=None):
    """A detector that finds a face in all but photographs 1 and 9, and fails at one."""
    def detect(images):
        numbers = [int(image[0, 0, 0]) for image in images]
        if fails_at in numbers:
            raise KeyboardInterrupt
        boxes = np.array([[n, 0, n + 64, 64, np.nan if n == 2 else 0.9, 2 if n == 3 else 1] for n in numbers]).reshape(-1, 6)
        boxes[np.isin(numbers, (1, 9))] = np.nan
        return boxes

    return detect


def files(folder, *names):
    photographs = Photographs()
    photographs.name, photographs.folder, photographs.fingerprint = "files", folder, ""
    photographs.labels = complete_labels(pd.DataFrame({"source": names, "view": "front"}))
    return photographs


@pytest.fixture
def crop(tmp_path, monkeypatch):
    """Crop into a folder; without margin unless told."""
    def make(photographs=None, detector=None, folder=tmp_path / "faces", batch_size=64, **config):
        monkeypatch.setattr(cropping, "make_detector", lambda config: SimpleNamespace(detect=detector or finds()))
        make_faces(folder, FacesConfig(**{"margin": 0.0} | config), photographs=photographs or Numbered(),
                   batch_size=batch_size, progress=False)
        return FaceSet.load(folder), CroppingAccount.load(folder)

    return make


def check_faces(faces, account):
    assert faces.name == "numbered" and faces.images[:, 0, 0, 0].tolist() == FOUND
    assert faces.labels["source"].tolist() == [f"{n}.png" for n in FOUND]
    assert faces.labels["box_left"].tolist() == FOUND and faces.labels["box_right"].tolist() == [n + 64 for n in FOUND]
    assert np.isnan(faces.labels["detection_probability"][1])
    assert (faces.labels["detection_probability"].drop(1) == 0.9).all() and faces.labels["detected"].all()

    def lost(**of):
        return {word.replace("_", " "): dict(photographs=n, lost=lost, fraction=lost / n) for word, (n, lost) in of.items()}

    # Photographs 7 and 8 are 70 pixels wide, and their boxes end at 71 and 72.
    assert asdict(account) == dict(
        photographs=10, unreadable=[{"source": "4.png", "reason": "4.png: broken"}], no_face=["1.png", "9.png"],
        nominal=[], several=["3.png"], border=pytest.approx((1 + 2) / 64 / 7), problems=["a table has no header"],
        lost_by_emotion=lost(happy=(4, 1), sad=(4, 1), not_labelled=(2, 1)), lost_by_view=lost(left=(5, 1), right=(5, 2)))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_what_cannot_be_read_or_found_is_listed_and_the_rest_is_cropped(crop, tmp_path, batch_size):
    check_faces(*crop(batch_size=batch_size))
    assert sorted(path.name for path in (tmp_path / "faces").iterdir()) == [
        "account.json", "faceset.json", "images.npy", "labels.parquet"], "half-made work was left"


def test_undetected_faces_can_take_the_median_box_of_their_view_and_where_none_is_found_one_is_told(crop, tmp_path):
    faces, account = crop(nominal_box=True, batch_size=3)
    assert faces.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]  # in the photographs' order, 4 is unreadable
    blind = faces.labels[~faces.labels["detected"]]
    assert blind["source"].tolist() == account.nominal == ["1.png", "9.png"]
    assert blind["box_left"].tolist() == [5, 5]  # of 3, 5 and 7, the found faces seen from the right
    assert blind["detection_probability"].isna().all()
    assert account.no_face == [] and account.lost_by_view["right"]["lost"] == 2
    message = r"numbered: mtcnn found no face in any of 10 photographs, of which 1 are unreadable .*4.png: broken.*try"
    with pytest.raises(ValueError, match=message):
        crop(detector=lambda images: np.full((len(images), 6), np.nan), folder=tmp_path / "none")


def test_an_interrupted_run_goes_on_where_it_stopped_unless_its_parameters_or_photographs_changed(crop):
    class Other(Numbered):
        fingerprint = "other pixels"

    for numbered, changes, expected in ((Numbered(), {}, [6, 7, 8, 9]), (Other(), {}, range(10)),
                                        (Numbered(), {"min_face_fraction": 0.1}, range(10))):
        with pytest.raises(KeyboardInterrupt):
            crop(detector=finds(fails_at=6), batch_size=2)
        check_faces(*crop(numbered, batch_size=2, **changes))
        assert numbered.asked == list(expected)


def test_where_photographs_lie_is_no_part_of_what_changes_the_crops():
    a, b = (SetConfig(source="kdef", folder=folder, optional=True, epochs=n) for folder, n in (("a", 1), ("b", None)))
    assert a.faces == b.faces == FacesConfig(source="kdef")
    assert SetConfig(margin=0.2).faces != SetConfig().faces


def test_large_photographs_are_looked_at_reduced_and_boxes_are_the_photographs_own(crop, tmp_path):
    x, y = np.meshgrid(np.linspace(0, 255, 2400), np.linspace(0, 255, 2400))
    whole = np.stack([x, y, 255 - x], axis=-1).round().astype(np.uint8)
    Image.fromarray(whole).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(whole[:, ::-1]).save(tmp_path / "blind.jpg", quality=95)
    Image.fromarray(whole[:400, :400]).save(tmp_path / "small.png")
    photographs, seen = files(tmp_path, "a.jpg", "blind.jpg", "small.png"), []

    def middle(images):
        seen.extend(image.shape[:2] for image in images)
        return np.stack([[*np.outer(np.array(image.shape[1::-1]) / 2, [0.75, 1.25]).T.ravel(), 1, 1]
                         if image[0, 0, 0] < 200 else np.full(6, np.nan) for image in images])

    faces, account = crop(photographs, middle, margin=0.1, min_face_fraction=0.25, nominal_box=True)
    assert seen == [(600, 600), (600, 600), (400, 400)], "twice the crop's 64 pixels over a quarter are 512"
    boxes = faces.labels[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
    assert boxes.tolist() == [[900, 900, 1500, 1500], [525, 525, 875, 875], [150, 150, 250, 250]], "the median of both others"
    assert account.nominal == ["blind.jpg"]
    for made, image, box in zip(faces.images, (whole, whole[:, ::-1]), boxes, strict=False):
        assert np.abs(made.astype(int) - crop_face(image, box, 0.1)).max() <= 4
    np.testing.assert_array_equal(faces.images[2], crop_face(whole[:400, :400], boxes[2], 0.1))


def test_a_second_look_with_more_border_finds_a_face_that_is_cut_tight_and_its_border_is_counted(tmp_path):
    tight = skimage.data.astronaut()[82:165, 186:266]
    Image.fromarray(tight).save(tmp_path / "tight.png")
    photographs = files(tmp_path, "tight.png")

    def made(**config):
        config = FacesConfig(**{"detector": "viola-jones"} | config)
        make_faces(tmp_path / "faces", config, photographs=photographs, progress=False)
        return FaceSet.load(tmp_path / "faces"), CroppingAccount.load(tmp_path / "faces")

    with pytest.raises(ValueError, match="found no face"):
        made()
    faces, account = made(padding=0.25)
    left, top, right, bottom = faces.labels[["box_left", "box_top", "box_right", "box_bottom"]].iloc[0]
    assert left < 0 < 60 < right and top < 0 < 60 < bottom, "in pixels of the photograph without what was added"
    assert account.border > 0.1 and account.tight
    assert tried(photographs, FacesConfig(detector="viola-jones", padding=0.25)) == (pytest.approx(account.border), 1, 0)
    assert tried(photographs, FacesConfig(detector="viola-jones")) == (0.0, 1, 1)
    whole, whole_account = made(detector="none")
    np.testing.assert_array_equal(whole.images[0], crop_face(tight, (0, 2, 80, 82), 0))
    assert whole_account.border == 0 and not whole_account.tight


def crop_apart(folder, seconds):
    """Crop in a process of its own, which pauses before each photograph and prints which it has read."""
    detector = SimpleNamespace(detect=lambda images: time.sleep(seconds) or finds()(images))
    cropping.make_detector, photographs = lambda config: detector, Numbered()
    config = FacesConfig(margin=0.0, nominal_box=True)
    make_faces(Path(folder), config, photographs=photographs, batch_size=1, progress=False)
    print(photographs.asked)


def test_a_killed_process_goes_on_where_it_was_and_gives_the_same_faces(tmp_path):
    def command(folder, seconds):
        code = f"from test_photographs import crop_apart as crop; crop({str(tmp_path / folder)!r}, {seconds})"
        return [sys.executable, "-c", code]

    def done():
        return len(list(tmp_path.glob("resumed/work-*/batch-*.npz")))

    kill_when(lambda: done() >= 3, *command("resumed", 0.3), env=WITH_TESTS)
    n_done, every = done(), [*range(10), 1, 9]  # those without a face are read again for their nominal crops
    assert 3 <= n_done < 10
    for folder, rows in (("resumed", every[n_done:]), ("whole", every)):
        assert json.loads(subprocess.check_output(command(folder, 0), env=WITH_TESTS)) == rows
    for name in ("images.npy", "labels.parquet", "account.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture
def ramp():
    """Column number in red, row number in green, 100 wide and 80 high."""
    image = np.zeros((80, 100, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(100), np.arange(80)[:, None]
    return image


def test_squares_are_cut_out_reduced_enlarged_and_continued_outside_the_photograph(ramp):
    # The margin is added on every side; the longer side decides, around the same centre.
    for box, margin in (((10, 5, 74, 69), 0), ((26, 21, 58, 53), 0.5), ((32, 5, 52, 69), 0)):
        np.testing.assert_array_equal(crop_face(ramp, box, margin), ramp[5:69, 10:74])
    astronaut = skimage.data.astronaut()
    crop = crop_face(astronaut, (100, 50, 228, 178), 0)
    assert np.abs(crop - astronaut[50:178, 100:228].reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))).max() <= 0.5
    steps = np.diff(crop_face(ramp * 2, (10, 10, 42, 42), 0)[32, :, 0].astype(int))
    assert (steps[1:-1] == 1).all(), "pixels were repeated: steps of 0 and 2"
    crop = crop_face(ramp, (-32, -32, 32, 32), 0)
    assert crop.shape == (FACE_SIZE, FACE_SIZE, 3) and (crop[:32, :32] == ramp[0, 0]).all()
    np.testing.assert_array_equal(crop[32:, 32:], ramp[:32, :32])
    assert (crop_face(ramp, (200, 200, 264, 264), 0) == ramp[-1, -1]).all()
    for box, share in (((0, 0, 40, 40), 0), ((-20, 0, 20, 40), 0.5), ((80, 60, 120, 100), 0.75), ((200, 0, 240, 40), 1)):
        assert border_share(ramp, box, 0) == share


TRUE_BOX = (180, 65, 272, 170)  # the face of scikit-image's astronaut, 512 x 512, measured by eye: brow to chin


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module", params=[ViolaJones, MTCNNDetector], ids=["viola-jones", "mtcnn"])
def detector(request):
    return request.param()


def overlap(box, other) -> float:
    return box_iou(*(torch.tensor(np.array([sides[:4]], float)) for sides in (box, other))).item()


def test_a_real_face_is_found_at_every_size_in_the_photographs_own_pixels(detector, astronaut):
    for side in (128, 256, 512, 1024):
        method = cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
        (found,) = detector.detect([cv2.resize(astronaut, (side, side), interpolation=method)])
        assert overlap(found, np.array(TRUE_BOX) * side / 512) > 0.5, side
        assert np.isnan(found[4]) if isinstance(detector, ViolaJones) else found[4] > 0.99, "only MTCNN gives a probability"


def test_order_is_kept_whatever_the_sizes_and_photographs_without_a_face_give_none(detector, astronaut):
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    grey = np.full((256, 256, 3), 128, np.uint8)
    found = detector.detect([half, astronaut, grey, half])
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(found[0], found[3])
    assert overlap(found[0] * 2, found[1]) > 0.8
    np.testing.assert_allclose(found[1], detector.detect([astronaut])[0], atol=0.01)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    sizes = [(1, 1), (10, 400), (20, 20), (21, 3000), (2000, 1), (128, 128)]
    images = [noise, *(np.full((*size, 3), 128, np.uint8) for size in sizes)]
    assert np.isnan(detector.detect(images)).all()
    assert detector.detect([]).shape == (0, 6)


def test_of_several_faces_the_large_central_one_is_taken_and_large_ones_are_counted(detector, astronaut):
    face = astronaut[30:230, 110:330]
    scene = np.full((400, 500, 3), 160, np.uint8)
    scene[110:310, 140:360] = face
    scene[:100, :110] = cv2.resize(face, (110, 100), interpolation=cv2.INTER_AREA)
    (found,) = type(detector)(min_face_fraction=0.05).detect([scene])
    assert overlap(found, np.array(TRUE_BOX) + np.array([30, 80, 30, 80])) > 0.5 and found[5] == 2
    assert type(detector)(min_face_fraction=0.05).detect([scene[100:]])[0, 5] == 1


def test_of_equally_large_boxes_the_central_one_and_never_an_unsure_one_is_taken():
    image = np.empty((100, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 40, 40], [80, 30, 120, 70], [150, 50, 190, 90]], float)
    assert portrayed(boxes, np.array([9, 9, 9]), image) == (1, 3)
    assert portrayed(boxes, np.array([3, 4, 9]), image) == (2, 1), "those half as sure are no faces"
    boxes[0, 2:] = 150  # larger, so that it outweighs its distance from the centre
    assert portrayed(boxes, np.array([9, 9, 9]), image) == (0, 1), "and those a fourth as wide are others'"
    assert portrayed(np.empty((0, 4)), np.empty(0), image) is None


def test_an_image_on_which_the_library_fails_spoils_no_other_and_a_lack_of_memory_is_an_error(astronaut, monkeypatch):
    detector = MTCNNDetector()
    small = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    broken = np.full_like(small, 255)
    whole = detector._networks.detect

    def fail_on_white(images):
        if (images == 255).flatten(1).all(dim=1).any():
            raise IndexError("as facenet-pytorch does when a box leaves the image")
        return whole(images)

    monkeypatch.setattr(detector._networks, "detect", fail_on_white)
    found = detector.detect([small, broken, small])
    assert np.isnan(found[1]).all() and not np.isnan(found[0]).any()
    np.testing.assert_array_equal(found[0], found[2])
    monkeypatch.setattr(detector._networks, "detect", Mock(side_effect=RuntimeError("CUDA out of memory")))
    with pytest.raises(RuntimeError, match="out of memory"):
        detector.detect([astronaut])


def test_boxes_hang_neither_on_threads_nor_on_neighbours(detector, astronaut, monkeypatch):
    sides = (150, 200, 200, 200, 300, 300, 150, 512, 512)
    images = [cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA) for side in sides]
    own = torch.get_num_threads(), cv2.getNumThreads()
    one, found = type(detector)(min_face_fraction=0.15), []
    for n_threads in (3, 1):
        monkeypatch.setattr(detection, "available_threads", lambda n=n_threads: n)
        found.append(one.detect(images))
    several, together = found
    np.testing.assert_array_equal(together, several)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == own, "others' threads were changed"
    for image, found in zip(images, together, strict=True):
        np.testing.assert_allclose(one.detect([image])[0], found, atol=0.01)


def test_both_detectors_find_frontal_faces_where_they_are_and_mtcnn_turned_ones(detector):
    labels = stand_in_labels("rafd-multiview", n_faces=300)
    asked = ((["frontal"], 0.5, 1), (["yaw+45", "yaw-45"], 0.4, 0.85))
    for views, least, share in asked[: 1 + isinstance(detector, MTCNNDetector)]:
        images, truth = render_faces(pd.concat([labels[labels["view"] == view].iloc[::10][:4] for view in views]))
        boxes = truth[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
        found = detector.detect(list(images))
        assert len(found) == 4 * len(views)
        assert np.mean([overlap(f, box) > least for f, box in zip(found, boxes, strict=True)]) >= share


def test_a_real_crop_is_a_face_and_noise_or_its_shuffled_quarters_are_not(astronaut):
    crop = crop_face(astronaut, TRUE_BOX, 0.1)
    noise = np.random.default_rng(0).integers(0, 256, (FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
    shuffled = np.roll(crop, (FACE_SIZE // 2, FACE_SIZE // 2), axis=(0, 1))
    rates = face_rate(np.stack([crop, noise, shuffled, crop]), batch_size=3)
    assert rates[0] > 0.99 and rates[3] == pytest.approx(rates[0], abs=1e-6) and rates[1:3].tolist() == [0, 0]
    assert face_rate(crop[None], threshold=1.1).tolist() == [0]
    assert face_rate(np.empty((0, FACE_SIZE, FACE_SIZE, 3), np.uint8)).shape == (0,)
