"""Tables of the chapter on emotions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fergan.book.report import with_interval
from fergan.book.tables.scores import every_protocol, interval_of, protocol_words, row_of, score_of, score_of_table
from fergan.book.tables.words import counted, listed
from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import AS_PUBLISHED, OFFICIAL_SPLIT, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult, paper_emotion_scores
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.paper import read_table

__all__ = [
    "answer_of_emotions", "answer_of_experiment", "area_tables_of", "areas_per_emotion", "chosen_parameters",
    "commonest_mistakes", "emotion_table", "gaps", "paper_confusion", "papers_emotions", "state_of_the_art",
    "summary_of_emotions", "what_the_protocol_is_worth", "worst_mistakes",
]

def papers_emotions(experiment: int, pretrained: str, target: str) -> pd.DataFrame | None:
    """Return the paper's scores where this book's experiment has the paper's number, network and faces, else None."""
    table = read_table("emotion_experiments").set_index("experiment")
    if experiment not in table.index or tuple(table.loc[experiment, ["pretrained", "target"]]) != (pretrained, target):
        return None
    return paper_emotion_scores(experiment)


def _papers_of(experiment: int, result: EmotionResult) -> pd.DataFrame | None:
    return papers_emotions(experiment, result.settings["pretrained"], result.settings["target"])


def emotion_table(result: EmotionResult, experiment: int) -> pd.DataFrame:
    """Return accuracy and mean area under the curve per kind of features and protocol, the paper's first."""
    rows = []
    paper = _papers_of(experiment, result)
    if paper is not None:
        rows.append({"features": "discriminator (the paper)", "protocol": "the paper's"}
                    | {s: interval_of(paper, "paper", "discriminator", s) for s in ("accuracy", "auc")})
    for features in result.settings["features"]:
        for protocol in result.protocols:
            key = (protocol, features)
            p_value = row_of(result.scores, *key, "accuracy_difference_p_value").get("value", np.nan)
            rows.append({"features": features, "protocol": every_protocol[protocol]}
                        | {score: interval_of(result.scores, *key, score) for score in ("accuracy", "auc")}
                        | {"discriminator minus these": interval_of(result.scores, *key, "accuracy_difference"),
                           "p": "" if np.isnan(p_value) else f"{p_value:.3f}"}
                        | {score: score_of(result, *key, score) for score in ("balanced_accuracy", "macro_f1")})
    table = pd.DataFrame(rows).rename(columns={"balanced_accuracy": "balanced", "macro_f1": "macro F1", "auc": "mean AUC"})
    return table.astype(object).where(table.notna(), "–")


def areas_per_emotion(result: EmotionResult, experiment: int) -> pd.DataFrame:
    """Return the area under the curve of each emotion, the paper's beside ours under every protocol."""
    paper = _papers_of(experiment, result)
    theirs = {} if paper is None else paper.query("score == 'auc'").set_index("label")["value"]
    rows = []
    for emotion in (*result.emotions, "all"):
        cells = {every_protocol[p]: interval_of(result.scores, p, "discriminator", "auc", emotion) for p in result.protocols}
        rows.append({"emotion": "mean" if emotion == "all" else emotion, "paper": theirs.get(emotion, np.nan)} | cells)
    return pd.DataFrame(rows)


def chosen_parameters(result: EmotionResult) -> pd.DataFrame:
    """Return the parameters that each search chose, and the accuracy it had there on its own folds."""
    chosen = result.searches[result.searches["chosen"]]
    n_tried = result.searches.groupby(["protocol", "features", "outer_folds"]).size()
    rows = [{"features": row.features, "protocol": every_protocol[row.protocol], "for folds": row.outer_folds,
             "C": f"{row.C:.3g}", "gamma": f"{row.gamma:.3g}", "times the typical distance": f"{row.gamma_scale:.3g}",
             "accuracy in the search": row.accuracy, "tried": int(n_tried[row.protocol, row.features, row.outer_folds])}
            for row in chosen.itertuples()]
    return pd.DataFrame(rows)


def paper_confusion(experiment: int, pretrained: str, target: str) -> pd.DataFrame:
    """Return the paper's confusion matrix of an experiment (Fig. 6), rows by true emotion.

    NaN where it is not legible, or where this book's experiment of that number is not the paper's.
    """
    number = experiment if papers_emotions(experiment, pretrained, target) is not None else 0
    table = read_table("fig6_confusion")
    table = table[table["experiment"] == number]
    table = table.assign(true=table["true"].map(canonical_emotion), predicted=table["predicted"].map(canonical_emotion))
    counts = table.pivot(index="true", columns="predicted", values="count")
    order = [emotion for emotion in EMOTIONS if emotion in set(table["true"]) or table.empty]
    return counts.reindex(index=order, columns=order).astype(float)


