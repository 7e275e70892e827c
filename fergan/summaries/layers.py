"""Tables of the page on single layers."""

from collections.abc import Mapping

import pandas as pd

__all__ = ["answer_of_layers", "best_layers", "layers_of_sets"]

_PAPERS = "4"  # the last hidden layer


def layers_of_sets(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of `fergan.layer_readout.layer_accuracies`: ``faces, layer, features, value, low, high, clear``."""
    joined = pd.concat([table.assign(faces=name) for name, table in tables.items()], ignore_index=True)
    clear = (joined["difference_low"] > 0) | (joined["difference_high"] < 0)
    joined = joined.rename(columns={"accuracy": "value"}).assign(clear=clear.map({True: "yes", False: "no"}))
    return joined[["faces", "layer", "features", "value", "low", "high", "clear"]]


def best_layers(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Count the sets on which the paper's layer is the best single one, and those on which all layers do better."""
    counts = {"last_is_best": 0, "all_is_better": 0, "all_is_clearly_better": 0}
    for table in tables.values():
        by_layer = table.set_index("layer")
        single, together = by_layer.drop("all")["accuracy"], by_layer.loc["all"]
        counts["last_is_best"] += int(single[_PAPERS] >= single.max())
        counts["all_is_better"] += int(together["difference"] > 0)
        counts["all_is_clearly_better"] += int(together["difference_low"] > 0)
    return counts


def answer_of_layers(tables: Mapping[str, pd.DataFrame]) -> str:
    """Say how often the paper's layer is the best one, and how often all of them together are better."""
    found, n = best_layers(tables), len(tables)
    return (f"The last hidden layer, which the paper takes, is the best single one on {found['last_is_best']} of {n} sets. "
            f"All layers together do better on {found['all_is_better']}, clearly so on {found['all_is_clearly_better']}.")
