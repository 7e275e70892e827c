"""The emotion experiments: scores beside the paper's, what the protocol is worth, the search, mistakes, groups of people."""

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
from fergan.claims.verdict import side, triple
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
    for features in result.settings["features"]:
        for protocol in result.protocols:
            row = partial(row_of, result.scores, protocol, features)
            rows.append({
                "features": features, "protocol": EVERY_PROTOCOL[protocol],
                **{words: interval(row(score)) for words, score in _MAIN.items()},
                "discriminator minus these": signed(row("accuracy_difference")),
                "p": row("accuracy_difference_p_value").get("value", np.nan),
                "balanced": row("balanced_accuracy")["value"], "macro F1": row("macro_f1")["value"]})
    return table_of(rows)


_MAIN = {"accuracy": "accuracy", "mean AUC": "auc"}


def areas_per_emotion(result: EmotionResult, experiment: int) -> pd.DataFrame:
    """Return the area under the curve of each emotion, the paper's beside ours under every protocol."""
    paper = papers_scores(experiment, result)
    return table_of([{
        "emotion": "mean" if emotion == "all" else emotion,
        "paper": row_of(paper, "paper", "discriminator", "auc", emotion).get("value", np.nan),
        **{EVERY_PROTOCOL[p]: interval(row_of(result.scores, p, "discriminator", "auc", emotion)) for p in result.protocols}}
        for emotion in (*result.emotions, "all")])


def chosen_parameters(result: EmotionResult) -> pd.DataFrame:
    """Return the parameters that each search chose, and the accuracy it had there on its own folds."""
    keys = ["protocol", "features", "outer_folds"]
    table = result.searches.assign(tried=result.searches.groupby(keys)["trial"].transform("size")).query("chosen")
    table = table.assign(protocol=table["protocol"].map(EVERY_PROTOCOL), **{name: table[name].map("{:.3g}".format)
                                                                       for name in ("C", "gamma", "gamma_scale")})
    names = {"features": "features", "protocol": "protocol", "outer_folds": "for folds", "C": "C", "gamma": "gamma",
             "gamma_scale": "times the typical distance", "accuracy": "accuracy in the search", "tried": "tried"}
    return table[list(names)].rename(columns=names)


def search_figure(result: EmotionResult) -> Figure:
    """Draw what the search as published tried: points in the order of their numbers, shaded by their accuracy."""
    trials = result.searches.query("protocol == @AS_PUBLISHED and features == 'discriminator' and not pruned")
    figure, ax = plt.subplots(figsize=(WIDTH * 0.85, 3.6))
    best = trials.query("chosen")
    ax.scatter(best["C"], best["gamma"], s=420, marker="*", color="#e69f00", edgecolor="black", label="chosen")
    dots = ax.scatter(trials["C"], trials["gamma"], c=trials["accuracy"], s=70, cmap="cividis", edgecolor="black", zorder=3)
    figure.colorbar(dots, ax=ax, label="accuracy", format="%.3f")
    for row in trials.itertuples():
        ax.annotate(f"{row.trial + 1}", (row.C, row.gamma), xytext=(6, 5), textcoords="offset points", fontsize="small")
    ax.set(xscale="log", yscale="log", xlabel="C", ylabel="gamma")
    ax.margins(0.1)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), frameon=False)
    return figure


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


def worst_mistakes(wrong: pd.DataFrame, faces: FaceSet, n_faces: int = 16) -> tuple[np.ndarray, list[str]]:
    """Return the faces that were named wrongly with most conviction, and "true →\\npredicted" of each."""
    worst = wrong.sort_values("margin", ascending=False, kind="stable").head(n_faces)
    return faces.images[worst["face"].to_numpy(dtype=int)], [f"{row.true} →\n{row.predicted}" for row in worst.itertuples()]


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


def gaps(results: Experiments) -> pd.DataFrame:
    """Return accuracy as published minus on people never seen, as rows of scores with ``experiment`` and ``number``."""
    tables = [result.scores.query("score == 'protocol_gap'").assign(experiment=title, number=number)
              for number, (title, result) in zip(results, titled(results), strict=True)]
    return pd.concat(tables, ignore_index=True)


def gap_figure(table: pd.DataFrame) -> Figure:
    """Draw `gaps`: right of the line the published protocol flatters."""
    figure = score_dots(table, "experiment", "features", "accuracy as published minus accuracy on people never seen")
    figure.axes[0].axvline(0, color="0.3", linewidth=1, zorder=0)
    return figure


def baselines_table(results: Experiments) -> pd.DataFrame:
    """Return the accuracy on people never seen of every kind of features, and of always naming the commonest emotion."""
    kinds = dict.fromkeys(name for result in results.values() for name in result.settings["features"])
    return table_of([{
        "experiment": f"{number}: {result.settings['pretrained']} on {result.settings['target']}",
        **{name: interval(row_of(result.scores, SUBJECT_INDEPENDENT, name, "accuracy")) for name in kinds},
        "commonest emotion": score_of(result, SUBJECT_INDEPENDENT, "none", "majority_accuracy")}
        for number, result in results.items()])


def area_figure(results: Experiments) -> Figure:
    """Draw the areas under the curve of every emotion (row) in every experiment (column): the paper's, then ours."""
    order = {e: e for e in EMOTIONS if any(e in result.emotions for result in results.values())} | {"all": "mean"}
    scores = {"the paper": ("paper", {n: papers_scores(n, result) for n, result in results.items()})}
    scores |= {f"this book, {words}": (protocol, {n: result.scores for n, result in results.items()})
               for protocol, words in TWO_PROTOCOLS.items()}
    tables = {title: pd.DataFrame({n: [row_of(of, protocol, "discriminator", "auc", e).get("value", np.nan) for e in order]
                                   for n, of in each.items()}, index=list(order.values()), dtype=float)
              for title, (protocol, each) in scores.items()}
    low = np.floor(10 * min(np.nanmin(table.to_numpy(), initial=1) for table in tables.values())) / 10
    height = 0.7 + 0.27 * len(order)
    figure, axes = plt.subplots(len(tables), 1, figsize=(WIDTH, height * len(tables)))
    for ax, (title, table) in zip(axes.flat, tables.items(), strict=True):
        text = table.map(lambda value: "" if pd.isna(value) else f"{value:.3f}".lstrip("0"))
        sns.heatmap(table, annot=text.to_numpy(), fmt="", cmap="cividis", vmin=low, vmax=1, ax=ax, cbar=False,
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


def spans(results: Experiments, protocol: str) -> list[tuple[float, int, str]]:
    """Return the lowest and the highest accuracy over the experiments: (accuracy, number, faces); one where they agree."""
    scores = {n: score_of(result, protocol, "discriminator", "accuracy") for n, result in results.items()}
    ends = dict.fromkeys((min(scores, key=scores.get), max(scores, key=scores.get)))
    return [(scores[n], n, results[n].settings["target"]) for n in ends]


def others(results: Experiments) -> list[dict[str, Any]]:
    """Return, for each other kind of features, in how many experiments it is clearly ``better`` and ``worse``."""
    found = [row for result in results.values() for row in other_features(result)]
    return [{"features": name, "n": len(signs), "better": signs.count(-1), "worse": signs.count(1)}
            for name in dict.fromkeys(row["features"] for row in found)
            for signs in [[row["sign"] for row in found if row["features"] == name]]]


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