def _mistakes(result: EmotionResult, protocol: str, features: str) -> pd.DataFrame:
    """Return the wrong predictions, with the ``margin`` by which the wrong emotion's decision value was larger."""
    table = result.select(protocol, features).reset_index(drop=True)
    values = table[[f"value_{e}" for e in result.emotions]].to_numpy()
    place = {emotion: k for k, emotion in enumerate(result.emotions)}
    of_true, of_predicted = (values[np.arange(len(table)), table[c].map(place)] for c in ("true", "predicted"))
    return table.assign(margin=of_predicted - of_true).query("true != predicted")


def commonest_mistakes(
    result: EmotionResult, faces: FaceSet, protocol: str, features: str, n_rows: int = 5, n_faces: int = 8
) -> dict[str, np.ndarray]:
    """Return typical faces of the commonest confusions: "true → predicted (n)" -> images, those of middling margin."""
    wrong = _mistakes(result, protocol, features)
    if wrong.empty:
        return {"none": faces.images[:0].reshape(-1, *faces.images.shape[1:])}
    rows = {}
    for (true, predicted), n in wrong.value_counts(["true", "predicted"]).head(n_rows).items():
        group = wrong.query("true == @true and predicted == @predicted")
        middling = (group["margin"] - group["margin"].median()).abs().sort_values(kind="stable").index[:n_faces]
        rows[f"{true} →\n{predicted} ({n})"] = faces.images[np.sort(group.loc[middling, "face"].to_numpy())]
    return rows


def worst_mistakes(
    result: EmotionResult, faces: FaceSet, protocol: str, features: str, n_faces: int = 16
) -> tuple[np.ndarray, list[str]]:
    """Return the faces that were named wrongly with most conviction, and "true →\\npredicted" of each."""
    wrong = _mistakes(result, protocol, features).sort_values("margin", ascending=False, kind="stable").head(n_faces)
    captions = [f"{row.true} →\n{row.predicted}" for row in wrong.itertuples()]
    return faces.images[wrong["face"].to_numpy(dtype=int)], captions


