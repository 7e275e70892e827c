import json

import numpy as np
import pytest
from drawn_faces import faces

from fergan.experiments.cross_validation import fold_blocks, grouped_folds
from fergan.experiments.emotion_learning import as_published, official_split, subject_independent
from fergan.svm.kernels import gaussian_kernel, kernel_slice, squared_distances, typical_distance
from fergan.svm.machines import multiclass_values


def test_published_predictions_are_those_of_the_best_trial():
    X, y, _ = faces(signal=0.5)
    folds = np.array_split(np.arange(len(y)), 5)
    values, result = as_published(squared_distances(X), y, folds, n_evaluations=5, seed=1)
    assert result.score > result.trials["score"][0]  # or the first trial could stand for the best
    assert np.mean(values.argmax(axis=1) == y) == result.score == result.trials["score"].max()


def test_the_nested_search_never_sees_the_fold_that_it_serves():
    X, y, subjects = faces(signal=0.7)
    D2 = squared_distances(X)
    folds = grouped_folds(y, subjects, 5, seed=0)
    blocks = fold_blocks(5, 2)
    options = {"n_evaluations": 4, "inner_folds": 2}
    values, searches = subject_independent(D2, y, folds, **options)
    for a, block in enumerate(blocks):
        rows = np.concatenate([folds[i] for i in block])
        other = y.copy()
        other[rows] = (y[rows] + 1) % 4  # labels in which a search that sees them would find another truth
        changed, changed_searches = subject_independent(D2, other, folds, **options)
        assert changed_searches[a][1].trials.equals(searches[a][1].trials)
        for i in block:  # a fold's model trains on the block's other folds, but the parameters were chosen without
            assert changed_searches[a][1].C == searches[a][1].C
            if len(block) == 1:
                assert np.array_equal(changed[folds[i]], values[folds[i]])
        others = [c for c in range(len(blocks)) if c != a]
        assert not all(changed_searches[c][1].trials.equals(searches[c][1].trials) for c in others)
    assert min(len(block) for block in blocks) == 1


def test_a_fold_is_predicted_without_its_own_labels_in_both_protocols():
    X, y, subjects = faces(signal=0.7)
    D2 = squared_distances(X)
    folds = grouped_folds(y, subjects, 3, seed=0)
    other = y.copy()
    other[folds[1]] = (y[folds[1]] + 1) % 4
    nested = [subject_independent(D2, labels, folds, n_evaluations=3)[0] for labels in (y, other)]
    assert np.array_equal(nested[0][folds[1]], nested[1][folds[1]])
    assert not np.array_equal(nested[0][folds[0]], nested[1][folds[0]])
    published = [as_published(D2, labels, folds, n_evaluations=3, seed=0)[1].trials for labels in (y, other)]
    assert not published[0].equals(published[1])


def test_sharing_a_model_between_two_blocks_changes_nothing():
    # Plain nested cross-validation, written out: the accuracy of each trial of the first block's search.
    X, y, subjects = faces(signal=0.7)
    D2 = squared_distances(X)
    folds = grouped_folds(y, subjects, 3, seed=0)
    for a, (_, result) in enumerate(subject_independent(D2, y, folds, n_evaluations=4, inner_folds=2)[1]):
        for trial in result.trials.itertuples():
            K, hits, rest = gaussian_kernel(D2, trial.gamma), 0, [f for i, f in enumerate(folds) if i != a]
            for train, test in (rest, rest[::-1]):
                hits += np.sum(
                    multiclass_values(K, y, train, test, trial.C, 4).argmax(1) == y[test]
                )
            assert trial.score == hits / sum(map(len, rest))


def few_faces():
    X, y, subjects = faces(signal=0.7)
    return squared_distances(X), y, subjects


def each_protocol(n_evaluations, **options):
    """Values and trials of each protocol on the same faces."""
    D2, y, subjects = few_faces()
    folds = grouped_folds(y, subjects, 5, seed=0)
    options = dict(options, n_evaluations=n_evaluations, seed=0)
    train, test = np.concatenate(folds[1:]), folds[0]
    yield lambda: as_published(D2, y, folds, **options)
    yield lambda: subject_independent(D2, y, folds, inner_folds=2, **options)
    yield lambda: official_split(D2, y, train, test, subjects, inner_folds=4, **options)


def trials(searched):
    return [result.trials for _, result in searched] if isinstance(searched, list) else [searched.trials]


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_a_search_that_failed_goes_on_from_its_journal(tmp_path, monkeypatch, protocol):
    expected = list(each_protocol(6))[protocol]()
    n_fits = []

    def counted(*arguments, **options):
        n_fits.append(1)
        if len(n_fits) == fails_at:
            raise KeyboardInterrupt
        return multiclass_values(*arguments, **options)

    monkeypatch.setattr("fergan.svm.machines.multiclass_values", counted)
    run = list(each_protocol(6, journal=tmp_path))[protocol]
    fails_at = 14
    with pytest.raises(KeyboardInterrupt):
        run()
    n_fits.clear()
    fails_at = None
    values, searched = run()
    n_resumed = len(n_fits)
    assert np.array_equal(values, expected[0])
    assert all(a.equals(b) for a, b in zip(trials(searched), trials(expected[1]), strict=True))
    n_fits.clear()
    run()  # from the journal alone: only the final models are fitted
    assert len(n_fits) < n_resumed
    assert len(n_fits) == [5, 5, 1][protocol]


