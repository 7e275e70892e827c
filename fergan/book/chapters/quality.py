"""Sample quality and mode collapse: tables of scores beside their floors, and the figures behind them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH, generator_styles
from fergan.book.show import interval, rounded, say
from fergan.gan.runs import Run
from fergan.paper import read_table
from fergan.quality.distances import Extrapolation

SCORE_WORDS = yaml.safe_load((Path(__file__).parent / "quality.yaml").read_text(encoding="utf-8"))

_DECIMALS = {"frechet": 2, "frechet_infinite": 2, "kernel": 4}  # that a score needs
_NUMBERS = ("value", "low", "high", "floor")
_PUBLISHED = ("inception_score", "frechet")
_STYLES = {"samples": dict(color="C0", marker="o"), "real faces": dict(color="0.35", marker="s")}
BACKBONE = "HOG"  # whose features generators are compared by


def _table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of rows; texts stay objects, as a column of strings would forget which ones are Markdown already."""
    with pd.option_context("future.infer_string", False):
        return pd.DataFrame(rows)


# ---- sample quality

def rows_of_scores(scores: pd.DataFrame, backbone: str = BACKBONE) -> dict[str, Mapping[str, Any]]:
    """Return the rows of one backbone and of those scores that need none: score -> row."""
    rows = scores[scores["features"].isin([backbone, "pixels", "thumbnails", "MTCNN"])].to_dict("records")
    return {row["score"]: row for row in rows}


def quality_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per score of a generator: its value beside what real faces reach."""
    rows = scores.to_dict("records")
    if "Inception" not in set(scores["features"]):  # what published scores rest on has its rows, though without numbers
        rows += [dict.fromkeys(_NUMBERS, np.nan) | {"features": "Inception", "score": name} for name in _PUBLISHED]
    decimals = [_DECIMALS.get(row["score"], 3) for row in rows]
    return _table([{"features": row["features"], "score": SCORE_WORDS["scores"][row["score"]],
                    "samples": interval(row, digits), "real faces": rounded(row["floor"], digits)}
                   for row, digits in zip(rows, decimals, strict=True)])


def records_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what the scores rest on, one row for those that rest on the same."""
    columns = {"features": "features", "side": "pixels", "weights": "weights", "n_generated": "n generated",
               "n_real": "n real", "splits": "parts", "interval": "interval", "rank": "rank"}
    rows = [{column: key[k] or None for k, column in enumerate(columns.values())}
            | {"scores": ", ".join(SCORE_WORDS["scores"][name].rstrip(" ↑↓") for name in part["score"])}
            for key, part in scores.assign(weights=scores["weights"].str[:8]).groupby(list(columns), sort=False)]
    return _table(rows).astype({"rank": "Int64"})


