"""Claims that the paper's own tables decide. A check returns whether they contradict the claim, and the numbers that say so.

Claims on Table IV are read by rules that are also put to this book's own areas (`unit_readings`), so that what the paper's
numbers say of a claim, and what ours say, is found in the same way.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from fergan.claims.verdict import (
    CANNOT_TEST,
    CONTRADICTION,
    NOT_REPRODUCED,
    REPRODUCED,
    STATED,
    Results,
    Rule,
    Unjudged,
    Verdict,
    score,
)
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.facs import ACTION_UNITS, action_units_of, identical_action_units
from fergan.paper import papers_own, read_table

Check = Callable[[], tuple[bool, dict[str, Any]]]

EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
ACROSS = (4, 5, 7, 8)  # the paper's Action Unit experiments from one set to another; the others stay within one
ALIKE = 0.05  # as alike as rounding to one digit: how the claim that two Action Units behave alike is read


def stated(results: Results) -> Verdict:
    """Judge a description or a plan, which no result could refute."""
    return Verdict(STATED, "stated")


def printed(check: Check) -> Rule:
    """Judge a claim by a check of the paper's own tables."""
    def rule(results: Results) -> Verdict:
        contradicted, values = check()
        return Verdict(CONTRADICTION if contradicted else STATED, "printed", values)

    return rule


def _counts(experiment: int) -> pd.DataFrame:
    """Return the counts of Fig. 6, rows by true emotion."""
    table = read_table("fig6_confusion").query("experiment == @experiment")
    return table.pivot(index="true", columns="predicted", values="count").rename(str.lower).rename(columns=str.lower)


def _shares(experiment: int, axis: int) -> pd.Series:
    """Return the share of each true emotion that is recognised (axis 1), or of each named one that is true (0)."""
    counts = _counts(experiment)
    return (np.diag(counts) / counts.sum(axis=axis)).sort_values()


def feature_maps() -> tuple[bool, dict]:
    said, used = 512 * 64 * 64, 512 * 4 * 4
    return said != used, {"said": said, "used": used}


def number_of_emotions() -> tuple[bool, dict]:
    counts = read_table("table2_emotion_auc").set_index("emotion").drop("Average").notna().sum()
    counts.index = counts.index.str.removeprefix("exp").astype(int)
    experiments = {int(n): list(counts.index[counts == n]) for n in sorted(set(counts))}
    return len(experiments) > 1, {"experiments": experiments}


def sadness_without_error() -> tuple[bool, dict]:
    found = {n: [sorted(share[share == 1].index) for share in (_shares(n, 1), _shares(n, 0))] for n in (1, 2)}
    without_error = [any({"disgusted", "sad"} <= set(names) for names in pair) for pair in found.values()]
    return not all(without_error), {"found": found}


def anger_and_fear_least() -> tuple[bool, dict]:
    least = {n: sorted(_shares(n, 1).index[:2]) for n in (1, 2, 3, 4)}
    return any(names != ["angry", "fearful"] for names in least.values()), {"least": least}


def share_in_experiments_1_and_5() -> tuple[bool, dict]:
    accuracy = read_table("fig6_emotion_accuracy").set_index("experiment")["accuracy_percent"][[1, 5]]
    return not np.allclose(accuracy, 94.6, atol=0.05), {"accuracy": accuracy.to_dict()}


def average_of_experiment_4() -> tuple[bool, dict]:
    column = read_table("table2_emotion_auc").set_index("emotion")["exp4"]
    mean = column.drop("Average").mean()
    return abs(mean - column["Average"]) > 0.0015, {"mean": mean, "printed": column["Average"]}


def rates_are_precisions() -> tuple[bool, dict]:
    rows, columns = (sorted({int(n) for n in _counts(1).sum(axis=axis)}) for axis in (1, 0))
    return len(rows) == 1 < len(columns), {"rows": rows, "columns": columns}


def ranks_of_the_paper(results: Results) -> Verdict:
    """Say of E14 where the paper stands in its own table: the other methods are not run here, and their protocols differ."""
    ranks = {}
    for name, rows in read_table("table3_accuracy").groupby("dataset", sort=False):
        order = rows["accuracy_percent"].rank(ascending=False)[rows["approach"].str.startswith("ours")]
        ranks[name] = int(order.iloc[0]), len(rows)
    return Verdict(CANNOT_TEST, "ranks", {"ranks": ranks})


