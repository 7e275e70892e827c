"""What a discriminator says about faces, and the stage that computes it for a whole set."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, field_validator

from fergan.cache import Config
from fergan.features.base import StatelessFeatures, computing_device
from fergan.files import atomic_path

#: Hidden layers of the discriminator; the last one is the paper's.
N_LAYERS = 4

_GRID = 4  # rows and columns of the last layer's maps, and of those that are pooled


def _checked(layers: Sequence[int]) -> Sequence[int]:
    """Return the numbers of hidden layers, or say what is wrong with them."""
    if not layers or not set(layers) <= set(range(1, N_LAYERS + 1)) or len(set(layers)) < len(layers):
        raise ValueError(f"layers are {layers!r}; expected some of 1 (nearest to the image) to {N_LAYERS}, each once")
    return layers


class FeaturesConfig(Config):
    """Which layers of the discriminator the experiments see."""

    layers: list[int] = Field([N_LAYERS], description="hidden layers, 1 (nearest to the image) to 4 (the paper's)")
    pool: bool = Field(False, description="reduce each layer's maps to 4x4 by the maximum, as Radford et al. do")

    _known_layers = field_validator("layers")(_checked)


def extract(folder: Path, config: FeaturesConfig, *, images: np.ndarray, discriminator: Path) -> None:
    """Write the features of faces uint8 (n, 64, 64, 3) by a ``discriminator.safetensors`` to ``X.npy``, float32."""
    describer = DiscriminatorFeatures(discriminator, layers=config.layers, pool=config.pool)
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
        weights: A ``discriminator.safetensors``; None leaves the network untrained, as a baseline.
        width, seed: Of the untrained network: channels of its first layer, and seed of the run that would start with it.
        batch_size: Faces at a time.
        layers: Hidden layers from 1 (nearest to the image, ``width`` maps of 32x32) to 4 (the last), in this order.
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

        layers = _checked(self.layers)
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
                maps = [to_float(images, device)]
                for block in network.blocks[: max(layers)]:
                    maps.append(block(maps[-1]))
                chosen = [adaptive_max_pool2d(maps[layer], _GRID) if self.pool else maps[layer] for layer in layers]
                return torch.cat([one.flatten(1) for one in chosen], dim=1).cpu().numpy()

        return describe
