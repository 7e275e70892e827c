"""Features that stand beside the discriminator's last layer: HOG, pixels, FaceNet, and all by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fergan.cache import computing_device
from fergan.features import N_LAYERS
from fergan.features.discriminator import DiscriminatorFeatures, StatelessFeatures

_FACENET_SIDE = 160  # pixels, of the faces that FaceNet was trained on


class HOGFeatures(StatelessFeatures):
    """Histograms of oriented gradients (Dalal and Triggs, 2005), 1,764 numbers.

    Nine directions in cells of 8x8 pixels, normalised in overlapping blocks of 2x2 cells (L2-Hys).
    """

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import cv2

        # Window, block, stride of blocks, cell (pixels, width by height) and directions.
        hog = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)
        return lambda images: np.stack([hog.compute(np.ascontiguousarray(image)) for image in images])


class PixelFeatures(StatelessFeatures):
    """The image itself: grey values in 0..1, one number per pixel."""

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        luma = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601
        return lambda images: (images @ luma).reshape(len(images), -1).astype(np.float32)


@dataclass(eq=False, repr=False)
class FacenetFeatures(StatelessFeatures):
    """Embeddings of InceptionResnetV1: 512 numbers of length 1, learnt with the names of thousands of people.

    No baseline in the paper's sense, since it has seen millions of labelled photographs. `weights` is the file that
    facenet-pytorch's authors publish (``20180402-114759-vggface2.pt``), or its tensors as ``.safetensors``; no code is run.
    Schroff, Kalenichenko and Philbin, *FaceNet: A Unified Embedding for Face Recognition and Clustering*, CVPR 2015.
    """

    weights: str | Path
    batch_size: int = 64

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import torch
        from facenet_pytorch import InceptionResnetV1
        from torch.nn.functional import interpolate

        device = computing_device("auto")
        network = InceptionResnetV1(classify=False)
        network.load_state_dict(_named_tensors(Path(self.weights), network.state_dict()))
        network.eval().to(device)

        def describe(images: np.ndarray) -> np.ndarray:
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()
            large = interpolate(pixels, size=(_FACENET_SIDE, _FACENET_SIDE), mode="bilinear", antialias=True)
            with torch.inference_mode():
                return network((large - 127.5) / 128).cpu().numpy()

        return describe


def _named_tensors(path: Path, names: Iterable[str]) -> dict[str, Any]:
    """Read the named tensors; the file may hold more, such as the layer that named the people it was trained on."""
    import torch
    from safetensors.torch import load_file

    expected = "expected the weights of facenet-pytorch's InceptionResnetV1"
    if not path.is_file():
        raise FileNotFoundError(f"facenet weights {path} do not exist; {expected}")
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        return {name: found[name] for name in names}
    except Exception as error:  # each reader has errors of its own
        raise ValueError(f"facenet weights {path} cannot be used ({type(error).__name__}: {error}); {expected}") from error


def make_baseline(name: str, width: int = 64, seed: int = 0, run: str | Path | None = None,
                  facenet_weights: str | Path | None = None) -> StatelessFeatures:
    """Return the transformer of a baseline.

    It is called ``"untrained"`` (the discriminator before training, of `width` and `seed`), ``"hog"``, ``"pixels"``,
    ``"pooled"`` (all layers of the trained one of the folder `run`, each reduced to 4x4), or ``"facenet"``.
    """
    kinds = {
        "untrained": DiscriminatorFeatures(None, width=width, seed=seed), "hog": HOGFeatures(), "pixels": PixelFeatures(),
        "pooled": DiscriminatorFeatures(f"{run}/discriminator.safetensors", layers=range(1, N_LAYERS + 1), pool=True),
        "facenet": FacenetFeatures(facenet_weights)}
    if name not in kinds:
        raise ValueError(f"unknown baseline {name!r}; expected one of {', '.join(kinds)}")
    return kinds[name]


def absent_baselines(names: list[str], facenet_weights: str | None = None) -> list[str]:
    """Return which of these baselines cannot be had here: the profile names no weights for them."""
    return ["facenet"] if "facenet" in names and not facenet_weights else []
