"""Training: killed and resumed equals uninterrupted, bit for bit; wrong input is refused before it starts."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fergan.checkpoints import recalibrate_batch_norm
from fergan.dcgan import Generator
from fergan.runs import Run, differences, make_config, run_folder
from fergan.sampling import load_discriminator, sample
from fergan.training import train, training_dtype

CONFIG = make_config("demo", width=4, latent_dim=8, batch_size=8, epochs=3)


def faces(n=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train(faces(), CONFIG, tmp_path_factory.mktemp("models"))


def weights(run):
    return load_file(run.folder / "discriminator.safetensors") | load_file(run.folder / "generator.safetensors")


def assert_equal_runs(first, second):
    for key, value in weights(first).items():
        assert torch.equal(value, weights(second)[key]), key
    pd.testing.assert_frame_equal(first.history, second.history)
    assert np.array_equal(first.filmstrip()[1], second.filmstrip()[1])


def test_a_run_leaves_weights_history_and_filmstrip(finished):
    assert finished.finished["steps"] == 15 and finished.finished["threads"] == 1
    assert list(finished.history["step"]) == list(range(15))
    assert np.isfinite(finished.history.to_numpy()).all()
    steps, frames = finished.filmstrip()
    assert steps[0] == 0 and steps[-1] == 15 and frames.shape[1:] == (16, 64, 64, 3)
    assert not (finished.folder / "checkpoint.safetensors").exists()
    assert {path.suffix for path in finished.folder.iterdir() if path.is_file()} == {".json", ".parquet", ".safetensors"}


def test_every_interruption_ends_bit_identical(tmp_path, finished, monkeypatch):
    """Press Ctrl-C in the middle of some steps: each time the run stops after that step and has saved it."""
    from fergan import training

    step_of, seen = training._train_step, []

    def interrupted_step(state, *rest):
        seen.append(state.step)
        if state.step in (0, 5, 6, 13) and seen.count(state.step) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step_of(state, *rest)

    monkeypatch.setattr(training, "_train_step", interrupted_step)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            train(faces(), CONFIG, tmp_path, checkpoint_seconds=1e9)
    assert_equal_runs(train(faces(), CONFIG, tmp_path), finished)
    assert seen == list(range(15))  # no step was done twice


def test_killed_with_sigkill_and_rerun_ends_bit_identical(tmp_path, finished):
    script = (
        "import sys, numpy as np\n"
        "from fergan.runs import make_config\n"
        "from fergan.training import train\n"
        "images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)\n"
        "config = make_config('demo', width=4, latent_dim=8, batch_size=8, epochs=3)\n"
        "train(images, config, sys.argv[1], checkpoint_seconds=0)\n"
    )
    folder = run_folder(tmp_path, faces(), CONFIG)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        seen = (folder / "checkpoint.safetensors").stat().st_mtime_ns if (folder / "checkpoint.safetensors").exists() else 0
        while process.poll() is None and time.monotonic() < deadline:
            path = folder / "checkpoint.safetensors"
            if path.exists() and path.stat().st_mtime_ns != seen:
                os.kill(process.pid, signal.SIGKILL)  # a little after some checkpoint, at no particular place
                break
            time.sleep(0.001)
        code = process.wait(timeout=60)
        if code == 0:
            break
        assert code == -signal.SIGKILL, process.stderr.read().decode()
    assert_equal_runs(train(faces(), CONFIG, tmp_path), finished)


def test_an_edited_parameter_trains_beside_the_old_run(tmp_path, finished):
    changed = make_config("demo", width=4, latent_dim=8, batch_size=8, epochs=3, learning_rate=1e-4)
    models = finished.folder.parent
    assert run_folder(models, faces(), changed) != finished.folder
    assert run_folder(models, faces(seed=1), CONFIG) != finished.folder
    assert run_folder(models, faces(), CONFIG) == finished.folder
    before = (finished.folder / "finished.json").stat().st_mtime_ns
    assert train(faces(), CONFIG, models).folder == finished.folder  # found, not trained again
    assert (finished.folder / "finished.json").stat().st_mtime_ns == before


def test_a_folder_with_other_parameters_is_refused(tmp_path):
    folder = run_folder(tmp_path, faces(), CONFIG)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"epochs": 3', '"epochs": 4'))
    with pytest.raises(ValueError, match="other parameters"):
        train(faces(), CONFIG, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    folder = run_folder(tmp_path, faces(), CONFIG)
    (folder / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint.safetensors cannot be used"):
        train(faces(), CONFIG, tmp_path)


def test_a_loss_that_is_not_finite_stops_with_its_step(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "fergan.training.binary_cross_entropy_with_logits", lambda logit, target: (logit * float("nan")).sum()
    )
    with pytest.raises(FloatingPointError, match="not finite at step 0 of 15"):
        train(faces(), CONFIG, tmp_path)


def test_bad_parameters_are_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="at least one batch of 8 faces and the set has 5"):
        train(faces(5), CONFIG, tmp_path)
    with pytest.raises(ValueError, match="unknown training parameter 'learn_rate'"):
        make_config("demo", learn_rate=1e-3)
    with pytest.raises(ValueError, match="learning_rate is -1"):
        make_config("demo", learning_rate=-1)
    with pytest.raises(ValueError, match="unknown training preset"):
        make_config("best")
    with pytest.raises(FileNotFoundError, match="no finished training run"):
        Run.load(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_network_learns_a_constant_image(tmp_path):
    """Faces that are all one colour: after a short training the samples have nearly that colour."""
    images = np.broadcast_to(np.array([200, 40, 90], np.uint8), (32, 64, 64, 3)).copy()
    config = make_config("demo", width=8, latent_dim=4, batch_size=16, epochs=75, learning_rate=2e-3)
    run = train(images, config, tmp_path)
    mean = sample(run, 32).mean(axis=(0, 1, 2))
    assert np.abs(mean - [200, 40, 90]).max() < 40  # an untrained generator's mean is grey, 127


def test_a_run_lists_all_that_it_changes():
    changes = differences(make_config("demo", batch_size=32, seed=5))
    assert changes["width"] == (32, 64) and changes["learning_rate"] == (5e-4, 2e-4) and changes["batch_size"] == (32, 128)
    assert not {"beta1", "beta2", "latent_dim", "weight_std", "seed"} & set(changes)
    assert differences(make_config("radford2015")) == {}


def test_samples_depend_on_the_seed_only(finished):
    assert np.array_equal(sample(finished, 6, seed=1), sample(finished, 6, seed=1, batch_size=2))
    assert not np.array_equal(sample(finished, 6, seed=1), sample(finished, 6, seed=2))
    with pytest.raises(ValueError, match="at least one sample"):
        sample(finished, 0)


def test_a_loaded_discriminator_is_frozen_and_in_evaluation_mode(finished):
    network = load_discriminator(finished)
    images = torch.rand(4, 3, 64, 64)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert torch.allclose(network.hidden(images)[:1], network.hidden(images[:1]), atol=1e-5)


def test_recalibrated_statistics_are_plain_means():
    generator = Generator(4, 2)
    batches = [torch.randn(64, 4) for _ in range(3)]
    recalibrate_batch_norm(generator, batches)
    layer = generator.project[1]
    activations = [generator.project[0](z[:, :, None, None]) for z in batches]
    expected = torch.stack([a.mean(dim=(0, 2, 3)) for a in activations]).mean(0)
    assert torch.allclose(layer.running_mean, expected, atol=1e-6)
    assert layer.momentum == 0.1


def test_precision_follows_what_the_processor_can_do(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert training_dtype(torch.device("cpu")) is torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert training_dtype(torch.device("cpu")) is torch.bfloat16
