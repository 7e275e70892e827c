"""Tables and figures of the chapters on Action Units: the experiments, a network of one unit alone, saliency."""

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from fergan.book.plots import TWO_PROTOCOLS, WIDTH, score_dots
from fergan.book.show import interval
from fergan.experiments.action_units import FEATURES, MAIN, TRUTH, AUResult, papers_units
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.saliency import RegionCheck
from fergan.experiments.scores import row_of
from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTION_MAPPINGS, EMOTIONS, label_groups
from fergan.paper import AU7_ALONE

MAPPINGS = {"paper": "Table VI", "emfacs": "EMFACS"}
LABELS = {unit: unit for unit in ACTION_UNITS} | {"all": "mean"}

_Variants = Mapping[str, AUResult]  # of one experiment, see `fergan.experiments.action_units.load_variants`
_Results = Mapping[int, AUResult]  # experiment -> its result


def area(
    result: AUResult, label: str = "all", score: str = "auc", protocol: str = SUBJECT_INDEPENDENT, features: str = FEATURES
) -> Mapping[str, Any]:
    """Return the row of one score; empty where there is none."""
    return row_of(result.scores, protocol, features, score, label)


def value(*args: Any, **kwargs: Any) -> float:
    """Return one score, see `area`; NaN where there is none."""
    return float(area(*args, **kwargs).get("value", np.nan))


def intervals(result: AUResult, score: str = "auc", protocol: str = SUBJECT_INDEPENDENT) -> list[str]:
    """Return a column of a table: a score and its interval for each of `LABELS`."""
    return [interval(area(result, label, score, protocol)) for label in LABELS]


def derived_by(result: AUResult) -> str | None:
    """Return the mapping that an experiment's labels are derived by."""
    return result.settings["relabel_test"] or result.settings["relabel_train"]


def crosses(result: AUResult) -> bool:
    """Return whether an experiment goes from one set to another."""
    return result.settings["train"] != result.settings["test"]


def minus_paper(result: AUResult, experiment: int, label: str = "all") -> tuple[float, float, float]:
    """Return our area as published minus the paper's, with our interval; the paper gives none."""
    theirs, ours = papers_units(experiment, result.settings).get(label, np.nan), area(result, label, protocol=AS_PUBLISHED)
    return tuple(ours.get(key, np.nan) - theirs for key in ("value", "low", "high"))


def papers_mean(experiment: int, result: AUResult) -> float:
    """Return the paper's mean area of the same experiment on the same sets; NaN where it has none."""
    return papers_units(experiment, result.settings).get("all", np.nan)


# ---- one experiment

def au_table(result: AUResult, experiment: int) -> pd.DataFrame:
    """Return one row per Action Unit, and the mean: areas under the curve beside the paper's, then the other scores."""
    paper, known = papers_units(experiment, result.settings), set(result.scores["score"])
    columns = {"AU": LABELS.values(), "paper": [paper.get(label, np.nan) for label in LABELS]}
    columns |= {words: intervals(result, protocol=protocol) for protocol, words in TWO_PROTOCOLS.items()}
    columns["difference"] = [interval(minus_paper(result, experiment, label)) for label in LABELS]
    if "auc_true" in known:
        columns["never seen, true AU"] = intervals(result, "auc_true")
    for words, score in {"average precision": "average_precision", "F1": "f1", "prevalence": "prevalence"}.items():
        columns[words] = [value(result, label, score) for label in LABELS]
    if "icc" in known:
        columns["ICC"] = intervals(result, "icc")
    return pd.DataFrame(columns)


def identical_units(variants: _Variants, emotions: Iterable[str], experiment: int) -> pd.DataFrame:
    """Return what becomes of Action Units that are derived from emotions: which are one label, and the areas of these.

    One row for each label that several Action Units share or that a single emotion gives.
    """
    paper, emotions, rows = papers_units(experiment, variants[MAIN].settings), list(emotions), []
    for variant, result in variants.items():
        mapping = variant or derived_by(result)
        for units, shown_by in label_groups(emotions, mapping) if variant != TRUTH else ():
            if len(units) > 1 or len(shown_by) == 1:
                theirs = {f"{paper[unit]:.3f}" for unit in units if paper and mapping == "paper"}
                ours = {f"{value(result, unit, protocol=AS_PUBLISHED):.3f}" for unit in units}
                rows.append({
                    "mapping": MAPPINGS[mapping], "Action Units": ", ".join(units), "shown by": ", ".join(shown_by),
                    "detects": shown_by[0] if len(shown_by) == 1 else "any of these",
                    "paper": ", ".join(sorted(theirs)) or None, "as published": ", ".join(sorted(ours)),
                })
    return pd.DataFrame(rows)


