"""Tables of the chapter on Action Units."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fergan.action_units import AUResult, paper_au_scores
from fergan.facs import ACTION_UNITS
from fergan.paper import read_table
from fergan.protocols import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.summaries.scores import interval_of, protocol_words, row_of, score_of, score_of_table

__all__ = ["au_table", "papers_units", "summary_of_aus"]


def papers_units(experiment: int, pretrained: str, train: str, test: str) -> pd.DataFrame | None:
    table = read_table("table5_au_experiments").set_index("experiment")
    if experiment not in table.index or tuple(table.loc[experiment]) != (pretrained, train, test):
        return None
    return paper_au_scores(experiment)


def au_table(result: AUResult, experiment: int) -> pd.DataFrame:
    """Return one row per Action Unit, and the mean: area under the curve beside the paper's, F1, prevalence."""
    settings = result.settings
    paper = papers_units(experiment, settings["pretrained"], settings["train"], settings["test"])
    with_truth = (result.scores["score"] == "auc_true").any()
    rows = []
    for label in (*ACTION_UNITS, "all"):
        row = {"AU": "mean" if label == "all" else label}
        theirs = {} if paper is None else row_of(paper, "paper", "discriminator", "auc", label)
        row["paper"] = theirs.get("value", np.nan)
        for protocol, words in protocol_words.items():
            row[words] = interval_of(result.scores, protocol, "discriminator", "auc", label)
        if with_truth:
            row["never seen, true AU"] = interval_of(result.scores, SUBJECT_INDEPENDENT, "discriminator", "auc_true", label)
        row["F1"] = score_of(result, SUBJECT_INDEPENDENT, "discriminator", "f1", label)
        row["prevalence"] = score_of(result, SUBJECT_INDEPENDENT, "discriminator", "prevalence", label)
        rows.append(row)
    return pd.DataFrame(rows)


def summary_of_aus(results: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return one row per Action Unit experiment: the paper's mean area under the curve beside ours."""
    rows = []
    for number, result in results.items():
        train, test = result.settings["train"], result.settings["test"]
        paper = papers_units(number, result.settings["pretrained"], train, test)
        theirs = np.nan if paper is None else score_of_table(paper, "paper", "auc")
        ours = {words: interval_of(result.scores, p, "discriminator", "auc") for p, words in protocol_words.items()}
        counted = row_of(result.scores, SUBJECT_INDEPENDENT, "discriminator", "auc")
        rows.append({"experiment": number, "network of": result.settings["pretrained"], "trained on": train,
                     "tested on": test, "AUs": int(counted["n_labels"]), "paper": theirs, **ours,
                     "difference": score_of(result, AS_PUBLISHED, "discriminator", "auc") - theirs})
    return pd.DataFrame(rows)
