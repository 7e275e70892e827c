"""The judgement of generators: scores against closed forms and other packages, planted noise, copies, and collapses."""

import hashlib
import json
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from planted import face_set
from scipy import linalg
from skimage.metrics import structural_similarity
from tiny import noise
from torch_fidelity.metric_prc import prc_features_to_metric

from fergan.cache import cached
from fergan.quality import QualityConfig, collapse, distances, judge
from fergan.quality.collapse import Monitor, Variety, judge_variety, people_found, spread, variety
from fergan.quality.distances import frechet_distance, jackknife, memorised_below, nearest, neighbourhoods
from fergan.quality.judge import judge_features, judge_images, judge_samples, load_scores

ALONE = np.arange(100)  # each face another person


def with_statistics(n, mean, covariance, seed):
    """Draw n points and shift and scale them so that mean and covariance are exact."""
    x = np.random.default_rng(seed).standard_normal((n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_diagonal_gaussians_in_closed_form_and_by_the_matrix_square_root():
    rng = np.random.default_rng(0)
    a, b, shift = rng.uniform(0.5, 2, 64), rng.uniform(0.5, 2, 64), rng.standard_normal(64)
    first = with_statistics(300, np.zeros(64), np.diag(a**2), seed=1)
    second = with_statistics(400, shift, np.diag(b**2), seed=2)
    assert frechet_distance(first, second) == pytest.approx(shift @ shift + ((a - b) ** 2).sum(), rel=1e-10)
    far = [with_statistics(300, np.full(64, mean), np.eye(64), seed) for seed, mean in enumerate((300.0, 300.1))]
    assert frechet_distance(*far) == pytest.approx(64 * 0.1**2, rel=1e-8), "where single precision loses it"
    for n in (20, 200):  # the route over the matrix square root, with fewer samples than features, and with more
        first, second = rng.standard_normal((n, 40)), 0.3 + rng.standard_normal((n, 40)) @ rng.standard_normal((40, 40))
        c1, c2 = np.cov(first.T), np.cov(second.T)
        difference = first.mean(0) - second.mean(0)
        expected = difference @ difference + np.trace(c1 + c2) - 2 * np.sqrt(linalg.eigvals(c1 @ c2).real.clip(min=0)).sum()
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)
        assert frechet_distance(first, first) == pytest.approx(0, abs=1e-10)
        assert frechet_distance(second[::-1], first) == pytest.approx(frechet_distance(first, second), rel=1e-10)


def test_inception_score_of_a_uniform_classifier_is_one_and_of_a_perfect_one_the_number_of_classes():
    assert distances.inception_score(np.zeros((100, 8))) == pytest.approx(1, abs=1e-12)
    certain = 50 * np.eye(5)[np.arange(200) % 5]
    assert distances.inception_score(certain, n_splits=1) == pytest.approx(5, rel=1e-9)
    with pytest.raises(ValueError, match="some class has probability 0"):  # the library's NaN is an error here
        distances.inception_score(20 * certain[:1].repeat(200, axis=0))
    with pytest.raises(ValueError, match="minimum of 20 is required by logits"):
        distances.inception_score(np.zeros((15, 8)))


def test_neighbourhoods_by_hand_and_by_another_package(monkeypatch):
    # On a line: real faces at 0 to 7, samples crowded at 0; the radii to the third and fifth neighbours are known.
    real = np.arange(8.0)[:, None]
    generated = np.array([[0.01], [0.02], [0.03], [0.04], [0.05], [0.06], [100.0]])
    found = neighbourhoods(generated, real)
    assert found.precision == pytest.approx(6 / 7)  # the one at 100 lies in no neighbourhood
    # The crowd's radii are at most .05 and reach 0 only; that of the far one, 99.98, reaches 1 to 7.
    assert found.recall == 1 and neighbourhoods(generated[:6], real).recall == pytest.approx(1 / 8)
    # To the fifth neighbour: 0 and 7 reach 5 away, 1 and 6 reach 4, the others 3; the crowd lies within 0, 1, 2 and 3.
    assert found.coverage == pytest.approx(4 / 8)
    # Precision and recall equal torch-fidelity's, and blocks change nothing.
    rng = np.random.default_rng(10)
    x, y = rng.standard_normal((150, 6)), 1.3 * rng.standard_normal((110, 6)) + 0.4
    expected = prc_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=5, verbose=False)
    found = neighbourhoods(x, y)
    assert found.precision == pytest.approx(expected["precision"]) and found.recall == pytest.approx(expected["recall"])
    for n_bytes in (8 * 110 * 7, 1):
        monkeypatch.setattr("fergan.quality.distances._BLOCK", n_bytes)
        assert neighbourhoods(x, y) == found


