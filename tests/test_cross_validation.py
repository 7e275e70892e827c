import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fergan.experiments.cross_validation import (
    check_features,
    check_training_parts,
    fold_blocks,
    fold_numbers,
    grouped_folds,
    other_rows,
    random_folds,
)
from fergan.experiments.intervals import auc, bootstrap_interval, resampled_auc, resampled_confusion, resampled_mean
from fergan.experiments.scores import ExperimentResult, score_table

Y = np.repeat(["happy", "sad"], 30)
PEOPLE = np.tile([f"p{i}" for i in range(12)], 5)


def test_folds_are_a_partition_and_no_person_is_in_two_grouped_ones():
    for folds in (random_folds(Y, 5, seed=1), grouped_folds(Y, PEOPLE, 5, seed=1)):
        assert sorted(np.concatenate(folds)) == list(range(60))
        assert all(set(Y[fold]) == {"happy", "sad"} for fold in folds)
    for fold in grouped_folds(Y, PEOPLE, 5, seed=1):
        assert not set(PEOPLE[fold]) & set(PEOPLE[other_rows(60, [fold])])
    assert any(set(PEOPLE[f]) & set(PEOPLE[other_rows(60, [f])]) for f in random_folds(Y, 5, seed=1))


def test_folds_depend_on_the_seed_alone():
    same = [random_folds(Y, 5, seed) for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(same[0], same[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(same[0], same[2], strict=True))
    assert list(fold_numbers(60, same[0])[same[0][3]]) == [3] * 12


@pytest.mark.parametrize(
    ("y", "groups", "n_folds", "message"),
    [
        (
            Y,
            np.tile(["a", "b", "c", "d", "e"], 12),
            10,
            "has 5 people, 10 folds need at least 10; lower n_folds to 5",
        ),
        (Y, np.full(60, "a"), 5, "a single person"),
        (np.full(60, "sad"), PEOPLE, 5, "all 60 faces are sad"),
        (
            np.where(np.arange(60) < 3, "sad", "happy"),
            PEOPLE,
            5,
            "class sad has 3 .*lower n_folds to 3 or leave",
        ),
        (np.where(np.arange(60) < 1, "sad", "happy"), PEOPLE, 5, "class sad has 1 .*; leave the class out"),
        (np.where(PEOPLE == "p3", "sad", "happy"), PEOPLE, 5, "only one person shows class sad"),
        (Y, PEOPLE, 1, "n_folds is 1"),
    ],
)
def test_impossible_folds_are_refused_with_advice(y, groups, n_folds, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            grouped_folds(y, groups, n_folds, seed=0)
        if "pe" not in message:  # everything that is not about people concerns random folds too
            with pytest.raises(ValueError, match=message):
                random_folds(y, n_folds, seed=0)


def test_a_class_that_is_in_one_fold_only_is_refused():
    y = np.array(["a", "a", "b", "b", "b"])
    check_training_parts(y, [np.array([0, 2]), np.array([1, 3, 4])])
    with pytest.raises(ValueError, match="class a fell into fold 0"):
        check_training_parts(y, [np.array([0, 1, 2]), np.array([3, 4])])
    with pytest.raises(ValueError, match="empty"):
        check_training_parts(y, [np.arange(0), np.arange(5)])


def test_features_that_are_not_finite_or_not_one_row_per_face_are_refused():
    X = np.zeros((4, 3), np.float32)
    check_features({"ours": X}, 4)
    for value in (np.nan, np.inf):
        wrong = X.copy()
        wrong[2, 1] = value
        with pytest.raises(ValueError, match=r"'hog' hold NaN or infinity in 1 of 4 faces .*row 2"):
            check_features({"ours": X, "hog": wrong}, 4)
    with pytest.raises(ValueError, match="expected \\(5, n_features\\)"):
        check_features({"ours": X}, 5)
    with pytest.raises(ValueError, match="empty"):
        check_features({}, 4)


def test_blocks_hold_every_fold_once():
    assert [list(b) for b in fold_blocks(10, 3)] == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    assert [list(b) for b in fold_blocks(3, 5)] == [[0], [1], [2]]
    for wrong in ((2, 3), (10, 1)):
        with pytest.raises(ValueError, match="nested"):
            fold_blocks(*wrong)


def test_auc_of_four_faces_by_hand():
    # Pairs (positive, negative): 3 > 1, 3 > 2, 2 > 1 are right, 2 against 2 is a tie: 3.5 of 4.
    values, positive = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True])
    assert auc(values, positive) == 3.5 / 4
    assert auc(-values, positive) == 0.5 / 4
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


def test_interval_of_independent_faces_is_the_binomial_one():
    # 300 people with one face each, 240 right: the standard error is sqrt(.8 * .2 / 300) = .0231.
    right = (np.arange(300) < 240).astype(float)
    low, high = bootstrap_interval(partial(resampled_mean, right), np.arange(300), 2000, seed=0)
    np.testing.assert_allclose([low, high], [0.8 - 1.96 * 0.0231, 0.8 + 1.96 * 0.0231], atol=0.008)


def test_interval_grows_when_the_faces_of_a_person_agree():
    # 30 people with ten faces each that are all right or all wrong hold as much information as 30 faces.
    right = np.repeat(np.arange(30) < 24, 10).astype(float)
    low, high = bootstrap_interval(partial(resampled_mean, right), np.repeat(np.arange(30), 10), 2000, seed=0)
    error = 1.96 * np.sqrt(0.8 * 0.2 / 30)
    np.testing.assert_allclose([low, high], [0.8 - error, 0.8 + error], atol=0.03)


def test_interval_of_many_people_keeps_its_width():
    right = (np.random.default_rng(0).random(5000) < 0.8).astype(float)
    low, high = bootstrap_interval(partial(resampled_mean, right), np.arange(5000), 2000, seed=0)
    np.testing.assert_allclose(high - low, 2 * 1.96 * np.sqrt(0.8 * 0.2 / 5000), rtol=0.1)


def test_interval_is_undefined_with_one_person_no_resamples_or_a_class_that_is_mostly_absent():
    values, positive = np.arange(20.0), np.arange(20) >= 18
    people = np.arange(20) // 2  # one person of ten has all positives: absent from a third of the resamples
    assert np.isnan(bootstrap_interval(partial(resampled_auc, values, positive), people, 500)).all()
    assert np.isnan(bootstrap_interval(partial(resampled_mean, values), np.zeros(20), 500)).all()
    assert np.isnan(bootstrap_interval(partial(resampled_mean, values), people, 0)).all()


def test_result_survives_saving(tmp_path):
    scores = score_table(
        [
            {
                "protocol": "as_published",
                "features": "hog",
                "score": "auc",
                "label": "AU06",
                "note": "never present",
            },
            {
                "protocol": "as_published",
                "features": "hog",
                "score": "auc",
                "label": "AU07",
                "value": 0.1 + 0.2,
                "low": 0.25,
            },
        ]
    )
    predictions = pd.DataFrame({"face": [0, 1], "true": ["sad", "happy"], "value": [0.5, np.nan]})
    searches = pd.DataFrame({"C": [0.1], "chosen": [True]})
    result = ExperimentResult(scores, predictions, searches, {"n_folds": 10, "costs": [0.1, 1.0]})
    result.save(tmp_path / "results")
    loaded = ExperimentResult.load(tmp_path / "results")
    for name in ("scores", "predictions", "searches"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(result, name))
    assert loaded.settings == result.settings
    assert np.isnan(loaded.scores["value"][0]) and loaded.scores["value"][1] == 0.1 + 0.2
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == [
        "predictions.parquet",
        "scores.json",
        "searches.parquet",
    ]
