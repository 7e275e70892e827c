"""Tables and figures of the chapters on Action Units: the experiments, a network of one unit alone, saliency."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from fergan.book.plots import TWO_PROTOCOLS, WIDTH, score_dots
from fergan.book.show import interval, signed
from fergan.claims import side, triple
from fergan.experiments.action_units import FEATURES, MAIN, TRUTH, AUResult, papers_units
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import FEWEST_PEOPLE
from fergan.experiments.scores import row_of
from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTION_MAPPINGS, EMOTIONS
from fergan.paper import AU7_ALONE

MAPPINGS = {"paper": "Table VI", "emfacs": "EMFACS"}
LABELS = {unit: unit for unit in ACTION_UNITS} | {"all": "mean"}

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


def _words(scores: pd.DataFrame, write: Callable = interval) -> pd.Series:
    return pd.Series([write(row) if pd.notna(row["value"]) else None for _, row in scores.iterrows()], scores.index, object)


def derived_by(result: AUResult) -> str | None:
    """Return the mapping that an experiment's labels are derived by."""
    return result.settings["relabel_test"] or result.settings["relabel_train"]


def crosses(result: AUResult) -> bool:
    """Return whether an experiment goes from one set to another."""
    return result.settings["train"] != result.settings["test"]


# ---- one experiment

def au_table(result: AUResult, experiment: int) -> pd.DataFrame:
    """Return one row per Action Unit that is scored, and the mean: areas beside the paper's and rivals', other scores."""
    table = pd.DataFrame({"AU": pd.Series(LABELS), "paper": papers_areas(experiment, result)})
    for protocol, title in TWO_PROTOCOLS.items():
        table[title] = _words(scores_of(result, protocol=protocol))
    for rival in result.settings["baselines"]:
        table[f"minus {rival}"] = _words(scores_of(result, "auc_difference", features=rival), signed)
    table["never seen, true AU"] = _words(scores_of(result, "auc_true"))
    table["average precision"], table["prevalence"] = (
        scores_of(result, name)["value"] for name in ("average_precision", "prevalence"))
    scored = table["paper"].notna() | scores_of(result)["value"].notna()
    return table[scored].dropna(axis=1, how="all").reset_index(drop=True)


def variants_table(variants: _Variants) -> pd.DataFrame:
    """Return the areas on people never seen by every mapping, against derived labels and, where known, against the truth."""
    table = pd.DataFrame({"AU": pd.Series(LABELS)})
    for variant, result in variants.items():
        title = "trained on true AUs" if variant == TRUTH else MAPPINGS[derived_by(result)]
        table[title] = _words(scores_of(result))
        if variant != TRUTH:
            table[f"{title}, true AU"] = _words(scores_of(result, "auc_true"))
    return table.dropna(axis=1, how="all").dropna(thresh=2)


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
    """Return one row per experiment: the paper's mean area beside ours, and ours minus that of each rival."""
    rows = []
    for number, result in results.items():
        names = {"network of": "pretrained", "trained on": "train", "tested on": "test"}
        row = {"experiment": number} | {title: result.settings[name] for title, name in names.items()}
        row |= {"AUs": int(scores_of(result).loc["all", "n_labels"]), "paper": papers_areas(number, result)["all"]}
        row |= {title: interval(scores_of(result, protocol=p).loc["all"]) for p, title in TWO_PROTOCOLS.items()}
        rows.append(row | {f"minus {rival}": signed(scores_of(result, "auc_difference", features=rival).loc["all"])
                           for rival in result.settings["baselines"]})
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def rival_means(results: _Results) -> pd.DataFrame:
    """Return the mean area on people never seen of each kind of features, as `fergan.book.plots.score_dots` draws it."""
    tables = []
    for number, result in results.items():
        base = dict(experiment=f"{number}×" if crosses(result) else f"{number}")
        tables += [scores_of(result, features=name).loc[["all"]].assign(**base, features=name)
                   for name in (FEATURES, *result.settings["baselines"])]
    return pd.concat(tables)


def rivals_reading(results: _Results) -> dict[str, dict[str, Any]]:
    """Return for each rival over how many experiments it was compared (``n``), and in how many who is clearly better."""
    table = pd.DataFrame([dict(row_of(result.scores, SUBJECT_INDEPENDENT, rival, "auc_difference"), rival=rival)
                          for result in results.values() for rival in result.settings["baselines"]])
    return {rival: {"n": len(rows), "better": int((rows["low"] > 0).sum()), "worse": int((rows["high"] < 0).sum()),
                    "mean": rows["value"].mean()}
            for rival, rows in (table.groupby("rival", sort=False) if len(table) else ())}


def tested_on_few(results: _Results) -> dict[int, int]:
    """Return the people of each experiment that is tested on too few for an interval."""
    counts = {number: int(scores_of(result).loc["all", "n_subjects"]) for number, result in results.items()}
    return {number: count for number, count in counts.items() if count < FEWEST_PEOPLE}


def areas_of(results: _Results) -> pd.DataFrame:
    """Return the areas on people never seen: a row for each of `LABELS`, a column per experiment."""
    return pd.DataFrame({number: scores_of(result)["value"] for number, result in results.items()})


def spans_of(results: _Results) -> dict[str, list[float]]:
    """Return the mean areas on people never seen of the experiments ``within`` one set, and of those ``across`` sets."""
    means = areas_of(results).loc["all"]
    return {where: [means[n] for n, result in results.items() if crosses(result) == (where == "across")]
            for where in ("within", "across")}


