"""Emotion experiments: planted signals are found, noise is at chance, and no search sees the fold that it serves."""

import numpy as np
import pandas as pd
import pytest
from planted import HONEST, ends, face_set
from sklearn.metrics import f1_score
from tiny import interrupt_call

from fergan.book.show import say
from fergan.experiments import emotions
from fergan.experiments.config import EmotionConfig
from fergan.experiments.cross_validation import PROTOCOLS, grouped_folds
from fergan.experiments.emotions import GROUPS, EmotionResult, accuracy_difference, run_emotion_experiment
from fergan.experiments.intervals import auc
from fergan.experiments.scores import SCORE_COLUMNS, score_table
from fergan.rendered.labels import sample_identity
from fergan.svm.kernels import gaussian_kernel, kernel_slice, multiclass_values, squared_distances

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


def test_emotions_in_the_features_are_found_and_noise_is_at_chance_on_any_number_of_threads(run, given, result):
    pd.testing.assert_frame_equal(run(*given, n_threads=2).scores, result.scores)
    assert list(result.scores.columns) == list(SCORE_COLUMNS)
    assert scored(result) == [(PROTOCOLS[0], "discriminator"), (PROTOCOLS[1], "discriminator"), (PROTOCOLS[1], "noise")]
    for protocol in PROTOCOLS:
        assert result.score("accuracy", protocol=protocol)[0] > 0.9 and result.score("auc", protocol=protocol)[0] > 0.95
        guesses = [result.score(f"{name}_accuracy", features="none", protocol=protocol)[0] for name in ("chance", "majority")]
        assert guesses == [0.25, 0.25]
    _, low, high = result.score("accuracy", features="noise")
    assert low < 0.25 < high


def test_every_score_follows_from_the_predictions_and_the_published_one_is_the_maximum_of_its_search(result):
    for protocol, features in scored(result):
        table = result.select(protocol, features)
        found = lambda name, label="all", of=(features, protocol): result.score(name, label, *of)[0]
        assert sorted(table["face"]) == list(range(180))
        values = table[[f"value_{e}" for e in result.emotions]].to_numpy()
        assert np.array_equal(np.array(result.emotions)[values.argmax(axis=1)], table["predicted"])
        confusion = result.confusion(protocol, features).to_numpy()
        assert np.mean(table["true"] == table["predicted"]) == found("accuracy") == np.trace(confusion) / 180
        assert found("balanced_accuracy") == pytest.approx((np.diag(confusion) / confusion.sum(axis=1)).mean())
        assert found("macro_f1") == pytest.approx(f1_score(table["true"], table["predicted"], average="macro"))
        assert found("auc", "sad") == auc(table["value_sad"].to_numpy(), (table["true"] == "sad").to_numpy())
        false_positive, true_positive = result.roc(protocol, features)["sad"]
        assert np.trapezoid(true_positive, false_positive) == pytest.approx(found("auc", "sad"))
    value, low, _ = result.score("accuracy_difference", features="noise")
    assert 0 < low < value == pytest.approx(result.score("accuracy")[0] - result.score("accuracy", features="noise")[0])
    table = result.searches.query("features == 'discriminator'")
    published = table[table["protocol"] == "as_published"]
    assert len(published) == 4 and published["chosen"].sum() == 1
    assert published["accuracy"].max() == result.score("accuracy", protocol="as_published")[0]
    nested = table[table["protocol"] == "subject_independent"]
    assert " ".join(nested["outer_folds"].unique()) == "0 1 2 3 4" and (nested.groupby("outer_folds")["chosen"].sum() == 1).all()


def test_people_who_leak_are_rewarded_by_random_folds_and_caught_by_folds_of_people(run):
    # Each person shows each emotion in a way of their own: recognising the person is all that can be learnt.
    rng = np.random.default_rng(0)
    _, y, subjects = faces()
    own = rng.normal(size=(15, 4, 60))
    X = own[np.unique(subjects, return_inverse=True)[1], y] + 0.1 * rng.normal(size=(len(y), 60))
    result = run({"x": X.astype(np.float32)}, NAMES[y], subjects)
    published = [result.score(name, features="x", protocol="as_published")[0] for name in ("accuracy", "protocol_gap")]
    assert published[0] > 0.9 and published[1] > 0.5 and result.score("accuracy", features="x")[0] < 0.4
    assert (result.select("subject_independent", "x").groupby("subject")["fold"].nunique() == 1).all()


