"""Label efficiency: who is labelled, that nobody leaks, and curves whose course is known beforehand."""

import numpy as np
import pandas as pd
import pytest
from planted import WORDS, people
from sklearn.svm import SVC
from tiny import interrupt_call

from fergan.experiments import label_efficiency
from fergan.experiments.config import LabelEfficiencyConfig
from fergan.experiments.label_efficiency import LabelEfficiencyResult, curve_at, curve_mean, label_subsets, size_needed
from fergan.gan.networks import open_discriminator
from fergan.svm.kernels import squared_distances, typical_distance

QUICK = dict(cnn_width=None, n_splits=3, n_draws=2, n_evaluations=3, inner_folds=2)
SMALL = dict(width=4, epochs=20, min_steps=30)


def run(folder, features, emotions, subjects, images=None, **changes):
    given = dict(features=features, emotions=emotions, subjects=subjects, images=images)
    label_efficiency.run_label_efficiency(folder, LabelEfficiencyConfig(**QUICK | changes), **given)
    return LabelEfficiencyResult.load(folder)


def curve(result, method):
    return pd.Series({n: result.score("accuracy", n, method)[0] for n in result.sizes})


def test_labelled_people_are_nested_whole_and_never_tested():
    _, y, subjects = people(15, 2)
    subsets = label_subsets(y, subjects, n_splits=3, n_draws=4, seed=1)
    tested = np.concatenate([s.test for s in subsets if s.draw == 0 and s.n_people == 1])
    assert sorted(tested) == list(range(len(y))), "everybody is tested once"
    for s in subsets:
        labelled = np.unique(subjects[s.train])
        assert len(labelled) == s.n_people
        assert np.array_equal(s.train, np.flatnonzero(np.isin(subjects, labelled))), "a person's faces are all labelled"
        assert set(s.train) <= set(s.pool) and not set(subjects[s.pool]) & set(subjects[s.test])
        larger = next((b for b in subsets if (b.split, b.draw) == (s.split, s.draw) and b.n_people > s.n_people), s)
        assert set(s.train) <= set(larger.train)
    assert len({tuple(s.train) for s in subsets if s.n_people == 1 and s.split == 0}) > 1, "draws differ"
    assert sum(s.n_people == 10 for s in subsets) == 3, "all people are labelled once in each split"
    _, y, subjects = people(10, 2)
    assert {s.n_people for s in label_subsets(y, subjects, n_splits=10, n_draws=2, seed=1)} == {1, 2, 4, 9}, "8 of 9 are nearly all"


def test_features_that_separate_need_one_person_noise_never_does_and_an_emotion_that_nobody_shows_is_wrong(tmp_path):
    X, emotions, subjects = people(15, 2, signal=30)
    noise = np.random.default_rng(3).normal(size=X.shape).astype(np.float32)
    result = run(tmp_path, {"clear": X, "noise": noise}, emotions, subjects)
    assert result.sizes == [1, 2, 4, 8, 10] and (curve(result, "clear") == 1).all()
    assert (abs(curve(result, "noise") - 1 / 3) < 0.2).all()
    scores = result.scores.set_index(["features", "score", "label"])
    assert scores.loc[("clear", "people_needed", "all"), ["value", "low"]].tolist() == [1, 1]
    assert np.isnan(scores.loc[("noise", "people_needed", "all"), "value"])
    difference = scores.loc[("noise", "curve_mean_difference", "all")]
    assert difference["low"] > 0.3 and difference["value"] == pytest.approx(1 - scores.loc[("noise", "curve_mean", "all"), "value"])
    assert scores.loc[("clear", "curve_mean", "all"), "value"] == 1
    assert scores.loc[("none", "majority_accuracy", "all"), "value"] == pytest.approx(1 / 3)
    X, emotions, subjects = people(n_repeats=2, signal=30)
    kept = ~((emotions == "sad") & np.isin(subjects, [f"p{i:02d}" for i in range(6)]))  # half the people are never sad
    result = run(tmp_path, {"clear": X[kept]}, emotions[kept], subjects[kept], n_draws=3)
    fits = result.searches.merge(result.predictions, on=["features", "split", "draw", "n_people"]).astype({"true": str, "predicted": str})
    without = fits[fits["n_emotions"] == 2]
    assert len(without) and ((without["true"] == without["predicted"]) == (without["true"] != "sad")).all()


