"""The rules that judge the paper's claims, from results or from what the paper prints; ``rules.yaml`` says which."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from fergan.claims import verdict as v
from fergan.claims.verdict import Results, Score, Unjudged, Verdict, score, side, triple
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import accuracy_difference
from fergan.experiments.intervals import Difference
from fergan.experiments.label_efficiency import size_differences
from fergan.experiments.scores import row_of
from fergan.experiments.transfer import OTHERS, rank_correlation
from fergan.facs import ACTION_UNITS, EMOTIONS, action_units_of, label_groups
from fergan.paper import AU7_ALONE, papers_own, read_table

#: Claim -> its line of ``rules.yaml``.
REGISTER: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "rules.yaml").read_text(encoding="utf-8"))

MARGIN = 0.02  # so much accuracy less still counts as "as well": two faces of a hundred. Chosen, not derived.
ALIKE = 0.05  # as alike as rounding to one digit: how the claim that two Action Units behave alike is read
ACROSS = [4, 5, 7, 8]  # the paper's Action Unit experiments from one set to another; the others stay within one

Found = dict[str, tuple[bool, dict[str, Any]]]  # claim -> whether the paper contradicts it, and by what


def judge(claim: str, results: Results) -> Verdict:
    """Judge one claim of ``claims.csv``."""
    arguments = dict(REGISTER[claim])
    label, needs = arguments.pop("shown_by", ""), arguments.pop("needs", "")
    if "printed" in arguments:
        contradicts, values = globals()[arguments["printed"]]()[claim]
        verdict = Verdict(v.CONTRADICTION if contradicts else v.STATED, "printed", values)
    else:
        try:
            verdict = globals()[arguments.pop("rule")](results, **arguments)
        except Unjudged as found:
            return found.verdict
    if needs and not getattr(results, needs):
        label = ""
    if not label and verdict.word == v.CONTRADICTION:
        label = "where-the-paper-contradicts-itself"
    return replace(verdict, shown_by=label.format_map(verdict.values))


def judge_all(results: Results) -> dict[str, Verdict]:
    """Judge every claim of the paper, in the order of ``claims.csv``."""
    return {claim: judge(claim, results) for claim in REGISTER}


# ---- from results

def papers_accuracy(number: int) -> float:
    """Return the accuracy of the paper's emotion experiment, from 0 to 1."""
    return read_table("fig6_emotion_accuracy").set_index("experiment").loc[number, "accuracy_percent"] / 100


def published_accuracy(results: Results, number: int) -> Verdict:
    """Compare a published accuracy with ours, made as published: reproduced where ours is not clearly below."""
    theirs = papers_accuracy(number)
    results.on_photographs(theirs)
    ours = score(results.experiment("emotions", number), "accuracy", protocol=AS_PUBLISHED)
    return Verdict(v.REPRODUCED if ours[2] >= theirs else v.NOT_REPRODUCED, "compared", {"ours": ours, "paper": theirs})


def order(results: Results, better: int, worse: Sequence[int]) -> Verdict:
    """Judge that one emotion experiment's accuracy is above that of others, on people never seen."""
    first = results.experiment("emotions", better)
    found = {n: accuracy_difference(first, results.experiment("emotions", n))[0] for n in worse}
    differences = {n: (d.value, d.low, d.high) for n, d in found.items()}
    return Verdict.of_signs([d.sign for d in found.values()], "order", better=better, differences=differences)


def more_data(results: Results, more: int, less: int, times: float) -> Verdict:
    """Judge an order of which the network of one experiment learnt many more faces than that of the other."""
    verdict = order(results, more, [less])
    names = [results.experiment("emotions", number).settings["pretrained"] for number in (more, less)]
    for name in names:
        if name not in results.generators:
            raise Unjudged(v.NOT_RUN, "no_network", network=name)
    learnt = {name: results.generators[name].n_faces for name in names}
    areas = read_table("table2_emotion_auc").set_index("emotion").loc["Average"]
    paper = {"accuracy": [papers_accuracy(n) for n in (less, more)], "area": [areas[f"exp{n}"] for n in (less, more)]}
    values = verdict.values | {"learnt": learnt, "paper": paper}
    if learnt[names[0]] < times * learnt[names[1]]:
        return Verdict(v.CANNOT_TEST, "too_few_faces", values)
    return replace(verdict, values=values)


