"""fergan: facial expressions from the features of a generative adversarial network, as an executable book.

The package holds what the notebooks call. Nothing is imported here, so that each notebook loads only what it needs.
"""

__version__ = "0.1.0"
