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
from fergan.experiments.scores import row_of
from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTION_MAPPINGS, EMOTIONS, label_groups
from fergan.paper import AU7_ALONE

MAPPINGS = {"paper": "Table VI", "emfacs": "EMFACS"}
LABELS = {unit: unit for unit in ACTION_UNITS} | {"all": "mean"}
NEVER = TWO_PROTOCOLS[SUBJECT_INDEPENDENT]

_Variants = Mapping[str, AUResult]  # of one experiment, see `fergan.experiments.action_units.load_variants`
_Results = Mapping[int, AUResult]  # experiment -> its result


def scores_of(
    result: AUResult, score: str = "auc", protocol: str = SUBJECT_INDEPENDENT, features: str = FEATURES
) -> pd.DataFrame:
    """Return the row of one score for each of `LABELS`, NaN where there is none."""
    table = result.scores
    chosen = table[(table["score"] == score) & (table["protocol"] == protocol) & (table["features"] == features)]
    return chosen.set_index("label").reindex(list(LABELS))


def papers_areas(experiment: int, result: AUResult) -> pd.Series:
    """Return the paper's area for each of `LABELS`, NaN where it has not the same experiment on the same sets."""
    return pd.Series(papers_units(experiment, result.settings), dtype=float).reindex(list(LABELS))


def minus_paper(result: AUResult, experiment: int) -> pd.DataFrame:
    """Return our area as published minus the paper's for each of `LABELS`, with our interval; the paper gives none."""
    ours = scores_of(result, protocol=AS_PUBLISHED)[["value", "low", "high"]]
    return ours.sub(papers_areas(experiment, result), axis=0)


def _words(scores: pd.DataFrame, decimals: int = 3) -> list[str]:
    return [interval(row, decimals) for row in scores[["value", "low", "high"]].to_numpy().tolist()]


def derived_by(result: AUResult) -> str | None:
    """Return the mapping that an experiment's labels are derived by."""
    return result.settings["relabel_test"] or result.settings["relabel_train"]


def crosses(result: AUResult) -> bool:
    """Return whether an experiment goes from one set to another."""
    return result.settings["train"] != result.settings["test"]


# ---- one experiment

def au_table(result: AUResult, experiment: int) -> pd.DataFrame:
    """Return one row per Action Unit, and the mean: areas under the curve beside the paper's, then the other scores."""
    table = pd.DataFrame({"AU": pd.Series(LABELS), "paper": papers_areas(experiment, result)})
    for protocol, title in TWO_PROTOCOLS.items():
        table[title] = _words(scores_of(result, protocol=protocol))
    table["difference"] = _words(minus_paper(result, experiment))
    known = set(result.scores["score"])
    for title, score in {"never seen, true AU": "auc_true", "average precision": "average_precision", "F1": "f1",
                         "prevalence": "prevalence", "ICC": "icc"}.items():
        rows = scores_of(result, score)
        if score in known:
            table[title] = _words(rows) if score in ("auc_true", "icc") else rows["value"]
    return table.reset_index(drop=True)


def identical_units(variants: _Variants, emotions: Iterable[str], experiment: int) -> pd.DataFrame:
    """Return what becomes of Action Units that are derived from emotions: which are one label, and the areas of these.

    One row for each label that several Action Units share or that a single emotion gives.
    """
    rows = []
    for result in (result for variant, result in variants.items() if variant != TRUTH):
        mapping, ours = derived_by(result), scores_of(result, protocol=AS_PUBLISHED)["value"]
        paper = papers_areas(experiment, variants[MAIN]) if mapping == "paper" else ours.iloc[:0].reindex(ours.index)
        for units, shown_by in label_groups(list(emotions), mapping):
            if len(units) > 1 or len(shown_by) == 1:
                theirs, here = (", ".join(sorted({f"{area:.3f}" for area in areas[list(units)].dropna()}))
                                for areas in (paper, ours))
                rows.append({"mapping": MAPPINGS[mapping], "Action Units": ", ".join(units), "shown by": ", ".join(shown_by),
                             "detects": shown_by[0] if len(shown_by) == 1 else "any of these", "paper": theirs or None,
                             "as published": here or None})
    return pd.DataFrame(rows)


def variants_table(variants: _Variants) -> pd.DataFrame:
    """Return the areas on people never seen by every mapping, against derived labels and, where known, against the truth."""
    columns = {"AU": LABELS.values()}
    for variant, result in variants.items():
        title = "trained on true AUs" if variant == TRUTH else MAPPINGS[derived_by(result)]
        columns[title] = _words(scores_of(result))
        if variant != TRUTH and (result.scores["score"] == "auc_true").any():
            columns[f"{title}, true AU"] = _words(scores_of(result, "auc_true"))
    return pd.DataFrame(columns)


#: What the scores of `emotion_or_unit` are called: (pairs, name) -> (variant, features, score).
_SIDES = {
    ("all", "against true AUs"): (MAIN, FEATURES, "auc_true"),
    ("all", "trained on true AUs"): (TRUTH, FEATURES, "auc_true"),
    ("all", "against derived labels"): (MAIN, FEATURES, "auc"),
    ("all", "knows the emotion only"): (MAIN, "emotion", "auc_true"),
    ("one emotion", "against true AUs"): (MAIN, FEATURES, "auc_true_within"),
    ("one emotion", "trained on true AUs"): (TRUTH, FEATURES, "auc_true_within"),
}


