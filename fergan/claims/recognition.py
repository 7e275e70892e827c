"""Claims on recognising emotions and Action Units. A rule reads results; one function makes all rules of a kind."""

from contextlib import suppress
from dataclasses import replace

import numpy as np

from fergan.claims import verdict as v
from fergan.claims.verdict import Results, Rule, Score, Unjudged, Verdict, of_signs, score, side, triple
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import accuracy_difference
from fergan.experiments.intervals import Difference
from fergan.experiments.label_efficiency import LabelEfficiencyResult, size_differences
from fergan.experiments.scores import row_of
from fergan.experiments.transfer import OTHERS, rank_correlation
from fergan.paper import AU7_ALONE, read_table

WILD = (6, 7, 8)  # the paper's emotion experiments in the wild
SMALL_SET, LARGE_SETS = "sfew", ("raf-db", "kdef")  # of the paper's section 4-A
MARGIN = 0.02  # so much accuracy less still counts as "as well": two faces of a hundred. Chosen, not derived.
MUCH_MORE = 2  # so many times as many faces count as much more data; in the paper it is 3.6 times


def papers_accuracy(number: int) -> float:
    return read_table("fig6_emotion_accuracy").set_index("experiment").loc[number, "accuracy_percent"] / 100


def published_accuracy(number: int) -> Rule:
    """Compare a published accuracy with ours, made as published: reproduced where ours is not clearly below."""
    def rule(results: Results) -> Verdict:
        theirs = papers_accuracy(number)
        results.on_photographs(theirs)
        ours = score(results.experiment("emotions", number), "accuracy", protocol=AS_PUBLISHED)
        return Verdict(v.REPRODUCED if ours[2] >= theirs else v.NOT_REPRODUCED, "compared", {"ours": ours, "paper": theirs})

    return rule


def order(better: int, *worse: int) -> Rule:
    """Judge that one emotion experiment's accuracy is above that of others, on people never seen."""
    def rule(results: Results) -> Verdict:
        first = results.experiment("emotions", better)
        found = {n: accuracy_difference(first, results.experiment("emotions", n))[0] for n in worse}
        differences = {n: (d.value, d.low, d.high) for n, d in found.items()}
        return Verdict(of_signs(map(side, differences.values())), "order", {"better": better, "differences": differences})

    return rule


def more_data(results: Results) -> Verdict:
    """Judge E2, where the network of experiment 2 learnt many more faces than that of experiment 1."""
    verdict = order(2, 1)(results)
    names = [results.experiment("emotions", number).settings["pretrained"] for number in (2, 1)]
    for name in names:
        if name not in results.generators:
            raise Unjudged(v.NOT_RUN, "no_network", network=name)
    learnt = {name: results.generators[name].n_faces for name in names}
    areas = read_table("table2_emotion_auc").set_index("emotion").loc["Average"]
    paper = {"accuracy": [papers_accuracy(1), papers_accuracy(2)], "area": [areas["exp1"], areas["exp2"]]}
    verdict = replace(verdict, values=verdict.values | {"learnt": learnt, "paper": paper})
    too_few = learnt[names[0]] < MUCH_MORE * learnt[names[1]]
    return replace(verdict, word=v.CANNOT_TEST, reason="too_few_faces") if too_few else verdict


def above_guessing(*, emotions: tuple[int, ...] = (), units: tuple[int, ...] = ()) -> Rule:
    """Judge that experiments on people never seen are above guessing: the commonest emotion, or an area of .5."""
    def rule(results: Results) -> Verdict:
        named = {n: results.experiment("emotions", n) for n in emotions}
        accuracies = {n: (score(r, "accuracy"), score(r, "majority_accuracy", features="none")[0]) for n, r in named.items()}
        areas = {n: score(results.experiment("units", n), "auc") for n in units}
        signs = [side(*found) for found in accuracies.values()] + [side(area, 0.5) for area in areas.values()]
        n_sets = len({r.settings["target"] for r in named.values()})
        return Verdict(of_signs(signs), "above", {"accuracies": accuracies, "areas": areas, "n_sets": n_sets})

    return rule


def better_in_the_wild(results: Results) -> Verdict:
    """Judge Q1 by the accuracy minus that of the best other features on the same folds."""
    worst = {}
    for number in WILD:
        table = results.experiment("emotions", number).scores
        rows = table[(table["score"] == "accuracy_difference") & (table["protocol"] == SUBJECT_INDEPENDENT)]
        if rows.empty:
            raise Unjudged(v.NOT_RUN, "no_other_features")
        row = rows.loc[rows["value"].idxmin()]
        worst[number] = row["features"], triple(row)
    return Verdict(of_signs(side(difference) for _, difference in worst.values()), "differences", {"differences": worst})


