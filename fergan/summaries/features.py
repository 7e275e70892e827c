"""Tables of the chapter on features."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["features_per_pair"]


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
