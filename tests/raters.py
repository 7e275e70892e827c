"""Raters made of chance, with a planted accuracy: they test the analysis of the human study, and nothing else counts them."""

import numpy as np
import pandas as pd

from fergan.human_study.answers import Answer
from fergan.human_study.study import ANSWERS


def simulated_answers(study, rater, sheet, accuracy, attention=1.0, seed=0):
    """Return a rater's answers to one sheet: `accuracy` in the trials that count, `attention` in the catch trials."""
    rng = np.random.default_rng([seed, sheet])
    answers = []
    for number, trial in enumerate(study.sheets[sheet]):
        right = rng.random() < (attention if trial.catch else accuracy)
        (wrong,) = set(ANSWERS[study.kind]) - {trial.right_answer}
        answers.append(Answer(study=study.digest, rater=rater, sheet=sheet, trial=number, answer=trial.right_answer if right else wrong,
                              milliseconds=round(300 + rng.exponential(500)), shown=study.exposure))
    return answers


def table_of(*answers):
    """Return answers as `read_answers` does."""
    return pd.DataFrame([answer.model_dump() for part in answers for answer in part])