def above_guessing(results: Results, emotions: Sequence[int] = (), units: Sequence[int] = ()) -> Verdict:
    """Judge that experiments on people never seen are above guessing: the commonest emotion, or an area of .5."""
    named = {n: results.experiment("emotions", n) for n in emotions}
    accuracies = {n: (score(r, "accuracy"), score(r, "majority_accuracy", features="none")[0]) for n, r in named.items()}
    areas = {n: score(results.experiment("units", n), "auc") for n in units}
    signs = [side(*found) for found in accuracies.values()] + [side(area, 0.5) for area in areas.values()]
    n_sets = len({result.settings["target"] for result in named.values()})
    return Verdict.of_signs(signs, "above", accuracies=accuracies, areas=areas, n_sets=n_sets)


def better_than_others(results: Results, numbers: Sequence[int]) -> Verdict:
    """Judge experiments by the accuracy minus that of the best other features on the same folds."""
    worst = {}
    for number in numbers:
        table = results.experiment("emotions", number).scores
        rows = table[(table["score"] == "accuracy_difference") & (table["protocol"] == SUBJECT_INDEPENDENT)]
        if rows.empty:
            raise Unjudged(v.NOT_RUN, "no_other_features")
        row = rows.loc[rows["value"].idxmin()]
        worst[number] = row["features"], triple(row)
    return Verdict.of_signs([side(difference) for _, difference in worst.values()], "differences", differences=worst)


def lowest(results: Results, number: int, emotions: Sequence[str]) -> Verdict:
    """Judge which two emotions of an experiment are recognised least."""
    counts = results.experiment("emotions", number).confusion(SUBJECT_INDEPENDENT, "discriminator")
    rates = (np.diag(counts) / counts.sum(axis=1)).sort_values()[:2]
    n_right = len(set(emotions) & set(rates.index))
    return Verdict.of_signs([n_right - 1], "lowest", rates=rates.to_dict())


def features_of_the_generator(results: Results) -> Verdict:
    """Say, beside that F4 is a plan, what features of the generator reach where this book tried them."""
    found = {}
    for number in sorted(results.emotions):
        with suppress(Unjudged):
            scores = results.experiment("emotions", number).scores
            row = row_of(scores, SUBJECT_INDEPENDENT, "generator", "accuracy_difference")
            found |= {number: triple(row)} if len(row) else {}
    if not found:
        raise Unjudged(v.STATED, "plan")
    return Verdict(v.STATED, "tried", {"differences": found})


def few_labels(results: Results) -> Verdict:
    """Judge A1: the first network's features against every method without pretraining, over the whole learning curve."""
    def over_curve(target: str, method: str, name: str) -> Score:
        return triple(row_of(results.labels[target].scores, "labelled_people", method, name))

    rows = [(target, method, over_curve(target, method, "curve_mean_difference"))
            for target, result in results.need("labels").items() if result.settings["networks"]
            for method in result.methods[1:] if not method.startswith(("network of ", "fine-tuned"))]
    if not rows:
        return Verdict(v.CANNOT_TEST, "no_curves")
    target, rival, difference = min(rows, key=lambda row: row[2][0])
    methods, signs = results.labels[target].methods, [side(row[2]) for row in rows]
    means = {method: over_curve(target, method, "curve_mean")[0] for method in methods}
    best = max((method for method in methods if method.startswith("network of ")), key=means.get)
    return Verdict.of_signs(
        signs, "curves", target=target, network=methods[0], rival=rival, difference=difference, n=len(rows),
        targets=list(dict.fromkeys(row[0] for row in rows)), n_better=signs.count(1), n_worse=signs.count(-1), best=best,
        best_mean=means[best], rival_mean=means[rival])


def small_set_suffers(results: Results, small: str, large: Sequence[str]) -> Verdict:
    """Judge E7: a larger set, cut down to as many labels as the small one has, gets worse and is no longer better."""
    labels = results.need("labels")
    found = {name: size_differences(labels[small], labels[name]) for name in large if {small, name} <= set(labels)}
    if not found:
        return Verdict(v.CANNOT_TEST, "no_curves", {"small": small, "large": large})
    signs = []
    for row in found.values():
        explains = side(row["full"]) > 0 and side(row["shrinking"]) > 0 and row["matched"][1] <= 0
        signs.append(-1 if side(row["matched"]) > 0 or side(row["full"]) < 0 else int(explains))
    return Verdict.of_signs(signs, "sizes", small=small, sets=found)


