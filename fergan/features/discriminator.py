"""What a discriminator says about faces, and the stage that computes it for a whole set."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fergan.features.base import StatelessFeatures, computing_device
from fergan.features.config import N_LAYERS, FeaturesConfig, checked_layers
from fergan.files import atomic_path

_GRID = 4  # rows and columns of the last layer's maps, and of those that are pooled


def extract(folder: Path, config: FeaturesConfig, *, images: np.ndarray, discriminator: Path, device: str = "auto") -> None:
    """Write the features of faces uint8 (n, 64, 64, 3) by a ``discriminator.safetensors`` to ``X.npy``, float32."""
    describer = DiscriminatorFeatures(discriminator, layers=config.layers, pool=config.pool, device=device)
    with atomic_path(Path(folder) / "X.npy") as temporary:
        describer.transform(images, lambda shape, dtype: np.lib.format.open_memmap(temporary, "w+", dtype, shape)).flush()


def load_features(folder: str | Path) -> np.ndarray:
    """Return the features that `extract` wrote into a folder, memory-mapped: float32 (n_faces, n_features)."""
    return np.load(Path(folder) / "X.npy", mmap_mode="r", allow_pickle=False)


class DiscriminatorFeatures(StatelessFeatures):
    """Activations of the discriminator's hidden layers, in evaluation mode.

    The paper takes the last hidden layer as it is, the default here: ``8 * width`` maps of 4x4, 8,192 numbers at width
    64. Radford et al. take all layers, each reduced to 4x4 by the maximum: ``layers=(1, 2, 3, 4), pool=True``.

    Args:
        weights: path or None; A ``discriminator.safetensors``; None leaves the network untrained, as a baseline.
        width, seed: Of the untrained network: channels of its first layer, and seed of the training run that would start
            with it.
        batch_size: Faces at a time.
        layers: sequence of int; hidden layers from 1 (nearest to the image, ``width`` maps of 32x32) to 4 (the last), in the
            order given.
        pool: Reduce every map to 4x4 by the maximum.
        device: "cpu", "cuda", or "auto": a GPU where there is one, in float32 too.

    Source: The paper, section 3: "the discriminator's convolutional penultimate layer". Radford et al. (2015), section 5.1.
    """

    def __init__(
        self, weights: str | Path | None = None, width: int = 64, seed: int = 0, batch_size: int = 256,
        layers: Sequence[int] = (N_LAYERS,), pool: bool = False, device: str = "auto",
    ):
        self.weights = weights
        self.width = width
        self.seed = seed
        self.batch_size = batch_size
        self.layers = layers
        self.pool = pool
        self.device = device

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import torch  # here, so that chapters which only need HOG or pixels start faster
        from torch.nn.functional import adaptive_max_pool2d

        from fergan.gan.networks import Discriminator, initialize_weights, open_discriminator, to_float

        layers = checked_layers(self.layers)
        if self.weights is None:
            network = Discriminator(self.width).eval()
            initialize_weights(network, seed=self.seed + 1)  # as training starts its discriminator
        else:
            network = open_discriminator(self.weights)
        device = computing_device(self.device)
        network.to(device, memory_format=torch.channels_last)

        def describe(images: np.ndarray) -> np.ndarray:
            # Tensor cores would round the inputs of convolutions to ten bits.
            with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
                maps, found = to_float(images, device), {}
                for number, block in enumerate(network.blocks[: max(layers)], start=1):
                    maps = block(maps)
                    found[number] = maps
                chosen = [found[layer] for layer in layers]
                if self.pool:
                    chosen = [adaptive_max_pool2d(maps, _GRID) for maps in chosen]
                return torch.cat([maps.flatten(1) for maps in chosen], dim=1).cpu().numpy()

        return describe
