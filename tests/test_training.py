"""Training: killed and resumed equals uninterrupted, bit for bit; wrong input is refused before it starts."""

import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tiny import WITH_TESTS, noise

from fergan.cache import _closure, computing_device
from fergan.files import UserError, locked
from fergan.gan import TrainConfig, training
from fergan.gan.networks import Discriminator, Generator, initialize_weights, open_discriminator
from fergan.gan.runs import Run
from fergan.gan.sampling import load_discriminator, sample
from fergan.gan.training import WEIGHT_CODE, make_fabric, train
from fergan.quality.collapse import Monitor

SMALL = dict(preset="demo", width=4, latent_dim=8, batch_size=8)
CONFIG = TrainConfig(**SMALL, epochs=3)
DEADLY = """
import os, random, signal, threading
from fergan.gan import training
save = training.save_state
def save_and_die(*args):
    save(*args)
    threading.Timer(random.uniform(0, 0.1), os.kill, (os.getpid(), signal.SIGKILL)).start()
training.save_state = save_and_die
"""


def run_apart(folder, n_snapshots, before):
    """Train the same run in a process of its own, which writes a checkpoint after every step."""
    call = f"run_of({str(folder)!r}, checkpoint_seconds=0, n_snapshots={n_snapshots})"
    code = f"from test_training import run_of\n{before}\n{call}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=WITH_TESTS)


def run_of(folder, config=CONFIG, images=None, monitor=Monitor, **options):
    images = noise() if images is None else images
    train(folder, config, images=images, monitor=monitor and monitor(images), **options)
    return Run.load(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("run"))


@pytest.fixture
def half(tmp_path):
    """A run with two checkpoints, stopped before its end."""
    def stop(step, *_):
        if step >= 12:
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(training, "SHOW_SECONDS", 0.0)
        run_of(tmp_path / "half", checkpoint_seconds=0, n_snapshots=2, progress=stop)
    return tmp_path / "half"


def assert_equal_runs(first, second, filmstrip=True):
    for name in ("generator", "discriminator"):
        weights, others = (load_file(run.folder / f"{name}.safetensors") for run in (first, second))
        for key, value in weights.items():
            assert torch.equal(value, others[key]), key
    pd.testing.assert_frame_equal(first.history, second.history)
    if filmstrip:  # with snapshots at the same steps
        assert first.finished["best_step"] == second.finished["best_step"]
        pd.testing.assert_frame_equal(first.snapshots, second.snapshots)
        assert np.array_equal(first.filmstrip()[1], second.filmstrip()[1])


def interrupt_at(monkeypatch, *steps):
    """Press Ctrl-C after these steps, before they are saved, the first time that each is taken; return all steps taken."""
    step_of, seen = training.next_step, []

    def interrupted(state, *rest):
        seen.append(state.step)
        losses = step_of(state, *rest)
        if seen[-1] in steps and seen.count(seen[-1]) == 1:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(training, "next_step", interrupted)
    return seen


def test_a_run_leaves_weights_history_filmstrip_and_logs(finished):
    assert finished.finished["steps"] == 15 and finished.finished["threads"] == 1 and finished.config == CONFIG
    assert list(finished.history["step"]) == list(range(15))
    assert np.isfinite(finished.history.to_numpy()).all()
    steps, frames = finished.filmstrip()
    assert steps[0] == 0 and steps[-1] == 15 and frames.shape[1:] == (16, 64, 64, 3)
    assert {path.suffix for path in finished.folder.iterdir() if path.is_file()} == {".lock", ".json", ".parquet", ".safetensors"}
    assert not list(finished.folder.glob("checkpoint*"))
    assert list(finished.kept) == [0, 4, 8, 11, 15]  # every third of thirteen snapshots
    untrained, last = (open_discriminator(finished.kept[step]).state_dict() for step in (0, 15))
    start = Discriminator(4)
    initialize_weights(start, seed=1)
    final = load_discriminator(finished).state_dict()
    for key, value in start.state_dict().items():
        assert torch.allclose(untrained[key], value, rtol=1e-3, atol=1e-6) and torch.allclose(last[key], final[key], rtol=1e-3, atol=1e-6)
    before = (finished.folder / "finished.json").stat().st_mtime_ns
    assert run_of(finished.folder).finished == finished.finished  # found, not trained again
    assert (finished.folder / "finished.json").stat().st_mtime_ns == before
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished.folder / "tensorboard"))
    events.Reload()
    assert {"loss_d", "loss_g", "frechet", "diversity_ratio"} <= set(events.Tags()["scalars"])
    assert events.Scalars("frechet")[-1].step == 15


def test_every_interruption_ends_bit_identical(tmp_path, finished, monkeypatch):
    """A step that Ctrl-C breaks is lost, whatever it left in memory; those before it are saved."""
    seen = interrupt_at(monkeypatch, 0, 5, 6, 14)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run_of(tmp_path, checkpoint_seconds=0)
    assert_equal_runs(run_of(tmp_path), finished)
    assert seen == sorted([*range(15), 0, 5, 6, 14])  # no other step was done twice


def test_killed_with_sigkill_and_rerun_ends_bit_identical(tmp_path, finished):
    """The process kills itself a little after its first checkpoint, at no particular place; then so does the one that goes on."""
    for _ in range(2):
        ran = run_apart(tmp_path, 13, DEADLY)
        assert ran.returncode == -signal.SIGKILL, ran.stderr
    run = run_of(tmp_path)
    assert_equal_runs(run, finished)
    assert run.finished["parts"][-1]["from_step"] > 0  # it did go on, and not begin again
    assert not list(tmp_path.glob(".*.safetensors"))


