"""What the paper says, what we found: a verdict on each of its claims, computed from results and from its own tables.

Each row of ``fergan/paper/claims.csv`` has one small function here, in the module of its subject. It reads what it needs from
the `Evidence` of a book and returns a `Verdict`; what is not there, or cannot be tested on the faces that are there, is said.
"""

from fergan.claims import emotions, generators, paper, transfer, units
from fergan.claims.base import VERDICTS, Verdict, judge_all
from fergan.claims.evidence import Evidence

__all__ = ["VERDICTS", "Evidence", "Verdict", "judge_all"]
