"""Training: killed and resumed equals uninterrupted, bit for bit; wrong input is refused before it starts."""

import dataclasses
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import fergan
from fergan.gan.checkpoints import recalibrate_batch_norm
from fergan.gan.dcgan import Generator
from fergan.gan.runs import Run, config_from_page, differences, make_config, run_folder
from fergan.gan.sampling import load_discriminator, sample
from fergan.gan.training import _loss as training_loss
from fergan.gan.training import make_fabric, train, train_step
from fergan.gan.training_state import TrainingState

CONFIG = make_config("demo", width=4, latent_dim=8, batch_size=8, epochs=3)


def faces(n=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train(faces(), CONFIG, tmp_path_factory.mktemp("models"))


def weights(run):
    return load_file(run.folder / "discriminator.safetensors") | load_file(run.folder / "generator.safetensors")


def assert_equal_runs(first, second, filmstrip=True):
    assert first.finished["best_step"] == second.finished["best_step"] or not filmstrip
    for key, value in weights(first).items():
        assert torch.equal(value, weights(second)[key]), key
    pd.testing.assert_frame_equal(first.history, second.history)
    if filmstrip:  # with looks at the same steps
        pd.testing.assert_frame_equal(first.watched, second.watched)
        assert np.array_equal(first.filmstrip()[1], second.filmstrip()[1])


def test_a_run_leaves_weights_history_and_filmstrip(finished):
    assert finished.finished["steps"] == 15 and finished.finished["threads"] == 1
    assert list(finished.history["step"]) == list(range(15))
    assert np.isfinite(finished.history.to_numpy()).all()
    steps, frames = finished.filmstrip()
    assert steps[0] == 0 and steps[-1] == 15 and frames.shape[1:] == (16, 64, 64, 3)
    assert not (finished.folder / "checkpoint.safetensors").exists()
    assert {path.suffix for path in finished.folder.iterdir() if path.is_file()} == {"", ".json", ".parquet", ".safetensors"}  # and the lock


def test_every_interruption_ends_bit_identical(tmp_path, finished, monkeypatch):
    """Press Ctrl-C in the middle of some steps: each time the run stops after that step and has saved it."""
    from fergan.gan import training

    step_of, seen = training.train_step, []

    def interrupted_step(state, *rest):
        seen.append(state.step)
        if state.step in (0, 5, 6, 13) and seen.count(state.step) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step_of(state, *rest)

    monkeypatch.setattr(training, "train_step", interrupted_step)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            train(faces(), CONFIG, tmp_path, checkpoint_seconds=1e9)
    assert_equal_runs(train(faces(), CONFIG, tmp_path), finished)
    assert seen == list(range(15))  # no step was done twice


def test_killed_with_sigkill_and_rerun_ends_bit_identical(tmp_path, finished):
    script = (
        "import sys, numpy as np\n"
        "from fergan.gan.runs import make_config\n"
        "from fergan.gan.training import train\n"
        "images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)\n"
        "config = make_config('demo', width=4, latent_dim=8, batch_size=8, epochs=3)\n"
        "train(images, config, sys.argv[1], checkpoint_seconds=0)\n"
    )
    folder = run_folder(tmp_path, faces(), CONFIG)
    delays, kills = np.random.default_rng(int(time.time())), 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        seen = (folder / "checkpoint.safetensors").stat().st_mtime_ns if (folder / "checkpoint.safetensors").exists() else 0
        while process.poll() is None and time.monotonic() < deadline:
            path = folder / "checkpoint.safetensors"
            if path.exists() and path.stat().st_mtime_ns != seen:
                time.sleep(delays.uniform(0, 0.1))  # a little after some checkpoint, at no particular place
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.001)
        code = process.wait(timeout=60)
        if code == 0:
            break
        assert code == -signal.SIGKILL, process.stderr.read().decode()
        kills += 1
    run = train(faces(), CONFIG, tmp_path)
    assert_equal_runs(run, finished)
    assert kills and run.finished["parts"][-1]["from_step"] > 0  # it did go on, and not begin again
    assert not list(folder.glob(".*.safetensors"))


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
        "fergan.gan.training.softplus", lambda logit: logit * float("nan")
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
    with pytest.raises(ValueError, match="epochs is 2.5; expected a whole number"):
        make_config("demo", epochs=2.5)
    with pytest.raises(ValueError, match="augment is 3; expected a word"):
        make_config("demo", augment=3)
    with pytest.raises(ValueError, match="unknown training preset"):
        make_config("best")
    with pytest.raises(FileNotFoundError, match="no finished training run"):
        Run.load(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_network_learns_a_constant_image(tmp_path):
    """Faces that are all one colour: after a short training the samples have nearly that colour."""
    images = np.broadcast_to(np.array([200, 40, 90], np.uint8), (32, 64, 64, 3)).copy()
    config = make_config("demo", width=8, latent_dim=4, batch_size=16, epochs=75, learning_rate=1e-3)
    run = train(images, config, tmp_path)
    mean = sample(run, 32).mean(axis=(0, 1, 2))
    assert np.abs(mean - [200, 40, 90]).max() < 40  # an untrained generator's mean is grey, 127


def test_a_run_lists_all_that_it_changes():
    changes = differences(make_config("demo", batch_size=32, seed=5))
    assert changes["average_decay"] == (0.99, 0)
    assert changes["width"] == (32, 64) and changes["learning_rate"] == (5e-4, 2e-4) and changes["batch_size"] == (32, 128)
    assert not {"beta1", "beta2", "latent_dim", "weight_std", "seed"} & set(changes)
    assert differences(make_config("radford2015")) == {}


def test_presets_are_their_sources():
    paper, reference = make_config("paper"), make_config("matconvnet")
    assert differences(paper) == {"beta1": (0.9, 0.5)}
    assert set(differences(reference)) == {"generator_width", "label_noise", "discriminator_updates"}
    assert differences(reference)["generator_width"] == (128, 64)
    channels = [block[0].out_channels for block in Generator(100, reference.generator_width).blocks]
    assert channels == [512, 256, 128]  # after the 1024 of the projection


def test_a_page_leaves_values_to_the_preset():
    page = {name: "" if isinstance(value, str) else -1 for name, value in vars(make_config()).items()}
    assert config_from_page("matconvnet", 3, page) == make_config("matconvnet", seed=3)
    asked = config_from_page("demo", 0, page | {"epochs": 2, "augment": "cutout", "beta1": 0.0})
    assert (asked.epochs, asked.augment, asked.beta1, asked.width) == (2, "cutout", 0.0, 32)


@pytest.mark.parametrize("changes", [
    dict(label_noise=0.2, discriminator_updates=2, generator_width=8),
    dict(augment="color,translation,cutout", flip_probability=0.5, precision="float32"),
    dict(average_decay=0.0),
], ids=["matconvnet", "augmented", "plain"])
def test_every_way_of_training_resumes_bit_identical(tmp_path, monkeypatch, changes):
    from fergan.gan import training

    config = make_config("demo", width=4, latent_dim=8, batch_size=8, epochs=2, **changes)
    whole = train(faces(), config, tmp_path / "whole", n_looks=3)
    step_of, first = training.train_step, []

    def interrupted_step(state, *rest):
        if state.step == 6 and not first:
            first.append(os.kill(os.getpid(), signal.SIGINT))
        return step_of(state, *rest)

    monkeypatch.setattr(training, "train_step", interrupted_step)
    with pytest.raises(KeyboardInterrupt):
        train(faces(), config, tmp_path / "parts", n_looks=3)
    assert_equal_runs(train(faces(), config, tmp_path / "parts", n_looks=3), whole)
    assert sample(whole, 2).shape == (2, 64, 64, 3)


def test_the_cross_entropy_is_that_of_torch():
    logit = torch.linspace(-9, 9, 37)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    assert torch.allclose(training_loss(logit, 1), entropy(logit, torch.ones(37)))
    assert torch.allclose(training_loss(logit, -1), entropy(logit, torch.zeros(37)))
    random = [torch.Generator().manual_seed(1) for _ in range(2)]
    label = -1 + 0.2 * torch.randn(37, generator=random[0])
    assert torch.allclose(training_loss(logit, -1, 0.2, random[1]), torch.log1p(torch.exp(-label * logit)).mean())


def test_two_updates_show_generated_faces_first(monkeypatch, tmp_path):
    """The second update must see a discriminator that the first has changed."""
    config = make_config("demo", width=4, latent_dim=8, batch_size=8, epochs=1, precision="float32", learning_rate=0.05)
    fabric = make_fabric("float32", accelerator="cpu")
    real, noise = torch.rand(8, 3, 64, 64), torch.randn(8, 8)
    scores = {}
    for updates in (1, 2):
        changed = dataclasses.replace(config, discriminator_updates=updates)
        scores[updates] = train_step(TrainingState(changed, fabric), real, noise, changed, fabric, torch.Generator())[2:]
    assert scores[1][1] == scores[2][1] and scores[1][0] != scores[2][0]


@pytest.fixture(scope="module")
def half_done(tmp_path_factory):
    """A run with two checkpoints, stopped before its end."""
    models = tmp_path_factory.mktemp("half")
    shown = []

    def stop(step, *_):
        shown.append(step)
        if step >= 12:
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr("fergan.gan.training.SHOW_SECONDS", 0.0)
        train(faces(), CONFIG, models, checkpoint_seconds=0, n_looks=2, progress=stop)
    return run_folder(models, faces(), CONFIG)


def test_a_truncated_checkpoint_is_named_and_the_one_before_it_is_used_when_it_is_gone(tmp_path, half_done, finished):
    shutil.copytree(half_done, tmp_path / half_done.name)
    path = tmp_path / half_done.name / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="delete it to go on from checkpoint-previous.safetensors"):
        train(faces(), CONFIG, tmp_path)
    path.unlink()
    assert_equal_runs(train(faces(), CONFIG, tmp_path), finished, filmstrip=False)


