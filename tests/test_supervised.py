"""The supervised network: it learns what is there, never sees what it predicts, and repeats itself."""

import numpy as np
import pytest

from fergan.experiments.config import LabelEfficiencyConfig
from fergan.experiments.label_efficiency import LabelEfficiencyResult, named_by, run_label_efficiency, train_cnn
from fergan.gan.networks import open_discriminator

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = dict(width=4, epochs=20, min_steps=30)


def marked_faces(n=96, seed=0):
    """Noise with a bright patch whose place is the class."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (n, 64, 64, 3), dtype=np.uint8)
    y = np.arange(n) % 3
    for image, place in zip(images, y, strict=True):
        image[20:40, 4 + 20 * place : 20 + 20 * place] += 100
    return images, y


def test_it_learns_a_planted_pattern_and_generalises():
    images, y = marked_faces()
    network, n_steps = train_cnn(images, y, **SMALL)
    new, true = marked_faces(seed=1)
    assert np.mean(named_by(network, new) == true) > 0.9 and n_steps == 20 * 96 // 32


def weights_of(network):
    return network[0][0][0].weight.detach()


def test_the_same_seed_gives_the_same_network_and_another_does_not():
    images, y = marked_faces(48)
    one, same, other = (weights_of(train_cnn(images, y, **SMALL | {"epochs": 2}, seed=seed)[0]) for seed in (3, 3, 4))
    assert one.equal(same) and not one.equal(other)


def test_short_training_still_has_the_statistics_of_its_faces():
    images, y = marked_faces(48)
    network, n_steps = train_cnn(images, y, width=4, epochs=1, min_steps=1)
    assert n_steps == 1
    assert network[0][1][1].num_batches_tracked == 1, "one batch of all faces, not the last few steps"


def test_it_goes_on_from_the_weights_of_a_discriminator(unlearnt_run):
    images, y = marked_faces(48)
    weights = unlearnt_run / "discriminator.safetensors"
    start = open_discriminator(weights).blocks[0][0].weight.detach()
    still = dict(width=8, epochs=1, min_steps=1, learning_rate=1e-12)
    assert np.allclose(weights_of(train_cnn(images, y, **still, weights=weights)[0]), start, atol=1e-6)
    assert not np.allclose(weights_of(train_cnn(images, y, **still)[0]), start, atol=1e-3)
    with pytest.raises(ValueError, match=r"discriminator.safetensors cannot be used"):
        train_cnn(images, y, **still | {"width": 4}, weights=weights)


def test_it_is_one_method_of_label_efficiency(tmp_path):
    images, y = marked_faces(54)
    subjects, words = np.array([f"p{i // 6}" for i in range(54)]), np.array(["angry", "happy", "sad"])[y]
    pixels = images.reshape(54, -1)[:, ::97].astype(np.float32)
    config = LabelEfficiencyConfig(cnn_width=4, cnn_epochs=20, cnn_min_steps=30, n_splits=3, n_draws=2, n_evaluations=3,
                                   inner_folds=2)
    run_label_efficiency(tmp_path, config, features={"pixels": pixels}, emotions=words, subjects=subjects, images=images)
    result = LabelEfficiencyResult.load(tmp_path)
    fits = result.searches.query("features == 'supervised CNN'")
    assert result.methods == ["pixels", "supervised CNN"] and result.sizes == [1, 2, 4, 6]
    assert (fits["draw"] == 0).all() and len(fits) == 3 * 4 and (fits["steps"] >= 30).all()
    assert result.score("accuracy", 6, "supervised CNN")[0] > 0.8


def test_a_loss_that_is_not_finite_is_named():
    images, y = marked_faces(12)
    with pytest.raises(FloatingPointError, match="the loss is .* at step"):
        train_cnn(images, y, **SMALL, learning_rate=1e30)
