"""The study: pairs or single faces, balanced, with trials that catch inattention, and the page that raters get."""

import base64
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from fergan.cache import Config
from fergan.files import atomic_path, hash_array, hash_parameters, read_json, rendered, write_array, write_json

#: Kind of study -> its name, as the field calls it.
KINDS = {"pair": "two-alternative forced choice", "single": "one face at a time"}
#: Kind of study -> the two answers, in the order of the left and the right key. Guessing is right in half of all trials.
ANSWERS = {"pair": ("left", "right"), "single": ("real", "generated")}

_BLOCK = 16  # pixels: a face whose blocks are shuffled is none any more, and its colours stay


class StudyConfig(Config):
    """How large the study is, how long its faces are shown, and its seed."""

    n_trials: int = Field(100, ge=2, multiple_of=2, description="trials of one rater; fewer where the set has too few faces")
    n_catch: int = Field(10, ge=0, description="easy trials of one rater besides, which catch inattention")
    n_sheets: int = Field(20, ge=1, description="orders of the trials to hand out, one for each rater")
    exposure: int = Field(1000, ge=1, description="ms for which faces are shown")
    seed: int = Field(0, ge=0, description="of samples, pairs, orders and sides")

    @model_validator(mode="after")
    def _check(self) -> "StudyConfig":
        if self.n_catch > self.n_trials:
            raise ValueError(f"{self.n_catch} catch trials; expected no more than the {self.n_trials} trials")
        return self

    def fitting(self, n_real: int) -> "StudyConfig":
        """Return the study that a set of so many real faces allows: each is shown once, and a catch pair needs two."""
        if n_real >= self.n_trials + 2 * self.n_catch:
            return self
        n_catch = min(self.n_catch, n_real // 12)
        return StudyConfig(**self.model_dump() | {"n_trials": (n_real - 2 * n_catch) // 2 * 2, "n_catch": n_catch})


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

    Half of a sheet's trials have the real face at the left (or are real faces, one at a time). One in every stretch of a
    sheet, never its first, catches inattention: a real face of shuffled blocks. A rater sees no picture twice.
    """
    from fergan.features import check_images  # slow to import, and a profile needs only the config

    pair, n_catch = kind == "pair", config.n_catch
    n_fakes = config.n_trials // (1 if pair else 2)
    n_whole = n_fakes + (n_catch if pair else 0)
    check_images(generated, "generated", minimum=n_fakes)
    check_images(real, "real", minimum=n_whole + n_catch)
    rng = np.random.default_rng(config.seed)
    fakes = generated[np.sort(rng.permutation(len(generated))[:n_fakes])]
    faces = [real[row] for row in rng.permutation(len(real))[: n_whole + n_catch]]
    stacked = np.stack([*faces[:n_whole], *fakes, *(_shuffled(face, rng) for face in faces[n_whole:])])
    place = rng.permutation(len(stacked))  # picture i of the stack becomes picture place[i]: names tell nothing
    pictures = np.empty_like(stacked)
    pictures[place] = stacked
    # A pair is a whole real face and what follows in the stack, a generated or a shuffled one; the catches are last.
    items = (place.reshape(2, -1).T if pair else place[:, None]).tolist()
    streams = [np.random.default_rng([config.seed, number]) for number in range(config.n_sheets)]
    return Study(kind, pictures, [_sheet(kind, items, n_catch, stream) for stream in streams], config.exposure)


def _shuffled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n = len(image) // _BLOCK  # blocks on a side
    blocks = image.reshape(n, _BLOCK, n, _BLOCK, 3).swapaxes(1, 2).reshape(n * n, -1)
    return rng.permutation(blocks).reshape(n, n, _BLOCK, _BLOCK, 3).swapaxes(1, 2).reshape(image.shape)


def _sheet(kind: str, items: list[list[int]], n_catch: int, rng: np.random.Generator) -> list[Trial]:
    """Order the items of one sheet, the last of which are catches, and choose their sides."""
    n_trials = len(items) - n_catch
    # Half of either kind, of an odd number one more or less.
    swapped = np.concatenate([rng.permutation(np.arange(n) < (n + rng.integers(2)) // 2) for n in (n_trials, n_catch)])
    if kind == "single":
        swapped = np.arange(len(items)) >= n_trials // 2  # real faces come first
    trials = [Trial(number, shown[::-1] if swap else shown, ANSWERS[kind][int(swap)], number >= n_trials)
              for number, (shown, swap) in enumerate(zip(items, swapped, strict=True))]
    asked = [trials[number] for number in rng.permutation(n_trials)]
    for index, number in enumerate(rng.permutation(np.arange(n_trials, len(trials)))):
        start, stop = (round(step * len(trials) / n_catch) for step in (index, index + 1))
        asked.insert(int(rng.integers(max(start, 1), stop)), trials[number])
    return asked


def write_page(path: Path, study: Study) -> None:
    """Write a study as one HTML file, with its pictures inside and without its right answers, which survives closing."""
    pictures = []
    for image in study.pictures:
        Image.fromarray(image).save(buffer := io.BytesIO(), "PNG")
        pictures.append(f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}")
    data = {"id": study.digest, "exposure": study.exposure, "answers": ANSWERS[study.kind], "pictures": pictures,
            "sheets": [[trial.pictures for trial in sheet] for sheet in study.sheets]}
    with atomic_path(path) as temporary:
        temporary.write_text(rendered(Path(__file__).with_name("study.html.j2"), study=study, data=data), encoding="utf-8")
