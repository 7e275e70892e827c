"""Claims of the chapters on few labels, on transfer between sets, and on a generator of one Action Unit."""

from fergan.book.tables.single_unit import PAPERS_AREAS
from fergan.claims.base import NOT_DECIDED, NOT_REPRODUCED, REPRODUCED, CannotTest, NotRun, Verdict, claim, of_signs
from fergan.claims.chapters import label_results_of, said_by_chapter
from fergan.claims.evidence import Evidence, words
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import Difference

#: So near to chance counts as not telling the two apart, in a study with human raters.
_INDISCERNIBLE = 0.05


@claim("A1")
def fewer_labels(evidence: Evidence) -> Verdict:
    results = label_results_of(evidence)
    from fergan.book.tables.label_claims import few_labels_verdict

    return said_by_chapter(few_labels_verdict(results), "tab-labels-summary")


@claim("E7")
def small_sets_suffer(evidence: Evidence) -> Verdict:
    results = label_results_of(evidence)
    from fergan.book.tables.label_claims import size_verdict

    return said_by_chapter(size_verdict(results), "tab-labels-summary")


@claim("U10")
def one_unit_alone(evidence: Evidence) -> Verdict:
    """Judge that a network of one unit's faces does worse on new faces than on those learnt, and than a network of all faces."""
    for page, record in evidence.records("single_unit").items():
        rows = {row["score"]: row for row in record["scores"]
                if (row["features"], row["protocol"], row["label"]) == ("only", SUBJECT_INDEPENDENT, record["unit"])}
        scores = [tuple(rows[name][key] for key in ("value", "low", "high")) for name in ("auc_train", "auc") if name in rows]
        if record["unit"] != "AU07" or len(scores) < 2:
            continue
        if any(value is None for score in scores for value in score):
            raise CannotTest("AU7 cannot be scored on people never seen: too few of them show it.")
        signs = [Difference.of_scores(*scores).sign]
        beside = next((row for row in record["scores"] if (row["features"], row["protocol"], row["score"]) ==
                       ("all", SUBJECT_INDEPENDENT, "auc_difference") and row["value"] is not None), None)
        said = ""
        if beside:
            signs.append(int(beside["high"] < 0) - int(beside["low"] > 0))
            said = f" That it is worse for it than a network of all faces: difference {words([beside[key] for key in ('value', 'low', 'high')])}."
        return Verdict(of_signs(signs), f"Area of AU7 in training {words(scores[0])}, on people never seen {words(scores[1])}; "
                       f"the paper {PAPERS_AREAS['train']} and {PAPERS_AREAS['test']}.{said}", f"tab-single-{page}")
    raise NotRun("No generator of AU7's faces alone was scored.")


@claim("C1")
def indiscernible(evidence: Evidence) -> Verdict:
    """Judge by human raters: indiscernible where even the upper end of the interval is near to guessing."""
    pooled = {model: record["pair"]["pooled"] for model, record in evidence.records("human_study").items() if record.get("pair")}
    pooled = {model: found for model, found in pooled.items() if found}
    if not pooled:
        raise NotRun("Nobody has taken part in this book's study of real and generated faces.")
    model, found = max(pooled.items(), key=lambda item: item[1]["n"])
    share = tuple(found[key] for key in ("right", "low", "high"))
    word = NOT_REPRODUCED if share[1] > 0.5 else REPRODUCED if share[2] < 0.5 + _INDISCERNIBLE else NOT_DECIDED
    return Verdict(word, f"Of {found['n']} pairs of {model}, {words(share)} were told apart by {found['n_raters']} raters; guessing gives .5.",
                   f"tab-{model}-human-pair")
