"""The judgement of a generator: its intervals, the networks behind it, and planted noise, collapse and copies."""

import hashlib

import numpy as np
import pytest
import torch
from planted import face_set

from fergan.cache import cached
from fergan.quality import QualityConfig
from fergan.quality import backbones as inception
from fergan.quality.backbones import backbones, find_inception, inception_features, open_inception
from fergan.quality.judge import judge_features, judge_images, judge_samples, load_scores


def pictures(n, seed=0, low=60, high=120):
    rng = np.random.default_rng(seed)
    return (rng.integers(low, high, (n, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2) + rng.integers(0, 9, (n, 64, 64, 3))).astype(np.uint8)


class Counting:
    """A backbone of thumbnails that counts the pictures that it was shown."""

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return images[:, ::16, ::16].reshape(len(images), -1).astype(np.float32), None


ALONE = np.arange(100)  # each face another person


@pytest.fixture
def no_detector(monkeypatch):
    monkeypatch.setattr("fergan.quality.judge.face_rate", lambda images, threshold: (images.std(axis=(1, 2, 3)) < 40).astype(float))


def test_a_generator_is_judged_in_one_pass_of_each_network(no_detector):
    network = Counting()
    found = judge_images(pictures(60, seed=1), pictures(100), ALONE, {"Thumbs": network}, seed=0)
    assert network.seen == 50 + 50 + 50
    scores = found.set_index(["features", "score"])
    assert set(scores.loc["Thumbs"].index) == {"frechet", "precision", "recall", "coverage"}
    distance = scores.loc["Thumbs", "frechet"]
    assert distance["low"] < distance["value"] < distance["high"] and distance["floor"] > 0
    assert distance["n"] == 50 and found["floor_people"].isna().all()  # nobody has two faces


def test_other_people_are_a_floor_of_their_own(no_detector):
    """Ten near-copies of each of ten people: halves of the faces hold the same pictures, halves of the people do not."""
    people = pictures(10, seed=3).repeat(10, axis=0)
    noise = np.random.default_rng(0).integers(0, 9, people.shape, dtype=np.uint8)
    found = judge_images(pictures(100, seed=9), people + noise, np.arange(100) // 10, {"Thumbs": Counting()}, seed=0)
    scores = found.set_index("score")
    assert scores["floor_people"]["frechet"] > 5 * scores["floor"]["frechet"]
    assert scores["floor"]["precision"] > 0.9 and scores["floor_people"]["precision"] < 0.1
    assert scores["floor_people"]["ssim_nearest"] < scores["floor"]["ssim_nearest"]
    assert np.isnan(scores["floor_people"]["faces_found"])


def test_judging_sees_noise_collapse_and_copies(no_detector):
    real = pictures(100)

    def judged(generated):
        return judge_images(generated, real, ALONE, {"Thumbs": Counting()}, seed=0).set_index("score")

    collapsed = judged(np.repeat(real[:1], 60, axis=0))
    assert collapsed["value"]["recall"] < 0.1 < collapsed["floor"]["recall"] and collapsed["value"]["memorised"] == 1
    assert collapsed["value"]["faces_found"] == 1 and collapsed["low"]["faces_found"] > 0.9
    noise = judged(np.random.default_rng(2).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8))
    assert noise["value"]["faces_found"] == 0 and noise["high"]["faces_found"] < 0.1
    assert noise["value"]["precision"] == 0 and noise["value"]["memorised"] == 0
    assert noise["value"]["frechet"] > 10 * noise["floor"]["frechet"]
    alike = judged(pictures(60, seed=5))
    assert alike["low"]["frechet"] < alike["floor"]["frechet"] * 1.5 and alike["value"]["memorised"] < 0.2


def test_few_faces_give_no_score_and_logits_an_inception_score():
    rng = np.random.default_rng(0)
    few = rng.standard_normal((12, 4)), None
    (row,) = judge_features(few, {"floor": (few, few)})
    assert np.isnan(row["value"]) and row["n"] == 12
    one, *sides = [(rng.standard_normal((60, 5)), rng.standard_normal((60, 7))) for _ in range(3)]
    row = next(row for row in judge_features(one, {"floor": tuple(sides)}) if row["score"] == "inception_score")
    assert 1 < row["low"] < row["value"] < row["high"] and row["floor"] > 1


def test_the_stage_writes_what_is_read(tmp_path, unlearnt_run, no_detector):
    faces = face_set(60, images=pictures(60), subject=list("abcdef") * 10)
    inputs = {"generated": pictures(200, seed=1), "faces": faces, "inception": None,
              "discriminator": unlearnt_run / "discriminator.safetensors"}
    found = load_scores(cached(tmp_path / "quality", judge_samples, QualityConfig(n_samples=200), inputs))
    assert set(found["features"]) == {"MTCNN", "pixels", "thumbnails", "discriminator", "HOG"}
    assert found.set_index(["features", "score"])["floor_people"]["HOG"].notna().all()
    with pytest.raises(ValueError, match="200 images; expected n_samples, 300"):
        judge_samples(tmp_path, QualityConfig(n_samples=300), **inputs)


def test_weights_of_another_hash_are_never_opened_and_without_a_network_a_download_says_why(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"a pickle that would run code")

    def opened(*_, **__):
        raise AssertionError("opened before its hash was checked")

    monkeypatch.setattr(torch, "load", opened)
    assert find_inception()[0] is None and inception.URL in find_inception()[1]
    assert find_inception(str(path))[0] is None and "has the hash" in find_inception(str(path))[1]
    assert "does not exist; get it from https://" in find_inception(str(tmp_path / "nowhere.pth"))[1]
    with pytest.raises(ValueError, match="is not opened"):
        open_inception(path)
    monkeypatch.setattr(inception, "PUBLISHED_HASH", hashlib.sha256(path.read_bytes()).hexdigest())
    assert find_inception(str(path)) == (path, "")
    with pytest.raises(AssertionError, match="opened before"):
        backbones(path, path)  # the right hash goes on to be opened

    def nowhere(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(inception.urllib.request, "urlopen", nowhere)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    found, reason = find_inception("download")
    assert found is None and "cannot be had (no network)" in reason
    assert list(tmp_path.rglob("*.pth")) == [path], "nothing half-written is left"


def test_inception_features_do_not_depend_on_the_batch(monkeypatch, tmp_path):
    """With weights drawn at random, which the shape of the network is enough for."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    monkeypatch.setattr(torch, "load", lambda *_, **__: {})
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    monkeypatch.setattr(inception, "PUBLISHED_HASH", hashlib.sha256(b"weights").hexdigest())
    network = open_inception(path)
    images = pictures(2)
    features, logits = inception_features(network, images, batch_size=1)
    assert features.shape == (2, 2048) and logits.shape == (2, 1008)
    np.testing.assert_allclose(inception_features(network, images)[0], features, rtol=1e-4, atol=1e-5)
