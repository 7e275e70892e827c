"""Photographs: a collection before its faces are cropped, and upright RGB pixels from an image file of any common kind."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import pandas as pd
from PIL import ExifTags, Image, UnidentifiedImageError

from fergan.cache import available_threads, code_hash, run_threads
from fergan.data.faces import complete_labels
from fergan.data.folders import Contents
from fergan.files import hash_array, hash_parameters

MAX_MEGAPIXELS = 100
#: Pillow knows more, but some need another program, which a photograph must not start (EPS: Ghostscript).
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")
#: In files of more than 8 bits the brightest pixel, of 0..255, is at least this. A file whose pixels use less than a
#: sixteenth of their range, for example 12 bits stored in 16, does not say what is white.
LEAST_BRIGHTEST = 16
#: Orientation in the Exif block -> what brings the photograph upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
_ON_SIDE = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}
_RENDERED = 128  # pixels a side
_LISTED = 20  # problems of a kind


class UnreadablePhotograph(Exception):
    """One photograph could not be read; the message names the file and the reason. It is skipped and listed."""


@dataclass(frozen=True)
class Photograph:
    """An upright photograph, perhaps at reduced size."""

    image: np.ndarray  # (height, width, 3), uint8, RGB
    size: tuple[int, int]  # width and height of the photograph itself in pixels

    @property
    def scale(self) -> np.ndarray:
        """Pixels of the photograph per pixel of the image, along x and y."""
        return np.array(self.size) / self.image.shape[1::-1]


class Photographs:
    """A collection before its faces are cropped: photographs that can be read by number, and a row of labels for each."""

    name: str  # what the face set is called
    labels: pd.DataFrame  # see `fergan.data.faces.complete_labels`; ``source`` is relative to the folder
    fingerprint: str  # changes when a photograph is exchanged for another: by names, sizes and times of change
    folder: Path | None = None  # where the photographs are files
    sizes: np.ndarray | None = None  # bytes of each of these files
    missing: Sequence[str] = ()  # photographs that are named and not there
    unknown: Mapping[str, str] = MappingProxyType({})  # pictures of no use, and why
    notes: Sequence[str] = ()  # what else was wrong and could be passed over, one sentence each, naming the file
    coded: int | None = None  # photographs whose Action Units a coder gave; None where that is not told apart

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digest(self) -> str:
        """Hash of the files and of the labels: what crops depend on. The folder may move."""
        labels = pd.util.hash_pandas_object(self.labels).to_numpy()
        return hash_parameters({"files": self.fingerprint, "labels": hash_array(labels)})

    @property
    def problems(self) -> list[str]:
        """All that was wrong and could be passed over, one sentence each; of each kind the first ones, and how many more."""
        unknown = [f"{self.folder / path}: {why}; left out" for path, why in self.unknown.items()]
        problems = []
        for said in (self.notes, unknown, [f"{self.folder / path}: missing, left out" for path in self.missing]):
            problems += said[:_LISTED]
            if len(said) > _LISTED:
                problems.append(f"{self.folder}: {len(said) - _LISTED:,} more like the last")
        return problems

    def read(self, rows: Sequence[int], least_side: int | None = None) -> list[Photograph | UnreadablePhotograph]:
        """Return the photographs of these rows, perhaps reduced (see `read_photographs`); a flat colour is unreadable."""
        paths = [self.folder / source for source in self.labels["source"].iloc[list(rows)]]
        found = read_photographs(paths, least_side)
        for n, (read, path) in enumerate(zip(found, paths, strict=True)):
            # KDEF is shipped with some black pictures; a fixed camera's nominal box would be cropped from them.
            if isinstance(read, Photograph) and np.ptp(read.image[::4, ::4]) < 8 and np.ptp(read.image) < 8:
                found[n] = UnreadablePhotograph(f"{path}: one flat colour, so there is nothing to see")
        return found


class RenderedPhotographs(Photographs):
    """Rendered faces that stand in for one of the paper's datasets, see `fergan.rendered.stand_in_labels`."""

    def __init__(self, name: str, n_faces: int | None = None, seed: int = 0):
        # The renderer needs torch, which takes seconds to import and which own photographs do without.
        from fergan import rendered

        self.name = name
        self._render = rendered.render_faces
        self._recipes = rendered.stand_in_labels(name, n_faces=n_faces, seed=seed).reset_index(drop=True)
        self.labels = complete_labels(self._recipes, where=f"rendered {name}")
        recipes = pd.util.hash_pandas_object(self._recipes).to_numpy().tolist()
        self.fingerprint = hash_parameters({"recipes": recipes, "size": _RENDERED, "code": code_hash(self._render)})

    def read(self, rows: Sequence[int], least_side: int | None = None) -> list[Photograph]:
        """Render the faces of these rows, never reduced."""
        images, _ = self._render(self._recipes.iloc[list(rows)], size=_RENDERED)
        return [Photograph(image, (_RENDERED, _RENDERED)) for image in images]