def test_journals_of_other_problems_are_left_alone(tmp_path):
    D2, y, subjects = few_faces()
    folds = grouped_folds(y, subjects, 3, seed=0)
    other_y, other_D2 = y.copy(), D2 * np.float32(1.5)
    other_y[0] = (y[0] + 1) % 4
    for arguments in ((D2, y, folds), (other_D2, y, folds), (D2, other_y, folds), (D2, y, folds[::-1])):
        with_journal = as_published(*arguments, n_evaluations=3, seed=0, journal=tmp_path)[1]
        assert with_journal.trials.equals(as_published(*arguments, n_evaluations=3, seed=0)[1].trials)
    assert len(list(tmp_path.iterdir())) == 4
    assert all(len(json.loads(path.read_text())["trials"]) == 3 for path in tmp_path.iterdir())


def test_an_official_split_is_searched_within_its_training_faces_and_scored_once(tmp_path):
    D2, y, subjects = few_faces()
    folds = grouped_folds(y, subjects, 5, seed=0)
    train, test = np.sort(np.concatenate(folds[2:])), folds[0]  # the faces of fold 1 take no part
    options = dict(n_evaluations=4, inner_folds=3, seed=2)
    values, result = official_split(D2, y, train, test, subjects, **options)
    assert values.shape == (len(test), 4)
    K = gaussian_kernel(D2, result.gamma)
    assert np.array_equal(values, multiclass_values(K, y, train, test, result.C, 4))
    # The search, written out on the training faces alone.
    of_train = kernel_slice(D2, train, train)
    inner = grouped_folds(y[train], subjects[train], 3, seed=2)
    for trial in result.trials.itertuples():
        K, hits = gaussian_kernel(of_train, trial.gamma), 0
        for fold in inner:
            rest = np.setdiff1d(np.arange(len(train)), fold)
            hits += np.sum(multiclass_values(K, y[train], rest, fold, trial.C, 4).argmax(1) == y[train][fold])
        assert trial.score == hits / len(train)
    # What is planted outside of the training faces reaches neither the search nor the values.
    other, far = y.copy(), D2.copy()
    other[np.concatenate(folds[:2])] = (y[np.concatenate(folds[:2])] + 1) % 4
    far[folds[1]] = far[:, folds[1]] = 1000
    again, same = official_split(far, other, train, test, subjects, **options)
    assert same.trials.equals(result.trials) and np.array_equal(again, values)
    assert typical_distance(far) != typical_distance(D2)
    for labels in (y, other):  # and both are one problem for a journal
        official_split(D2, labels, train, test, subjects, journal=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 1
    # People reach the search.
    assert not official_split(D2, y, train, test, **options)[1].trials.equals(result.trials)


@pytest.mark.parametrize(("change", "message"), [
    ({"test": []}, "135 training and 0 test faces"), ({"train": []}, "0 training and 45 test faces"),
    ({"test": [1, 2, 134]}, r"3 faces are on both sides of the split \(first: row 1\)"),
    ({"inner_folds": 16}, "people, 16 folds need at least 16"),
    ({"y": lambda y: np.where(np.arange(180) == 3, 4, y % 4)}, "class 4 has 1 face"),
    ({"y": lambda y: np.where(np.arange(180) < 135, 0, y)}, "all 135 faces are 0"),
    ({"memory_gb": 1e-6}, "memory_gb is 1e-06; SVMs on 180 faces need at least"),
])
def test_an_official_split_that_cannot_work_is_refused_before_any_search(monkeypatch, change, message):
    monkeypatch.setattr("fergan.svm.machines.fit_svc", lambda *a, **k: pytest.fail("a model was fitted"))
    D2, y, subjects = few_faces()
    change = dict(change)
    y = change.pop("y", lambda y: y)(y)
    arguments = dict(train=np.arange(135), test=np.arange(135, 180), n_evaluations=3, inner_folds=3) | change
    with pytest.raises(ValueError, match=message):
        official_split(D2, y, groups=subjects, **arguments)


def test_an_emotion_without_training_faces_is_never_predicted_in_an_official_split():
    D2, y, _ = few_faces()
    train, test = np.flatnonzero((y != 3) & (np.arange(180) < 120)), np.flatnonzero(y == 3)
    values, _ = official_split(D2, y, train, test, n_evaluations=3, inner_folds=3)
    assert values.shape == (len(test), 4)
    assert (values[:, 3] < values[:, :3].min(axis=1)).all()


def test_pruning_saves_fits_and_leaves_the_best_alone(monkeypatch):
    D2, y, _ = few_faces()
    fits = []
    monkeypatch.setattr("fergan.svm.machines.multiclass_values", lambda *a: fits.append(1) or multiclass_values(*a))
    options = dict(n_evaluations=12, inner_folds=10, seed=1)
    results = []
    for prune in (False, True):
        fits.clear()
        results.append((official_split(D2, y, np.arange(135), np.arange(135, 180), prune=prune, **options)[1], len(fits)))
    (whole, n_whole), (pruned, n_pruned) = results
    assert n_whole == 121 and n_pruned == pruned.trials["n_folds"].sum() + 1 < n_whole
    assert pruned.trials["pruned"].any()
    kept = ~pruned.trials["pruned"][:6]  # the start is the same for both
    assert pruned.trials["score"][:6][kept].equals(whole.trials["score"][:6][kept])


def test_progress_has_a_line_for_each_trial():
    lines = []
    for protocol in each_protocol(3, progress=lines.append):
        protocol()
    assert len(lines) == 3 + 3 * 3 + 3
