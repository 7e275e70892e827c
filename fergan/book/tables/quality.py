"""Tables of the chapter on sample quality."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from fergan.book.report import rounded, with_interval
from fergan.book.tables.words import percent, ranged
from fergan.paper import read_table
from fergan.provenance import read_stamp
from fergan.quality.backbones import Missing
from fergan.quality.judge import Score

__all__ = [
    "absent_networks", "answer_of_quality", "answer_of_scores", "load_scores", "quality_table", "records_table",
    "scores_of_generators", "share_of_raters", "summary_of_quality", "table_seven",
]

#: Score -> what a table calls it; an arrow says which way is better.
WORDS = {
    "faces_found": "faces found ↑", "inception_score": "inception score ↑", "frechet": "Fréchet distance ↓",
    "frechet_infinite": "the same, n = ∞ ↓", "kernel": "kernel distance ↓", "precision": "precision ↑", "recall": "recall ↑",
    "density": "density ↑", "coverage": "coverage ↑", "ssim_nearest": "SSIM, nearest real face",
    "ms_ssim_nearest": "MS-SSIM, nearest real face", "ssim_among": "SSIM among samples",
    "ms_ssim_among": "MS-SSIM among samples", "pairwise_distance": "mean pixel distance ↑", "memorised": "memorised ↓",
}

#: How many digits a score needs.
_DECIMALS = {"frechet": 2, "frechet_infinite": 2, "kernel": 4}

#: What sets a row of Table VII apart from this project's; the paper gives neither n nor resolution of any.
_KINDS = {
    "Pix2Pix": "translates a given face", "pix2pixHD": "translates a given face; an IS below 1 is impossible",
    "StarGAN": "translates a given face", "GANimation": "translates a given face", "AF-VAE": "translates a given face",
    "LEED": "translates a given face", "LGG + LS + TP": "translates a given face", "CycleGAN": "translates a given face",
    "DCGAN (paper)": "unconditional; how SSIM found its pairs is not said",
}


def load_scores(home: str | Path, generator: str) -> list[Score]:
    """Return the scores that a generator's page left."""
    content = read_stamp(Path(home) / "results" / "quality" / generator / "scores.json")
    return [Score.from_dict(record) for record in content["scores"]]


def _interval(score: Score) -> str:
    return with_interval(score.value, score.low, score.high, _DECIMALS.get(score.name, 3))


def quality_table(scores: Iterable[Score]) -> pd.DataFrame:
    """Return one row per score of a generator: its value beside what real faces reach."""
    rows = []
    for score in scores:
        absent = pd.isna(score.value)
        floor = "–" if pd.isna(score.floor) else rounded(score.floor, _DECIMALS.get(score.name, 3))
        rows.append({"features": score.backbone, "score": WORDS[score.name], "samples": "–" if absent else _interval(score),
                     "real faces": floor, "remark": (score.note.split(":")[0] if absent else score.note) or "–"})
    return pd.DataFrame(rows)


def absent_networks(missing: Iterable[Missing]) -> Markdown:
    """Return a notice of the networks that could not be had, and how to get them; empty without any."""
    lines = "\n".join(f"{network.name}: {network.reason}." for network in missing)
    return Markdown(f":::{{admonition}} Not measured here\n:class: note\n{lines}\n:::" if lines else "")


def records_table(scores: Iterable[Score]) -> pd.DataFrame:
    """Return what each score rests on: numbers, pictures, weights, splits, seed and interval."""
    return pd.DataFrame([
        {"score": WORDS[score.name], "features": score.backbone, "n generated": score.n_generated, "n real": score.n_real,
         "pictures": score.resize, "weights": score.weights[:8] or "–", "splits": score.splits, "seed": score.seed,
         "interval": score.interval or "–"}
        for score in scores if not pd.isna(score.value)
    ])


def scores_of_generators(home: str | Path, generators: Iterable[str], backbone: str = "HOG") -> pd.DataFrame:
    """Return the scores of all generators: columns ``generator, score, value, low, high, floor``."""
    rows = []
    for name in generators:
        for score in load_scores(home, name):
            if score.backbone in (backbone, "pixels", "MTCNN"):
                rows.append({"generator": name, "score": score.name, "value": score.value, "low": score.low,
                             "high": score.high, "floor": score.floor})
    return pd.DataFrame(rows)


