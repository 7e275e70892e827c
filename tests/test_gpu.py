"""What runs on a GPU does what it does on a processor. Skipped where there is none."""

import numpy as np
import pytest
import torch

from fergan.features.discriminator import DiscriminatorFeatures
from fergan.gan import TrainConfig
from fergan.gan.networks import to_float
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.gan.training import train
from fergan.quality.collapse import Monitor

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
IMAGES = np.random.default_rng(0).integers(0, 256, (96, 64, 64, 3), dtype=np.uint8)


def test_faces_on_a_device_stay_there():
    # The device "meta" has no memory: nothing can come back from it.
    assert to_float(torch.empty(2, 64, 64, 3, dtype=torch.uint8, device="meta")).device.type == "meta"
    assert to_float(IMAGES[:2]).device.type == "cpu"


@needs_gpu
@pytest.mark.parametrize("changes", [
    {}, dict(augment="color,translation,cutout", flip_probability=0.5, label_noise=0.2, discriminator_updates=2, average_decay=0.9),
])
def test_training_runs_there_and_goes_on(tmp_path, changes):
    config = TrainConfig(preset="demo", width=8, batch_size=16, epochs=6, precision="float32", **changes)
    stopped = []

    def stop(step, n_steps, losses):
        stopped.append(step)
        if len(stopped) == 1:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train(tmp_path, config, images=IMAGES, monitor=Monitor(IMAGES), checkpoint_seconds=0.0, progress=stop)
    train(tmp_path, config, images=IMAGES, monitor=Monitor(IMAGES))
    run = Run.load(tmp_path)
    assert run.finished["device"].startswith("cuda") and run.finished["steps"] == 36 and len(run.history) == 36
    assert sample(run, 4).shape == (4, 64, 64, 3)


@needs_gpu
def test_features_are_the_processors():
    there, here = (DiscriminatorFeatures(None, width=16, device=device).transform(IMAGES) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there, here, atol=1e-5 * np.abs(here).max())
