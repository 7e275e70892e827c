"""What a discriminator says about faces."""

from pathlib import Path

import numpy as np

from fergan.features.base import StatelessFeatures, check_images

__all__ = ["DiscriminatorFeatures"]


class DiscriminatorFeatures(StatelessFeatures):
    """Activations of the discriminator's last hidden layer, in evaluation mode.

    Parameters
    ----------
    weights : path or None
        A ``discriminator.safetensors``; None leaves the network untrained, as a baseline.
    width : int
        The network's width; the features are ``8 * width * 4 * 4`` numbers, 8,192 at the paper's width of 64.
    seed : int
        Of the training run whose untrained discriminator this is.
    batch_size : int
        Faces at a time.

    References
    ----------
    The paper, section 3: "the discriminator's convolutional penultimate layer".
    """

    def __init__(self, weights: str | Path | None = None, width: int = 64, seed: int = 0, batch_size: int = 256):
        self.weights = weights
        self.width = width
        self.seed = seed
        self.batch_size = batch_size

    def transform(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, 8 * width * 16) of images uint8 (n, 64, 64, 3)."""
        import torch  # here, so that chapters which only need HOG or pixels start faster

        from fergan.checkpoints import load_weights
        from fergan.dcgan import Discriminator, initialize_weights, to_float

        images = check_images(images)
        network = Discriminator(self.width)
        if self.weights is None:
            initialize_weights(network, seed=self.seed + 1)  # as training starts its discriminator
            network.eval()
        else:
            load_weights(network, Path(self.weights))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network.to(device, memory_format=torch.channels_last)
        features = np.empty((len(images), network.n_features), np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), self.batch_size):
                batch = to_float(images[start : start + self.batch_size], device)
                features[start : start + len(batch)] = network.hidden(batch).flatten(1).cpu().numpy()
        return features
