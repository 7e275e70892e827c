"""From an image file of any common kind to upright RGB pixels."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fergan.datasets.base import UnreadablePhotograph

__all__ = ["read_photograph"]

MAX_MEGAPIXELS = 100


def read_photograph(path: str | Path) -> np.ndarray:
    """Decode one photograph of any common format and depth, upright.

    Parameters
    ----------
    path : str or Path
        An image file: grey, palette, RGB, CMYK, with or without transparency, 8 or 16 bits.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
        RGB, turned as its EXIF orientation says; transparent parts are white.

    Raises
    ------
    UnreadablePhotograph
        The file is missing, empty, truncated, no image, or above 100 megapixels (then nothing is decoded).
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise UnreadablePhotograph(f"{path}: the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images and odd metadata; the limit is ours
            with Image.open(path) as image:
                if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
                    size = f"{image.width} x {image.height} pixels"
                    raise UnreadablePhotograph(f"{path}: {size}, above {MAX_MEGAPIXELS} megapixels; reduce it")
                return _to_rgb(ImageOps.exif_transpose(image))
    except UnreadablePhotograph:
        raise
    except Image.DecompressionBombError:
        raise UnreadablePhotograph(f"{path}: above {MAX_MEGAPIXELS} megapixels; reduce it") from None
    except Exception as error:  # decoders raise all kinds of errors on damaged files, and one must not stop a dataset
        raise UnreadablePhotograph(f"{path}: {error or type(error).__name__}") from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown; expected 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion would clip at 255
        grey = (np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))
