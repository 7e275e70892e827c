"""The rules that judge the paper's claims, from results or from what the paper prints; ``rules.yaml`` says which.

One rule for each kind of claim. What a claim needs are `Comparison`s, each a number with an interval beside a bar; where one
has to be as good as another, the bar lies `MARGIN` below.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import binomtest

from fergan import claims as v
from fergan.claims import Comparison, Results, Trained, Unjudged, Verdict, corrected
from fergan.experiments.action_units import area_difference
from fergan.experiments.cross_validation import AS_PUBLISHED
from fergan.experiments.emotions import accuracy_difference
from fergan.experiments.intervals import mean_over_people
from fergan.experiments.label_efficiency import curve_mean, size_differences
from fergan.experiments.scores import ExperimentResult, triple
from fergan.experiments.transfer import OTHERS, rank_correlation
from fergan.facs import EMOTIONS, action_units_of, label_groups
from fergan.paper import AU7_ALONE, papers_scores, read_table

#: Claim -> its line of ``rules.yaml``.
REGISTER: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "rules.yaml").read_text(encoding="utf-8"))

MARGIN = 0.02  # so much accuracy or area less still counts as "as well": two faces of a hundred. Chosen, not derived.
ALIKE = 0.05  # as alike as rounding to one digit: how the claim that two Action Units behave alike is read
ACROSS = [4, 5, 7, 8]  # the paper's Action Unit experiments from one set to another; the others stay within one

Found = dict[str, tuple[bool | None, dict[str, Any]]]  # claim -> whether the paper contradicts it (None: open), by what


def judge(claim: str, results: Results) -> Verdict:
    """Judge one claim of ``claims.csv`` as if it were the only one."""
    arguments = dict(REGISTER[claim])
    label, needs = arguments.pop("shown_by", ""), arguments.pop("needs", "")
    if "printed" in arguments:
        contradicts, values = RULES[arguments["printed"]]()[claim]
        verdict = Verdict({True: v.CONTRADICTION, False: v.STATED, None: v.NOT_DECIDED}[contradicts], "printed", values)
    else:
        try:
            verdict = RULES[arguments.pop("rule")](results, **arguments)
        except Unjudged as found:
            return found.verdict
    if needs and not getattr(results, needs):
        label = ""
    people = people_once(verdict.people, results.collections)
    if not label and "printed" in REGISTER[claim] and verdict.word != v.STATED:
        label = "where-the-paper-contradicts-itself"
    return replace(verdict, people=people, shown_by=label.format_map(verdict.values))


def judge_all(results: Results) -> dict[str, Verdict]:
    """Judge every claim of the paper, in the order of ``claims.csv``, corrected for their number."""
    return corrected({claim: judge(claim, results) for claim in REGISTER})


def people_of(*results: ExperimentResult) -> dict[str, int]:
    """Return how many people of which sets results are scored on."""
    people = {}
    for result in results:
        counts = result.scores.groupby("label")["n_subjects"].max()
        sets = [result.settings[key] for key in ("target", "test", "dataset") if key in result.settings]
        people |= {sets[0]: int(counts.max())} if sets else counts.reindex(result.settings["targets"]).astype(int).to_dict()
    return people


def people_once(people: Mapping[str, int], collections: Mapping[str, str]) -> dict[str, int]:
    """Return how many people each set adds: those of sets of one collection are the same, and count with the first."""
    found, counted = {}, {}
    for name, n in people.items():
        collection = collections.get(name, name)
        known = counted.get(collection, 0)
        found[name], counted[collection] = max(0, n - known), max(n, known)
    return found


def published_accuracy(results: Results, number: int) -> Verdict:
    """Compare a published accuracy with ours, made as published, which must be as good."""
    theirs = read_table("fig6_emotion_accuracy").set_index("experiment").loc[number, "accuracy_percent"] / 100
    results.on_photographs(theirs)
    result = results.experiment("emotions", number)
    ours = result.score("accuracy", protocol=AS_PUBLISHED)
    return Verdict.of_parts([Comparison.of(ours, theirs - MARGIN)], "compared", people_of(result), ours=ours, paper=theirs)


def order(results: Results, better: int, worse: Sequence[int]) -> Verdict:
    """Judge that one emotion experiment comes out above others, on people never seen."""
    found = {number: results.experiment("emotions", number) for number in (better, *worse)}
    differences = {number: accuracy_difference(found[better], found[number]) for number in worse}
    return Verdict.of_parts([Comparison.of(difference) for difference, _ in differences.values()], "order",
                            people_of(*found.values()), better=better, differences=differences)


def more_data(results: Results, more: int, less: int, times: float) -> Verdict:
    """Judge an order of which the network of one experiment learnt many more faces than that of the other."""
    verdict = order(results, more, [less])
    of_both = {number: results.experiment("emotions", number).settings for number in (more, less)}
    names = [settings["pretrained"] for settings in of_both.values()]
    for name in names:
        if name not in results.generators:
            raise Unjudged(v.NOT_JUDGED, "no_network", network=name)
    learnt = {name: results.generators[name].n_faces for name in names}
    scores = [papers_scores("emotions", number, of_both[number]) for number in (less, more)]
    paper = {"accuracy": [of["accuracy"] for of in scores], "area": [of["all"] for of in scores]}
    values = verdict.values | {"learnt": learnt, "paper": paper}
    if learnt[names[0]] < times * learnt[names[1]]:
        return Verdict(v.CANNOT_TEST, "too_few_faces", values)
    return replace(verdict, values=values)


def above(results: Results, emotions: Sequence[int] = (), units: Sequence[int] = (),
          rivals: Sequence[str] | None = None) -> Verdict:
    """Judge that experiments on people never seen are above guessing and rivals, or all other features that were tried."""
    asked = [*(("emotions", n) for n in emotions), *(("units", n) for n in units)]
    found = {one: results.experiment(*one) for one in asked}
    parts, rows = [], []
    for (kind, number), result in found.items():
        name = "accuracy" if kind == "emotions" else "auc"
        bar = result.score("majority_accuracy", features="none")[0] if kind == "emotions" else 0.5
        names = rivals or result.scores.loc[result.scores["score"] == f"{name}_difference", "features"].unique()
        beside = {rival: result.score(f"{name}_difference", features=rival) for rival in names}
        if not beside:
            raise Unjudged(v.NOT_JUDGED, "no_other_features")
        ours = result.score(name)
        parts += [Comparison.of(ours, bar), *map(Comparison.of, beside.values())]
        rows.append(dict(kind=kind, number=number, ours=ours, bar=bar, rivals=beside))
    return Verdict.of_parts(parts, "above", people_of(*found.values()), rows=rows)


def lowest(results: Results, number: int, emotions: Sequence[str]) -> Verdict:
    """Judge that some emotions of an experiment are recognised least: their mean recall minus that of the others."""
    result = results.experiment("emotions", number)
    table = result.select()
    right = (table["true"] == table["predicted"]).astype(float)
    rates, named = right.groupby(table["true"]).mean().sort_values(), table["true"].isin(emotions)
    shares = table.groupby("true")["true"].transform("size") * table["true"].groupby(named).transform("nunique") / len(table)
    contrast = (right / shares * np.where(named, 1, -1)).to_numpy()
    difference = triple(mean_over_people(contrast, table["subject"].to_numpy(str)))
    return Verdict.of_parts([Comparison.of(difference, sign=-1)], "lowest", people_of(result), rates=rates[:2].to_dict(),
                            difference=difference)


def few_labels(results: Results) -> Verdict:
    """Judge A1: the features of the network that saw most faces against every method without pretraining, over the curve."""
    rows, plain = [], Trained({}, "")
    for target, result in results.need("labels").items():
        networks = [method for method in result.methods if method.startswith("network of ")]
        best = max(networks, key=lambda name: results.generators.get(name.removeprefix("network of "), plain).faces_seen)
        rivals = [method for method in result.methods if not method.startswith(("network of ", "fine-tuned"))]
        for rival in rivals if result.settings["networks"] else ():
            right = result.right(best) - result.right(rival)
            subjects = result.predictions.drop_duplicates("face").set_index("face")["subject"].loc[right.index].to_numpy(str)
            difference = triple(mean_over_people(curve_mean(np.array(result.sizes), right.to_numpy()), subjects))
            rows.append(dict(target=target, network=best, rival=rival, difference=difference))
    if not rows:
        return Verdict(v.CANNOT_TEST, "no_curves")
    parts = [Comparison.of(row["difference"]) for row in rows]
    clear = [part.clear for part in parts]
    targets = dict.fromkeys(row["target"] for row in rows)
    people = people_of(*(results.labels[target] for target in targets))
    return Verdict.of_parts(parts, "curves", people, n=len(rows), targets=list(targets), n_better=clear.count(1),
                            n_worse=clear.count(-1), **min(rows, key=lambda row: row["difference"][0]))


def small_set_suffers(results: Results, small: str, large: Sequence[str]) -> Verdict:
    """Judge E7: a larger set does better, and is no better when cut down to as many labels as the small one has."""
    labels = results.need("labels")
    found = {name: size_differences(labels[small], labels[name]) for name in large if {small, name} <= set(labels)}
    if not found:
        return Verdict(v.CANNOT_TEST, "no_curves", {"small": small, "large": large})
    parts = [part for row in found.values() for part in (
        Comparison.of(row["full"]), Comparison.of(row["shrinking"]), Comparison.of(row["matched"], MARGIN, -1))]
    people = people_of(*(labels[name] for name in (small, *found)))
    return Verdict.of_parts(parts, "sizes", people, small=small, sets=found)


def _across(results: Results) -> dict[int, Any]:
    """Return the paper's Action Unit experiments from one set to another that this book has and could score."""
    found = {number: results.experiment("units", number) for number in ACROSS if number in results.units}
    return {number: result for number, result in found.items() if np.isfinite(result.score("auc")[0])}


