"""The emotion experiments: scores beside the paper's, other features, the search, mistakes, groups of people."""

from collections.abc import Mapping, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from markupsafe import Markup

from fergan.book.chapters.results import over_seeds
from fergan.book.plots import EVERY_PROTOCOL, TWO_PROTOCOLS, WIDTH, score_dots
from fergan.book.show import interval, mean_between, signed, table_of
from fergan.data.faces import FaceSet
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.intervals import Score
from fergan.experiments.scores import FEATURES
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.paper import papers_own, papers_scores, read_table

Experiments = Mapping[int, EmotionResult]


def emotion_table(result: EmotionResult, experiment: int, others: Sequence[EmotionResult] = ()) -> pd.DataFrame:
    """Return accuracy and mean area under the curve per kind of features and protocol, the paper's first."""
    paper = papers_scores("emotions", experiment, result.settings)
    rows = [{"features": "discriminator (the paper)", "protocol": "the paper's", "accuracy": interval(paper["accuracy"]),
             "mean AUC": interval(paper["all"])}] if paper else []
    scored = result.scores.query("score == 'accuracy' and features != 'none'")
    for protocol, features in zip(scored["protocol"], scored["features"], strict=True):
        of = partial(result.score, features=features, protocol=protocol)
        of_seeds = over_seeds(result, others if features == FEATURES else (), "accuracy", protocol=protocol)
        rows.append({
            "features": features, "protocol": EVERY_PROTOCOL[protocol], "accuracy": interval(of("accuracy")),
            **{f"accuracy, {title}": cell for title, cell in of_seeds.items()},
            "mean AUC": interval(of("auc")), "discriminator minus these": signed(of("accuracy_difference")),
            "balanced": of("balanced_accuracy")[0], "macro F1": of("macro_f1")[0]})
    table = table_of(rows)
    return table if len(result.settings["features"]) > 1 else table.drop(columns="discriminator minus these")


def chosen_parameters(result: EmotionResult, others: Sequence[EmotionResult] = ()) -> pd.DataFrame:
    """Return the parameters that each search chose, and the accuracy it had there on its own folds; also for `others`."""
    names = {"network": "network", "features": "features", "protocol": "protocol", "outer_folds": "for folds", "C": "C",
             "gamma_scale": "gamma, times the typical distance", "accuracy": "accuracy in the search"}
    searches = pd.concat([one.searches.assign(network=one.settings["pretrained"]) for one in (result, *others)])
    table = searches.query("chosen").replace({"protocol": EVERY_PROTOCOL})[list(names)].rename(columns=names)
    return table if others else table.drop(columns="network")


def paper_confusion(experiment: int, result: EmotionResult) -> pd.DataFrame | None:
    """Return the paper's confusion matrix (Fig. 6), rows by true emotion; None where it is clipped or of other sets."""
    table = read_table("fig6_confusion")
    table = table[table["experiment"] == experiment]
    if table.empty or not papers_own("emotions", experiment, result.settings):
        return None
    table = table.assign(true=table["true"].map(canonical_emotion), predicted=table["predicted"].map(canonical_emotion))
    order = [emotion for emotion in EMOTIONS if emotion in set(table["true"])]
    return table.pivot(index="true", columns="predicted", values="count").reindex(index=order, columns=order).astype(float)


def typical_mistakes(result: EmotionResult, faces: FaceSet, n_rows: int = 5, n_faces: int = 8) -> dict[str, np.ndarray]:
    """Return faces of middling margin of the commonest confusions, people never seen: "true → predicted (n)" -> images."""
    table = result.select().reset_index(drop=True)
    values = table[[f"value_{e}" for e in result.emotions]].to_numpy()
    of_true, predicted = (values[np.arange(len(table)), table[c].map(result.emotions.index)] for c in ("true", "predicted"))
    wrong, rows = table.assign(margin=predicted - of_true).query("true != predicted"), {}
    for (true, predicted), n in wrong.value_counts(["true", "predicted"]).head(n_rows).items():
        group = wrong.query("true == @true and predicted == @predicted")
        middling = (group["margin"] - group["margin"].median()).abs().sort_values(kind="stable").index[:n_faces]
        rows[f"{true} →\n{predicted} ({n})"] = faces.images[np.sort(group.loc[middling, "face"].to_numpy())]
    return rows