def summary_of_quality(
    home: str | Path, generators: Iterable[str],
    columns: Sequence[str] = ("faces_found", "frechet", "kernel", "precision", "recall", "memorised"), backbone: str = "HOG",
) -> pd.DataFrame:
    """Return one row per generator: some scores, in brackets what real faces reach."""
    table = scores_of_generators(home, generators, backbone)
    rows = []
    for name, part in table.groupby("generator", sort=False):
        of = part.set_index("score")
        row = {"generator": name}
        for score in columns:
            digits = _DECIMALS.get(score, 2)
            known = score in of.index and not pd.isna(of.loc[score, "value"])
            both = [rounded(of.loc[score, side], digits) for side in ("value", "floor")] if known else []
            row[WORDS[score]] = f"{both[0]} ({both[1]})" if known else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def table_seven(home: str | Path, generator: str, share_of_raters: float = np.nan) -> pd.DataFrame:
    """Return Table VII with a row of this book's, and a remark on what can be compared.

    Parameters
    ----------
    home : path
        The profile's artifacts.
    generator : str
        Whose row is added; none where it was not judged.
    share_of_raters : float
        How often raters took its samples for real, in percent; NaN without raters.
    """
    columns = {"model": "model", "is": "IS", "fid": "FID", "ssim": "SSIM", "amt_percent": "AMT (%)"}
    table = read_table("table7_sample_quality_rafd").rename(columns=columns)
    table["remark"] = table["model"].map(_KINDS)
    if not generator:
        return table
    scores = {(score.backbone, score.name): score for score in load_scores(home, generator)}
    row = _our_row(generator, scores) | {"AMT (%)": share_of_raters}
    return pd.concat([table, pd.DataFrame([row])], ignore_index=True)


def share_of_raters(home: str | Path, generator: str) -> float:
    """Return how often raters, one face at a time, took a generator's samples for real, in percent; NaN without raters."""
    stamp = Path(home) / "results" / "human_study" / generator / "scores.json"
    pooled = read_stamp(stamp)["single"]["pooled"] if generator and stamp.is_file() else {}
    return 100 * pooled["said_real"] if pooled else np.nan


def _our_row(generator: str, scores: Mapping[tuple[str, str], Score]) -> dict[str, object]:
    values = {column: scores[key].value if key in scores else np.nan for column, key in (
        ("IS", ("Inception", "inception_score")), ("FID", ("Inception", "frechet")), ("SSIM", ("pixels", "ssim_nearest")))}
    size = scores["pixels", "ssim_nearest"]
    remark = f"unconditional, 64 × 64; SSIM with the nearest real face, {size.n_generated:,} samples"
    if pd.isna(values["FID"]):
        remark += "; Inception weights absent, so no IS and no FID"
    else:
        distance = scores["Inception", "frechet"]
        remark += f"; FID of {distance.n_generated:,} samples and as many faces (floor {distance.floor:.1f})"
    return {"model": f"this book, {generator}", **values, "remark": remark}


def answer_of_scores(scores: Iterable[Score], backbone: str = "HOG") -> str:
    """Say whether samples of one generator look like faces, how like its real ones they are, how varied, and whether new."""
    of = {score.name: score for score in scores if score.backbone in (backbone, "pixels", "MTCNN")}
    found, distance, recall, memorised = (of[name] for name in ("faces_found", "frechet", "recall", "memorised"))
    return (f"Recognisable: a detector finds a face in {percent(found.value)} of the samples. Like the real faces: their "
            f"Fréchet distance is {distance.value:.2f} in {backbone} features, where other real faces have "
            f"{distance.floor:.2f}. Varied: {percent(recall.value)} of the real faces have samples around them, where other "
            f"real faces reach {percent(recall.floor)}. New: {percent(memorised.value, 1)} of the samples are memorised.")


def answer_of_quality(home: str | Path, generators: Iterable[str], backbone: str = "HOG") -> str:
    """Say between what scores the samples of all generators lie: recognisable, like real faces, varied and new."""
    table = scores_of_generators(home, generators, backbone).set_index(["score", "generator"])
    found, memorised, recall = (table.loc[name, "value"] for name in ("faces_found", "memorised", "recall"))
    ratio = table.loc["frechet", "value"] / table.loc["frechet", "floor"]
    return (f"Recognisable: a detector finds a face in {_percents(found)} of a generator's samples, least often for "
            f"{found.idxmin()}. Like the real faces: the Fréchet distance is {ranged(ratio.min(), ratio.max(), 1)} times "
            f"that of other real faces. Varied: in fine structure ({backbone} features) {_percents(recall)} of the real "
            f"faces have samples around them; the next chapter compares coarse pictures. New: at most "
            f"{percent(memorised.max(), 1)} of the samples are memorised.")


def _percents(shares: pd.Series) -> str:
    ends = [f"{100 * value:.0f}" for value in (shares.min(), shares.max())]
    return f"{ends[0]} %" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} %"
