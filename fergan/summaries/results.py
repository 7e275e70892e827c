"""Tables of the last chapter, across all experiments."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.action_units import AUResult
from fergan.emotions import EmotionResult
from fergan.protocols import SUBJECT_INDEPENDENT
from fergan.report import with_interval
from fergan.results import ExperimentResult
from fergan.summaries.action_units import papers_units, summary_of_aus
from fergan.summaries.emotions import papers_emotions, summary_of_emotions
from fergan.summaries.scores import protocol_words, row_of, score_of_table

__all__ = ["all_results", "first_experiment", "orderings", "paper_and_ours", "threshold_labels"]


def all_results(home: Path, emotions: str, units: str) -> tuple[dict[int, EmotionResult], dict[int, AUResult]]:
    """Load the results of the experiments whose numbers are listed, separated by commas."""
    def load(kind: str, cls: type, numbers: str) -> dict:
        return {int(n): cls.load(home / "results" / kind / f"experiment-{n}") for n in numbers.split(",") if n}

    return load("emotions", EmotionResult, emotions), load("action_units", AUResult, units)


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

    On people never seen, discriminator features; see `fergan.threshold.operating_points`.
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


#: Orderings that the paper reports: (what, kind, better experiment, worse experiment).
_ORDERINGS = (
    ("a network of enhanced CK gives the best accuracy on frontal faces", "emotions", 1, 5),
    ("much more data in pretraining is an improvement", "emotions", 2, 1),
    ("frontal faces are easier than multi-view ones", "emotions", 1, 3),
    ("pretraining on the multi-view faces themselves is worse still", "emotions", 3, 4),
    ("acted faces in the laboratory are easier than faces in the wild", "emotions", 5, 6),
    ("small, film-like sets suffer most", "emotions", 6, 8),
    ("relabelled faces give better Action Units than coded ones", "units", 2, 1),
    ("within one set is easier than from one set to another", "units", 1, 7),
)


def orderings(emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult]) -> pd.DataFrame:
    """Compare the order of experiments in the paper with the order here, on people never seen.

    Rows whose experiments this book has not run as the paper did are left out. "Holds" and "reversed" are said only
    where the two intervals do not overlap.
    """
    rows = []
    for claim, kind, better, worse in _ORDERINGS:
        results, score = (emotions, "accuracy") if kind == "emotions" else (units, "auc")
        pair = [results.get(number) for number in (better, worse)]
        if any(result is None for result in pair) or not all(map(_is_papers, (better, worse), pair)):
            continue
        first, second = (row_of(result.scores, SUBJECT_INDEPENDENT, "discriminator", score) for result in pair)
        clear = first["low"] > second["high"] or second["low"] > first["high"]
        verdict = ("holds" if first["value"] > second["value"] else "reversed") if clear else "not decided"
        name = "emotion" if kind == "emotions" else "AU"
        rows.append({"the paper": claim, "compared": f"{name} experiments {better} and {worse}",
                     "first": with_interval(first["value"], first["low"], first["high"]),
                     "second": with_interval(second["value"], second["low"], second["high"]), "here": verdict})
    columns = ["the paper", "compared", "first", "second", "here"]
    return pd.DataFrame(rows or [dict.fromkeys(columns, "–")], columns=columns)


def _is_papers(number: int, result: ExperimentResult) -> bool:
    settings = result.settings
    if "target" in settings:
        return papers_emotions(number, settings["pretrained"], settings["target"]) is not None
    return papers_units(number, settings["pretrained"], settings["train"], settings["test"]) is not None
