"""Tables of the chapter on Action Units."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from fergan.book.report import with_interval
from fergan.book.tables.scores import interval_of, protocol_words, row_of, score_of, score_of_table
from fergan.book.tables.words import percent, ranged
from fergan.experiments.action_units import MAIN, TRUTH, AUResult, paper_au_scores
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTION_MAPPINGS, EMOTIONS, label_groups
from fergan.paper import read_table

__all__ = [
    "MAPPING_WORDS", "answer_of_unit_experiment", "answer_of_units", "areas_in_words", "au_table", "difference_of",
    "emotion_or_unit", "emotion_or_unit_means", "emotions_part", "identical_units", "mapping_table", "papers_of",
    "papers_units", "reading_of", "summary_of_aus", "table_of_means", "variants_table",
]

#: How the pages call the mappings of emotions to Action Units.
MAPPING_WORDS = {"paper": "Table VI", "emfacs": "EMFACS"}

_HONEST = (SUBJECT_INDEPENDENT, "discriminator")


def papers_units(experiment: int, pretrained: str, train: str, test: str) -> pd.DataFrame | None:
    table = read_table("table5_au_experiments").set_index("experiment")
    if experiment not in table.index or tuple(table.loc[experiment]) != (pretrained, train, test):
        return None
    return paper_au_scores(experiment)


def papers_of(experiment: int, result: AUResult) -> pd.DataFrame | None:
    """Return the paper's scores of the same experiment; None where it has none on these sets."""
    return papers_units(experiment, *(result.settings[key] for key in ("pretrained", "train", "test")))


def difference_of(result: AUResult, paper: pd.DataFrame | None, label: str = "all") -> str:
    """Return our area as published minus the paper's, with our interval; the paper gives none."""
    theirs = {} if paper is None else row_of(paper, "paper", "discriminator", "auc", label)
    ours = row_of(result.scores, AS_PUBLISHED, "discriminator", "auc", label)
    if not len(theirs) or not len(ours):
        return "–"
    return with_interval(*(ours[column] - theirs["value"] for column in ("value", "low", "high")))


def au_table(result: AUResult, experiment: int) -> pd.DataFrame:
    """Return one row per Action Unit, and the mean: areas under the curve beside the paper's, then the other scores."""
    paper = papers_of(experiment, result)
    known = set(result.scores["score"])
    rows = []
    for label in (*ACTION_UNITS, "all"):
        theirs = {} if paper is None else row_of(paper, "paper", "discriminator", "auc", label)
        row = {"AU": "mean" if label == "all" else label, "paper": theirs.get("value", np.nan)}
        for protocol, words in protocol_words.items():
            row[words] = interval_of(result.scores, protocol, "discriminator", "auc", label)
        row["difference"] = difference_of(result, paper, label)
        if "auc_true" in known:
            row["never seen, true AU"] = interval_of(result.scores, *_HONEST, "auc_true", label)
        row["average precision"] = score_of(result, *_HONEST, "average_precision", label)
        row["F1"] = score_of(result, *_HONEST, "f1", label)
        row["prevalence"] = score_of(result, *_HONEST, "prevalence", label)
        if "icc" in known:
            row["ICC"] = interval_of(result.scores, *_HONEST, "icc", label)
        rows.append(row)
    return pd.DataFrame(rows)


def mapping_table() -> pd.DataFrame:
    """Return which emotions show which Action Unit, by each mapping."""
    table = pd.DataFrame(AU_MEANINGS.items(), columns=["AU", "movement"])
    for name, mapping in EMOTION_MAPPINGS.items():
        shown_by = [[emotion for emotion in EMOTIONS if unit in mapping[emotion]] for unit in table["AU"]]
        table[MAPPING_WORDS[name]] = [", ".join(emotions) or "–" for emotions in shown_by]
    return table


