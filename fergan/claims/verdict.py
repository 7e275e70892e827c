"""What became of a claim, and the results that decide it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.scores import ExperimentResult, row_of
from fergan.experiments.transfer import TransferResult
from fergan.paper import papers_own

#: Every word that a verdict may use; the page says what each means.
WORDS = REPRODUCED, NOT_REPRODUCED, NOT_DECIDED, CANNOT_TEST, CONTRADICTION, STATED, NOT_RUN = (
    "reproduced", "not reproduced", "not decided", "cannot be tested on this data", "contradicts itself", "stated",
    "not run in this book",
)

Score = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    word: str  # one of WORDS
    reason: str  # which sentence of the template says it
    values: Mapping[str, Any] = field(default_factory=dict)  # the numbers and names of that sentence
    shown_by: str = ""  # label of the figure, table or page of the book behind it, if there is one

    @classmethod
    def of_signs(cls, signs: Iterable[int], reason: str, **values: Any) -> "Verdict":
        """Judge a claim that needs every sign to be 1: one that is clearly -1 refutes it."""
        words = {1: REPRODUCED, 0: NOT_DECIDED, -1: NOT_REPRODUCED}
        return cls(words[min(signs, default=0)], reason, values)


class Unjudged(Exception):
    """A claim's results are not in this book, or not on the faces that it is about; holds the verdict that says so."""

    def __init__(self, word: str, reason: str, **values: Any):
        super().__init__(reason)
        self.verdict = Verdict(word, reason, values)


@dataclass(frozen=True)
class Trained:
    """A trained generator: what it learnt, how the training went, and what its samples are like."""

    config: Mapping[str, Any]  # its training parameters
    dataset: str
    only: str = ""  # the Action Unit whose faces were taken of the set; empty for all
    n_faces: int = 0  # how many it learnt
    alarms: int = 0  # of a collapse, during training
    frechet: float = np.nan  # distance of the last samples to the real faces
    variety: str = ""  # what was found of its samples; empty where nobody looked, or it was trained to collapse
    coverage: float = np.nan  # share of the real faces that its samples cover ...
    coverage_floor: float = np.nan  # ... and that other real faces cover
    faces_found: Score | None = None  # share of the samples in which a detector finds a face

    @property
    def failed(self) -> bool:
        """Whether it gave an alarm while it was trained, or its samples have lost variety."""
        return self.alarms > 0 or self.variety in ("collapsed", "narrow")

    def differs_in(self, other: "Trained") -> set[str]:
        """Return the training parameters that differ; ``faces`` where other faces were learnt."""
        faces = {"faces"} if (self.dataset, self.only) != (other.dataset, other.only) else set()
        return {key for key in self.config if self.config[key] != other.config[key]} | faces


@dataclass(frozen=True)
class Results:
    """The results of the chapters that a book has, and of what faces they speak. A verdict points to no other chapter."""

    rendered: bool = True  # a number on photographs cannot be tested on rendered faces
    replaced: frozenset[str] = frozenset()  # face sets that another set stands in for
    emotions: Mapping[int, EmotionResult] = field(default_factory=dict)  # by the number of the experiment
    units: Mapping[int, AUResult] = field(default_factory=dict)
    labels: Mapping[str, LabelEfficiencyResult] = field(default_factory=dict)  # by face set
    transfer: TransferResult | None = None
    generators: Mapping[str, Trained] = field(default_factory=dict)
    single_units: Mapping[str, AUResult] = field(default_factory=dict)  # page -> features of a generator of one unit
    raters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # generator -> right, low, high, n, n_raters

    def experiment(self, kind: str, number: int) -> Any:
        """Return the result of one of the paper's experiments on "emotions" or "units"."""
        found = getattr(self, kind)
        if number not in found:
            raise Unjudged(NOT_RUN, "no_experiment", kind=kind, number=number)
        settings = found[number].settings
        if not papers_own(kind, number, settings):
            raise Unjudged(NOT_RUN, "other_experiment", kind=kind, number=number)
        if standing_in := sorted(self.replaced & {settings.get(key) for key in ("pretrained", "target", "train", "test")}):
            raise Unjudged(CANNOT_TEST, "replaced", sets=standing_in)
        return found[number]

    def need(self, kind: str) -> Any:
        """Return all results of a kind, where this book has any."""
        if not getattr(self, kind):
            raise Unjudged(NOT_RUN, "no_results", kind=kind)
        return getattr(self, kind)

    def judged_generators(self) -> dict[str, Trained]:
        """Return the generators whose samples' variety was judged."""
        judged = {name: one for name, one in self.generators.items() if one.variety}
        if not judged:
            raise Unjudged(NOT_RUN, "no_results", kind="mode_collapse")
        return judged

    def on_photographs(self, published: float) -> None:
        """Let only a book on photographs go on: `published` is a number on those of the paper."""
        if self.rendered:
            raise Unjudged(CANNOT_TEST, "photographs", published=published)


def score(result: ExperimentResult, name: str, label: str = "all", *, features: str = "discriminator",
          protocol: str = SUBJECT_INDEPENDENT) -> Score:
    """Return one score with its interval; NaN where the result has none."""
    return triple(row_of(result.scores, protocol, features, name, label))


def triple(row: Mapping[str, float]) -> Score:
    """Return value, low and high of a row of scores; NaN where it has none."""
    return tuple(float(row.get(key, np.nan)) for key in ("value", "low", "high"))


def side(of: Score, bar: float = 0.0) -> int:
    """Return 1 or -1 where the whole interval lies above or below the bar, else 0."""
    return int(of[1] > bar) - int(of[2] < bar)
