"""How sure a score is: closed forms, exact small cases, and the level and power that tests should have."""

from functools import partial
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fergan.experiments.cross_validation import grouped_folds, other_rows
from fergan.experiments.intervals import (
    Difference,
    auc,
    bootstrap_interval,
    chance_test,
    exchangeable,
    permuted_within,
    resampled_auc,
    resampled_confusion,
    resampled_mean,
    sign_flip_p_value,
)
from fergan.experiments.scores import ExperimentResult, row_of, score_of, score_table
from fergan.svm.kernels import gaussian_kernel, multiclass_values, squared_distances


def test_auc_of_four_faces_by_hand():
    # Pairs (positive, negative): 3 > 1, 3 > 2, 2 > 1 are right, 2 against 2 is a tie: 3.5 of 4.
    values, positive = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True])
    assert auc(values, positive) == 3.5 / 4 and auc(-values, positive) == 0.5 / 4
    assert np.isnan(auc(values, np.ones(4, bool))) and np.isnan(auc(values, np.zeros(4, bool)))


def test_resampled_statistics_equal_those_of_a_set_in_which_faces_are_really_repeated():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, 40)
    values, positive, predicted = rng.integers(0, 8, 40) / 2, rng.random(40) < 0.4, rng.integers(0, 2, 40)
    counts = rng.multinomial(6, [1 / 6] * 6, size=25).astype(float)
    areas = resampled_auc(values, positive, counts, codes)
    means = resampled_mean(values, counts, codes)
    confusions = resampled_confusion(positive.astype(int), predicted, 2, counts, codes)
    for row, area, mean, confusion in zip(counts, areas, means, confusions, strict=True):
        repeated = np.repeat(np.arange(40), row[codes].astype(int))
        np.testing.assert_allclose(area, roc_auc_score(positive[repeated], values[repeated]))
        np.testing.assert_allclose(mean, values[repeated].mean())
        assert confusion[1, 0] == np.sum(positive[repeated] & (predicted[repeated] == 0))  # rows are true


@pytest.mark.parametrize(("n_people", "each", "atol"), [(300, 1, 0.008), (30, 10, 0.03), (5000, 1, 0.002)])
def test_an_interval_is_the_binomial_one_of_as_many_people_however_many_faces_they_have(n_people, each, atol):
    right = np.repeat(np.arange(n_people) < 0.8 * n_people, each).astype(float)
    low, high = bootstrap_interval(partial(resampled_mean, right), np.repeat(np.arange(n_people), each), 2000, seed=0)
    error = 1.96 * np.sqrt(0.8 * 0.2 / n_people)
    np.testing.assert_allclose([low, high], [0.8 - error, 0.8 + error], atol=atol)


def test_interval_is_undefined_with_one_person_no_resamples_or_a_class_that_is_mostly_absent():
    values, positive = np.arange(20.0), np.arange(20) >= 18
    people = np.arange(20) // 2  # one person of ten has all positives: absent from a third of the resamples
    assert np.isnan(bootstrap_interval(partial(resampled_auc, values, positive), people, 500)).all()
    assert np.isnan(bootstrap_interval(partial(resampled_mean, values), np.zeros(20), 500)).all()
    assert np.isnan(bootstrap_interval(partial(resampled_mean, values), people, 0)).all()


def test_a_difference_of_independent_scores_has_the_variances_of_both():
    found = Difference.of_scores((0.8, 0.77, 0.84), (0.5, 0.46, 0.53))
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.3 - np.hypot(0.03, 0.03), 0.3 + np.hypot(0.04, 0.04)))
    assert [Difference(0.1, *ends).sign for ends in ((0.05, 0.2), (-0.05, 0.2), (-0.2, -0.05), (np.nan, np.nan))] == [1, 0, -1, 0]


def test_labels_stay_within_their_stratum_and_go_everywhere_in_it():
    y, strata = np.array([0, 1, 2, 5, 6, 9]), np.array([3, 1, 3, 1, 3, 2])
    rng = np.random.default_rng(0)
    seen = {tuple(map(int, permuted_within(y, strata, rng))) for _ in range(300)}
    expected = set()
    for first, second in product(permutations((0, 2, 6)), permutations((1, 5))):
        labels = np.empty(6, int)
        labels[[0, 2, 4]], labels[[1, 3]], labels[5] = first, second, 9
        expected.add(tuple(labels.tolist()))
    assert seen == expected
    assert exchangeable(np.array(["b", "a", "a", "c"])).tolist() == [0, 1, 1, 0]  # people with one face, among themselves