def generalisation(results: Results) -> Verdict:
    """Judge A3: networks of other faces do as well as the set's own and better than an untrained one; units transfer too."""
    matrix, across = results.need("transfer"), _across(results)
    own, beside = (matrix.score(f"minus_{name}", features=OTHERS) for name in ("own", "untrained"))
    if np.isnan(own[0]):
        return Verdict(v.CANNOT_TEST, "no_own_network")
    areas = {number: result.score("auc") for number, result in across.items()}
    gains = {number: result.score("auc_difference", features="untrained") for number, result in across.items()}
    parts = [Comparison.of(own, -MARGIN), Comparison.of(beside), *map(Comparison.of, gains.values()),
             *(Comparison.of(area, 0.5) for area in areas.values())]
    return Verdict.of_parts(parts, "matrix", people_of(matrix, *across.values()), own=own, margin=MARGIN,
                            beside=beside, n_above=sum(area[1] > 0.5 for area in areas.values()),
                            n_gained=sum(gain[1] > 0 for gain in gains.values()), n_across=len(across))


def consistency(results: Results) -> Verdict:
    """Judge Q3: as A3 on every set, and Action Units from another set as well as within the set, on the same faces."""
    table, across = results.need("transfer").scores, _across(results)
    table = table[(table["features"] == OTHERS) & (table["score"] == "minus_own") & (table["label"] != "all")]
    if len(table) < 2:
        return Verdict(v.CANNOT_TEST, "too_few_sets")
    own = {row["label"]: triple(row) for row in table.to_dict("records")}
    within = {(one.settings["pretrained"], one.settings["test"]): one for n, one in results.units.items() if n not in ACROSS}
    beside = {n: area_difference(one, within[key]) for n, one in across.items()
              if (key := (one.settings["pretrained"], one.settings["test"])) in within}
    parts = [Comparison.of(found, -MARGIN) for found in (*own.values(), *beside.values())]
    clear, worst = [part.clear for part in parts[: len(own)]], min(own, key=lambda name: own[name][0])
    people = dict(zip(table["label"], table["n_subjects"], strict=True))
    return Verdict.of_parts(parts, "matrix", people, worst=worst, difference=own[worst], margin=MARGIN, n_sets=len(own),
                            n_as_well=clear.count(1), n_worse=clear.count(-1), beside=beside)


