"""Label efficiency: curves of accuracy against labelled people, and what each method needs; and the transfer
matrix: every cell, one's own network beside others, and whether size matters.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure

from fergan.book.chapters.emotions import table_of
from fergan.book.plots import WIDTH
from fergan.book.show import interval, percent, rounded, signed, thousands
from fergan.claims import side, triple
from fergan.experiments.intervals import FEWEST_PEOPLE
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.scores import ExperimentResult, row_of
from fergan.experiments.transfer import OTHERS, TransferResult


def score_row(result: ExperimentResult, features: str, score: str, label: Any = "all") -> Mapping[str, Any]:
    """Return one row of the scores of a result that has one protocol."""
    return row_of(result.scores, result.scores["protocol"].iloc[0], features, score, str(label))


def counted_in(result: LabelEfficiencyResult) -> str:
    """Return "people", or "faces" where no person has two faces."""
    return "people" if result.predictions.groupby("subject")["face"].nunique().max() > 1 else "faces"


def accuracy_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: the accuracy of each method with its interval."""
    counted, faces = counted_in(result), result.train_faces()
    return table_of([{
        f"labelled {counted}": n, **({"their faces": round(faces[n])} if counted == "people" else {}),
        **{method: interval(score_row(result, method, "accuracy", n), 2) for method in result.methods}}
        for n in result.sizes])


def needed(result: LabelEfficiencyResult, method: str, level: str) -> Markup:
    """Write how many labelled people a method needs to reach an accuracy; what is not reached is more than all."""
    row, most = score_row(result, method, "people_needed", level), Markup(f"> {result.sizes[-1]}")
    value, low, high = (most if np.isnan(number) else rounded(number, 1) for number in triple(row))
    return value if value == low == high or low == most != value else Markup(f"{value} [{low}, {high}]")


def needed_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per accuracy that some method reaches: how many labelled people each needs."""
    levels = sorted(set(result.scores.query("score == 'people_needed'")["label"]), key=float)
    return table_of([{"accuracy": percent(float(level)), **{name: needed(result, name, level) for name in result.methods}}
                     for level in levels])


def contrasts(result: LabelEfficiencyResult) -> list[dict[str, Any]]:
    """Return, for each other method, at which sizes the first is clearly ``better`` and ``worse``, and over the curve."""
    found = []
    for method in result.methods[1:]:
        signs = {n: side(triple(score_row(result, method, "accuracy_difference", n))) for n in result.sizes}
        mean = triple(score_row(result, method, "curve_mean_difference"))
        found.append({"method": method, "mean": mean, "sign": side(mean),
                      **{word: [n for n, of_size in signs.items() if of_size == sign]
                         for word, sign in (("better", 1), ("worse", -1))}})
    return found


def half(result: LabelEfficiencyResult, level: str = "0.5") -> dict[str, Any]:
    """Return what each method needs to name half of the faces rightly, fewest first, which never do, and the best of all."""
    values = {method: triple(score_row(result, method, "people_needed", level))[0] for method in result.methods}
    known = sorted((method for method in values if not np.isnan(values[method])), key=values.get)
    best = max(result.methods, key=lambda method: score_row(result, method, "accuracy", result.sizes[-1])["value"])
    return {"counted": counted_in(result), "n_all": result.sizes[-1], "target": result.settings["target"],
            "needed": {method: needed(result, method, level) for method in known},
            "never": [method for method in result.methods if method not in known], "best": best,
            "accuracy": triple(score_row(result, best, "accuracy", result.sizes[-1]))}


def label_summary(results: Mapping[str, LabelEfficiencyResult]) -> pd.DataFrame:
    """Return one row per set and method: its accuracy at both ends, the mean of its curve, and the first one's advantage."""
    return table_of([{
        "faces of": target, "method": method,
        "one labelled": interval(score_row(result, method, "accuracy", result.sizes[0]), 2),
        "all labelled": interval(score_row(result, method, "accuracy", result.sizes[-1]), 2),
        "mean of the curve": interval(score_row(result, method, "curve_mean"), 2),
        "first method minus this": signed(score_row(result, method, "curve_mean_difference"))}
        for target, result in results.items() for method in result.methods])