def lowest_in_sfew(results: Results) -> Verdict:
    counts = results.experiment("emotions", 8).confusion(SUBJECT_INDEPENDENT, "discriminator")
    rates = (np.diag(counts) / counts.sum(axis=1)).sort_values()[:2]
    n_right = len({"happy", "sad"} & set(rates.index))
    return Verdict((v.NOT_REPRODUCED, v.NOT_DECIDED, v.REPRODUCED)[n_right], "lowest", {"rates": rates.to_dict()})


def features_of_the_generator(results: Results) -> Verdict:
    """Say, beside that F4 is a plan, what features of the generator reach where this book tried them."""
    found = {}
    for number in sorted(results.emotions):
        with suppress(Unjudged):
            scores = results.experiment("emotions", number).scores
            row = row_of(scores, SUBJECT_INDEPENDENT, "generator", "accuracy_difference")
            found |= {number: triple(row)} if len(row) else {}
    return Verdict(v.STATED, "tried" if found else "plan", {"differences": found}, "tab-emotions-baselines" if found else "")


def relabelled_units(results: Results) -> Verdict:
    """Judge C2 on relabelled faces: their true Action Units against those derived from emotions."""
    result = results.experiment("units", 2)
    derived, true = score(result, "auc"), score(result, "auc_true")
    if true[0] != true[0]:
        raise Unjudged(v.CANNOT_TEST, "truth_unknown")
    return Verdict(of_signs([Difference.of_scores(true, derived).sign]), "truth", {"derived": derived, "true": true})


def one_unit_alone(results: Results) -> Verdict:
    """Judge U10: a network of AU7's faces alone does worse on new faces than on those learnt, and than one of all faces."""
    unit = AU7_ALONE["unit"]
    for page, scores in results.need("single_units").items():
        rows = [row_of(scores, SUBJECT_INDEPENDENT, "only", name, unit) for name in ("auc_train", "auc")]
        if not all(map(len, rows)):
            continue
        learnt, unseen = map(triple, rows)
        if np.isnan([*learnt, *unseen]).any():
            raise Unjudged(v.CANNOT_TEST, "not_scored")
        beside = triple(row_of(scores, SUBJECT_INDEPENDENT, "all", "auc_difference", unit))
        signs = [Difference.of_scores(learnt, unseen).sign] + [-side(beside)] * (beside[0] == beside[0])
        values = {"learnt": learnt, "unseen": unseen, "paper": AU7_ALONE, "beside": beside if len(signs) > 1 else None}
        return Verdict(of_signs(signs), "areas", values, f"tab-single-{page}")
    raise Unjudged(v.NOT_RUN, "no_unit_alone")


def few_labels(results: Results) -> Verdict:
    """Judge A1: the first network's features against every method without pretraining, over the whole learning curve."""
    rows = []
    for target, result in results.need("labels").items():
        if result.settings["networks"]:
            rivals = [m for m in result.methods[1:] if not m.startswith("network of ") and m != "fine-tuned discriminator"]
            rows += [(target, m, _curve_mean(result, m, "curve_mean_difference")) for m in rivals]
    if not rows:
        return Verdict(v.CANNOT_TEST, "no_curves")
    target, rival, difference = min(rows, key=lambda row: row[2][0])
    result, signs = results.labels[target], [side(row[2]) for row in rows]
    means = {m: _curve_mean(result, m, "curve_mean")[0] for m in result.methods}
    best = max((m for m in result.methods if m.startswith("network of ")), key=means.get)
    return Verdict(of_signs(signs), "curves", {
        "target": target, "network": result.methods[0], "rival": rival, "difference": difference, "n": len(rows),
        "targets": list(dict.fromkeys(row[0] for row in rows)), "n_better": signs.count(1), "n_worse": signs.count(-1),
        "best": best, "best_mean": means[best], "rival_mean": means[rival]})


def _curve_mean(result: LabelEfficiencyResult, method: str, name: str) -> Score:
    return triple(row_of(result.scores, "labelled_people", method, name))


