"""Features that stand beside the discriminator's last layer, by name."""

from pathlib import Path

from fergan.features.base import StatelessFeatures
from fergan.features.discriminator import N_LAYERS, DiscriminatorFeatures
from fergan.features.hog import HOGFeatures
from fergan.features.pixels import PixelFeatures

__all__ = ["BASELINES", "absent_baselines", "make_baseline"]

#: Kinds of features that need no training, then those of the same training run's networks, then another network's.
BASELINES = ("untrained", "hog", "pixels", "pooled", "generator", "facenet")

_OF_A_RUN = ("pooled", "generator")


def make_baseline(
    name: str, width: int = 64, seed: int = 0, run: str | Path | None = None, facenet_weights: str | Path = ""
) -> StatelessFeatures:
    """Return the transformer of a baseline.

    Parameters
    ----------
    name : str
        ``"untrained"`` (the same discriminator before training), ``"hog"``, ``"pixels"``, ``"pooled"`` (all layers of the
        trained discriminator, each reduced to 4x4), ``"generator"`` (the generator's first layer), or ``"facenet"``.
    width, seed : int
        Of the untrained discriminator.
    run : path
        Folder of the training run, for ``"pooled"`` and ``"generator"``.
    facenet_weights : path
        See `fergan.features.facenet.FacenetFeatures`.
    """
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; expected one of {', '.join(BASELINES)}")
    if name in _OF_A_RUN and run is None:
        raise ValueError(f"baseline {name!r} needs the folder of a training run")
    if name == "untrained":
        return DiscriminatorFeatures(None, width=width, seed=seed)
    if name == "hog":
        return HOGFeatures()
    if name == "pixels":
        return PixelFeatures()
    if name == "facenet":
        from fergan.features.facenet import FacenetFeatures

        return FacenetFeatures(facenet_weights)
    if name == "pooled":
        weights = Path(run) / "discriminator.safetensors"
        return DiscriminatorFeatures(weights, width=width, layers=tuple(range(1, N_LAYERS + 1)), pool=True)
    from fergan.features.generator import GeneratorFeatures
    from fergan.gan.runs import Run

    config = Run.load(run).config
    return GeneratorFeatures(Path(run) / "generator.safetensors", config.generator_width or config.width, config.latent_dim)


def absent_baselines(names: list[str], facenet_weights: str = "") -> dict[str, str]:
    """Return which of these baselines cannot be had here, and why in words."""
    if "facenet" in names and not facenet_weights:
        return {"facenet": "its weights are absent; name their file in the profile (search.facenet_weights)"}
    return {}
