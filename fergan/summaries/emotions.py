"""Tables of the chapter on emotions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fergan.emotion_scores import paper_emotion_scores
from fergan.emotions import EmotionResult
from fergan.faces import FaceSet
from fergan.facs import EMOTIONS, canonical_emotion
from fergan.paper import read_table
from fergan.protocols import AS_PUBLISHED
from fergan.summaries.scores import interval_of, protocol_words, score_of, score_of_table

__all__ = ["emotion_table", "mistakes", "paper_confusion", "papers_emotions", "summary_of_emotions"]


def papers_emotions(experiment: int, pretrained: str, target: str) -> pd.DataFrame | None:
    """Return the paper's scores where this book's experiment has the paper's number, network and faces, else None."""
    table = read_table("emotion_experiments").set_index("experiment")
    if experiment not in table.index or tuple(table.loc[experiment, ["pretrained", "target"]]) != (pretrained, target):
        return None
    return paper_emotion_scores(experiment)


def emotion_table(result: EmotionResult, experiment: int) -> pd.DataFrame:
    """Return accuracy and mean area under the curve per kind of features and protocol, the paper's first."""
    rows = []
    paper = papers_emotions(experiment, result.settings["pretrained"], result.settings["target"])
    if paper is not None:
        rows.append({"features": "discriminator (the paper)", "protocol": "the paper's"}
                    | {s: interval_of(paper, "paper", "discriminator", s) for s in ("accuracy", "auc")})
    for features in result.settings["features"]:
        for protocol, words in protocol_words.items():
            key = (protocol, features)
            rows.append({"features": features, "protocol": words}
                        | {s: interval_of(result.scores, *key, s) for s in ("accuracy", "auc")}
                        | {"discriminator minus these": interval_of(result.scores, *key, "accuracy_difference")})
    table = pd.DataFrame(rows)
    return table.fillna("–").rename(columns={"auc": "mean AUC"})


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


def mistakes(result: EmotionResult, faces: FaceSet, protocol: str, features: str, n_rows: int = 5) -> dict[str, np.ndarray]:
    """Return the faces of the commonest confusions: "true → predicted" -> images, at most ten each."""
    table = result.select(protocol, features).query("true != predicted")
    if table.empty:
        return {"none": faces.images[:0].reshape(-1, *faces.images.shape[1:])}
    rows = {}
    for true, predicted in table.value_counts(["true", "predicted"]).index[:n_rows]:
        chosen = table.query("true == @true and predicted == @predicted")["face"].head(10)
        rows[f"{true} →\n{predicted}"] = faces.images[chosen.to_numpy()]
    return rows


def summary_of_emotions(results: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Return one row per emotion experiment: the paper's accuracy beside ours under both protocols."""
    rows = []
    for number, result in results.items():
        target = result.settings["target"]
        paper = papers_emotions(number, result.settings["pretrained"], target)
        theirs = np.nan if paper is None else score_of_table(paper, "paper", "accuracy")
        ours = {words: interval_of(result.scores, p, "discriminator", "accuracy") for p, words in protocol_words.items()}
        published = score_of(result, AS_PUBLISHED, "discriminator", "accuracy")
        rows.append({"experiment": number, "network of": result.settings["pretrained"], "faces of": target,
                     "paper": theirs, **ours, "difference": published - theirs})
    return pd.DataFrame(rows)
