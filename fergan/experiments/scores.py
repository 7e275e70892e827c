"""The one form in which results are kept: a table of scores, and the predictions and searches behind it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import Score
from fergan.files import atomic_path, read_json, write_json

FEATURES = "discriminator"  # those of a network's discriminator are compared with others

#: `label` is an emotion, an Action Unit, or "all" (the whole set, or the mean over `n_labels` labels).
SCORE_COLUMNS = {
    "protocol": str, "features": str, "score": str, "label": str, "value": float, "low": float, "high": float,
    "n_faces": int, "n_subjects": int, "n_labels": int,
}


def score_table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of `SCORE_COLUMNS`: what a row does not say is NaN, no faces and people, and 1 label."""
    defaults = {"value": np.nan, "low": np.nan, "high": np.nan, "n_faces": 0, "n_subjects": 0, "n_labels": 1}
    filled = [{column: row.get(column, defaults.get(column)) for column in SCORE_COLUMNS} for row in rows]
    return pd.DataFrame(filled, columns=list(SCORE_COLUMNS)).astype(SCORE_COLUMNS)


def triple(row: Mapping[str, float]) -> Score:
    """Return value, low and high of a row of scores; NaN where it has none."""
    return tuple(float(row.get(key, np.nan)) for key in ("value", "low", "high"))


def roc(positive: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the false and the true positive rates of a ROC curve; NaN where all faces are of one class."""
    if len(np.unique(positive)) < 2:
        return np.array([np.nan]), np.array([np.nan])
    return roc_curve(positive, values)[:2]


@dataclass
class ExperimentResult:
    """What an experiment leaves: three tables and its settings."""

    scores: pd.DataFrame  # `SCORE_COLUMNS`
    predictions: pd.DataFrame  # one row per face (and Action Unit), protocol and feature set, out of fold
    searches: pd.DataFrame  # every parameter tried, by protocol, feature set and the outer folds it was tried for
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: str | Path) -> None:
        """Write ``predictions.parquet``, ``searches.parquet``, then ``scores.json``, each atomically."""
        folder = Path(folder)
        for name in ("predictions", "searches"):
            with atomic_path(folder / f"{name}.parquet") as temporary:
                getattr(self, name).to_parquet(temporary, index=False)
        write_json(folder / "scores.json", {"settings": self.settings, "scores": self.scores.to_dict("records")})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote."""
        folder = Path(folder)
        content = read_json(folder / "scores.json")
        rows = [{key: np.nan if value is None else value for key, value in row.items()} for row in content["scores"]]
        tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "searches")]
        return cls(score_table(rows), *tables, content["settings"])

    def select(self, protocol: str = SUBJECT_INDEPENDENT, features: str = FEATURES) -> pd.DataFrame:
        """Return the predictions of one protocol and feature set."""
        table = self.predictions
        chosen = table[(table["protocol"] == protocol) & (table["features"] == features)]
        if chosen.empty:
            raise ValueError(f"no predictions for protocol {protocol!r} and features {features!r}")
        return chosen

    def row(self, score: str, label: str = "all", features: str = FEATURES,
            protocol: str = SUBJECT_INDEPENDENT) -> Mapping[str, Any]:
        """Return one row of the scores; empty where there is none."""
        keys = dict(protocol=protocol, features=features, score=score, label=str(label))
        found = self.scores[np.logical_and.reduce([self.scores[key] == value for key, value in keys.items()])]
        return {} if found.empty else found.iloc[0]

    def score(self, *keys: Any, **more: Any) -> Score:
        """Return value, low and high of one `row`; NaN where there is none."""
        return triple(self.row(*keys, **more))
