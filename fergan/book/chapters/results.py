"""The page across all experiments: the paper's numbers beside ours, and which experiment comes out above which."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fergan.book.plots import EVERY_PROTOCOL, TWO_PROTOCOLS, score_dots, show_faces
from fergan.book.show import interval, signed
from fergan.cache import current, project_path
from fergan.claims.recognition import papers_accuracy
from fergan.claims.verdict import Results, Unjudged, score, side
from fergan.data.faces import FaceSet
from fergan.experiments.action_units import AUResult, papers_units
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult, accuracy_difference
from fergan.experiments.intervals import Difference
from fergan.experiments.scores import ExperimentResult, score_of
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.paper import papers_own, read_table


def experiments(artifacts: str, kind: str, numbers: Iterable[int]) -> dict[int, Any]:
    """Open the results of experiments, "emotions" or "action_units"."""
    cls = EmotionResult if kind == "emotions" else AUResult
    return {number: cls.load(current(f"{artifacts}/{kind}/experiment-{number}")) for number in numbers}


def overview_figure(artifacts: str, faces: Mapping[str, FaceSet], emotions: Mapping[int, EmotionResult]) -> Figure:
    """Draw real and generated faces of up to three sets, and the accuracy of each emotion experiment."""
    homes = {name: project_path(f"{artifacts}/models/{name}") for name in faces}
    names = [name for name, home in homes.items() if (home / "current.json").is_file()]
    figure, axes = plt.subplots(1, 2 if emotions else 1, figsize=(9.0, 3.4), squeeze=False)
    rows = [images for name in names[:: max(1, len(names) // 3)][:3] for images in (
        faces[name].images[np.linspace(0, len(faces[name]) - 1, 8).astype(int)], sample(Run.load(current(homes[name])), 8))]
    show_faces(axes[0, 0], np.concatenate(rows), n_columns=8)
    axes[0, 0].set_title("real (odd rows), drawn (below each)", loc="left")
    if emotions:
        named = {f"{n}: {result.settings['target']}": result for n, result in emotions.items()}
        score_dots(scores_of(named, "accuracy"), "experiment", "protocol", "accuracy", ax=axes[0, 1])
    return figure


def scores_of(results: Mapping[str, ExperimentResult], name: str) -> pd.DataFrame:
    """Return a score of every experiment under every protocol, discriminator features, as `score_dots` draws it."""
    table = pd.concat([result.scores.assign(experiment=words) for words, result in results.items()])
    chosen = (table["features"] == "discriminator") & (table["label"] == "all") & (table["score"] == name)
    return table[chosen].replace({"protocol": EVERY_PROTOCOL})


# ---- the paper's numbers beside ours

def papers_score(kind: str, number: int, settings: Mapping[str, Any]) -> float:
    """Return the paper's accuracy ("emotions") or mean area ("units") of an experiment; NaN where it has no such one."""
    if not papers_own(kind, number, settings):
        return np.nan
    return papers_accuracy(number) if kind == "emotions" else papers_units(number, settings)["all"]


def paper_and_ours(
    emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult],
    left_out: Mapping[str, Sequence[Mapping]] | None = None,
) -> pd.DataFrame:
    """Return one row per experiment of either kind; one that was `left_out` (kind -> settings) has a row without scores."""
    rows = []
    for kind, results, name in (("emotions", emotions, "accuracy"), ("units", units, "auc")):
        known = {number: (result.settings, result) for number, result in results.items()}
        known |= {settings["experiment"]: (settings, None) for settings in (left_out or {}).get(kind, ())}
        for number, (settings, result) in sorted(known.items()):
            paper, faces = papers_score(kind, number, settings), [settings.get(key) for key in ("train", "test", "target")]
            ours = {words: score(result, name, protocol=protocol) if result else (np.nan,) * 3
                    for protocol, words in TWO_PROTOCOLS.items()}
            rows.append({"kind": "emotions, accuracy" if kind == "emotions" else "AUs, mean AUC", "experiment": number,
                         "network of": settings["pretrained"], "faces": " → ".join(filter(None, faces)), "paper": paper,
                         **{words: interval(found) for words, found in ours.items()},
                         "difference": ours["as published"][0] - paper})
    return pd.DataFrame(rows, dtype=object).astype({"paper": float, "difference": float}) if rows else pd.DataFrame()


