"""Generative adversarial networks; here, the parameters of a training and the presets that fill them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from fergan.cache import Config

#: Training presets: name -> values of `TrainConfig`.
PRESETS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "presets.yaml").read_text(encoding="utf-8"))

_POLICIES = "^(none|(color|translation|cutout)(,(color|translation|cutout))*)$"  # of `fergan.gan.step.augment`


class TrainConfig(Config):
    """The parameters of one training run; each changes what is learnt. What is not given comes from the preset."""

    preset: str = Field("radford2015", description="where the other values come from, a key of PRESETS")
    width: int = Field(64, ge=1, description="channels of the first layer of the discriminator; 64: 8,192 features")
    generator_width: int | None = Field(None, ge=1, description="of the last hidden layer of the generator; None: width")
    latent_dim: int = Field(100, ge=1, description="length of the noise vector")
    batch_size: int = Field(128, ge=2, description="faces per step, over all processes; batch normalisation needs two")
    learning_rate: float = Field(2e-4, gt=0, description="of Adam, for both networks")
    beta1: float = Field(0.5, ge=0, lt=1, description="of Adam, decay of the first moment per step")
    beta2: float = Field(0.999, ge=0, lt=1, description="of Adam, decay of the second moment per step")
    weight_std: float = Field(0.02, gt=0, description="standard deviation of the initial weights")
    epochs: int = Field(300, ge=1, description="passes over the faces")
    average_decay: float = Field(0.0, ge=0, lt=1, description="per step, of the average of generators that samples; 0: none")
    label_noise: float = Field(0.0, ge=0, description="standard deviation of noise on the discriminator's labels -1 and 1")
    discriminator_updates: Literal[1, 2] = Field(1, description="1: real and generated faces together; 2: in turn")
    augment: str = Field("none", pattern=_POLICIES, description="none, or some of color,translation,cutout joined by commas")
    flip_probability: float = Field(0.0, ge=0, le=1, description="share of the real faces mirrored, afresh in each step")
    precision: Literal["auto", "bf16", "float32"] = Field("auto", description="auto: bfloat16 where the device has it")
    seed: int = Field(0, ge=0, description="of the initial weights, the noise and the order of the faces")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(given, dict):
            return given  # which is refused
        preset = given.get("preset", "radford2015")
        if preset not in PRESETS:
            raise ValueError(f"unknown training preset {preset!r}; expected one of {', '.join(PRESETS)}")
        return PRESETS[preset] | given

    @property
    def generator_channels(self) -> int:
        """Channels of the generator's layer nearest to the image."""
        return self.generator_width or self.width

    def changed(self, **changes: Any) -> "TrainConfig":
        """Return these parameters with some changed, checked anew; another preset fills all others again but the seed."""
        same = changes.get("preset", self.preset) == self.preset
        return type(self)(**(self.model_dump() if same else {"seed": self.seed}) | changes)


def alike_but_seed(trainings: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return which trainings (name -> parameters and what else counts) differ in ``seed`` alone: the first's name -> all."""
    groups: dict[str, dict[int, str]] = {}
    for name, of in trainings.items():
        alike = str(sorted((key, str(value)) for key, value in of.items() if key != "seed"))
        groups.setdefault(alike, {}).setdefault(of.get("seed"), name)
    return {names[0]: names for group in groups.values() if len(names := list(group.values())) > 1}