@pytest.mark.parametrize(("change", "message"), [
    ({"X": np.nan}, "hold NaN or infinity"), ({"emotion": None}, "unknown emotion None"),
    ({"emotion": "bored"}, "unknown emotion 'bored'"), ({"people": 4}, "4 people, 5 folds"),
])
def test_what_cannot_work_is_refused_before_any_search(change, message, monkeypatch, tmp_path):
    monkeypatch.setattr("fergan.svm.kernels.fit_svc", lambda *a, **k: pytest.fail("a model was fitted"))
    X, y, subjects = faces(n_subjects=change.get("people", 15))
    emotions = NAMES[y].astype(object)
    X[7, 0] = change.get("X", 0)
    emotions[7] = change.get("emotion", "sad")
    with pytest.raises(ValueError, match=message):
        run_emotion_experiment(tmp_path, EmotionConfig(**QUICK), features={"x": X}, emotions=emotions, subjects=subjects)
    assert not list(tmp_path.iterdir())


def test_an_official_split_is_a_third_protocol_on_its_own_faces_and_a_signal_is_told_from_chance(run):
    X, y, subjects = faces()
    split = np.where(np.isin(subjects, ["p00", "p01", "p02"]), "test", "train").astype(object)
    split[subjects == "p03"] = None
    result = run({"x": X, "first": X[:, :1]}, NAMES[y], subjects, split, QUICK | {"n_permutations": 19})
    assert result.protocols == ["as_published", "subject_independent", "official_split"]
    assert result.settings["official_split"] == "test" and set(result.searches["protocol"]) == set(result.protocols)
    table = result.select("official_split", "x")
    assert table["face"].tolist() == np.flatnonzero(split == "test").tolist()
    row = result.row("accuracy", features="x", protocol="official_split")
    assert (row["n_faces"], row["n_subjects"]) == (36, 3)
    assert row["value"] == np.mean(table["true"] == table["predicted"]) > 0.9
    tested = result.settings["chance_test"]  # of the first kind of features only
    expected = dict(p_value=1 / 20, n_permutations=19, n_alone=0, n_people=15)
    assert tested == tested | expected and tested["mean"] <= tested["highest"] < tested["observed"]
    # A split that cannot work is left out and says why.
    X, y, subjects = faces(n_subjects=6)
    split = np.where(subjects == "p00", "test", np.where(y == 3, "val", "train"))
    result = run({"x": X}, NAMES[y], subjects, split, FAST)
    assert result.protocols == list(PROTOCOLS) and result.settings["official_split"] == "left out: no training face shows surprised"


def test_more_faces_than_memory_are_approximated_under_every_protocol_and_the_page_says_what_it_costs(run):
    X, y, subjects = faces(n_subjects=20, n_repeats=4, signal=1.0)
    split, options = np.where(subjects < "p14", "train", "test"), FAST | {"n_permutations": 9}
    exact, large = (run({"discriminator": X}, NAMES[y], subjects, split, options | {"memory_gb": memory}) for memory in (12.0, 0.0012))
    cost, scores = large.settings["approximated"], [[of.score("accuracy", protocol=p)[0] for of in (exact, large)] for p in exact.protocols]
    assert exact.settings["approximated"] == {} and cost["n_searched"] == 223 < len(y) and large.settings["chance_test"] == {}
    assert len(scores) == 3 and np.min(scores) > 0.55 and np.abs(np.diff(scores)).max() < 0.1 > abs(cost["exact"] - cost["approximate"])
    assert f"{cost['approximate']:.3f}"[1:] in say("emotions_experiment", "approximated", cost=cost)


def test_a_killed_experiment_goes_on(tmp_path, monkeypatch):
    X, y, subjects = faces(n_subjects=6)
    given = dict(features={"x": X}, emotions=NAMES[y], subjects=subjects)
    calls = interrupt_call(monkeypatch, emotions, "search_folds", at=2)
    with pytest.raises(KeyboardInterrupt):
        run_emotion_experiment(tmp_path, EmotionConfig(**FAST), **given)
    assert len(list((tmp_path / "searches").iterdir())) == 1
    run_emotion_experiment(tmp_path, EmotionConfig(**FAST), **given)
    names = [options["name"] for options in calls]
    assert names == ["as-published", "nested", "as-published", *["nested"] * 3] and not (tmp_path / "searches").exists()


def hits_of(K, y, folds, C):
    """How many faces of all folds are named rightly by models of the other folds, written out."""
    faces = np.concatenate(folds)
    return sum(np.sum(multiclass_values(K, y, np.setdiff1d(faces, fold), fold, C, 4).argmax(1) == y[fold]) for fold in folds)


