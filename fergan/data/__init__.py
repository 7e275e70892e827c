"""Datasets: from a folder as its owner ships it, or from the renderer, to photographs with labels."""

from fergan.data.base import Photographs, UnreadablePhotograph, state_of
from fergan.data.registry import SOURCES, open_photographs

__all__ = ["SOURCES", "Photographs", "UnreadablePhotograph", "open_photographs", "state_of"]
