"""What each rater sees: pairs or single faces, in an order of their own, balanced, with trials that catch inattention."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fergan.files import hash_array, hash_parameters, read_json, write_array, write_json
from fergan.quality.distances import check_images

__all__ = ["ANSWERS", "KINDS", "Study", "Trial", "make_study"]

#: Kind of study -> its name, as the field calls it.
KINDS = {"pair": "two-alternative forced choice", "single": "one face at a time"}

#: Kind of study -> the two answers, in the order of the left and the right key.
ANSWERS = {"pair": ("left", "right"), "single": ("real", "generated")}

_BLOCK = 16  # pixels: a face whose blocks are shuffled is none any more, and its colours stay


@dataclass(frozen=True)
class Trial:
    """One question of one sheet.

    Attributes
    ----------
    item : int
        What is asked about, the same on every sheet, so that raters can be compared.
    pictures : tuple of int
        Rows of the study's pictures: left and right, or one.
    right_answer : str
        One of the kind's `ANSWERS`: the side of the real face, or what the face is.
    catch : bool
        Whether anybody who looks must know the answer.
    """

    item: int
    pictures: tuple[int, ...]
    right_answer: str
    catch: bool = False


@dataclass(frozen=True)
class Study:
    """A study: its pictures, and its sheets, one for each rater.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    pictures : ndarray of shape (n_pictures, 64, 64, 3), dtype uint8
        In an order that tells nothing.
    sheets : list of list of Trial
        Each holds every item once, in an order and with sides of its own.
    exposure : int
        Milliseconds for which a face is shown.
    seed : int
        Of all draws.
    """

    kind: str
    pictures: np.ndarray
    sheets: list[list[Trial]]
    exposure: int
    seed: int

    @cached_property
    def id(self) -> str:
        """A hash of everything; answers carry it, so that none is counted for another study."""
        return hash_parameters(self._record() | {"pictures": hash_array(self.pictures)})

    @property
    def n_trials(self) -> int:
        """Trials of a sheet that count."""
        return sum(not trial.catch for trial in self.sheets[0])

    @property
    def n_catch(self) -> int:
        """Trials of a sheet that catch inattention."""
        return len(self.sheets[0]) - self.n_trials

    def _record(self) -> dict:
        sheets = [[asdict(trial) for trial in sheet] for sheet in self.sheets]
        return {"kind": self.kind, "exposure": self.exposure, "seed": self.seed, "sheets": sheets}

    def save(self, folder: str | Path) -> None:
        """Write ``pictures.npy`` and ``study.json``, which holds the right answers."""
        write_array(Path(folder) / "pictures.npy", self.pictures)
        write_json(Path(folder) / "study.json", self._record() | {"id": self.id})

    @classmethod
    def load(cls, folder: str | Path) -> "Study":
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The files do not belong together.
        """
        record = read_json(Path(folder) / "study.json")
        id_ = record.pop("id")
        record["sheets"] = [[Trial(**trial | {"pictures": tuple(trial["pictures"])}) for trial in sheet]
                            for sheet in record["sheets"]]
        study = cls(pictures=np.load(Path(folder) / "pictures.npy", allow_pickle=False), **record)
        if study.id != id_:
            raise ValueError(f"{folder}: study.json and pictures.npy do not belong together; make the study again")
        return study


