"""Tables and figures of the chapter on generators."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH, face_walks, generator_styles
from fergan.gan.runs import PRESET_SOURCES, Run, TrainConfig
from fergan.quality.monitor import COLLAPSE_RATIO

# ---- tables

def changes_table(config: TrainConfig) -> pd.DataFrame:
    """Return one row per value that differs from Radford et al.'s."""
    rows = [(name, str(ours), str(theirs)) for name, (ours, theirs) in config.differences().items()]
    return pd.DataFrame(rows, columns=["value", "here", "Radford et al."])


def presets_table() -> pd.DataFrame:
    """Return one row per training preset: where it is from, and what it changes against Radford et al.'s."""
    rows = []
    for preset, source in PRESET_SOURCES.items():
        changes = [f"{name} {ours} (there {theirs})"
                   for name, (ours, theirs) in TrainConfig(preset=preset).differences().items()]
        rows.append((preset, source, ", ".join(changes) or "–"))
    return pd.DataFrame(rows, columns=["preset", "source", "differs in"])


def common_changes(runs: Mapping[str, Run]) -> list[str]:
    """Return the values of its preset that every one of these trainings changed alike; the seed apart."""
    configs = [run.config for run in runs.values()]
    changes = [set(_changes(config, TrainConfig(preset=config.preset, seed=config.seed))) for config in configs]
    return sorted(set.intersection(*changes)) if changes else []


def _changes(config: TrainConfig, other: TrainConfig) -> list[str]:
    return [f"{name} {value}" for name, value in config if value != getattr(other, name)]


