"""Scores as they are kept: their intervals, the networks behind them, and the whole judgement of a generator."""

import hashlib

import numpy as np
import pytest
import torch

from fergan.files import read_json, write_json
from fergan.gan.checkpoints import save_weights
from fergan.gan.networks import Discriminator, Generator, initialize_weights
from fergan.quality import backbones as inception
from fergan.quality.backbones import (
    Backbone,
    Features,
    Missing,
    WeightsAbsent,
    backbones,
    compact,
    kept_features,
    open_inception,
)
from fergan.quality.distances import frechet_distance
from fergan.quality.judge import Score, jackknife, judge_features, judge_samples, share_score


def pictures(n, seed=0, low=60, high=120):
    rng = np.random.default_rng(seed)
    return (rng.integers(low, high, (n, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2) + rng.integers(0, 9, (n, 64, 64, 3))).astype(np.uint8)


class Counting:
    """A backbone of thumbnails that counts the pictures that it was shown."""

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return Features(images[:, ::16, ::16].reshape(len(images), -1).astype(np.float32))


def test_the_jackknife_of_a_mean_is_the_textbooks_interval():
    x = np.random.default_rng(0).standard_normal(4000)
    value, low, high = jackknife(np.mean, x, n_groups=40)
    assert value == pytest.approx(x.mean()) and low == pytest.approx(2 * value - high)
    assert (high - low) / 2 == pytest.approx(2.02 * x.std() / np.sqrt(4000), rel=0.35)  # Student's t of 39 degrees
    both = jackknife(lambda rows: [rows.mean(), rows.std()], x)
    assert both[0].shape == both[1].shape == (2,)
    with pytest.raises(ValueError, match="19 rows are too few for 10 groups"):
        jackknife(np.mean, x[:19])


def test_the_jackknife_holds_the_truth_where_a_bootstrap_of_the_frechet_distance_does_not():
    rng = np.random.default_rng(1)
    draws = [[rng.standard_normal((100, 8)) + shift for shift in (0, 0.5)] for _ in range(40)]
    expected = np.mean([frechet_distance(*draw) for draw in draws])  # at this n
    held = [low <= expected <= high for _, low, high in (jackknife(frechet_distance, *draw) for draw in draws)]
    assert np.mean(held) > 0.85
    again = [frechet_distance(*(side[rng.integers(100, size=100)] for side in draws[0])) for _ in range(50)]
    assert np.quantile(again, 0.1) > frechet_distance(*draws[0]), "drawn with replacement, samples seem less varied"


def test_records_survive_json(tmp_path):
    score = share_score("faces_found", np.array([True, True, False, True]), n_generated=4, seed=3)
    assert (score.value, score.interval, score.n_generated) == (0.75, "Wilson", 4)
    assert score.low == pytest.approx(0.3006, abs=1e-3) and score.high == pytest.approx(0.9544, abs=1e-3)
    write_json(tmp_path / "scores.json", [score.to_dict()])
    again = Score.from_dict(read_json(tmp_path / "scores.json")[0])
    assert np.isnan(again.floor) and again.value == score.value and again.seed == 3


def test_compact_features_keep_every_product():
    rng = np.random.default_rng(2)
    sides = [rng.standard_normal((n, 300)).astype(np.float32) for n in (20, 30)]
    x, y = compact(*sides)
    assert x.shape == (20, 50) and y.shape == (30, 50) and x.dtype == np.float64
    np.testing.assert_allclose(x @ y.T, sides[0].astype(float) @ sides[1].astype(float).T, rtol=1e-9, atol=1e-9)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(*sides), rel=1e-9)
    assert compact(sides[0][:, :25])[0].shape == (20, 25), "no use where there are few features"


def test_features_of_real_faces_are_kept_beside_their_set_and_taken_from_there(tmp_path):
    network = Counting()
    backbone = Backbone("Thumbs", network, weights="abc")
    images = pictures(10)
    first = kept_features(backbone, images, tmp_path)
    again = kept_features(backbone, images, tmp_path)
    assert network.seen == 10
    np.testing.assert_array_equal(first.features, again.features)
    kept_features(Backbone("Thumbs", network, weights="other"), images, tmp_path)
    kept_features(backbone, images[:9], tmp_path)
    assert network.seen == 10 + 10 + 9, "other weights or faces are other features"
    assert not list(tmp_path.rglob("*.pkl"))


def test_a_generator_is_judged_in_one_pass_of_each_network(monkeypatch):
    monkeypatch.setattr("fergan.quality.judge.face_rate", lambda images, threshold: (images.std(axis=(1, 2, 3)) < 40).astype(float))
    real = pictures(100)
    network = Counting()
    found = judge_samples(pictures(60, seed=1), real, [Missing("Inception", "weights absent: get them"), Backbone("Thumbs", network, "abc")],
                          n_faces=50)
    assert network.seen == 50 + 50 + 50
    scores = {(score.backbone, score.name): score for score in found.scores}
    absent = scores["Inception", "inception_score"]
    assert np.isnan(absent.value) and absent.note == "weights absent: get them"
    assert {name for backbone, name in scores if backbone == "Thumbs"} == {
        "frechet", "frechet_infinite", "kernel", "precision", "recall", "density", "coverage"}
    distance = scores["Thumbs", "frechet"]
    assert distance.low < distance.value < distance.high and distance.floor > 0
    assert len(scores["MTCNN", "faces_found"].weights) == 64
    assert (distance.n_generated, distance.n_real, distance.weights) == (50, 50, "abc")
    assert "not comparable with published FID" in distance.note
    assert "rank" not in distance.note  # 50 faces of 48 features
    wide = Features(np.random.default_rng(0).standard_normal((50, 60)))
    assert "50 samples of 60 features: covariances of rank 49 at most" in judge_features(wide, wide, wide)[0][0].note
    assert set(found.curves["Thumbs"]) == {"samples", "real faces"}


