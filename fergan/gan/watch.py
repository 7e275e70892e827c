"""Watching the samples while a generator learns: how near to the real faces, how varied, and is it still learning?

The measures are those of `fergan.quality`, taken of the same noise at each look.
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.features.hog import HOGFeatures
from fergan.files import atomic_path
from fergan.quality.collapse import NEIGHBOURS, variety, variety_floor
from fergan.quality.distances import frechet_distance
from fergan.quality.similarity import mean_pairwise_distance

__all__ = ["CERTAINTY", "COLLAPSE_RATIO", "N_WATCHED", "Look", "Watch"]

log = logging.getLogger(__name__)

#: Samples less varied than this share of as many real faces are taken for a collapse. Chosen: a generator that has learnt
#: its set comes near 1, one that ignores its noise is at 0; each generator's page shows its own.
COLLAPSE_RATIO = 0.5

#: A discriminator that gives real faces more than this, and generated ones less than the rest, has nothing to teach.
CERTAINTY = 0.99

#: Samples and real faces that are compared at each look, or fewer where there are fewer faces.
N_WATCHED = 192

#: The first part of training, in which samples are all alike because nothing is learnt yet.
WARM_UP = 0.2


@dataclass(frozen=True)
class Look:
    """What one look at the samples found.

    Attributes
    ----------
    step : int
        Finished steps.
    frechet : float
        Frechet distance of HOG features to as many real faces; not comparable with published FID.
    diversity_ratio : float
        Mean pairwise distance of the samples' pixels over that of as many real faces.
    score_real, score_generated : float
        What the discriminator gave, mean over the steps since the last look; NaN before the first step.
    spread, recall, coverage : float
        See `fergan.quality.collapse.Variety`; NaN where there are too few faces.
    spread_floor, recall_floor, coverage_floor : float
        What real faces reach beside as many other real faces.
    alarm : str
        Why the run needs attention; empty where it does not.
    """

    step: int
    frechet: float
    diversity_ratio: float
    score_real: float
    score_generated: float
    spread: float = float("nan")
    recall: float = float("nan")
    coverage: float = float("nan")
    spread_floor: float = float("nan")
    recall_floor: float = float("nan")
    coverage_floor: float = float("nan")
    alarm: str = ""


class Watch:
    """Look at samples during training, warn of a collapse, and say which look was the best.

    Parameters
    ----------
    folder : path
        Of the run; looks are kept there as ``watched.parquet``.
    images : ndarray of shape (n_faces, 64, 64, 3), dtype uint8
        The faces learnt from.
    n_steps : int
        Of the whole training.
    seed : int
        Of the draw of real faces.
    n_samples : int
        Samples and real faces compared, fewer where there are fewer faces.
    """

    def __init__(self, folder: Path, images: np.ndarray, n_steps: int, seed: int, n_samples: int = N_WATCHED):
        self._path = folder / "watched.parquet"
        self._n_steps = n_steps
        self.n_samples = min(n_samples, len(images))
        rows = np.random.default_rng(seed).choice(len(images), self.n_samples, replace=False)
        real = np.array(images[np.sort(rows)])
        self._hog = HOGFeatures().transform(real)
        self._diversity = mean_pairwise_distance(real)
        half = rows[: len(images) // 2]  # so that real faces can be compared with as many others
        self._half = np.array(images[np.sort(half)])
        self._floor = variety_floor(images, len(half), seed) if len(half) > NEIGHBOURS + 1 else None
        self.looks = self._earlier_looks()

    def _earlier_looks(self) -> list[Look]:
        if not self._path.is_file():
            return []
        try:
            return [Look(**row) for row in pd.read_parquet(self._path).to_dict("records")]
        except (ValueError, TypeError, OSError) as error:
            raise ValueError(f"{self._path} cannot be read ({error}); delete its folder to train this run again") from error

    @property
    def best(self) -> Look | None:
        """The look with the smallest Frechet distance, the earlier one of equals."""
        return min(self.looks, key=lambda look: look.frechet, default=None)

    @property
    def alarms(self) -> list[Look]:
        """The looks that gave an alarm."""
        return [look for look in self.looks if look.alarm]

    def look(self, step: int, samples: np.ndarray, scores: np.ndarray) -> Look:
        """Measure samples, keep and return what was found, and warn in the log where it gives an alarm.

        Parameters
        ----------
        step : int
            Finished steps. A look at a step already looked at replaces it and all later ones: the run was resumed.
        samples : ndarray of shape (n_samples, 64, 64, 3), dtype uint8
            Of the same noise each time.
        scores : ndarray of shape (n, 2)
            The discriminator's mean scores of real and generated faces in the steps since the last look.
        """
        samples = samples[: self.n_samples]
        certainty = scores.mean(0) if len(scores) else np.full(2, np.nan)
        ratio = mean_pairwise_distance(samples) / self._diversity if self._diversity else float("nan")
        found = Look(
            step=step,
            frechet=frechet_distance(HOGFeatures().transform(samples), self._hog),
            diversity_ratio=ratio,
            score_real=float(certainty[0]),
            score_generated=float(certainty[1]),
            **self._variety(samples),
            alarm=self._alarm(step, ratio, certainty),
        )
        if found.alarm and not (self.looks and self.looks[-1].alarm):
            log.warning("step %d of %d: %s", step, self._n_steps, found.alarm)
        self.looks = [look for look in self.looks if look.step < step] + [found]
        with atomic_path(self._path) as temporary:
            pd.DataFrame([asdict(look) for look in self.looks]).to_parquet(temporary, index=False)
        return found

    def _variety(self, samples: np.ndarray) -> dict[str, float]:
        if self._floor is None:
            return {}
        sides = ("", variety(samples[: len(self._half)], self._half)), ("_floor", self._floor)
        return {f"{score}{end}": getattr(side, score) for end, side in sides for score in ("spread", "recall", "coverage")}

    def _alarm(self, step: int, ratio: float, certainty: np.ndarray) -> str:
        if step < WARM_UP * self._n_steps:
            return ""
        reasons = []
        if ratio < COLLAPSE_RATIO:
            reasons.append(f"the samples are {ratio:.2f} times as varied as real faces (collapse: below {COLLAPSE_RATIO:g})")
        if certainty[0] > CERTAINTY and certainty[1] < 1 - CERTAINTY:
            reasons.append(
                f"the discriminator is certain ({certainty[0]:.3f} for real, {certainty[1]:.3f} for generated faces), "
                "so the generator learns little"
            )
        return "; ".join(reasons)