def _unit_areas(results: Results) -> tuple[list[tuple[str, Score]], dict[str, Score]]:
    """Return the mean areas of the paper's experiments from one set to another, and of those within a set by its name."""
    across, within = [], {}
    for number in sorted(set(results.units) & set(range(1, 9))):
        result = results.experiment("units", number)
        area, test = score(result, "auc"), result.settings["test"]
        if not np.isfinite(area[0]):
            continue
        if result.settings["train"] == test:
            within[test] = max(within.get(test, area), area)
        else:
            across.append((test, area))
    return across, within


def generalisation(results: Results) -> Verdict:
    """Judge A3: networks of other faces do as well as the set's own on average, and Action Units transfer above chance."""
    matrix, across = results.need("transfer"), [area for _, area in _unit_areas(results)[0]]
    own = row_of(matrix.scores, SUBJECT_INDEPENDENT, OTHERS, "minus_own")
    if not len(own):
        return Verdict(v.CANNOT_TEST, "no_own_network")
    baseline = matrix.settings["baselines"][0]
    beside = row_of(matrix.scores, SUBJECT_INDEPENDENT, OTHERS, f"minus_{baseline}")["value"]
    signs = [side(triple(own), -MARGIN), *(1 if low > 0.5 else -int(high <= 0.5) for _, low, high in across)]
    return Verdict.of_signs(signs, "matrix", own=triple(own), margin=MARGIN, baseline=baseline, beside=beside,
                            n_above=sum(area[1] > 0.5 for area in across), n_across=len(across))


def consistency(results: Results) -> Verdict:
    """Judge Q3: as A3 on every set, and no Action Unit experiment across sets is clearly below the one within its set."""
    table, (across, within) = results.need("transfer").scores, _unit_areas(results)
    table = table[(table["features"] == OTHERS) & (table["score"] == "minus_own") & (table["label"] != "all")]
    rows = table.to_dict("records")
    if len(rows) < 2:
        return Verdict(v.CANNOT_TEST, "too_few_sets")
    worst, signs = min(rows, key=lambda row: row["value"]), [side(triple(row), -MARGIN) for row in rows]
    below = [area[2] < within[test][1] for test, area in across if test in within]
    return Verdict.of_signs(
        signs + [-1 if low else 1 for low in below], "matrix", worst=worst["label"], difference=triple(worst), margin=MARGIN,
        n_as_well=signs.count(1), n_worse=signs.count(-1), n_sets=len(rows), n_below=sum(below), n_across=len(below))


def pretraining(results: Results) -> Verdict:
    """Judge C3 by the correlation of a network's faces with its advantage, and by frontal minus multi-view RaFD."""
    matrix, views = results.need("transfer"), ["rafd-frontal", "rafd-multiview"]
    advantages = matrix.scores[matrix.scores["score"] == "advantage"].set_index("features")["value"]
    sizes = np.array([matrix.settings["pretraining_faces"][name] for name in advantages.index], dtype=float)
    rho, p = rank_correlation(sizes, advantages.to_numpy())
    if np.isnan(rho):
        return Verdict(v.CANNOT_TEST, "too_few_networks")
    signs, frontal = [int(np.sign(rho)) * int(p < 0.05)], None
    if set(views) <= set(matrix.settings["networks"]):
        faces = matrix.faces()
        difference = faces.right[views[0]].to_numpy() - faces.right[views[1]].to_numpy()
        row = faces.interval(np.where(np.isin(faces.target, views), np.nan, difference))
        if row["n_faces"]:
            frontal = triple(row)
            signs.append(side(frontal))
    return Verdict.of_signs(signs, "matrix", rho=rho, p=p, n_networks=len(sizes), frontal=frontal)


