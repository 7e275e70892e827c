"""Tables of the chapter on a network that learnt from the faces with one Action Unit."""

import numpy as np
import pandas as pd

from fergan.book.report import with_interval
from fergan.book.tables.scores import interval_of, protocol_words, row_of
from fergan.book.tables.words import listed
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.paper import AU7_ALONE

__all__ = ["areas_of_single_unit", "by_heart", "single_unit_reading", "single_unit_table"]

#: Feature set -> how the page calls the network behind it.
_NETWORKS = {"only": "faces with {unit} only", "all": "all faces", "untrained": "untrained"}


def areas_of_single_unit(scores: pd.DataFrame) -> dict[str, float]:
    """Return the areas in training and in test of the network of the positive faces, on people never seen."""
    chosen = scores[(scores["protocol"] == SUBJECT_INDEPENDENT) & (scores["features"] == "only")].set_index("score")["value"]
    return {"train": float(chosen["auc_train"]), "test": float(chosen["auc"])}


def single_unit_table(scores: pd.DataFrame, unit: str, dataset: str) -> pd.DataFrame:
    """Return one row per network and protocol: areas in training and in test, the paper's first where it has some."""
    rows = []
    if (unit, dataset) == (AU7_ALONE["unit"], AU7_ALONE["dataset"]):
        theirs = {f"in {part}": f"{AU7_ALONE[part]:.3f}" for part in ("train", "test")}
        rows.append({"network of": f"faces with {unit} only", "protocol": "the paper"} | theirs)
    for features in dict.fromkeys(scores["features"]):
        for protocol, words in protocol_words.items():
            areas = {"in train": interval_of(scores, protocol, features, "auc_train", unit),
                     "in test": interval_of(scores, protocol, features, "auc", unit)}
            rows.append({"network of": _NETWORKS[features].format(unit=unit), "protocol": words} | areas)
    return pd.DataFrame(rows)


def single_unit_reading(scores: pd.DataFrame, unit: str) -> str:
    """Say in a sentence how the network of the positive faces compares with the one of all faces, on people never seen."""
    only, everything = (row_of(scores, SUBJECT_INDEPENDENT, features, "auc", unit) for features in ("only", "all"))
    if np.isnan(only["value"]) or np.isnan(everything["value"]):
        return f"{unit} cannot be learnt here on people never seen: {only['note'] or everything['note']}"
    difference = row_of(scores, SUBJECT_INDEPENDENT, "all", "auc_difference", unit)
    words = {"better": "Nothing less", "worse": "Less", "open": "No less, as far as can be told"}
    kind = "better" if difference["low"] > 0 else "worse" if difference["high"] < 0 else "open"
    return (f"{words[kind]} than a network of all faces: on people never seen its features tell {unit} with an area of "
            f"{only['value']:.3f}, those of the network of all faces with {everything['value']:.3f} (difference "
            f"{with_interval(difference['value'], difference['low'], difference['high'])})")


def by_heart(scores: pd.DataFrame, unit: str) -> str:
    """Say how far the areas on the faces that were learnt lie above those on people never seen, for each network."""
    gaps = []
    for features in dict.fromkeys(scores["features"]):
        rows = (row_of(scores, SUBJECT_INDEPENDENT, features, score, unit) for score in ("auc_train", "auc"))
        learnt, unseen = (row.get("value", np.nan) for row in rows)
        if not np.isnan([learnt, unseen]).any():
            gaps.append(f"{learnt - unseen:.3f} with the network of {_NETWORKS[features].format(unit=unit)}"
                        if features != "untrained" else f"{learnt - unseen:.3f} with the untrained one")
    if not gaps:
        return "On people never seen no network has an area to compare with that on the faces it learnt"
    return f"On the faces that a detector learnt from its area is larger than on people never seen, by {listed(gaps)}"
