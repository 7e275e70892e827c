"""What the paper says, what we found: a verdict on each of its claims, from results and from the paper's own tables."""

from dataclasses import replace

from fergan.claims import generators as g
from fergan.claims import printed as p
from fergan.claims import recognition as r
from fergan.claims.verdict import CONTRADICTION, Results, Rule, Unjudged, Verdict

_CONTRADICTIONS = "where-the-paper-contradicts-itself"  # the page that lists them

#: Claim -> the rule that judges it, and the figure or table that shows it. Where the paper's own tables decide, the third
#: says which results a book must have to have that table.
REGISTER: dict[str, tuple[Rule, *tuple[str, ...]]] = {
    "A1": (r.few_labels, "tab-labels-summary"),
    "A2": (r.published_accuracy(1), "tab-emotions-1"),
    "A3": (r.generalisation, "tab-transfer-own"),
    "A4": (g.faces_of_every_pose, "tab-quality-summary"),
    "Q1": (r.better_in_the_wild, "tab-emotions-baselines"),
    "Q2": (r.above_guessing(emotions=(1, 5), units=(1, 2)), "tab-results"),
    "Q3": (r.consistency, "tab-transfer-own"),
    "C1": (g.indiscernible,),
    "C2": (r.relabelled_units, "tab-aus-2"),
    "C3": (r.pretraining, "tab-transfer-size"),
    "M1": (p.stated, "tab-dcgan-presets", "generators"),
    "M2": (g.larger_beta1, "tab-dcgan-further"),
    "M3": (p.contradicted("M3", p.text), "features-arithmetic"),
    "M4": (p.contradicted("M4", p.table_two),),
    "M5": (p.stated, _CONTRADICTIONS),
    "M6": (p.stated, _CONTRADICTIONS),
    "E1": (r.order(1, 2, 5), "fig-emotions-summary"),
    "E2": (r.more_data, "fig-emotions-summary"),
    "E3": (r.order(1, 3), "fig-emotions-summary"),
    "E4": (r.order(3, 4), "fig-emotions-summary"),
    "E5": (r.published_accuracy(5), "tab-emotions-5"),
    "E6": (r.order(5, *r.WILD), "fig-emotions-summary"),
    "E7": (r.small_set_suffers, "tab-labels-summary"),
    "E8": (p.contradicted("E8", p.confusions),),
    "E9": (p.contradicted("E9", p.confusions),),
    "E10": (r.lowest_in_sfew, "tab-emotions-8"),
    "E11": (p.contradicted("E11", p.table_two),),
    "E12": (p.contradicted("E12", p.table_two),),
    "E13": (p.contradicted("E13", p.confusions),),
    "E14": (p.ranks_of_the_paper,),
    "U1": (r.above_guessing(units=(1,)), "tab-aus-1"),
    "U2": (p.contradicted("U2", p.unit_areas),),
    "U3": (p.units_without_labels, "tab-aus-mapping", "units"),
    "U4": (p.contempt_has_a_mapping, "tab-aus-mapping", "units"),
    "U5": (p.contradicted("U5", p.unit_areas), "tab-aus-summary", "units"),
    "U6": (p.contradicted("U6", p.unit_areas),),
    "U7": (p.contradicted("U7", p.unit_areas),),
    "U8": (p.contradicted("U8", p.unit_areas),),
    "U9": (p.contradicted("U9", p.unit_areas),),
    "U10": (r.one_unit_alone,),
    "U11": (p.contradicted("U11", p.unit_areas),),
    "G1": (g.stable_training, "tab-dcgan-further"),
    "G2": (g.no_mode_collapse, "tab-mode-collapse"),
    "G3": (g.sample_quality,),
    "G4": (p.contradicted("G4", p.sample_scores), "tab-quality-paper", "generators"),
    "G5": (p.contradicted("G5", p.sample_scores),),
    "F1": (r.above_guessing(emotions=tuple(range(1, 9))), "fig-emotions-summary"),
    "F2": (p.stated,),
    "F3": (p.stated,),
    "F4": (r.features_of_the_generator,),
    "F5": (g.diverse_data, "tab-mode-collapse"),
    "R1": (p.contradicted("R1", p.text),),
    "R2": (p.contradicted("R2", p.text),),
    "R3": (p.contradicted("R3", p.text),),
}


def judge(claim: str, results: Results) -> Verdict:
    """Judge one claim of ``claims.csv``."""
    rule, label, kind = (*REGISTER[claim], "", "")[:3]
    try:
        verdict = rule(results)
    except Unjudged as found:
        return found.verdict
    if kind and not getattr(results, kind):
        label = ""
    default = _CONTRADICTIONS if verdict.word == CONTRADICTION else ""
    return replace(verdict, shown_by=verdict.shown_by or label or default)


def judge_all(results: Results) -> dict[str, Verdict]:
    """Judge every claim of the paper, in the order of ``claims.csv``."""
    return {claim: judge(claim, results) for claim in REGISTER}
