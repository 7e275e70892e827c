"""Tables and figures of the chapters on Action Units: the experiments, a network of one unit alone, saliency."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from fergan.book.chapters.results import over_seeds
from fergan.book.plots import TWO_PROTOCOLS, WIDTH, score_dots
from fergan.book.show import interval, mean_between, signed
from fergan.experiments.action_units import FEATURES, MAIN, TRUTH, AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import side
from fergan.facs import ACTION_UNITS, AU_MEANINGS, EMOTION_MAPPINGS, EMOTIONS
from fergan.paper import AU7_ALONE, papers_scores

MAPPINGS = {"paper": "Table VI", "emfacs": "EMFACS"}
LABELS = {unit: unit for unit in ACTION_UNITS} | {"all": "mean"}

_Variants = Mapping[str, AUResult]  # of one experiment, see `fergan.experiments.action_units.load_variants`
_Results = Mapping[int, AUResult]  # experiment -> its result


def scores_of(result: AUResult, score: str = "auc", protocol: str = SUBJECT_INDEPENDENT,
              features: str = FEATURES) -> pd.DataFrame:
    """Return the row of one score for each of `LABELS`, NaN where there is none."""
    table = result.scores
    chosen = table[(table["score"] == score) & (table["protocol"] == protocol) & (table["features"] == features)]
    return chosen.set_index("label").reindex(list(LABELS))


def papers_areas(experiment: int, result: AUResult) -> pd.Series:
    """Return the paper's area for each of `LABELS`, NaN where it has not the same experiment on the same sets."""
    return pd.Series(papers_scores("units", experiment, result.settings), dtype=float).reindex(list(LABELS))


def _words(scores: pd.DataFrame, write: Callable = interval) -> pd.Series:
    return pd.Series([write(row) if pd.notna(row["value"]) else None for _, row in scores.iterrows()], scores.index, object)


def crosses(result: AUResult) -> bool:
    """Return whether an experiment goes from one set to another."""
    return result.settings["train"] != result.settings["test"]


# ---- one experiment

def au_table(result: AUResult, experiment: int, others: Sequence[AUResult] = ()) -> pd.DataFrame:
    """Return one row per Action Unit that is scored, and the mean: areas beside the paper's and rivals', other scores."""
    table = pd.DataFrame({"AU": pd.Series(LABELS), "paper": papers_areas(experiment, result)})
    for protocol, title in TWO_PROTOCOLS.items():
        table[title] = _words(scores_of(result, protocol=protocol))
    table = table.join(pd.DataFrame({label: over_seeds(result, others, "auc", label) for label in LABELS if others}).T)
    for rival in result.settings["baselines"]:
        table[f"minus {rival}"] = _words(scores_of(result, "auc_difference", features=rival), signed)
    table["never seen, true AU"] = _words(scores_of(result, "auc_true"))
    table["average precision"], table["prevalence"] = (
        scores_of(result, name)["value"] for name in ("average_precision", "prevalence"))
    scored = table["paper"].notna() | scores_of(result)["value"].notna()
    return table[scored].dropna(axis=1, how="all").reset_index(drop=True)


def variants_table(variants: _Variants, others: Sequence[_Variants] = ()) -> pd.DataFrame:
    """Return the areas on people never seen by every mapping, against derived labels and, where known, against the truth.

    The last row says how their means vary over networks of further seeds, whose variants are `others`, see `mean_between`.
    """
    table = pd.DataFrame({"AU": pd.Series(LABELS | ({"seeds": f"mean, {len(others) + 1} seeds"} if others else {}))})
    for variant, result in variants.items():
        mapping = result.settings["relabel_test"] or result.settings["relabel_train"]
        title = "trained on true AUs" if variant == TRUTH else MAPPINGS[mapping]
        for score, column in {"auc": title, "auc_true": f"{title}, true AU"}.items():
            if score == "auc" or (variant != TRUTH and np.isfinite(result.score(score)[0])):
                table[column] = _words(scores_of(result, score))
                means = [one[variant].score(score)[0] for one in (variants, *others)]
                table.loc[["seeds"] * bool(others), column] = mean_between(means)
    return table.dropna(axis=1, how="all").dropna(thresh=2).reset_index(drop=True)


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
    """Return the mean areas that set emotion and Action Unit apart, on people never seen, where the truth is known.

    Columns ``experiment, pairs`` ("all" or "one emotion"), ``detector`` (against what it is scored, or what it knows),
    ``value, low, high``.
    """
    rows = [(f"experiment {number}", *names, *variants[variant].score(score, features=features))
            for number, variants in experiments.items() if np.isfinite(variants[MAIN].score("auc_true")[0])
            for names, (variant, features, score) in _SIDES.items() if variant in variants]
    return pd.DataFrame(rows, columns=["experiment", "pairs", "detector", "value", "low", "high"])