def test_memorised_faces_are_found_by_the_distances_of_real_ones_and_a_planted_copy_is_the_nearest():
    rng = np.random.default_rng(11)
    real = rng.standard_normal((300, 10))
    below = memorised_below(real)
    new, copied = rng.standard_normal((200, 10)), real[:20] + 1e-4 * rng.standard_normal((20, 10))
    assert (nearest(new, real)[1] <= below).mean() < 0.05
    rows, apart = nearest(copied, real)
    assert (apart <= below).all() and np.array_equal(rows, np.arange(20))
    twice = np.concatenate([real, real[:20]])  # exact duplicates among the real faces: copies of any face are copies still
    assert memorised_below(twice) == pytest.approx(below) and (nearest(real, twice)[1] <= memorised_below(twice)).all()
    by_hand = np.sort(np.linalg.norm(real[:, None] - real, axis=2))[:, 1]
    assert below == pytest.approx(np.quantile(by_hand, 0.01))
    real = np.random.default_rng(1).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    rows, apart = distances.nearest_real(real[[7, 3]], real)
    assert rows.tolist() == [7, 3]
    np.testing.assert_allclose(apart, 0, atol=1e-6)
    assert distances.nearest_real(255 - real[:1], real)[1][0] > 1


def test_halves_of_people_share_nobody_and_all_sides_have_as_many_faces():
    subjects = np.repeat(np.arange(7), [30, 5, 5, 10, 10, 20, 20])
    floors = distances.halves(subjects, 1000, seed=1)
    assert {len(side) for sides in floors.values() for side in sides} == {50}
    (first, second), faces = floors["floor_people"], floors["floor"]
    assert not set(subjects[first]) & set(subjects[second]) and set(subjects[faces[0]]) & set(subjects[faces[1]])
    assert all(not set(a) & set(b) for a, b in floors.values())
    assert {len(side) for sides in distances.halves(subjects, 12).values() for side in sides} == {12}
    for alone in (np.arange(40), np.zeros(40), np.repeat([0, 1], [35, 5])):  # nothing to divide by, or nearly one person only
        assert list(distances.halves(alone, 1000)) == ["floor"]


@pytest.mark.parametrize("score", [frechet_distance, neighbourhoods])
def test_every_score_of_features_refuses_what_has_none(score):
    x = np.random.default_rng(0).standard_normal((30, 4))
    hole = np.where(x == x[3, 2], np.nan, x)
    for pair, words in (((hole, x), "generated contains NaN"), ((x, hole), "real contains NaN"),
                        ((x[:1], x), "required by generated"),
                        ((x, x[:1]), "required by real"), ((x[0], x), "Expected 2D array")):
        with pytest.raises(ValueError, match=words):
            score(*pair)


def test_intervals_of_means_and_shares_are_the_textbooks():
    x = np.random.default_rng(0).standard_normal(4000)
    value, low, high = jackknife(np.mean, x)
    assert value == pytest.approx(x.mean()) and low == pytest.approx(2 * value - high)
    assert (high - low) / 2 == pytest.approx(2.26 * x.std() / np.sqrt(4000), rel=0.5)  # Student's t of 9 degrees
    both = jackknife(lambda rows: [rows.mean(), rows.std()], x)
    assert both[0].shape == both[1].shape == (2,)
    with pytest.raises(ValueError, match="19 rows are too few for 10 groups"):
        jackknife(np.mean, x[:19])


