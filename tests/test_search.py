import json
import os
import sys

import numpy as np
import pytest
from tiny import kill_when

from fergan.svm.search import COST_RANGE, GAMMA_SCALE_RANGE, search


def peak(C, gamma):
    yield -(np.log10(C / 20) ** 2) - np.log10(gamma * 50 / 0.3) ** 2, 1


def constant(*scored):
    return lambda C, gamma: (pair for pair in scored)


def folds(C, gamma):
    """Ten folds of 20 faces: how many are recognised depends on the distance from a peak, and on the fold."""
    distance = abs(np.log10(C / 20)) + abs(np.log10(gamma / 0.3))
    for fold in range(10):
        yield max(0, 18 - int(5 * distance) - fold % 3), 20


def counted(calls):
    def objective(C, gamma):
        calls.append(C)
        yield from folds(C, gamma)

    return objective


def test_search_finds_a_peak_repeats_itself_and_beats_its_starting_points():
    result = search(peak, 50.0, n_evaluations=14, seed=1)
    assert result.score > -0.1  # within a third of a decade of the peak, in a box of 4 by 2.5 decades
    assert result.score > result.trials["score"][:7].max()
    assert result.score == next(peak(result.C, result.gamma))[0] == result.trials["score"].max()
    assert result.trials["chosen"].sum() == 1
    assert result.trials["C"].between(*COST_RANGE).all()
    assert result.trials["gamma_scale"].between(*GAMMA_SCALE_RANGE).all()
    assert result.trials.equals(search(peak, 50.0, n_evaluations=14, seed=1).trials)
    assert not result.trials.equals(search(peak, 50.0, n_evaluations=14, seed=2).trials)


def test_search_prefers_the_middle_of_a_plateau_and_refuses_what_has_no_score():
    # Below a cost of 3 everything is named alike, above 300 it is worse: neither edge of the plateau between is chosen.
    def plateau(C, gamma):
        yield 2 if 3 < C < 300 else 1, 3

    found = search(plateau, 1.0, n_evaluations=20)
    tied = np.sort(found.trials.loc[found.trials["score"] == found.score, "C"])
    assert len(tied) > 4 and tied[1] < found.C < tied[-2]
    result = search(constant((1, 1), (1, 3), (0, 6)), 1.0, n_evaluations=4)
    assert (result.trials["score"] == 0.2).all(), "the share of all points"
    assert np.array_equal(result.fold_scores, [[1, 1 / 3, 0]] * 4)
    with pytest.raises(ValueError, match="at least 3"):
        search(constant((1, 2)), 1.0, n_evaluations=2)
    with pytest.raises(ValueError, match="is nan"):
        search(constant((np.nan, 1)), 1.0, n_evaluations=3)


def test_a_killed_search_ends_in_the_same_trials(tmp_path):
    code = """
import sys, time
sys.path.insert(0, {tests!r})
from test_search import folds
from fergan.svm.search import search
def slow(C, gamma):
    time.sleep(0.1)
    yield from folds(C, gamma)
search(slow, 1.0, n_evaluations=18, seed=3, journal={journal!r})
"""
    def n_finished():
        return sum(len(json.loads(path.read_text())) for path in tmp_path.glob("[!.]*.json"))

    code = code.format(tests=os.path.dirname(__file__), journal=str(tmp_path))
    kill_when(lambda: n_finished() >= 8, sys.executable, "-c", code)
    calls, n = [], n_finished()
    assert 8 <= n < 18
    resumed, whole = search(counted(calls), 1.0, n_evaluations=18, seed=3, journal=tmp_path), search(folds, 1.0, n_evaluations=18, seed=3)
    assert len(calls) == 18 - n and resumed.trials.equals(whole.trials) and np.array_equal(resumed.fold_scores, whole.fold_scores)


def test_a_longer_search_continues_a_shorter_one_and_another_search_begins_anew(tmp_path):
    search(folds, 1.0, n_evaluations=20, journal=tmp_path)
    calls = []
    longer = search(counted(calls), 1.0, n_evaluations=23, journal=tmp_path)
    assert len(calls) == 3 and longer.trials.equals(search(folds, 1.0, n_evaluations=23).trials)
    search(counted(calls), 1.0, n_evaluations=21, journal=tmp_path)
    assert len(calls) == 3, "a shorter one reads the beginning"
    for change in ({"problem": "other"}, {"seed": 1}, {"distance": 2.0}, {"n_evaluations": 4}):
        calls.clear()
        options = dict(distance=1.0, n_evaluations=20) | change
        search(counted(calls), journal=tmp_path, **options)
        assert len(calls) == options["n_evaluations"]
    assert len(list(tmp_path.iterdir())) == 5
    next(tmp_path.glob("other*")).write_text("{")
    with pytest.raises(ValueError, match="is not readable as JSON"):
        search(folds, 1.0, n_evaluations=20, problem="other", journal=tmp_path)
