"""From faces to feature vectors: the discriminator's hidden layers, their counterpart in the generator, and baselines.

Every kind is a scikit-learn transformer from images uint8 (n, 64, 64, 3) to float32 (n, n_features), so that it fits in
any pipeline. None of them learns from the faces it is given: `fit` only exists because pipelines call it.
"""
