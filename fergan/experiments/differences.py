"""The difference of two scores, with its interval."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Difference"]


@dataclass(frozen=True)
class Difference:
    """A difference of two scores with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)

    @classmethod
    def of_scores(cls, first: tuple[float, float, float], second: tuple[float, float, float]) -> "Difference":
        """Return the difference of two independent scores, each ``(value, low, high)``.

        The interval is the one of Zou and Donner (2008), which recovers the variances from both intervals, so that these
        may be lopsided.
        """
        (a, a_low, a_high), (b, b_low, b_high) = first, second
        d = a - b
        return cls(d, d - np.hypot(a - a_low, b_high - b), d + np.hypot(a_high - a, b - b_low))

    def __str__(self) -> str:
        if np.isnan(self.low) or np.isnan(self.high):
            return f"{self.value:+.3f}".replace("-", "−")
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]".replace("-", "−")