def pretraining(results: Results) -> Verdict:
    """Judge C3 by the correlation of a network's faces with its advantage, and by frontal minus multi-view RaFD."""
    matrix, views = results.need("transfer"), ["rafd-frontal", "rafd-multiview"]
    advantages = matrix.scores[matrix.scores["score"] == "advantage"].set_index("features")["value"]
    sizes = np.array([matrix.settings["pretraining_faces"][name] for name in advantages.index], dtype=float)
    rho, p = rank_correlation(sizes, advantages.to_numpy())
    if np.isnan(rho):
        return Verdict(v.CANNOT_TEST, "too_few_networks")
    parts, frontal = [Comparison(rho, p)], None
    if set(views) <= set(matrix.settings["networks"]):
        faces = matrix.faces()
        difference = faces.right[views[0]].to_numpy() - faces.right[views[1]].to_numpy()
        frontal = triple(faces.interval(np.where(np.isin(faces.target, views), np.nan, difference)))
        parts += [] if np.isnan(frontal[0]) else [Comparison.of(frontal)]
    return Verdict.of_parts(parts, "matrix", people_of(matrix), rho=rho, p=p, n_networks=len(sizes), frontal=frontal)


def relabelled_units(results: Results, number: int) -> Verdict:
    """Say, beside that C2 describes what was done, what derived labels are worth where the true ones are known."""
    with suppress(Unjudged):
        derived, true, gap = map(results.experiment("units", number).score, ("auc", "auc_true", "auc_true_gap"))
        if np.isfinite(true[0]):
            return Verdict(v.STATED, "truth", {"derived": derived, "true": true, "gap": gap})
    return Verdict(v.STATED, "truth_unknown")