def summary_table(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per generator: some scores, in brackets what real faces reach."""
    shown = ("faces_found", "frechet", "kernel", "precision", "recall", "memorised")
    return _table({"generator": name} | {
        SCORE_WORDS["scores"][score]: _with_floor(of[score], digits=_DECIMALS.get(score, 2)) if score in of else None
        for score in shown} for name, of in zip(scores, map(rows_of_scores, scores.values()), strict=True))


def _with_floor(row: Mapping[str, float], value: str = "value", digits: int = 2) -> str | None:
    return None if pd.isna(row[value]) else f"{rounded(row[value], digits)} ({rounded(row['floor'], digits)})"


def summary_values(scores: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return between what ends the scores of all generators lie, as the chapter's answer takes them."""
    all_of = {name: rows_of_scores(table) for name, table in scores.items()}

    def values(score: str, column: str = "value") -> pd.Series:
        return pd.Series({name: rows[score][column] for name, rows in all_of.items() if score in rows}, dtype=float).dropna()

    found, ratio = values("faces_found"), values("frechet") / values("frechet", "floor")
    ends = {name: (of.min(), of.max()) for name, of in (("found", found), ("recall", values("recall")), ("ratio", ratio))}
    return ends | {"worst": found.idxmin(), "memorised": values("memorised").max(), "backbone": BACKBONE}


def table_seven(scores: pd.DataFrame | None, model: str | None, said_real: float = np.nan) -> pd.DataFrame:
    """Return Table VII of the paper, with a remark on what can be compared, and a row for a generator of this book's.

    `said_real` is how often raters took its samples for real; NaN without raters.
    """
    table = read_table("table7_sample_quality_rafd").assign(ours=False)
    if scores is not None:
        row = {"model": say("quality", "ours", model=model), "amt_percent": 100 * said_real, "ours": True}
        of = scores.set_index(["features", "score"])
        keys = {"is": ("Inception", _PUBLISHED[0]), "fid": ("Inception", _PUBLISHED[1]), "ssim": ("pixels", "ssim_nearest")}
        row |= {column: of["value"].get(key, np.nan) for column, key in keys.items()}
        row |= {"n": of.loc[keys["ssim"], "n_generated"], "floor": of["floor"].get(keys["fid"], np.nan)}
        table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
    table = table.assign(unconditional=table["model"] == "DCGAN (paper)", impossible=table["is"] < 1)
    remarks = [say("quality", "remark", row=row) for row in table.to_dict("records")]
    names = {"model": "model", "is": "IS", "fid": "FID", "ssim": "SSIM", "amt_percent": "AMT (%)"}
    return table[list(names)].rename(columns=names).assign(remark=pd.Series(remarks, dtype=object))


def frechet_against_n(curves: Mapping[str, Mapping[str, Extrapolation]]) -> Figure:
    """Draw Frechet distances over one over the number of faces, and lines up to endless faces: backbone -> side -> line."""
    figure, axes = plt.subplots(1, len(curves), figsize=(WIDTH, 3.2), squeeze=False)
    for ax, (backbone, lines) in zip(axes.flat, curves.items(), strict=True):
        for side, found in lines.items():
            style = _STYLES[side]
            ends = np.array([0, 1 / found.n.min()])
            ax.plot(1 / found.n, found.distance, linestyle="", markersize=4.5, label=f"{side} to real faces", **style)
            ax.plot(ends, found.infinite + found.slope * ends, "--", color=style["color"], linewidth=1)
            ax.errorbar(0, found.infinite, yerr=found.high - found.infinite, capsize=3, markersize=6, mfc="white", zorder=5,
                        **style)
        ticks = np.unique(next(iter(lines.values())).n[[0, len(found.n) // 2, -1]])
        ax.set_xticks([0, *(1 / ticks)], ["∞", *(f"{n:,}" for n in ticks)])
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.set(title=backbone, xlabel="faces on either side, n")
        ax.set_xlim(-0.03 / found.n.min(), None)
    axes[0, 0].set_ylabel("Fréchet distance")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def distributions_of_samples(distributions: Mapping[str, Mapping[str, np.ndarray]], line: float) -> Figure:
    """Draw the distributions of scores over samples and real faces, as cumulative shares; `line` marks the first panel."""
    figure, axes = plt.subplots(1, len(distributions), figsize=(WIDTH, 2.9), sharey=True, squeeze=False)
    for ax, (measured, sides) in zip(axes.flat, distributions.items(), strict=True):
        for side, values in sides.items():
            ax.ecdf(values, color=_STYLES[side]["color"], linestyle="-" if side == "samples" else "--", label=side)
        ax.set_xlabel(SCORE_WORDS["distributions"][measured], fontsize="small")
    axes[0, 0].axvline(line, color="C3", linewidth=1.2, linestyle=":", label="memorised below")
    axes[0, 0].set_ylabel("share at or below")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def generators_against_floors(
    scores: Mapping[str, pd.DataFrame], shown: Sequence[str] = ("frechet", "precision", "recall", "coverage")
) -> Figure:
    """Draw scores of all generators with their intervals, and their floors beside them."""
    figure, axes = plt.subplots(1, len(shown), figsize=(WIDTH, 1.2 + 0.27 * len(scores)), sharey=True, squeeze=False)
    for ax, score in zip(axes.flat, shown, strict=True):
        part = pd.DataFrame([rows_of_scores(table).get(score, dict.fromkeys(_NUMBERS, np.nan)) for table in scores.values()])
        errors = np.maximum(0, [part["value"] - part["low"], part["high"] - part["value"]])
        places = np.arange(len(part))
        ax.errorbar(part["value"], places, xerr=errors, fmt="o", color="C0", markersize=4.5, capsize=2, label="samples")
        ax.plot(part["floor"], places, "|", color="0.25", markersize=11, markeredgewidth=2, label="real faces")
        ax.set_title(SCORE_WORDS["scores"][score], fontsize="small")
        ax.set_xlim(0, None)
    axes[0, 0].set(yticks=range(len(scores)), yticklabels=list(scores), ylim=(len(scores) - 0.5, -0.5))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


# ---- mode collapse

Records = Mapping[str, Mapping[str, Any]]  # generator -> what judge_collapse wrote


def by_verdict(records: Records) -> dict[str, list[str]]:
    """Return the generators of each verdict."""
    return {word: [model for model, record in records.items() if record["verdict"] == word]
            for word in ("varied", "collapsed", "narrow", "unlike")}


def verdict_table(records: Records) -> pd.DataFrame:
    """Return one row per generator: its verdict and what decided it, and its variety beside that of real faces."""
    rows = []
    for model, record in records.items():
        row = {"generator": model, "verdict": record["verdict"], "because": say("mode_collapse", "because", record=record)}
        found, floor = record["found"], record["floor"]
        row |= {score: _with_floor({"value": found[score], "floor": floor[score]})
                for score in ("spread", "recall", "coverage", "precision", "repeats")}
        rows.append(row | {"n": found["n"]})
    return _table(rows)


def share_tables(records: Records) -> dict[str, pd.DataFrame]:
    """Return the shares of emotions of each generator whose set is labelled."""
    return {model: pd.DataFrame(record["classes"]["table"]) for model, record in records.items() if record["classes"]}


def shares_test_table(records: Records) -> pd.DataFrame:
    """Return one row per generator whose set is labelled: whether its samples show the emotions as often as its faces do."""
    rows = []
    for model, table in share_tables(records).items():
        classes = records[model]["classes"]
        lost = table[table["high"] < table["real"]].assign(ratio=table["generated"] / table["real"]).sort_values("ratio")
        p = np.nan if classes["p_value"] is None else classes["p_value"]
        rows.append({"generator": model, "accuracy of the classifier": classes["accuracy"],
                     "Cramér’s V": classes["cramers_v"], "p": "< .001" if p < 0.001 else rounded(p),
                     "too rare among samples": ", ".join(lost["label"]) or None})
    return _table(rows)


def coverage_table(records: Records) -> pd.DataFrame:
    """Return one row per generator of a labelled set: how much of each emotion its samples cover, in brackets the floor."""
    return _table(
        {"generator": model} | {row["label"]: _with_floor(row, "coverage") for row in by_emotion}
        for model, record in records.items() if (by_emotion := record["coverage_by_emotion"]))


def people_left_out(records: Records) -> pd.DataFrame:
    """Return one row per generator whose set has several faces of a person: how many people its samples are nearest to."""
    rows = []
    for model, record in records.items():
        if people := record["people"]:
            bare = [row for row in record["coverage_by_person"] or [] if not row["coverage"] and row["floor"]]
            rows.append({"generator": model, "people": people["n_people"], "not covered": len(bare),
                         "found": people["n_found"], "expected": interval(
                             (people["expected"], people["low"], people["high"]), 1),
                         "largest share": people["largest_share"], "samples": people["n_generated"]})
    return _table(rows)


def variety_curves(runs: Mapping[str, Run], marked: str | None = None) -> Figure:
    """Draw spread, recall and coverage over each generator's training, as shares of what real faces reach; one in red."""
    scores = ("spread", "recall", "coverage")
    figure, axes = plt.subplots(1, len(scores), figsize=(WIDTH, 3.9), sharey=True)
    styles = generator_styles(runs, marked or "")
    for name, run in runs.items():
        seen = run.snapshots
        share = 100 * seen["step"] / max(seen["step"].max(), 1)
        for ax, score in zip(axes, scores, strict=True):
            ax.plot(share, seen[score] / seen[f"{score}_floor"], markersize=3.5, label=name, **styles[name])
    for ax, title in zip(axes, scores, strict=True):
        ax.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        ax.set(title=title, ylim=(0, None), xlabel="training done (%)")
    axes[0].set_ylabel("share of what real faces reach")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def share_bars(tables: Mapping[str, pd.DataFrame], n_across: int = 2) -> Figure:
    """Draw how often each class is named among real faces and among samples, one panel for each generator."""
    n_down = -(-len(tables) // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, 2.3 * n_down), squeeze=False, sharex=True)
    for ax in axes.flat[len(tables):]:
        ax.set_axis_off()
    for ax, (name, table) in zip(axes.flat, tables.items(), strict=False):
        places = np.arange(len(table))
        ax.barh(places, table["real"], height=0.8, color="0.85", label="real faces")
        errors = np.maximum(0, [table["generated"] - table["low"], table["high"] - table["generated"]])
        ax.errorbar(table["generated"], places, xerr=errors, label="samples", fmt="o", color="C0", markersize=4, capsize=2)
        ax.set(title=name, yticks=places, yticklabels=table["label"])
        ax.invert_yaxis()
    for ax in axes.flat[max(0, len(tables) - n_across) : len(tables)]:
        ax.set_xlabel("share named so")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure
