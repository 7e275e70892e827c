"""The Action Unit experiments: what is planted is found, what leaks is caught, and maps show where a detector looks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from planted import face_set
from sklearn.metrics import average_precision_score
from sklearn.svm import SVC
from torch import nn

from fergan.experiments import action_units, saliency
from fergan.experiments.action_units import FEATURES, MAIN, TRUTH, AUResult, load_variants, recognise, run_au_experiment
from fergan.experiments.au_detectors import AUData, UnitLearner, relabel
from fergan.experiments.config import AUConfig, SaliencyConfig
from fergan.experiments.cross_validation import AS_PUBLISHED, PROTOCOLS, SUBJECT_INDEPENDENT, fold_blocks, grouped_folds
from fergan.experiments.intervals import auc
from fergan.experiments.saliency import SaliencyMaps, action_regions, linear_weights, saliency_maps
from fergan.experiments.scores import SCORE_COLUMNS
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.svm.kernels import gram

QUICK = AUConfig(n_folds=4, costs=[0.1, 1.0])
SMALL = AUConfig(n_folds=3, inner_folds=2, costs=[1.0])


def faces(n_subjects=10, emotions=EMOTIONS, noise=0.8, seed=0, width=30):
    """Faces of people with each emotion twice; features are linear in the emotion, with noise."""
    mixing = np.random.default_rng(99).normal(size=(len(EMOTIONS), width))
    rng = np.random.default_rng(seed)
    words = np.tile(np.repeat(emotions, 2), n_subjects)
    subjects = np.repeat([f"p{i:02d}" for i in range(n_subjects)], 2 * len(emotions))
    X = mixing[[EMOTIONS.index(w) for w in words]] + noise * rng.normal(size=(len(words), width))
    order = rng.permutation(len(words))
    return AUData(X[order].astype(np.float32), relabel(words[order]), subjects[order])


def changed(data, **units):
    Y = data.Y.copy()
    for unit, labels in units.items():
        Y[:, ACTION_UNITS.index(unit)] = labels
    return replace(data, Y=Y)


def value(result, protocol, score, label, key="value", features=FEATURES):
    return result.row(score, label, features, protocol)[key]


@pytest.fixture(scope="module")
def within():
    return recognise(faces(), config=QUICK)


def test_units_in_the_features_are_found_and_every_score_follows_from_the_predictions(within):
    assert list(within.scores.columns) == list(SCORE_COLUMNS)
    for protocol in PROTOCOLS:
        areas, of_unit = [], within.select(protocol, FEATURES).groupby("label")
        for unit in ACTION_UNITS:
            table = of_unit.get_group(unit)
            truth = table["occurrence"].to_numpy() == 1
            areas.append(auc(table["value"].to_numpy(), truth))
            expected = {"auc": areas[-1], "average_precision": average_precision_score(truth, table["value"]), "prevalence": truth.mean()}
            assert {name: value(within, protocol, name, unit) for name in expected} == pytest.approx(expected)
            assert areas[-1] > 0.8
            assert value(within, protocol, "auc", unit, "low") <= areas[-1] <= value(within, protocol, "auc", unit, "high")
        assert value(within, protocol, "auc", "all") == pytest.approx(np.mean(areas))
        assert value(within, protocol, "auc", "all", "n_labels") == 14
    false_positive, true_positive = within.roc()["AU12"]
    assert np.trapezoid(true_positive, false_positive) == pytest.approx(value(within, SUBJECT_INDEPENDENT, "auc", "AU12"))


def test_a_constant_unit_and_uncoded_ones_are_nan_in_no_mean_and_counted():
    result = recognise(changed(faces(), AU06=1.0), config=QUICK)
    for protocol in PROTOCOLS:
        for name in ("auc", "average_precision"):
            assert np.isnan([value(result, protocol, name, "AU06", key) for key in ("value", "low", "high")]).all()
            others = [value(result, protocol, name, unit) for unit in ACTION_UNITS if unit != "AU06"]
            mean = result.row(name, protocol=protocol)
            assert mean["value"] == pytest.approx(np.mean(others)) and mean["n_labels"] == 13
        assert value(result, protocol, "prevalence", "AU06") == 1
    assert np.isnan(result.roc()["AU06"][0]).all()
    assert result.select(AS_PUBLISHED, FEATURES).query("label == 'AU06'")["value"].isna().all()
    data = faces()
    data.Y[100:, 7], data.Y[:, 8] = np.nan, np.nan  # AU12 and AU15
    result = recognise(data, config=SMALL)
    assert value(result, SUBJECT_INDEPENDENT, "auc", "AU12", "n_faces") == 100
    assert np.isnan(value(result, SUBJECT_INDEPENDENT, "auc", "AU15")) and result.row("auc")["n_labels"] == 13
    assert value(result, SUBJECT_INDEPENDENT, "prevalence", "AU12") == data.Y[:100, 7].mean()


def test_train_comes_first_and_test_second():
    train = faces(emotions=("angry", "neutral", "sad", "fearful"))
    test = faces(n_subjects=6, emotions=("happy", "angry", "neutral"), seed=1)
    result = recognise(train, test, config=QUICK)
    for protocol in PROTOCOLS:
        table = result.select(protocol, FEATURES)
        assert len(table) == 14 * 6 * 3 * 2 and (table["fold"] == -1).all()
        assert np.isnan([value(result, protocol, "auc", unit) for unit in ("AU06", "AU01")]).all()
        learnt = table.groupby("label")["value"].count()  # AU06 is happy, which is not trained on; AU01 sad, not tested on
        assert learnt["AU06"] == 0 and learnt["AU01"] == 36
        assert value(result, protocol, "auc", "AU07") > 0.85  # angry, in both
        assert value(result, protocol, "auc", "AU07", "n_subjects") == 6


def test_frames_of_one_sequence_stay_together_in_the_honest_folds():
    """Frames are recognised by their sequence alone; whether a sequence shows AU12 is drawn for it."""
    rng = np.random.default_rng(1)
    sequence = np.repeat(np.arange(40), 5)
    X = rng.standard_normal((40, 60))[sequence] + 0.1 * rng.standard_normal((len(sequence), 60))
    faces = face_set(200, sequence=sequence.astype(str), AU12=rng.permutation(np.arange(40) % 2)[sequence])
    data = AUData(X.astype(np.float32), faces.labels[list(ACTION_UNITS)].to_numpy(float), faces.subjects())
    result = recognise(data, config=AUConfig(n_folds=4, costs=[0.1, 1.0]))
    assert value(result, AS_PUBLISHED, "auc", "AU12") > 0.95 and value(result, SUBJECT_INDEPENDENT, "auc", "AU12") < 0.7
    folds = result.select(SUBJECT_INDEPENDENT, FEATURES).query("label == 'AU12'").set_index("face")["fold"]
    assert folds.groupby(sequence).nunique().max() == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"X": np.full((160, 30), np.nan)}, "features 'train' hold NaN"),
    ({"Y": relabel(["happy"] * 160)}, "no Action Unit is both present and absent"),
    ({"subjects": np.array(["a", "b"] * 80)}, "2 people, 4 folds"),
])
def test_what_cannot_work_is_refused_before_any_fit(change, message, monkeypatch):
    monkeypatch.setattr("fergan.experiments.action_units.gram", lambda *a: pytest.fail("work was started"))
    with pytest.raises(ValueError, match=message):
        recognise(replace(faces(), **change), config=QUICK)


def test_neither_threads_nor_other_names_change_a_score_and_two_experiments_on_the_same_faces_are_paired(within):
    again = recognise(faces(), config=QUICK, n_threads=2)
    for name in ("scores", "predictions", "searches"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(within, name))
    for name in ("auc", "average_precision"):
        scores = {value(within, AS_PUBLISHED, name, unit) for unit in ("AU07", "AU23", "AU24")}
        assert len(scores) == 1  # the three of anger; the paper prints .984, .980 and .984
        assert value(within, AS_PUBLISHED, name, "AU04") not in scores
    other = recognise(changed(faces(noise=1.2), AU06=0.0), config=QUICK)
    units = [unit for unit in ACTION_UNITS if unit != "AU06"]
    apart = [np.mean([value(result, SUBJECT_INDEPENDENT, "auc", unit) for unit in units]) for result in (within, other)]
    difference, low, high = action_units.area_difference(within, other)
    assert difference == pytest.approx(apart[0] - apart[1]) and low < difference < high
    assert action_units.area_difference(within, within) == (0, 0, 0)
    # The costs of a result are those chosen as published.
    searches = within.searches.assign(auc=within.searches["auc"].where(within.searches["label"] != "AU01"))
    costs, first = AUResult(within.scores, within.predictions, searches).costs(), searches[searches["protocol"] == AS_PUBLISHED]
    assert np.isnan(costs[0]) and costs[7] == first.query("label == 'AU12' and chosen")["C"].item()
    assert np.array_equal(costs[1:], within.costs()[1:])


def with_truth(n_people, n_each):
    """Emotions, truth in which half of the happy faces show AU06, features that hold the emotion, and people."""
    rng = np.random.default_rng(0)
    emotions = np.tile(np.repeat(EMOTIONS, n_each), n_people)
    truth = pd.DataFrame(relabel(emotions), columns=list(ACTION_UNITS)).assign(AU06=lambda t: t["AU06"] * (rng.random(len(t)) < 0.5))
    X = rng.standard_normal((len(emotions), 20)) + 3 * np.pad(emotions[:, None] == EMOTIONS, ((0, 0), (0, 12)))
    return emotions, truth, X.astype(np.float32), np.repeat([f"p{i:02d}" for i in range(n_people)], n_each * len(EMOTIONS))


def test_derived_labels_are_scored_by_both_mappings_and_with_the_truth_where_it_is_known(tmp_path):
    """Sets of the same faces: with emotions and the truth beside them, with coded units alone, with emotions alone."""
    emotions, truth, X, subjects = with_truth(8, 2)
    labels = {"posed": dict(emotion=emotions, **truth), "coded": dict(truth), "bare": dict(emotion=emotions)}
    sets = {name: face_set(len(X), name, subject=subjects, **of) for name, of in labels.items()}

    def variants(train, test=None, **mappings):
        folder, features = tmp_path / f"{train}-{test}", {"net": X} | ({} if test is None else {"hog": X[:, :9]})
        other = {} if test is None else {"test": sets[test], "features_test": features}
        run_au_experiment(folder, SMALL, pretrained="net", train=sets[train], features=features, **other, **mappings)
        return load_variants(folder)

    assert list(variants("coded")) == [MAIN] and list(variants("bare", relabel_train="paper")) == [MAIN, "emfacs"]
    # Trained on coded labels and tested on derived ones, the truth needs no detectors of its own.
    runs = variants("coded", "posed", relabel_test="paper")
    assert list(runs) == [MAIN, "emfacs"]
    assert [runs[MAIN].settings[key] for key in ("train", "test", "across")] == ["coded", "posed", True]
    runs = variants("posed", relabel_train="paper")
    assert list(runs) == [MAIN, "emfacs", TRUTH]
    assert [run.settings["relabel_train"] for run in runs.values()] == ["paper", "emfacs", None]
    of_truth = [value(runs[TRUTH], SUBJECT_INDEPENDENT, score, "AU06") for score in ("auc", "auc_true")]
    assert of_truth[0] == of_truth[1]
    assert value(runs[MAIN], AS_PUBLISHED, "auc_true", "AU06") < value(runs[MAIN], AS_PUBLISHED, "auc", "AU06")
    # AU17 is angry in Table VI and not in EMFACS; AU06 is happy in both.
    for unit, n in (("AU06", 1), ("AU17", 2)):
        assert len({value(runs[name], SUBJECT_INDEPENDENT, "prevalence", unit) for name in (MAIN, "emfacs")}) == n


def test_scores_within_an_emotion_its_oracle_and_relabelling_are_as_counted_by_hand():
    values, labels = np.array([0.9, 0.1, 0.4, 0.8, 0.7]), np.array([1.0, 0.0, 1.0, 0.0, 1.0])

    def within(groups):
        groups = np.array(groups, dtype=object)
        return action_units.resampled_within(values, labels, groups, np.ones((1, 1)), np.zeros(5, int))[0]

    assert within(["a", "a", "b", "b", None]) == 0.5  # right within a, wrong within b
    assert within(["a"] * 5) == auc(values, labels == 1)
    assert np.isnan(within(list("abcde")))
    truth = np.array([[1.0], [0.0], [1.0], [1.0], [np.nan]])
    found = action_units.emotion_oracle(["sad", "sad", "sad", "happy", "sad"], truth, np.array(["p", "q", "r", "p", "q"]))
    assert found[:3, 0].tolist() == [0.5, 1.0, 0.5]  # of the other people who are sad
    assert np.isnan(found[3, 0]), "nobody else is happy"
    assert found[4, 0] == 1.0
    assert np.isnan(action_units.emotion_oracle([None, "sad"], truth[:2], np.array(["p", "q"]))).all()
    happy, nobody, rest, missing = relabel(["happy", None, "neutral", pd.NA])
    assert [ACTION_UNITS[i] for i in np.flatnonzero(happy)] == ["AU06", "AU12", "AU25"] and (rest == 0).all()
    assert np.isnan([nobody, missing]).all()


def test_a_derived_detector_recognises_the_emotion_and_one_of_the_truth_the_action_unit():
    """Half of the happy faces truly show AU06: features hold the emotion, and, more faintly, AU06 itself."""
    emotions, truth, X, subjects = with_truth(20, 3)
    X[:, 10] += 3.5 * truth["AU06"].to_numpy()
    data = AUData(X, relabel(emotions), subjects, truth.to_numpy(), emotions)
    derived, learnt = recognise(data, config=QUICK), recognise(replace(data, Y=data.truth), config=QUICK)

    def score(result, name, key="value", features=FEATURES):
        return value(result, SUBJECT_INDEPENDENT, name, "AU06", key, features)

    assert score(derived, "auc") > 0.97
    assert score(derived, "auc_true_within") < 0.65 < 0.72 < score(learnt, "auc_true_within")
    n_happy, n, shown = 3 * 20, len(subjects), truth["AU06"].sum()
    # The oracle gives all happy faces nearly the same share: half of the pairs among them, all of those with others.
    oracle = score(derived, "auc_true", features="emotion")
    assert oracle == pytest.approx(((n_happy - shown) / 2 + n - n_happy) / (n - shown), abs=0.03)
    assert score(derived, "auc_true") == pytest.approx(oracle, abs=0.06)
    assert score(derived, "auc_true_within", "low") <= score(derived, "auc_true_within") <= score(derived, "auc_true_within", "high")
    # A unit that is one emotion's in truth too has no pairs of one emotion to order.
    assert np.isnan(value(derived, SUBJECT_INDEPENDENT, "auc_true_within", "AU27"))


def drawn(n_people=12, width=150):
    """More features than faces: noise separates what it was fitted to and nothing else; "all" holds the Action Unit."""
    subjects = np.repeat([f"p{i:02d}" for i in range(n_people)], 8)
    shown = np.tile([1.0, 0.0], 4 * n_people)
    noise = np.random.default_rng(0).standard_normal((len(shown), width)).astype(np.float32)
    signal = noise.copy()
    signal[:, 0] += 12 * shown
    return {"only": noise, "all": signal}, shown, subjects


def single(folder, features, occurrence, subjects):
    faces = face_set(len(subjects), subject=subjects, AU07=occurrence)
    action_units.run_single_unit(folder, AUConfig(n_folds=4, costs=[0.1]), faces=faces, features=features, unit="AU07")
    return AUResult.load(folder)


def test_noise_is_learnt_by_heart_and_a_signal_is_found_beside_it(tmp_path):
    result = single(tmp_path, *drawn())
    for protocol in PROTOCOLS:
        learnt, unseen, gap = (result.score(name, "AU07", protocol=protocol) for name in ("auc_train", "auc", "auc_train_gap"))
        assert learnt[0] > 0.95 and abs(unseen[0] - 0.5) < 0.15 and unseen[1] < 0.5 < unseen[2]
        assert gap[0] == pytest.approx(learnt[0] - unseen[0])
    rival, gap, difference = (result.score(name, "AU07", "all") for name in ("auc", "auc_train_gap", "auc_difference"))
    assert rival[0] > 0.95 and gap[1] < 0.05 and difference[2] < 0
    assert difference[0] == pytest.approx(result.score("auc", "AU07")[0] - rival[0])
    # Uncoded faces take no part, and one person alone cannot teach.
    features, shown, subjects = drawn(width=12)
    same = {"only": features["only"], "all": features["only"]}
    result = single(tmp_path, same, np.where(np.arange(len(shown)) < 64, shown, np.nan), subjects)
    row = result.row("auc_difference", "AU07", "all")
    assert row[["value", "low", "high", "n_faces", "n_subjects"]].tolist() == [0, 0, 0, 64, 8]
    alone = ((subjects == "p03") & (shown == 1)).astype(float)
    assert np.isnan(single(tmp_path, features, alone, subjects).score("auc", "AU07")[0])
    with pytest.raises(ValueError, match="no Action Unit is both present and absent"):
        single(tmp_path, features, np.zeros(len(shown)), subjects)


def test_neither_cost_nor_value_of_a_fold_depends_on_its_labels_and_folds_are_pooled_on_one_scale(monkeypatch):
    data = faces(noise=2.0)
    Y, K = data.Y[:, [2, 3, 7]], gram(data.X)
    folds, block = grouped_folds(Y[:, 0], data.subjects, 4, seed=0), fold_blocks(4, 3)[1]
    assert len(block) == 1
    rows = folds[block[0]]
    other = Y.copy()
    other[rows] = 1 - Y[rows]
    before, after = (UnitLearner(K, labels, np.array([0.01, 0.1, 1.0])).subject_independent(folds, 3) for labels in (Y, other))
    assert np.array_equal(before.values[rows], after.values[rows])
    assert np.array_equal(before.searches[1][2], after.searches[1][2])
    assert not np.array_equal(before.searches[0][2], after.searches[0][2])
    data = faces(noise=3.0, n_subjects=16)
    y = data.Y[:, ACTION_UNITS.index("AU12")]
    folds, learner = grouped_folds(y, data.subjects, 8, seed=0), UnitLearner(gram(data.X), y[:, None], np.array([0.003, 30.0]))
    turns = iter([0, 1] * 16)
    monkeypatch.setattr(UnitLearner, "_choose", lambda self, values: (np.array([next(turns)]), np.zeros((1, 2))))
    found = learner.subject_independent(folds, 3)
    each = [auc(found.values[fold, 0], y[fold] == 1) for fold in folds]
    assert auc(found.values[:, 0], y == 1) == pytest.approx(np.mean(each), abs=0.03)
    # Without it the values of one cost are spread many times as wide as those of the other.
    monkeypatch.setattr("fergan.experiments.au_detectors._scale_of", lambda values: (0.0, 1.0))
    raw = learner.subject_independent(folds, 3)
    spreads = [np.array([np.std(result.values[fold]) for fold in folds]) for result in (raw, found)]
    assert spreads[0].max() > 10 * spreads[0].min() and spreads[1].max() < 2 * spreads[1].min()


class Grid(nn.Module):
    """Its hidden layer is the mean colour of each of 8 x 8 cells."""

    def hidden(self, images):
        return nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)


@pytest.fixture(scope="module")
def planted():
    """Faces of noise that are brighter in one place when the Action Unit is there, and that place as a mask."""
    rng = np.random.default_rng(0)
    region = np.zeros((64, 64), bool)
    region[40:56, 16:32] = True
    labels = np.tile([0.0, 1.0], 60)
    images = rng.integers(0, 200, (120, 64, 64, 3))
    images[labels == 1] += 25 * region[None, :, :, None]
    return images.astype(np.uint8), labels, region


def grid_features(images):
    with torch.no_grad():
        return Grid().hidden(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1).flatten(1).numpy()


def test_a_detector_is_found_to_look_where_its_label_was_planted_and_its_map_is_the_finite_difference(planted):
    images, labels, region = planted
    other = np.roll(region, (-32, 24), axis=(0, 1))
    w = linear_weights(grid_features(images), labels[:, None], [1.0])
    (found,) = saliency_maps(Grid(), w, images)
    assert found.shape == (64, 64) and found.min() >= 0 and found.sum() == pytest.approx(1)
    checks = [saliency.check_region(found, np.stack([region, other]), unit) for unit in (0, 1)]
    assert checks[0]["inside"] and checks[0]["share"] > 2 * checks[0]["area"] and not checks[1]["inside"]
    (found,) = saliency_maps(Grid(), w, images[:2])
    cells = np.abs(w[0]).reshape(8, 8)  # each pixel of a cell moves the decision by the cell's weight, the same for all
    centres = found[4::8, 4::8]
    np.testing.assert_allclose(centres / centres.sum(), cells / cells.sum(), atol=0.01)


def test_weights_are_those_of_the_decision_values_and_photographs_are_mapped_without_regions(planted, tmp_path, monkeypatch):
    images, labels, _ = planted
    X = grid_features(images)
    half = np.where(np.arange(len(labels)) < 80, labels, np.nan)
    w = linear_weights(X, np.column_stack([labels, np.zeros_like(labels), half, labels]), [1.0, 1.0, 1.0, np.nan])
    assert np.isnan(w[1]).all() and np.isnan(w[3]).all() and not np.isnan(w[[0, 2]]).any()
    centred = X - X.mean(axis=0)
    scale = np.mean(np.sum(centred.astype(float) ** 2, axis=1))
    direct = SVC(kernel="linear", C=1.0).fit(centred / np.sqrt(scale), labels)
    np.testing.assert_allclose(w[0], direct.coef_[0] / np.sqrt(scale), rtol=0.02, atol=0.02 * np.abs(w[0]).max())
    assert np.isnan(saliency_maps(Grid(), w, images[:4])[1]).all()
    change = np.array([[5.0, 1.0], [3.0, 1.0]])
    assert saliency.smallest_region(change, 0.5).tolist() == [[True, False], [False, False]]
    assert saliency.smallest_region(change, 0.7).tolist() == [[True, False], [True, False]]
    rng = np.random.default_rng(0)
    values, mask = rng.random((5, 7)), rng.random((5, 7)) < 0.3
    direct = [values[np.roll(mask, (i, j), axis=(0, 1))].sum() for i in range(5) for j in range(7)]
    np.testing.assert_allclose(np.sort(saliency.shifted_shares(values, [mask])), np.sort(direct))
    monkeypatch.setattr("fergan.experiments.saliency.load_discriminator", lambda run: Grid())
    costs = np.where(np.array(ACTION_UNITS) == "AU12", 1.0, np.nan)
    saliency.map_saliency(tmp_path, SaliencyConfig(n_faces=20), faces=face_set(len(images), images=images, AU12=labels),
                          X=grid_features(images), mapping=None, costs=costs, run=None, margin=0.1)
    found = SaliencyMaps.load(tmp_path)
    assert found.maps[7].sum() == pytest.approx(1) and np.isnan(np.delete(found.maps, 7, axis=0)).all()
    assert found.n_faces == 20 and found.average.shape == (64, 64, 3) and found.regions is None and found.checks.empty


def test_action_units_act_where_they_should():
    from fergan.rendered import render_faces, stand_in_labels

    labels = stand_in_labels("rafd-frontal", n_faces=16)
    _, truth = render_faces(labels)
    labels = labels.assign(**{name: of.to_numpy() for name, of in truth.filter(like="box_").items()})
    regions = dict(zip(ACTION_UNITS, action_regions(labels, 0.1, n_people=2), strict=True))
    height = {unit: np.argwhere(region)[:, 0].mean() for unit, region in regions.items()}
    across = {unit: np.abs(np.argwhere(region)[:, 1] - 31.5).mean() for unit, region in regions.items()}
    assert all(height[brow] < height[lid] < height[mouth] for brow in ("AU01", "AU02", "AU04") for lid in ("AU05", "AU07")
               for mouth in ("AU12", "AU15", "AU25", "AU27"))
    assert across["AU01"] < across["AU02"]  # the inner and the outer brow
    assert 0 < min(region.sum() for region in regions.values()) < max(region.sum() for region in regions.values()) < 64 * 64 / 4
