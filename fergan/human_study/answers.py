"""Answers of raters: one JSON object a line, each written whole before the next trial begins."""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fergan.human_study.design import ANSWERS, Study

__all__ = ["COLUMNS", "answer_files", "answer_record", "append_answer", "check_answers", "read_answers"]

#: What every answer says: study, rater, sheet and number of the trial, the answer, milliseconds from the faces' appearance
#: to the key, milliseconds for which they were really shown (NaN where it was not measured), and the time in UTC.
COLUMNS = {"study": "string", "rater": "string", "sheet": "int64", "trial": "int64", "answer": "string",
           "milliseconds": "float64", "shown": "float64", "time": "string"}


def answer_record(
    study: Study, rater: str, sheet: int, trial: int, answer: str, milliseconds: float, shown: float | None = None
) -> dict[str, Any]:
    """Return one answer as it is kept; the time is now."""
    return {"study": study.id, "rater": rater, "sheet": sheet, "trial": trial, "answer": answer,
            "milliseconds": round(milliseconds), "shown": None if shown is None else round(shown),
            "time": datetime.now(UTC).isoformat(timespec="seconds")}


def append_answer(path: str | Path, record: Mapping[str, Any]) -> None:
    """Add one answer to a file, so that neither a crash nor a second writer can spoil those before it.

    The line is one write under a lock, and on the disk when this returns. Where an earlier write was cut off, the line
    starts on a new one.

    Parameters
    ----------
    path : path
        Is made where it does not exist.
    record : mapping
        See `COLUMNS`.
    """
    missing = [column for column in COLUMNS if column not in record]
    if missing:
        raise ValueError(f"the answer has no {missing[0]}; expected {', '.join(COLUMNS)}")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        cut_off = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        line = json.dumps({column: record[column] for column in COLUMNS}, ensure_ascii=False, allow_nan=False) + "\n"
        os.write(handle, (("\n" if cut_off else "") + line).encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def answer_files(folder: str | Path) -> list[Path]:
    """Return the answer files of a folder; none where there is no such folder."""
    return sorted(Path(folder).glob("*.jsonl"))


def read_answers(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read answer files.

    Returns
    -------
    DataFrame
        `COLUMNS`, in the order of the lines. A line that was cut off, which a crash can leave, is left out.

    Raises
    ------
    ValueError
        A line is whole but no answer.
    """
    rows = []
    for path in paths:
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                if line.strip().startswith("{") and not line.rstrip().endswith("}"):
                    continue  # cut off
                if not line.strip():
                    continue
                raise ValueError(f"{path}, line {number} is no JSON; expected one answer a line") from None
            missing = [column for column in COLUMNS if not isinstance(row, dict) or column not in row]
            if missing:
                raise ValueError(f"{path}, line {number} has no {missing[0]}; expected {', '.join(COLUMNS)}")
            rows.append({column: row[column] for column in COLUMNS})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def check_answers(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Return the answers that count: of each rater the first answer to each item.

    Raises
    ------
    ValueError
        An answer is of another study, of a trial that it does not have, or none of its kind's.
    """
    others = sorted(set(answers["study"]) - {study.id})
    if others:
        raise ValueError(
            f"answers are of study {others[0]}, not of {study.id}; keep each study's answers in a folder of its own"
        )
    for row in answers.itertuples():
        if not (0 <= row.sheet < len(study.sheets) and 0 <= row.trial < len(study.sheets[row.sheet])):
            raise ValueError(f"rater {row.rater}: the study has no trial {row.trial} on sheet {row.sheet}")
        if row.answer not in ANSWERS[study.kind]:
            raise ValueError(f"rater {row.rater}, trial {row.trial}: {row.answer!r} is no answer; "
                             f"expected {' or '.join(ANSWERS[study.kind])}")
    items = [study.sheets[row.sheet][row.trial].item for row in answers.itertuples()]
    return answers.assign(item=pd.Series(items, index=answers.index, dtype="int64")).drop_duplicates(["rater", "item"])
