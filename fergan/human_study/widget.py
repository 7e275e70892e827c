"""The study in a running notebook: faces, keys and buttons; every answer goes to a file at once."""

import base64
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
from IPython.display import Javascript, display

from fergan.human_study.answers import answer_record, append_answer, read_answers
from fergan.human_study.design import ANSWERS, Study
from fergan.human_study.page import BUTTONS, QUESTIONS, png

__all__ = ["StudyWidget"]

# The browser hides the faces by itself: no message to the kernel could be as punctual.
_HIDE = """<style>@keyframes study-hide {{ to {{ visibility: hidden; }} }}
.study-face-{number} {{ animation: study-hide 0s {exposure}ms forwards; }}</style>"""

# Keys press the buttons. In the capturing phase, before JupyterLab takes F and J for commands; once for each page.
_KEYS = """
if (!window.ferganStudyKeys) {
  window.ferganStudyKeys = true;
  window.addEventListener('keydown', event => {
    const side = {f: 'left', arrowleft: 'left', j: 'right', arrowright: 'right'}[event.key.toLowerCase()];
    const button = side && document.querySelector('.fergan-study-' + side + ':not([disabled])');
    if (!button || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest && event.target.closest('input, textarea, .cm-content')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    button.click();
  }, true);
}
"""


class StudyWidget:
    """A study for one rater, in JupyterLab.

    Displaying it shows the next trial that this rater has not answered: it goes on where it was left.

    Parameters
    ----------
    study : Study
    answers : path
        The file that answers are added to; see `fergan.human_study.answers.append_answer`.
    rater : str
        A name for the answers.
    sheet : int
        Which of the study's sheets the rater gets; each rater should have one of their own.
    clock : callable
        Seconds; for tests.
    """

    def __init__(
        self, study: Study, answers: str | Path, rater: str, sheet: int, clock: Callable[[], float] = time.perf_counter
    ):
        if not rater.strip():
            raise ValueError("rater is empty; expected a name for the answers")
        if not 0 <= sheet < len(study.sheets):
            raise ValueError(f"sheet is {sheet}; expected 0 to {len(study.sheets) - 1}")
        self._study, self._path, self._rater, self._sheet = study, Path(answers), rater.strip(), sheet
        self._clock, self._start = clock, 0.0
        self._trials = study.sheets[sheet]
        self._faces, self._progress = widgets.HTML(), widgets.HTML()
        names = zip(BUTTONS[study.kind], ("F", "J"), ("left", "right"), strict=True)
        self.buttons = [
            widgets.Button(description=f"{name} ({key})", layout={"width": "16em"}).add_class(f"fergan-study-{side}")
            for name, key, side in names
        ]
        for button, answer in zip(self.buttons, ANSWERS[study.kind], strict=True):
            button.on_click(lambda _, answer=answer: self._answer(answer))
        self.trial = self._next()
        question = widgets.HTML(f"<b>{QUESTIONS[study.kind]}</b>")
        self.box = widgets.VBox([question, self._faces, widgets.HBox(self.buttons), self._progress])

    def _next(self) -> int:
        """Return the first trial without an answer of this rater."""
        answers = read_answers([self._path] if self._path.is_file() else [])
        mine = answers[(answers["study"] == self._study.id) & (answers["rater"] == self._rater)]
        done = set(mine.loc[mine["sheet"] == self._sheet, "trial"])
        return next((number for number in range(len(self._trials)) if number not in done), len(self._trials))

    def _ipython_display_(self) -> None:
        display(Javascript(_KEYS), self.box)
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
        sources = [base64.b64encode(png(self._study.pictures[row])).decode() for row in self._trials[self.trial].pictures]
        faces = "".join(f'<img class="study-face-{self.trial}" alt="" src="data:image/png;base64,{source}" '
                        'style="width: 256px; height: 256px; margin-right: 64px">' for source in sources)
        style = _HIDE.format(number=self.trial, exposure=self._study.exposure)
        self._faces.value = f'{style}<div style="height: 262px">{faces}</div>'
        self._start = self._clock()

    def _answer(self, answer: str) -> None:
        if self.trial >= len(self._trials):
            return
        milliseconds = 1000 * (self._clock() - self._start)  # with the way from browser to kernel
        append_answer(self._path, answer_record(self._study, self._rater, self._sheet, self.trial, answer, milliseconds))
        self.trial += 1
        self.show()