def faces(signal, n_people=12, seed=0):
    rng = np.random.default_rng(seed)
    y, person = np.tile(np.arange(3), n_people), np.repeat(np.arange(n_people), 3)
    X = signal * np.eye(3)[y] + rng.normal(size=(n_people, 1)).repeat(3, axis=0) + 0.3 * rng.normal(size=(len(y), 3))
    return squared_distances(X.astype(np.float32)), y, person


def blocks_of(y, person, C=1.0, gamma=0.3):
    return [(fold, C, gamma) for fold in grouped_folds(y, person, 3, seed=0)]


def test_the_observed_accuracy_is_that_of_models_without_each_block_on_any_number_of_threads():
    D2, y, person = faces(0.5)
    blocks = blocks_of(y, person)
    hits = 0
    for fold, C, gamma in blocks:
        values = multiclass_values(gaussian_kernel(D2, gamma), y, other_rows(len(y), [fold]), fold, C, 3)
        hits += int(np.sum(values.argmax(axis=1) == y[fold]))
    one, two = (chance_test(D2, y, person, blocks, n_permutations=5, n_threads=t) for t in (1, 2))
    assert one[0] == hits / len(y) and len(one) == 6 and np.array_equal(one, two)


def test_a_signal_is_found_and_its_absence_is_at_the_level():
    D2, y, person = faces(2.0)
    found = chance_test(D2, y, person, blocks_of(y, person), n_permutations=39)
    assert np.mean(found >= found[0]) == 1 / 40 and found[1:].mean() < 0.5 < found[0]
    p_values = []
    for seed in range(20):
        D2, y, person = faces(0.0, seed=seed)
        found = chance_test(D2, y, person, blocks_of(y, person), n_permutations=19, seed=seed)
        p_values.append(np.mean(found >= found[0]))
    assert 0.3 < np.mean(p_values) < 0.75 and np.mean(np.array(p_values) <= 0.1) <= 0.3


def test_sign_flips_come_near_the_exact_p_value():
    groups = np.repeat(np.arange(6), 2)
    differences = np.array([1, 1, 1, 0, 1, 0, 1, -1, 0, 1, -1, 0], float)  # sums 2, 1, 1, 0, 1, -1
    sums = np.array([2, 1, 1, 1, -1])
    exact = np.mean([abs(np.dot(signs, sums)) >= abs(sums.sum()) for signs in product((-1, 1), repeat=5)])
    assert sign_flip_p_value(differences, groups, n_flips=20_000) == pytest.approx(exact, abs=0.02)
    assert sign_flip_p_value(np.zeros(12), groups) == 1.0
    # One person's many faces are one witness: flipped together they can never look sure.
    assert sign_flip_p_value(np.ones(50), np.zeros(50)) == 1.0


def test_a_table_of_scores_survives_saving_and_is_read_by_its_keys(tmp_path):
    row = dict(protocol="as_published", features="hog", score="auc")
    scores = score_table([row | dict(label="AU06", note="never present"), row | dict(label="AU07", value=0.1 + 0.2, low=0.25)])
    predictions = pd.DataFrame({"face": [0, 1], "true": ["sad", "happy"], "value": [0.5, np.nan]})
    result = ExperimentResult(scores, predictions, pd.DataFrame({"C": [0.1], "chosen": [True]}), {"n_folds": 10, "costs": [0.1, 1.0]})
    result.save(tmp_path / "results")
    loaded = ExperimentResult.load(tmp_path / "results")
    for name in ("scores", "predictions", "searches"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(result, name))
    assert loaded.settings == result.settings
    assert score_of(loaded, "as_published", "hog", "auc", "AU07") == 0.1 + 0.2
    assert np.isnan(score_of(loaded, "as_published", "hog", "auc", "AU06")) and np.isnan(score_of(loaded, "as_published", "hog", "auc"))
    assert row_of(loaded.scores, "as_published", "hog", "auc", "AU06")["note"] == "never present"
