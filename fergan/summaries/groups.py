"""Sentences of the chapter on groups of people."""

from collections.abc import Mapping

__all__ = ["groups_in_words"]


def groups_in_words(clear: Mapping[str, int], n_experiments: int) -> str:
    """Say in how many experiments the outer thirds of people differ clearly; ``clear`` counts them by trait."""
    return (f"Accuracy on the lightest and on the darkest third of people differs clearly, with a 95 % interval without 0, "
            f"in {clear['skin']} of {n_experiments} experiments, that on the youngest and on the oldest third in "
            f"{clear['age']}.")
