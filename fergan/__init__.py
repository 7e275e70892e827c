"""fergan: facial expressions from the features of a generative adversarial network, as an executable book.

The package holds what the notebooks call. Two things for anyone who wants to use a trained model are offered here::

    faces = fergan.sample("artifacts/demo/models/kdef/<run>", n=16, seed=0)     # uint8 (16, 64, 64, 3)
    network = fergan.load_discriminator("artifacts/demo/models/kdef/<run>")     # network.hidden(images): the features

They are only imported when used, so that each notebook loads no more than it needs.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["load_discriminator", "sample"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("fergan.gan.sampling"), name)
    raise AttributeError(f"module 'fergan' has no attribute {name!r}")
