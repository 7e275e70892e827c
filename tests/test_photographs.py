"""Each way of storing a picture gives the same RGB, what cannot be read is refused, planted faults are found."""

import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tiny import write_pictures

from fergan.data import collections, config, photographs
from fergan.data.checks import check_photographs
from fergan.data.collections import open_photographs
from fergan.data.config import CATALOGUE, Published
from fergan.data.photographs import Photograph, Photographs, UnreadablePhotograph, read_photographs
from fergan.facs import EMOTIONS

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
