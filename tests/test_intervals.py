"""Folds with nobody on two sides, and how sure a score is: closed forms, level and power, the paper's one page."""

import warnings
from functools import partial
from itertools import permutations

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from planted import face_set
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.svm import SVC

from fergan.experiments import cross_validation, intervals
from fergan.experiments.cross_validation import fold_numbers, grouped_folds, learnable_folds, other_rows, random_folds
from fergan.experiments.intervals import auc, chance_test, interval_over_people, mean_over_people, resampled_mean
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.files import ROOT
from fergan.gan.networks import Discriminator, Generator
from fergan.svm.kernels import gaussian_kernel, multiclass_values, squared_distances

Y = np.repeat(["happy", "sad"], 30)
PEOPLE = np.tile([f"p{i}" for i in range(12)], 5)


def test_areas_and_f1_by_hand_and_resampled_ones_are_those_of_faces_that_are_really_repeated():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, 40)
    values, positive, predicted = rng.integers(0, 8, 40) / 2, rng.random(40) < 0.4, rng.integers(0, 2, 40)
    counts = rng.multinomial(6, [1 / 6] * 6, size=25).astype(float)
    areas = intervals.resampled_auc(values, positive, counts, codes)
    means = resampled_mean(values, counts, codes)
    precisions = intervals.resampled_precision(values, positive, counts, codes)
    confusions = intervals.resampled_confusion(positive.astype(int), predicted, 2, counts, codes)
    for row, area, precision, mean, confusion in zip(counts, areas, precisions, means, confusions, strict=True):
        repeated = np.repeat(np.arange(40), row[codes].astype(int))
        np.testing.assert_allclose(precision, average_precision_score(positive[repeated], values[repeated]))
        np.testing.assert_allclose(area, roc_auc_score(positive[repeated], values[repeated]))
        np.testing.assert_allclose(mean, values[repeated].mean())
        assert confusion[1, 0] == np.sum(positive[repeated] & (predicted[repeated] == 0))  # rows are true
    # Pairs (positive, negative): 3 > 1, 3 > 2, 2 > 1 are right, 2 against 2 is a tie: 3.5 of 4.
    values, positive = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True])
    assert auc(values, positive) == 3.5 / 4 and auc(-values, positive) == 0.5 / 4
    assert np.isnan(auc(values, np.ones(4, bool))) and np.isnan(auc(values, np.zeros(4, bool)))
    assert np.isnan(intervals.resampled_precision(values, np.zeros(4, bool), np.ones((1, 1)), np.zeros(4, int)))
    confusion = np.array([[3, 1, 0], [0, 2, 2], [0, 0, 0]])  # nobody shows the third class, which is named twice
    found = intervals.balanced_accuracy_and_f1(confusion)
    assert found.tolist() == [pytest.approx((3 / 4 + 2 / 4) / 2), pytest.approx((6 / 7 + 4 / 7) / 2)]


@pytest.mark.parametrize(("n_people", "each"), [(300, 1), (30, 10), (1000, 1)])
def test_an_interval_is_wilsons_of_as_many_people_however_many_faces_they_have(n_people, each):
    right = np.repeat(np.arange(n_people) < 0.8 * n_people, each).astype(float)
    found = mean_over_people(right, np.repeat(np.arange(n_people), each), share=True)
    expected = stats.binomtest(round(0.8 * n_people), n_people).proportion_ci(method="wilson")
    assert found["value"] == 0.8 and (found["low"], found["high"]) == pytest.approx(expected, abs=0.1 / n_people**0.5)
    t = stats.ttest_1samp(right[::each], 0).confidence_interval()  # one face of each person: the plain t interval
    difference = mean_over_people(right, np.repeat(np.arange(n_people), each))
    assert (difference["low"], difference["high"]) == pytest.approx((t.low, t.high), rel=2e-3)


