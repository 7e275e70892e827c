"""One page of the book, and the files by which the stages behind the pages meet."""

import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CHAPTERS", "STAMPS", "Page", "faces_stamp", "features_stamp", "model_stamp", "stage_name",
           "stamp_of", "summary_page"]

#: Notebook -> heading of its part of the book.
CHAPTERS = {
    "00_faces": "Rendered faces",
    "01_data": "Faces",
    "02_dcgan": "Generators",
    "03_features": "Features",
    "03b_layers": "Layers",
    "04_emotions": "Emotions",
    "04b_label_efficiency": "Label efficiency",
    "04c_transfer": "Transfer",
    "05_action_units": "Action Units",
    "05b_single_unit": "One Action Unit",
    "05c_saliency": "Saliency",
    "06_quality": "Sample quality",
    "06b_mode_collapse": "Mode collapse",
    "06c_human_study": "Human study",
    "07_results": "Results",
    "07b_claims": "Claims",
    "07c_groups": "Groups of people",
}

#: Notebook -> the stamp that each of its pages leaves when it is done, relative to the profile's artifacts. The other
#: notebooks leave none.
STAMPS = {
    "01_data": "faces/{page}/faceset.json",
    "02_dcgan": "models/{page}/run.json",
    "03_features": "features/{page}/features.json",
    "03b_layers": "results/layers/{page}/scores.json",
    "04_emotions": "results/emotions/{page}/scores.json",
    "04b_label_efficiency": "results/label_efficiency/{page}/scores.json",
    "04c_transfer": "results/transfer/{page}/scores.json",
    "05_action_units": "results/action_units/{page}/scores.json",
    "05b_single_unit": "results/single_unit/{page}/scores.json",
    "05c_saliency": "results/saliency/{page}/scores.json",
    "06_quality": "results/quality/{page}/scores.json",
    "06b_mode_collapse": "results/mode_collapse/{page}/scores.json",
    "06c_human_study": "results/human_study/{page}/scores.json",
}


@dataclass(frozen=True)
class Page:
    """One executed notebook.

    Attributes
    ----------
    notebook : str
        A key of `CHAPTERS`.
    name : str
        The file's name without suffix; ``"summary"`` for the page across all sets or experiments.
    title : str
        Its heading in the book.
    parameters : dict
        What papermill sets; flat scalars.
    inputs : tuple of str
        Stamps it waits for, relative to the profile's artifacts.
    threads : int
        Processor threads it uses.
    notes : tuple of (title, text)
        What a reader must know of its faces; shown under the heading.
    """

    notebook: str
    name: str
    title: str
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    threads: int = 1
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The page's name in the book, unique there."""
        return f"{stage_name(self.notebook).replace('_', '-')}-{self.name}"

    @property
    def path(self) -> str:
        """The executed copy, relative to the folder of executed pages."""
        return f"{self.notebook}/{self.name}.ipynb"

    @property
    def stamp(self) -> str:
        """The stamp it leaves, relative to the profile's artifacts; empty for pages that leave none."""
        return "" if self.name == "summary" else STAMPS.get(self.notebook, "").format(page=self.name)


def stage_name(notebook: str) -> str:
    """Return a notebook's name without its number."""
    return re.sub(r"^[0-9]+[a-z]?_", "", notebook)


def stamp_of(notebook: str, page: str) -> str:
    """Return the stamp that a page leaves, relative to the profile's artifacts."""
    return STAMPS[notebook].format(page=page)


def faces_stamp(name: str) -> str:
    """Return the stamp of a face set."""
    return stamp_of("01_data", name)


def model_stamp(name: str) -> str:
    """Return the stamp of a generator and its discriminator."""
    return stamp_of("02_dcgan", name)


def features_stamp(pretrained: str, target: str) -> str:
    """Return the stamp of one face set's features by another's discriminator."""
    return stamp_of("03_features", f"{pretrained}-on-{target}")


def summary_page(notebook: str, title: str, pages: list[Page], **parameters: Any) -> Page:
    """Return the page across a chapter's others; it waits for all their stamps."""
    return Page(notebook, "summary", title, parameters, tuple(dict.fromkeys(page.stamp for page in pages)))
