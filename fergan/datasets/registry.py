"""Where photographs can come from. A new dataset is one file in this folder and one line in `SOURCES`."""

from collections.abc import Callable
from pathlib import Path

from fergan.datasets.base import Photographs
from fergan.datasets.manifest import ManifestPhotographs
from fergan.datasets.rendered import RenderedPhotographs

__all__ = ["SOURCES", "open_photographs"]


def _open_rendered(name: str, folder: Path | None, csv: str, n_faces: int | None, seed: int) -> Photographs:
    return RenderedPhotographs(name, n_faces=n_faces, seed=seed)


def _open_manifest(name: str, folder: Path | None, csv: str, n_faces: int | None, seed: int) -> Photographs:
    return ManifestPhotographs(_existing(folder, "manifest") / csv, name=name, n_faces=n_faces, seed=seed)


#: Each opener takes (name, folder, csv, n_faces, seed) and returns photographs.
SOURCES: dict[str, Callable[..., Photographs]] = {
    "rendered": _open_rendered,
    "manifest": _open_manifest,
}


def open_photographs(
    name: str,
    source: str,
    *,
    folder: str | None = None,
    csv: str = "labels.csv",
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
        Where the photographs lie; needed by every source but ``"rendered"``.
    csv : str
        The CSV file in `folder`, for ``"manifest"``.
    n_faces : int, optional
        At most this many photographs; without it, all.
    seed : int
        Seed of the draw, or of the rendering.

    Raises
    ------
    ValueError
        The source is unknown, or needs a folder that was not given.
    FileNotFoundError
        The folder does not exist.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; expected one of {', '.join(SOURCES)}")
    return SOURCES[source](name, Path(folder).expanduser() if folder else None, csv, n_faces, seed)


def _existing(folder: Path | None, source: str) -> Path:
    if folder is None:
        raise ValueError(f"source {source!r} needs parameter folder: the folder that holds the photographs")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"folder is {folder}, which does not exist; set parameter folder to where the "
            "photographs lie, or source to 'rendered' to do without"
        )
    return folder