def units_without_labels() -> tuple[bool, dict]:
    named = {int(unit) for units in read_table("table6_emotion_aus")["aus"] for unit in str(units).split()}
    return False, {"n_absent": len({10, 11, 14, 20, 22, 26} - named)}


def contempt_has_a_mapping(results: Results) -> Verdict:
    """Judge U4 by Table VI, and say what detectors of experiment 2 see on contemptuous faces: AU12 without AU6."""
    units, seen = action_units_of("contemptuous", "paper"), {}
    with suppress(Unjudged):
        table = results.unit_experiment(2).select(SUBJECT_INDEPENDENT, "discriminator")
        table = table.pivot(index="face", columns="label", values=["occurrence", "predicted"])
        contempt = (table["occurrence"]["AU12"] == 1) & (table["occurrence"]["AU06"] == 0)
        seen = {unit: table["predicted"].loc[contempt, unit].mean() for unit in ("AU12", "AU09", "AU07") if contempt.any()}
    return Verdict(CONTRADICTION if units else STATED, "printed", {"units": list(units), "seen": seen})


def new_benchmark() -> tuple[bool, dict]:
    distances = read_table("table7_sample_quality_rafd").set_index("model")["fid"]
    lower = distances[distances < distances["DCGAN (paper)"]]
    return len(lower) > 0, {"lower": lower.to_dict()}


def inception_score_below_one() -> tuple[bool, dict]:
    value = read_table("table7_sample_quality_rafd").set_index("model").loc["pix2pixHD", "is"]
    return value < 1, {"printed": value}


def references(claim: str) -> Rule:
    """Judge a claim by the transcribed references: what is cited under a number, and what has that number."""
    def check() -> tuple[bool, dict]:
        table = read_table("cross_references").fillna("")
        wrong = table[(table["claim"] == claim) & (table["cited_for"] != table["holds"])]
        return len(wrong) > 0, {"wrong": wrong[["cited", "cited_for", "holds"]].to_dict("records")}

    return printed(check)


def table_of_datasets() -> tuple[bool, dict]:
    known = {"CK+": "ck-plus", "RaFD": "rafd", "KDEF": "kdef", "RAF-DB": "raf-db", "CelebA": "celeba"}
    listed = {known[name] for name in read_table("table1_datasets")["dataset"]}
    experiments = read_table("emotion_experiments")[["pretrained", "target"]].stack()
    used = {name.removesuffix("-frontal").removesuffix("-multiview") for name in experiments}
    return used != listed, {"used": sorted(used - listed), "listed": sorted(listed - used)}


# Claims on Table IV. A reading takes areas: a row for each Action Unit and "mean", a column for each experiment, NaN where a
# unit is not scored. It returns whether they bear the claim out (None where that is a matter of words), and the numbers.

Reading = tuple[bool | None, dict[str, Any]]


def papers_areas() -> pd.DataFrame:
    table = read_table("table4_au_auc").set_index("au").rename(index={"Average": "mean"})
    return table.rename(columns=lambda name: int(name.removeprefix("exp")))


def our_areas(results: Results) -> pd.DataFrame:
    """Return the areas on people never seen of those experiments that this book has run as the paper did."""
    rows = {**{unit: unit for unit in ACTION_UNITS}, "mean": "all"}
    run = {number: result for number, result in results.units.items() if papers_own("units", number, result.settings)}
    areas = {number: [score(result, "auc", label)[0] for label in rows.values()] for number, result in run.items()}
    return pd.DataFrame(areas, index=list(rows))


def relabelling_improves_all(areas: pd.DataFrame) -> Reading:
    both = areas[[1, 2]].drop("mean").dropna()
    fallen = both[both[2] < both[1]]
    if both.empty:
        return None, {}
    return fallen.empty, {"n": len(both), "means": areas.loc["mean", [1, 2]].tolist(),
                          "fallen": {unit: row.tolist() for unit, row in fallen.iterrows()}}