def test_judging_sees_noise_collapse_and_copies(monkeypatch):
    monkeypatch.setattr("fergan.quality.judge.face_rate", lambda images, threshold: (images.std(axis=(1, 2, 3)) < 40).astype(float))
    real, backbone = pictures(100), Backbone("Thumbs", Counting())

    def judged(generated):
        return {score.name: score for score in judge_samples(generated, real, [backbone], n_faces=50).scores}

    collapsed = judged(np.repeat(real[:1], 60, axis=0))
    assert collapsed["pairwise_distance"].value < 1e-5 < collapsed["pairwise_distance"].floor
    assert collapsed["ms_ssim_among"].value == pytest.approx(1) and collapsed["ms_ssim_among"].floor < 0.9
    assert collapsed["recall"].value < 0.1 < collapsed["recall"].floor and collapsed["memorised"].value == 1
    assert collapsed["faces_found"].value == 1 and collapsed["faces_found"].low > 0.9
    noise = judged(np.random.default_rng(2).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8))
    assert noise["faces_found"].value == 0 and noise["faces_found"].high < 0.1
    assert noise["precision"].value == 0 and noise["memorised"].value == 0
    assert noise["frechet"].value > 10 * noise["frechet"].floor
    alike = judged(pictures(60, seed=5))
    assert alike["frechet"].low < alike["frechet"].floor * 1.5 and alike["memorised"].value < 0.2
    with pytest.raises(ValueError, match="expected at least 50"):
        judge_samples(real[:10], real, [backbone], n_faces=50)


def test_few_faces_give_no_score_and_say_so():
    few = Features(np.random.default_rng(0).standard_normal((12, 4)))
    (score,), curves = judge_features(few, few, few)
    assert np.isnan(score.value) and "12 faces on either side are too few" in score.note and not curves


def test_logits_give_an_inception_score():
    rng = np.random.default_rng(3)
    sides = [Features(rng.standard_normal((60, 5)), rng.standard_normal((60, 7))) for _ in range(3)]
    scores = {score.name: score for score in judge_features(*sides)[0]}
    score = scores["inception_score"]
    assert 1 < score.low < score.value < score.high and score.splits == 3 and score.floor > 1


def test_the_discriminator_and_hog_are_always_there(tmp_path, monkeypatch):
    monkeypatch.delenv(inception.VARIABLE, raising=False)
    networks = Generator(10, 8), Discriminator(8)
    for network in networks:
        initialize_weights(network, seed=0)
    save_weights(tmp_path, *networks)
    missing, discriminator, hog = backbones(tmp_path / "discriminator.safetensors", 8)
    assert isinstance(missing, Missing) and "weights absent" in missing.reason and inception.URL in missing.reason
    images = pictures(3)
    assert discriminator.extract(images).features.shape == (3, 8 * 8 * 16) and len(discriminator.weights) == 64
    assert hog.extract(images).features.shape == (3, 1764) and hog.weights == ""


def test_weights_of_another_hash_are_never_opened(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"a pickle that would run code")

    def opened(*_, **__):
        raise AssertionError("opened before its hash was checked")

    monkeypatch.setattr(torch, "load", opened)
    monkeypatch.setenv(inception.VARIABLE, str(path))
    with pytest.raises(WeightsAbsent, match="weights refused"):
        open_inception()
    with pytest.raises(WeightsAbsent, match="does not exist; get it from https://"):
        open_inception(str(tmp_path / "nowhere.pth"))
    monkeypatch.setattr(inception, "PUBLISHED_HASH", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(AssertionError, match="opened before"):
        open_inception()  # the right hash goes on to be opened


def test_without_a_network_a_download_says_why(tmp_path, monkeypatch):
    def nowhere(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(inception.urllib.request, "urlopen", nowhere)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(WeightsAbsent, match="cannot be had .no network."):
        open_inception("download")
    assert not list(tmp_path.rglob("*.pth")), "nothing half-written is left"


def test_inception_features_do_not_depend_on_the_batch(monkeypatch, tmp_path):
    """With weights drawn at random, which the shape of the network is enough for."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    monkeypatch.setattr(torch, "load", lambda *_, **__: {})
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    monkeypatch.setattr(inception, "PUBLISHED_HASH", hashlib.sha256(b"weights").hexdigest())
    network = open_inception(str(path))
    images = pictures(2)
    features, logits = network.transform(images, batch_size=1)
    assert features.shape == (2, 2048) and logits.shape == (2, 1008)
    np.testing.assert_allclose(network.transform(images, batch_size=2)[0], features, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="expected uint8"):
        network.transform(images / 255.0)
