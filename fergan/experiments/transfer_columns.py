"""From the artifacts of earlier stages to the columns of a transfer matrix."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import people_or_duplicates
from fergan.experiments.transfer import Column, learn_column, read_experiment, some_people
from fergan.features.baselines import make_baseline
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.provenance import read_stamp

__all__ = ["learn_columns"]


def learn_columns(
    home: str | Path, networks: Sequence[str], targets: Sequence[str], baselines: Sequence[str],
    settings: Mapping[str, int], *, max_faces: int = 0, experiments: Sequence[str | Path] = (), n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> tuple[list[Column], dict[str, str], int]:
    """Classify every set by the features of every network; features are made as they are needed, and dropped.

    Parameters
    ----------
    home : path
        Artifacts with faces and models.
    networks, targets : sequence of str
        Face sets whose discriminators give features; face sets that are classified.
    baselines : sequence of str
        See `fergan.features.baselines.make_baseline`.
    settings : mapping
        ``n_folds, inner_folds, n_evaluations, seed``, see `fergan.experiments.transfer.learn_column`.
    max_faces : int
        See `fergan.experiments.transfer.some_people`.
    experiments : sequence of path
        Results of emotion experiments that may be read, see `fergan.experiments.transfer.read_experiment`.
    n_threads : int
    progress : callable, optional

    Returns
    -------
    columns : list of Column
    skipped : dict of str to str
        Set that cannot be classified -> why.
    n_read : int
        Cells that were read.
    """
    home = Path(home)
    stamps = {name: read_stamp(home / "models" / name / "run.json") for name in networks}
    known = _known(experiments, settings)
    columns, skipped, n_read = [], {}, 0
    for target in targets:
        faces = FaceSet.load(home / "faces" / target)
        faces = faces.select(faces.labels["emotion"].notna().to_numpy())
        if len(faces.emotions) < 2:
            skipped[target] = f"its faces show {'no' if not faces.emotions else 'one'} emotion that is known"
            continue
        subjects = people_or_duplicates(faces)
        rows = some_people(subjects, max_faces, settings["seed"])
        images = faces.images[rows]
        features = {name: partial(_features_of, home, name, stamp, images) for name, stamp in stamps.items()}
        width = next(iter(stamps.values()))["width"]
        features |= {name: partial(_baseline_of, name, width, settings["seed"], images) for name in baselines}
        emotions = faces.labels["emotion"].to_numpy(str)[rows]
        try:
            column = learn_column(target, features, emotions, subjects[rows], known=known.get(target), n_threads=n_threads,
                                  progress=progress, **settings)
        except ValueError as error:
            skipped[target] = str(error)
            continue
        columns.append(column)
        n_read += len(features) - column.searches["features"].nunique()
    return columns, skipped, n_read


def _known(experiments: Sequence[str | Path], settings: Mapping[str, int]) -> dict[str, dict]:
    """Return target -> the predictions that its experiments hold."""
    known: dict[str, dict] = {}
    for folder in experiments:
        target, tables = read_experiment(folder, settings)
        known.setdefault(target, {}).update(tables)
    return known


def _features_of(home: Path, name: str, stamp: Mapping, images: np.ndarray) -> np.ndarray:
    weights = home / "models" / name / stamp["folder"] / "discriminator.safetensors"
    return DiscriminatorFeatures(weights, width=stamp["width"]).transform(images)


def _baseline_of(name: str, width: int, seed: int, images: np.ndarray) -> np.ndarray:
    return make_baseline(name, width, seed).transform(images)
