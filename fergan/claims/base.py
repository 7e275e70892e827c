"""The words of a verdict and the register of what judges each claim."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fergan.paper import read_table

if TYPE_CHECKING:
    from fergan.claims.evidence import Evidence

__all__ = ["VERDICTS", "CannotTest", "NotRun", "Verdict", "claim", "judge_all", "of_signs"]

REPRODUCED, NOT_REPRODUCED, NOT_DECIDED = "reproduced", "not reproduced", "not decided"
CANNOT_TEST, CONTRADICTION, STATED, NOT_RUN = (
    "cannot be tested on this data", "contradicts itself", "stated", "not run in this book"
)

#: Every word that a verdict may use, and what it means.
VERDICTS = {
    REPRODUCED: "found here in every part; where a part has a 95 % interval, all of it says so",
    NOT_REPRODUCED: "the opposite was found here in at least one part; where it has a 95 % interval, all of it says so",
    NOT_DECIDED: "no part is refuted, and at least one is left open, by its interval or by what could be measured",
    CANNOT_TEST: "it needs what this book does not have: photographs, more faces, or the work of others",
    CONTRADICTION: "the paper's own numbers or words do not agree with it",
    STATED: "a description or a plan, which no result could refute",
    NOT_RUN: "the experiment that tests it is not among this book's",
}


class NotRun(Exception):
    """The results that a claim needs are not in this book; the message says which."""


class CannotTest(Exception):
    """The claim is about other faces than those of this book; the message says why."""


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes
    ----------
    word : str
        A key of `VERDICTS`.
    finding : str
        One sentence with the numbers; MyST.
    shown_by : str
        The label of the figure, table or page of the book behind it; empty where there is none.
    """

    word: str
    finding: str
    shown_by: str = ""

    def __post_init__(self):
        if self.word not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, not {self.word!r}")


def of_signs(signs: Iterable[int]) -> str:
    """Return the word for a claim that needs every sign to be 1: one that is clearly -1 refutes it."""
    signs = list(signs)
    if any(sign < 0 for sign in signs):
        return NOT_REPRODUCED
    return REPRODUCED if signs and all(sign > 0 for sign in signs) else NOT_DECIDED


Judge = Callable[["Evidence"], Verdict]
_JUDGES: dict[str, Judge] = {}


def claim(name: str) -> Callable[[Judge], Judge]:
    """Register the function that judges one claim of ``claims.csv``."""
    def register(judge: Judge) -> Judge:
        if name in _JUDGES:
            raise ValueError(f"claim {name} is judged twice")
        _JUDGES[name] = judge
        return judge

    return register


def judge_all(evidence: "Evidence") -> pd.DataFrame:
    """Judge every claim of the paper.

    Returns
    -------
    DataFrame
        One row per row of ``claims.csv``, in its order: ``id, where, claim, test, verdict, finding, shown_by``.

    Raises
    ------
    ValueError
        A claim has no function that judges it, or a function has no claim.
    """
    claims = read_table("claims")
    if set(claims["id"]) != set(_JUDGES):
        raise ValueError(f"claims and judges differ: {', '.join(sorted(set(claims['id']) ^ set(_JUDGES)))}")
    verdicts = [_judge(name, evidence) for name in claims["id"]]
    return claims.assign(verdict=[v.word for v in verdicts], finding=[v.finding for v in verdicts],
                         shown_by=[v.shown_by for v in verdicts])


def _judge(name: str, evidence: "Evidence") -> Verdict:
    try:
        return _JUDGES[name](evidence)
    except NotRun as absent:
        return Verdict(NOT_RUN, str(absent))
    except CannotTest as reason:
        return Verdict(CANNOT_TEST, str(reason))
