"""The chapter on faces."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fergan.book.plots import WIDTH, show_faces
from fergan.cache import current
from fergan.data.config import CATALOGUE
from fergan.data.cropping import CroppingAccount
from fergan.data.faces import FaceSet
from fergan.facs import ACTION_UNITS, AU_MEANINGS
from fergan.files import read_json

#: What became of a photograph in which no face was found.
LEFT_OUT, PLACED = "left out", "placed by view"


def subjects_named(source: str) -> str:
    """Return what column ``subject`` tells apart in photographs of this source: people, or films."""
    return CATALOGUE[source].subjects if source in CATALOGUE else "people"


def face_steps(photograph: np.ndarray, box: np.ndarray, crop: np.ndarray) -> plt.Figure:
    """Show a photograph with the box of its face, and the crop made from it."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH * 0.7, WIDTH * 0.35))
    for ax, image in zip(axes, (photograph, crop), strict=True):
        show_faces(ax, image[None], 1)
    left, top, right, bottom = box
    axes[0].add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#e69f00", linewidth=2))
    return figure


def unit_counts(faces: FaceSet) -> pd.DataFrame:
    """Return per coded Action Unit how many crops were coded, and how many and which share of them show it."""
    units = faces.labels[list(ACTION_UNITS)].dropna(axis=1, how="all")
    counts = units.agg(["count", "sum", "mean"]).T.set_axis(["coded", "shown", "share"], axis=1).rename_axis("Action Unit")
    counts.insert(0, "movement", counts.index.map(AU_MEANINGS))
    return counts.astype({"coded": int, "shown": int}).reset_index()


def losses(account: CroppingAccount) -> pd.DataFrame:
    """Return per emotion and per view how many photographs there were, and the share without a face that was found."""
    return pd.DataFrame([
        {"by": kind, "group": name, "photographs": lost["photographs"], "no face found": lost["fraction"]}
        for kind in ("emotion", "view") for name, lost in getattr(account, f"lost_by_{kind}").items()
    ], columns=["by", "group", "photographs", "no face found"])


def listed_photographs(account: CroppingAccount, n: int = 20) -> pd.DataFrame:
    """Return the first photographs that were left out or placed by view, and what else is wrong with the source."""
    rows = [{"photograph": of["source"], "fate": LEFT_OUT, "reason": of["reason"]} for of in account.unreadable]
    rows += [{"photograph": name, "fate": LEFT_OUT, "reason": "no face found"} for name in account.no_face]
    rows += [{"photograph": name, "fate": PLACED, "reason": "no face found"} for name in account.nominal]
    rows += [{"photograph": None, "fate": None, "reason": problem} for problem in account.problems]
    return pd.DataFrame(rows[:n])


def sets_table(artifacts: str | Path, names: Iterable[str]) -> pd.DataFrame:
    """Return one row per face set: what it holds, and what became of photographs in which no face was found."""
    rows = []
    for name in names:
        folder = current(f"{artifacts}/faces/{name}")
        faces, account = FaceSet.load(folder), CroppingAccount.load(folder)
        config = read_json(folder / "stamp.json")["config"]
        people, subjects = faces.labels["subject"].nunique() or None, subjects_named(config["source"])
        rows.append({
            "set": name,
            "source": config["source"],
            "faces": len(faces),
            PLACED: len(account.nominal),
            LEFT_OUT: account.photographs - len(faces),
            "people": f"{people:,} {subjects}" if people and subjects != "people" else people,
            "emotions": len(faces.emotions) or None,
            "AUs": int(faces.labels[list(ACTION_UNITS)].notna().any().sum()) or None,
            "views": faces.labels["view"].nunique() or None,
            "detector": config["detector"],
        })
    return pd.DataFrame(rows).convert_dtypes()
