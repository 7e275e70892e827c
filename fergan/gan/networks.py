"""The two networks of the DCGAN (Radford, Metz and Chintala, 2015), for 64x64 faces.

Both are plain stacks of 4x4 convolutions with stride 2. `width` is the number of channels of the layer nearest to the
image; at the paper's 64 the discriminator's last hidden layer is 512 maps of 4x4, the 8,192 features of every experiment.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn


class Generator(nn.Module):
    """Map noise (latent_dim numbers) to faces; the last hidden layer has `width` channels, the first eight times as many."""

    def __init__(self, latent_dim: int = 100, width: int = 64):
        super().__init__()

        def block(n_in: int, n_out: int, **steps: int) -> nn.Sequential:
            # Batch normalisation has a bias of its own, so the convolution needs none.
            convolution = nn.ConvTranspose2d(n_in, n_out, kernel_size=4, bias=False, **steps)
            return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))

        double = dict(stride=2, padding=1)
        self.latent_dim = latent_dim
        self.project = block(latent_dim, 8 * width)
        self.blocks = nn.Sequential(block(8 * width, 4 * width, **double), block(4 * width, 2 * width, **double),
                                    block(2 * width, width, **double))
        self.to_image = nn.ConvTranspose2d(width, 3, kernel_size=4, **double)

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise (n, latent_dim) into images (n, 3, 64, 64) in -1..1."""
        x = self.project(z[:, :, None, None])  # (n, 8w, 4, 4)
        x = self.blocks(x)  # (n, w, 32, 32)
        return torch.tanh(self.to_image(x))  # (n, 3, 64, 64)


class Discriminator(nn.Module):
    """Tell real faces from generated ones; its last hidden layer, 8 * `width` maps of 4x4, is the paper's feature vector."""

    def __init__(self, width: int = 64):
        super().__init__()

        def block(n_in: int, n_out: int) -> nn.Sequential:
            convolution = nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2, inplace=True))

        self.n_features = 8 * width * 4 * 4
        self.blocks = nn.Sequential(
            # No batch normalisation on the image itself (Radford et al., section 3).
            nn.Sequential(nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)),
            block(width, 2 * width), block(2 * width, 4 * width), block(4 * width, 8 * width))
        self.to_logit = nn.Conv2d(8 * width, 1, kernel_size=4)

    def hidden(self, images: Tensor | np.ndarray) -> Tensor:
        """Return the last hidden layer (n, 8w, 4, 4) of faces: uint8 (n, 64, 64, 3), or float (n, 3, 64, 64) in -1..1."""
        if isinstance(images, np.ndarray) or images.dtype == torch.uint8:
            images = to_float(images, self.to_logit.weight.device)
        if images.shape[1:] != (3, 64, 64):
            raise ValueError(f"faces are {tuple(images.shape)}; expected uint8 (n, 64, 64, 3) or float (n, 3, 64, 64)")
        return self.blocks(images)

    def forward(self, images: Tensor | np.ndarray) -> Tensor:
        """Return one logit per face (n,), given as for `hidden`; larger means more likely real."""
        return self.to_logit(self.hidden(images)).flatten()


def initialize_weights(network: nn.Module, std: float = 0.02, seed: int = 0) -> None:
    """Draw the weights from N(0, std) and batch-norm gains from N(1, std), in place, by `seed` alone."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std, generator=generator)
            nn.init.zeros_(module.bias)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Send a tensor from the processor's memory; a GPU takes it from pinned memory, and the host does not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def to_uint8(images: Tensor) -> np.ndarray:
    """Turn images (n, 3, h, w) in -1..1 into uint8 (n, h, w, 3)."""
    pixels = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_float(images: np.ndarray | Tensor, device: torch.device | str | None = None) -> Tensor:
    """Turn images uint8 (n, h, w, 3) into float (n, 3, h, w) in -1..1, channels last, where they are or on a device."""
    tensor = torch.as_tensor(np.asarray(images) if isinstance(images, np.ndarray) else images).to(device)
    return tensor.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def open_generator(path: str | Path) -> Generator:
    """Return the frozen generator of a ``.safetensors`` file, which tells its size; ValueError where it cannot be used."""
    return _opened(path, lambda weights: Generator(len(weights["project.0.weight"]), len(weights["project.1.weight"]) // 8))


def open_discriminator(path: str | Path) -> Discriminator:
    """Return the discriminator whose weights a file holds, as `open_generator` does."""
    return _opened(path, lambda weights: Discriminator(len(weights["blocks.0.0.weight"])))


def _opened(path: str | Path, build: Callable[[dict[str, Tensor]], nn.Module]) -> nn.Module:
    try:
        weights = load_file(path)
        network = build(weights)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, KeyError, OSError) as error:
        raise ValueError(f"weights {path} cannot be used ({error}); train that run again") from error
    return network.eval().requires_grad_(False)


def has_native_bfloat16(device: torch.device) -> bool:
    """Say whether the device multiplies bfloat16 itself; elsewhere it is emulated, and slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