@pytest.mark.parametrize(("n_people", "share"), [(5, True), (8, False)])
def test_intervals_hold_with_few_people(n_people, share):
    """A percentile bootstrap holds the truth in 84 % with 5 people and in 88 % with 8, see ``benchmarks/coverage.py``."""
    rng, hits, people = np.random.default_rng(0), 0, np.repeat(np.arange(n_people), 8)
    for _ in range(400):
        first, second = (rng.random(8 * n_people) < np.repeat(rng.beta(6.3, 2.7, n_people), 8) for _ in range(2))
        values, truth = (first, 0.7) if share else (first - second.astype(float), 0)
        found = mean_over_people(values, people, share=share)
        hits += found["low"] <= truth <= found["high"]
    assert hits / 400 > 0.925


def test_a_mean_over_a_small_and_large_sets_holds_though_few_people_carry_it():
    rng, hits, people = np.random.default_rng(0), 0, np.arange(204)
    small = people < 4

    def mean_of_sets(values, counts, codes):
        return sum(resampled_mean(values[of], counts, codes[of]) for of in (small, ~small)) / 2

    for _ in range(400):
        _, low, high = interval_over_people(partial(mean_of_sets, rng.normal(size=204)), people)
        hits += low <= 0 <= high
    assert hits / 400 > 0.9  # with a degree of freedom for each person .86