def relabelled_units(results: Results, number: int) -> Verdict:
    """Judge C2 on relabelled faces: their true Action Units against those derived from emotions."""
    result = results.experiment("units", number)
    derived, true = score(result, "auc"), score(result, "auc_true")
    if np.isnan(true[0]):
        raise Unjudged(v.CANNOT_TEST, "truth_unknown")
    return Verdict.of_signs([Difference.of_scores(true, derived).sign], "truth", derived=derived, true=true)


def one_unit_alone(results: Results) -> Verdict:
    """Judge U10: a network of AU7's faces alone does worse on new faces than on those learnt, and than one of all faces."""
    for page, result in results.need("single_units").items():
        if (result.settings["unit"], result.settings["dataset"]) != (AU7_ALONE["unit"], AU7_ALONE["dataset"]):
            continue
        learnt, unseen, gap = (score(result, name, AU7_ALONE["unit"]) for name in ("auc_train", "auc", "auc_train_gap"))
        if np.isnan([*learnt, *unseen]).any():
            raise Unjudged(v.CANNOT_TEST, "not_scored")
        beside = score(result, "auc_difference", AU7_ALONE["unit"], features="all")
        return Verdict.of_signs([side(gap), -side(beside)], "areas", learnt=learnt, unseen=unseen, gap=gap, beside=beside,
                                paper=AU7_ALONE, page=page)
    raise Unjudged(v.NOT_RUN, "no_unit_alone")


def faces_of_every_pose(results: Results, poses: Mapping[str, Sequence[str]]) -> Verdict:
    """Judge A4 by the share of samples in which a detector finds a face, the best generator of each kind of pose."""
    found, best = {name: one.faces_found for name, one in results.generators.items() if one.faces_found}, {}
    for pose, names in poses.items():
        if not set(names) & set(found):
            raise Unjudged(v.NOT_RUN, "no_generator", pose=pose)
        best[pose] = max(found[name] for name in names if name in found)
    return Verdict.of_signs([side(share, 0.5) for share in best.values()], "shares", shares=best)


def no_mode_collapse(results: Results, min_covered: float) -> Verdict:
    """Judge G2: every generator's samples are varied, and cover their set: this share of what real faces cover."""
    judged = results.judged_generators()
    fallen = {name: one.variety for name, one in judged.items() if one.variety != "varied"}
    bare = [name for name, one in judged.items() if one.coverage < min_covered * one.coverage_floor]
    signs = [-1 if one.variety == "collapsed" else int(name not in {*fallen, *bare}) for name, one in judged.items()]
    return Verdict.of_signs(signs, "variety", n=len(judged), fallen=fallen, bare=bare)


def stable_training(results: Results, min_seeds: int) -> Verdict:
    """Judge G1 by the generators that were trained from several seeds: stable where none of them failed."""
    judged = list(results.judged_generators().values())
    group = max(([one, *(other for other in judged if one.differs_in(other) == {"seed"})] for one in judged), key=len)
    if len(group) < min_seeds:
        raise Unjudged(v.NOT_RUN, "too_few_seeds", least=min_seeds)
    return Verdict.of_signs([-1 if one.failed else int(one.variety == "varied") for one in group], "seeds",
                            dataset=group[0].dataset, n_failed=sum(one.failed for one in group),
                            trainings=group)


def larger_beta1(results: Results) -> Verdict:
    """Judge M2 by two generators that differ in beta1 alone: which of them fails, if only one does."""
    judged = results.judged_generators().values()
    pairs = [(one, other) for one in judged for other in judged
             if one.differs_in(other) == {"beta1"} and one.config["beta1"] > other.config["beta1"]]
    if not pairs:
        raise Unjudged(v.NOT_RUN, "no_pair")
    larger, smaller = pairs[0]
    return Verdict.of_signs([smaller.failed - larger.failed], "pair", dataset=larger.dataset,
                            trainings=[larger, smaller])


def diverse_data(results: Results) -> Verdict:
    """Judge the part of F5 that this book can see: whether generators of more faces cover more of their set."""
    own = [one for name, one in results.judged_generators().items() if name == one.dataset]
    covered = np.array([one.coverage / one.coverage_floor for one in own])
    rho, p = rank_correlation(np.array([one.n_faces for one in own], dtype=float), covered)
    if np.isnan(rho):
        raise Unjudged(v.NOT_RUN, "too_few_generators")
    return Verdict.of_signs([int(np.sign(rho)) * int(p < 0.05)], "correlation", rho=rho, p=p, n=len(own))


