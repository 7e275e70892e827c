"""The results of the chapters on few labels and on transfer, and the verdicts that those chapters reach themselves."""

from typing import Any

from fergan.claims.base import NotRun, Verdict
from fergan.claims.evidence import Evidence, words

__all__ = ["label_results_of", "said_by_chapter", "transfer_matrix", "unit_results"]


def label_results_of(evidence: Evidence) -> dict[str, Any]:
    """Return the results on label efficiency, by face set."""
    names = list(evidence.records("label_efficiency"))
    from fergan.book.tables.label_claims import label_results

    return label_results(evidence.home, names)


def transfer_matrix(evidence: Evidence) -> Any:
    """Return the result on transfer; None where the book has none."""
    try:
        evidence.records("transfer")
    except NotRun:
        return None
    from fergan.experiments.transfer import TransferResult

    return TransferResult.load(evidence.home / "results" / "transfer" / "matrix")


def unit_results(evidence: Evidence) -> list[Any]:
    """Return the results of all of the paper's Action Unit experiments that this book has."""
    return [evidence.units(number) for number in sorted(evidence.au_experiments & set(range(1, 9)))]


def said_by_chapter(found: Any, shown_by: str) -> Verdict:
    """Bring a verdict of one of these chapters into the form of all."""
    measure = "" if found.value != found.value else f"{found.measure}: {words((found.value, found.low, found.high))}. "
    sentence = f"{measure[:1].upper()}{measure[1:]}{found.because[:1].upper()}{found.because[1:]}"
    return Verdict(found.verdict, f"{sentence}.", shown_by)
