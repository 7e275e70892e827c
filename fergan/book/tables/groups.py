"""Sentences of the chapter on groups of people."""

from collections.abc import Mapping

from fergan.book.tables.words import counted

__all__ = ["groups_in_words"]


def groups_in_words(clear: Mapping[str, int], n_experiments: int) -> str:
    """Say in how many experiments the outer thirds of people differ clearly; ``clear`` counts them by trait."""
    return (f"Between the lightest and the darkest third of people accuracy differs clearly in "
            f"{counted(clear['skin'], n_experiments)} experiments, between the youngest and the oldest third in "
            f"{counted(clear['age'], n_experiments)}.")
