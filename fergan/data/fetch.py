"""Download the two sets that scikit-learn has fetchers for: ``python -m fergan.data.fetch lfw|olivetti FOLDER``."""

import argparse
from pathlib import Path

import numpy as np

from fergan.data.registry import ARRAY
from fergan.files import write_array


def fetch(source: str, folder: str | Path) -> None:
    """Download ``"lfw"`` (about 240 MB) or ``"olivetti"`` (4 MB) into a folder, where `open_photographs` finds it."""
    from sklearn.datasets import fetch_lfw_people, fetch_olivetti_faces

    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    if source == "lfw":
        # Only the unpacked photographs are wanted; these bounds keep the arrays that come with them small.
        fetch_lfw_people(data_home=folder, funneled=True, min_faces_per_person=500, resize=0.1)
    elif source == "olivetti":
        images = fetch_olivetti_faces(data_home=folder).images  # float, 0 to 1
        write_array(folder / ARRAY, np.rint(np.asarray(images) * 255).astype(np.uint8))
    else:
        raise ValueError(f"source is {source!r}; expected 'lfw' or 'olivetti'")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=["lfw", "olivetti"])
    parser.add_argument("folder")
    arguments = parser.parse_args()
    fetch(arguments.source, arguments.folder)
