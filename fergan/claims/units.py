"""Claims on Action Units within and across sets that this book's results decide."""

from fergan.claims.base import NOT_DECIDED, NOT_REPRODUCED, REPRODUCED, CannotTest, Verdict, claim, of_signs
from fergan.claims.chapters import said_by_chapter, transfer_matrix, unit_results
from fergan.claims.evidence import Evidence, score, words
from fergan.experiments.intervals import Difference
from fergan.facs import ACTION_UNITS

ACROSS = (4, 5, 7, 8)


@claim("U1")
def features_carry_units(evidence: Evidence) -> Verdict:
    area = score(evidence.units(1), "auc")
    return Verdict(of_signs([int(area[1] > 0.5) - int(area[2] < 0.5)]),
                   f"Mean area on people never seen {words(area)}; guessing gives .5.", evidence.au_table(1))


@claim("A3")
def better_than_guessing_across_sets(evidence: Evidence) -> Verdict:
    matrix = transfer_matrix(evidence)
    if matrix is not None:
        from fergan.book.tables.label_claims import generalisation_verdict

        return said_by_chapter(generalisation_verdict(matrix, unit_results(evidence)), "tab-transfer-own")
    areas = {number: score(evidence.units(number), "auc") for number in ACROSS}
    said = "; ".join(f"experiment {number}: {words(area)}" for number, area in areas.items())
    return Verdict(of_signs(int(low > 0.5) - int(high < 0.5) for _, low, high in areas.values()),
                   f"Mean area from one set to another, {said}; guessing gives .5.", evidence.shown("05_action_units", "fig-aus-summary"))


@claim("Q3")
def consistent_across_sets(evidence: Evidence) -> Verdict:
    """Judge Q3 by the transfer matrix, or without it by the area of each Action Unit from one set to another."""
    matrix = transfer_matrix(evidence)
    if matrix is not None:
        from fergan.book.tables.label_claims import consistency_verdict

        return said_by_chapter(consistency_verdict(matrix, unit_results(evidence)), "tab-transfer-own")
    signs = {}
    for number in ACROSS:
        for unit in ACTION_UNITS:
            value, low, high = score(evidence.units(number), "auc", unit)
            if value == value:
                signs[number, unit] = int(low > 0.5) - int(high < 0.5)
    above, below = (sum(sign == side for sign in signs.values()) for side in (1, -1))
    word = REPRODUCED if above == len(signs) else NOT_REPRODUCED if above < len(signs) / 2 or below else NOT_DECIDED
    return Verdict(word, f"Of {len(signs)} areas of an Action Unit from one set to another, {above} are above .5, {below} below, "
                   "and the others not to be told from guessing.", evidence.shown("05_action_units", "fig-aus-summary"))


@claim("C2")
def relabelled_units_are_better(evidence: Evidence) -> Verdict:
    result = evidence.units(2)
    derived, true = score(result, "auc"), score(result, "auc_true")
    if true[0] != true[0]:
        raise CannotTest("The true Action Units of these faces are not known, only those derived from emotions.")
    difference = Difference.of_scores(true, derived)
    word = {1: REPRODUCED, 0: NOT_DECIDED, -1: NOT_REPRODUCED}[difference.sign]
    return Verdict(word, f"Mean area {words(derived)} when the derived labels count, {words(true)} when the Action Units that the faces show do.",
                   evidence.au_table(2))
