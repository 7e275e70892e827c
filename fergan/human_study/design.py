"""What each rater sees: pairs or single faces, balanced, with trials that catch inattention; and how many are needed."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom, binomtest, norm

from fergan.features.base import check_images
from fergan.files import hash_array, hash_parameters, read_json, write_array, write_json
from fergan.human_study.config import StudyConfig

#: Kind of study -> its name, as the field calls it.
KINDS = {"pair": "two-alternative forced choice", "single": "one face at a time"}

#: Kind of study -> the two answers, in the order of the left and the right key.
ANSWERS = {"pair": ("left", "right"), "single": ("real", "generated")}

#: Guessing is right in half of all trials, in either kind of study.
CHANCE = 0.5

_BLOCK = 16  # pixels: a face whose blocks are shuffled is none any more, and its colours stay


class Trial(NamedTuple):
    """One question of one sheet."""

    item: int  # what is asked about, the same on every sheet, so that raters can be compared
    pictures: list[int]  # rows of the study's pictures: left and right, or one
    right_answer: str  # one of the kind's `ANSWERS`: the side of the real face, or what the face is
    catch: bool  # whether anybody who looks must know the answer


@dataclass(frozen=True)
class Study:
    """A study: its pictures, and its sheets, one for each rater."""

    kind: str  # a key of `KINDS`
    pictures: np.ndarray  # (n_pictures, 64, 64, 3), uint8, in an order that tells nothing
    sheets: list[list[Trial]]  # each holds every item once, in an order and with sides of its own
    exposure: int  # ms for which a face is shown

    @cached_property
    def digest(self) -> str:
        """A hash of everything; answers carry it, so that none is counted for another study."""
        return hash_parameters(vars(self) | {"pictures": hash_array(self.pictures)})

    def save(self, folder: Path) -> None:
        """Write ``pictures.npy`` and ``study.json``, which holds the right answers."""
        write_array(folder / "pictures.npy", self.pictures)
        write_json(folder / "study.json", {"kind": self.kind, "sheets": self.sheets, "exposure": self.exposure})

    @classmethod
    def load(cls, folder: Path) -> "Study":
        """Read what `save` wrote."""
        record = read_json(folder / "study.json")
        sheets = [[Trial(*trial) for trial in sheet] for sheet in record.pop("sheets")]
        return cls(pictures=np.load(folder / "pictures.npy", allow_pickle=False), sheets=sheets, **record)


def make_studies(folder: Path, config: StudyConfig, *, generated: np.ndarray, real: np.ndarray) -> None:
    """Draw a study of each kind into ``folder/<kind>``; smaller ones where there are too few real faces."""
    for kind in KINDS:
        design_study(generated, real, kind, config.fitting(len(real))).save(folder / kind)


def load_studies(folder: Path) -> dict[str, Study]:
    """Return what `make_studies` made: kind -> study."""
    return {kind: Study.load(folder / kind) for kind in KINDS}


def design_study(generated: np.ndarray, real: np.ndarray, kind: str, config: StudyConfig) -> Study:
    """Draw a study from faces uint8 (n, 64, 64, 3); a ValueError where they are too few.

    Of a sheet's trials exactly half have the real face at the left (or are real faces, one at a time). No picture is
    shown twice to a rater. One trial in every stretch of a sheet, never its first, is there to catch inattention: a
    real face whose blocks are shuffled, in a pair with one that is whole.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of study {kind!r}; expected one of {', '.join(KINDS)}")
    n_catch = config.n_catch
    of_each = config.n_trials if kind == "pair" else config.n_trials // 2
    n_shuffled = n_catch if kind == "single" else 2 * n_catch
    check_images(generated, "generated", minimum=of_each)
    check_images(real, "real", minimum=of_each + n_shuffled)
    rng = np.random.default_rng(config.seed)
    fakes = generated[np.sort(rng.permutation(len(generated))[:of_each])]
    rows = rng.permutation(len(real))[: of_each + n_shuffled]
    faces = np.stack([real[row] for row in rows])
    whole, broken = faces[: len(faces) - n_catch], _shuffled(faces[len(faces) - n_catch :], rng)
    stacked = np.concatenate([whole, fakes, broken])
    place = rng.permutation(len(stacked))  # picture i of the stack becomes picture place[i]: names tell nothing
    pictures = np.empty_like(stacked)
    pictures[place] = stacked
    items = _items(kind, of_each, len(whole), place)
    sheets = [_sheet(kind, items, np.random.default_rng([config.seed, number])) for number in range(config.n_sheets)]
    return Study(kind, pictures, sheets, config.exposure)


