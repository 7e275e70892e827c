"""What a discriminator says about faces, and the stage that computes it for a whole set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from fergan.cache import computing_device
from fergan.features import N_LAYERS, FeaturesConfig, check_images, checked_layers
from fergan.files import atomic_path

_GRID = 4  # rows and columns of the last layer's maps, and of those that are pooled


class StatelessFeatures(TransformerMixin, BaseEstimator):
    """A transformer with nothing to fit; a subclass's ``_describer()`` returns a function from images to their features."""

    batch_size = 256  # faces at a time

    def fit(self, images: np.ndarray, y: None = None) -> "StatelessFeatures":
        """Check the images, and learn nothing."""
        check_images(images)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, images: np.ndarray, allocate: Callable[..., np.ndarray] = np.empty) -> np.ndarray:
        """Return features float32 (n, n_features) of images uint8 (n, height, width, 3), which may be memory-mapped.

        `allocate` makes the array that is filled block by block, from its shape and type: one on disk, for example.
        """
        images, X = check_images(images), None
        describe = self._describer()
        for start in range(0, len(images), self.batch_size):
            # A copy: images on disk are read-only, which PyTorch warns of.
            block = describe(np.array(images[start : start + self.batch_size]))
            if X is None:
                X = allocate((len(images), block.shape[1]), np.float32)
            X[start : start + len(block)] = block
        return X


def extract(folder: Path, config: FeaturesConfig, *, images: np.ndarray, discriminator: Path) -> None:
    """Write the features of faces uint8 (n, 64, 64, 3) by a ``discriminator.safetensors`` to ``X.npy``, float32."""
    describer = DiscriminatorFeatures(discriminator, layers=config.layers, pool=config.pool)
    with atomic_path(Path(folder) / "X.npy") as temporary:
        describer.transform(images, lambda shape, dtype: np.lib.format.open_memmap(temporary, "w+", dtype, shape)).flush()


def load_features(folder: str | Path) -> np.ndarray:
    """Return the features that `extract` wrote into a folder, memory-mapped: float32 (n_faces, n_features)."""
    return np.load(Path(folder) / "X.npy", mmap_mode="r", allow_pickle=False)


@dataclass(eq=False, repr=False)
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
        device: "cpu", "cuda", or "auto": a GPU that works, in float32 too.

    Source: The paper, section 3: "the discriminator's convolutional penultimate layer". Radford et al. (2015), section 5.1.
    """

    weights: str | Path | None = None
    width: int = 64
    seed: int = 0
    batch_size: int = 256
    layers: Sequence[int] = (N_LAYERS,)
    pool: bool = False
    device: str = "auto"

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
                maps = [to_float(images, device)]
                for block in network.blocks[: max(layers)]:
                    maps.append(block(maps[-1]))
                chosen = [adaptive_max_pool2d(maps[layer], _GRID) if self.pool else maps[layer] for layer in layers]
                return torch.cat([one.flatten(1) for one in chosen], dim=1).cpu().numpy()

        return describe
