"""Which Action Units transfer from one set to another."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from fergan.book.report import with_interval
from fergan.book.tables.action_units import papers_of
from fergan.book.tables.scores import protocol_words, row_of
from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.facs import ACTION_UNITS

_HONEST = (SUBJECT_INDEPENDENT, "discriminator")


def table_four(results: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return Table IV with both protocols: up to three rows per Action Unit (and the mean), one column per experiment.

    Rows without any area are left out.
    """
    rows = []
    for label in (*ACTION_UNITS, "all"):
        kinds = {"paper": None} | {words: protocol for protocol, words in protocol_words.items()}
        for words, protocol in kinds.items():
            row: dict[str, object] = {"AU": "mean" if label == "all" else label, "": words}
            for number, result in results.items():
                scores = papers_of(number, result) if protocol is None else result.scores
                found = {} if scores is None else row_of(scores, protocol or "paper", "discriminator", "auc", label)
                row[f"{number}"] = found.get("value", np.nan)
            rows.append(row)
    return pd.DataFrame(rows).dropna(how="all", subset=[str(number) for number in results]).reset_index(drop=True)


def transfer_table(results: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return one row per Action Unit that is scored from one set to another: ours, the paper's, and whether it transfers.

    "Yes" where the interval lies above chance in every experiment from one set to another, "no" where it does in none.
    """
    across = {n: r for n, r in results.items() if r.settings["train"] != r.settings["test"]}
    rows = []
    for label in ACTION_UNITS:
        found = {n: row_of(r.scores, *_HONEST, "auc", label) for n, r in across.items()}
        found = {n: row for n, row in found.items() if len(row) and not np.isnan(row["value"])}
        if not found:
            continue
        papers = {n: papers_of(n, across[n]) for n in found}
        theirs = [row_of(p, "paper", "discriminator", "auc", label)["value"] for p in papers.values() if p is not None]
        above = [row["low"] > 0.5 for row in found.values()]
        words = {f"{n}": with_interval(row["value"], row["low"], row["high"], 2) for n, row in found.items()}
        rows.append({"AU": label} | {f"experiment {n}": words.get(f"{n}", "–") for n in across} | {
            "mean": float(np.mean([row["value"] for row in found.values()])),
            "paper's mean": float(np.mean(theirs)) if theirs else np.nan,
            "above chance": "in all" if all(above) else f"in {sum(above)} of {len(above)}",
        })
    return pd.DataFrame(rows)


def rank_agreement(table: pd.DataFrame) -> tuple[float, int]:
    """Return Spearman's correlation of our mean areas with the paper's in a `transfer_table`, and over how many units."""
    known = table.dropna(subset=["mean", "paper's mean"]) if len(table) else table
    if len(known) < 3:
        return float("nan"), len(known)
    return float(spearmanr(known["mean"], known["paper's mean"]).statistic), len(known)