def training_runs(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Return one row per run: what it saw, how long it took, and how its samples came out."""
    return pd.DataFrame([
        {"generator": model, "faces": run.finished["n_faces"], "steps": run.finished["steps"],
         "minutes": run.finished["seconds"] / 60, "distance at first": run.snapshots["frechet"].iloc[0]} | _samples(run)
        for model, run in runs.items()
    ])


def compared_runs(runs: Mapping[str, Run], datasets: Mapping[str, str]) -> pd.DataFrame:
    """Return two rows for each further generator of a set: the set's own, and what this one changes."""
    rows = []
    for model, run in runs.items():
        plain = runs.get(datasets[model], run)
        if plain is not run:
            learnt, there = run.finished["n_faces"], plain.finished["n_faces"]
            fewer = [f"{learnt:,} of {there:,} faces"] if learnt != there else []
            changes = ", ".join([*fewer, *_changes(run.config, plain.config)])
            rows += [{"generator": name, "differs in": differs} | _samples(one)
                     for name, differs, one in ((datasets[model], "–", plain), (model, changes, run))]
    return pd.DataFrame(rows)


def _samples(run: Run) -> dict[str, float | int]:
    finished, last = run.finished, run.snapshots.iloc[-1]
    return {"distance at the end": last["frechet"], "smallest": finished["best_frechet"], "at step": finished["best_step"],
            "variety": last["diversity_ratio"], "alarms": len(finished["alarms"])}


def layer_table(layers: pd.DataFrame, paper: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return counted layers with a line of totals, and the paper's counts beside where they are given."""
    table = pd.DataFrame({
        "layer": [*layers["layer"], "together"],
        "output": [*(f"{c}×{side}×{side}" for c, side in zip(layers["channels"], layers["side"], strict=True)), ""],
    })
    for heading, one in (("", layers), ("paper: ", paper)):
        if one is not None:
            table[f"{heading}weights, thousands"] = [n / 1e3 for n in (*one["learnt"], one["learnt"].sum())]
            table[f"{heading}MFLOP"] = [n / 1e6 for n in (*one["flops"], one["flops"].sum())]
    return table


# ---- what templates say

def run_summary(run: Run) -> dict[str, Any]:
    """Return how one training went: did it come nearer to the faces, and did a snapshot give an alarm?"""
    finished, snapshots = run.finished, run.snapshots
    first, last = snapshots["frechet"].iloc[0], snapshots["frechet"].iloc[-1]
    alarmed = snapshots[snapshots["alarm"] != ""]
    alarm = {} if alarmed.empty else alarmed.iloc[-1].to_dict()
    if alarm:
        alarm["collapse"] = bool(alarm["diversity_ratio"] < COLLAPSE_RATIO)
    return dict(nearer=bool(last < first), first=first, last=last, variety=snapshots["diversity_ratio"].iloc[-1],
                n_alarms=len(alarmed), n_snapshots=len(snapshots), alarm=alarm, steps=finished["steps"],
                best=finished["best_frechet"], best_step=finished["best_step"],
                early=finished["best_step"] < finished["steps"])


def runs_summary(runs: Mapping[str, Run], datasets: Mapping[str, str]) -> dict[str, Any]:
    """Return how the sets' own generators came out, and which trainings gave an alarm or were best before their end."""
    every = {name: run_summary(run) for name, run in runs.items()}
    own = {name: one for name, one in every.items() if datasets[name] == name} or every
    falls = sorted(((name, 1 - one["last"] / one["first"]) for name, one in own.items()), key=lambda pair: pair[1])
    return dict(n=len(every), n_own=len(own), n_nearer=sum(one["nearer"] for one in own.values()), least=falls[0],
                most=falls[-1], alarmed=[name for name, one in every.items() if one["n_alarms"]],
                early=[name for name, one in every.items() if one["early"]])


# ---- figures

def loss_curves(history: pd.DataFrame, window: int = 15) -> Figure:
    """Draw both losses per step, faint, and their running median over `window` steps."""
    figure, ax = plt.subplots(figsize=(WIDTH, 2.8))
    for column, label, style in (("loss_d", "discriminator", "-"), ("loss_g", "generator", "--")):
        smooth = history[column].rolling(window, center=True, min_periods=1).median()
        (line,) = ax.plot(history["step"], smooth, style, label=label)
        ax.plot(history["step"], history[column], color=line.get_color(), alpha=0.2, linewidth=0.7)
    ax.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    ax.legend(frameon=False, ncols=2)
    return figure


def snapshot_curves(snapshots: pd.DataFrame, best_step: int, collapse_ratio: float) -> Figure:
    """Draw distance and variety of the samples during training; mark the nearest, and where variety counts as collapsed."""
    figure, (distance, variety) = plt.subplots(1, 2, figsize=(WIDTH, 2.6), sharex=True)
    distance.plot(snapshots["step"], snapshots["frechet"], "o-", markersize=3.5)
    best = snapshots[snapshots["step"] == best_step]
    distance.plot(best["step"], best["frechet"], "D", color="C1", markersize=8, zorder=0, label="nearest")
    distance.set(xlabel="step", ylabel="Fréchet distance", ylim=(0, None))
    distance.legend(frameon=False)
    variety.axhline(1, color="0.6", linewidth=0.8)
    variety.axhline(collapse_ratio, color="C3", linewidth=1, linestyle="--", label="collapse")
    variety.plot(snapshots["step"], snapshots["diversity_ratio"], "o-", markersize=3.5)
    variety.set(xlabel="step", ylabel="variety, real faces = 1", ylim=(0, None))
    variety.legend(frameon=False)
    return figure


def snapshot_distances(runs: Mapping[str, Run]) -> Figure:
    """Draw the distance to real faces over each generator's training."""
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    styles = generator_styles(runs)
    for name, run in runs.items():
        seen = run.snapshots
        ax.plot(100 * seen["step"] / seen["step"].max(), seen["frechet"], markersize=4, label=name, **styles[name])
    ax.set(xlabel="share of the training done (%)", ylabel="Fréchet distance", ylim=(0, None))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def filmstrip(steps: np.ndarray, frames: np.ndarray, n_faces: int = 6, n_columns: int = 9) -> Figure:
    """Show the same noise over training, some of the frames uint8 (n_frames, n, 64, 64, 3) and of their faces."""
    shown = np.linspace(0, len(steps) - 1, min(n_columns, len(steps))).round().astype(int)
    faces = frames[shown, :n_faces].swapaxes(0, 1)
    return face_walks(faces, [""] * len(faces), [f"{step:,}" for step in steps[shown]], "training step")


def network_drawing(networks: Mapping[str, pd.DataFrame], reference: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw networks as rows of boxes: the taller, the larger the maps; the longer, the more of them; the features stand out.

    Sides grow with the square root of what they stand for, or the small ones could not be seen. Channels of the reference,
    which may be empty, are written in grey.
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
                ax.text(index, 0.42, "features", ha="center", va="bottom", color="#8a5a00", fontweight="bold")
            if index:
                ax.annotate("", (index - 0.34, 0.1), (index - 0.66, 0.1), arrowprops=dict(arrowstyle="->", color="0.5"))
        ax.set(xlim=(-0.5, len(layers) - 0.5), ylim=(-0.6, 1.12), xticks=[], yticks=[])
        ax.set_title(name, loc="left", fontweight="bold")
        ax.grid(False)
        sns.despine(ax=ax, left=True, bottom=True)
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
