"""Features: shapes, independence of batch and company, and baselines against an independent route."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage.color import rgb2gray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fergan.dcgan import Discriminator, initialize_weights, to_float
from fergan.features.baselines import make_baseline
from fergan.features.discriminator import DiscriminatorFeatures
from fergan.features.hog import HOGFeatures
from fergan.features.pixels import PixelFeatures

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def weights(tmp_path):
    network = Discriminator(4)
    initialize_weights(network, seed=5)
    for _ in range(3):
        network(to_float(IMAGES))  # running statistics of its own
    save_file(network.state_dict(), tmp_path / "discriminator.safetensors")
    return tmp_path / "discriminator.safetensors", network.eval()


def test_discriminator_features_are_the_last_hidden_layer(weights):
    path, network = weights
    X = DiscriminatorFeatures(path, width=4).fit_transform(IMAGES)
    with torch.no_grad():
        expected = network.blocks(to_float(IMAGES)).flatten(1).numpy()
    assert X.shape == (7, 8 * 4 * 16) and X.dtype == np.float32
    np.testing.assert_allclose(X, expected, atol=1e-5)


def test_a_faces_features_do_not_depend_on_batch_or_company(weights):
    path, _ = weights
    X = DiscriminatorFeatures(path, width=4).transform(IMAGES)
    np.testing.assert_allclose(DiscriminatorFeatures(path, width=4, batch_size=2).transform(IMAGES), X, atol=1e-5)
    np.testing.assert_allclose(DiscriminatorFeatures(path, width=4).transform(IMAGES[3:4]), X[3:4], atol=1e-5)


def test_the_untrained_baseline_depends_on_its_seed_only():
    first = make_baseline("untrained", width=4, seed=1).transform(IMAGES)
    np.testing.assert_array_equal(first, make_baseline("untrained", width=4, seed=1).transform(IMAGES))
    assert np.abs(first - make_baseline("untrained", width=4, seed=2).transform(IMAGES)).max() > 1e-3


def test_pixels_are_grey_values():
    X = PixelFeatures().transform(IMAGES)
    assert X.shape == (7, 4096)
    # scikit-image weighs the channels by another standard (BT.709), so only the order of magnitude agrees.
    assert np.corrcoef(X.ravel(), rgb2gray(IMAGES).ravel())[0, 1] > 0.97
    white = np.full((1, 64, 64, 3), 255, np.uint8)
    np.testing.assert_allclose(PixelFeatures().transform(white), 1, rtol=1e-5)


def test_hog_sees_edges_and_not_brightness():
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))[None, :, :, None].repeat(3, axis=3)
    X = HOGFeatures().transform(np.concatenate([ramp, ramp + 100, ramp.transpose(0, 2, 1, 3)]))
    assert X.shape == (3, 1764)
    np.testing.assert_allclose(X[0], X[1], atol=1e-6)
    assert np.abs(X[0] - X[2]).max() > 0.1
    np.testing.assert_array_equal(X, HOGFeatures(n_threads=2).transform(
        np.concatenate([ramp, ramp + 100, ramp.transpose(0, 2, 1, 3)])))


def test_transformers_work_in_a_pipeline():
    X = make_pipeline(PixelFeatures(), StandardScaler()).fit_transform(IMAGES)
    assert np.abs(X.mean(axis=0)).max() < 1e-5


def test_bad_input_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"images are float64 \(7, 64, 64, 3\); expected uint8"):
        PixelFeatures().fit(IMAGES.astype(float))
    with pytest.raises(ValueError, match="unknown baseline 'sift'"):
        make_baseline("sift")
    (tmp_path / "discriminator.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="discriminator.safetensors cannot be used"):
        DiscriminatorFeatures(tmp_path / "discriminator.safetensors", width=4).transform(IMAGES)


def test_weights_of_another_width_are_refused(weights):
    with pytest.raises(ValueError, match="cannot be used"):
        DiscriminatorFeatures(weights[0], width=8).transform(IMAGES)
