"""Claims of the chapters on few labels and on a generator of one Action Unit."""

from fergan.claims.base import NotRun, Verdict, claim
from fergan.claims.evidence import Evidence


@claim("A1")
def fewer_labels(evidence: Evidence) -> Verdict:
    evidence.records("label_efficiency")
    raise NotRun("")


@claim("U10")
def one_unit_alone(evidence: Evidence) -> Verdict:
    evidence.records("single_unit")
    raise NotRun("")
