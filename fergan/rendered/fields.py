"""Building blocks of the face: soft bumps and edges over many points, and sums of them.

A *field* is a tensor of shape (n_faces, n_points). A *number* belongs to a whole face: a tensor of shape (n_faces, 1)
where several faces are rendered together, a plain float where one is rendered alone. Arithmetic on floats costs a
fiftieth of a tensor operation, and what has strength 0 need not be computed; that is most of the renderer's speed.
"""

import math
from functools import lru_cache

import torch

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