def emotion_or_unit(experiments: Mapping[int, _Variants]) -> pd.DataFrame:
    """Return the scores that set emotion and Action Unit apart, on people never seen, of experiments whose truth is known.

    Columns ``AU, detector`` (against what it is scored, or what it knows), ``pairs`` ("all" or "one emotion"), ``value, low,
    high, experiment``.
    """
    tables = [scores_of(variants[variant], score, features=features)
              .assign(detector=detector, pairs=pairs, experiment=f"experiment {number}")
              for number, variants in experiments.items() if (variants[MAIN].scores["score"] == "auc_true").any()
              for (pairs, detector), (variant, features, score) in _SIDES.items() if variant in variants]
    table = pd.concat(tables or [pd.DataFrame(columns=["n_faces"])])
    return table.dropna(subset="n_faces").rename(index=LABELS).rename_axis("AU").reset_index()


def reading_of(sides: pd.DataFrame) -> dict[str, float] | None:
    """Return the means of `emotion_or_unit`, averaged over experiments; None where the truth is not known.

    ``derived, true, learnt, oracle`` over all pairs of faces, ``within, learnt_within`` over those of one emotion, NaN where
    there are none. Knowing the emotion does not help to order faces of one emotion, so that what a detector keeps there of
    its area above one half is not emotion recognition: ``lost`` is the share that goes with it.
    """
    if sides.empty:
        return None
    means = sides[sides["AU"] == "mean"].groupby(["pairs", "detector"])["value"].mean()
    names = dict(zip(("true", "learnt", "derived", "oracle", "within", "learnt_within"), _SIDES, strict=True))
    found = {name: float(means.get(key, np.nan)) for name, key in names.items()}
    above = found["true"] - 0.5
    lost = float(np.clip(1 - (found["within"] - 0.5) / above, 0, 1)) if above > 0 else np.nan
    return found | {"lost": lost, "n": sides["experiment"].nunique()}


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
        table[MAPPINGS[name]] = [", ".join(e for e in EMOTIONS if unit in mapping[e]) or None for unit in ACTION_UNITS]
    return table


def table_of_means(results: _Results) -> pd.DataFrame:
    """Return one row per experiment: the paper's mean area under the curve beside ours."""
    return pd.DataFrame([
        {"experiment": number, "network of": result.settings["pretrained"], "trained on": result.settings["train"],
         "tested on": result.settings["test"], "AUs": int(scores_of(result).loc["all", "n_labels"]),
         "paper": papers_areas(number, result)["all"]}
        | {title: interval(scores_of(result, protocol=protocol).loc["all"]) for protocol, title in TWO_PROTOCOLS.items()}
        | {"difference": interval(minus_paper(result, number).loc["all"])}
        for number, result in results.items()
    ])


def areas_of(results: _Results) -> pd.DataFrame:
    """Return areas, a row for each of `LABELS` and columns (the paper or a protocol, experiment)."""
    parts = {"paper": {n: papers_areas(n, result) for n, result in results.items()}}
    for protocol, title in TWO_PROTOCOLS.items():
        parts[title] = {n: scores_of(result, protocol=protocol)["value"] for n, result in results.items()}
    return pd.concat({title: pd.DataFrame(columns) for title, columns in parts.items()}, axis=1)


def spans_of(results: _Results) -> dict[str, list[float]]:
    """Return the mean areas on people never seen of the experiments ``within`` one set, and of those ``across`` sets."""
    means = areas_of(results).loc["all", NEVER]
    return {where: [means[n] for n, result in results.items() if crosses(result) == (where == "across")]
            for where in ("within", "across")}


def table_four(results: _Results) -> pd.DataFrame:
    """Return Table IV with both protocols: up to three rows per Action Unit (and the mean), one column per experiment."""
    table = areas_of(results).stack(0, future_stack=True).dropna(how="all").rename(index=LABELS, columns=str)
    return table.rename_axis(["AU", ""]).rename_axis(columns=None).reset_index()


def area_cells(results: _Results) -> pd.DataFrame:
    """Return the areas on people never seen, Action Units by experiments; × marks those from one set to another."""
    table = areas_of(results)[NEVER].drop("all").dropna(how="all").rename_axis(None)
    return table.rename(columns=lambda n: f"{n}×" if crosses(results[n]) else f"{n}")


def transfer_table(results: _Results) -> pd.DataFrame:
    """Return one row per Action Unit that is scored from one set to another: our areas, and the paper's mean."""
    across = {n: result for n, result in results.items() if crosses(result)}
    if not across:
        return pd.DataFrame()
    areas, low = areas_of(across), pd.DataFrame({n: scores_of(result)["low"] for n, result in across.items()})
    ours = areas[NEVER]
    words = {f"experiment {n}": _words(scores_of(result), 2) for n, result in across.items()}
    table = pd.DataFrame({"AU": ours.index} | words, index=ours.index)
    table["mean"], table["paper's mean"] = ours.mean(axis=1), areas["paper"].where(ours.notna()).mean(axis=1)
    table["above chance"] = [f"{(low.loc[unit] > 0.5).sum()} of {ours.loc[unit].count()}" for unit in ours.index]
    return table[ours.notna().any(axis=1)].drop("all", errors="ignore").reset_index(drop=True)


