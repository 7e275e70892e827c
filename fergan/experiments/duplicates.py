"""Near-duplicates in sets that do not say who is who: pictures that must not stand on both sides of a split."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fergan.data.faces import FaceSet
from fergan.files import hash_array
from fergan.svm.kernels import squared_distances, typical_distance

__all__ = ["duplicate_groups", "people_or_duplicates"]

_ROWS = 2000  # of a matrix of distances at a time


def duplicate_groups(images: np.ndarray, features: np.ndarray | None = None, within: float = 0.0) -> np.ndarray:
    """Group pictures that are the same, or nearly.

    Pictures with the same content belong together, and, with `within`, those whose features are near to each other.
    Belonging is passed on: if a is near b, and b near c, all three are one group.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), dtype uint8
        Their content is compared by its hash.
    features : ndarray of shape (n, n_features), optional
    within : float
        Distance, as a share of the typical one (root of the median squared distance), up to which pictures count as the
        same; 0 compares contents only.

    Returns
    -------
    ndarray of shape (n,), int
        The number of each picture's group, from 0.

    Raises
    ------
    ValueError
        `within` is not in 0..1, or is above 0 without features.
    """
    if not 0 <= within < 1:
        raise ValueError(f"within is {within}; expected a share of the typical distance, 0 <= within < 1")
    n = len(images)
    contents = np.unique([hash_array(image) for image in images], return_inverse=True)[1]
    first = np.unique(contents, return_index=True)[1]
    pairs = [np.stack([np.arange(n), first[contents]])]
    if within > 0:
        if features is None or len(features) != n:
            raise ValueError(f"within is {within}, but there are no features of the {n} pictures to compare")
        some = features[np.linspace(0, n - 1, min(n, _ROWS)).astype(int)]
        limit = within**2 * typical_distance(squared_distances(some))
        for start in range(0, n, _ROWS):
            near = np.nonzero(squared_distances(features[start : start + _ROWS], features) <= limit)
            pairs.append(np.stack([near[0] + start, near[1]]))
    rows, columns = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def people_or_duplicates(faces: FaceSet, features: np.ndarray | None = None, within: float = 0.0) -> np.ndarray:
    """Return the person of each face as strings; faces without one that are duplicates count as one person.

    Parameters
    ----------
    faces : FaceSet
    features, within
        See `duplicate_groups`.
    """
    people = faces.subjects()
    alone = np.flatnonzero(faces.labels["subject"].isna())
    if not len(alone):
        return people
    groups = duplicate_groups(faces.images[alone], None if features is None else features[alone], within)
    # People are joined, not faces moved: the frames of a sequence stay together.
    names, codes = np.unique(people, return_inverse=True)
    size = len(names) + groups.max() + 1
    graph = coo_array((np.ones(len(alone), bool), (codes[alone], len(names) + groups)), shape=(size, size))
    joined = connected_components(graph, directed=False)[1][: len(names)]
    first = np.unique(joined, return_index=True)[1]
    return names[first[joined[codes]]]