@pytest.mark.parametrize("changes", [
    dict(label_noise=0.2, discriminator_updates=2, generator_width=8),
    dict(augment="color,translation,cutout", flip_probability=0.5, precision="float32"),
    dict(average_decay=0.0),
], ids=["matconvnet", "augmented", "plain"])
def test_every_way_of_training_resumes_bit_identical(tmp_path, monkeypatch, changes):
    config = TrainConfig(**SMALL, epochs=2, **changes)
    whole = run_of(tmp_path / "whole", config, n_snapshots=3)
    interrupt_at(monkeypatch, 6)
    with pytest.raises(KeyboardInterrupt):
        run_of(tmp_path / "parts", config, n_snapshots=3, checkpoint_seconds=0)
    assert_equal_runs(run_of(tmp_path / "parts", config, n_snapshots=3), whole)


def test_a_folder_of_another_run_is_refused_a_broken_checkpoint_named_and_kept_on_a_full_disk(half):
    for other in (dict(config=CONFIG.changed(epochs=4)), dict(images=noise(seed=1))):
        with pytest.raises(ValueError, match="belongs to a run with other parameters or faces; move"):
            run_of(half, **other)
    path = half / "checkpoint.safetensors"
    whole = path.read_bytes()
    for broken in (b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      ", whole[:5000]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="checkpoint.safetensors cannot be used .* delete it to train again"):
            run_of(half)
    path.write_bytes(whole)
    # On a full disk the last checkpoint is kept: no file may be larger than a few kB, which fails as a full disk does.
    limit = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))"
    ran = run_apart(half, 2, limit)
    assert ran.returncode == 1 and "File too large" in ran.stderr, ran.stderr
    assert path.read_bytes() == whole
    assert not list(half.glob(".checkpoint*"))  # nor half a file left behind


def test_what_is_not_finite_stops_a_training_with_its_step_and_is_never_saved(tmp_path, monkeypatch):
    # The loss of the last step is finite, but its update is not.
    step_of = training.next_step

    def broken_step(state, *rest):
        losses = step_of(state, *rest)
        if state.step == 15:
            state.generator.module.to_image.bias.data.fill_(float("nan"))
        return losses

    monkeypatch.setattr(training, "next_step", broken_step)
    with pytest.raises(FloatingPointError, match="generator.to_image.bias is not finite after step 15"):
        run_of(tmp_path, checkpoint_seconds=1e9)
    assert not (tmp_path / "finished.json").exists()
    monkeypatch.setattr("fergan.gan.step.softplus", lambda logit: logit * float("nan"))
    with pytest.raises(FloatingPointError, match="not finite at step 0 of 15"):
        run_of(tmp_path)


def test_bad_input_is_refused_before_training_and_a_run_is_trained_by_one_process_at_a_time(tmp_path):
    with pytest.raises(ValueError, match="at least one batch of 8 faces and the set has 5"):
        run_of(tmp_path / "few", images=noise(5))
    with pytest.raises(FileNotFoundError, match="no finished training run"):
        Run.load(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(OSError, match="models"):
        run_of(tmp_path / "models")
    with locked(tmp_path / ".training.lock"), pytest.raises(UserError, match="is being trained by another process"):
        run_of(tmp_path)


def test_a_network_learns_a_constant_image(tmp_path):
    """Faces that are all one colour: after a short training the samples have nearly that colour."""
    images = np.broadcast_to(np.array([200, 40, 90], np.uint8), (32, 64, 64, 3)).copy()
    config = TrainConfig(preset="demo", width=8, latent_dim=4, batch_size=16, epochs=75, learning_rate=1e-3)
    run = run_of(tmp_path, config, images, monitor=None)
    mean = sample(run, 32).mean(axis=(0, 1, 2))
    assert np.abs(mean - [200, 40, 90]).max() < 40  # an untrained generator's mean is grey, 127
    assert run.finished["best_step"] == run.finished["steps"] == 150  # without a monitor


def test_a_generator_that_ignores_its_noise_gives_alarms(tmp_path, monkeypatch):
    forward = Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self, z: forward(self, torch.ones_like(z)))
    run = run_of(tmp_path, n_snapshots=4)
    assert "times as varied" in run.finished["alarms"][-1]["reason"] and len(run.finished["alarms"]) > 1
    assert run.snapshots["diversity_ratio"].iloc[-1] < 0.01


def test_precision_follows_the_processor_and_a_gpu_without_kernels_is_left_alone_and_said_once(monkeypatch, caplog):
    for asked, native, found in (("auto", False, "32-true"), ("bf16", False, "bf16-mixed"), ("auto", True, "bf16-mixed"),
                                 ("float32", True, "32-true")):
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda native=native: native)
        assert make_fabric(asked, accelerator="cpu").strategy.precision.precision == found
    def no_kernels(*_size, device="cpu"):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    computing_device.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", no_kernels)
        assert [make_fabric("float32").device.type, computing_device("auto"), computing_device("cuda")] == ["cpu", "cpu", "cuda"]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "fergan.cache"]
    assert "cannot compute on the GPU (CUDA error: no kernel image" in line and "\n" not in line
    computing_device.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", lambda *size, device: torch.full(size, 1.0))
        assert computing_device("auto") == "cuda", "one that works is used"
    computing_device.cache_clear()


def test_the_code_that_can_change_a_weight_is_that_of_the_step():
    """All that a step uses, and nothing of saving, showing and measuring: their edits leave finished runs as they are."""
    names = {name for _, name in _closure((part.__module__, part.__qualname__) for part in WEIGHT_CODE)[0]}
    assert {"train_step", "augment", "_cutout", "Generator", "initialize_weights", "calibrate_average", "make_fabric"} <= names
    assert not {"train", "_Training", "save_state", "load_state", "TrainConfig", "PRESETS", "Monitor"} & names
