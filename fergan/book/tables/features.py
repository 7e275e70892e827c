"""Tables of the chapter on features."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["answer_of_pairs", "features_per_pair"]


def features_per_pair(home: str | Path, pairs: Iterable[str]) -> pd.DataFrame:
    """Return one row per (network, faces) pair: size of its features and how many directions of them matter."""
    rows = []
    for pair in pairs:
        pretrained, target = pair.split("-on-")
        X = np.load(Path(home) / "features" / pair / "X.npy", mmap_mode="r", allow_pickle=False)
        centred = X[:: max(1, len(X) // 500)] - X.mean(0)
        variances = np.linalg.svd(centred, compute_uv=False) ** 2
        rows.append({
            "network of": pretrained, "faces of": target, "faces": len(X), "features": X.shape[1],
            "above zero": f"{(X > 0).mean():.0%}", "effective dimensions": variances.sum() ** 2 / (variances**2).sum(),
        })
    return pd.DataFrame(rows).round({"effective dimensions": 1})


def answer_of_pairs(table: pd.DataFrame) -> str:
    """Say how many numbers a face becomes in `features_per_pair`, and how many directions of them matter."""
    sizes, directions = (table[column] for column in ("features", "effective dimensions"))
    return (f"It turns each face into {sizes.max():,} numbers. They vary together, about as much as {_span(directions)} "
            "independent numbers would. How much of that is expression, the next chapters measure.")


def _span(values: pd.Series) -> str:
    ends = [f"{value:.0f}" for value in (values.min(), values.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
