"""The embedded default: the project's own rendered faces, offered as if they were photographs."""

from collections.abc import Sequence

import pandas as pd

from fergan.cache import code_hash
from fergan.data.faces import complete_labels
from fergan.data.photographs import Photograph, Photographs
from fergan.files import hash_parameters

SIZE = 128  # pixels a side of each photograph


class RenderedPhotographs(Photographs):
    """Rendered faces that stand in for one of the paper's datasets; each is rendered when it is read.

    Parameters
    ----------
    name : str
        One of `fergan.rendered.STAND_INS`.
    n_faces : int, optional
        How many faces; without it, as many as the stand-in's design has.
    seed : int
        Seed of people, expressions and scenes.
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
        self.fingerprint = hash_parameters({"recipes": recipes, "size": SIZE, "code": code_hash(self._render)})

    def read(self, rows: Sequence[int], least_side: int | None = None) -> list[Photograph]:
        """Render the faces of these rows, never reduced."""
        images, _ = self._render(self._recipes.iloc[list(rows)], size=SIZE)
        return [Photograph(image, (SIZE, SIZE)) for image in images]
