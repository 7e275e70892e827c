import numpy as np
import pandas as pd
import pytest
from drawn_faces import faces

from fergan.experiments.cross_validation import PROTOCOLS
from fergan.experiments.emotion_scores import paper_emotion_scores
from fergan.experiments.emotions import EmotionResult, run_emotion_experiment
from fergan.experiments.intervals import auc
from fergan.experiments.scores import SCORE_COLUMNS

NAMES = np.array(["angry", "happy", "sad", "surprised"])
QUICK = {"n_folds": 5, "n_evaluations": 4, "n_resamples": 200}


def score(result, protocol, features, name, label="all", column="value"):
    table = result.scores
    rows = table[(table["protocol"] == protocol) & (table["features"] == features) & (table["score"] == name)]
    return rows.set_index("label").loc[label, column]


@pytest.fixture(scope="module")
def result():
    X, y, subjects = faces()
    noise = np.random.default_rng(5).normal(size=X.shape).astype(np.float32)
    return run_emotion_experiment({"discriminator": X, "noise": noise}, NAMES[y], subjects, **QUICK)


def test_emotions_in_the_features_are_found_and_noise_is_at_chance(result):
    assert list(result.scores.columns) == list(SCORE_COLUMNS)
    for protocol in PROTOCOLS:
        assert score(result, protocol, "discriminator", "accuracy") > 0.9
        assert score(result, protocol, "discriminator", "auc") > 0.95
        low, high = (score(result, protocol, "noise", "accuracy", column=c) for c in ("low", "high"))
        # As published the best of four scores is taken, so chance (.25) may lie just below the interval.
        assert low - 0.03 < 0.25 < high
        assert score(result, protocol, "none", "chance_accuracy") == 0.25
        assert score(result, protocol, "none", "majority_accuracy") == 0.25


def test_every_score_follows_from_the_predictions(result):
    for protocol in PROTOCOLS:
        for features in ("discriminator", "noise"):
            table = result.select(protocol, features)
            assert sorted(table["face"]) == list(range(180))
            values = table[[f"value_{e}" for e in result.emotions]].to_numpy()
            assert np.array_equal(np.array(result.emotions)[values.argmax(axis=1)], table["predicted"])
            right = np.mean(table["true"] == table["predicted"])
            confusion = result.confusion(protocol, features).to_numpy()
            assert right == score(result, protocol, features, "accuracy") == np.trace(confusion) / 180
            recall = np.diag(confusion) / confusion.sum(axis=1)
            np.testing.assert_allclose(score(result, protocol, features, "balanced_accuracy"), recall.mean())
            area = auc(table["value_sad"].to_numpy(), (table["true"] == "sad").to_numpy())
            assert score(result, protocol, features, "auc", "sad") == area
            false_positive, true_positive = result.roc(protocol, features)["sad"]
            np.testing.assert_allclose(np.trapezoid(true_positive, false_positive), area)


def test_difference_is_the_first_feature_set_minus_the_other(result):
    for protocol in PROTOCOLS:
        difference = score(result, protocol, "noise", "accuracy_difference")
        accuracies = [score(result, protocol, f, "accuracy") for f in ("discriminator", "noise")]
        np.testing.assert_allclose(difference, accuracies[0] - accuracies[1])
        assert 0 < score(result, protocol, "noise", "accuracy_difference", column="low") < difference


def test_confusion_has_the_true_emotion_in_its_rows():
    table = pd.DataFrame(
        {
            "protocol": "p",
            "features": "f",
            "true": ["sad", "sad", "angry"],
            "predicted": ["angry", "angry", "angry"],
        }
    )
    counts = EmotionResult(None, table, None, {"emotions": ["angry", "sad"]}).confusion("p", "f")
    assert counts.loc["sad", "angry"] == 2 and counts.loc["angry", "sad"] == 0 and counts.shape == (2, 2)
    with pytest.raises(ValueError, match="no predictions"):
        EmotionResult(None, table, None, {"emotions": ["angry", "sad"]}).confusion("p", "other")


