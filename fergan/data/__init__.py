"""Datasets: from a folder as its owner ships it, or from the renderer, to photographs with labels and cropped faces."""
