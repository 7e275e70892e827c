"""Small parts of sentences that several chapters compute."""

from collections.abc import Sequence

__all__ = ["compared", "counted", "listed", "percent", "ranged", "share"]


def listed(words: Sequence[str]) -> str:
    """Write an enumeration: "a", "a and b", "a, b and c"; "none" without any."""
    words = list(words)
    if len(words) < 2:
        return words[0] if words else "none"
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(part: int, whole: int | None = None) -> str:
    """Write "3 of 8", or "3"; "none" instead of 0."""
    return ("none" if not part else f"{part:,}") + ("" if whole is None else f" of {whole:,}")


def ranged(low: float, high: float, decimals: int = 3) -> str:
    """Write "between .2 and .4", or, where both ends are written alike, the one number."""
    ends = [f"{value:.{decimals}f}" for value in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"between {ends[0]} and {ends[1]}"


def percent(value: float, decimals: int = 0) -> str:
    """Write a share as "61 %"."""
    return f"{100 * value:.{decimals}f} %"


def share(part: int, whole: int) -> str:
    """Write "12 of 1,608 (0.7 %)"."""
    return f"{part:,} of {whole:,}" + (f" ({100 * part / whole:.1f} %)" if part and whole else "")


def compared(low: float, high: float) -> str:
    """Say by the 95 % interval of a difference how the first of two compares with the second."""
    return "clearly better than" if low > 0 else "clearly worse than" if high < 0 else "about as good as"
