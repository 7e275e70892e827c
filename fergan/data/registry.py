"""Where photographs can come from. A new collection is a function, a record in catalogue.yaml and one line here."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.cache import code_hash
from fergan.data import cohn_kanade, collections
from fergan.data.catalogue import CATALOGUE
from fergan.data.faces import complete_labels
from fergan.data.folders import Contents, FileState, FolderPhotographs, draw_rows, fingerprint_of, some_of
from fergan.data.manifest import has_manifest, read_manifest
from fergan.data.photographs import Photograph, Photographs
from fergan.files import hash_parameters

#: Collections in folders -> what reads each; takes (folder, variant, csv).
LOADERS: dict[str, Callable[[Path, str, str], Contents]] = {
    "rafd": collections.read_rafd,
    "kdef": collections.read_kdef,
    "raf-db": collections.read_raf_db,
    "celeba": collections.read_celeba,
    "ck-plus": cohn_kanade.read_ck_plus,
    "enhanced-ck": cohn_kanade.read_enhanced_ck,
    "sfew": collections.read_sfew,
    "lfw": collections.read_lfw,
    "genki": collections.read_genki,
    "cmu-faces": collections.read_cmu_faces,
    "london": collections.read_london,
}
SOURCES = ("rendered", "manifest", "olivetti", *LOADERS)

#: The array that ``python -m fergan.data.fetch olivetti FOLDER`` writes, and the file of which scikit-learn makes it.
ARRAY, MATLAB = "olivetti_faces.npy", "olivettifaces.mat"

_SIDE, _PER_PERSON = 64, 10  # pixels, photographs
_RENDERED = 128  # pixels a side


def open_photographs(
    name: str, source: str, *, folder: str | None = None, csv: str = "labels.csv", variant: str = "",
    n_faces: int | None = None, seed: int = 0,
) -> Photographs:  # fmt: skip
    """Open a collection before its faces are cropped.

    Args:
        name: What the face set is called; for ``"rendered"``, which stand-in.
        source: One of `SOURCES`.
        folder, csv: Where the photographs lie (see catalogue.yaml), and their table there: of frames for ``"enhanced-ck"``,
            else with a column ``path``. A folder of any collection but ``"olivetti"`` may hold such a table too: then it is
            read as ``"manifest"``, whatever its files are called.
        variant: Which part of the collection; empty takes its default.
        n_faces, seed: At most this many photographs, drawn or rendered with this seed; without it, all.

    Raises:
        ValueError, FileNotFoundError: The source or variant is unknown; a folder or table is missing, cannot be read or
            holds nothing of this collection.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; expected one of {', '.join(SOURCES)}")
    known = CATALOGUE[source].variants if source in CATALOGUE else ()
    if variant not in known and (variant or known):
        has = ", ".join(map(repr, known)) or "none"
        raise ValueError(f"variant is {variant!r}; source {source!r} has {has}")
    if source == "rendered":
        return RenderedPhotographs(name, n_faces=n_faces, seed=seed)
    place = Path(folder).expanduser() if folder else None
    try:
        _check_folder(place, source)
        if source == "olivetti":
            return OlivettiPhotographs(name, place, n_faces=n_faces, seed=seed)
        by_table = source == "manifest" or has_manifest(place / csv)
        contents = (read_manifest if by_table else LOADERS[source])(place, variant, csv)
    except PermissionError as error:
        right = f"give yourself the right to, for example chmod -R u+rX {place}"
        raise ValueError(f"{error.filename} may not be read; {right}") from error
    if contents.labels.empty:
        raise FileNotFoundError(_nothing_found(source, variant, place, contents))
    return FolderPhotographs(name, place, contents, n_faces=n_faces, seed=seed)