def one_unit_alone(results: Results) -> Verdict:
    """Judge U10: a network of AU7's faces alone does worse on new faces than on those learnt, and than one of all faces."""
    for page, result in results.need("single_units").items():
        if (result.settings["unit"], result.settings["dataset"]) != (AU7_ALONE["unit"], AU7_ALONE["dataset"]):
            continue
        learnt, unseen, gap = (result.score(name, AU7_ALONE["unit"]) for name in ("auc_train", "auc", "auc_train_gap"))
        if np.isnan([*learnt, *unseen]).any():
            raise Unjudged(v.CANNOT_TEST, "not_scored")
        beside = result.score("auc_difference", AU7_ALONE["unit"], features="all")
        parts = [Comparison.of(gap), Comparison.of(beside, sign=-1)]
        return Verdict.of_parts(parts, "areas", people_of(result), learnt=learnt, unseen=unseen, gap=gap, beside=beside,
                                paper=AU7_ALONE, page=page)
    raise Unjudged(v.NOT_JUDGED, "no_unit_alone")


def faces_of_every_pose(results: Results, poses: Mapping[str, Sequence[str]]) -> Verdict:
    """Judge A4 by the share of samples in which a detector finds a face, the best generator of each kind of pose."""
    found, best = {name: one.faces_found for name, one in results.generators.items() if one.faces_found}, {}
    for pose, names in poses.items():
        if not set(names) & set(found):
            raise Unjudged(v.NOT_JUDGED, "no_generator", pose=pose)
        best[pose] = max(found[name] for name in names if name in found)
    return Verdict.of_parts([Comparison.of(share, 0.5) for share in best.values()], "shares", {}, shares=best)


def no_mode_collapse(results: Results, min_covered: float, min_trainings: int) -> Verdict:
    """Judge G2: samples are varied and cover their set, in every training of a whole set as this book trains it."""
    own = results.generators
    judged = {name: one for name, one in results.judged_generators().items()
              if one.dataset in own and one.differs_in(own[one.dataset]) <= {"seed"}}
    fallen = {name: one.variety for name, one in judged.items() if one.variety != "varied"}
    bare = [name for name, one in judged.items() if one.coverage < min_covered * one.coverage_floor]
    word = v.NOT_REPRODUCED if "collapsed" in fallen.values() else v.NOT_DECIDED
    if len(judged) >= min_trainings and not fallen and not bare:
        word = v.REPRODUCED
    seeds = [(name, [one.covered for one in of]) for name, of in results.of_several_seeds().items() if name in judged]
    return Verdict(word, "variety", dict(
        n=len(judged), n_sets=len({one.dataset for one in judged.values()}), fallen=fallen, bare=bare, seeded=len(seeds),
        widest=max(seeds, key=lambda of: np.ptp(of[1]), default=None)), trainings=len(judged))


