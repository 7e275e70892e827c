"""Which people's labels a classifier gets: test people fixed in each split, growing sets of training people in each draw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fergan.experiments.cross_validation import grouped_folds, other_rows

__all__ = ["Subset", "check_no_leak", "label_subsets", "sizes_up_to"]


@dataclass(frozen=True)
class Subset:
    """The labelled people of one draw, and whom they are tested on.

    Attributes
    ----------
    split, draw : int
        Of the test people, and of the order in which training people are labelled.
    n_people : int
        How many people are labelled; for all of them the smallest number that a split has.
    train, test : ndarray of int
        Faces, ascending; all faces of a labelled person are in `train`.
    pool : ndarray of int
        Faces of all training people of the split, of whom only those of `train` are labelled.
    """

    split: int
    draw: int
    n_people: int
    train: np.ndarray
    test: np.ndarray
    pool: np.ndarray


def sizes_up_to(n_people: int) -> list[int]:
    """Return 1, 2, 4, ... and `n_people` itself, without a power of two that is more than four fifths of it."""
    return [2**k for k in range(n_people.bit_length()) if 2**k <= 0.8 * n_people] + [n_people]


def label_subsets(y: np.ndarray, subjects: np.ndarray, *, n_splits: int, n_draws: int, seed: int) -> list[Subset]:
    """Divide people into test and training people, and draw who of the latter is labelled.

    Each of the `n_splits` folds of people is the test part once. In each draw the training people come in a random order;
    the first 1, 2, 4, ... of them are labelled, so that a larger set holds the smaller ones. All people are labelled in
    one draw only, for there is only one such set.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The class of each face.
    subjects : ndarray of shape (n_samples,), str
        The person of each face.
    n_splits, n_draws : int
        At least 2, and at least 1.
    seed : int

    Returns
    -------
    list of Subset
        By split, draw and size.

    Raises
    ------
    ValueError
        As for `fergan.experiments.cross_validation.grouped_folds`: one class only, or too few people, faces or people of a class.
    """
    if n_draws < 1:
        raise ValueError(f"n_draws is {n_draws}; expected at least 1")
    subjects = np.asarray(subjects, dtype=str)
    folds = grouped_folds(y, subjects, n_splits, seed)
    pools = [other_rows(len(y), [test]) for test in folds]
    n_all = min(len(np.unique(subjects[pool])) for pool in pools)
    subsets = []
    for split, (test, pool) in enumerate(zip(folds, pools, strict=True)):
        people = np.unique(subjects[pool])
        for draw in range(n_draws):
            order = np.random.default_rng([seed, split, draw]).permutation(people)
            for n in sizes_up_to(n_all):
                if n == n_all and draw:
                    continue
                train = pool if n == n_all else pool[np.isin(subjects[pool], order[:n])]
                subsets.append(Subset(split, draw, n, train, test, pool))
    check_no_leak(subsets, subjects)
    return subsets


def check_no_leak(subsets: Sequence[Subset], subjects: np.ndarray) -> None:
    """Refuse subsets in which somebody is on both sides.

    Raises
    ------
    ValueError
        A person of the test part has faces among the training faces or in the pool; the message names the person.
    """
    for subset in subsets:
        shared = np.intersect1d(subjects[np.union1d(subset.train, subset.pool)], subjects[subset.test])
        if len(shared):
            raise ValueError(f"{shared[0]!s} is trained on and tested on in split {subset.split}, draw {subset.draw}")