def rank_agreement(table: pd.DataFrame) -> tuple[float, int]:
    """Return Spearman's correlation of our mean areas with the paper's in a `transfer_table`, and over how many units."""
    known = table.dropna(subset=["mean", "paper's mean"]) if len(table) else table
    return (float(spearmanr(known["mean"], known["paper's mean"]).statistic) if len(known) > 2 else np.nan), len(known)


def roc_panels(results: _Results) -> Figure:
    """Draw one small panel of ROC curves for each Action Unit, one curve for each experiment; across sets with dashes."""
    rocs = {n: result.roc(SUBJECT_INDEPENDENT) for n, result in results.items()}
    units = [unit for unit in ACTION_UNITS if any(len(curves[unit][0]) > 1 for curves in rocs.values())]
    n_down = -(-len(units) // 4)
    size = (WIDTH, 0.27 * WIDTH * n_down + 0.8)
    figure, axes = plt.subplots(n_down, 4, figsize=size, squeeze=False, sharex=True, sharey=True)
    for ax in axes.flat[len(units) :]:
        ax.set_axis_off()
    for ax, unit in zip(axes.flat, units, strict=False):
        ax.set(title=unit, xlim=(0, 1), ylim=(0, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
        ax.tick_params(labelsize="x-small")
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for (n, curves), color in zip(rocs.items(), sns.color_palette("colorblind", len(rocs)), strict=True):
            style, name = ("--", f"{n}, across") if crosses(results[n]) else ("-", f"{n}")
            ax.plot(*curves[unit], style, color=color, linewidth=1.3, label=name)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False,
                  fontsize="small", title="experiment")
    figure.supxlabel("false-positive rate", fontsize="small")
    figure.supylabel("true-positive rate", fontsize="small")
    return figure


# ---- one Action Unit alone

def single_unit_table(scores: pd.DataFrame, unit: str, dataset: str) -> pd.DataFrame:
    """Return one row per network and protocol: areas in training and in test, the paper's first where it has some."""
    networks = {"only": f"faces with {unit} only", "all": "all faces", "untrained": "untrained"}
    rows = [[networks["only"], "the paper", *(interval((AU7_ALONE[part], np.nan, np.nan)) for part in ("train", "test"))]]
    for features in dict.fromkeys(scores["features"]):
        for protocol, title in TWO_PROTOCOLS.items():
            areas = [interval(row_of(scores, protocol, features, score, unit)) for score in ("auc_train", "auc")]
            rows.append([networks[features], title, *areas])
    papers_own = (unit, dataset) == (AU7_ALONE["unit"], AU7_ALONE["dataset"])
    return pd.DataFrame(rows[not papers_own :], columns=["network of", "protocol", "in train", "in test"])


def single_unit_reading(scores: pd.DataFrame, unit: str) -> dict[str, Any]:
    """Return how the network of one unit's faces compares with that of all faces, on people never seen.

    ``only, all`` (areas), ``difference`` (a row), ``verdict`` ("better", "worse", "open", or "not learnt" with a
    ``note``), and ``gaps``: for each network the area on faces that were learnt minus that on people never seen.
    """
    table = scores[scores["protocol"] == SUBJECT_INDEPENDENT].set_index(["features", "score"])
    areas = table["value"].unstack("score", sort=False)
    only, everything, beside = table.loc[("only", "auc")], table.loc[("all", "auc")], table.loc[("all", "auc_difference")]
    verdict = "better" if beside["low"] > 0 else "worse" if beside["high"] < 0 else "open"
    if np.isnan(only["value"]) or np.isnan(everything["value"]):
        verdict = "not learnt"
    return {"only": only["value"], "all": everything["value"], "difference": beside, "verdict": verdict,
            "note": only["note"] or everything["note"], "gaps": (areas["auc_train"] - areas["auc"]).dropna().to_dict()}


# ---- saliency

def region_reading(checks: pd.DataFrame) -> dict[str, Any] | None:
    """Return how many detectors look where their Action Unit acts, and how many would by chance; None without regions."""
    if checks.empty:
        return None
    n, inside = len(checks), checks.loc[checks["inside"], "AU"].tolist()
    return dict(n=n, inside=inside, first=int((checks["rank"] == 1).sum()), by_chance=0.05 * n, few=len(inside) <= n / 2)


def region_table(checks: pd.DataFrame) -> pd.DataFrame:
    """Return one row per Action Unit: how much of the saliency lies inside its region, and how much would by chance."""
    names = {"share": "share inside", "threshold": "95 % of shuffled", "inside": "looks there"}
    return checks.replace({"inside": {True: "yes", False: "no"}}).rename(columns=names)


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
