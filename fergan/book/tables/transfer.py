"""Tables and sentences of the chapter on transfer between sets of faces."""

import numpy as np
import pandas as pd

from fergan.book.report import with_interval
from fergan.book.tables.scores import interval_of, row_of
from fergan.book.tables.words import compared, listed
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.transfer import OTHERS, TransferResult, rank_correlation

__all__ = [
    "answer_of_transfer", "cell_table", "marks_of", "no_better_than_commonest", "own_table", "pretraining_table",
    "size_correlation", "skipped_words",
]


def marks_of(listed: str) -> dict[tuple[str, str], str]:
    """Return (network, faces) -> number of experiments written as ``"1 enhanced-ck rafd-frontal;2 celeba rafd-frontal"``."""
    words = [experiment.split() for experiment in listed.split(";") if experiment]
    return {(pretrained, target): number for number, pretrained, target in words}


def skipped_words(skipped: dict[str, str]) -> str:
    """Return a sentence on the sets that cannot be classified; empty where all can."""
    return " ".join(f"{name} has no column: {reason}." for name, reason in skipped.items())


def cell_table(result: TransferResult) -> pd.DataFrame:
    """Return every cell with its interval: networks and baselines in rows, sets in columns, their sizes below."""
    targets = result.settings["targets"]
    rows = []
    for name in (*result.settings["networks"], OTHERS, *result.settings["baselines"]):
        cells = {t: interval_of(result.scores, SUBJECT_INDEPENDENT, name, "accuracy", t) for t in targets}
        rows.append({"features": name if name in result.settings["baselines"] + [OTHERS] else f"network of {name}"} | cells)
    majority = {t: row_of(result.scores, SUBJECT_INDEPENDENT, "none", "majority_accuracy", t) for t in targets}
    rows.append({"features": "commonest emotion"} | {t: f"{row['value']:.3f}" for t, row in majority.items()})
    one = result.predictions[result.predictions["features"] == result.settings["networks"][0]]
    sizes = one.groupby("target").agg(faces=("face", "size"), people=("subject", "nunique"))
    rows += [{"features": f"n {what}"} | {t: f"{sizes.loc[t, what]:,}" for t in targets} for what in ("faces", "people")]
    return pd.DataFrame(rows)


def own_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per set: its own network, those of other faces and the first baseline, with paired differences."""
    baseline = result.settings["baselines"][0]

    def row(words: str, target: str) -> dict[str, str]:
        def cell(features: str, score: str) -> str:
            return interval_of(result.scores, SUBJECT_INDEPENDENT, features, score, target)

        return {"faces of": words, "own network": cell(target, "accuracy"),
                "networks of other faces (mean)": cell(OTHERS, "accuracy"), "these minus own": cell(OTHERS, "minus_own"),
                f"these minus {baseline}": cell(OTHERS, f"minus_{baseline}")}

    return pd.DataFrame([*(row(t, t) for t in result.settings["targets"]), row("mean over sets", "all")])


def pretraining_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per network: how many faces it learnt, and its advantage on the sets that it did not."""
    rows = []
    for name, n_faces in result.settings["pretraining_faces"].items():
        row = row_of(result.scores, SUBJECT_INDEPENDENT, name, "advantage")
        advantage = with_interval(row["value"], row["low"], row["high"]) if len(row) else "–"
        rows.append({"network of": name, "faces learnt": n_faces, "advantage": advantage})
    return pd.DataFrame(rows).sort_values("faces learnt", ascending=False, kind="stable")


def size_correlation(result: TransferResult) -> str:
    """Return in words how the size of the pretraining set and the advantage of its network go together."""
    table = result.scores[result.scores["score"] == "advantage"].set_index("features")["value"]
    sizes = np.array([result.settings["pretraining_faces"][name] for name in table.index], dtype=float)
    rho, p_value = rank_correlation(sizes, table.to_numpy())
    if np.isnan(rho):
        return "too few networks, or all of sets of one size, to say whether size matters"
    return f"rank correlation {rho:+.2f} over {len(sizes)} networks, p = {p_value:.2f} by permuting the pairs"


def answer_of_transfer(result: TransferResult) -> str:
    """Say how networks of other faces compare with a set's own network and with the first baseline, mean over sets."""
    baseline = result.settings["baselines"][0]
    own, other = (row_of(result.scores, SUBJECT_INDEPENDENT, OTHERS, f"minus_{name}", "all") for name in ("own", baseline))
    words = [f"{compared(row['low'], row['high'])} {name} (difference in accuracy "
             f"{with_interval(*row[['value', 'low', 'high']])})"
             for name, row in (("the network of the set's own faces", own), (f"the baseline {baseline}", other)) if len(row)]
    if not words:
        return "No set has networks of other faces."
    table = result.scores
    cells = table[(table["features"] == OTHERS) & (table["score"] == "minus_own") & (table["label"] != "all")]
    ends = [f"{cells['value'].loc[place]:+.3f} on {cells['label'].loc[place]}"
            for place in (cells["value"].idxmin(), cells["value"].idxmax())] if len(cells) > 1 else []
    single = f" On single sets the first difference goes from {' to '.join(ends)}." if ends else ""
    return f"On average over sets, networks of other faces are {' and '.join(words)}.{single}"


def no_better_than_commonest(result: TransferResult) -> str:
    """Say on which sets no network is clearly better than always naming the commonest emotion."""
    found = []
    for target in result.settings["targets"]:
        majority = row_of(result.scores, SUBJECT_INDEPENDENT, "none", "majority_accuracy", target)["value"]
        rows = [row_of(result.scores, SUBJECT_INDEPENDENT, name, "accuracy", target) for name in result.settings["networks"]]
        if all(row["low"] <= majority for row in rows if len(row)):
            found.append(f"{target} ({majority:.3f})")
    if not found:
        return "On every set some network is clearly better than always naming the commonest emotion"
    return f"No network is clearly better than always naming the commonest emotion on {listed(found)}"
