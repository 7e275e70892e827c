"""Which features the experiments see."""

from collections.abc import Sequence

from pydantic import Field, field_validator

from fergan.cache import Config

#: Hidden layers of the discriminator; the last one is the paper's.
N_LAYERS = 4


class FeaturesConfig(Config):
    """Which layers of the discriminator the experiments see."""

    layers: list[int] = Field([N_LAYERS], description="hidden layers, 1 (nearest to the image) to 4 (the paper's)")
    pool: bool = Field(False, description="reduce each layer's maps to 4x4 by the maximum, as Radford et al. do")

    @field_validator("layers")
    @classmethod
    def _known_layers(cls, layers: list[int]) -> list[int]:
        return checked_layers(layers)


def checked_layers(layers: Sequence[int]) -> Sequence[int]:
    """Return the numbers of hidden layers, or say what is wrong with them."""
    if not layers or not set(layers) <= set(range(1, N_LAYERS + 1)) or len(set(layers)) < len(layers):
        raise ValueError(f"layers are {layers!r}; expected some of 1 (nearest to the image) to {N_LAYERS}, each once")
    return layers
