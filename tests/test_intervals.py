"""Tests that permute: exact small cases, and the level and power that they should have."""

from itertools import permutations, product

import numpy as np
import pytest

from fergan.experiments.cross_validation import grouped_folds, other_rows
from fergan.experiments.intervals import ChanceTest, chance_test, exchangeable, permuted_within, sign_flip_p_value
from fergan.svm.kernels import gaussian_kernel, squared_distances
from fergan.svm.machines import multiclass_values


def test_the_p_value_counts_the_true_labelling_too():
    assert ChanceTest(0.5, np.array([0.1, 0.5, 0.4])).p_value == 2 / 4
    assert ChanceTest(0.9, np.zeros(19)).p_value == 1 / 20  # never 0


def test_labels_stay_within_their_stratum_and_go_everywhere_in_it():
    y, strata = np.array([0, 1, 2, 5, 6, 9]), np.array([3, 1, 3, 1, 3, 2])
    rng = np.random.default_rng(0)
    seen = {tuple(permuted_within(y, strata, rng)) for _ in range(300)}
    expected = set()
    for first, second in product(permutations((0, 2, 6)), permutations((1, 5))):
        labels = np.empty(6, int)
        labels[[0, 2, 4]], labels[[1, 3]], labels[5] = first, second, 9
        expected.add(tuple(labels.tolist()))
    assert {tuple(map(int, labels)) for labels in seen} == expected


def test_people_with_one_face_are_permuted_among_themselves():
    assert exchangeable(np.array(["b", "a", "a", "c"])).tolist() == [0, 1, 1, 0]


def faces(signal, n_people=12, seed=0):
    rng = np.random.default_rng(seed)
    y, person = np.tile(np.arange(3), n_people), np.repeat(np.arange(n_people), 3)
    X = signal * np.eye(3)[y] + rng.normal(size=(n_people, 1)).repeat(3, axis=0) + 0.3 * rng.normal(size=(len(y), 3))
    return squared_distances(X.astype(np.float32)), y, person


def blocks_of(y, person, C=1.0, gamma=0.3):
    return [(fold, C, gamma) for fold in grouped_folds(y, person, 3, seed=0)]


def test_the_observed_accuracy_is_that_of_models_without_each_block():
    D2, y, person = faces(0.5)
    blocks = blocks_of(y, person)
    hits = 0
    for fold, C, gamma in blocks:
        values = multiclass_values(gaussian_kernel(D2, gamma), y, other_rows(len(y), [fold]), fold, C, 3)
        hits += int(np.sum(values.argmax(axis=1) == y[fold]))
    assert chance_test(D2, y, person, blocks, n_permutations=2).observed == hits / len(y)


def test_a_signal_is_found_and_its_absence_is_at_the_level():
    D2, y, person = faces(2.0)
    found = chance_test(D2, y, person, blocks_of(y, person), n_permutations=39)
    assert found.p_value == 1 / 40 and found.permuted.mean() < 0.5 < found.observed
    p_values = []
    for seed in range(20):
        D2, y, person = faces(0.0, seed=seed)
        p_values.append(chance_test(D2, y, person, blocks_of(y, person), n_permutations=19, seed=seed).p_value)
    assert 0.3 < np.mean(p_values) < 0.75 and np.mean(np.array(p_values) <= 0.1) <= 0.3


def test_the_same_on_any_number_of_threads():
    D2, y, person = faces(0.5)
    one, two = (chance_test(D2, y, person, blocks_of(y, person), n_permutations=5, n_threads=t) for t in (1, 2))
    assert np.array_equal(one.permuted, two.permuted)


def test_sign_flips_come_near_the_exact_p_value():
    groups = np.repeat(np.arange(6), 2)
    differences = np.array([1, 1, 1, 0, 1, 0, 1, -1, 0, 1, -1, 0], float)  # sums 2, 1, 1, 0, 1, -1
    sums = np.array([2, 1, 1, 1, -1])
    exact = np.mean([abs(np.dot(signs, sums)) >= abs(sums.sum()) for signs in product((-1, 1), repeat=5)])
    assert sign_flip_p_value(differences, groups, n_flips=20_000) == pytest.approx(exact, abs=0.02)
    assert sign_flip_p_value(np.zeros(12), groups) == 1.0
    # One person's many faces are one witness: flipped together they can never look sure.
    assert sign_flip_p_value(np.ones(50), np.zeros(50)) == 1.0
