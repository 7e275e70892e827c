"""The embedded default: the project's own rendered faces, offered as if they were photographs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data.base import UnreadablePhotograph
from fergan.data.faces import complete_labels
from fergan.files import hash_file, hash_parameters

__all__ = ["RenderedPhotographs"]


class RenderedPhotographs:
    """Rendered faces that stand in for one of the paper's datasets.

    Opening draws the labels; each face is rendered when it is read.

    Parameters
    ----------
    name : str
        One of `fergan.rendered.STAND_INS`.
    n_faces : int, optional
        How many faces; without it, as many as the stand-in's design has.
    seed : int
        Seed of people, expressions and scenes.
    size : int
        Width and height of each photograph in pixels.

    Attributes
    ----------
    name, labels, problems
        See `fergan.data.base.Photographs`.
    fingerprint : str
        Changes with the labels, the size and the renderer's code.
    """

    def __init__(self, name: str, n_faces: int | None = None, seed: int = 0, size: int = 128):
        # The renderer needs torch, which takes seconds to import and which own photographs do without.
        from fergan import rendered

        if name not in rendered.STAND_INS:
            raise ValueError(f"no rendered stand-in for {name!r}; choose one of {', '.join(rendered.STAND_INS)}")
        self.name = name
        self.size = size
        self.problems: list[str] = []
        self._render = rendered.render_faces
        self._recipes = rendered.stand_in_labels(name, n_faces=n_faces, seed=seed).reset_index(drop=True)
        self.labels = complete_labels(self._recipes, where=f"rendered {name}")
        # The gallery shows faces and draws none.
        code = sorted(set(Path(rendered.__file__).parent.glob("*.py")) - {
            Path(rendered.__file__).with_name("gallery.py")
        })
        self.fingerprint = hash_parameters(
            {
                "labels": pd.util.hash_pandas_object(self._recipes).to_numpy().tolist(),
                "size": size,
                "seed": seed,
                "code": [hash_file(path) for path in code],
            }
        )

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, rows: Sequence[int]) -> list[np.ndarray | UnreadablePhotograph]:
        """Render the faces of these rows as RGB uint8 (size, size, 3)."""
        return list(self.read_with_truth(rows)[0])

    def read_with_truth(self, rows: Sequence[int]) -> tuple[np.ndarray, pd.DataFrame]:
        """Render the faces of these rows and say where each face truly is.

        Parameters
        ----------
        rows : sequence of int
            Rows of `labels`.

        Returns
        -------
        images : ndarray of shape (n_rows, size, size, 3), dtype uint8
            RGB photographs.
        truth : DataFrame of n_rows rows
            ``box_left, box_top, box_right, box_bottom`` in pixels, and the landmarks that the renderer gives.
        """
        images, truth = self._render(self._recipes.iloc[list(rows)], size=self.size)
        return images, truth.reset_index(drop=True)
