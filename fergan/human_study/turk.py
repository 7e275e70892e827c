"""The study as tasks (HITs) of Amazon Mechanical Turk: a table of tasks, a question in HTML, and answers back.

The question is a layout for the requester's web site: it stands for every row of the table, whose columns fill its
variables.
"""

import csv
import hashlib
import json
from pathlib import Path

import pandas as pd

from fergan.files import atomic_path
from fergan.human_study.answers import COLUMNS
from fergan.human_study.design import ANSWERS, Study
from fergan.human_study.page import body, data_element, picture_name, png
from fergan.human_study.script import SCRIPT, STYLE

__all__ = ["read_turk_answers", "write_turk_tasks"]

_ELEMENTS = "https://assets.crowd.aws/crowd-html-elements.js"  # Amazon's own, which every question loads


def write_turk_tasks(folder: str | Path, study: Study, base_url: str, trials_per_task: int = 0) -> Path:
    """Write ``tasks.csv``, ``question.html`` and the pictures that have to be put at `base_url`.

    Parameters
    ----------
    folder : path
    study : Study
    base_url : str
        Where the folder ``pictures`` will be found, an https address.
    trials_per_task : int
        Trials of one task; 0 makes a task of each sheet, so that no worker sees a picture twice who does one.

    Returns
    -------
    Path
        The folder.
    """
    if not base_url.startswith("https://"):
        raise ValueError(f"base_url is {base_url!r}; Mechanical Turk expects an address that starts with https://")
    folder = Path(folder)
    for row, image in enumerate(study.pictures):
        with atomic_path(folder / "pictures" / f"{picture_name(row)}.png") as temporary:
            temporary.write_bytes(png(image))
    with atomic_path(folder / "tasks.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["study", "sheet", "first", "trials"])
        for number, sheet in enumerate(study.sheets):
            step = trials_per_task or len(sheet)
            for first in range(0, len(sheet), step):
                trials = ";".join(" ".join(map(picture_name, trial.pictures)) for trial in sheet[first : first + step])
                table.writerow([study.id, number, first, trials])
    with atomic_path(folder / "question.html") as temporary:
        temporary.write_text(_question(study, base_url.rstrip("/") + "/"), encoding="utf-8")
    return folder


def _question(study: Study, base_url: str) -> str:
    data = {"id": study.id, "exposure": study.exposure, "answers": ANSWERS[study.kind], "pictures": {}, "sheets": [],
            "base": base_url, "turk": True}
    # The variables stand in an element of their own, from which the data of this task are read before the program starts.
    task = '<span id="task" hidden data-sheet="${sheet}" data-first="${first}" data-trials="${trials}"></span>'
    fill = """const element = document.getElementById('study-data'), task = document.getElementById('task').dataset;
element.textContent = JSON.stringify(Object.assign(JSON.parse(element.textContent), {sheet: +task.sheet, first: +task.first,
  trials: task.trials.split(';').map(trial => trial.split(' '))}));"""
    end = "<p>Thank you. Your answers are being sent.</p>"
    return (f'<script src="{_ELEMENTS}"></script><style>{STYLE}</style>{body(study, "", end)}{task}{data_element(data)}'
            f'<crowd-form answer-format="flatten-objects"><input type="hidden" name="answers" id="answers">'
            f'<crowd-button form-action="submit" style="display: none"></crowd-button></crowd-form>'
            f"<script>{fill}</script><script>{SCRIPT}</script>")


def read_turk_answers(path: str | Path, study: Study) -> pd.DataFrame:
    """Read the table of results that Mechanical Turk gives.

    Parameters
    ----------
    path : path
        A CSV file with the columns ``WorkerId``, ``Input.study`` and ``Answer.answers``.
    study : Study

    Returns
    -------
    DataFrame
        As `fergan.human_study.answers.read_answers` gives it, without rejected tasks. Workers' names are replaced by hashes.

    Raises
    ------
    ValueError
        Columns are missing, or a task is of another study.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [column for column in ("WorkerId", "Input.study", "Answer.answers") if column not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]}; expected the results of a batch as Mechanical Turk gives them")
    rows = []
    for number, task in enumerate(table.to_dict("records"), start=2):
        if task["Input.study"] != study.id:
            raise ValueError(f"{path}, line {number} is of study {task['Input.study']}, not of {study.id}")
        if task.get("AssignmentStatus") == "Rejected":
            continue
        rater = "turk-" + hashlib.sha256(f"{study.id} {task['WorkerId']}".encode()).hexdigest()[:12]
        try:
            answers = json.loads(task["Answer.answers"])
        except json.JSONDecodeError:
            raise ValueError(f"{path}, line {number}: Answer.answers is no JSON; was the question edited?") from None
        rows += [{column: answer[column] for column in COLUMNS} | {"rater": rater} for answer in answers]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
