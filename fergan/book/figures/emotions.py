"""Figures of the chapter on emotions: the search, curves of two protocols, tables of emotions by experiments."""

import warnings
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH

__all__ = ["area_tables", "gap_dots", "roc_panels", "search_surface"]

Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]


def search_surface(trials: pd.DataFrame, n_steps: int = 60) -> Figure:
    """Draw what a search tried and what it made of it: the accuracy that a Gaussian process expects between the trials.

    The process is fitted to the finished trials anew; the search's own is Optuna's, which sees the same points.

    Parameters
    ----------
    trials : DataFrame
        Columns ``trial, C, gamma, accuracy, pruned, chosen``, at least 3 rows.
    n_steps : int
        Grid points a side.
    """
    finished = trials[~trials["pruned"].astype(bool)]
    points = np.log10(finished[["C", "gamma"]].to_numpy(float))
    low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-6)
    low, span = low - 0.07 * span, 1.14 * span  # or half of the outermost points would be cut off
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, n_steps)] * 2), axis=-1)  # (gamma, C, 2)
    expected = _surface((points - low) / span, finished["accuracy"].to_numpy(float), grid.reshape(-1, 2))
    expected = expected.reshape(n_steps, n_steps)

    figure, ax = plt.subplots(figsize=(WIDTH * 0.85, 3.6))
    axes = [10 ** (low[k] + span[k] * np.linspace(0, 1, n_steps)) for k in range(2)]
    levels = np.linspace(expected.min(), expected.max() + 1e-9, 12)
    shades = ax.contourf(*axes, expected, levels=levels, cmap="cividis")
    figure.colorbar(shades, ax=ax, label="expected accuracy", format="%.3f")
    ax.scatter(finished["C"], finished["gamma"], s=46, color="white", edgecolor="black", linewidth=0.8, zorder=3)
    for row in finished.itertuples():
        ax.annotate(f"{row.trial + 1}", (row.C, row.gamma), xytext=(5, 4), textcoords="offset points", fontsize="x-small",
                    color="white", bbox=dict(boxstyle="round,pad=0.1", facecolor="black", alpha=0.55, linewidth=0))
    best = finished[finished["chosen"]]
    ax.scatter(best["C"], best["gamma"], s=190, marker="*", color="#e69f00", edgecolor="black", zorder=4, label="chosen")
    ax.set(xscale="log", yscale="log", xlabel="C", ylabel="gamma")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), frameon=False)
    ax.grid(False)
    return figure


def _surface(points: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the mean of a Gaussian process at the wanted points; at least the variation seen is its scale."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    spread = max(values.std(), 1e-9)
    kernel = Matern(length_scale=[0.3, 0.3], length_scale_bounds=(0.1, 3), nu=2.5) + WhiteKernel(1e-2, (1e-4, 0.3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten points may well ask for the longest of the length scales
        process = GaussianProcessRegressor(kernel, random_state=0).fit(points, (values - values.mean()) / spread)
    return values.mean() + spread * process.predict(wanted)


def roc_panels(panels: Mapping[str, tuple[Curves, Mapping[str, float]]]) -> Figure:
    """Draw ROC curves, one panel for each protocol, one curve for each class.

    Parameters
    ----------
    panels : mapping
        Title -> (class -> (false-positive rates, true-positive rates), class -> area under its curve).
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 4.4), sharey=True, squeeze=False)
    styles = ["-", "--", "-.", ":"]
    for ax, (title, (curves, areas)) in zip(axes.flat, panels.items(), strict=True):
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        colors = sns.color_palette("colorblind", len(curves))
        for index, (name, (false_rate, true_rate)) in enumerate(curves.items()):
            label = f"{name} {areas[name]:.3f}"
            ax.plot(false_rate, true_rate, styles[index % 4], color=colors[index], label=label, linewidth=1.4)
        ax.set(xlabel="false-positive rate", xlim=(0, 1), ylim=(0, 1.01), aspect="equal", title=title)
        ax.legend(title="area under the curve", frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18),
                  fontsize="x-small", title_fontsize="x-small", ncols=2, columnspacing=1)
    axes[0, 0].set_ylabel("true-positive rate")
    return figure


def area_tables(tables: Mapping[str, pd.DataFrame], label: str) -> Figure:
    """Draw tables of emotions by experiments below each other, on one scale of shades.

    Parameters
    ----------
    tables : mapping
        Title -> DataFrame with an emotion in each row and an experiment in each column; NaN stays blank.
    label : str
        What the numbers are.
    """
    low = np.floor(10 * min(np.nanmin(table.to_numpy(float), initial=1) for table in tables.values())) / 10
    heights = [0.7 + 0.27 * len(table) for table in tables.values()]
    figure, axes = plt.subplots(len(tables), 1, figsize=(WIDTH, sum(heights)), height_ratios=heights, squeeze=False)
    for ax, (title, table) in zip(axes.flat, tables.items(), strict=True):
        text = table.map(lambda value: "" if pd.isna(value) else f"{value:.3f}".lstrip("0"))
        sns.heatmap(table.astype(float), annot=text.to_numpy(), fmt="", cmap="cividis", vmin=low, vmax=1, ax=ax, cbar=False,
                    annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white")
        ax.set(xlabel="", ylabel="")
        ax.set_title(title, loc="left")
        ax.tick_params(labelsize="small", rotation=0)
    figure.colorbar(axes[0, 0].collections[0], ax=axes.ravel().tolist(), label=label, aspect=40, pad=0.02)
    return figure


def gap_dots(table: pd.DataFrame) -> Figure:
    """Draw the distance between the protocols: above 0 the published one flatters.

    Parameters
    ----------
    table : DataFrame
        Columns ``experiment, features, value, low, high``.
    """
    lines, kinds = list(dict.fromkeys(table["experiment"])), list(dict.fromkeys(table["features"]))
    figure, ax = plt.subplots(figsize=(WIDTH, 1.2 + 0.45 * len(lines)))
    offsets = np.linspace(-0.22, 0.22, len(kinds)) if len(kinds) > 1 else [0.0]
    colors = sns.color_palette("colorblind", len(kinds))
    ax.axvline(0, color="0.3", linewidth=1)
    for kind, offset, color, marker in zip(kinds, offsets, colors, "osD^vPX*", strict=False):
        part = table[table["features"] == kind]
        place = np.array([lines.index(line) for line in part["experiment"]]) + offset
        ax.hlines(place, part["low"], part["high"], color=color, linewidth=2, alpha=0.6)
        ax.plot(part["value"], place, marker, color=color, label=kind, markersize=5.5)
    ax.set(yticks=range(len(lines)), yticklabels=lines, ylim=(len(lines) - 0.4, -0.6),
           xlabel="accuracy as published minus accuracy on people never seen")
    ax.legend(frameon=False, ncols=len(kinds), loc="lower left", bbox_to_anchor=(0, 1), fontsize="small")
    return figure
