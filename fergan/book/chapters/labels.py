"""Label efficiency: curves of accuracy against labelled people, and what each method needs; and the transfer
matrix: every cell, one's own network beside others, and whether size matters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from markupsafe import Markup

from fergan.book.chapters.results import over_seeds
from fergan.book.plots import WIDTH, generator_styles
from fergan.book.show import interval, signed, table_of
from fergan.experiments.intervals import side
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.transfer import OTHERS, TransferResult


def counted_in(result: LabelEfficiencyResult) -> str:
    """Return "people", or "faces" where no person has two faces."""
    return "people" if result.predictions.groupby("subject")["face"].nunique().max() > 1 else "faces"


def half(result: LabelEfficiencyResult) -> dict[str, Any]:
    """Return what each method needs to name half of the faces rightly, fewest first, which never do, and the best of all."""
    needed = {method: result.score("people_needed", features=method) for method in result.methods}
    never = [method for method, score in needed.items() if np.isnan(score[0])]
    ends = {method: result.score("accuracy", result.sizes[-1], method) for method in result.methods}
    best = max(ends, key=lambda method: ends[method][0])
    return {"counted": counted_in(result), "n_all": result.sizes[-1], "target": result.settings["target"], "never": never,
            "needed": dict(sorted((item for item in needed.items() if item[0] not in never), key=lambda item: item[1][0])),
            "best": best, "accuracy": ends[best]}


def label_summary(results: Mapping[str, LabelEfficiencyResult],
                  others: Mapping[str, Sequence[LabelEfficiencyResult]]) -> pd.DataFrame:
    """Return one row per set and method: its accuracy at both ends, the mean of its curve, and the first one's advantage."""
    def of_seeds(target: str, method: str) -> dict[str, Markup]:
        networks = [other for other in others[target] if method in other.methods]
        return over_seeds(results[target], networks, "curve_mean", features=method)

    return table_of([{
        "faces of": target, "method": method,
        "one labelled": interval(result.score("accuracy", result.sizes[0], method), 2),
        "all labelled": interval(result.score("accuracy", result.sizes[-1], method), 2),
        "mean of the curve": interval(result.score("curve_mean", features=method), 2),
        **{f"mean, {title}": cell for title, cell in of_seeds(target, method).items()},
        "first method minus this": signed(result.score("curve_mean_difference", features=method))}
        for target, result in results.items() for method in result.methods])


def method_curves(result: LabelEfficiencyResult) -> dict[str, pd.DataFrame]:
    """Return for each method ``size`` (people), ``faces, value, low, high``, and the reach of draws, ``lowest, highest``."""
    faces, curves = result.train_faces(), {}
    for method in result.methods:
        rows = [(n, faces[n], *result.score("accuracy", n, method), result.score("lowest_draw", n, method)[0],
                 result.score("highest_draw", n, method)[0]) for n in result.sizes]
        curves[method] = pd.DataFrame(rows, columns=["size", "faces", "value", "low", "high", "lowest", "highest"])
    return curves


def sizes_of(results: Mapping[str, LabelEfficiencyResult]) -> dict[str, pd.DataFrame]:
    """Return the first method's curve of each set over labelled faces, named with the share of the commonest emotion."""
    curves = {}
    for target, result in results.items():
        share, curve = result.score("majority_accuracy", features="none")[0], method_curves(result)[result.methods[0]]
        curve = curve.assign(size=curve["faces"]).drop(columns=["lowest", "highest"])
        curves[f"{target} (commonest emotion {share:.2f})"] = curve
    return curves


