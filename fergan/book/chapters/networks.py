"""Tables and figures of the chapters on generators and on features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import yaml
from matplotlib.axes import Axes

from fergan.book.plots import WIDTH, face_walks, generator_styles, panels_of
from fergan.book.show import mean_between, rounded, table_of
from fergan.experiments.intervals import side
from fergan.experiments.scores import ExperimentResult
from fergan.gan import TrainConfig, alike_but_seed
from fergan.gan.runs import Run
from fergan.quality.collapse import COLLAPSE_RATIO

_SOURCE = yaml.safe_load((Path(__file__).parent / "networks.yaml").read_text(encoding="utf-8"))
_PAPERS = "4"  # the last hidden layer

# ---- generators


def against_source(configs: Mapping[str, TrainConfig]) -> pd.DataFrame:
    """Return one row for each part of networks and training in which any of these differs from Radford et al.'s code."""
    rows = [{"part": part} | dict.fromkeys(configs, here) | {"Radford et al.": there}
            for part, (here, there) in _SOURCE["parts"].items()]
    values = {name: config.model_dump() | {"generator_width": config.generator_channels} for name, config in configs.items()}
    for parameter, there in _SOURCE["parameters"].items():
        here = {name: of[parameter] for name, of in values.items()}
        if set(here.values()) != {there}:
            rows.append({"part": parameter} | here | {"Radford et al.": there})
    return pd.DataFrame(rows).astype(str)


def of_seeds(runs: Mapping[str, Run], datasets: Mapping[str, str]) -> dict[str, list[str]]:
    """Return which runs are alike in faces and all parameters but the seed: the first one -> all."""
    return alike_but_seed({name: run.config.model_dump() | {"faces": (datasets[name], run.finished["n_faces"])}
                           for name, run in runs.items()})