def small_set_suffers(results: Results) -> Verdict:
    """Judge E7: each larger set is cut down to as many labelled faces as SFEW has.

    Reproduced where it is clearly better than SFEW with all its labels, clearly worse for being cut down, and then no longer
    clearly better; not reproduced where it is clearly better even so, or not better to begin with. Only labels are cut.
    """
    labels = results.need("labels")
    large = [name for name in LARGE_SETS if {SMALL_SET, name} <= set(labels)]
    found = {name: size_differences(labels[SMALL_SET], labels[name]) for name in large}
    if not found:
        return Verdict(v.CANNOT_TEST, "no_curves", {"small": SMALL_SET, "large": LARGE_SETS})
    signs = []
    for row in found.values():
        explains = side(row["full"]) > 0 and side(row["shrinking"]) > 0 and row["matched"][1] <= 0
        signs.append(-1 if side(row["matched"]) > 0 or side(row["full"]) < 0 else int(explains))
    return Verdict(of_signs(signs), "sizes", {"small": SMALL_SET, "sets": found})


def _unit_areas(results: Results) -> tuple[list[tuple[str, Score]], dict[str, Score]]:
    """Return the mean areas of the paper's experiments from one set to another, and of those within a set by its name."""
    across, within = [], {}
    for number in sorted(set(results.units) & set(range(1, 9))):
        result = results.experiment("units", number)
        area, test = score(result, "auc"), result.settings["test"]
        if not np.isfinite(area[0]):
            continue
        if result.settings["train"] == test:
            within[test] = max(within.get(test, area), area, key=lambda found: found[0])
        else:
            across.append((test, area))
    return across, within


def generalisation(results: Results) -> Verdict:
    """Judge A3: networks of other faces do as well as the set's own on average, and Action Units transfer above chance."""
    matrix, across = results.need("transfer"), _unit_areas(results)[0]
    own = row_of(matrix.scores, SUBJECT_INDEPENDENT, OTHERS, "minus_own")
    if not len(own):
        return Verdict(v.CANNOT_TEST, "no_own_network")
    baseline = matrix.settings["baselines"][0]
    beside = row_of(matrix.scores, SUBJECT_INDEPENDENT, OTHERS, f"minus_{baseline}")["value"]
    signs, clear = [side(triple(own), -MARGIN)], [area[1] > 0.5 for _, area in across]
    if across:
        signs.append(1 if all(clear) else -int(any(area[2] <= 0.5 for _, area in across)))
    return Verdict(of_signs(signs), "matrix", {"own": triple(own), "margin": MARGIN, "baseline": baseline, "beside": beside,
                                               "n_above": sum(clear), "n_across": len(across)})


def consistency(results: Results) -> Verdict:
    """Judge Q3: as A3 on every set, and no Action Unit experiment across sets is clearly below the one within its set."""
    table, (across, within) = results.need("transfer").scores, _unit_areas(results)
    table = table[(table["features"] == OTHERS) & (table["score"] == "minus_own") & (table["label"] != "all")]
    rows = table.to_dict("records")
    if len(rows) < 2:
        return Verdict(v.CANNOT_TEST, "too_few_sets")
    worst = min(rows, key=lambda row: row["value"])
    signs = [side(triple(row), -MARGIN) for row in rows]
    below = [area[2] < within[test][1] for test, area in across if test in within]
    return Verdict(of_signs([*signs, *[-1 if any(below) else 1] * bool(below)]), "matrix", {
        "worst": worst["label"], "difference": triple(worst), "margin": MARGIN, "n_as_well": signs.count(1),
        "n_worse": signs.count(-1), "n_sets": len(rows), "n_below": sum(below), "n_across": len(below)})


def pretraining(results: Results) -> Verdict:
    """Judge C3: frontal faces and many examples give better features.

    Many examples: Spearman's correlation of the number of faces a network learnt with its advantage over the networks of
    other faces; frontal: the network of frontal RaFD minus that of multi-view RaFD on the other sets, face by face.
    """
    matrix = results.need("transfer")
    advantages = matrix.scores[matrix.scores["score"] == "advantage"].set_index("features")["value"]
    sizes = np.array([matrix.settings["pretraining_faces"][name] for name in advantages.index], dtype=float)
    rho, p = rank_correlation(sizes, advantages.to_numpy())
    if np.isnan(rho):
        return Verdict(v.CANNOT_TEST, "too_few_networks")
    signs, frontal = [int(p < 0.05) * (1 if rho > 0 else -1)], None
    if {"rafd-frontal", "rafd-multiview"} <= set(matrix.settings["networks"]):
        faces = matrix.faces()
        difference = faces.right["rafd-frontal"].to_numpy() - faces.right["rafd-multiview"].to_numpy()
        elsewhere = ~np.isin(faces.target, ["rafd-frontal", "rafd-multiview"])
        if (row := faces.interval(np.where(elsewhere, difference, np.nan)))["n_faces"]:
            frontal = triple(row)
            signs.append(side(frontal))
    return Verdict(of_signs(signs), "matrix", {"rho": rho, "p": p, "n_networks": len(sizes), "frontal": frontal})