def satisfactory_across_sets(areas: pd.DataFrame) -> Reading:
    within, across = (areas.loc["mean", list(numbers)] for numbers in ((2, 3, 6), ACROSS))
    if areas.loc["mean"].isna().any():
        return None, {}
    return None, {"within": within.mean(), "across": across.mean(), "means": across.to_dict()}


def units_that_transfer(areas: pd.DataFrame) -> Reading:
    named = areas.loc[["AU01", "AU23", "AU24", "AU25"], list(ACROSS)].dropna()
    if named.empty:
        return None, {}
    means = areas.loc["mean"]
    below = [(unit, n, area, means[n]) for (unit, n), area in named.stack().items() if area < means[n]]
    lowest = named.stack().idxmin()
    return not below, {"below": below, "lowest": (*lowest, named.loc[lowest])}


def units_that_behave_alike(areas: pd.DataFrame) -> Reading:
    two = areas.loc[["AU02", "AU17"], [4, 5, 6, 8]].dropna(axis=1)
    if two.empty:
        return None, {}
    apart = (two.loc["AU02"] - two.loc["AU17"]).abs()
    span = np.ptp(two.loc["AU02"])
    return bool(apart.max() <= ALIKE), {"apart": apart.max(), "experiment": apart.idxmax(), "span": span}


def worst_transfer(areas: pd.DataFrame) -> Reading:
    table = areas[[4, 7]].drop("mean")
    if table.loc["AU04"].isna().any():
        return None, {}
    lowest = table.idxmin()
    said = {n: (unit, table.loc[unit, n], table.loc["AU04", n]) for n, unit in lowest.items()}
    return set(lowest) == {"AU04"}, {"lowest": said}


def best_generalisation(areas: pd.DataFrame) -> Reading:
    best = areas.loc["mean"].dropna().sort_values(ascending=False, kind="stable")[:2]
    if len(best) < 2:
        return None, {}
    return set(best.index) == {2, 6}, {"best": best.to_dict(), "within": not set(best.index) & set(ACROSS)}


def equal_labels(areas: pd.DataFrame) -> Reading:
    """Read U11, which says that areas differ; that labels derived from anger alone are equal makes it a contradiction."""
    three = areas.loc[["AU07", "AU23", "AU24"], 2]
    if three.isna().any():
        return None, {}
    equal = any(set(three.index) <= set(units) for units in identical_action_units(EMOTIONS))
    return three.nunique() > 1, {"areas": three.to_dict(), "equal_labels": equal}


#: Claim -> the experiments that it is about, how areas are read, and whether the paper's areas, so read, contradict it.
TABLE_IV: dict[str, tuple[tuple[int, ...], Callable[[pd.DataFrame], Reading], Callable[..., bool]]] = {
    "U2": ((1, 2), relabelling_improves_all, lambda holds, values: not holds),
    "U5": ((2, 3, 6, *ACROSS), satisfactory_across_sets, lambda holds, values: not {2, 3, 6} & set(ACROSS)),
    "U6": (ACROSS, units_that_transfer, lambda holds, values: not holds),
    "U7": ((4, 5, 6, 8), units_that_behave_alike, lambda holds, values: not holds),
    "U8": ((4, 7), worst_transfer, lambda holds, values: not holds),
    "U9": (tuple(range(1, 9)), best_generalisation, lambda holds, values: values["within"]),
    "U11": ((2,), equal_labels, lambda holds, values: holds and values["equal_labels"]),
}


def table_iv(claim: str) -> Rule:
    """Judge a claim by the areas of the paper's Table IV."""
    _, reading, contradicts = TABLE_IV[claim]

    def check() -> tuple[bool, dict]:
        holds, values = reading(papers_areas())
        return contradicts(holds, values), values

    return printed(check)


def unit_readings(areas: pd.DataFrame) -> dict[str, Verdict]:
    """Say for each claim on Table IV whether areas bear it out, by the letter; without those on experiments not there."""
    words, found = {True: REPRODUCED, False: NOT_REPRODUCED, None: STATED}, {}
    for claim, (needed, reading, _) in TABLE_IV.items():
        if set(needed) <= set(areas):
            holds, values = reading(areas)
            found[claim] = Verdict(words[holds], "reading" if values else "not_scored", values)
    return found