def test_published_score_is_the_maximum_of_its_search_and_nested_searches_serve_all_folds(result):
    table = result.searches.query("features == 'discriminator'")
    published = table[table["protocol"] == "as_published"]
    assert len(published) == 4 and published["chosen"].sum() == 1
    assert published["accuracy"].max() == score(result, "as_published", "discriminator", "accuracy")
    nested = table[table["protocol"] == "subject_independent"]
    assert " ".join(nested["outer_folds"].unique()) == "0 1 2 3 4"
    assert (nested.groupby("outer_folds")["chosen"].sum() == 1).all()


def test_people_who_leak_are_rewarded_by_random_folds_and_caught_by_folds_of_people():
    # Each person shows each emotion in a way of their own: recognising the person is all that can be learnt.
    rng = np.random.default_rng(0)
    _, y, subjects = faces()
    own = rng.normal(size=(15, 4, 60))
    person = np.unique(subjects, return_inverse=True)[1]
    X = (own[person, y] + 0.1 * rng.normal(size=(len(y), 60))).astype(np.float32)
    result = run_emotion_experiment({"x": X}, NAMES[y], subjects, **QUICK)
    assert score(result, "as_published", "x", "accuracy") > 0.9
    assert score(result, "subject_independent", "x", "accuracy") < 0.4
    table = result.select("subject_independent", "x")
    assert (table.groupby("subject")["fold"].nunique() == 1).all()


def test_permuted_labels_score_at_chance_in_both_protocols():
    X, y, subjects = faces()
    y = np.random.default_rng(3).permutation(y)
    result = run_emotion_experiment({"x": X}, NAMES[y], subjects, **QUICK)
    assert score(result, "subject_independent", "x", "accuracy", column="low") < 0.25
    assert score(result, "subject_independent", "x", "accuracy") < 0.33
    assert score(result, "as_published", "x", "accuracy") < 0.36  # the best of four scores
    assert abs(score(result, "subject_independent", "x", "auc") - 0.5) < 0.08


def test_the_same_seed_gives_the_same_result_on_any_number_of_threads(result):
    X, y, subjects = faces()
    noise = np.random.default_rng(5).normal(size=X.shape).astype(np.float32)
    again = run_emotion_experiment(
        {"discriminator": X, "noise": noise}, NAMES[y], subjects, n_threads=2, **QUICK
    )
    pd.testing.assert_frame_equal(again.scores, result.scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.nan}, "hold NaN or infinity"),
        ({"emotion": None}, "1 faces have no emotion .*row 7"),
        ({"emotion": "bored"}, "unknown emotion 'bored'"),
        ({"people": 4}, "4 people, 5 folds"),
        ({"inner_folds": 1}, "nested"),
    ],
)
def test_what_cannot_work_is_refused_before_any_search(change, message, monkeypatch):
    monkeypatch.setattr("fergan.svm.machines.fit_svc", lambda *a, **k: pytest.fail("a model was fitted"))
    X, y, subjects = faces(n_subjects=change.get("people", 15))
    emotions = NAMES[y].astype(object)
    if "X" in change:
        X[7, 0] = change["X"]
    if "emotion" in change:
        emotions[7] = change["emotion"]
    with pytest.raises(ValueError, match=message):
        run_emotion_experiment(
            {"x": X}, emotions, subjects, n_folds=5, inner_folds=change.get("inner_folds", 2)
        )


def test_result_survives_saving(result, tmp_path):
    result.save(tmp_path)
    loaded = EmotionResult.load(tmp_path)
    for name in ("scores", "predictions", "searches"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(result, name))
    assert loaded.emotions == ["angry", "happy", "sad", "surprised"]
    assert loaded.confusion("as_published", "noise").equals(result.confusion("as_published", "noise"))


def test_progress_names_what_was_done():
    X, y, subjects = faces(n_subjects=6)
    lines = []
    run_emotion_experiment(
        {"x": X}, NAMES[y], subjects, n_folds=3, n_evaluations=3, n_resamples=0, progress=lines.append
    )
    assert lines[0].startswith("trial 1 of 3: C ")
    done = [line.split(":")[0] for line in lines if not line.startswith("trial")]
    assert done == ["x, as_published", "x, subject_independent"]


