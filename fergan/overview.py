"""The picture in the README, drawn from a finished book's results: real and generated faces, both protocols."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fergan.faces import FaceSet
from fergan.files import atomic_path
from fergan.plots.faces import show_faces
from fergan.plots.scores import score_dots
from fergan.plots.style import use_style
from fergan.profile_schema import Profile
from fergan.provenance import read_stamp
from fergan.runs import Run
from fergan.sampling import sample
from fergan.summaries.results import all_results
from fergan.summaries.scores import protocol_words

__all__ = ["draw_overview"]


def draw_overview(profile: Profile, home: Path, path: Path) -> None:
    """Draw real and generated faces of up to three sets, and the accuracy of each emotion experiment.

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
    names = [name for name in profile.datasets if (home / "models" / name / "run.json").is_file()]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=[1, 1.05])
    show_faces(left, np.concatenate([_pair(home, name) for name in names[:: max(1, len(names) // 3)][:3]]), n_columns=8)
    left.set_title("real faces (odd rows), generated ones below each", loc="left")
    emotions, _ = all_results(home, ",".join(str(e.experiment) for e in profile.emotion_experiments), "")
    frames = [r.scores.assign(experiment=f"{n}: {r.settings['target']}") for n, r in emotions.items()]
    table = pd.concat(frames).query("score == 'accuracy' and features == 'discriminator'")
    score_dots(table.replace({"protocol": protocol_words}), "experiment", "protocol", "accuracy", ax=right)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)
    plt.close(figure)


def _pair(home: Path, name: str) -> np.ndarray:
    """Return eight real faces of a set and eight that its generator draws."""
    faces = FaceSet.load(home / "faces" / name)
    run = Run.load(home / "models" / name / read_stamp(home / "models" / name / "run.json")["folder"])
    return np.concatenate([faces.images[np.linspace(0, len(faces) - 1, 8).astype(int)], sample(run, 8)])
