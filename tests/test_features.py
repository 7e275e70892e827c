"""Features, and what runs on a GPU, where there is one: shapes, independence of batch and company, an independent route."""

from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage.color import rgb2gray
from skimage.data import astronaut
from skimage.feature import hog
from tiny import noise

from fergan.features import FeaturesConfig
from fergan.features.baselines import FacenetFeatures, HOGFeatures, PixelFeatures, absent_baselines, make_baseline
from fergan.features.discriminator import DiscriminatorFeatures, extract, load_features
from fergan.gan import TrainConfig
from fergan.gan.networks import Discriminator, initialize_weights, to_float
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.gan.training import train
from fergan.quality.collapse import Monitor

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def weights(tmp_path):
    network = Discriminator(4)
    initialize_weights(network, seed=5)
    for _ in range(3):
        network(to_float(IMAGES))  # running statistics of its own
    save_file(network.state_dict(), tmp_path / "discriminator.safetensors")
    return tmp_path / "discriminator.safetensors", network.eval()


def test_discriminator_features_are_its_layers_whole_or_pooled_and_written_whole_or_not_at_all(weights, tmp_path):
    path, network = weights
    X = DiscriminatorFeatures(path).fit_transform(IMAGES)
    with torch.no_grad():
        expected = network.blocks(to_float(IMAGES)).flatten(1).numpy()
    assert X.shape == (7, 8 * 4 * 16) and X.dtype == np.float32
    np.testing.assert_allclose(X, expected, atol=1e-5)
    # Neither batch nor company matters.
    np.testing.assert_allclose(DiscriminatorFeatures(path, batch_size=2).transform(IMAGES), X, atol=1e-5)
    np.testing.assert_allclose(DiscriminatorFeatures(path).transform(IMAGES[3:4]), X[3:4], atol=1e-5)
    with torch.no_grad():
        maps = [to_float(IMAGES)]
        for block in network.blocks:
            maps.append(block(maps[-1]))
    whole = DiscriminatorFeatures(path, layers=(3, 1)).transform(IMAGES)
    np.testing.assert_allclose(whole, torch.cat([maps[3].flatten(1), maps[1].flatten(1)], 1), atol=1e-5)
    pooled = DiscriminatorFeatures(path, layers=(1, 2, 3, 4), pool=True).transform(IMAGES)
    by_hand = [m.reshape(7, m.shape[1], 4, m.shape[2] // 4, 4, m.shape[2] // 4).amax((3, 5)).flatten(1) for m in maps[1:]]
    np.testing.assert_allclose(pooled, torch.cat(by_hand, 1), atol=1e-5)
    for wrong in ((), (0,), (5,), (1, 1)):
        with pytest.raises(ValueError, match="expected some of 1"):
            DiscriminatorFeatures(path, layers=wrong).transform(IMAGES)
    # A stage writes features whole or not at all.
    config = FeaturesConfig(layers=[2, 4], pool=True)
    extract(tmp_path / "a", config, images=IMAGES, discriminator=path)
    X = load_features(tmp_path / "a")
    assert isinstance(X, np.memmap) and not X.flags.writeable
    np.testing.assert_array_equal(X, DiscriminatorFeatures(path, layers=(2, 4), pool=True).transform(IMAGES))
    path.unlink()
    with pytest.raises(ValueError, match="cannot be used"):
        extract(tmp_path / "b", config, images=IMAGES, discriminator=path)
    assert not (tmp_path / "b" / "X.npy").exists()


def test_baselines_are_made_by_name_pixels_are_grey_values_hog_sees_edges_and_bad_input_is_named(weights, tmp_path):
    X = PixelFeatures().transform(IMAGES)
    assert X.shape == (7, 4096)
    # scikit-image weighs the channels by another standard (BT.709), so only the order of magnitude agrees.
    assert np.corrcoef(X.ravel(), rgb2gray(IMAGES).ravel())[0, 1] > 0.97
    white = np.full((1, 64, 64, 3), 255, np.uint8)
    np.testing.assert_allclose(PixelFeatures().transform(white), 1, rtol=1e-5)
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))[None, :, :, None].repeat(3, axis=3)
    X = HOGFeatures().transform(np.concatenate([ramp, ramp + 100, ramp.transpose(0, 2, 1, 3)]))
    assert X.shape == (3, 1764)
    np.testing.assert_allclose(X[0], X[1], atol=1e-6)
    assert np.abs(X[0] - X[2]).max() > 0.1
    # Another library's HOG, whose blocks and cells run by rows, and which divides a gradient among fewer cells.
    face = cv2.resize(astronaut()[60:284, 130:354], (64, 64), interpolation=cv2.INTER_AREA)
    X = HOGFeatures().transform(face[None])[0].reshape(7, 7, 2, 2, 9).transpose(1, 0, 3, 2, 4)
    other = hog(face, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)
    assert np.corrcoef(X.ravel(), other)[0, 1] > 0.75
    with pytest.raises(ValueError, match=r"images are float64 \(7, 64, 64, 3\); expected uint8"):
        PixelFeatures().fit(IMAGES.astype(float))
    with pytest.raises(ValueError, match="images are 0; expected at least 1"):
        HOGFeatures().transform(IMAGES[:0])
    with pytest.raises(ValueError, match="unknown baseline 'sift'"):
        make_baseline("sift")
    first = make_baseline("untrained", width=4, seed=1).transform(IMAGES)
    np.testing.assert_array_equal(first, make_baseline("untrained", width=4, seed=1).transform(IMAGES))
    assert np.abs(first - make_baseline("untrained", width=4, seed=2).transform(IMAGES)).max() > 1e-3
    pooled = make_baseline("pooled", run=tmp_path).transform(IMAGES)
    assert pooled.shape == (7, 16 * (4 + 8 + 16 + 32))
    assert absent_baselines(["hog", "facenet"]) == ["facenet"] and absent_baselines(["hog", "facenet"], "weights.pt") == []


