"""Claims on the generators: what they draw, how varied, how stable. A rule reads results and returns a verdict."""

from typing import Any

import numpy as np

from fergan.claims import verdict as v
from fergan.claims.verdict import Results, Trained, Unjudged, Verdict, of_signs, side
from fergan.experiments.transfer import rank_correlation
from fergan.paper import read_table

MIN_COVERED = 0.5  # below this share of what real faces cover, samples miss their set, however varied they are
MIN_SEEDS = 3  # so many trainings that differ in their seed alone are needed to speak of stability
INDISCERNIBLE = 0.05  # so near to chance counts as not telling real and generated apart
POSES = {"frontal": ("rafd-frontal",), "multiview": ("rafd-multiview", "kdef"), "wild": ("raf-db", "sfew", "celeba")}


def faces_of_every_pose(results: Results) -> Verdict:
    """Judge A4 by the share of samples in which a detector finds a face, the best generator of each kind of pose."""
    found = {name: one.faces_found for name, one in results.generators.items() if one.faces_found}
    best = {}
    for pose, names in POSES.items():
        if not set(names) & set(found):
            raise Unjudged(v.NOT_RUN, "no_generator", pose=pose)
        best[pose] = max((found[name] for name in names if name in found), key=lambda share: share[0])
    return Verdict(of_signs(side(share, 0.5) for share in best.values()), "shares", {"shares": best})


def no_mode_collapse(results: Results) -> Verdict:
    judged = results.judged_generators()
    fallen = {name: one.variety for name, one in judged.items() if one.variety != "varied"}
    bare = [name for name, one in judged.items() if one.coverage < MIN_COVERED * one.coverage_floor]
    signs = [-1 if one.variety == "collapsed" else int(name not in {*fallen, *bare}) for name, one in judged.items()]
    return Verdict(of_signs(signs), "variety", {"n": len(judged), "fallen": fallen, "bare": bare})


def _training(one: Trained) -> dict[str, Any]:
    return {"seed": one.config["seed"], "beta1": one.config["beta1"], "variety": one.variety, "alarms": one.alarms,
            "frechet": one.frechet}


def stable_training(results: Results) -> Verdict:
    """Judge G1 by the generators that were trained from several seeds: stable where none of them failed."""
    judged = list(results.judged_generators().values())
    groups = [[one, *(other for other in judged if one.differs_in(other) == {"seed"})] for one in judged]
    group = max(groups, key=len, default=[])
    if len(group) < MIN_SEEDS:
        raise Unjudged(v.NOT_RUN, "too_few_seeds", least=MIN_SEEDS)
    word = of_signs(-1 if one.failed else int(one.variety == "varied") for one in group)
    n_failed = sum(one.failed for one in group)
    return Verdict(word, "seeds", {"dataset": group[0].dataset, "n_failed": n_failed, "trainings": [*map(_training, group)]})


def larger_beta1(results: Results) -> Verdict:
    """Judge M2 by two generators that differ in beta1 alone: which of them fails, if only one does."""
    judged = results.judged_generators().values()
    pairs = [(one, other) for one in judged for other in judged
             if one.differs_in(other) == {"beta1"} and one.config["beta1"] > other.config["beta1"]]
    if not pairs:
        raise Unjudged(v.NOT_RUN, "no_pair")
    larger, smaller = pairs[0]
    return Verdict(of_signs([int(smaller.failed) - int(larger.failed)]), "pair",
                   {"dataset": larger.dataset, "trainings": [_training(larger), _training(smaller)]})


def diverse_data(results: Results) -> Verdict:
    """Judge the part of F5 that this book can see: whether generators of more faces cover more of their set."""
    own = [one for name, one in results.judged_generators().items() if name == one.dataset]
    covered = np.array([one.coverage / one.coverage_floor for one in own])
    rho, p = rank_correlation(np.array([one.n_faces for one in own], dtype=float), covered)
    if np.isnan(rho):
        raise Unjudged(v.NOT_RUN, "too_few_generators")
    return Verdict(of_signs([int(p < 0.05) * (1 if rho > 0 else -1)]), "correlation", {"rho": rho, "p": p, "n": len(own)})


def sample_quality(results: Results) -> Verdict:
    results.on_photographs(read_table("table7_sample_quality_rafd").set_index("model").loc["DCGAN (paper)", "fid"])
    return Verdict(v.CANNOT_TEST, "undescribed")


def indiscernible(results: Results) -> Verdict:
    """Judge C1 by human raters: indiscernible where even the upper end of the interval is near to guessing."""
    generator, found = max(results.need("raters").items(), key=lambda item: item[1]["n"])
    share = tuple(found[key] for key in ("right", "low", "high"))
    word = v.NOT_REPRODUCED if share[1] > 0.5 else v.REPRODUCED if share[2] < 0.5 + INDISCERNIBLE else v.NOT_DECIDED
    return Verdict(word, "raters", {"generator": generator, "share": share, "n": found["n"], "n_raters": found["n_raters"]},
                   f"tab-{generator}-human")
