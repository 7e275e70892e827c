"""Emotion experiments: planted signals are found, noise is at chance, and no search sees the fold that it serves."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from fergan.experiments import emotions
from fergan.experiments.config import EmotionConfig
from fergan.experiments.cross_validation import PROTOCOLS, fold_blocks, grouped_folds
from fergan.experiments.emotions import (
    EmotionResult,
    accuracy_difference,
    paper_emotion_scores,
    run_emotion_experiment,
    subject_independent,
    train_and_test,
)
from fergan.experiments.intervals import auc
from fergan.experiments.scores import SCORE_COLUMNS, row_of, score_of, score_table
from fergan.svm.kernels import gaussian_kernel, kernel_slice, multiclass_values, squared_distances, typical_distance

NAMES = np.array(["angry", "happy", "sad", "surprised"])
QUICK = {"n_folds": 5, "n_evaluations": 4, "nested_evaluations": 4, "n_permutations": 0}
FAST = QUICK | {"n_folds": 3, "n_evaluations": 3, "nested_evaluations": 3}


def faces(n_subjects=15, n_repeats=3, n_features=12, signal=2.0, noise=1.0, seed=0):
    """Faces of people with each emotion a few times; features hold the emotion and noise."""
    rng = np.random.default_rng(seed)
    y, person, _ = (a.ravel() for a in np.meshgrid(range(4), range(n_subjects), range(n_repeats), indexing="ij"))
    order = rng.permutation(len(y))
    y, person = y[order], person[order]
    X = signal * rng.normal(size=(4, n_features))[y] + noise * rng.normal(size=(len(y), n_features))
    return X.astype(np.float32), y, np.array([f"p{i:02d}" for i in person])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run an experiment in a folder of its own and load its result."""
    def run(features, emotions, subjects, split=None, config=QUICK, **running):
        folder = tmp_path_factory.mktemp("emotions")
        run_emotion_experiment(folder, EmotionConfig(**config), features=features, emotions=emotions, subjects=subjects,
                               split=split, target="some", **running)
        assert sorted(path.name for path in folder.iterdir()) == ["predictions.parquet", "scores.json", "searches.parquet"]
        return EmotionResult.load(folder)
    return run


@pytest.fixture(scope="module")
def given():
    X, y, subjects = faces()
    noise = np.random.default_rng(5).normal(size=X.shape).astype(np.float32)
    return {"discriminator": X, "noise": noise}, NAMES[y], subjects


@pytest.fixture(scope="module")
def result(run, given):
    return run(*given)


def scored(result):
    """The kinds of features that have scores under each protocol: the first under all, the others not as published."""
    rows = result.scores.query("score == 'accuracy' and features != 'none'")
    return list(zip(rows["protocol"], rows["features"], strict=True))


def test_emotions_in_the_features_are_found_and_noise_is_at_chance(result):
    assert list(result.scores.columns) == list(SCORE_COLUMNS)
    assert scored(result) == [(PROTOCOLS[0], "discriminator"), (PROTOCOLS[1], "discriminator"), (PROTOCOLS[1], "noise")]
    for protocol in PROTOCOLS:
        assert score_of(result, protocol, "discriminator", "accuracy") > 0.9
        assert score_of(result, protocol, "discriminator", "auc") > 0.95
        assert score_of(result, protocol, "none", "chance_accuracy") == score_of(result, protocol, "none", "majority_accuracy") == 0.25
    row = row_of(result.scores, PROTOCOLS[1], "noise", "accuracy")
    assert row["low"] < 0.25 < row["high"]


