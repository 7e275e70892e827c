"""Claims that the paper's own tables decide: whether these contradict a claim, and the numbers that say so."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from fergan.claims.verdict import CANNOT_TEST, CONTRADICTION, STATED, Results, Rule, Unjudged, Verdict, score
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.facs import ACTION_UNITS, EMOTIONS, action_units_of, identical_action_units
from fergan.paper import papers_own, read_table

Found = dict[str, tuple[bool, dict[str, Any]]]  # claim -> whether it is contradicted, and by what

ACROSS = [4, 5, 7, 8]  # the paper's Action Unit experiments from one set to another; the others stay within one
ALIKE = 0.05  # as alike as rounding to one digit: how the claim that two Action Units behave alike is read


def stated(results: Results) -> Verdict:
    """Judge a description or a plan, which no result could refute."""
    return Verdict(STATED, "stated")


def contradicted(claim: str, by: Callable[[], Found]) -> Rule:
    """Judge a claim by the paper's own tables."""
    def rule(results: Results) -> Verdict:
        contradicts, values = by()[claim]
        return Verdict(CONTRADICTION if contradicts else STATED, "printed", values)

    return rule


def text() -> Found:
    """Return what the text says of feature maps (M3), and what it cites by number (R1, R2) or lists (R3)."""
    said, used = 512 * 64 * 64, 512 * 4 * 4
    cited = read_table("cross_references").fillna("")
    wrong = {claim: rows[rows["cited_for"] != rows["holds"]].to_dict("records") for claim, rows in cited.groupby("claim")}
    known = {"CK+": "ck-plus", "RaFD": "rafd", "KDEF": "kdef", "RAF-DB": "raf-db", "CelebA": "celeba"}
    listed = {known[name] for name in read_table("table1_datasets")["dataset"]}
    sets = read_table("emotion_experiments")[["pretrained", "target"]].stack()
    sets = {name.removesuffix("-frontal").removesuffix("-multiview") for name in sets}
    return {
        "M3": (said != used, {"said": said, "used": used}),
        "R3": (sets != listed, {"used": sorted(sets - listed), "listed": sorted(listed - sets)}),
    } | {claim: (bool(rows), {"wrong": rows}) for claim, rows in wrong.items()}


def table_two() -> Found:
    """Return what Table II says of the number of emotions (M4) and of an average (E12), and Fig. 6 of accuracies (E11)."""
    areas = read_table("table2_emotion_auc").set_index("emotion")
    areas.columns = areas.columns.str.removeprefix("exp").astype(int)
    counts, mean = areas.drop("Average").notna().sum(), areas[4].drop("Average").mean()
    accuracy = read_table("fig6_emotion_accuracy").set_index("experiment")["accuracy_percent"][[1, 5]]
    return {
        "M4": (counts.nunique() > 1, {"experiments": {n: list(counts.index[counts == n]) for n in sorted(set(counts))}}),
        "E11": (not np.allclose(accuracy, 94.6, atol=0.05), {"accuracy": accuracy.to_dict()}),
        "E12": (abs(mean - areas.loc["Average", 4]) > 0.0015, {"mean": mean, "printed": areas.loc["Average", 4]}),
    }


def confusions() -> Found:
    """Return what Fig. 6 says: which emotions are without error (E8) or recognised least (E9), what its shares are (E13)."""
    table = read_table("fig6_confusion")
    table = table.assign(true=table["true"].str.lower(), predicted=table["predicted"].str.lower())
    counts = {n: rows.pivot(index="true", columns="predicted", values="count") for n, rows in table.groupby("experiment")}
    recalls, precisions = ({n: (np.diag(c) / c.sum(axis=axis)).sort_values() for n, c in counts.items()} for axis in (1, 0))
    perfect = {n: [sorted(shares[n].index[shares[n] == 1]) for shares in (recalls, precisions)] for n in (1, 2)}
    least = {n: sorted(recalls[n].index[:2]) for n in (1, 2, 3, 4)}
    rows, columns = (sorted({int(n) for n in counts[1].sum(axis=axis)}) for axis in (1, 0))
    as_said = [any({"disgusted", "sad"} <= set(names) for names in pair) for pair in perfect.values()]
    return {
        "E8": (not all(as_said), {"found": perfect}),
        "E9": (any(names != ["angry", "fearful"] for names in least.values()), {"least": least}),
        "E13": (len(rows) == 1 < len(columns), {"rows": rows, "columns": columns}),
    }


def sample_scores() -> Found:
    """Return what Table VII says of a new benchmark (G4) and of an inception score (G5)."""
    table = read_table("table7_sample_quality_rafd").set_index("model")
    lower = table["fid"][table["fid"] < table.loc["DCGAN (paper)", "fid"]]
    printed = table.loc["pix2pixHD", "is"]
    return {"G4": (len(lower) > 0, {"lower": lower.to_dict()}), "G5": (printed < 1, {"printed": printed})}


