"""Walks through the noise of a trained generator: between two faces, along its leading directions, and by hand."""

import io

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fergan.gan.dcgan import Generator, to_uint8
from fergan.gan.runs import Run
from fergan.gan.sampling import load_generator

__all__ = [
    "REACH", "Explorer", "draw", "explore", "interpolate", "leading_directions", "noise_of", "pixel_change",
    "random_directions", "shift", "slerp",
]

REACH = 3.0  # how far the sliders go along a direction, in standard deviations of the noise
_SHOWN = 256  # pixels a side, of the face being drawn
_SMALL = 96  # of the faces that it is mixed from


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Turn from one noise vector to another: the direction along the great circle, the length in proportion.

    Vectors of noise in many dimensions all have nearly the same length. The straight line between two of them passes through
    shorter ones, which the generator never met in training; the arc does not (White, 2016, arXiv:1609.04468).

    Parameters
    ----------
    start, end : Tensor of shape (latent_dim,)
    share : float
        0 gives `start`, 1 gives `end`.

    Raises
    ------
    ValueError
        One of them is zero, or they point in opposite directions: then there is no one arc.
    """
    lengths = start.norm(), end.norm()
    if not (lengths[0] > 0 and lengths[1] > 0):
        raise ValueError("slerp needs two vectors that are not zero")
    u, v = start / lengths[0], end / lengths[1]
    # Twice the arctangent is exact for nearly parallel vectors too, where the arc cosine of their product is not.
    angle = 2 * torch.atan2((u - v).norm(), (u + v).norm())
    if torch.pi - angle < 1e-4:
        raise ValueError("slerp needs two vectors that do not point in opposite directions; use another seed")
    length = (1 - share) * lengths[0] + share * lengths[1]
    # sinc is 1 at 0, so that parallel vectors need no case of their own.
    weights = [part * torch.sinc(part * angle / torch.pi) / torch.sinc(angle / torch.pi) for part in (1 - share, share)]
    return length * (weights[0] * u + weights[1] * v)


def noise_of(seed: int, latent_dim: int) -> Tensor:
    """Return the noise vector (latent_dim,) of a seed, the one behind ``sample(run, 1, seed)``."""
    return torch.randn(latent_dim, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def draw(generator: Generator, noise: Tensor) -> np.ndarray:
    """Return faces uint8 (..., 64, 64, 3) of noise (..., latent_dim)."""
    faces = to_uint8(generator(noise.reshape(-1, noise.shape[-1])))
    return faces.reshape(*noise.shape[:-1], *faces.shape[1:])


def interpolate(latent_dim: int, n_rows: int, n_columns: int, seed: int = 0) -> Tensor:
    """Return rows of noise, each turning from one random vector to another.

    Returns
    -------
    Tensor of shape (n_rows, n_columns, latent_dim)
    """
    ends = torch.randn(n_rows, 2, latent_dim, generator=torch.Generator().manual_seed(seed))
    shares = np.linspace(0, 1, n_columns).tolist()
    return torch.stack([torch.stack([slerp(start, end, share) for share in shares]) for start, end in ends])


def leading_directions(generator: Generator, n: int) -> Tensor:
    """Return the directions of the noise that the generator's first layer passes on most strongly.

    They are the right singular vectors of its weights (Shen and Zhou, 2021, arXiv:2007.06600), strongest first: no face is
    drawn to find them, no label is used, and nothing says that one of them is a single trait of the face.

    Returns
    -------
    Tensor of shape (n, latent_dim)
        Of length 1 and at right angles to each other; the largest number of each is positive.
    """
    if not 1 <= n <= generator.latent_dim:
        raise ValueError(f"n is {n}; expected 1 to {generator.latent_dim} directions, the length of the noise")
    weight = generator.project[0].weight.detach().float().flatten(1)  # (latent_dim, 8w * 16)
    directions = torch.linalg.svd(weight, full_matrices=False).U.T[:n]
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    return directions * largest.sign()


def random_directions(latent_dim: int, n: int, seed: int = 0) -> Tensor:
    """Return directions (n, latent_dim) of length 1 drawn evenly from all, to compare others with."""
    directions = torch.randn(n, latent_dim, generator=torch.Generator().manual_seed(seed))
    return directions / directions.norm(dim=1, keepdim=True)


def shift(noise: Tensor, directions: Tensor, amounts: np.ndarray) -> Tensor:
    """Return rows of noise, each moved along one direction.

    Parameters
    ----------
    noise : Tensor of shape (latent_dim,)
    directions : Tensor of shape (n, latent_dim)
    amounts : ndarray of shape (n_columns,)
        How far, in standard deviations of the noise.

    Returns
    -------
    Tensor of shape (n, n_columns, latent_dim)
    """
    return noise + torch.as_tensor(amounts, dtype=noise.dtype)[:, None] * directions[:, None]


def pixel_change(generator: Generator, directions: Tensor, reach: float, n_faces: int = 16, seed: int = 0) -> float:
    """Return by how many grey levels a pixel changes, on average, between both ends of a direction.

    Parameters
    ----------
    directions : Tensor of shape (n, latent_dim)
        The mean is over all of them, over `n_faces` random faces, and over pixels and colours.
    reach : float
        From minus to plus this many standard deviations of the noise.
    """
    noise = torch.randn(n_faces, generator.latent_dim, generator=torch.Generator().manual_seed(seed))
    ends = torch.stack([shift(z, directions, np.array([-reach, reach])) for z in noise])  # (n_faces, n, 2, latent_dim)
    faces = draw(generator, ends).astype(np.float32)
    return float(np.abs(faces[:, :, 1] - faces[:, :, 0]).mean())


class Explorer(widgets.VBox):
    """Sliders that mix up to three faces and move the mixture along the leading directions, drawn at once.

    Attributes
    ----------
    seeds : list of three number boxes
        Whose noise is mixed: A, B and C.
    mixes : list of two sliders
        Share of B in the turn from A to B, then of C in the turn from there to C.
    moves : list of sliders
        How far along each direction, in standard deviations of the noise.
    """

    def __init__(self, generator: Generator, seed: int = 0, n_directions: int = 5):
        self._generator = generator
        self._directions = leading_directions(generator, n_directions)
        self.seeds = [
            widgets.BoundedIntText(seed + i, min=0, max=2**31, description=f"face {name}", layout={"width": "12em"})
            for i, name in enumerate("ABC")
        ]
        self.mixes = [_slider(text, 0.0, 1.0) for text in ("A to B", "then to C")]
        self.moves = [_slider(f"direction {i + 1}", -REACH, REACH) for i in range(n_directions)]
        self._sources = [_image(_SMALL) for _ in self.seeds]
        self._picture = _image(_SHOWN)
        button = widgets.Button(description="Sliders to zero")
        button.on_click(lambda _: self.reset())
        for box in self.seeds:
            box.observe(lambda _: self._draw_all(), "value")
        for slider in self.mixes + self.moves:
            slider.observe(lambda _: self._draw_mixture(), "value")
        faces = widgets.HBox([widgets.VBox(pair) for pair in zip(self.seeds, self._sources, strict=True)])
        sliders = widgets.VBox([*self.mixes, *self.moves, button])
        super().__init__([faces, widgets.HBox([self._picture, sliders])])
        self._draw_all()

    @property
    def noise(self) -> Tensor:
        """The vector (latent_dim,) that the sliders say."""
        a, b, c = (noise_of(box.value, self._generator.latent_dim) for box in self.seeds)
        mixed = slerp(slerp(a, b, self.mixes[0].value), c, self.mixes[1].value)
        return mixed + torch.tensor([slider.value for slider in self.moves]) @ self._directions

    @property
    def face(self) -> np.ndarray:
        """What is shown, uint8 (64, 64, 3)."""
        return draw(self._generator, self.noise)

    def reset(self) -> None:
        """Set every slider to zero: face A as it is."""
        for slider in self.mixes + self.moves:
            slider.value = 0.0

    def _draw_mixture(self) -> None:
        self._picture.value = _png(self.face, _SHOWN)

    def _draw_all(self) -> None:
        for box, picture in zip(self.seeds, self._sources, strict=True):
            picture.value = _png(draw(self._generator, noise_of(box.value, self._generator.latent_dim)), _SMALL)
        self._draw_mixture()


def explore(run: Run, seed: int = 0) -> Explorer:
    """Return sliders over a run's generator, for a notebook with a running kernel.

    Parameters
    ----------
    run : Run
        A finished training run.
    seed : int
        Of the first face; the other two take the next seeds.
    """
    return Explorer(load_generator(run), seed)


def _slider(text: str, low: float, high: float) -> widgets.FloatSlider:
    return widgets.FloatSlider(value=0.0, min=low, max=high, step=0.05, description=text, readout_format=".2f")


def _image(side: int) -> widgets.Image:
    # Its place beside the sliders would squeeze it otherwise.
    return widgets.Image(layout={"width": f"{side}px", "height": f"{side}px", "flex": "0 0 auto"})


def _png(face: np.ndarray, side: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()