def test_facenet_reads_tensors_only_and_sees_each_face_alone_and_code_is_refused(tmp_path, capsys):
    from facenet_pytorch import InceptionResnetV1

    torch.manual_seed(0)
    state = InceptionResnetV1(classify=False).state_dict()
    torch.save(state | {"logits.weight": torch.zeros(3, 512)}, tmp_path / "weights.pt")
    X = make_baseline("facenet", facenet_weights=tmp_path / "weights.pt").transform(IMAGES[:3])
    assert X.shape == (3, 512)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1, atol=1e-5)
    save_file(state, tmp_path / "weights.safetensors")
    alone = FacenetFeatures(tmp_path / "weights.safetensors").transform(IMAGES[2:3])
    np.testing.assert_allclose(alone, X[2:], atol=1e-5)
    torch.save({"last_linear.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other.pt cannot be used \(KeyError"):
        FacenetFeatures(tmp_path / "other.pt").transform(IMAGES)
    with pytest.raises(FileNotFoundError, match="none.pt do not exist"):
        FacenetFeatures(tmp_path / "none.pt").transform(IMAGES)
    payload = type("Payload", (), {"__reduce__": lambda self: (print, ("code ran",))})
    torch.save({"conv2d_1a.conv.weight": payload()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="cannot be used"):
        FacenetFeatures(tmp_path / "evil.pt").transform(IMAGES)
    assert "code ran" not in capsys.readouterr().out


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
FACES = noise(96)


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
    stop = Mock(side_effect=RuntimeError("stopped"))
    with pytest.raises(RuntimeError, match="stopped"):
        train(tmp_path, config, images=FACES, monitor=Monitor(FACES), checkpoint_seconds=0.0, progress=stop)
    train(tmp_path, config, images=FACES, monitor=Monitor(FACES))
    run = Run.load(tmp_path)
    assert run.finished["device"].startswith("cuda") and run.finished["steps"] == 36 and len(run.history) == 36
    assert sample(run, 4).shape == (4, 64, 64, 3)


@needs_gpu
def test_features_are_the_processors():
    there, here = (DiscriminatorFeatures(None, width=16, device=device).transform(FACES) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there, here, atol=1e-5 * np.abs(here).max())
