"""Could this score be chance? Tests that permute what would be exchangeable if it were."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fergan.experiments.protocols import other_rows
from fergan.svm.kernels import gaussian_kernel, kernel_slice
from fergan.svm.machines import fit_svc
from fergan.threads import run_threads

__all__ = ["N_FLIPS", "ChanceTest", "chance_test", "exchangeable", "permuted_within", "sign_flip_p_value"]


#: How often the signs of people's differences are flipped, where nothing else is said.
N_FLIPS = 1999


@dataclass(frozen=True)
class ChanceTest:
    """Accuracy with the true labels, and with permuted ones.

    Attributes
    ----------
    observed : float
    permuted : ndarray of shape (n_permutations,)
    """

    observed: float
    permuted: np.ndarray

    @property
    def p_value(self) -> float:
        """Share of all labellings, the true one included, that do at least as well as it; never 0."""
        # Accuracies are quotients of the same denominator, so equal ones are equal to the last bit.
        return float((1 + np.sum(self.permuted >= self.observed)) / (1 + len(self.permuted)))


def exchangeable(groups: np.ndarray) -> np.ndarray:
    """Return, for each face, the number of the stratum that its label is permuted in.

    A person with several faces is a stratum. People with one face, whose label could go nowhere, form one together.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,)
        The person of each face.

    Returns
    -------
    ndarray of int, shape (n_samples,)
        From 1; 0 for the people with one face.
    """
    codes, counts = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    return np.where(counts[codes] == 1, 0, codes + 1)


def permuted_within(y: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute labels within each stratum, which keeps the counts of its labels."""
    by_stratum = np.argsort(strata, kind="stable")
    shuffled = np.lexsort((rng.random(len(y)), strata))
    permuted = np.empty_like(y)
    permuted[by_stratum] = y[shuffled]
    return permuted


def chance_test(
    D2: np.ndarray, y: np.ndarray, groups: np.ndarray, blocks: Sequence[tuple[np.ndarray, float, float]], *,
    n_permutations: int, seed: int = 0, n_threads: int = 1,
) -> ChanceTest:
    """Compare a Gaussian SVM's accuracy with that after permuting the labels within people.

    The blocks serve as folds: each is predicted by a model trained on the others, anew for each labelling, at the same C
    and gamma. Permuting within people keeps what people alone tell about labels, so only the link of face and emotion is
    tested.

    Parameters
    ----------
    D2 : ndarray of shape (n_samples, n_samples), float32 or float64
        Squared distances between the faces' features.
    y : ndarray of shape (n_samples,), int
        Classes from 0 upwards.
    groups : ndarray of shape (n_samples,)
        The person of each face, see `exchangeable`.
    blocks : sequence of (ndarray of int, float, float)
        The faces of each block, with the C and gamma that were chosen without them; no person in two blocks.
    n_permutations, seed : int
    n_threads : int
        Labellings fitted at the same time.

    References
    ----------
    Ojala and Garriga, *Permutation Tests for Studying Classifier Performance*, JMLR 11, 2010.
    """
    rng = np.random.default_rng(seed)
    strata = exchangeable(groups)
    labellings = [y] + [permuted_within(y, strata, rng) for _ in range(n_permutations)]
    right = np.zeros(len(labellings), dtype=int)
    K = None
    for test, C, gamma in blocks:
        train = other_rows(len(y), [test])
        K = gaussian_kernel(D2, gamma, out=K, n_threads=n_threads)
        K_train, K_test = kernel_slice(K, train, train), kernel_slice(K, test, train)

        def n_right(labels, C=C, train=train, test=test, K_train=K_train, K_test=K_test):
            return int(np.sum(fit_svc(K_train, labels[train], C).predict(K_test) == labels[test]))

        right += np.array(run_threads(n_right, labellings, n_threads))
    accuracies = right / sum(len(test) for test, _, _ in blocks)
    return ChanceTest(float(accuracies[0]), accuracies[1:])


def sign_flip_p_value(differences: np.ndarray, groups: np.ndarray, n_flips: int = N_FLIPS, seed: int = 0) -> float:
    """Two-sided paired test of a mean difference of zero: the signs of whole people's differences are flipped.

    Parameters
    ----------
    differences : ndarray of shape (n_samples,)
        For each face, one method's score minus the other's.
    groups : ndarray of shape (n_samples,)
        The person of each face.
    n_flips, seed : int

    Returns
    -------
    float
        ``(1 + hits) / (1 + n_flips)``; 1 where nothing differs.
    """
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=differences)
    sums = sums[sums != 0]
    rng = np.random.default_rng(seed)
    hits = 0
    for start in range(0, n_flips, 100):  # some at a time, or 15,000 people would fill the memory
        signs = rng.choice([-1.0, 1.0], size=(min(100, n_flips - start), len(sums)))
        hits += int(np.sum(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9))
    return (1 + hits) / (1 + n_flips)
