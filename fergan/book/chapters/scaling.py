"""What work takes: figures that benchmarks measured and dated, laws fitted to them, and jobs spread over machines."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import nnls

from fergan.book.pages import RECORDS
from fergan.book.plots import WIDTH, panels_of
from fergan.files import read_json

#: Kind of figure -> what it is called where no record has it.
TASKS = {"training": "the training step", "training on a GPU": "the training step on a GPU", "growth": "the search",
         "large": "the search on 100,000 faces", "crops": "crops", "crops memory": "the memory of crops"}


def newest_figures(folders: Iterable = RECORDS) -> pd.DataFrame:
    """Return, for each of `TASKS`, its rows in the newest record that has it; the first folder goes before the second."""
    found = {}
    for path in [path for folder in folders for path in sorted(folder.glob("*.json"), reverse=True)]:
        of = read_json(path)
        made = dict(date=of["date"], processor=of["machine"]["processor"], cores=of["machine"]["threads"])
        rows = [row | made for row in of["figures"] if row.get("task") in TASKS]
        found = {row["task"]: [other for other in rows if other["task"] == row["task"]] for row in rows} | found
    return pd.DataFrame([row for rows in found.values() for row in rows] or {"task": []})


def law(n: np.ndarray, value: np.ndarray, power: float) -> tuple[float, float]:
    """Return constant and factor, never negative, of the ``constant + factor * n^power`` that is least off in proportion."""
    parts = np.column_stack([np.ones(len(n)), np.asarray(n, dtype=float) ** power]) / np.asarray(value)[:, None]
    scale = parts.max(axis=0)  # of numbers as unlike as 1 and n² the solver would drop the small ones
    return tuple(map(float, nnls(parts / scale, np.ones(len(n)))[0] / scale))


def makespan(seconds: Iterable[float], n_machines: int) -> float:
    """Return when the last of some jobs ends that are given, longest first, to whichever machine is free."""
    ends = np.zeros(n_machines)
    for job in sorted(seconds, reverse=True):
        ends[ends.argmin()] += job
    return float(ends.max())


def growth_figure(growth: pd.DataFrame, laws: dict[str, tuple[float, float, int]]) -> plt.Figure:
    """Draw seconds of a candidate and memory against the number of faces, and the laws ``constant + factor * n^power``."""
    figure, (left, right) = panels_of(2, 2, WIDTH / 2.4)
    for (way, rows), marker, color in zip(growth.groupby("way"), "os", ("C0", "C1"), strict=False):
        name = {"exact": "exact kernels", "nystroem": "approximated"}[way]
        constant, factor, power = laws[way]
        n = np.geomspace(rows["n"].min(), rows["n"].max())
        left.plot(n, constant + factor * n**power, color=color, linewidth=1.2)
        left.plot(rows["n"], rows["candidate"], marker, color=color, label=f"{name}, n{'²' if power == 2 else ''}")
        right.plot(rows["n"], rows["memory"], f"{marker}-", color=color, linewidth=1.2, label=name)
    left.set(xscale="log", yscale="log", title="seconds of a candidate")
    right.set(xscale="log", ylim=(0, None), title="memory in GB")
    sizes = sorted(set(growth["n"]))[::2]
    for ax in (left, right):
        ax.minorticks_off()
        ax.set_xticks(sizes, [f"{round(n, -2):,.0f}" for n in sizes])
        ax.set_xlabel("faces n")
    left.legend(frameon=False, fontsize="small")
    return figure
