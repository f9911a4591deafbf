"""PCA and other decompositions: new columns out of all columns."""

from neon.converters.decomposition import boltzmann, factor, linear, sparse_coding, topics

__all__ = ["boltzmann", "factor", "linear", "sparse_coding", "topics"]
