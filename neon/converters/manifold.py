"""Embeddings, topics and other transforms that are no exact network of fixed size: why not."""

from __future__ import annotations

from neon.converters.registry import decline

__all__: list[str] = []

decline(
    *(f"sklearn.manifold.{name}" for name in ("ClassicalMDS", "MDS", "SpectralEmbedding", "TSNE")),
    because="it places the rows that it was fitted on and defines no function of new rows. Explain a model of the rows "
    "themselves, or clusters seen in the embedding: neon.explain_clusters(labels, X)",
)
decline(
    "sklearn.manifold.Isomap",
    because="its transform is an expansion in squared geodesic distances, each the shortest way through one of the "
    "nearest training rows: it jumps where the neighbors change, and these are no layers of fixed size. KernelPCA is "
    "the exact relative",
)
decline(
    "sklearn.manifold.LocallyLinearEmbedding",
    because="its transform solves, for every row, for the weights that rebuild the row from its nearest training rows: "
    "it jumps where the neighbors change and between jumps is a ratio of polynomials, not a network of fixed layers",
)
decline(
    "sklearn.decomposition.LatentDirichletAllocation",
    because="its transform is the last step of an iteration (variational inference) whose number of steps depends on "
    "the document: no network of fixed layers. NMF on the same counts gives topics that are explained exactly",
)
