"""The transfer matrix: every cell, one's own network beside others, and whether size matters."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fergan.book.chapters.emotions import signed_row, table_of
from fergan.book.plots import WIDTH
from fergan.book.show import interval, rounded, thousands
from fergan.claims.verdict import side, triple
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.scores import row_of
from fergan.experiments.transfer import OTHERS, TransferResult


def cell_score(result: TransferResult, features: str, score: str, label: str = "all") -> Mapping[str, Any]:
    """Return one row of the scores."""
    return row_of(result.scores, SUBJECT_INDEPENDENT, features, score, label)


def cell_table(result: TransferResult) -> pd.DataFrame:
    """Return every cell with its interval: networks and baselines in rows, sets in columns, their sizes below."""
    targets, baselines = result.settings["targets"], result.settings["baselines"]
    names = {name: f"network of {name}" for name in result.settings["networks"]} | {n: n for n in (OTHERS, *baselines)}
    rows = [{"features": words, **{t: interval(cell_score(result, name, "accuracy", t)) for t in targets}}
            for name, words in names.items()]
    rows.append({"features": "commonest emotion",
                 **{t: rounded(cell_score(result, "none", "majority_accuracy", t)["value"]) for t in targets}})
    sizes = {t: cell_score(result, result.settings["networks"][0], "accuracy", t) for t in targets}
    rows += [{"features": words, **{t: thousands(row[key]) for t, row in sizes.items()}}
             for words, key in (("n faces", "n_faces"), ("n people", "n_subjects"))]
    return table_of(rows)


def own_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per set: its own network, those of other faces and the first baseline, with paired differences."""
    baseline = result.settings["baselines"][0]
    return table_of([{
        "faces of": "mean over sets" if t == "all" else t, "own network": interval(cell_score(result, t, "accuracy", t)),
        "networks of other faces (mean)": interval(cell_score(result, OTHERS, "accuracy", t)),
        "these minus own": signed_row(cell_score(result, OTHERS, "minus_own", t)),
        f"these minus {baseline}": signed_row(cell_score(result, OTHERS, f"minus_{baseline}", t))}
        for t in (*result.settings["targets"], "all")])


def pretraining_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per network: how many faces it learnt, and its advantage on the sets that it did not."""
    learnt = sorted(result.settings["pretraining_faces"].items(), key=lambda item: -item[1])
    return table_of([{"network of": name, "faces learnt": n, "advantage": signed_row(cell_score(result, name, "advantage"))}
                     for name, n in learnt])


def beside_others(result: TransferResult) -> list[dict[str, Any]]:
    """Return how networks of other faces compare with the set's own and with the first baseline, on average over sets."""
    rows = [(name, cell_score(result, OTHERS, f"minus_{name}")) for name in ("own", result.settings["baselines"][0])]
    return [{"with": name, "sign": side(triple(row)), "difference": triple(row)} for name, row in rows if len(row)]


def extremes(result: TransferResult) -> list[tuple[str, float]]:
    """Return the sets on which networks of other faces do worst and best beside the own one: (set, difference)."""
    rows = [(t, cell_score(result, OTHERS, "minus_own", t)) for t in result.settings["targets"]]
    found = sorted(((t, row["value"]) for t, row in rows if len(row)), key=lambda item: item[1])
    return [found[0], found[-1]] if len(found) > 1 else []


def no_better_than_commonest(result: TransferResult) -> dict[str, float]:
    """Return the sets on which no network is clearly better than always naming the commonest emotion, with its share."""
    shares = {t: cell_score(result, "none", "majority_accuracy", t)["value"] for t in result.settings["targets"]}
    return {t: share for t, share in shares.items()
            if all(cell_score(result, name, "accuracy", t)["low"] <= share for name in result.settings["networks"])}


def transfer_map(result: TransferResult, marks: Mapping[tuple[str, str], Any]) -> Figure:
    """Draw accuracy as shaded cells, one row per network or baseline (which stand apart) and one column per set of faces.

    Args:
        result: The cell of a network and its own faces says "own".
        marks: (network, faces) -> what stands in the corner of that cell, which is framed.
    """
    matrix, n_networks = result.matrix(), len(result.settings["networks"])
    parts = [part for part in (matrix.iloc[:n_networks], matrix.iloc[n_networks:]) if len(part)]
    figure, axes = plt.subplots(len(parts), 1, figsize=(WIDTH, 1.4 + 0.46 * len(matrix)), sharex=True, squeeze=False,
                                gridspec_kw={"height_ratios": [len(part) for part in parts]})
    for ax, part, label in zip(axes.flat, parts, ("network of", "features"), strict=False):
        sns.heatmap(part, annot=True, fmt=".2f", cmap="viridis", vmin=0, vmax=1, ax=ax, cbar=False, linewidths=1.5,
                    linecolor="white", annot_kws={"fontsize": "medium"})
        ax.set(xlabel="", ylabel=label if len(part) > 1 else "")
        ax.tick_params(labelsize="small", rotation=0, bottom=False, left=False)
    axes.flat[-1].set_xlabel("faces of")
    axes.flat[-1].tick_params(axis="x", rotation=20)
    figure.colorbar(axes.flat[0].collections[0], ax=list(axes.flat), label="accuracy, people never seen", shrink=0.9)
    rows, columns = list(parts[0].index), list(matrix.columns)
    look = {"fontsize": "x-small", "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}}
    for name in [column for column in columns if column in rows]:
        axes.flat[0].text(columns.index(name) + 0.96, rows.index(name) + 0.93, "own", ha="right", va="bottom", **look)
    for (row, column), text in marks.items():
        if row in rows and column in columns:
            i, j = rows.index(row), columns.index(column)
            for color, width in (("white", 3.6), ("black", 1.8)):  # shows on dark and on light shades
                frame = Rectangle((j + 0.03, i + 0.04), 0.94, 0.92, fill=False, edgecolor=color, linewidth=width)
                axes.flat[0].add_patch(frame)
            axes.flat[0].text(j + 0.05, i + 0.08, text, ha="left", va="top", fontweight="bold", **look)
    return figure
