"""Label efficiency: curves of accuracy against labelled people, what each method needs, and how models came about."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fergan.book.chapters.emotions import signed_row, table_of
from fergan.book.plots import WIDTH
from fergan.book.show import interval, percent, rounded
from fergan.claims.verdict import side, triple
from fergan.experiments.label_efficiency import LABELLED_PEOPLE, LabelEfficiencyResult
from fergan.experiments.scores import row_of


def label_score(result: LabelEfficiencyResult, method: str, score: str, label: Any = "all") -> Mapping[str, Any]:
    """Return one row of the scores."""
    return row_of(result.scores, LABELLED_PEOPLE, method, score, str(label))


def counted_in(result: LabelEfficiencyResult) -> str:
    """Return "people", or "faces" where no person has two faces."""
    return "people" if result.predictions.groupby("subject")["face"].nunique().max() > 1 else "faces"


def accuracy_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: the accuracy of each method with its interval."""
    counted, faces = counted_in(result), result.train_faces()
    return table_of([{
        f"labelled {counted}": n, **({"their faces": round(faces[n])} if counted == "people" else {}),
        **{method: interval(label_score(result, method, "accuracy", n), 2) for method in result.methods}}
        for n in result.sizes])


def draws_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: the worst and the best draw of labelled people, for each method."""
    def cell(method: str, n: int) -> Markup:
        ends = [rounded(label_score(result, method, f"{end}_draw", n)["value"], 2) for end in ("lowest", "highest")]
        return Markup(" – ").join(dict.fromkeys(ends))

    return table_of([{f"labelled {counted_in(result)}": n, **{method: cell(method, n) for method in result.methods}}
                     for n in result.sizes])


def needed(result: LabelEfficiencyResult, method: str, level: str) -> Markup:
    """Write how many labelled people a method needs to reach an accuracy; what is not reached is more than all."""
    row, most = label_score(result, method, "people_needed", level), Markup(f"> {result.sizes[-1]}")
    value, low, high = (most if np.isnan(number) else rounded(number, 1) for number in triple(row))
    return value if value == low == high else Markup(f"{value} [{low}, {high}]")


def needed_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per accuracy that some method reaches: how many labelled people each needs."""
    levels = sorted(set(result.scores.query("score == 'people_needed'")["label"]), key=float)
    return table_of([{"accuracy": percent(float(level)), **{name: needed(result, name, level) for name in result.methods}}
                     for level in levels])


def fits_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: what the models learnt from, and how."""
    rows = []
    for n, of_size in result.searches.groupby("n_people"):
        searched = of_size[~of_size["features"].isin(result.settings["networks"])]["searched"].astype(bool)
        row = {f"labelled {counted_in(result)}": n, "faces": round(of_size["n_train_faces"].mean()),
               "emotions": of_size["n_emotions"].mean(), "SVMs searched": percent(searched.mean())}
        for network in result.settings["networks"]:
            of_network = of_size[of_size["features"] == network]
            row |= {f"{network}: steps": round(of_network["steps"].mean()),
                    f"{network} on its faces": of_network["train_accuracy"].mean()}
        rows.append(row)
    return table_of(rows)


def contrasts(result: LabelEfficiencyResult) -> list[dict[str, Any]]:
    """Return, for each other method, at which sizes the first is clearly ``better`` and ``worse``, and over the curve."""
    found = []
    for method in result.methods[1:]:
        signs = {n: side(triple(label_score(result, method, "accuracy_difference", n))) for n in result.sizes}
        mean = triple(label_score(result, method, "curve_mean_difference"))
        found.append({"method": method, "mean": mean, "sign": side(mean),
                      **{word: [n for n, of_size in signs.items() if of_size == sign]
                         for word, sign in (("better", 1), ("worse", -1))}})
    return found


def half(result: LabelEfficiencyResult, level: str = "0.5") -> dict[str, Any]:
    """Return what each method needs to name half of the faces rightly, fewest first, which never do, and the best of all."""
    values = {method: triple(label_score(result, method, "people_needed", level))[0] for method in result.methods}
    known = sorted((method for method in values if not np.isnan(values[method])), key=values.get)
    best = max(result.methods, key=lambda method: label_score(result, method, "accuracy", result.sizes[-1])["value"])
    return {"counted": counted_in(result), "n_all": result.sizes[-1], "target": result.settings["target"],
            "needed": {method: needed(result, method, level) for method in known},
            "never": [method for method in result.methods if method not in known], "best": best,
            "accuracy": triple(label_score(result, best, "accuracy", result.sizes[-1]))}


def label_summary(results: Mapping[str, LabelEfficiencyResult]) -> pd.DataFrame:
    """Return one row per set and method: its accuracy at both ends, the mean of its curve, and the first one's advantage."""
    return table_of([{
        "faces of": target, "method": method,
        "one labelled": interval(label_score(result, method, "accuracy", result.sizes[0]), 2),
        "all labelled": interval(label_score(result, method, "accuracy", result.sizes[-1]), 2),
        "mean of the curve": interval(label_score(result, method, "curve_mean"), 2),
        "first method minus this": signed_row(label_score(result, method, "curve_mean_difference"))}
        for target, result in results.items() for method in result.methods])


