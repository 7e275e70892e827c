"""What moves on a page without a kernel and without a network: a film of the training, and a threshold along a ROC curve.

Each is one HTML element with its pictures and numbers inside. Without scripts it shows its last frame, or the counts at the
middle threshold; on paper it is left out, as a figure beside it shows the same.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from IPython.display import HTML
from PIL import Image

from fergan.book.plots import GAP, tiled
from fergan.book.show import TEMPLATES
from fergan.files import rendered

#: Bytes of one element; a page with it still opens at once on a telephone.
LARGEST_FILM, LARGEST_EXPLORER = 300_000, 200_000


def play_filmstrip(
    steps: Sequence[int], frames: np.ndarray, label: str, n_columns: int = 8, milliseconds: int = 500
) -> HTML:
    """Return an element that plays the same faces over training.

    Args:
        steps: Training step of each frame.
        frames: (n_frames, n_faces, 64, 64, 3), uint8
        label: What it shows, for those who hear the page instead of seeing it.
        n_columns: Faces in a row.
        milliseconds: How long a frame stays.

    Raises:
        ValueError: Steps and frames do not fit together, or they do not fit into `LARGEST_FILM` bytes.
    """
    steps, frames = [int(step) for step in steps], np.asarray(frames)
    if frames.ndim != 5 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}; expected uint8 (n_frames, n, 64, 64, 3)")
    if len(steps) != len(frames):
        raise ValueError(f"there are {len(steps)} steps and {len(frames)} frames; expected one step per frame")
    # The frames lie below each other in one picture, of which the page shows one frame at a time. The gap after each keeps
    # a scaled frame from showing a line of its neighbour.
    tiles = [tiled(frame, min(n_columns, len(frame))) for frame in frames]
    sheet = np.concatenate([np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for tile in tiles])
    for quality in (75, 60, 40, 20, 10):
        buffer = io.BytesIO()
        Image.fromarray(sheet).save(buffer, "WEBP", quality=quality, method=6)
        picture = base64.b64encode(buffer.getvalue()).decode("ascii")
        html = rendered(TEMPLATES / "player.html.j2", steps=steps, label=label, milliseconds=milliseconds, picture=picture,
                        width=sheet.shape[1], height=sheet.shape[0] // len(frames))
        if len(html.encode()) < LARGEST_FILM:
            return HTML(html)
    raise ValueError(f"{len(frames)} frames of {frames.shape[1]} faces need more than {LARGEST_FILM:,} bytes; show fewer")


def operating_points(positive: np.ndarray, values: np.ndarray, n_points: int = 80) -> dict[str, list | int]:
    """Count what is found and what is a false alarm at thresholds from the strictest to the loosest.

    Args:
        positive: (n_faces,), bool; whether each shows the label.
        values: (n_faces,), decision values; a face is named when its value is at least the threshold.
        n_points: At most so many thresholds, evenly spaced among the values that occur.

    Returns: ``threshold, tp, fp`` (lists, both counts not falling), ``positives``, ``negatives``.

    Raises:
        ValueError: There is no face that shows the label, or none that does not.
    """
    positive, values = np.asarray(positive, bool), np.asarray(values, float)
    if positive.all() or not positive.any():
        raise ValueError("a threshold needs faces that show the label and faces that do not")
    levels = np.unique(values)[::-1]
    chosen = levels[np.unique(np.linspace(0, len(levels) - 1, n_points).round().astype(int))]
    thresholds = np.concatenate([[np.inf], chosen])
    tp, fp = ([int((values[side] >= level).sum()) for level in thresholds] for side in (positive, ~positive))
    names = ["none"] + [f"{level:.4g}" for level in chosen]
    return {"threshold": names, "tp": tp, "fp": fp, "positives": int(positive.sum()), "negatives": int((~positive).sum())}


def share(part: int, whole: int) -> str:
    """Write a share with three decimals, a half rounded up as JavaScript's ``toFixed`` does; a dash of nothing."""
    return str(Decimal(part / whole).quantize(Decimal("0.001"), ROUND_HALF_UP)) if whole else "–"


def threshold_explorer(labels: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> HTML:
    """Return an element with a threshold to move, a ROC curve and the counts of right and wrong answers.

    Args:
        labels: Label -> (positive, values); see `operating_points`.
        title: What it shows, for those who hear the page instead of seeing it.

    Raises:
        ValueError: There is no label, or the element would be larger than `LARGEST_EXPLORER` bytes.
    """
    if not labels:
        raise ValueError("a threshold needs at least one label")
    data = {label: operating_points(*arrays) for label, arrays in labels.items()}
    first = next(iter(data.values()))
    html = rendered(TEMPLATES / "threshold.html.j2", data=data, first=first, middle=len(first["tp"]) // 2, title=title,
                    side=220, share=share)
    if len(html.encode()) > LARGEST_EXPLORER:
        raise ValueError(f"{len(labels)} labels need more than {LARGEST_EXPLORER:,} bytes; show fewer")
    return HTML(html)
