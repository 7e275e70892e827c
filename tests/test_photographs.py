"""Each way of storing the same picture gives the same RGB, and what cannot be read is refused by name."""

import struct

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fergan.data import photographs
from fergan.data.photographs import Photograph, Photographs, UnreadablePhotograph, read_photographs

#: A red, a green, a blue and a grey quarter, 32 wide and 24 high.
PIXELS = np.uint8([[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (90, 90, 90)]]).repeat(12, axis=0).repeat(16, axis=1)
ANIMATED = dict(save_all=True, append_images=[Image.new("RGB", (32, 24), "white")], lossless=True)
DEEP = np.linspace(0, 255, 120).round().astype(np.int64).reshape(10, 12)


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
