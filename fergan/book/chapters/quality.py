"""Sample quality and mode collapse, scores beside their floors; and raters, who told real faces from generated ones."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import yaml

from fergan.book.plots import WIDTH, show_faces
from fergan.book.show import interval, mean_between, rounded, say, table_of
from fergan.human_study.answers import StudyResult
from fergan.human_study.study import KINDS, Study
from fergan.paper import read_table
from fergan.quality.judge import quality_rows

SCORE_WORDS = yaml.safe_load((Path(__file__).parent / "quality.yaml").read_text(encoding="utf-8"))

_PUBLISHED = ("inception_score", "frechet")
_VARIETY, _QUALITY = ("recall", "precision", "coverage"), ("frechet", "faces_found")  # what the table of generators shows
BACKBONE = "HOG"  # whose features generators are compared by

Records = Mapping[str, Mapping[str, Any]]  # generator -> what judge_collapse wrote


def rows_of_scores(scores: pd.DataFrame, backbone: str = BACKBONE) -> dict[str, Mapping[str, Any]]:
    """Return the rows of one backbone and of those scores that need none: score -> row."""
    rows = scores[scores["features"].isin([backbone, "pixels", "thumbnails", "MTCNN"])].to_dict("records")
    return {row["score"]: row for row in rows}


def scores_table(scores: pd.DataFrame, others: Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """Return one row per score of a generator: its value beside what real faces reach, of the same and of other people.

    With the scores of `others`, generators of further seeds, also over these, see `mean_between`.
    """
    rows = scores.to_dict("records")
    if "Inception" not in set(scores["features"]):  # what published scores rest on has its rows, though without numbers
        rows += quality_rows([{"features": "Inception", "score": name, "n": 0} for name in _PUBLISHED]).to_dict("records")
    decimals = [2 if row["score"] == "frechet" else 3 for row in rows]
    keys = ["features", "score"]
    values = pd.concat([of.set_index(keys)["value"] for of in (scores, *others)], axis=1)
    of_seeds = [{f"{len(others) + 1} seeds": mean_between(values.loc[tuple(row[key] for key in keys)], digits)}
                if others and row["n"] else {} for row, digits in zip(rows, decimals, strict=True)]
    return table_of([{"features": row["features"], "score": SCORE_WORDS["scores"][row["score"]], "n": row["n"] or None,
                      "samples": interval(row, digits), **spread, "real, same people": rounded(row["floor"], digits),
                      "real, other people": rounded(row["floor_people"], digits)}
                     for row, digits, spread in zip(rows, decimals, of_seeds, strict=True)]).astype({"n": "Int64"})


def generators_table(models: Iterable[str], scores: Mapping[str, pd.DataFrame], records: Records,
                     seeds: Mapping[str, Iterable[str]] | None = None) -> pd.DataFrame:
    """Return one row per generator: its verdict with what decided it, the variety of its thumbnails, quality, and people.

    In brackets stands what real faces reach, of the same and of other people. `seeds`: see `networks.of_seeds`.
    """
    rows, judged = [], {model: rows_of_scores(of) for model, of in scores.items()}
    for model in models:
        record, row, of, people = records.get(model), {"generator": model, "verdict": None}, {}, None
        if record:
            row["verdict"], people = say("quality", "verdict", record=record), record["people"]
            sides = {"value": record["found"], "floor": record["floor"], "floor_people": record["floor_people"] or {}}
            of = {score: {side: by.get(score) for side, by in sides.items()} for score in _VARIETY}
        of |= {score: judged.get(model, {}).get(score) for score in _QUALITY}
        row |= {SCORE_WORDS["scores"][score]: of.get(score) and _with_floors(of[score]) for score in (*_VARIETY, *_QUALITY)}
        row["people ↑"] = people and f"{people['n_found']} of {people['n_people']} ({people['expected']:.1f})"
        alike = (seeds or {}).get(model, ())
        over = {"coverage": [records[other]["found"]["coverage"] for other in alike if other in records],
                "frechet": [judged[other]["frechet"]["value"] for other in alike if "frechet" in judged.get(other, ())]}
        row |= {title: f"{row[title]}; {mean_between(values, 2)}, {len(values)}" for score, values in over.items()
                if len(values) > 1 and row[title := SCORE_WORDS["scores"][score]]}
        rows.append(row)
    return table_of(rows)


def _with_floors(row: Mapping[str, Any]) -> str | None:
    floors = [rounded(row[floor], 2) for floor in ("floor", "floor_people") if pd.notna(row[floor])]
    return None if pd.isna(row["value"]) else f"{rounded(row['value'], 2)} ({' / '.join(floors)})"


def by_verdict(records: Records) -> dict[str, list[str]]:
    """Return the generators of each verdict."""
    return {word: [model for model, record in records.items() if record["verdict"] == word]
            for word in ("varied", "collapsed", "diverged", "narrow", "unlike")}


def summary_values(scores: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return between what ends the scores of all generators lie, as the chapter's answer takes them."""
    every = pd.concat([pd.DataFrame(rows_of_scores(of).values()).assign(generator=name) for name, of in scores.items()])
    values = every.pivot(index="generator", columns="score", values="value")
    frechet = every[every["score"] == "frechet"].set_index("generator")
    ends = {"found": values["faces_found"], "recall": values.get("recall", pd.Series([np.nan])),
            **{name: frechet["value"] / frechet[name] for name in ("floor", "floor_people")}}
    return {name: (of.min(), of.max()) for name, of in ends.items()} | {
        "worst": values["faces_found"].idxmin(), "memorised": values["memorised"].max(), "backbone": BACKBONE}


