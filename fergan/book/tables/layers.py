"""Tables of the page on single layers."""

from collections.abc import Mapping

import pandas as pd

from fergan.book.tables.words import counted, listed
from fergan.experiments.scores import ExperimentResult

__all__ = ["accuracies", "answer_of_layers", "best_layers", "layers_of_sets"]

_PAPERS = "4"  # the last hidden layer


def accuracies(result: ExperimentResult) -> pd.DataFrame:
    """Return ``layer, features, accuracy, low, high, difference, difference_low, difference_high`` of a set's layers."""
    scores = result.scores.set_index("features")
    one, other = (scores[scores["score"] == name][["value", "low", "high"]] for name in ("accuracy", "minus_last"))
    one.columns, other.columns = ["accuracy", "low", "high"], ["difference", "difference_low", "difference_high"]
    table = one.join(other).rename_axis("layer").reset_index()
    table.insert(1, "features", table["layer"].map(result.settings["n_features"]))
    return table


def layers_of_sets(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of `accuracies`: ``faces, layer, features, value, low, high, clear``."""
    joined = pd.concat([table.assign(faces=name) for name, table in tables.items()], ignore_index=True)
    clear = (joined["difference_low"] > 0) | (joined["difference_high"] < 0)
    words = clear.map({True: "yes", False: "no"}).where(joined["layer"] != _PAPERS, "–")
    joined = joined.rename(columns={"accuracy": "value"}).assign(clear=words)
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
    """Say on which sets the paper's layer is the best single one, and on which all of them together do better or worse."""
    best = [name for name, table in tables.items() if best_layers({name: table})["last_is_best"]]
    together = {name: table.set_index("layer").loc["all"] for name, table in tables.items()}
    better = [name for name, row in together.items() if row["difference_low"] > 0]
    worse = [name for name, row in together.items() if row["difference_high"] < 0]
    others = [name for name in tables if name not in best]
    where = "on every set" if not others else f"on {counted(len(best), len(tables))} sets, not on {listed(others)}"
    return (f"The paper takes the last hidden layer, and it is the best single one {where}. All layers together are clearly "
            f"better than it on {listed(better)} of these sets, and clearly worse on {listed(worse)}.")
