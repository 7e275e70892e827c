"""Figures of networks and their training."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH, generator_looks

__all__ = ["loss_curves", "network_drawing", "watched_curves", "watched_distances"]


def loss_curves(history: pd.DataFrame, ax: Axes | None = None, window: int = 15) -> Figure:
    """Draw both losses per step, faint, and their running median.

    Parameters
    ----------
    history : DataFrame
        Columns ``step, loss_d, loss_g``.
    window : int
        Steps of the running median.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 2.8))
    for column, label, style in (("loss_d", "discriminator", "-"), ("loss_g", "generator", "--")):
        smooth = history[column].rolling(window, center=True, min_periods=1).median()
        (line,) = ax.plot(history["step"], smooth, style, label=label)
        ax.plot(history["step"], history[column], color=line.get_color(), alpha=0.2, linewidth=0.7)
    ax.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    ax.legend(frameon=False, ncols=2)
    return ax.figure


def watched_curves(looks: pd.DataFrame, best_step: int, collapse_ratio: float) -> Figure:
    """Draw what was seen of the samples during training: their distance to real faces, and how varied they are.

    Parameters
    ----------
    looks : DataFrame
        Columns ``step, frechet, diversity_ratio``; see `fergan.quality.monitor`.
    best_step : int
        The snapshot to mark.
    collapse_ratio : float
        The variety below which samples count as collapsed.
    """
    figure, (distance, variety) = plt.subplots(1, 2, figsize=(WIDTH, 2.6), sharex=True)
    distance.plot(looks["step"], looks["frechet"], "o-", markersize=3.5)
    best = looks[looks["step"] == best_step]
    distance.plot(best["step"], best["frechet"], "D", color="C1", markersize=8, zorder=0, label="nearest")
    distance.set(xlabel="step", ylabel="Fréchet distance", ylim=(0, None))
    distance.legend(frameon=False)
    variety.axhline(1, color="0.6", linewidth=0.8)
    variety.axhline(collapse_ratio, color="C3", linewidth=1, linestyle="--", label="collapse")
    variety.plot(looks["step"], looks["diversity_ratio"], "o-", markersize=3.5)
    variety.set(xlabel="step", ylabel="variety, real faces = 1", ylim=(0, None))
    variety.legend(frameon=False)
    return figure


def watched_distances(looks: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the distance to real faces over each generator's training.

    Parameters
    ----------
    looks : mapping
        Generator -> columns ``step, frechet``.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    drawn = generator_looks(looks)
    for name, seen in looks.items():
        ax.plot(100 * seen["step"] / seen["step"].max(), seen["frechet"], markersize=4, label=name, **drawn[name])
    ax.set(xlabel="share of the training done (%)", ylabel="Fréchet distance", ylim=(0, None))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def network_drawing(networks: Mapping[str, pd.DataFrame], reference: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw networks as rows of boxes: the taller, the larger the maps; the longer, the more of them.

    Sides grow with the square root of what they stand for, or the small ones could not be seen. The layer of the
    features, the last but one of the discriminator, is highlighted.

    Parameters
    ----------
    networks : mapping
        Name -> layers, see `fergan.gan.layers.discriminator_layers`.
    reference : mapping
        The same networks at the paper's width; their channels are written in grey. May be empty.
    """
    figure, axes = plt.subplots(len(networks), 1, figsize=(5.6, 2.4 * len(networks)), squeeze=False)
    for ax, (name, layers) in zip(axes.flat, networks.items(), strict=True):
        for index, (channels, side) in enumerate(zip(layers["channels"], layers["side"], strict=True)):
            highlighted = name == "discriminator" and index == len(layers) - 2
            _box(ax, index, channels, side, "#e69f00" if highlighted else "#9ecae1")
            text = f"{side}×{side}\n× {channels}" if side > 1 else f"{channels}"
            place = dict(x=index, y=-0.06, ha="center", va="top", linespacing=1.35)
            ax.text(s=text, fontweight="bold" if highlighted else None, **place)
            theirs = reference.get(name, layers)["channels"][index]
            if theirs != channels:
                ax.text(s=f"\n\n× {theirs}", color="0.4", **place)
            if highlighted:
                features = f"features: {channels} × {side} × {side} = {channels * side**2:,}"
                ax.text(index, 0.42, features, ha="center", va="bottom", color="#8a5a00", fontweight="bold")
            if index:
                ax.annotate("", (index - 0.34, 0.1), (index - 0.66, 0.1), arrowprops=dict(arrowstyle="->", color="0.5"))
        ax.set(xlim=(-0.5, len(layers) - 0.5), ylim=(-0.6, 1.12), xticks=[], yticks=[])
        ax.set_title(name, loc="left", fontweight="bold")
        ax.grid(False)
        sns.despine(ax=ax, left=True, bottom=True)
    if reference:
        channels, side = reference["discriminator"].iloc[-2][["channels", "side"]]
        figure.supxlabel(f"grey: channels at the paper's width, where the features are {channels} × {side} × {side} = "
                         f"{channels * side**2:,}", fontsize="small", color="0.4")
    return figure


def _box(ax: Axes, middle: float, channels: int, side: int, color: str) -> None:
    """Draw maps as a box around `middle`, standing on 0: front, top and side, the last two darker."""
    height, length = 0.88 * np.sqrt(side / 64), max(0.03, 0.52 * np.sqrt(channels / 512))
    slant = 0.24 * height  # the square map, seen from the side
    left, right = middle - (length + slant) / 2, middle + (length - slant) / 2
    faces = {
        1.0: [(left, 0), (right, 0), (right, height), (left, height)],
        0.85: [(left, height), (right, height), (right + slant, height + slant), (left + slant, height + slant)],
        0.7: [(right, 0), (right + slant, slant), (right + slant, height + slant), (right, height)],
    }
    for shade, corners in faces.items():
        dark = np.array(plt.matplotlib.colors.to_rgb(color)) * shade
        ax.add_patch(plt.Polygon(corners, facecolor=dark, edgecolor="white", linewidth=0.8))