def table_seven(scores: Mapping[str, pd.DataFrame], said_real: float = np.nan) -> pd.DataFrame:
    """Return the paper's Table VII with remarks, and a row for each of this book's generators, by name.

    Raters took a share `said_real` of samples of the first for real.
    """
    table = read_table("table7_sample_quality_rafd").assign(ours=False)
    for place, (model, of_model) in enumerate(scores.items()):
        raters = np.nan if place else 100 * said_real
        row = {"model": say("quality", "ours", model=model), "amt_percent": raters, "ours": True}
        of = of_model.set_index(["features", "score"])
        keys = {"is": ("Inception", _PUBLISHED[0]), "fid": ("Inception", _PUBLISHED[1]), "ssim": ("pixels", "ssim_nearest")}
        row |= {column: of["value"].get(key, np.nan) for column, key in keys.items()}
        row |= {"n": of.loc[keys["ssim"], "n"], "floor": of["floor"].get(keys["fid"], np.nan)}
        table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
    table = table.assign(unconditional=table["model"] == "DCGAN (paper)", impossible=table["is"] < 1)
    remarks = [say("quality", "remark", row=row) for row in table.to_dict("records")]
    names = {"model": "model", "is": "IS", "fid": "FID", "ssim": "SSIM", "amt_percent": "AMT (%)"}
    return table[list(names)].rename(columns=names).assign(remark=pd.Series(remarks, dtype=object))


# ---- raters

def _right(row: Mapping[str, float]) -> str:
    return interval((row["right"], row["low"], row["high"]))


def raters_table(result: StudyResult) -> pd.DataFrame:
    """Return one row per rater."""
    return table_of({
        "rater": row["rater"], "trials": row["n"], "right answers": _right(row), "p against chance": row["p"],
        "taken for real": row["said_real"], "catch trials right": row["caught"],
        "median ms": rounded(row["milliseconds"], 0), "counted": "yes" if row["counted"] else "no"}
        for row in result.raters.to_dict("records"))


def pooled_table(results: Mapping[str, StudyResult]) -> pd.DataFrame:
    """Return one row for each kind of study that raters have answered."""
    pooled = {kind: result for kind, result in results.items() if result.pooled}
    return table_of({
        "design": KINDS[kind], "raters": of.pooled["n_raters"], "trials": of.pooled["n"], "p against chance": of.pooled["p"],
        "taken for real (%)": 100 * of.pooled["said_real"], "Krippendorff’s α": of.alpha, "right answers": _right(of.pooled)}
        for kind, of in pooled.items())


def example_trials(study: Study, n: int = 6) -> plt.Figure:
    """Show the first trials of a sheet, an easy one among them, with the right answer below each."""
    trials = study.sheets[0][:n]
    if not any(trial.catch for trial in trials):
        trials = trials[:-1] + [trial for trial in study.sheets[0] if trial.catch][:1]
    figure, axes = plt.subplots(1, len(trials), figsize=(WIDTH, 1.15), squeeze=False)
    for ax, trial in zip(axes.flat, trials, strict=True):
        show_faces(ax, study.pictures[list(trial.pictures)], len(trial.pictures))
        ax.set_xlabel(trial.right_answer + (" (easy)" if trial.catch else ""), fontsize="small")
    return figure
