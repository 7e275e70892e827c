"""The paper's own numbers, transcribed as CSV files, and the one function that reads them.

Source: L. Alharbawee and N. Pugeault, *Generative Adversarial Networks for Facial Expression Recognition in the Wild*.
Every average was recomputed from the cells; where the paper contradicts itself the file holds what holds, and the
book says so.
"""

from importlib import resources

import pandas as pd

__all__ = ["TABLES", "read_table"]

TABLES = {
    "table1_datasets": "Table I: the public datasets",
    "table2_emotion_auc": "Table II: area under the curve per emotion and experiment",
    "table3_accuracy": "Table III: accuracy against other methods",
    "table4_au_auc": "Table IV: area under the curve per Action Unit and experiment",
    "table5_au_experiments": "Table V: what the eight Action Unit experiments train and test on",
    "table6_emotion_aus": "Table VI: the Action Units of each emotion",
    "table7_sample_quality_rafd": "Table VII: sample quality on RaFD",
    "fig6_confusion": "Fig. 6: the confusion matrices, rows by true class",
    "fig6_emotion_accuracy": "Fig. 6 and the text: accuracy per emotion experiment",
    "emotion_experiments": "Section 4-A: what the eight emotion experiments train and test on",
    "cross_references": "Figures and references that are cited by a number which holds something else",
    "claims": "The paper's claims, and what tests each",
}


def read_table(name: str) -> pd.DataFrame:
    """Read one of the paper's tables.

    Parameters
    ----------
    name : str
        A key of `TABLES`, for example ``"table4_au_auc"``.

    Returns
    -------
    DataFrame
        The table as printed in the paper; empty cells are NaN.
    """
    if name not in TABLES:
        raise ValueError(f"paper table {name!r} does not exist; choose one of {', '.join(TABLES)}")
    with resources.files(__package__).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