def test_a_checkpoint_of_another_run_is_refused(tmp_path, half_done):
    other = make_config("demo", width=4, latent_dim=8, batch_size=8, epochs=4)
    folder = run_folder(tmp_path, faces(), other)
    shutil.copy(half_done / "checkpoint.safetensors", folder)
    with pytest.raises(ValueError, match=f"belongs to run {half_done.name}"):
        train(faces(), other, tmp_path)


def test_weights_that_are_not_finite_are_never_saved(tmp_path, monkeypatch):
    """The loss of the last step is finite, but its update is not."""
    from fergan.gan import training

    step_of = training.train_step

    def broken_step(state, *rest):
        losses = step_of(state, *rest)
        if state.step == 14:
            state.generator.module.to_image.bias.data.fill_(float("nan"))
        return losses

    monkeypatch.setattr(training, "train_step", broken_step)
    with pytest.raises(FloatingPointError, match="generator.to_image.bias is not finite after step 15"):
        train(faces(), CONFIG, tmp_path, checkpoint_seconds=1e9)
    assert not (run_folder(tmp_path, faces(), CONFIG) / "finished.json").exists()


def test_an_interrupt_in_the_last_step_is_not_lost(tmp_path, monkeypatch, finished):
    from fergan.gan import training

    step_of = training.train_step

    def interrupted_step(state, *rest):
        if state.step == 14:
            os.kill(os.getpid(), signal.SIGINT)
        return step_of(state, *rest)

    monkeypatch.setattr(training, "train_step", interrupted_step)
    with pytest.raises(KeyboardInterrupt):
        train(faces(), CONFIG, tmp_path, checkpoint_seconds=1e9)
    assert_equal_runs(train(faces(), CONFIG, tmp_path), finished)


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path):
    folder = run_folder(tmp_path, faces(), CONFIG)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="is being trained by another process"):
            train(faces(), CONFIG, tmp_path)