def identical_units(results: Mapping[str, AUResult], emotions: Iterable[str], experiment: int) -> pd.DataFrame:
    """Return what becomes of Action Units that are derived from emotions: which are one label, and their scores.

    One row for each label that several Action Units share or that a single emotion gives; in the last columns the paper's
    areas of these Action Units, and ours.
    """
    main = results[MAIN]
    derived = main.settings["relabel_test"] or main.settings["relabel_train"]
    paper, emotions, rows = papers_of(experiment, main), list(emotions), []
    for variant, result in results.items():
        mapping = variant or derived
        if variant == TRUTH:
            continue
        for units, shown_by in label_groups(emotions, mapping):
            if len(units) == 1 and len(shown_by) > 1:
                continue
            known = () if paper is None or mapping != "paper" else units
            theirs = {f"{row_of(paper, 'paper', 'discriminator', 'auc', unit)['value']:.3f}" for unit in known}
            ours = {f"{score_of(result, AS_PUBLISHED, 'discriminator', 'auc', unit):.3f}" for unit in units}
            rows.append({
                "mapping": MAPPING_WORDS[mapping], "Action Units": ", ".join(units), "shown by": ", ".join(shown_by),
                "so they detect": shown_by[0] if len(shown_by) == 1 else "any of these",
                "paper": ", ".join(sorted(theirs)) or "–",
                "as published": ", ".join(sorted(ours)),
            })
    return pd.DataFrame(rows)


def variants_table(results: Mapping[str, AUResult]) -> pd.DataFrame:
    """Return the areas on people never seen by every mapping, against derived labels and, where known, against the truth."""
    derived = results[MAIN].settings["relabel_test"] or results[MAIN].settings["relabel_train"]
    rows = []
    for label in (*ACTION_UNITS, "all"):
        row: dict[str, object] = {"AU": "mean" if label == "all" else label}
        for variant, result in results.items():
            if variant == TRUTH:
                row["trained on true AUs"] = interval_of(result.scores, *_HONEST, "auc", label)
                continue
            words = MAPPING_WORDS[variant or derived]
            row[words] = interval_of(result.scores, *_HONEST, "auc", label)
            if (result.scores["score"] == "auc_true").any():
                row[f"{words}, true AU"] = interval_of(result.scores, *_HONEST, "auc_true", label)
        rows.append(row)
    return pd.DataFrame(rows)


#: What the scores of `emotion_or_unit` are called: name -> (variant, features, score).
_SIDES = {
    "against derived labels": (MAIN, "discriminator", "auc"),
    "against true AUs": (MAIN, "discriminator", "auc_true"),
    "knows the emotion only": (MAIN, "emotion", "auc_true"),
    "trained on true AUs": (TRUTH, "discriminator", "auc_true"),
}
_WITHIN = {
    "against true AUs": (MAIN, "discriminator", "auc_true_within"),
    "trained on true AUs": (TRUTH, "discriminator", "auc_true_within"),
}


def emotion_or_unit(results: Mapping[str, AUResult], labels: Iterable[str] = (*ACTION_UNITS, "all")) -> pd.DataFrame:
    """Return the scores that set emotion and Action Unit apart, on people never seen.

    Returns
    -------
    DataFrame
        Columns ``AU``, ``detector`` (against what it is scored, or what it knows), ``pairs`` ("all" or "one emotion"),
        ``value, low, high``. Empty where the truth is not known.
    """
    rows = []
    for pairs, sides in (("all", _SIDES), ("one emotion", _WITHIN)):
        for words, (variant, features, score) in sides.items():
            for label in labels if variant in results else ():
                found = row_of(results[variant].scores, SUBJECT_INDEPENDENT, features, score, label)
                if len(found):
                    rows.append({"AU": "mean" if label == "all" else label, "detector": words, "pairs": pairs}
                                | {column: found[column] for column in ("value", "low", "high")})
    table = pd.DataFrame(rows, columns=["AU", "detector", "pairs", "value", "low", "high"])
    return table if (table["detector"] == "against true AUs").any() else table.iloc[:0]


def _mean_of(table: pd.DataFrame, detector: str, pairs: str) -> float:
    """Return a mean over Action Units of `emotion_or_unit`, that of several experiments averaged; NaN without one."""
    chosen = table[(table["AU"] == "mean") & (table["detector"] == detector) & (table["pairs"] == pairs)]
    return float(chosen["value"].mean()) if len(chosen) else float("nan")


