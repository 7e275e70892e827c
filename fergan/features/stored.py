"""Features on disk, opened only where they are those of the network and the faces that are there now."""

from pathlib import Path

import numpy as np

from fergan.provenance import read_stamp

__all__ = ["open_features"]


def open_features(home: str | Path, pretrained: str, target: str) -> np.ndarray:
    """Return the features of a set's faces by a set's discriminator, memory-mapped: float32 (n_faces, n_features).

    Parameters
    ----------
    home : path
        Artifacts of a profile.
    pretrained, target : str
        The set whose discriminator it is, and the set whose faces they are.

    Raises
    ------
    FileNotFoundError
        They have not been computed.
    ValueError
        They are of another network, or of other faces, than are there now: an experiment on them would be about nothing.
    """
    home = Path(home)
    folder = home / "features" / f"{pretrained}-on-{target}"
    stamp = read_stamp(folder / "features.json")
    now = {"weights": read_stamp(home / "models" / pretrained / "run.json")["weights"],
           "images": read_stamp(home / "faces" / target / "faceset.json")["images"]}
    for what, words in (("weights", f"another network than {pretrained}'s"), ("images", f"other faces than {target}'s")):
        if stamp.get(what) != now[what]:
            raise ValueError(f"{folder / 'X.npy'} holds features of {words}; run 03_features again")
    X = np.load(folder / "X.npy", mmap_mode="r", allow_pickle=False)
    if list(X.shape) != stamp["shape"]:
        raise ValueError(f"{folder / 'X.npy'} has shape {X.shape}, expected {tuple(stamp['shape'])}; run 03_features again")
    return X
