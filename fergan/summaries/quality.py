"""Tables of the chapter on sample quality."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.provenance import read_stamp
from fergan.report import with_interval

__all__ = ["quality_table", "summary_of_quality"]


_QUALITY_WORDS = {
    "faces_found": "faces found in samples", "faces_found_real": "faces found in real crops",
    "distance": "mean pixel distance of samples", "distance_real": "mean pixel distance of real faces",
    "distance_ratio": "their ratio", "frechet_hog": "Fréchet distance, samples to real (HOG)",
    "frechet_hog_floor": "Fréchet distance, real to real (HOG)",
    "ssim_nearest": "SSIM with the nearest real face", "nearest_real": "mean pixel distance to the nearest real face",
}


def quality_table(scores: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per score of a generator."""
    return pd.DataFrame([
        {"score": words, "value": with_interval(*_numbers(scores[key])), "generated": scores[key]["n_generated"] or "–",
         "real": scores[key]["n_real"] or "–", "note": scores[key]["note"] or "–"}
        for key, words in _QUALITY_WORDS.items()
    ])


def _numbers(record: Mapping[str, Any]) -> list[float]:
    return [np.nan if record[key] is None else record[key] for key in ("value", "low", "high")]


def summary_of_quality(home: str | Path, names: Iterable[str]) -> pd.DataFrame:
    """Return one row per generator."""
    rows = []
    for name in names:
        scores = read_stamp(Path(home) / "results" / "quality" / name / "scores.json")
        rows.append({
            "generator": name,
            "faces found": with_interval(*_numbers(scores["faces_found"]), decimals=2),
            "in real crops": scores["faces_found_real"]["value"],
            "distance ratio": scores["distance_ratio"]["value"],
            "Fréchet": scores["frechet_hog"]["value"],
            "its floor": scores["frechet_hog_floor"]["value"],
        })
    return pd.DataFrame(rows).round(3)
