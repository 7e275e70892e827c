"""Raters made of chance, for tests of the analysis only: no page of the book counts their answers."""

import numpy as np
import pandas as pd

from fergan.human_study.answers import COLUMNS, answer_record
from fergan.human_study.design import ANSWERS, Study

__all__ = ["simulated_answers"]


def simulated_answers(
    study: Study, rater: str, sheet: int, accuracy: float, attention: float = 1.0, seed: int = 0
) -> pd.DataFrame:
    """Return the answers of a rater with a planted accuracy to one sheet.

    Parameters
    ----------
    study : Study
    rater : str
    sheet : int
    accuracy : float
        How probably a trial that counts is answered right.
    attention : float
        How probably a catch trial is.
    seed : int
    """
    rng = np.random.default_rng([seed, sheet])
    rows = []
    for number, trial in enumerate(study.sheets[sheet]):
        right = rng.random() < (attention if trial.catch else accuracy)
        (wrong,) = set(ANSWERS[study.kind]) - {trial.right_answer}
        answer = trial.right_answer if right else wrong
        rows.append(answer_record(study, rater, sheet, number, answer, 300 + rng.exponential(500), study.exposure))
    return pd.DataFrame(rows).astype(COLUMNS)
