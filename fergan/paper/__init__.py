"""The paper's own numbers, transcribed as CSV files, and what reads them.

Source: L. Alharbawee and N. Pugeault, *Generative Adversarial Networks for Facial Expression Recognition in the Wild*.
Every average was recomputed from the cells; where the paper contradicts itself the file holds what holds, and the
book says so. ``claims.csv`` holds the paper's claims and what tests each, ``cross_references.csv`` the figures and
references that are cited by a number which holds something else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fergan.facs import canonical_emotion

#: The areas on AU7 of a network of enhanced CK's faces with AU7 alone (section 4-B3).
AU7_ALONE = {"unit": "AU07", "dataset": "enhanced-ck", "train": 0.842, "test": 0.58}

#: Kind of experiment -> the table that lists the paper's, and the columns that name their face sets.
_EXPERIMENTS = {"emotions": ("emotion_experiments", ("pretrained", "target")),
                "units": ("table5_au_experiments", ("pretrained", "train", "test"))}


def read_table(name: str) -> pd.DataFrame:
    """Read one of the paper's tables as printed, for example ``"table4_au_auc"``; empty cells are NaN.

    Give the name as it is, not by a variable: a result then depends on the tables that its code names.
    """
    return pd.read_csv(Path(__file__).parent / f"{name}.csv")


def papers_own(kind: str, number: int, settings: Mapping[str, Any]) -> bool:
    """Return whether an experiment ("emotions" or "units") uses the face sets of the paper's experiment of that number."""
    name, columns = _EXPERIMENTS[kind]
    table = read_table(name).set_index("experiment")
    return number in table.index and all(settings[column] == table.loc[number, column] for column in columns)


def papers_scores(kind: str, number: int, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the paper's scores of an experiment, see `papers_own`: areas by label, their printed mean as "all".

    Those on emotions (Table II) have the ``"accuracy"`` of Fig. 6 beside them. Empty without such an experiment.
    """
    if not papers_own(kind, number, settings):
        return {}
    if kind == "units":
        return read_table("table4_au_auc").set_index("au")[f"exp{number}"].rename({"Average": "all"}).to_dict()
    areas = read_table("table2_emotion_auc").set_index("emotion")[f"exp{number}"].dropna()
    accuracy = read_table("fig6_emotion_accuracy").set_index("experiment").loc[number, "accuracy_percent"] / 100
    areas.index = ["all" if word == "Average" else canonical_emotion(word) for word in areas.index]
    return areas.to_dict() | {"accuracy": accuracy}