def method_curves(result: LabelEfficiencyResult) -> dict[str, pd.DataFrame]:
    """Return for each method ``size, value, low, high, lowest, highest``: its curve and the reach of its draws."""
    return {method: result.curve(method).rename(columns={"n_people": "size"}).assign(
        **{end: result.curve(method, f"{end}_draw")["value"] for end in ("lowest", "highest")}) for method in result.methods}


def sizes_of(results: Mapping[str, LabelEfficiencyResult]) -> dict[str, pd.DataFrame]:
    """Return the first method's curve of each set over labelled faces, named with the share of the commonest emotion."""
    curves = {}
    for target, result in results.items():
        share, curve = label_score(result, "none", "majority_accuracy")["value"], result.curve(result.methods[0])
        curves[f"{target} (commonest emotion {share:.2f})"] = curve.assign(size=curve["n_people"].map(result.train_faces()))
    return curves


def learning_curves(curves: Mapping[str, pd.DataFrame], xlabel: str, chance: float | None = None) -> Figure:
    """Draw accuracy against the number of labels, with the interval of each point and the reach of its draws.

    Args:
        curves: Method -> columns ``size, value, low, high`` and, optionally, ``lowest, highest``.
        xlabel: What the size counts.
        chance: Where always naming the commonest class would land.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    for index, (name, curve) in enumerate(curves.items()):
        x = curve["size"] * 1.012 ** (2 * index - len(curves) + 1)  # a little apart, or intervals would hide one another
        if "lowest" in curve:
            ax.plot([x, x], [curve["lowest"], curve["highest"]], color=f"C{index % 10}", linewidth=6, alpha=0.3,
                    solid_capstyle="butt")
        _line(ax, x, curve, index, name)
    if chance is not None:
        ax.axhline(chance, color="0.4", linestyle=":", linewidth=1, zorder=0)
        ax.annotate("commonest emotion", (0.99, chance), (0, 2), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize="x-small", color="0.4", ha="right", va="bottom")
    _doubling_axis(ax, curves, xlabel)
    ax.set(ylabel="accuracy", ylim=(0, None))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize="small",
                  ncols=3 if max(map(len, curves)) < 25 else 2)
    return figure


def difference_curves(result: LabelEfficiencyResult, xlabel: str) -> Figure:
    """Draw how much better the first method is than each other one, against the number of labels; one panel for each."""
    curves = {method: result.curve(method, "accuracy_difference").rename(columns={"n_people": "size"})
              for method in result.methods[1:]}
    n_across = min(3, len(curves))
    n_down = -(-len(curves) // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, 0.5 + 2.2 * n_down), sharey=True, sharex=True,
                                squeeze=False)
    for ax in axes.flat[len(curves):]:
        ax.set_axis_off()
    for index, (ax, (name, curve)) in enumerate(zip(axes.flat, curves.items(), strict=False)):
        ax.axhline(0, color="0.3", linewidth=1)
        _line(ax, curve["size"], curve, index + 1, name)
        ax.set_title(f"minus {name}", fontsize="small")
        _doubling_axis(ax, {name: curve}, "", n_ticks=5)
        ax.tick_params(labelbottom=index + n_across >= len(curves))  # also above an empty place
    figure.supxlabel(xlabel, fontsize="small")
    figure.supylabel(f"accuracy of {result.methods[0]} minus that of …", fontsize="small")
    return figure


def _line(ax: Axes, x: pd.Series, curve: pd.DataFrame, index: int, name: str) -> None:
    errors = np.maximum(0, [curve["value"] - curve["low"], curve["high"] - curve["value"]])
    ax.errorbar(x, curve["value"], yerr=np.nan_to_num(errors), color=f"C{index % 10}", fmt="osD^vPX*"[index % 8],
                markersize=4.5, linestyle=("-", "--", "-.", ":")[index % 4], linewidth=2.2 if index == 0 else 1.4,
                elinewidth=1, capsize=2, label=name)


def _doubling_axis(ax: Axes, curves: Mapping[str, pd.DataFrame], xlabel: str, n_ticks: int = 14) -> None:
    """Set an axis on which each doubling takes the same room, with the sizes as ticks where there is room for them."""
    sizes = sorted({round(size) for curve in curves.values() for size in curve["size"]})
    room = max(1.3, (sizes[-1] / sizes[0]) ** (1 / n_ticks))
    kept = sizes[-1:]
    for size in sizes[-2::-1]:
        kept += [size] if kept[-1] / size > room else []
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel=xlabel, xticks=kept, xticklabels=[f"{size:,}" for size in kept])
    ax.tick_params(labelsize="small")