def answer(X, y, subjects, subset, **changes):
    config = LabelEfficiencyConfig(**QUICK | changes)
    return label_efficiency._by_features(squared_distances(X), y, subjects, config, 1, subset)


def test_the_labels_of_test_people_reach_nothing_and_without_enough_people_for_folds_the_declared_parameters_stand():
    X, emotions, subjects = people(15, 2, signal=1.5)
    y = np.unique(emotions, return_inverse=True)[1]
    subsets = label_subsets(emotions, subjects, n_splits=3, n_draws=1, seed=0)
    for subset in subsets[-3:]:  # other labels of the test people change neither the predictions nor the parameters
        other = y.copy()
        other[subset.test] = (y[subset.test] + 1) % 3
        (predicted, fit), (again, same) = (answer(X, labels, subjects, subset) for labels in (y, other))
        assert np.array_equal(predicted, again) and fit == same
        moved = X.copy()
        moved[subset.test] *= 100  # nor do their features reach the parameters
        assert answer(moved, y, subjects, subset)[1] == pytest.approx(fit)
    assert fit["searched"]
    subsets = [s for s in subsets if s.split == 0]
    fits = {s.n_people: answer(X, y, subjects, s, inner_folds=4)[1]["searched"] for s in subsets}
    assert fits == {1: False, 2: False, 4: True, 8: True, 10: True}
    one = subsets[0]
    gamma = label_efficiency.DEFAULT_GAMMA_SCALE / typical_distance(squared_distances(X[one.pool]))
    plain = SVC(C=label_efficiency.DEFAULT_COST, gamma=gamma, break_ties=True).fit(X[one.train], y[one.train])
    assert np.array_equal(answer(X, y, subjects, one)[0], plain.predict(X[one.test]))


def test_the_same_seed_gives_the_same_result_and_a_stopped_run_goes_on(tmp_path, monkeypatch):
    X, emotions, subjects = people(9, 2, signal=1.5)
    whole = run(tmp_path / "whole", {"weak": X}, emotions, subjects)
    calls = interrupt_call(monkeypatch, label_efficiency, "_by_features", at=5)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", {"weak": X}, emotions, subjects)
    assert len(list((tmp_path / "stopped" / "unfinished").glob("*.json"))) == 4
    again = run(tmp_path / "stopped", {"weak": X}, emotions, subjects)
    assert len(calls) == 5 + len(whole.searches) - 4, "what was finished is not done again"
    assert again.scores.equals(whole.scores) and again.predictions.equals(whole.predictions)
    assert not (tmp_path / "stopped" / "unfinished").exists()
    assert not run(tmp_path / "other", {"weak": X}, emotions, subjects, seed=1).scores.equals(whole.scores)
    assert whole.right("weak").mean().to_dict() == pytest.approx(curve(whole, "weak").to_dict())


