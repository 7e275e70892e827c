"""The study for its raters: one HTML file for any browser, tasks of Amazon Mechanical Turk, or a widget in JupyterLab.

The files hold no right answer. Mechanical Turk takes braces after a dollar sign for its variables, which its columns fill.
"""

import base64
import io
import time
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import Javascript, display
from PIL import Image

from fergan.files import atomic_path, rendered
from fergan.human_study.answers import Answer, append_answer, read_answers
from fergan.human_study.design import ANSWERS, Study

QUESTIONS = {
    "pair": "Which of the two is a real face of the collection?",
    "single": "Is this a real face of the collection, or one that a program made?",
}
BUTTONS = {"pair": ("left", "right"), "single": ("real", "made by a program")}

_HERE = Path(__file__).parent


def _data_address(image: np.ndarray) -> str:
    """Return a picture uint8 (height, width, 3) as an address that holds it."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _names(study: Study) -> list[str]:
    """Return the names of the pictures, which tell nothing of what they show."""
    return [f"p{row:04d}" for row in range(len(study.pictures))]


def _write(path: Path, study: Study, turk: bool, **data: object) -> None:
    data = {"id": study.digest, "exposure": study.exposure, "answers": ANSWERS[study.kind], "turk": turk} | data
    text = {"question": QUESTIONS[study.kind], "buttons": BUTTONS[study.kind]}
    with atomic_path(path) as temporary:
        temporary.write_text(rendered(_HERE / "study.html.j2", study=study, data=data, **text), encoding="utf-8")


def write_page(path: Path, study: Study) -> None:
    """Write a study as one HTML file, with its pictures inside and without its right answers.

    Closing the window loses nothing: whoever opens the file again in the same browser and gives the same name goes on.
    """
    names = _names(study)
    pictures = dict(zip(names, map(_data_address, study.pictures), strict=True))
    sheets = [[[names[row] for row in trial.pictures] for trial in sheet] for sheet in study.sheets]
    _write(path, study, False, pictures=pictures, sheets=sheets)


def write_turk_tasks(folder: Path, study: Study, base_url: str) -> None:
    """Write ``tasks.csv``, one task for each sheet, ``question.html``, and the pictures that have to be put at `base_url`.

    `base_url` is where the folder ``pictures`` will be found, an https address.
    """
    if not base_url.startswith("https://"):
        raise ValueError(f"base_url is {base_url!r}; Mechanical Turk expects an address that starts with https://")
    names = _names(study)
    for name, image in zip(names, study.pictures, strict=True):
        with atomic_path(folder / "pictures" / f"{name}.png") as temporary:
            Image.fromarray(image).save(temporary)
    trials = [";".join(" ".join(names[row] for row in trial.pictures) for trial in sheet) for sheet in study.sheets]
    with atomic_path(folder / "tasks.csv") as temporary:
        pd.DataFrame({"study": study.digest, "sheet": range(len(trials)), "trials": trials}).to_csv(temporary, index=False)
    _write(folder / "question.html", study, True, pictures={}, sheets=[], base=base_url.rstrip("/") + "/")


class StudyWidget:
    """A study for one rater, in JupyterLab: it shows the next trial that this rater has not answered.

    `answers` is the file that answers are added to, `rater` a name for them, and `sheet` the number of the sheet that the
    rater gets; each rater should have one of their own.
    """

    def __init__(self, study: Study, answers: Path, rater: str, sheet: int):
        if not rater.strip():
            raise ValueError("rater is empty; expected a name for the answers")
        if not 0 <= sheet < len(study.sheets):
            raise ValueError(f"sheet is {sheet}; expected 0 to {len(study.sheets) - 1}")
        self._study, self._path = study, answers
        self._of = {"study": study.digest, "rater": rater.strip(), "sheet": sheet}
        self._trials, self._start = study.sheets[sheet], 0.0
        self._faces, self._progress = widgets.HTML(), widgets.Label()
        self.buttons = []
        for name, key, side, answer in zip(BUTTONS[study.kind], "FJ", ("left", "right"), ANSWERS[study.kind], strict=True):
            button = widgets.Button(description=f"{name} ({key})", layout={"width": "16em"})
            button.add_class(f"fergan-study-{side}").on_click(lambda _, answer=answer: self._answer(answer))
            self.buttons.append(button)
        self.trial = self._next()
        question = widgets.Label(QUESTIONS[study.kind], style={"font_weight": "bold"})
        self.box = widgets.VBox([question, self._faces, widgets.HBox(self.buttons), self._progress])

    def _next(self) -> int:
        """Return the first trial without an answer of this rater."""
        answers = read_answers([self._path] if self._path.is_file() else [])
        done = set(answers.loc[(answers[list(self._of)] == pd.Series(self._of)).all(axis=1), "trial"])
        return next((number for number in range(len(self._trials)) if number not in done), len(self._trials))

    def _ipython_display_(self) -> None:
        display(Javascript(filename=_HERE / "widget.js"), self.box)
        self.show()

    def show(self) -> None:
        """Show the faces of the trial that is to be answered."""
        over = self.trial >= len(self._trials)
        for button in self.buttons:
            button.disabled = over
        self._progress.value = f"{self.trial} of {len(self._trials)} answered; answers are in {self._path.name}"
        if over:
            self._faces.value = "Thank you: all trials are answered."
            return
        pictures = [_data_address(self._study.pictures[row]) for row in self._trials[self.trial].pictures]
        shown = {"number": self.trial, "exposure": self._study.exposure, "pictures": pictures}
        self._faces.value = rendered(_HERE / "widget.html.j2", **shown)
        self._start = time.perf_counter()

    def _answer(self, answer: str) -> None:
        if self.trial >= len(self._trials):
            return
        milliseconds = 1000 * (time.perf_counter() - self._start)  # with the way from browser to kernel
        append_answer(self._path, Answer(**self._of, trial=self.trial, answer=answer, milliseconds=round(milliseconds)))
        self.trial += 1
        self.show()
