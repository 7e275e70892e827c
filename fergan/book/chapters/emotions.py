"""The emotion experiments: scores beside the paper's, other features, the search, mistakes, groups of people."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fergan.book.plots import EVERY_PROTOCOL, TWO_PROTOCOLS, WIDTH, score_dots
from fergan.book.show import interval, signed
from fergan.claims import side, triple
from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import AS_PUBLISHED, OFFICIAL_SPLIT, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult, paper_emotion_scores
from fergan.experiments.scores import row_of, score_of
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.paper import papers_own, read_table

Experiments = Mapping[int, EmotionResult]


def table_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a table whose text may hold Markup, see `fergan.book.show.show_table`."""
    table = pd.DataFrame(rows, dtype=object)
    numbers = [name for name in table if all(isinstance(value, (int, float, np.number)) for value in table[name])]
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})


def papers_scores(experiment: int, result: EmotionResult) -> pd.DataFrame:
    """Return the paper's scores of an experiment, without rows where this book's has other face sets."""
    own = papers_own("emotions", experiment, result.settings)
    return paper_emotion_scores(experiment) if own else result.scores.iloc[:0]


def emotion_table(result: EmotionResult, experiment: int) -> pd.DataFrame:
    """Return accuracy and mean area under the curve per kind of features and protocol, the paper's first."""
    paper = papers_scores(experiment, result)
    rows = [{"features": "discriminator (the paper)", "protocol": "the paper's",
             **{words: interval(row_of(paper, "paper", "discriminator", score)) for words, score in _MAIN.items()}}
            ] if len(paper) else []
    scored = result.scores.query("score == 'accuracy' and features != 'none'")
    for protocol, features in zip(scored["protocol"], scored["features"], strict=True):
        row = partial(row_of, result.scores, protocol, features)
        rows.append({
            "features": features, "protocol": EVERY_PROTOCOL[protocol],
            **{words: interval(row(score)) for words, score in _MAIN.items()},
            "discriminator minus these": signed(row("accuracy_difference")),
            "balanced": row("balanced_accuracy")["value"], "macro F1": row("macro_f1")["value"]})
    return table_of(rows)


_MAIN = {"accuracy": "accuracy", "mean AUC": "auc"}


def chosen_parameters(result: EmotionResult) -> pd.DataFrame:
    """Return the parameters that each search chose, and the accuracy it had there on its own folds."""
    keys = ["protocol", "features", "outer_folds"]
    table = result.searches.assign(tried=result.searches.groupby(keys)["trial"].transform("size")).query("chosen")
    table = table.assign(protocol=table["protocol"].map(EVERY_PROTOCOL), **{name: table[name].map("{:.3g}".format)
                                                                       for name in ("C", "gamma", "gamma_scale")})
    names = {"features": "features", "protocol": "protocol", "outer_folds": "for folds", "C": "C", "gamma": "gamma",
             "gamma_scale": "times the typical distance", "accuracy": "accuracy in the search", "tried": "tried"}
    return table[list(names)].rename(columns=names)


def paper_confusion(experiment: int, result: EmotionResult) -> pd.DataFrame | None:
    """Return the paper's confusion matrix (Fig. 6), rows by true emotion; None where it is clipped or of other sets."""
    table = read_table("fig6_confusion")
    table = table[table["experiment"] == experiment]
    if table.empty or not papers_own("emotions", experiment, result.settings):
        return None
    table = table.assign(true=table["true"].map(canonical_emotion), predicted=table["predicted"].map(canonical_emotion))
    order = [emotion for emotion in EMOTIONS if emotion in set(table["true"])]
    return table.pivot(index="true", columns="predicted", values="count").reindex(index=order, columns=order).astype(float)


def mistakes(result: EmotionResult) -> pd.DataFrame:
    """Return the wrong predictions on people never seen, with the ``margin`` of the wrong emotion's decision value."""
    table = result.select(SUBJECT_INDEPENDENT, "discriminator").reset_index(drop=True)
    values = table[[f"value_{e}" for e in result.emotions]].to_numpy()
    of_true, predicted = (values[np.arange(len(table)), table[c].map(result.emotions.index)] for c in ("true", "predicted"))
    return table.assign(margin=predicted - of_true).query("true != predicted")


