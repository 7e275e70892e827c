"""The study as one HTML file: it needs a browser and nothing else, and saves its answers as a file."""

import base64
import io
import json
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from fergan.files import atomic_path
from fergan.human_study.design import ANSWERS, Study
from fergan.human_study.script import SCRIPT, STYLE

__all__ = ["BUTTONS", "QUESTIONS", "body", "data_element", "picture_name", "png", "write_page"]

QUESTIONS = {
    "pair": "Which of the two is a real face of the collection?",
    "single": "Is this a real face of the collection, or one that a program made?",
}
BUTTONS = {"pair": ("left", "right"), "single": ("real", "made by a program")}


def png(image: np.ndarray) -> bytes:
    """Return a picture uint8 (height, width, 3) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def picture_name(row: int) -> str:
    """Return the name of a picture, which tells nothing of what it shows."""
    return f"p{row:04d}"


def data_element(data: dict) -> str:
    """Return the element that carries a study's data; no text in it can end it."""
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="study-data">{text}</script>'


def body(study: Study, name_field: str, end: str) -> str:
    """Return what a rater reads and presses.

    Parameters
    ----------
    study : Study
    name_field : str
        HTML of what is asked before the start.
    end : str
        HTML of what stands there afterwards.
    """
    left, right = BUTTONS[study.kind]
    n, shown = len(study.sheets[0]), "two faces side by side" if study.kind == "pair" else "one face"
    seconds = f"{study.exposure / 1000:g} s"
    return f"""<div class="study">
<div class="study-start">
<h1>Real, or made by a program?</h1>
<p>You will see {n} times {shown}, small and blurred, for {seconds} each. {escape(QUESTIONS[study.kind])} Answer with
<kbd>F</kbd> or <kbd>←</kbd> for <em>{left}</em> and <kbd>J</kbd> or <kbd>→</kbd> for <em>{right}</em>, or press the buttons.
There is no time limit for the answer. A few questions are easy, to see that you look.</p>
<p>Taking part is voluntary; you can stop at any time. Your answers and their times are kept under the name that you give,
which need not be your own.</p>
{name_field}
<p><button type="button" class="begin">Start</button></p>
</div>
<div class="study-trial" hidden>
<p class="question">{escape(QUESTIONS[study.kind])}</p>
<div class="faces hidden" aria-label="faces to judge"></div>
<p class="keys"><button type="button" disabled>{left} (F)</button><button type="button" disabled>{right} (J)</button></p>
<p><progress class="progress"></progress> <span class="count" role="status"></span></p>
</div>
<div class="study-end" hidden>{end}</div>
<p class="note" role="alert"></p>
</div>"""


def write_page(path: str | Path, study: Study) -> Path:
    """Write a study as one HTML file, with its pictures inside and without its right answers.

    Closing the window loses nothing: whoever opens the file again in the same browser and gives the same name goes on.

    Parameters
    ----------
    path : path
    study : Study

    Returns
    -------
    Path
    """
    pictures = {picture_name(row): f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"
                for row, image in enumerate(study.pictures)}
    sheets = [[[picture_name(row) for row in trial.pictures] for trial in sheet] for sheet in study.sheets]
    asked = {"id": study.id, "exposure": study.exposure, "answers": ANSWERS[study.kind]}
    data = asked | {"pictures": pictures, "sheets": sheets}
    name = '<p><label>A name for your answers: <input id="rater" maxlength="40" autocomplete="off"></label></p>'
    end = ('<h1>Thank you</h1><p>Save your answers and send the file to whoever asked you.</p>'
           '<p><button type="button" class="save">Save answers</button></p>')
    page = (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Real, or made by a program?</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f"<body>{body(study, name, end)}{data_element(data)}<script>{SCRIPT}</script></body></html>")
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)
