"""Orders of experiments: paired where the faces are the same, and decided only where the interval leaves out 0."""

import numpy as np
import pandas as pd
import pytest

from fergan.book.tables.orderings import orderings
from fergan.experiments.emotion_differences import accuracy_difference
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.scores import score_table

PRETRAINED = {1: "enhanced-ck", 2: "celeba", 3: "enhanced-ck", 5: "rafd-frontal"}


def result(number, right, target="rafd-frontal", half=0.05):
    """An experiment with these right (1) and wrong (0) answers, two faces of each person."""
    right = np.asarray(right)
    predictions = pd.DataFrame({
        "protocol": "subject_independent", "features": "discriminator", "face": range(len(right)),
        "subject": [f"p{i // 2}" for i in range(len(right))], "true": "sad", "predicted": np.where(right, "sad", "happy")})
    rows = [dict(protocol="subject_independent", features="discriminator", score="accuracy", label="all", value=right.mean(),
                 low=right.mean() - half, high=right.mean() + half)]
    settings = {"target": target, "pretrained": PRETRAINED[number], "n_resamples": 1000, "seed": 0}
    return EmotionResult(score_table(rows), predictions, pd.DataFrame(), settings)


def test_a_difference_on_the_same_faces_is_paired_and_sharper():
    rng = np.random.default_rng(0)
    second = rng.random(400) < 0.5
    first = second | (np.arange(400) % 10 == 0)  # never worse, on the same faces
    found, paired = accuracy_difference(result(2, first), result(1, second))
    assert paired and found.value == pytest.approx(first.mean() - second.mean()) and 0 < found.low < found.value < found.high
    wide, paired = accuracy_difference(result(2, first, target="other"), result(1, second))
    assert not paired and wide.low == pytest.approx(wide.value - np.hypot(0.05, 0.05))
    assert wide.high == pytest.approx(wide.value + np.hypot(0.05, 0.05))
    assert accuracy_difference(result(1, second), result(2, first))[0].value == pytest.approx(-found.value)


def test_verdicts_follow_the_interval():
    def verdicts(first, second, third):
        results = {1: result(1, first), 5: result(5, second), 3: result(3, third, target="rafd-multiview")}
        return orderings(results, {}).set_index("experiments")["here it"].to_dict()

    n = np.arange(200)
    assert verdicts(n % 4 > 0, n % 4 == 0, n % 2) == {"1 over 5": "holds", "1 over 3": "holds"}
    assert verdicts(n % 4 == 0, n % 4 > 0, n % 2) == {"1 over 5": "fails", "1 over 3": "fails"}
    assert verdicts(n % 2, n % 2, n % 2) == {"1 over 5": "not decided", "1 over 3": "not decided"}


def test_without_the_papers_experiments_nothing_is_compared():
    assert orderings({1: result(1, [1, 0], target="mine"), 5: result(5, [1, 0])}, {}).iloc[0]["here it"] == "–"