def method_curves(result: LabelEfficiencyResult) -> dict[str, pd.DataFrame]:
    """Return for each method ``size, value, low, high, lowest, highest``: its curve and the reach of its draws."""
    return {method: result.curve(method).rename(columns={"n_people": "size"}).assign(
        **{end: result.curve(method, f"{end}_draw")["value"] for end in ("lowest", "highest")}) for method in result.methods}


def sizes_of(results: Mapping[str, LabelEfficiencyResult]) -> dict[str, pd.DataFrame]:
    """Return the first method's curve of each set over labelled faces, named with the share of the commonest emotion."""
    curves = {}
    for target, result in results.items():
        share, curve = score_row(result, "none", "majority_accuracy")["value"], result.curve(result.methods[0])
        curves[f"{target} (commonest emotion {share:.2f})"] = curve.assign(size=curve["n_people"].map(result.train_faces()))
    return curves


def learning_curves(curves: Mapping[str, pd.DataFrame], xlabel: str, chance: float | None = None) -> Figure:
    """Draw accuracy against the number of labels, with the interval of each point and the reach of its draws.

    Each of `curves` has columns ``size, value, low, high`` and, optionally, ``lowest, highest``; `xlabel` says what the size
    counts, `chance` where always naming the commonest class would land. Each doubling takes the same room.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    for index, (name, curve) in enumerate(curves.items()):
        x = curve["size"] * 1.012 ** (2 * index - len(curves) + 1)  # a little apart, or intervals would hide one another
        if "lowest" in curve:
            ax.vlines(x, curve["lowest"], curve["highest"], color=f"C{index % 10}", linewidth=6, alpha=0.3)
        errors = np.maximum(0, [curve["value"] - curve["low"], curve["high"] - curve["value"]])
        ax.errorbar(x, curve["value"], yerr=np.nan_to_num(errors), color=f"C{index % 10}", fmt="osD^vPX*"[index % 8],
                    markersize=4.5, linestyle=("-", "--", "-.", ":")[index % 4], linewidth=2.2 if index == 0 else 1.4,
                    elinewidth=1, capsize=2, label=name)
    if chance is not None:
        ax.axhline(chance, color="0.4", linestyle=":", linewidth=1, zorder=0)
        ax.annotate("commonest emotion", (0.99, chance), (0, 2), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize="x-small", color="0.4", ha="right", va="bottom")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.tick_params(labelsize="small")
    ax.set(xlabel=xlabel, ylabel="accuracy", ylim=(0, None))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize="small",
                  ncols=3 if max(map(len, curves)) < 25 else 2)
    return figure


# ---- the transfer matrix

def cell_table(result: TransferResult) -> pd.DataFrame:
    """Return every cell with its interval: networks and baselines in rows, sets in columns, their sizes below."""
    targets, baselines = result.settings["targets"], result.settings["baselines"]
    names = {name: f"network of {name}" for name in result.settings["networks"]} | {n: n for n in (OTHERS, *baselines)}
    rows = [{"features": words, **{t: interval(score_row(result, name, "accuracy", t)) for t in targets}}
            for name, words in names.items()]
    rows.append({"features": "commonest emotion",
                 **{t: rounded(score_row(result, "none", "majority_accuracy", t)["value"]) for t in targets}})
    sizes = {t: score_row(result, result.settings["networks"][0], "accuracy", t) for t in targets}
    rows += [{"features": words, **{t: thousands(row[key]) for t, row in sizes.items()}}
             for words, key in (("n faces", "n_faces"), ("n people", "n_subjects"))]
    return table_of(rows)


def own_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per set: its own network, those of other faces, and these minus it and minus each baseline, paired."""
    return table_of([{
        "faces of": "mean over sets" if t == "all" else t, "own network": interval(score_row(result, t, "accuracy", t)),
        "networks of other faces (mean)": interval(score_row(result, OTHERS, "accuracy", t)),
        **{f"these minus {name}": signed(score_row(result, OTHERS, f"minus_{name}", t))
           for name in ("own", *result.settings["baselines"])}}
        for t in (*result.settings["targets"], "all")])


