"""Embeddings of new rows by their nearest training rows: local ridge regressions, shortest paths."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components, shortest_path
from sklearn.neighbors import kneighbors_graph, radius_neighbors_graph

from neon.converters.core import Ask, Conversion, converter, dense, transformer
from neon.converters.core.registry import decline
from neon.converters.neighbors.searches import nameless, padded, untouched
from neon.errors import UnsupportedModelError
from neon.nn import Barycenter, Linear, SquaredGeodesic

__all__ = ["convert_isomap", "convert_locally_linear"]


@converter("sklearn.manifold.Isomap")
def convert_isomap(model: Any, ask: Ask) -> Conversion:
    """Isomap: squared geodesic distances (`squared_geodesic`), centered, on the scaled eigenvectors A.

    ``y_c = -½ Σ_j A_jc (g_j² - mean of g_j²)`` relative to the training rows: every step of the shortest ways is shared
    by its length along each feature. Where the ways are straight this is what a projection on principal components is
    explained by, ``A_c (x_i - x̄_i)``; shares of the way to the nearest neighbours alone would leave nearly all of a
    coordinate to a residual.
    """
    ask.choose("transform")
    power = _power(model)
    points, pca = dense(model.nbrs_._fit_X), model.kernel_pca_
    used = pca.eigenvalues_ != 0
    alphas = np.zeros_like(pca.eigenvectors_, dtype=np.float64)
    alphas[:, used] = pca.eigenvectors_[:, used] / np.sqrt(pca.eigenvalues_[used])
    bias = (pca._centerer.K_fit_all_ - pca._centerer.K_fit_rows_) @ alphas
    finder = _Finder(nameless(model.nbrs_), model.n_neighbors)
    geodesic = SquaredGeodesic(points, *_paths(model), finder, power=power)
    return transformer(
        untouched(model),
        [geodesic, Linear(-0.5 * (alphas - alphas.mean(0)).T, bias)],
        "Isomap embedding: squared geodesic distances to the training rows, with the shortest ways held fixed, each of "
        "their steps shared by its length along each feature",
        alphas.shape[1],
        "component",
        reference=points,
        reference_words="the training rows",
        takes_reference=True,
        thresholds=True,
        inverse=_NearestRows(np.asarray(model.embedding_), points),
        stated=SquaredGeodesic.states,
    )


def _power(model: Any) -> float:
    """The power p of the model's distance."""
    metric, parameters = model.nbrs_.effective_metric_, model.nbrs_.effective_metric_params_ or {}
    named = {"euclidean": 2.0, "l2": 2.0, "manhattan": 1.0, "l1": 1.0, "cityblock": 1.0}
    if metric == "minkowski" and parameters.get("w") is None:
        return float(parameters.get("p", 2))
    if metric in named:
        return named[metric]
    raise UnsupportedModelError(
        f"Isomap with metric={metric!r}; supported are 'minkowski' without weights, 'euclidean' and 'manhattan'"
    )


def _paths(model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths of the shortest paths in the model's graph, their edges, and the one by which each arrives (`Paths`).

    The model keeps the lengths alone, of single-precision rows in single precision.
    """
    search = copy.deepcopy(model.nbrs_)
    options = {"mode": "distance", "metric": search.metric, "p": search.p, "metric_params": search.metric_params}
    if search.n_neighbors is not None:
        graph = kneighbors_graph(search, search.n_neighbors, **options)
    else:
        graph = radius_neighbors_graph(search, search.radius, **options)
    n_parts, labels = connected_components(graph)
    if n_parts > 1:
        from sklearn.utils.graph import _fix_connected_components  # private, as what Isomap itself joins parts by

        metric = {"metric": search.effective_metric_, **search.effective_metric_params_}
        graph = _fix_connected_components(search._fit_X, graph.tolil(), n_parts, labels, mode="distance", **metric)
    lengths, before = shortest_path(graph, method="D", directed=False, return_predecessors=True)
    starts, ends = np.nonzero(before >= 0)
    middles = before[starts, ends]
    number = np.zeros(before.shape, dtype=np.int32)
    number[np.minimum(middles, ends), np.maximum(middles, ends)] = 1
    edges = np.argwhere(number)
    number[edges[:, 0], edges[:, 1]] = number[edges[:, 1], edges[:, 0]] = np.arange(len(edges))
    last = np.full(before.shape, len(edges))
    last[starts, ends] = number[middles, ends]
    return lengths, edges, last


@converter("sklearn.manifold.LocallyLinearEmbedding")
def convert_locally_linear(model: Any, ask: Ask) -> Conversion:
    """LocallyLinearEmbedding by any method: neighbours' embeddings, by the weights that rebuild the row (`barycenter`).

    That is the embedding's mean over the neighbours and a ridge regression on them, counted from their mean: as near to
    the row as a reference point can be, so that nothing but the neighbours is taken as given.
    """
    ask.choose("transform")
    points, embedding = dense(model.nbrs_._fit_X), np.asarray(model.embedding_)
    finder = _Finder(nameless(model.nbrs_), model.n_neighbors)
    return transformer(
        untouched(model),
        [Barycenter(points, embedding, finder, ridge=float(model.reg))],
        "locally linear embedding: the mean of the neighbours' and a ridge regression on them, with the neighbours and "
        "the strength of the ridge held fixed",
        embedding.shape[1],
        "component",
        thresholds=True,  # who is near is a matter of rounding where rows tie: scalings before run in scikit-learn
        inverse=_NearestRows(embedding, points),
        stated=Barycenter.states,
    )


@dataclass(frozen=True, eq=False)
class _Finder:
    """The neighbours that the model itself finds, of equally near ones the same."""

    search: Any  # NearestNeighbors
    n_neighbors: int | None  # None: all within its radius

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not len(X):
            return np.empty((0, 1)), np.empty((0, 1), dtype=int)
        if self.n_neighbors is not None:
            return self.search.kneighbors(X, self.n_neighbors)
        distances, indices = self.search.radius_neighbors(X)
        return padded(distances, np.inf), padded(indices, 0).astype(int)


@dataclass(frozen=True, eq=False)
class _NearestRows:
    """The training rows whose embeddings are nearest: points of reference for what follows on the embedding."""

    embedding: np.ndarray
    points: np.ndarray

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        return self.points[[np.square(self.embedding - z).sum(1).argmin() for z in Z]]


decline(
    *(f"sklearn.manifold.{name}" for name in ("ClassicalMDS", "MDS", "SpectralEmbedding", "TSNE")),
    because="it places the rows that it was fitted on and defines no function of new rows. Explain a model of the rows "
    "themselves, or clusters seen in the embedding: neon.explain_clusters(labels, X)",
)