# ---- all experiments

def area_figure(results: Experiments) -> plt.Figure:
    """Draw the areas under the curve of every emotion (row) in every experiment (column): the paper's if any, then ours."""
    order = {e: e for e in EMOTIONS if any(e in result.emotions for result in results.values())} | {"all": "mean"}
    papers = {"the paper": "paper"} if any(papers_scores("emotions", n, of.settings) for n, of in results.items()) else {}
    panels = papers | {f"this book, {words}": protocol for protocol, words in TWO_PROTOCOLS.items()}
    figure, axes = plt.subplots(len(panels), 1, figsize=(WIDTH, (0.7 + 0.27 * len(order)) * len(panels)))
    for ax, (title, protocol) in zip(axes, panels.items(), strict=True):
        found = {n: papers_scores("emotions", n, of.settings) if protocol == "paper" else
                 {e: of.score("auc", e, protocol=protocol)[0] for e in order} for n, of in results.items()}
        areas = pd.DataFrame(found, dtype=float).reindex(order).set_axis(list(order.values()))
        text = areas.map(lambda value: "" if pd.isna(value) else f"{value:.3f}".lstrip("0")).to_numpy()
        sns.heatmap(areas, annot=text, fmt="", cmap="cividis", vmin=0.3, vmax=1, ax=ax, cbar=False,
                    annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white")
        ax.set(xlabel="", ylabel="")
        ax.set_title(title, loc="left")
        ax.tick_params(labelsize="small", rotation=0)
    figure.colorbar(axes[0].collections[0], ax=list(axes), label="area under the curve", aspect=40, pad=0.02)
    return figure


def state_of_the_art(results: Experiments, others: Mapping | None = None) -> pd.DataFrame:
    """Return the paper's Table III, and this book's accuracies below each set, of the experiment that the paper enters."""
    rows = []
    for dataset, part in read_table("table3_accuracy").groupby("dataset", sort=False):
        rows += [{"faces": dataset, "approach": "the paper" if row.approach == "ours" else row.approach,
                  "accuracy": interval(row.accuracy_percent / 100)} for row in part.itertuples()]
        number = {"RaFD": 1, "KDEF": 7, "RAF-DB": 6, "SFEW": 8}[dataset]
        if number in results and papers_own("emotions", number, results[number].settings):
            result = results[number]
            rows += [{"faces": f"{result.settings['target']} here", "approach": f"this book, {EVERY_PROTOCOL[protocol]}",
                      "accuracy": interval(result.score("accuracy", protocol=protocol)),
                      **over_seeds(result, (others or {}).get(number, ()), "accuracy", protocol=protocol)}
                     for protocol in result.protocols]
    return table_of(rows)


# ---- groups of people

def over_trainings(difference: Score, further: Sequence[Score]) -> Markup:
    """Write a difference, and behind a semicolon what it is over networks of `further` seeds too, see `mean_between`."""
    values = [one[0] for one in (difference, *further)]
    return Markup("; ").join([signed(difference), *([mean_between(values, write=signed)] if further else [])])


def group_figure(table: pd.DataFrame) -> plt.Figure:
    """Draw the accuracy on each group of people (`accuracy_by_group`, with ``experiment``): one panel per trait."""
    traits = list(dict.fromkeys(table["trait"]))
    n_lines = table["experiment"].nunique()
    figure, axes = plt.subplots(1, len(traits), figsize=(WIDTH, 0.55 * n_lines + 2), sharey=True, squeeze=False)
    for ax, trait in zip(axes[0], traits, strict=True):
        score_dots(table[table["trait"] == trait], "experiment", "group", "accuracy", ax=ax)
        ax.set_title(trait, pad=60)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, fontsize="small")
    return figure