def variants_table(variants: _Variants) -> pd.DataFrame:
    """Return the areas on people never seen by every mapping, against derived labels and, where known, against the truth."""
    columns = {}
    for variant, result in variants.items():
        words = "trained on true AUs" if variant == TRUTH else MAPPINGS[variant or derived_by(result)]
        columns[words] = intervals(result)
        if variant != TRUTH and (result.scores["score"] == "auc_true").any():
            columns[f"{words}, true AU"] = intervals(result, "auc_true")
    return pd.DataFrame({"AU": LABELS.values()} | columns)


#: What the scores of `emotion_or_unit` are called: (pairs, name) -> (variant, features, score).
_SIDES = {
    ("all", "against true AUs"): (MAIN, FEATURES, "auc_true"),
    ("all", "trained on true AUs"): (TRUTH, FEATURES, "auc_true"),
    ("all", "against derived labels"): (MAIN, FEATURES, "auc"),
    ("all", "knows the emotion only"): (MAIN, "emotion", "auc_true"),
    ("one emotion", "against true AUs"): (MAIN, FEATURES, "auc_true_within"),
    ("one emotion", "trained on true AUs"): (TRUTH, FEATURES, "auc_true_within"),
}


def emotion_or_unit(variants: _Variants, labels: Mapping[str, str] = LABELS) -> pd.DataFrame:
    """Return the scores that set emotion and Action Unit apart, on people never seen; empty where the truth is not known.

    Columns ``AU, detector`` (against what it is scored, or what it knows), ``pairs`` ("all" or "one emotion"), ``value, low,
    high``.
    """
    columns, rows = ["value", "low", "high"], []
    for (pairs, detector), (variant, features, score) in _SIDES.items():
        for label, name in labels.items() if variant in variants else ():
            found = area(variants[variant], label, score, features=features)
            if len(found):
                rows.append({"AU": name, "detector": detector, "pairs": pairs} | {key: found[key] for key in columns})
    table = pd.DataFrame(rows, columns=["AU", "detector", "pairs", *columns])
    return table if (table["detector"] == "against true AUs").any() else table.iloc[:0]


def sides_of_experiments(experiments: Mapping[int, _Variants]) -> pd.DataFrame:
    """Return the means of `emotion_or_unit` of every experiment whose truth is known, with a column ``experiment``."""
    return pd.concat([emotion_or_unit(variants, {"all": "mean"}).assign(experiment=f"experiment {number}")
                      for number, variants in experiments.items()], ignore_index=True)


def reading_of(sides: pd.DataFrame) -> dict[str, float] | None:
    """Return the means of `emotion_or_unit`, averaged over experiments; None where the truth is not known.

    ``derived, true, learnt, oracle`` over all pairs of faces, ``within, learnt_within`` over those of one emotion, NaN where
    there are none. Knowing the emotion does not help to order faces of one emotion, so that what a detector keeps there of
    its area above one half is not emotion recognition: ``lost`` is the share that goes with it.
    """
    means = sides[sides["AU"] == "mean"].groupby(["pairs", "detector"])["value"].mean()
    names = dict(zip(("true", "learnt", "derived", "oracle", "within", "learnt_within"), _SIDES, strict=True))
    found = {name: float(means.get(key, np.nan)) for name, key in names.items()}
    if np.isnan(found["true"]):
        return None
    above = found["true"] - 0.5
    lost = float(np.clip(1 - (found["within"] - 0.5) / above, 0, 1)) if above > 0 else np.nan
    return found | {"lost": lost, "n": sides["experiment"].nunique() if "experiment" in sides else 1}


