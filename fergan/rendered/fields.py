"""Building blocks of the face: soft bumps and edges over many points, sums of them, and fixed noise.

One face is rendered at a time. A *field* is a tensor with a value at each of its points; what belongs to the whole face is
a plain *number*. Arithmetic on numbers costs a fiftieth of a tensor operation, and what has strength 0 need not be
computed: that makes one face at a time faster than many at once, and independent of the others bit for bit.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

LARGEST_EXPONENT = 30.0  # exp(-30) is 1e-13; exponentials that underflow are ten times slower
TEXELS = 512  # of the table of noise; a power of two, so that wrapping around is a bit mask
FINE, SMOOTH = 1.1, 4.0  # blur of two tables of noise, texels: a feature is about three times as long
ZERO = torch.zeros(())


@lru_cache(maxsize=64)
def constant(*values):
    """A colour, or another constant along the channels: Tensor of shape (n, 1)."""
    return torch.tensor(values)[:, None]


def bell(x, centre, width):
    """Gaussian bump of height 1 over a field: exp(-((x - centre) / width)^2)."""
    t = (x - centre).div_(width)
    return torch.addcmul(ZERO, t, t, value=-1).clamp_(min=-LARGEST_EXPONENT).exp_()


def bell2(x, centre_x, width_x, y, centre_y, width_y):
    """Product of two Gaussian bumps, in one exponential."""
    t, s = (x - centre_x).div_(width_x), (y - centre_y).div_(width_y)
    square = torch.addcmul(ZERO, t, t, value=-1).addcmul_(s, s, value=-1)
    return square.clamp_(min=-LARGEST_EXPONENT).exp_()


def soft_step(x, width):
    """0 for a field far below zero, 1 far above: the logistic function of x / width."""
    return (x / width).clamp_(-LARGEST_EXPONENT, LARGEST_EXPONENT).sigmoid_()


def edge(x, width):
    """A step drawn as a ramp, as steep in the middle as :func:`soft_step`: cheaper, for edges thinner than a pixel."""
    return torch.nn.functional.hardsigmoid(x * (1.5 / width))


def is_absent(strength):
    """Whether what this number or field scales need not be computed."""
    return not torch.is_tensor(strength) and strength == 0


def total(like, *terms):
    """Sum of strength times shape over (strength, shape): a number or field, and a function that returns a field.

    The result has the shape of the field `like`.
    """
    result = torch.zeros_like(like)
    for strength, shape in terms:
        if is_absent(strength):
            continue
        if torch.is_tensor(strength):
            result.addcmul_(shape(), strength)
        else:
            result.add_(shape(), alpha=strength)
    return result


def clip(value, low=-math.inf, high=math.inf):
    """A number or field kept within bounds."""
    return value.clamp(low, high) if torch.is_tensor(value) else min(max(value, low), high)


@lru_cache(maxsize=2)
def _noise_table(blur):
    """Periodic noise of mean 0 and variance 1, flattened: Tensor of shape (TEXELS * TEXELS,)."""
    noise = np.random.default_rng(7).standard_normal((TEXELS, TEXELS))
    noise = gaussian_filter(noise, blur, mode="wrap")
    return torch.as_tensor((noise / noise.std()).ravel(), dtype=torch.float32)


def noise(u, v, person, layer=0, blur=FINE):
    """Noise at texture coordinates in texels, another pattern for each person (by its `texture`) and layer.

    `FINE` noise has features of three texels, which look square when a texel covers several pixels; `SMOOTH` of twelve.
    """
    start = person.texture + 7919 * layer  # positive coordinates: truncation then rounds down
    column = (u + (start % 509 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    row = (v + (start % 491 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    place = column.add_(row, alpha=TEXELS)
    return _noise_table(blur).index_select(0, place.flatten()).view(place.shape)