@pytest.mark.parametrize(("damage", "message"), [
    (lambda path: path.write_bytes(b"PAR1"), "history.parquet cannot be read"),
    (lambda path: pd.read_parquet(path).head(3).to_parquet(path), "ends at step 3, before its checkpoint"),
])
def test_a_damaged_history_is_named(tmp_path, half_done, damage, message):
    shutil.copytree(half_done, tmp_path / half_done.name)
    damage(tmp_path / half_done.name / "history.parquet")
    with pytest.raises(ValueError, match=message):
        train(faces(), CONFIG, tmp_path)


def test_another_machine_is_warned_of(tmp_path, half_done, caplog):
    shutil.copytree(half_done, tmp_path / half_done.name)
    run = train(faces(), CONFIG, tmp_path, n_threads=2)
    assert "other rounding than before (threads 1 to 2)" in caplog.text
    assert [part["threads"] for part in run.finished["parts"]] == [1, 2]


def test_the_discriminator_sees_every_face_augmented_afresh(monkeypatch):
    from fergan.gan import training

    seen = []

    def noted(images, policy, random):
        seen.append((images, random.get_state()))
        return images

    monkeypatch.setattr(training, "augment", noted)
    fabric = make_fabric("float32", accelerator="cpu")
    real = torch.rand(8, 3, 64, 64)
    config = make_config("demo", width=4, latent_dim=8, batch_size=8, augment="cutout")
    train_step(TrainingState(config, fabric), real, torch.randn(8, 8), config, fabric, torch.Generator())
    assert len(seen) == 3 and torch.equal(seen[0][0], real)  # real faces, those shown, and those that teach the generator
    assert torch.equal(seen[1][0], seen[2][0]) and not seen[1][0].requires_grad and seen[2][0].requires_grad


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, half_done):
    """The process may write no file larger than a few kB, which fails as a full disk does."""
    shutil.copytree(half_done, tmp_path / half_done.name)
    before = (tmp_path / half_done.name / "checkpoint.safetensors").read_bytes()
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from fergan.gan.runs import make_config\n"
        "from fergan.gan.training import train\n"
        "images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)\n"
        "config = make_config('demo', width=4, latent_dim=8, batch_size=8, epochs=3)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "train(images, config, sys.argv[1], checkpoint_seconds=0, n_looks=2)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1 and "cannot be written" in ran.stderr and "kept" in ran.stderr.splitlines()[-1], ran.stderr
    assert (tmp_path / half_done.name / "checkpoint.safetensors").read_bytes() == before
    assert not list((tmp_path / half_done.name).glob(".*.*"))  # nor half a file left behind


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(OSError, match="models.* cannot be written"):
        train(faces(), CONFIG, tmp_path / "models")


