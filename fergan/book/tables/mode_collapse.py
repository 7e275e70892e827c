"""Tables of the chapter on mode collapse."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fergan.book.tables.words import counted, listed
from fergan.gan.runs import Run

__all__ = [
    "answer_of_variety", "coverage_table", "people_table", "share_tables", "shares_test_table", "variety_over_training",
    "verdict_table",
]


def verdict_table(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per generator: its verdict, and its variety beside that of real faces."""
    rows = []
    for model, record in records.items():
        row = {"generator": model, "verdict": record["verdict"]}
        for score in ("spread", "recall", "coverage", "precision", "repeats"):
            row[score] = f"{record['found'][score]:.2f} ({record['floor'][score]:.2f})"
        rows.append(row | {"n": record["found"]["n"]})
    return pd.DataFrame(rows)


def variety_over_training(runs: Mapping[str, Run]) -> dict[str, pd.DataFrame]:
    """Return each generator's looks with spread, recall and coverage as shares of their floors."""
    looks = {}
    for model, run in runs.items():
        seen = run.snapshots
        floors = {score: seen[score] / seen[f"{score}_floor"] for score in ("spread", "recall", "coverage")}
        looks[model] = seen.assign(**floors)
    return looks


def share_tables(records: Mapping[str, Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the shares of emotions of each generator whose set is labelled."""
    return {model: pd.DataFrame(r["classes"]["table"]) for model, r in records.items() if r["classes"]}


def shares_test_table(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per generator whose set is labelled: whether its samples show the emotions as often as its faces do."""
    rows = []
    for model, record in records.items():
        if not record["classes"]:
            continue
        classes = record["classes"]
        table = pd.DataFrame(classes["table"])
        table["ratio"] = table["generated"] / table["real"]
        lost = table[table["high"] < table["real"]].sort_values("ratio")
        rows.append({
            "generator": model, "accuracy of the classifier": classes["accuracy"], "Cramér's V": classes["cramers_v"],
            "p": "< .001" if classes["p_value"] < 0.001 else f"{classes['p_value']:.3f}",
            "too rare among samples": ", ".join(lost["label"]) or "none",
        })
    columns = ["generator", "accuracy of the classifier", "Cramér's V", "p", "too rare among samples"]
    return pd.DataFrame(rows or [dict.fromkeys(columns, "–")], columns=columns)


def coverage_table(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per generator of a labelled set: how much of each emotion its samples cover, in brackets the floor."""
    rows = []
    for model, record in records.items():
        if by_emotion := record["coverage_by_emotion"]:
            cells = {row["label"]: f"{row['coverage']:.2f} ({row['floor']:.2f})" for row in by_emotion}
            rows.append({"generator": model} | cells)
    return pd.DataFrame(rows).fillna("–")


def people_table(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per generator whose set has several faces of a person: how many people its samples are nearest to."""
    rows = []
    for model, record in records.items():
        if people := record["people"]:
            bare = [row for row in record["coverage_by_person"] or [] if not row["coverage"] and row["floor"]]
            rows.append({"generator": model, "people": people["n_people"], "not covered": len(bare),
                         "found": people["n_found"],
                         "expected": f"{people['expected']:.1f} [{people['low']:.0f}, {people['high']:.0f}]",
                         "largest share": people["largest_share"], "samples": people["n_generated"]})
    return pd.DataFrame(rows)


def answer_of_variety(records: Mapping[str, Mapping[str, Any]], provoked: str = "") -> str:
    """Say which generators draw the variety of their faces, which do not, and whether the provoked collapse was seen."""
    meant = {model: record["verdict"] for model, record in records.items() if model != provoked}
    by_word = {word: [model for model in meant if meant[model] == word] for word in ("collapsed", "narrow", "unlike")}
    says = {"collapsed": "few faces again and again", "narrow": "variety is lost",
            "unlike": "too unlike the real faces to say"}
    varied = sum(verdict == "varied" for verdict in meant.values())
    others = [f"{listed(models)} ({says[word]})" for word, models in by_word.items() if models]
    words = f"{counted(varied, len(meant))} generators draw the variety of their faces"
    words += f"; not {'; '.join(others)}." if others else "."
    if provoked in records:
        seen = "is seen" if records[provoked]["verdict"] == "collapsed" else "is not seen"
        words += f" The collapse that was provoked to try the measures on {seen}: {records[provoked]['reason']}."
    return f"{words[:1].upper()}{words[1:]}"