def reading_of(table: pd.DataFrame) -> str:
    """Say in a sentence what the means of `emotion_or_unit` say; where there are several, their means."""

    derived, true = _mean_of(table, "against derived labels", "all"), _mean_of(table, "against true AUs", "all")
    if np.isnan(true):
        return "The true Action Units behind derived labels are not known here: emotion and Action Unit cannot be told apart"
    oracle, within = _mean_of(table, "knows the emotion only", "all"), _mean_of(table, "against true AUs", "one emotion")
    words = (f"On average the detectors reach {derived:.3f} against the labels they are tested on and {true:.3f} against "
             f"the true Action Units; knowing the emotion and nothing else would reach {oracle:.3f}. Among faces of one "
             f"emotion they reach {within:.3f}")
    learnt = _mean_of(table, "trained on true AUs", "one emotion")
    return words if np.isnan(learnt) else f"{words}, and detectors that learnt the true Action Units {learnt:.3f}"


def emotion_or_unit_means(experiments: Mapping[int, Mapping[str, AUResult]]) -> pd.DataFrame:
    """Return `emotion_or_unit`'s means of every experiment whose truth is known, with a column ``experiment``."""
    tables = [emotion_or_unit(results, ["all"]).assign(experiment=f"experiment {n}") for n, results in experiments.items()]
    return pd.concat(tables, ignore_index=True)


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


def table_of_means(results: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return `summary_of_aus` with the interval of each difference."""
    differences = [difference_of(result, papers_of(number, result)) for number, result in results.items()]
    return summary_of_aus(results).assign(difference=differences)


def answer_of_unit_experiment(results: Mapping[str, AUResult], experiment: int) -> str:
    """Say what mean area one experiment reaches, beside the paper's, and how much of it goes with the emotion."""
    result = results[MAIN]
    never, published = (interval_of(result.scores, p, "discriminator", "auc") for p in (SUBJECT_INDEPENDENT, AS_PUBLISHED))
    paper = papers_of(experiment, result)
    theirs = "" if paper is None else f" (the paper: {score_of_table(paper, 'paper', 'auc'):.3f})"
    counted = int(row_of(result.scores, SUBJECT_INDEPENDENT, "discriminator", "auc")["n_labels"])
    words = (f"On people never seen the mean area under the curve over {counted} Action Units is {never}, where guessing "
             f"gives .5; as published {published}{theirs}.")
    part = emotions_part(emotion_or_unit(results, ["all"]))
    return f"{words} {part}." if part else words


def answer_of_units(experiments: Mapping[int, Mapping[str, AUResult]]) -> str:
    """Say what mean areas are reached within one set and from one set to another, and how much goes with the emotion."""
    words = areas_in_words({number: results[MAIN] for number, results in experiments.items()})
    part = emotions_part(emotion_or_unit_means(experiments))
    return f"{words} {part}." if part else words


def areas_in_words(results: Mapping[int, AUResult]) -> str:
    """Say between what mean areas the experiments lie, those within one set and those from one set to another."""
    if not results:
        return "This book has no experiment on Action Units."
    areas: dict[str, list[float]] = {}
    for result in results.values():
        where = "within one set" if result.settings["train"] == result.settings["test"] else "from one set to another"
        areas.setdefault(where, []).append(score_of(result, SUBJECT_INDEPENDENT, "discriminator", "auc"))
    spans = [f"{ranged(min(values), max(values))} {where}" for where, values in areas.items()]
    return f"On people never seen the mean area under the curve is {' and '.join(spans)}; guessing gives .5."


def emotions_part(table: pd.DataFrame) -> str:
    """Say in plain words how much of the area above chance goes with the emotion; empty where the truth is not known.

    Knowing the emotion does not help to order faces of one emotion, so that what a detector keeps there of its area
    above one half is not emotion recognition: the share that is lost is what goes with it.
    """
    true, within, oracle = (_mean_of(table, *key) for key in (
        ("against true AUs", "all"), ("against true AUs", "one emotion"), ("knows the emotion only", "all")))
    if np.isnan([true, within, oracle]).any() or true <= 0.5:
        return ""
    lost = min(max(1 - (within - 0.5) / (true - 0.5), 0.0), 1.0)
    n = table.get("experiment", pd.Series(dtype=str)).nunique()
    where = f"On relabelled faces ({n} experiments)" if n > 1 else "On these relabelled faces"
    return (f"{where} {percent(lost)} of what the area has above guessing is emotion recognition: scored by the true Action "
            f"Units, it falls from {true:.3f} to {within:.3f} when only faces that show the same emotion are compared. Over "
            f"all faces an oracle that knows the emotion and nothing else would reach {oracle:.3f}")