def test_learning_curves_in_one_number_and_compared_over_the_draws_that_both_have():
    sizes = np.array([1, 2, 4, 8])
    straight = np.array([0.1, 0.3, 0.5, 0.7])  # in the logarithm of the size
    assert curve_mean(sizes, straight) == pytest.approx(0.4)
    assert curve_mean(np.array([3]), np.array([0.6])) == 0.6
    assert curve_mean(np.array([1, 2, 8]), np.array([0.0, 0.0, 1.0])) == pytest.approx(1 / 3)
    assert curve_at(sizes, straight, np.sqrt(8)) == pytest.approx(0.4) and curve_at(np.array([3]), np.array([0.6]), 3) == 0.6
    assert np.isnan(curve_at(sizes, straight, 9)) and curve_at(sizes, straight, 8) == pytest.approx(0.7)
    assert size_needed(sizes, straight, 0.4) == pytest.approx(np.sqrt(8))
    curves = (straight, straight[::-1], np.array([0.0, 0.6, 0.1, 0.9]), np.zeros(4), np.full(4, np.nan))
    assert [size_needed(sizes, of, 0.6) for of in curves] == pytest.approx([4 * np.sqrt(2), 1, 2, np.nan, np.nan], nan_ok=True)
    subjects, y = np.array(list("aabb")), np.array([0, 1, 0, 1])
    many = {1: np.array([[1, 1, 1, 1], [0, 0, 0, 0.0]]), 2: np.ones((1, 4))}
    few = {1: np.array([[1, 0, 1, 0.0]]), 2: np.ones((1, 4))}
    rows = label_efficiency.label_scores({"many": many, "few": few}, y, subjects)
    found = {(row["features"], row["score"], row["label"]): row["value"] for row in rows}
    assert found["many", "accuracy", "1"] == 0.5 and found["few", "curve_mean_difference", "all"] == 0.25
    assert (found["many", "lowest_draw", "1"], found["many", "highest_draw", "1"]) == (0, 1)


def marked_faces(n=96, seed=0):
    """Noise with a bright patch whose place is the class."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (n, 64, 64, 3), dtype=np.uint8)
    y = np.arange(n) % 3
    for image, place in zip(images, y, strict=True):
        image[20:40, 4 + 20 * place : 20 + 20 * place] += 100
    return images, y


def weights_of(network):
    return network[0][0][0].weight.detach()


def test_it_learns_a_planted_pattern_alike_with_the_same_seed_and_names_a_loss_that_is_not_finite():
    images, y = marked_faces()
    network, n_steps = label_efficiency.train_cnn(images, y, **SMALL)
    new, true = marked_faces(seed=1)
    assert np.mean(label_efficiency.named_by(network, new) == true) > 0.9 and n_steps == 20 * 96 // 32
    images, y = marked_faces(12)
    with pytest.raises(FloatingPointError, match="the loss is .* at step"):
        label_efficiency.train_cnn(images, y, **SMALL, learning_rate=1e30)
    images, y = marked_faces(48)
    trained = (label_efficiency.train_cnn(images, y, **SMALL | {"epochs": 2}, seed=seed)[0] for seed in (3, 3, 4))
    one, same, other = map(weights_of, trained)
    assert one.equal(same) and not one.equal(other)
    network, n_steps = label_efficiency.train_cnn(images, y, width=4, epochs=1, min_steps=3)
    assert (n_steps, network[0][1][1].num_batches_tracked) == (3, 1), "statistics of all faces, not of the last few steps"


def test_it_goes_on_from_the_weights_of_a_discriminator(unlearnt_run):
    images, y = marked_faces(48)
    weights = unlearnt_run / "discriminator.safetensors"
    start = open_discriminator(weights).blocks[0][0].weight.detach()
    still = dict(width=8, epochs=1, min_steps=1, learning_rate=1e-12)
    assert np.allclose(weights_of(label_efficiency.train_cnn(images, y, **still, weights=weights)[0]), start, atol=1e-6)
    assert not np.allclose(weights_of(label_efficiency.train_cnn(images, y, **still)[0]), start, atol=1e-3)


def test_it_is_one_method_of_label_efficiency(tmp_path):
    images, y = marked_faces(54)
    subjects, words = np.array([f"p{i // 6}" for i in range(54)]), WORDS[y]
    pixels = images.reshape(54, -1)[:, ::97].astype(np.float32)
    result = run(tmp_path, {"pixels": pixels}, words, subjects, images, cnn_width=4, cnn_epochs=20, cnn_min_steps=30)
    fits = result.searches.query("features == 'supervised CNN'")
    assert result.methods == ["pixels", "supervised CNN"] and result.sizes == [1, 2, 4, 6]
    assert (fits["draw"] == 0).all() and len(fits) == 3 * 4 and (fits["steps"] >= 30).all()
    assert result.score("accuracy", 6, "supervised CNN")[0] > 0.8