def test_a_generator_that_ignores_its_noise_gives_an_alarm(tmp_path, monkeypatch, caplog):
    forward = Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self, z: forward(self, torch.ones_like(z)))
    run = train(faces(), CONFIG, tmp_path, n_looks=4)
    assert "times as varied" in run.finished["alarms"][-1]["reason"]
    assert "times as varied" in caplog.text and run.watched["diversity_ratio"].iloc[-1] < 0.01


def test_the_best_weights_are_kept_beside_the_last(tmp_path, monkeypatch):
    """Make the second of four looks the nearest: its weights must be those of a run that ended there."""
    looked = []

    def distance(*_):
        looked.append(len(looked))
        return [9.0, 1.0, 5.0, 7.0][looked[-1]]

    monkeypatch.setattr("fergan.gan.watch.frechet_distance", distance)
    run = train(faces(), CONFIG, tmp_path, n_looks=4)
    assert (run.finished["best_step"], run.finished["best_frechet"], run.finished["frechet"]) == (5, 1.0, 7.0)
    last, best = (load_discriminator(run, best=choice).state_dict() for choice in (False, True))
    assert not all(torch.equal(last[key], best[key]) for key in last)
    shorter = dataclasses.replace(CONFIG, epochs=1)  # five steps
    monkeypatch.setattr("fergan.gan.watch.frechet_distance", lambda *_: 0.0)
    short = train(faces(), shorter, tmp_path / "short", n_looks=2)
    assert all(torch.equal(value, best[key]) for key, value in load_discriminator(short).state_dict().items())
    assert np.array_equal(sample(run, 4, best=True), sample(short, 4)) and not np.array_equal(sample(run, 4), sample(short, 4))
    assert not list(run.folder.glob("best-*.safetensors"))


def test_tensorboard_logs_can_be_read(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished.folder / "tensorboard"))
    events.Reload()
    assert {"loss_d", "loss_g", "frechet_hog", "diversity_ratio"} <= set(events.Tags()["scalars"])
    assert events.Scalars("frechet_hog")[-1].step == 15