def summary_of_emotions(results: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Return one row per emotion experiment: the paper's accuracy beside ours under both protocols.

    Where a set has an official split there is a column for it.
    """
    rows = []
    official = any(OFFICIAL_SPLIT in result.protocols for result in results.values())
    words_of = every_protocol if official else protocol_words
    for number, result in results.items():
        target = result.settings["target"]
        paper = papers_emotions(number, result.settings["pretrained"], target)
        theirs = np.nan if paper is None else score_of_table(paper, "paper", "accuracy")
        ours = {words: interval_of(result.scores, p, "discriminator", "accuracy") for p, words in words_of.items()}
        published = score_of(result, AS_PUBLISHED, "discriminator", "accuracy")
        rows.append({"experiment": number, "network of": result.settings["pretrained"], "faces of": target,
                     "paper": theirs, **ours, "difference": published - theirs})
    return pd.DataFrame(rows)


def gaps(results: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Return accuracy as published minus on people never seen: ``experiment, features, value, low, high``."""
    rows = []
    for number, result in results.items():
        for features in result.settings["features"]:
            row = row_of(result.scores, AS_PUBLISHED, features, "protocol_gap")
            rows.append({"experiment": f"{number}: {result.settings['target']}", "features": features}
                        | {key: row[key] for key in ("value", "low", "high")})
    return pd.DataFrame(rows)


def area_tables_of(results: Mapping[int, EmotionResult]) -> dict[str, pd.DataFrame]:
    """Return the areas under the curve of every emotion (row) in every experiment (column): the paper's, then ours."""
    papers = {n: _papers_of(n, result) for n, result in results.items()}
    known = {n: p.query("score == 'auc'").set_index("label")["value"] for n, p in papers.items() if p is not None}
    order = [e for e in EMOTIONS if any(e in result.emotions for result in results.values())]
    rows = {**{e: e for e in order}, "all": "mean"}
    tables = {"the paper": {str(n): [known[n].get(e, np.nan) if n in known else np.nan for e in rows] for n in results}}
    for protocol, words in protocol_words.items():
        tables[f"this book, {words}"] = {
            str(n): [score_of(r, protocol, "discriminator", "auc", e) for e in rows] for n, r in results.items()}
    return {title: pd.DataFrame(table, index=list(rows.values())) for title, table in tables.items()}


def state_of_the_art(results: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Return the paper's Table III, the accuracies of others that it compares itself with, and this book's below each set.

    Of several experiments on a set the paper enters its best; this book enters the same experiment.
    """
    table = read_table("table3_accuracy")
    entered = {"RaFD": 1, "KDEF": 7, "RAF-DB": 6, "SFEW": 8}
    rows = []
    for dataset, part in table.groupby("dataset", sort=False):
        rows += [{"faces": dataset, "approach": "the paper" if row.approach == "ours" else row.approach,
                  "accuracy": f"{row.accuracy_percent / 100:.3f}"} for row in part.itertuples()]
        result = results.get(entered[dataset])
        if result is None or _papers_of(entered[dataset], result) is None:
            continue
        for protocol in result.protocols:
            row = row_of(result.scores, protocol, "discriminator", "accuracy")
            rows.append({"faces": f"{result.settings['target']} here", "approach": f"this book, {every_protocol[protocol]}",
                         "accuracy": with_interval(row["value"], row["low"], row["high"])})
    return pd.DataFrame(rows)


def answer_of_experiment(result: EmotionResult, experiment: int) -> str:
    """Say how many emotions one experiment names rightly, beside the paper's number, other features and guessing."""
    protocols = (SUBJECT_INDEPENDENT, AS_PUBLISHED)
    never, published = (interval_of(result.scores, p, "discriminator", "accuracy") for p in protocols)
    paper = _papers_of(experiment, result)
    theirs = "" if paper is None else f" (the paper: {score_of_table(paper, 'paper', 'accuracy'):.3f})"
    words = f"On people never seen it names {never} of the emotions rightly; as published {published}{theirs}."
    for features in result.settings["features"][1:]:
        difference = row_of(result.scores, SUBJECT_INDEPENDENT, features, "accuracy_difference")
        words += (f" {_named(features)[:1].upper()}{_named(features)[1:]} reach "
                  f"{score_of(result, SUBJECT_INDEPENDENT, features, 'accuracy'):.3f} on the same folds, "
                  f"{_beside(difference['low'], difference['high'])}.")
    majority = score_of(result, SUBJECT_INDEPENDENT, "none", "majority_accuracy")
    return f"{words} Always naming the commonest emotion would reach {majority:.3f}."


def _beside(low: float, high: float) -> str:
    """Say how other features compare, by the interval of the discriminator's accuracy minus theirs."""
    return "clearly less" if low > 0 else "clearly more" if high < 0 else "which is not clearly different"


def _named(features: str) -> str:
    """Return what a sentence calls a kind of features beside the discriminator's."""
    known = {"hog": "histograms of gradients (HOG)", "pixels": "the plain pixels",
             "untrained": "features of the untrained network"}
    return known.get(features, f"the features {features}")


def answer_of_emotions(results: Mapping[int, EmotionResult]) -> str:
    """Say between what accuracies the experiments lie under both protocols, and how often other features are better."""
    spans = []
    said = {SUBJECT_INDEPENDENT: "On people never seen it names", AS_PUBLISHED: "as published, where people are known,"}
    for protocol, words in said.items():
        scores = {n: score_of(result, protocol, "discriminator", "accuracy") for n, result in results.items()}
        ends = [f"{scores[n]:.3f} (experiment {n}, {results[n].settings['target']})"
                for n in dict.fromkeys((min(scores, key=scores.get), max(scores, key=scores.get)))]
        spans.append(f"{words} {' to '.join(ends)}")
    words = f"{spans[0]} of the emotions rightly; {spans[1]}."
    others = dict.fromkeys(f for result in results.values() for f in result.settings["features"][1:])
    for features in others:
        rows = [row_of(r.scores, SUBJECT_INDEPENDENT, features, "accuracy_difference") for r in results.values()]
        rows = [row for row in rows if len(row)]
        better, worse = sum(row["high"] < 0 for row in rows), sum(row["low"] > 0 for row in rows)
        words += (f" {_named(features)[:1].upper()}{_named(features)[1:]} do clearly better in {counted(better, len(rows))} "
                  f"experiments and clearly worse in {counted(worse)}.")
    return words


def what_the_protocol_is_worth(results: Mapping[int, EmotionResult]) -> str:
    """Say in how many experiments the published protocol scores clearly higher, and clearly lower, and by how much."""
    table = gaps(results).query("features == 'discriminator'")
    higher, lower = table[table["low"] > 0], table[table["high"] < 0]

    def of(part: pd.DataFrame) -> str:
        words = [f"{row.experiment.split(':')[0]} by {abs(row.value):.3f}" for row in part.itertuples()]
        return f" (in experiment {listed(words)})" if words else ""

    return (f"The published protocol scores clearly higher in {len(higher)} of {len(table)} experiments{of(higher)} and "
            f"clearly lower in {len(lower)}{of(lower)}")


def chance_words(test: Mapping[str, Any]) -> str:
    """Say what the test against chance permuted and found."""
    if not test:
        return "not tested"
    within = "among people with one face" if test["n_alone"] == test["n_faces"] else "within people"
    if 0 < test["n_alone"] < test["n_faces"]:
        within += f", those of the {test['n_alone']} people with one face among these"
    return (f"{test['n_permutations']} permutations {within}; {test['n_blocks']} blocks of folds: accuracy {test['observed']:.3f},"
            f" permuted {test['mean']:.3f} on average, {test['highest']:.3f} at most")
