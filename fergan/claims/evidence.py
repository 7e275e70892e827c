"""The results of a book as the judges of claims read them: what is absent is an answer, not an error."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fergan.book.page import STAMPS
from fergan.book.tables.action_units import papers_units
from fergan.book.tables.emotions import papers_emotions
from fergan.book.tables.scores import row_of
from fergan.claims.base import CannotTest, NotRun
from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult, accuracy_difference
from fergan.experiments.intervals import Difference
from fergan.experiments.scores import ExperimentResult
from fergan.files import read_json

__all__ = ["Evidence"]

Score = tuple[float, float, float]


@dataclass(frozen=True)
class Evidence:
    """Where a book's results are, and of what faces they speak.

    Attributes
    ----------
    home : Path
        The profile's artifacts.
    rendered : bool
        Whether the faces are rendered; a number on photographs cannot be tested then.
    replaced : frozenset of str
        Face sets that another set stands in for.
    emotion_experiments, au_experiments : frozenset of int
        The experiments of this book; a folder may hold results of others, of an earlier profile.
    chapters : frozenset of str
        The notebooks of this book (keys of `fergan.book.page.CHAPTERS`); only to these may a verdict point.
    """

    home: Path
    rendered: bool
    replaced: frozenset[str] = frozenset()
    emotion_experiments: frozenset[int] = frozenset()
    au_experiments: frozenset[int] = frozenset()
    chapters: frozenset[str] = frozenset()
    _read: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def _experiment(self, kind: str, cls: type[ExperimentResult], number: int) -> ExperimentResult:
        folder = self.home / "results" / kind / f"experiment-{number}"
        name, numbers = ("emotion", self.emotion_experiments) if kind == "emotions" else ("Action Unit", self.au_experiments)
        if number not in numbers:
            raise NotRun(f"This book has no {name} experiment {number}.")
        if str(folder) not in self._read:
            self._read[str(folder)] = cls.load(folder)
        result = self._read[str(folder)]
        sets = [result.settings[key] for key in ("pretrained", "target", "train", "test") if key in result.settings]
        if (papers_emotions if kind == "emotions" else papers_units)(number, *sets) is None:
            raise NotRun(f"This book's {name} experiment {number} is not the paper's.")
        if self.replaced & set(sets):
            raise CannotTest(f"Another set stands in for {', '.join(sorted(self.replaced & set(sets)))}.")
        return result

    def emotions(self, number: int) -> EmotionResult:
        """Return the result of one of the paper's emotion experiments."""
        return self._experiment("emotions", EmotionResult, number)

    def units(self, number: int) -> AUResult:
        """Return the result of one of the paper's Action Unit experiments."""
        return self._experiment("action_units", AUResult, number)

    def records(self, kind: str) -> dict[str, Any]:
        """Return the contents of every stamp of a kind of results, page -> content."""
        chapter = next(notebook for notebook, stamp in STAMPS.items() if stamp.startswith(f"results/{kind}/"))
        if chapter not in self.chapters:
            raise NotRun(f"This book has no chapter on {kind.replace('_', ' ')}.")
        found = {path.parent.name: read_json(path) for path in sorted((self.home / "results" / kind).glob("*/scores.json"))}
        if not found:
            raise NotRun(f"This book has no results on {kind.replace('_', ' ')}.")
        return found

    def faces_learnt(self, model: str) -> int:
        """Return how many faces a generator learnt."""
        stamp = self.home / "models" / model / "run.json"
        if not stamp.is_file():
            raise NotRun(f"This book has no network of {model}.")
        return read_json(stamp.parent / read_json(stamp)["folder"] / "finished.json")["n_faces"]

    def on_photographs(self, what: str) -> None:
        """Let only a book on photographs go on: `what` is a number on those of the paper."""
        if self.rendered:
            raise CannotTest(f"{what} is a number on photographs, and the faces of this book are rendered.")

    def shown(self, chapter: str, label: str) -> str:
        """Return the label of a figure or table if this book has its chapter, else an empty text."""
        return label if chapter in self.chapters else ""

    def emotion_table(self, number: int) -> str:
        """Return the label of an emotion experiment's table of scores."""
        return f"tab-emotions-{number}" if number in self.emotion_experiments else ""

    def au_table(self, number: int) -> str:
        """Return the label of an Action Unit experiment's table of scores."""
        return f"tab-aus-{number}" if number in self.au_experiments else ""

    def accuracy_difference(self, first: int, second: int) -> Difference:
        """Return the accuracy of one emotion experiment minus another's, on people never seen, discriminator features.

        The same faces are compared face by face, over the same draws of people; other faces as independent.
        """
        return accuracy_difference(*(self.emotions(number) for number in (first, second)))[0]


def score(result: ExperimentResult, name: str, label: str = "all", features: str = "discriminator",
          protocol: str = SUBJECT_INDEPENDENT) -> Score:
    """Return one score with its interval; NaN where the result has none."""
    row = row_of(result.scores, protocol, features, name, label)
    return tuple(float(row.get(key, np.nan)) for key in ("value", "low", "high"))


def words(of: Score | pd.Series) -> str:
    """Write a score with its interval."""
    value, low, high = of
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
