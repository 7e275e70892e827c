"""Planted results: experiments, learning curves and matrices of transfer whose scores are known."""

import numpy as np
import pandas as pd

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.action_units import AUResult
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.label_efficiency import LabelEfficiencyResult, label_scores
from fergan.experiments.scores import score_table
from fergan.experiments.transfer import TransferResult, transfer_scores
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.paper import read_table

HOSTILE = "{{ 7*7 }} <b>x</b> a_$5_$6 |\nq"  # a name that must come out as text
HONEST = dict(protocol="subject_independent", features="discriminator")
N = 120  # faces of a planted set, each of a person of its own
WORDS = np.array(["angry", "happy", "sad"])


def face_set(n, name="some", images=None, **labels):
    """A set of n faces, black unless given, with these labels."""
    images = np.zeros((n, 64, 64, 3), np.uint8) if images is None else images
    return FaceSet(name, images, complete_labels(pd.DataFrame({"source": [f"{i}.png" for i in range(n)]} | labels)))


def people(n_people=12, n_repeats=1, signal=8.0, seed=0):
    """Faces of people with each of three emotions: features hold the emotion and noise of deviation 1."""
    rng = np.random.default_rng(seed)
    y, person, _ = (a.ravel() for a in np.meshgrid(range(3), range(n_people), range(n_repeats), indexing="ij"))
    X = signal * np.eye(3, 6)[y] + rng.normal(size=(len(y), 6))
    return X.astype(np.float32), WORDS[y], np.array([f"p{i:02d}" for i in person])


def clusters(n_samples=120, n_features=8, n_classes=4, seed=0):
    """Overlapping Gaussian clusters in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.normal(size=(n_classes, n_features))[y] + 1.5 * rng.normal(size=(n_samples, n_features))
    return X.astype(np.float32), y


def ends(score, value, half, **base):
    return HONEST | dict(score=score, label="all", value=value, low=value - half, high=value + half, n_subjects=40) | base


def emotions(number, share_right, n_people=40, seed=0):
    """An experiment whose classifier names this share of the faces rightly, the same faces whatever the share."""
    faces = pd.DataFrame([(f"p{p}", e) for p in range(n_people) for e in EMOTIONS], columns=["subject", "true"])
    luck = np.random.default_rng(seed).random(len(faces))
    wrong = [EMOTIONS[(EMOTIONS.index(e) + 1) % len(EMOTIONS)] for e in faces["true"]]
    faces["predicted"] = np.where(luck < share_right, faces["true"], wrong)
    table = faces.assign(**HONEST, face=range(len(faces)), fold=0)
    accuracy = (faces["true"] == faces["predicted"]).mean()
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / len(faces))
    rows = [ends("accuracy", accuracy, half), ends("accuracy", accuracy, half, protocol="as_published"),
            ends("majority_accuracy", 1 / 8, 0, features="none"), ends("accuracy_difference", share_right - 0.5, 0.1, features="hog"),
            ends("balanced_accuracy", accuracy, half), ends("accuracy_difference", share_right - 0.3, 0.1, features="untrained")]
    sets = read_table("emotion_experiments").set_index("experiment").loc[number, ["pretrained", "target"]].to_dict()
    return EmotionResult(score_table(rows), table, pd.DataFrame(), sets | dict(collection=sets["target"], seed=0, emotions=list(EMOTIONS)))


def units(number, areas, half=0.03, true=np.nan, **sets):
    """An experiment with one area for all Action Units, or one for each of them and "mean"."""
    if np.isscalar(areas):
        areas = dict.fromkeys([*ACTION_UNITS, "mean"], areas)
    rows = [ends("auc", area, half, label="all" if unit == "mean" else unit) for unit, area in areas.items()]
    rows += [ends(name, of, half) for name, of in (("auc_true", true), ("auc_true_gap", true - 0.9)) if true == true]
    rows.append(ends("auc_difference", areas["mean"] - 0.5, half, features="untrained"))
    papers = read_table("table5_au_experiments").set_index("experiment").loc[number].to_dict()
    return AUResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), papers | sets)


def curves(shares, seed=0):
    """A result whose methods name planted shares of the faces rightly, with 1, 50 and 100 labelled faces."""
    sizes, y = (1, 50, 100), np.arange(N) % 3
    subjects = np.array([f"p{i}" for i in range(N)])
    order = np.random.default_rng(seed).permutation(N)
    right = {m: {n: np.isin(np.arange(N), order[: round(N * s)])[None].astype(float) for n, s in zip(sizes, of, strict=True)}
             for m, of in shares.items()}
    rows = label_scores(right, y, subjects)
    parts = [pd.DataFrame(dict(**HONEST | {"features": m}, split=0, draw=0, n_people=n, face=np.arange(N), subject=subjects,
                               true=WORDS[y], predicted=WORDS[np.where(hit[0] == 1, y, (y + 1) % 3)]))
             for m, of in right.items() for n, hit in of.items()]
    fits = pd.DataFrame([dict(features=m, split=0, draw=0, n_people=n, n_train_people=n, n_train_faces=n, n_emotions=3,
                              searched=n > 1, steps=40) for m in right for n in sizes])
    settings = dict(features=list(right), networks=[m for m in right if m == "supervised CNN"], sizes=list(sizes), target="r")
    return LabelEfficiencyResult(score_table(rows), pd.concat(parts), fits, settings)


def matrix(shares):
    """A transfer matrix with planted accuracies: target -> network, hog or untrained -> share."""
    order, tables = np.random.default_rng(1).permutation(N), []
    true = WORDS[np.arange(N) % 3]
    for target, of_target in shares.items():
        base = dict(target=target, face=np.arange(N), subject=[f"p{i}" for i in range(N)], fold=0, true=true)
        tables += [pd.DataFrame(base | dict(predicted=np.where(np.isin(np.arange(N), order[: round(N * s)]), true, "surprised"), features=n))
                   for n, s in of_target.items()]
    baselines = [name for name in next(iter(shares.values())) if name in ("hog", "untrained")]
    networks = [name for name in next(iter(shares.values())) if name not in baselines]
    settings = dict(networks=networks, targets=list(shares), baselines=baselines, seed=0, skipped={}, collections={},
                    pretraining_faces={name: 100 * (i + 1) for i, name in enumerate(networks)})
    result = TransferResult(score_table([]), pd.concat(tables), pd.DataFrame(), settings)
    result.scores = score_table(transfer_scores(result))
    return result