def test_what_has_no_error_has_an_interval_few_people_none_and_differences_the_variances_of_both():
    people = np.repeat(np.arange(20), 3)
    perfect = mean_over_people(np.ones(60), people, share=True)
    assert perfect["high"] == 1 and perfect["low"] == pytest.approx(20 / (20 + stats.t.ppf(0.975, 19) ** 2))
    for n, undefined in ((4, True), (5, False)):
        found = mean_over_people(np.arange(n) % 2, np.arange(n), share=True)
        assert np.isnan([found["low"], found["high"]]).all() == undefined and np.isfinite(found["value"])
    right = np.arange(5000) % 5 > 0  # so many people are left out in groups
    many = mean_over_people(right, np.array([f"p{i}" for i in np.random.default_rng(0).permutation(5000)]), share=True)
    assert (many["low"], many["high"]) == pytest.approx((0.8 - 0.0111, 0.8 + 0.0111), abs=0.002)
    # One person of ten has all positives: without that person there is no area.
    values, positive = np.arange(20.0), np.arange(20) >= 18
    areas = partial(intervals.resampled_auc, values, positive)
    value, low, high = interval_over_people(areas, np.arange(20) // 2, share=True)
    assert value == 1 and np.isnan([low, high]).all()
    found = intervals.independent_difference((0.8, 0.77, 0.84), (0.5, 0.46, 0.53))
    assert found == pytest.approx((0.3, 0.3 - np.hypot(0.03, 0.03), 0.3 + np.hypot(0.04, 0.04)))
    sides = [intervals.side((0, *ends), 0.5) for ends in ((0.6, 0.7), (0.3, 0.4), (0.4, 0.6), (np.nan, np.nan))]
    assert sides == [1, -1, 0, 0]


def test_labels_stay_within_their_stratum_and_whole_expressions_of_a_person_are_exchanged():
    y, strata = np.array([0, 1, 2, 5, 6, 9]), np.array([3, 1, 3, 1, 3, 2])
    rng = np.random.default_rng(0)
    seen = {tuple(map(int, intervals.permuted_within(y, strata, rng))) for _ in range(300)}
    assert seen == {(a, b, c, d, e, 9) for a, c, e in permutations((0, 2, 6)) for b, d in permutations((1, 5))}
    y, people = np.array([2, 2, 0, 1, 1, 1, 0]), np.array(list("aaabbcd"))
    units, labels, strata = intervals.exchangeable(y, people)
    assert labels[units].tolist() == y.tolist() and units[0] == units[1] and units[3] == units[4]
    assert len(labels) == 5 and (strata[units] == 0).tolist() == [False] * 3 + [True] * 4
    assert strata[units[0]] == strata[units[2]]


def faces(signal, n_people=12, seed=0):
    rng = np.random.default_rng(seed)
    y, person = np.tile(np.arange(3), n_people), np.repeat(np.arange(n_people), 3)
    X = signal * np.eye(3)[y] + rng.normal(size=(n_people, 1)).repeat(3, axis=0) + 0.3 * rng.normal(size=(len(y), 3))
    return squared_distances(X.astype(np.float32)), y, person


def blocks_of(y, person, C=1.0, gamma=0.3):
    return [(fold, C, gamma) for fold in grouped_folds(y, person, 3, seed=0)]


def test_a_signal_is_found_and_its_absence_is_at_the_level_though_repeats_are_copies():
    # The observed accuracy is that of models without each block, on any number of threads.
    D2, y, person = faces(0.5)
    blocks, hits = blocks_of(y, person), 0
    for fold, C, gamma in blocks:
        values = multiclass_values(gaussian_kernel(D2, gamma), y, other_rows(len(y), [fold]), fold, C, 3)
        hits += int(np.sum(values.argmax(axis=1) == y[fold]))
    one, two = (chance_test(D2, y, person, blocks, n_permutations=5, n_threads=t) for t in (1, 2))
    assert one[0] == hits / len(y) and len(one) == 6 and np.array_equal(one, two)
    D2, y, person = faces(2.0)
    found = chance_test(D2, y, person, blocks_of(y, person), n_permutations=39)
    assert np.mean(found >= found[0]) == 1 / 40 and found[1:].mean() < 0.5 < found[0]
    p_values = []
    for seed in range(25):
        D2, y, person = (np.repeat(of, 3, axis=0) for of in faces(0.0, n_people=9, seed=seed))  # three gazes of a pose
        D2 = np.repeat(D2, 3, axis=1)
        found = chance_test(D2, y, person, blocks_of(y, person, C=100), n_permutations=19, seed=seed)
        p_values.append(np.mean(found >= found[0]))
    assert 0.35 < np.mean(p_values) < 0.7 and np.mean(np.array(p_values) <= 0.1) <= 0.2


def test_a_table_of_scores_survives_saving_and_is_read_by_its_keys(tmp_path):
    row = dict(protocol="as_published", features="hog", score="auc")
    scores = score_table([row | dict(label="AU06"), row | dict(label="AU07", value=0.1 + 0.2, low=0.25)])
    predictions = pd.DataFrame({"face": [0, 1], "true": ["sad", "happy"], "value": [0.5, np.nan]})
    result = ExperimentResult(scores, predictions, pd.DataFrame({"C": [0.1], "chosen": [True]}), {"n_folds": 10, "costs": [0.1, 1.0]})
    result.save(tmp_path / "results")
    loaded = ExperimentResult.load(tmp_path / "results")
    for name in ("scores", "predictions", "searches"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(result, name))
    assert loaded.settings == result.settings
    of_hog = dict(features="hog", protocol="as_published")
    assert loaded.score("auc", "AU07", **of_hog)[:2] == (0.1 + 0.2, 0.25)
    assert np.isnan(loaded.score("auc", "AU06", **of_hog)).all() and np.isnan(loaded.score("auc", **of_hog)).all()


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
    (Y, np.tile(["a", "b", "c", "d", "e"], 12), 10, "has 5 people, 10 folds need at least 10; lower n_folds"),
    (Y, np.full(60, "a"), 5, "a single person"),
    (np.full(60, "sad"), PEOPLE, 5, "all 60 faces are sad"),
    (np.where(np.arange(60) < 3, "sad", "happy"), PEOPLE, 5, "class sad has 3 .*lower n_folds or leave the class out"),
    (np.where(PEOPLE == "p3", "sad", "happy"), PEOPLE, 5, "only one person shows class sad"),
])
def test_impossible_folds_are_refused_with_advice(y, groups, n_folds, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            grouped_folds(y, groups, n_folds, seed=0)
        if "pe" not in message:  # everything that is not about people concerns random folds too
            with pytest.raises(ValueError, match=message):
                random_folds(y, n_folds, seed=0)


def test_impossible_folds_and_features_are_refused_and_blocks_hold_every_fold_and_person_whole(monkeypatch):
    y, people = np.array(["a", "a", "b", "b", "b"]), np.array(["p", "q", "p", "q", "q"])
    assert sorted(map(len, learnable_folds(y, people, 2, seed=0))) == [2, 3]
    for folds, message in (([[0, 1, 2], [3, 4]], "class a fell into fold 0"), ([[], [0, 1, 2, 3, 4]], "empty")):
        monkeypatch.setattr("fergan.experiments.cross_validation.grouped_folds", lambda *_, folds=folds: [np.array(f, int) for f in folds])
        with pytest.raises(ValueError, match=message):
            learnable_folds(y, people, 2, seed=0)
    X = np.zeros((4, 3), np.float32)
    for value in (np.nan, np.inf):
        wrong = X.copy()
        wrong[2, 1] = value
        with pytest.raises(ValueError, match=r"'hog' hold NaN or infinity in 1 of 4 faces .*row 2"):
            cross_validation.check_features({"ours": X, "hog": wrong}, 4)
    assert [list(b) for b in cross_validation.fold_blocks(10, 3)] == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    assert [list(b) for b in cross_validation.fold_blocks(3, 5)] == [[0], [1], [2]]
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


SMALL = dict(n_faces=192, epochs=1, width=4, seed=3)


@pytest.fixture(scope="module")
def page():
    """What the cells of the method leave behind, run at the smallest size; cells that draw or speak are left out."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_one_page.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code" and not cell.metadata.get("tags")]
    assert 10 <= len(cells) <= 14 and max(len(source.splitlines()) for source in cells) <= 15
    names = dict(SMALL)
    for source in cells:
        exec(compile(source, "one page", "exec"), names)
    return names


def same_weights(network, of):
    network.load_state_dict(dict(zip(network.state_dict(), of.state_dict().values(), strict=True)))
    return network.eval()


def test_networks_folds_scores_and_interval_of_the_one_page_are_those_of_the_package(page):
    for name, network in (("trained", page["D"]), ("untrained", page["untrained"])):
        discriminator = same_weights(Discriminator(SMALL["width"]), network)
        with torch.no_grad():
            expected = discriminator.hidden(page["faces"]).flatten(1).numpy()
        np.testing.assert_allclose(page["X"][name], expected, atol=1e-5)
    assert not np.allclose(page["X"]["trained"], page["X"]["untrained"], atol=1e-2)
    generator, noise = same_weights(Generator(100, SMALL["width"]), page["G"]), torch.randn(5, 100)
    with torch.no_grad():
        torch.testing.assert_close(page["G"].eval()(noise[:, :, None, None]), generator(noise), atol=1e-5, rtol=0)
    emotions, people, X = page["emotions"], page["people"], page["X"]["trained"]
    theirs = {"as published": random_folds(emotions, 5, SMALL["seed"]), "people never seen": grouped_folds(emotions, people, 5, SMALL["seed"])}
    for protocol, folds in theirs.items():
        right = np.zeros(len(emotions))
        for test, (train, here) in zip(folds, page["folds"][protocol], strict=True):
            assert np.array_equal(test, here)
            # The machine that stands on the page chooses gamma from its training faces.
            K = gaussian_kernel(squared_distances(X), 1 / (X.shape[1] * X[train].var()))
            machine = SVC(kernel="precomputed", C=10.0).fit(K[np.ix_(train, train)], emotions[train])
            right[test] = machine.predict(K[np.ix_(test, train)]) == emotions[test]
        assert np.array_equal(right, page["hits"]["trained", protocol])
    overlap = [set(people[train]) & set(people[test]) for train, test in page["folds"]["people never seen"]]
    assert not any(overlap)
    # Its interval is wider over people than over faces.
    values = np.unique(page["people"], return_inverse=True)[1] % 2 == 0  # all that people can differ by
    low, high = page["interval"](values)
    ours = mean_over_people(values, page["people"])
    assert (low, high) == pytest.approx((ours["low"], ours["high"]))
    page["people"] = np.arange(len(values))
    assert high - low > 2 * np.ptp(page["interval"](values))
