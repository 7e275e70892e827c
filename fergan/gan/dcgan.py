"""The two networks of the DCGAN (Radford, Metz and Chintala, 2015), for 64x64 faces.

Both are plain stacks of 4x4 convolutions with stride 2. `width` is the number of channels of the layer nearest to the
image; the paper's networks have width 64, so that the discriminator's last hidden layer is 512 maps of 4x4, the 8,192
features of every experiment.
"""

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "Discriminator",
    "Generator",
    "count_parameters",
    "initialize_weights",
    "to_device",
    "to_float",
    "to_uint8",
]


def _generator_block(n_in: int, n_out: int) -> nn.Sequential:
    # Batch normalisation has a bias of its own, so the convolution needs none.
    return nn.Sequential(
        nn.ConvTranspose2d(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


def _discriminator_block(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.LeakyReLU(0.2, inplace=True),
    )


class Generator(nn.Module):
    """Map noise to faces.

    Parameters
    ----------
    latent_dim : int
        Length of the noise vector z.
    width : int
        Channels of the last hidden layer; the first has eight times as many.
    """

    def __init__(self, latent_dim: int = 100, width: int = 64):
        super().__init__()
        self.latent_dim = latent_dim
        self.project = nn.Sequential(
            nn.ConvTranspose2d(latent_dim, 8 * width, kernel_size=4, bias=False),
            nn.BatchNorm2d(8 * width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(
            _generator_block(8 * width, 4 * width),
            _generator_block(4 * width, 2 * width),
            _generator_block(2 * width, width),
        )
        self.to_image = nn.ConvTranspose2d(width, 3, kernel_size=4, stride=2, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise (n, latent_dim) into images (n, 3, 64, 64) in -1..1."""
        x = self.project(z[:, :, None, None])  # (n, 8w, 4, 4)
        x = self.blocks(x)  # (n, w, 32, 32)
        return torch.tanh(self.to_image(x))  # (n, 3, 64, 64)


class Discriminator(nn.Module):
    """Tell real faces from generated ones; its last hidden layer is the paper's feature vector.

    Parameters
    ----------
    width : int
        Channels of the first layer; the last hidden layer has eight times as many.
    """

    def __init__(self, width: int = 64):
        super().__init__()
        self.width = width
        self.blocks = nn.Sequential(
            # No batch normalisation on the image itself (Radford et al., section 3).
            nn.Sequential(nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)),
            _discriminator_block(width, 2 * width),
            _discriminator_block(2 * width, 4 * width),
            _discriminator_block(4 * width, 8 * width),
        )
        self.to_logit = nn.Conv2d(8 * width, 1, kernel_size=4)

    @property
    def n_features(self) -> int:
        """Numbers per face in the last hidden layer: 8 * width maps of 4x4."""
        return 8 * self.width * 4 * 4

    def hidden(self, images: Tensor) -> Tensor:
        """Return the last hidden layer (n, 8 * width, 4, 4) of images (n, 3, 64, 64) in -1..1."""
        return self.blocks(images)

    def forward(self, images: Tensor) -> Tensor:
        """Return one logit per image (n,); larger means more likely real."""
        return self.to_logit(self.hidden(images)).flatten()


def initialize_weights(network: nn.Module, std: float = 0.02, seed: int = 0) -> None:
    """Draw the weights from N(0, std) and batch-norm gains from N(1, std), in place.

    A generator of its own makes the start depend on `seed` alone and not on what ran before.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std, generator=generator)
            nn.init.zeros_(module.bias)


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers of the network are learnt."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Send a tensor from the processor's memory; a GPU takes it from pinned memory, and the host does not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def to_uint8(images: Tensor) -> np.ndarray:
    """Turn images (n, 3, h, w) in -1..1 into uint8 (n, h, w, 3)."""
    pixels = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_float(images: np.ndarray | Tensor, device: torch.device | str | None = None) -> Tensor:
    """Turn images uint8 (n, h, w, 3) into float (n, 3, h, w) in -1..1, channels last in memory.

    Without a device a tensor stays where it is; an array is in the processor's memory.
    """
    tensor = torch.as_tensor(np.asarray(images) if isinstance(images, np.ndarray) else images).to(device)
    return tensor.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
