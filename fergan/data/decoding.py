"""From an image file of any common kind to upright RGB pixels."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fergan.data.base import UnreadablePhotograph
from fergan.threads import available_threads, run_threads

__all__ = ["FORMATS", "FilePhotographs", "ReducedPhotograph", "read_photograph", "read_photographs"]

MAX_MEGAPIXELS = 100

#: What is opened. Pillow knows more, but some need another program, which a photograph must not start (EPS: Ghostscript).
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")

#: In files of more than 8 bits the brightest pixel, of 0..255, is at least this. A file whose pixels use less than a
#: sixteenth of their range, for example 12 bits stored in 16, does not say what is white.
LEAST_BRIGHTEST = 16

_DARK = (
    "more than 8 bits, but the brightest pixel is below a sixteenth of their range, so that what is white is unknown; "
    "save it with 8 bits"
)

_BITS, _PHOTOMETRIC, _MAX_SAMPLE_VALUE, _SAMPLE_FORMAT = 258, 262, 281, 339  # tags of TIFF

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


@dataclass(frozen=True)
class ReducedPhotograph:
    """A photograph, perhaps at reduced size.

    Attributes
    ----------
    image : ndarray of shape (height, width, 3), dtype uint8
        RGB, upright.
    size : tuple of two int
        Width and height of the photograph itself, upright, in pixels.
    """

    image: np.ndarray
    size: tuple[int, int]

    @property
    def scale(self) -> np.ndarray:
        """Pixels of the photograph per pixel of the image, along x and y."""
        return np.array(self.size) / self.image.shape[1::-1]


def read_photograph(path: str | Path) -> np.ndarray:
    """Decode one photograph of any common format and depth, upright.

    Parameters
    ----------
    path : str or Path
        An image file of one of `FORMATS`: grey, palette, RGB, CMYK, with or without transparency, 8 or 16 bits; in TIFF
        files also 12 or 32 bits of grey. Of an animation or a file of several pages the first picture is taken.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
        RGB, turned as its EXIF orientation says; transparent parts are white.

    Raises
    ------
    UnreadablePhotograph
        The file is missing, empty, truncated, no image, or above 100 megapixels (then nothing is decoded); or its pixels
        do not say what is white, as in 12 bits stored in 16.
    """
    (photograph,) = read_photographs([path])
    if isinstance(photograph, UnreadablePhotograph):
        raise photograph
    return photograph.image


def read_photographs(
    paths: Sequence[str | Path], least_side: int | None = None, threads: int | None = None
) -> list[ReducedPhotograph | UnreadablePhotograph]:
    """Decode photographs on several threads, large ones at reduced size.

    Parameters
    ----------
    paths : sequence of str or Path
        See `read_photograph`.
    least_side : int, optional
        Photographs may be reduced by a whole number as long as their shorter side keeps this many pixels. A JPEG file is
        then decoded at a half, a quarter or an eighth, which saves most of the time and memory that large ones take.
        Without it, nothing is reduced.
    threads : int, optional
        Without it, as many as this process may use.

    Returns
    -------
    list
        Per path its pixels, or the `UnreadablePhotograph` that says why there are none.
    """

    def read(path: str | Path) -> ReducedPhotograph | UnreadablePhotograph:
        try:
            return _decode(Path(path), least_side)
        except UnreadablePhotograph as problem:
            return problem

    with warnings.catch_warnings():  # around all threads: filters are the whole process's
        warnings.simplefilter("ignore")  # Pillow warns of large images and odd metadata; the limit is ours
        return run_threads(read, paths, min(threads or available_threads(), max(1, len(paths))))


class FilePhotographs:
    """Reading for datasets whose photographs are files: column ``source`` of `labels` names each, relative to `folder`."""

    folder: Path
    labels: pd.DataFrame

    def read(self, rows: Sequence[int]) -> list[np.ndarray | UnreadablePhotograph]:
        """Return the photographs of these rows as RGB uint8 (height, width, 3), or why one cannot be read."""
        read = self.read_reduced(rows, None)
        return [photograph.image if isinstance(photograph, ReducedPhotograph) else photograph for photograph in read]

    def read_reduced(self, rows: Sequence[int], least_side: int | None) -> list[ReducedPhotograph | UnreadablePhotograph]:
        """Return the photographs of these rows, large ones reduced; see `read_photographs`."""
        return read_photographs([self.folder / source for source in self.labels["source"].iloc[list(rows)]], least_side)


def _decode(path: Path, least_side: int | None) -> ReducedPhotograph:
    try:
        if path.stat().st_size == 0:
            raise UnreadablePhotograph(f"{path}: the file is empty")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
                size = f"{image.width} x {image.height} pixels"
                raise UnreadablePhotograph(f"{path}: {size}, above {MAX_MEGAPIXELS} megapixels; reduce it")
            whole = image.size
            if least_side:
                image.draft(None, (least_side, least_side))  # chooses a half, a quarter or an eighth; JPEG only
            tiles = image.tile  # loading forgets how pixels are stored
            image.load()
            deep = image.mode.startswith("I") or any(";16" in str(tile.args) for tile in tiles)
            on_side = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
            ImageOps.exif_transpose(image, in_place=True)
            rgb = _to_rgb(image)
            if deep and rgb.max() < LEAST_BRIGHTEST:
                raise UnreadablePhotograph(f"{path}: {_DARK}")
            return ReducedPhotograph(_reduce(rgb, least_side), whole[::-1] if on_side else whole)
    except UnreadablePhotograph:
        raise
    except Image.DecompressionBombError:
        raise UnreadablePhotograph(f"{path}: above {MAX_MEGAPIXELS} megapixels; reduce it") from None
    except UnidentifiedImageError:
        raise UnreadablePhotograph(f"{path}: {_unknown(path)}; save it as JPEG or PNG") from None
    except Exception as error:  # decoders raise all kinds of errors on damaged files, and one must not stop a dataset
        raise UnreadablePhotograph(f"{path}: {error or type(error).__name__}") from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown; expected 8 or 16 bits")
    if image.mode.startswith("I"):  # Pillow's own conversion would clip at 255
        return np.repeat(_eight_bits(image)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Scale grey pixels of more than 8 bits to 0..255 by the range that the file declares.

    That is 0 to MaxSampleValue or what BitsPerSample allows in TIFF files, 16 bits in all others: Pillow brings the depth
    that PGM and JPEG 2000 declare to 16 bits itself.
    """
    tags = getattr(image, "tag_v2", {})
    bits, signed = tags.get(_BITS, (16,))[0], tags.get(_SAMPLE_FORMAT, (1,))[0] == 2
    pixels = np.asarray(image).astype(np.int64)
    if bits == 32 and not signed:
        pixels &= 0xFFFFFFFF  # Pillow keeps them as if they were signed
    if pixels.min() < 0:
        raise ValueError("negative pixels, whose range is unknown; expected 8 or 16 bits without a sign")
    declared = np.ravel(tags.get(_MAX_SAMPLE_VALUE, 0))[0]
    n_values = 1 + int(declared or 2 ** (bits - signed) - 1)
    grey = np.minimum(pixels * 256 // n_values, 255).astype(np.uint8)
    return 255 - grey if tags.get(_PHOTOMETRIC) == 0 else grey  # zero is white, which Pillow heeds up to 8 bits only


def _reduce(image: np.ndarray, least_side: int | None) -> np.ndarray:
    """Average blocks of pixels where what the decoder left is still twice as large as needed, or more."""
    height, width = image.shape[:2]
    factor = min(height, width) // least_side if least_side else 1
    if factor < 2:
        return image
    return cv2.resize(image, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)


def _unknown(path: Path) -> str:
    with open(path, "rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
        return "a HEIC file, which is not read"
    return f"not an image of a kind that is read ({', '.join(FORMATS)}), or damaged at its start"
