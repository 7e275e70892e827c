"""Building blocks of the face: soft bumps and edges over many points, and sums of them.

A *field* is a tensor of shape (n_faces, n_points). A *number* belongs to a whole face: a tensor of shape (n_faces, 1)
where several faces are rendered together, a plain float where one is rendered alone. Arithmetic on floats costs a
fiftieth of a tensor operation, and what has strength 0 need not be computed; that is most of the renderer's speed.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

LARGEST_EXPONENT = 30.0  # exp(-30) is 1e-13; exponentials that underflow are ten times slower


@lru_cache(maxsize=4)
def _zero(device):
    return torch.zeros((), device=device)


def bell(x, centre, width):
    """Gaussian bump of height 1 over a field: exp(-((x - centre) / width)^2)."""
    t = (x - centre).div_(width)
    return torch.addcmul(_zero(x.device), t, t, value=-1).clamp_(min=-LARGEST_EXPONENT).exp_()


def bell2(x, centre_x, width_x, y, centre_y, width_y):
    """Product of two Gaussian bumps, in one exponential."""
    t, s = (x - centre_x).div_(width_x), (y - centre_y).div_(width_y)
    square = torch.addcmul(_zero(x.device), t, t, value=-1).addcmul_(s, s, value=-1)
    return square.clamp_(min=-LARGEST_EXPONENT).exp_()


def fade(square):
    """exp(-square) of a field."""
    return torch.exp(-square.clamp(max=LARGEST_EXPONENT))


def soft_step(x, width):
    """0 for a field far below zero, 1 far above: the logistic function of x / width."""
    return (x / width).clamp_(-LARGEST_EXPONENT, LARGEST_EXPONENT).sigmoid_()


def edge(x, width):
    """A step drawn as a ramp, as steep in the middle as :func:`soft_step`: cheaper, for edges thinner than a pixel."""
    return torch.nn.functional.hardsigmoid(x * (1.5 / width))


def is_absent(strength):
    """Whether a number is known to be 0, so that what it scales need not be computed."""
    return isinstance(strength, float | int) and strength == 0


def total(like, *terms):
    """Sum of strength times shape.

    Parameters
    ----------
    like : Tensor of shape (n_faces, n_points)
        A field of the result's shape.
    *terms : (strength, shape)
        A number or field, and a function without arguments that returns a field.

    Returns
    -------
    Tensor of shape (n_faces, n_points)
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


def clip(number, low=-math.inf, high=math.inf):
    """A number or field kept within bounds."""
    return number.clamp(low, high) if torch.is_tensor(number) else min(max(number, low), high)


def step(number, width):
    """Logistic function of a number."""
    if torch.is_tensor(number):
        return soft_step(number, width)
    return 1 / (1 + math.exp(-min(max(number / width, -LARGEST_EXPONENT), LARGEST_EXPONENT)))


def over_grid(number):
    """A number that broadcasts over (n_faces, rows, columns)."""
    return number[..., None] if torch.is_tensor(number) else number


TEXELS = 512  # a power of two, so that wrapping around is a bit mask
FINE, SMOOTH = 1.1, 4.0  # blur of the two tables, texels: a feature is about three times as long


@lru_cache(maxsize=8)
def noise_table(blur=FINE, device="cpu"):
    """Periodic noise of mean 0 and variance 1, flattened: Tensor of shape (TEXELS * TEXELS,)."""
    noise = np.random.default_rng(7).standard_normal((TEXELS, TEXELS))
    noise = gaussian_filter(noise, blur, mode="wrap")
    return torch.as_tensor((noise / noise.std()).ravel(), dtype=torch.float32, device=device)


def noise(u, v, person, layer=0, blur=FINE):
    """Noise at texture coordinates in texels, another pattern per person and layer.

    Parameters
    ----------
    u, v : Tensor of shape (n_faces, n_points)
    person : SimpleNamespace
        Its `texture` number picks the person's place in the table.
    layer : int
    blur : float
        `FINE`: features of three texels, which look square when a texel covers several pixels. `SMOOTH`: of twelve.

    Returns
    -------
    Tensor of shape (n_faces, n_points)
    """
    start = person.texture + 7919 * layer  # positive coordinates: truncation then rounds down
    column = (u + (start % 509 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    row = (v + (start % 491 + TEXELS * 64)).int().bitwise_and_(TEXELS - 1)
    place = column.add_(row, alpha=TEXELS)
    return noise_table(blur, str(u.device)).index_select(0, place.flatten()).view(place.shape)
