"""Datasets: from a folder as its owner ships it, or from the renderer, to photographs with labels and cropped faces."""

from fergan.data.photographs import Photographs, UnreadablePhotograph
from fergan.data.registry import SOURCES, open_photographs

__all__ = ["SOURCES", "Photographs", "UnreadablePhotograph", "open_photographs"]
