"""Measuring the samples while a generator trains: how near to the real faces, how varied, and is it still learning?"""

import numpy as np

from fergan.features.baselines import HOGFeatures
from fergan.quality.collapse import NEIGHBOURS, variety, variety_floor
from fergan.quality.distances import frechet_distance
from fergan.quality.similarity import mean_pairwise_distance

#: Samples less varied than this share of as many real faces are taken for a collapse. Chosen: a generator that has learnt
#: its set comes near 1, one that ignores its noise is at 0; each generator's page shows its own.
COLLAPSE_RATIO = 0.5

#: A discriminator that gives real faces more than this, and generated ones less than the rest, has nothing to teach.
CERTAINTY = 0.99

#: Samples and real faces that are compared at each snapshot, or fewer where there are fewer faces.
N_MONITORED = 192

#: The first part of training, in which samples are all alike because nothing is learnt yet.
WARM_UP = 0.2


class Monitor:
    """Measure the samples of a training against the faces it learns from; `fergan.gan.training.train` calls it.

    Args:
        images: (n_faces, 64, 64, 3), uint8; the faces learnt from.
        seed: Of the choice of real faces.
        n_samples: Samples and real faces compared, fewer where there are fewer faces.
    """

    def __init__(self, images: np.ndarray, seed: int = 0, n_samples: int = N_MONITORED):
        self.n_samples = min(n_samples, len(images))
        rows = np.random.default_rng(seed).choice(len(images), self.n_samples, replace=False)
        real = np.array(images[np.sort(rows)])
        self._hog = HOGFeatures().transform(real)
        self._diversity = mean_pairwise_distance(real)
        half = rows[: len(images) // 2]  # so that real faces can be compared with as many others
        self._half = np.array(images[np.sort(half)])
        self._floor = variety_floor(images, len(half), seed) if len(half) > NEIGHBOURS + 1 else None

    def measure(self, step: int, n_steps: int, samples: np.ndarray, scores: np.ndarray) -> dict[str, float | str]:
        """Measure one snapshot.

        Args:
            step, n_steps: Finished steps, and those of the whole training.
            samples: (n_samples, 64, 64, 3), uint8; of the same noise each time.
            scores: (n, 2); the discriminator's mean scores of real and generated faces in the steps since the last snapshot.

        Returns: ``frechet`` (distance of HOG features to as many real faces; not comparable with published FID),
            ``diversity_ratio`` (mean pairwise distance of the samples' pixels over that of as many real faces),
            ``score_real, score_generated`` (means of the scores; NaN before the first step), ``spread, recall, coverage``
            (see `fergan.quality.collapse.Variety`; NaN where there are too few faces), each also with ``_floor`` (what real
            faces reach beside as many others), and ``alarm`` (why the run needs attention; empty where it does not).
        """
        samples = samples[: self.n_samples]
        certainty = scores.mean(0) if len(scores) else np.full(2, np.nan)
        ratio = mean_pairwise_distance(samples) / self._diversity if self._diversity else float("nan")
        found = {"frechet": frechet_distance(HOGFeatures().transform(samples), self._hog), "diversity_ratio": ratio,
                 "score_real": float(certainty[0]), "score_generated": float(certainty[1])}
        here = variety(samples[: len(self._half)], self._half) if self._floor else None
        for end, side in (("", here), ("_floor", self._floor)):
            found |= {f"{name}{end}": getattr(side, name, float("nan")) for name in ("spread", "recall", "coverage")}
        return found | {"alarm": _alarm(ratio, certainty) if step >= WARM_UP * n_steps else ""}


def _alarm(ratio: float, certainty: np.ndarray) -> str:
    reasons = []
    if ratio < COLLAPSE_RATIO:
        reasons.append(f"the samples are {ratio:.2f} times as varied as real faces (collapse: below {COLLAPSE_RATIO:g})")
    if certainty[0] > CERTAINTY and certainty[1] < 1 - CERTAINTY:
        reasons.append(
            f"the discriminator is certain ({certainty[0]:.3f} for real, {certainty[1]:.3f} for generated faces), "
            "so the generator learns little"
        )
    return "; ".join(reasons)
