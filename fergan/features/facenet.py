"""A network that was trained to tell people apart, as a yardstick: InceptionResnetV1 of facenet-pytorch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fergan.features.base import StatelessFeatures, computing_device

_SIDE = 160  # pixels, of the faces it was trained on


class FacenetFeatures(StatelessFeatures):
    """Embeddings of InceptionResnetV1: 512 numbers of length 1, learnt with the names of thousands of people.

    No baseline in the paper's sense, since it has seen millions of labelled photographs. `weights` is the file that
    facenet-pytorch's authors publish (``20180402-114759-vggface2.pt``), or its tensors as ``.safetensors``; no code is run.
    Schroff, Kalenichenko and Philbin, *FaceNet: A Unified Embedding for Face Recognition and Clustering*, CVPR 2015.
    """

    def __init__(self, weights: str | Path, batch_size: int = 64, device: str = "auto"):
        self.weights = weights
        self.batch_size = batch_size
        self.device = device

    def _describer(self) -> Callable[[np.ndarray], np.ndarray]:
        import torch
        from facenet_pytorch import InceptionResnetV1
        from torch.nn.functional import interpolate

        device = computing_device(self.device)
        network = InceptionResnetV1(classify=False)
        network.load_state_dict(_tensors(Path(self.weights), network.state_dict().keys()))
        network.eval().to(device)

        def describe(images: np.ndarray) -> np.ndarray:
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()
            large = interpolate(pixels, size=(_SIDE, _SIDE), mode="bilinear", antialias=True)
            with torch.inference_mode():
                return network((large - 127.5) / 128).cpu().numpy()

        return describe


def _tensors(path: Path, names: Any) -> dict[str, Any]:
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
