"""Nearest neighbours, kernel densities, outlier factors, label spreading, manifolds."""

from neon.converters.neighbors import (
    centroid,
    density,
    graph,
    label_propagation,
    manifold,
    means,
    metrics,
    outlier_factor,
    searches,
    votes,
)

__all__ = [
    "centroid",
    "density",
    "graph",
    "label_propagation",
    "manifold",
    "means",
    "metrics",
    "outlier_factor",
    "searches",
    "votes",
]
