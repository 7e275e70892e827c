"""Figures that a text shows and a notebook has drawn: MyST-NB can give a caption to those of the same page only."""

import base64
from pathlib import Path

from fergan.files import atomic_path, read_json

__all__ = ["PASTED_FIGURES", "write_pasted_figures"]

#: Executed page -> the figures of it that texts show, by the name that they were pasted under.
PASTED_FIGURES = {"07_results/results.ipynb": ("story",)}


def write_pasted_figures(executed: Path) -> None:
    """Write each of `PASTED_FIGURES` as ``figures/<name>.png``; an equal file keeps its time stamp.

    Parameters
    ----------
    executed : Path
        The folder of executed pages.

    Raises
    ------
    KeyError
        A page has not pasted a figure of that name.
    """
    for page, names in PASTED_FIGURES.items():
        outputs = [output for cell in read_json(executed / page)["cells"] for output in cell.get("outputs", ())]
        pasted = {output.get("metadata", {}).get("scrapbook", {}).get("name"): output.get("data", {}) for output in outputs}
        for name in names:
            picture = next((data for kind, data in pasted.get(name, {}).items() if kind.endswith("image/png")), None)
            if picture is None:
                raise KeyError(f"{page} has pasted no figure {name!r}, which a text shows")
            content = base64.b64decode("".join(picture))
            path = executed / "figures" / f"{name}.png"
            if not path.is_file() or path.read_bytes() != content:
                with atomic_path(path) as temporary:
                    temporary.write_bytes(content)