class FolderPhotographs(Photographs):
    """A collection in a folder, as a loader found it; with `n_faces`, so many photographs are drawn."""

    def __init__(self, name: str, folder: Path, contents: Contents, *, n_faces: int | None = None, seed: int = 0):
        self.name, self.folder = name, contents.root
        self.missing, self.unknown, self.coded = contents.missing, contents.unknown, contents.coded
        self.notes = [*(f"{contents.root / path}" for path in contents.files.refused), *contents.problems]
        labels = contents.labels
        if n_faces is not None and n_faces > len(labels):
            self.notes.append(f"{folder}: {n_faces} faces asked for, {len(labels)} there")
        if n_faces is not None:
            labels = labels.iloc[np.sort(np.random.default_rng(seed).permutation(len(labels))[:n_faces])]
        self.labels = complete_labels(labels, where=str(folder))
        sources = self.labels["source"].tolist()  # a column of strings is slow to walk through
        states = [(path, contents.files[path]) for path in [*sources, *contents.tables]]
        lines = "\n".join(f"{path}|{state.st_size}|{state.st_mtime_ns}" for path, state in states)
        self.fingerprint = hashlib.sha256(lines.encode()).hexdigest()[:10]
        self.sizes = np.array([contents.files[path].st_size for path in sources], dtype=np.int64)


def read_photographs(paths: Sequence[str | Path], least_side: int | None = None) -> list[Photograph | UnreadablePhotograph]:
    """Decode photographs of `FORMATS`, in order, on as many threads as this process may use; transparency becomes white.

    They may be reduced by a whole number as long as the shorter side keeps `least_side` pixels; JPEG files while they are
    decoded, which saves most of the time and memory. Of an animation or of pages the first picture is taken. Unreadable is
    what is missing, empty, cut off, no image, above 100 megapixels, or without a white, as 12 bits stored in 16.
    """
    with warnings.catch_warnings():  # around all threads: filters are the whole process's
        warnings.simplefilter("ignore")  # Pillow warns of large images and odd metadata; the limit is ours
        return run_threads(partial(_decode, least_side=least_side), map(Path, paths), available_threads())


def _decode(path: Path, least_side: int | None) -> Photograph | UnreadablePhotograph:
    try:
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
                raise Image.DecompressionBombError
            whole = image.size
            if least_side:
                image.draft(None, (least_side, least_side))  # chooses a half, a quarter or an eighth; JPEG only
            tiles = image.tile  # loading forgets how pixels are stored
            image.load()
            deep = image.mode.startswith("I") or any(";16" in str(tile.args) for tile in tiles)
            turn, rgb = None, _to_rgb(image)
            with suppress(Exception):  # fields of a wrong type raise all kinds of errors in Pillow; browsers pass them over
                turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
            if deep and rgb.max() < LEAST_BRIGHTEST:
                raise ValueError("more than 8 bits, but the brightest pixel is below a sixteenth of their range, so that "
                                 "what is white is unknown; save it with 8 bits")
            upright = rgb if turn is None else np.array(Image.fromarray(rgb).transpose(turn))
            return Photograph(_reduce(upright, least_side), whole[::-1] if turn in _ON_SIDE else whole)
    except Image.DecompressionBombError:
        return UnreadablePhotograph(f"{path}: above {MAX_MEGAPIXELS} megapixels; reduce it")
    except UnidentifiedImageError:
        kinds = f"not an image of a kind that is read ({', '.join(FORMATS)}), or damaged at its start"
        return UnreadablePhotograph(f"{path}: {kinds}; save it as JPEG or PNG")
    except Exception as error:  # decoders raise all kinds of errors on damaged files, and one must not stop a dataset
        return UnreadablePhotograph(f"{path}: {error or type(error).__name__}")


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown; expected 8 or 16 bits")
    if image.mode.startswith("I"):  # grey of 16 bits, which Pillow's own conversion would clip at 255
        pixels = np.asarray(image)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ValueError("pixels with a sign or of 32 bits, whose range is unknown; expected 8 or 16 bits")
        return np.repeat((pixels // 256).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _reduce(image: np.ndarray, least_side: int | None) -> np.ndarray:
    """Average blocks of pixels where what the decoder left is still twice as large as needed, or more."""
    height, width = image.shape[:2]
    factor = min(height, width) // least_side if least_side else 1
    if factor < 2:
        return image
    return cv2.resize(image, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