def test_two_processes_take_the_step_that_one_takes_on_both_halves(tmp_path):
    """Each process sees half of the batch: the gradients are means over both, batch norm's statistics too."""
    script = (
        "import sys, torch\n"
        "from fergan.gan.runs import make_config\n"
        "from fergan.gan.training import make_fabric, train_step\n"
        "from fergan.gan.training_state import TrainingState\n"
        "from safetensors.torch import save_file\n"
        "config = make_config('demo', width=4, latent_dim=8, batch_size=8, precision='float32')\n"
        "fabric = make_fabric('float32', devices=2, accelerator='cpu')\n"
        "fabric.launch()\n"
        "state, rank = TrainingState(config, fabric), fabric.global_rank\n"
        "random = torch.Generator().manual_seed(5)\n"
        "real, noise = torch.rand(8, 3, 64, 64, generator=random), torch.randn(8, 8, generator=random)\n"
        "losses = train_step(state, real[rank::2], noise[rank::2], config, fabric, torch.Generator())\n"
        "weights = {f'{n}.{k}': v.contiguous() for n, net in state.networks().items() for k, v in net.state_dict().items()}\n"
        "save_file(weights | {'losses': losses}, f'{sys.argv[1]}/{rank}.safetensors')\n"
        "fabric.barrier()\n"
    )
    path = tmp_path / "two.py"
    path.write_text(script)
    subprocess.run([sys.executable, str(path), str(tmp_path)], check=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"})
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(value, second[key]) for key, value in first.items())

    config = make_config("demo", width=4, latent_dim=8, batch_size=8, precision="float32")
    fabric = make_fabric("float32", accelerator="cpu")
    random = torch.Generator().manual_seed(5)
    real, noise = torch.rand(8, 3, 64, 64, generator=random), torch.randn(8, 8, generator=random)
    state = TrainingState(config, fabric)
    generator, discriminator = state.generator.module, state.discriminator.module
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    made = [generator(noise[half::2]) for half in (0, 1)]
    loss_d = sum(
        entropy(discriminator(real[half::2]), torch.ones(4)) + entropy(discriminator(made[half].detach()), torch.zeros(4))
        for half in (0, 1)
    ) / 2
    loss_d.backward()
    state.optimizer_d.step()
    loss_g = sum(entropy(discriminator(images), torch.ones(4)) for images in made) / 2
    loss_g.backward()
    state.optimizer_g.step()
    assert first["losses"][0] == pytest.approx(loss_d.item(), rel=1e-5)
    assert first["losses"][1] == pytest.approx(loss_g.item(), rel=1e-5)
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        for key, value in network.named_parameters():
            assert torch.allclose(first[f"{name}.{key}"], value, atol=1e-5), key


def test_the_package_offers_samples_and_the_discriminator(finished):
    assert np.array_equal(fergan.sample(finished.folder, 3, seed=4), sample(finished, 3, seed=4))
    assert fergan.load_discriminator(finished).n_features == 4 * 8 * 16
    with pytest.raises(AttributeError, match="has no attribute 'samples'"):
        fergan.samples  # noqa: B018


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
    assert make_fabric("auto", accelerator="cpu").strategy.precision.precision == "32-true"
    assert make_fabric("bf16", accelerator="cpu").strategy.precision.precision == "bf16-mixed"
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert make_fabric("auto", accelerator="cpu").strategy.precision.precision == "bf16-mixed"
    assert make_fabric("float32", accelerator="cpu").strategy.precision.precision == "32-true"


def test_a_resumed_bar_counts_only_its_own_steps(monkeypatch):
    from tqdm import tqdm

    from fergan.gan import progress

    bars = []

    class Noted(tqdm):
        def __init__(self, **options):
            bars.append(self)
            super().__init__(**options, file=open(os.devnull, "w"))  # noqa: SIM115

    monkeypatch.setattr(progress, "tqdm", Noted)
    with progress.training_progress("x", batch_size=4) as show:
        show(900, 1000, {"loss_d": 1.0})
        time.sleep(0.05)
        show(905, 1000, {"loss_d": 1.0})
        (bar,) = bars
        assert (bar.n, bar.total, bar.initial) == (905, 1000, 900)
        assert bar.format_dict["rate"] is None or bar.format_dict["rate"] < 150
