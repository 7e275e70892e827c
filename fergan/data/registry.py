"""Where photographs can come from. A new collection is a function, a record in catalogue.yaml and one line here."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from fergan.data import cohn_kanade, collections
from fergan.data.catalogue import CATALOGUE
from fergan.data.folders import Contents, FolderPhotographs, some_of
from fergan.data.manifest import has_manifest, read_manifest
from fergan.data.olivetti import OlivettiPhotographs
from fergan.data.photographs import Photographs
from fergan.data.rendered import RenderedPhotographs

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


def open_photographs(
    name: str, source: str, *, folder: str | None = None, csv: str = "labels.csv", variant: str = "",
    n_faces: int | None = None, seed: int = 0,
) -> Photographs:  # fmt: skip
    """Open a collection before its faces are cropped.

    Parameters
    ----------
    name : str
        What the face set is called; for ``"rendered"``, which stand-in.
    source : str
        One of `SOURCES`.
    folder, csv : str
        Where the photographs lie (see catalogue.yaml), and their table there: of frames for ``"enhanced-ck"``, else with a
        column ``path``. A folder of any collection but ``"olivetti"`` may hold such a table too: then it is read as
        ``"manifest"``, whatever its files are called.
    variant : str
        Which part of the collection; empty takes its default.
    n_faces, seed : int
        At most this many photographs, drawn or rendered with this seed; without it, all.

    Raises
    ------
    ValueError, FileNotFoundError
        The source or variant is unknown; a folder or table is missing, cannot be read or holds nothing of this collection.
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
        raise ValueError(
            f"{error.filename} may not be read; give yourself the right to, for example chmod -R u+rX {place}"
        ) from error
    if contents.labels.empty:
        raise FileNotFoundError(_nothing_found(source, variant, place, contents))
    return FolderPhotographs(name, place, contents, n_faces=n_faces, seed=seed)


def _check_folder(folder: Path | None, source: str) -> None:
    if folder is None:
        raise ValueError(f"source {source!r} needs parameter folder: the folder that holds the photographs")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"folder is {folder}, which does not exist; set parameter folder to where the "
            "photographs lie, or source to 'rendered' to do without"
        )
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