def mean_scores(results: Mapping[int, ExperimentResult], kind: str) -> dict[str, float]:
    """Return means over experiments: as published, never seen, of HOG there; over those of the paper, its own and ours."""
    name = "accuracy" if kind == "emotions" else "auc"
    papers = {n: papers_score(kind, n, result.settings) for n, result in results.items()}
    shared = [results[n] for n, paper in papers.items() if paper == paper]

    def mean(chosen: Iterable[ExperimentResult], protocol: str, features: str = "discriminator") -> float:
        values = [score_of(result, protocol, features, name) for result in chosen]
        return float(np.mean(values)) if values else np.nan

    every = list(results.values())
    return {"n": len(every), "published": mean(every, AS_PUBLISHED), "honest": mean(every, SUBJECT_INDEPENDENT),
            "hog": mean(every, SUBJECT_INDEPENDENT, "hog"), "n_papers": len(shared),
            "papers": float(np.nanmean(list(papers.values()))) if shared else np.nan,
            "published_of_papers": mean(shared, AS_PUBLISHED), "honest_of_papers": mean(shared, SUBJECT_INDEPENDENT)}


def protocol_gaps(emotions: Mapping[int, EmotionResult]) -> dict[str, dict[int, float]]:
    """Return in which experiments the published protocol scores clearly ``higher`` or ``lower``, and by how much."""
    gaps = {n: score(result, "protocol_gap", protocol=AS_PUBLISHED) for n, result in emotions.items()}
    return {"higher": {n: gap[0] for n, gap in gaps.items() if side(gap) > 0},
            "lower": {n: -gap[0] for n, gap in gaps.items() if side(gap) < 0}}


def orderings(emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult]) -> pd.DataFrame:
    """Compare the order of the paper's experiments that this book has run with the order here, on people never seen."""
    results, rows = Results(emotions=emotions, units=units), []
    for row in read_table("orderings").itertuples():
        with suppress(Unjudged):
            pair = [results.experiment(row.kind, number) for number in (row.better, row.worse)]
            difference, paired = (accuracy_difference(*pair) if row.kind == "emotions" else
                                  (Difference.of_scores(*(score(result, "auc") for result in pair)), False))
            better, worse = (papers_score(row.kind, number, result.settings)
                             for number, result in zip((row.better, row.worse), pair, strict=True))
            rows.append({"kind": "emotions" if row.kind == "emotions" else "AUs", "the paper says": row.claim,
                         "experiments": f"{row.better} over {row.worse}", "paper": better - worse,
                         "here": signed((difference.value, difference.low, difference.high)),
                         "same faces": "yes" if paired else "no",
                         "here it": {1: "holds", -1: "fails"}.get(difference.sign, "not decided")})
    return pd.DataFrame(rows, dtype=object).astype({"paper": float}) if rows else pd.DataFrame()


def threshold_labels(result: EmotionResult | AUResult) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each label that some faces show and others do not, who shows it and the decision values; never seen."""
    table = result.select(SUBJECT_INDEPENDENT, "discriminator")
    if isinstance(result, EmotionResult):
        labels = {e: ((table["true"] == e).to_numpy(), table[f"value_{e}"].to_numpy()) for e in result.emotions}
    else:
        groups = table.dropna(subset=["occurrence", "value"]).groupby("label", sort=False)
        labels = {unit: ((rows["occurrence"] == 1).to_numpy(), rows["value"].to_numpy()) for unit, rows in groups}
    return {label: arrays for label, arrays in labels.items() if arrays[0].any() and not arrays[0].all()}


def curves_of(
    result: EmotionResult | AUResult, labels: Iterable[str]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, float]]:
    """Return the ROC curves of labels on people never seen, and the areas under them."""
    curves = result.roc(SUBJECT_INDEPENDENT, "discriminator")
    curves = {label: curve for label, curve in curves.items() if label in labels}
    return curves, {label: score(result, "auc", label)[0] for label in curves}
