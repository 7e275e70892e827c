"""Tables of the last chapter, across all experiments."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.book.tables.action_units import papers_units, summary_of_aus
from fergan.book.tables.emotions import papers_emotions, summary_of_emotions
from fergan.book.tables.scores import protocol_words, score_of, score_of_table
from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult


def all_results(home: Path, emotions: str, units: str) -> tuple[dict[int, EmotionResult], dict[int, AUResult]]:
    """Load the results of the experiments whose numbers are listed, separated by commas."""
    def load(kind: str, cls: type, numbers: str) -> dict:
        return {int(n): cls.load(home / "results" / kind / f"experiment-{n}") for n in numbers.split(",") if n}

    return load("emotions", EmotionResult, emotions), load("action_units", AUResult, units)


def baseline_in_words(results: Mapping[int, EmotionResult], features: str = "hog") -> str:
    """Return the mean accuracy of other features on people never seen; "not run" where an experiment lacks them."""
    values = [score_of(result, SUBJECT_INDEPENDENT, features, "accuracy") for result in results.values()]
    mean = float(np.mean(values)) if values else float("nan")
    return "not run" if np.isnan(mean) else f"{mean:.3f}"


def first_experiment(
    emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult]
) -> tuple[str, EmotionResult | AUResult]:
    """Return the book's first experiment, on emotions where there is one, and what the text calls it."""
    if emotions:
        number, result = next(iter(emotions.items()))
        return f"emotion experiment {number}", result
    number, result = next(iter(units.items()))
    return f"Action Unit experiment {number}", result


def threshold_labels(result: EmotionResult | AUResult) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each label that some faces show and others do not, who shows it and the decision values.

    On people never seen, discriminator features; see `fergan.book.players.operating_points`.
    """
    table = result.select(SUBJECT_INDEPENDENT, "discriminator")
    if isinstance(result, EmotionResult):
        labels = {e: ((table["true"] == e).to_numpy(), table[f"value_{e}"].to_numpy()) for e in result.emotions}
    else:
        groups = table.dropna(subset=["occurrence", "value"]).groupby("label", sort=False)
        labels = {unit: ((rows["occurrence"] == 1).to_numpy(), rows["value"].to_numpy()) for unit, rows in groups}
    return {label: arrays for label, arrays in labels.items() if arrays[0].any() and not arrays[0].all()}


def paper_and_ours(
    emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult], emotions_left_out: str = "", aus_left_out: str = ""
) -> pd.DataFrame:
    """Return one row per experiment of either kind, the paper's number beside ours.

    Experiments that were left out, each given by its number and face sets (``"6 raf-db raf-db;8 sfew sfew"``), have a
    row that says so.
    """
    tables = []
    if emotions:
        table = summary_of_emotions(emotions).assign(kind="emotions, accuracy")
        tables.append(table.rename(columns={"faces of": "faces"}))
    if units:
        table = summary_of_aus(units).assign(kind="AUs, mean AUC")
        tables.append(table.assign(faces=table["trained on"] + " → " + table["tested on"]))
    for kind, listed in (("emotions, accuracy", emotions_left_out), ("AUs, mean AUC", aus_left_out)):
        rows = [_left_out_row(kind, *words.split()) for words in listed.split(";") if words]
        tables += [pd.DataFrame(rows)] if rows else []
    columns = ["kind", "experiment", "network of", "faces", "paper", *protocol_words.values(), "difference"]
    table = pd.concat(tables)[columns].sort_values(["kind", "experiment"], key=_kinds_in_order, kind="stable")
    return table.reset_index(drop=True)


def _kinds_in_order(column: pd.Series) -> pd.Series:
    return column.str.startswith("AUs") if column.name == "kind" else column


def _left_out_row(kind: str, experiment: str, pretrained: str, *faces: str) -> dict[str, object]:
    number = int(experiment)
    emotion = len(faces) == 1
    paper = papers_emotions(number, pretrained, *faces) if emotion else papers_units(number, pretrained, *faces)
    theirs = np.nan if paper is None else score_of_table(paper, "paper", "accuracy" if emotion else "auc")
    row = {"kind": kind, "experiment": number, "network of": pretrained, "faces": " → ".join(faces), "paper": theirs}
    return row | dict.fromkeys(protocol_words.values(), "left out: no data") | {"difference": np.nan}


def answer_of_results(emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult]) -> str:
    """Say how far the paper's mean scores and ours lie apart, over the experiments that the paper has too."""
    if not emotions and not units:
        return "This book has no experiment."
    table, words = paper_and_ours(emotions, units), []
    for (kind, score), results in ((("emotions", "accuracy"), emotions), (("Action Units", "auc"), units)):
        part = table[table["kind"].str.startswith("emotions" if kind == "emotions" else "AUs")].dropna(subset=["paper"])
        if part.empty:
            continue
        run = [results[number] for number in part["experiment"]]
        ours = [np.mean([score_of(result, p, "discriminator", score) for result in run]) for p in protocol_words]
        name = "mean accuracy" if kind == "emotions" else "mean area under the curve"
        plural = "s" if len(part) > 1 else ""
        theirs = part["paper"].mean()
        words.append(f"Over {len(part)} experiment{plural} on {kind}, the paper's {name} is {theirs:.3f}; here it is "
                     f"{ours[0]:.3f} as published and {ours[1]:.3f} on people never seen.")
    return " ".join(words) or "No experiment of this book is one of the paper's."