def ranks_of_the_paper(results: Results) -> Verdict:
    """Say of E14 where the paper stands in its own table: the other methods are not run here, and their protocols differ."""
    ranks = {}
    for name, rows in read_table("table3_accuracy").groupby("dataset", sort=False):
        order = rows["accuracy_percent"].rank(ascending=False)[rows["approach"].str.startswith("ours")]
        ranks[name] = int(order.iloc[0]), len(rows)
    return Verdict(CANNOT_TEST, "ranks", {"ranks": ranks})


def units_without_labels(results: Results) -> Verdict:
    named = {int(unit) for units in read_table("table6_emotion_aus")["aus"] for unit in str(units).split()}
    return Verdict(STATED, "printed", {"n_absent": len({10, 11, 14, 20, 22, 26} - named)})


def contempt_has_a_mapping(results: Results) -> Verdict:
    """Judge U4 by Table VI, and say what detectors of experiment 2 see on contemptuous faces: AU12 without AU6."""
    units, seen = action_units_of("contemptuous", "paper"), {}
    with suppress(Unjudged):
        table = results.experiment("units", 2).select(SUBJECT_INDEPENDENT, "discriminator")
        table = table.pivot(index="face", columns="label", values=["occurrence", "predicted"])
        contempt = (table["occurrence"]["AU12"] == 1) & (table["occurrence"]["AU06"] == 0)
        seen = {unit: table["predicted"].loc[contempt, unit].mean() for unit in ("AU12", "AU09", "AU07") if contempt.any()}
    return Verdict(CONTRADICTION if units else STATED, "printed", {"units": list(units), "seen": seen})


# ---- claims on Table IV, which are read by one rule from the paper's areas and from ours

def papers_areas() -> pd.DataFrame:
    """Return Table IV: one row per Action Unit and "mean", one column per experiment."""
    table = read_table("table4_au_auc").set_index("au").rename(index={"Average": "mean"})
    return table.rename(columns=lambda name: int(name.removeprefix("exp")))


def our_areas(results: Results) -> pd.DataFrame:
    """Return our areas on people never seen as `papers_areas` has them; NaN where an experiment is not the paper's."""
    run = {n: result for n, result in results.units.items() if papers_own("units", n, result.settings)}
    areas = {n: [score(result, "auc", label)[0] for label in (*ACTION_UNITS, "all")] for n, result in run.items()}
    return pd.DataFrame(areas, index=[*ACTION_UNITS, "mean"])


def unit_readings(areas: pd.DataFrame) -> dict[str, tuple[bool | None, dict[str, Any]]]:
    """Read the claims on Table IV from areas: whether these bear a claim out by its letter, and the numbers.

    None where that is a matter of words. Claims on areas that are NaN are left out.
    """
    areas = areas.reindex(columns=range(1, 9))
    means, units, found = areas.loc["mean"], areas.drop("mean"), {}
    both = units[[1, 2]].dropna()
    if len(both):
        fallen = both[both[2] < both[1]]
        found["U2"] = fallen.empty, {"n": len(both), "means": means[[1, 2]].tolist(), "fallen": fallen.T.to_dict("list")}
    if means.notna().all():
        across = means[ACROSS]
        found["U5"] = None, {"within": means[[2, 3, 6]].mean(), "across": across.mean(), "means": across.to_dict()}
        best = means.sort_values(ascending=False, kind="stable")[:2]
        found["U9"] = set(best.index) == {2, 6}, {"best": best.to_dict(), "within": not set(best.index) & set(ACROSS)}
    named = units.loc[["AU01", "AU23", "AU24", "AU25"], ACROSS].dropna().stack()
    if len(named):
        below = [(unit, n, area, means[n]) for (unit, n), area in named.items() if area < means[n]]
        found["U6"] = not below, {"below": below, "lowest": (*named.idxmin(), named.min())}
    two = units.loc[["AU02", "AU17"], [4, 5, 6, 8]].dropna(axis=1)
    if len(two.columns) == 4:
        apart = (two.loc["AU02"] - two.loc["AU17"]).abs()
        found["U7"] = bool(apart.max() <= ALIKE), {
            "apart": apart.max(), "experiment": apart.idxmax(), "span": np.ptp(two.loc["AU02"])}
    if units.loc["AU04", [4, 7]].notna().all():
        lowest = units[[4, 7]].idxmin()
        found["U8"] = set(lowest) == {"AU04"}, {
            "lowest": {n: (unit, units.loc[unit, n], units.loc["AU04", n]) for n, unit in lowest.items()}}
    three = units.loc[["AU07", "AU23", "AU24"], 2]
    if three.notna().all():
        found["U11"] = three.nunique() > 1, {"areas": three.to_dict()}
    return found


def unit_areas() -> Found:
    """Return what Table IV says of the claims on it: U5 and U9 speak of experiments within one set, U11 of equal labels."""
    found = unit_readings(papers_areas())
    equal = any({"AU07", "AU23", "AU24"} <= set(units) for units in identical_action_units(EMOTIONS))
    otherwise = {"U5": not {2, 3, 6} & set(ACROSS), "U9": found["U9"][1]["within"], "U11": found["U11"][0] and equal}
    return {claim: (otherwise.get(claim, not holds), values) for claim, (holds, values) in found.items()}