def reading_of(sides: pd.DataFrame) -> dict[str, float] | None:
    """Return the means of `emotion_or_unit` over experiments; None where the truth is not known.

    ``derived, true, learnt, oracle`` over all pairs of faces, ``within, learnt_within`` over those of one emotion, NaN where
    there are none. Knowing the emotion does not help to order faces of one emotion, so that what a detector keeps there of
    its area above one half is not emotion recognition: ``lost`` is the share that goes with it.
    """
    if sides.empty:
        return None
    means = sides.groupby(["pairs", "detector"])["value"].mean()
    names = dict(zip(("true", "learnt", "derived", "oracle", "within", "learnt_within"), _SIDES, strict=True))
    found = {name: float(means.get(key, np.nan)) for name, key in names.items()}
    above = found["true"] - 0.5
    lost = float(np.clip(1 - (found["within"] - 0.5) / above, 0, 1)) if above > 0 else np.nan
    return found | {"lost": lost, "n": sides["experiment"].nunique()}


def sides_figure(sides: pd.DataFrame) -> plt.Figure:
    """Draw how much of a score on relabelled faces is the recognition of emotions, see `emotion_or_unit`."""
    height = 1.9 + 0.55 * sides["experiment"].nunique()
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, height), sharex=True, sharey=True)
    # Detectors of both panels come first, so that each has one colour and marker.
    titles = {"all": "all pairs of faces", "one emotion": "pairs of one emotion"}
    for ax, (pairs, title) in zip(axes, titles.items(), strict=True):
        score_dots(sides[sides["pairs"] == pairs], "experiment", "detector", f"area, {title}", chance=0.5, ax=ax)
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


def spans_of(results: _Results) -> dict[str, list[float]]:
    """Return the mean areas on people never seen of the experiments ``within`` one set, and of those ``across`` sets."""
    spans: dict[str, list[float]] = {"within": [], "across": []}
    for result in results.values():
        spans["across" if crosses(result) else "within"].append(result.score("auc")[0])
    return spans


def area_cells(results: _Results) -> pd.DataFrame:
    """Return the areas on people never seen, Action Units by experiments; × marks those from one set to another."""
    titles = {n: f"{n}×" if crosses(result) else f"{n}" for n, result in results.items()}
    table = pd.DataFrame({titles[n]: scores_of(result)["value"] for n, result in results.items()})
    return table.drop("all").dropna(how="all").rename_axis(None)


def transfer_table(results: _Results, others: Mapping[int, Sequence[AUResult]] | None = None) -> pd.DataFrame:
    """Return one row per Action Unit that is scored from one set to another: mean areas, ours and the paper's.

    `others` are those on networks of further seeds, by experiment.
    """
    across = {n: result for n, result in results.items() if crosses(result)}
    if not across:
        return pd.DataFrame()
    ours, low, paper = (pd.DataFrame({n: of(n, result) for n, result in across.items()}).drop("all") for of in (
        lambda n, result: scores_of(result)["value"], lambda n, result: scores_of(result)["low"], papers_areas))
    above = (low > 0.5).sum(axis=1).astype(str) + " of " + ours.count(axis=1).astype(str)
    table = {"mean": ours.mean(axis=1), "paper's mean": paper.where(ours.notna()).mean(axis=1), "above chance": above}
    of_seeds = [across.values(), *zip(*((others or {}).get(n, ()) for n in across), strict=True)]
    means = pd.DataFrame([pd.DataFrame([scores_of(one)["value"] for one in of]).mean() for of in of_seeds])
    if len(means) > 1:
        table[f"{len(means)} seeds"] = pd.Series({unit: mean_between(means[unit]) for unit in ours.index})
    return pd.DataFrame(table).dropna(subset="mean").dropna(axis=1, how="all").rename_axis("AU").reset_index()