def _check_folder(folder: Path | None, source: str) -> None:
    if folder is None:
        raise ValueError(f"source {source!r} needs parameter folder: the folder that holds the photographs")
    if not folder.is_dir():
        raise FileNotFoundError(f"folder is {folder}, which does not exist; set parameter folder to where the "
                                "photographs lie, or source to 'rendered' to do without")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _nothing_found(source: str, variant: str, folder: Path, contents: Contents) -> str:
    record = CATALOGUE[source]
    what = f"{record.title} (variant {variant!r})" if variant else record.title
    there = list(contents.files)
    seen = f"the first of {len(there):,} files there: {', '.join(there[:5])}" if there else "it holds no files"
    reason = next(iter(contents.unknown.items()), None)
    why = f" ({reason[0]}: {reason[1]})" if reason else ""
    why += f"; not looked into: {some_of(contents.files.refused)}" if contents.files.refused else ""
    return f"{folder} holds no photograph of {what}; {seen}{why}. Expected is\n{record.tree}"


class RenderedPhotographs(Photographs):
    """Rendered faces that stand in for one of the paper's datasets; each is rendered when it is read.

    `name` is one of `fergan.rendered.STAND_INS`; without `n_faces` there are as many as its design has.
    """

    def __init__(self, name: str, n_faces: int | None = None, seed: int = 0):
        # The renderer needs torch, which takes seconds to import and which own photographs do without.
        from fergan import rendered

        if name not in rendered.STAND_INS:
            raise ValueError(f"no rendered stand-in for {name!r}; choose one of {', '.join(rendered.STAND_INS)}")
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


class OlivettiPhotographs(Photographs):
    """The Olivetti faces; scikit-learn keeps them as a pickle, which can run code and is therefore not opened here."""

    def __init__(self, name: str, folder: Path, *, n_faces: int | None = None, seed: int = 0):
        self.name = name
        path, images = _read_olivetti(folder)
        rows = draw_rows(len(images), n_faces, seed)
        self._images = images[rows]
        if n_faces is not None and n_faces > len(images):
            self.problems = [f"{path}: {n_faces} faces asked for, {len(images)} there"]
        labels = pd.DataFrame({"source": [f"olivetti/{row:03d}" for row in rows]})
        labels["subject"] = [f"person-{row // _PER_PERSON + 1:02d}" for row in rows]
        self.labels = complete_labels(labels.assign(view="frontal"), where=str(path))
        self.fingerprint = fingerprint_of([(path.name, FileState(path.stat().st_size, path.stat().st_mtime_ns))])

    def read(self, rows: Sequence[int], least_side: int | None = None) -> list[Photograph]:
        """Return the photographs of these rows, which are never reduced."""
        return [Photograph(np.repeat(self._images[row][..., None], 3, axis=2), (_SIDE, _SIDE)) for row in rows]


def _read_olivetti(folder: Path) -> tuple[Path, np.ndarray]:
    """Return the file that was read and its images, uint8 (n, 64, 64)."""
    array, matlab = folder / ARRAY, folder / MATLAB
    try:
        if array.is_file():
            images = np.load(array, mmap_mode="r", allow_pickle=False)
            if images.ndim != 3 or images.shape[1:] != (_SIDE, _SIDE) or images.dtype != np.uint8:
                raise ValueError(f"{images.dtype} {images.shape}, not uint8 (n, {_SIDE}, {_SIDE})")
            return array, images
        if matlab.is_file():
            from scipy.io import loadmat

            faces = loadmat(matlab, variable_names=["faces"])["faces"]  # a photograph in each column, itself by columns
            return matlab, faces.T.reshape(-1, _SIDE, _SIDE).transpose(0, 2, 1).astype(np.uint8)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise ValueError(f"{array if array.is_file() else matlab} does not hold the Olivetti faces ({error})") from error
    raise FileNotFoundError(
        f"{folder} holds neither {ARRAY} nor {MATLAB}; scikit-learn's fetcher gets it:\n"
        f"  python -m fergan.data.fetch olivetti {folder}\nExpected is\n{CATALOGUE['olivetti'].tree}"
    )