def stable_training(results: Results) -> Verdict:
    """Say of G1, a comparison with networks that this book does not train, how many trainings failed, and if seeds agree."""
    failed = [one.failed for one in results.judged_generators().values()]
    seeds = results.of_several_seeds()
    apart = [name for name, of in seeds.items() if len({one.failed for one in of}) > 1]
    return Verdict(v.NOT_JUDGED, "no_comparison", dict(n=len(failed), n_failed=sum(failed), seeded=len(seeds), apart=apart))


def larger_beta1(results: Results) -> Verdict:
    """Judge M2 by pairs that differ in beta1 alone: which fails, where only one does, by a sign test."""
    judged = results.judged_generators().values()
    pairs = [(one, other) for one in judged for other in judged
             if one.differs_in(other) == {"beta1"} and one.config["beta1"] > other.config["beta1"]]
    if not pairs:
        raise Unjudged(v.NOT_JUDGED, "no_pair")
    gains = [smaller.failed - larger.failed for larger, smaller in pairs]
    apart = [gain for gain in gains if gain]
    p = binomtest(apart.count(1), len(apart)).pvalue if apart else 1.0
    sides = dict(zip(("larger", "smaller"), zip(*pairs, strict=True), strict=True))
    verdict = Verdict.of_parts([Comparison(sum(gains), p)], "pair", {}, n=len(pairs), trainings=pairs[0], sides=sides)
    return replace(verdict, trainings=2 * len(pairs))


def diverse_data(results: Results) -> Verdict:
    """Judge the part of F5 that this book can see: whether generators of more faces cover more of their set."""
    own = [one for name, one in results.judged_generators().items() if name == one.dataset]
    covered = np.array([one.covered for one in own])
    rho, p = rank_correlation(np.array([one.n_faces for one in own], dtype=float), covered)
    if np.isnan(rho):
        raise Unjudged(v.NOT_JUDGED, "too_few_generators")
    return replace(Verdict.of_parts([Comparison(rho, p)], "correlation", {}, rho=rho, p=p, n=len(own)), trainings=len(own))


def sample_quality(results: Results) -> Verdict:
    """Say why G3 cannot be judged, on photographs neither."""
    results.on_photographs(read_table("table7_sample_quality_rafd").set_index("model").loc["DCGAN (paper)", "fid"])
    return Verdict(v.CANNOT_TEST, "undescribed")


def indiscernible(results: Results, margin: float) -> Verdict:
    """Judge C1 by human raters: indiscernible where they are right in less than half and a margin of all pairs."""
    generator, found = max(results.need("raters").items(), key=lambda item: item[1]["n"])
    share = tuple(found[key] for key in ("right", "low", "high"))
    return Verdict.of_parts([Comparison.of(share, 0.5 + margin, -1)], "raters", {}, generator=generator, share=share,
                            margin=margin, n=found["n"], n_raters=found["n_raters"])


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


def mapped_units() -> Found:
    """Return what Table VI says of Action Units without a label (U3) and of contempt (U4)."""
    units, named = action_units_of("contemptuous", "paper"), read_table("table6_emotion_aus")["aus"].astype(str)
    absent = {10, 11, 14, 20, 22, 26} - {int(unit) for unit in named.str.split().explode()}
    return {"U3": (False, {"n_absent": len(absent)}), "U4": (bool(units), {"units": list(units)})}


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
    """Return what Table II says of emotions (M4), the least recognised ones (E9) and an average (E12), and Fig. 6 of E11."""
    areas = read_table("table2_emotion_auc").set_index("emotion")
    areas.columns = areas.columns.str.removeprefix("exp").astype(int)
    counts, mean, average = areas.drop("Average").notna().sum(), areas[4].drop("Average").mean(), areas.loc["Average", 4]
    accuracy = read_table("fig6_emotion_accuracy").set_index("experiment")["accuracy_percent"][[1, 5]]
    areas = areas.drop("Average")
    least = {n: sorted(areas[n].nsmallest(2).index.str.lower()) for n in (1, 2, 3, 4)}
    return {
        "M4": (counts.nunique() > 1, {"experiments": {n: list(counts.index[counts == n]) for n in sorted(set(counts))}}),
        "E9": (not any({"angry", "fearful"} & set(names) for names in least.values()), {"least": least}),
        "E11": (not np.allclose(accuracy, 94.6, atol=0.05), {"accuracy": accuracy.to_dict()}),
        "E12": (abs(mean - average) > 0.0015, {"mean": mean, "printed": average}),
    }