def typical_mistakes(wrong: pd.DataFrame, faces: FaceSet, n_rows: int = 5, n_faces: int = 8) -> dict[str, np.ndarray]:
    """Return faces of the commonest confusions: "true → predicted (n)" -> images, those of middling margin."""
    rows = {}
    for (true, predicted), n in wrong.value_counts(["true", "predicted"]).head(n_rows).items():
        group = wrong.query("true == @true and predicted == @predicted")
        middling = (group["margin"] - group["margin"].median()).abs().sort_values(kind="stable").index[:n_faces]
        rows[f"{true} →\n{predicted} ({n})"] = faces.images[np.sort(group.loc[middling, "face"].to_numpy())]
    return rows


def other_features(result: EmotionResult) -> list[dict[str, Any]]:
    """Return ``features, accuracy, sign`` of each other kind on people never seen; 1: the discriminator's are better."""
    return [{"features": name, "accuracy": score_of(result, SUBJECT_INDEPENDENT, name, "accuracy"),
             "sign": side(triple(row_of(result.scores, SUBJECT_INDEPENDENT, name, "accuracy_difference")))}
            for name in result.settings["features"][1:]]


# ---- all experiments

def titled(results: Experiments) -> Iterator[tuple[str, EmotionResult]]:
    """Yield "number: faces" and the result of each experiment."""
    yield from ((f"{number}: {result.settings['target']}", result) for number, result in results.items())


def emotion_summary(results: Experiments) -> pd.DataFrame:
    """Return one row per experiment: the paper's accuracy beside ours; a column for official splits where there are some."""
    official = any(OFFICIAL_SPLIT in result.protocols for result in results.values())
    rows = []
    for number, result in results.items():
        settings = result.settings
        theirs = row_of(papers_scores(number, result), "paper", "discriminator", "accuracy").get("value", np.nan)
        ours = {words: interval(row_of(result.scores, protocol, "discriminator", "accuracy"))
                for protocol, words in (EVERY_PROTOCOL if official else TWO_PROTOCOLS).items()}
        rows.append({"experiment": number, "network of": settings["pretrained"], "faces of": settings["target"],
                     "paper": theirs, **ours,
                     "difference": score_of(result, AS_PUBLISHED, "discriminator", "accuracy") - theirs})
    return table_of(rows)


def accuracies(results: Experiments) -> pd.DataFrame:
    """Return the accuracy of every experiment, protocol and kind of features, as rows of scores with ``experiment``."""
    table = pd.concat([result.scores.assign(experiment=title) for title, result in titled(results)])
    return table.query("score == 'accuracy' and features != 'none'").replace({"protocol": EVERY_PROTOCOL})


def baselines_table(results: Experiments) -> pd.DataFrame:
    """Return the discriminator's accuracy on people never seen, and the same minus that of each other kind of features."""
    kinds = dict.fromkeys(name for result in results.values() for name in result.settings["features"][1:])
    rows = []
    for number, result in results.items():
        row = partial(row_of, result.scores, SUBJECT_INDEPENDENT)
        rows.append({"experiment": f"{number}: {result.settings['pretrained']} on {result.settings['target']}",
                     "discriminator": interval(row("discriminator", "accuracy")),
                     **{f"minus {name}": signed(row(name, "accuracy_difference")) for name in kinds},
                     "commonest emotion": row("none", "majority_accuracy")["value"]})
    return table_of(rows)


