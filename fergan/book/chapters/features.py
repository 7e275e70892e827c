"""Tables and figures of the chapters on features and on layers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fergan.experiments.scores import ExperimentResult

_PAPERS = "4"  # the last hidden layer


def features_table(features: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return one row per "network-on-faces": the size of its features, and how many directions of them matter.

    These are :math:`(\\sum\\lambda)^2 / \\sum\\lambda^2` over the eigenvalues of the covariance of about 500 faces.
    """
    rows = []
    for pair, X in features.items():
        pretrained, target = pair.split("-on-")
        centred = X[:: max(1, len(X) // 500)] - X.mean(0)
        variances = np.linalg.svd(centred, compute_uv=False) ** 2
        rows.append({"network of": pretrained, "faces of": target, "faces": len(X), "features": X.shape[1],
                     "above zero, %": 100 * float((X > 0).mean()),
                     "effective dimensions": variances.sum() ** 2 / (variances**2).sum()})
    return pd.DataFrame(rows)


def strongest_maps(X: np.ndarray, n_maps: int = 5, n_faces: int = 12) -> dict[str, np.ndarray]:
    """Return maps of the last layer X whose answers vary most: "map 7" -> rows of the faces that it answers to most."""
    maps = X.reshape(len(X), -1, 16).max(axis=2)
    strongest = np.argsort(-maps.std(axis=0) / (maps.mean(axis=0) + 1e-6))[:n_maps]
    return {f"map {m}": np.argsort(-maps[:, m])[:n_faces] for m in strongest}


def layers_table(results: Mapping[str, ExperimentResult]) -> pd.DataFrame:
    """Return ``faces, layer, features, value, low, high, difference, verdict`` of each set and layer.

    The last two are against layer 4: "better", "worse", "open", or "" for layer 4 itself.
    """
    tables = []
    for name, result in results.items():
        scores = result.scores.set_index("features")
        one, other = (scores[scores["score"] == score][["value", "low", "high"]] for score in ("accuracy", "minus_last"))
        table = one.rename_axis("layer").reset_index()
        table.insert(1, "features", table["layer"].map(result.settings["n_features"]))
        verdict = np.select([other["low"] > 0, other["high"] < 0], ["better", "worse"], "open")
        tables.append(table.assign(faces=name, difference=other["value"].to_numpy(),
                                   verdict=np.where(table["layer"] == _PAPERS, "", verdict)))
    joined = pd.concat(tables, ignore_index=True)
    return joined[["faces", "layer", "features", "value", "low", "high", "difference", "verdict"]]


def layers_summary(table: pd.DataFrame) -> dict[str, Any]:
    """Return the sets on which the paper's layer is the best single one, and how all layers together compare with it."""
    single, together = table[table["layer"] != "all"], table[table["layer"] == "all"]
    papers = single[single["layer"] == _PAPERS].set_index("faces")["value"]
    ahead = papers >= single.groupby("faces")["value"].max()[papers.index]
    return dict(n=len(papers), best=list(papers.index[ahead]), others=list(papers.index[~ahead]),
                higher=list(together["faces"][together["difference"] > 0]),
                better=list(together["faces"][together["verdict"] == "better"]),
                worse=list(together["faces"][together["verdict"] == "worse"]))