def learning_curves(curves: Mapping[str, pd.DataFrame], xlabel: str, chance: float | None = None) -> plt.Figure:
    """Draw accuracy against the number of labels, each point with its interval (``value, low, high``).

    ``lowest, highest`` are optional: the reach of draws. `chance` is where always naming the commonest class would land.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    styles = generator_styles(curves)
    for index, (name, curve) in enumerate(curves.items()):
        x = curve["size"] * 1.012 ** (2 * index - len(curves) + 1)  # a little apart, or intervals would hide one another
        if "lowest" in curve:
            ax.vlines(x, curve["lowest"], curve["highest"], color=styles[name]["color"], linewidth=6, alpha=0.3)
        errors = np.maximum(0, [curve["value"] - curve["low"], curve["high"] - curve["value"]])
        ax.errorbar(x, curve["value"], yerr=np.nan_to_num(errors), markersize=4.5, linewidth=1.4 + 0.8 * (index == 0),
                    elinewidth=1, capsize=2, label=name, **styles[name])
    if chance is not None:
        ax.axhline(chance, color="0.4", linestyle=":", linewidth=1, zorder=0, label="commonest emotion")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.tick_params(labelsize="small")
    ax.set(xlabel=xlabel, ylabel="accuracy", ylim=(0, None))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize="small",
                  ncols=3 if max(map(len, curves)) < 25 else 2)
    return figure


# ---- the transfer matrix

def own_table(result: TransferResult, others: Sequence[TransferResult]) -> pd.DataFrame:
    """Return one row per set: its own network, those of other faces, and these minus it and minus each baseline, paired."""
    def minus(name: str, t: str) -> Markup:
        seeds = over_seeds(result, others if name == "own" else (), f"minus_{name}", t, features=OTHERS, write=signed)
        return Markup("; ").join([signed(result.score(f"minus_{name}", t, OTHERS)), *seeds.values()])

    return table_of([{
        "faces of": "mean over sets" if t == "all" else t, "own network": interval(result.score("accuracy", t, t)),
        "networks of other faces (mean)": interval(result.score("accuracy", t, OTHERS)),
        **{f"these minus {name}": minus(name, t) for name in ("own", *result.settings["baselines"])}}
        for t in (*result.settings["targets"], "all")])


def pretraining_table(result: TransferResult, others: Sequence[TransferResult]) -> pd.DataFrame:
    """Return one row per network: how many faces it learnt, and its advantage on the sets that it did not."""
    learnt = sorted(result.settings["pretraining_faces"].items(), key=lambda item: -item[1])
    return table_of([{"network of": name, "faces learnt": n, "advantage": signed(result.score("advantage", features=name)),
                      **over_seeds(result, others, "advantage", features=name, write=signed)} for name, n in learnt])


def beside_others(result: TransferResult) -> list[dict[str, Any]]:
    """Return how networks of other faces compare with the set's own and with each baseline, on average over sets."""
    rows = {name: result.score(f"minus_{name}", features=OTHERS) for name in ("own", *result.settings["baselines"])}
    return [{"with": name, "sign": side(of), "difference": of} for name, of in rows.items() if not np.isnan(of[0])]


def transfer_map(result: TransferResult, marks: Mapping[tuple[str, str], Any]) -> plt.Figure:
    """Draw accuracy as shaded cells, one row per network, or per baseline and guessing below a line, one column per set.

    Below stand "own" where a network learnt these faces, and the number of its experiment, by `marks` (network, faces).
    """
    networks, targets = result.settings["networks"], result.settings["targets"]
    names = [*networks, *result.settings["baselines"]]
    matrix = pd.DataFrame({t: {name: result.score("accuracy", t, name)[0] for name in names} | {
        "commonest": result.score("majority_accuracy", t, "none")[0]} for t in targets})

    def words(row: str, column: str) -> str:
        number = f"no. {marks[row, column]}" if (row, column) in marks else ""
        below = ", ".join(filter(None, ("own" if row == column else "", number)))
        return "\n".join(filter(None, (f"{matrix.loc[row, column]:.2f}", below)))

    text = [[words(row, column) for column in matrix] for row in matrix.index]
    figure, ax = plt.subplots(figsize=(WIDTH, 1.4 + 0.5 * len(matrix)))
    sns.heatmap(matrix, annot=np.array(text), fmt="", cmap="viridis", vmin=0, vmax=1, ax=ax, linewidths=1.5,
                linecolor="white", annot_kws={"fontsize": "small"}, cbar_kws={"label": "accuracy, people never seen"})
    ax.axhline(len(networks), color="black", linewidth=2.5)
    ax.set(xlabel="faces of", ylabel="network of; below: features that learnt nothing")
    ax.tick_params(labelsize="small", rotation=0)
    ax.tick_params(axis="x", rotation=20)
    return figure