def sample_quality(results: Results) -> Verdict:
    results.on_photographs(read_table("table7_sample_quality_rafd").set_index("model").loc["DCGAN (paper)", "fid"])
    return Verdict(v.CANNOT_TEST, "undescribed")


def indiscernible(results: Results, margin: float) -> Verdict:
    """Judge C1 by human raters: indiscernible where even the upper end of the interval is near to guessing."""
    generator, found = max(results.need("raters").items(), key=lambda item: item[1]["n"])
    share = tuple(found[key] for key in ("right", "low", "high"))
    sign = -1 if share[1] > 0.5 else int(share[2] < 0.5 + margin)
    return Verdict.of_signs([sign], "raters", generator=generator, share=share, n=found["n"], n_raters=found["n_raters"])


# ---- what the paper prints

def stated(results: Results) -> Verdict:
    """Judge a description or a plan, which no result could refute."""
    return Verdict(v.STATED, "stated")


def ranks_of_the_paper(results: Results) -> Verdict:
    """Say of E14 where the paper stands in its own table: the other methods are not run here, and their protocols differ."""
    ranks = {}
    for name, rows in read_table("table3_accuracy").groupby("dataset", sort=False):
        ranking = rows["accuracy_percent"].rank(ascending=False)[rows["approach"].str.startswith("ours")]
        ranks[name] = int(ranking.iloc[0]), len(rows)
    return Verdict(v.CANNOT_TEST, "ranks", {"ranks": ranks})


def units_without_labels(results: Results, units: Sequence[int]) -> Verdict:
    named = {int(unit) for listed in read_table("table6_emotion_aus")["aus"] for unit in str(listed).split()}
    return Verdict(v.STATED, "printed", {"n_absent": len(set(units) - named)})


def contempt_has_a_mapping(results: Results) -> Verdict:
    """Judge U4 by Table VI, and say what detectors of experiment 2 see on contemptuous faces: AU12 without AU6."""
    units, seen = action_units_of("contemptuous", "paper"), {}
    with suppress(Unjudged):
        table = results.experiment("units", 2).select(SUBJECT_INDEPENDENT, "discriminator")
        table = table.pivot(index="face", columns="label", values=["occurrence", "predicted"])
        contempt = (table["occurrence"]["AU12"] == 1) & (table["occurrence"]["AU06"] == 0)
        seen = {unit: table["predicted"].loc[contempt, unit].mean() for unit in ("AU12", "AU09", "AU07") if contempt.any()}
    return Verdict(v.CONTRADICTION if units else v.STATED, "printed", {"units": list(units), "seen": seen})


def text() -> Found:
    """Return what the text says of feature maps (M3), and what it cites by number (R1, R2) or lists (R3)."""
    said, used = 512 * 64 * 64, 512 * 4 * 4
    cited = read_table("cross_references").fillna("")
    wrong = {claim: rows[rows["cited_for"] != rows["holds"]].to_dict("records") for claim, rows in cited.groupby("claim")}
    listed = set(read_table("table1_datasets")["dataset"].str.lower().replace("ck+", "ck-plus"))
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


# ---- Table IV: the paper's areas and ours are read by one rule

def printed_areas() -> pd.DataFrame:
    """Return Table IV: one row per Action Unit and "mean", one column per experiment."""
    table = read_table("table4_au_auc").set_index("au").rename(index={"Average": "mean"})
    return table.rename(columns=lambda name: int(name.removeprefix("exp")))


def our_areas(results: Results) -> pd.DataFrame:
    """Return our areas on people never seen as `printed_areas` has them; NaN where an experiment is not the paper's."""
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
    found = unit_readings(printed_areas())
    equal = any({"AU07", "AU23", "AU24"} <= set(units) for units, _ in label_groups(EMOTIONS))
    otherwise = {"U5": not {2, 3, 6} & set(ACROSS), "U9": found["U9"][1]["within"], "U11": found["U11"][0] and equal}
    return {claim: (otherwise.get(claim, not holds), values) for claim, (holds, values) in found.items()}
