"""Where photographs can come from. A new dataset is one file in this folder, a record in the catalogue and one line here."""

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fergan.data.base import Photographs
from fergan.data.celeba import read_celeba
from fergan.data.cmu_faces import read_cmu_faces
from fergan.data.cohn_kanade import read_ck_plus, read_enhanced_ck
from fergan.data.folders import Contents, FolderPhotographs, check_variant
from fergan.data.genki import read_genki
from fergan.data.kdef import read_kdef
from fergan.data.lfw import read_lfw
from fergan.data.london import read_london
from fergan.data.manifest import ManifestPhotographs, has_manifest
from fergan.data.olivetti import OlivettiPhotographs
from fergan.data.raf_db import read_raf_db
from fergan.data.rafd import read_rafd
from fergan.data.rendered import RenderedPhotographs
from fergan.data.sfew import read_sfew

__all__ = ["SOURCES", "open_photographs"]


def _open_rendered(
    name: str, folder: Path | None, csv: str, variant: str, n_faces: int | None, seed: int
) -> Photographs:
    _no_variant("rendered", variant)
    return RenderedPhotographs(name, n_faces=n_faces, seed=seed)


def _open_manifest(
    name: str, folder: Path | None, csv: str, variant: str, n_faces: int | None, seed: int
) -> Photographs:
    _no_variant("manifest", variant)
    return ManifestPhotographs(_existing(folder, "manifest") / csv, name=name, n_faces=n_faces, seed=seed)


def _open_olivetti(
    name: str, folder: Path | None, csv: str, variant: str, n_faces: int | None, seed: int
) -> Photographs:
    return OlivettiPhotographs(name, _existing(folder, "olivetti"), variant=variant, n_faces=n_faces, seed=seed)


def _open_folder(
    source: str, read: Callable[[Path, str, str], Contents],
    name: str, folder: Path | None, csv: str, variant: str, n_faces: int | None, seed: int,
) -> Photographs:  # fmt: skip
    where = _existing(folder, source)
    if has_manifest(where / csv):
        check_variant(source, variant)
        return ManifestPhotographs(where / csv, name=name, n_faces=n_faces, seed=seed)
    return FolderPhotographs(name, source, where, read, variant=variant, csv=csv, n_faces=n_faces, seed=seed)


#: Each opener takes (name, folder, csv, variant, n_faces, seed) and returns photographs.
SOURCES: dict[str, Callable[..., Photographs]] = {
    "rendered": _open_rendered,
    "manifest": _open_manifest,
    "rafd": partial(_open_folder, "rafd", read_rafd),
    "kdef": partial(_open_folder, "kdef", read_kdef),
    "raf-db": partial(_open_folder, "raf-db", read_raf_db),
    "celeba": partial(_open_folder, "celeba", read_celeba),
    "ck-plus": partial(_open_folder, "ck-plus", read_ck_plus),
    "enhanced-ck": partial(_open_folder, "enhanced-ck", read_enhanced_ck),
    "sfew": partial(_open_folder, "sfew", read_sfew),
    "lfw": partial(_open_folder, "lfw", read_lfw),
    "olivetti": _open_olivetti,
    "genki": partial(_open_folder, "genki", read_genki),
    "cmu-faces": partial(_open_folder, "cmu-faces", read_cmu_faces),
    "london": partial(_open_folder, "london", read_london),
}


def open_photographs(
    name: str,
    source: str,
    *,
    folder: str | None = None,
    csv: str = "labels.csv",
    variant: str = "",
    n_faces: int | None = None,
    seed: int = 0,
) -> Photographs:
    """Open a dataset before its faces are cropped.

    Parameters
    ----------
    name : str
        The dataset's name; for ``"rendered"``, which stand-in.
    source : str
        A key of `SOURCES`.
    folder : str, optional
        Where the photographs lie; needed by every source but ``"rendered"``. What it should look like stands in
        `fergan.data.catalogue`. A folder of any of these sets (but ``"olivetti"``, which is one array) may instead hold
        `csv` with a column ``path``: then it is read as ``"manifest"``, whatever its files are called.
    csv : str
        The CSV file in `folder`: of photographs for ``"manifest"`` and where it has a column ``path``, of frames for
        ``"enhanced-ck"``.
    variant : str
        Which part of the distribution is meant, a key of the source's `DatasetRecord.variants`; empty takes its default.
    n_faces : int, optional
        At most this many photographs; without it, all.
    seed : int
        Seed of the draw, or of the rendering.

    Raises
    ------
    ValueError
        The source or variant is unknown, the source needs a folder that was not given, the folder may not be read, or a
        table cannot be read.
    FileNotFoundError
        The folder does not exist, or holds nothing of this dataset.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; expected one of {', '.join(SOURCES)}")
    place = Path(folder).expanduser() if folder else None
    try:
        return SOURCES[source](name, place, csv, variant, n_faces, seed)
    except PermissionError as error:
        raise ValueError(
            f"{error.filename} may not be read; give yourself the right to, for example chmod -R u+rX {place}"
        ) from error


def _no_variant(source: str, variant: str) -> None:
    if variant:
        raise ValueError(f"variant is {variant!r}; source {source!r} has none")


def _existing(folder: Path | None, source: str) -> Path:
    if folder is None:
        raise ValueError(f"source {source!r} needs parameter folder: the folder that holds the photographs")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"folder is {folder}, which does not exist; set parameter folder to where the "
            "photographs lie, or source to 'rendered' to do without"
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    return folder
