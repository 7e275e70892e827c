"""Features that stand beside the discriminator's last layer: HOG, pixels, the generator, FaceNet, and all by name."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fergan.features import N_LAYERS, computing_device
from fergan.features.discriminator import DiscriminatorFeatures, StatelessFeatures

if TYPE_CHECKING:
    from torch import Tensor, nn

_FACENET_SIDE = 160  # pixels, of the faces that FaceNet was trained on


class HOGFeatures(StatelessFeatures):
    """Histograms of oriented gradients (Dalal and Triggs, 2005), 1,764 numbers: cells of 8x8 pixels, blocks of 2x2 cells."""

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        from skimage.feature import hog

        def describe(image: np.ndarray) -> np.ndarray:
            return hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)

        return lambda images: np.stack([describe(image) for image in images]).astype(np.float32)


class PixelFeatures(StatelessFeatures):
    """The image itself: grey values in 0..1, one number per pixel."""

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        luma = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601
        return lambda images: (images @ luma).reshape(len(images), -1).astype(np.float32)


class GeneratorFeatures(StatelessFeatures):
    """Activations of the generator's first layer, at the noise vector whose drawing is nearest to the face.

    This is the discriminator's last hidden layer seen from the other side: ``8 * width`` maps of 4x4. A generator takes no
    faces, so that each is first *inverted*: its noise vector is found by gradient descent on the mean squared difference of
    the pixels, which takes as long as `n_steps` epochs of training. The paper names these features as future work.

    Args:
        weights: A ``generator.safetensors``.
        n_steps, learning_rate: Of gradient descent (Adam), for each face.
        prior: Weight of the noise vector's mean squared length, whose expectation is 1 in training.
        batch_size, device: As for `fergan.features.discriminator.DiscriminatorFeatures`.

    Source: Creswell and Bharath, *Inverting the Generator of a Generative Adversarial Network*, IEEE TNNLS 30, 2019.
    """

    def __init__(self, weights: str | Path, n_steps: int = 100, learning_rate: float = 0.1, prior: float = 1e-3,
                 batch_size: int = 256, device: str = "auto"):
        self.weights = weights
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.prior = prior
        self.batch_size = batch_size
        self.device = device

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import torch

        from fergan.gan.networks import open_generator, to_float

        device = computing_device(self.device)
        network = open_generator(self.weights).to(device, memory_format=torch.channels_last)

        def describe(images: np.ndarray) -> np.ndarray:
            noise = self._invert(network, to_float(images, device))
            with torch.inference_mode():
                return network.project(noise[:, :, None, None]).flatten(1).cpu().numpy()

        return describe

    def _invert(self, network: "nn.Module", target: "Tensor") -> "Tensor":
        """Return the noise vectors (n, latent_dim) of some faces; all start at the mean of the noise."""
        import torch

        with torch.enable_grad():
            noise = torch.zeros(len(target), network.latent_dim, device=target.device, requires_grad=True)
            # Adam scales each number by its own gradients, and the sum over faces keeps these apart.
            optimizer = torch.optim.Adam([noise], lr=self.learning_rate)
            for _ in range(self.n_steps):
                optimizer.zero_grad()
                difference = (network(noise) - target).square().mean(dim=(1, 2, 3))
                (difference + self.prior * noise.square().mean(dim=1)).sum().backward()
                optimizer.step()
        return noise.detach()


class FacenetFeatures(StatelessFeatures):
    """Embeddings of InceptionResnetV1: 512 numbers of length 1, learnt with the names of thousands of people.

    No baseline in the paper's sense, since it has seen millions of labelled photographs. `weights` is the file that
    facenet-pytorch's authors publish (``20180402-114759-vggface2.pt``), or its tensors as ``.safetensors``; no code is run.
    Schroff, Kalenichenko and Philbin, *FaceNet: A Unified Embedding for Face Recognition and Clustering*, CVPR 2015.
    """

    batch_size = 64

    def __init__(self, weights: str | Path, device: str = "auto"):
        self.weights = weights
        self.device = device

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import torch
        from facenet_pytorch import InceptionResnetV1
        from torch.nn.functional import interpolate

        device = computing_device(self.device)
        network = InceptionResnetV1(classify=False)
        network.load_state_dict(_named_tensors(Path(self.weights), network.state_dict()))
        network.eval().to(device)

        def describe(images: np.ndarray) -> np.ndarray:
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()
            large = interpolate(pixels, size=(_FACENET_SIDE, _FACENET_SIDE), mode="bilinear", antialias=True)
            with torch.inference_mode():
                return network((large - 127.5) / 128).cpu().numpy()

        return describe


def _named_tensors(path: Path, names: Iterable[str]) -> dict[str, "Tensor"]:
    """Read the named tensors; the file may hold more, such as the layer that named the people it was trained on."""
    import torch
    from safetensors.torch import load_file

    expected = "expected the weights of facenet-pytorch's InceptionResnetV1"
    if not path.is_file():
        raise FileNotFoundError(f"facenet weights {path} do not exist; {expected}")
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        return {name: found[name] for name in names}
    except Exception as error:  # each reader has errors of its own
        raise ValueError(f"facenet weights {path} cannot be used ({type(error).__name__}: {error}); {expected}") from error


def make_baseline(
    name: str, width: int = 64, seed: int = 0, run: str | Path | None = None, facenet_weights: str | Path | None = None,
) -> StatelessFeatures:
    """Return the transformer of a baseline.

    Args:
        name: ``"untrained"`` (the discriminator before training, of `width` and `seed`), ``"hog"``, ``"pixels"``,
            ``"pooled"`` (all layers of the trained one, each reduced to 4x4), ``"generator"`` (its first layer), or
            ``"facenet"``.
        run: Folder of the training run, for ``"pooled"`` and ``"generator"``.
        facenet_weights: See `FacenetFeatures`.
    """
    every_layer = range(1, N_LAYERS + 1)
    if name in ("pooled", "generator") and run is None:
        raise ValueError(f"baseline {name!r} needs the folder of a training run")
    kinds = {
        "untrained": lambda: DiscriminatorFeatures(None, width=width, seed=seed),
        "hog": HOGFeatures,
        "pixels": PixelFeatures,
        "pooled": lambda: DiscriminatorFeatures(f"{run}/discriminator.safetensors", layers=every_layer, pool=True),
        "generator": lambda: GeneratorFeatures(f"{run}/generator.safetensors"),
        "facenet": lambda: FacenetFeatures(facenet_weights),
    }
    if name not in kinds:
        raise ValueError(f"unknown baseline {name!r}; expected one of {', '.join(kinds)}")
    return kinds[name]()


def absent_baselines(names: list[str], facenet_weights: str | None = None) -> dict[str, str]:
    """Return which of these baselines cannot be had here, and why in words."""
    if "facenet" in names and not facenet_weights:
        return {"facenet": "its weights are absent; name their file in the profile (emotions.facenet_weights)"}
    return {}