def roc_panels(results: _Results) -> plt.Figure:
    """Draw one small panel of ROC curves for each Action Unit, one curve for each experiment; across sets with dashes."""
    curves = pd.concat([
        pd.DataFrame({"false-positive rate": false, "true-positive rate": true, "AU": unit, "experiment": str(n),
                      "from one set to another": "yes" if crosses(result) else "no"})
        for n, result in results.items() for unit, (false, true) in result.roc().items()
        if len(false) > 1])
    grid = sns.relplot(curves, kind="line", x="false-positive rate", y="true-positive rate", col="AU", col_wrap=4,
                       col_order=[unit for unit in ACTION_UNITS if (curves["AU"] == unit).any()], hue="experiment",
                       style="from one set to another", style_order=["no", "yes"], palette="colorblind", estimator=None,
                       sort=False, height=WIDTH / 4, linewidth=1.3)
    grid.set_titles("{col_name}").set_axis_labels("", "").set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlim=(0, 1))
    grid.set_xticklabels(["0", ".5", "1"]).set_yticklabels(["0", ".5", "1"])
    grid.figure.supxlabel("false-positive rate", fontsize="medium")
    grid.figure.supylabel("true-positive rate", fontsize="medium")
    for ax in grid.axes.flat:
        ax.axline((0, 0), slope=1, color="0.6", linewidth=0.8, zorder=0)
    sns.move_legend(grid, "upper center", bbox_to_anchor=(0.5, 0), ncols=4, frameon=False, fontsize="small")
    return grid.figure


# ---- one Action Unit alone

def single_unit_table(result: AUResult, others: Sequence[AUResult] = ()) -> pd.DataFrame:
    """Return one row per network and protocol: areas in training and in test, the paper's first where it has some."""
    unit, dataset = result.settings["unit"], result.settings["dataset"]
    papers_own = (unit, dataset) == (AU7_ALONE["unit"], AU7_ALONE["dataset"])
    names = ["network of", "protocol", "in train", "in test"]
    rows = [dict(zip(names, (FEATURES, "the paper", *(interval(AU7_ALONE[part]) for part in ("train", "test"))),
                     strict=True))] * papers_own
    for features, protocol in dict.fromkeys(zip(result.scores["features"], result.scores["protocol"], strict=True)):
        areas = [interval(result.score(score, unit, features, protocol)) for score in ("auc_train", "auc")]
        rows.append(dict(zip(names, (features, TWO_PROTOCOLS[protocol], *areas), strict=True)) | over_seeds(
            result, others, "auc", unit, features=features, protocol=protocol))
    table = pd.DataFrame(rows)
    return table.replace({"network of": {FEATURES: f"faces with {unit} only", "all": "all faces"}})


def single_unit_reading(result: AUResult) -> dict[str, Any]:
    """Return how the network of one unit's faces compares with that of all faces, on people never seen.

    ``only, all`` (areas), ``difference`` (a score), ``verdict`` ("better", "worse", "open", or "not learnt"), and ``gaps``:
    for each network the area on faces that were learnt minus that on people never seen.
    """
    unit = result.settings["unit"]
    only, everything = (result.score("auc", unit, name)[0] for name in (FEATURES, "all"))
    beside = result.score("auc_difference", unit, "all")
    learnt = np.isfinite(only) and np.isfinite(everything)
    verdict = {1: "better", -1: "worse", 0: "open"}[side(beside)] if learnt else "not learnt"
    gaps = {name: result.score("auc_train_gap", unit, name)[0] for name in result.scores["features"].unique()}
    return {"only": only, "all": everything, "difference": beside, "verdict": verdict,
            "gaps": {name: gap for name, gap in gaps.items() if np.isfinite(gap)}}


# ---- saliency

def region_reading(checks: pd.DataFrame) -> dict[str, Any]:
    """Return which of ``n`` detectors look ``inside`` the region where their Action Unit acts; n is 0 without regions."""
    return dict(n=len(checks), inside=checks.loc[checks["inside"], "AU"].tolist() if len(checks) else [])


def region_table(checks: pd.DataFrame, others: Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """Return one row per Action Unit: how much of the saliency lies inside its region, and how much would by chance.

    With the checks of `others`, of networks of further seeds, also over these, see `mean_between`.
    """
    names = {"share": "share inside", "threshold": "95 % of shuffled", "inside": "looks there"}
    table = checks.replace({"inside": {True: "yes", False: "no"}}).rename(columns=names)
    if len(checks) and others:
        every = [of.set_index("AU").reindex(checks["AU"]) for of in (checks, *others)]
        table[f"share, {len(every)} seeds"] = [mean_between(of) for of in zip(*(one["share"] for one in every), strict=True)]
        table["of these look there"] = sum((one["inside"] == True).to_numpy(int) for one in every)  # noqa: E712 - NaN is not
    return table


def outlined_maps(background: np.ndarray, maps: np.ndarray, regions: np.ndarray | None = None) -> plt.Figure:
    """Draw each map (14, h, w), scaled to its maximum, over a grey face (h, w, 3), with its region's outline; NaN: bare."""
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