def test_every_score_follows_from_the_predictions(result):
    for protocol, features in scored(result):
        table = result.select(protocol, features)
        assert sorted(table["face"]) == list(range(180))
        values = table[[f"value_{e}" for e in result.emotions]].to_numpy()
        assert np.array_equal(np.array(result.emotions)[values.argmax(axis=1)], table["predicted"])
        right = np.mean(table["true"] == table["predicted"])
        confusion = result.confusion(protocol, features).to_numpy()
        assert right == score_of(result, protocol, features, "accuracy") == np.trace(confusion) / 180
        recall = np.diag(confusion) / confusion.sum(axis=1)
        np.testing.assert_allclose(score_of(result, protocol, features, "balanced_accuracy"), recall.mean())
        f1 = f1_score(table["true"], table["predicted"], average="macro")
        np.testing.assert_allclose(score_of(result, protocol, features, "macro_f1"), f1)
        area = auc(table["value_sad"].to_numpy(), (table["true"] == "sad").to_numpy())
        assert score_of(result, protocol, features, "auc", "sad") == area
        false_positive, true_positive = result.roc(protocol, features)["sad"]
        np.testing.assert_allclose(np.trapezoid(true_positive, false_positive), area)
    difference = row_of(result.scores, PROTOCOLS[1], "noise", "accuracy_difference")
    accuracies = [score_of(result, PROTOCOLS[1], f, "accuracy") for f in ("discriminator", "noise")]
    np.testing.assert_allclose(difference["value"], accuracies[0] - accuracies[1])
    assert 0 < difference["low"] < difference["value"]


def test_published_score_is_the_maximum_of_its_search_and_nested_searches_serve_all_folds(result):
    table = result.searches.query("features == 'discriminator'")
    published = table[table["protocol"] == "as_published"]
    assert len(published) == 4 and published["chosen"].sum() == 1
    assert published["accuracy"].max() == score_of(result, "as_published", "discriminator", "accuracy")
    nested = table[table["protocol"] == "subject_independent"]
    assert " ".join(nested["outer_folds"].unique()) == "0 1 2 3 4" and (nested.groupby("outer_folds")["chosen"].sum() == 1).all()


def test_people_who_leak_are_rewarded_by_random_folds_and_caught_by_folds_of_people(run):
    # Each person shows each emotion in a way of their own: recognising the person is all that can be learnt.
    rng = np.random.default_rng(0)
    _, y, subjects = faces()
    own = rng.normal(size=(15, 4, 60))
    X = own[np.unique(subjects, return_inverse=True)[1], y] + 0.1 * rng.normal(size=(len(y), 60))
    result = run({"x": X.astype(np.float32)}, NAMES[y], subjects)
    assert score_of(result, "as_published", "x", "accuracy") > 0.9 and score_of(result, "subject_independent", "x", "accuracy") < 0.4
    assert score_of(result, "as_published", "x", "protocol_gap") > 0.5
    assert (result.select("subject_independent", "x").groupby("subject")["fold"].nunique() == 1).all()


def test_the_same_seed_gives_the_same_result_on_any_number_of_threads(run, given, result):
    pd.testing.assert_frame_equal(run(*given, n_threads=2).scores, result.scores)


@pytest.mark.parametrize(("change", "message"), [
    ({"X": np.nan}, "hold NaN or infinity"), ({"emotion": None}, "1 faces have no emotion .*row 7"),
    ({"emotion": "bored"}, "unknown emotion 'bored'"), ({"people": 4}, "4 people, 5 folds"), ({"split": ["test"]}, "180 emotions but 1 entries"),
])
def test_what_cannot_work_is_refused_before_any_search(change, message, monkeypatch, tmp_path):
    monkeypatch.setattr("fergan.svm.kernels.fit_svc", lambda *a, **k: pytest.fail("a model was fitted"))
    X, y, subjects = faces(n_subjects=change.get("people", 15))
    emotions = NAMES[y].astype(object)
    X[7, 0] = change.get("X", 0)
    emotions[7] = change.get("emotion", "sad")
    with pytest.raises(ValueError, match=message):
        run_emotion_experiment(tmp_path, EmotionConfig(**QUICK), features={"x": X}, emotions=emotions, subjects=subjects,
                               split=change.get("split"))
    assert not list(tmp_path.iterdir())


