"""Folds of every protocol: nobody on two sides, and what cannot be divided is refused with advice."""

import warnings

import numpy as np
import pytest
from planted import face_set

from fergan.experiments import cross_validation
from fergan.experiments.cross_validation import fold_numbers, grouped_folds, learnable_folds, other_rows, random_folds

Y = np.repeat(["happy", "sad"], 30)
PEOPLE = np.tile([f"p{i}" for i in range(12)], 5)


def test_folds_are_a_partition_that_depends_on_the_seed_alone_and_no_person_is_in_two_grouped_ones():
    for folds in (random_folds(Y, 5, seed=1), grouped_folds(Y, PEOPLE, 5, seed=1)):
        assert sorted(np.concatenate(folds)) == list(range(60))
        assert all(set(Y[fold]) == {"happy", "sad"} for fold in folds)
    for fold in grouped_folds(Y, PEOPLE, 5, seed=1):
        assert not set(PEOPLE[fold]) & set(PEOPLE[other_rows(60, [fold])])
    assert any(set(PEOPLE[f]) & set(PEOPLE[other_rows(60, [f])]) for f in random_folds(Y, 5, seed=1))
    first, same, other = (fold_numbers(60, random_folds(Y, 5, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same) and not np.array_equal(first, other) and np.bincount(first).tolist() == [12] * 5


@pytest.mark.parametrize(("y", "groups", "n_folds", "message"), [
    (Y, np.tile(["a", "b", "c", "d", "e"], 12), 10, "has 5 people, 10 folds need at least 10; lower n_folds to 5"),
    (Y, np.full(60, "a"), 5, "a single person"),
    (np.full(60, "sad"), PEOPLE, 5, "all 60 faces are sad"),
    (np.where(np.arange(60) < 3, "sad", "happy"), PEOPLE, 5, "class sad has 3 .*lower n_folds to 3 or leave"),
    (np.where(np.arange(60) < 1, "sad", "happy"), PEOPLE, 5, "class sad has 1 .*; leave the class out"),
    (np.where(PEOPLE == "p3", "sad", "happy"), PEOPLE, 5, "only one person shows class sad"),
    (Y, PEOPLE, 1, "n_folds is 1"),
])
def test_impossible_folds_are_refused_with_advice(y, groups, n_folds, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            grouped_folds(y, groups, n_folds, seed=0)
        if "pe" not in message:  # everything that is not about people concerns random folds too
            with pytest.raises(ValueError, match=message):
                random_folds(y, n_folds, seed=0)


def test_a_class_that_is_in_one_fold_only_is_refused(monkeypatch):
    y, people = np.array(["a", "a", "b", "b", "b"]), np.array(["p", "q", "p", "q", "q"])
    assert sorted(map(len, learnable_folds(y, people, 2, seed=0))) == [2, 3]
    for folds, message in (([[0, 1, 2], [3, 4]], "class a fell into fold 0"), ([[], [0, 1, 2, 3, 4]], "empty")):
        monkeypatch.setattr("fergan.experiments.cross_validation.grouped_folds", lambda *_, folds=folds: [np.array(f, int) for f in folds])
        with pytest.raises(ValueError, match=message):
            learnable_folds(y, people, 2, seed=0)


def test_features_that_are_not_finite_or_not_one_row_per_face_are_refused():
    X = np.zeros((4, 3), np.float32)
    for value in (np.nan, np.inf):
        wrong = X.copy()
        wrong[2, 1] = value
        with pytest.raises(ValueError, match=r"'hog' hold NaN or infinity in 1 of 4 faces .*row 2"):
            cross_validation.check_features({"ours": X, "hog": wrong}, 4)
    with pytest.raises(ValueError, match="expected \\(5, n_features\\)"):
        cross_validation.check_features({"ours": X}, 5)


def test_blocks_hold_every_fold_once():
    assert [list(b) for b in cross_validation.fold_blocks(10, 3)] == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    assert [list(b) for b in cross_validation.fold_blocks(3, 5)] == [[0], [1], [2]]
    for wrong in ((2, 3), (10, 1)):
        with pytest.raises(ValueError, match="nested"):
            cross_validation.fold_blocks(*wrong)


def test_people_are_taken_whole_until_there_are_enough_faces():
    subjects = np.repeat([f"p{i}" for i in range(10)], 5)
    some = cross_validation.some_people
    rows = some(subjects, 22, seed=1)
    assert len(rows) == 20 and set(np.unique(subjects[rows], return_counts=True)[1]) == {5}
    assert np.array_equal(rows, some(subjects, 22, seed=1)) and not np.array_equal(rows, some(subjects, 22, seed=2))
    assert len(some(subjects, None, 0)) == len(some(subjects, 99, 0)) == 50
    assert len(some(subjects, 3, 0)) == 10 and len(some(subjects, 3, 0, at_least=4)) == 20


def test_unknown_people_of_one_picture_are_one_and_no_frame_leaves_its_sequence():
    images = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    images[4], images[5] = images[1], images[3]
    names = [None, "anna", "anna", None, None, None]
    found = cross_validation.people_or_duplicates(face_set(6, images=images, subject=names))
    assert found.tolist() == ["face-0", "anna", "anna", "face-3", "face-4", "face-3"]  # who is known stays
    images[2] = images[1]  # the last frame of the first sequence is the first of the second
    images[4:] = 255 - images[4:]
    people = cross_validation.people_or_duplicates(face_set(6, images=images, sequence=["s1", "s1", "s2", "s2", "s3", "s3"]))
    assert len(set(people[:4])) == 1 and len(set(people[4:])) == 1 and people[0] != people[4]