def sides_figure(sides: pd.DataFrame, y: str = "AU") -> Figure:
    """Draw how much of a score on relabelled faces is the recognition of emotions; `y` names the lines."""
    n = sides[y].nunique()
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 1.9 + (0.34 if n > 6 else 0.55) * n), sharex=True, sharey=True)
    # Detectors of both panels come first, so that each has one colour and marker.
    titles = {"all": "all pairs of faces", "one emotion": "pairs of one emotion"}
    for ax, (pairs, title) in zip(axes, titles.items(), strict=True):
        score_dots(sides[sides["pairs"] == pairs], y, "detector", f"area, {title}", chance=0.5, ax=ax)
        ax.get_legend().remove()
    axes[1].tick_params(labelleft=False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    return figure


# ---- all experiments

def mapping_table() -> pd.DataFrame:
    """Return which emotions show which Action Unit, by each mapping."""
    table = pd.DataFrame(AU_MEANINGS.items(), columns=["AU", "movement"])
    for name, mapping in EMOTION_MAPPINGS.items():
        shown_by = [[emotion for emotion in EMOTIONS if unit in mapping[emotion]] for unit in ACTION_UNITS]
        table[MAPPINGS[name]] = [", ".join(emotions) or None for emotions in shown_by]
    return table


def table_of_means(results: _Results) -> pd.DataFrame:
    """Return one row per experiment: the paper's mean area under the curve beside ours."""
    return pd.DataFrame([
        {"experiment": number, "network of": result.settings["pretrained"], "trained on": result.settings["train"],
         "tested on": result.settings["test"], "AUs": int(area(result)["n_labels"]),
         "paper": papers_mean(number, result)}
        | {words: interval(area(result, protocol=protocol)) for protocol, words in TWO_PROTOCOLS.items()}
        | {"difference": interval(minus_paper(result, number))}
        for number, result in results.items()
    ])


def spans_of(results: _Results) -> dict[str, list[float]]:
    """Return the mean areas on people never seen of the experiments ``within`` one set, and of those ``across`` sets."""
    spans: dict[str, list[float]] = {"within": [], "across": []}
    for result in results.values():
        spans["across" if crosses(result) else "within"].append(value(result))
    return spans


def table_four(results: _Results) -> pd.DataFrame:
    """Return Table IV with both protocols: up to three rows per Action Unit (and the mean), one column per experiment."""
    rows = []
    for label, name in LABELS.items():
        papers = {f"{n}": papers_units(n, result.settings).get(label, np.nan) for n, result in results.items()}
        rows.append({"AU": name, "": "paper"} | papers)
        rows += [{"AU": name, "": words} | {f"{n}": value(result, label, protocol=protocol) for n, result in results.items()}
                 for protocol, words in TWO_PROTOCOLS.items()]
    return pd.DataFrame(rows).dropna(how="all", subset=[f"{n}" for n in results]).reset_index(drop=True)


def area_cells(results: _Results) -> pd.DataFrame:
    """Return the areas on people never seen, Action Units by experiments; × marks those from one set to another."""
    cells = {n: [value(result, unit) for unit in ACTION_UNITS] for n, result in results.items()}
    names = [f"{n}×" if crosses(result) else f"{n}" for n, result in results.items()]
    return pd.DataFrame(cells, index=list(ACTION_UNITS)).set_axis(names, axis=1).dropna(how="all")


def transfer_table(results: _Results) -> pd.DataFrame:
    """Return one row per Action Unit that is scored from one set to another: our areas, and the paper's mean."""
    across, rows = {n: result for n, result in results.items() if crosses(result)}, []
    for unit in ACTION_UNITS:
        found = {n: area(result, unit) for n, result in across.items()}
        known = {n: row for n, row in found.items() if len(row) and not np.isnan(row["value"])}
        if known:
            papers = [papers_units(n, across[n].settings).get(unit, np.nan) for n in known]
            rows.append({"AU": unit} | {f"experiment {n}": interval(row, 2) for n, row in found.items()} | {
                "mean": float(np.mean([row["value"] for row in known.values()])),
                "paper's mean": np.nan if np.isnan(papers).all() else float(np.nanmean(papers)),
                "above chance": f"{sum(row['low'] > 0.5 for row in known.values())} of {len(known)}",
            })
    return pd.DataFrame(rows)


def rank_agreement(table: pd.DataFrame) -> tuple[float, int]:
    """Return Spearman's correlation of our mean areas with the paper's in a `transfer_table`, and over how many units."""
    known = table.dropna(subset=["mean", "paper's mean"]) if len(table) else table
    return (float(spearmanr(known["mean"], known["paper's mean"]).statistic) if len(known) > 2 else np.nan), len(known)


def roc_panels(results: _Results) -> Figure:
    """Draw one small panel of ROC curves for each Action Unit, one curve for each experiment; across sets with dashes."""
    curves = {number: result.roc(SUBJECT_INDEPENDENT) for number, result in results.items()}
    units = [unit for unit in ACTION_UNITS if any(len(of_units[unit][0]) > 1 for of_units in curves.values())]
    n_down, n_across = -(-len(units) // 4), 4
    size = (WIDTH, WIDTH * n_down / n_across * 1.08 + 0.8)
    figure, axes = plt.subplots(n_down, n_across, figsize=size, squeeze=False, sharex=True, sharey=True)
    colors = dict(zip(curves, sns.color_palette("colorblind", len(curves)), strict=True))
    for ax in axes.flat[len(units):]:
        ax.set_axis_off()
    for ax, unit in zip(axes.flat, units, strict=False):
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for n, of_units in curves.items():
            style, label = ("--", f"{n}, across") if crosses(results[n]) else ("-", f"{n}")
            ax.plot(*of_units[unit], style, color=colors[n], linewidth=1.3, label=label)
        ax.set(title=unit, xlim=(0, 1), ylim=(0, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
        ax.tick_params(labelsize="x-small")
    place = dict(loc="outside upper center", ncols=min(4, len(curves)), frameon=False, fontsize="small", title="experiment")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), **place)
    figure.supxlabel("false-positive rate", fontsize="small")
    figure.supylabel("true-positive rate", fontsize="small")
    return figure


# ---- one Action Unit alone

def single_unit_table(scores: pd.DataFrame, unit: str, dataset: str) -> pd.DataFrame:
    """Return one row per network and protocol: areas in training and in test, the paper's first where it has some."""
    rows, networks = [], {"only": f"faces with {unit} only", "all": "all faces", "untrained": "untrained"}
    if (unit, dataset) == (AU7_ALONE["unit"], AU7_ALONE["dataset"]):
        rows.append(["only", "the paper", *(interval((AU7_ALONE[part], np.nan, np.nan)) for part in ("train", "test"))])
    for features in dict.fromkeys(scores["features"]):
        for protocol, words in TWO_PROTOCOLS.items():
            areas = [interval(row_of(scores, protocol, features, score, unit)) for score in ("auc_train", "auc")]
            rows.append([features, words, *areas])
    table = pd.DataFrame(rows, columns=["network of", "protocol", "in train", "in test"])
    return table.assign(**{"network of": table["network of"].map(networks)})


def single_unit_reading(scores: pd.DataFrame, unit: str) -> dict[str, Any]:
    """Return how the network of one unit's faces compares with that of all faces, on people never seen.

    ``only, all`` (areas), ``difference`` (a row), ``verdict`` ("better", "worse", "open", or "not learnt" with a
    ``note``), and ``gaps``: for each network the area on faces that were learnt minus that on people never seen.
    """
    def one(features: str, score: str) -> Mapping[str, Any]:
        return row_of(scores, SUBJECT_INDEPENDENT, features, score, unit)

    only, everything, beside = one("only", "auc"), one("all", "auc"), one("all", "auc_difference")
    gaps = {name: one(name, "auc_train")["value"] - one(name, "auc")["value"] for name in dict.fromkeys(scores["features"])}
    verdict = "better" if beside["low"] > 0 else "worse" if beside["high"] < 0 else "open"
    if np.isnan(only["value"]) or np.isnan(everything["value"]):
        verdict = "not learnt"
    known = {name: gap for name, gap in gaps.items() if not np.isnan(gap)}
    return {"only": only["value"], "all": everything["value"], "difference": beside, "verdict": verdict,
            "note": only["note"] or everything["note"], "gaps": known}


# ---- saliency

def region_reading(checks: Mapping[str, RegionCheck]) -> dict[str, Any] | None:
    """Return how many detectors look where their Action Unit acts, and how many would by chance; None without regions."""
    inside = [unit for unit, check in checks.items() if check.inside]
    return {"n": len(checks), "inside": inside, "first": sum(check.rank == 1 for check in checks.values()),
            "by_chance": 0.05 * len(checks), "few": len(inside) <= len(checks) / 2} if checks else None


def region_table(checks: Mapping[str, RegionCheck]) -> pd.DataFrame:
    """Return one row per Action Unit: how much of the saliency lies inside its region, and how much would by chance."""
    return pd.DataFrame([
        {"AU": unit, "share inside": check.share, "area": check.area, "95 % of shuffled": check.threshold,
         "looks there": "yes" if check.inside else "no", "rank": check.rank} for unit, check in checks.items()
    ])


def outlined_maps(background: np.ndarray, maps: np.ndarray, regions: np.ndarray | None = None) -> Figure:
    """Draw the map of each Action Unit (14, h, w) over one face (h, w, 3) in grey, with the outline of its region.

    Each map is scaled to its own maximum; NaN leaves the face bare.
    """
    n_across = 5
    n_down = -(-len(maps) // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, WIDTH / n_across * n_down * 1.18), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for u, (ax, unit) in enumerate(zip(axes.flat, ACTION_UNITS, strict=False)):
        ax.imshow(background.mean(axis=2), cmap="gray", vmin=0, vmax=255)
        strength = np.nan_to_num(maps[u])
        strength = strength / max(strength.max(), 1e-12)
        ax.imshow(strength, cmap="inferno", alpha=np.clip(1.3 * strength, 0, 0.85), vmin=0, vmax=1)
        if regions is not None and regions[u].any():
            ax.contour(regions[u].astype(float), levels=[0.5], colors="#56d8ff", linewidths=1.5)
        ax.set_title(f"{unit}\nnot learnt" if np.isnan(maps[u]).any() else unit, fontsize="small", pad=3)
    return figure
