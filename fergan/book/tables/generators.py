"""Tables of the chapter on generators."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fergan.book.tables.words import listed, percent
from fergan.data.faces import FaceSet
from fergan.gan.config import PRESETS, TrainConfig
from fergan.gan.runs import Run
from fergan.provenance import read_stamp

__all__ = [
    "answer_of_run", "answer_of_runs", "changes_of", "common_changes", "compared_runs", "early_bests", "layer_table",
    "learnt_faces", "open_runs", "presets_table", "training_runs",
]

_PRESET_SOURCES = {
    "radford2015": "Radford et al. (2015)", "paper": "the paper's text", "matconvnet": "public MatConvNet code",
    "demo": "this book",
}


def presets_table() -> pd.DataFrame:
    """Return one row per training preset: where it is from, and what it changes against Radford et al.'s."""
    rows = []
    for preset in PRESETS:
        changes = TrainConfig(preset=preset).differences()
        words = ", ".join(f"{name} {ours} (there {theirs})" for name, (ours, theirs) in changes.items())
        rows.append({"preset": preset, "source": _PRESET_SOURCES[preset], "differs in": words or "–"})
    return pd.DataFrame(rows)


def common_changes(runs: dict[str, tuple[Run, str]]) -> str:
    """Say which values of its preset every one of these trainings changed alike; the seed apart."""
    changes = []
    for run, _ in runs.values():
        preset = dict(TrainConfig(preset=run.config.preset))
        changes.append({(key, value) for key, value in dict(run.config).items() if value != preset[key] and key != "seed"})
    common = sorted(set.intersection(*changes)) if changes else []
    return ", ".join(f"{key} {value}" for key, value in common) or "none"


def layer_table(layers: pd.DataFrame, paper: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return layers (see `fergan.gan.layers`) as a table with a line of totals, the paper's beside where they are given."""
    table = pd.DataFrame({
        "layer": [*layers["layer"], "together"],
        "output": [*(f"{c}×{side}×{side}" for c, side in zip(layers["channels"], layers["side"], strict=True)), ""],
    })
    for heading, one in (("", layers), ("paper: ", paper)):
        if one is not None:
            table[f"{heading}learnt, thousands"] = [n / 1e3 for n in (*one["learnt"], one["learnt"].sum())]
            table[f"{heading}MFLOP"] = [n / 1e6 for n in (*one["flops"], one["flops"].sum())]
    return table


def open_runs(artifacts: str | Path, models: Iterable[str]) -> dict[str, tuple[Run, str]]:
    """Return for each generator its run and the face set that it learnt."""
    runs = {}
    for model in models:
        home = Path(artifacts) / "models" / model
        stamp = read_stamp(home / "run.json")
        runs[model] = Run.load(home / stamp["folder"]), stamp["dataset"]
    return runs


def learnt_faces(artifacts: str | Path, model: str) -> FaceSet:
    """Return the faces that a generator learnt from: its set's, or those of them that show one Action Unit."""
    stamp = read_stamp(Path(artifacts) / "models" / model / "run.json")
    return FaceSet.load(Path(artifacts) / "faces" / stamp["dataset"]).showing(stamp["only"])


def training_runs(runs: dict[str, tuple[Run, str]]) -> pd.DataFrame:
    """Return one row per run: what it saw, how long it took, and how its samples came out."""
    rows = []
    for model, (run, _) in runs.items():
        finished = run.finished
        row = {"generator": model, "faces": finished["n_faces"], "steps": finished["steps"],
               "minutes": finished["seconds"] / 60, "distance at first": run.snapshots["frechet"].iloc[0]}
        rows.append(row | _samples(run))
    return pd.DataFrame(rows)


def compared_runs(runs: dict[str, tuple[Run, str]]) -> pd.DataFrame:
    """Return two rows for each generator that learnt a set otherwise than the set's own: the set's, and what differs."""
    rows = []
    for model, (run, dataset) in runs.items():
        if model == dataset or dataset not in runs:
            continue
        plain = runs[dataset][0]
        for name, difference, one in ((dataset, "–", plain), (model, changes_of(run, plain), run)):
            rows.append({"generator": name, "differs in": difference} | _samples(one))
    return pd.DataFrame(rows)


def changes_of(run: Run, plain: Run) -> str:
    """Return in words which values of training differ from another run's, and how many of the faces where these differ."""
    changes = {key: value for key, value in dict(run.config).items() if value != getattr(plain.config, key)}
    learnt, there = run.finished["n_faces"], plain.finished["n_faces"]
    fewer = [f"{learnt:,} of {there:,} faces"] if learnt != there else []
    return ", ".join([*fewer, *(f"{key} {value}" for key, value in changes.items())])


def _samples(run: Run) -> dict[str, float | int]:
    finished, last = run.finished, run.snapshots.iloc[-1]
    return {"distance at the end": last["frechet"], "smallest": finished["best_frechet"], "at step": finished["best_step"],
            "variety": last["diversity_ratio"], "alarms": len(finished["alarms"])}


def answer_of_run(run: Run) -> str:
    """Say how far the samples of one generator came: their distance to real faces, their variety, and alarms."""
    finished, first, last = run.finished, run.snapshots.iloc[0], run.snapshots.iloc[-1]
    alarms = len(finished["alarms"])
    alarmed = f"{alarms} looks" if alarms > 1 else "One look" if alarms else "No look"
    verdict = ("It does not learn to draw them" if last["frechet"] >= first["frechet"] else
               "It comes nearer to them, but was near a collapse" if alarms else "It learns to draw them")
    return (f"{verdict}: the Fréchet distance of its samples to the real faces went from "
            f"{first['frechet']:.1f} before training to {last['frechet']:.1f} after {finished['steps']:,} steps. Two "
            f"samples now differ {last['diversity_ratio']:.2f} times as much as two real faces do. {alarmed} gave an alarm.")


def answer_of_runs(runs: dict[str, tuple[Run, str]]) -> str:
    """Say how far the samples of the sets' own generators came, and which trainings gave an alarm."""
    every = {name: run for name, (run, _) in runs.items()}
    plain = {name: run for name, run in every.items() if name == runs[name][1]} or every
    left = {name: run.snapshots["frechet"].iloc[-1] / run.snapshots["frechet"].iloc[0] for name, run in plain.items()}
    least, most = max(left, key=left.get), min(left, key=left.get)
    spans = f"by {percent(1 - left[least])} ({least})" + (f" to {percent(1 - left[most])} ({most})" if least != most else "")
    alarmed = [name for name, run in every.items() if run.finished["alarms"]]
    warned = f"an alarm of a collapse was given for {listed(alarmed)}" if alarmed else "none gave an alarm of a collapse"
    where = "every set" if max(left.values()) < 1 else "some sets"
    return (f"It learns to draw them. On {where} the samples come nearer to the real faces: their Fréchet distance falls "
            f"{spans}. Of {len(every)} trainings, {warned}.")


def early_bests(runs: dict[str, tuple[Run, str]]) -> str:
    """Say which generators' samples were nearest to the real faces before the last step."""
    early = [name for name, (run, _) in runs.items() if run.finished["best_step"] < run.finished["steps"]]
    return (f"The samples of {listed(early)} were nearest to the real faces before the last step" if early else
            "No generator's samples were nearer to the real faces before the last step than at the end")