def area_cells(results: _Results) -> pd.DataFrame:
    """Return the areas on people never seen, Action Units by experiments; × marks those from one set to another."""
    table = areas_of(results).drop("all").dropna(how="all").rename_axis(None)
    return table.rename(columns=lambda n: f"{n}×" if crosses(results[n]) else f"{n}")


def transfer_table(results: _Results) -> pd.DataFrame:
    """Return one row per Action Unit that is scored from one set to another: mean areas, ours and the paper's."""
    across = {n: result for n, result in results.items() if crosses(result)}
    ours = areas_of(across).drop("all", errors="ignore").dropna(how="all")
    low, paper = (pd.DataFrame({n: of(n, result) for n, result in across.items()}).reindex(ours.index) for of in (
        lambda n, result: scores_of(result)["low"], papers_areas))
    above = [f"{(low.loc[unit] > 0.5).sum()} of {ours.loc[unit].count()}" for unit in ours.index]
    table = {"AU": ours.index, "mean": ours.mean(axis=1), "paper's mean": paper.where(ours.notna()).mean(axis=1)}
    return pd.DataFrame(table | {"above chance": above}).dropna(axis=1, how="all").reset_index(drop=True)


def rank_agreement(table: pd.DataFrame) -> tuple[float, int]:
    """Return Spearman's correlation of our mean areas with the paper's in a `transfer_table`, and over how many units."""
    known = table.reindex(columns=["mean", "paper's mean"]).dropna()
    return (float(spearmanr(known["mean"], known["paper's mean"]).statistic) if len(known) > 2 else np.nan), len(known)


def roc_panels(results: _Results) -> Figure:
    """Draw one small panel of ROC curves for each Action Unit, one curve for each experiment; across sets with dashes."""
    curves = pd.concat([
        pd.DataFrame({"false-positive rate": false, "true-positive rate": true, "AU": unit, "experiment": str(n),
                      "from one set to another": "yes" if crosses(result) else "no"})
        for n, result in results.items() for unit, (false, true) in result.roc(SUBJECT_INDEPENDENT).items()
        if len(false) > 1])
    grid = sns.relplot(curves, kind="line", x="false-positive rate", y="true-positive rate", col="AU", col_wrap=4,
                       col_order=[unit for unit in ACTION_UNITS if (curves["AU"] == unit).any()], hue="experiment",
                       style="from one set to another", style_order=["no", "yes"], palette="colorblind", estimator=None,
                       sort=False, height=WIDTH / 4, linewidth=1.3)
    grid.set_titles("{col_name}").set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlim=(0, 1))
    for ax in grid.axes.flat:
        ax.axline((0, 0), slope=1, color="0.6", linewidth=0.8, zorder=0)
    sns.move_legend(grid, "upper center", bbox_to_anchor=(0.5, 0), ncols=4, frameon=False, fontsize="small")
    return grid.figure


# ---- one Action Unit alone

def single_unit_table(result: AUResult) -> pd.DataFrame:
    """Return one row per network and protocol: areas in training and in test, the paper's first where it has some."""
    unit, dataset = result.settings["unit"], result.settings["dataset"]
    papers_own = (unit, dataset) == (AU7_ALONE["unit"], AU7_ALONE["dataset"])
    rows = [[FEATURES, "the paper", *(interval(AU7_ALONE[part]) for part in ("train", "test"))]] * papers_own
    for features, protocol in dict.fromkeys(zip(result.scores["features"], result.scores["protocol"], strict=True)):
        areas = [interval(row_of(result.scores, protocol, features, score, unit)) for score in ("auc_train", "auc")]
        rows.append([features, TWO_PROTOCOLS[protocol], *areas])
    table = pd.DataFrame(rows, columns=["network of", "protocol", "in train", "in test"])
    return table.replace({"network of": {FEATURES: f"faces with {unit} only", "all": "all faces"}})


def single_unit_reading(result: AUResult) -> dict[str, Any]:
    """Return how the network of one unit's faces compares with that of all faces, on people never seen.

    ``only, all`` (areas), ``difference`` (a row), ``verdict`` ("better", "worse", "open", or "not learnt" with a
    ``note``), and ``gaps``: for each network the area on faces that were learnt minus that on people never seen.
    """
    table = result.scores.query("protocol == @SUBJECT_INDEPENDENT").set_index(["label", "features", "score"])
    table = table.loc[result.settings["unit"]]
    only, everything, beside = (table.loc[key] for key in ((FEATURES, "auc"), ("all", "auc"), ("all", "auc_difference")))
    learnt = np.isfinite(only["value"]) and np.isfinite(everything["value"])
    verdict = {1: "better", -1: "worse", 0: "open"}[side(triple(beside))] if learnt else "not learnt"
    return {"only": only["value"], "all": everything["value"], "difference": beside, "verdict": verdict,
            "note": only["note"] or everything["note"],
            "gaps": table["value"].xs("auc_train_gap", level="score").dropna().to_dict()}


# ---- saliency

def region_reading(checks: pd.DataFrame) -> dict[str, Any] | None:
    """Return how many detectors look where their Action Unit acts, and how many would by chance; None without regions."""
    if checks.empty:
        return None
    n, inside = len(checks), checks.loc[checks["inside"], "AU"].tolist()
    return dict(n=n, inside=inside, by_chance=0.05 * n, few=len(inside) <= n / 2)


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