def test_a_nested_search_is_plain_nested_cross_validation_and_an_official_split_is_scored_once():
    """Neither the search of a fold nor the model that names its faces has seen it, and no search has seen tested faces."""
    X, y, subjects = faces(signal=0.7)
    D2 = squared_distances(X)
    folds = grouped_folds(y, subjects, 3, seed=0)
    values, searches = emotions.subject_independent(D2, y, folds, n_evaluations=4, inner_folds=2)
    for a, (_, result) in enumerate(searches):
        rest = [fold for i, fold in enumerate(folds) if i != a]
        for trial in result.trials.itertuples():
            assert trial.score == hits_of(gaussian_kernel(D2, trial.gamma), y, rest, trial.C) / sum(map(len, rest))
        expected = multiclass_values(gaussian_kernel(D2, result.gamma), y, np.sort(np.concatenate(rest)), folds[a], result.C, 4)
        assert np.array_equal(values[folds[a]], expected)

    folds = grouped_folds(y, subjects, 5, seed=0)
    train, test = np.sort(np.concatenate(folds[2:])), folds[0]  # the faces of fold 1 take no part
    inner = grouped_folds(y[train], subjects[train], 3, seed=2)
    values, result = emotions.train_and_test(D2, y, train, test, inner, n_evaluations=4, seed=2)
    assert np.array_equal(values, multiclass_values(gaussian_kernel(D2, result.gamma), y, train, test, result.C, 4))
    for trial in result.trials.itertuples():
        K = gaussian_kernel(kernel_slice(D2, train, train), trial.gamma)
        assert trial.score == hits_of(K, y[train], inner, trial.C) / len(train)


def compared(right, collection="some", half=0.05):
    """An experiment with these right (1) and wrong (0) answers, two faces of each person."""
    predictions = pd.DataFrame(HONEST | dict(face=range(len(right)), true="sad", predicted=np.where(right, "sad", "happy")))
    predictions["subject"] = predictions["face"] // 2
    scores = score_table([ends("balanced_accuracy", right.mean(), half)])
    return EmotionResult(scores, predictions, pd.DataFrame(), {"collection": collection})


def test_people_are_in_thirds_by_trait_and_differences_on_the_same_people_are_paired():
    number = np.repeat(np.arange(60), 10)
    faces = face_set(600, subject=[f"p{p}" for p in number], emotion="happy", identity_seed=number)
    people = emotions.people_of_set(faces)
    for trait, groups in GROUPS.items():
        lows, _, highs = (people.loc[people[f"{trait}_group"] == group, trait] for group in groups)
        assert len(lows) == len(highs) == 20 and lows.max() < highs.min()
    assert people.loc["p7", "skin"] == sample_identity(7)["melanin"]
    dark = people["skin_group"].reindex(faces.subjects()).to_numpy() == GROUPS["skin"][-1]
    right = np.random.default_rng(0).random(600) < np.where(dark, 0.4, 0.9)
    answers = pd.DataFrame(HONEST | dict(face=range(600), true="happy", predicted=np.where(right, "happy", "sad")))
    answers["subject"] = faces.subjects()
    table = emotions.accuracy_by_group(EmotionResult(score_table([]), answers, None, {}), people)
    found = emotions.group_differences(table)
    assert table.set_index("group")["value"]["darkest third"] == right[dark].mean() and set(table["n_people"]) == {20}
    # What the other trait shows is what chance and its overlap with the first leave.
    assert found["skin"][1] > 0.3 and abs(found["age"][0]) < abs(found["skin"][0]) / 2
    second = np.random.default_rng(0).random(400) < 0.5
    first = second | (np.arange(400) % 10 == 0)  # never worse, on the same faces
    (value, low, high), paired = accuracy_difference(compared(first), compared(second))
    assert paired and value == pytest.approx(first.mean() - second.mean()) and 0 < low < value < high
    (value, low, high), paired = accuracy_difference(compared(first, collection="other"), compared(second))
    assert not paired and (value - low, high - value) == pytest.approx([np.hypot(0.05, 0.05)] * 2)
    # Other faces of the same people, who are good or bad at both: the people cancel out.
    people = np.repeat(np.random.default_rng(1).random(100) < 0.5, 2)
    (_, low, high), paired = accuracy_difference(compared(people), compared(np.where(np.arange(200) % 20, people, ~people)))
    assert paired and high - low < 0.12 < 2 * 1.96 * np.sqrt(2 * 0.25 / 100)
