"""Changes to the faces that the discriminator sees: mirrored ones, and differentiable augmentation.

Differentiable augmentation (Zhao et al., 2020) changes real and generated faces alike before the discriminator sees them,
so that it cannot learn a small set by heart, while gradients still reach the generator.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fergan.gan.dcgan import to_device

__all__ = ["POLICIES", "augment", "mirror"]


def _uniform(x: Tensor, random: torch.Generator) -> Tensor:
    # Drawn on the processor, so that every device changes the faces alike.
    return to_device(torch.rand(len(x), 1, 1, 1, generator=random), x.device)


def _colour(x: Tensor, random: torch.Generator) -> Tensor:
    """Shift brightness by up to .5 and scale saturation by 0 to 2 and contrast by .5 to 1.5, per image."""
    x = x + (_uniform(x, random) - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = (x - grey) * (2 * _uniform(x, random)) + grey
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, random) + 0.5) + mean


def _offsets(x: Tensor, random: torch.Generator, low: int, high: int) -> Tensor:
    return to_device(torch.randint(low, high + 1, (len(x), 1, 1), generator=random), x.device)


def _translation(x: Tensor, random: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its side each way; what comes in from outside is 0, mid-grey."""
    n, _, height, width = x.shape
    # One row and column of zeros on each side: every index beyond the image is clamped there.
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    rows = torch.arange(height, device=x.device)[None, :, None] + _offsets(x, random, -(height // 8), height // 8)
    columns = torch.arange(width, device=x.device)[None, None, :] + _offsets(x, random, -(width // 8), width // 8)
    rows, columns = (rows + 1).clamp(0, height + 1), (columns + 1).clamp(0, width + 1)
    images = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)


def _cutout(x: Tensor, random: torch.Generator) -> Tensor:
    """Blank a square of half the side at a random place, part of which may lie outside."""
    height, width = x.shape[2:]
    from_row = torch.arange(height, device=x.device)[None, :, None] - _offsets(x, random, 0, height)
    from_column = torch.arange(width, device=x.device)[None, None, :] - _offsets(x, random, 0, width)
    blank_rows = (from_row >= -(height // 4)) & (from_row < height // 4)
    blank_columns = (from_column >= -(width // 4)) & (from_column < width // 4)
    return x * ~(blank_rows & blank_columns)[:, None]


#: The parts of differentiable augmentation; a policy names them in the order in which they are applied.
POLICIES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": _colour,
    "translation": _translation,
    "cutout": _cutout,
}


def augment(images: Tensor, policy: str, random: torch.Generator) -> Tensor:
    """Change each image at random, differentiably.

    Parameters
    ----------
    images : Tensor of shape (n, 3, height, width)
        In -1..1; the result can leave that range.
    policy : str
        Keys of `POLICIES` joined by commas, or ``"none"``.
    random : torch.Generator
        On the processor.

    References
    ----------
    Zhao, Liu, Lin, Zhu and Han (2020), "Differentiable augmentation for data-efficient GAN training", section 3 and
    appendix; strengths as there.
    """
    for name in [] if policy == "none" else policy.split(","):
        images = POLICIES[name](images, random)
    return images


def mirror(images: Tensor, probability: float, random: torch.Generator) -> Tensor:
    """Turn each image (n, 3, height, width) left to right with this probability."""
    if not probability:
        return images
    return torch.where(_uniform(images, random) < probability, images.flip(3), images)
