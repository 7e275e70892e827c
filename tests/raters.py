"""Raters made of chance, with a planted accuracy: they test the analysis of the human study, and nothing else counts them."""

import numpy as np
import pandas as pd

from fergan.human_study.answers import COLUMNS, answer_record
from fergan.human_study.design import ANSWERS


def simulated_answers(study, rater, sheet, accuracy, attention=1.0, seed=0):
    """Return a rater's answers to one sheet: `accuracy` in the trials that count, `attention` in the catch trials."""
    rng = np.random.default_rng([seed, sheet])
    rows = []
    for number, trial in enumerate(study.sheets[sheet]):
        right = rng.random() < (attention if trial.catch else accuracy)
        (wrong,) = set(ANSWERS[study.kind]) - {trial.right_answer}
        answer = trial.right_answer if right else wrong
        rows.append(answer_record(study, rater, sheet, number, answer, 300 + rng.exponential(500), study.exposure))
    return pd.DataFrame(rows).astype(COLUMNS)