def test_thumbnails_pairwise_distance_and_structural_similarity_by_hand_and_by_another_package():
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[0, 4:8, 0:4] = 255  # one square of 4 x 4: row 1, column 0
    found = distances.thumbnails(image).reshape(16, 16)
    assert found[1, 0] == pytest.approx(1) and found.sum() == pytest.approx(1)
    images = np.zeros((3, 2, 2, 3), np.uint8)
    images[1] = 255  # distance sqrt(12) to the others
    assert distances.mean_pairwise_distance(images) == pytest.approx(np.sqrt(12) * 2 / 3)
    assert distances.mean_pairwise_distance(images[[0, 0, 0]]) == 0
    with pytest.raises(ValueError, match="expected at least 2"):
        distances.mean_pairwise_distance(images[:1])
    # Scikit-image's, with windows within the picture: 1 for equals, below 0 for negatives.
    rng = np.random.default_rng(4)
    x = rng.integers(40, 220, (2, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    y = (x.astype(int) + rng.integers(-40, 41, x.shape)).clip(0, 255).astype(np.uint8)
    how = dict(channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    expected = [structural_similarity(a, b, **how) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(distances.structural_similarity(x, y), expected, rtol=1e-5)  # torchmetrics counts in float32
    np.testing.assert_allclose(distances.structural_similarity(x, x), 1, atol=1e-3)  # float32, over flat squares
    textured = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    assert distances.structural_similarity(255 - textured, textured).max() < 0


def pictures(n, seed=0, low=60, high=120):
    rng = np.random.default_rng(seed)
    return (rng.integers(low, high, (n, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2) + rng.integers(0, 9, (n, 64, 64, 3))).astype(np.uint8)


def thumbnails(images):
    return images[:, ::16, ::16].reshape(len(images), -1).astype(np.float32), None


@pytest.fixture
def no_detector(monkeypatch):
    monkeypatch.setattr("fergan.quality.judge.face_rate", lambda images, threshold: (images.std(axis=(1, 2, 3)) < 40).astype(float))


def test_a_generator_is_judged_in_one_pass_of_each_network_and_few_faces_give_no_score(no_detector):
    network = Mock(side_effect=thumbnails)
    found = judge_images(pictures(60, seed=1), pictures(100), ALONE, {"Thumbs": network}, seed=0)
    assert sum(len(call.args[0]) for call in network.call_args_list) == 50 + 50 + 50
    scores = found.set_index(["features", "score"])
    assert set(scores.loc["Thumbs"].index) == {"frechet", "precision", "recall", "coverage"}
    distance = scores.loc["Thumbs", "frechet"]
    assert distance["low"] < distance["value"] < distance["high"] and distance["floor"] > 0
    assert distance["n"] == 50 and found["floor_people"].isna().all()  # nobody has two faces
    rng = np.random.default_rng(0)
    few = rng.standard_normal((12, 4)), None
    (row,) = judge_features(few, {"floor": (few, few)})
    assert np.isnan(row["value"]) and row["n"] == 12
    one, *sides = [(rng.standard_normal((60, 5)), rng.standard_normal((60, 7))) for _ in range(3)]
    row = next(row for row in judge_features(one, {"floor": tuple(sides)}) if row["score"] == "inception_score")
    assert 1 < row["low"] < row["value"] < row["high"] and row["floor"] > 1


def test_judging_sees_noise_collapse_copies_and_other_people(no_detector):
    real = pictures(100)

    def judged(generated):
        return judge_images(generated, real, ALONE, {"Thumbs": thumbnails}, seed=0).set_index("score")

    collapsed = judged(np.repeat(real[:1], 60, axis=0))
    assert collapsed["value"]["recall"] < 0.1 < collapsed["floor"]["recall"] and collapsed["value"]["memorised"] == 1
    assert collapsed["value"]["faces_found"] == 1 and collapsed["low"]["faces_found"] > 0.9
    noise = judged(np.random.default_rng(2).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8))
    assert noise["value"]["faces_found"] == 0 and noise["high"]["faces_found"] < 0.1
    assert noise["value"]["precision"] == 0 and noise["value"]["memorised"] == 0
    assert noise["value"]["frechet"] > 10 * noise["floor"]["frechet"]
    alike = judged(pictures(60, seed=5))
    assert alike["low"]["frechet"] < alike["floor"]["frechet"] * 1.5 and alike["value"]["memorised"] < 0.2
    # Ten near-copies of each of ten people: halves of the faces hold the same pictures, halves of the people do not.
    people = pictures(10, seed=3).repeat(10, axis=0)
    noise = np.random.default_rng(0).integers(0, 9, people.shape, dtype=np.uint8)
    found = judge_images(pictures(100, seed=9), people + noise, np.arange(100) // 10, {"Thumbs": thumbnails}, seed=0)
    scores = found.set_index("score")
    assert scores["floor_people"]["frechet"] > 5 * scores["floor"]["frechet"]
    assert scores["floor"]["precision"] > 0.9 and scores["floor_people"]["precision"] < 0.1
    assert scores["floor_people"]["ssim_nearest"] < scores["floor"]["ssim_nearest"]
    assert np.isnan(scores["floor_people"]["faces_found"])


def test_the_stage_writes_what_is_read(tmp_path, unlearnt_run, no_detector):
    faces = face_set(60, images=pictures(60), subject=list("abcdef") * 10)
    inputs = {"generated": pictures(200, seed=1), "faces": faces, "inception": None, "discriminator": unlearnt_run / "discriminator.safetensors"}
    found = load_scores(cached(tmp_path / "quality", judge_samples, QualityConfig(n_samples=200), inputs))
    assert set(found["features"]) == {"MTCNN", "pixels", "thumbnails", "discriminator", "HOG"}
    assert found.set_index(["features", "score"])["floor_people"]["HOG"].notna().all()


def test_weights_of_another_hash_are_never_opened_and_without_a_network_a_download_says_why(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"a pickle that would run code")

    monkeypatch.setattr(torch, "load", Mock(side_effect=AssertionError("opened before its hash was checked")))
    assert judge.find_inception()[0] is None and judge.URL in judge.find_inception()[1]
    assert judge.find_inception(str(path))[0] is None and "has the hash" in judge.find_inception(str(path))[1]
    assert "does not exist; get it from https://" in judge.find_inception(str(tmp_path / "nowhere.pth"))[1]
    with pytest.raises(ValueError, match="is not opened"):
        judge.open_inception(path)
    monkeypatch.setattr(judge, "PUBLISHED_HASH", hashlib.sha256(path.read_bytes()).hexdigest())
    assert judge.find_inception(str(path)) == (path, "")
    with pytest.raises(AssertionError, match="opened before"):
        judge.backbones(path, path)  # the right hash goes on to be opened

    monkeypatch.setattr(judge.urllib.request, "urlopen", Mock(side_effect=OSError("no network")))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    found, reason = judge.find_inception("download")
    assert found is None and "cannot be had (no network)" in reason
    assert list(tmp_path.rglob("*.pth")) == [path], "nothing half-written is left"


def test_inception_features_do_not_depend_on_the_batch(monkeypatch, tmp_path):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    monkeypatch.setattr(torch, "load", lambda *_, **__: {})
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    monkeypatch.setattr(judge, "PUBLISHED_HASH", hashlib.sha256(b"weights").hexdigest())
    network = judge.open_inception(path)
    images = pictures(2)
    features, logits = judge.inception_features(network, images, batch_size=1)
    assert features.shape == (2, 2048) and logits.shape == (2, 1008)
    np.testing.assert_allclose(judge.inception_features(network, images)[0], features, rtol=1e-4, atol=1e-5)


SURE, UNSURE = np.array([[0.999, 0.002]] * 5), np.array([[0.7, 0.3]] * 5)


def patterned(n, seed=0, n_modes=0):
    """Smooth random pictures: each has its own 8 x 8 pattern, or one of a few."""
    rng = np.random.default_rng(seed)
    patterns = rng.uniform(0, 255, (n_modes or n, 8, 8, 3))
    if n_modes:
        patterns = patterns[np.arange(n) % n_modes] + rng.normal(0, 1, (n, 8, 8, 3))
    return np.clip(patterns.repeat(8, axis=1).repeat(8, axis=2), 0, 255).astype(np.uint8)


def verdict(generated, real):
    floor = collapse.variety_floor(np.concatenate([real, patterned(len(real), seed=99)]), len(real))
    return judge_variety(variety(generated, real), floor)


REAL = patterned(120)


def test_spread_has_its_closed_form_and_a_collapse_high_precision_and_low_recall():
    few = REAL[np.arange(120) % 3].astype(int) + np.random.default_rng(0).integers(-3, 4, REAL.shape)
    few = np.clip(few, 0, 255).astype(np.uint8)
    found, exchanged = variety(few, REAL), variety(REAL, few)
    assert found.precision > 0.9 and found.recall < 0.1 and found.coverage < 0.2
    assert exchanged.precision < 0.1 and exchanged.recall > 0.9
    assert found.repeats == 1 and exchanged.repeats < 0.1
    x = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])  # without a common part
    assert spread(x) == pytest.approx(0.5)  # the mean keeps half: |mean|^2 is 1/4 of the four quarters
    assert spread(np.repeat(x[:1], 5, axis=0)) == pytest.approx(0, abs=1e-12)
    assert spread(x + np.array([[7.0], [-3.0]])) == pytest.approx(0.5)  # light does not count
    assert spread(3 * x) == pytest.approx(0.5)  # nor contrast
    assert spread(np.concatenate([x, -x])) == pytest.approx(1)
    assert np.isnan(spread(np.ones((3, 4))))


@pytest.mark.parametrize(("generated", "word", "because"), [
    (patterned(120, seed=5), "varied", ("spread", "recall")),
    (REAL[np.arange(120) % 10], "collapsed", ("repeats",)),
    (np.clip(REAL[:1] + np.random.default_rng(0).normal(0, 1, (120, 64, 64, 3)), 0, 255).astype(np.uint8), "collapsed", ("spread",)),
    (patterned(120, seed=5) // 4 + 190, "diverged", ("precision",)),
])
def test_verdicts(generated, word, because):
    found = verdict(generated, REAL)
    assert found["verdict"] == word and found["because"] in because, found


def test_pictures_without_contrast_and_too_few_are_refused_and_weak_ones_are_not_taken_for_repetition():
    grey = np.full((120, 64, 64, 3), 128, np.uint8) + np.random.default_rng(0).integers(0, 3, (120, 1, 1, 3), dtype=np.uint8)
    for score, of, words in ((verdict, (grey, REAL), "spread of samples"),
                             (variety, (REAL[:5], REAL[:5]), "minimum of 6 is required")):
        with pytest.raises(ValueError, match=words):
            score(*of)
    weak = patterned(120, seed=5) // 6 + 100
    assert variety(weak, REAL).repeats < 0.1 and variety(weak, REAL).spread == pytest.approx(variety(REAL, REAL).spread, rel=0.02)


FLOOR = Variety(precision=1.0, recall=1.0, coverage=1.0, repeats=0.0, spread=0.5, n=9)
NOTHING = dict(precision=0.0, recall=0.0, coverage=0.0)


@pytest.mark.parametrize(("changes", "floor", "people", "word"), [
    (dict(recall=0.4), {}, None, "narrow"), (dict(recall=0.1, precision=0.1), {}, None, "unlike"),
    (dict(precision=0.1), {}, None, "unlike"),  # scattered samples have large neighbourhoods
    (dict(precision=0.1, spread=0.2), {}, None, "narrow"),  # spread needs no real face
    (NOTHING | dict(spread=0.1), {}, None, "diverged"),  # none of them is a face of the set
    (dict(precision=0.3, recall=0, coverage=0.01, spread=0.1), {}, None, "collapsed"),
    (dict(recall=0.1, precision=0.1, spread=0.1), {}, None, "collapsed"),
    (dict(repeats=0.6), dict(repeats=0.4), None, "varied"),  # frames of one film are alike too
    # The faces of other people, where those are known: what is nearer to the real faces than they are is not unlike.
    (dict(precision=0.2), {}, 0.9, "unlike"),
    (dict(precision=0.2), {}, 0.3, "varied"), (dict(precision=0.2), {}, 0.0, "varied"),
    (dict(precision=0.02), {}, 0.0, "unlike"),  # near to nobody, as in one film
    (NOTHING, {}, 0.3, "diverged"), (NOTHING, {}, 0.0, "unlike"),
])
def test_the_verdict_on_samples_beside_the_real_faces_and_beside_those_of_other_people(changes, floor, people, word):
    people = people if people is None else replace(FLOOR, precision=people)
    assert judge_variety(replace(FLOOR, **changes), replace(FLOOR, **floor), people)["verdict"] == word


def labelled_faces(n=60):
    return face_set(n, images=patterned(n), subject=[f"p{i % 12}" for i in range(n)])


def record_of(folder, generated, faces):
    collapse.judge_collapse(folder, QualityConfig(), generated=generated, faces=faces)
    return json.loads((folder / "variety.json").read_text())


def test_people_are_found_as_expected_and_records_leave_out_what_labels_do_not_allow(tmp_path):
    faces = labelled_faces()
    record = record_of(tmp_path, patterned(40, seed=3), faces)
    assert record["verdict"] in ("varied", "narrow") and record["found"]["n"] == 30
    assert record["people"]["n_people"] == 12
    assert record["floor"]["n"] == record["floor_people"]["n"] == 30
    record = record_of(tmp_path, patterned(40, seed=3), face_set(60, images=faces.images))
    assert record["people"] is record["floor_people"] is None
    few, enough = (labelled_faces(n) for n in (13, 14))
    assert not collapse.can_be_judged(few) and collapse.can_be_judged(enough)
    assert record_of(tmp_path, patterned(20, seed=5), enough)["found"]["n"] == 7
    uneven = labelled_faces(16)  # divided by people, the smaller side has six faces
    uneven.labels["subject"] = ["a"] * 10 + ["b"] * 3 + ["c"] * 3
    assert not collapse.can_be_judged(uneven)
    subjects = np.array([f"p{i % 10}" for i in range(100)])
    real = np.eye(10)[np.arange(100) % 10] * 5 + np.random.default_rng(0).normal(0, 0.1, (100, 10))
    everybody = people_found(real, real, subjects)
    assert everybody["n_found"] == everybody["n_people"] == 10
    one = people_found(np.repeat(real[:1], 50, axis=0), real, subjects)
    assert one["n_found"] == 1 and one["expected"] == pytest.approx(10 * (1 - 0.9**50))


def test_real_faces_are_at_distance_0_and_alarms_are_given_where_samples_are_all_alike_or_the_discriminator_is_certain():
    monitor = Monitor(noise(30), seed=0)
    found = monitor.measure(50, 100, noise(30), UNSURE)
    assert found["frechet"] == pytest.approx(0, abs=1e-6) and found["diversity_ratio"] == pytest.approx(1)
    assert found["alarm"] == "" and found["score_real"] == pytest.approx(0.7)
    assert found["spread"] == pytest.approx(found["spread_floor"], rel=0.1)
    equal = Monitor(np.zeros((10, 64, 64, 3), np.uint8)).measure(5, 10, noise(10), UNSURE)
    assert np.isnan(equal["diversity_ratio"]) and np.isnan(equal["recall"])  # no variety, and too few for neighbourhoods
    one = np.repeat(noise(1), 30, axis=0)
    assert monitor.measure(0, 100, one, np.empty((0, 2)))["alarm"] == ""  # untrained: all alike, and nothing to worry about
    found = monitor.measure(50, 100, one, UNSURE)
    assert found["diversity_ratio"] < 1e-6 and "times as varied" in found["alarm"]
    assert "discriminator is certain" in monitor.measure(50, 100, noise(30), SURE)["alarm"]
    assert monitor.measure(60, 100, noise(30), np.array([[0.999, 0.2]]))["alarm"] == ""
