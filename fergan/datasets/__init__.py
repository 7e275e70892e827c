"""Datasets: from a folder as its owner ships it, or from the renderer, to photographs with labels."""

from fergan.datasets.base import Photographs, UnreadablePhotograph, state_of
from fergan.datasets.registry import SOURCES, open_photographs

__all__ = ["SOURCES", "Photographs", "UnreadablePhotograph", "open_photographs", "state_of"]
