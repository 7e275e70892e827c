"""Features of people who show each emotion a few times, for the tests of emotions."""

import numpy as np


def faces(n_subjects=15, n_repeats=3, n_features=12, signal=2.0, noise=1.0, seed=0):
    """Faces of people with each emotion a few times; features hold the emotion and noise."""
    rng = np.random.default_rng(seed)
    y, person, _ = (
        a.ravel() for a in np.meshgrid(range(4), range(n_subjects), range(n_repeats), indexing="ij")
    )
    order = rng.permutation(len(y))
    y, person = y[order], person[order]
    X = signal * rng.normal(size=(4, n_features))[y] + noise * rng.normal(size=(len(y), n_features))
    return X.astype(np.float32), y, np.array([f"p{i:02d}" for i in person])