def pretraining_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per network: how many faces it learnt, and its advantage on the sets that it did not."""
    learnt = sorted(result.settings["pretraining_faces"].items(), key=lambda item: -item[1])
    return table_of([{"network of": name, "faces learnt": n, "advantage": signed(score_row(result, name, "advantage"))}
                     for name, n in learnt])


def beside_others(result: TransferResult) -> list[dict[str, Any]]:
    """Return how networks of other faces compare with the set's own and with each baseline, on average over sets."""
    rows = [(name, score_row(result, OTHERS, f"minus_{name}")) for name in ("own", *result.settings["baselines"])]
    return [{"with": name, "sign": side(triple(row)), "difference": triple(row)} for name, row in rows if len(row)]


def extremes(result: TransferResult) -> list[tuple[str, float]]:
    """Return the sets on which networks of other faces do worst and best beside the own one: (set, difference)."""
    rows = [(t, score_row(result, OTHERS, "minus_own", t)) for t in result.settings["targets"]]
    found = sorted(((t, row["value"]) for t, row in rows if len(row)), key=lambda item: item[1])
    return [found[0], found[-1]] if len(found) > 1 else []


def no_better_than_commonest(result: TransferResult) -> dict[str, float]:
    """Return the sets on which no network is clearly better than always naming the commonest emotion, with its share."""
    shares = {t: score_row(result, "none", "majority_accuracy", t)["value"] for t in result.settings["targets"]}
    return {t: share for t, share in shares.items()
            if not any(score_row(result, name, "accuracy", t)["low"] > share for name in result.settings["networks"])}


def too_few_people(result: TransferResult) -> dict[str, int]:
    """Return the sets of too few people for an interval, with their number."""
    first, targets = result.settings["networks"][0], result.settings["targets"]
    people = {t: score_row(result, first, "accuracy", t)["n_subjects"] for t in targets}
    return {t: n for t, n in people.items() if n < FEWEST_PEOPLE}


def transfer_map(result: TransferResult, marks: Mapping[tuple[str, str], Any]) -> Figure:
    """Draw accuracy as shaded cells, one row per network or baseline (below a line) and one column per set of faces.

    Below its number a cell says "own" where a network learnt these faces, and the number of its experiment, by `marks`
    (network, faces).
    """
    matrix, n_networks = result.matrix(), len(result.settings["networks"])

    def words(row: str, column: str) -> str:
        number = f"no. {marks[row, column]}" if (row, column) in marks else ""
        below = ", ".join(filter(None, ("own" if row == column else "", number)))
        return "\n".join(filter(None, (f"{matrix.loc[row, column]:.2f}", below)))

    text = [[words(row, column) for column in matrix] for row in matrix.index]
    figure, ax = plt.subplots(figsize=(WIDTH, 1.4 + 0.46 * len(matrix)))
    sns.heatmap(matrix, annot=np.array(text), fmt="", cmap="viridis", vmin=0, vmax=1, ax=ax, linewidths=1.5,
                linecolor="white", annot_kws={"fontsize": "x-small"}, cbar_kws={"label": "accuracy, people never seen"})
    ax.axhline(n_networks, color="black", linewidth=2.5)
    ax.set(xlabel="faces of", ylabel="network of; below: features that learnt nothing")
    ax.tick_params(labelsize="small", rotation=0)
    ax.tick_params(axis="x", rotation=20)
    return figure