def confusions() -> Found:
    """Return what Fig. 6, which names no class, says: which are without error (E8), and what its shares are (E13)."""
    table = read_table("fig6_confusion").query("experiment in (1, 2)")
    counts = {n: rows.pivot(index="true", columns="predicted", values="count") for n, rows in table.groupby("experiment")}
    precisions = {n: np.diag(of) / of.sum() for n, of in counts.items()}
    perfect = {n: [name.lower() for name in shares.index[shares == 1]] for n, shares in precisions.items()}
    rows, columns = (sorted({int(n) for n in counts[1].sum(axis=axis)}) for axis in (1, 0))
    both = sorted({*perfect[1]} & {*perfect[2]})
    return {"E8": (None if len(both) >= 2 else True, {"found": perfect, "both": both}),
            "E13": (len(rows) == 1 < len(columns), {"rows": rows, "columns": columns})}


def sample_scores() -> Found:
    """Return what Table VII says of a new benchmark (G4) and of an inception score (G5)."""
    table = read_table("table7_sample_quality_rafd").set_index("model")
    lower = table["fid"][table["fid"] < table.loc["DCGAN (paper)", "fid"]]
    printed = table.loc["pix2pixHD", "is"]
    return {"G4": (len(lower) > 0, {"lower": lower.to_dict()}), "G5": (printed < 1, {"printed": printed})}


def table_four() -> Found:
    """Return what Table IV says of the claims on it: U5 and U9 speak of experiments within one set, U11 of equal labels."""
    table = read_table("table4_au_auc").set_index("au").rename(columns=lambda name: int(name.removeprefix("exp")))
    means, units = table.loc["Average"], table.drop("Average")
    fallen = units[units[2] < units[1]][[1, 2]].T.to_dict("list")
    named = units.loc[["AU01", "AU23", "AU24", "AU25"], ACROSS].stack()
    below = [(unit, n, area, means[n]) for (unit, n), area in named.items() if area < means[n]]
    apart = (units.loc["AU02"] - units.loc["AU17"])[[4, 5, 6, 8]].abs()
    lowest = {n: (unit, units.loc[unit, n]) for n, unit in units[[4, 7]].idxmin().items()}
    best = means.nlargest(2).index.tolist()
    equal = units.loc[["AU07", "AU23", "AU24"], 2]
    one_label = any(set(equal.index) <= set(group) for group, _ in label_groups(EMOTIONS))
    return {
        "U2": (bool(fallen), {"fallen": fallen}),
        "U5": (not {2, 3, 6} & set(ACROSS), {"means": means[ACROSS].to_dict()}),
        "U6": (bool(below), {"below": below}),
        "U7": (bool(apart.max() > ALIKE), {
            "apart": apart.max(), "experiment": apart.idxmax(), "span": np.ptp(units.loc["AU02", [4, 5, 6, 8]])}),
        "U8": ({unit for unit, _ in lowest.values()} != {"AU04"}, {"lowest": lowest}),
        "U9": (not set(best) & set(ACROSS), {"best": best}),
        "U11": (one_label and equal.nunique() > 1, {"areas": equal.to_dict()}),
    }


#: The rules by the names that ``rules.yaml`` calls them by, written out: the cache follows names to the code that judges.
RULES = {rule.__name__: rule for rule in (
    above, consistency, diverse_data, faces_of_every_pose, few_labels, generalisation, indiscernible, larger_beta1, lowest,
    more_data, no_mode_collapse, one_unit_alone, order, pretraining, published_accuracy, ranks_of_the_paper,
    relabelled_units, sample_quality, small_set_suffers, stable_training, stated,
    confusions, mapped_units, sample_scores, table_four, table_two, text,
)}
