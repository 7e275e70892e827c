"""What became of each claim of the paper: verdicts, and the results that decide them; `fergan.claims.rules` judges."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control, norm

from fergan.experiments.action_units import AUResult
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.intervals import Score
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.transfer import TransferResult
from fergan.gan import alike_but_seed
from fergan.paper import papers_own

#: Every word that a verdict may use; the page says what each means.
WORDS = REPRODUCED, NOT_REPRODUCED, NOT_DECIDED, CANNOT_TEST, CONTRADICTION, STATED, NOT_JUDGED = (
    "reproduced", "not reproduced", "not decided", "cannot be tested on this data", "contradicts itself", "stated",
    "not judged")

LEVEL = 0.05  # of a decided verdict's p-value, and of the share of decided verdicts that chance may decide

@dataclass(frozen=True)
class Comparison:
    """One comparison that a claim needs; what could not be measured is open."""

    value: float  # above 0 where it speaks for the claim; NaN where it is open
    p: float  # of 0, two-sided; 1 where it is open

    @classmethod
    def of(cls, of: Score, bar: float = 0.0, sign: int = 1) -> "Comparison":
        """Compare a score with a bar: p is .05 where the 95 % interval ends at the bar, and that of a normal beyond it."""
        beyond = of[0] - bar
        reach = (of[0] - of[1] if beyond > 0 else of[2] - of[0]) / norm.isf(0.025)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * norm.sf(np.divide(abs(beyond), reach)) if beyond else 1.0
        return cls(sign * beyond, 1.0 if np.isnan(p) else float(p))

    @property
    def clear(self) -> int:
        """1 or -1 where it speaks for or against the claim by itself, else 0."""
        return int(np.sign(self.value)) if self.p <= LEVEL else 0


@dataclass(frozen=True)
class Verdict:
    """What became of a claim, and how much stands behind it."""

    word: str  # one of WORDS
    reason: str  # which sentence of the template says it
    values: Mapping[str, Any] = field(default_factory=dict)  # the numbers and names of that sentence
    shown_by: str = ""  # label of the figure, table or page of the book behind it, if there is one
    p: float = np.nan  # that chance alone decides as clearly; NaN where no interval does
    people: Mapping[str, int] = field(default_factory=dict)  # face set -> people whom the scores are of, each counted once
    trainings: int = 1  # of one network, from as many seeds

    @classmethod
    def of_parts(cls, parts: Iterable[Comparison], reason: str, people: Mapping[str, int], **values: Any) -> "Verdict":
        """Judge a claim that needs every part: by the largest p if all speak for it, or the smallest times their number."""
        parts = list(parts)
        against = [part.p for part in parts if part.value < 0]
        p_for = max((part.p if part.value > 0 else 1.0 for part in parts), default=1.0)
        p_against = min(1.0, len(parts) * min(against)) if against else 1.0
        p = float(min(p_for, p_against))
        decided = REPRODUCED if p_for <= p_against else NOT_REPRODUCED
        return cls(decided if p <= LEVEL else NOT_DECIDED, reason, values, p=p, people=people)


def corrected(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Leave undecided what chance may decide: of verdicts decided, 5 % are expected wrong (Benjamini and Hochberg, 1995)."""
    judged = {claim: verdict.p for claim, verdict in verdicts.items() if np.isfinite(verdict.p)}
    found = dict(verdicts)
    for claim, p in zip(judged, false_discovery_control(list(judged.values())) if judged else (), strict=True):
        if p > LEVEL >= judged[claim]:
            found[claim] = replace(found[claim], word=NOT_DECIDED)
    return found


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
    variety: str = ""  # what was found of its samples; empty where nobody looked
    coverage: float = np.nan  # share of the real faces that its samples cover ...
    coverage_floor: float = np.nan  # ... and that other real faces cover
    faces_found: Score | None = None  # share of the samples in which a detector finds a face

    @property
    def failed(self) -> bool:
        """Whether it gave an alarm while it was trained, or its samples have lost variety or are no faces of the set."""
        return self.alarms > 0 or self.variety in ("collapsed", "diverged", "narrow")

    @property
    def covered(self) -> float:
        """What its samples cover of the real faces, as a share of what other real faces cover."""
        return self.coverage / self.coverage_floor if self.coverage_floor else np.nan

    @property
    def faces_seen(self) -> int:
        """How many faces it was shown in its training."""
        return self.n_faces * self.config.get("epochs", 1)

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

    @property
    def collections(self) -> dict[str, str]:
        """Face set -> the collection that it is a part of, as far as results say: sets of one share people."""
        of_matrix = self.transfer.settings["collections"] if self.transfer else {}
        return of_matrix | {one.settings["target"]: one.settings["collection"] for one in self.emotions.values()}

    def experiment(self, kind: str, number: int) -> Any:
        """Return the result of one of the paper's experiments on "emotions" or "units"."""
        found = getattr(self, kind)
        if number not in found:
            raise Unjudged(NOT_JUDGED, "no_experiment", kind=kind, number=number)
        settings = found[number].settings
        if not papers_own(kind, number, settings):
            raise Unjudged(NOT_JUDGED, "other_experiment", kind=kind, number=number)
        if standing_in := sorted(self.replaced & {settings.get(key) for key in ("pretrained", "target", "train", "test")}):
            raise Unjudged(CANNOT_TEST, "replaced", sets=standing_in)
        return found[number]

    def need(self, kind: str) -> Any:
        """Return all results of a kind, where this book has any."""
        if not getattr(self, kind):
            raise Unjudged(NOT_JUDGED, "no_results", kind=kind)
        return getattr(self, kind)

    def judged_generators(self) -> dict[str, Trained]:
        """Return the generators whose samples' variety was judged."""
        judged = {name: one for name, one in self.generators.items() if one.variety}
        if not judged:
            raise Unjudged(NOT_JUDGED, "no_results", kind="mode_collapse")
        return judged

    def of_several_seeds(self) -> dict[str, list[Trained]]:
        """Return the judged generators that differ in their seed alone: the first one's name -> all of them."""
        judged = self.judged_generators()
        alike = alike_but_seed({name: {**one.config, "faces": (one.dataset, one.only)} for name, one in judged.items()})
        return {name: [judged[other] for other in names] for name, names in alike.items()}

    def on_photographs(self, published: float) -> None:
        """Let only a book on photographs go on: `published` is a number on those of the paper."""
        if self.rendered:
            raise Unjudged(CANNOT_TEST, "photographs", published=published)