def _shuffled(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures whose square blocks have changed places."""
    n, height, width, _ = images.shape
    blocks = images.reshape(n, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3).swapaxes(2, 3)
    blocks = blocks.reshape(n, height * width // _BLOCK**2, _BLOCK, _BLOCK, 3)
    mixed = np.stack([block[rng.permutation(len(block))] for block in blocks]) if n else blocks
    mixed = mixed.reshape(n, height // _BLOCK, width // _BLOCK, _BLOCK, _BLOCK, 3).swapaxes(2, 3)
    return mixed.reshape(images.shape)


def _items(kind: str, of_each: int, n_whole: int, place: np.ndarray) -> dict[bool, list[list[int]]]:
    """Return what is asked about: whether it is a catch -> the pictures of each item, the real one first."""
    whole, fakes, broken = (part.tolist() for part in np.split(place, [n_whole, n_whole + of_each]))
    if kind == "single":
        return {False: [[face] for face in whole + fakes], True: [[face] for face in broken]}
    pairs = [list(pair) for pair in zip(whole, fakes + broken, strict=True)]
    return {False: pairs[:of_each], True: pairs[of_each:]}


def _sheet(kind: str, items: dict[bool, list[list[int]]], rng: np.random.Generator) -> list[Trial]:
    """Order the items of one sheet and choose their sides."""
    trials, n_trials = [], len(items[False])
    sides = {catch: _balanced(len(items[catch]), rng) for catch in (False, True)}
    for catch, pictures in items.items():
        for index, shown in enumerate(pictures):
            swap = sides[catch][index] if kind == "pair" else catch or index >= n_trials // 2
            order = shown[::-1] if kind == "pair" and swap else shown
            trials.append(Trial(len(trials), order, ANSWERS[kind][int(swap)], catch))
    asked = [trials[number] for number in rng.permutation(n_trials)]
    n_catch = len(items[True])
    for index, number in enumerate(rng.permutation(np.arange(n_trials, len(trials)))):
        start, stop = (round(step * len(trials) / n_catch) for step in (index, index + 1))
        asked.insert(int(rng.integers(max(start, 1), stop)), trials[number])
    return asked


def _balanced(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return booleans of which half are true, in random order; of an odd number one more or less."""
    return rng.permutation(np.arange(n) < (n + rng.integers(2)) // 2)


def wilson_half_width(n: int) -> float:
    """Return half the width of the 95 % Wilson interval where half of `n` answers are right."""
    interval = binomtest(round(CHANCE * n), n).proportion_ci(method="wilson")
    return (interval.high - interval.low) / 2


def trials_for_half_width(half_width: float) -> int:
    """Return the fewest trials whose 95 % Wilson interval, widest at chance, reaches `half_width` to either side."""
    if not 0 < half_width < 0.5:
        raise ValueError(f"half_width is {half_width:g}; expected more than 0 and less than .5")
    z = norm.ppf(0.975)
    n = math.ceil((z / half_width) ** 2 / 4 - z**2)  # for an even number; of an odd one no half can be right
    while n > 1 and wilson_half_width(n - 1) <= half_width:
        n -= 1
    return max(n, 1)


def power_against_chance(n: int, share: float, level: float = 0.05) -> float:
    """Return how probably `n` trials show that raters do not guess, where they are right in `share` of them.

    The exact two-sided binomial test at `level`, trials independent.
    """
    # The test at a half is symmetric: both tails beyond the same distance from the middle.
    tail = binom.cdf(np.arange(n + 1), n, CHANCE)
    lower = int(np.searchsorted(tail, level / 2, side="right")) - 1  # the largest count whose tail is small enough
    if lower < 0:
        return 0.0
    return float(binom.cdf(lower, n, share) + binom.sf(n - lower - 1, n, share))


def power_table(n_per_rater: int = 100) -> pd.DataFrame:
    """Return one row per half width of the interval: trials, raters, and what can be told from chance with as many."""
    rows = []
    for half in (0.1, 0.05, 0.03, 0.02, 0.01):
        n = trials_for_half_width(half)
        rows.append({"interval": f"± {100 * half:g} %", "trials": n, f"raters of {n_per_rater} trials": -(-n // n_per_rater),
                     **{f"power at {100 * share:g} %": power_against_chance(n, share) for share in (0.53, 0.55, 0.6)}})
    return pd.DataFrame(rows)