def test_paper_scores_name_the_average_that_does_not_hold():
    scores = paper_emotion_scores(4).set_index(["score", "label"])
    assert scores.loc[("accuracy", "all"), "value"] == pytest.approx(0.694)
    assert scores.loc[("auc", "all"), ["value", "note"]].tolist() == [pytest.approx(0.932), "the column averages 0.940"]
    assert scores.loc[("auc", "contemptuous"), "value"] == pytest.approx(0.858)
    sixth = paper_emotion_scores(6)
    assert "contemptuous" not in set(sixth["label"]) and sixth["n_labels"].max() == 7 and sixth["note"].iloc[1] == ""
    with pytest.raises(ValueError, match="1 to 8"):
        paper_emotion_scores(9)


@pytest.fixture(scope="module")
def split_result(run):
    X, y, subjects = faces()
    split = np.where(np.isin(subjects, ["p00", "p01", "p02"]), "test", "train").astype(object)
    split[subjects == "p03"] = None
    return run({"x": X, "first": X[:, :1]}, NAMES[y], subjects, split, QUICK | {"n_permutations": 19}), split


def test_an_official_split_is_a_third_protocol_on_its_own_faces(split_result):
    result, split = split_result
    assert result.protocols == ["as_published", "subject_independent", "official_split"]
    assert result.settings["official_split"] == "test" and set(result.searches["protocol"]) == set(result.protocols)
    table = result.select("official_split", "x")
    assert table["face"].tolist() == np.flatnonzero(split == "test").tolist()
    row = row_of(result.scores, "official_split", "x", "accuracy")
    assert (row["n_faces"], row["n_subjects"], row["note"]) == (36, 3, "trained on 132 faces")
    assert row["value"] == np.mean(table["true"] == table["predicted"]) > 0.9


@pytest.mark.parametrize(("change", "why"), [
    (lambda y, split: np.where((y == 3) & (split == "train"), "val", split), "left out: no training face shows surprised"),
    (lambda y, split: np.where(split == "train", None, split), ""),
])
def test_a_split_that_cannot_work_is_left_out_and_says_why(run, change, why):
    X, y, subjects = faces(n_subjects=6)
    split = np.where(subjects == "p00", "test", "train").astype(object)
    result = run({"x": X}, NAMES[y], subjects, change(y, split), FAST)
    assert result.protocols == list(PROTOCOLS) and result.settings["official_split"] == why


def test_a_signal_is_told_from_chance_for_the_first_features_only(split_result):
    result, _ = split_result
    assert score_of(result, "subject_independent", "x", "p_value") == 1 / 20 and (result.scores["score"] == "p_value").sum() == 1
    tested = result.settings["chance_test"]
    assert (tested["n_permutations"], tested["n_alone"], tested["n_people"]) == (19, 0, 15) and tested["mean"] <= tested["highest"] < tested["observed"]