def test_paper_scores_name_the_average_that_does_not_hold():
    scores = paper_emotion_scores(4).set_index(["score", "label"])
    assert scores.loc[("accuracy", "all"), "value"] == pytest.approx(0.694)
    assert scores.loc[("auc", "all"), "value"] == pytest.approx(0.932)
    assert scores.loc[("auc", "all"), "note"] == "the column averages 0.940"
    assert scores.loc[("auc", "contemptuous"), "value"] == pytest.approx(0.858)
    sixth = paper_emotion_scores(6)
    assert "contemptuous" not in set(sixth["label"]) and sixth["n_labels"].max() == 7
    assert sixth["note"].iloc[1] == ""
    with pytest.raises(ValueError, match="1 to 8"):
        paper_emotion_scores(9)


@pytest.fixture(scope="module")
def split_result():
    X, y, subjects = faces()
    split = np.where(np.isin(subjects, ["p00", "p01", "p02"]), "test", "train").astype(object)
    split[subjects == "p03"] = None
    return run_emotion_experiment({"x": X, "first": X[:, :1]}, NAMES[y], subjects, split=split, n_permutations=19, **QUICK), split


def test_an_official_split_is_a_third_protocol_on_its_own_faces(split_result):
    result, split = split_result
    assert result.protocols == ["as_published", "subject_independent", "official_split"]
    assert result.settings["official_split"] == "test"
    table = result.select("official_split", "x")
    assert table["face"].tolist() == np.flatnonzero(split == "test").tolist()
    assert score(result, "official_split", "x", "accuracy", column="n_faces") == 36
    assert score(result, "official_split", "x", "accuracy", column="n_subjects") == 3
    assert score(result, "official_split", "x", "accuracy") == np.mean(table["true"] == table["predicted"]) > 0.9
    assert score(result, "official_split", "x", "accuracy", column="note") == "trained on 132 faces"
    assert set(result.searches["protocol"]) == set(result.protocols)


@pytest.mark.parametrize(("change", "why"), [
    (lambda y, split: np.where((y == 3) & (split == "train"), "val", split), "left out: no training face shows surprised"),
    (lambda y, split: np.where(split == "train", None, split), ""),
])
def test_a_split_that_cannot_work_is_left_out_and_says_why(change, why):
    X, y, subjects = faces(n_subjects=6)
    split = np.where(subjects == "p00", "test", "train").astype(object)
    result = run_emotion_experiment({"x": X}, NAMES[y], subjects, split=change(y, split), n_folds=3, n_evaluations=3, n_resamples=100)
    assert result.protocols == ["as_published", "subject_independent"] and result.settings["official_split"] == why


def test_a_signal_is_told_from_chance_for_the_first_features_only(split_result):
    result, _ = split_result
    assert score(result, "subject_independent", "x", "p_value") == 1 / 20
    assert "19 permutations within people" in score(result, "subject_independent", "x", "p_value", column="note")
    assert (result.scores["score"] == "p_value").sum() == 1
    assert score(result, "subject_independent", "first", "accuracy_difference_p_value") < 0.05


def test_pruning_is_off_as_published(monkeypatch):
    seen = []

    def watched(name, function):
        def call(*arguments, **options):
            seen.append((name, options.get("prune", False)))
            return function(*arguments, **options)
        return call

    from fergan.experiments import emotions
    for name in ("as_published", "subject_independent"):
        monkeypatch.setattr(emotions, name, watched(name, getattr(emotions, name)))
    X, y, subjects = faces(n_subjects=6)
    run_emotion_experiment({"x": X}, NAMES[y], subjects, n_folds=3, n_evaluations=3, n_resamples=100, prune=True)
    assert seen == [("as_published", False), ("subject_independent", True)]


def test_a_journal_is_removed_when_the_experiment_is_done(tmp_path):
    X, y, subjects = faces(n_subjects=6)
    options = dict(n_folds=3, n_evaluations=3, n_resamples=100, journal=tmp_path / "searches")
    seen = []
    run_emotion_experiment({"x": X}, NAMES[y], subjects, **options, progress=lambda line: seen.append(len(list(tmp_path.glob("*/*")))))
    assert max(seen) > 0 and not (tmp_path / "searches").exists()