def make_study(
    generated: np.ndarray, real: np.ndarray, kind: str = "pair", *, n_trials: int = 100, n_catch: int = 10,
    n_sheets: int = 20, exposure: int = 1000, seed: int = 0,
) -> Study:
    """Draw a study.

    Of a sheet's trials exactly half have the real face at the left (or are real faces, one at a time). No picture is
    shown twice to a rater. One trial in every stretch of a sheet, never its first, is there to catch inattention: a
    real face whose blocks are shuffled, in a pair with one that is whole.

    Parameters
    ----------
    generated, real : ndarray of shape (n, 64, 64, 3), dtype uint8
        Drawn from at random.
    kind : str
        A key of `KINDS`.
    n_trials : int
        Of a sheet, an even number.
    n_catch : int
        Trials of a sheet that catch inattention, besides.
    n_sheets : int
        Orders to hand out; as many raters as that each have one of their own.
    exposure : int
        Milliseconds for which a face is shown.
    seed : int

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        Too few faces, an odd number of trials, or an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of study {kind!r}; expected one of {', '.join(KINDS)}")
    if n_trials < 2 or n_trials % 2 or not 0 <= n_catch <= n_trials or n_sheets < 1:
        raise ValueError(f"{n_trials} trials and {n_catch} catch trials on {n_sheets} sheets; expected an even number of "
                         "trials, no more catch trials than that, and at least one sheet")
    if exposure < 1:
        raise ValueError(f"exposure is {exposure} ms; expected at least 1")
    of_each = n_trials if kind == "pair" else n_trials // 2
    n_shuffled = n_catch if kind == "single" else 2 * n_catch
    check_images("generated", generated, minimum=of_each)
    check_images("real", real, minimum=of_each + n_shuffled)
    rng = np.random.default_rng(seed)
    fakes = generated[np.sort(rng.permutation(len(generated))[:of_each])]
    rows = rng.permutation(len(real))[: of_each + n_shuffled]
    faces = np.stack([real[row] for row in rows])
    whole, broken = faces[: len(faces) - n_catch], _shuffled(faces[len(faces) - n_catch :], rng)
    stacked = np.concatenate([whole, fakes, broken])
    place = rng.permutation(len(stacked))  # picture i of the stack becomes picture place[i]: names tell nothing
    pictures = np.empty_like(stacked)
    pictures[place] = stacked
    items = _items(kind, of_each, len(whole), n_catch, place)
    sheets = [_sheet(kind, items, np.random.default_rng([seed, number])) for number in range(n_sheets)]
    return Study(kind, pictures, sheets, exposure, seed)


def _shuffled(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures whose square blocks have changed places."""
    n, height, width, _ = images.shape
    blocks = images.reshape(n, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3).swapaxes(2, 3)
    blocks = blocks.reshape(n, height * width // _BLOCK**2, _BLOCK, _BLOCK, 3)
    mixed = np.stack([block[rng.permutation(len(block))] for block in blocks]) if n else blocks
    mixed = mixed.reshape(n, height // _BLOCK, width // _BLOCK, _BLOCK, _BLOCK, 3).swapaxes(2, 3)
    return mixed.reshape(images.shape)


def _items(kind: str, of_each: int, n_whole: int, n_catch: int, place: np.ndarray) -> list[tuple[tuple[int, ...], bool]]:
    """Return what is asked about: (pictures with the real one first, whether it is a catch)."""
    whole, fakes, broken = (place[rows].tolist() for rows in (
        slice(0, n_whole), slice(n_whole, n_whole + of_each), slice(n_whole + of_each, None)))
    if kind == "pair":
        asked = [(pair, False) for pair in zip(whole[:of_each], fakes, strict=True)]
        return asked + [(pair, True) for pair in zip(whole[of_each:], broken, strict=True)]
    return [((face,), False) for face in whole[:of_each] + fakes] + [((face,), True) for face in broken]


def _sheet(kind: str, items: list[tuple[tuple[int, ...], bool]], rng: np.random.Generator) -> list[Trial]:
    """Order the items of one sheet and choose their sides."""
    n_trials = sum(not catch for _, catch in items)
    trials = []
    sides = [_balanced(count, rng) for count in (n_trials, len(items) - n_trials)]
    for number, (pictures, catch) in enumerate(items):
        if kind == "pair":
            swap = sides[catch][number - n_trials * catch]
            trials.append(Trial(number, pictures[::-1] if swap else pictures, "right" if swap else "left", catch))
        else:
            trials.append(Trial(number, pictures, "real" if number < n_trials // 2 else "generated", catch))
    asked = [trials[number] for number in rng.permutation(n_trials)]
    for index, number in enumerate(rng.permutation(np.arange(n_trials, len(items)))):
        start, stop = (round(step * len(items) / (len(items) - n_trials)) for step in (index, index + 1))
        asked.insert(int(rng.integers(max(start, 1), stop)), trials[number])
    return asked


def _balanced(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return booleans of which half are true, in random order; of an odd number one more or less."""
    return rng.permutation(np.arange(n) < (n + rng.integers(2)) // 2)