def area_figure(results: Experiments) -> Figure:
    """Draw the areas under the curve of every emotion (row) in every experiment (column): the paper's, then ours."""
    order = {e: e for e in EMOTIONS if any(e in result.emotions for result in results.values())} | {"all": "mean"}
    panels = {"the paper": "paper"} | {f"this book, {words}": protocol for protocol, words in TWO_PROTOCOLS.items()}
    figure, axes = plt.subplots(len(panels), 1, figsize=(WIDTH, (0.7 + 0.27 * len(order)) * len(panels)))
    for ax, (title, protocol) in zip(axes, panels.items(), strict=True):
        tables = {n: papers_scores(n, of) if protocol == "paper" else of.scores for n, of in results.items()}
        areas = pd.DataFrame({n: [row_of(table, protocol, "discriminator", "auc", e).get("value", np.nan) for e in order]
                              for n, table in tables.items()}, index=list(order.values()), dtype=float)
        text = areas.map(lambda value: "" if pd.isna(value) else f"{value:.3f}".lstrip("0")).to_numpy()
        sns.heatmap(areas, annot=text, fmt="", cmap="cividis", vmin=0.3, vmax=1, ax=ax, cbar=False,
                    annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white")
        ax.set(xlabel="", ylabel="")
        ax.set_title(title, loc="left")
        ax.tick_params(labelsize="small", rotation=0)
    figure.colorbar(axes[0].collections[0], ax=list(axes), label="area under the curve", aspect=40, pad=0.02)
    return figure


def state_of_the_art(results: Experiments) -> pd.DataFrame:
    """Return the paper's Table III, and this book's accuracies below each set, of the experiment that the paper enters."""
    rows = []
    for dataset, part in read_table("table3_accuracy").groupby("dataset", sort=False):
        rows += [{"faces": dataset, "approach": "the paper" if row.approach == "ours" else row.approach,
                  "accuracy": interval((row.accuracy_percent / 100, np.nan, np.nan))} for row in part.itertuples()]
        number = {"RaFD": 1, "KDEF": 7, "RAF-DB": 6, "SFEW": 8}[dataset]
        if number in results and papers_own("emotions", number, results[number].settings):
            result = results[number]
            rows += [{"faces": f"{result.settings['target']} here", "approach": f"this book, {EVERY_PROTOCOL[protocol]}",
                      "accuracy": interval(row_of(result.scores, protocol, "discriminator", "accuracy"))}
                     for protocol in result.protocols]
    return table_of(rows)


def ends(scores: Mapping[int, float], results: Experiments) -> list[tuple[float, int, str]]:
    """Return the lowest and the highest score by experiment: (score, number, faces); one where they agree."""
    outer = dict.fromkeys((min(scores, key=scores.get), max(scores, key=scores.get)))
    return [(scores[n], n, results[n].settings["target"]) for n in outer]


def spans(results: Experiments, protocol: str) -> list[tuple[float, int, str]]:
    """Return the `ends` of the discriminator's accuracy under a protocol."""
    return ends({n: score_of(result, protocol, "discriminator", "accuracy") for n, result in results.items()}, results)


def others(results: Experiments) -> list[dict[str, Any]]:
    """Return, for each other kind of features, in how many of n experiments it is clearly ``better`` and ``worse``.

    ``span`` holds the `ends` of the discriminator's accuracy minus theirs.
    """
    rows = []
    for name in dict.fromkeys(name for result in results.values() for name in result.settings["features"][1:]):
        found = {n: row_of(result.scores, SUBJECT_INDEPENDENT, name, "accuracy_difference") for n, result in results.items()}
        found = {n: triple(row) for n, row in found.items() if len(row)}
        signs = [side(difference) for difference in found.values()]
        rows.append({"features": name, "n": len(signs), "better": signs.count(-1), "worse": signs.count(1),
                     "span": ends({n: difference[0] for n, difference in found.items()}, results)})
    return rows


# ---- groups of people

def group_figure(table: pd.DataFrame) -> Figure:
    """Draw the accuracy on each group of people (`accuracy_by_group`, with ``experiment``): one panel per trait."""
    traits = list(dict.fromkeys(table["trait"]))
    n_lines = table["experiment"].nunique()
    figure, axes = plt.subplots(1, len(traits), figsize=(WIDTH, 0.55 * n_lines + 1.6), sharey=True, squeeze=False)
    for ax, trait in zip(axes[0], traits, strict=True):
        score_dots(table[table["trait"] == trait], "experiment", "group", "accuracy", ax=ax)
        ax.set_title(trait, loc="left", pad=22)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, fontsize=7, handletextpad=0.1,
                  columnspacing=0.6)
    return figure