def test_a_killed_experiment_goes_on(tmp_path, monkeypatch):
    X, y, subjects = faces(n_subjects=6)
    given = dict(features={"x": X}, emotions=NAMES[y], subjects=subjects)
    calls, search = [], emotions.search_folds

    def counting(*arguments, **options):
        calls.append(options["name"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        lines = []
        found = search(*arguments, **options, progress=lines.append)
        calls[-1] += f" {len(lines)}"
        return found

    monkeypatch.setattr(emotions, "search_folds", counting)
    with pytest.raises(KeyboardInterrupt):
        run_emotion_experiment(tmp_path, EmotionConfig(**FAST), **given)
    assert len(list((tmp_path / "searches").iterdir())) == 1
    run_emotion_experiment(tmp_path, EmotionConfig(**FAST), **given)
    assert calls == ["as-published 3", "nested", "as-published 0", *["nested 3"] * 3] and not (tmp_path / "searches").exists()


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
        if len(block) == 1:  # a fold's model trains on the block's other folds, but the parameters were chosen without
            assert np.array_equal(changed[folds[block[0]]], values[folds[block[0]]])
        others = [c for c in range(len(blocks)) if c != a]
        assert not all(changed_searches[c][1].trials.equals(searches[c][1].trials) for c in others)
    assert min(len(block) for block in blocks) == 1


def test_a_nested_search_is_plain_nested_cross_validation():
    X, y, subjects = faces(signal=0.7)
    D2 = squared_distances(X)
    folds = grouped_folds(y, subjects, 3, seed=0)
    for a, (_, result) in enumerate(subject_independent(D2, y, folds, n_evaluations=4, inner_folds=2)[1]):
        for trial in result.trials.itertuples():
            K, hits, rest = gaussian_kernel(D2, trial.gamma), 0, [f for i, f in enumerate(folds) if i != a]
            for train, test in (rest, rest[::-1]):
                hits += np.sum(multiclass_values(K, y, train, test, trial.C, 4).argmax(1) == y[test])
            assert trial.score == hits / sum(map(len, rest))


def few_faces():
    X, y, subjects = faces(signal=0.7)
    return squared_distances(X), y, subjects, grouped_folds(y, subjects, 5, seed=0)


def test_an_official_split_is_searched_within_its_training_faces_and_scored_once(tmp_path):
    D2, y, subjects, folds = few_faces()
    train, test = np.sort(np.concatenate(folds[2:])), folds[0]  # the faces of fold 1 take no part
    inner = grouped_folds(y[train], subjects[train], 3, seed=2)
    options = dict(folds=inner, n_evaluations=4, seed=2)
    values, result = train_and_test(D2, y, train, test, **options)
    K = gaussian_kernel(D2, result.gamma)
    assert values.shape == (len(test), 4) and np.array_equal(values, multiclass_values(K, y, train, test, result.C, 4))
    # The search, written out on the training faces alone.
    of_train = kernel_slice(D2, train, train)
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
    again, same = train_and_test(far, other, train, test, **options)
    assert same.trials.equals(result.trials) and np.array_equal(again, values)
    assert typical_distance(far) != typical_distance(D2)
    for labels in (y, other):  # and both are one problem for a journal
        train_and_test(D2, labels, train, test, journal=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 1


def compared(right, collection="some", half=0.05):
    """An experiment with these right (1) and wrong (0) answers, two faces of each person."""
    predictions = pd.DataFrame({
        "protocol": "subject_independent", "features": "discriminator", "face": range(len(right)),
        "subject": [f"p{i // 2}" for i in range(len(right))], "true": "sad", "predicted": np.where(right, "sad", "happy")})
    row = dict(protocol="subject_independent", features="discriminator", score="accuracy", label="all", value=right.mean())
    scores = score_table([row | dict(low=right.mean() - half, high=right.mean() + half)])
    return EmotionResult(scores, predictions, pd.DataFrame(), {"collection": collection})


def test_a_difference_on_the_same_people_is_paired_and_sharper_whatever_their_faces():
    second = np.random.default_rng(0).random(400) < 0.5
    first = second | (np.arange(400) % 10 == 0)  # never worse, on the same faces
    found, paired = accuracy_difference(compared(first), compared(second))
    assert paired and found.value == pytest.approx(first.mean() - second.mean()) and 0 < found.low < found.value < found.high
    wide, paired = accuracy_difference(compared(first, collection="other"), compared(second))
    assert not paired and (wide.value - wide.low, wide.high - wide.value) == pytest.approx([np.hypot(0.05, 0.05)] * 2)
    assert accuracy_difference(compared(second), compared(first))[0].value == pytest.approx(-found.value)
    # Other faces of the same people, who are good or bad at both: the people cancel out.
    people = np.repeat(np.random.default_rng(1).random(100) < 0.5, 2)
    of_other_faces, paired = accuracy_difference(compared(people), compared(np.where(np.arange(200) % 20, people, ~people)))
    assert paired and of_other_faces.high - of_other_faces.low < 0.12 < 2 * 1.96 * np.sqrt(2 * 0.25 / 100)
