"""All answers that a folder holds, to the studies that they belong to."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fergan.human_study.answers import answer_files, read_answers
from fergan.human_study.design import Study
from fergan.human_study.turk import read_turk_answers

__all__ = ["collected_answers", "study_size"]


def collected_answers(folder: str | Path, studies: Mapping[str, Study]) -> dict[str, pd.DataFrame]:
    """Return the answers to each study: all ``*.jsonl`` of the folder, and results of Mechanical Turk as ``*.csv``.

    Parameters
    ----------
    folder : path
        It need not exist; there are no answers then.
    studies : mapping
        Name -> study.

    Raises
    ------
    ValueError
        A file holds answers to none of the studies.
    """
    answers = read_answers(answer_files(folder))
    by_id = {study.id: study for study in studies.values()}
    for path in sorted(Path(folder).glob("*.csv")):
        ids = set(pd.read_csv(path, usecols=["Input.study"], dtype=str)["Input.study"])
        if len(ids) != 1 or not ids <= set(by_id):
            raise ValueError(f"{path} is of study {', '.join(sorted(ids))}; expected one of {', '.join(by_id)}")
        answers = pd.concat([answers, read_turk_answers(path, by_id[ids.pop()])], ignore_index=True)
    strange = sorted(set(answers["study"]) - set(by_id))
    if strange:
        raise ValueError(f"{folder} holds answers to study {strange[0]}; the studies of this page are {', '.join(by_id)}")
    return {name: answers[answers["study"] == study.id].reset_index(drop=True) for name, study in studies.items()}


def study_size(n_real: int, n_trials: int, n_catch: int) -> tuple[int, int]:
    """Return as many trials and catch trials as a set of real faces allows, at most the wanted ones.

    Parameters
    ----------
    n_real : int
        Faces of the set; each is shown once, and a catch trial of a pair needs two.
    n_trials, n_catch : int
        Wanted.
    """
    if n_real >= n_trials + 2 * n_catch:
        return n_trials, n_catch
    n_catch = min(n_catch, n_real // 12)
    return (n_real - 2 * n_catch) // 2 * 2, n_catch
