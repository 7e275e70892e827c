"""fergan: facial expressions from the features of a generative adversarial network, as an executable book.

The package holds what the notebooks call. What is of use in other code is offered here, and only imported when it is used::

    faces = fergan.sample("artifacts/demo/models/kdef/<run>", n=16, seed=0)     # uint8 (16, 64, 64, 3)
    network = fergan.load_discriminator("artifacts/demo/models/kdef/<run>")     # network.hidden(images): the features
"""

from importlib import import_module

__version__ = "0.2.0"

#: Name -> the module that defines it.
_OFFERED = {
    "sample": "gan.sampling", "load_discriminator": "gan.sampling", "GaussianSVC": "svm.gaussian_svc",
    "DiscriminatorFeatures": "features.discriminator",
    "HOGFeatures": "features.baselines", "PixelFeatures": "features.baselines", "FacenetFeatures": "features.baselines",
}


def __getattr__(name: str) -> object:
    if name not in _OFFERED:
        raise AttributeError(f"module 'fergan' has no attribute {name!r}")
    return getattr(import_module(f"fergan.{_OFFERED[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_OFFERED]