def training_runs(runs: Mapping[str, Run], datasets: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per run: what it changes against its set's own run, what it saw, and how its samples came out."""
    rows, groups = [], of_seeds(runs, datasets)
    for model, run in runs.items():
        ends = [run_summary(runs[name])["last"] for name in groups.get(model, ())]
        plain, finished, of = runs.get(datasets[model], run), run.finished, run_summary(run)
        changes = [f"{name} {value}" for name, value in run.config if value != getattr(plain.config, name)]
        rows.append({
            "generator": model, "differs in": ", ".join(changes) or "–", "faces": finished["n_faces"],
            "steps": of["steps"], "minutes": finished["seconds"] / 60, "distance at first": of["first"],
            "at the end": of["last"], "over seeds": mean_between(ends, 1) + f", {len(ends)}" if ends else None,
            "smallest, at step": rounded(of["best"], 1) + f", {of['best_step']}", "variety": of["variety"]})
    return table_of(rows).dropna(axis=1, how="all")


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


def loss_curves(history: pd.DataFrame, window: int = 15) -> plt.Figure:
    """Draw both losses per step, faint, and their running median over `window` steps."""
    figure, ax = plt.subplots(figsize=(WIDTH, 2.8))
    for column, label, style in (("loss_d", "discriminator", "-"), ("loss_g", "generator", "--")):
        smooth = history[column].rolling(window, center=True, min_periods=1).median()
        (line,) = ax.plot(history["step"], smooth, style, label=label)
        ax.plot(history["step"], history[column], color=line.get_color(), alpha=0.2, linewidth=0.7)
    ax.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    ax.legend(frameon=False, ncols=2)
    return figure


def snapshot_curves(runs: Mapping[str, Run], scores: Sequence[str]) -> plt.Figure:
    """Draw what was measured of each generator's samples while it trained, beside what real faces reach where that is known.

    `scores` are columns of `Run.snapshots`; those with a floor are drawn as shares of it. Several generators have a panel
    each, with all scores; of a single one each score has its own.
    """
    several = len(runs) > 1
    panels = [(name, [*scores]) for name in runs] if several else [(name, [score]) for name in runs for score in scores]
    figure, axes = panels_of(len(panels), min(3, len(panels)), 1.2 if several else 2.4, sharex=True, sharey=several)
    for ax, (name, shown) in zip(axes, panels, strict=True):
        seen = runs[name].snapshots
        for score, style in zip(shown, ("o-", "s--", "^:"), strict=False):
            values = seen[score] / seen.get(f"{score}_floor", 1)
            ax.plot(100 * seen["step"] / max(seen["step"].max(), 1), values, style, markersize=3, label=_SCORES[score])
        if "frechet" not in shown:
            ax.axhline(1, color="0.6", linewidth=0.8, zorder=0)  # real faces
        ax.set_title(name if several else _SCORES[shown[0]], fontsize="small")
        ax.set_ylim(0, max(ax.get_ylim()[1], 1.05 * ax.dataLim.y1))
    figure.supxlabel("training done (%)", fontsize="medium")
    if several:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


_SCORES = {"frechet": "Fréchet distance", "diversity_ratio": "variety, real faces = 1"} | {
    score: f"{score}, real faces = 1" for score in ("spread", "recall", "coverage")}


def filmstrip(steps: np.ndarray, frames: np.ndarray, n_faces: int = 6, n_columns: int = 9) -> plt.Figure:
    """Show the same noise over training, some of the frames uint8 (n_frames, n, 64, 64, 3) and of their faces."""
    shown = np.linspace(0, len(steps) - 1, min(n_columns, len(steps))).round().astype(int)
    faces = frames[shown, :n_faces].swapaxes(0, 1)
    return face_walks(faces, [""] * len(faces), [f"{step:,}" for step in steps[shown]], "training step")


# ---- features

def features_table(features: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Return one row per (network, faces): the size of its features, and how many directions of them matter."""
    rows = []
    for (pretrained, target), X in features.items():
        centred = X[:: max(1, len(X) // 500)] - X.mean(0)
        variances = np.linalg.svd(centred, compute_uv=False) ** 2  # eigenvalues of the covariance of about 500 faces
        rows.append({"network of": pretrained, "faces of": target, "faces": len(X), "features": X.shape[1],
                     "above zero, %": 100 * float((X > 0).mean()),
                     "effective dimensions": variances.sum() ** 2 / (variances**2).sum()})
    return pd.DataFrame(rows)


def layers_summary(results: Mapping[str, ExperimentResult]) -> dict[str, Any]:
    """Return the sets on which the paper's layer is the best single one, and how all layers together compare with it."""
    accuracies = {name: of.scores.query("score == 'accuracy' and features != 'all'").set_index("features")["value"]
                  for name, of in results.items()}
    best = [name for name, of in accuracies.items() if of[_PAPERS] >= of.max()]
    together = {name: of.score("minus_last", features="all") for name, of in results.items()}
    return dict(n=len(results), best=best, others=[name for name in results if name not in best],
                higher=[name for name, difference in together.items() if difference[0] > 0],
                better=[name for name, difference in together.items() if side(difference) > 0],
                worse=[name for name, difference in together.items() if side(difference) < 0])


def training_gains(learnt: Mapping[str, ExperimentResult]) -> list[dict[str, Any]]:
    """Return ``faces, value, low, high`` of each set: accuracy of the last snapshot minus that of the untrained network."""
    return [{"faces": name} | result.scores.query("score == 'minus_untrained'").iloc[-1][["value", "low", "high"]].to_dict()
            for name, result in learnt.items()]


def training_curves(learnt: Mapping[str, ExperimentResult], runs: Mapping[str, Run],
                    axes: Sequence[Axes] | None = None) -> plt.Figure:
    """Draw what training buys: accuracy on people never seen at kept snapshots, the distance of samples at all of them."""
    left, right = plt.subplots(1, 2, figsize=(WIDTH, 3))[1] if axes is None else axes
    styles = generator_styles(learnt)
    for name, result in learnt.items():
        seen, rows = runs[name].snapshots, result.scores.query("score == 'accuracy'")
        done = 100 / seen["step"].max()
        errors = np.maximum(0, [rows["value"] - rows["low"], rows["high"] - rows["value"]])  # which rounding can miss
        left.errorbar(done * rows["features"].astype(int), rows["value"], errors, capsize=3, **styles[name])
        right.plot(done * seen["step"], seen["frechet"], markersize=3.5, label=name, **styles[name])
    left.set(ylabel="accuracy", xlabel="training done (%)")
    right.set(ylabel="Fréchet distance", xlabel="training done (%)", ylim=(0, 1.05 * right.dataLim.y1))
    right.legend(frameon=False, fontsize="small", loc="lower left")
    return left.figure
