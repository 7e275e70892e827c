"""The picture of the introduction and of the README, drawn from results: real and generated faces, both protocols."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.figures.faces import show_faces
from fergan.book.figures.scores import score_dots
from fergan.book.figures.style import use_style
from fergan.book.profile_schema import Profile
from fergan.book.tables.results import all_results
from fergan.book.tables.scores import every_protocol
from fergan.data.faces import FaceSet
from fergan.experiments.emotions import EmotionResult
from fergan.files import atomic_path
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.provenance import read_stamp

__all__ = ["draw_overview", "overview_figure"]


def overview_figure(home: Path, names: Iterable[str], emotions: Mapping[int, EmotionResult], width: float = 11.0) -> Figure:
    """Draw real and generated faces of up to three sets, and the accuracy of each emotion experiment.

    Parameters
    ----------
    home : Path
        A profile's artifacts.
    names : iterable of str
        Its face sets; those without a generator are not shown.
    emotions : mapping of int to EmotionResult
        Its emotion experiments.
    width : float
        In inches.
    """
    names = [name for name in names if (home / "models" / name / "run.json").is_file()]
    shown = names[:: max(1, len(names) // 3)][:3]
    figure, axes = plt.subplots(1, 2 if emotions else 1, figsize=(width, 0.38 * width), squeeze=False)
    faces = np.concatenate([_pair(home, name) for name in shown])
    show_faces(axes[0, 0], faces, n_columns=8)
    axes[0, 0].set_title("real (odd rows), drawn (below each)", loc="left")
    if emotions:
        frames = [r.scores.assign(experiment=f"{n}: {r.settings['target']}") for n, r in emotions.items()]
        table = pd.concat(frames).query("score == 'accuracy' and features == 'discriminator'")
        score_dots(table.replace({"protocol": every_protocol}), "experiment", "protocol", "accuracy", ax=axes[0, 1])
    return figure


def draw_overview(profile: Profile, home: Path, path: Path) -> None:
    """Draw `overview_figure` for the README.

    Parameters
    ----------
    profile : Profile
        Whose book is finished.
    home : Path
        Its artifacts.
    path : Path
        The PNG to write.
    """
    use_style()
    emotions, _ = all_results(home, ",".join(str(e.experiment) for e in profile.emotion_experiments), "")
    figure = overview_figure(home, profile.datasets, emotions)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)
    plt.close(figure)


def _pair(home: Path, name: str) -> np.ndarray:
    """Return eight real faces of a set and eight that its generator draws."""
    faces = FaceSet.load(home / "faces" / name)
    run = Run.load(home / "models" / name / read_stamp(home / "models" / name / "run.json")["folder"])
    return np.concatenate([faces.images[np.linspace(0, len(faces) - 1, 8).astype(int)], sample(run, 8)])
